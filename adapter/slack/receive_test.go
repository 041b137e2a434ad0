package slack

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

var update = flag.Bool("update", false, "rewrite testdata")

// stubNames knows nobody but the bot.
type stubNames struct{}

func (stubNames) user(id, label string) adapter.User { return adapter.User{ID: id, Name: label} }
func (stubNames) room(id, label string) string {
	if label == "" {
		return id
	}
	return label
}

var testDecoder = decoder{adapter: "slack", me: identity{user: "U0BOT", bot: "B0BOT", team: "T01", name: "starling"}, commands: map[string]string{"job-list": "job list"}}

// decodeAny decodes a payload as the adapter does, without looking names up.
func decodeAny(d decoder, kind string, payload json.RawMessage) (*received, verdict, string) {
	now := time.Unix(1_700_000_100, 0)
	switch kind {
	case "slash_commands":
		r, v := d.slash(payload, now)
		return r, v, kind
	case "interactive":
		return d.interaction(payload, now)
	}
	var outer struct {
		EventID string          `json:"event_id"`
		Event   json.RawMessage `json:"event"`
	}
	if json.Unmarshal(payload, &outer) != nil {
		return nil, malformed, kind
	}
	r, _, v, name := d.event(outer.EventID, outer.Event)
	return r, v, name
}

// TestPayloads decodes every recorded payload and compares with what stands beside it.
func TestPayloads(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 35)
	readme, err := os.ReadFile("testdata/README.md")
	require.NoError(t, err)
	type record struct {
		Documentation string          `json:"documentation"`
		Kind          string          `json:"kind"`
		Payload       json.RawMessage `json:"payload"`
		Want          json.RawMessage `json:"want,omitempty"`
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			var rec record
			require.NoError(t, json.Unmarshal(raw, &rec))
			require.Contains(t, string(readme), filepath.Base(file)+" | "+rec.Documentation)
			r, v, kind := decodeAny(testDecoder, rec.Kind, rec.Payload)
			got := map[string]any{"verdict": v, "kind": kind}
			if r != nil {
				require.NotContains(t, string(r.ev.Raw), "Z-verification", "the verification token is a secret")
				requireBare(t, r.ev, rec.Payload)
				_, err := Decode(r.ev)
				if filepath.Base(file) != "broken_block.json" {
					require.NoError(t, err)
				}
				text, mentions := decodeText(r.text, stubNames{})
				ev := *r.ev
				ev.Raw = nil
				got["event"], got["text"], got["mentions"], got["external"] = ev, text, mentions, r.external
			}
			want, err := json.Marshal(got)
			require.NoError(t, err)
			if *update {
				rec.Want = want
				var b bytes.Buffer
				enc := json.NewEncoder(&b)
				enc.SetEscapeHTML(false)
				enc.SetIndent("", " ")
				require.NoError(t, enc.Encode(rec))
				require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
				return
			}
			require.JSONEq(t, string(rec.Want), string(want))
		})
	}
}

// requireBare wants what answers an event to be in its Origin alone, which is never logged, and in what Decode gives.
func requireBare(t *testing.T, ev *adapter.Event, payload json.RawMessage) {
	t.Helper()
	var o origin
	if ev.Origin == "" {
		return
	}
	require.NoError(t, json.Unmarshal([]byte(ev.Origin), &o))
	for _, secret := range []string{o.URL, "trigger_id"} {
		require.NotContains(t, strings.ReplaceAll(string(ev.Raw), `\/`, "/"), secret)
	}
	decoded, err := Decode(ev)
	require.NoError(t, err)
	if ev.Kind == adapter.KindInvocation && ev.Invocation.Form == "" {
		var want slackgo.SlashCommand
		require.NoError(t, json.Unmarshal(payload, &want))
		want.Token = ""
		require.Equal(t, want, decoded)
		return
	}
	var want slackgo.InteractionCallback
	require.NoError(t, json.Unmarshal(payload, &want))
	got := decoded.(slackgo.InteractionCallback)
	require.Equal(t, [3]string{want.ResponseURL, want.TriggerID, want.View.PrivateMetadata}, [3]string{got.ResponseURL, got.TriggerID, got.View.PrivateMetadata})
}

// TestMentionOnce: the message event and the mention of it are one event.
func TestMentionOnce(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, name := range []string{"message_mention", "app_mention"} {
		raw, err := os.ReadFile("testdata/" + name + ".json")
		require.NoError(t, err)
		var rec struct {
			Payload json.RawMessage `json:"payload"`
		}
		require.NoError(t, json.Unmarshal(raw, &rec))
		r, v, _ := decodeAny(testDecoder, "events_api", rec.Payload)
		require.Equal(t, deliver, v)
		ids = append(ids, r.ev.ID+" "+r.text+" "+r.ev.Address().String())
	}
	require.Equal(t, ids[0], ids[1])
}

