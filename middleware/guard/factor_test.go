package guard_test

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/starlingbot/starling/brain/sealed"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/otp"
	"github.com/starlingbot/starling/internal/totp"
	"github.com/starlingbot/starling/middleware/guard"
	"github.com/starlingbot/starling/testutil"
)

// elevated makes deploy ask for a second factor that is at most ten minutes old.
func elevated(c *handler.Command[deployArgs]) { c.Policy.Elevate, c.When = 10*time.Minute, nil }

const askCode = "To run this, say \"code\" and what your app shows to me here, such as \"code 123456\", within 5m:\n```\ndeploy api staging --wait 10m\n```"

const released = "That is right. This goes on:\n```\ndeploy api staging --wait 10m\n```"

func TestSecondFactor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{deploy: elevated})
		bob := w.User("bob")
		bob.Say("#ops", "starling deploy api")
		w.Expect("@bob", askCode)
		w.Expect("#ops", "@bob: I have asked you for your second factor in private.")
		bob.Direct("code 999999")
		w.Expect("@bob", "@bob: that code does not count: it is wrong, too old, or was used. After several wrong ones none counts for a while.")
		require.Zero(t, w.ran.Load())
		// Somebody else's code is not bob's.
		w.User("carol").Direct("code 123456")
		w.Expect("@carol", "That is right. Nothing waits for it; say now what needs it.")
		w.ExpectSilence()
		time.Sleep(time.Second)
		bob.Say("#ops", "starling deploy web")
		id := requestID(t, w.ExpectMatch("@bob", `"code 123456 req-[a-z0-9]+"(?s:.*)deploy web`).Text)
		w.Expect("#ops", "@bob: I have asked you for your second factor in private.")
		require.Zero(t, w.ran.Load())
		bob.Direct("code 123456 " + id)
		w.Expect("@bob", "That is right. This goes on:\n```\ndeploy web staging --wait 10m\n```\nThese waited, too, and do not run. Say again what you want of them:\n- `deploy api staging --wait 10m`")
		w.Expect("#ops", "deployed web to staging")
		bob.Say("#ops", "starling deploy api")
		w.Expect("#ops", "deployed api to staging")
		// The window is open, and closes.
		time.Sleep(9 * time.Minute)
		bob.Say("#ops", "starling deploy api")
		w.Expect("#ops", "deployed api to staging")
		time.Sleep(2 * time.Minute)
		bob.Say("#ops", "starling deploy api")
		w.Expect("@bob", askCode)
		w.Expect("#ops", "@bob: I have asked you for your second factor in private.")
		bob.Direct("code 123456") // which was used
		w.ExpectMatch("@bob", "does not count")
		require.EqualValues(t, 3, w.ran.Load())
		// Nobody gives one: the asker is told.
		time.Sleep(6 * time.Minute)
		w.ExpectMatch("#ops", "was not decided in time, and does not run")
		for _, line := range w.records() {
			require.NotContains(t, line.Command+line.Error, "123456")
			require.NotContains(t, line.Command+line.Error, "999999")
		}
	})
}

// A code that is said in a room does not count, and is deleted where the platform lets the bot.
func TestCodeInARoom(t *testing.T) {
	for _, deletes := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := &world{t: t, people: &people{}, book: &book{}, codes: &codes{right: "123456"}, store: memory.New(), deploys: make(chan deployArgs, 1)}
			w.people.give("chat//bob", "deployer")
			s := newSource("chat")
			var a adapter.Adapter = s
			if !deletes {
				a = struct{ adapter.Adapter }{s}
			}
			run(t, starling.Config{Router: w.router(options{deploy: elevated}), Brain: brain.New(w.store), Adapters: []adapter.Adapter{a}}, s)
			code := &adapter.Event{ID: "1", Kind: adapter.KindMessage, MessageID: "m1", Room: adapter.Room{ID: "ops", Kind: adapter.RoomChannel},
				User: adapter.User{ID: "bob", Name: "bob", Kind: adapter.KindMember}, Text: "starling code 123456"}
			require.NoError(t, s.feed(ctx, code))
			synctest.Wait()
			require.Equal(t, "@bob: not here. Say a code to me in private alone, and wait for the next one.", adapter.PlainText(s.said()[0].Text))
			require.Len(t, w.codes.used, 1) // nobody can use what they have read
			if deletes {
				require.Equal(t, []string{"m1"}, s.deleted)
			}
		})
	}
}

