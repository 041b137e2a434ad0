// What a middleware between the guard and the handler keeps from running.

package guard_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	"github.com/starlingbot/starling/handler/audit"
	"github.com/starlingbot/starling/middleware"
	"github.com/starlingbot/starling/middleware/guard"
	"github.com/starlingbot/starling/testutil"
)

// refusals gives the records of refusals in short: who, which route, by which rule, what became of it and why.
func (w *world) refusals() (out []string) {
	w.t.Helper()
	for _, r := range w.records() {
		if r.Phase == audit.PhaseDenied {
			require.Equal(w.t, "denied", r.Decision)
			out = append(out, fmt.Sprintf("%s %s by %s: %s: %s", r.Who.Name, r.Route, r.Rule, r.Outcome, r.Error))
		}
	}
	return out
}

// A route that an admin has switched off, also after all have agreed: the last word is on record.
func TestAttackSwitchedOffUnaudited(t *testing.T) {
	var off *admin.Switch
	w := newWorld(t, options{
		inside: func(w *world) handler.Middleware {
			var err error
			off, err = admin.NewSwitch(admin.SwitchConfig{Brain: brain.New(w.store).Namespace("admin"), CacheFor: time.Nanosecond})
			require.NoError(t, err)
			return off.Enforce
		},
		routes: func(w *world, rt *handler.Router) {
			commands, err := admin.New(admin.Config{
				Bot: admin.Of(func() *starling.Bot { return w.Bot.Bot() }), Switch: off, May: func(context.Context, adapter.User) (bool, error) { return true, nil },
			})
			require.NoError(t, err)
			rt.Mount("admin", commands)
		},
	})
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	w.User("dave").Direct("disable deploy because the cluster is being moved")
	w.ExpectMatch("@dave", "is off")
	w.User("carol").Say("#ops", "starling approve "+id)
	w.ExpectMatch("#ops", "all the consent it needs")
	w.ExpectMatch("#ops", "switched off by dave since .*: the cluster is being moved")
	require.Zero(t, w.ran.Load())
	var last audit.Record
	for _, r := range w.records() {
		if r.Route == "deploy" {
			last = r
		}
	}
	require.Equal(t, audit.PhaseDenied, last.Phase, "the consent is not the last that is known of it")
	require.Equal(t, "besides policy", last.Rule)
	require.Equal(t, "not done", last.Outcome)
	require.Contains(t, last.Error, "is switched off by dave since ")
	require.Contains(t, last.Delivery, "#"+id, "which request it was")
	require.Equal(t, key("bob"), last.Who.Key)
	require.NotEmpty(t, last.Correlation)
}

// A limit of each kind.
func TestLimitsAreAudited(t *testing.T) {
	limits := map[string]func(w *world) handler.Middleware{
		"rate limit": func(*world) handler.Middleware { return middleware.RateLimit(time.Hour, 1) },
		"quota": func(w *world) handler.Middleware {
			return middleware.Quota(middleware.QuotaConfig{Brain: brain.New(w.store).Namespace("quota"), Name: "all", Every: time.Hour, Burst: 1, By: middleware.ByUserAndRoute})
		},
	}
	for reason, limit := range limits {
		t.Run(reason, func(t *testing.T) {
			w := newWorld(t, options{inside: limit})
			for range 3 {
				w.User("bob").Say("#ops", "starling deploy api")
			}
			w.User("eve").Say("#ops", "starling deploy api")
			w.Idle()
			require.Equal(t, []string{
				"bob deploy by besides policy: refused: " + reason, "bob deploy by besides policy: refused: " + reason, "eve deploy by role deployer: : ",
			}, w.refusals())
			require.Len(t, w.records(), 5, "and the run that was within the limit, before and after")
			require.EqualValues(t, 1, w.ran.Load())
		})
	}
}

// wordless is an error whose text cannot be read of a nil.
type wordless struct{ text string }

func (b *wordless) Error() string { return b.text }

