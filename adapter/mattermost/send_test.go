package mattermost_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

// TestIdempotent: within 30 s a message of unknown outcome is sent again without a look, and is one post; nobody else can make the
// server believe that it was sent.
func TestIdempotent(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		a := idle(t, configFor(f))
		m := &adapter.Message{To: to(ops), Text: "once", Key: "k"}
		for _, k := range []fake.FaultKind{fake.FaultLost, fake.FaultStatusLate, fake.FaultTruncated} {
			f.Fail(fake.Fault{Route: "POST /posts", Kind: k, Status: 502})
			_, err := a.Send(t.Context(), m)
			require.Equal(t, adapter.Unknown, adapter.OutcomeOf(err))
		}
		wait(29 * time.Second)
		ref, err := a.Send(t.Context(), m)
		require.NoError(t, err)
		require.Len(t, f.Find("once"), 1)
		require.Equal(t, f.Find("once")[0].ID, ref.ID)
		_, err = a.Send(t.Context(), &adapter.Message{To: to(dev), Text: "once", Key: "k"})
		require.NoError(t, err)
		require.Len(t, f.Find("once"), 2, "the same key in another room is another message")
		other := configFor(f) // another process of the same bot
		ref2, err := idle(t, other).Send(t.Context(), m)
		require.NoError(t, err)
		require.Equal(t, ref, ref2)
		pending := f.Pending()
		require.NotEmpty(t, pending)
		for _, id := range pending {
			require.True(t, strings.HasPrefix(id, fake.Bot+":"))
			require.NotContains(t, id, "k/", "it cannot be guessed")
		}
	})
}

// TestOnly is T20: what one user is to see is never shown to the room.
func TestOnly(t *testing.T) {
	secret := func(m adapter.Message) *adapter.Message { m.Text = "secret"; return &m }
	t.Run("plain bot", func(t *testing.T) {
		bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
			a := idle(t, configFor(f))
			_, err := a.Send(t.Context(), secret(adapter.Message{To: to(ops), Only: alice}))
			require.ErrorIs(t, err, adapter.ErrUnsupported)
			require.ErrorContains(t, err, "Config.SystemAdmin")
			direct, err := a.OpenDirect(t.Context(), alice)
			require.NoError(t, err)
			_, err = a.Send(t.Context(), secret(adapter.Message{To: to(direct.ID), Only: bob}))
			require.ErrorIs(t, err, adapter.ErrUnsupported, "another one's room")
			for _, k := range []fake.FaultKind{fake.FaultStatus, fake.FaultHTML} { // nobody knows whose room it is
				f.Fail(fake.Fault{Route: "GET /channels/{}", Kind: k, Status: 500})
				_, err = a.Send(t.Context(), secret(adapter.Message{To: to(dev), Only: alice}))
				require.Error(t, err)
				wait(time.Minute)
			}
			require.Empty(t, f.Find("secret"))
			_, err = a.Send(t.Context(), secret(adapter.Message{To: to(direct.ID), Only: alice}))
			require.NoError(t, err)
			require.Len(t, f.Find("secret"), 1)
		})
	})
	t.Run("administrator", func(t *testing.T) {
		bubble(t, fake.Options{SystemAdmin: true}, func(t *testing.T, f *fake.Server) {
			cfg := configFor(f)
			cfg.SystemAdmin = true
			a := idle(t, cfg)
			require.NoError(t, a.Check(t.Context()))
			ref, err := a.Send(t.Context(), secret(adapter.Message{To: to(ops), Only: alice}))
			require.NoError(t, err)
			require.Equal(t, alice, f.Find("secret")[0].Only)
			require.ErrorIs(t, a.Edit(t.Context(), ref, &adapter.Message{Text: "x"}), adapter.ErrUnsupported)
			require.ErrorIs(t, a.Delete(t.Context(), ref), adapter.ErrUnsupported)
			require.ErrorIs(t, a.React(t.Context(), ref, "x"), adapter.ErrUnsupported)
			_, err = a.Send(t.Context(), &adapter.Message{To: to(ops), Only: alice, Files: []adapter.File{{Name: "x", Size: 1}}})
			require.ErrorIs(t, err, adapter.ErrUnsupported)
			_, err = a.Send(t.Context(), secret(adapter.Message{To: to(ops), Only: "nobody"}))
			require.ErrorIs(t, err, adapter.ErrNotFound)
			_, _, err = a.Find(t.Context(), secret(adapter.Message{To: to(ops), Only: alice, Key: "k"}))
			require.ErrorIs(t, err, adapter.ErrUnsupported)
			require.Len(t, f.Find("secret"), 1)
		})
	})
	t.Run("the role is not there", func(t *testing.T) {
		bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
			cfg := configFor(f)
			cfg.SystemAdmin = true
			_, err := idle(t, cfg).Send(t.Context(), secret(adapter.Message{To: to(ops), Only: alice}))
			require.ErrorIs(t, err, adapter.ErrForbidden)
			require.Empty(t, f.Find("secret"))
		})
	})
}

