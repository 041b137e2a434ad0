package starling_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
)

// finding is a stage that can look whether a message was posted.
type finding struct{ *stage }

func (finding) Name() string { return "finding" }

func (finding) Find(context.Context, *adapter.Message) (adapter.Ref, bool, error) {
	return adapter.Ref{}, false, nil
}

// Where nobody can tell a repeated message from a new one, one message at a time is posted and not yet on record: the death
// of the process repeats one at most. Where somebody can, all go out at once.
func TestGate(t *testing.T) {
	for _, c := range []struct {
		name string
		can  adapter.Features
		want int
	}{
		{"nobody can tell", adapter.Features{}, 1},
		{"the platform knows keys", adapter.Features{IdempotentSend: time.Minute}, 3},
		{"nobody sees it after a crash", adapter.Features{Local: true}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(memory.New())
				completes := make(chan struct{})
				r.fail = func(ops []brain.Op) error {
					if ops[0].Delete && strings.HasPrefix(ops[0].Key, "_/inbox/") {
						<-completes
					}
					return nil
				}
				s := playOn(t, c.can, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
					rt.Command("ping", "", replies("PONG"))
				})
				for _, room := range []string{"C1", "C2", "C3"} {
					require.NoError(t, s.say("alice", room, "starling ping"))
				}
				time.Sleep(time.Second)
				synctest.Wait()
				require.Len(t, s.said(), c.want)
				for n := c.want; n < 3; n++ { // each record lets the next message out
					completes <- struct{}{}
					synctest.Wait()
					require.Len(t, s.said(), n+1)
				}
				close(completes)
				require.NoError(t, s.stop())
				require.Empty(t, keys(t, r, "_/inbox/"))
			})
		})
	}
}

// A handler that goes on after its reply, and several replies of one handler, open the gate soon: the record is written
// aside.
func TestGateOpensWhileAHandlerGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := playOn(t, adapter.Features{}, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
			rt.Command("ping", "", replies("PONG"))
			rt.Command("long", "", func(ctx context.Context, r *handler.Request) error {
				for range 3 {
					if err := r.Reply(ctx, "step"); err != nil {
						return err
					}
				}
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
				return nil
			})
		})
		require.NoError(t, s.say("alice", "C1", "starling long"))
		synctest.Wait()
		require.NoError(t, s.say("bob", "C2", "starling ping"))
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, []string{"C1> step", "C1> step", "C1> step", "C2> PONG"}, s.said())
	})
}

// A post that hangs, or that fails for a while, holds the other rooms up for a moment and no longer.
func TestGateIsNotHeldForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		s := playOn(t, adapter.Features{}, starling.Config{Brain: brain.New(newRig(memory.New()))}, func(rt *handler.Router) {
			rt.Command("ping", "", replies("PONG"))
		})
		s.hang = func(m *adapter.Message) {
			if m.To.Room == "C1" {
				<-hung
			}
		}
		require.NoError(t, s.say("alice", "C1", "starling ping"))
		synctest.Wait()
		require.NoError(t, s.say("bob", "C2", "starling ping"))
		time.Sleep(4 * time.Second)
		synctest.Wait()
		require.Empty(t, s.said())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C2> PONG"}, s.said())
		close(hung)
		synctest.Wait()
		require.Equal(t, []string{"C2> PONG", "C1> PONG"}, s.said())

		s.mu.Lock()
		s.fail = func(_ int, m *adapter.Message) error {
			if m.To.Room == "C1" {
				return adapter.ErrUnavailable
			}
			return nil
		}
		s.mu.Unlock()
		require.NoError(t, s.say("alice", "C1", "starling ping"))
		synctest.Wait()
		require.NoError(t, s.say("bob", "C2", "starling ping"))
		synctest.Wait()
		require.Equal(t, "C2> PONG", s.said()[2])
	})
}

// An adapter that can look whether a message was posted needs no gate.
func TestGateNeedsNoFinder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		completes := make(chan struct{})
		r.fail = func(ops []brain.Op) error {
			if strings.HasPrefix(ops[0].Key, "_/sent/") {
				<-completes
			}
			return nil
		}
		far := &stage{ready: make(chan struct{}), end: make(chan struct{})}
		s := play(t, starling.Config{Brain: brain.New(r), Adapters: []adapter.Adapter{finding{far}}}, func(*handler.Router) {})
		for _, room := range []string{"C1", "C2"} {
			go func() {
				_, err := s.bot.Send(context.Background(), &adapter.Message{To: adapter.Address{Adapter: "finding", Room: room}, Text: "hello"})
				assert.NoError(t, err)
			}()
		}
		synctest.Wait()
		require.Len(t, far.said(), 2)
		close(completes)
		synctest.Wait()
	})
}

// What shows nothing is not sent, even if it was made of data.
func TestNothingIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{}, func(rt *handler.Router) {
			rt.Command("ping", "", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "%s%s", "", "") })
		})
		require.NoError(t, s.say("alice", "C1", "starling ping"))
		synctest.Wait()
		require.Empty(t, s.said())
	})
}
