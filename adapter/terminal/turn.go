package terminal

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/starlingbot/starling/adapter"
)

// maxTurns is how many verbs have or await the turn at a time.
const maxTurns = 64

// given is what a verb gives.
type given[T any] struct {
	v   T
	err error
}

// turn calls f with a.mu held. A terminal may take nothing for as long as somebody likes (Ctrl-S, a pager), and a write to it heeds
// no context: so f runs beside, and who waits for it is let go when ctx ends. Errors of its own: [adapter.ErrClosed];
// [adapter.ErrUnavailable] where f was not called, and will not be; one of unknown outcome where it was.
func turn[T any](ctx context.Context, a *Adapter, verb string, f func() (T, error)) (T, error) {
	var none T
	if err := a.usable(ctx, verb); err != nil {
		return none, err
	}
	select {
	case a.turns <- struct{}{}:
	case <-ctx.Done():
		return none, fmt.Errorf("terminal: %s: %w: the output takes nothing: %w", verb, adapter.ErrUnavailable, ctx.Err())
	}
	var begun atomic.Bool // by f, or given up
	done := make(chan given[T], 1)
	go func() {
		defer func() { <-a.turns }()
		a.mu.Lock()
		defer a.mu.Unlock()
		if !begun.CompareAndSwap(false, true) {
			return
		}
		defer func() {
			if p := recover(); p != nil { // of Out
				done <- given[T]{none, fmt.Errorf("terminal: %s: %w: panic: %v", verb, adapter.ErrInvalid, p)}
			}
		}()
		if err := a.usable(ctx, verb); err != nil { // nothing was shown yet, that is certain
			done <- given[T]{none, err}
			return
		}
		v, err := f()
		done <- given[T]{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
	}
	if begun.CompareAndSwap(false, true) {
		return none, fmt.Errorf("terminal: %s: %w: the output takes nothing: %w", verb, adapter.ErrUnavailable, ctx.Err())
	}
	select {
	case r := <-done:
		return r.v, r.err
	default:
		return none, fmt.Errorf("terminal: %s: the output takes nothing: %w", verb, ctx.Err())
	}
}

// turnOf is turn for what gives an error alone.
func turnOf(ctx context.Context, a *Adapter, verb string, f func() error) error {
	_, err := turn(ctx, a, verb, func() (struct{}, error) { return struct{}{}, f() })
	return err
}
