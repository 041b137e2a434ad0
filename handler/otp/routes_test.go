package otp_test

import (
	"bytes"
	"encoding/base32"
	"image/png"
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
	"github.com/starlingbot/starling/handler/otp"
	"github.com/starlingbot/starling/handler/roles"
	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/middleware/guard"
	"github.com/starlingbot/starling/testutil"
)

// desk is a bot with the commands of the second factor; alice is its admin.
type desk struct {
	*testutil.Bot
	t     *testing.T
	store brain.Store
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, store: memory.New()}
	state := brain.New(d.store)
	o := open(t, d.store, keyA)
	people, err := roles.New(roles.Config{Brain: state.Namespace("roles"), Admins: []string{"chat//u-alice"}})
	require.NoError(t, err)
	g, err := guard.New(guard.Config{Roles: people, Brain: state.Namespace("guard"), Factor: o})
	require.NoError(t, err)
	rt := handler.NewRouter()
	rt.Use(g.Enforce)
	otp.Routes(rt, o, handler.Policy{Roles: []string{roles.Admin}})
	d.Bot = testutil.Start(t, starling.Config{Router: rt, Brain: state, Adapters: []adapter.Adapter{testutil.NewChat(testutil.ChatConfig{Moderates: true})}})
	return d
}

var shownSecret = regexp.MustCompile("type `([A-Z2-7]+)` into")

// enrol has a user say that they want a factor, and scans what they are shown.
func (d *desk) enrol(user *testutil.User) app {
	d.t.Helper()
	user.Direct("factor enrol")
	p := d.ExpectMatch("@"+user.Name, "^Scan the picture with your authenticator app, or type `[A-Z2-7]+` into it\\. Then say: factor confirm CODE$")
	require.Len(d.t, p.Files, 1)
	_, err := png.DecodeConfig(bytes.NewReader(p.Files[0].Data))
	require.NoError(d.t, err)
	text := strings.ReplaceAll(shownSecret.FindStringSubmatch(p.Text)[1], " ", "")
	d.Idle()
	for e, err := range d.store.List(ctx, "") {
		require.NoError(d.t, err)
		require.NotContains(d.t, string(e.Value), text, "%s: what shows the secret is not stored", e.Key)
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	require.NoError(d.t, err)
	canary.Watch(secret, canary.Posts) // a picture and a text in private
	return app{secret}
}

func TestRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		alice, bob := d.User("alice"), d.User("bob")
		bob.Direct("factor confirm 123456")
		d.Expect("@bob", "There is nothing to confirm: say factor enrol first.")
		phone := d.enrol(bob)
		bob.Direct("factor confirm 12345")
		d.Expect("@bob", "That is not the code. Look at the app again.")
		said := bob.Direct("factor confirm " + phone.code(0))
		d.Expect("@bob", "Your second factor is set up.")
		said.Again() // the platform delivers it once more
		d.ExpectSilence()
		bob.Direct("factor enrol")
		d.Expect("@bob", "You have a second factor already. An admin can reset it.")
		bob.Direct("factor confirm " + phone.code(30*time.Second))
		d.Expect("@bob", "You have a second factor already. An admin can reset it.")

		bob.Say("#ops", "starling factor reset @bob")
		d.Expect("#ops", "@bob: that needs the role admin.")
		alice.Say("#ops", "starling factor reset @bob")
		d.Expect("#ops", "@bob can set up a new second factor.")
		again := d.enrol(bob)
		require.NotEqual(t, phone.secret, again.secret)
		bob.Direct("factor confirm " + phone.code(0))
		d.Expect("@bob", "That is not the code. Look at the app again.")
		bob.Direct("factor confirm " + again.code(0))
		d.Expect("@bob", "Your second factor is set up.")
	})
}

// Neither a code nor what makes codes is for a room.
func TestRoutesArePrivate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		bob := d.User("bob")
		said := bob.Say("#ops", "starling factor enrol")
		d.Expect("#ops", "@bob: that works only in private. Say it to me there.")
		require.False(t, said.Deleted())
		phone := d.enrol(bob)
		said = bob.Say("#ops", "starling factor confirm "+phone.code(0))
		d.Expect("#ops", "@bob: that works only in private. Say it to me there. What you said may hold a secret, and others can read it here. I have deleted it, and take the secret for known.")
		require.True(t, said.Deleted())
		d.ExpectSilence()
	})
}

// T25: five wrong codes, and none is tried for a while.
func TestRoutesLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		bob := d.User("bob")
		phone := d.enrol(bob)
		for range 4 {
			bob.Direct("factor confirm 000000")
			d.Expect("@bob", "That is not the code. Look at the app again.")
		}
		bob.Direct("factor confirm 000000")
		d.ExpectMatch("@bob", `^Too many wrong codes\. Try again after .*\.$`)
		bob.Direct("factor confirm " + phone.code(0))
		d.ExpectMatch("@bob", `^Too many wrong codes`)
		time.Sleep(15*time.Minute + time.Second) // the enrolment has expired by then
		bob.Direct("factor confirm " + phone.code(0))
		d.Expect("@bob", "There is nothing to confirm: say factor enrol first.")
		phone = d.enrol(bob)
		bob.Direct("factor confirm " + phone.code(0))
		d.Expect("@bob", "Your second factor is set up.")
	})
}
