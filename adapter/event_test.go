package adapter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/starlingbot/starling/adapter"
)

// wild draws strings as they come from outside: any characters, bytes that are no UTF-8, and what nodes are made of.
func wild() *rapid.Generator[string] {
	hostile := []rune{0xFDC0, 0xFDCF, 0xFDD0, 0xFDD1, 0xFDD2, 0xFDD3, 0xFDD4, 0xFDD5, 0xFDD6, 0xFDEF, 0xFDF0, 0xFFFD, 0xFFFE, 0x10FFFF, 0, '<', '>', '&', '"', '\\', '@', '#', '/', '%', '\u2028', 'a', '1', '🐦'}
	pieces := []string{"\xEF", "\xB7", "\xEF\xB7", "\x91", "\xED\xA0\x80", "\xFF", "\uFDD1U1\uFDD4bob\uFDD5", "\uFDD3", "a", "é"}
	return rapid.OneOf(
		rapid.String(),
		rapid.StringOf(rapid.SampledFrom(hostile)),
		rapid.Map(rapid.SliceOf(rapid.SampledFrom(pieces)), func(s []string) string { return strings.Join(s, "") }),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	)
}

func wildTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		zone := time.FixedZone("odd", rapid.IntRange(-26*3600, 26*3600).Draw(t, "zone"))
		nano := rapid.IntRange(0, 999_999_999).Draw(t, "nano")
		switch rapid.IntRange(0, 4).Draw(t, "kind of time") {
		case 0:
			return time.Now() // has a monotonic reading and the local zone
		case 1:
			return time.Unix(rapid.Int64().Draw(t, "unix"), int64(nano))
		case 2:
			return time.Date(rapid.SampledFrom([]int{-10000, -1, 0, 1, 1970, 9999, 10000, 100000}).Draw(t, "year"), 12, 31, 23, 59, 59, nano, zone)
		case 3:
			return time.Date(rapid.SampledFrom([]int{0, 1, 10000}).Draw(t, "year"), 1, 1, 0, 0, 0, nano, zone)
		}
		return time.Time{}
	})
}

func wildUser() *rapid.Generator[adapter.User] {
	return rapid.Custom(func(t *rapid.T) adapter.User {
		s := wild()
		return adapter.User{
			Adapter: s.Draw(t, "adapter"), Tenant: s.Draw(t, "tenant"), ID: s.Draw(t, "id"), Name: s.Draw(t, "name"),
			Email: s.Draw(t, "email"), Kind: adapter.UserKind(s.Draw(t, "kind")),
		}
	})
}

func wildRef() *rapid.Generator[adapter.Ref] {
	return rapid.Custom(func(t *rapid.T) adapter.Ref {
		s := wild()
		return adapter.Ref{Address: adapter.Address{Adapter: s.Draw(t, "adapter"), Room: s.Draw(t, "room"), Thread: s.Draw(t, "thread")}, ID: s.Draw(t, "id")}
	})
}

func wildRaw() *rapid.Generator[json.RawMessage] {
	return rapid.OneOf(
		rapid.SampledFrom([]json.RawMessage{
			nil, {}, json.RawMessage("null"), json.RawMessage(" null\n"), json.RawMessage(` { "a" : [ 1 , 2 ] } `), json.RawMessage(`"<b>&\u2028` + "\u2028" + `"`),
			json.RawMessage(`{"a":1,"a":2}`), json.RawMessage(`1e400`), json.RawMessage(`"\ud800"`), json.RawMessage("\"\uFDD1\""),
			json.RawMessage(`{`), json.RawMessage("\"\xff\""), json.RawMessage("{} {}"),
		}),
		rapid.Map(wild(), func(s string) json.RawMessage { return json.RawMessage(s) }),
		rapid.Map(wild(), func(s string) json.RawMessage {
			b, _ := json.MarshalIndent(map[string]any{"text": s, "n": []any{1.5, nil, true}}, " ", "\t")
			return b
		}),
	)
}

