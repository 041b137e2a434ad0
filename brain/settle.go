package brain

import (
	"context"
	"math/rand/v2"
	"time"
)

// settleTries bounds how often one Apply is submitted while its outcome is
// unknown.
const settleTries = 4

// settle submits one Apply until its outcome is certain, at most settleTries
// times. The conditions of ops must be such that they can hold only once (At,
// Absent), so that two landings are impossible.
//
// doubt is true when an attempt before the last one had an unknown outcome: a
// conflict may then mean that this very Apply landed before.
func settle(ctx context.Context, s Store, ops ...Op) (revs []uint64, doubt bool, err error) {
	var first error
	for try := range settleTries {
		revs, err = s.Apply(ctx, ops...)
		if err == nil || Certain(err) {
			return revs, first != nil, err
		}
		if first == nil {
			first = err
		}
		if try == settleTries-1 || pause(ctx, 5*time.Millisecond<<(2*try)) != nil {
			break
		}
	}
	return nil, true, first
}

// pause waits a random time below limit, or until ctx ends; then it returns the
// error of ctx.
func pause(ctx context.Context, limit time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := time.NewTimer(rand.N(limit))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
