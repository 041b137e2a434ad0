package starling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// source is an adapter as the bot runs it.
type source struct {
	name     string
	adapter  adapter.Adapter
	features adapter.Features
	renderer adapter.Renderer // nil: messages are sent as they are
	log      *slog.Logger
	gate     gate // nil: a repeated message is recognised, or nobody sees it
	skew     skew

	mu    sync.Mutex
	holds map[string]time.Time // room -> when the platform takes messages again; "" = any room
	state sourceState
	err   error
}

type sourceState string

const (
	sourceNew     sourceState = "not started"
	sourceRunning sourceState = "running"
	sourceEnded   sourceState = "ended"
	sourceFailed  sourceState = "failed"
)

const (
	restartFirst = time.Second // before an adapter that panicked is run again; doubles with jitter
	restartMax   = time.Minute
	maxHolds     = 10_000 // rooms with a hold; past it a hold is for all rooms
)

func newSource(a adapter.Adapter, log *slog.Logger) *source {
	r, _ := adapter.As[adapter.Renderer](a)
	s := &source{name: a.Name(), adapter: a, features: a.Features(), renderer: r, log: log, holds: map[string]time.Time{}, state: sourceNew}
	if _, finds := adapter.As[adapter.Finder](a); !finds && s.features.IdempotentSend == 0 && !s.features.Local {
		s.gate = make(gate, 1)
	}
	return s
}

// run runs the adapter until ctx ends, its source is exhausted or it says that going on is useless. A panic is logged and
// the adapter run again after a while.
func (s *source) run(ctx context.Context, sink adapter.Sink) error {
	s.set(sourceRunning, nil)
	wait := restartFirst
	for {
		begun := time.Now()
		err := s.once(ctx, sink)
		var p *adapterPanic
		if !errors.As(err, &p) {
			if err != nil && ctx.Err() == nil {
				err = fmt.Errorf("adapter %s: %w", s.name, err)
				s.set(sourceFailed, err)
				return err
			}
			s.set(sourceEnded, nil)
			return nil
		}
		if time.Since(begun) > restartMax {
			wait = restartFirst
		}
		s.log.Error("the adapter panicked; it is run again", "adapter", s.name, "panic", fmt.Sprint(p.value), "after", wait, "stack", string(p.stack))
		if pause(ctx, wait/2+rand.N(wait/2)) != nil {
			s.set(sourceEnded, nil)
			return nil
		}
		wait = min(2*wait, restartMax)
	}
}

func (s *source) once(ctx context.Context, sink adapter.Sink) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &adapterPanic{v, debug.Stack()}
		}
	}()
	return s.adapter.Run(ctx, sink)
}

type adapterPanic struct {
	value any
	stack []byte
}

func (p *adapterPanic) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func (s *source) get() (sourceState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, s.err
}

func (s *source) set(state sourceState, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.err = state, err
}

// hold keeps messages for a room back for d.
func (s *source) hold(room string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if len(s.holds) >= maxHolds {
		for r, until := range s.holds {
			if !until.After(now) {
				delete(s.holds, r)
			}
		}
		if len(s.holds) >= maxHolds {
			room = ""
		}
	}
	if until := now.Add(d); until.After(s.holds[room]) {
		s.holds[room] = until
	}
}

// holdFor tells how long messages for a room are to be kept back.
func (s *source) holdFor(room string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.holds) == 0 {
		return 0
	}
	wait := max(time.Until(s.holds[room]), time.Until(s.holds[""]))
	if wait <= 0 {
		delete(s.holds, room)
		return 0
	}
	return wait
}

// patiently calls f, and again while the platform says that it did nothing and is to be asked later, until ctx ends.
func (s *source) patiently(ctx context.Context, room string, f func() error) error {
	backoff := firstBackoff
	for {
		if wait := s.holdFor(room); wait > 0 {
			if err := pause(ctx, wait); err != nil {
				return err
			}
		}
		err := f()
		if err == nil || adapter.OutcomeOf(err) != adapter.NotYet {
			return err
		}
		var limited *adapter.RateLimitError
		if errors.As(err, &limited) && limited.RetryAfter > 0 {
			s.hold(room, limited.RetryAfter)
			continue
		}
		if pause(ctx, backoff/2+rand.N(backoff/2)) != nil {
			return err
		}
		backoff = min(2*backoff, maxBackoff)
	}
}