// Everything that is not a yes is no.
func TestSecondFactorFails(t *testing.T) {
	cases := map[string]struct {
		set  func(w *world)
		want string
	}{
		"not enrolled":    {func(w *world) { w.codes.none = map[string]bool{key("bob"): true} }, "@bob: that needs a second factor, and you have none. Set one up first: help says how."},
		"the brain fails": {func(w *world) { w.codes.fail = errors.New("down") }, "I cannot look up now who may do that, so the answer is no"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{deploy: elevated})
			c.set(w)
			w.User("bob").Say("#ops", "starling deploy api")
			w.ExpectMatch("#ops", c.want)
			require.Zero(t, w.ran.Load())
			require.Equal(t, []string{"denied bob deploy: denied "}, w.recorded())
		})
	}
}

// Where the bot knows no second factor, and arguments ask for one, it is not the asker who lacks it.
func TestNoFactorInTheBot(t *testing.T) {
	w := newWorld(t, options{guard: func(c *guard.Config) { c.Factor = nil }, deploy: func(c *handler.Command[deployArgs]) {
		c.When = func(deployArgs) handler.Policy { return handler.Policy{Elevate: time.Minute} }
	}})
	w.User("bob").Say("#ops", "starling deploy api")
	w.ExpectMatch("#ops", `^@bob: that needs a second factor, and I know none. Tell who runs me. My log has it under \w{8}\.$`)
	require.Zero(t, w.ran.Load())
	require.Equal(t, []string{"denied bob deploy: denied "}, w.recorded())
}

// Who has no second factor is told so, and not that the code is wrong; and a code is not tried when that cannot be looked up.
func TestCodeOfWhoHasNone(t *testing.T) {
	w := newWorld(t, options{deploy: elevated})
	w.codes.none = map[string]bool{key("bob"): true}
	w.User("bob").Direct("code 123456")
	w.Expect("@bob", "@bob: you have no second factor, so no code counts. Set one up first: help says how.")
	w.codes.none, w.codes.fail = nil, errors.New("down")
	w.User("bob").Direct("code 123456")
	w.ExpectMatch("@bob", `^@bob: I cannot look up now whether you have a second factor, and have not tried the code. Try again in a while. My log has it under \w{8}\.$`)
	require.Contains(t, w.Log(), "down")
	w.codes.fail = nil
	w.User("bob").Direct("code 123456")
	w.Expect("@bob", "That is right. Nothing waits for it; say now what needs it.")
}

// T20: where the bot cannot talk to somebody in private it asks for no code, and says nothing of it to the room.
func TestNoPrivateRoomNoFactor(t *testing.T) {
	w := newWorld(t, options{deploy: elevated, chat: testutil.ChatConfig{Bare: true}})
	w.User("bob").Say("#ops", "starling deploy api")
	w.Expect("#ops", "@bob: that needs a second factor, and I cannot talk to you in private here.")
	w.ExpectSilence()
	require.Zero(t, w.ran.Load())
	w.Idle()
	public := 0
	for _, p := range w.Chat.Posts("#ops") {
		if strings.Contains(p.Text, "say \"code\"") {
			public++
		}
	}
	require.Zero(t, public)
	t.Logf("T20: nobody can be asked in private: %d public posts that ask for a code", public)
	for e, err := range w.store.List(ctx, "_/held/") {
		t.Errorf("what nobody can answer is kept: %s (%v)", e.Key, err)
	}
}

// Confirmation, second factor and approval, in this order, and each over a restart; the roles are read again at the end.
func TestEverythingIsAsked(t *testing.T) {
	o := options{deploy: func(c *handler.Command[deployArgs]) {
		c.Policy.Elevate = 10 * time.Minute
		c.Confirm = func(a deployArgs) string { return "Deploy " + a.Service + "?" }
	}}
	w := newWorld(t, o)
	again := func() {
		w.Idle()
		w.Restart(func(c *starling.Config) { c.Router = w.router(o) })
	}
	bob := w.User("bob")
	bob.Say("#ops", "starling deploy api to prod")
	w.Expect("#ops", "Deploy api? (yes, no)")
	again()
	bob.Say("#ops", "yes")
	w.ExpectMatch("@bob", `say "code"`)
	w.Expect("#ops", "@bob: I have asked you for your second factor in private.")
	again()
	bob.Direct("code 123456")
	w.Expect("@bob", "That is right. This goes on:\n```\ndeploy api prod --wait 10m\n```")
	_, post := w.request("#ops")
	require.Zero(t, w.ran.Load())
	again()
	w.User("carol").Press(post, "Approve")
	w.ExpectMatch("#ops", "all the consent it needs")
	w.Expect("#ops", "deployed api to prod")
	w.Idle()
	require.EqualValues(t, 1, w.ran.Load())
	var phases []string
	for _, r := range w.records() {
		if r.Route == "deploy" {
			phases = append(phases, string(r.Phase))
		}
	}
	require.Equal(t, "asked asked approved before after", strings.Join(phases, " "))
}

