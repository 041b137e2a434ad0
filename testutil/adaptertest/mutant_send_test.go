package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starlingbot/starling/adapter"
)

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
