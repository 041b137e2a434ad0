package admin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/admin"
	"github.com/starlingbot/starling/testutil"
)

// fake is a bot with dead letters.
type fake struct {
	letters  []admin.DeadLetter
	routes   []*handler.Route
	replayed []string
	fail     error
}

func (f *fake) DeadLetters(context.Context) ([]admin.DeadLetter, error) { return f.letters, f.fail }
func (f *fake) Replay(_ context.Context, id string) error {
	if f.fail != nil {
		return f.fail
	}
	for _, l := range f.letters {
		if l.ID == id {
			f.replayed = append(f.replayed, id)
			return nil
		}
	}
	return fmt.Errorf("replay: %w", brain.ErrNotFound)
}
func (f *fake) Stats() admin.Stats { return admin.Stats{Offered: 7, Accepted: 5} }
func (f *fake) Health() admin.Health {
	return admin.Health{Running: true, Draining: true, Store: "failing", Adapters: map[string]admin.AdapterHealth{
		"b|c": {State: "failed"}, "a": {State: "running", Health: adapter.Health{Connected: true, Since: time.Now().Add(-50 * time.Hour), Gaps: 3}},
	}}
}
func (f *fake) Routes() []*handler.Route { return f.routes }

func TestDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		at := time.Date(2000, 1, 2, 3, 4, 5, 0, time.UTC)
		for i := range 22 {
			f.letters = append(f.letters, admin.DeadLetter{ID: fmt.Sprint("L", i), Time: at, Reason: "begun too often"})
		}
		f.letters[21].Event = &adapter.Event{
			Kind: adapter.KindMessage, Adapter: "chat", Time: at, Text: "login cnrymark", Origin: "cnrymark-response-token",
			User: adapter.User{Adapter: "chat", ID: "U1", Name: "bob"}, Room: adapter.Room{ID: "C1", Name: "ops"},
		}
		f.letters[21].Said = "deploy *api* " + strings.Repeat("x", 600)
		f.letters[20].Event = &adapter.Event{Kind: adapter.KindClick, Click: &adapter.Click{Label: "Yes", Command: "cnrymark-button-token", Token: "cnrymark-button-token"}}
		f.letters[19].Event = &adapter.Event{Kind: adapter.KindInvocation, Invocation: &adapter.Invocation{Command: "deploy", Text: "api"}}
		f.letters[19].Said = "deploy api"
		f.letters[18].Key, f.letters[18].Value = "_/inbox/x", []byte("secret bytes")
		w := begin(t, func(c *admin.Config) { c.Bot = f })
		alice := w.User("alice")
		alice.Say("#ops", "starling dead list")
		list := w.ExpectMatch("#ops", `^22 dead letters, the newest first:`).Text
		require.Less(t, strings.Index(list, "`L21`"), strings.Index(list, "`L2`"))
		require.Contains(t, list, "\n- `L2` 2000-01-02 03:04 UTC: begun too often\n- and 2 older ones")
		require.NotContains(t, list, "deploy", "what people said is not shown to the room")

		shown := func(id string) string {
			alice.Say("#ops", "starling dead show "+id)
			w.Idle()
			posts := w.Chat.Posts("#ops")
			last := posts[len(posts)-1]
			require.Equal(t, "alice", last.Only, "what people said is for who asks")
			require.NotContains(t, last.Text, "token")
			require.NotContains(t, last.Text, "login cnrymark")
			require.NotContains(t, last.Text, "secret bytes")
			return last.Text
		}
		require.Equal(t, "Dead letter `L21`, 2000-01-02 03:04 UTC\n\n- reason: begun too often\n- kind: message\n- who: bob (chat//U1)\n- where: ops (chat/C1)\n"+
			"- when: 2000-01-02 03:04 UTC\n- said: deploy *api* "+strings.Repeat("x", 487)+"…", shown("L21"))
		require.Contains(t, shown("L20"), "pressed: Yes")
		require.Contains(t, shown("L19"), "said: deploy api")
		require.Contains(t, shown("L18"), "the event cannot be read; the record `_/inbox/x` has 12 bytes")

		alice.Direct("dead show L99")
		w.ExpectDirect("alice", "There is no dead letter L99. Type dead list for those that there are.")
		alice.Direct("dead replay L99")
		w.ExpectDirect("alice", "There is no dead letter L99. Type dead list for those that there are.")
		alice.Direct("dead replay L3")
		w.ExpectDirect("alice", "`L3` is in the inbox again.")
		require.Equal(t, []string{"L3"}, f.replayed)
		f.fail = errors.New("the store is down")
		for _, line := range []string{"dead list", "dead show L3", "dead replay L3"} {
			alice.Direct(line)
			require.Regexp(t, "wrong|failed|Sorry", w.next("alice"))
		}
		require.Equal(t, []string{"L3"}, f.replayed)
	})
}

// A replay whose outcome is unknown is not made a second time.
func TestReplayIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := make(chan struct{})
		n := 0
		w := plan(t)
		w.cfg.Bot = hang{&fake{}, func() { n++; close(at) }}
		w.Bot = testutil.Start(t, starling.Config{Router: w.router(), Brain: brain.New(w.store)})
		w.User("alice").Say("#ops", "starling dead replay L1")
		<-at
		w.Kill()
		w.Start(func(c *starling.Config) { c.Router = w.router() })
		w.ExpectMatch("#ops", "^Nobody knows whether L1 was put into the inbox again")
		require.Equal(t, 1, n)
	})
}

type hang struct {
	*fake
	f func()
}

func (h hang) Replay(ctx context.Context, _ string) error {
	h.f()
	<-ctx.Done()
	return ctx.Err()
}