// TestLayouts is T9: buttons, fields, colours, attachments, mass mentions and what looks like any of it, as Mattermost gets it.
func TestLayouts(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		a := idle(t, configFor(f))
		send := func(m *adapter.Message) fake.Post {
			m.To = to(ops)
			parts, err := a.Render(m)
			require.NoError(t, err)
			for _, p := range parts {
				_, err = a.Send(t.Context(), p)
				require.NoError(t, err)
			}
			posts := f.Posts()
			return posts[len(posts)-1]
		}
		const hostile = "@all @Channel @here @bob, @HERE. (@all) x@here <!channel> ![x](http://tracker.example/p.png) [Log in](http://evil.example)"
		user := adapter.User{ID: alice, Name: "alice"}
		for _, c := range []struct {
			name  string
			m     adapter.Message
			shown string
			pings []string
		}{
			{"plain", adapter.Message{Text: "a < b & c"}, "a < b & c", nil},
			{"markup", adapter.Message{Text: "**bold** and `code`"}, "bold and code", nil},
			{"injection in markup", adapter.Message{Text: "@all @bob @channel and @here"}, "@all @bob @channel and @here", nil},
			{"injection in data", adapter.Message{Text: adapter.Data(hostile)}, hostile, nil},
			{"injection in a code span", adapter.Message{Text: "`@all` " + adapter.Data("`@all`")}, "@all `@all`", nil},
			{"mention", adapter.Message{Text: adapter.Format("%s: done", user)}, "@alice: done", []string{"alice"}},
			{"mention of a mass name", adapter.Message{Text: adapter.Mention(adapter.User{ID: bob, Name: "all"})}, "@all", nil},
			{"mention with a forged name", adapter.Message{Text: adapter.Mention(adapter.User{ID: bob, Name: "x @channel"})}, "@x @channel", nil},
			{"notify room", adapter.Message{Text: "fire", Notify: adapter.NotifyRoom}, "@channel fire", []string{"channel"}},
			{"notify here", adapter.Message{Text: adapter.Data("@all fire"), Notify: adapter.NotifyHere}, "@here @all fire", []string{"here"}},
			{"field", adapter.Message{Text: "x", Fields: []adapter.Field{{Name: hostile, Value: adapter.Data(hostile)}}}, "x", nil},
			{"colour", adapter.Message{Text: adapter.Data(hostile), Color: adapter.ColorBad}, hostile, nil},
			{"button", adapter.Message{Text: "go?", Buttons: []adapter.Button{{Label: "@all @here now", Command: "@all"}}}, "go?", nil},
			{"NUL", adapter.Message{Text: "a\x00b"}, "a\uFFFDb", nil},
		} {
			m := send(&c.m)
			require.Equal(t, c.shown, fake.Shown(&m), c.name)
			require.Equal(t, c.pings, f.Pings(&m), c.name)
		}
		m := send(&adapter.Message{Text: "bad", Color: adapter.ColorBad, Fields: []adapter.Field{{Name: "a", Value: "b"}}})
		require.Equal(t, [][2]string{{"a", "b"}}, fake.Fields(&m))
		require.Contains(t, fmt.Sprint(m.Props["attachments"]), "color:danger")
		native := json.RawMessage(`[{"title":"@all T","text":"hi @channel","title_link":"http://x.example/@all","fields":[{"title":"@here","value":"v","short":true}],
			"footer":"@HERE","from_tomorrow":{"deep":["@all"]}}]`)
		m = send(&adapter.Message{Text: "native", Native: map[string]json.RawMessage{"mattermost": native, "slack": json.RawMessage(`[]`)}})
		require.Empty(t, f.Pings(&m))
		require.Contains(t, fmt.Sprint(m.Props["attachments"]), "http://x.example/@all", "an address stays")
		require.Contains(t, fake.Shown(&m), "hi @channel")
		for _, bad := range []string{`{"x":1}`, `7`, `[7]`, `[{"fields":7}]`} {
			_, err := a.Render(&adapter.Message{To: to(ops), Text: "x", Native: map[string]json.RawMessage{"mattermost": json.RawMessage(bad)}})
			require.ErrorIs(t, err, adapter.ErrInvalid, bad)
		}
		_, err := a.Render(&adapter.Message{To: to(ops), Text: "x", Notify: "everybody"})
		require.ErrorIs(t, err, adapter.ErrInvalid)
		_, err = a.Render(&adapter.Message{To: to(ops), Text: "x", Buttons: []adapter.Button{{Label: " ", Command: "y"}}})
		require.ErrorIs(t, err, adapter.ErrInvalid)

		// What nobody rendered is rendered by Send: no way leads around it.
		_, err = a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "raw @all", Notify: adapter.NotifyNone})
		require.NoError(t, err)
		ref, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "to edit"})
		require.NoError(t, err)
		require.NoError(t, a.Edit(t.Context(), ref, &adapter.Message{Text: "edited @channel", Fields: []adapter.Field{{Name: "n", Value: "@all"}}}))
		for _, text := range []string{"raw @all", "edited @channel"} {
			p := f.Find(text)[0]
			require.Empty(t, f.Pings(&p), text)
		}
		p, _ := f.Get(ref.ID)
		require.Equal(t, "true", p.Props["from_bot"], "an edit does not hide that a bot said it")
		require.NoError(t, a.SetTopic(t.Context(), ops, "ship @all & *sleep*"))
		require.NotContains(t, f.Header(ops), "@all")
	})
}

