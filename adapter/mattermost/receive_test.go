package mattermost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mattermost/mattermost-server/v6/model"
	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/lanes"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

var update = flag.Bool("update", false, "rewrite testdata")

var testDecoder = decoder{adapter: "mattermost", tenant: "chat.example.com", me: identity{id: fake.Bot, name: "starling"}, commands: map[string]string{"job-list": "job list"}}

// recorded is a file of testdata.
type recorded struct {
	Documentation string          `json:"documentation"`
	Kind          string          `json:"kind"`
	Payload       json.RawMessage `json:"payload"`
	Want          json.RawMessage `json:"want,omitempty"`
}

// outcome is what a payload becomes.
type outcome struct {
	Verdict string         `json:"verdict"`
	Event   *adapter.Event `json:"event,omitempty"`
	Files   []string       `json:"files_to_ask_for,omitempty"`
	Origin  *origin        `json:"origin,omitempty"`
	Forget  string         `json:"forget,omitempty"`
}

// callbackAdapter is an adapter that knows its message without a network.
func callbackAdapter(tb testing.TB) *Adapter {
	tb.Helper()
	a, err := New(Config{URL: "https://chat.example.com", Token: "cnrymark-t", Secrets: []string{"cnrymark: a secret of tests"}, CommandTokens: []string{"commandtoken"}, HookTokens: []string{"hooktoken"}})
	require.NoError(tb, err)
	a.me.Store(&identity{id: fake.Bot, name: "starling"})
	names := map[string]string{"job-list": "job list"}
	a.commands.Store(&names)
	a.posts.Put(fake.ID("post1"), posted{room: fake.ID("ops"), nonce: "nonce", root: fake.ID("root")})
	return a
}

// decodeAny decodes a payload as the adapter does, without looking names up.
func decodeAny(tb testing.TB, a *Adapter, rec *recorded) outcome {
	tb.Helper()
	now := time.Unix(1_700_000_100, 0)
	var cb *callback
	var err error
	switch rec.Kind {
	case "event":
		var f frame
		require.NoError(tb, json.Unmarshal(rec.Payload, &f))
		r, stale, v := testDecoder.event(&f, fake.ID("conn"), now)
		out := outcome{Verdict: string(v), Forget: strings.Trim(stale.user+" "+stale.room+" "+stale.name, " ")}
		if v == deliver {
			out.Event, out.Files = r.ev, r.files
		}
		return out
	case "command":
		var m map[string]string
		require.NoError(tb, json.Unmarshal(rec.Payload, &m))
		form := url.Values{}
		for k, v := range m {
			form.Set(k, v)
		}
		cb, err = a.readCommand(http.Header{}, form, now)
	case "click":
		s, serr := a.seal.seal(sealClick, sealed{Room: fake.ID("ops"), Nonce: "nonce", Expires: now.Unix() + 1, Command: "approve 1", Label: "Yes"})
		require.NoError(tb, serr)
		cb, err = a.readClick(context.Background(), bytes.Replace(rec.Payload, []byte("SEAL"), []byte(s), 1), now)
	case "form":
		s, serr := a.seal.seal(sealForm, sealed{Room: fake.ID("ops"), Nonce: "nonce", Expires: now.Unix() + 1, User: fake.ID("bob"), Form: "form1", Thread: fake.ID("root")})
		require.NoError(tb, serr)
		cb, err = a.readForm(bytes.Replace(rec.Payload, []byte("SEAL"), []byte(s), 1), now)
	case "hook":
		r, rerr := http.NewRequest(http.MethodPost, "/", nil)
		require.NoError(tb, rerr)
		r.Header.Set("Content-Type", "application/json")
		cb, err = a.readCallback(r, rec.Payload, now)
	default:
		tb.Fatal(rec.Kind)
	}
	var refused *errRefused
	if errors.As(err, &refused) {
		return outcome{Verdict: "refused: " + refused.Error()}
	}
	require.NoError(tb, err)
	o := cb.origin
	if o.At != now.Unix() {
		o.At = 0 // a clock
	}
	return outcome{Verdict: string(deliver), Event: cb.r.ev, Files: cb.r.files, Origin: &o}
}

