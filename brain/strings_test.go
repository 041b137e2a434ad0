package brain_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
)

func TestStrings(t *testing.T) {
	ctx := context.Background()
	b := brain.New(memory.New())
	s := b.Namespace("slack").Strings()
	got, err := s.Get(ctx, "a")
	require.NoError(t, err)
	require.Empty(t, got)
	require.NoError(t, s.Set(ctx, "a", "x"))
	require.NoError(t, s.Set(ctx, "a", "y"))
	got, err = s.Get(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, "y", got)
	_, err = brain.Get[string](ctx, b, "a")
	require.ErrorIs(t, err, brain.ErrNotFound, "another namespace")
	_, err = brain.New(memory.New()).Strings().Get(ctx, "_/core")
	require.ErrorIs(t, err, brain.ErrInvalidKey)
}
