package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
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

func identityMutants() []mutant {
	return []mutant{
		{"has a bad name", "name/valid", func(b *bent) { b.name = func() string { return "World!" } }},
		{"has a name of the process", "name/constant", func(b *bent) { n := b.w.boots; b.name = func() string { return fmt.Sprint("world-", n) } }},
		{"learns its features while it runs", "features/constant", func(b *bent) {
			var n atomic.Int32
			run := b.run
			b.run = func(ctx context.Context, sink adapter.Sink) error { n.Add(1); return run(ctx, sink) }
			lacking(func(f *adapter.Features) { f.MaxText += int(n.Load()) })(b)
		}},
		{"has a negative limit", "features/sense", lacking(func(f *adapter.Features) { f.MaxFile = -1 })},
		{"has a unit of its own", "features/sense", lacking(func(f *adapter.Features) { f.Unit = "words" })},
		{"unwraps to itself", "as/unwrap", func(b *bent) { b.unwrap = func() adapter.Adapter { return b } }},
	}
}

func runMutants() []mutant {
	return []mutant{
		{"Run ends by itself", "run/stays", func(b *bent) {
			run := b.run
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
				defer cancel()
				return run(ctx, sink)
			}
		}},
		{"Run gives its context's error", "run/ends", func(b *bent) {
			run := b.run
			b.run = func(ctx context.Context, sink adapter.Sink) error { return errors.Join(run(ctx, sink), ctx.Err()) }
		}},
		{"looks at its context too late", "run/ended-context", func(b *bent) {
			run := b.run
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				if u, err := b.w.next(context.Background(), 1, 0); err == nil {
					_ = sink(ctx, b.decode(u))
				}
				return run(ctx, sink)
			}
		}},
		{"runs only once", "run/again", func(b *bent) {
			run, again := b.run, false
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				if again {
					<-ctx.Done()
					return nil
				}
				again = true
				return run(ctx, sink)
			}
		}},
		{"gives the Sink a context that does not end", "run/sink-context", sinks(func(_ *bent, sink adapter.Sink) adapter.Sink {
			return func(ctx context.Context, ev *adapter.Event) error { return sink(context.WithoutCancel(ctx), ev) }
		})},
		{"tries a Sink until it takes, whatever its context says", "run/blocked-sink", sinks(func(b *bent, sink adapter.Sink) adapter.Sink {
			return func(ctx context.Context, ev *adapter.Event) error {
				for {
					err := sink(ctx, clone(ev))
					if err == nil {
						return nil
					}
					select {
					case <-b.w.over:
						return err
					case <-time.After(time.Millisecond):
					}
				}
			}
		})},
		{"the end of the source is an error", "run/exhausted", func(b *bent) {
			run := b.run
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				err := run(ctx, sink)
				if ctx.Err() == nil && err == nil {
					err = io.EOF
				}
				return err
			}
		}},
		{"ends before it has delivered what there was", "run/exhausted", func(b *bent) {
			run := b.run
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				for {
					b.w.mu.Lock()
					ended, changed := b.w.ended, b.w.changed
					b.w.mu.Unlock()
					if ended {
						return nil
					}
					select {
					case <-changed:
					case <-ctx.Done():
						return run(ctx, sink)
					}
				}
			}
		}},
		{"works after Close", "close/send", func(b *bent) { b.close = func() error { return nil } }},
		{"edits after Close", "close/send", func(b *bent) {
			b.edit = func(_ context.Context, ref adapter.Ref, m *adapter.Message) error { return b.w.edit(ref, m) }
		}},
		{"cannot be closed unless it ran", "close/unused", func(b *bent) {
			run, ran := b.run, false
			b.run = func(ctx context.Context, sink adapter.Sink) error { ran = true; return run(ctx, sink) }
			b.close = func() error {
				if !ran {
					return errors.New("not running")
				}
				return b.reference.Close()
			}
		}},
		{"leaves a goroutine behind", "leak/none", func(b *bent) {
			run := b.run
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				go func() { <-b.w.over }()
				return run(ctx, sink)
			}
		}},
		{"leaves a goroutine of Send behind", "leak/none", func(b *bent) {
			send := b.send
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				go func() { <-b.w.over }()
				return send(ctx, m)
			}
		}},
	}
}

