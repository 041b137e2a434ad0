package main

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler/audit"
	"github.com/starlingbot/starling/testutil"
)

// Two processes on one store are one bot: what is asked for at one is decided at the other and runs once, what is taken away at one
// is denied at the other, and one audit log shows it.
func TestTwoReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file, rules, err := readTeam("testdata/team.json")
		require.NoError(t, err)
		store := memory.New()
		var teams []*team
		replica := func() *testutil.Bot {
			team, err := newTeam(file, rules, brain.New(store), "cnrymark audit key of at least 32 characters", "")
			require.NoError(t, err)
			teams = append(teams, team)
			rt, err := routes(0, team)
			require.NoError(t, err)
			b := testutil.Start(t, starling.Config{Router: rt, Brain: brain.New(store), Policies: rules, Adapters: []adapter.Adapter{testutil.NewChat(testutil.ChatConfig{})}})
			team.bot, b.Patience = b.Bot(), time.Minute
			return b
		}
		one, two := replica(), replica()
		defer func() {
			for _, team := range teams {
				require.NoError(t, team.close())
			}
		}()
		both := []*testutil.Bot{one, two}
		for _, b := range both {
			for _, name := range []string{"alice", "bob", "carol", "dave"} {
				b.User(name)
			}
			b.Room("#release")
			b.Room("#desk")
		}
		said := func(want string, where ...string) (n int) {
			for _, b := range both {
				for _, p := range b.Chat.Posts(where...) {
					n += strings.Count(p.Text, want)
				}
			}
			return n
		}
		one.User("carol").Say("#desk", "starling role grant deployer to @bob")
		one.ExpectMatch("#desk", "has the role")
		two.User("carol").Say("#desk", "starling role grant sre to @dave")
		two.ExpectMatch("#desk", "has the role")

		// Asked for at one, decided at the other, by button there or by id: never by who asked or who has no role.
		one.User("bob").Say("#release", "starling ship search prod --force")
		id := regexp.MustCompile(`req-[a-z0-9]{8}`).FindString(one.ExpectMatch("#release", "asks to run").Text)
		two.User("bob").Say("#desk", "starling approve "+id)
		two.Expect("#desk", "@bob: somebody else must agree to what you ask for.")
		two.User("alice").Say("#desk", "starling approve "+id)
		two.ExpectMatch("#desk", "@alice: your consent does not count for that")
		two.User("dave").Direct("pending")
		two.ExpectMatch("@dave", id+" of bob needs 1 other person with the role sre")
		one.User("dave").Say("#desk", "starling approve "+id)
		two.User("dave").Say("#desk", "starling approve "+id)
		time.Sleep(30 * time.Second)
		require.Equal(t, 1, said("@dave agreed to "+id+", which has all the consent it needs.", "#desk"), "of two words at once one counts")
		require.Equal(t, 1, said("search is now version 1 in prod"))
		two.User("bob").Say("#release", "starling services search")
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, said("| search | nothing yet | version 1 by bob |", "#release"))

		// What is switched off or taken away at one is so at the other, within a minute.
		one.User("carol").Say("#desk", "starling disable deploy because of the freeze")
		time.Sleep(11 * time.Second)
		two.User("bob").Say("#desk", "starling deploy api to staging")
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, said("**services/deploy** is switched off by carol since 2000-01-01 00:00 UTC: of the freeze"))
		two.User("alice").Say("#desk", "starling deploy api to staging")
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, said("@alice: that needs the role deployer."), "who may not run it is not told why it is off")
		two.User("carol").Say("#desk", "starling enable deploy")
		one.User("carol").Say("#desk", "starling role revoke deployer from @bob")
		time.Sleep(time.Minute)
		two.User("bob").Say("#desk", "starling deploy api to staging")
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, said("@bob: that needs the role deployer."))
		require.Zero(t, said("api is now version"))

		// One log of both, in which a changed letter is found.
		report, err := teams[1].log.Verify(t.Context(), audit.Check{})
		require.NoError(t, err)
		require.True(t, report.OK(), "%v", report.Findings)
		require.Equal(t, 2, report.Chains)
		flip(t, store, "deploy search prod")
		for _, b := range both {
			b.User("carol").Direct("audit verify")
			time.Sleep(10 * time.Second)
			posts := b.Chat.Posts("@carol")
			require.Regexp(t, `(?s)in 2 chains.*1 finding.*its hash is wrong: it was changed`, posts[len(posts)-1].Text)
		}
	})
}

// An admin takes a link back that others made, or who was talked into one could not be helped.
func TestAdminTakesALinkBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file, rules, err := readTeam("testdata/team.json")
		require.NoError(t, err)
		state := brain.New(memory.New())
		team, err := newTeam(file, rules, state, "cnrymark audit key of at least 32 characters", "")
		require.NoError(t, err)
		rt, err := routes(0, team)
		require.NoError(t, err)
		other := testutil.NewChat(testutil.ChatConfig{Name: "other"})
		b := testutil.Start(t, starling.Config{Router: rt, Brain: state, Policies: rules, Adapters: []adapter.Adapter{testutil.NewChat(testutil.ChatConfig{}), other}})
		team.bot = b.Bot()
		defer func() { require.NoError(t, team.close()) }()
		last := func(c *testutil.Chat, who string) string {
			b.Idle()
			posts := c.Posts("@" + who)
			require.NotEmpty(t, posts)
			return posts[len(posts)-1].Text
		}
		b.User("bob").Direct("link")
		code := regexp.MustCompile("`link ([0-9A-Z-]{19})`").FindStringSubmatch(last(b.Chat, "bob"))
		require.NotNil(t, code)
		other.As(t, "robert").Direct("link " + code[1])
		yes := regexp.MustCompile("`link yes [0-9A-Z]{4}`").FindString(last(b.Chat, "bob"))
		b.User("bob").Direct(strings.Trim(yes, "`"))
		b.Idle()
		other.As(t, "robert").Direct(strings.Trim(yes, "`"))
		require.Contains(t, last(b.Chat, "bob"), "These accounts are one person now")
		b.User("alice").Direct("unlink chat//u-bob")
		require.Contains(t, last(b.Chat, "alice"), "is not linked with your account")
		b.User("carol").Direct("links chat//u-bob")
		require.Contains(t, last(b.Chat, "carol"), "other//u-robert")
		b.User("carol").Direct("unlink chat//u-bob")
		require.Contains(t, last(other, "robert"), "`chat//u-bob` is no longer linked with the others")
		var seen []string
		for rec, err := range team.log.Records(t.Context(), audit.Filter{Phase: audit.PhaseLink}) {
			require.NoError(t, err)
			seen = append(seen, rec.Who.Name+" "+rec.Command)
		}
		require.Equal(t, []string{"bob link code chat//u-bob", "robert link claim chat//u-bob other//u-robert", "bob link agree chat//u-bob other//u-robert",
			"robert link link chat//u-bob other//u-robert", "carol link unlink chat//u-bob"}, seen)
	})
}
