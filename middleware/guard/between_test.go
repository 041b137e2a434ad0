// What changes between a request, the consent and the run, and who may give or replace the consent.

package guard_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/roles"
	"github.com/starlingbot/starling/middleware/guard"
)

// approvedAndKilled has carol agree to a request of bob, and kills the process before it begins to run.
func approvedAndKilled(t *testing.T, o options, store *slow) *world {
	t.Helper()
	w := newWorld(t, o)
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	reached, end := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(end) })
	var once sync.Once
	store.before(func(ops []brain.Op) {
		for _, op := range ops {
			if strings.HasPrefix(op.Key, "_/run/") && strings.Contains(string(op.Value), `"begun":["deploy"]`) {
				once.Do(func() { close(reached) })
				<-end
			}
		}
	})
	w.User("carol").Say("#ops", "starling approve "+id)
	w.ExpectMatch("#ops", "all the consent it needs")
	await(t, reached)
	w.Kill()
	store.before(nil)
	require.Zero(t, w.ran.Load())
	return w
}

// The rules are tightened, the code asks for more, or the route has gone, when all have agreed and nothing has run.
func TestChangedAfterTheConsent(t *testing.T) {
	const changed = "that is no longer what was agreed to"
	cases := map[string]struct {
		o      func(*options)
		config func(*starling.Config)
		want   string
	}{
		"a rule asks for more": {config: func(c *starling.Config) {
			c.Policies = starling.Rules{"deploy": {Policy: handler.Policy{Approvals: 2, ApprovedBy: "sre"}}}
		}, want: changed},
		"a rule asks for a place": {config: func(c *starling.Config) {
			c.Policies = starling.Rules{"deploy": {Policy: handler.Policy{In: []string{"c-ops"}}}}
		}, want: changed},
		"a rule is audited": {config: func(c *starling.Config) {
			c.Policies = starling.Rules{"deploy": {Policy: handler.Policy{Dangerous: true}}}
		}, want: changed},
		"a rule asks for a factor": {config: func(c *starling.Config) {
			c.Policies = starling.Rules{"deploy": {Policy: handler.Policy{Elevate: time.Minute}}}
		}, want: changed},
		"a rule asks for nothing": {config: func(c *starling.Config) { c.Policies = starling.Rules{"deploy": {Replace: true}} }, want: changed},
		"the code asks for more":  {o: func(o *options) { o.deploy = two }, want: changed},
		"the thing is exclusive": {o: func(o *options) {
			o.deploy = func(c *handler.Command[deployArgs]) { c.Exclusive = func(a deployArgs) string { return a.Service } }
		}, want: changed},
		"the route has gone": {o: func(o *options) { o.deploy = func(c *handler.Command[deployArgs]) { c.Name = "ship" } }},
		"the route is another one": {o: func(o *options) {
			o.deploy = func(c *handler.Command[deployArgs]) { c.Name = "ship" }
			o.routes = func(w *world, rt *handler.Router) {
				rt.Add(handler.Command[secretArgs]{Name: "other", Summary: "O.", Run: func(context.Context, *handler.Request, secretArgs) error { w.ran.Add(1); return nil }}).ID = "deploy"
			}
		}},
		"nothing, a control": {want: "deployed api to prod"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &slow{Store: memory.New()}
				o := options{store: store}
				w := approvedAndKilled(t, o, store)
				if c.o != nil {
					c.o(&o)
				}
				w.Start(func(cfg *starling.Config) {
					cfg.Router = w.router(o)
					if c.config != nil {
						c.config(cfg)
					}
				})
				if c.want != "" {
					w.ExpectMatch("#ops", c.want)
				}
				w.Idle()
				require.Equal(t, name == "nothing, a control", w.ran.Load() == 1)
				require.LessOrEqual(t, w.ran.Load(), int32(1))
			})
		})
	}
}

// A request whose command the program no longer has is not run by a consent, and nothing else is.
func TestConsentToWhatHasGone(t *testing.T) {
	o := options{}
	w := newWorld(t, o)
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	o.deploy = func(c *handler.Command[deployArgs]) { c.Name = "ship" }
	w.Restart(func(c *starling.Config) { c.Router = w.router(o) })
	w.User("carol").Say("#ops", "starling approve "+id)
	w.Expect("#ops", "What "+id+" asks for no longer exists.")
	w.User("bob").Say("#ops", "starling cancel "+id)
	w.Expect("#ops", "@bob canceled "+id+".")
	require.Zero(t, w.ran.Load())
}

