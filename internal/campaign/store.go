package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/starlingbot/starling/brain"
)

// The ways for the store to fail.
const (
	failErrors   = "errors"   // every call fails; half of the writes happen all the same
	failSlow     = "slow"     // a write takes two seconds
	failFull     = "full"     // the kernel lets no file grow or be written past its first pages
	failReadOnly = "readonly" // writes are refused, reads work
)

var outageModes = []string{failErrors, failSlow, failFull, failReadOnly}

var errInjected = errors.New("campaign: the store fails")

// guarded is a store with fail points around its writes, which fails when it is told to. Classes are known by the keys and
// content of a write, as the core documents them in its record.go.
type guarded struct {
	brain.Store
	points *points
	tell   func(line)

	mu    sync.Mutex
	slots map[string]slotCount // by key of a run record
	mode  string
	until time.Time
}

// slotCount is what a run record knew of its messages when it was last written.
type slotCount struct{ attempted, sent int }

func newGuarded(s brain.Store, p *points, tell func(line)) *guarded {
	return &guarded{Store: s, points: p, tell: tell, slots: map[string]slotCount{}}
}

// Unwrap gives the store inside.
func (g *guarded) Unwrap() brain.Store { return g.Store }

// fail has the store fail for a while.
func (g *guarded) fail(mode string, d time.Duration) {
	g.mu.Lock()
	g.mode, g.until = mode, time.Now().Add(d)
	g.mu.Unlock()
	if mode == failFull {
		release := limitFiles()
		time.AfterFunc(d, release)
	}
}

func (g *guarded) failing() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Now().After(g.until) {
		return ""
	}
	return g.mode
}

// classify names the step that a write is, and the key of the run record in it.
func (g *guarded) classify(ops []brain.Op) (step, run string) {
	for _, op := range ops {
		switch {
		case strings.HasPrefix(op.Key, "_/inbox/") && op.Delete:
			step = "completion"
		case strings.HasPrefix(op.Key, "_/inbox/"):
			step = "inbox"
		case strings.HasPrefix(op.Key, "_/run/") && step == "inbox": // of a delivery that is not under way
		case strings.HasPrefix(op.Key, "_/run/"):
			run = op.Key
			if op.Delete {
				step = "completion"
				g.mu.Lock()
				delete(g.slots, op.Key)
				g.mu.Unlock()
			} else if step == "" {
				step = g.classifyRun(op)
			}
		}
	}
	return step, run
}

func (g *guarded) classifyRun(op brain.Op) string {
	var rec struct {
		Slots map[string]struct {
			State string `json:"state"`
		} `json:"slots"`
	}
	if json.Unmarshal(op.Value, &rec) != nil {
		return "run"
	}
	var now slotCount
	for _, s := range rec.Slots {
		now.attempted++
		if s.State != "attempted" {
			now.sent++
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.slots[op.Key]
	g.slots[op.Key] = now
	switch {
	case now.attempted > before.attempted:
		return "slot"
	case now.sent > before.sent:
		return "record"
	}
	return "run"
}

// Apply passes the fail points of its step, and fails when it is told to.
func (g *guarded) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	step, run := g.classify(ops)
	if step != "" {
		g.points.at(step + ".before")
	}
	revs, err := g.apply(ctx, ops)
	if err == nil && step != "" {
		g.points.at(step + ".after")
	}
	if err != nil && run != "" && !brain.Certain(err) {
		if parts, ok := brain.SplitKey(run); ok {
			_, id, _ := strings.Cut(parts[len(parts)-1], "/") // the delivery is adapter/event
			g.tell(line{Type: lineUnsure, ID: id})
		}
	}
	return revs, err
}

func (g *guarded) apply(ctx context.Context, ops []brain.Op) ([]uint64, error) {
	switch g.failing() {
	case failErrors:
		if rand.IntN(2) == 0 {
			return nil, errInjected
		}
		if _, err := g.Store.Apply(ctx, ops...); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: it wrote, and does not say so", errInjected)
	case failSlow:
		t := time.NewTimer(2 * time.Second)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	case failReadOnly:
		return nil, fmt.Errorf("%w: %w", errInjected, syscall.EROFS)
	}
	return g.Store.Apply(ctx, ops...)
}

// Get fails when it is told to.
func (g *guarded) Get(ctx context.Context, key string) (brain.Entry, error) {
	if g.failing() == failErrors {
		return brain.Entry{}, errInjected
	}
	return g.Store.Get(ctx, key)
}

// List fails when it is told to.
func (g *guarded) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	if g.failing() == failErrors {
		return func(yield func(brain.Entry, error) bool) { yield(brain.Entry{}, errInjected) }
	}
	return g.Store.List(ctx, prefix)
}
