package mattermost_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

var specs = []adapter.CommandSpec{
	{Name: "deploy", Summary: "Ship a service to an environment.", Usage: "deploy <service> [to] <env> [--force]"},
	{Name: "job list", Summary: "Show what runs.", Args: []adapter.ArgSpec{{Name: "who", Type: "user", Required: true}, {Name: "env", Word: "in", Choices: []string{"staging", "prod"}},
		{Name: "all", Type: "bool", Flag: true}, {Name: "since", Type: "time", Flag: true}, {Name: "words", Rest: true}}},
}

// TestRegister: the commands of a bot in every team, written only where something has changed; what is somebody else's stays.
func TestRegister(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		f.AddTeam(fake.Team{ID: fake.ID("second"), Name: "second"})
		cfg := mattermost.Config{URL: f.URL(), AdminToken: fake.AdminToken, HTTPClient: f.Client(), Logger: quiet()}
		defer cfg.HTTPClient.CloseIdleConnections()
		writes := func() int {
			return f.Calls("POST /commands") + f.Calls("PUT /commands/{}") + f.Calls("DELETE /commands/{}")
		}
		of := func(trigger string) (out []fake.Command) {
			for _, c := range f.Commands() {
				if c.Trigger == trigger {
					out = append(out, c)
				}
			}
			return out
		}
		url := fake.CallbackURL + "x"
		tokens, err := mattermost.Register(t.Context(), cfg, nil, url, specs)
		require.ErrorContains(t, err, "/deploy in team "+fake.Main+" is somebody else's") // the one that an administrator made by hand
		require.Len(t, tokens, 3)
		require.Equal(t, commandToken, of("deploy")[0].Token)
		require.Equal(t, fake.CallbackURL, of("deploy")[0].URL)
		got := of("job-list")
		require.Len(t, got, 2)
		require.Equal(t, "<who> [in staging|prod] [--all] [--since since] [words...]", got[0].Hint)
		require.Equal(t, "Show what runs.", got[0].Desc)
		require.Equal(t, url, got[0].URL)
		require.True(t, got[0].AutoComplete)
		require.Equal(t, "<service> [to] <env> [--force]", of("deploy")[1].Hint)
		require.Equal(t, 3, writes())

		again, err := mattermost.Register(t.Context(), cfg, []string{"second", fake.Main}, url, specs)
		require.Error(t, err)
		require.Equal(t, tokens, again)
		require.Equal(t, 3, writes(), "nothing changed, nothing is written")

		changed := []adapter.CommandSpec{specs[1]}
		changed[0].Summary = "Show everything that runs."
		kept, err := mattermost.Register(t.Context(), cfg, []string{"SECOND"}, url, changed)
		require.NoError(t, err)
		require.Len(t, kept, 1)
		require.Contains(t, tokens, kept[0], "an update keeps the token")
		require.Equal(t, 5, writes(), "one is written, one is gone")
		require.Len(t, of("deploy"), 1)

		_, err = mattermost.Register(t.Context(), cfg, []string{"second"}, url, []adapter.CommandSpec{specs[1], {Name: "help"}, {Name: "größe"}})
		require.ErrorContains(t, err, "/help")
		require.ErrorContains(t, err, "größe")
		require.Len(t, of("job-list"), 2, "what works is done")

		for want, c := range map[string]func() ([]string, error){
			"AdminToken is wrong": func() ([]string, error) {
				bad := cfg
				bad.AdminToken = "cnrymark"
				return mattermost.Register(t.Context(), bad, nil, url, specs)
			},
			"may not manage slash commands": func() ([]string, error) {
				bad := cfg
				bad.AdminToken = fake.Token // a plain bot
				return mattermost.Register(t.Context(), bad, nil, url, specs)
			},
			"Config.AdminToken is empty": func() ([]string, error) {
				return mattermost.Register(t.Context(), mattermost.Config{URL: f.URL()}, nil, url, specs)
			},
			"Config.URL": func() ([]string, error) {
				return mattermost.Register(t.Context(), mattermost.Config{AdminToken: "cnrymark-x"}, nil, url, specs)
			},
			"callback URL": func() ([]string, error) { return mattermost.Register(t.Context(), cfg, nil, "nowhere", specs) },
			"the team": func() ([]string, error) {
				return mattermost.Register(t.Context(), cfg, []string{"no/team"}, url, specs)
			},
		} {
			n := writes()
			_, err := c()
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "cnrymark")
			require.Equal(t, n, writes())
		}
	})
}

// TestNames: a command of several words is one slash command, and is itself again when it is used.
func TestNames(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		f.AddCommand("job-list", commandToken, fake.CallbackURL)
		e := newEar()
		a := start(t, f, configFor(f), e.Sink)
		require.NoError(t, a.RegisterCommands(t.Context(), specs))
		require.NoError(t, f.Invoke(alice, ops, "job-list", "@bob and @starling"))
		ev := e.Last(t, 0)
		require.Equal(t, &adapter.Invocation{Command: "job list", Text: "@bob and @starling"}, ev.Invocation)
		require.Equal(t, []string{bob, fake.Bot}, []string{ev.Mentions[0].ID, ev.Mentions[1].ID})
		require.False(t, ev.Mentioned)
	})
}

// An administrator without a token for the bot makes the slash commands by hand.
func ExampleInstructions() {
	fmt.Print(mattermost.Instructions("https://bot.example.com/adapters/mattermost/", specs[:1]))
	// Output:
	// In Mattermost, for each team: main menu, Integrations, Slash Commands, Add Slash Command. For each of these:
	//
	//   Command Trigger Word: deploy
	//   Request URL: https://bot.example.com/adapters/mattermost/
	//   Request Method: POST
	//   Autocomplete: on
	//   Autocomplete Hint: <service> [to] <env> [--force]
	//   Autocomplete Description: Ship a service to an environment.
	//
	// Each shows a token when it is saved: put them all into Config.CommandTokens.
	// Where the address is a private one: System Console, Environment, Developer, Allow untrusted internal connections, must name its host.
}