// TestNoButtons: without a callback address buttons are a list of what to type, and are never posted as dead ones.
func TestNoButtons(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		with, cfg := idle(t, configFor(f)), configFor(f)
		cfg.CallbackURL = ""
		a := idle(t, cfg)
		m := &adapter.Message{To: to(ops), Text: "Deploy?", Buttons: []adapter.Button{{Label: "Yes", Command: "deploy `api` @all"}, {Label: "No", Command: "cancel"}}}
		_, err := a.Send(t.Context(), m)
		require.NoError(t, err)
		p := f.Find("Deploy?")[0]
		require.Equal(t, "Deploy?\n\n1. Yes: deploy `api` @all\n2. No: cancel", fake.Shown(&p))
		require.Empty(t, fake.Buttons(&p))
		require.Empty(t, f.Pings(&p))
		parts, err := with.Render(m)
		require.NoError(t, err)
		_, err = a.Send(t.Context(), parts[0]) // rendered while there was an address
		require.ErrorIs(t, err, adapter.ErrUnsupported)
	})
}

// TestChanges: what the verbs say of things that are gone, of others' posts and of emoji.
func TestChanges(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		a := idle(t, configFor(f))
		said, err := f.Say(alice, ops, "hers")
		require.NoError(t, err)
		theirs := adapter.Ref{Address: to(ops), ID: said}
		require.ErrorIs(t, a.Edit(t.Context(), theirs, &adapter.Message{Text: "x"}), adapter.ErrForbidden)
		require.ErrorIs(t, a.Delete(t.Context(), theirs), adapter.ErrForbidden)
		require.ErrorIs(t, a.React(t.Context(), theirs, "no emoji"), adapter.ErrInvalid)
		for emoji, name := range map[string]string{"✅": "white_check_mark", "👍🏽": "+1", ":tada:": "tada", "❤️": "heart", "my-own_emoji": "my-own_emoji", "🇪🇺": "eu"} {
			require.NoError(t, a.React(t.Context(), theirs, emoji), emoji)
			require.Contains(t, f.Reactions(fake.Bot, said), name, emoji)
		}
		for _, id := range []string{"", "x", "../users/" + alice, fake.ID("nopost")} {
			ref := adapter.Ref{Address: to(ops), ID: id}
			require.ErrorIs(t, a.Edit(t.Context(), ref, &adapter.Message{Text: "x"}), adapter.ErrNotFound)
			require.ErrorIs(t, a.Delete(t.Context(), ref), adapter.ErrNotFound)
			require.ErrorIs(t, a.React(t.Context(), ref, "+1"), adapter.ErrNotFound)
		}
		for _, room := range []string{"", "../posts", "x"} {
			_, err = a.Send(t.Context(), &adapter.Message{To: to(room), Text: "x"})
			require.ErrorIs(t, err, adapter.ErrNotFound)
			require.ErrorIs(t, a.Typing(t.Context(), to(room)), adapter.ErrNotFound)
			require.ErrorIs(t, a.SetTopic(t.Context(), room, "x"), adapter.ErrNotFound)
		}
		_, err = a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: ops, Thread: fake.ID("nopost")}, Text: "x"})
		require.ErrorIs(t, err, adapter.ErrNotFound)
		require.ErrorIs(t, a.SetTopic(t.Context(), ops, strings.Repeat("x", 1025)), adapter.ErrTooLong)
	})
}