func wildEvent() *rapid.Generator[*adapter.Event] {
	return rapid.Custom(func(t *rapid.T) *adapter.Event {
		s, b := wild(), rapid.Bool()
		file := rapid.Custom(func(t *rapid.T) adapter.File {
			return adapter.File{ID: s.Draw(t, "id"), Name: s.Draw(t, "name"), Type: s.Draw(t, "type"), Size: rapid.Int64().Draw(t, "size")}
		})
		ev := &adapter.Event{
			ID: s.Draw(t, "id"), Kind: adapter.Kind(s.Draw(t, "kind")), Adapter: s.Draw(t, "adapter"), Time: wildTime().Draw(t, "time"), Order: s.Draw(t, "order"),
			Room:   adapter.Room{ID: s.Draw(t, "room"), Name: s.Draw(t, "room name"), Kind: adapter.RoomKind(s.Draw(t, "room kind"))},
			Thread: s.Draw(t, "thread"), User: wildUser().Draw(t, "user"), Self: b.Draw(t, "self"), MessageID: s.Draw(t, "message"),
			Text: s.Draw(t, "text"), Mentioned: b.Draw(t, "mentioned"), BotName: s.Draw(t, "bot"), Truncated: b.Draw(t, "truncated"), Backfilled: b.Draw(t, "backfilled"),
			Mentions: rapid.SliceOfN(wildUser(), 0, 3).Draw(t, "mentions"), Files: rapid.SliceOfN(file, 0, 3).Draw(t, "files"),
			Origin: s.Draw(t, "origin"), Raw: wildRaw().Draw(t, "raw"),
		}
		if b.Draw(t, "nil slices") {
			ev.Mentions, ev.Files = nil, nil
		}
		if b.Draw(t, "has invocation") {
			ev.Invocation = &adapter.Invocation{Command: s.Draw(t, "command"), Text: s.Draw(t, "text"), Options: rapid.MapOfN(s, s, 0, 4).Draw(t, "options")}
		}
		if b.Draw(t, "has click") {
			ev.Click = &adapter.Click{Command: s.Draw(t, "command"), Label: s.Draw(t, "label"), Message: wildRef().Draw(t, "message")}
		}
		if b.Draw(t, "has reaction") {
			ev.Reaction = &adapter.Reaction{Emoji: s.Draw(t, "emoji"), Removed: b.Draw(t, "removed"), Message: wildRef().Draw(t, "message"), Author: wildUser().Draw(t, "author")}
		}
		if b.Draw(t, "has signal") {
			ev.Signal = &adapter.Signal{Source: s.Draw(t, "source"), Name: s.Draw(t, "name"), Key: s.Draw(t, "key"), Status: s.Draw(t, "status")}
		}
		return ev
	})
}

// What a handler gets the first time is what it gets when the event is read back from the store.
func TestEventSurvivesStorage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ev := wildEvent().Draw(t, "event")
		ev.Normalize()
		stored, err := json.Marshal(ev)
		require.NoError(t, err)
		back := new(adapter.Event)
		require.NoError(t, json.Unmarshal(stored, back))
		require.Equal(t, ev, back)

		again, err := json.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, stored, again, "the stored form must be stable")

		ev.Normalize() // back is what ev was
		require.Equal(t, back, ev, "Normalize twice must be Normalize once")

		ev.Raw = nil // is the platform's own, and no text
		stored, err = json.Marshal(ev)
		require.NoError(t, err)
		require.Equal(t, string(stored), adapter.Strip(string(stored)), "what carries nodes must not come in from outside")
	})
}

// Options whose names become the same must not leave the choice to the order of a map.
func TestNormalizeOptionsIsDeterministic(t *testing.T) {
	options := map[string]string{"a": "1", "a\uFDD0": "2", "a\uFDD1": "3", "\uFDD5a": "4"}
	var first map[string]string
	for i := range 50 {
		ev := &adapter.Event{Invocation: &adapter.Invocation{Options: maps.Clone(options)}}
		ev.Normalize()
		if i == 0 {
			first = ev.Invocation.Options
			require.Len(t, first, 1)
		}
		require.Equal(t, first, ev.Invocation.Options)
	}
}

