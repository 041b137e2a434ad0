// Ways around the policy that somebody found, each closed: the comments say what was done.

package guard_test

import (
	"context"
	"encoding/json"
	"strings"
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
	"github.com/starlingbot/starling/handler/audit"
	"github.com/starlingbot/starling/handler/roles"
	"github.com/starlingbot/starling/middleware/guard"
	"github.com/starlingbot/starling/testutil"
)

type secretArgs struct {
	Service string         `arg:"service"`
	Token   handler.Secret `arg:"token" secret:""`
}

type dirGroups struct {
	roles []string
	none  atomic.Bool
}

func (g *dirGroups) Roles(context.Context, adapter.User) ([]string, error) {
	if g.none.Load() {
		return nil, nil
	}
	return g.roles, nil
}

// hanging is an audit log that does not answer for consents.
type hanging struct {
	*book
	on    atomic.Bool
	asked chan struct{}
}

func (h *hanging) Append(ctx context.Context, r audit.Record) error {
	if r.Phase == audit.PhaseApproved && h.on.Load() {
		h.asked <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	return h.book.Append(ctx, r)
}

// The process dies when a consent is counted: no record says who agreed.
func TestAttackConsentUnaudited(t *testing.T) {
	h := &hanging{asked: make(chan struct{}, 10)}
	h.on.Store(true)
	var w *world
	o := options{deploy: two, guard: func(c *guard.Config) { h.book = c.Audit.(*book); c.Audit = h }}
	w = newWorld(t, o)
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	w.User("carol").Say("#ops", "starling approve "+id)
	await(t, h.asked)
	w.Kill()
	h.on.Store(false)
	w.Bot.Start(func(c *starling.Config) { c.Router = w.router(o) })
	w.ExpectMatch("#ops", "carol agreed to")
	w.Idle()
	found := 0
	for _, r := range w.records() {
		if r.Phase == audit.PhaseApproved {
			found++
		}
	}
	require.Equal(t, 1, found)
}

// A line that fits no single message is split by the platform's renderer; its end can look like a request of its own.
func TestAttackLongLineIsNotPutToOthers(t *testing.T) {
	w := newWorld(t, options{})
	w.User("bob").Say("#ops", "starling deploy api to prod --note \""+strings.Repeat("x", 1964)+" deploy docs staging --wait 10m\"")
	w.ExpectMatch("#ops", "too long to be shown")
}

// A command line that is too long leaves no trace in the audit log.
func TestAttackHugeLineLeavesNoRecord(t *testing.T) {
	log, err := audit.New(audit.Config{Brain: brain.New(memory.New()).Namespace("audit"), Key: handler.NewSecret("cnrymark" + strings.Repeat("k", 40))})
	require.NoError(t, err)
	defer log.Close(context.Background())
	w := newWorld(t, options{guard: func(c *guard.Config) { c.Audit = log }})
	w.User("bob").Say("#ops", "starling deploy api --note \""+strings.Repeat("<", 12000)+"\"")
	w.Expect("#ops", "deployed api to staging")
	w.User("eve").Say("#ops", "starling deploy api --note \""+strings.Repeat("<", 12000)+"\"")
	w.ExpectMatch("#ops", "needs the role")
	w.Idle()
	n := 0
	for rec, err := range log.Records(context.Background(), audit.Filter{}) {
		require.NoError(t, err)
		t.Log(rec.Phase, rec.Who, rec.Route, len(rec.Command))
		n++
	}
	require.Equal(t, 3, n)
}

// A route of other events shows nothing of what is agreed to.
func TestAttackReactionIsNotShown(t *testing.T) {
	w := newWorld(t, options{routes: func(w *world, rt *handler.Router) {
		r := rt.On(adapter.KindReaction, func(ctx context.Context, r *handler.Request) error {
			return r.Reply(ctx, "did %s", r.Event.Reaction.Emoji)
		})
		r.Policy = handler.Policy{Approvals: 1, ApprovedBy: "sre"}
	}})
	p := w.User("dave").Say("#ops", "hello")
	_ = p
	w.User("bob").React(p, "bomb")
	_, post := w.request("#ops")
	t.Log(post.Text)
	require.Contains(t, post.Text, "bomb")
}

// Where buttons are a numbered list, a number agrees to whatever was asked last, and not to what was read.
func TestAttackNumberAgreesToAnotherRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := testutil.NewChat(testutil.ChatConfig{}).Features()
		f.Buttons = false
		w := newWorld(t, options{chat: testutil.ChatConfig{Features: f}})
		w.User("bob").Say("#ops", "starling deploy docs to prod")
		w.request("#ops") // carol reads this, and types 1; meanwhile
		w.User("dave").Say("#ops", "starling deploy payments to prod --note evil")
		w.request("#ops")
		w.User("carol").Say("#ops", "1")
		w.Idle()
		require.Zero(t, w.ran.Load(), "a number was consent")
	})
}

