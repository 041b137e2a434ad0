package slack

import (
	"context"
	"errors"
	"slices"
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
	stable := func() string { f := p.begin("C1"); p.rooms["C1"].frozen = false; return f.after }
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
	f := p.begin("C1")
	require.Equal(t, []any{stamp(3), first}, []any{f.after, f.gap})
	p.heard("C1", stamp(10), "", true, false)
	p.freeze() // another gap, while the first is being filled
	p.heard("C1", stamp(20), "", true, false)
	p.filled(f, stamp(9), true)
	f = p.begin("C1")
	require.Equal(t, stamp(3), f.after, "the end of an old filling ends no later one")
	p.filled(f, stamp(15), false)
	require.Equal(t, stamp(15), stable(), "a filling that broke off goes on from there")
	p.heard("C1", stamp(21), "", true, false)
	require.Equal(t, stamp(15), stable())
	f = p.begin("C1")
	require.Equal(t, stamp(15), f.after)
	p.filled(f, stamp(20), true)
	require.Equal(t, stamp(21), stable())
	require.Empty(t, p.openRooms(time.Now().Add(time.Hour)))

	f = p.begin("C1")
	f.begun = f.begun.Add(-time.Second)
	p.heard("C1", stamp(25), "", false, false)
	p.heard("C1", stamp(26), "", true, false)
	p.filled(f, stamp(24), true)
	require.Equal(t, stamp(24), stable(), "what was not taken after the history was read is not in it")
	require.Equal(t, []string{"C1"}, p.openRooms(time.Now().Add(givenUp+time.Minute)))
}

// TestNotTakenBeforeLoad: what is not taken before the store was read writes over nothing there.
func TestNotTakenBeforeLoad(t *testing.T) {
	t.Parallel()
	kept := keeper{"position/C1": "1700000000.000000"}
	var p places
	p.init(kept)
	p.heard("C1", "1700000009.000000", "1600000000.000000", false, false)
	require.NoError(t, p.save(t.Context()))
	require.Equal(t, keeper{"position/C1": "1700000000.000000"}, kept)
	fill, err := p.load(t.Context(), "C1", "1700000010.000000")
	require.NoError(t, err)
	require.True(t, fill)
	f := p.begin("C1")
	require.Equal(t, "1700000000.000000", f.after)
	require.Equal(t, []string{"1600000000.000000"}, f.threads)
}

// TestManyNotTaken: where more is not taken than is remembered one by one, the place waits for a reading that brings all of it.
func TestManyNotTaken(t *testing.T) {
	t.Parallel()
	stamp := func(n int) string { return stampOf(time.Unix(1_700_000_000+int64(n), 0)) }
	kept := map[string]string{}
	var p places
	p.init(keeper(kept))
	_, err := p.load(t.Context(), "C1", stamp(0))
	require.NoError(t, err)
	p.allLoaded()
	const many = maxFailed + 20
	for i := 1; i <= many; i++ {
		p.heard("C1", stamp(i), stamp(-i), false, false)
	}
	require.Len(t, p.rooms["C1"].failed, maxFailed)
	for i := 1; i <= maxFailed; i++ { // slack delivers these again
		p.heard("C1", stamp(i), stamp(-i), true, false)
	}
	p.heard("C1", stamp(many+1), "", true, false)
	require.NoError(t, p.save(t.Context()))
	require.Less(t, len(kept["position/C1"]), 1024)
	require.Contains(t, kept["position/C1"], stamp(0)+" ", "not over what was not taken, and with its threads")
	require.Equal(t, []string{"C1"}, p.openRooms(time.Now().Add(givenUp+time.Minute)))
	f := p.begin("C1")
	require.Equal(t, stamp(0), f.after)
	p.filled(f, stamp(many), true)
	require.Empty(t, p.openRooms(time.Now().Add(time.Hour)))
	require.Equal(t, stamp(many+1), p.begin("C1").after)
}

// keeper keeps positions.
type keeper map[string]string

func (k keeper) Get(_ context.Context, key string) (string, error) { return k[key], nil }
func (k keeper) Set(_ context.Context, key, value string) error    { k[key] = value; return nil }

// half is a keeper of which one room cannot be read.
type half struct {
	keeper
	away string
}

func (h *half) Get(ctx context.Context, key string) (string, error) {
	if key == h.away {
		return "", errors.New("away")
	}
	return h.keeper.Get(ctx, key)
}

// TestUnreadPlace: a position that could not be read is not written over by what is heard, and hinders no other room; when it can
// be read, the older one of the two holds, and the room is read from there.
func TestUnreadPlace(t *testing.T) {
	t.Parallel()
	stamp := func(n int) string { return stampOf(time.Unix(1_700_000_000+int64(n), 0)) }
	begin := func(stored string, gap bool) (*places, *half) {
		kept := &half{keeper{}, "position/C1"}
		if stored != "" {
			kept.keeper["position/C1"] = stored
		}
		var p places
		p.init(kept)
		_, err := p.load(t.Context(), "C1", stamp(50))
		require.Error(t, err)
		p.allLoaded()
		p.heard("C1", stamp(60), "", true, false)
		p.heard("C2", stamp(61), "", true, false)
		if gap {
			p.freeze()
		}
		require.Error(t, p.save(t.Context()))
		require.Equal(t, []string{stored, stamp(61)}, []string{kept.keeper["position/C1"], kept.keeper["position/C2"]})
		return &p, kept
	}
	for _, c := range []struct {
		stored string
		gap    bool
		from   string // where it is read from; "": it need not be
	}{
		{stamp(40) + " " + stamp(-9), false, stamp(40)},
		{stamp(70), false, ""},
		{"", false, ""},
		{stamp(40), true, stamp(40)},
		{stamp(70), true, stamp(60)},
		{"", true, stamp(60)},
	} {
		p, kept := begin(c.stored, c.gap) // read by save
		kept.away = ""
		require.NoError(t, p.save(t.Context()))
		require.Equal(t, c.from != "", slices.Contains(p.openRooms(time.Now()), "C1"), c)
		if f := p.begin("C1"); c.from != "" {
			require.Equal(t, c.from, f.after)
			require.Equal(t, c.stored == stamp(40)+" "+stamp(-9), len(f.threads) == 1)
			p.filled(f, "", true)
			require.NotContains(t, p.openRooms(time.Now().Add(time.Hour)), "C1")
		}

		if p, kept = begin(c.stored, c.gap); c.gap { // read by the filling of a later gap
			kept.away = ""
			fill, err := p.load(t.Context(), "C1", stamp(90))
			require.NoError(t, err)
			require.True(t, fill)
			require.Equal(t, c.from, p.begin("C1").after)
		}
	}
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