func TestNormalizeTime(t *testing.T) {
	east := time.FixedZone("east", 2*3600)
	for name, c := range map[string]struct{ in, want time.Time }{
		"zero":                      {time.Time{}, time.Time{}},
		"zone":                      {time.Date(2026, 5, 1, 12, 0, 0, 7, east), time.Date(2026, 5, 1, 10, 0, 0, 7, time.UTC)},
		"last":                      {time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)},
		"year 10000":                {time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{}},
		"year 10000 in its zone":    {time.Date(10000, 1, 1, 1, 0, 0, 0, east), time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC)},
		"year -1":                   {time.Date(-1, 12, 31, 0, 0, 0, 0, time.UTC), time.Time{}},
		"year -1 seen from the UTC": {time.Date(0, 1, 1, 1, 0, 0, 0, east), time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			ev := &adapter.Event{Time: c.in}
			ev.Normalize()
			require.Equal(t, c.want, ev.Time)
		})
	}
}

// Text is cut between characters, wherever the limit falls in one.
func TestNormalizeCutsText(t *testing.T) {
	for _, char := range []string{"a", "é", "€", "🐦"} {
		for before := range 4 {
			text := strings.Repeat("x", before) + strings.Repeat(char, adapter.MaxText/len(char)+1)
			ev := &adapter.Event{Text: text}
			ev.Normalize()
			require.True(t, ev.Truncated)
			require.True(t, utf8.ValidString(ev.Text))
			require.True(t, strings.HasPrefix(text, ev.Text))
			require.LessOrEqual(t, len(ev.Text), adapter.MaxText)
			require.Greater(t, len(ev.Text)+len(char), adapter.MaxText, "no more than needed is cut")
		}
	}
	fits := &adapter.Event{Text: strings.Repeat("é", adapter.MaxText/2)}
	fits.Normalize()
	require.Len(t, fits.Text, adapter.MaxText)
	require.False(t, fits.Truncated)

	grows := &adapter.Event{Text: strings.Repeat("a\xff", adapter.MaxText/4)} // each bad byte becomes three
	grows.Normalize()
	require.Len(t, grows.Text, adapter.MaxText)
	grows.Text += "a"
	grows.Normalize()
	require.True(t, grows.Truncated)
}

func TestNormalizeBoundsLists(t *testing.T) {
	ev := &adapter.Event{Mentions: make([]adapter.User, adapter.MaxList), Files: make([]adapter.File, adapter.MaxList)}
	ev.Normalize()
	require.False(t, ev.Truncated)
	require.Len(t, ev.Mentions, adapter.MaxList)
	require.Len(t, ev.Files, adapter.MaxList)
	for _, ev := range []*adapter.Event{{Mentions: make([]adapter.User, adapter.MaxList+1)}, {Files: make([]adapter.File, adapter.MaxList+1)}} {
		ev.Normalize()
		require.True(t, ev.Truncated)
		require.Equal(t, adapter.MaxList, len(ev.Mentions)+len(ev.Files))
	}
	empty := &adapter.Event{Mentions: []adapter.User{}, Files: []adapter.File{}, Invocation: &adapter.Invocation{Options: map[string]string{}}}
	empty.Normalize()
	require.Equal(t, &adapter.Event{Invocation: &adapter.Invocation{}}, empty)
}

func TestNormalizeRaw(t *testing.T) {
	quoted := func(n int, s string) string { return `"` + strings.Repeat(s, n) + `"` }
	for name, c := range map[string]struct{ in, want string }{
		"none":                      {"", ""},
		"spaces go":                 {" { \"a\" : [ 1 , 2 ] }\n", `{"a":[1,2]}`},
		"escaped as the store does": {`"<&>"`, `"\u003c\u0026\u003e"`},
		"null":                      {" null ", ""},
		"not JSON":                  {"{", ""},
		"two values":                {"1 2", ""},
		"not UTF-8":                 {"\"\xff\"", ""},
		"fits":                      {quoted(adapter.MaxRaw-2, "a"), quoted(adapter.MaxRaw-2, "a")},
		"too large":                 {quoted(adapter.MaxRaw-1, "a"), ""},
		"too large when escaped":    {quoted(adapter.MaxRaw/6+1, "<"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			ev := &adapter.Event{Raw: json.RawMessage(c.in)}
			ev.Normalize()
			require.True(t, c.want == string(ev.Raw), "got %.80q", ev.Raw)
		})
	}
}