// What was agreed to and could not run is a dead letter; when an operator has it handled again, it asks anew.
func TestAttackConsentOfADeadLetter(t *testing.T) { synctest.Test(t, consentOfADeadLetter) }

func consentOfADeadLetter(t *testing.T) {
	store := &slow{Store: memory.New()}
	o := options{store: store}
	w := approvedAndKilled(t, o, store)
	o.deploy = func(c *handler.Command[deployArgs]) { c.Name = "ship" }
	w.Start(func(c *starling.Config) { c.Router = w.router(o) }) // a program that has no such command
	w.Idle()
	o.deploy = nil
	w.Restart(func(c *starling.Config) { c.Router = w.router(o) })
	letters, err := w.Bot.Bot().DeadLetters(ctx)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.NoError(t, w.Bot.Bot().Replay(ctx, letters[0].ID))
	_, post := w.request("#ops")
	require.Zero(t, w.ran.Load())
	w.User("carol").Press(post, "Approve")
	w.ExpectMatch("#ops", "all the consent it needs")
	w.Expect("#ops", "deployed api to prod")
}

// Where no role is named any full member of the workspace may agree, and nobody else, whatever roles they have.
func TestWhoIsAMember(t *testing.T) {
	for kind, counts := range map[adapter.UserKind]bool{
		adapter.KindMember: true, adapter.KindGuest: false, adapter.KindExternal: false, adapter.KindUnknown: false, adapter.KindBot: false,
	} {
		t.Run("kind "+string(kind), func(t *testing.T) {
			w := newWorld(t, options{config: func(c *starling.Config) { c.HearBots = true }, deploy: func(c *handler.Command[deployArgs]) {
				c.When = func(deployArgs) handler.Policy { return handler.Policy{Approvals: 1} }
			}})
			w.people.give(key("eve"), "admin", "deployer", "member", "sre") // a source that gives what it must not
			w.User("bob").Say("#ops", "starling deploy api")
			id, _ := w.request("#ops")
			eve := w.User("eve")
			eve.Kind = kind
			eve.Say("#ops", "starling approve "+id)
			want := "your consent does not count|not know this account"
			if counts {
				want = "has all the consent"
			}
			w.ExpectMatch("#ops", want)
			w.Idle()
			require.Equal(t, counts, w.ran.Load() == 1)
		})
	}
}

// Nobody agrees while nobody knows who is who; what was agreed to before does not run either.
func TestPersonsCannotBeTold(t *testing.T) {
	var down atomic.Bool
	fail := func(c *guard.Config) {
		c.Person = func(_ context.Context, key string) (now, lately []string, err error) {
			switch {
			case down.Load() && key == "chat//u-dave":
				panic("down")
			case down.Load() && key == "chat//u-root":
				return []string{""}, nil, nil
			case down.Load() && key == "chat//u-frank":
				return nil, nil, nil
			case down.Load():
				return nil, nil, errors.New("down")
			}
			return []string{key}, nil, nil
		}
	}
	store := &slow{Store: memory.New()}
	w := newWorld(t, options{store: store, guard: fail})
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	down.Store(true)
	for _, who := range []string{"carol", "dave", "root", "frank"} {
		w.people.give(key(who), "sre")
		for _, line := range []string{"approve " + id, "deny " + id, "pending"} {
			w.User(who).Say("#ops", "starling "+line)
			w.Idle()
			posts := w.Chat.Posts("#ops")
			require.Contains(t, posts[len(posts)-1].Text, "I cannot look up now who you may decide for", line)
		}
	}
	down.Store(false)
	store.before(func(ops []brain.Op) {
		for _, op := range ops {
			if op.Delete && strings.HasPrefix(op.Key, "_/held/") {
				down.Store(true)
			}
		}
	})
	w.User("carol").Say("#ops", "starling approve "+id)
	w.Idle()
	require.Zero(t, w.ran.Load())
	posts := w.Chat.Posts("#ops")
	require.Contains(t, posts[len(posts)-1].Text, "I cannot look up now who may do that, so the answer is no")
}

