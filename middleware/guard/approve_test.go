package guard_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
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
	"github.com/starlingbot/starling/middleware/guard"
)

// two wants the consent of two sre.
func two(c *handler.Command[deployArgs]) {
	c.When = func(a deployArgs) handler.Policy {
		if a.Env == "prod" {
			return handler.Policy{Approvals: 2, ApprovedBy: "sre"}
		}
		return handler.Policy{}
	}
}

func TestApproveByButton(t *testing.T) {
	w := newWorld(t, options{})
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, post := w.request("#ops")
	require.Equal(t, "@bob asks to run\n```\ndeploy api prod --wait 10m\n```\nIt needs 1 other person with the role sre, within 1h: \"approve "+id+"\" or \"deny "+id+"\".", post.Text)
	require.Zero(t, w.ran.Load())
	w.User("carol").Press(post, "Approve")
	w.Expect("#ops", "@carol agreed to "+id+", which has all the consent it needs.")
	w.Expect("#ops", "deployed api to prod")
	w.Idle()
	require.Equal(t, []string{
		"asked bob deploy:  " + id, "before carol guard/approve: allowed ", "approved carol deploy: approved " + id,
		"after carol guard/approve: allowed done", "before bob deploy: allowed ", "after bob deploy: allowed done",
	}, sorted(w.recorded()))
	for _, r := range w.records() {
		if r.Phase == "before" && r.Route == "deploy" {
			require.Equal(t, key("carol"), r.Approvers[0].Key)
			require.Equal(t, "roles=deployer approvals=1:sre", r.Rule)
			require.Equal(t, "deploy api prod --wait 10m", r.Command)
		}
	}
	w.User("dave").PressLate(post, "Approve")
	w.Expect("#ops", "There is no request "+id+" any more: it was decided, or its time is over.")
	require.EqualValues(t, 1, w.ran.Load())
}

// sorted puts the outcome of approve, which runs beside what it started, before that.
func sorted(lines []string) []string {
	var first, last []string
	for _, l := range lines {
		if strings.Contains(l, " bob deploy: allowed") {
			last = append(last, l)
		} else {
			first = append(first, l)
		}
	}
	return append(first, last...)
}

// T24: who may not agree, and what for.
func TestWhoMayNotAgree(t *testing.T) {
	persons := func(c *guard.Config) {
		c.Person = func(_ context.Context, key string) (now, lately []string, err error) {
			if strings.HasPrefix(key, "chat//u-bob") {
				return []string{"person-bob"}, nil, nil
			}
			return []string{key}, nil, nil
		}
	}
	cases := map[string]struct {
		who   string
		kind  adapter.UserKind
		roles []string
		want  string
	}{
		"the asker":                         {who: "bob", roles: []string{"deployer", "sre"}, want: "@bob: somebody else must agree to what you ask for."},
		"the asker's other account":         {who: "bobby", roles: []string{"sre"}, want: "@bobby: somebody else must agree to what you ask for."},
		"somebody without the role":         {who: "eve", want: "@eve: your consent does not count for that. It needs 1 other person with the role sre."},
		"a role that only looks like it":    {who: "eve", roles: []string{"sre2"}, want: "@eve: your consent does not count for that. It needs 1 other person with the role sre."},
		"a bot with the role":               {who: "robot", kind: adapter.KindBot, roles: []string{"sre"}, want: "I do not know this account as that of a person who may agree."},
		"a deactivated account with it":     {who: "gone", kind: adapter.KindDeactivated, roles: []string{"sre"}, want: "I do not know this account as that of a person who may agree."},
		"T2 a name like that of who may":    {who: "mallory", want: "@carol: your consent does not count for that. It needs 1 other person with the role sre."},
		"somebody with the role, a control": {who: "carol", roles: []string{"sre"}, want: "agreed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{guard: persons, config: func(cfg *starling.Config) { cfg.HearBots = true }})
			carol, u := w.User("carol"), w.User(c.who)
			if c.who == "mallory" {
				u.Name = "carol"
			}
			if c.kind != "" {
				u.Kind = c.kind
			}
			if c.roles != nil {
				w.people.give(key(c.who), c.roles...)
			}
			w.User("bob").Say("#ops", "starling deploy api to prod")
			id, post := w.request("#ops")
			u.Press(post, "approve")
			if c.want == "agreed" {
				w.Expect("#ops", "@carol agreed to "+id+", which has all the consent it needs.")
				w.Expect("#ops", "deployed api to prod")
				return
			}
			w.Expect("#ops", c.want)
			u.Say("#dev", "starling approve "+id)
			w.Expect("#dev", c.want)
			require.Zero(t, w.ran.Load())
			carol.Press(post, "approve")
			w.ExpectMatch("#ops", "agreed")
			w.Expect("#ops", "deployed api to prod")
		})
	}
}