func TestDecode(t *testing.T) {
	t.Parallel()
	raw := json.RawMessage(`{"type":"message","user":"U1","text":"x","ts":"1.2","channel":"C1"}`)
	v, err := Decode(&adapter.Event{Kind: adapter.KindMessage, Raw: raw})
	require.NoError(t, err)
	require.Equal(t, "x", v.(*slackevents.MessageEvent).Text)
	v, err = Decode(&adapter.Event{Kind: adapter.KindInvocation, Raw: json.RawMessage(`{"command":"/x"}`)})
	require.NoError(t, err)
	require.Equal(t, "/x", v.(slackgo.SlashCommand).Command)
	v, err = Decode(&adapter.Event{Kind: adapter.KindClick, Raw: json.RawMessage(`{"type":"block_actions"}`)})
	require.NoError(t, err)
	require.Equal(t, slackgo.InteractionTypeBlockActions, v.(slackgo.InteractionCallback).Type)
	_, err = Decode(&adapter.Event{Kind: adapter.KindMessage})
	require.ErrorIs(t, err, adapter.ErrNotFound)
	_, err = Decode(&adapter.Event{Kind: adapter.KindMessage, Raw: json.RawMessage(`{"type":"nobody_knows"}`)})
	require.Error(t, err)
}

// TestTextRoundTrip is T18: what is typed comes back as it was typed.
func TestTextRoundTrip(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"a < b > c & d", "&lt;", "&amp;lt;", "<@U1>", "<http://x|y>", "&", "&;", "<", ">", "<<>>", "%41", "a|b"} {
		got, mentions := decodeText(escape(typed), stubNames{})
		require.Equal(t, typed, got)
		require.Empty(t, mentions)
	}
	for raw, want := range map[string]string{
		"<http://x.example|x.example>": "x.example", "<https://evil.example|Log in>": "https://evil.example", "<mailto:a@b.c|a@b.c>": "a@b.c", "<tel:+1|+1>": "+1",
		"<https://x.example/?a=1&amp;b=2>": "https://x.example/?a=1&b=2", "a\u00a0b": "a b", "<@U1|ann>": "@ann", "<@U1>": "@U1", "<#C1|ops>": "#ops", "<#C1>": "#C1",
		"<!here>": "@here", "<!everyone>": "@everyone", "<!subteam^S1>": "@S1", "<!date^1^{date}|x>": "x", "<!unknown>": "@unknown", "<>": "<>", "<open": "<open",
		"a<b<@U1>": "a<b@U1", "&#39;&nbsp;": "&#39;&nbsp;",
	} {
		got, _ := decodeText(raw, stubNames{})
		require.Equal(t, want, got, raw)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a < b", "<@U1|x>", "&amp;lt;", "<http://x|x>", "<!date^1^{d}|y>", "\u00a0", "<<<", "<a\x00>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			t.Skip()
		}
		got, mentions := decodeText(s, stubNames{}) // whatever comes: no panic, valid text
		if !utf8.ValidString(got) {
			t.Fatalf("%q became %q", s, got)
		}
		if len(mentions) > strings.Count(s, "<@") {
			t.Fatalf("%q mentions %d", s, len(mentions))
		}
		typed := strings.ReplaceAll(s, "\u00a0", " ")
		back, mentions := decodeText(escape(typed), stubNames{}) // what is typed comes back, and mentions nobody
		if back != typed || len(mentions) > 0 {
			t.Fatalf("%q came back as %q with %d mentions", typed, back, len(mentions))
		}
	})
}

