package discord_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/discord"
	"github.com/starlingbot/starling/internal/discordfake"
)

// TestRegister: commands become slash commands, with words as subcommands and typed options, and are written only when they have
// changed, over restarts too.
func TestRegister(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		specs := []adapter.CommandSpec{
			{Name: "deploy", Summary: "Ship a *service* " + strings.Repeat("very ", 30), Args: []adapter.ArgSpec{
				{Name: "wait", Type: "duration", Help: "give up after", Default: "10m", Flag: true},
				{Name: "service", Type: "string", Help: "what to ship", Required: true},
				{Name: "env", Type: "string", Choices: []string{"staging", "prod"}, Required: true},
				{Name: "n", Type: "integer", Choices: []string{"1", "2"}}, {Name: "ratio", Type: "number"}, {Name: "force", Type: "bool"},
				{Name: "who", Type: "user"}, {Name: "where", Type: "room"}, {Name: "all", Type: "user", List: true},
			}},
			{Name: "job list", Summary: "Show what runs."}, {Name: "job run now", Summary: "Run."}, {Name: "job run later"}, {Name: "ping", Summary: "Pong.", Usage: "ping"},
			{Name: "starling", Summary: "Say anything to the bot.", Usage: "starling COMMAND"},
		}
		for range 3 { // a process each
			a := idle(t, configFor(f))
			require.NoError(t, a.RegisterCommands(t.Context(), specs))
			require.NoError(t, a.RegisterCommands(t.Context(), specs))
			require.Equal(t, 1, f.Overwrites())
		}
		require.Equal(t, []string{"deploy", "job list", "job run later", "job run now", "ping", "starling"}, f.Commands(""))
		b, err := json.Marshal(f.Command("deploy")["options"])
		require.NoError(t, err)
		require.JSONEq(t, `[
			{"type":3,"name":"service","description":"what to ship","required":true},
			{"type":3,"name":"env","description":"env","required":true,"choices":[{"name":"staging","value":"staging"},{"name":"prod","value":"prod"}]},
			{"type":3,"name":"wait","description":"give up after"},
			{"type":4,"name":"n","description":"n","choices":[{"name":"1","value":1},{"name":"2","value":2}]},
			{"type":10,"name":"ratio","description":"ratio"},{"type":5,"name":"force","description":"force"},
			{"type":6,"name":"who","description":"who"},{"type":7,"name":"where","description":"where"},{"type":3,"name":"all","description":"all"}]`, string(b))
		require.Len(t, []rune(f.Command("deploy")["description"].(string)), 100)

		specs[4].Summary = "Say pong."
		a := idle(t, configFor(f))
		require.NoError(t, a.RegisterCommands(t.Context(), specs))
		require.Equal(t, 2, f.Overwrites())
		require.NoError(t, a.RegisterCommands(t.Context(), nil))
		require.Empty(t, f.Commands(""))
		require.NoError(t, a.RegisterCommands(t.Context(), nil))
		require.Equal(t, 3, f.Overwrites())

		cfg := configFor(f)
		cfg.CommandGuild = discordfake.Guild
		a = idle(t, cfg)
		require.NoError(t, a.RegisterCommands(t.Context(), specs[4:5]))
		require.Equal(t, []string{"ping"}, f.Commands(discordfake.Guild))
		require.Empty(t, f.Commands(""))
		f.Revoke()
		require.ErrorIs(t, a.RegisterCommands(t.Context(), specs), adapter.ErrAuth)
	})
}

// TestFreeText: a command that takes any text has one option, and what is entered is its text.
func TestFreeText(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		require.NoError(t, a.RegisterCommands(t.Context(), []adapter.CommandSpec{{Name: "starling", Usage: "starling COMMAND"}, {Name: "say", Args: []adapter.ArgSpec{{Name: "text", Type: "string", Rest: true}}}}))
		require.NoError(t, f.Invoke(alice, ops, "starling", "deploy <@"+bob+">"))
		require.Equal(t, &adapter.Invocation{Command: "starling", Text: "deploy @Bob"}, e.Last(t, 0).Invocation)
		require.Equal(t, bob, e.Last(t, 0).Mentions[0].ID)
		require.NoError(t, f.Invoke(alice, ops, "say", "hello"))
		require.Equal(t, &adapter.Invocation{Command: "say", Options: map[string]string{"text": "hello"}}, e.Last(t, 1).Invocation, "an argument of that name is an argument")
		require.NoError(t, f.Use(alice, ops, []string{"say"}, nil, nil))
		require.Equal(t, &adapter.Invocation{Command: "say"}, e.Last(t, 2).Invocation)
	})
}

// TestOverTheLimits: each command that Discord would refuse is named with the reason, and the others are registered.
func TestOverTheLimits(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		args := func(n int) (out []adapter.ArgSpec) {
			for i := range n {
				out = append(out, adapter.ArgSpec{Name: fmt.Sprint("a", i), Type: "string"})
			}
			return out
		}
		specs := []adapter.CommandSpec{
			{Name: "good"}, {Name: "many", Args: args(25)}, {Name: "job list"}, {Name: "Upper"}, {Name: strings.Repeat("x", 33)}, {Name: "a b c d"}, {Name: "what?"}, {Name: ""},
			{Name: "too-many", Args: args(26)}, {Name: "job"}, {Name: "good"}, {Name: "bad-arg", Args: []adapter.ArgSpec{{Name: "with space", Type: "string"}}},
			{Name: "huge", Args: []adapter.ArgSpec{{Name: "a", Choices: long(25), Type: "string"}, {Name: "b", Choices: long(25), Type: "string"}}},
		}
		a := idle(t, configFor(f))
		err := a.RegisterCommands(t.Context(), specs)
		for _, want := range []string{`"Upper" cannot be a slash command`, `has 33 characters`, `"a b c d" cannot be a slash command: adapter: too long: it has 4 words`, `"what?" holds '?'`, `it has no name`,
			`it has 26 arguments; discord takes 25`, `"job" cannot be a slash command: adapter: too long: there are commands that begin with it`, `there is another one of that name`, `the argument "with space" holds ' '`, `"huge" cannot`} {
			require.ErrorContains(t, err, want)
		}
		require.ErrorIs(t, err, adapter.ErrTooLong)
		require.Equal(t, err.Error(), discord.CheckCommands(specs).Error(), "it is known without a network")
		require.Equal(t, []string{"good", "job list", "many"}, f.Commands(""))
		require.NoError(t, discord.CheckCommands(specs[:3]))

		var all []adapter.CommandSpec
		for i := range 101 {
			all = append(all, adapter.CommandSpec{Name: fmt.Sprintf("c%03d", i)})
		}
		for i := range 27 {
			all = append(all, adapter.CommandSpec{Name: fmt.Sprintf("c000 s%02d", i)})
		}
		err = a.RegisterCommands(t.Context(), all)
		require.ErrorContains(t, err, `"c100" cannot be a slash command: adapter: too long: discord takes 100 commands`)
		require.ErrorContains(t, err, `"c000 s25" cannot be a slash command: adapter: too long: discord takes 25 words after one`)
		require.Len(t, f.Commands(""), 99+25)
	})
}

// long makes long choices.
func long(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("%02d%s", i, strings.Repeat("x", 98)))
	}
	return out
}
