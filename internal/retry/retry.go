// Package retry waits and tries again, as adapters do with platforms that are away or want to be left alone.
package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// The pauses between two attempts: the first one, and the longest that doubling leads to.
const (
	First = time.Second
	Max   = 30 * time.Second
)

// few is how often [Few] tries again.
const few = 8

// Pause waits d, or until ctx ends; then it gives the cause of that.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Jitter gives 3/4 to 5/4 of d, so that many who lost the same connection do not come back at the same moment.
func Jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }

// Few calls f, which only reads, and again while the platform asks for patience or fails: nine times at most, after pauses from
// [First] to [Max], or as long as an [adapter.RateLimitError] says. It gives f's last error: at once one that is fatal, or that
// trying again would not cure ([adapter.Refused]), and the one at hand when ctx ends.
func Few(ctx context.Context, fatal func(error) bool, f func() error) error {
	wait := First
	for n := 0; ; n++ {
		err := f()
		if err == nil || fatal(err) || adapter.OutcomeOf(err) == adapter.Refused || n == few {
			return err
		}
		var limit *adapter.RateLimitError
		pause := Jitter(wait)
		if errors.As(err, &limit) && limit.RetryAfter > 0 {
			pause = limit.RetryAfter
		} else {
			wait = min(2*wait, Max)
		}
		if Pause(ctx, pause) != nil {
			return err
		}
	}
}

// Until calls f until it works: after pauses from [First] to [Max], and never before an [adapter.RateLimitError] says. failed is
// told of each error that is not the last one, and about how long the pause after it is. It gives f's last error: one that is
// fatal, or the one at hand when ctx ends.
func Until(ctx context.Context, fatal func(error) bool, failed func(err error, after time.Duration), f func() error) error {
	for wait := First; ; wait = min(2*wait, Max) {
		err := f()
		if err == nil || fatal(err) || ctx.Err() != nil {
			return err
		}
		failed(err, wait)
		var limit *adapter.RateLimitError
		pause := Jitter(wait)
		if errors.As(err, &limit) {
			pause = max(pause, limit.RetryAfter)
		}
		if Pause(ctx, pause) != nil {
			return err
		}
	}
}
