package adaptertest

import (
	"context"
	"io"
	"iter"
	"net/http"

	"github.com/starlingbot/starling/adapter"
)

// bent is the reference adapter with functions that can be replaced.
type bent struct {
	*reference
	name     func() string
	features func() adapter.Features
	run      func(context.Context, adapter.Sink) error
	send     func(context.Context, *adapter.Message) (adapter.Ref, error)
	render   func(*adapter.Message) ([]*adapter.Message, error)
	edit     func(context.Context, adapter.Ref, *adapter.Message) error
	remove   func(context.Context, adapter.Ref) error
	react    func(context.Context, adapter.Ref, string) error
	typing   func(context.Context, adapter.Address) error
	upload   func(context.Context, adapter.Address, adapter.File) (adapter.Ref, error)
	open     func(context.Context, adapter.File) (io.ReadCloser, error)
	user     func(context.Context, string) (adapter.User, error)
	room     func(context.Context, string) (adapter.Room, error)
	direct   func(context.Context, string) (adapter.Room, error)
	topic    func(context.Context, string, string) error
	commands func(context.Context, []adapter.CommandSpec) error
	history  func(context.Context, string, string) iter.Seq2[*adapter.Event, error]
	find     func(context.Context, *adapter.Message) (adapter.Ref, bool, error)
	http     func() http.Handler
	close    func() error
	unwrap   func() adapter.Adapter
}

// bend gives an adapter that is still straight.
func bend(w *world) *bent {
	r := &reference{w: w}
	return &bent{
		reference: r, name: r.Name, features: r.Features, run: r.Run, send: r.Send, render: r.Render, edit: r.Edit, remove: r.Delete, react: r.React,
		typing: r.Typing, upload: r.Upload, open: r.Open, user: r.User, room: r.Room, direct: r.OpenDirect, topic: r.SetTopic,
		commands: r.RegisterCommands, history: r.History, find: r.Find, http: r.HTTPHandler, close: r.Close,
		unwrap: func() adapter.Adapter { return nil },
	}
}

func (b *bent) Name() string                                          { return b.name() }
func (b *bent) Features() adapter.Features                            { return b.features() }
func (b *bent) Run(ctx context.Context, sink adapter.Sink) error      { return b.run(ctx, sink) }
func (b *bent) Render(m *adapter.Message) ([]*adapter.Message, error) { return b.render(m) }
func (b *bent) HTTPHandler() http.Handler                             { return b.http() }
func (b *bent) Close() error                                          { return b.close() }
func (b *bent) Unwrap() adapter.Adapter                               { return b.unwrap() }
func (b *bent) Delete(ctx context.Context, ref adapter.Ref) error     { return b.remove(ctx, ref) }

func (b *bent) Send(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
	return b.send(ctx, m)
}

func (b *bent) Edit(ctx context.Context, ref adapter.Ref, m *adapter.Message) error {
	return b.edit(ctx, ref, m)
}

func (b *bent) React(ctx context.Context, ref adapter.Ref, emoji string) error {
	return b.react(ctx, ref, emoji)
}

func (b *bent) Typing(ctx context.Context, to adapter.Address) error { return b.typing(ctx, to) }

func (b *bent) Upload(ctx context.Context, to adapter.Address, f adapter.File) (adapter.Ref, error) {
	return b.upload(ctx, to, f)
}

func (b *bent) Open(ctx context.Context, f adapter.File) (io.ReadCloser, error) {
	return b.open(ctx, f)
}

func (b *bent) User(ctx context.Context, query string) (adapter.User, error) {
	return b.user(ctx, query)
}

func (b *bent) Room(ctx context.Context, query string) (adapter.Room, error) {
	return b.room(ctx, query)
}

func (b *bent) OpenDirect(ctx context.Context, user string) (adapter.Room, error) {
	return b.direct(ctx, user)
}

func (b *bent) SetTopic(ctx context.Context, room, topic string) error {
	return b.topic(ctx, room, topic)
}

func (b *bent) RegisterCommands(ctx context.Context, commands []adapter.CommandSpec) error {
	return b.commands(ctx, commands)
}

func (b *bent) History(ctx context.Context, room, after string) iter.Seq2[*adapter.Event, error] {
	return b.history(ctx, room, after)
}

func (b *bent) Find(ctx context.Context, m *adapter.Message) (adapter.Ref, bool, error) {
	return b.find(ctx, m)
}

// events bends the events on their way to the sink.
func events(f func(*bent, *adapter.Event)) func(*bent) {
	return sinks(func(b *bent, sink adapter.Sink) adapter.Sink {
		return func(ctx context.Context, ev *adapter.Event) error { f(b, ev); return sink(ctx, ev) }
	})
}

// sinks bends the sink.
func sinks(f func(*bent, adapter.Sink) adapter.Sink) func(*bent) {
	return func(b *bent) {
		run := b.run
		b.run = func(ctx context.Context, sink adapter.Sink) error { return run(ctx, f(b, sink)) }
	}
}

// sends bends the messages on their way out.
func sends(f func(*bent, *adapter.Message)) func(*bent) {
	return func(b *bent) {
		send := b.send
		b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
			c := *m
			f(b, &c)
			return send(ctx, &c)
		}
	}
}

// failed bends the errors of Send.
func failed(f func(error) error) func(*bent) {
	return func(b *bent) {
		send := b.send
		b.send = func(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
			ref, err := send(ctx, m)
			if err != nil {
				err = f(err)
			}
			return ref, err
		}
	}
}

// lacking takes a claim back.
func lacking(f func(*adapter.Features)) func(*bent) {
	return func(b *bent) {
		features := b.features
		b.features = func() adapter.Features {
			out := features()
			f(&out)
			return out
		}
	}
}

// all does one after the other.
func all(fs ...func(*bent)) func(*bent) {
	return func(b *bent) {
		for _, f := range fs {
			f(b)
		}
	}
}

// receiving replaces the loop that receives; step gives whether to acknowledge.
func receiving(step func(ctx context.Context, b *bent, gen int, u *update, sink adapter.Sink) bool) func(*bent) {
	return func(b *bent) {
		b.run = func(ctx context.Context, sink adapter.Sink) error {
			for {
				gen, err := b.w.connect()
				if err != nil {
					return err
				}
				for {
					u, err := b.w.next(ctx, gen, 0)
					if err == errDropped {
						break
					}
					if err != nil {
						return nil
					}
					if step(ctx, b, gen, u, sink) {
						b.w.ack(gen, u)
					}
				}
			}
		}
	}
}

// life is a context that ends with the world and not with Run.
func (w *world) life() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-w.over
		cancel()
	}()
	return ctx
}
