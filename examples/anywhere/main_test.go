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

	"github.com/starlingbot/starling/internal/slackfake"
)

func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "anywhere")
	out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return bin
}

// workspace is a Slack with two people in one room.
func workspace(t *testing.T) *slackfake.Server {
	t.Helper()
	f, err := slackfake.Listen(slackfake.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	f.AddUser(slackfake.User{ID: "U1", Name: "ann"})
	f.AddUser(slackfake.User{ID: "U2", Name: "bob"})
	f.AddRoom(slackfake.Room{ID: "C1", Name: "ops", Members: []string{"U1", "U2"}})
	return f
}

func command(bin string, f *slackfake.Server, args ...string) *exec.Cmd {
	cmd := exec.Command(bin, args...)
	cmd.Env = append(os.Environ(), "SLACK_BOT_TOKEN="+slackfake.BotToken, "SLACK_APP_TOKEN="+slackfake.AppToken, "SLACK_API_URL="+f.URL())
	return cmd
}

// TestSlackProcess talks to the program itself over Slack's wire, kills it, and lets the next one answer.
func TestSlackProcess(t *testing.T) {
	bin, f := build(t), workspace(t)
	db := filepath.Join(t.TempDir(), "bot.db")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	start := func() *exec.Cmd {
		cmd := command(bin, f, "-adapter", "slack", "-brain", db)
		cmd.Stderr = t.Output()
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		require.NoError(t, f.Await(ctx, f.Connected))
		return cmd
	}
	says := func(text string) {
		t.Helper()
		if err := f.Await(ctx, func() bool { return len(f.Find(text)) > 0 }); err != nil {
			t.Fatalf("nobody said %q; posts: %+v", text, f.Posts())
		}
	}
	first := start()
	_, err := f.SayRaw("U1", "C1", "", "<@"+slackfake.BotUser+"> ping")
	require.NoError(t, err)
	says("PONG")
	_, err = f.Say("U2", "C1", "ann++")
	require.NoError(t, err)
	_, err = f.Say("U1", "C1", "starling karma ann")
	require.NoError(t, err)
	says("ann has 1.")
	require.NoError(t, first.Process.Kill())
	_ = first.Wait()
	require.NoError(t, f.Await(ctx, func() bool { return !f.Connected() }))
	start()
	require.NoError(t, f.Direct("U2", "remember moon is 384"))
	says("I'll remember moon.")
	_, err = f.Say("U1", "C1", "! karma ann")
	require.NoError(t, err)
	require.NoError(t, f.Await(ctx, func() bool { return len(f.Find("ann has 1.")) == 2 }))
}

// TestCheckAndManifest: -check names what is wrong and what to do, and -manifest prints the app.
func TestCheckAndManifest(t *testing.T) {
	bin, f := build(t), workspace(t)
	out, err := command(bin, f, "-adapter", "slack", "-brain", "memory", "-check").Output()
	require.NoError(t, err)
	require.Equal(t, "ok   brain\nok   slack\n", string(out))
	f.Revoke()
	cmd := command(bin, f, "-adapter", "slack", "-brain", "memory", "-check")
	out, err = cmd.Output()
	require.Error(t, err)
	require.Contains(t, string(out), "FAIL slack: slack: check the bot token")
	require.NotContains(t, string(out), slackfake.BotToken)

	out, err = exec.Command(bin, "-manifest", "slack").Output()
	require.NoError(t, err)
	for _, want := range []string{`"/ping"`, `"/starling"`, `"chat:write"`, `"socket_mode_enabled": true`} {
		require.Contains(t, string(out), want)
	}
	out, err = exec.Command(bin, "-adapter", "carrier-pigeon", "-brain", "memory").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), `no adapter "carrier-pigeon"`)
	cmd = exec.Command(bin, "-adapter", "slack", "-brain", "memory")
	cmd.Env = append(os.Environ(), "SLACK_BOT_TOKEN=xapp-cnrymark", "SLACK_APP_TOKEN=")
	out, err = cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "xoxb-")
	require.False(t, strings.Contains(string(out), "xapp-cnrymark"), "a token is shown")
}
