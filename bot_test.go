package starling_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// named is an adapter with a name and features of choice.
type named struct {
	*stage
	name     string
	features adapter.Features
}

func (n named) Name() string               { return n.name }
func (n named) Features() adapter.Features { return n.features }

func TestNewReportsAllMistakes(t *testing.T) {
	router := func(add func(rt *handler.Router)) *handler.Router {
		rt := handler.NewRouter()
		add(rt)
		return rt
	}
	good := router(func(rt *handler.Router) { rt.Command("ping", "Say PONG.", ok) })
	one := []adapter.Adapter{newNull()}
	cases := map[string]struct {
		cfg  starling.Config
		want []string
	}{
		"nothing at all": {starling.Config{}, []string{"Config.Adapters is empty", "terminal.New", "Config.Router is nil", "handler.NewRouter"}},
		"two adapters of one name": {starling.Config{Router: good, Adapters: []adapter.Adapter{newNull(), newNull()}},
			[]string{"[0] and [1] are both named \"null\"", "another Name"}},
		"nil adapter":  {starling.Config{Router: good, Adapters: []adapter.Adapter{nil}}, []string{"Config.Adapters[0] is nil"}},
		"adapter name": {starling.Config{Router: good, Adapters: []adapter.Adapter{named{name: "My Chat"}}}, []string{`"My Chat"`, "a-z"}},
		"playground beside a network": {starling.Config{Router: good, Adapters: []adapter.Adapter{named{name: "term", features: adapter.Features{Local: true, Playground: true}}, named{name: "net"}}},
			[]string{"playground", `"net"`, "set Playground to false"}},
		"bad pattern": {starling.Config{Adapters: one, Router: router(func(rt *handler.Router) { rt.Hear("(", ok) })},
			[]string{"bot_test.go:", `hear "("`, "missing closing )"}},
		"nil handler": {starling.Config{Adapters: one, Router: router(func(rt *handler.Router) { rt.Command("go", "Go.", nil) })},
			[]string{"bot_test.go:", "command go", "the handler is nil"}},
		"use after a route": {starling.Config{Adapters: one, Router: router(func(rt *handler.Router) {
			rt.Command("go", "Go.", ok)
			rt.Use(func(next handler.Handler) handler.Handler { return next })
		})}, []string{"bot_test.go:", "Use after a route", "With or Group"}},
		"names":     {starling.Config{Adapters: one, Router: good, Name: " x", Aliases: []string{""}}, []string{"Config.Name", "Config.Aliases[0]"}},
		"durations": {starling.Config{Adapters: one, Router: good, Timeout: -1}, []string{"Config.Timeout", "positive"}},
		"volatile without brain": {starling.Config{Adapters: one, Router: good, Volatile: true},
			[]string{"Config.Volatile without a Config.Brain"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := starling.New(c.cfg)
			require.Error(t, err)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// A 30 s handler in #ops does not keep another person's ping in #ops waiting over 3 s.
func TestSlowHandlerLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{Timeout: time.Minute}, func(rt *handler.Router) {
			rt.Command("slow", "Take 30 s.", func(ctx context.Context, r *handler.Request) error {
				time.Sleep(30 * time.Second)
				return r.Reply(ctx, "done")
			})
			rt.Command("ping", "Say PONG.", replies("PONG"))
		})
		require.NoError(t, s.say("alice", "Cops", "starling slow"))
		require.NoError(t, s.say("bob", "Cops", "starling ping"))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Empty(t, s.said(), "the line is kept for SlowAfter")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"Cops> PONG"}, s.said())
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"Cops> PONG", "Cops> done"}, s.said())
	})
}

func TestOrderedHoldsTheLineAndBackgroundDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, r *handler.Request) error {
			time.Sleep(10 * time.Second)
			return r.Reply(ctx, "done")
		}
		s := play(t, starling.Config{}, func(rt *handler.Router) {
			rt.Command("ordered", "", slow).Ordered = true
			rt.Command("background", "", slow).Background = true
			rt.Command("ping", "", replies("PONG"))
		})
		require.NoError(t, s.say("alice", "C1", "starling ordered"))
		require.NoError(t, s.say("alice", "C1", "starling ping"))
		require.NoError(t, s.say("alice", "C2", "starling background"))
		require.NoError(t, s.say("alice", "C2", "starling ping"))
		time.Sleep(9 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C2> PONG"}, s.said())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.ElementsMatch(t, []string{"C2> PONG", "C1> done", "C1> PONG", "C2> done"}, s.said())
	})
}