// However a middleware ends what the guard has let pass.
func TestEveryEndInTheMiddleIsAudited(t *testing.T) {
	cases := map[string]struct {
		end  func() error
		want string // the outcome and the error; "" for no record
	}{
		"refused":  {func() error { return handler.Refused("full moon") }, "refused: full moon"},
		"a word":   {func() error { return handler.UserErrorf("Not on Fridays.") }, "not done: Not on Fridays."},
		"failed":   {func() error { return errors.New("the directory is down") }, "failed: the directory is down"},
		"panic":    {func() error { panic("boom") }, "panic: panic"},
		"again":    {func() error { return handler.Retry(errors.New("busy")) }, "to be run again: retry: busy"},
		"silent":   {func() error { return nil }, "not done: "},
		"no error": {func() error { var e *wordless; return e }, "failed: <nil>"},
	}
	subjects := map[string]struct {
		add     func(rt *handler.Router) *handler.Route
		audited bool
	}{
		"a command with a policy": {func(rt *handler.Router) *handler.Route { return rt.Command("x", "X.", nothing) }, true},
		"a declared command": {func(rt *handler.Router) *handler.Route {
			return rt.Add(handler.Command[handler.None]{Name: "x", Summary: "X.", Run: none})
		}, true},
		"a command without": {func(rt *handler.Router) *handler.Route { return rt.Command("x", "X.", nothing) }, true},
		"a Respond":         {func(rt *handler.Router) *handler.Route { return rt.Respond("x", nothing) }, true},
		"a Volatile one": {func(rt *handler.Router) *handler.Route {
			r := rt.Command("x", "X.", nothing)
			r.Volatile = true
			return r
		}, false},
		"a Volatile declared one": {func(rt *handler.Router) *handler.Route {
			r := rt.Add(handler.Command[handler.None]{Name: "x", Summary: "X.", Run: none})
			r.Volatile = true
			return r
		}, true},
		"a Hear":               {func(rt *handler.Router) *handler.Route { return rt.Hear("x", nothing) }, false},
		"a Hear with a policy": {func(rt *handler.Router) *handler.Route { return rt.Hear("x", nothing) }, true},
		"a Fallback":           {func(rt *handler.Router) *handler.Route { return rt.Fallback(nothing) }, false},
	}
	for name, s := range subjects {
		for what, c := range cases {
			t.Run(name+", "+what, func(t *testing.T) {
				b := &book{}
				var route *handler.Route
				_, tb := table(t, guard.Config{Roles: &people{}, Audit: b}, func(rt *handler.Router) {
					rt.Group(func(rt *handler.Router) {
						rt.Use(func(handler.Handler) handler.Handler {
							return handler.Func(func(context.Context, *handler.Request) error { return c.end() })
						})
						route = s.add(rt)
						if name == "a command with a policy" || name == "a Hear with a policy" {
							route.Policy = handler.Policy{Roles: []string{handler.MemberRole}}
						}
					})
				})
				run := func() {
					defer func() { _ = recover() }()
					_ = whole(&adapter.Event{ID: "1", Kind: adapter.KindMessage, Adapter: "x", User: adapter.User{Adapter: "x", ID: "bob", Kind: adapter.KindMember}, Room: adapter.Room{ID: "c1"}, Text: "starling x"}, tb.Route(route.ID))
				}
				run()
				var got []string
				for _, r := range b.all() {
					require.Equal(t, "denied besides policy", r.Decision+" "+r.Rule)
					got = append(got, r.Outcome+": "+r.Error)
				}
				if s.audited {
					require.Equal(t, []string{c.want}, got)
				} else {
					require.Empty(t, got)
				}
			})
		}
	}
}

