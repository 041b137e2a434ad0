package mattermost_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

// TestErrors: what each failure of Mattermost says about the message.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		fault   fake.Fault
		is      error
		outcome adapter.Outcome
		says    string
	}{
		{fake.Fault{Kind: fake.FaultError, Status: 403, Error: "api.context.permissions.app_error"}, adapter.ErrForbidden, adapter.Refused, "invite it"},
		{fake.Fault{Kind: fake.FaultError, Status: 401, Error: "api.context.session_expired.app_error"}, adapter.ErrAuth, adapter.Refused, "Config.Token"},
		{fake.Fault{Kind: fake.FaultError, Status: 400, Error: "api.post.create_post.can_not_post_to_deleted.error"}, adapter.ErrForbidden, adapter.Refused, "archived"},
		{fake.Fault{Kind: fake.FaultError, Status: 400, Error: "api.post.create_post.root_id.app_error"}, adapter.ErrNotFound, adapter.Refused, "thread"},
		{fake.Fault{Kind: fake.FaultError, Status: 400, Error: "model.post.is_valid.msg.app_error"}, adapter.ErrTooLong, adapter.Refused, ""},
		{fake.Fault{Kind: fake.FaultError, Status: 400, Error: "an.error.from.tomorrow"}, adapter.ErrInvalid, adapter.Refused, "an.error.from.tomorrow"},
		{fake.Fault{Kind: fake.FaultError, Status: 413, Error: "x"}, adapter.ErrTooLong, adapter.Refused, ""},
		{fake.Fault{Kind: fake.FaultStatus, Status: 301}, adapter.ErrInvalid, adapter.Refused, "Config.URL"},
		{fake.Fault{Kind: fake.FaultStatus, Status: 404}, adapter.ErrNotFound, adapter.Refused, ""},
		{fake.Fault{Kind: fake.FaultLimit, After: 3}, nil, adapter.NotYet, "3s"},
		{fake.Fault{Kind: fake.FaultLimit}, nil, adapter.NotYet, "1s"},
		{fake.Fault{Kind: fake.FaultRefused}, adapter.ErrUnavailable, adapter.NotYet, ""},
		{fake.Fault{Kind: fake.FaultError, Status: 500, Error: "app.post.save.app_error"}, nil, adapter.Unknown, "app.post.save.app_error"},
		{fake.Fault{Kind: fake.FaultError, Status: 500, Error: "api.post.deduplicate_create_post.pending"}, nil, adapter.Unknown, "pending"},
		{fake.Fault{Kind: fake.FaultStatus, Status: 500}, nil, adapter.Unknown, "500"},
		{fake.Fault{Kind: fake.FaultStatusLate, Status: 502}, nil, adapter.Unknown, "502"},
		{fake.Fault{Kind: fake.FaultHTML}, nil, adapter.Unknown, "could not be read"},
		{fake.Fault{Kind: fake.FaultTruncated}, nil, adapter.Unknown, "could not be read"},
		{fake.Fault{Kind: fake.FaultLost}, nil, adapter.Unknown, ""},
		{fake.Fault{Kind: fake.FaultHang}, context.DeadlineExceeded, adapter.Unknown, ""},
	} {
		t.Run(fmt.Sprint(c.fault.Kind, c.fault.Error, c.fault.Status), func(t *testing.T) {
			bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
				a := idle(t, configFor(f))
				_, err := a.Send(t.Context(), &adapter.Message{To: to(dev), Text: "a connection is open"})
				require.NoError(t, err)
				c.fault.Route = "POST /posts"
				f.Fail(c.fault)
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				calls := f.Calls("POST /posts")
				begun := time.Now()
				_, err = a.Send(ctx, &adapter.Message{To: to(ops), Text: "hello", Key: "k1"})
				require.Error(t, err)
				require.LessOrEqual(t, time.Since(begun), 31*time.Second)
				require.Equal(t, c.outcome, adapter.OutcomeOf(err), err)
				require.LessOrEqual(t, f.Calls("POST /posts"), calls+1, "it is never tried twice")
				if c.is != nil {
					require.ErrorIs(t, err, c.is)
				}
				require.ErrorContains(t, err, c.says)
				require.ErrorContains(t, err, "mattermost: send: ")
				require.NotContains(t, err.Error(), "<html>")
				shown := len(f.Find("hello"))
				if c.outcome != adapter.Unknown {
					require.Zero(t, shown)
				}
				wait(10 * time.Second)
				_, found, err := a.Find(t.Context(), &adapter.Message{To: to(ops), Text: "hello", Key: "k1"})
				require.NoError(t, err)
				require.Equal(t, shown == 1, found)
			})
		})
	}
}