func eventMutants() []mutant {
	onKind := func(k adapter.Kind, f func(*bent, *adapter.Event)) func(*bent) {
		return events(func(b *bent, ev *adapter.Event) {
			if ev.Kind == k {
				f(b, ev)
			}
		})
	}
	message := func(f func(*bent, *adapter.Event)) func(*bent) { return onKind(adapter.KindMessage, f) }
	ofRestart := func(f func(*adapter.Event)) func(*bent) {
		return events(func(b *bent, ev *adapter.Event) {
			if b.w.boots > 1 {
				f(ev)
			}
		})
	}
	return []mutant{
		{"gives no MessageID", "event/message", message(func(_ *bent, ev *adapter.Event) { ev.MessageID = "" })},
		{"gives no ID", "event/message", message(func(_ *bent, ev *adapter.Event) { ev.ID = "" })},
		{"gives local times", "event/message", message(func(_ *bent, ev *adapter.Event) { ev.Time = ev.Time.In(time.FixedZone("here", 3600)) })},
		{"gives no user", "event/message", message(func(_ *bent, ev *adapter.Event) { ev.User.ID = "" })},
		{"calls people bots", "event/message", message(func(_ *bent, ev *adapter.Event) { ev.User.Kind = adapter.KindBot })},
		{"gives a name that is no UTF-8", "event/normal", events(func(_ *bent, ev *adapter.Event) { ev.User.Name = "ann\xff" })},
		{"gives Raw that is no JSON", "event/normal", events(func(_ *bent, ev *adapter.Event) { ev.Raw = []byte("{") })},
		{"gives a part of another kind", "event/normal", events(func(_ *bent, ev *adapter.Event) { ev.Signal = &adapter.Signal{Source: "x"} })},
		{"gives characters that carry nodes", "event/normal", message(func(_ *bent, ev *adapter.Event) { ev.Text += adapter.Data("x") })},
		{"says that all is in one room", "event/rooms", events(func(_ *bent, ev *adapter.Event) { ev.Room = adapter.Room{ID: "R1"} })},
		{"makes a new ID for each delivery", "event/duplicate ack/error ack/restart history/reads", func(b *bent) {
			n := 0
			events(func(b *bent, ev *adapter.Event) { n++; ev.ID = fmt.Sprintf("%d-%d", b.w.boots, n) })(b)
		}},
		{"ends at what it does not know", "event/odd", func(b *bent) {
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				gen, err := b.w.connect()
				for err == nil {
					var u *update
					if u, err = b.w.next(ctx, gen, 0); err != nil {
						break
					}
					ev := b.decode(u)
					if ev == nil {
						return fmt.Errorf("what is %q?", u.Type)
					}
					if sink(ctx, ev) == nil {
						b.w.ack(gen, u)
					}
				}
				return nil
			}
		}},
		{"never acknowledges what it does not know", "event/odd", func(b *bent) {
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				gen, err := b.w.connect()
				for n := 0; err == nil; {
					var u *update
					if u, err = b.w.next(ctx, gen, n); err != nil {
						break
					}
					if ev := b.decode(u); ev == nil {
						n = u.n + 1
					} else if sink(ctx, ev) == nil {
						b.w.ack(gen, u)
					}
				}
				return nil
			}
		}},
		{"takes names for ids", "user/identity", events(func(_ *bent, ev *adapter.Event) { ev.User.ID = ev.User.Name })},
		{"changes the tenant", "user/identity", events(func(_ *bent, ev *adapter.Event) { ev.User.Tenant = ev.ID })},
		{"takes all for one person", "user/identity", events(func(_ *bent, ev *adapter.Event) { ev.User.ID = "U1" })},
		{"does not know direct rooms", "room/direct", events(func(_ *bent, ev *adapter.Event) { ev.Room.Kind = adapter.RoomChannel })},
		{"decodes twice", "text/decoded", events(func(_ *bent, ev *adapter.Event) { ev.Text = html.UnescapeString(ev.Text) })},
		{"trims text", "text/decoded", events(func(_ *bent, ev *adapter.Event) { ev.Text = strings.Join(strings.Fields(ev.Text), " ") })},
		{"does not see mentions", "mention/set", events(func(_ *bent, ev *adapter.Event) { ev.Mentioned = false })},
		{"sees mentions everywhere", "mention/set", events(func(_ *bent, ev *adapter.Event) { ev.Mentioned = true })},
		{"leaves a mention as an id", "mention/set", events(func(_ *bent, ev *adapter.Event) { ev.Text = strings.Replace(ev.Text, "@wren", "<UBOT>", 1) })},
		{"loses the thread of an event", "thread/answer", events(func(_ *bent, ev *adapter.Event) { ev.Thread = "" })},
		{"takes every message for a thread", "thread/answer", events(func(_ *bent, ev *adapter.Event) { ev.Thread = ev.MessageID })},
		{"answers outside of the thread", "thread/answer thread/start", sends(func(_ *bent, m *adapter.Message) { m.To.Thread = "" })},
		{"loses the message of a reaction", "reaction/event", onKind(adapter.KindReaction, func(_ *bent, ev *adapter.Event) { ev.Reaction.Message = adapter.Ref{} })},
		{"leaves the colons of a reaction", "reaction/event", onKind(adapter.KindReaction, func(_ *bent, ev *adapter.Event) { ev.Reaction.Emoji = ":+1:" })},
		{"takes Removed for put", "reaction/removed", onKind(adapter.KindReaction, func(_ *bent, ev *adapter.Event) { ev.Reaction.Removed = false })},
		{"lowers the command of a button", "click/event", onKind(adapter.KindClick, func(_ *bent, ev *adapter.Event) { ev.Click.Command = strings.ToLower(ev.Click.Command) })},
		{"gives the label for the command", "click/event", onKind(adapter.KindClick, func(_ *bent, ev *adapter.Event) { ev.Click.Command = ev.Click.Label })},
		{"keeps the commands of buttons in memory", "click/restart", ofRestart(func(ev *adapter.Event) {
			if ev.Click != nil {
				ev.Click.Command = ""
			}
		})},
		{"gives an edit the ID of its message", "edit/event", onKind(adapter.KindEdit, func(_ *bent, ev *adapter.Event) { ev.ID = "e2" })},
		{"gives a deletion no MessageID", "delete/event", onKind(adapter.KindDelete, func(_ *bent, ev *adapter.Event) { ev.MessageID = "" })},
		{"leaves the slash of a command", "invocation/event", onKind(adapter.KindInvocation, func(_ *bent, ev *adapter.Event) { ev.Invocation.Command = "/" + ev.Invocation.Command })},
		{"knows as its own only what it posted itself", "own/elsewhere", func(b *bent) {
			var mu sync.Mutex
			mine := map[string]bool{}
			send := b.send
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				mu.Lock()
				defer mu.Unlock()
				ref, err := send(ctx, m)
				mine[ref.ID] = true
				return ref, err
			}
			events(func(_ *bent, ev *adapter.Event) {
				mu.Lock()
				defer mu.Unlock()
				ev.Self = mine[ev.MessageID]
			})(b)
		}},
		{"takes other bots for people", "own/other-bot", events(func(_ *bent, ev *adapter.Event) { ev.User.Kind = adapter.KindMember })},
		{"takes other bots for itself", "own/other-bot", events(func(_ *bent, ev *adapter.Event) { ev.Self = ev.Self || ev.User.ID == "UAPP" })},
		{"gives files without content", "files/in", events(func(_ *bent, ev *adapter.Event) {
			for i := range ev.Files {
				ev.Files[i].Open = content("x", "").Open
			}
		})},
		{"gives files that open once", "files/in", events(func(_ *bent, ev *adapter.Event) {
			for i := range ev.Files {
				open, done := ev.Files[i].Open, false
				ev.Files[i].Open = func(ctx context.Context) (io.ReadCloser, error) {
					if done {
						return nil, errors.New("read before")
					}
					done = true
					return open(ctx)
				}
			}
		})},
		{"forgets the ids of files", "files/reopened", events(func(_ *bent, ev *adapter.Event) {
			for i := range ev.Files {
				ev.Files[i].ID = ""
			}
		})},
	}
}