// encoding/json reads no more than 10,000 values inside one another, and a store puts the event inside records of its own.
// Raw that leaves no room for that would make an event that is written and can never be read.
func TestNormalizeRawNesting(t *testing.T) {
	for _, depth := range []int{1, 100, 1000, 9_990, 9_999, 10_000, 10_001, 30_000} {
		raw := append(bytes.Repeat([]byte("["), depth), bytes.Repeat([]byte("]"), depth)...)
		ev := &adapter.Event{ID: "1", Raw: raw}
		ev.Normalize()
		require.Equal(t, depth > 1000, ev.Raw == nil, "depth %d", depth)

		stored, err := json.Marshal(map[string]any{"records": []any{map[string]any{"event": ev}}})
		require.NoError(t, err)
		require.True(t, json.Valid(stored), "depth %d: the stored record cannot be read", depth)
	}
	flat := []byte("[" + strings.Repeat("[],", 20_000) + "[]]") // many, and not deep
	ev := &adapter.Event{Raw: flat}
	ev.Normalize()
	require.True(t, string(flat) == string(ev.Raw), "got %.80q", ev.Raw)
}

func TestEventAddressAndRef(t *testing.T) {
	ev := &adapter.Event{Adapter: "slack", Room: adapter.Room{ID: "C1"}, Thread: "9.1", MessageID: "10.2"}
	at := adapter.Address{Adapter: "slack", Room: "C1", Thread: "9.1"}
	require.Equal(t, at, ev.Address())
	require.Equal(t, adapter.Ref{Address: at, ID: "10.2"}, ev.Ref())
	ev.MessageID = ""
	require.True(t, ev.Ref().IsZero())
}

func TestMessageSurvivesStorage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.Map(wild(), func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }) // nodes stay: a message carries them
		b := rapid.Bool()
		some := func(n int) bool { return rapid.IntRange(0, n).Draw(t, "some") > 0 }
		m := &adapter.Message{
			To:   adapter.Address{Adapter: s.Draw(t, "adapter"), Room: s.Draw(t, "room"), Thread: s.Draw(t, "thread")},
			Text: s.Draw(t, "text"), Color: adapter.Color(s.Draw(t, "color")), Only: s.Draw(t, "only"), Notify: adapter.Notify(s.Draw(t, "notify")),
			Previews: b.Draw(t, "previews"), Key: s.Draw(t, "key"), AtMostOnce: b.Draw(t, "once"), Origin: s.Draw(t, "origin"),
		}
		if some(1) {
			m.Fields = []adapter.Field{{Name: s.Draw(t, "name"), Value: s.Draw(t, "value"), Short: b.Draw(t, "short")}}
		}
		if some(1) {
			m.Buttons = []adapter.Button{{Label: s.Draw(t, "label"), Command: s.Draw(t, "command"), Style: adapter.ButtonStyle(s.Draw(t, "style"))}}
		}
		if some(1) {
			m.Files = []adapter.File{{ID: s.Draw(t, "id"), Name: s.Draw(t, "file"), Type: s.Draw(t, "type"), Size: rapid.Int64().Draw(t, "size")}}
		}
		if some(1) {
			m.Native = map[string]json.RawMessage{s.Draw(t, "kind"): json.RawMessage(`{"blocks":[1,"\u003c"]}`)}
		}
		stored, err := json.Marshal(m)
		require.NoError(t, err)
		back := new(adapter.Message)
		require.NoError(t, json.Unmarshal(stored, back))
		require.Equal(t, m, back)
	})
}

func TestFileOpenIsNotStored(t *testing.T) {
	f := adapter.File{ID: "F1", Open: func(context.Context) (io.ReadCloser, error) { return nil, nil }}
	stored, err := json.Marshal(f)
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"F1"}`, string(stored))
}