// One conversation is handled in order and never beside itself; the others run in parallel.
func TestOrderWithinAConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		s := play(t, starling.Config{Limits: unlimited()}, func(rt *handler.Router) {
			rt.Hear(`\d+`, func(ctx context.Context, r *handler.Request) error {
				most.Store(max(most.Load(), running.Add(1)))
				time.Sleep(10 * time.Millisecond)
				running.Add(-1)
				return r.Reply(ctx, "%s", r.Event.Text)
			})
		})
		begun := time.Now()
		want := map[string][]string{}
		for i := range 50 {
			for _, room := range []string{"C1", "C2", "C3"} {
				require.NoError(t, s.say("alice", room, fmt.Sprint(i)))
				want[room] = append(want[room], fmt.Sprint(i))
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got := map[string][]string{}
		for _, p := range s.posts {
			got[p.room] = append(got[p.room], p.text)
		}
		require.Equal(t, want, got)
		require.EqualValues(t, 3, most.Load())
		require.Less(t, time.Since(begun), 1100*time.Millisecond)
	})
}

// D26, and every failure: a fixed sentence with a correlation id to the user, the cause to the log. D29: a UserError as it is.
func TestFailures(t *testing.T) {
	cases := map[string]struct {
		f    handler.Func
		said string
		log  string
	}{
		"error": {func(context.Context, *handler.Request) error { return errors.New("secret-token=abc") },
			"Sorry, that went wrong.", "secret-token=abc"},
		"panic":      {func(context.Context, *handler.Request) error { panic("secret-token=abc") }, "Sorry, that went wrong.", "secret-token=abc"},
		"user error": {func(context.Context, *handler.Request) error { return handler.UserErrorf("No *%s* today.", "<b>") }, "No *<b>* today.", ""},
		"timeout": {func(ctx context.Context, _ *handler.Request) error { <-ctx.Done(); return ctx.Err() },
			"Sorry, that went wrong.", "deadline exceeded"},
		"refused": {func(context.Context, *handler.Request) error { return handler.Refused("test") }, "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t, starling.Config{}, func(rt *handler.Router) { rt.Command("boom", "", c.f) })
				require.NoError(t, s.say("alice", "C1", "starling boom"))
				time.Sleep(31 * time.Second)
				synctest.Wait()
				said := strings.Join(s.said(), "\n")
				if c.said == "" {
					require.Empty(t, said)
					return
				}
				require.Len(t, s.said(), 1)
				require.Contains(t, said, c.said)
				require.NotContains(t, said, "secret-token")
				require.Contains(t, s.log.String(), c.log)
				if c.log != "" {
					require.Contains(t, said, handler.CorrelationID("stage/m1"))
					require.Contains(t, s.log.String(), handler.CorrelationID("stage/m1"))
				}
			})
		})
	}
}

// D4: the first of two fails, the second still runs, the fallback does not.
func TestD4FailureDoesNotStopTheNextRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{}, func(rt *handler.Router) {
			rt.Hear("x", func(context.Context, *handler.Request) error { return handler.UserErrorf("first failed") })
			rt.Hear("x", replies("second"))
			rt.Fallback(replies("fallback"))
		})
		require.NoError(t, s.say("alice", "C1", "starling x"))
		synctest.Wait()
		require.Equal(t, []string{"C1> first failed", "C1> second"}, s.said())
	})
}

// D10: an outgoing step that fails or panics blocks the message.
func TestD10OutgoingFailureBlocksTheMessage(t *testing.T) {
	for name, step := range map[string]func(next handler.Send) handler.Send{
		"error": func(next handler.Send) handler.Send {
			return func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
				if strings.Contains(m.Text, "secret") {
					return nil, errors.New("blocked")
				}
				return next(ctx, m)
			}
		},
		"panic": func(next handler.Send) handler.Send {
			return func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
				if strings.Contains(m.Text, "secret") {
					panic("blocked")
				}
				return next(ctx, m)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got error
				s := play(t, starling.Config{}, func(rt *handler.Router) {
					rt.Outgoing(step)
					rt.Command("tell", "", func(ctx context.Context, r *handler.Request) error {
						got = r.Reply(ctx, "the secret")
						return r.Reply(ctx, "the rest")
					})
				})
				require.NoError(t, s.say("alice", "C1", "starling tell"))
				synctest.Wait()
				require.ErrorContains(t, got, "blocked")
				require.Equal(t, []string{"C1> the rest"}, s.said())
			})
		})
	}
}

// A handler that ignores its context is cut off after the grace time: the user is told, the line goes on, and what it does
// later has no effect.
func TestStuckHandlerIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late error
		s := play(t, starling.Config{Timeout: 10 * time.Second, Grace: 5 * time.Second}, func(rt *handler.Router) {
			rt.Command("stuck", "", func(ctx context.Context, r *handler.Request) error {
				time.Sleep(time.Minute)
				late = r.Reply(context.Background(), "too late")
				return nil
			}).Ordered = true
			rt.Command("ping", "", replies("PONG"))
		})
		require.NoError(t, s.say("alice", "C1", "starling stuck"))
		require.NoError(t, s.say("bob", "C1", "starling ping"))
		time.Sleep(14 * time.Second)
		synctest.Wait()
		require.Empty(t, s.said())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.ElementsMatch(t, []string{"C1> PONG", "C1> Sorry, that went wrong. My log has it under " + handler.CorrelationID("stage/m1") + "."}, s.said())
		time.Sleep(time.Minute)
		synctest.Wait()
		require.ErrorIs(t, late, handler.ErrEnded)
		require.Len(t, s.said(), 2)
		require.EqualValues(t, 1, s.bot.Stats().Cut)
	})
}