// TestPayloads decodes every recorded payload and compares with what stands beside it.
func TestPayloads(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.Greater(t, len(files), 40)
	readme, err := os.ReadFile("testdata/README.md")
	require.NoError(t, err)
	a := callbackAdapter(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			var rec recorded
			require.NoError(t, json.Unmarshal(b, &rec))
			require.NotEmpty(t, rec.Documentation)
			require.Contains(t, string(readme), filepath.Base(file)+" | "+rec.Documentation)
			got := decodeAny(t, a, &rec)
			if got.Event != nil {
				if _, err := Decode(got.Event); err != nil {
					t.Error("Decode:", err)
				}
				require.NotContains(t, string(got.Event.Raw), "token\":\"commandtoken")
				answered := *got.Event
				if got.Origin != nil {
					answered.Origin = got.Origin.String()
				}
				requireBare(t, &answered)
				got.Event.Raw = nil // it is the payload
			}
			out, err := json.MarshalIndent(got, " ", " ")
			require.NoError(t, err)
			if *update {
				rec.Want = out
				all, err := json.MarshalIndent(&rec, "", " ")
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(file, append(all, '\n'), 0o644))
				return
			}
			require.JSONEq(t, string(rec.Want), string(out))
		})
	}
	require.NoError(t, a.Close())
}

// requireBare wants what answers an event to be in its Origin alone, which is never logged, and in what Decode gives.
func requireBare(t *testing.T, ev *adapter.Event) {
	t.Helper()
	o, ok := parseOrigin(ev.Origin)
	if !ok {
		return
	}
	v, err := Decode(ev)
	require.NoError(t, err)
	for _, secret := range []string{o.Hook, o.Trigger} {
		require.True(t, secret == "" || !strings.Contains(string(ev.Raw), secret), "Raw has a secret")
	}
	switch v := v.(type) {
	case map[string]string:
		require.Equal(t, o.Trigger, v["trigger_id"])
		require.NotEmpty(t, o.Hook)
		require.True(t, strings.HasPrefix(v["response_url"], "http") && strings.HasSuffix(v["response_url"], "/hooks/commands/"+o.Hook), v["response_url"])
	case *model.PostActionIntegrationRequest:
		require.Equal(t, o.Trigger, v.TriggerId)
	}
}

// TestMentioned: who a text mentions, by the rules of the server.
func TestMentioned(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                                nil,
		"no one":                          nil,
		"@bob":                            {"bob"},
		"@Bob, @bob. (@carol) @bob":       {"bob", "bob.", "carol"},
		"hey @bob-":                       {"bob-"},
		"a@bob.example and x.@carol":      {"carol"},
		"é@bob _@bob 9@bob":               nil,
		"@":                               nil,
		"@@bob":                           {"bob"},
		"@-":                              {"-"},
		"`@bob` ``@bob`@carol`` @alice":   {"alice"},
		"```\n@bob\n``` @carol":           {"carol"},
		"```\n@bob":                       nil,
		"a ` b @bob":                      {"bob"},
		"@" + strings.Repeat("x", 65):     nil,
		"@bob\u200b @ca\u200brol":         {"bob", "ca"},
		"@all and @here":                  {"all", "here"},
		"text\n```go\n@bob\n```\n@carol ": {"carol"},
	} {
		var got []string
		for _, c := range mentioned(text) {
			got = append(got, c[0])
		}
		require.Equal(t, want, got, "%q", text)
	}
	require.Equal(t, []candidate{{"bob.-", "bob.", "bob"}}, mentioned("@bob.-"))
	require.True(t, has(mentioned("x @Starling."), "starling"))
	require.False(t, has(mentioned("x @starlings"), "starling"))
}

