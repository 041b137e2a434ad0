package starling_test

import (
	"context"
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
	"github.com/starlingbot/starling/middleware/guard"
)

// roleOf says which role each of some users has.
type roleOf map[string]string

func (p roleOf) Of(_ context.Context, u adapter.User) ([]string, error) {
	return []string{p[u.ID]}, nil
}

// A command with a secret waits for consent, and the process that asked dies: its event comes again, so that the next one knows the
// secret, puts the request to others if that was not done, and runs it when they agree. Nothing secret was stored with what waits.
func TestHeldSecretsComeAgain(t *testing.T) {
	for name, until := range map[string]string{"before others were asked": "_/held/", "while others are asked": "asks to run"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, err := guard.New(guard.Config{Roles: roleOf{"carol": "sre"}, Room: adapter.Address{Adapter: "stage", Room: "C1"}})
				require.NoError(t, err)
				add := func(rt *handler.Router) {
					rt.Use(g.Enforce)
					rt.Mount("guard", g.Routes())
					rt.Add(handler.Command[login]{
						Name: "login", Summary: "Log in.", Policy: handler.Policy{Approvals: 1, ApprovedBy: "sre"},
						Run: func(ctx context.Context, r *handler.Request, a login) error {
							return r.Reply(ctx, "%s has %d letters", a.Password, len(a.Password.Reveal()))
						},
					})
				}
				store := memory.New()
				r1 := newRig(store)
				s1 := play(t, starling.Config{Brain: brain.New(r1)}, add)
				r1.setAfter(func(ops []brain.Op) error {
					for _, op := range ops {
						if strings.HasPrefix(op.Key, until) {
							close(r1.severed)
							return errSevered
						}
					}
					return nil
				})
				s1.setFail(func(_ int, m *adapter.Message) error {
					if strings.Contains(m.Text, until) { // posted, and the process dies before it is recorded
						close(r1.severed)
					}
					return nil
				})
				require.NoError(t, s1.say("alice", "D1", "login cnrymark2"))
				time.Sleep(time.Second)
				synctest.Wait()
				require.True(t, r1.dead())
				held := keys(t, store, "_/held/")
				require.Len(t, held, 1)
				entry, err := store.Get(context.Background(), held[0])
				require.NoError(t, err)
				require.Contains(t, string(entry.Value), `"hash":""`, "of a short secret it is enough to find it")
				require.NotContains(t, string(entry.Value), "cnrymark2")
				id := strings.TrimPrefix(held[0], "_/held/")

				s2 := play(t, starling.Config{Brain: brain.New(newRig(store))}, add)
				s2.next = 100
				time.Sleep(5 * time.Second)
				synctest.Wait()
				require.Contains(t, strings.Join(s2.said(), "\n"), "C1> @alice asks to run")
				require.NoError(t, s2.say("carol", "C1", "starling approve "+id))
				time.Sleep(5 * time.Second)
				synctest.Wait()
				require.Contains(t, s2.said(), "D1> [secret] has 9 letters")
				require.Empty(t, keys(t, store, "_/held/"))
				require.Empty(t, keys(t, store, "_/run/"))
			})
		})
	}
}