// Break-glass is for one person alone: who asks may be it. The role is that person's own, the asker's role is still asked for, and a
// program has no emergencies.
func TestWhoOverrides(t *testing.T) {
	cases := map[string]struct {
		who   string
		kind  adapter.UserKind
		roles map[string][]string
		ran   bool
	}{
		"the asker, with the role":          {who: "bob", roles: map[string][]string{"bob": {"breakglass", "deployer"}}, ran: true},
		"the asker, without it":             {who: "bob"},
		"an approver, without it":           {who: "carol"},
		"an approver, with it":              {who: "carol", roles: map[string][]string{"carol": {"breakglass", "sre"}}, ran: true},
		"a program, with it":                {who: "robot", kind: adapter.KindBot, roles: map[string][]string{"robot": {"breakglass"}}},
		"a deactivated account, with it":    {who: "gone", kind: adapter.KindDeactivated, roles: map[string][]string{"gone": {"breakglass"}}},
		"for an asker who has lost theirs":  {who: "root", roles: map[string][]string{"bob": nil}},
		"for one who has it still, control": {who: "root", ran: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{guard: func(g *guard.Config) { g.BreakGlass = "breakglass" }, config: func(c *starling.Config) { c.HearBots = true }})
			w.User("bob").Say("#ops", "starling deploy api to prod")
			id, _ := w.request("#ops")
			for who, has := range c.roles {
				w.people.give(key(who), has...)
			}
			u := w.User(c.who)
			if c.kind != "" {
				u.Kind = c.kind
			}
			u.Say("#ops", "starling override "+id+" because the site is down")
			w.Idle()
			require.Equal(t, c.ran, w.ran.Load() == 1)
		})
	}
}

// Who passed an approval over has left since: what has not begun does not run on their word.
func TestAttackOverrideOfWhoHasLeft(t *testing.T) {
	root := adapter.User{ID: "u-root", Name: "root", Kind: adapter.KindMember}
	gone, another := root, root
	gone.Kind, another.Tenant = adapter.KindDeactivated, "T9"
	cases := map[string]struct {
		now  adapter.User
		want string
	}{
		"nothing, a control": {root, "deployed api to prod"},
		"deactivated":        {gone, "the consent for that no longer counts"},
		"not known":          {another, "I cannot look up now who may do that, so the answer is no"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &slow{Store: memory.New()}
				o := options{store: store, guard: func(g *guard.Config) { g.BreakGlass = "breakglass" }}
				w := newWorld(t, o)
				w.User("bob").Say("#ops", "starling deploy api to prod")
				id, _ := w.request("#ops")
				reached, end := make(chan struct{}), make(chan struct{})
				t.Cleanup(func() { close(end) })
				var once sync.Once
				store.before(func(ops []brain.Op) {
					for _, op := range ops {
						if strings.HasPrefix(op.Key, "_/run/") && strings.Contains(string(op.Value), `"begun":["deploy"]`) {
							once.Do(func() { close(reached) })
							<-end
						}
					}
				})
				w.User("root").Say("#ops", "starling override "+id+" because the site is down")
				w.ExpectMatch("#ops", "runs "+id)
				await(t, reached)
				w.Kill()
				store.before(nil)
				require.Zero(t, w.ran.Load())
				w.Chat.AddUser(c.now)
				w.Start(func(cfg *starling.Config) { cfg.Router = w.router(o) })
				w.ExpectMatch("#ops", c.want)
				w.Idle()
				require.Equal(t, c.now == root, w.ran.Load() == 1)
			})
		})
	}
}

// A second factor that was taken away (its phone was stolen) counts no longer, however short ago it was given.
func TestAttackFactorTakenAway(t *testing.T) {
	w := newWorld(t, options{deploy: elevated})
	bob := w.User("bob")
	bob.Direct("code 123456")
	w.ExpectMatch("@bob", "That is right")
	bob.Say("#ops", "starling deploy api")
	w.Expect("#ops", "deployed api to staging")
	w.codes.mu.Lock()
	w.codes.none = map[string]bool{key("bob"): true}
	w.codes.mu.Unlock()
	bob.Say("#ops", "starling deploy api")
	w.Expect("#ops", "@bob: that needs a second factor, and you have none. Set one up first: help says how.")
	w.codes.mu.Lock()
	w.codes.none, w.codes.fail = nil, errors.New("down")
	w.codes.mu.Unlock()
	bob.Say("#ops", "starling deploy api")
	w.ExpectMatch("#ops", "I cannot look up now who may do that")
	require.EqualValues(t, 1, w.ran.Load())
}

