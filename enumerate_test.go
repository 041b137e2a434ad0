package starling_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
)

// enumerated is a kind of handler that is put through every fault at every call.
type enumerated struct {
	add   func(w *world, rt *handler.Router)
	drive func(w *world)
	want  func(w *world) []string // what people see in the end, in order
	// state checks the rest; refused: a write was refused, so that a handler may have failed.
	state func(t *testing.T, w *world, refused bool)
	any   bool // in any order
	// swallows: the handler does not tell what was refused.
	swallows bool
}

// says drives one message.
func says(text string) func(w *world) { return func(w *world) { w.say("alice", "C1", text) } }

// sees is what people see whatever happens.
func sees(lines ...string) func(w *world) []string { return func(*world) []string { return lines } }

// once checks that each of the keys was counted up once.
func counted(keys ...string) func(t *testing.T, w *world, refused bool) {
	return func(t *testing.T, w *world, refused bool) {
		for _, key := range keys {
			if n := w.number(key); !refused || n != 0 {
				require.Equal(t, 1, n, "%s was changed so many times", key)
			}
		}
	}
}

func add1(n *int) error { *n++; return nil }

type ship struct {
	What string `arg:"what"`
}

var enumeratedKinds = map[string]enumerated{
	"one reply": {
		add: func(w *world, rt *handler.Router) {
			rt.Hear("^x$", func(ctx context.Context, r *handler.Request) error {
				w.begins(r)
				return r.Reply(ctx, "answer %s", r.Event.ID)
			})
		},
		drive: func(w *world) { w.say("alice", "C1", "x"); w.say("bob", "C1", "x") },
		want:  sees("C1> answer e1", "C1> answer e2"),
		any:   true, // the events begin in order; one whose handler was told that the store is uncertain leaves its line
	},
	"two Hears": {
		add: func(w *world, rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error { w.begins(r); return r.Reply(ctx, "same") })
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				if err := r.Reply(ctx, "same"); err != nil {
					return err
				}
				return r.Reply(ctx, "end")
			})
		},
		drive: says("x"),
		want:  sees("C1> same", "C1> same", "C1> end"),
	},
	"Change and reply": {
		add: func(w *world, rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				w.begins(r)
				n, err := handler.Change(ctx, r, "n", add1)
				if err != nil {
					return err
				}
				if _, err := handler.Change(ctx, r, "m", add1); err != nil {
					return err
				}
				return r.Reply(ctx, "n is %d", n)
			})
		},
		drive: says("x"),
		want:  sees("C1> n is 1"),
		state: counted("n", "m"),
	},
	"Once": {
		add: func(w *world, rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				w.begins(r)
				_, err := handler.Once(ctx, r, "page", func(context.Context) (int, error) { w.did("page"); return 1, nil })
				switch {
				case errors.Is(err, handler.ErrUnknown):
					return r.Reply(ctx, "nobody knows")
				case err != nil:
					return err
				}
				return r.Reply(ctx, "paged")
			})
		},
		drive: says("x"),
		want: func(w *world) []string {
			if slices.Contains(w.seen(), "C1> nobody knows") {
				return []string{"C1> nobody knows"}
			}
			return []string{"C1> paged"}
		},
		state: func(t *testing.T, w *world, _ bool) {
			require.LessOrEqual(t, w.times("page"), 1)
			if slices.Contains(w.seen(), "C1> paged") {
				require.Equal(t, 1, w.times("page"))
			}
		},
	},
	"Background with Progress": {
		add: func(w *world, rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				w.begins(r)
				for i := range int64(3) {
					if err := r.ProgressOf(ctx, i, 3, "work"); err != nil {
						return err
					}
					time.Sleep(700 * time.Millisecond)
				}
				return r.Reply(ctx, "worked")
			}).Background = true
		},
		drive: says("x"),
		want: func(w *world) []string { // how long it took depends on the fault
			lines := []string{"C1> worked"}
			for _, s := range w.seen() {
				if strings.Contains(s, "100 % · done · ") && !slices.Contains(lines, s) {
					lines = append([]string{s}, lines...)
				}
			}
			return lines
		},
		state: func(t *testing.T, w *world, refused bool) {
			if !refused {
				require.Contains(t, strings.Join(w.seen(), "\n"), "100 % · done · ")
			}
		},
	},
	"Post by name": {
		add: func(w *world, rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				w.begins(r)
				p, err := r.Post(ctx, "attempt %d", r.Attempt)
				if err != nil {
					return err
				}
				return p.Edit(ctx, "over")
			})
		},
		drive: says("x"),
		want:  sees("C1> over"),
	},
	"SendLater": {
		add: func(w *world, rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				w.begins(r)
				if err := r.SendLater(ctx, r.Event.Time.Add(20*time.Second), &adapter.Message{Text: "later"}); err != nil {
					return err
				}
				return r.Reply(ctx, "noted")
			})
		},
		drive: says("x"),
		want:  sees("C1> noted", "C1> later"),
		any:   true, // it may be late when it is noted
	},
	"Again": {
		add: func(w *world, rt *handler.Router) {
			rt.Command("count", "Count.", func(ctx context.Context, r *handler.Request) error {
				n, err := handler.Change(ctx, r, "n", add1)
				if err != nil {
					return err
				}
				return r.Reply(ctx, "counted to %d", n)
			})
			rt.Command("go", "Go.", func(ctx context.Context, r *handler.Request) error {
				w.begins(r)
				if err := r.Again(ctx, "count"); err != nil {
					return err
				}
				return r.Reply(ctx, "going")
			})
		},
		drive: says("starling go"),
		want:  sees("C1> going", "C1> counted to 1"),
		any:   true, // two deliveries
		state: counted("n"),
	},
	"Confirm": {
		add: func(w *world, rt *handler.Router) {
			rt.Add(handler.Command[ship]{Name: "ship", Summary: "Ship.", Confirm: func(s ship) string { return "Ship " + s.What + "?" },
				Run: func(ctx context.Context, r *handler.Request, s ship) error {
					w.begins(r)
					if _, err := handler.Change(ctx, r, "n", add1); err != nil {
						return err
					}
					return r.Reply(ctx, "shipped %s", s.What)
				}})
		},
		drive: func(w *world) {
			w.say("alice", "Dalice", "ship api")
			time.Sleep(45 * time.Second)
			w.say("alice", "Dalice", "yes")
			time.Sleep(10 * time.Minute) // until nobody waits for an answer any more
		},
		want:  sees("Dalice> Ship api? (yes, no)", "Dalice> shipped api"),
		state: counted("n"),
	},
	"Report": {
		add: func(w *world, rt *handler.Router) {
			rt.Add(handler.Command[ship]{Name: "ship", Summary: "Ship.", OnCrash: handler.OnCrashReport, Exclusive: func(s ship) string { return s.What },
				Run: func(ctx context.Context, r *handler.Request, s ship) error {
					w.begins(r)
					w.did("program")
					if _, err := handler.Change(ctx, r, "n", add1); err != nil {
						return err
					}
					return r.Reply(ctx, "shipped %s", s.What)
				}})
		},
		drive: says("starling ship api"),
		want: func(w *world) []string {
			told := "> @alice: interrupted, outcome unknown. Look before you repeat it:\nstarling ship api"
			seen := w.seen()
			var lines []string
			if slices.Contains(seen, "C1> shipped api") || !slices.Contains(seen, "C1"+told) {
				lines = append(lines, "C1> shipped api")
			}
			if slices.Contains(seen, "C1"+told) || slices.Contains(seen, "Dalice"+told) {
				lines = append(lines, "C1"+told, "Dalice"+told)
			}
			return lines
		},
		state: func(t *testing.T, w *world, _ bool) {
			require.LessOrEqual(t, w.times("program"), 1)
			require.LessOrEqual(t, w.number("n"), 1)
			if slices.Contains(w.seen(), "C1> shipped api") {
				require.Equal(t, 1, w.number("n"))
			}
		},
	},
	"Report after a Hear": {
		add: func(w *world, rt *handler.Router) {
			rt.Hear("ship", func(ctx context.Context, r *handler.Request) error {
				w.begins(r)
				return r.Reply(ctx, "heard")
			})
			rt.Respond("^ship$", func(ctx context.Context, r *handler.Request) error {
				w.did("program")
				return r.Reply(ctx, "shipped")
			}).OnCrash = handler.OnCrashReport
		},
		drive: says("starling ship"),
		want: func(w *world) []string {
			told := "> @alice: interrupted, outcome unknown. Look before you repeat it:\nstarling ship"
			seen := w.seen()
			lines := []string{"C1> heard"}
			if slices.Contains(seen, "C1> shipped") || !slices.Contains(seen, "C1"+told) {
				lines = append(lines, "C1> shipped")
			}
			if slices.Contains(seen, "C1"+told) || slices.Contains(seen, "Dalice"+told) {
				lines = append(lines, "C1"+told, "Dalice"+told)
			}
			return lines
		},
		state: func(t *testing.T, w *world, _ bool) {
			require.LessOrEqual(t, w.times("program"), 1)
			if slices.Contains(w.seen(), "C1> shipped") {
				require.Equal(t, 1, w.times("program"))
			}
		},
	},
	"Bot.Send with a key": {
		add: func(w *world, rt *handler.Router) { rt.Command("ping", "", ok) },
		drive: func(w *world) {
			for { // as a caller that does not know is told to: again, with the same key
				l := w.alive()
				answer := make(chan error, 1)
				go func() {
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					defer cancel()
					m := c1("the disk is full")
					m.Key = "disk"
					_, err := l.bot.Send(ctx, m)
					answer <- err
				}()
				select {
				case err := <-answer:
					if err == nil && !l.gone() {
						return
					}
				case <-l.dead:
				}
				time.Sleep(time.Second)
			}
		},
		want: sees("C1> the disk is full"),
	},
	"a retry": {
		add: func(w *world, rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				w.begins(r)
				if err := r.Reply(ctx, "begun"); err != nil {
					return err
				}
				if w.did("try"); w.times("try") == 1 {
					return handler.Retry(errors.New("not yet"))
				}
				return r.Reply(ctx, "ended")
			})
		},
		drive: says("x"),
		want:  sees("C1> begun", "C1> ended"),
	},
	"a failure": {
		add: func(w *world, rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				w.begins(r)
				if _, err := handler.Change(ctx, r, "n", add1); err != nil {
					return err
				}
				panic("boom")
			}).Background = true
		},
		drive: says("x"),
		want:  sees("C1> Sorry, that went wrong. My log has it under " + handler.CorrelationID("stage/e1") + "."),
		state: counted("n"),
	},
	"replies of several goroutines": {
		add: func(w *world, rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				w.begins(r)
				errs := make([]error, 3)
				var wg sync.WaitGroup
				for i := range errs {
					wg.Go(func() { errs[i] = r.Reply(ctx, "from %d", i) })
				}
				wg.Wait()
				return errors.Join(errs...)
			})
		},
		drive: says("x"),
		want:  sees("C1> from 0", "C1> from 1", "C1> from 2"),
		any:   true,
	},
	"an error swallowed": {
		add: func(w *world, rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				w.begins(r)
				_, _ = handler.Change(ctx, r, "n", add1)
				_ = r.Reply(ctx, "said")
				return nil
			})
		},
		drive: says("x"),
		want:  sees("C1> said"),
		state: counted("n"),

		swallows: true,
	},
}

