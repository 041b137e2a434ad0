package braintest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
)

// killed needs a real process; its judgement is proven here with data that a
// bad store would leave behind.
func TestKillCompare(t *testing.T) {
	for name, spoil := range map[string]struct {
		op   brain.Op
		want string
	}{
		"whole":           {op: put("unrelated", "")},
		"lost":            {op: brain.Op{Key: childKey(1, 10), If: brain.Any, Delete: true}, want: "an acknowledged write is lost"},
		"changed":         {op: put(childKey(1, 10), "10"), want: "an acknowledged write is lost"}, // another revision
		"half, key only":  {op: put(childKey(2, 51), "51"), want: "an Apply is there by half"},
		"half, last only": {op: put("last/3", "51"), want: "an Apply is there by half"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, dir, m := context.Background(), t.TempDir(), memory.New()
			acks := ""
			for w := range childWriters {
				for i := 1; i <= 50; i++ {
					revs, err := m.Apply(ctx, put(childKey(w, i), fmt.Sprint(i)), put(fmt.Sprintf("last/%d", w), fmt.Sprint(i)))
					require.NoError(t, err)
					acks += fmt.Sprintf("%d %04d %d\n", w, i, revs[0])
				}
			}
			_, err := m.Apply(ctx, spoil.op)
			require.NoError(t, err)
			path := filepath.Join(dir, childAcks)
			require.NoError(t, os.WriteFile(path, []byte(acks), 0o600))
			err = killCompare(&room{h: Harness{Open: func(string) (brain.Store, error) { return m, nil }}}, dir, path)
			if spoil.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, spoil.want)
			}
		})
	}
}
