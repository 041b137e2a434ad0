// Package life is the life of an adapter: from New until Close, with one Run at a time in between.
package life

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/starlingbot/starling/adapter"
)

// Life is that of one adapter. It is for several goroutines. Make one with [New].
type Life struct {
	platform string // errors begin with it
	ctx      context.Context
	cancel   context.CancelFunc
	ending   sync.Mutex     // orders the start of work before the end of ctx
	work     sync.WaitGroup // under way
	running  atomic.Bool
}

// New begins a life, whose errors begin with the platform's name.
func New(platform string) *Life {
	l := &Life{platform: platform}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Context ends with [Life.End].
func (l *Life) Context() context.Context { return l.ctx }

// Begin runs f in a goroutine that [Life.End] waits for; false, and f is not run, after it.
func (l *Life) Begin(f func()) bool {
	l.ending.Lock()
	defer l.ending.Unlock()
	if l.ctx.Err() != nil {
		return false
	}
	l.work.Go(f)
	return true
}

// End ends the life, and with it a Run, and waits for what was begun. It may be called several times.
func (l *Life) End() {
	l.ending.Lock()
	l.cancel()
	l.ending.Unlock()
	l.work.Wait()
}

// Usable checks what every verb begins with: [adapter.ErrClosed] after the end, [adapter.ErrUnavailable] where ctx has ended.
func (l *Life) Usable(ctx context.Context, verb string) error {
	if l.ctx.Err() != nil {
		return fmt.Errorf("%s: %s: %w", l.platform, verb, adapter.ErrClosed)
	}
	if err := ctx.Err(); err != nil { // nothing was done yet, that is certain
		return fmt.Errorf("%s: %s: %w: %w", l.platform, verb, adapter.ErrUnavailable, err)
	}
	return nil
}

// fatalError ends a Run from beside.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }

// Run runs f with a context that ends with ctx, with the life, and when f or a goroutine of it calls end. It gives f's error, or
// where there is none the first that end was called with; an error where it runs already; and nil, without calling f, after the
// end.
func (l *Life) Run(ctx context.Context, f func(ctx context.Context, end func(why error)) error) error {
	if !l.running.CompareAndSwap(false, true) {
		return errors.New(l.platform + ": run: already running")
	}
	defer l.running.Store(false)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(l.ctx, func() { stop(nil) })()
	if ctx.Err() != nil || l.ctx.Err() != nil {
		return nil
	}
	err := f(ctx, func(why error) {
		if why != nil {
			why = &fatalError{why}
		}
		stop(why)
	})
	var fatal *fatalError
	if err == nil && errors.As(context.Cause(ctx), &fatal) {
		err = fatal.err
	}
	return err
}
