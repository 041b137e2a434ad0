package discord

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

var update = flag.Bool("update", false, "rewrite testdata")

// stubNames knows who is named in the texts of the test data.
type stubNames struct{}

func (stubNames) user(id string) (adapter.User, bool) {
	return adapter.User{ID: id, Name: "user" + id[:min(2, len(id))]}, id != "53908232506183699"
}
func (stubNames) room(id string) string { return "room" + id[:min(2, len(id))] }
func (stubNames) role(id string) (string, bool) {
	switch id {
	case "123456789012345678":
		return "ops", false
	case "100000000000000021":
		return "starling", true
	}
	return "", false
}
func (stubNames) bot() (adapter.User, bool) {
	return adapter.User{ID: "100000000000000010", Name: "starling"}, true
}

// testDecoder is a decoder without an adapter.
func testDecoder() decoder {
	s := &spoken{}
	s.init()
	s.note("334385199974967042", "Supa Hot", false) // what was said before
	return decoder{
		adapter: "discord", me: identity{user: "100000000000000010", app: "100000000000000011", name: "starling"}, spoken: s, stamp: "0123456789abcdef0123/7",
		ours: func(guild string, m *wireMember) adapter.UserKind { return adapter.KindMember },
		greets: func(guild string) string {
			if guild == "290926798626357999" {
				return "290926798999357250"
			}
			return ""
		},
		now: time.Unix(1_700_000_100, 0).UTC(),
	}
}

// decodeAny decodes a payload as the adapter does, without looking names up.
func decodeAny(d decoder, kind string, payload json.RawMessage) ([]*received, verdict) {
	if kind != "INTERACTION_CREATE" {
		return d.event(kind, payload)
	}
	r, _, v, _ := d.interaction(payload, nil)
	if v != deliver {
		return nil, v
	}
	return []*received{r}, v
}

// TestPayloads decodes every recorded payload and compares with what stands beside it.
func TestPayloads(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 43)
	readme, err := os.ReadFile("testdata/README.md")
	require.NoError(t, err)
	type record struct {
		Documentation string          `json:"documentation"`
		Kind          string          `json:"kind"`
		Payload       json.RawMessage `json:"payload"`
		Want          json.RawMessage `json:"want,omitempty"`
	}
	type result struct {
		Event *adapter.Event    `json:"event"`
		Text  string            `json:"text,omitempty"`
		Texts map[string]string `json:"texts,omitempty"`
		Known string            `json:"parent,omitempty"` // of a thread that the event itself tells of
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			var rec record
			require.NoError(t, json.Unmarshal(raw, &rec))
			require.Contains(t, string(readme), filepath.Base(file)+" | "+rec.Documentation)
			list, v := decodeAny(testDecoder(), rec.Kind, rec.Payload)
			want := struct {
				Verdict verdict  `json:"verdict"`
				Events  []result `json:"events,omitempty"`
			}{Verdict: v}
			for _, r := range list {
				res := result{Event: r.ev, Texts: map[string]string{}}
				res.Text, r.ev.Mentions = decodeText(r.text, stubNames{})
				for k, text := range r.texts {
					res.Texts[k], _ = decodeText(text, stubNames{})
				}
				if r.known != nil {
					res.Known = r.known.parent
				}
				require.True(t, json.Valid(r.ev.Raw))
				if rec.Kind == "INTERACTION_CREATE" {
					o, ok := readOrigin(r.ev.Origin)
					require.True(t, ok)
					require.NotContains(t, string(r.ev.Raw), o.Token)
					if v, err := Decode(r.ev); err == nil {
						require.Equal(t, o.Token, v.(*discordgo.InteractionCreate).Token)
					}
				}
				if _, err := Decode(r.ev); err != nil {
					require.Contains(t, []string{"message_broken_embed", "modal_submit"}, strings.TrimSuffix(filepath.Base(file), ".json"), "the library reads all but what it does not know: %v", err)
				}
				r.ev.Raw = nil
				before, err := json.Marshal(r.ev)
				require.NoError(t, err)
				r.ev.Normalize()
				after, err := json.Marshal(r.ev)
				require.NoError(t, err)
				require.JSONEq(t, string(before), string(after))
				want.Events = append(want.Events, res)
			}
			got, err := json.MarshalIndent(want, " ", " ")
			require.NoError(t, err)
			if *update {
				rec.Want = got
				out, err := json.MarshalIndent(rec, "", " ")
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(file, append(out, '\n'), 0o644))
				return
			}
			require.JSONEq(t, string(rec.Want), string(got))
		})
	}
}

