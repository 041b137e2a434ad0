package starling_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/testutil"
)

// An event whose route is gone is put aside, and it is said whether its handler had begun.
func TestRouteIsGone(t *testing.T) {
	for name, begins := range map[string]bool{"begun": true, "waiting": false} {
		t.Run(name, func(t *testing.T) {
			entered, block := make(chan struct{}, 2), make(chan struct{})
			defer close(block)
			routes := func(deploys bool) *handler.Router {
				rt := handler.NewRouter()
				rt.Command("ping", "Say PONG.", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "PONG") })
				if deploys {
					rt.Command("deploy", "Ship.", func(ctx context.Context, r *handler.Request) error {
						if begins {
							if err := r.Reply(ctx, "shipping"); err != nil {
								return err
							}
						}
						entered <- struct{}{}
						<-block
						return nil
					})
				}
				return rt
			}
			b := testutil.Start(t, starling.Config{Router: routes(true), Brain: brain.New(memory.New())})
			b.User("alice").Direct("deploy")
			<-entered
			if begins {
				b.Expect("@alice", "shipping")
			}
			b.Kill()
			b.Start(func(c *starling.Config) { c.Router = routes(false) })
			b.User("alice").Direct("ping")
			b.ExpectMatch("@alice", "PONG")
			b.Idle()
			letters, err := b.Bot().DeadLetters(context.Background())
			require.NoError(t, err)
			require.Len(t, letters, 1)
			require.Contains(t, letters[0].Reason, "none of its routes exists any more: deploy")
			if begins {
				require.Contains(t, letters[0].Reason, "it had begun, and its outcome is unknown")
			} else {
				require.NotContains(t, letters[0].Reason, "begun")
			}
			require.Equal(t, "deploy", letters[0].Said)
		})
	}
}
