package adaptertest

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
)

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
