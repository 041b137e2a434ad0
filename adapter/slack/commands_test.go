package slack_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	slackgo "github.com/slack-go/slack"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/internal/slackfake"
)

func TestManifest(t *testing.T) {
	t.Parallel()
	out, err := slack.App{Name: "Ops", URL: "https://bot.example/adapters/slack/"}.Manifest([]adapter.CommandSpec{{Name: "deploy", Summary: "Ship\nit."}})
	require.NoError(t, err)
	var m slackgo.Manifest
	require.NoError(t, json.Unmarshal(out, &m))
	require.Equal(t, "Ops", m.Display.Name)
	require.Equal(t, slack.DefaultScopes(), m.OAuthConfig.Scopes.Bot)
	require.False(t, m.Settings.SocketModeEnabled)
	require.Equal(t, "https://bot.example/adapters/slack/", m.Settings.EventSubscriptions.RequestUrl)
	require.Equal(t, "https://bot.example/adapters/slack/", m.Settings.Interactivity.RequestUrl)
	require.Equal(t, "https://bot.example/adapters/slack/", m.Features.SlashCommands[0].Url)
	require.True(t, m.Features.SlashCommands[0].ShouldEscape)
	require.Equal(t, "Ship it.", m.Features.SlashCommands[0].Description)
	require.Contains(t, m.Settings.EventSubscriptions.BotEvents, "message.im")

	out, err = slack.Manifest(nil)
	require.NoError(t, err)
	m = slackgo.Manifest{}
	require.NoError(t, json.Unmarshal(out, &m))
	require.True(t, m.Settings.SocketModeEnabled)
	require.Empty(t, m.Features.SlashCommands)

	_, err = slack.Manifest([]adapter.CommandSpec{{Name: "déploy"}, {Name: "a b"}, {Name: "a-b"}, {Name: strings.Repeat("x", 32)}})
	require.ErrorIs(t, err, adapter.ErrInvalid)
	for _, name := range []string{"déploy", "a-b", "xxxx"} {
		require.ErrorContains(t, err, name)
	}
	var many []adapter.CommandSpec
	for i := range 51 {
		many = append(many, adapter.CommandSpec{Name: fmt.Sprint("c", i)})
	}
	_, err = slack.Manifest(many)
	require.ErrorIs(t, err, adapter.ErrTooLong)
}

// TestScopesOfManifest: what the fake wants for each method is in the scopes that the manifest asks for, but for topics.
func TestScopesOfManifest(t *testing.T) {
	bubble(t, slackfake.Options{Scopes: slack.DefaultScopes()}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		ref, err := a.Send(t.Context(), &adapter.Message{To: to("C1"), Text: "x"})
		require.NoError(t, err)
		require.NoError(t, a.React(t.Context(), ref, "👍"))
		_, err = a.User(t.Context(), "@ann")
		require.NoError(t, err)
		_, err = a.Room(t.Context(), "#ops")
		require.NoError(t, err)
		_, err = a.OpenDirect(t.Context(), "U1")
		require.NoError(t, err)
		err = a.SetTopic(t.Context(), "C1", "x")
		require.ErrorIs(t, err, adapter.ErrForbidden)
		require.ErrorContains(t, err, "channels:write.topic")
	})
}

// TestCommandNames: a command of several words comes back as it was declared.
func TestCommandNames(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		require.NoError(t, a.RegisterCommands(t.Context(), []adapter.CommandSpec{{Name: "job list"}, {Name: "deploy"}}))
		for i, command := range []string{"job-list", "deploy", "not-ours"} {
			require.NoError(t, f.Invoke("U1", "C1", command, ""))
			require.Equal(t, []string{"job list", "deploy", "not-ours"}[i], e.Last(t, i).Invocation.Command)
		}
	})
}