func TestDecodeText(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"": "", "plain": "plain", "<": "<", "<>": "<>", "a < b > c": "a < b > c", "<@": "<@", "<@>": "<@>", "<@x>": "<@x>", "<@01>": "<@01>", "<@&>": "<@&>", "<#>": "<#>", "<#x>": "<#x>",
		"<@53908232506183681>!": "@user53!", "<@!53908232506183681>": "@user53", "<@53908232506183699>": "<@53908232506183699>", "<<@53908232506183681>>": "<@user53>",
		"<@&123456789012345678>": "@ops", "<@&100000000000000021>": "@starling", "<@&5>": "@5", "<#290926798999357250>": "#room29",
		"<:a_1:5>": ":a_1:", "<a:wave:6>": ":wave:", "<:x:y>": "<:x:y>", "<::5>": "<::5>", "<a:b>": "<a:b>", "<:a b:5>": "<:a b:5>",
		"<t:0>": "1970-01-01 00:00 UTC", "<t:1618953630:R>": "2021-04-20 21:20 UTC", "<t:1618953630:Q>": "<t:1618953630:Q>", "<t:x>": "<t:x>", "<t:99999999999999999>": "<t:99999999999999999>",
		"<t:-62135596801>": "0000-12-31 23:59 UTC", "</deploy api:5>": "/deploy api", "</x>": "</x>", "</:5>": "</:5>", "</b>": "</b>",
		"<https://example.com>": "<https://example.com>", `\<@53908232506183681>`: `\@user53`, "&lt;@1&gt; &amp;": "&lt;@1&gt; &amp;",
		"<" + strings.Repeat("x", 500) + ">": "<" + strings.Repeat("x", 500) + ">",
	} {
		got, _ := decodeText(raw, stubNames{})
		require.Equal(t, want, got, raw)
	}
	_, who := decodeText("<@53908232506183681> <@&100000000000000021> <@&5> <@53908232506183699>", stubNames{})
	require.Len(t, who, 2)
	require.Equal(t, "100000000000000010", who[1].ID)
}

// FuzzDecode: whatever Discord sends, the decoder does not panic, and what it delivers keeps its meaning over Normalize (T18:
// what is no tag stays as it was typed).
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(f, err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(f, err)
		var rec struct {
			Kind    string          `json:"kind"`
			Payload json.RawMessage `json:"payload"`
		}
		require.NoError(f, json.Unmarshal(raw, &rec))
		f.Add(rec.Kind, []byte(rec.Payload), "x")
	}
	f.Add("MESSAGE_CREATE", []byte(`{}`), "<@53908232506183681> <t:1:R> <a:b:1> </x y:1> <#5")
	f.Add("MESSAGE_CREATE", []byte(`{}`), "<#5> <@5> <@&5>")
	f.Fuzz(func(t *testing.T, kind string, payload []byte, text string) {
		list, v := decodeAny(testDecoder(), kind, payload)
		if (v == deliver) != (len(list) > 0) && kind != "MESSAGE_DELETE_BULK" {
			t.Fatalf("%s: %d events are %s", kind, len(list), v)
		}
		for _, r := range list {
			if r.ev.ID == "" || r.channel == "" {
				t.Fatalf("an event without id or room: %+v", r.ev)
			}
			r.ev.Normalize()
		}
		shown, who := decodeText(text, stubNames{})
		if !strings.Contains(text, "<") && shown != text {
			t.Fatalf("%q became %q", text, shown)
		}
		if again, _ := decodeText(strings.ReplaceAll(text, "<", ""), stubNames{}); again != strings.ReplaceAll(text, "<", "") {
			t.Fatalf("%q became %q", text, again)
		}
		for _, u := range who {
			if u.ID == "" || !strings.Contains(shown, "@") {
				t.Fatalf("%q mentions %+v", text, u)
			}
		}
	})
}