// Retry brings the event again, and what it said before is not said twice.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts []int
		s := play(t, starling.Config{}, func(rt *handler.Router) {
			rt.Command("try", "", func(ctx context.Context, r *handler.Request) error {
				attempts = append(attempts, r.Attempt)
				if err := r.Reply(ctx, "working"); err != nil {
					return err
				}
				if r.Attempt < 3 {
					return handler.Retry(errors.New("not yet"))
				}
				return r.Reply(ctx, "done")
			})
			rt.Command("never", "", func(ctx context.Context, r *handler.Request) error { return handler.Retry(errors.New("no")) })
		})
		require.NoError(t, s.say("alice", "C1", "starling try"))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.Equal(t, []int{1, 2, 3}, attempts)
		require.Equal(t, []string{"C1> working", "C1> done"}, s.said())
		require.NoError(t, s.say("alice", "C2", "starling never"))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.Len(t, s.said(), 3)
		require.Contains(t, s.said()[2], "C2> Sorry, that went wrong.")
	})
}

// Ctrl-C during a slow handler ends within DrainTimeout, with its answer sent.
func TestDrainLetsHandlersFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{DrainTimeout: 10 * time.Second}, func(rt *handler.Router) {
			rt.Command("slow", "", func(ctx context.Context, r *handler.Request) error {
				time.Sleep(5 * time.Second)
				return r.Reply(ctx, "done")
			})
		})
		require.NoError(t, s.say("alice", "C1", "starling slow"))
		synctest.Wait()
		begun := time.Now()
		require.NoError(t, s.stop())
		require.Equal(t, 5*time.Second, time.Since(begun))
		require.Equal(t, []string{"C1> done"}, s.said())
	})
}

// A handler that would run longer is told to stop in time to answer, and one that does not listen is left.
func TestDrainEndsInTime(t *testing.T) {
	for name, c := range map[string]struct {
		f    handler.Func
		said []string
	}{
		"listens": {func(ctx context.Context, r *handler.Request) error {
			<-ctx.Done()
			return r.Reply(context.WithoutCancel(ctx), "stopped")
		}, []string{"C1> stopped"}},
		"does not listen": {func(ctx context.Context, r *handler.Request) error { time.Sleep(20 * time.Second); return nil }, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t, starling.Config{DrainTimeout: 10 * time.Second}, func(rt *handler.Router) { rt.Command("slow", "", c.f) })
				require.NoError(t, s.say("alice", "C1", "starling slow"))
				synctest.Wait()
				begun := time.Now()
				require.NoError(t, s.stop())
				require.LessOrEqual(t, time.Since(begun), 10*time.Second)
				require.Equal(t, c.said, s.said())
				if name == "does not listen" {
					require.Contains(t, s.log.String(), "unfinished when the bot stopped")
				}
				time.Sleep(20 * time.Second) // the handler that did not listen ends
			})
		})
	}
}

// A source that comes to its end ends the bot, after all it brought is handled.
func TestExhaustedSourceEndsTheBot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{DrainTimeout: time.Second, Limits: unlimited()}, func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				time.Sleep(time.Second)
				return r.Reply(ctx, "y")
			})
		})
		for range 20 {
			require.NoError(t, s.say("alice", "C1", "x"))
		}
		close(s.end)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.Len(t, s.said(), 20)
		require.NoError(t, s.stop())
	})
}

// Sends wait out rate limits and outages, in order, and what is refused is an error.
func TestOutboxOrderAndRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{}, func(rt *handler.Router) {
			rt.Command("count", "", func(ctx context.Context, r *handler.Request) error {
				for i := range 3 {
					if err := r.Reply(ctx, "%d", i); err != nil {
						return err
					}
				}
				return nil
			})
		})
		var at []time.Time
		s.fail = func(n int, m *adapter.Message) error {
			at = append(at, time.Now())
			switch n {
			case 2:
				return &adapter.RateLimitError{RetryAfter: 7 * time.Second}
			case 3:
				return fmt.Errorf("dial: %w", adapter.ErrUnavailable)
			case 4:
				return errors.New("connection reset")
			}
			return nil
		}
		require.NoError(t, s.say("alice", "C1", "starling count"))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"C1> 0", "C1> 1", "C1> 2"}, s.said())
		require.GreaterOrEqual(t, at[2].Sub(at[1]), 7*time.Second, "nothing is sent inside a Retry-After window")
		s.fail = func(int, *adapter.Message) error { return fmt.Errorf("%w: no such room", adapter.ErrNotFound) }
		_, err := s.bot.Send(context.Background(), &adapter.Message{To: adapter.Address{Adapter: "stage", Room: "C9"}, Text: "hello"})
		require.ErrorIs(t, err, adapter.ErrNotFound)
	})
}