// Who may not do it is not asked for anything.
func TestWhoMayNotIsNotAsked(t *testing.T) {
	w := newWorld(t, options{deploy: func(c *handler.Command[deployArgs]) {
		c.Policy.Elevate = 10 * time.Minute
		c.Confirm = func(a deployArgs) string { return "Deploy " + a.Service + "?" }
	}})
	eve := w.User("eve")
	eve.Say("#ops", "starling deploy")
	w.Expect("#ops", "@eve: that needs the role deployer.")
	eve.Say("#ops", "starling deploy api to mars")
	w.Expect("#ops", "@eve: that needs the role deployer.")
	// By what the arguments ask for, too: before the confirmation.
	w = newWorld(t, options{deploy: func(c *handler.Command[deployArgs]) {
		c.When = func(a deployArgs) handler.Policy { return handler.Policy{Roles: []string{"sre"}} }
		c.Confirm = func(a deployArgs) string { return "Deploy " + a.Service + "?" }
	}})
	w.User("bob").Say("#ops", "starling deploy api")
	w.Expect("#ops", "@bob: that needs the role sre.")
}

// What is said twice before the code is given runs once.
func TestSaidTwice(t *testing.T) {
	w := newWorld(t, options{deploy: elevated})
	bob := w.User("bob")
	for range 2 {
		bob.Say("#ops", "starling deploy api")
		w.ExpectMatch("@bob", `say "code"`)
	}
	w.Expect("#ops", "@bob: I have asked you for your second factor in private.")
	bob.Direct("code 123456")
	w.Expect("@bob", released)
	w.Expect("#ops", "deployed api to staging")
	w.ExpectSilence()
	require.EqualValues(t, 1, w.ran.Load())
}

// T24, T25: who has somebody's chat account has a command wait for the code that the owner gives for another one.
func TestAttackQueuedForTheCode(t *testing.T) {
	w := newWorld(t, options{deploy: elevated})
	bob := w.User("bob")
	asked := func() string {
		t.Helper()
		p := w.ExpectMatch("@bob", "To run this")
		w.Expect("#ops", "@bob: I have asked you for your second factor in private.")
		return requestForm.FindString(p.Text)
	}
	bob.Say("#ops", "starling deploy payments --note evil") // with the stolen session
	asked()
	bob.Say("#ops", "starling deploy docs") // the owner
	id := asked()
	bob.Direct("code 123456")
	p := w.ExpectMatch("@bob", `Several commands wait for a code, and it is for one of them\. Say which, such as "code 123456 req-`)
	require.Contains(t, p.Text, "- "+id+": `deploy docs staging --wait 10m`")
	require.Contains(t, p.Text, ": `deploy payments staging --note evil --wait 10m`")
	require.Zero(t, w.ran.Load())
	require.Empty(t, w.codes.used, "it was not tried, and is good still")
	bob.Direct("code 123456 req-zzzzzzzz")
	p = w.ExpectMatch("@bob", "Nothing waits for a code as req-zzzzzzzz. These do:")
	require.Contains(t, p.Text, id)
	require.Empty(t, w.codes.used)
	w.User("carol").Direct("code 123456 " + id) // nor does anybody else's
	w.Expect("@carol", "Nothing waits for a code as "+id+".")
	bob.Direct("code 123456 " + strings.ToUpper(id))
	p = w.ExpectMatch("@bob", "That is right. This goes on:")
	require.Equal(t, "That is right. This goes on:\n```\ndeploy docs staging --wait 10m\n```\n"+
		"These waited, too, and do not run. Say again what you want of them:\n- `deploy payments staging --note evil --wait 10m`", p.Text)
	w.Expect("#ops", "deployed docs to staging")
	w.Idle()
	require.EqualValues(t, 1, w.ran.Load())
	require.Empty(t, held(t, w.store))
	found := false
	for _, r := range w.records() {
		found = found || r.Phase == "denied" && r.Decision == "not released" && r.Command == "deploy payments staging --note evil --wait 10m"
	}
	require.True(t, found, "%v", w.recorded())
}

