package adapter_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/markdown"
)

// full can do everything.
var full = adapter.Features{Threads: true, Buttons: true, Fields: true, Files: true, Ephemeral: true}

func rich() *adapter.Message {
	return &adapter.Message{
		To: adapter.Address{Adapter: "a", Room: "C1", Thread: "T1"}, Text: "Deploy?", Color: adapter.ColorBad, Notify: adapter.NotifyHere, Key: "k",
		Fields:  []adapter.Field{{Name: "Service", Value: "**api**"}, {Name: "a*b", Value: "1"}},
		Buttons: []adapter.Button{{Label: "Yes", Command: "deploy"}, {Label: "*No*", Command: "no"}},
		Files:   []adapter.File{adapter.NewFile("log.txt", "text/plain", make([]byte, 3000)), {Name: "core", Size: 5 << 30}, {Name: "?"}},
	}
}

// Each loss has its form and leaves everything else alone.
func TestFit(t *testing.T) {
	without := func(change func(*adapter.Features)) adapter.Features {
		f := full
		change(&f)
		return f
	}
	for name, c := range map[string]struct {
		f     adapter.Features
		text  string
		check func(t *testing.T, m *adapter.Message)
	}{
		"nothing is lost": {full, "Deploy?", func(t *testing.T, m *adapter.Message) { require.Len(t, m.Files, 3) }},
		"threads": {without(func(f *adapter.Features) { f.Threads = false }), "Deploy?", func(t *testing.T, m *adapter.Message) {
			require.Equal(t, adapter.Address{Adapter: "a", Room: "C1"}, m.To)
		}},
		"buttons": {without(func(f *adapter.Features) { f.Buttons = false }), "Deploy?\n\n1. Yes\n2. *No*\n\nAnswer with the number.", func(t *testing.T, m *adapter.Message) {
			require.Empty(t, m.Buttons)
			require.Len(t, m.Fields, 2)
		}},
		"fields": {without(func(f *adapter.Features) { f.Fields = false }), "Deploy?\n\n**Service:** **api**  \n**a*b:** 1", func(t *testing.T, m *adapter.Message) {
			require.Empty(t, m.Fields)
			require.Len(t, m.Buttons, 2)
		}},
		"files": {without(func(f *adapter.Features) { f.Files = false }), "Deploy?\n\nFile log.txt (text/plain, 2.9 KiB)  \nFile core (5.0 GiB)  \nFile ?", func(t *testing.T, m *adapter.Message) {
			require.Empty(t, m.Files)
		}},
		"a file that is too large": {without(func(f *adapter.Features) { f.MaxFile = 1 << 20 }), "Deploy?\n\nFile core (5.0 GiB, too large to post, at most 1.0 MiB)", func(t *testing.T, m *adapter.Message) {
			require.Len(t, m.Files, 2)
		}},
		"everything": {adapter.Features{}, "Deploy?\n\n**Service:** **api**  \n**a*b:** 1\n\nFile log.txt (text/plain, 2.9 KiB)  \nFile core (5.0 GiB)  \nFile ?\n\n1. Yes\n2. *No*\n\nAnswer with the number.",
			func(*testing.T, *adapter.Message) {}},
	} {
		t.Run(name, func(t *testing.T) {
			m := rich()
			got, err := adapter.Fit(m, c.f)
			require.NoError(t, err)
			require.Equal(t, c.text, adapter.PlainText(got.Text))
			require.Equal(t, adapter.NotifyHere, got.Notify)
			require.Equal(t, adapter.ColorBad, got.Color)
			require.Equal(t, "k", got.Key)
			c.check(t, got)
			require.Equal(t, adapter.PlainText("Deploy?"), m.Text, "the message is not changed")
			require.Len(t, m.Files, 3)
			require.Len(t, m.Buttons, 2)
		})
	}
}

// Labels and names of people are data in what they become.
func TestFitTakesLabelsAsData(t *testing.T) {
	got, err := adapter.Fit(rich(), adapter.Features{})
	require.NoError(t, err)
	var data []string
	for _, n := range adapter.Nodes(got.Text) {
		if n.Kind == adapter.NodeData {
			data = append(data, n.Text)
		}
	}
	require.Equal(t, []string{"Service", "a*b", "log.txt", "text/plain", "core", "?", "1.", "Yes", "2.", "*No*"}, data)
}