func ackMutants() []mutant {
	return []mutant{
		{"acknowledges what failed", "ack/error ack/restart sink/failing", sinks(func(_ *bent, sink adapter.Sink) adapter.Sink {
			return func(ctx context.Context, ev *adapter.Event) error { _ = sink(ctx, ev); return nil }
		})},
		{"gives up at the second failure", "ack/error sink/failing", receiving(func(ctx context.Context, b *bent, _ int, u *update, sink adapter.Sink) bool {
			u.tries++
			ev := b.decode(u)
			return ev == nil || sink(ctx, ev) == nil || u.tries > 1
		})},
		{"delivers the rejected again", "ack/rejected", sinks(func(_ *bent, sink adapter.Sink) adapter.Sink {
			again := map[string]bool{}
			return func(ctx context.Context, ev *adapter.Event) error {
				err := sink(ctx, clone(ev))
				if errors.Is(err, adapter.ErrRejected) && !again[ev.ID] {
					again[ev.ID] = true
					err = errors.New("later")
				}
				return err
			}
		})},
		{"drops what comes while the Sink is busy", "sink/blocked", receiving(func(ctx context.Context, b *bent, _ int, u *update, sink adapter.Sink) bool {
			ev := b.decode(u)
			if ev == nil {
				return true
			}
			err := sink(ctx, ev)
			_ = b.w.do(func() {
				waiting := 0
				for _, v := range b.w.updates {
					if v.n > u.n && !v.acked {
						if waiting++; waiting > 20 {
							v.acked = true
						}
					}
				}
			})
			return err == nil
		})},
		{"Run ends when the connection is cut", "drop/reconnect", func(b *bent) {
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				gen, err := b.w.connect()
				if err != nil {
					return err
				}
				if err := b.receive(ctx, gen, sink); ctx.Err() == nil {
					return err
				}
				return nil
			}
		}},
		{"sleeps between attempts to connect", "drop/away", func(b *bent) {
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				for ctx.Err() == nil {
					if gen, err := b.w.connect(); err == nil {
						_ = b.receive(ctx, gen, sink)
					} else {
						time.Sleep(30 * time.Second)
					}
				}
				return nil
			}
		}},
		{"gives up when the platform is away", "drop/away", func(b *bent) {
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				for ctx.Err() == nil {
					gen, err := b.w.connect()
					if err != nil {
						return err
					}
					_ = b.receive(ctx, gen, sink)
				}
				return nil
			}
		}},
		{"delivers the last events as new after a cut", "drop/reconnect", func(b *bent) {
			seen := 0
			sinks(func(b *bent, sink adapter.Sink) adapter.Sink {
				var last *adapter.Event
				return func(ctx context.Context, ev *adapter.Event) error {
					if b.w.drops > seen && last != nil {
						seen = b.w.drops
						last.ID += "again"
						_ = sink(ctx, last)
					}
					last = clone(ev)
					return sink(ctx, ev)
				}
			})(b)
		}},
		{"begins with the newest event after a cut", "drop/sink", func(b *bent) {
			run := b.run
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				return run(ctx, func(ctx context.Context, ev *adapter.Event) error {
					drops := 0
					_ = b.w.do(func() { drops = b.w.drops })
					err := sink(ctx, ev)
					_ = b.w.do(func() {
						if b.w.drops > drops {
							for _, u := range b.w.updates {
								u.acked = true
							}
						}
					})
					return err
				})
			}
		}},
		{"sends again what was on its way at a cut", "drop/send", func(b *bent) {
			send := b.send
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				if b.w.drops > 0 {
					again := *m
					again.Key = ""
					_, _ = send(ctx, &again)
				}
				return send(ctx, m)
			}
		}},
	}
}