// What waits for a code runs no later than its time, also where nobody has cleared it away.
func TestCodeAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{deploy: elevated, store: stuck{memory.New()}})
		bob := w.User("bob")
		bob.Say("#ops", "starling deploy api")
		w.Expect("@bob", askCode)
		w.Expect("#ops", "@bob: I have asked you for your second factor in private.")
		time.Sleep(handler.AskFor + time.Second)
		bob.Direct("code 123456")
		w.Expect("@bob", "That is right. Nothing waits for it; say now what needs it.")
		w.ExpectSilence()
		require.Zero(t, w.ran.Load())
	})
}

// The process dies when the code has counted: who gave it is told the same, and the command runs once.
func TestKilledAfterTheCode(t *testing.T) {
	for _, point := range []string{"before the command is released", "before the answer"} {
		t.Run(point, func(t *testing.T) {
			store := &slow{Store: memory.New()}
			o := options{deploy: elevated, store: store}
			w := newWorld(t, o)
			bob := w.User("bob")
			bob.Say("#ops", "starling deploy web")
			w.ExpectMatch("@bob", "To run this")
			bob.Say("#ops", "starling deploy api")
			id := requestID(t, w.ExpectMatch("@bob", "To run this").Text)
			w.Idle()
			reached, end := make(chan struct{}), make(chan struct{})
			var once sync.Once
			stop := func() {
				once.Do(func() { close(reached) })
				<-end
			}
			store.before(func(ops []brain.Op) {
				for _, op := range ops {
					if point == "before the command is released" && op.Delete && strings.HasPrefix(op.Key, "_/held/") ||
						point == "before the answer" && strings.Contains(string(op.Value), "That is right") {
						stop()
					}
				}
			})
			bob.Direct("code 123456 " + id)
			await(t, reached)
			w.Kill()
			store.before(nil)
			w.Start(func(c *starling.Config) { c.Router = w.router(o) })
			w.ExpectMatch("@bob", "(?s)That is right. This goes on:.*deploy api.*do not run.*deploy web")
			w.Idle()
			ran := map[string]bool{} // a handler that was killed may be begun again
			w.lines.Range(func(delivery, line any) bool { ran[fmt.Sprint(delivery, " ", line)] = true; return true })
			require.Len(t, ran, 1)
			require.Positive(t, w.ran.Load())
			require.Len(t, w.codes.used, 1)
			require.Empty(t, held(t, w.store))
			close(end)
		})
	}
}

// T36: a code that was said at a time far from ours is not tried, and a second factor that was given on another clock counts only
// while that can be right.
func TestClocks(t *testing.T) {
	far, early := 0, 0
	for _, off := range []time.Duration{-9 * time.Minute, -6 * time.Minute, -4 * time.Minute, 0, 4 * time.Minute, 6 * time.Minute, 10 * time.Minute} {
		t.Run(fmt.Sprint("code ", off), func(t *testing.T) {
			w := newWorld(t, options{deploy: elevated})
			bob := w.User("bob")
			bob.Say("#ops", "starling deploy api")
			w.ExpectMatch("@bob", `say "code"`)
			w.Expect("#ops", "@bob: I have asked you for your second factor in private.")
			w.Chat.Deliver(&adapter.Event{Kind: adapter.KindMessage, User: bob.User, Room: w.Room("@bob"), Text: "code 123456", Time: time.Now().Add(off)})
			if off.Abs() > 5*time.Minute {
				w.Expect("@bob", "@bob: that reached me late, or my clock is wrong. Say the code that your app shows now; if that does not work, tell who runs me.")
				w.ExpectSilence()
				require.Zero(t, w.ran.Load())
				require.Empty(t, w.codes.used, "it was not tried")
				far++
			}
			if off.Abs() > 5*time.Minute {
				bob.Direct("code 123456") // the clock was set
			}
			w.Expect("@bob", released)
			w.Expect("#ops", "deployed api to staging")
		})
	}
	for off, counts := range map[time.Duration]bool{-11 * time.Minute: false, -9 * time.Minute: true, 30 * time.Second: true, 2 * time.Minute: false, 10 * time.Minute: false} {
		t.Run(fmt.Sprint("elevated ", off), func(t *testing.T) {
			w := newWorld(t, options{deploy: elevated})
			require.NoError(t, brain.Set(ctx, brain.New(w.store).Namespace("guard"), brain.Key("elevated", key("bob")), map[string]any{"at": time.Now().Add(off), "factor": "codes"}))
			w.User("bob").Say("#ops", "starling deploy api")
			if counts {
				w.Expect("#ops", "deployed api to staging")
			} else {
				w.Expect("#ops", "@bob: I have asked you for your second factor in private.")
				early += int(w.ran.Load())
			}
		})
	}
	require.Zero(t, early)
	t.Logf("T36: %d codes said over 5 min off: 0 tried; %d commands ran on a factor of a time that cannot be", far, early)
}

