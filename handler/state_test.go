package handler_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
)

// stateful makes a request of a delivery that keeps its state in the namespace karma.
func stateful(e *recorder, delivery string) *handler.Request {
	r := handler.NewRequest(message("x"), e)
	r.Delivery = delivery
	r.Brain = brain.New(memory.New()).Namespace("karma")
	return r
}

func TestChange(t *testing.T) {
	ctx := context.Background()
	e := &recorder{}
	calls := 0
	up := func(n *int) error { calls++; *n++; return nil }
	n, err := handler.Change(ctx, stateful(e, "1"), "go", up)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = handler.Change(ctx, stateful(e, "2"), "go", up)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	n, err = handler.Change(ctx, stateful(e, "1"), "go", up)
	require.NoError(t, err)
	require.Equal(t, 1, n, "a delivery that comes again gets the value that it made")
	require.Equal(t, 2, calls)
	require.Equal(t, map[string][]byte{"karma/go": []byte("2")}, e.state, "in the namespace of the request")

	broken := errors.New("broken")
	n, err = handler.Change(ctx, stateful(e, "3"), "go", func(n *int) error { *n = 100; return broken })
	require.ErrorIs(t, err, broken)
	require.Zero(t, n)
	require.Equal(t, []byte("2"), e.state["karma/go"], "an error changes nothing")

	_, err = handler.Change(ctx, stateful(e, "4"), "go", func(*[]string) error { return nil })
	require.ErrorContains(t, err, `change "go": the stored value does not fit []string`)
	_, err = handler.Change(ctx, stateful(e, "5"), "go2", func(f *func()) error { *f = func() {}; return nil })
	require.Error(t, err, "what cannot be stored is an error")
	require.Len(t, e.state, 1)
}

func TestOnce(t *testing.T) {
	ctx := context.Background()
	e := &recorder{}
	calls := 0
	open := func(context.Context) (map[string]int, error) { calls++; return map[string]int{"ticket": calls}, nil }
	for range 2 {
		got, err := handler.Once(ctx, stateful(e, "1"), "ticket", open)
		require.NoError(t, err)
		require.Equal(t, map[string]int{"ticket": 1}, got)
	}
	got, err := handler.Once(ctx, stateful(e, "2"), "ticket", open)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"ticket": 2}, got)
	got, err = handler.Once(ctx, stateful(e, "2"), "other", open)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"ticket": 3}, got)

	broken := errors.New("broken")
	for range 2 {
		got, err = handler.Once(ctx, stateful(e, "3"), "ticket", func(context.Context) (map[string]int, error) { calls++; return nil, broken })
		require.ErrorIs(t, err, broken)
		require.Nil(t, got)
	}
	require.Equal(t, 4, calls, "a failure is recorded too")
	_, err = handler.Once(ctx, stateful(e, "4"), "x", func(context.Context) (func(), error) { return func() {}, nil })
	require.Error(t, err, "what cannot be stored is an error")
}
