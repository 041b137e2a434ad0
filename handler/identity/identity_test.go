package identity_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
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
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/identity"
	"github.com/starlingbot/starling/handler/roles"
	"github.com/starlingbot/starling/testutil"
)

var _ = flag.Bool("update", false, "rewrite the golden transcripts")

var ctx = context.Background()

// The answers.
const (
	wrongCode = "That code does not work. A code is good for 5 minutes and for one use: say link on the other account for a new one."
	tooOften  = "That was too often. Try again in 15 minutes."
	nothing   = "There is nothing to agree to: it is over, or it is not yours. Begin again with link."
)

func space(s brain.Store) *brain.Brain { return brain.New(s).Namespace("identity") }

func made(t testing.TB, s brain.Store, change ...func(*identity.Config)) *identity.Identity {
	t.Helper()
	cfg := identity.Config{Brain: space(s)}
	for _, f := range change {
		f(&cfg)
	}
	id, err := identity.New(cfg)
	require.NoError(t, err)
	return id
}

func router(id *identity.Identity) *handler.Router {
	rt := handler.NewRouter()
	rt.Mount("identity", id.Routes())
	return rt
}

// world is a bot on two platforms.
type world struct {
	*testutil.Bot
	t     *testing.T
	id    *identity.Identity
	store brain.Store
	mm    *testutil.Chat
}

func begin(t *testing.T, change ...func(*identity.Config)) *world {
	t.Helper()
	w := &world{t: t, store: memory.New(), mm: testutil.NewChat(testutil.ChatConfig{Name: "mm"})}
	w.id = made(t, w.store, change...)
	w.Bot = testutil.Start(t, starling.Config{
		Router: router(w.id), Brain: brain.New(w.store), Adapters: []adapter.Adapter{testutil.NewChat(testutil.ChatConfig{Name: "slack"}), w.mm},
	})
	return w
}

// last gives the bot's last post in the direct room of a user.
func (w *world) last(chat *testutil.Chat, user string) *testutil.Post {
	w.t.Helper()
	w.Idle()
	posts := chat.Posts("@" + user)
	require.NotEmpty(w.t, posts, "%s was told nothing", user)
	return &posts[len(posts)-1]
}

var codeForm = regexp.MustCompile("`link ([0-9A-Z-]{19})`")

// code gets a code for a user of slack.
func (w *world) code(user string) string {
	w.t.Helper()
	w.User(user).Direct("link")
	m := codeForm.FindStringSubmatch(w.last(w.Chat, user).Text)
	require.NotNil(w.t, m, w.last(w.Chat, user).Text)
	return m[1]
}

var requestForm = regexp.MustCompile("`link yes ([0-9A-Z]{4})`")

// request gives the id of the request that a user of slack was asked about.
func (w *world) request(user string) string {
	w.t.Helper()
	m := requestForm.FindStringSubmatch(w.last(w.Chat, user).Text)
	require.NotNil(w.t, m, w.last(w.Chat, user).Text)
	return m[1]
}

func (w *world) person(key string) string {
	w.t.Helper()
	now, _, err := w.id.Person(ctx, key)
	require.NoError(w.t, err)
	return now[0]
}

// offered has second send the code of a user of slack, and gives the request that both are asked about.
func (w *world) offered(first string, second *testutil.User) string {
	w.t.Helper()
	second.Direct("link " + w.code(first))
	return w.request(first)
}

// linked has both agree.
func (w *world) linked(first string, second *testutil.User) {
	w.t.Helper()
	request := w.offered(first, second)
	second.Direct("link yes " + request)
	w.Idle()
	w.User(first).Direct("link yes " + request)
	w.Idle()
}

// dump gives all that is stored.
func (w *world) dump() string {
	var b strings.Builder
	for e, err := range w.store.List(ctx, "") {
		require.NoError(w.t, err)
		fmt.Fprintf(&b, "%s %s\n", e.Key, e.Value)
	}
	return b.String()
}

// deterministic makes the codes of a transcript.
func deterministic() func([]byte) {
	rng := rand.NewChaCha8([32]byte{1})
	return func(b []byte) { _, _ = rng.Read(b) }
}

func TestTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		id := made(t, s, func(c *identity.Config) {
			c.MayUnlink = func(_ context.Context, u adapter.User) (bool, error) { return u.Key() == "chat//u-root", nil }
		})
		id.SetRandom(deterministic())
		testutil.Transcript(t, starling.Config{Router: router(id), Brain: brain.New(s)}, "testdata/identity.txt")
	})
}