func sendMutants() []mutant {
	return []mutant{
		{"cannot send before Run", "send/anytime", func(b *bent) {
			send, run := b.send, b.run
			var ran atomic.Bool
			b.run = func(ctx context.Context, sink adapter.Sink) error { ran.Store(true); return run(ctx, sink) }
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				if !ran.Load() {
					return adapter.Ref{}, errors.New("not connected")
				}
				return send(ctx, m)
			}
		}},
		{"cannot send after Run", "send/anytime", func(b *bent) {
			run := b.run
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				defer b.closed.Store(true)
				return run(ctx, sink)
			}
		}},
		{"sends in goroutines", "send/order", func(b *bent) {
			send, n := b.send, 0
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				if n++; n%2 == 0 {
					return send(ctx, m)
				}
				life := b.w.life()
				go func() {
					time.Sleep(5 * time.Millisecond)
					_, _ = send(life, m)
				}()
				return adapter.Ref{Address: m.To, ID: "later"}, nil
			}
		}},
		{"loses messages that are sent at once", "send/concurrent", func(b *bent) {
			send := b.send
			var busy sync.Mutex
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				if !busy.TryLock() {
					return adapter.Ref{Address: m.To, ID: m.Key}, nil
				}
				defer busy.Unlock()
				time.Sleep(time.Millisecond)
				return send(ctx, m)
			}
		}},
		{"posts in the first room", "send/once send/unknown-room", sends(func(_ *bent, m *adapter.Message) { m.To.Room = "R1" })},
		{"takes the same text for the same message", "send/same-text", func(b *bent) {
			send := b.send
			seen := map[string]adapter.Ref{}
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				if ref, ok := seen[m.Text]; ok {
					return ref, nil
				}
				ref, err := send(ctx, m)
				seen[m.Text] = ref
				return ref, err
			}
		}},
		{"claims IdempotentSend falsely", "send/key", sends(func(_ *bent, m *adapter.Message) { m.Key = "" })},
		{"refuses AtMostOnce", "send/at-most-once", func(b *bent) {
			send := b.send
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				if m.AtMostOnce {
					return adapter.Ref{}, adapter.ErrUnsupported
				}
				return send(ctx, m)
			}
		}},
		{"says that it did not post, and did", "send/cancelled", func(b *bent) {
			send := b.send
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				ref, err := send(context.WithoutCancel(ctx), m)
				if ctx.Err() != nil {
					return adapter.Ref{}, adapter.ErrUnavailable
				}
				return ref, err
			}
		}},
		{"waits although its context ended", "send/cancelled fault/hang", func(b *bent) {
			send := b.send
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				if ctx.Err() != nil {
					<-b.w.over
				}
				return send(context.WithoutCancel(ctx), m)
			}
		}},
		{"writes to the message", "send/keeps", func(b *bent) {
			send := b.send
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				m.Text = strings.TrimSpace(m.Text) + " "
				return send(ctx, m)
			}
		}},
		{"Render writes to the message", "send/keeps", func(b *bent) {
			render := b.render
			b.render = func(m *adapter.Message) ([]*adapter.Message, error) { m.Fields = nil; return render(m) }
		}},
		{"maps no error", "fault/rate-limit fault/forbidden fault/down fault/auth send/unknown-room text/empty", all(failed(func(err error) error { return errors.New(err.Error()) }), func(b *bent) {
			run := b.run
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				if err := run(ctx, sink); err != nil {
					return errors.New(err.Error())
				}
				return nil
			}
		})},
		{"connects for ever with a bad token", "fault/auth", func(b *bent) {
			run := b.run
			b.run = func(ctx context.Context, sink adapter.Sink) error {
				for {
					if err := run(ctx, sink); err == nil {
						return nil
					}
					select {
					case <-ctx.Done():
						return nil
					case <-time.After(10 * time.Millisecond):
					}
				}
			}
		}},
		{"tries every error again", "fault/lost", func(b *bent) {
			send := b.send
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				ref, err := send(ctx, m)
				if err != nil && adapter.OutcomeOf(err) == adapter.Unknown {
					again := *m
					again.Key = ""
					return send(ctx, &again)
				}
				return ref, err
			}
		}},
		{"takes a lost answer for nothing posted", "fault/lost", failed(func(err error) error {
			if adapter.OutcomeOf(err) == adapter.Unknown {
				return fmt.Errorf("%w: %w", adapter.ErrUnavailable, err)
			}
			return err
		})},
	}
}