// failing is what people see where a handler was told that it cannot read or write.
var failing = []string{"Sorry, that went wrong.", " · failed · ", "I have waited long enough for your answer.", "I don't know that."}

// mayRemain are the records that outlive an event: marks against repetition, which end by themselves, and the store's probe.
var mayRemain = []string{"_/seen/", "_/sent/", "_/probe"}

// lateFor is how long the record of an event stays whose first write may still land; an hour, and then some.
const lateFor = time.Hour + time.Minute

// play runs a kind of handler with a plan of faults, as a test of its own, and says what is wrong with it. left is how many of the
// plan have not happened.
func (k enumerated) play(t *testing.T, idempotent bool, plan ...strike) (left int) {
	t.Helper()
	t.Run(fmt.Sprint(plan, " idempotent=", idempotent), func(t *testing.T) { k.run(t, idempotent, plan, &left) })
	return left
}

func (k enumerated) run(t *testing.T, idempotent bool, plan []strike, left *int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, idempotent, func(w *world, rt *handler.Router) {
			rt.Hear("^epilogue$", func(ctx context.Context, r *handler.Request) error {
				if err := r.SendLater(ctx, time.Now().Add(time.Second), &adapter.Message{Text: "works later"}); err != nil {
					return err
				}
				return r.Reply(ctx, "works now")
			})
			k.add(w, rt)
		}, plan...)
		defer w.end()
		k.drive(w)
		time.Sleep(aliveFor)
		*left = w.calm()
		seen := len(w.seen())
		w.say("zoe", "E1", "epilogue")
		time.Sleep(10 * time.Second)
		defer func() {
			if t.Failed() {
				t.Log(plan, w.story())
			}
		}()
		refused := w.unread || slices.ContainsFunc(plan, func(s strike) bool { return s.what == faultRefused })
		k.judge(t, w, seen, plan, refused)
		all := w.seen()
		require.ElementsMatch(t, []string{"E1> works now", "E1> works later"}, all[seen:], "what comes afterwards")
		require.Equal(t, "ok", w.alive().bot.Health().Store)
	})
}