// TestRetryAfter: while the server wants to be left alone, nothing is asked of it.
func TestRetryAfter(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		a := idle(t, configFor(f))
		f.Fail(fake.Fault{Route: "POST /posts", Kind: fake.FaultLimit, After: 20})
		_, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "x"})
		var limit *adapter.RateLimitError
		require.ErrorAs(t, err, &limit)
		require.Equal(t, 20*time.Second, limit.RetryAfter)
		for range 19 {
			wait(time.Second)
			_, err = a.Send(t.Context(), &adapter.Message{To: to(dev), Text: "x"})
			require.ErrorAs(t, err, &limit)
			_, err = a.User(t.Context(), bob)
			require.ErrorAs(t, err, &limit)
		}
		require.Equal(t, 1, f.Calls("POST /posts"), "no request within Retry-After")
		wait(limit.RetryAfter)
		_, err = a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "x"})
		require.NoError(t, err)
	})
}

// TestRateLimit: with the server's limit on, what its answers say of it keeps the bot from being refused again and again.
func TestRateLimit(t *testing.T) {
	bubble(t, fake.Options{Limit: 5, Burst: 10}, func(t *testing.T, f *fake.Server) {
		a := idle(t, configFor(f))
		var limit *adapter.RateLimitError
		sent := 0
		for begun := time.Now(); sent < 100; {
			require.Less(t, time.Since(begun), time.Minute)
			_, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "x"})
			if errors.As(err, &limit) {
				wait(max(limit.RetryAfter, 100*time.Millisecond))
				continue
			}
			require.NoError(t, err)
			sent++
		}
		t.Logf("%d refusals for 100 messages", len(f.Limited()))
		require.Empty(t, f.Limited(), "X-RateLimit-Remaining was heeded")
	})
}

// TestPlatformErrors is R3: 1,000 messages in 20 rooms while 30 % of the calls fail, sent as the bot's outbox does. With
// STARLING_FIGURES=full 20,000 in 100.
func TestPlatformErrors(t *testing.T) {
	rooms, each := 20, 50
	if os.Getenv("STARLING_FIGURES") == "full" {
		rooms, each = 100, 200
	}
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		for i := range rooms {
			f.AddRoom(fake.Room{ID: fake.ID(fmt.Sprintf("room%03d", i)), Name: fmt.Sprint("x", i)})
		}
		a := idle(t, configFor(f))
		rnd := rand.New(rand.NewPCG(1, 2))
		faults := 0
		kinds := []fake.Fault{
			{Kind: fake.FaultLimit, After: 2}, {Kind: fake.FaultLimit}, {Kind: fake.FaultStatus, Status: 500}, {Kind: fake.FaultStatusLate, Status: 502},
			{Kind: fake.FaultHTML}, {Kind: fake.FaultTruncated}, {Kind: fake.FaultLost}, {Kind: fake.FaultRefused},
			{Kind: fake.FaultError, Status: 500, Error: "api.post.deduplicate_create_post.pending"},
		}
		var mu sync.Mutex
		unknown := 0
		var wg sync.WaitGroup
		for i := range rooms {
			wg.Go(func() {
				room := fake.ID(fmt.Sprintf("room%03d", i))
				for n := range each {
					mu.Lock()
					if rnd.IntN(100) < 30 {
						fault := kinds[rnd.IntN(len(kinds))]
						fault.Route = "POST /posts"
						f.Fail(fault)
						faults++
					}
					mu.Unlock()
					m := &adapter.Message{To: to(room), Text: fmt.Sprintf("%s message %d.", room, n), Key: fmt.Sprint(room, "/", n)}
					for doubt := false; ; {
						if doubt {
							_, found, err := a.Find(t.Context(), m)
							if err != nil {
								wait(time.Second)
								continue
							}
							if found {
								break
							}
						}
						_, err := a.Send(t.Context(), m)
						if err == nil {
							break
						}
						var limit *adapter.RateLimitError
						switch {
						case errors.As(err, &limit):
							wait(max(limit.RetryAfter, 100*time.Millisecond))
						case adapter.OutcomeOf(err) == adapter.NotYet:
							wait(250 * time.Millisecond)
						case adapter.OutcomeOf(err) == adapter.Unknown:
							doubt = true
							mu.Lock()
							unknown++
							mu.Unlock()
							wait(250 * time.Millisecond)
						default:
							t.Error(err)
							return
						}
					}
				}
			})
		}
		wg.Wait()
		count := map[string]int{}
		for _, m := range f.Posts() {
			count[m.Message]++
		}
		lost, twice := rooms*each-len(count), 0
		for _, n := range count {
			if n > 1 {
				twice++
			}
		}
		inside := 0 // refusals within a second of another: the adapter asked although it was told not to
		limited := f.Limited()
		for i := 1; i < len(limited); i++ {
			if limited[i].Sub(limited[i-1]) > 0 && limited[i].Sub(limited[i-1]) < time.Second {
				inside++
			}
		}
		t.Logf(`{"run":"R3 mattermost","offered":%d,"faults":%d,"unknown_outcomes":%d,"lost":%d,"twice":%d,"sends_inside_retry_after":%d}`, rooms*each, faults, unknown, lost, twice, inside)
		require.Greater(t, faults, rooms*each/4)
		require.Greater(t, unknown, rooms)
		require.Zero(t, lost)
		require.Zero(t, twice)
		require.Zero(t, inside)
	})
}

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