func contentMutants() []mutant {
	texts := func(f func(string) string) func(*bent) {
		return sends(func(_ *bent, m *adapter.Message) { m.Text = f(m.Text) })
	}
	return []mutant{
		{"posts empty messages", "text/empty", texts(func(s string) string {
			if s == "" {
				return " "
			}
			return s
		})},
		{"sends ASCII", "text/unicode", texts(func(s string) string {
			return strings.Map(func(r rune) rune {
				if r > 126 {
					return '?'
				}
				return r
			}, s)
		})},
		{"folds lines", "text/unicode", texts(func(s string) string { return strings.ReplaceAll(s, "\n", " ") })},
		{"takes data for markup", "text/data", func(b *bent) {
			render := b.render
			b.render = func(m *adapter.Message) ([]*adapter.Message, error) {
				c := *m
				c.Text = adapter.PlainText(m.Text)
				return render(&c)
			}
		}},
		{"shows nodes", "text/data", func(b *bent) {
			b.render = func(m *adapter.Message) ([]*adapter.Message, error) { c := *m; return []*adapter.Message{&c}, nil }
		}},
		{"splits one too early", "text/limit", lacking(func(f *adapter.Features) { f.MaxText = maxText + 1 })},
		{"counts bytes for UTF-16", "text/limit", lacking(func(f *adapter.Features) { f.Unit = adapter.UnitRunes; f.MaxText = maxText * 2 })},
		{"renders parts that do not fit", "text/long", lacking(func(f *adapter.Features) { f.MaxText = maxText - 20 })},
		{"loses what is between two parts", "text/long", func(b *bent) {
			render := b.render
			b.render = func(m *adapter.Message) ([]*adapter.Message, error) {
				parts, err := render(m)
				for _, p := range parts[:max(len(parts)-1, 0)] {
					p.Text = p.Text[:len(p.Text)-1]
				}
				return parts, err
			}
		}},
		{"cuts what is too long", "text/no-cut", texts(func(s string) string {
			for adapter.UnitUTF16.Len(s) > maxText {
				s = s[:len(s)-1]
			}
			return s
		})},
		{"renders by the clock", "render/pure", func(b *bent) {
			render, n := b.render, 0
			b.render = func(m *adapter.Message) ([]*adapter.Message, error) {
				parts, err := render(m)
				n++
				for _, p := range parts {
					p.Native = map[string]json.RawMessage{"world": json.RawMessage(fmt.Sprint(n))}
				}
				return parts, err
			}
		}},
		{"renders to nowhere", "render/pure", func(b *bent) {
			render := b.render
			b.render = func(m *adapter.Message) ([]*adapter.Message, error) {
				parts, err := render(m)
				parts[len(parts)-1].To = adapter.Address{}
				return parts, err
			}
		}},
		{"gives one ref for all", "ref/round-trip send/concurrent", func(b *bent) {
			send := b.send
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				ref, err := send(ctx, m)
				if err == nil {
					ref.ID = "m1"
				}
				return ref, err
			}
		}},
		{"gives refs without a room", "ref/round-trip", func(b *bent) {
			send := b.send
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				ref, err := send(ctx, m)
				ref.Room = ""
				return ref, err
			}
		}},
		{"edits by posting anew", "edit/works", func(b *bent) {
			b.edit = func(ctx context.Context, ref adapter.Ref, m *adapter.Message) error {
				_ = b.w.remove(ref)
				_, err := b.Send(ctx, &adapter.Message{To: ref.Address, Text: m.Text})
				return err
			}
		}},
		{"knows refs of its own process alone", "edit/restart", func(b *bent) {
			mine := map[adapter.Ref]bool{}
			send, edit := b.send, b.edit
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				ref, err := send(ctx, m)
				mine[ref] = true
				return ref, err
			}
			b.edit = func(ctx context.Context, ref adapter.Ref, m *adapter.Message) error {
				if !mine[ref] {
					return adapter.ErrNotFound
				}
				return edit(ctx, ref, m)
			}
		}},
		{"deletes another message", "delete/works", func(b *bent) {
			remove := b.remove
			b.remove = func(ctx context.Context, ref adapter.Ref) error { ref.ID = b.w.posts[0].ID; return remove(ctx, ref) }
		}},
		{"reacts anew each time", "react/works", func(b *bent) {
			react, n := b.react, 0
			b.react = func(ctx context.Context, ref adapter.Ref, emoji string) error {
				n++
				return react(ctx, ref, emoji+fmt.Sprint(n))
			}
		}},
		{"reacts only to itself", "react/theirs", func(b *bent) {
			b.react = func(_ context.Context, ref adapter.Ref, _ string) error {
				_ = b.w.do(func() { _, err := b.w.at(ref); _ = err })
				return nil
			}
		}},
		{"is content with unknown messages", "ref/unknown", func(b *bent) {
			remove := b.remove
			b.remove = func(ctx context.Context, ref adapter.Ref) error { _ = remove(ctx, ref); return nil }
		}},
		{"posts what is too large", "files/too-large upload/works", func(b *bent) {
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) { return b.w.post(ctx, m) }
			b.upload = func(ctx context.Context, to adapter.Address, f adapter.File) (adapter.Ref, error) {
				return b.w.post(ctx, &adapter.Message{To: to, Files: []adapter.File{f}})
			}
		}},
		{"names files without content", "files/out", sends(func(_ *bent, m *adapter.Message) {
			for i, f := range m.Files {
				m.Files[i] = content(f.Name, "")
			}
		})},
		{"finds other people", "directory/user", func(b *bent) {
			user := b.user
			b.user = func(ctx context.Context, _ string) (adapter.User, error) { return user(ctx, "U2") }
		}},
		{"makes users up", "directory/user direct/opens", func(b *bent) {
			user := b.user
			b.user = func(ctx context.Context, query string) (adapter.User, error) {
				if u, err := user(ctx, query); err == nil {
					return u, nil
				}
				return adapter.User{ID: query}, nil
			}
			b.direct = func(_ context.Context, id string) (adapter.Room, error) { return b.place("D" + id), nil }
		}},
		{"has one direct room for all", "direct/opens", func(b *bent) {
			b.direct = func(context.Context, string) (adapter.Room, error) { return b.place("DU1"), nil }
		}},
		{"adds to the commands", "commands/registers", func(b *bent) {
			b.commands = func(_ context.Context, commands []adapter.CommandSpec) error {
				return b.w.do(func() {
					for _, c := range commands {
						b.w.commands = append(b.w.commands, c.Name)
					}
				})
			}
		}},
		{"history is not marked", "history/reads", backfills(func(ev *adapter.Event) { ev.Backfilled = false })},
		{"history has ids of its own", "history/reads", backfills(func(ev *adapter.Event) { ev.ID = "h" + ev.ID })},
		{"history does not heed after", "history/reads", func(b *bent) {
			history := b.history
			b.history = func(ctx context.Context, room, _ string) iter.Seq2[*adapter.Event, error] {
				return history(ctx, room, "")
			}
		}},
		{"finds everything", "find/posted", func(b *bent) {
			b.find = func(_ context.Context, m *adapter.Message) (adapter.Ref, bool, error) {
				return adapter.Ref{Address: m.To, ID: "m1"}, true, nil
			}
		}},
		{"answers to anybody", "http/refuses", func(b *bent) {
			b.http = func() http.Handler { return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}) }
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

