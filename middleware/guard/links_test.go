// Attacks with accounts that are linked, and no longer linked, with handler/identity and handler/roles as a bot has them.

package guard_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/identity"
	"github.com/starlingbot/starling/handler/roles"
	"github.com/starlingbot/starling/middleware/guard"
)

// linkedWorld is a world with real roles and links. The routes of links are those of another process: nobody tells the guard's
// roles of a change.
type linkedWorld struct {
	*world
	roles *roles.Roles
}

func newLinkedWorld(t *testing.T, o options) *linkedWorld {
	t.Helper()
	o.store = memory.New()
	lw := &linkedWorld{}
	space := brain.New(o.store)
	links := func() *identity.Identity {
		id, err := identity.New(identity.Config{Brain: space.Namespace("identity")})
		require.NoError(t, err)
		return id
	}
	ours, theirs := links(), links()
	var err error
	lw.roles, err = roles.New(roles.Config{Brain: space.Namespace("roles"), People: ours})
	require.NoError(t, err)
	for name, role := range map[string]string{"bob": "deployer", "bob2": "sre", "carol": "sre", "carol2": "sre", "dave": "sre"} {
		require.NoError(t, lw.roles.Grant(ctx, role, adapter.User{Adapter: "chat", ID: "u-" + name}, adapter.User{}))
	}
	guarded, routed := o.guard, o.routes
	o.guard = func(c *guard.Config) {
		c.Roles, c.Person = lw.roles, ours.Person
		if guarded != nil {
			guarded(c)
		}
	}
	o.routes = func(w *world, rt *handler.Router) {
		rt.Mount("identity", theirs.Routes())
		if routed != nil {
			routed(w, rt)
		}
	}
	lw.world = newWorld(t, o)
	return lw
}

var codeForm = regexp.MustCompile("`link ([0-9A-Z-]{19})`")

// link has two accounts become one person.
func (w *linkedWorld) link(first, second string) {
	w.t.Helper()
	w.User(first).Direct("link")
	code := codeForm.FindStringSubmatch(w.last(first))
	require.NotNil(w.t, code)
	w.User(second).Direct("link " + code[1])
	yes := "link yes " + code[1][:4]
	w.Idle()
	w.User(second).Direct(yes)
	w.Idle()
	w.User(first).Direct(yes)
	require.Contains(w.t, w.last(first), "one person now")
}

// last gives what somebody was told last in private.
func (w *linkedWorld) last(who string) string {
	w.t.Helper()
	w.Idle()
	posts := w.Chat.Posts("@" + who)
	require.NotEmpty(w.t, posts)
	return posts[len(posts)-1].Text
}

func (w *linkedWorld) unlink(by, account string) {
	w.t.Helper()
	w.User(by).Direct("unlink " + key(account))
	require.Contains(w.t, w.last(by), "no longer linked")
}

// T24: somebody asks, takes the link to their other account back, and agrees from there; or takes it back before.
func TestAttackUnlinkedApprovesItself(t *testing.T) {
	const refused = "somebody else must agree to what you ask for"
	cases := map[string]struct {
		do   func(w *linkedWorld, ask func())
		by   string
		want string
	}{
		"unlinked after the request":           {func(w *linkedWorld, ask func()) { w.link("bob", "bob2"); ask(); w.unlink("bob", "bob2") }, "bob2", refused},
		"the asker unlinked after the request": {func(w *linkedWorld, ask func()) { w.link("bob", "bob2"); ask(); w.unlink("bob2", "bob") }, "bob2", refused},
		"unlinked before the request":          {func(w *linkedWorld, ask func()) { w.link("bob", "bob2"); w.unlink("bob", "bob2"); ask() }, "bob2", refused},
		"linked after the request":             {func(w *linkedWorld, ask func()) { ask(); w.link("bob", "bob2") }, "bob2", refused},
		"linked and unlinked after it":         {func(w *linkedWorld, ask func()) { ask(); w.link("bob", "bob2"); w.unlink("bob", "bob2") }, "bob2", refused},
		"from an account of the unlinked one": {func(w *linkedWorld, ask func()) {
			w.link("bob", "bob2")
			ask()
			w.unlink("bob", "bob2")
			w.link("bob2", "carol2")
		}, "carol2", refused},
		"never linked, a control":                   {func(w *linkedWorld, ask func()) { ask() }, "bob2", "has all the consent it needs"},
		"linked with somebody else, a control":      {func(w *linkedWorld, ask func()) { w.link("bob", "bob2"); ask() }, "carol", "has all the consent it needs"},
		"unlinked from somebody else and a control": {func(w *linkedWorld, ask func()) { w.link("carol", "carol2"); ask(); w.unlink("carol", "carol2") }, "carol2", "has all the consent it needs"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newLinkedWorld(t, options{})
			var id string
			c.do(w, func() {
				w.User("bob").Say("#ops", "starling deploy api to prod")
				id, _ = w.request("#ops")
			})
			w.User(c.by).Say("#ops", "starling approve "+id)
			w.ExpectMatch("#ops", c.want)
			w.Idle()
			if c.want != refused {
				require.EqualValues(t, 1, w.ran.Load())
				return
			}
			require.Zero(t, w.ran.Load())
			require.Contains(t, w.recorded(), "denied "+c.by+" deploy: no consent "+id)
			w.User("carol").Say("#ops", "starling approve "+id)
			w.ExpectMatch("#ops", "has all the consent it needs")
			w.Expect("#ops", "deployed api to prod")
		})
	}
}

