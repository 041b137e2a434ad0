package starling

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/starlingbot/starling/brain"
)

// patient is a store as the core uses it: no call waits for ever. A context without a deadline ends after storeTimeout, so
// that a store that does not answer once holds up neither the sweeper nor a line.
type patient struct {
	brain.Store
	failed func(err error) // is told of every write without an answer: reads may work where the disk is full
}

// Unwrap gives the store.
func (s patient) Unwrap() brain.Store { return s.Store }

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, storeTimeout)
}

func (s patient) Get(ctx context.Context, key string) (brain.Entry, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return s.Store.Get(ctx, key)
}

func (s patient) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	revs, err := s.Store.Apply(ctx, ops...)
	if err != nil && !brain.Certain(err) && !errors.Is(context.Cause(ctx), context.Canceled) { // else the caller gave up
		s.failed(err)
	}
	return revs, err
}

// List bounds the wait for each entry: how many there are, and how long the caller takes for one, is not the store's doing.
func (s patient) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	return func(yield func(brain.Entry, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		timer := time.AfterFunc(storeTimeout, func() { cancel(context.DeadlineExceeded) })
		defer timer.Stop()
		for entry, err := range s.Store.List(ctx, prefix) {
			timer.Stop()
			if !yield(entry, err) {
				return
			}
			timer.Reset(storeTimeout)
		}
	}
}
