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

	"github.com/starlingbot/starling/adapter"
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
	said  map[string]string    // by key of a message of Bot.Send: the event on whose account it is
	mode  string
	until time.Time
}

// slotCount is what a run record knew of its messages when it was last written.
type slotCount struct{ attempted, sent int }

func newGuarded(s brain.Store, p *points, tell func(line)) *guarded {
	return &guarded{Store: s, points: p, tell: tell, slots: map[string]slotCount{}, said: map[string]string{}}
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

// classify names the step that a write is, and the event whose delivery or message is recorded by it.
func (g *guarded) classify(ops []brain.Op) (step, id string) {
	const del, put = true, false
	has := map[string]map[bool]bool{}
	var run brain.Op
	for _, op := range ops {
		class := strings.Join(strings.SplitN(op.Key, "/", 3)[:min(2, strings.Count(op.Key, "/"))], "/")
		if has[class] == nil {
			has[class] = map[bool]bool{}
		}
		has[class][op.Delete] = true
		switch class {
		case "_/run":
			run = op
		case "_/out":
			id = g.message(op)
		}
	}
	is := func(class string, deleted bool) bool { return has[class][deleted] }
	switch {
	case is("_/inbox", put) && is("_/ask", del):
		step = "answer"
	case is("_/inbox", put) && !is("_/run", put): // else of a delivery that came of this one
		return "inbox", ""
	case is("_/inbox", del), is("_/run", del):
		step = "completion"
	case is("_/ask", put):
		step = "ask"
	case is("_/due", put):
		step = "due"
	case is("_/sent", put):
		step = "sent"
	case is("_/out", put):
		step = "out"
	}
	if run.Key == "" {
		return step, id
	}
	if of := g.classifyRun(run); step == "" {
		step = of
	}
	if parts, ok := brain.SplitKey(run.Key); ok {
		_, id, _ = strings.Cut(parts[len(parts)-1], "/") // the delivery is adapter/event, and #more if it came of another one
		id, _, _ = strings.Cut(id, "#")
	}
	return step, id
}

// message gives the event on whose account a message is said by the bot itself, from its record.
func (g *guarded) message(op brain.Op) (id string) {
	var rec struct {
		Parts []struct {
			Text string `json:"text"`
		} `json:"parts"`
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if op.Delete {
		id = g.said[op.Key]
		delete(g.said, op.Key)
		return id
	}
	if json.Unmarshal(op.Value, &rec) == nil && len(rec.Parts) > 0 {
		id, _, _, _ = parse(adapter.PlainText(rec.Parts[0].Text))
		g.said[op.Key] = id
	}
	return g.said[op.Key]
}

// classifyRun tells what a run record says that the one before did not.
func (g *guarded) classifyRun(op brain.Op) string {
	if op.Delete {
		g.mu.Lock()
		delete(g.slots, op.Key)
		g.mu.Unlock()
		return "completion"
	}
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
	step, id := g.classify(ops)
	if step != "" {
		g.points.at(step + ".before")
	}
	revs, err := g.apply(ctx, ops)
	if err == nil && step != "" {
		g.points.at(step + ".after")
	}
	if err != nil && id != "" && !brain.Certain(err) {
		g.tell(line{Type: lineUnsure, ID: id})
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
