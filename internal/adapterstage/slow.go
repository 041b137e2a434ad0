package adapterstage

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// SlowBot: a bot that hangs in one room holds up neither the connection nor another room, and hears later what was said
// meanwhile, once and in order. start runs the adapter, and gives how often it connected again; say says something in a room.
func SlowBot(t *testing.T, slow, quick string, start func(e *Ear) (reconnects func() int), say func(room, text string) error) {
	t.Helper()
	e := new(Ear)
	free := make(chan struct{})
	e.Set(func(_ context.Context, ev *adapter.Event) error {
		if ev.Room.ID == slow {
			<-free
		}
		return nil
	})
	reconnects := start(e)
	for i := range 30 {
		require.NoError(t, say(slow, fmt.Sprint("slow ", i)))
	}
	for i := range 60 { // seven minutes: what a platform delivers again has come, and many heartbeats
		Wait(7 * time.Second)
		require.NoError(t, say(quick, fmt.Sprint("quick ", i)))
		synctest.Wait()
		require.Equal(t, fmt.Sprint("quick ", i), e.Texts()[len(e.Texts())-1])
	}
	require.Zero(t, reconnects(), "the connection was never stalled")
	require.Len(t, e.Heard(), 61, "one slow event and the quick ones")
	close(free)
	Wait(time.Minute)
	var heard []string
	for _, text := range e.Texts() {
		if strings.HasPrefix(text, "slow") {
			heard = append(heard, text)
		}
	}
	require.Len(t, heard, 30, "each once")
	for i, text := range heard {
		require.Equal(t, fmt.Sprint("slow ", i), text, "in order")
	}
}
