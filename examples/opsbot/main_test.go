package main

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/testutil"
)

// TestTranscripts plays the conversations in testdata; STARLING_UPDATE=1 rewrites what the bot says.
func TestTranscripts(t *testing.T) {
	for _, name := range []string{"commands", "demo"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt, err := routes(time.Second, nil)
				require.NoError(t, err)
				testutil.Transcript(t, starling.Config{Router: rt, Brain: brain.New(memory.New())}, "testdata/"+name+".txt")
			})
		})
	}
}

// TestPolicy plays the conversation of a team with roles and approvals: testdata/policy.txt as far as it is the same each
// time, and then what has ids made by chance.
func TestPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file, rules, err := readTeam("testdata/team.json")
		require.NoError(t, err)
		store := memory.New()
		state := brain.New(store)
		var teams []*team
		fresh := func() *handler.Router {
			team, err := newTeam(file, rules, state, "an audit key of at least 32 characters", "")
			require.NoError(t, err)
			teams = append(teams, team)
			rt, err := routes(time.Second, team)
			require.NoError(t, err)
			return rt
		}
		defer func() {
			for _, team := range teams {
				require.NoError(t, team.close())
			}
		}()
		b := testutil.Transcript(t, starling.Config{Router: fresh(), Brain: state, Policies: rules}, "testdata/policy.txt")
		b.Patience = time.Minute
		bob, alice, carol, dave := b.User("bob"), b.User("alice"), b.User("carol"), b.User("dave")

		// Prod needs a second person, and that is neither Bob himself nor anybody.
		bob.Say("#ops", "starling deploy api to prod --force")
		request := b.ExpectMatch("#ops", `@bob asks to run\n(.|\n)*deploy api prod --wait 10m --force\n(.|\n)*1 other person with the role sre`)
		bob.Press(request, "Approve")
		b.ExpectMatch("#ops", "somebody else must agree")
		alice.Press(request, "Approve")
		b.ExpectMatch("#ops", "that needs 1 other person with the role sre")
		b.ExpectSilence()

		// What was asked for survives the process; with Dave's consent it runs once, whoever clicks and dies.
		b.Kill()
		b.Start(func(c *starling.Config) { c.Router = fresh() })
		dave.Press(request, "Approve")
		b.ExpectMatch("#ops", "@dave agreed to req-[a-z0-9]+: it runs")
		b.ExpectMatch("#ops", "api to prod: build")
		b.ExpectMatch("#ops", "@bob: api is now version 1 in prod")
		dave.PressLate(request, "Approve")
		b.ExpectMatch("#ops", "There is no request req-[a-z0-9]+ any more")
		b.Idle()
		b.Kill()
		b.Start(func(c *starling.Config) { c.Router = fresh() })
		b.ExpectSilence()
		bob.Say("#ops", "starling services api")
		b.ExpectMatch("#ops", `api +prod +version 1 by bob`)

		// The audit log shows it all, and a byte that was changed.
		carol.Say("@carol", "audit --limit 40")
		log := adapter.PlainText(b.ExpectMatch("@carol", "deploy api prod").Message.Text)
		for _, want := range []string{"denied alice", "approved dave", "before bob", "approved by dave (chat//u-dave) done", "role grant deployer chat//u-bob"} {
			require.Contains(t, log, want)
		}
		carol.Say("@carol", "audit verify")
		b.ExpectMatch("@carol", "nothing is missing or changed")
		var victim brain.Entry
		for e, err := range store.List(t.Context(), "audit/") {
			require.NoError(t, err)
			if bytes.Contains(e.Value, []byte("deploy api prod")) {
				victim = e
			}
		}
		flipped := bytes.Replace(victim.Value, []byte("deploy api prod"), []byte("deploy web prod"), 1)
		_, err = store.Apply(t.Context(), brain.Op{Key: victim.Key, Value: flipped, If: brain.At(victim.Rev)})
		require.NoError(t, err)
		carol.Say("@carol", "audit verify")
		b.ExpectMatch("@carol", "changed|does not|hash")
	})
}
