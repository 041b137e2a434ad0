package lookup_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/lookup"
)

func TestNames(t *testing.T) {
	t.Parallel()
	n := lookup.Names{}
	n.Add("Alice", "1")
	n.Add("alice", "1")
	n.Add("", "2")
	id, err := n.Pick("ALICE")
	require.NoError(t, err)
	require.Equal(t, "1", id, "the same one twice is one")
	_, err = n.Pick("bob")
	require.ErrorIs(t, err, adapter.ErrNotFound)
	_, err = n.Pick("")
	require.ErrorIs(t, err, adapter.ErrNotFound, "nobody is found without a name")
	for i := range 9 {
		n.Add("carol", fmt.Sprint("c", i))
	}
	_, err = n.Pick("Carol")
	require.ErrorIs(t, err, adapter.ErrAmbiguous)
	require.EqualError(t, err, adapter.ErrAmbiguous.Error()+": c0, c1, c2, c3, c4")
}
