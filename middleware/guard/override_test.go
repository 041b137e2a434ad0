package guard_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/middleware/guard"
)

// Somebody with both roles asks in private and passes the consent over in private: the announcement is what holds break-glass, and
// nobody would read it.
func TestAttackOverrideNobodyHearsOf(t *testing.T) {
	for name, c := range map[string]struct {
		room  bool   // Config.Room
		asked string // where the command is said
		where string // where the override is
		runs  bool
	}{
		"all in private":           {false, "@root", "@root", false},
		"asked for in a room":      {false, "#ops", "@root", true},
		"passed over in a room":    {false, "@root", "#ops", true},
		"there is a room for it":   {true, "@root", "@root", true},
		"another one's in private": {false, "@dave", "@root", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{guard: func(g *guard.Config) {
				g.BreakGlass = "breakglass"
				if c.room {
					g.Room = adapter.Address{Adapter: "chat", Room: "c-security"}
				}
			}})
			w.Room("#security")
			w.people.give(key("root"), "breakglass", "deployer")
			who := "root"
			if c.asked == "@dave" {
				who = "dave"
			}
			said := func(where, line string) {
				if where[0] == '@' {
					w.User(where[1:]).Direct(line)
				} else {
					w.User(who).Say(where, "starling "+line)
				}
			}
			said(c.asked, "deploy api to prod")
			w.Idle()
			var id string
			for _, p := range w.Chat.Posts() {
				if id == "" {
					id = requestForm.FindString(p.Text)
				}
			}
			require.NotEmpty(t, id)
			said(c.where, "override "+id+" because the site is down")
			w.Idle()
			heard := false
			for _, p := range w.Chat.Posts() {
				heard = heard || p.Place[0] != '@' && strings.Contains(p.Text, "without the consent it needs")
			}
			require.Equal(t, c.runs, heard)
			if c.runs {
				require.EqualValues(t, 1, w.ran.Load())
				return
			}
			require.Zero(t, w.ran.Load())
			posts := w.Chat.Posts(c.where)
			require.Contains(t, posts[len(posts)-1].Text, "an override is announced, and here nobody else would read it: say it in a room where others are.")
			require.Contains(t, w.recorded(), "denied root deploy: no consent "+id)
			w.User("root").Say("#ops", "starling override "+id+" because the site is down")
			w.ExpectMatch("#ops", "without the consent it needs")
			w.Idle()
			require.EqualValues(t, 1, w.ran.Load())
		})
	}
}

// What became of an override is on record as one.
func TestOverrideIsOnRecord(t *testing.T) {
	w := newWorld(t, options{guard: func(g *guard.Config) { g.BreakGlass = "breakglass" }})
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	w.User("root").Say("#ops", "starling override "+id+" because the site is down")
	w.ExpectMatch("#ops", "without the consent it needs")
	w.Expect("#ops", "deployed api to prod")
	lines := w.recorded()
	require.Contains(t, lines, "before bob deploy: overridden ")
	require.Contains(t, lines, "after bob deploy: overridden done")
	for _, r := range w.records() {
		if r.Phase == "breakglass" {
			require.Equal(t, "the site is down", r.Reason)
			require.Empty(t, r.Error, "nothing went wrong")
		}
	}
}