// Files are not in what is agreed to.
func TestAttackFiles(t *testing.T) {
	w := newWorld(t, options{routes: func(w *world, rt *handler.Router) {
		rt.Add(handler.Command[handler.None]{Name: "restore", Summary: "Restore.", Policy: handler.Policy{Approvals: 1, ApprovedBy: "sre"},
			Run: func(ctx context.Context, r *handler.Request, a handler.None) error {
				return r.Reply(ctx, "restored %s", r.Event.Files[0].Name)
			}})
	}})
	w.User("bob").Share("#ops", "starling restore", testutil.File{Name: "evil.sql", Data: []byte("drop")})
	_, post := w.request("#ops")
	t.Log(post.Text)
	require.Contains(t, post.Text, "evil.sql")
}

// why shows and audits the secret in the line that it explains.
func TestAttackWhyLeaksSecret(t *testing.T) {
	w := newWorld(t, options{routes: func(w *world, rt *handler.Router) {
		rt.Add(handler.Command[secretArgs]{Name: "rotate", Summary: "Rotate.", Policy: handler.Policy{Roles: []string{"sre"}},
			Run: func(ctx context.Context, r *handler.Request, a secretArgs) error { return nil }})
		ro, err := roles.New(roles.Config{Brain: brain.New(w.store).Namespace("roles")})
		require.NoError(t, err)
		ro.UseExplainer(w.guard)
		rt.Mount("roles", ro.Routes())
	}, chat: testutil.ChatConfig{Moderates: true}})
	said := w.User("bob").Say("#ops", "starling why me rotate api cnrymark2")
	w.Idle()
	out, _ := json.Marshal(w.records())
	require.NotContains(t, string(out), "cnrymark2")
	require.Equal(t, 1, strings.Count(w.Chat.Transcript(), "cnrymark2"), "in what bob said alone")
	require.True(t, said.Deleted())
}

func TestAttackHearAuditsSecret(t *testing.T) {
	w := newWorld(t, options{routes: func(w *world, rt *handler.Router) {
		rt.Add(handler.Command[secretArgs]{Name: "rotate", Summary: "Rotate.",
			Run: func(ctx context.Context, r *handler.Request, a secretArgs) error { return r.Reply(ctx, "rotated") }})
		rt.Hear(`prod`, func(ctx context.Context, r *handler.Request) error { return nil }).Policy = handler.Policy{Roles: []string{"deployer"}}
	}})
	w.User("bob").Direct("rotate prod-db cnrymark2")
	w.Expect("@bob", "rotated")
	w.Idle()
	for _, r := range w.records() {
		require.NotContains(t, r.Command, "cnrymark2", r.Route)
	}
}

// A rule of the operator on the route of answers puts secrets into the audit log.
func TestAttackRuleOnAnswer(t *testing.T) {
	w := newWorld(t, options{
		config: func(c *starling.Config) {
			c.Policies = starling.Rules{"answer": {Policy: handler.Policy{Roles: []string{"deployer"}}}}
		},
		routes: func(w *world, rt *handler.Router) {
			rt.Add(handler.Command[secretArgs]{Name: "rotate", Summary: "Rotate.",
				Run: func(ctx context.Context, r *handler.Request, a secretArgs) error { return r.Reply(ctx, "rotated") }})
		}})
	w.User("bob").Direct("rotate api")
	w.Expect("@bob", "Which token?")
	w.User("bob").Direct("cnrymark2")
	w.Expect("@bob", "rotated")
	w.Idle()
	for _, r := range w.records() {
		require.NotContains(t, r.Command, "cnrymark2", r.Route)
	}
}

// Outgoing middleware does not see the closing text.
func TestAttackOutgoingBypass(t *testing.T) {
	w := newWorld(t, options{routes: func(w *world, rt *handler.Router) {
		rt.Outgoing(func(next handler.Send) handler.Send {
			return func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
				c := *m
				c.Text = strings.ReplaceAll(c.Text, "xoxb-1", "***")
				return next(ctx, &c)
			}
		})
	}})
	w.User("bob").Say("#ops", "starling deploy api to prod --note xoxb-1")
	_, post := w.request("#ops")
	require.NotContains(t, post.Text, "xoxb-1")
	w.User("carol").Press(post, "Approve")
	w.Idle()
	require.NotContains(t, w.Chat.Transcript(), "xoxb-1 --wait")
}