func TestLinkOverTwoPlatforms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var audit []string
		var changed [][]string
		w := begin(t, func(c *identity.Config) {
			c.Audit = func(_ context.Context, c identity.Change) error {
				require.NotEmpty(t, c.Correlation)
				require.NotEmpty(t, c.Room.Room)
				audit = append(audit, fmt.Sprint(c.Action, " ", c.Accounts, " by ", c.By.Key()))
				return nil
			}
			c.Changed = func(keys ...string) { changed = append(changed, keys) }
		})
		home := w.mm.As(t, "ally")
		code := w.code("alice")
		require.NotContains(t, w.dump(), strings.ReplaceAll(code, "-", ""), "a code is not stored")
		require.NotContains(t, w.dump(), code)
		require.NotContains(t, w.Log(), code)

		home.Direct("link " + code)
		both := "\n- `mm//u-ally`\n- `slack//u-alice`\n\n"
		asked := w.last(w.Chat, "alice").Text
		require.Contains(t, asked, "**ally** (`mm//u-ally`) has sent your code.")
		require.Contains(t, asked, both)
		told := w.last(w.mm, "ally").Text
		require.Contains(t, told, "**alice** (`slack//u-alice`) was shown that code.")
		require.Contains(t, told, both)
		require.Equal(t, "mm//u-ally", w.person("mm//u-ally"), "nothing is linked before both have agreed")
		require.Equal(t, "slack//u-alice", w.person("slack//u-alice"))
		require.Nil(t, changed)
		require.NotContains(t, w.dump(), code)

		w.User("alice").Press(w.last(w.Chat, "alice"), "Yes, it is mine")
		require.Contains(t, w.last(w.Chat, "alice").Text, "They are one person when the other account has agreed, too")
		require.Equal(t, "slack//u-alice", w.person("slack//u-alice"))
		home.Press(w.last(w.mm, "ally"), "Yes, it is mine")
		require.Contains(t, w.last(w.Chat, "alice").Text, "These accounts are one person now")
		require.Contains(t, w.last(w.mm, "ally").Text, "These accounts are one person now")
		require.Equal(t, "mm//u-ally", w.person("mm//u-ally"))
		require.Equal(t, "mm//u-ally", w.person("slack//u-alice"))
		accounts, err := w.id.Accounts(ctx, "slack//u-alice")
		require.NoError(t, err)
		require.Equal(t, []string{"mm//u-ally", "slack//u-alice"}, accounts)
		require.Equal(t, []string{
			"code [slack//u-alice] by slack//u-alice", "claim [slack//u-alice mm//u-ally] by mm//u-ally",
			"agree [slack//u-alice mm//u-ally] by slack//u-alice", "link [mm//u-ally slack//u-alice] by mm//u-ally",
		}, audit)
		require.Equal(t, [][]string{{"mm//u-ally", "slack//u-alice"}}, changed)

		home.Direct("unlink slack//u-alice")
		require.Contains(t, w.last(w.Chat, "alice").Text, "`slack//u-alice` is no longer linked with the others")
		require.Equal(t, "slack//u-alice", w.person("slack//u-alice"))
		require.Equal(t, "mm//u-ally", w.person("mm//u-ally"))
		require.Equal(t, "unlink [slack//u-alice] by mm//u-ally", audit[4])
		require.NotContains(t, w.dump(), "identity/account/", "nothing is left behind")
	})
}

// Not even while it is on its way is a code stored as it is, nor the message that shows it.
func TestCodeIsNeverStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		code := w.code("bob")
		for _, chat := range []*testutil.Chat{w.Chat, w.mm} {
			chat.FailSends(func(int, *adapter.Message) error { return adapter.ErrUnavailable })
		}
		w.User("alice").Direct("link")
		w.mm.As(t, "bobby").Direct("link " + code)
		synctest.Wait() // the handlers wait for their messages to be posted
		require.NotRegexp(t, "[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", w.dump())
		require.NotContains(t, w.dump(), code[5:])
		require.Contains(t, w.dump(), "identity/code/"+code[:4], "else this test looks at nothing")
		for _, chat := range []*testutil.Chat{w.Chat, w.mm} {
			chat.FailSends(nil)
		}
		w.Idle()
	})
}

