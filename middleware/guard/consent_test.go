package guard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/middleware/guard"
)

// slow is a store that stops before it writes what a test waits for.
type slow struct {
	brain.Store
	mu   sync.Mutex
	when func(ops []brain.Op) // called before each Apply
}

func (s *slow) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	s.mu.Lock()
	when := s.when
	s.mu.Unlock()
	if when != nil {
		when(ops)
	}
	return s.Store.Apply(ctx, ops...)
}

func (s *slow) before(f func(ops []brain.Op)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.when = f
}

// R13 in small: the process is killed between the approval and the run, which then happens once; killed before the approval is
// stored, nothing is decided and the click comes again.
func TestKilledBetweenApprovalAndRun(t *testing.T) {
	for _, point := range []string{"before the approval is stored", "before the run begins"} {
		t.Run(point, func(t *testing.T) {
			store := &slow{Store: memory.New()}
			o := options{store: store}
			w := newWorld(t, o)
			w.User("bob").Say("#ops", "starling deploy api to prod")
			id, post := w.request("#ops")
			w.Idle()
			reached, held := make(chan struct{}), make(chan struct{})
			var once sync.Once
			store.before(func(ops []brain.Op) {
				release, begin := false, false
				for _, op := range ops {
					release = release || op.Delete && strings.HasPrefix(op.Key, "_/held/")
					begin = begin || strings.HasPrefix(op.Key, "_/run/") && strings.Contains(string(op.Value), `"begun":["deploy"]`)
				}
				if release && strings.HasPrefix(point, "before the approval") || begin && strings.HasPrefix(point, "before the run") {
					once.Do(func() { close(reached) })
					<-held
				}
			})
			w.User("carol").Press(post, "Approve")
			await(w.t, reached)
			w.Kill()
			store.before(nil)
			w.Start(func(c *starling.Config) { c.Router = w.router(o) })
			w.ExpectMatch("#ops", "agreed to "+id)
			w.Expect("#ops", "deployed api to prod")
			w.Idle()
			require.EqualValues(t, 1, w.ran.Load())
			close(held)
		})
	}
}

// Killed while it runs: it is not begun a second time, and the asker is told.
func TestKilledWhileItRuns(t *testing.T) {
	running, end := make(chan struct{}, 8), make(chan struct{})
	defer close(end)
	o := options{deploy: func(c *handler.Command[deployArgs]) {
		c.Run = func(ctx context.Context, r *handler.Request, a deployArgs) error {
			running <- struct{}{}
			<-end
			return r.Reply(ctx, "deployed")
		}
	}}
	w := newWorld(t, o)
	w.User("bob").Say("#ops", "starling deploy api to prod")
	_, post := w.request("#ops")
	w.User("carol").Press(post, "Approve")
	await(w.t, running)
	w.ExpectMatch("#ops", "agreed")
	w.Kill()
	w.Start(func(c *starling.Config) { c.Router = w.router(o) })
	w.ExpectMatch("#ops", "interrupted, outcome unknown")
	w.ExpectMatch("@bob", "interrupted, outcome unknown")
	w.Idle()
	require.Empty(t, running)
}

// T23: roles are read again when it runs, the asker's and the approvers', and at each consent.
func TestRolesAreReadAgain(t *testing.T) {
	cases := map[string]struct {
		between func(w *world)
		want    string
	}{
		"the asker lost the role":        {func(w *world) { w.people.give(key("bob")) }, "@bob: that needs the role deployer."},
		"the first approver lost theirs": {func(w *world) { w.people.give(key("carol")) }, "@dave agreed to ID. It still needs 1 other person with the role sre."},
		"nobody did, a control":          {func(*world) {}, "@dave agreed to ID, which has all the consent it needs."},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{deploy: two})
			w.User("bob").Say("#ops", "starling deploy api to prod")
			id, post := w.request("#ops")
			w.User("carol").Press(post, "Approve")
			w.ExpectMatch("#ops", "still needs 1")
			c.between(w)
			w.User("dave").Press(post, "Approve")
			if strings.Contains(c.want, "role deployer") {
				w.Expect("#ops", "@dave agreed to "+id+", which has all the consent it needs.")
			}
			w.Expect("#ops", strings.ReplaceAll(c.want, "ID", id))
			w.Idle()
			require.Equal(t, strings.Contains(c.want, "all the consent it needs"), w.ran.Load() == 1)
		})
	}
}

// T23: an approver who loses the role between the last consent and the run: it does not run.
func TestApproverLosesTheRoleBeforeItRuns(t *testing.T) {
	store := &slow{Store: memory.New()}
	w := newWorld(t, options{store: store})
	w.User("bob").Say("#ops", "starling deploy api to prod")
	_, post := w.request("#ops")
	store.before(func(ops []brain.Op) {
		for _, op := range ops {
			if op.Delete && strings.HasPrefix(op.Key, "_/held/") {
				w.people.give(key("carol"))
			}
		}
	})
	w.User("carol").Press(post, "Approve")
	w.ExpectMatch("#ops", "agreed")
	w.Expect("#ops", "@bob: the consent for that no longer counts: it needs 1 other person with the role sre. Say it again.")
	require.Zero(t, w.ran.Load())
}

