package braintest

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/starlingbot/starling/brain"
)

func revisionCases() []Case {
	return []Case{
		{Name: "rev/range", Rule: "1 <= Rev < math.MaxUint64, so At(rev) is never Absent or Any", run: storeCase(func(ctx context.Context, s brain.Store) error {
			for i := range 5 {
				rev, err := write(ctx, s, put(fmt.Sprintf("k%d", i), "v"))
				if err != nil {
					return err
				}
				if rev < 1 || rev == math.MaxUint64 {
					return fmt.Errorf("the revision is %d", rev)
				}
			}
			return nil
		})},
		{Name: "rev/grows", Rule: "the revision of a key grows at every write, also across delete and re-creation, and is never used twice", run: storeCase(func(ctx context.Context, s brain.Store) error {
			last, steps := uint64(0), []brain.Op{put("k", "1"), put("k", "1"), {Key: "k", If: brain.Any, Delete: true}, put("k", "1"),
				{Key: "k", If: brain.Any, Delete: true}, {Key: "k", Value: []byte("1")}, put("other", "1"), put("k", "1")}
			for i, op := range steps {
				rev, err := write(ctx, s, op)
				if err != nil {
					return err
				}
				if op.Delete || op.Key != "k" {
					continue
				}
				if rev <= last {
					return fmt.Errorf("write number %d of the key got the revision %d, an earlier one had %d", i, rev, last)
				}
				if err := has(ctx, s, "k", "1", rev); err != nil {
					return err
				}
				last = rev
			}
			return nil
		})},
		{Name: "rev/expiry", Clock: true, Rule: "the revision grows also across expiry and re-creation", run: storeCase(func(ctx context.Context, s brain.Store) error {
			old, err := write(ctx, s, putFor("k", "1", time.Second))
			if err != nil {
				return err
			}
			time.Sleep(2 * time.Second)
			if err := lacks(ctx, s, "k"); err != nil {
				return err
			}
			rev, err := write(ctx, s, brain.Op{Key: "k", Value: []byte("2")})
			if err == nil && rev <= old {
				err = fmt.Errorf("after expiry the key got the revision %d, before it had %d", rev, old)
			}
			return err
		})},
	}
}
