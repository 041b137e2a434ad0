package starling

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// A question in place of another one takes its secrets away, and the expiry of the older one leaves it alone.
func TestReplacedQuestionKeepsNoSecret(t *testing.T) {
	q := newQuestions()
	require.True(t, q.add("k", openQuestion{id: "first", sealed: secretArgs{options: map[string]string{"password": "cnrymark2"}}}))
	require.True(t, q.add("k", openQuestion{id: "second"}))
	_, ok := q.unseal("k", "first")
	require.False(t, ok)
	q.remove("k", "first")
	require.True(t, q.has("k"))
	q.remove("k", "second")
	require.True(t, q.empty())
	for i := range maxQuestions {
		require.True(t, q.add(strconv.Itoa(i), openQuestion{}))
	}
	require.False(t, q.add("one more", openQuestion{}))
	require.True(t, q.add("7", openQuestion{id: "again"}))
}