func FuzzDecoder(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var rec struct {
			Kind    string          `json:"kind"`
			Payload json.RawMessage `json:"payload"`
		}
		if json.Unmarshal(raw, &rec) == nil {
			f.Add(rec.Kind, []byte(rec.Payload))
		}
	}
	f.Fuzz(func(t *testing.T, kind string, payload []byte) {
		r, v, _ := decodeAny(testDecoder, kind, payload)
		if (r != nil && v == deliver) != (v == deliver) {
			t.Fatalf("verdict %q with %v", v, r)
		}
		if v != deliver {
			return
		}
		ev := r.ev
		ev.Text, ev.Mentions = decodeText(r.text, stubNames{})
		if ev.ID == "" || ev.Kind == "" || ev.Room.ID == "" {
			t.Fatalf("an event without what it needs: %+v", ev)
		}
		parts := []bool{ev.Invocation != nil, ev.Click != nil, ev.Reaction != nil, ev.Signal != nil}
		for i, k := range []adapter.Kind{adapter.KindInvocation, adapter.KindClick, adapter.KindReaction, adapter.KindSignal} {
			if parts[i] != (ev.Kind == k) {
				t.Fatalf("%s has the wrong part", ev.Kind)
			}
		}
		ev.Normalize()
		if _, err := json.Marshal(ev); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzRender: whatever people write, nothing in the output mentions, links or formats but what the code put there.
func FuzzRender(f *testing.F) {
	for _, s := range []string{"<!channel>", "*x*", "@here", "a&b", strings.Repeat("x ", 3000), "<@U1>", ":tada:"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	a, err := New(Config{BotToken: "xoxb-cnrymark", AppToken: "xapp-cnrymark"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string, buttons bool) {
		m := &adapter.Message{To: adapter.Address{Room: "C1"}, Text: "say " + adapter.Data(s) + " to " + adapter.Mention(adapter.User{ID: "U1"})}
		if buttons {
			m.Buttons = []adapter.Button{{Label: "ok", Command: "x"}}
		}
		parts, err := a.Render(m)
		if err != nil {
			t.Fatal(err)
		}
		mentions := 0
		for _, p := range parts {
			if n := utf8.RuneCountInString(p.Text); n > maxText {
				t.Fatalf("%d runes", n)
			}
			rest := strings.ReplaceAll(p.Text, "<@U1>", "")
			mentions += strings.Count(p.Text, "<@U1>")
			if strings.ContainsAny(rest, "<>") {
				t.Fatalf("%q makes %q", s, p.Text)
			}
		}
		if mentions != 1 {
			t.Fatalf("%q: %d mentions", s, mentions)
		}
	})
}

func TestSplit(t *testing.T) {
	t.Parallel()
	a, err := New(Config{BotToken: "xoxb-cnrymark", AppToken: "xapp-cnrymark"})
	require.NoError(t, err)
	render := func(text string) (texts []string) {
		parts, err := a.Render(&adapter.Message{To: adapter.Address{Room: "C1"}, Text: text})
		require.NoError(t, err)
		for _, p := range parts {
			require.LessOrEqual(t, utf8.RuneCountInString(p.Text), maxText)
			texts = append(texts, p.Text)
		}
		return texts
	}
	line := strings.Repeat("word ", 500) + "end"
	require.Equal(t, []string{line, line}, render(line+"\n"+line), "between lines")
	words := strings.TrimSpace(strings.Repeat("abcdefghi ", 500))
	got := render(words)
	require.Equal(t, words, strings.Join(got, " "), "between words")
	require.Len(t, got, 2)
	got = render(strings.Repeat("é", 9000))
	require.Equal(t, strings.Repeat("é", 9000), strings.Join(got, ""))
	require.Len(t, got, 3)
	got = render(strings.Repeat("<", 2000))
	require.Equal(t, strings.Repeat("&lt;", 2000), strings.Join(got, ""), "an escape is never cut")
	require.Empty(t, render("  \n "))
	mention := strings.Repeat("x", maxText-3) + adapter.Mention(adapter.User{ID: "U1", Name: "ann"})
	require.Equal(t, "<@U1>", render(mention)[1], "a mention is never cut")
}

func TestEmoji(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"👍": "+1", "👍🏽": "+1", "❤️": "heart", "✅": "white_check_mark", ":tada:": "tada", "my-own_1": "my-own_1", "🔟": "keycap_ten", "0️⃣": "zero"} {
		name, ok := emojiName(in)
		require.True(t, ok, in)
		require.Equal(t, want, name, in)
	}
	for _, in := range []string{"", ":", " ", "a b", "🏴‍☠️", "Heart", "👍 👎", "+1 👎"} {
		_, ok := emojiName(in)
		require.False(t, ok, in)
	}
	fields := strings.Fields(emojiTable)
	require.Zero(t, len(fields)%2)
	for i := 1; i < len(fields); i += 2 {
		name, ok := emojiName(fields[i-1])
		require.True(t, ok, fields[i-1])
		require.Equal(t, fields[i], name, fields[i-1])
	}
}

func TestStamps(t *testing.T) {
	t.Parallel()
	for _, ts := range []string{"1700000000.000100", "1.000001", "946684800.999999"} {
		require.Equal(t, ts, stampOf(stampTime(ts)))
	}
	for _, ts := range []string{"", "x", "-1.0", "99999999999999999999.1", "0.5"} {
		require.True(t, stampTime(ts).IsZero(), ts)
	}
	stamps := []string{"1700000000.000100", "946684800.000001", "1700000000.000099"}
	slices.SortFunc(stamps, func(a, b string) int {
		if older(a, b) {
			return -1
		}
		return 1
	})
	require.Equal(t, "[946684800.000001 1700000000.000099 1700000000.000100]", fmt.Sprint(stamps))
}
