package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// reference is a good adapter for a world.
type reference struct {
	w      *world
	plain  bool // a platform that can say text alone
	closed atomic.Bool
}

const (
	maxText = 200
	maxFile = 4096
)

func (a *reference) Name() string { return "world" }

func (a *reference) Features() adapter.Features {
	f := adapter.Features{MaxText: maxText, Unit: adapter.UnitUTF16, MaxFile: maxFile, Replay: true}
	if !a.plain {
		f.Threads, f.Buttons, f.Files, f.Ephemeral, f.Fields, f.IdempotentSend = true, true, true, true, true, time.Minute
	}
	return f
}

func (a *reference) Run(ctx context.Context, sink adapter.Sink) error {
	for {
		gen, err := a.w.connect()
		if errors.Is(err, errAway) {
			select {
			case <-time.After(10 * time.Millisecond):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if err != nil {
			return fmt.Errorf("world: run: make a new token: %w", err)
		}
		err = a.receive(ctx, gen, sink)
		switch {
		case ctx.Err() != nil || errors.Is(err, errEnded):
			return nil
		case !errors.Is(err, errDropped):
			return err
		}
	}
}

// receive delivers one update after the other.
func (a *reference) receive(ctx context.Context, gen int, sink adapter.Sink) error {
	for {
		u, err := a.w.next(ctx, gen, 0)
		if err != nil {
			return err
		}
		if ev := a.decode(u); ev != nil {
			if err := sink(ctx, ev); err != nil && !errors.Is(err, adapter.ErrRejected) {
				select {
				case <-time.After(5 * time.Millisecond):
				case <-ctx.Done():
				}
				continue
			}
		}
		a.w.ack(gen, u)
	}
}

func (a *reference) user(id string) adapter.User {
	u := adapter.User{Adapter: a.Name(), Tenant: "T1", ID: id, Name: a.w.names(id), Kind: adapter.KindMember}
	if id == bot || id == "UAPP" {
		u.Kind = adapter.KindBot
	}
	return u
}

func (a *reference) place(id string) adapter.Room {
	if strings.HasPrefix(id, "D") {
		return adapter.Room{ID: id, Kind: adapter.RoomDirect}
	}
	return adapter.Room{ID: id, Name: a.w.names(id), Kind: adapter.RoomChannel}
}

// decode gives nil for what is unknown.
func (a *reference) decode(u *update) *adapter.Event {
	ev := &adapter.Event{
		ID: u.ID, Time: time.Unix(1_700_000_000+int64(u.n), 0).UTC(), Order: fmt.Sprintf("%08d", u.n), Room: a.place(u.Room), Thread: u.Thread,
		User: a.user(u.User), Self: u.User == bot, MessageID: u.Message, Text: u.Text, BotName: a.w.names(bot), Files: slices.Clone(u.Files),
	}
	ref := adapter.Ref{Address: adapter.Address{Adapter: a.Name(), Room: u.Room, Thread: u.Thread}, ID: u.Message}
	switch u.Type {
	case "said", "edited":
		ev.Kind = adapter.KindMessage
		if u.Type == "edited" {
			ev.Kind = adapter.KindEdit
		}
		if u.Mention {
			ev.Mentioned, ev.Text = true, strings.Replace(u.Text, "<"+bot+">", "@"+ev.BotName, 1)
		}
		for i := range ev.Files {
			f := ev.Files[i]
			ev.Files[i].Open = func(ctx context.Context) (io.ReadCloser, error) { return a.Open(ctx, f) }
		}
	case "deleted":
		ev.Kind = adapter.KindDelete
	case "reacted":
		ev.Kind, ev.Reaction = adapter.KindReaction, &adapter.Reaction{Emoji: strings.Trim(u.Emoji, ":"), Removed: u.Gone, Message: ref}
	case "pressed":
		ev.Kind, ev.Click = adapter.KindClick, &adapter.Click{Command: u.Value, Label: u.Label, Message: ref}
	case "slash":
		ev.Kind, ev.Text, ev.Invocation = adapter.KindInvocation, "", &adapter.Invocation{Command: strings.TrimPrefix(u.Label, "/"), Text: u.Text}
	default:
		return nil
	}
	return ev
}

// ready is asked by every verb.
func (a *reference) ready(ctx context.Context) error {
	if a.closed.Load() {
		return fmt.Errorf("world: %w", adapter.ErrClosed)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("world: %w: %w", adapter.ErrUnavailable, ctx.Err())
	}
	return nil
}

func (a *reference) exists(room string) error {
	if slices.Contains(places, room) || slices.Contains(people, strings.TrimPrefix(room, "D")) {
		return nil
	}
	return fmt.Errorf("world: room %q: %w", room, adapter.ErrNotFound)
}

// escape takes the sense of markup from data.
func escape(s string) []string {
	var atoms []string
	for _, r := range s {
		if strings.ContainsRune("\\*_`~<", r) {
			atoms = append(atoms, `\`+string(r))
		} else {
			atoms = append(atoms, string(r))
		}
	}
	return atoms
}

func (a *reference) Render(m *adapter.Message) ([]*adapter.Message, error) {
	var atoms []string // what no cut may tear
	for _, n := range adapter.Nodes(m.Text) {
		if n.Kind == adapter.NodeMarkup {
			atoms = append(atoms, strings.Split(n.Text, "")...)
		} else {
			atoms = append(atoms, escape(n.Text)...)
		}
	}
	extra := ""
	if a.plain {
		for _, b := range m.Buttons {
			extra += "\n[" + b.Label + "] " + b.Command
		}
		for _, f := range m.Fields {
			extra += "\n" + f.Name + ": " + f.Value
		}
		for _, f := range m.Files {
			extra += "\nfile " + f.Name
		}
		atoms = append(atoms, strings.Split(extra, "")...)
	}
	texts := []string{""}
	for _, s := range atoms {
		last := &texts[len(texts)-1]
		if adapter.UnitUTF16.Len(*last)+adapter.UnitUTF16.Len(s) > maxText {
			texts = append(texts, s)
			continue
		}
		*last += s
	}
	var parts []*adapter.Message
	for i, text := range texts {
		p := *m
		p.Text = text
		if i < len(texts)-1 || a.plain {
			p.Buttons, p.Fields, p.Files = nil, nil, nil
		}
		parts = append(parts, &p)
	}
	return parts, nil
}

func (a *reference) Send(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
	if err := errors.Join(a.ready(ctx), a.exists(m.To.Room)); err != nil {
		return adapter.Ref{}, err
	}
	switch {
	case m.Text == "" && len(m.Buttons)+len(m.Fields)+len(m.Files) == 0:
		return adapter.Ref{}, fmt.Errorf("world: send: empty: %w", adapter.ErrInvalid)
	case adapter.UnitUTF16.Len(m.Text) > maxText:
		return adapter.Ref{}, fmt.Errorf("world: send: %w", adapter.ErrTooLong)
	case a.plain && m.Only != "":
		return adapter.Ref{}, fmt.Errorf("world: send: only: %w", adapter.ErrUnsupported)
	}
	for _, f := range m.Files {
		if f.Size > maxFile {
			return adapter.Ref{}, fmt.Errorf("world: send: %s: %w", f.Name, adapter.ErrTooLong)
		}
	}
	c := *m
	if a.plain {
		c.To.Thread, c.Key = "", ""
	}
	return a.w.post(ctx, &c)
}

func (a *reference) Edit(ctx context.Context, ref adapter.Ref, m *adapter.Message) error {
	if err := a.ready(ctx); err != nil {
		return err
	}
	return a.w.edit(ref, m)
}

func (a *reference) Delete(ctx context.Context, ref adapter.Ref) error {
	if err := a.ready(ctx); err != nil {
		return err
	}
	return a.w.remove(ref)
}

func (a *reference) React(ctx context.Context, ref adapter.Ref, emoji string) error {
	if err := a.ready(ctx); err != nil {
		return err
	}
	return a.w.react(ref, emoji)
}

func (a *reference) Typing(ctx context.Context, to adapter.Address) error {
	return errors.Join(a.ready(ctx), a.w.do(func() { a.w.typing[to.Room]++ }))
}

func (a *reference) Upload(ctx context.Context, to adapter.Address, f adapter.File) (adapter.Ref, error) {
	return a.Send(ctx, &adapter.Message{To: to, Files: []adapter.File{f}})
}

func (a *reference) Open(ctx context.Context, f adapter.File) (io.ReadCloser, error) {
	if err := a.ready(ctx); err != nil {
		return nil, err
	}
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	content, ok := a.w.files[f.ID]
	if !ok {
		return nil, fmt.Errorf("world: file %q: %w", f.ID, adapter.ErrNotFound)
	}
	return io.NopCloser(strings.NewReader(content)), nil
}

func (a *reference) User(_ context.Context, query string) (adapter.User, error) {
	for _, id := range people {
		if query == id || query == "@"+a.w.names(id) {
			return a.user(id), nil
		}
	}
	return adapter.User{}, fmt.Errorf("world: user %q: %w", query, adapter.ErrNotFound)
}

func (a *reference) Room(_ context.Context, query string) (adapter.Room, error) {
	for _, id := range places {
		if query == id || query == "#"+a.w.names(id) {
			return a.place(id), nil
		}
	}
	return adapter.Room{}, fmt.Errorf("world: room %q: %w", query, adapter.ErrNotFound)
}

func (a *reference) OpenDirect(_ context.Context, user string) (adapter.Room, error) {
	if !slices.Contains(people, user) {
		return adapter.Room{}, fmt.Errorf("world: user %q: %w", user, adapter.ErrNotFound)
	}
	return a.place("D" + user), nil
}

func (a *reference) SetTopic(_ context.Context, room, topic string) error {
	if err := a.exists(room); err != nil {
		return err
	}
	return a.w.do(func() { a.w.topics[room] = topic })
}

func (a *reference) RegisterCommands(_ context.Context, commands []adapter.CommandSpec) error {
	return a.w.do(func() {
		a.w.commands = nil
		for _, c := range commands {
			a.w.commands = append(a.w.commands, c.Name)
		}
	})
}

func (a *reference) History(_ context.Context, room, after string) iter.Seq2[*adapter.Event, error] {
	return func(yield func(*adapter.Event, error) bool) {
		a.w.mu.Lock()
		updates := slices.Clone(a.w.updates)
		a.w.mu.Unlock()
		for _, u := range updates {
			if ev := a.decode(u); ev != nil && u.Type == "said" && u.Room == room && ev.Order > after {
				ev.Backfilled = true
				if !yield(ev, nil) {
					return
				}
			}
		}
	}
}

func (a *reference) Find(_ context.Context, m *adapter.Message) (adapter.Ref, bool, error) {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	ref, ok := a.w.keys[m.Key]
	return ref, ok, nil
}

func (a *reference) HTTPHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no signature", http.StatusUnauthorized) })
}

func (a *reference) Close() error { a.closed.Store(true); return nil }
