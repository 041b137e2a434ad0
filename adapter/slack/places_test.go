package slack

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// TestPlaces: a place moves on only over what was taken.
func TestPlaces(t *testing.T) {
	t.Parallel()
	stamp := func(n int) string { return stampOf(time.Unix(1_700_000_000+int64(n), 0)) }
	var p places
	p.init(nil)
	stable := func() string { after, _, _ := p.begin("C1"); p.rooms["C1"].frozen = false; return after }
	fill, err := p.load(t.Context(), "C1", stamp(0))
	require.NoError(t, err)
	require.False(t, fill, "a room begins where it is first seen")
	p.allLoaded()
	p.heard("C1", stamp(1), "", true, false)
	require.Equal(t, stamp(1), stable())
	p.heard("C1", stamp(2), "", false, false)
	p.heard("C1", stamp(3), "", true, false)
	require.Equal(t, stamp(1), stable(), "not over what was not taken")
	require.Empty(t, p.openRooms(time.Now().Add(time.Minute)))
	require.Equal(t, []string{"C1"}, p.openRooms(time.Now().Add(givenUp+time.Minute)))
	p.heard("C1", stamp(2), "", true, false)
	require.Equal(t, stamp(3), stable())
	p.heard("C1", stamp(2), "", false, false)
	require.True(t, older(stable(), stamp(2)), "back, for what is older and not taken")
	p.heard("C1", stamp(2), "", true, false)
	require.Equal(t, stamp(3), stable())

	first := p.freeze()
	after, _, gap := p.begin("C1")
	require.Equal(t, []any{stamp(3), first}, []any{after, gap})
	p.heard("C1", stamp(10), "", true, false)
	p.freeze() // another gap, while the first is being filled
	p.heard("C1", stamp(20), "", true, false)
	p.filled("C1", stamp(9), true, gap)
	after, _, gap = p.begin("C1")
	require.Equal(t, stamp(3), after, "the end of an old filling ends no later one")
	p.filled("C1", stamp(15), false, gap)
	require.Equal(t, stamp(15), stable(), "a filling that broke off goes on from there")
	p.heard("C1", stamp(21), "", true, false)
	require.Equal(t, stamp(15), stable())
	after, _, gap = p.begin("C1")
	require.Equal(t, stamp(15), after)
	p.filled("C1", stamp(20), true, gap)
	require.Equal(t, stamp(21), stable())
	require.Empty(t, p.openRooms(time.Now().Add(time.Hour)))
}

// TestForgetInFlight: what changes while it is looked up is not remembered as it was.
func TestForgetInFlight(t *testing.T) {
	t.Parallel()
	a := quietAdapter(t)
	asked, answer := make(chan struct{}, 2), make(chan string)
	load := func(context.Context) (adapter.User, error) {
		asked <- struct{}{}
		return adapter.User{Name: <-answer}, nil
	}
	got := make(chan string, 2)
	ask := func() { u, _ := a.users.Get(context.Background(), "U1", load); got <- u.Name }
	go ask()
	<-asked
	a.users.Forget("U1")
	answer <- "old"
	require.Equal(t, "old", <-got)
	go ask()
	<-asked
	answer <- "new"
	require.Equal(t, "new", <-got)
	require.NoError(t, a.Close())
}