// claimMutants claim a verb or a feature falsely: they say that they cannot, or do nothing.
func claimMutants() []mutant {
	var all []mutant
	for _, how := range []struct {
		name string
		err  error
	}{{"ErrUnsupported", adapter.ErrUnsupported}, {"nothing", nil}} {
		for _, v := range []struct {
			verb, caught string
			bend         func(*bent)
		}{
			{"Editor", "edit/works edit/restart", func(b *bent) { b.edit = func(context.Context, adapter.Ref, *adapter.Message) error { return how.err } }},
			{"Deleter", "delete/works", func(b *bent) { b.remove = func(context.Context, adapter.Ref) error { return how.err } }},
			{"Reactor", "react/works react/theirs", func(b *bent) { b.react = func(context.Context, adapter.Ref, string) error { return how.err } }},
			{"Typer", "typing/works", func(b *bent) { b.typing = func(context.Context, adapter.Address) error { return how.err } }},
			{"Uploader", "upload/works", func(b *bent) {
				b.upload = func(context.Context, adapter.Address, adapter.File) (adapter.Ref, error) {
					return adapter.Ref{}, how.err
				}
			}},
			{"Opener", "files/reopened", func(b *bent) {
				b.open = func(context.Context, adapter.File) (io.ReadCloser, error) {
					return io.NopCloser(strings.NewReader("")), how.err
				}
			}},
			{"Directory", "directory/user directory/room", func(b *bent) {
				b.user = func(context.Context, string) (adapter.User, error) { return adapter.User{}, how.err }
				b.room = func(context.Context, string) (adapter.Room, error) { return adapter.Room{}, how.err }
			}},
			{"DirectOpener", "direct/opens", func(b *bent) {
				b.direct = func(context.Context, string) (adapter.Room, error) { return adapter.Room{}, how.err }
			}},
			{"TopicSetter", "topic/works", func(b *bent) { b.topic = func(context.Context, string, string) error { return how.err } }},
			{"CommandRegistrar", "commands/registers", func(b *bent) {
				b.commands = func(context.Context, []adapter.CommandSpec) error { return how.err }
			}},
			{"Historian", "history/reads", func(b *bent) {
				b.history = func(context.Context, string, string) iter.Seq2[*adapter.Event, error] {
					return func(yield func(*adapter.Event, error) bool) {
						if how.err != nil {
							yield(nil, how.err)
						}
					}
				}
			}},
			{"Finder", "find/posted", func(b *bent) {
				b.find = func(context.Context, *adapter.Message) (adapter.Ref, bool, error) {
					return adapter.Ref{}, false, how.err
				}
			}},
			{"HTTPHandler", "http/refuses", func(b *bent) { b.http = func() http.Handler { return nil } }},
			{"Closer", "close/unused close/send", func(b *bent) {
				b.close = func() error { return errors.Join(how.err, errors.New("no")) }
			}},
			{"Renderer", "text/long text/unicode", func(b *bent) {
				b.render = func(*adapter.Message) ([]*adapter.Message, error) { return nil, how.err }
			}},
		} {
			all = append(all, mutant{"claims " + v.verb + " and gives " + how.name, v.caught, v.bend})
		}
		for _, f := range []struct {
			feature, caught string
			uses            func(*adapter.Message) bool
			drop            func(*adapter.Message)
		}{
			{"Threads", "thread/answer thread/start", func(m *adapter.Message) bool { return m.To.Thread != "" }, func(m *adapter.Message) { m.To.Thread = "" }},
			{"Buttons", "buttons/shown click/event", func(m *adapter.Message) bool { return len(m.Buttons) > 0 }, func(m *adapter.Message) { m.Buttons = nil }},
			{"Fields", "fields/shown", func(m *adapter.Message) bool { return len(m.Fields) > 0 }, func(m *adapter.Message) { m.Fields = nil }},
			{"Files", "files/out", func(m *adapter.Message) bool { return len(m.Files) > 0 }, func(m *adapter.Message) { m.Files = nil }},
			{"Ephemeral", "only/seen", func(m *adapter.Message) bool { return m.Only != "" }, func(m *adapter.Message) { m.Only = "" }},
		} {
			all = append(all, mutant{"claims " + f.feature + " and gives " + how.name, f.caught, func(b *bent) {
				send := b.send
				b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
					c := *m
					if f.uses(m) {
						if how.err != nil {
							return adapter.Ref{}, how.err
						}
						f.drop(&c)
					}
					return send(ctx, &c)
				}
			}})
		}
	}
	return append(all, mutant{"claims Replay and loses what was not acknowledged", "ack/restart", func(b *bent) {
		run := b.run
		b.run = func(ctx context.Context, sink adapter.Sink) error {
			defer func() {
				_ = b.w.do(func() {
					for _, u := range b.w.updates {
						u.acked = true
					}
				})
			}()
			return run(ctx, sink)
		}
	}})
}