// What is wrong with a code is not told.
func TestOneAnswerForAllThatDoesNotWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		n := 0
		refused := func(code string) {
			t.Helper()
			n++
			u := w.mm.As(t, fmt.Sprint("mallory", n))
			u.Direct("link " + code)
			require.Equal(t, wrongCode, w.last(w.mm, u.Name).Text)
			require.Equal(t, u.Key(), w.person(u.Key()))
		}
		used := w.code("alice")
		w.mm.As(t, "ally").Direct("link " + used)
		w.Idle()
		refused(used) // used
		refused("x")
		refused("0000-0000-0000-0000")

		replaced := w.code("bob")
		fresh := w.code("bob")
		refused(replaced) // a newer one takes its place
		wrong := []byte(fresh)
		wrong[18] ^= 1 // the last letter: the offer is found, the rest does not fit
		refused(string(wrong))

		w.User("bob").Say("#ops", "starling link "+fresh) // shown to a room
		w.Expect("#ops", "In private only. If that was a code, others have seen it, and it is dead: say link in private for a new one.")
		refused(fresh)

		expired := w.code("carol")
		time.Sleep(4 * time.Minute)
		refused(expired[:4] + "-0000-0000-0000") // which makes the record younger, but not the code
		time.Sleep(time.Minute)
		refused(expired)
		late := w.code("dave")
		time.Sleep(5*time.Minute - time.Second)
		w.mm.As(t, "davy").Direct("link " + strings.ToLower(strings.ReplaceAll(late, "-", "")))
		require.Contains(t, w.last(w.mm, "davy").Text, "was shown that code", "small letters and no dashes will do")
	})
}

func TestTheQuestionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		code := w.code("alice")
		w.mm.As(t, "ally").Direct("link " + code)
		request := w.request("alice")
		time.Sleep(4 * time.Minute)
		w.User("bob").Say("#ops", "starling link "+code) // which makes the record younger, but not the question
		time.Sleep(time.Minute)
		w.User("alice").Direct("link yes " + request)
		require.Equal(t, nothing, w.last(w.Chat, "alice").Text)
		require.Equal(t, "slack//u-alice", w.person("slack//u-alice"))
	})
}

// Both accounts decide, in private, in whatever order, about the request that they were shown; nobody else does.
func TestWhoAgrees(t *testing.T) {
	for _, first := range []string{"alice", "ally"} {
		synctest.Test(t, func(t *testing.T) {
			w := begin(t)
			alice, ally := w.User("alice"), w.mm.As(t, "ally")
			code := w.code("alice")
			alice.Direct("link yes " + code[:4])
			require.Equal(t, nothing, w.last(w.Chat, "alice").Text, "nobody has sent the code yet")
			ally.Direct("link " + code)
			request := w.request("alice")
			w.User("bob").Direct("link yes " + request)
			require.Equal(t, nothing, w.last(w.Chat, "bob").Text)
			w.User("bob").Direct("link no " + request)
			require.Equal(t, nothing, w.last(w.Chat, "bob").Text)
			alice.Say("#ops", "starling link yes "+request)
			w.Expect("#ops", "In private only.")
			alice.Say("#ops", "starling link no "+request)
			w.Expect("#ops", "In private only.")
			one, other, chat := alice, ally, w.Chat
			if first == "ally" {
				one, other, chat = ally, alice, w.mm
			}
			for range 2 { // however often: it is one of the two
				one.Direct("link yes " + strings.ToLower(request))
				require.Contains(t, w.last(chat, one.Name).Text, "when the other account has agreed, too")
				require.Equal(t, "slack//u-alice", w.person("slack//u-alice"))
				require.Equal(t, "mm//u-ally", w.person("mm//u-ally"))
			}
			other.Direct("link yes " + request)
			w.Idle()
			require.Equal(t, "mm//u-ally", w.person("slack//u-alice"))
			alice.Direct("link yes " + request)
			require.Equal(t, nothing, w.last(w.Chat, "alice").Text, "once")
		})
	}
}

// Somebody talks the victim into sending a code, or into telling one: the victim is asked, with the names of both, and who does not
// answer, or says no, is linked with nobody. Neither side gets what the other one may do.
func TestAttackTalkedIntoALink(t *testing.T) {
	for _, victim := range []string{"sends the code", "tells the code"} {
		synctest.Test(t, func(t *testing.T) {
			w := begin(t)
			people, err := roles.New(roles.Config{Brain: brain.New(w.store).Namespace("roles"), People: w.id})
			require.NoError(t, err)
			alice, ally := w.User("alice"), w.mm.As(t, "ally") // the code is alice's
			attacker, target, chat := alice, ally, w.mm
			if victim == "tells the code" {
				attacker, target, chat = ally, alice, w.Chat
			}
			mine, theirs := attacker.User, target.User
			mine.Adapter, theirs.Adapter = "slack", "mm"
			if victim == "tells the code" {
				mine.Adapter, theirs.Adapter = "mm", "slack"
			}
			require.NoError(t, people.Grant(ctx, "deployer", theirs, adapter.User{}))
			request := w.offered("alice", ally)
			attacker.Direct("link yes " + request)
			w.Idle()
			has, err := people.Of(ctx, mine)
			require.NoError(t, err)
			require.Empty(t, has, "the victim has agreed to nothing")
			asked := chat.Posts("@" + target.Name)
			require.Contains(t, asked[len(asked)-1].Text, "**"+attacker.Name+"** (`"+mine.Key()+"`)")
			require.Contains(t, asked[len(asked)-1].Text, "`"+theirs.Key()+"`")
			target.Press(&asked[len(asked)-1], "No")
			w.Idle()
			attacker.Direct("link yes " + request)
			w.Idle()
			people.Purge()
			has, err = people.Of(ctx, mine)
			require.NoError(t, err)
			require.Empty(t, has)
		})
	}
}