// k of n: two persons, one of whom has two accounts, which count once.
func TestTwoMustAgree(t *testing.T) {
	w := newWorld(t, options{deploy: two, guard: func(c *guard.Config) {
		c.Person = func(_ context.Context, key string) (now, lately []string, err error) {
			return []string{strings.TrimSuffix(key, "2")}, nil, nil
		}
	}})
	w.people.give(key("carol2"), "sre")
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, post := w.request("#ops")
	w.User("carol").Press(post, "Approve")
	w.Expect("#ops", "@carol agreed to "+id+". It still needs 1 other person with the role sre.")
	w.User("carol").Press(post, "Approve")
	w.Expect("#ops", "@carol: you have agreed to "+id+" already.")
	w.User("carol2").Press(post, "Approve")
	w.Expect("#ops", "@carol2: you have agreed to "+id+" already.")
	require.Zero(t, w.ran.Load())
	w.User("dave").Say("#dev", "starling approve "+strings.ToUpper(id))
	w.Expect("#dev", "@dave agreed to "+id+", which has all the consent it needs.")
	w.Expect("#ops", "deployed api to prod")
}

func TestDenyCancelPending(t *testing.T) { synctest.Test(t, denyCancelPending) }

func denyCancelPending(t *testing.T) {
	w := newWorld(t, options{})
	bob, carol, eve := w.User("bob"), w.User("carol"), w.User("eve")
	bob.Say("#ops", "starling deploy api to prod")
	id, post := w.request("#ops")
	bob.Say("#ops", "starling deploy api to prod")
	w.Expect("#ops", "@bob: that waits for consent already, as "+id+".")

	carol.Say("#ops", "starling pending")
	list := id + " of bob needs 1 other person with the role sre; 0 agreed; until 2000-01-01 01:00 UTC\n```\ndeploy api prod --wait 10m\n```"
	w.ExpectWhisper("#ops", "carol", list)
	eve.Say("#ops", "starling pending")
	w.ExpectWhisper("#ops", "eve", "Nothing waits for you.")
	bob.Say("#ops", "starling pending")
	w.ExpectWhisper("#ops", "bob", list)

	eve.Press(post, "Deny")
	w.Expect("#ops", "@eve: your consent does not count for that. It needs 1 other person with the role sre.")
	eve.Say("#ops", "starling cancel "+id)
	w.Expect("#ops", "@eve: only who asked for "+id+" can cancel it. Others deny it.")
	carol.Say("#dev", "starling deny "+id)
	w.Expect("#ops", "@carol denied "+id+" of @bob.")
	w.Expect("#dev", "@carol denied "+id+" of @bob.")
	carol.PressLate(post, "Approve")
	w.Expect("#ops", "There is no request "+id+" any more: it was decided, or its time is over.")

	bob.Say("#ops", "starling deploy api to prod")
	id, _ = w.request("#ops")
	bob.Say("#ops", "starling cancel "+id)
	w.Expect("#ops", "@bob canceled "+id+".")
	bob.Say("#ops", "starling deploy api to prod")
	id, _ = w.request("#ops")
	bob.Say("#ops", "starling deny "+id)
	w.Expect("#ops", "@bob canceled "+id+".")
	require.Zero(t, w.ran.Load())
	w.ExpectSilence()
	require.Contains(t, w.recorded(), "denied carol deploy: denied "+requestID(t, post.Text))
	require.Contains(t, w.recorded(), "denied bob deploy: canceled "+id)
}