// The real bot: an event without a handler any more is a dead letter, and runs when it is replayed.
func TestReplayOfTheRealBot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		w.Chat.FailSends(func(int, *adapter.Message) error { return adapter.ErrUnavailable })
		w.User("bob").Say("#ops", "starling deploy")
		synctest.Wait()
		w.Kill()
		w.Chat.FailSends(nil)
		w.Start(func(c *starling.Config) { // a program without that route
			off, err := admin.NewSwitch(admin.SwitchConfig{Brain: space(w.store)})
			require.NoError(t, err)
			w.cfg.Switch = off
			routes, err := admin.New(w.cfg)
			require.NoError(t, err)
			c.Router = handler.NewRouter()
			c.Router.Mount("admin", routes)
		})
		w.Idle()
		w.User("alice").Direct("dead list")
		w.ExpectMatch("@alice", "1 dead letter:")
		w.Stop()
		w.Start(func(c *starling.Config) { c.Router = w.router() })
		letters, err := w.Bot.Bot().DeadLetters(ctx)
		require.NoError(t, err)
		require.Len(t, letters, 1)
		w.User("alice").Direct("dead replay " + letters[0].ID)
		w.ExpectMatch("@alice", "is in the inbox again")
		w.Patience = time.Minute
		w.Expect("#ops", "deployed")
		w.User("alice").Direct("dead list")
		w.ExpectDirect("alice", "There are no dead letters.")
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := plan(t)
		w.cfg.Bot, w.cfg.Level = &fake{}, nil
		w.Bot = testutil.Start(t, starling.Config{Router: routerOf(t, w.cfg), Brain: brain.New(w.store)})
		time.Sleep(26 * time.Hour)
		w.User("alice").Say("#ops", "starling status")
		text := w.ExpectMatch("#ops", "").Text
		for _, line := range []string{
			"| a | running | yes | 2d2h0m0s | 3 |", "| b|c | failed | no | - | 0 |", "| up for | 1d2h0m0s |", "| store | failing |",
			"| events offered | 7 |", "| - accepted | 5 |", "| routes that are off | there is no switch |", "| version | v1.2.3 |",
		} {
			require.Contains(t, text, "\n"+line)
		}
		require.True(t, strings.HasPrefix(text, "The bot is stopping.\n"), text)
		require.NotContains(t, text, "log level")
	})
}

func TestVersionOfTheProgram(t *testing.T) {
	w := begin(t, func(c *admin.Config) { c.Version = "" })
	w.User("alice").Say("#ops", "starling status")
	w.ExpectMatch("#ops", `\| version \| \S+ \|`)
}

// The file of backup is what brain.Import takes, without what means nothing elsewhere.
func TestBackup(t *testing.T) {
	w := begin(t)
	require.NoError(t, brain.Set(ctx, brain.New(w.store).Namespace("karma"), "bob", 7))
	_, err := w.store.Apply(ctx, brain.Op{Key: "_/lease/x", Value: []byte("1")}, brain.Op{Key: "_/seen/y", Value: []byte("1")}, brain.Op{Key: "_/tick/z", Value: []byte("1")})
	require.NoError(t, err)
	w.User("alice").Say("#ops", "starling backup")
	w.Expect("#ops", "Everybody here would see the file. Ask me in private.")
	w.User("alice").Direct("backup")
	post := w.ExpectMatch("@alice", "keep it where the bot's state is kept")
	require.Len(t, post.Files, 1)
	require.Regexp(t, `^backup-\d{8}T\d{6}Z\.jsonl$`, post.Files[0].Name)
	for _, derived := range []string{"_/lease/", "_/seen/", "_/tick/"} {
		require.NotContains(t, string(post.Files[0].Data), derived)
	}
	restored := memory.New()
	require.NoError(t, brain.New(restored).Import(ctx, bytes.NewReader(post.Files[0].Data)))
	karma, err := brain.Get[int](ctx, brain.New(restored).Namespace("karma"), "bob")
	require.NoError(t, err)
	require.Equal(t, 7, karma)
	w.ExpectSilence("#ops")
	require.Equal(t, []string{"backup in d-alice"}, w.audit, "what was refused is not audited as done")
}

// The export is read as it is made, ends when it is not read to its end, and says what went wrong.
func TestBackupIsAStream(t *testing.T) {
	s := memory.New()
	for i := range 2000 {
		require.NoError(t, brain.Set(ctx, brain.New(s), fmt.Sprint("key-", i), strings.Repeat("x", 1000)))
	}
	synctest.Test(t, func(t *testing.T) {
		down := false
		f := admin.Export(t.Context(), brain.New(lister{s, &down}))
		some := make([]byte, 100)
		_, err := io.ReadFull(f, some)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		synctest.Wait() // and no goroutine is left, or the bubble fails
		_, err = f.Read(some)
		require.Error(t, err)

		f = admin.Export(t.Context(), brain.New(lister{s, &down}))
		_, err = io.ReadFull(f, some)
		require.NoError(t, err)
		down = true
		_, err = io.ReadAll(f)
		require.ErrorContains(t, err, "the store is down", "a file that is cut is no backup")
		require.NoError(t, f.Close())
	})
}

func TestBackupIsTooLarge(t *testing.T) {
	w := begin(t)
	w.Chat.FailSends(func(int, *adapter.Message) error { return adapter.ErrTooLong })
	w.User("alice").Direct("backup")
	w.Idle()
	w.Chat.FailSends(nil)
	require.Contains(t, w.Log(), "too long")
}

// lister is a store whose List fails when it is told to, after what it has given.
type lister struct {
	brain.Store
	down *bool
}

func (l lister) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	return func(yield func(brain.Entry, error) bool) {
		for e, err := range l.Store.List(ctx, prefix) {
			if *l.down {
				yield(brain.Entry{}, errors.New("the store is down"))
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}