// TestKinds: what sort of account somebody has; of whom nothing is known is no member.
func TestKinds(t *testing.T) {
	a := quietAdapter(t)
	remote, own := "remote", ""
	for want, users := range map[adapter.UserKind][]*model.User{
		adapter.KindUnknown:     {{}, {RemoteId: &own}},
		adapter.KindMember:      {{Roles: "system_user"}, {Roles: "system_user", RemoteId: &own}, {Roles: "system_admin system_user"}},
		adapter.KindGuest:       {{Roles: "system_guest"}},
		adapter.KindBot:         {{Roles: "system_user", IsBot: true}},
		adapter.KindExternal:    {{Roles: "system_user", RemoteId: &remote}},
		adapter.KindDeactivated: {{Roles: "system_user", DeleteAt: 1}, {Roles: "system_user", IsBot: true, DeleteAt: 1}},
	} {
		for _, u := range users {
			require.Equal(t, want, a.userOf(u).Kind, u.Roles)
		}
	}
	require.NoError(t, a.Close())
}

// TestTexts: the same text is known again, within the bound.
func TestTexts(t *testing.T) {
	t.Parallel()
	var s texts
	s.init()
	require.False(t, s.note("a", "x"))
	require.True(t, s.note("a", "x"))
	require.False(t, s.note("a", "y"))
	require.False(t, s.note("b", "y"))
	for i := range maxTexts {
		s.note(string(rune(i+1000)), "z")
	}
	require.True(t, s.note("a", "y"))
}

// TestPlaces is where places stand: never past what the bot has not taken.
func TestPlaces(t *testing.T) {
	t.Parallel()
	var p places
	p.init(nil)
	fill, err := p.load(t.Context(), "r", 1_000_000, true)
	require.NoError(t, err)
	require.False(t, fill)
	p.thaw(0, nil)
	at := func() int64 { return p.rooms["r"].stable }
	p.offered("r", "a", 1_000_100)
	p.offered("r", "b", 1_000_200)
	p.heard("r", "b", 1_000_200, true)
	require.EqualValues(t, 1_000_099, at(), "a is on its way")
	p.heard("r", "a", 1_000_100, true)
	require.EqualValues(t, 1_000_200, at())
	p.offered("r", "late", 1_000_150) // delivered behind what is newer
	require.EqualValues(t, 1_000_149, at())
	p.heard("r", "late", 1_000_150, false)
	require.EqualValues(t, 1_000_149, at())
	p.heard("r", "c", 1_000_300, true)
	require.EqualValues(t, 1_000_149, at(), "late was not taken")
	require.Empty(t, p.openRooms(time.Now()))
	require.Equal(t, []string{"r"}, p.openRooms(time.Now().Add(time.Minute)))
	begin, known, gap := p.from("r")
	require.EqualValues(t, 1_000_001, begin, "not before the bot came")
	require.Len(t, known, 3)
	p.heard("r", "new", 1_000_400, false) // fails while the filling reads
	p.filled("r", 1_000_150, true, gap)
	require.EqualValues(t, 1_000_300, at(), "what failed after the filling had read is still to come")
	_, _, gap = p.from("r")
	p.filled("r", 1_000_400, false, gap)
	require.EqualValues(t, 1_000_300, at())
	_, _, gap = p.from("r")
	p.freeze() // a second gap
	p.filled("r", 1_000_400, true, gap)
	require.True(t, p.rooms["r"].frozen, "an earlier filling does not end a later gap")

	p.offered("s", "a", 500) // before the list of the rooms came, in which it is
	_, err = p.load(t.Context(), "s", 700, true)
	require.NoError(t, err)
	begin, _, _ = p.from("s")
	require.EqualValues(t, 500, begin, "what came shows that the bot was there")
	p.offered("s", "b", 499)
	begin, _, _ = p.from("s")
	require.EqualValues(t, 499, begin)

	var q place
	require.True(t, q.parse("1000000.1000001+ id1 id2"))
	require.Equal(t, []any{int64(1_000_000), int64(1_000_001), true, 2}, []any{q.stable, q.floor, q.fresh, len(q.recent)})
	for _, bad := range []string{"", "x", "-1", "0", ".", "+", "99999999999999999999"} {
		require.False(t, new(place).parse(bad), bad)
	}
}