// The numbers that are shown are those that the bot takes, whatever the text ends with.
func TestFitNumbersStandAlone(t *testing.T) {
	const menu = "1. Yes\n2. *No*\n\nAnswer with the number."
	for _, text := range []string{"", "Steps:\n\n1. build\n2. ship", "- a\n- b", "> q", "| a |\n|---|\n| b |", "1) x", "text\\", "# Deploy?", "1. a\n\n       code"} {
		m := rich()
		m.Text, m.Files, m.Fields = text, nil, nil
		got, err := adapter.Fit(m, adapter.Features{})
		require.NoError(t, err)
		for name, shown := range map[string]string{"plain": markdown.Plain().Render(got.Text), "ansi": markdown.ANSI(40, false).Render(got.Text)} {
			require.True(t, strings.HasSuffix("\n"+shown, "\n"+menu), "%s %q: %s", name, text, shown)
		}
	}
}

// A field whose value has several lines keeps its form, and what follows it stands outside of it.
func TestFitFieldsOfSeveralLines(t *testing.T) {
	m := rich()
	m.Files, m.Fields = nil, []adapter.Field{{Name: "Log", Value: "```\none\n```"}, {Name: "Who", Value: "al"}, {Name: "Size", Value: "2"}, {Name: "Steps", Value: "- a\n- b"}, {Name: "Zone", Value: "eu"}}
	got, err := adapter.Fit(m, adapter.Features{})
	require.NoError(t, err)
	require.Equal(t, "Deploy?\n\nLog:\n\n    one\n\nWho: al\nSize: 2\n\nSteps:\n\n- a\n- b\n\nZone: eu\n\n1. Yes\n2. *No*\n\nAnswer with the number.", markdown.Plain().Render(got.Text))
}

// A message for one person is refused where everybody would see it.
func TestFitRefusesOnly(t *testing.T) {
	m := &adapter.Message{To: adapter.Address{Adapter: "a", Room: "C1"}, Text: "psst", Only: "U1"}
	_, err := adapter.Fit(m, adapter.Features{})
	require.ErrorIs(t, err, adapter.ErrUnsupported)
	require.ErrorContains(t, err, "send it to a direct room")
	_, err = adapter.Fit(m, adapter.Features{Ephemeral: true, EphemeralOrigin: true})
	require.ErrorIs(t, err, adapter.ErrUnsupported, "without an origin")
	m.Origin = "token"
	for _, f := range []adapter.Features{{Ephemeral: true}, {Ephemeral: true, EphemeralOrigin: true}} {
		got, err := adapter.Fit(m, f)
		require.NoError(t, err)
		require.Same(t, m, got, "nothing is lost: it is the same message")
	}
}

// What fits once fits again unchanged, and needs no feature that is not there.
func TestFitIsIdempotent(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := rapid.Bool()
		f := adapter.Features{Threads: b.Draw(r, "threads"), Buttons: b.Draw(r, "buttons"), Fields: b.Draw(r, "fields"), Files: b.Draw(r, "files")}
		if f.Files && b.Draw(r, "limit") {
			f.MaxFile = rapid.Int64Range(1, 1<<33).Draw(r, "most")
		}
		once, err := adapter.Fit(rich(), f)
		require.NoError(r, err)
		again, err := adapter.Fit(once, f)
		require.NoError(r, err)
		require.Same(r, once, again)
		require.False(r, !f.Buttons && len(once.Buttons) > 0 || !f.Fields && len(once.Fields) > 0 || !f.Files && len(once.Files) > 0 || !f.Threads && once.To.Thread != "")
		for _, file := range once.Files {
			require.False(r, f.MaxFile > 0 && file.Size > f.MaxFile)
		}
	})
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 20: "5.0 MiB", 3 << 40: "3.0 TiB", 5000 << 40: "5000.0 TiB"} {
		require.Equal(t, want, adapter.Size(n))
	}
}

// A file that was made of its content can be opened after it was stored; another cannot.
func TestNewFileSurvivesStorage(t *testing.T) {
	f := adapter.NewFile("a.txt", "text/plain", []byte("hello"))
	f.ID = "F1"
	stored, err := json.Marshal([]adapter.File{f, {Name: "b", Open: f.Open}})
	require.NoError(t, err)
	var back []adapter.File
	require.NoError(t, json.Unmarshal(stored, &back))
	require.Nil(t, back[1].Open)
	require.Equal(t, "F1", back[0].ID)
	require.Equal(t, int64(5), back[0].Size)
	for range 2 {
		r, err := back[0].Open(context.Background())
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, "hello", string(content))
		require.NoError(t, r.Close())
	}
	require.Error(t, json.Unmarshal([]byte(`[{"data":7}]`), &back))
}
