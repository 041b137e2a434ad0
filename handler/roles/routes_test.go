package roles_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/roles"
	"github.com/starlingbot/starling/testutil"
)

var _ = flag.Bool("update", false, "rewrite the golden transcripts")

// chatAdmin is alice of a testutil.Chat.
const chatAdmin = "chat//u-alice"

// judge explains in place of a guard: only deployers deploy.
type judge struct{ ro *roles.Roles }

func (j judge) Explain(ctx context.Context, r *handler.Request, u adapter.User, line string) ([]roles.Step, bool, error) {
	if line == "boom" {
		return nil, false, errors.New("the guard does not know")
	}
	has, err := j.ro.Has(ctx, u, "deployer")
	if err != nil {
		return nil, false, err
	}
	if !has {
		return []roles.Step{
			{Rule: "role", Verdict: roles.Refuses, Detail: "needs deployer"}, {Rule: "approval", Verdict: roles.Skips},
		}, false, nil
	}
	return []roles.Step{
		{Rule: "role", Verdict: roles.Allows, Detail: "deployer"}, {Rule: "approval", Verdict: roles.Asks, Detail: "1 other person with the role *sre*"},
	}, true, nil
}

// world is a bot with the routes, and the Roles behind them.
func world(t testing.TB, s brain.Store, change ...func(*roles.Config)) (starling.Config, *roles.Roles) {
	t.Helper()
	ro := made(t, s, append([]func(*roles.Config){func(c *roles.Config) {
		c.Admins, c.Defaults, c.CacheSize = []string{chatAdmin}, []string{"user"}, 100
	}}, change...)...)
	ro.UseExplainer(judge{ro})
	return starling.Config{Router: router(ro), Brain: brain.New(s)}, ro
}

func router(ro *roles.Roles) *handler.Router {
	rt := handler.NewRouter()
	rt.Mount("roles", ro.Routes())
	rt.Command("deploy", "Ship it.", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "deployed") })
	return rt
}

func TestTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, _ := world(t, memory.New())
		testutil.Transcript(t, cfg, "testdata/roles.txt")
	})
}

// A mention is resolved to the account and not to a name that looks the same.
func TestMention(t *testing.T) {
	cfg, ro := world(t, memory.New())
	b := testutil.Start(t, cfg)
	alice := b.User("alice")
	one := b.Chat.AddUser(adapter.User{ID: "U1", Name: "Sam", Kind: adapter.KindMember})
	two := b.Chat.AddUser(adapter.User{ID: "U2", Name: "SAM", Kind: adapter.KindMember})

	alice.Say("#ops", "starling role grant deployer to sam")
	b.ExpectMatch("#ops", `the name fits several: mention it or give the id`)
	require.NotContains(t, of(t, ro, one), "deployer")
	require.NotContains(t, of(t, ro, two), "deployer")

	b.Chat.Deliver(&adapter.Event{
		Kind: adapter.KindMessage, User: alice.User, Room: b.Room("#ops"), Text: "starling role grant deployer to @sammy",
		Mentions: []adapter.User{{Adapter: "chat", ID: "U2", Name: "sammy"}},
	})
	b.Expect("#ops", "@sammy (`chat//U2`) has the role **deployer** now.")
	require.NotContains(t, of(t, ro, one), "deployer")
	require.Contains(t, of(t, ro, two), "deployer")

	b.Chat.Deliver(&adapter.Event{
		Kind: adapter.KindMessage, User: alice.User, Room: b.Room("#ops"), Text: "starling role grant sre to @sammy",
		Mentions: []adapter.User{{Adapter: "chat", ID: "U1", Name: "sammy"}, {Adapter: "chat", ID: "U2", Name: "sammy"}},
	})
	b.ExpectMatch("#ops", `is the name of several people: give the id`)
	require.NotContains(t, of(t, ro, two), "sre")
}

// The change of a command is made once, and its answer is that of the change, also when the process dies in between.
func TestGrantSurvivesAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		audits := 0
		cfg, _ := world(t, s, func(c *roles.Config) {
			c.Audit = func(context.Context, roles.Change) error { audits++; return nil }
		})
		b := testutil.Start(t, cfg)
		b.User("bob").Say("#ops", "hello")
		b.Chat.FailSends(func(int, *adapter.Message) error { return adapter.ErrUnavailable })
		b.User("alice").Say("#ops", "starling role grant deployer to bob")
		synctest.Wait() // it is granted, and the answer cannot be posted
		b.Kill()
		b.Chat.FailSends(nil)
		b.Start(func(c *starling.Config) {
			again, _ := world(t, s, func(c *roles.Config) {
				c.Audit = func(context.Context, roles.Change) error { audits++; return nil }
			})
			c.Router = again.Router
		})
		b.Expect("#ops", "@bob (`chat//u-bob`) has the role **deployer** now.")
		b.ExpectSilence()
		require.Equal(t, 1, audits)
	})
}