// FuzzText: whatever is said, finding who is mentioned ends, and gives names that can be part of a path, which stand in the text.
func FuzzText(f *testing.F) {
	for _, s := range []string{"@bob", "@Bob. `@x` ```\n@y\n``` @starling", "``@a`b``@c", "@..@-", "\xff@\xffa", strings.Repeat("`", 100) + "@a", strings.Repeat("@a", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		plain := withoutCode(text)
		if len(plain) > len(text) {
			t.Fatal("it grew")
		}
		if utf8.ValidString(text) && !utf8.ValidString(plain) {
			t.Fatal("a character was cut")
		}
		seen := map[string]bool{}
		for _, c := range mentioned(text) {
			if len(c) == 0 || seen[c[0]] {
				t.Fatalf("%q", c)
			}
			seen[c[0]] = true
			for _, name := range c {
				if name != strings.ToLower(name) || len(name) > 64 || strings.ContainsAny(name, "/?#%@ ") || !strings.Contains(strings.ToLower(text), "@"+name) {
					t.Fatalf("%q in %q", name, text)
				}
			}
		}
	})
}

// FuzzFrame: whatever comes on the websocket, the decoder gives an event that can be stored, or none.
func FuzzFrame(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(f, err)
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(f, err)
		var rec recorded
		require.NoError(f, json.Unmarshal(b, &rec))
		if rec.Kind == "event" {
			f.Add([]byte(rec.Payload))
		}
	}
	f.Add([]byte(`{"event":"posted","data":{"post":"{\"id\":\"00000000000000000000000000\",\"create_at\":10000000000000000,\"user_id\":\"0\",\"channel_id\":\"0\"}"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var fr frame
		if json.Unmarshal(data, &fr) != nil {
			return
		}
		r, _, v := testDecoder.event(&fr, "conn", time.Unix(1_700_000_000, 0))
		if (r != nil) != (v == deliver) && v == deliver {
			t.Fatal("delivered without an event")
		}
		if v != deliver {
			return
		}
		ev := r.ev
		if ev.ID == "" || ev.Kind == "" || ev.Room.ID == "" {
			t.Fatalf("%+v", ev)
		}
		if ev.User.ID != "" && ev.User.ID == fake.Bot && !ev.Self && ev.Kind != adapter.KindDelete {
			t.Fatalf("the bot itself is not Self: %+v", ev)
		}
		if r.since < 0 || r.since > time.Unix(1<<37, 0).UnixMilli() {
			t.Fatalf("a place would stand at %d", r.since)
		}
		ev = lanes.Copy(ev)
		ev.Normalize() // as the sink does first: a year that JSON cannot hold is none
		if _, err := json.Marshal(ev); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzCallback: whatever is posted to the handler's readers, nothing is taken without a token or a seal.
func FuzzCallback(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(f, err)
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(f, err)
		var rec recorded
		require.NoError(f, json.Unmarshal(b, &rec))
		if rec.Kind != "event" {
			f.Add("application/json", []byte(rec.Payload))
		}
	}
	f.Add("application/x-www-form-urlencoded", []byte("token=x&command=/deploy&user_id="+fake.ID("alice")))
	a := callbackAdapter(f)
	a.cfg.CommandTokens, a.cfg.HookTokens = []string{"cnrymark-notokenofacorpusfile"}, []string{"cnrymark-notokenofacorpusfile"}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r, err := http.NewRequest(http.MethodPost, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", contentType)
		if cb, err := a.readCallback(r, body, time.Unix(1_700_000_100, 0)); err == nil && !bytes.Contains(body, []byte("cnrymark-notokenofacorpusfile")) {
			t.Fatalf("%+v", cb)
		}
	})
}
