// What others are told of requests and decisions: how much, on which platform, and in which room.

package guard_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/middleware/guard"
	"github.com/starlingbot/starling/testutil"
)

// However many requests wait, pending is a message, and every request is on some page.
func TestPendingIsBounded(t *testing.T) {
	w := newWorld(t, options{})
	long := strings.Repeat("x", 500)
	want := map[string]bool{}
	for _, who := range []string{"bob", "dave", "erin"} {
		w.people.give(key(who), "deployer")
		for i := range 18 {
			note := "short"
			if i < 12 {
				note = long
			}
			w.User(who).Say("#ops", fmt.Sprintf("starling deploy s%d to prod --note %s", i, note))
			id, _ := w.request("#ops")
			want[id] = true
		}
	}
	carol, got, pages := w.User("carol"), map[string]bool{}, 0
	for line := "pending"; line != ""; {
		pages++
		require.Less(t, pages, 30)
		carol.Direct(line)
		p := w.ExpectMatch("@carol", `Page \d+ of \d+, 54 requests\.`)
		require.Less(t, adapter.UnitUTF16.Len(p.Text), 4000)
		for _, id := range requestForm.FindAllString(p.Text, -1) {
			require.False(t, got[id], "twice")
			got[id] = true
		}
		line = ""
		if next := regexp.MustCompile(`Say "(pending \d+)" for the next`).FindStringSubmatch(p.Text); next != nil {
			line = next[1]
		}
	}
	require.Equal(t, want, got)
	carol.Direct("pending 99")
	w.Expect("@carol", fmt.Sprintf("There is no page 99: what waits is on %d pages.", pages))
	t.Logf("54 requests on %d pages", pages)
}

// both is a world with another chat, where carol and root are, whose ids are those of others on the first one; requests that are
// made in private on the first are put to others there.
func both(t *testing.T) (*world, *testutil.Chat) {
	t.Helper()
	other := testutil.NewChat(testutil.ChatConfig{Name: "other"})
	room := other.AddRoom(adapter.Room{ID: "c-sre", Name: "sre"})
	w := newWorld(t, options{
		guard: func(c *guard.Config) {
			c.BreakGlass = "breakglass"
			c.Room = adapter.Address{Adapter: "other", Room: room.ID}
		},
		config: func(c *starling.Config) { c.Adapters = append(c.Adapters, other) },
	})
	w.people.give("other//u-carol", "sre")
	w.people.give("other//u-root", "breakglass")
	w.User("carol")
	w.User("root")
	other.AddUser(adapter.User{ID: "u-bob", Name: "victim"})
	return w, other
}

// Who decides on one platform is mentioned there, and nobody of the same id on another one.
func TestAttackDecidedOnAnotherPlatform(t *testing.T) {
	cases := map[string]struct {
		who, line, there, here string
	}{
		"approve":  {"carol", "approve %s", "@carol agreed to %s, which has all the consent it needs.", "deployed api to prod"},
		"deny":     {"carol", "deny %s", "@carol denied %s of bob (chat//u-bob).", "carol (other//u-carol) denied %s of @bob."},
		"override": {"root", "override %s because the site is down", "**@root runs %s of bob (chat//u-bob) without the consent it needs**, because: the site is down", "**root (other//u-root) runs %s of @bob without the consent it needs**, because: the site is down"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w, other := both(t)
			w.User("bob").Direct("deploy api to prod")
			id := requestID(t, w.ExpectMatch("@bob", "I have put").Text)
			other.As(t, c.who).Say("#sre", "starling "+fmt.Sprintf(c.line, id))
			w.Idle()
			with := func(text string) string {
				if strings.Contains(text, "%s") {
					return fmt.Sprintf(text, id)
				}
				return text
			}
			var said []string
			for _, p := range other.Posts("#sre") {
				said = append(said, p.Text)
				require.NotContains(t, p.Text, "@victim")
			}
			require.Len(t, said, 2)
			require.Contains(t, said[0], with(c.there), "in place of the buttons")
			require.Contains(t, said[1], with(c.there))
			here := w.Chat.Posts("@bob")
			all := ""
			for _, p := range here {
				all += p.Text + "\n"
			}
			require.Contains(t, all, with(c.here))
			require.NotContains(t, all, "@carol")
			require.NotContains(t, all, "@root")
		})
	}
}

// An override that is said on one platform and announced on another one.
func TestAttackOverrideAnnouncedOnAnotherPlatform(t *testing.T) {
	w, other := both(t)
	other.AddUser(adapter.User{ID: "u-root", Name: "victim2"})
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	w.User("root").Say("#ops", "starling override "+id+" because the site is down")
	w.Idle()
	posts := other.Posts("#sre")
	require.Len(t, posts, 1)
	require.Equal(t, "**root (chat//u-root) runs "+id+" of bob (chat//u-bob) without the consent it needs**, because: the site is down\n```\ndeploy api prod --wait 10m\n```", posts[0].Text)
}

// Somebody of one platform decides, and the message with which others were asked is on another one.
func TestAttackClosedOnAnotherPlatform(t *testing.T) {
	w, other := both(t)
	other.AddUser(adapter.User{ID: "u-carol", Name: "victim3"})
	w.User("bob").Direct("deploy api to prod")
	id := requestID(t, w.ExpectMatch("@bob", "I have put").Text)
	w.User("carol").Say("#ops", "starling approve "+id)
	w.Expect("#ops", "@carol agreed to "+id+", which has all the consent it needs.")
	w.Idle()
	posts := other.Posts("#sre")
	require.Len(t, posts, 1)
	require.Contains(t, posts[0].Text, "\ncarol (chat//u-carol) agreed to "+id)
}

// What was asked for in private is not shown in the room in which somebody decides on it.
func TestAttackPrivateLineInARoom(t *testing.T) {
	o := options{
		guard: func(c *guard.Config) { c.BreakGlass = "breakglass" },
		routes: func(w *world, rt *handler.Router) {
			rt.Add(handler.Command[loginArgs]{
				Name: "login", Summary: "L.", Policy: handler.Policy{Approvals: 1, ApprovedBy: "sre"},
				Run: func(ctx context.Context, r *handler.Request, a loginArgs) error { return r.Reply(ctx, "in") },
			})
		},
	}
	w := newWorld(t, o)
	w.User("bob").Direct("deploy api to prod --note hush")
	id := requestID(t, w.ExpectMatch("@bob", "Nobody sees this but you").Text)
	w.User("root").Say("#ops", "starling override "+id+" because the site is down")
	w.Expect("#ops", "**@root runs "+id+" of @bob without the consent it needs**, because: the site is down")
	w.Idle()
	said := "" // what is told and what was started come side by side
	for _, p := range w.Chat.Posts("@bob") {
		said += p.Text + "\n"
	}
	require.Regexp(t, "(?s)without the consent it needs.*\ndeploy api prod --note hush", said)
	require.Contains(t, said, "deployed api to prod")

	w.User("bob").Direct("login cnrymark7")
	w.Idle()
	posts := w.Chat.Posts("@bob")
	id = requestID(t, posts[len(posts)-1].Text)
	w.Restart(func(c *starling.Config) { c.Router = w.router(o) })
	w.User("carol").Say("#ops", "starling approve "+id)
	w.Expect("#ops", "I was restarted and do not keep secrets. @bob has to say "+id+" again.")
	w.Idle()
	posts = w.Chat.Posts("@bob")
	require.Equal(t, "@bob: I was restarted and do not keep secrets. Say it again: login [secret]", posts[len(posts)-1].Text)
}