func TestCommandIsAudited(t *testing.T) {
	var got []roles.Change
	refuse := error(nil)
	cfg, ro := world(t, memory.New(), func(c *roles.Config) {
		c.Audit = func(_ context.Context, change roles.Change) error { got = append(got, change); return refuse }
	})
	b := testutil.Start(t, cfg)
	bob := b.User("bob")
	bob.Say("#ops", "hello")
	said := b.User("alice").Say("#ops", "starling role grant deployer to bob")
	b.Expect("#ops", "@bob (`chat//u-bob`) has the role **deployer** now.")
	require.Len(t, got, 1)
	require.Equal(t, chatAdmin, got[0].By.Key())
	require.Equal(t, bob.Key(), got[0].User.Key())
	require.Equal(t, roles.Granted, got[0].Action)
	require.Equal(t, adapter.Address{Adapter: "chat", Room: said.Event.Room.ID}, got[0].Room)
	require.NotEmpty(t, got[0].Correlation)

	refuse = errors.New("the log is full")
	b.User("alice").Say("#ops", "starling role revoke deployer from bob")
	b.Expect("#ops", "Nothing was changed, because it could not be audited.")
	require.Contains(t, of(t, ro, bob.User), "deployer")
}

// P4: nobody but an admin changes a role, whatever else they have.
func TestOnlyAdmins(t *testing.T) {
	cfg, ro := world(t, memory.New(), func(c *roles.Config) {
		c.Sources = []roles.Source{source(func(context.Context, adapter.User) ([]string, error) { return []string{"admin"}, nil })}
	})
	b := testutil.Start(t, cfg)
	refused := 0
	for _, kind := range []adapter.UserKind{adapter.KindMember, adapter.KindGuest, adapter.KindExternal, adapter.KindUnknown} {
		eve := b.User("eve-" + string(kind))
		eve.Kind = kind
		for _, line := range []string{"role grant deployer me", "role revoke user me", "role grant deployer --key chat//u-eve", "role grant admin me"} {
			eve.Say("#ops", "starling "+line)
			b.Expect("#ops", "Only an admin may give and take roles. Admins are named in the bot's configuration.")
			refused++
		}
		require.NotContains(t, of(t, ro, eve.User), "deployer")
	}
	imposter := b.User("mallory")
	imposter.Name = "alice" // a display name
	imposter.Say("#ops", "starling role grant deployer me")
	b.Expect("#ops", "Only an admin may give and take roles. Admins are named in the bot's configuration.")
	gone := b.User("alice")
	gone.Kind = adapter.KindDeactivated
	gone.Say("#ops", "starling role grant deployer me")
	b.Expect("#ops", "Only an admin may give and take roles. Admins are named in the bot's configuration.")
	t.Logf("P4: %d refused", refused+2)
}

// whoami is never shown to the room.
func TestWhoamiIsPrivate(t *testing.T) {
	s := memory.New()
	cfg, _ := world(t, s)
	chat := testutil.NewChat(testutil.ChatConfig{Features: adapter.Features{Threads: true}}) // no ephemeral messages
	cfg.Adapters = []adapter.Adapter{chat}
	b := testutil.Start(t, cfg)
	b.User("bob").Say("#ops", "starling whoami")
	b.ExpectDirect("bob", "You are bob, a member. Your key is `chat//u-bob`.\nRoles: user.")
	b.ExpectSilence("#ops")
}

func TestWhoamiWhenTheBrainIsDown(t *testing.T) {
	s := &shaky{Store: memory.New()}
	down := &shaky{Store: s.Store}
	down.fails.Store(true)
	ro := made(t, down, func(c *roles.Config) { c.People = people(nil) })
	b := testutil.Start(t, starling.Config{Router: router(ro), Brain: brain.New(s)})
	b.User("bob").Say("#ops", "starling whoami")
	b.ExpectWhisper("#ops", "bob", "You are bob, a member. Your key is `chat//u-bob`.\nYour roles cannot be read at the moment, so you are treated as having none.\nYour linked accounts cannot be read at the moment.")
	require.Contains(t, b.Log(), "the roles could not be read")
}

