package terminal

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/starlingbot/starling/adapter"
)

// post is a message of the bot.
type post struct {
	ref     adapter.Ref
	room    adapter.Room
	number  int // as shown; 0 while it is held
	only    string
	buttons []adapter.Button
	emoji   []string
	held    *adapter.Message // waits for its Only user
}

// Send implements [adapter.Adapter]. The message is shown in one Write. Errors: [adapter.ErrNotFound] for a room, or a
// user in Only, that is not here, [adapter.ErrInvalid] for a message with nothing to show, [adapter.ErrClosed],
// [adapter.ErrUnavailable] if nothing could be written.
//
// An output that takes nothing holds a message up for no longer than ctx; it may be shown later then, and the error says nothing
// certain.
func (a *Adapter) Send(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
	return turn(ctx, a, "send", func() (adapter.Ref, error) { return a.send(m) })
}

// send is Send with a.mu held.
func (a *Adapter) send(m *adapter.Message) (adapter.Ref, error) {
	if empty(m) {
		return adapter.Ref{}, fmt.Errorf("terminal: send: %w: nothing to show", adapter.ErrInvalid)
	}
	to := m.To
	if to.Adapter == "" {
		to.Adapter = a.cfg.Name
	}
	room, ok := a.roomByID(to.Room)
	if !ok || to.Adapter != a.cfg.Name {
		return adapter.Ref{}, fmt.Errorf("terminal: send: room %q: %w", to.String(), adapter.ErrNotFound)
	}
	if _, ok := a.users.get(m.Only); m.Only != "" && !ok && !(a.cfg.Playground && validName(m.Only)) {
		return adapter.Ref{}, fmt.Errorf("terminal: send: user %q: %w", m.Only, adapter.ErrNotFound)
	}
	p := &post{ref: adapter.Ref{Address: to, ID: a.id("m")}, room: room, only: m.Only, buttons: slices.Clone(m.Buttons)}
	if p.only != "" && p.only != a.user.ID {
		a.hold(p, m)
	} else if err := a.show(p, m); err != nil {
		return adapter.Ref{}, err
	}
	a.posts.put(p.ref.ID, p)
	return p.ref, nil
}

func empty(m *adapter.Message) bool {
	return m == nil || m.Text == "" && len(m.Fields) == 0 && len(m.Buttons) == 0 && len(m.Files) == 0
}

// hold keeps a message until its Only user is the current one. It is called with a.mu held.
func (a *Adapter) hold(p *post, m *adapter.Message) {
	if len(a.held) == maxHeld {
		a.posts.remove(a.held[0].ref.ID)
		a.held = slices.Delete(a.held, 0, 1)
	}
	held := *m
	p.held = &held
	a.held = append(a.held, p)
}

// release shows what was held for the current user. It is called with a.mu held.
func (a *Adapter) release() {
	a.held = slices.DeleteFunc(a.held, func(p *post) bool {
		return p.only == a.user.ID && a.show(p, p.held) == nil
	})
}

// show numbers a message and writes it. It is called with a.mu held.
func (a *Adapter) show(p *post, m *adapter.Message) error {
	number := a.last + 1
	head := a.heading(p, m.Color, "")
	if a.tty {
		head = a.dim("["+strconv.Itoa(number)+"]") + " " + head
	}
	if err := a.print("send", a.entry(head, m)); err != nil {
		return err
	}
	p.number, p.held = number, nil
	a.last = number
	close(a.news)
	a.news = make(chan struct{})
	return nil
}

// heading gives "#ops/3 (only alice) starling (edited 2)> ".
func (a *Adapter) heading(p *post, c adapter.Color, note string) string {
	return a.where(p.room, p.ref.Thread, p.only) + a.colour(c, a.cfg.BotName+note+">") + " "
}

// where gives what stands before the bot's name: room, thread, and who alone sees it; empty in the direct room of the
// current user.
func (a *Adapter) where(room adapter.Room, thread, only string) string {
	s := ""
	switch {
	case room.Kind != adapter.RoomDirect:
		s = "#" + word(room.Name)
	case room.ID != a.direct(a.user.ID).ID || thread != "":
		s = "@" + word(room.Name)
	}
	if thread != "" {
		s += "/" + a.threadName(thread)
	}
	if only != "" {
		s = strings.TrimPrefix(s+" (only "+word(only)+")", " ")
	}
	if s != "" {
		s += " "
	}
	return s
}

// threadName shows the thread below a known message by number.
func (a *Adapter) threadName(thread string) string {
	if u, ok := a.said.get(thread); ok {
		return word(u.user.Name) + "-" + strconv.Itoa(u.number)
	}
	if p, ok := a.posts.get(thread); ok && p.number > 0 {
		return strconv.Itoa(p.number)
	}
	return word(thread)
}

// print writes in one Write, above the prompt where there is one. It is called with a.mu held.
func (a *Adapter) print(verb, s string) error {
	var n int
	var err error
	if a.screen != nil {
		n, err = a.screen.print(s)
	} else {
		n, err = io.WriteString(a.cfg.Out, s)
	}
	switch {
	case err == nil:
		return nil
	case n == 0:
		return fmt.Errorf("terminal: %s: %w: %w", verb, adapter.ErrUnavailable, err)
	}
	return fmt.Errorf("terminal: %s: %w", verb, err)
}