// What reaches its handler, or is refused by the guard, has no second record.
func TestWhatIsReachedHasOneRecord(t *testing.T) {
	w := newWorld(t, options{
		inside: func(*world) handler.Middleware {
			return func(next handler.Handler) handler.Handler {
				return handler.Func(func(ctx context.Context, r *handler.Request) error {
					_ = next.Handle(ctx, r)
					return handler.Refused("swallowed")
				})
			}
		},
		routes: func(w *world, rt *handler.Router) {
			rt.Command("fail", "Fail.", func(context.Context, *handler.Request) error { return errors.New("no") })
			rt.Command("ping", "Pong.", nothing).Volatile = true
			rt.Hear("badger", nothing)
		},
	})
	bob := w.User("bob")
	bob.Say("#ops", "starling deploy api")
	bob.Say("#ops", "starling deploy api to prod") // asks
	bob.Say("#ops", "starling deploy api nowhere") // a usage error
	bob.Say("#ops", "starling fail")
	bob.Say("#ops", "starling ping")
	bob.Say("#ops", "badger")
	bob.Say("#ops", "starling help")
	w.User("eve").Say("#ops", "starling deploy api")
	bob.Say("#ops", "starling deploy") // a question
	require.ElementsMatch(t, []string{
		"before bob deploy: allowed ", "after bob deploy: allowed refused", "asked bob deploy:  " + requestForm.FindString(fmt.Sprint(w.recorded())),
		"before bob fail: allowed ", "after bob fail: allowed refused", "denied eve deploy: denied ",
	}, w.recorded())
}

// What nobody asked for is on record once an hour, as other refusals of it are.
func TestAttackLimitedChatterFillsTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{
			inside: func(*world) handler.Middleware { return middleware.RateLimit(24*time.Hour, 1) },
			routes: func(w *world, rt *handler.Router) {
				rt.Hear("badger", func(context.Context, *handler.Request) error { w.ran.Add(1); return nil }).Policy = handler.Policy{Roles: []string{"deployer"}}
			},
		})
		for range 200 {
			w.User("bob").Say("#ops", "badger")
		}
		w.Idle()
		require.Equal(t, []string{"bob hear-badger by besides policy: refused: rate limit"}, w.refusals())
		time.Sleep(time.Hour)
		w.User("bob").Say("#ops", "badger")
		require.Equal(t, "bob hear-badger by besides policy: and 198 more since 2000-01-01T00:00:00Z: rate limit", w.refusals()[1])
		require.EqualValues(t, 1, w.ran.Load())
	})
}

// A secret in a room is not left there because a limit, and not the guard, refuses the command.
func TestAttackLimitLeavesSecret(t *testing.T) {
	for _, moderates := range []bool{true, false} {
		w := newWorld(t, options{
			chat:   testutil.ChatConfig{Moderates: moderates},
			inside: func(*world) handler.Middleware { return middleware.RateLimit(time.Hour, 1) },
			routes: func(w *world, rt *handler.Router) {
				rt.Add(handler.Command[secretArgs]{Name: "login", Summary: "L.", Run: func(context.Context, *handler.Request, secretArgs) error { w.ran.Add(1); return nil }})
			},
		})
		bob := w.User("bob")
		bob.Direct("login api hunter1")
		w.Idle()
		p := bob.Say("#ops", "starling login api hunter2")
		w.Idle()
		require.Equal(t, moderates, p.Deleted())
		what := "Please delete it"
		if moderates {
			what = "I have deleted it"
		}
		require.Contains(t, w.Chat.Transcript(), "(only bob) starling> What you said may hold a secret, and others can read it here. "+what)
		bob.Say("#ops", "starling login api") // holds none
		w.Idle()
		require.Equal(t, 1, strings.Count(w.Chat.Transcript(), "may hold a secret"))
		require.Equal(t, slices.Repeat([]string{"bob login by besides policy: refused: rate limit"}, 2), w.refusals())
		require.EqualValues(t, 1, w.ran.Load())
	}
}