// groupsOf is a source of roles as a directory of groups is.
type groupsOf struct {
	mu    sync.Mutex
	give  func(u adapter.User) ([]string, error)
	calls int
}

func (d *groupsOf) Roles(_ context.Context, u adapter.User) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	return d.give(u)
}

func (d *groupsOf) set(give func(u adapter.User) ([]string, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.give = give
}

// A directory that fails, panics, gives too much or things that are no roles: who agrees does not count, and what was agreed to does
// not run.
func TestAttackDirectory(t *testing.T) {
	groups := func(u adapter.User) ([]string, error) {
		return map[string][]string{"u-bob": {"deployer"}, "u-carol": {"sre"}}[u.ID], nil
	}
	cases := map[string]func(u adapter.User) ([]string, error){
		"fails":  func(adapter.User) ([]string, error) { return []string{"deployer", "sre"}, errors.New("down") },
		"panics": func(adapter.User) ([]string, error) { panic("down") },
		"gives too much": func(adapter.User) ([]string, error) {
			return strings.Split(strings.Repeat("deployer,sre,", 200), ","), nil
		},
		"gives names": func(adapter.User) ([]string, error) {
			return []string{"@sre", "chat//u-carol", "sre team", "ＳＲＥ", "ſre", "sre\u200b", "carol"}, nil
		},
		"gives admin and member": func(adapter.User) ([]string, error) { return []string{"admin", "member"}, nil },
		"gives those of another one": func(u adapter.User) ([]string, error) {
			return map[string][]string{"u-Carol": {"sre"}, "U-CAROL": {"sre"}}[u.ID], nil
		},
	}
	for name, give := range cases {
		for _, when := range []string{"at the consent", "at the run"} {
			t.Run(name+" "+when, func(t *testing.T) {
				src := &groupsOf{give: groups}
				store := &slow{Store: memory.New()}
				w := newWorld(t, options{store: store, guard: func(c *guard.Config) {
					people, err := roles.New(roles.Config{Brain: c.Brain, Sources: []roles.Source{src}, CacheFor: time.Minute})
					require.NoError(t, err)
					c.Roles = people
				}})
				w.User("bob").Say("#ops", "starling deploy api to prod")
				id, _ := w.request("#ops")
				if when == "at the consent" {
					src.set(give)
				} else {
					store.before(func(ops []brain.Op) {
						for _, op := range ops {
							if op.Delete && strings.HasPrefix(op.Key, "_/held/") {
								src.set(give)
							}
						}
					})
				}
				w.User("carol").Say("#ops", "starling approve "+id)
				w.Idle()
				require.Zero(t, w.ran.Load(), w.Chat.Transcript())
				store.before(nil)
				src.set(groups) // and it is not stuck
				w.User("bob").Say("#dev", "starling deploy docs to prod")
				id, _ = w.request("#dev")
				w.User("carol").Say("#dev", "starling approve "+id)
				w.ExpectMatch("#dev", "all the consent it needs")
				w.Expect("#dev", "deployed docs to prod")
			})
		}
	}
}

// The last consent at the very time at which the request expires: it is run, or it has expired, and the asker is told one of the two.
func TestConsentAtTheLastMoment(t *testing.T) {
	for _, before := range []time.Duration{time.Second, time.Millisecond, 0, -time.Millisecond, -time.Second, -3 * time.Second} {
		t.Run(before.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, options{})
				begun := time.Now()
				w.User("bob").Say("#ops", "starling deploy api to prod")
				_, post := w.request("#ops")
				time.Sleep(time.Until(begun.Add(time.Hour - before)))
				w.User("carol").PressLate(post, "Approve")
				time.Sleep(time.Minute)
				w.Idle()
				said := w.Chat.Transcript()
				ran, expired := w.ran.Load() == 1, strings.Contains(said, "was not decided in time, and does not run")
				require.NotEqual(t, ran, expired, said)
				require.Equal(t, ran, strings.Contains(said, "all the consent it needs"), said)
				if before < 0 {
					require.True(t, expired)
				}
			})
		})
	}
}
