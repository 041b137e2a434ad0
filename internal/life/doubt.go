package life

import (
	"context"
	"time"

	"github.com/starlingbot/starling/internal/retry"
)

// askAgain is how long the token is not asked about after it was.
const askAgain = 10 * time.Second

// Doubt is whether an adapter's token still works. It is for several goroutines. Make one with [NewDoubt].
type Doubt struct{ raised chan struct{} }

// NewDoubt makes one that nobody has raised.
func NewDoubt() Doubt { return Doubt{make(chan struct{}, 1)} }

// Raise is called when the platform refuses the token. It never waits.
func (d Doubt) Raise() {
	select {
	case d.raised <- struct{}{}:
	default:
	}
}

// Watch asks whether the token works when that was doubted, and every so often where every is not 0, at most every ten seconds. It
// returns when ctx ends, or after it has called end with an error of ask that is fatal.
func (d Doubt) Watch(ctx context.Context, every time.Duration, ask func(context.Context) error, fatal func(error) bool, end func(error)) {
	var due <-chan time.Time
	if every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		due = t.C
	}
	for {
		select {
		case <-d.raised:
		case <-due:
		case <-ctx.Done():
			return
		}
		if err := ask(ctx); err != nil && fatal(err) && ctx.Err() == nil {
			end(err)
			return
		}
		if retry.Pause(ctx, askAgain) != nil {
			return
		}
	}
}