// The bot speaks first, whether it runs or not, and says nothing where there is nothing to say (S1).
func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{}, func(rt *handler.Router) { rt.Command("ping", "", ok) })
		to := adapter.Address{Adapter: "stage", Room: "C1", Thread: "7"}
		refs, err := s.bot.Send(context.Background(), &adapter.Message{To: to, Text: "disk is full"})
		require.NoError(t, err)
		require.Equal(t, []adapter.Ref{{Address: to, ID: "1"}}, refs)
		refs, err = s.bot.Send(context.Background(), &adapter.Message{To: to})
		require.NoError(t, err)
		require.Empty(t, refs)
		first, err := s.bot.Send(context.Background(), &adapter.Message{To: to, Text: "once", Key: "k"})
		require.NoError(t, err)
		second, err := s.bot.Send(context.Background(), &adapter.Message{To: to, Text: "once", Key: "k"})
		require.NoError(t, err)
		require.Equal(t, first, second)
		require.Equal(t, []string{"C1/7> disk is full", "C1/7> once"}, s.said())
		_, err = s.bot.Send(context.Background(), &adapter.Message{To: adapter.Address{Adapter: "nowhere"}, Text: "x"})
		require.ErrorContains(t, err, `no adapter "nowhere"`)
	})
}

// T32: a hundred stuck handlers do not keep others waiting.
func TestT32StuckHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{Limits: unlimited()}, func(rt *handler.Router) {
			rt.Command("stuck", "", func(ctx context.Context, r *handler.Request) error { time.Sleep(10 * time.Minute); return nil })
			rt.Command("ping", "", replies("PONG"))
		})
		for i := range 100 {
			require.NoError(t, s.say("alice", fmt.Sprintf("C%d", i), "starling stuck"))
		}
		begun := time.Now()
		require.NoError(t, s.say("bob", "Cother", "starling ping"))
		synctest.Wait()
		require.Equal(t, []string{"Cother> PONG"}, s.said())
		require.LessOrEqual(t, time.Since(begun), 250*time.Millisecond)
		time.Sleep(11 * time.Minute)
	})
}

// T33: ten thousand panics lose no event and leave the bot alive.
func TestT33Panics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		s := play(t, starling.Config{Limits: unlimited()}, func(rt *handler.Router) {
			rt.Hear("x", func(context.Context, *handler.Request) error { n.Add(1); panic("boom") })
			rt.Command("ping", "", replies("PONG"))
		})
		for i := range 10_000 {
			require.NoError(t, s.say("alice", fmt.Sprintf("C%d", i%100), "x"))
		}
		require.NoError(t, s.say("alice", "Cother", "starling ping"))
		time.Sleep(time.Second)
		synctest.Wait()
		require.EqualValues(t, 10_000, n.Load())
		require.Contains(t, s.said(), "Cother> PONG")
		require.EqualValues(t, 10_000, s.bot.Stats().Failed)
	})
}

// flaky is an adapter whose Run ends as told.
type flaky struct {
	named
	runs atomic.Int32
	run  func(n int32, ctx context.Context) error
}

func (f *flaky) Run(ctx context.Context, _ adapter.Sink) error { return f.run(f.runs.Add(1), ctx) }

// An adapter that panics is run again with back-off; one that fails for good is reported and the others go on.
func TestAdaptersUnderSupervision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panics := &flaky{named: named{name: "panics"}, run: func(n int32, ctx context.Context) error {
			if n < 4 {
				panic("oh")
			}
			<-ctx.Done()
			return nil
		}}
		dead := &flaky{named: named{name: "dead"}, run: func(int32, context.Context) error {
			return fmt.Errorf("token revoked: %w", adapter.ErrAuth)
		}}
		s := play(t, starling.Config{Adapters: []adapter.Adapter{panics, dead}}, func(rt *handler.Router) { rt.Command("ping", "", replies("PONG")) })
		time.Sleep(time.Minute)
		require.EqualValues(t, 4, panics.runs.Load())
		require.EqualValues(t, 1, dead.runs.Load())
		require.NoError(t, s.say("alice", "C1", "starling ping"))
		synctest.Wait()
		require.Equal(t, []string{"C1> PONG"}, s.said())
		err := s.stop()
		require.ErrorIs(t, err, adapter.ErrAuth)
		require.ErrorContains(t, err, "adapter dead")
	})
}
