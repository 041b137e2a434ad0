package discord_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter/discord"
	"github.com/starlingbot/starling/internal/adapterstage"
	"github.com/starlingbot/starling/internal/discordfake"
)

// TestDeadConnection: what is said while a connection is dead and nobody knows is read, in rooms too that were never heard: by the
// next session, and by the next process where this one ends before it knows.
func TestDeadConnection(t *testing.T) {
	t.Parallel()
	die := func(t *testing.T, f *discordfake.Server) {
		wait(5 * time.Minute)
		f.Deaf(true)
		f.DropSessions() // nothing is delivered any more
		_, err := f.Say(alice, dev, "said to a dead connection")
		require.NoError(t, err)
	}
	t.Run("next session", func(t *testing.T) {
		bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
			e := new(ear)
			start(t, f, configFor(f), e.Sink)
			die(t, f)
			require.NoError(t, f.Await(t.Context(), func() bool { return f.Connections() == 0 }))
			f.Deaf(false)
			wait(time.Minute)
			require.Equal(t, []string{"said to a dead connection"}, e.Texts())
		})
	})
	t.Run("next process", func(t *testing.T) {
		bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
			kept := &shelf{}
			e := new(ear)
			process(t, f, kept, e.Sink, func(*discord.Adapter) {
				die(t, f)
				wait(38 * time.Second) // a heartbeat takes 41
				require.Equal(t, 1, f.Connections())
			})
			require.Empty(t, e.Texts())
			f.Deaf(false)
			process(t, f, kept, e.Sink, func(*discord.Adapter) { wait(time.Minute) })
			require.Equal(t, []string{"said to a dead connection"}, e.Texts())
			process(t, f, kept, e.Sink, func(*discord.Adapter) { wait(time.Minute) })
			require.Len(t, e.Texts(), 1, "and not once more")
		})
	})
}

// half is a shelf of which one key cannot be read for a while.
type half struct {
	adapterstage.Shelf
	key  string
	away atomic.Bool
}

func (h *half) Get(ctx context.Context, key string) (string, error) {
	if key == h.key && h.away.Load() {
		return "", errors.New("away")
	}
	return h.Shelf.Get(ctx, key)
}

// TestPositionAway: a room that was never heard, and of which that cannot be known for long, is read when it can be.
func TestPositionAway(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		kept := &half{key: "position/" + dev}
		e := new(ear)
		process(t, f, kept, e.Sink, func(*discord.Adapter) {
			wait(time.Minute)
			since, err := kept.Get(t.Context(), "position/since")
			require.NoError(t, err)
			wait(5 * time.Minute)
			later, err := kept.Get(t.Context(), "position/since")
			require.NoError(t, err)
			require.Greater(t, later, since, "heartbeats are answered: it moves on")
		})
		_, err := f.Say(alice, dev, "missed")
		require.NoError(t, err)
		kept.away.Store(true)
		process(t, f, kept, e.Sink, func(a *discord.Adapter) {
			wait(20 * time.Minute)
			require.Empty(t, e.Texts())
			kept.away.Store(false)
			wait(10 * time.Minute)
			require.Equal(t, []string{"missed"}, e.Texts())
			require.Empty(t, a.Status().Gaps)
		})
	})
}