// judge compares what has become of it with what is promised.
func (k enumerated) judge(t *testing.T, w *world, seen int, plan []strike, refused bool) {
	t.Helper()
	want := k.want(w)
	kills := 0
	for _, s := range plan {
		if s.what.kills() {
			kills++
		}
	}
	var first []string // without repeats
	left := slices.Clone(want)
	repeats := 0
	w.mu.Lock()
	shown := slices.Clone(w.shown[:seen])
	w.mu.Unlock()
	for _, s := range shown {
		line := s.room + "> " + s.text
		if i := slices.Index(left, line); i >= 0 {
			left = slices.Delete(left, i, i+1)
			first = append(first, line)
		} else if refused && slices.ContainsFunc(failing, func(f string) bool { return strings.Contains(line, f) }) {
			continue // once for each handler that was told
		} else if slices.Contains(want, line) || slices.ContainsFunc(shown, func(o *shownMessage) bool { return o != s && o.room == s.room && o.kind() == s.kind() }) {
			repeats++ // one that the process forgot is not edited any more
		} else {
			t.Errorf("nobody expects %q", line)
		}
	}
	if refused && len(left) > 0 { // the handler was told, and so was its user
		if k.swallows || strings.Contains(w.log.String(), "the bot could not say what it had to") {
			left = nil
		}
		for _, s := range shown {
			if strings.Contains(s.text, "Sorry, that went wrong.") {
				left = nil
			}
		}
		require.Empty(t, left, "never said, and nobody was told")
	} else {
		require.Empty(t, left, "never said")
		if !k.any {
			require.Equal(t, want, first, "the order")
		}
	}
	if kills == 0 {
		require.NotContains(t, w.log.String(), "another process", "there is none")
	}
	if w.idempotent {
		kills = 0
	}
	if kills < len(plan) && kills > 0 { // the store failed, too: nothing that was said then may be on record
		kills *= len(want)
	}
	require.LessOrEqual(t, repeats, kills, "said again")
	require.True(t, slices.IsSorted(w.begun), "begun in the order %v", w.begun)
	if k.state != nil {
		k.state(t, w, refused)
	}
	left = nil
	for _, key := range keys(t, w.data, "_/") {
		if !slices.ContainsFunc(mayRemain, func(p string) bool { return strings.HasPrefix(key, p) }) {
			left = append(left, key)
		}
	}
	if len(left) > 0 && !slices.ContainsFunc(left, func(key string) bool { return !strings.HasPrefix(key, "_/run/") }) {
		time.Sleep(lateFor)
		left = keys(t, w.data, "_/run/")
	}
	require.Empty(t, left, "left behind")
}

