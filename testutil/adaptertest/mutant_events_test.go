package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starlingbot/starling/adapter"
)

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