// What was agreed to is what runs: not other arguments, not under other rules, not by somebody else.
func TestConsentIsForOneThing(t *testing.T) {
	cases := map[string]func(w *world, h *handler.Held){
		"other arguments": func(_ *world, h *handler.Held) { h.Options["service"] = "billing" },
		"another asker":   func(_ *world, h *handler.Held) { h.Event.User.ID = "u-dave" },
		"another room":    func(_ *world, h *handler.Held) { h.Event.Room.ID = "c-dev" },
		"other rules": func(w *world, _ *handler.Held) {
			require.NoError(w.t, w.Bot.Bot().SetPolicies(starling.Rules{"deploy": {Policy: handler.Policy{Approvals: 2, ApprovedBy: "sre"}}}))
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{})
			w.Room("#dev")
			w.User("bob").Say("#ops", "starling deploy api to prod")
			_, post := w.request("#ops")
			w.Idle()
			w.tamper(change)
			w.User("carol").Press(post, "Approve")
			w.ExpectMatch("#ops", "agreed")
			w.Idle()
			require.Zero(t, w.ran.Load())
			found := false
			for _, p := range w.Chat.Posts() {
				found = found || strings.Contains(p.Text, "that is no longer what was agreed to")
			}
			require.True(t, found, w.Chat.Transcript())
		})
	}
}

// tamper changes the record of the request that waits.
func (w *world) tamper(change func(w *world, h *handler.Held)) {
	w.t.Helper()
	for e, err := range w.store.List(ctx, "_/held/") {
		require.NoError(w.t, err)
		var rec struct {
			Version int `json:"v"`
			handler.Held
		}
		require.NoError(w.t, json.Unmarshal(e.Value, &rec))
		change(w, &rec.Held)
		value, err := json.Marshal(rec)
		require.NoError(w.t, err)
		_, err = w.store.Apply(ctx, brain.Op{Key: e.Key, Value: value, If: brain.At(e.Rev), TTL: time.Hour})
		require.NoError(w.t, err)
	}
}

// Consent does not last for ever: what could not begin in its time, because the bot was down, does not run.
func TestConsentGrowsOld(t *testing.T) {
	for _, down := range []time.Duration{50 * time.Minute, 70 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			store := &slow{Store: memory.New()}
			o := options{store: store}
			w := newWorld(t, o)
			w.User("bob").Say("#ops", "starling deploy api to prod")
			id, post := w.request("#ops")
			w.Idle()
			released, held := make(chan struct{}), make(chan struct{})
			var once sync.Once
			store.before(func(ops []brain.Op) {
				for _, op := range ops {
					if strings.HasPrefix(op.Key, "_/run/") && strings.Contains(string(op.Value), `"begun":["deploy"]`) {
						once.Do(func() { close(released) })
						<-held
					}
				}
			})
			w.User("carol").Press(post, "Approve")
			await(w.t, released)
			w.Expect("#ops", "@carol agreed to "+id+", which has all the consent it needs.")
			for w.Chat.Pending() > 0 { // or her click comes again, late
				time.Sleep(time.Millisecond)
			}
			w.Kill()
			store.before(nil)
			time.Sleep(down)
			w.Start(func(c *starling.Config) { c.Router = w.router(o) })
			if down < time.Hour {
				w.Expect("#ops", "deployed api to prod")
			} else {
				w.Expect("#ops", "@bob: the consent for that is too old by now. Say it again.")
			}
			w.Idle()
			require.Equal(t, down < time.Hour, w.ran.Load() == 1)
			close(held)
		})
	}
}

type loginArgs struct {
	Password handler.Secret `arg:"password" secret:""`
}

