package brain_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
)

// T37: who has a namespace reads, lists, changes and exports what lies in it and nothing else, whatever its name and the keys.
func TestNamespacesAreApart(t *testing.T) {
	ctx, root := context.Background(), newBrain()
	long := strings.Repeat("n", 600)
	names := []string{"a", "b", "A", "a/b", "a%2Fb", "a%", "%", "", "_", "%5F", "_/inbox", "..", ".", "a\x00", "a b", "ä", "\xff", "~", "%~0", long, long + "1", long[:255], long[:256], long[:257]}
	keys := []string{"x", "b/x", "../b/x", "a/b/x", "_x", "%2F", strings.Repeat("k", 500), strings.Repeat("k", 511) + "1", strings.Repeat("k", 511) + "2"}
	own := func(name, key string) string { return strconv.Quote(name) + "\n" + strconv.Quote(key) }
	spaces := map[string]*brain.Brain{}
	for _, name := range names {
		ns := root.Namespace(name)
		spaces[name] = ns
		for _, key := range keys {
			require.NoError(t, brain.Set(ctx, ns, key, own(name, key)), "%q %q", name, key)
		}
	}
	_, err := root.Store().Apply(ctx, brain.Op{Key: "_/secret/buttons", Value: []byte(`"core"`)})
	require.NoError(t, err)

	cross, read := 0, 0
	for name, ns := range spaces {
		for _, key := range keys {
			v, err := brain.Get[string](ctx, ns, key)
			require.NoError(t, err)
			if read++; v != own(name, key) {
				cross++
			}
		}
		seen := 0
		for item, err := range brain.All[string](ctx, ns, "") {
			require.NoError(t, err)
			if seen++; !strings.HasPrefix(item.Value, strconv.Quote(name)+"\n") {
				cross++
			}
		}
		require.Equal(t, len(keys), seen, "%q lists its own keys alone", name)
		for _, key := range []string{"_/secret/buttons", "_/x", "_/"} {
			_, err := brain.Get[string](ctx, ns, key)
			require.ErrorIs(t, err, brain.ErrInvalidKey, "%q %q", name, key)
			require.ErrorIs(t, brain.Set(ctx, ns, key, "x"), brain.ErrInvalidKey, "%q %q", name, key)
		}
		var out strings.Builder
		require.NoError(t, ns.Export(ctx, &out))
		require.Equal(t, len(keys), strings.Count(out.String(), "\n"), "%q exports its own keys alone", name)
	}
	require.Zero(t, cross)
	t.Logf("T37: %d names of namespaces, %d keys read: %d of another namespace", len(names), read, cross)
}