func TestNo(t *testing.T) {
	for _, first := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := begin(t)
			ally := w.mm.As(t, "ally")
			ally.Direct("link " + w.code("alice"))
			request := w.request("alice")
			if first {
				w.User("alice").Direct("link no " + request)
			} else {
				ally.Direct("link no " + request)
			}
			said := "`slack//u-alice` and `mm//u-ally` are not linked: one of them said no."
			require.Equal(t, said, w.last(w.Chat, "alice").Text)
			require.Equal(t, said, w.last(w.mm, "ally").Text)
			w.User("alice").Direct("link yes " + request)
			require.Equal(t, nothing, w.last(w.Chat, "alice").Text)
			require.Equal(t, "slack//u-alice", w.person("slack//u-alice"))
		})
	}
}

func TestNotForThese(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		code := w.code("alice")
		w.User("alice").Direct("link " + code)
		require.Equal(t, "That is your own code: send it from your other account.", w.last(w.Chat, "alice").Text)
		w.User("alice").Say("#ops", "starling link")
		w.Expect("#ops", "In private only: say link to me in a direct message.")
		gone := w.mm.As(t, "gone")
		gone.Kind = adapter.KindDeactivated
		gone.Direct("link " + code)
		require.Equal(t, "Only accounts of people are linked.", w.last(w.mm, "gone").Text)
		w.linked("alice", w.mm.As(t, "ally"))
		w.mm.As(t, "ally").Direct("link " + w.code("alice"))
		require.Equal(t, "The two accounts are linked already.", w.last(w.mm, "ally").Text)
	})
}

// 5 tries in 15 minutes and account; and the sixth does not even look.
func TestTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		code := w.code("alice")
		ally := w.mm.As(t, "ally")
		for range 5 {
			ally.Direct("link 0000-0000-0000-0000")
			require.Equal(t, wrongCode, w.last(w.mm, "ally").Text)
		}
		ally.Direct("link " + code)
		require.Equal(t, tooOften, w.last(w.mm, "ally").Text, "the right code no more than a wrong one")
		w.mm.As(t, "other").Direct("link " + code)
		require.Contains(t, w.last(w.mm, "other").Text, "was shown that code", "the limit is the account's")
		time.Sleep(15 * time.Minute)
		ally.Direct("link " + w.code("alice"))
		require.Contains(t, w.last(w.mm, "ally").Text, "was shown that code")
		time.Sleep(14 * time.Minute)
		for range 4 {
			ally.Direct("link x")
			require.Equal(t, wrongCode, w.last(w.mm, "ally").Text)
		}
		ally.Direct("link x")
		require.Equal(t, tooOften, w.last(w.mm, "ally").Text)
		time.Sleep(time.Minute)
		ally.Direct("link x")
		require.Equal(t, wrongCode, w.last(w.mm, "ally").Text, "each try counts for 15 minutes of its own")

		for range 5 {
			w.code("bob")
		}
		w.User("bob").Direct("link")
		require.Equal(t, tooOften, w.last(w.Chat, "bob").Text)
	})
}

// A code that many accounts guess at is dead after 5 wrong tries.
func TestGuessesAtOneCode(t *testing.T) {
	for wrong := 4; wrong <= 5; wrong++ {
		synctest.Test(t, func(t *testing.T) {
			w := begin(t)
			code := w.code("alice")
			for i := range wrong {
				w.mm.As(t, fmt.Sprint("mallory", i)).Direct("link " + code[:4] + "-0000-0000-0000")
			}
			w.Idle()
			w.mm.As(t, "ally").Direct("link " + code)
			if wrong == 4 {
				require.Contains(t, w.last(w.mm, "ally").Text, "was shown that code")
			} else {
				require.Equal(t, wrongCode, w.last(w.mm, "ally").Text)
			}
		})
	}
}