// A secret argument is in no record and no message; who approves after a restart is told that it is gone.
func TestSecretsAreNotKept(t *testing.T) {
	const canary = "cnrymark-7f3a9"
	o := options{routes: func(w *world, rt *handler.Router) {
		rt.Add(handler.Command[loginArgs]{
			Name: "login", Summary: "L.", Policy: handler.Policy{Approvals: 1, ApprovedBy: "sre"},
			Run: func(ctx context.Context, r *handler.Request, a loginArgs) error {
				return r.Reply(ctx, "in with %d letters", len(a.Password.Reveal()))
			},
		})
	}, guard: func(c *guard.Config) { c.Room = adapter.Address{Adapter: "chat", Room: "c-ops"} }}
	w := newWorld(t, o)
	w.Room("#ops")
	search := func() {
		t.Helper()
		w.Idle()
		for e, err := range w.store.List(ctx, "_/held/") {
			require.NoError(t, err)
			require.NotContains(t, string(e.Value), canary)
			require.NotRegexp(t, `[0-9a-f]{64}`, string(e.Value), "of a short secret its hash is enough to find it")
		}
		for _, p := range w.Chat.Posts() {
			require.NotContains(t, p.Text, canary)
		}
		require.NotContains(t, fmt.Sprint(w.records()), canary)
		require.NotContains(t, w.Log(), canary)
	}
	w.User("bob").Direct("login " + canary)
	id, post := w.request("#ops")
	w.ExpectMatch("@bob", "I have put")
	require.Contains(t, post.Text, "login [secret]")
	search()
	w.User("carol").Press(post, "Approve")
	w.Expect("#ops", "@carol agreed to "+id+", which has all the consent it needs.")
	w.Expect("@bob", fmt.Sprintf("in with %d letters", len(canary)))
	search()

	w.User("bob").Direct("login " + canary)
	first := id
	before, _ := w.request("#ops")
	w.ExpectMatch("@bob", "I have put")
	w.Restart(func(c *starling.Config) { c.Router = w.router(o) })
	w.User("bob").Direct("login " + canary) // what cannot run any more is in nobody's way
	id, post = w.request("#ops")
	require.NotEqual(t, before, id)
	w.ExpectMatch("@bob", "I have put "+id)
	w.ExpectEdit("#ops", "@bob asked to run\n```\nlogin [secret]\n```\n@carol agreed to "+first+", which has all the consent it needs.")
	w.ExpectEdit("#ops", "@bob asked to run\n```\nlogin [secret]\n```\nI was restarted and do not keep secrets. It was said again since.")
	w.User("carol").Say("#ops", "starling approve "+before)
	w.ExpectMatch("#ops", "There is no request "+before+" any more")
	w.User("carol").Press(post, "Approve")
	w.Expect("#ops", "@carol agreed to "+id+", which has all the consent it needs.")
	w.Expect("@bob", fmt.Sprintf("in with %d letters", len(canary)))
	search()

	w.User("bob").Direct("login " + canary)
	_, post = w.request("#ops")
	w.ExpectMatch("@bob", "I have put")
	w.Restart(func(c *starling.Config) { c.Router = w.router(o) })
	w.User("carol").Press(post, "Approve")
	w.Expect("@bob", "@bob: I was restarted and do not keep secrets. Say it again: login [secret]")
	w.ExpectMatch("#ops", "I was restarted")
	search()
}

// Routes that declare no arguments ask for consent too: what was said is what runs.
func TestConsentToWhatWasSaid(t *testing.T) {
	w := newWorld(t, options{routes: func(_ *world, rt *handler.Router) {
		do := func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "did %s", r.Text) }
		agree := handler.Policy{Approvals: 1, ApprovedBy: "sre"}
		rt.Command("reboot", "R.", do).Policy = agree
		rt.Respond(`open the (?P<door>\w+) door`, do).Policy = agree
		rt.Hear(`self-destruct`, do).Policy = agree
	}})
	for _, c := range []struct{ said, line, ran string }{
		{"starling reboot", "reboot", "did reboot"}, {"starling open the pod\u200b door", "", ""}, {"starling open the pod door now", "open the pod door now", "did open the pod door now"},
		{"begin self-destruct", "begin self-destruct", "did begin self-destruct"},
	} {
		w.User("bob").Say("#ops", c.said)
		if c.line == "" {
			w.ExpectMatch("#ops", "I don't know that")
			continue
		}
		id, post := w.request("#ops")
		require.Contains(t, post.Text, "```\n"+c.line+"\n```")
		w.User("carol").Press(post, "Approve")
		w.Expect("#ops", "@carol agreed to "+id+", which has all the consent it needs.")
		w.Expect("#ops", c.ran)
	}
}

// T36: a request of a process whose clock is ten minutes off is decided once, and not after its time by our clock; nothing hangs.
func TestRequestOfAnotherClock(t *testing.T) {
	early := 0
	for off, open := range map[time.Duration]bool{-70 * time.Minute: false, -10 * time.Minute: true, 10 * time.Minute: true} {
		t.Run(off.String(), func(t *testing.T) {
			w := newWorld(t, options{})
			w.User("bob").Say("#ops", "starling deploy api to prod")
			id, post := w.request("#ops")
			w.Idle()
			shifted := 0
			for e, err := range w.store.List(ctx, "_/held/") {
				require.NoError(t, err)
				var rec map[string]any
				require.NoError(t, json.Unmarshal(e.Value, &rec))
				for _, field := range []string{"since", "expires"} {
					at, err := time.Parse(time.RFC3339Nano, rec[field].(string))
					require.NoError(t, err)
					rec[field] = at.Add(off)
				}
				value, err := json.Marshal(rec)
				require.NoError(t, err)
				_, err = w.store.Apply(ctx, brain.Op{Key: e.Key, Value: value, If: brain.At(e.Rev)})
				require.NoError(t, err)
				shifted++
			}
			require.Equal(t, 1, shifted)
			w.User("carol").PressLate(post, "Approve")
			w.User("dave").PressLate(post, "Approve")
			w.Idle()
			require.EqualValues(t, map[bool]int{true: 1}[open], w.ran.Load(), id)
			if !open {
				early += int(w.ran.Load())
			}
		})
	}
	t.Logf("T36: requests of processes whose clocks are 10 min and more off: %d run out of their time, none hangs", early)
}
