package starling_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/brain/sealed"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/testutil"
)

type rotation struct {
	Service string         `arg:"service"`
	Token   handler.Secret `flag:"token" secret:""`
	Key     handler.Secret `flag:"key" secret:""`
	Count   int            `flag:"count" default:"1"`
}

// vault is a bot with a command that takes secrets.
func vault(t *testing.T, chat testutil.ChatConfig) (*testutil.Bot, brain.Store) {
	t.Helper()
	rt := handler.NewRouter()
	rt.Add(handler.Command[rotation]{
		Name: "rotate", Summary: "Rotate a secret.",
		Run: func(ctx context.Context, r *handler.Request, a rotation) error {
			return r.Reply(ctx, "rotated %s by a token of %d and a key of %d, %d times", a.Service, len(a.Token.Reveal()), len(a.Key.Reveal()), a.Count)
		},
	})
	store := memory.New()
	return testutil.Start(t, starling.Config{Router: rt, Brain: brain.New(store), Adapters: []adapter.Adapter{testutil.NewChat(chat)}}), store
}

// T19: a secret that is said in a room is deleted where the platform lets the bot, and asked for in private; the rest of what
// was said counts.
func TestSecretSaidInARoom(t *testing.T) {
	b, store := vault(t, testutil.ChatConfig{Moderates: true})
	alice := b.User("alice")
	said := alice.Say("#ops", "starling rotate api --token cnrymark2 --count 3")
	b.Expect("@alice", "Which token?")
	b.Expect("#ops", "@alice: token is secret, and others can read what you said here. I have deleted it, and take it for known. I have asked you for another in private.")
	require.True(t, said.Deleted())
	b.Idle()
	for e, err := range store.List(context.Background(), "") {
		require.NoError(t, err)
		require.NotContains(t, string(e.Value), "cnrymark2", e.Key)
	}
	alice.Direct("cnrymark34")
	b.Expect("#ops", "rotated api by a token of 10 and a key of 0, 3 times")

	said = alice.Say("#ops", "starling rotate api --token cnrymark2 --key cnrymark3") // one is asked for, which shows that it counts
	b.Expect("@alice", "Which token?")
	b.ExpectMatch("#ops", "token is secret")
	alice.Direct("cnrymark34")
	b.Expect("#ops", "rotated api by a token of 10 and a key of 0, 1 times")
	require.True(t, said.Deleted())

	// What cannot be read may hold a secret, too; what holds none is left.
	for line, gone := range map[string]bool{
		"starling rotate api --token cnrymark2 --count many": true, "starling rotate api cnrymark2": true,
		"starling rotate api --count many": false, "starling rotate --help": false,
	} {
		said = alice.Say("#ops", line)
		p := b.ExpectMatch("#ops", `(?s)count is|too many|rotate SERVICE`)
		require.NotContains(t, p.Text, "cnrymark2")
		require.Equal(t, gone, said.Deleted(), line)
	}
	b.ExpectSilence()
	require.NotContains(t, b.Log(), "cnrymark")
}

// Where the bot can neither delete nor talk to somebody in private it says so, and runs nothing.
func TestSecretSaidInABareRoom(t *testing.T) {
	b, _ := vault(t, testutil.ChatConfig{Bare: true})
	said := b.User("alice").Say("#ops", "starling rotate api --token cnrymark2")
	b.Expect("#ops", "@alice: token is secret, and others can read what you said here. Please delete it, and take it for known. I cannot ask you for it in private.")
	require.False(t, said.Deleted())
	b.ExpectSilence()
}

// In private, and by a native command, nobody else reads it.
func TestSecretSaidInPrivate(t *testing.T) {
	b, _ := vault(t, testutil.ChatConfig{Moderates: true})
	alice := b.User("alice")
	said := alice.Direct("rotate api --token cnrymark2")
	b.Expect("@alice", "rotated api by a token of 9 and a key of 0, 1 times")
	require.False(t, said.Deleted())
	alice.Invoke("#ops", "rotate", "api --token cnrymark2")
	b.Expect("#ops", "rotated api by a token of 9 and a key of 0, 1 times")
	b.ExpectSilence()
}

// Where the brain is sealed, secret arguments wait for an answer over a restart, and are on no disk in the clear.
func TestSealedBrainKeepsSecrets(t *testing.T) {
	keys, err := sealed.ParseKeys("k1:Y25yeW1hcmstc2VhbGVkLWtleS1udW1iZXItb25lLXg=")
	require.NoError(t, err)
	for name, isSealed := range map[string]bool{"sealed": true, "plain": false} {
		t.Run(name, func(t *testing.T) {
			disk := memory.New()
			var store brain.Store = disk
			if isSealed {
				store, err = sealed.New(sealed.Config{Store: disk, Keys: keys})
				require.NoError(t, err)
			}
			rt := func() *handler.Router {
				rt := handler.NewRouter()
				rt.Add(handler.Command[login]{
					Name: "login", Summary: "Log in.", Confirm: func(login) string { return "Sure?" },
					Run: func(ctx context.Context, r *handler.Request, a login) error {
						return r.Reply(ctx, "%s has %d letters", a.Password, len(a.Password.Reveal()))
					},
				})
				return rt
			}
			b := testutil.Start(t, starling.Config{Router: rt(), Brain: brain.New(store)})
			b.User("alice").Direct("login cnrymark2")
			b.Expect("@alice", "Sure? (yes, no)")
			b.Idle()
			waiting := 0
			for e, err := range disk.List(context.Background(), "_/ask/") {
				require.NoError(t, err)
				require.NotContains(t, string(e.Value), "cnrymark2", e.Key)
				waiting++
			}
			require.Equal(t, 1, waiting)
			b.Restart(func(c *starling.Config) { c.Router = rt() })
			b.User("alice").Direct("yes")
			if isSealed {
				b.Expect("@alice", "[secret] has 9 letters")
			} else {
				b.Expect("@alice", "I was restarted and do not keep secrets: say the whole command again.")
			}
		})
	}
}

// A command whose end was lost on the way does nothing, and hides its secrets all the same.
func TestTruncatedCommand(t *testing.T) {
	b, _ := vault(t, testutil.ChatConfig{Moderates: true})
	alice := b.User("alice")
	for line, want := range map[string]string{
		"starling rotate api":                   "That is longer than what reaches me, and its end is lost. Nothing was done: say it shorter.",
		"starling rotate api --token cnrymark2": "That is longer than what reaches me, and its end is lost. Nothing was done: say it shorter. What you said may hold a secret, and others can read it here. Please delete it, and take the secret for known.",
	} {
		b.Chat.Deliver(&adapter.Event{Kind: adapter.KindMessage, User: alice.User, Room: b.Room("#ops"), Text: line, Truncated: true})
		b.Expect("#ops", want)
	}
	b.ExpectSilence()
}