// A request that nobody decides ends, and its asker is told.
func TestRequestExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{})
		w.User("bob").Say("#ops", "starling deploy api to prod")
		id, post := w.request("#ops")
		time.Sleep(59 * time.Minute)
		w.ExpectSilence()
		time.Sleep(2 * time.Minute)
		w.Expect("#ops", "@bob: "+id+" was not decided in time, and does not run:\n```\ndeploy api prod --wait 10m\n```")
		w.User("carol").PressLate(post, "Approve")
		w.Expect("#ops", "There is no request "+id+" any more: it was decided, or its time is over.")
		require.Zero(t, w.ran.Load())
		require.Contains(t, w.recorded(), "denied  deploy: expired "+id)
	})
}

// stuck is a store whose sweeps find nothing due: as if the bot were too busy for them.
type stuck struct{ brain.Store }

func (s stuck) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	if prefix == "_/due/" {
		return func(func(brain.Entry, error) bool) {}
	}
	return s.Store.List(ctx, prefix)
}

// An expired request is over even before somebody has cleared it away.
func TestExpiredBeforeTheSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{store: stuck{memory.New()}})
		w.User("bob").Say("#ops", "starling deploy api to prod")
		id, post := w.request("#ops")
		time.Sleep(time.Hour + time.Second)
		w.User("carol").Press(post, "Approve")
		w.Expect("#ops", "There is no request "+id+" any more: it was decided, or its time is over.")
		require.Zero(t, w.ran.Load())
	})
}

// What waits survives a restart; the last word and the run can be on different sides of a crash.
func TestRequestSurvives(t *testing.T) {
	for _, how := range []string{"restart", "kill"} {
		t.Run(how, func(t *testing.T) {
			o := options{deploy: two}
			w := newWorld(t, o)
			again := func() {
				if how == "kill" {
					w.Kill()
					w.Start(func(c *starling.Config) { c.Router = w.router(o) })
				} else {
					w.Restart(func(c *starling.Config) { c.Router = w.router(o) })
				}
			}
			w.User("bob").Say("#ops", "starling deploy api to prod")
			id, post := w.request("#ops")
			w.Idle()
			again()
			w.User("carol").Press(post, "Approve")
			w.ExpectMatch("#ops", "It still needs 1 other person")
			w.Idle()
			again()
			w.User("dave").Press(post, "Approve")
			w.Expect("#ops", "@dave agreed to "+id+", which has all the consent it needs.")
			w.Expect("#ops", "deployed api to prod")
			w.Idle()
			again()
			w.ExpectSilence()
			require.EqualValues(t, 1, w.ran.Load())
		})
	}
}

// Break-glass: with the role and a reason, announced and on record; not without any of these.
func TestOverride(t *testing.T) {
	w := newWorld(t, options{guard: func(c *guard.Config) {
		c.BreakGlass, c.Room = "breakglass", adapter.Address{Adapter: "chat", Room: "c-security"}
	}})
	w.Room("#security")
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	w.User("eve").Say("#ops", "starling override "+id+" because the site is down")
	w.Expect("#ops", "@eve: that needs the role breakglass.")
	w.User("root").Say("#ops", "starling override "+id+" because x")
	w.Expect("#ops", "@root: say why, in a few words: override "+id+" because ...")
	w.book.break_(context.DeadlineExceeded)
	w.User("root").Say("#ops", "starling override "+id+" because the site is down")
	w.ExpectMatch("#ops", "that cannot be recorded now, so it does not happen")
	w.book.break_(nil)
	require.Zero(t, w.ran.Load())
	w.User("root").Say("#dev", "starling override "+id+" because the site is down")
	note := "**@root runs " + id + " of @bob without the consent it needs**, because: the site is down\n```\ndeploy api prod --wait 10m\n```"
	w.Expect("#dev", note)
	w.Expect("#security", note)
	w.Idle()
	var said []string // what is announced and what it started come side by side
	for _, p := range w.Chat.Posts("#ops") {
		said = append(said, p.Text)
	}
	require.Contains(t, said, note)
	require.Contains(t, said, "deployed api to prod")
	require.EqualValues(t, 1, w.ran.Load())
	require.Contains(t, w.recorded(), "breakglass root deploy: override "+id)
	require.Contains(t, w.recorded(), "before bob deploy: overridden ")
	for _, r := range w.records() {
		if r.Phase == "breakglass" {
			require.Equal(t, "the site is down", r.Reason)
		}
	}
}

