package platforms

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/discord"
	"github.com/starlingbot/starling/adapter/mattermost"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/adapter/terminal"
	"github.com/starlingbot/starling/handler"
)

// platform is a column of the table.
type platform struct {
	title string
	a     adapter.Adapter
}

func columns(t *testing.T) []platform {
	s, err := slack.New(slack.Config{AppToken: "xapp-cnrymark", BotToken: "xoxb-cnrymark"})
	require.NoError(t, err)
	d, err := discord.New(discord.Config{Token: "cnrymark.y.z"})
	require.NoError(t, err)
	m, err := mattermost.New(mattermost.Config{URL: "https://chat.example.com", Token: "cnrymark-token"})
	require.NoError(t, err)
	full, err := mattermost.New(mattermost.Config{
		URL: "https://chat.example.com", Token: "cnrymark-token", SystemAdmin: true, CallbackURL: "https://bot.example.com/adapters/mattermost/",
	})
	require.NoError(t, err)
	return []platform{
		{"terminal", terminal.New(terminal.Config{})}, {"Slack", s}, {"Discord", d}, {"Mattermost", m}, {"Mattermost with callback URL, as System Admin", full},
	}
}

func can[T any](a adapter.Adapter) string {
	_, ok := adapter.As[T](a)
	return yes(ok)
}

func yes(ok bool) string {
	if ok {
		return "yes"
	}
	return "-"
}

// rows are the verbs and features of package adapter, each with what it is for one adapter.
var rows = []struct {
	name string
	cell func(a adapter.Adapter) string
}{
	{"edit (Editor)", can[adapter.Editor]},
	{"delete (Deleter)", can[adapter.Deleter]},
	{"react (Reactor)", can[adapter.Reactor]},
	{"typing notice (Typer)", can[adapter.Typer]},
	{"post a file (Uploader)", can[adapter.Uploader]},
	{"read a file (Opener)", can[adapter.Opener]},
	{"look people and rooms up (Directory)", can[adapter.Directory]},
	{"open a direct room (DirectOpener)", can[adapter.DirectOpener]},
	{"set a topic (TopicSetter)", can[adapter.TopicSetter]},
	{"native commands or completion (CommandRegistrar)", can[adapter.CommandRegistrar]},
	{"forms (FormOpener)", can[adapter.FormOpener]},
	{"read what was missed (Historian)", can[adapter.Historian]},
	{"find a message again (Finder)", can[adapter.Finder]},
	{"callbacks (HTTPHandler)", can[adapter.HTTPHandler]},
	{"health (HealthReporter)", can[adapter.HealthReporter]},
	{"test of the settings (Checker)", can[adapter.Checker]},
	{"Features.Threads", func(a adapter.Adapter) string { return yes(a.Features().Threads) }},
	{"Features.Buttons", func(a adapter.Adapter) string { return yes(a.Features().Buttons) }},
	{"Features.Fields", func(a adapter.Adapter) string { return yes(a.Features().Fields) }},
	{"Features.Files", func(a adapter.Adapter) string { return yes(a.Features().Files) }},
	{"Features.Ephemeral", func(a adapter.Adapter) string {
		if f := a.Features(); f.EphemeralOrigin {
			return "in answer to a command or click"
		}
		return yes(a.Features().Ephemeral)
	}},
	{"Features.IdempotentSend", func(a adapter.Adapter) string {
		if d := a.Features().IdempotentSend; d > 0 {
			return d.String()
		}
		return "-"
	}},
	{"Features.Replay", func(a adapter.Adapter) string { return yes(a.Features().Replay) }},
	{"Features.Local", func(a adapter.Adapter) string { return yes(a.Features().Local) }},
	{"Features.Single", func(a adapter.Adapter) string { return yes(a.Features().Single) }},
	{"longest text (MaxText)", func(a adapter.Adapter) string {
		f := a.Features()
		if f.MaxText == 0 {
			return "no limit"
		}
		unit := map[adapter.TextUnit]string{adapter.UnitRunes: "characters", adapter.UnitBytes: "bytes", adapter.UnitUTF16: "UTF-16 units"}[f.Unit]
		return fmt.Sprintf("%d %s", f.MaxText, unit)
	}},
	{"largest file (MaxFile)", func(a adapter.Adapter) string {
		switch f := a.Features(); {
		case !f.Files:
			return "-"
		case f.MaxFile == 0:
			return "no limit"
		default:
			return adapter.Size(f.MaxFile)
		}
	}},
}

const begin, end = "<!-- capabilities: begin -->\n", "<!-- capabilities: end -->\n"

// TestCapabilities keeps the table in DESIGN.md what the adapters say of themselves; STARLING_UPDATE=1 rewrites it.
func TestCapabilities(t *testing.T) {
	all := columns(t)
	var b strings.Builder
	b.WriteString("| verb or feature |")
	for _, p := range all {
		fmt.Fprintf(&b, " %s |", p.title)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(all)) + "\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s |", r.name)
		for _, p := range all {
			fmt.Fprintf(&b, " %s |", r.cell(p.a))
		}
		b.WriteString("\n")
	}
	path := filepath.Join("..", "..", "DESIGN.md")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok, "DESIGN.md has no line %q", begin)
	was, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "DESIGN.md has no line %q", end)
	if os.Getenv("STARLING_UPDATE") != "" {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+b.String()+end+after), 0o644))
		return
	}
	require.Equal(t, b.String(), was, "STARLING_UPDATE=1 rewrites the table")
}

// No feature is left out of the table.
func TestCapabilitiesNameEveryFeature(t *testing.T) {
	known := map[string]string{"Unit": "with MaxText", "EphemeralOrigin": "with Ephemeral", "Playground": "a setting of the terminal"}
	f := reflect.TypeFor[adapter.Features]()
	for i := range f.NumField() {
		name := f.Field(i).Name
		found := known[name] != ""
		for _, r := range rows {
			found = found || strings.Contains(r.name, name)
		}
		require.True(t, found, "Features.%s is not in the table", name)
	}
}

// A bot with commands that cannot be native ones says which when it is made.
func TestCommandsOverLimits(t *testing.T) {
	d, err := discord.New(discord.Config{Token: "cnrymark.y.z"})
	require.NoError(t, err)
	rt := handler.NewRouter()
	rt.Command("a b c d", "Four words.", func(context.Context, *handler.Request) error { return nil })
	var log bytes.Buffer
	_, err = starling.New(starling.Config{Adapters: []adapter.Adapter{d}, Router: rt, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	require.Contains(t, log.String(), "a b c d")
}
