package adapterstage

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// TestEar: it remembers what others said, taken or not.
func TestEar(t *testing.T) {
	Bubble(t, func() quiet { return quiet{} }, func(t *testing.T, _ quiet) {
		var e Ear
		require.NoError(t, e.Sink(t.Context(), &adapter.Event{Text: "one"}))
		require.NoError(t, e.Sink(t.Context(), &adapter.Event{Text: "mine", Self: true}))
		away := errors.New("away")
		e.Set(func(context.Context, *adapter.Event) error { return away })
		go func() { Wait(0); _ = e.Sink(t.Context(), &adapter.Event{Text: "two"}) }()
		Wait(time.Hour)
		require.Equal(t, "two", e.Last(t, 1).Text)
		require.ErrorIs(t, e.Sink(t.Context(), &adapter.Event{Text: "three"}), away)
		require.Equal(t, []string{"one", "two", "three"}, e.Texts())
		e.Own = true
		require.Equal(t, []string{"one", "mine", "two", "three"}, e.Texts())
	})
}

type quiet struct{}

func (quiet) Close() error                             { return nil }
func (quiet) Mistakes() []string                       { return nil }
func (quiet) Connected() bool                          { return true }
func (quiet) Await(context.Context, func() bool) error { return nil }

// TestShelf: it keeps what is promised, and nothing while it is away.
func TestShelf(t *testing.T) {
	t.Parallel()
	var s Shelf
	ctx := t.Context()
	require.NoError(t, s.Set(ctx, "position/C1", "1"))
	require.Error(t, s.Set(ctx, "position C1", "1"))
	require.Error(t, s.Set(ctx, "position/C1", strings.Repeat("1", 1024)))
	away := errors.New("away")
	s.Fail(away)
	require.ErrorIs(t, s.Set(ctx, "position/C1", "2"), away)
	_, err := s.Get(ctx, "position/C1")
	require.ErrorIs(t, err, away)
	s.Fail(nil)
	v, err := s.Get(ctx, "position/C1")
	require.NoError(t, err)
	require.Equal(t, "1", v)
	require.Equal(t, map[string]string{"position/C1": "1"}, s.Stored())
	require.Equal(t, 1, s.Sets())
}

// careless is a fake that closes badly, and saw two mistakes.
type careless struct{ quiet }

var errClose = errors.New("it does not close")

func (careless) Close() error       { return errClose }
func (careless) Mistakes() []string { return []string{"the first", "the second"} }

func TestEnd(t *testing.T) {
	t.Parallel()
	require.NoError(t, End(quiet{}))
	err := End(careless{})
	require.ErrorIs(t, err, errClose)
	require.ErrorContains(t, err, "the fake platform saw: the first")
}

// TestLog: it has what was logged at every level and what was returned, whoever writes.
func TestLog(t *testing.T) {
	t.Parallel()
	var l Log
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { l.Logger().Debug("said") })
		wg.Go(func() { l.Note(errors.New("why")) })
	}
	wg.Wait()
	require.Equal(t, 10, strings.Count(l.String(), "level=DEBUG msg=said\n"))
	require.Equal(t, 10, strings.Count(l.String(), "returned: why\n"))
}