// unclaimedMutants do not claim, and lose what they were given or show it to others.
func unclaimedMutants() []mutant {
	lossy := func(claim func(*adapter.Features), f func(*adapter.Message)) func(*bent) {
		return all(lacking(claim), sends(func(_ *bent, m *adapter.Message) { f(m) }))
	}
	return []mutant{
		{"shows the room what it cannot show one user", "unclaimed/only", lossy(func(f *adapter.Features) { f.Ephemeral = false }, func(m *adapter.Message) { m.Only = "" })},
		{"loses buttons without a word", "unclaimed/buttons", lossy(func(f *adapter.Features) { f.Buttons = false }, func(m *adapter.Message) { m.Buttons = nil })},
		{"loses fields without a word", "unclaimed/fields", lossy(func(f *adapter.Features) { f.Fields = false }, func(m *adapter.Message) { m.Fields = nil })},
		{"loses files without a word", "unclaimed/files", lossy(func(f *adapter.Features) { f.Files = false }, func(m *adapter.Message) { m.Files = nil })},
		{"loses what goes to a thread", "unclaimed/threads", func(b *bent) {
			lacking(func(f *adapter.Features) { f.Threads = false })(b)
			send := b.send
			b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
				if m.To.Thread != "" {
					return adapter.Ref{Address: m.To, ID: "gone"}, nil
				}
				return send(ctx, m)
			}
		}},
	}
}
