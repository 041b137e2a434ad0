package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Sink gets a copy of what the log has written, after it is safe in the brain: each sink in the order of one process, in a
// goroutine of its own. An error is counted and logged, and changes nothing for the command.
type Sink interface {
	Record(ctx context.Context, r Record) error
	Anchor(ctx context.Context, a Anchor) error
}

// SinkFunc makes a function of records a Sink. It does not get anchors.
type SinkFunc func(ctx context.Context, r Record) error

// Record calls f.
func (f SinkFunc) Record(ctx context.Context, r Record) error { return f(ctx, r) }

// Anchor does nothing.
func (SinkFunc) Anchor(context.Context, Anchor) error { return nil }

// Slog is a Sink that writes each record and each anchor to logger at level Info: all of a record but Anchor and Prev, which are in
// those before it. A log that is kept outside of the brain is what makes it evident that the brain as a whole was put back to an older state: see Check.Known.
func Slog(logger *slog.Logger) Sink { return slogSink{logger} }

type slogSink struct{ log *slog.Logger }

func (s slogSink) Record(ctx context.Context, r Record) error {
	s.log.LogAttrs(ctx, slog.LevelInfo, "audit", slog.String("phase", string(r.Phase)), slog.String("writer", r.Writer), slog.Uint64("seq", r.Seq),
		slog.Time("at", r.Time), slog.String("id", r.Correlation), slog.String("delivery", r.Delivery), slog.String("user", r.Who.Key), slog.String("name", r.Who.Name),
		slog.String("room", r.Room.String()), slog.String("route", r.Route), slog.String("command", r.Command), slog.Any("args", r.Args),
		slog.String("decision", r.Decision), slog.String("rule", r.Rule), slog.Any("approvers", r.Approvers), slog.String("outcome", r.Outcome),
		slog.String("reason", r.Reason), slog.Duration("duration", r.Duration), slog.String("error", r.Error), slog.String("hash", r.Hash))
	return nil
}

func (s slogSink) Anchor(ctx context.Context, a Anchor) error {
	s.log.LogAttrs(ctx, slog.LevelInfo, "audit anchor", slog.String("anchor", a.String()), slog.String("event", string(a.Event)),
		slog.String("writer", a.Writer), slog.Uint64("seq", a.Seq))
	return nil
}

const (
	sinkQueue   = 1024 // records that wait for one sink; more are lost to it, and counted
	sinkTimeout = 10 * time.Second
	complainFor = time.Minute // between two warnings about one sink
)

// feed is one sink with its queue.
type feed struct {
	sink  Sink
	queue chan any // Record or Anchor
	log   *slog.Logger
	lost  *atomic.Uint64

	mu   sync.Mutex
	told time.Time
}

// offer never waits.
func (f *feed) offer(item any) {
	select {
	case f.queue <- item:
	default:
		f.fail(fmt.Errorf("%d records wait for it already, this one is not given to it", sinkQueue))
	}
}

func (f *feed) run() {
	for item := range f.queue {
		if err := f.give(item); err != nil {
			f.fail(err)
		}
	}
}

func (f *feed) give(item any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), sinkTimeout)
	defer cancel()
	switch item := item.(type) {
	case Record:
		return f.sink.Record(ctx, item)
	case Anchor:
		return f.sink.Anchor(ctx, item)
	}
	return errors.New("neither a record nor an anchor")
}

func (f *feed) fail(err error) {
	n := f.lost.Add(1)
	f.mu.Lock()
	tell := f.told.IsZero() || time.Since(f.told) >= complainFor
	if tell {
		f.told = time.Now()
	}
	f.mu.Unlock()
	if tell {
		f.log.Error("audit: a sink failed; the brain has the record", "sink", fmt.Sprintf("%T", f.sink), "error", err, "failures", n)
	}
}