// Announcing an override is lost with the process.
func TestAttackOverrideUnannounced(t *testing.T) {
	o := options{guard: func(c *guard.Config) {
		c.BreakGlass = "breakglass"
		c.Room = adapter.Address{Adapter: "chat", Room: "c-security"}
	}}
	w := newWorld(t, o)
	chat := w.Chat
	w.Room("#security")
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	tried := make(chan struct{}, 100)
	chat.FailSends(func(n int, m *adapter.Message) error {
		if m.To.Room == "c-security" {
			tried <- struct{}{}
			return adapter.ErrUnavailable
		}
		return nil
	})
	w.User("root").Direct("override " + id + " because the house is on fire")
	await(t, tried)
	w.Kill()
	chat.FailSends(nil)
	w.Bot.Start(func(c *starling.Config) { c.Router = w.router(o) })
	p := w.ExpectMatch("#security", "without the consent it needs")
	t.Log(p.Text)
}

// The process dies when a denial is done: who asked is not told, and no record says who denied.
func TestAttackDenyAfterCrash(t *testing.T) {
	o := options{}
	w := newWorld(t, o)
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	tried := make(chan struct{}, 100)
	w.Chat.FailSends(func(n int, m *adapter.Message) error {
		if strings.Contains(m.Text, "denied") && m.To.Room == "c-ops" {
			tried <- struct{}{}
			return adapter.ErrUnavailable
		}
		return nil
	})
	w.User("carol").Direct("deny " + id)
	await(t, tried)
	w.Kill()
	w.Chat.FailSends(nil)
	w.Bot.Start(func(c *starling.Config) { c.Router = w.router(o) })
	w.ExpectMatch("#ops", "denied")
}

// Elevate 150 ms, consent after a longer time.
func TestAttackFactorAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{deploy: func(c *handler.Command[deployArgs]) {
			c.Policy.Elevate = 5 * time.Minute
		}})
		bob := w.User("bob")
		bob.Say("#ops", "starling deploy api to prod")
		w.ExpectMatch("@bob", "To run this")
		bob.Direct("code 123456")
		w.ExpectMatch("@bob", "That is right")
		w.ExpectMatch("#ops", "I have asked you for your second factor")
		_, post := w.request("#ops")
		time.Sleep(6 * time.Minute)
		w.User("carol").Press(post, "Approve")
		w.ExpectMatch("#ops", "all the consent it needs")
		w.Idle()
		require.Zero(t, w.ran.Load(), "ran with a factor that is older than the policy allows")
	})
}

// Consent is lost when the second factor has become too old meanwhile.
func TestAttackConsentLostByOldFactor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{deploy: func(c *handler.Command[deployArgs]) {
			c.Policy.Elevate = 5 * time.Minute
		}})
		bob := w.User("bob")
		bob.Direct("code 123456") // before he asks
		w.ExpectMatch("@bob", "That is right")
		bob.Say("#ops", "starling deploy api to prod")
		_, post := w.request("#ops")
		time.Sleep(6 * time.Minute)
		w.User("carol").Press(post, "Approve")
		w.ExpectMatch("#ops", "all the consent it needs")
		w.ExpectMatch("@bob", "To run this")
		w.codes.mu.Lock()
		w.codes.right = "654321"
		w.codes.mu.Unlock()
		bob.Direct("code 654321")
		w.ExpectMatch("#ops", "I have asked you for your second factor")
		w.ExpectMatch("#ops", "deployed api to prod")
	})
}

// A role that was taken away opens what is Exclusive for as long as an answer is remembered.
func TestAttackExclusiveIsNotFresh(t *testing.T) {
	src := &dirGroups{roles: []string{"deployer"}}
	var people *roles.Roles
	w := newWorld(t, options{
		guard: func(c *guard.Config) {
			var err error
			people, err = roles.New(roles.Config{Brain: c.Brain, Sources: []roles.Source{src}, CacheFor: time.Minute})
			if err != nil {
				panic(err)
			}
			c.Roles = people
		},
		deploy: func(c *handler.Command[deployArgs]) {
			c.When = nil
			c.Exclusive = func(a deployArgs) string { return a.Service }
		},
	})
	w.User("bob").Say("#ops", "starling deploy api")
	w.Expect("#ops", "deployed api to staging")
	src.none.Store(true)
	w.User("bob").Say("#ops", "starling deploy api")
	w.ExpectMatch("#ops", "needs the role")
}