func TestWhoamiShowsLinks(t *testing.T) {
	both := []string{"chat//u-bob", "mm//x"}
	cfg, _ := world(t, memory.New(), func(c *roles.Config) { c.People = people{"chat//u-bob": both} })
	b := testutil.Start(t, cfg)
	b.User("bob").Direct("whoami")
	b.ExpectDirect("bob", "You are bob, a member. Your key is `chat//u-bob`.\nRoles: user.\nLinked accounts: `mm//x`")
}

// A bot whose state is elsewhere is told so, and nothing is granted into the void.
func TestAnotherStore(t *testing.T) {
	ro := made(t, memory.New(), func(c *roles.Config) { c.Admins = []string{chatAdmin} })
	b := testutil.Start(t, starling.Config{Router: router(ro), Brain: brain.New(memory.New())})
	b.User("alice").Say("#ops", "starling role grant deployer me")
	b.ExpectMatch("#ops", "went wrong|failed|error")
	require.Contains(t, b.Log(), "give starling.Config and roles.Config one brain")
	require.NotContains(t, of(t, ro, b.User("alice").User), "deployer")
}

func TestWhyNeedsAGuard(t *testing.T) {
	ro := made(t, memory.New(), func(c *roles.Config) { c.Admins = []string{chatAdmin} })
	b := testutil.Start(t, starling.Config{Router: router(ro)})
	b.User("alice").Say("#ops", "starling why me deploy")
	b.Expect("#ops", "Nothing here decides who may do what: the bot has no guard.")
	ro.UseExplainer(nil)
	b.User("alice").Say("#ops", "starling why me deploy")
	b.Expect("#ops", "Nothing here decides who may do what: the bot has no guard.")
}

// stepper explains with many steps and remembers whom it was asked about.
type stepper struct {
	n     int
	asked adapter.User
	line  string
}

func (s *stepper) Explain(_ context.Context, _ *handler.Request, u adapter.User, line string) (steps []roles.Step, allowed bool, err error) {
	s.asked, s.line = u, line
	for i := range s.n {
		steps = append(steps, roles.Step{Rule: fmt.Sprint("rule", i), Verdict: roles.Allows, Detail: "*data* @everyone"})
	}
	return steps, false, nil
}

func TestWhy(t *testing.T) {
	cfg, ro := world(t, memory.New())
	e := &stepper{n: 60}
	ro.UseExplainer(e)
	b := testutil.Start(t, cfg)
	alice := b.User("alice")
	alice.Say("#ops", "starling why me deploy  api --dry-run")
	b.Idle()
	posts := b.Chat.Posts("#ops")
	require.Len(t, posts, 1)
	require.Equal(t, "alice", posts[0].Only)
	post := posts[0].Text
	require.Contains(t, post, "may not")
	require.Equal(t, "deploy  api --dry-run", e.line, "as it was typed")
	require.Equal(t, adapter.KindMember, e.asked.Kind, "one's own kind is known")
	require.Contains(t, post, "50. ")
	require.NotContains(t, post, "51. ")
	require.Contains(t, post, "10 more rules are not shown.")
	require.Equal(t, 50, strings.Count(post, "*data* @everyone"))
}

// A mention does not say what kind of account it is; about oneself the event does.
func TestWhyByMention(t *testing.T) {
	cfg, ro := world(t, memory.New())
	e := &stepper{n: 1}
	ro.UseExplainer(e)
	b := testutil.Start(t, cfg)
	alice, bob := b.User("alice"), b.User("bob")
	bob.Say("#ops", "hello")
	for _, u := range []adapter.User{alice.User, bob.User} {
		b.Chat.Deliver(&adapter.Event{
			Kind: adapter.KindMessage, User: alice.User, Room: b.Room("#ops"), Text: "starling why @shown deploy",
			Mentions: []adapter.User{{Adapter: "chat", ID: u.ID, Name: "shown"}},
		})
		b.Idle()
		posts := b.Chat.Posts("#ops")
		known := u.ID == alice.ID
		require.Equal(t, known, e.asked.Kind == adapter.KindMember, u.ID)
		require.Equal(t, !known, strings.Contains(posts[len(posts)-1].Text, "The platform did not say what kind of account this is"))
	}
}