// The log that cannot be written changes nothing of the refusal, and says so.
func TestStoppedUnaudited(t *testing.T) {
	for _, audited := range []bool{false, true} {
		w := newWorld(t, options{
			store:  memory.New(),
			inside: func(*world) handler.Middleware { return middleware.RateLimit(time.Hour, 1) },
			guard: func(c *guard.Config) {
				if !audited {
					c.Audit = nil
				}
			},
		})
		w.User("bob").Say("#ops", "starling deploy api")
		w.Expect("#ops", "deployed api to staging")
		w.book.break_(errors.New("full"))
		w.User("bob").Say("#ops", "starling deploy api")
		w.Idle()
		require.EqualValues(t, 1, w.ran.Load())
		require.Equal(t, audited, len(w.book.all()) > 0)
		if audited {
			require.Contains(t, w.Log(), "a refusal could not be audited")
		} else {
			require.NotContains(t, w.Log(), "audited")
		}
	}
}

// A middleware behind the guard that passes on another context or request than it was given takes the guard's word away: nothing that
// is to be on record runs without it.
func TestAttackReplacedRequestRunsUnaudited(t *testing.T) {
	replaced := map[string]func(next handler.Handler) handler.Handler{
		"a context": func(next handler.Handler) handler.Handler {
			return handler.Func(func(_ context.Context, r *handler.Request) error { return next.Handle(context.Background(), r) })
		},
		"a request": func(next handler.Handler) handler.Handler {
			return handler.Func(func(ctx context.Context, r *handler.Request) error {
				other := handler.NewRequest(r.Event, &listing{})
				other.Route = r.Route
				return next.Handle(ctx, other)
			})
		},
	}
	for name, mw := range replaced {
		t.Run(name, func(t *testing.T) {
			b, ran := &book{}, 0
			count := func(context.Context, *handler.Request) error { ran++; return nil }
			_, tb := table(t, guard.Config{Roles: &people{}, Audit: b}, func(rt *handler.Router) {
				rt.Group(func(rt *handler.Router) {
					rt.Use(mw)
					rt.Command("x", "X.", count)
					rt.Command("y", "Y.", count).Policy = handler.Policy{Roles: []string{handler.MemberRole}}
					rt.Add(handler.Command[handler.None]{Name: "z", Summary: "Z.", Run: func(ctx context.Context, r *handler.Request, _ handler.None) error { return count(ctx, r) }})
					rt.Hear("badger", count)
				})
			})
			for _, id := range []string{"x", "y", "z"} {
				ev := &adapter.Event{ID: id, Kind: adapter.KindMessage, Adapter: "x", User: adapter.User{Adapter: "x", ID: "bob", Kind: adapter.KindMember}, Room: adapter.Room{ID: "c1"}, Text: "starling " + id}
				require.ErrorContains(t, whole(ev, tb.Route(id)), "another request or context")
			}
			require.Zero(t, ran)
			require.Len(t, b.all(), 3)
			require.NoError(t, whole(&adapter.Event{ID: "1", Kind: adapter.KindMessage, Adapter: "x", Room: adapter.Room{ID: "c1"}, Text: "badger"}, tb.Route("hear-badger")))
			require.Equal(t, 1, ran, "chatter is not on record, and runs")
		})
	}
}

// An audit log of the bot's own making that panics is one that cannot record.
func TestAuditPanics(t *testing.T) {
	for _, dangerous := range []bool{true, false} {
		w := newWorld(t, options{
			guard:  func(c *guard.Config) { c.Audit = panicking{} },
			deploy: func(c *handler.Command[deployArgs]) { c.Policy.Dangerous = dangerous },
		})
		w.User("eve").Say("#ops", "starling deploy api")
		w.Expect("#ops", "@eve: that needs the role deployer.")
		w.User("bob").Say("#ops", "starling deploy api")
		if dangerous {
			w.ExpectMatch("#ops", "runs only when it can be recorded")
		} else {
			w.Expect("#ops", "deployed api to staging")
		}
		w.Idle()
		require.Equal(t, !dangerous, w.ran.Load() == 1)
		require.NotContains(t, w.Chat.Transcript(), "went wrong")
	}
}

type panicking struct{}

func (panicking) Append(context.Context, audit.Record) error { panic("boom") }
