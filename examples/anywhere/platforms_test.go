package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/discordfake"
	"github.com/starlingbot/starling/internal/mattermostfake"
)

// program starts the bot with an environment of its own.
func program(t *testing.T, bin string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(bin, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = t.Output()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func output(bin string, env []string, args ...string) (string, error) {
	cmd := exec.Command(bin, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestDiscordProcess talks to the program over Discord's wire, kills it, and lets the next one answer.
func TestDiscordProcess(t *testing.T) {
	const alice, ops = "200000000000000001", "300000000000000001"
	bin := build(t)
	f, err := discordfake.Listen(discordfake.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	f.AddUser(discordfake.User{ID: alice, Name: "alice"})
	f.AddChannel(discordfake.Channel{ID: ops, Name: "ops"})
	env := []string{"DISCORD_TOKEN=" + discordfake.Token, "DISCORD_API_URL=" + f.URL()}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	out, err := output(bin, env, "-adapter", "discord", "-brain", "memory", "-check")
	require.NoError(t, err, out)
	require.Contains(t, out, "ok   discord")
	out, err = output(bin, env, "-invite", "discord")
	require.NoError(t, err, out)
	require.Contains(t, out, "client_id=")
	require.Contains(t, out, "permissions=")
	out, err = output(bin, []string{"DISCORD_TOKEN=", "DISCORD_CLIENT_ID=42"}, "-invite", "discord")
	require.NoError(t, err, out)
	require.Contains(t, out, "client_id=42")

	db := filepath.Join(t.TempDir(), "bot.db")
	first := program(t, bin, env, "-adapter", "discord", "-brain", db)
	require.NoError(t, f.Await(ctx, f.Connected))
	_, err = f.Say(alice, ops, "starling ping")
	require.NoError(t, err)
	require.NoError(t, f.Await(ctx, func() bool { return len(f.Find("PONG")) == 1 }))
	require.NoError(t, f.Await(ctx, func() bool { return len(f.Commands("")) > 0 }), "the slash commands")
	require.NoError(t, f.Invoke(alice, ops, "ping", ""))
	require.NoError(t, f.Await(ctx, func() bool { return len(f.Find("PONG")) == 2 }))
	for _, text := range []string{"alice++", "starling karma alice"} {
		_, err = f.Say(alice, ops, text)
		require.NoError(t, err)
	}
	require.NoError(t, f.Await(ctx, func() bool { return len(f.Find("alice has 1.")) == 1 }))
	require.NoError(t, first.Process.Kill())
	_ = first.Wait()
	require.NoError(t, f.Await(ctx, func() bool { return !f.Connected() }))
	program(t, bin, env, "-adapter", "discord", "-brain", db)
	require.NoError(t, f.Await(ctx, f.Connected))
	_, err = f.Say(alice, ops, "! karma alice")
	require.NoError(t, err)
	require.NoError(t, f.Await(ctx, func() bool { return len(f.Find("alice has 1.")) == 2 }))
	f.Revoke()
	out, err = output(bin, env, "-adapter", "discord", "-brain", "memory", "-check")
	require.Error(t, err)
	require.Contains(t, out, "FAIL discord")
	require.NotContains(t, out, discordfake.Token)
}

// TestMattermostProcess does the same over Mattermost's, and makes the slash commands.
func TestMattermostProcess(t *testing.T) {
	bin := build(t)
	f, err := mattermostfake.Listen(mattermostfake.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	alice, ops := mattermostfake.ID("alice"), mattermostfake.ID("ops")
	f.AddUser(mattermostfake.User{ID: alice, Name: "alice"})
	f.AddRoom(mattermostfake.Room{ID: ops, Name: "ops", Members: []string{alice}})
	const callback = "http://bot.example.com/adapters/mattermost/"
	env := []string{"MATTERMOST_URL=" + f.URL(), "MATTERMOST_TOKEN=" + mattermostfake.Token, "MATTERMOST_CALLBACK_URL=" + callback}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	out, err := output(bin, env, "-adapter", "mattermost", "-brain", "memory", "-check")
	require.NoError(t, err, out)
	require.Contains(t, out, "ok   mattermost")
	out, err = output(bin, env, "-register", "mattermost")
	require.NoError(t, err, out)
	require.Contains(t, out, "Command Trigger Word: ping")
	out, err = output(bin, append(env, "MATTERMOST_ADMIN_TOKEN="+mattermostfake.AdminToken), "-register", "mattermost")
	require.Error(t, err, "help is a command of Mattermost's own")
	require.Contains(t, out, "2 slash commands are there")
	require.Contains(t, out, "MATTERMOST_COMMAND_TOKENS=")
	require.Contains(t, out, "write /help in team")
	require.NotEmpty(t, f.Commands())

	db := filepath.Join(t.TempDir(), "bot.db")
	first := program(t, bin, env, "-adapter", "mattermost", "-brain", db)
	require.NoError(t, f.Await(ctx, f.Connected))
	_, err = f.Say(alice, ops, "starling ping")
	require.NoError(t, err)
	require.NoError(t, f.Await(ctx, func() bool { return len(f.Find("PONG")) == 1 }))
	for _, text := range []string{"alice++", "starling karma alice"} {
		_, err = f.Say(alice, ops, text)
		require.NoError(t, err)
	}
	require.NoError(t, f.Await(ctx, func() bool { return len(f.Find("alice has 1.")) == 1 }))
	require.NoError(t, first.Process.Kill())
	_ = first.Wait()
	require.NoError(t, f.Await(ctx, func() bool { return !f.Connected() }))
	program(t, bin, env, "-adapter", "mattermost", "-brain", db)
	require.NoError(t, f.Await(ctx, f.Connected))
	_, err = f.Say(alice, ops, "! karma alice")
	require.NoError(t, err)
	require.NoError(t, f.Await(ctx, func() bool { return len(f.Find("alice has 1.")) == 2 }))
	f.Revoke()
	out, err = output(bin, env, "-adapter", "mattermost", "-brain", "memory", "-check")
	require.Error(t, err)
	require.Contains(t, out, "FAIL mattermost")
	require.False(t, strings.Contains(out, mattermostfake.Token), "a token is shown")
}