// Edit implements [adapter.Editor]: the new content is shown as a line of its own, its buttons replace the old ones.
// Errors: [adapter.ErrNotFound], [adapter.ErrForbidden] for what a user said, and those of Send.
func (a *Adapter) Edit(ctx context.Context, ref adapter.Ref, m *adapter.Message) error {
	return turnOf(ctx, a, "edit", func() error { return a.edit(ref, m) })
}

// edit is Edit with a.mu held.
func (a *Adapter) edit(ref adapter.Ref, m *adapter.Message) error {
	p, err := a.post("edit", ref)
	if err != nil {
		return err
	}
	if empty(m) {
		return fmt.Errorf("terminal: edit: %w: nothing to show", adapter.ErrInvalid)
	}
	if p.held != nil {
		held := *m
		p.held = &held
	} else if a.sees(p) {
		if err := a.print("edit", a.entry(a.heading(p, m.Color, " (edited "+strconv.Itoa(p.number)+")"), m)); err != nil {
			return err
		}
	}
	p.buttons = slices.Clone(m.Buttons)
	return nil
}

// Delete implements [adapter.Deleter]. Errors: [adapter.ErrNotFound], [adapter.ErrForbidden] for what a user said.
func (a *Adapter) Delete(ctx context.Context, ref adapter.Ref) error {
	return turnOf(ctx, a, "delete", func() error { return a.remove(ref) })
}

// remove is Delete with a.mu held.
func (a *Adapter) remove(ref adapter.Ref) error {
	p, err := a.post("delete", ref)
	if err != nil {
		return err
	}
	if p.held != nil {
		a.held = slices.DeleteFunc(a.held, func(h *post) bool { return h == p })
	} else if a.sees(p) {
		if err := a.print("delete", a.where(p.room, ref.Thread, p.only)+a.cfg.BotName+" deleted "+strconv.Itoa(p.number)+"\n"); err != nil {
			return err
		}
	}
	a.posts.remove(p.ref.ID)
	return nil
}

// sees tells whether the current user may see p.
func (a *Adapter) sees(p *post) bool { return p.only == "" || p.only == a.user.ID }

// post finds a message of the bot. It is called with a.mu held.
func (a *Adapter) post(verb string, ref adapter.Ref) (*post, error) {
	if p, ok := a.posts.get(ref.ID); ok && p.ref == ref {
		return p, nil
	}
	if u, ok := a.said.get(ref.ID); ok && u.ref == ref {
		return nil, fmt.Errorf("terminal: %s: %w: it is a user's message", verb, adapter.ErrForbidden)
	}
	return nil, fmt.Errorf("terminal: %s: message %q: %w", verb, ref.ID, adapter.ErrNotFound)
}

// React implements [adapter.Reactor], on the bot's messages and on what users said. The same emoji twice is shown once.
// Errors: [adapter.ErrNotFound], [adapter.ErrInvalid] for an empty emoji.
func (a *Adapter) React(ctx context.Context, ref adapter.Ref, emoji string) error {
	return turnOf(ctx, a, "react", func() error { return a.put(ref, emoji) })
}

// put is React with a.mu held.
func (a *Adapter) put(ref adapter.Ref, emoji string) error {
	shown := word(emoji)
	if shown == "" {
		return fmt.Errorf("terminal: react: %w: no emoji", adapter.ErrInvalid)
	}
	if u, ok := a.said.get(ref.ID); ok && u.ref == ref {
		line := "line " + strconv.Itoa(u.number)
		if u.user.ID != a.user.ID {
			line = "@" + word(u.user.Name) + " " + line
		}
		return a.react(&u.emoji, emoji, a.where(u.room, ref.Thread, "")+a.cfg.BotName+" reacted "+shown+" to "+line)
	}
	p, err := a.post("react", ref)
	if err != nil || p.held != nil || !a.sees(p) {
		return err
	}
	return a.react(&p.emoji, emoji, a.where(p.room, ref.Thread, p.only)+a.cfg.BotName+" reacted "+shown+" to "+strconv.Itoa(p.number))
}

const maxEmoji = 50 // different reactions of the bot that one message remembers

func (a *Adapter) react(seen *[]string, emoji, line string) error {
	if slices.Contains(*seen, emoji) {
		return nil
	}
	if err := a.print("react", line+"\n"); err != nil {
		return err
	}
	if len(*seen) < maxEmoji {
		*seen = append(*seen, emoji)
	}
	return nil
}

// SetTopic implements [adapter.TopicSetter]. Errors: [adapter.ErrNotFound].
func (a *Adapter) SetTopic(ctx context.Context, room, topic string) error {
	return turnOf(ctx, a, "set topic", func() error {
		r, ok := a.roomByID(room)
		if !ok {
			return fmt.Errorf("terminal: set topic: room %q: %w", room, adapter.ErrNotFound)
		}
		return a.print("set topic", a.fold(a.where(r, "", "")+"topic: "+word(adapter.PlainText(topic)), hang)+"\n")
	})
}