// 1,000 accounts send one code at the same time: one of them gets it.
func TestOneUseUnderConcurrency(t *testing.T) {
	const senders = 1000
	w := begin(t)
	code := w.code("alice")
	for i := range senders {
		w.mm.As(t, fmt.Sprint("m", i)).Direct("link " + code)
	}
	w.Patience = time.Minute
	w.Idle()
	got, refused := 0, 0
	for i := range senders {
		posts := w.mm.Posts(fmt.Sprint("@m", i))
		require.Len(t, posts, 1)
		switch {
		case strings.Contains(posts[0].Text, "was shown that code"):
			got++
		case posts[0].Text == wrongCode:
			refused++
		}
	}
	require.Equal(t, 1, got)
	require.Equal(t, senders-1, refused)
	require.Len(t, w.Chat.Posts("@alice"), 2, "the code, and one question")
	t.Logf("T1: %d senders of one code, %d accepted, %d refused", senders, got, refused)
}

// A person gets no account that was not shown and agreed to.
func TestNothingMoreThanWasConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		w.linked("alice", w.mm.As(t, "a2"))
		w.linked("bob", w.mm.As(t, "b2"))

		// alice and bob would be one person with their other accounts: all four are shown
		w.User("alice").Direct("link")
		code := codeForm.FindStringSubmatch(w.last(w.Chat, "alice").Text)[1]
		w.User("bob").Direct("link " + code)
		for _, user := range []string{"alice", "bob"} {
			require.Contains(t, w.last(w.Chat, user).Text, "\n- `mm//u-a2`\n- `mm//u-b2`\n- `slack//u-alice`\n- `slack//u-bob`\n")
		}
		request := w.request("alice")

		// meanwhile bob gets a third account, which alice was not shown
		w.User("bob").Direct("link yes " + request)
		w.linked("bob", w.mm.As(t, "b3"))
		require.Contains(t, w.last(w.Chat, "bob").Text, "are one person now")
		w.User("alice").Direct("link yes " + request)
		require.Equal(t, "The links of one of the accounts have changed since I asked. Begin again with link.", w.last(w.Chat, "alice").Text)
		require.Equal(t, "mm//u-a2", w.person("slack//u-alice"))
		require.Equal(t, "mm//u-b2", w.person("slack//u-bob"))

		// shown and agreed to
		time.Sleep(15 * time.Minute)
		w.User("alice").Direct("link")
		code = codeForm.FindStringSubmatch(w.last(w.Chat, "alice").Text)[1]
		w.User("bob").Direct("link " + code)
		w.User("bob").Direct("link yes " + w.request("alice"))
		w.User("alice").Direct("link yes " + w.request("alice"))
		w.Idle()
		for _, key := range []string{"mm//u-a2", "mm//u-b2", "mm//u-b3", "slack//u-alice", "slack//u-bob"} {
			require.Equal(t, "mm//u-a2", w.person(key))
		}
		for _, user := range []string{"a2", "b2", "b3"} {
			require.Contains(t, w.last(w.mm, user).Text, "These accounts are one person now", "all of them are told")
		}
	})
}

func TestEightAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		for i := range 7 {
			if i == 4 {
				time.Sleep(15 * time.Minute)
			}
			w.linked("alice", w.mm.As(t, fmt.Sprint("m", i)))
			require.Contains(t, w.last(w.Chat, "alice").Text, "are one person now")
		}
		w.mm.As(t, "m8").Direct("link " + w.code("alice"))
		require.Equal(t, "A person has at most 8 accounts here: unlink one first.", w.last(w.mm, "m8").Text)
		w.User("alice").Direct("unlink mm//u-m3")
		require.Contains(t, w.last(w.mm, "m5").Text, "`mm//u-m3` is no longer linked")
		require.Equal(t, "mm//u-m3", w.person("mm//u-m3"))
		require.Equal(t, "mm//u-m0", w.person("mm//u-m5"))
		accounts, err := w.id.Accounts(ctx, "mm//u-m5")
		require.NoError(t, err)
		require.Len(t, accounts, 7)
	})
}

// The first account cannot be reached: the second is told, and nothing is linked.
func TestFirstAccountCannotBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		code := w.code("alice")
		w.Chat.FailSends(func(int, *adapter.Message) error { return adapter.ErrForbidden })
		w.mm.As(t, "ally").Direct("link " + code)
		require.Equal(t, "The other account cannot be asked at the moment. Begin again with `link`.", w.last(w.mm, "ally").Text)
	})
}

func TestMistakesOfTheConfiguration(t *testing.T) {
	_, err := identity.New(identity.Config{})
	require.ErrorContains(t, err, "Config.Brain is nil")
}
