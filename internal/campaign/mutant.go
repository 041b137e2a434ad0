package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
)

// The mutants: each takes one safeguard away, and the campaign must notice.
const (
	mutantNoFsync  = "nofsync"  // writes are acknowledged and reach the disk later
	mutantAckFirst = "ackfirst" // the adapter acknowledges before the event is safe
	mutantNoDedupe = "nodedupe" // no mark that an event was seen
	mutantNoFence  = "nofence"  // a run record is written whatever its revision is
	mutantNoSlot   = "noslot"   // a run record does not say what was posted
	mutantNoDue    = "nodue"    // what is to be said later is not stored
	mutantNoForget = "noforget" // a question that was answered stays
)

var mutants = []string{mutantNoFsync, mutantAckFirst, mutantNoDedupe, mutantNoFence, mutantNoSlot, mutantNoDue, mutantNoForget}

// mutate puts a mutant around a store.
func mutate(s brain.Store, mutant string) (brain.Store, error) {
	switch mutant {
	case "", mutantAckFirst:
		return s, nil
	case mutantNoFsync:
		return newLazy(s)
	case mutantNoDedupe, mutantNoFence, mutantNoSlot, mutantNoDue, mutantNoForget:
		return &mutated{Store: s, mutant: mutant}, nil
	}
	return nil, fmt.Errorf("no mutant %q: there are %s", mutant, strings.Join(mutants, ", "))
}

// mutated changes writes on their way.
type mutated struct {
	brain.Store
	mutant string
}

func (m *mutated) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	out := slices.Clone(ops)
	for i := range out {
		op := &out[i]
		switch {
		case m.mutant == mutantNoDedupe && strings.HasPrefix(op.Key, "_/seen/"):
			op.If = brain.Any
		case m.mutant == mutantNoFence && strings.HasPrefix(op.Key, "_/run/"):
			op.If = brain.Any
		case m.mutant == mutantNoDue && strings.HasPrefix(op.Key, "_/due/") && !op.Delete, m.mutant == mutantNoForget && strings.HasPrefix(op.Key, "_/ask/") && op.Delete:
			*op = brain.Op{Key: "zombie/mutant", Value: []byte("null"), If: brain.Any} // in its place: revisions come in the order of operations
		case m.mutant == mutantNoSlot && strings.HasPrefix(op.Key, "_/run/") && !op.Delete:
			var rec map[string]json.RawMessage
			if json.Unmarshal(op.Value, &rec) == nil {
				delete(rec, "slots")
				if value, err := json.Marshal(rec); err == nil {
					op.Value = value
				}
			}
		}
	}
	return m.Store.Apply(ctx, out...)
}

// lazyFlush is how late a lazy store writes.
const lazyFlush = 250 * time.Millisecond

// lazy is a store that acknowledges writes when they are in memory and writes them to disk later: what a store without
// fsync is when the machine dies.
type lazy struct {
	*memory.Store
	disk brain.Store

	mu    sync.Mutex
	dirty map[string]brain.Op
	end   chan struct{}
	ended sync.WaitGroup
}

func newLazy(disk brain.Store) (*lazy, error) {
	l := &lazy{Store: memory.New(), disk: disk, dirty: map[string]brain.Op{}, end: make(chan struct{})}
	for e, err := range disk.List(context.Background(), "") {
		if err == nil {
			_, err = l.Store.Apply(context.Background(), brain.Op{Key: e.Key, Value: e.Value})
		}
		if err != nil {
			return nil, err
		}
	}
	l.ended.Go(func() {
		for {
			select {
			case <-l.end:
				return
			case <-time.After(lazyFlush):
				_ = l.flush() // a mutant may lose
			}
		}
	})
	return l, nil
}

func (l *lazy) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	revs, err := l.Store.Apply(ctx, ops...)
	if err == nil {
		for _, op := range ops {
			op.If = brain.Any
			l.dirty[op.Key] = op
		}
	}
	return revs, err
}

func (l *lazy) flush() error {
	l.mu.Lock()
	dirty := l.dirty
	l.dirty = map[string]brain.Op{}
	l.mu.Unlock()
	var ops []brain.Op
	var errs []error
	write := func() {
		_, err := l.disk.Apply(context.Background(), ops...)
		errs, ops = append(errs, err), ops[:0]
	}
	for _, op := range dirty {
		if ops = append(ops, op); len(ops) == brain.MaxOps {
			write()
		}
	}
	write()
	return errors.Join(errs...)
}

func (l *lazy) Close() error {
	close(l.end)
	l.ended.Wait()
	return errors.Join(l.flush(), l.Store.Close(), l.disk.Close())
}
