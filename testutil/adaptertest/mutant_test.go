package adaptertest

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// mutant is a way to break the contract, and the cases that must notice.
type mutant struct {
	name   string
	caught string // names of cases, with spaces between
	bend   func(*bent)
}

// TestMutants proves the suite: each broken adapter fails the cases made for its fault. That a straight one passes all of
// them is TestReference.
func TestMutants(t *testing.T) {
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			names := strings.Fields(m.caught)
			results, err := Check(t, inWorld(func(w *world) adapter.Adapter {
				b := bend(w)
				m.bend(b)
				return b
			}), names...)
			require.NoError(t, err)
			require.Len(t, results, len(names))
			for _, r := range results {
				require.Equal(t, Failed, r.Status, "the case %s did not notice: %s", r.Case.Name, r.Reason)
				t.Logf("%s: %v", r.Case.Name, brief(r.Err.Error()))
			}
		})
	}
}

// TestEveryCaseIsProven requires that a mutant names each case.
func TestEveryCaseIsProven(t *testing.T) {
	proven := map[string]bool{}
	for _, m := range mutants() {
		for _, name := range strings.Fields(m.caught) {
			require.True(t, known(name), "the mutant %q names %q, which is no case", m.name, name)
			proven[name] = true
		}
	}
	seen := map[string]bool{}
	for _, c := range Cases() {
		require.True(t, proven[c.Name], "no mutant proves %s", c.Name)
		require.False(t, seen[c.Name], "two cases are called %s", c.Name)
		require.NotEmpty(t, c.Rule)
		seen[c.Name] = true
	}
}

func mutants() []mutant {
	var all []mutant
	for _, group := range [][]mutant{issueMutants(), identityMutants(), runMutants(), eventMutants(), ackMutants(), sendMutants(), contentMutants(), claimMutants(), unclaimedMutants()} {
		all = append(all, group...)
	}
	return all
}

// issueMutants are those that were asked for by name.
func issueMutants() []mutant {
	return []mutant{
		{"drops every fifth event", "event/once sink/blocked", sinks(func(_ *bent, sink adapter.Sink) adapter.Sink {
			n := 0
			return func(ctx context.Context, ev *adapter.Event) error {
				if n++; n%5 == 0 {
					return nil
				}
				return sink(ctx, ev)
			}
		})},
		{"reorders two events", "event/once sink/blocked", sinks(func(_ *bent, sink adapter.Sink) adapter.Sink {
			var held *adapter.Event
			n := 0
			return func(ctx context.Context, ev *adapter.Event) error {
				if n++; n%7 == 3 {
					held = ev
					return nil
				}
				same := held != nil && held.Room == ev.Room
				err := sink(ctx, ev)
				if same && err == nil {
					err, held = sink(ctx, held), nil
				}
				return err
			}
		})},
		{"delivers twice", "event/once ack/rejected", sinks(func(_ *bent, sink adapter.Sink) adapter.Sink {
			return func(ctx context.Context, ev *adapter.Event) error {
				again := clone(ev)
				_ = sink(ctx, ev)
				return sink(ctx, again)
			}
		})},
		{"calls the Sink in goroutines", "sink/blocked event/once ack/error", sinks(func(b *bent, sink adapter.Sink) adapter.Sink {
			return func(_ context.Context, ev *adapter.Event) error {
				pause := 10 * time.Millisecond
				if strings.HasSuffix(ev.Text, "2x") { // any order is possible: make it a certain one
					pause += 5 * time.Millisecond
				}
				life := b.w.life()
				go func() {
					time.Sleep(pause)
					_ = sink(life, ev)
				}()
				return nil
			}
		})},
		{"sends twice", "send/once send/concurrent send/at-most-once", func(b *bent) {
			send := b.send
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				again := *m
				again.Key = ""
				_, _ = send(ctx, &again)
				return send(ctx, m)
			}
		}},
		{"acknowledges early", "ack/after ack/error ack/restart", receiving(func(ctx context.Context, b *bent, gen int, u *update, sink adapter.Sink) bool {
			b.w.ack(gen, u)
			if ev := b.decode(u); ev != nil {
				_ = sink(ctx, ev)
			}
			return false
		})},
		{"does not mark its own messages", "own/marked own/elsewhere", events(func(_ *bent, ev *adapter.Event) { ev.Self = false })},
		{"counts ids from 1 after a restart", "event/ids-restart", func(b *bent) {
			n := 0
			events(func(_ *bent, ev *adapter.Event) { n++; ev.ID = fmt.Sprint(n) })(b)
		}},
		{"counts message ids from 1 after a restart", "event/ids-restart", func(b *bent) {
			n := 0
			events(func(_ *bent, ev *adapter.Event) { n++; ev.MessageID = fmt.Sprint(n) })(b)
		}},
		{"delivers an edit as a message", "edit/event", events(func(_ *bent, ev *adapter.Event) {
			if ev.Kind == adapter.KindEdit {
				ev.Kind = adapter.KindMessage
			}
		})},
		{"delivers an edit as an edit and as a message", "edit/event", sinks(func(_ *bent, sink adapter.Sink) adapter.Sink {
			return func(ctx context.Context, ev *adapter.Event) error {
				if ev.Kind == adapter.KindEdit {
					also := clone(ev)
					also.Kind, also.ID = adapter.KindMessage, ev.ID+"m"
					_ = sink(ctx, also)
				}
				return sink(ctx, ev)
			}
		})},
		{"posts to the room what one user is to see", "only/seen", sends(func(_ *bent, m *adapter.Message) { m.Only = "" })},
		{"calls the Sink after Run", "run/no-sink-after", func(b *bent) {
			run := b.run
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				go func() { _ = run(b.w.life(), sink) }()
				<-ctx.Done()
				return nil
			}
		}},
		{"Run does not end", "run/ends run/sink-context", func(b *bent) {
			run := b.run
			b.run = func(_ context.Context, sink adapter.Sink) error { return run(b.w.life(), sink) }
		}},
	}
}

func backfills(f func(*adapter.Event)) func(*bent) {
	return func(b *bent) {
		history := b.history
		b.history = func(ctx context.Context, room, after string) iter.Seq2[*adapter.Event, error] {
			return func(yield func(*adapter.Event, error) bool) {
				for ev, err := range history(ctx, room, after) {
					if ev != nil {
						f(ev)
					}
					if !yield(ev, err) {
						return
					}
				}
			}
		}
	}
}