// What was given with a factor that an admin has taken away since does not count with the next one either.
func TestAttackElevationOutlivesItsFactor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, err := sealed.ParseKeys("a:Y25yeW1hcmstc2VhbGVkLWtleS1udW1iZXItb25lLXg=")
		require.NoError(t, err)
		store := &failingFor{Store: memory.New(), prefix: "otp/"}
		factor, err := otp.New(otp.Config{Brain: brain.New(store).Namespace("otp"), Keys: keys, Issuer: "Ops bot"})
		require.NoError(t, err)
		w := newWorld(t, options{deploy: elevated, store: store, guard: func(c *guard.Config) { c.Factor = factor }})
		enrol := func() (code func() string) {
			e, err := factor.Enrol(ctx, key("bob"), "bob")
			require.NoError(t, err)
			secret, err := totp.ParseText(e.Text.Reveal())
			require.NoError(t, err)
			code = func() string { return totp.At(secret, totp.StepAt(time.Now())) }
			require.NoError(t, factor.Confirm(ctx, key("bob"), code()))
			time.Sleep(time.Minute)
			return code
		}
		bob := w.User("bob")
		deploy := func() { bob.Say("#ops", "starling deploy api") }
		bob.Direct("code " + enrol()())
		w.ExpectMatch("@bob", "That is right")
		deploy()
		w.Expect("#ops", "deployed api to staging")
		require.NoError(t, factor.Reset(ctx, key("bob")))
		code := enrol()
		deploy()
		w.Expect("#ops", "@bob: I have asked you for your second factor in private.")
		require.EqualValues(t, 1, w.ran.Load())
		w.Expect("@bob", askCode)
		bob.Direct("code " + code())
		w.Expect("@bob", released)
		w.Expect("#ops", "deployed api to staging")
		deploy()
		w.Expect("#ops", "deployed api to staging")
		store.after.Store(1) // that somebody is enrolled can be read, and since when cannot
		deploy()
		w.ExpectMatch("#ops", "I cannot look up now who may do that, so the answer is no")
		require.EqualValues(t, 3, w.ran.Load())
	})
}

// undated is a factor that panics when it is asked since when it is somebody's.
type undated struct{ *codes }

func (undated) Since(context.Context, string) (time.Time, error) { panic("boom") }

func TestFactorThatCannotSaySinceWhen(t *testing.T) {
	w := newWorld(t, options{deploy: elevated, guard: func(c *guard.Config) { c.Factor = undated{c.Factor.(*codes)} }})
	w.User("bob").Direct("code 123456")
	w.ExpectMatch("@bob", "That is right")
	w.User("bob").Say("#ops", "starling deploy api")
	w.ExpectMatch("#ops", "I cannot look up now who may do that, so the answer is no")
	require.Zero(t, w.ran.Load())
	require.Equal(t, "guard: panic: boom", w.records()[len(w.records())-1].Error)
}

// failingFor is a store in which keys of a prefix cannot be read after so many reads; 0 is never.
type failingFor struct {
	brain.Store
	prefix string
	after  atomic.Int32
}

func (s *failingFor) Get(ctx context.Context, key string) (brain.Entry, error) {
	if strings.HasPrefix(key, s.prefix) && s.after.Load() > 0 && s.after.Add(1) > 2 {
		return brain.Entry{}, errors.New("down")
	}
	return s.Store.Get(ctx, key)
}