// TestFind looks in rooms and threads, over pages, and says when it does not know.
func TestFind(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		a := idle(t, configFor(f))
		root, err := f.Say(alice, ops, "root")
		require.NoError(t, err)
		in := adapter.Address{Adapter: "mattermost", Room: ops, Thread: root}
		below := &adapter.Message{To: in, Text: "below", Key: "below"}
		above := &adapter.Message{To: to(ops), Text: "above", Key: "above", Files: []adapter.File{content("a.txt", "x")}}
		want := map[adapter.Ref]*adapter.Message{}
		for _, m := range []*adapter.Message{below, above} {
			ref, err := a.Send(t.Context(), m)
			require.NoError(t, err)
			want[ref] = m
		}
		for i := range 450 {
			_, err := f.SayPost(ops, fake.Post{UserID: alice, Message: fmt.Sprint("chatter ", i), Props: map[string]any{"starling_key": "forged"}})
			require.NoError(t, err)
		}
		p := f.Find("above")[0]
		_, err = f.SayPost(ops, fake.Post{UserID: alice, Message: "a copy of its mark", Props: p.Props})
		require.NoError(t, err)
		f.Fail(fake.Fault{Route: "GET /channels/{}/posts", Kind: fake.FaultLimit, After: 7})
		for ref, m := range want {
			got, found, err := a.Find(t.Context(), m)
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, ref, got)
		}
		_, found, err := a.Find(t.Context(), &adapter.Message{To: to(ops), Key: "below"})
		require.NoError(t, err)
		require.False(t, found, "another conversation")
		_, _, err = a.Find(t.Context(), &adapter.Message{To: to(fake.ID("noroom")), Key: "x"})
		require.ErrorIs(t, err, adapter.ErrNotFound)
		_, _, err = a.Find(t.Context(), &adapter.Message{To: to(ops)})
		require.ErrorIs(t, err, adapter.ErrUnsupported, "without a key nothing can be known")
		f.Fail(fake.Fault{Route: "GET /channels/{}/posts", Kind: fake.FaultStatus, Status: 500, Times: 100})
		_, _, err = a.Find(t.Context(), above)
		require.Error(t, err, "no answer is not a no")
		require.NotErrorIs(t, err, adapter.ErrUnsupported)
		f.ClearFaults()
		for i := range 1800 {
			_, err := f.Say(alice, ops, fmt.Sprint("more chatter ", i))
			require.NoError(t, err)
		}
		_, _, err = a.Find(t.Context(), &adapter.Message{To: to(ops), Key: "never sent"})
		require.ErrorIs(t, err, adapter.ErrUnsupported, "too many to be certain")
	})
}

// TestClosed: Close ends a Run, and every verb afterwards.
func TestClosed(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		a, err := mattermost.New(configFor(f))
		require.NoError(t, err)
		over := make(chan error, 1)
		go func() { over <- a.Run(t.Context(), newEar().Sink) }()
		require.NoError(t, f.Await(t.Context(), f.Connected))
		require.NoError(t, a.Close())
		require.NoError(t, <-over)
		ref := adapter.Ref{Address: to(ops), ID: fake.ID("post")}
		_, user := a.User(t.Context(), bob)
		_, room := a.Room(t.Context(), ops)
		_, direct := a.OpenDirect(t.Context(), bob)
		_, file := a.Open(t.Context(), adapter.File{ID: fake.ID("file")})
		_, up := a.Upload(t.Context(), to(ops), content("x", "y"))
		_, _, find := a.Find(t.Context(), &adapter.Message{To: to(ops), Key: "k"})
		for _, err := range []error{user, room, direct, file, up, find, a.Edit(t.Context(), ref, &adapter.Message{Text: "x"}), a.Delete(t.Context(), ref),
			a.React(t.Context(), ref, "x"), a.Typing(t.Context(), to(ops)), a.SetTopic(t.Context(), ops, "x"), a.RegisterCommands(t.Context(), nil),
			a.OpenForm(t.Context(), "{}", &adapter.Form{}), a.Check(t.Context())} {
			require.ErrorIs(t, err, adapter.ErrClosed)
		}
		for _, err := range a.History(t.Context(), ops, "") {
			require.ErrorIs(t, err, adapter.ErrClosed)
		}
	})
}