// T24: two accounts of one person agree as two, because the link between them is made or taken back at the right time.
func TestAttackOnePersonAgreesTwice(t *testing.T) {
	const refused = "you have agreed to .* already"
	cases := map[string]struct {
		before, between func(w *linkedWorld)
		want            string
	}{
		"unlinked between the two": {func(w *linkedWorld) { w.link("carol", "carol2") }, func(w *linkedWorld) { w.unlink("carol", "carol2") }, refused},
		"linked between the two":   {nil, func(w *linkedWorld) { w.link("carol", "carol2") }, refused},
		"linked before":            {func(w *linkedWorld) { w.link("carol", "carol2") }, nil, refused},
		"unlinked before":          {func(w *linkedWorld) { w.link("carol", "carol2"); w.unlink("carol2", "carol") }, nil, refused},
		"never linked, a control":  {nil, nil, "has all the consent it needs"},
	}
	for name, c := range cases {
		for order := range 2 {
			t.Run(fmt.Sprint(name, " ", order), func(t *testing.T) {
				w := newLinkedWorld(t, options{deploy: two})
				w.User("bob").Say("#ops", "starling deploy api to prod")
				id, _ := w.request("#ops")
				if c.before != nil {
					c.before(w)
				}
				for i, who := range [][]string{{"carol", "carol2"}, {"carol2", "carol"}}[order] {
					if i > 0 && c.between != nil {
						c.between(w)
					}
					w.User(who).Say("#ops", "starling approve "+id)
					w.ExpectMatch("#ops", []string{"It still needs 1", c.want}[i])
				}
				w.Idle()
				require.Equal(t, c.want != refused, w.ran.Load() == 1)
			})
		}
	}
}

// Two who agreed turn out to be one person, by links of a third account with each of them, before the last consent: they count once.
func TestAttackLinkedAfterTheyAgreed(t *testing.T) {
	three := func(c *handler.Command[deployArgs]) {
		c.When = func(deployArgs) handler.Policy { return handler.Policy{Approvals: 3, ApprovedBy: "sre"} }
	}
	w := newLinkedWorld(t, options{deploy: three})
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	for _, who := range []string{"carol", "carol2"} {
		w.User(who).Say("#ops", "starling approve "+id)
		w.ExpectMatch("#ops", "It still needs")
	}
	w.link("carol", "eve")
	w.unlink("carol", "eve")
	w.link("carol2", "eve")
	w.User("dave").Say("#ops", "starling approve "+id)
	w.ExpectMatch("#ops", "dave agreed to .* It still needs 1 other person with the role sre")
	require.Zero(t, w.ran.Load())
}

// Who asks is linked with somebody who has agreed already: that consent counts no longer.
func TestAttackLinkedWithTheAsker(t *testing.T) {
	w := newLinkedWorld(t, options{deploy: two})
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	w.User("carol").Say("#ops", "starling approve "+id)
	w.ExpectMatch("#ops", "It still needs 1")
	w.link("bob", "carol")
	w.User("dave").Say("#ops", "starling approve "+id)
	w.ExpectMatch("#ops", "dave agreed to .* It still needs 1 other person with the role sre")
	w.User("carol2").Say("#ops", "starling approve "+id)
	w.ExpectMatch("#ops", "has all the consent it needs")
	w.Expect("#ops", "deployed api to prod")
}

// T23: a link that another process has taken back gives nothing from that moment on to what is Dangerous, or agrees.
func TestAttackRevokedLink(t *testing.T) {
	w := newLinkedWorld(t, options{deploy: func(c *handler.Command[deployArgs]) {
		c.Policy.Dangerous = true
	}})
	w.link("bob", "eve")
	w.link("carol", "mallory")
	w.User("eve").Say("#ops", "starling deploy api")
	w.Expect("#ops", "deployed api to staging") // and the answer is remembered
	w.User("mallory").Say("#ops", "starling pending")
	w.ExpectWhisper("#ops", "mallory", "Nothing waits for you.")
	w.unlink("bob", "eve")
	w.User("eve").Say("#ops", "starling deploy api")
	w.Expect("#ops", "@eve: that needs the role deployer.")
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	w.unlink("carol", "mallory")
	w.User("mallory").Say("#ops", "starling approve "+id)
	w.ExpectMatch("#ops", "@mallory: your consent does not count for that")
	require.EqualValues(t, 1, w.ran.Load())
}

// An account that was taken out is not somebody else where persons are counted, and has no rights either: it neither takes back nor
// sees what its person asks for.
func TestAttackUnlinkedCancels(t *testing.T) {
	w := newLinkedWorld(t, options{})
	w.link("bob", "eve")
	w.User("bob").Direct("deploy api to prod --note hush")
	id := requestID(t, w.last("bob"))
	said := func(line string) string {
		t.Helper()
		w.User("eve").Direct(line)
		return w.last("eve")
	}
	require.Contains(t, said("pending"), "hush", "a control")
	w.unlink("bob", "eve")
	require.Equal(t, "Nothing waits for you.", said("pending"))
	require.Contains(t, said("cancel "+id), "only who asked for "+id+" can cancel it")
	require.Contains(t, said("deny "+id), "somebody else must agree")
	w.User("bob").Direct("cancel " + id)
	require.Contains(t, w.last("bob"), "canceled "+id)
}