// The role is asked for by the command itself, whatever the operator makes of its policy, and again when the request runs.
func TestOverrideAsksForTheRoleItself(t *testing.T) {
	store := &slow{Store: memory.New()}
	w := newWorld(t, options{store: store, guard: func(c *guard.Config) { c.BreakGlass = "breakglass" }, config: func(c *starling.Config) {
		c.Policies = starling.Rules{"guard/override": {Policy: handler.Policy{In: []string{"c-ops"}}, Replace: true}}
	}})
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	w.User("eve").Say("#ops", "starling override "+id+" because the site is down")
	w.Expect("#ops", "@eve: that needs the role breakglass.")
	store.before(func(ops []brain.Op) {
		for _, op := range ops {
			if op.Delete && strings.HasPrefix(op.Key, "_/held/") {
				w.people.give(key("root"))
			}
		}
	})
	w.User("root").Say("#ops", "starling override "+id+" because the site is down")
	w.ExpectMatch("#ops", "without the consent it needs")
	w.Expect("#ops", "@bob: the consent for that no longer counts: it needs 1 other person with the role sre. Say it again.")
	require.Zero(t, w.ran.Load())
}

// What was decided and cannot be recorded is told to the log: of an approval, a denial, a wrong code and the end of a request's time.
func TestUnrecordedIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ends bytes.Buffer
		w := newWorld(t, options{guard: func(c *guard.Config) { c.Logger = slog.New(slog.NewTextHandler(&ends, nil)) }})
		ask := func() string {
			t.Helper()
			w.book.break_(nil)
			w.User("bob").Say("#ops", "starling deploy api to prod")
			id, _ := w.request("#ops")
			w.book.break_(errors.New("disk full"))
			return id
		}
		logged := func(want string) {
			t.Helper()
			w.Idle()
			require.Regexp(t, `msg="what was decided could not be audited".* `+want+`.*disk full`, w.Log())
		}
		id := ask()
		w.User("carol").Say("#dev", "starling approve "+id)
		logged("phase=approved decision=approved request=" + id + " by=chat//u-carol")
		w.Expect("#ops", "deployed api to prod")
		id = ask()
		w.User("carol").Say("#dev", "starling deny "+id)
		logged("phase=denied decision=denied request=" + id + " by=chat//u-carol")
		w.Expect("#ops", "@carol denied "+id+" of @bob.")
		w.User("bob").Direct("code 000000")
		logged("phase=denied decision=denied request=\"\" by=chat//u-bob")
		id = ask()
		time.Sleep(time.Hour + time.Minute)
		w.Idle()
		require.Regexp(t, `msg="what was decided could not be audited" phase=denied decision=expired request=`+id+` .*disk full`, ends.String())
	})
}

func TestNoOverrideUnlessTheOwnerWants(t *testing.T) {
	w := newWorld(t, options{})
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	w.User("root").Say("#ops", "starling override "+id+" because the site is down")
	w.Expect("#ops", "I don't know that. Type help for what I can do.")
	require.Zero(t, w.ran.Load())
}

// A request that is made in private is put where others see it, if there is such a place.
func TestAskedInPrivate(t *testing.T) {
	w := newWorld(t, options{guard: func(c *guard.Config) { c.Room = adapter.Address{Adapter: "chat", Room: "c-ops"} }})
	w.Room("#ops")
	w.User("bob").Direct("deploy api to prod")
	id, post := w.request("#ops")
	w.Expect("@bob", "I have put "+id+" to others: it needs 1 other person with the role sre.")
	w.User("carol").Press(post, "Approve")
	w.Expect("@bob", "deployed api to prod")

	w = newWorld(t, options{})
	w.User("bob").Direct("deploy api to prod")
	p := w.ExpectMatch("@bob", "Nobody sees this but you")
	w.User("carol").Direct("approve " + requestID(t, p.Text))
	w.ExpectMatch("@carol", "agreed")
	w.Expect("@bob", "deployed api to prod")
}

// A person may not make the bot keep requests without end.
func TestTooManyRequests(t *testing.T) {
	w := newWorld(t, options{})
	for i := range 20 {
		w.User("bob").Say("#ops", fmt.Sprintf("starling deploy s%d to prod", i))
		w.request("#ops")
	}
	w.User("bob").Say("#ops", "starling deploy more to prod")
	w.Expect("#ops", "Too many requests wait already. Cancel one, or wait until some are decided.")
	w.User("dave").Say("#ops", "starling deploy other to prod")
	w.request("#ops")
}