func TestIDs(t *testing.T) {
	t.Parallel()
	require.Equal(t, "2016-04-30T11:18:25.796Z", idTime("175928847299117063").Format(time.RFC3339Nano), "the documentation's example")
	require.True(t, idTime("x").IsZero())
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	require.Equal(t, at, idTime(idAt(at)))
	require.Equal(t, "0", idAt(time.Unix(0, 0)))
	require.Equal(t, "00175928847299117063", orderOf("175928847299117063"))
	require.Equal(t, "175928847299117063", idOf("00175928847299117063"))
	require.True(t, older("99", "100"))
	require.Less(t, orderOf("99"), orderOf("100"))
	for s, want := range map[string]bool{"1": true, "175928847299117063": true, "18446744073709551615": true, "18446744073709551616": false, "": false, "0": false, "01": false, "-1": false, "1a": false, "1/2": false, "123456789012345678901": false} {
		require.Equal(t, want, isID(s), s)
	}
}

// TestRoutes: what shares a limit at Discord shares one here, and nothing with a token in it is remembered for ever.
func TestRoutes(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"channels/175928847299117063/messages/334385199974967042?x=1": "GET channels/175928847299117063/messages/*",
		"channels/175928847299117063/messages":                        "GET channels/175928847299117063/messages",
		"channels/1/messages/2/reactions/%F0%9F%94%A5/@me":            "GET channels/1/messages/*/reactions",
		"guilds/290926798626357999/members/53908099506183680":         "GET guilds/290926798626357999/members/*",
		"webhooks/100000000000000011/tok/messages/@original":          "GET webhooks/100000000000000011/tok/messages/@original",
		"interactions/786008729715212338/tok/callback":                "",
		"users/@me/channels":                                          "GET users/@me/channels",
	} {
		require.Equal(t, want, routeOf("GET", path))
	}
	var l limits
	l.init()
	now := time.Unix(1_700_000_000, 0)
	for i := range 2 * maxBuckets {
		n := note{status: 200, header: map[string][]string{"X-Ratelimit-Remaining": {"1"}, "X-Ratelimit-Reset-After": {"1"}}}
		l.leave("POST", "webhooks/1/token"+string(rune('a'+i%26))+time.Duration(i).String()+"/messages", &n, now.Add(time.Duration(i)*time.Millisecond))
	}
	require.LessOrEqual(t, len(l.buckets), maxBuckets)
}

// TestTrusted: files are read from Discord alone: an address in a message is whatever somebody put there.
func TestTrusted(t *testing.T) {
	t.Parallel()
	a := quietAdapter(t)
	for address, want := range map[string]bool{
		"https://cdn.discordapp.com/attachments/1/2/x.txt?ex=1": true, "https://media.discordapp.net/attachments/1/2/x.png": true, "https://discord.com/x": true,
		"http://cdn.discordapp.com/x": false, "https://cdn.discordapp.com.evil.example/x": false, "https://evil.example/cdn.discordapp.com": false,
		"https://cdn.discordapp.com@evil.example/x": false, "file:///etc/passwd": false, "http://169.254.169.254/": false, "": false, ":": false,
	} {
		require.Equal(t, want, a.trusted(address), address)
	}
	require.NoError(t, a.Close())
}
