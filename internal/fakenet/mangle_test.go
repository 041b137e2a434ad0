package fakenet_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/fakenet"
)

// TestMangle: every value, at every depth, is left out and is each of the odd ones; what is given is JSON, and the rest is as it was.
func TestMangle(t *testing.T) {
	t.Parallel()
	all := slices.Collect(fakenet.Mangle([]byte(`{"a":{"b":[1]},"c":"d"}`)))
	for _, s := range all {
		require.True(t, json.Valid([]byte(s)), s[:min(len(s), 100)])
	}
	for _, want := range []string{`{"c":"d"}`, `{"a":{},"c":"d"}`, `{"a":{"b":[1]}}`, `{"a":null,"c":"d"}`, `{"a":{"b":1e400},"c":"d"}`, `{"a":{"b":[-1]},"c":"d"}`, `{"a":{"b":[1]},"c":[]}`} {
		require.Contains(t, all, want)
	}
	const values, keys, odd = 4, 3, 13 // a, b, what is in b, c
	require.Len(t, all, values*odd+keys)
	for range fakenet.Mangle([]byte(`{"a":1}`)) {
		break // it may be left
	}
}