func content(name, text string) adapter.File {
	return adapter.File{Name: name, Size: int64(len(text)), Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

// TestUploads: files are streamed, ten to a post; only the last call posts, so what fails before it was certainly not posted.
func TestUploads(t *testing.T) {
	bubble(t, fake.Options{MaxFile: 1 << 20}, func(t *testing.T, f *fake.Server) {
		a := idle(t, configFor(f))
		for _, c := range []struct {
			fault   fake.Fault
			outcome adapter.Outcome
		}{
			{fake.Fault{Route: "POST /uploads", Kind: fake.FaultStatus, Status: 500}, adapter.NotYet},
			{fake.Fault{Route: "POST /uploads", Kind: fake.FaultLimit, After: 1}, adapter.NotYet},
			{fake.Fault{Route: "POST /uploads", Kind: fake.FaultError, Status: 501, Error: "api.file.attachments.disabled.app_error"}, adapter.Refused},
			{fake.Fault{Route: "POST /uploads/{}", Kind: fake.FaultLost}, adapter.NotYet},
			{fake.Fault{Route: "POST /posts", Kind: fake.FaultStatusLate, Status: 500}, adapter.Unknown},
			{fake.Fault{Route: "POST /posts", Kind: fake.FaultLost}, adapter.Unknown},
		} {
			wait(10 * time.Second)
			f.Fail(c.fault)
			before := len(f.Posts())
			_, err := a.Upload(t.Context(), to(ops), content("a.txt", "content"))
			require.Error(t, err)
			require.Equal(t, c.outcome, adapter.OutcomeOf(err), err)
			if c.outcome != adapter.Unknown {
				require.Len(t, f.Posts(), before)
			}
		}
		wait(10 * time.Second)
		unsized := content("b.txt", "its size is not known")
		unsized.Size = 0
		ref, err := a.Upload(t.Context(), to(ops), unsized)
		require.NoError(t, err)
		require.NoError(t, a.Delete(t.Context(), ref))
		big := content("big.bin", strings.Repeat("z", 1<<20))
		_, err = a.Upload(t.Context(), to(ops), big)
		require.NoError(t, err)
		big.Size++
		for name, file := range map[string]adapter.File{
			"over the server's limit": big, "gone": {Name: "gone"}, "empty": content("empty", ""),
			"shorter than it says": {Name: "short", Size: 9, Open: content("", "abc").Open},
			"longer than it says":  {Name: "long", Size: 2, Open: content("", "abc").Open},
			"unreadable":           {Name: "bad", Size: 9, Open: func(context.Context) (io.ReadCloser, error) { return nil, errors.New("no disk") }},
			"breaks off": {Name: "bad", Size: 9, Open: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader("abc"), broken{})), nil
			}},
		} {
			before := len(f.Posts())
			_, err = a.Upload(t.Context(), to(ops), file)
			require.Equal(t, adapter.Refused, adapter.OutcomeOf(err), "%s: %v", name, err)
			require.Len(t, f.Posts(), before)
		}
		for _, id := range []string{"", "x", "../users/me", fake.ID("nofile")} {
			_, err = a.Open(t.Context(), adapter.File{ID: id})
			require.ErrorIs(t, err, adapter.ErrNotFound)
		}
		var files []adapter.File
		for i := range 23 {
			files = append(files, content(fmt.Sprintf("f%d.txt", i), fmt.Sprint("content ", i)))
		}
		m := &adapter.Message{To: to(ops), Text: "many", Files: files, Key: "k"}
		parts, err := a.Render(m)
		require.NoError(t, err)
		require.Len(t, parts, 3)
		keys := map[string]bool{}
		before := len(f.Posts())
		for _, p := range parts {
			keys[p.Key] = true
			_, err := a.Send(t.Context(), p)
			require.NoError(t, err)
		}
		require.Len(t, keys, 3)
		n := 0
		for _, p := range f.Posts()[before:] {
			n += len(f.Files(&p))
			require.LessOrEqual(t, len(f.Files(&p)), 10)
		}
		require.Equal(t, 23, n)
	})
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

// TestClosed: Close ends a Run, and every verb afterwards.
func TestClosed(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		a, err := mattermost.New(configFor(f))
		require.NoError(t, err)
		over := make(chan error, 1)
		go func() { over <- a.Run(t.Context(), newEar().sink) }()
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