// A role that was taken away while a confirmation was waited for.
func TestAttackConfirmIsNotFresh(t *testing.T) {
	src := &dirGroups{roles: []string{"deployer"}}
	w := newWorld(t, options{
		guard: func(c *guard.Config) {
			people, err := roles.New(roles.Config{Brain: c.Brain, Sources: []roles.Source{src}, CacheFor: time.Minute})
			if err != nil {
				panic(err)
			}
			c.Roles = people
		},
		deploy: func(c *handler.Command[deployArgs]) {
			c.When = nil
			c.Confirm = func(a deployArgs) string { return "Sure?" }
		},
	})
	w.User("bob").Say("#ops", "starling deploy api")
	w.ExpectMatch("#ops", "Sure")
	src.none.Store(true)
	w.User("bob").Say("#ops", "yes")
	w.ExpectMatch("#ops", "needs the role")
}

// A request of one platform that is put to others on another one mentions a stranger.
func TestAttackCrossAdapterMention(t *testing.T) {
	other := testutil.NewChat(testutil.ChatConfig{Name: "other"})
	other.AddUser(adapter.User{ID: "u-bob", Name: "victim"})
	room := other.AddRoom(adapter.Room{ID: "c-sre", Name: "sre"})
	texts := make(chan string, 10)
	w := newWorld(t, options{
		guard:  func(c *guard.Config) { c.Room = adapter.Address{Adapter: "other", Room: room.ID} },
		config: func(c *starling.Config) { c.Adapters = append(c.Adapters, other) },
		routes: func(w *world, rt *handler.Router) {
			rt.Outgoing(func(next handler.Send) handler.Send {
				return func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
					if m.To.Adapter == "other" {
						texts <- m.Text
					}
					return next(ctx, m)
				}
			})
		},
	})
	w.User("bob").Direct("deploy api to prod")
	w.ExpectMatch("@bob", "I have put")
	w.Idle()
	require.NotContains(t, <-texts, adapter.Mention(adapter.User{ID: "u-bob", Name: "bob"}))
	require.Empty(t, texts)
}

// Spaces that are not the space look like it.
func TestAttackSpaces(t *testing.T) {
	w := newWorld(t, options{})
	lines := map[string]bool{}
	for _, s := range []string{" ", "\u00a0", "\u2007", "\u3000"} {
		w.User("bob").Say("#ops", "starling deploy api to prod --note \"a"+s+"b\"")
		p := w.ExpectMatch("#ops", "asks to run")
		lines[p.Text] = true
		require.Equal(t, s != " ", strings.Contains(p.Text, "<U+"), "%+q", p.Text)
	}
	require.Len(t, lines, 4)
}

// why shows what a panic was with.
func TestAttackWhyShowsPanic(t *testing.T) {
	w := newWorld(t, options{
		deploy: func(c *handler.Command[deployArgs]) {
			c.When = func(a deployArgs) handler.Policy { panic("postgres://u:hunter2@h") }
		},
		routes: func(w *world, rt *handler.Router) {
			ro, err := roles.New(roles.Config{Brain: brain.New(w.store).Namespace("roles")})
			if err != nil {
				panic(err)
			}
			ro.UseExplainer(w.guard)
			rt.Mount("roles", ro.Routes())
		}})
	w.User("bob").Direct("why me deploy api")
	p := w.ExpectMatch("@bob", "may not")
	require.NotContains(t, p.Text, "hunter2")
}

// A code that was shown to a room still counts.
func TestAttackCodeInRoom(t *testing.T) {
	w := newWorld(t, options{})
	w.User("bob").Say("#ops", "starling code 123456")
	w.ExpectMatch("#ops", "not here")
	w.User("bob").Direct("code 123456")
	w.ExpectMatch("@bob", "that code does not count")
}

// An approval of a deactivated account.
func TestAttackStaleKind(t *testing.T) {
	w := newWorld(t, options{deploy: func(c *handler.Command[deployArgs]) {
		c.When = func(a deployArgs) handler.Policy { return handler.Policy{Approvals: 2} }
	}})
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	w.User("eve").Say("#ops", "starling approve "+id)
	w.ExpectMatch("#ops", "eve agreed to .* It still needs")
	w.User("eve").Kind = adapter.KindDeactivated
	w.Chat.AddUser(adapter.User{ID: "u-eve", Name: "eve", Kind: adapter.KindDeactivated})
	w.User("carol").Say("#ops", "starling approve "+id)
	w.ExpectMatch("#ops", "carol agreed to .* It still needs")
}