// step is how many calls are passed over: the race detector looks at how, and not at what comes of it.
var step = map[bool]int{false: 1, true: 3}[raceEnabled]

// Every call of the store fails once in every way, and every process dies once at every call of store or platform: all kinds
// of handlers come to the same end.
func TestEveryFaultAtEveryCall(t *testing.T) {
	for name, k := range enumeratedKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs := 0
			for _, f := range append(slices.Clone(storeFaults), faultDiesBefore, faultDiesAfter) {
				for _, idempotent := range []bool{false, true} {
					if idempotent && !f.kills() {
						continue // nothing is ever said again
					}
					n := 1
					for ; ; n += step {
						runs++
						if k.play(t, idempotent, strike{n, f}) > 0 {
							break
						}
					}
					require.Greater(t, n, 2, "%s has struck too few calls", f)
				}
			}
			t.Logf("%d runs", runs)
		})
	}
}

// The process dies at every call, and the next one at every call of its own.
func TestTwoDeathsAtEveryCall(t *testing.T) {
	for name, k := range enumeratedKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs := 0
			for a := 1; ; a += step {
				if k.play(t, a%2 == 0, strike{a, faultDiesAfter}) > 0 {
					break
				}
				for b := 1; ; b += step {
					runs++
					first, second := faultDiesBefore, faultDiesAfter
					if (a+b)%2 == 0 {
						first, second = second, first
					}
					if k.play(t, (a+b)%4 < 2, strike{a, first}, strike{b, second}) > 0 {
						break
					}
				}
			}
			require.Greater(t, runs*step*step, 8)
			t.Logf("%d runs", runs)
		})
	}
}

// The answer to a write that has happened is lost, and so is the one to the look at what it has written: what was put into the
// inbox is handled once.
func TestAnswerAndLookAreLost(t *testing.T) {
	require.Zero(t, enumeratedKinds["Again"].play(t, false, strike{2, faultLanded}, strike{3, faultLost}))
}

// The disk is full while an event is handled: health says so though nothing new arrives, and that it works again.
func TestHealthWhenWritesFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, q *handler.Request) error {
				time.Sleep(time.Second)
				return q.Reply(ctx, "y")
			})
		})
		require.NoError(t, s.say("alice", "C1", "x"))
		r.setFail(func([]brain.Op) error { return errLost })
		time.Sleep(10 * time.Second)
		require.Equal(t, "failing", s.bot.Health().Store)
		r.setFail(nil)
		time.Sleep(10 * time.Second)
		require.Equal(t, "ok", s.bot.Health().Store)
		require.Equal(t, []string{"C1> y"}, s.said())
	})
}
