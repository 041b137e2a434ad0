package handler

import (
	"context"
	"fmt"
	"strconv"

	"github.com/starlingbot/starling/adapter"
)

// The format of every method here is portable Markdown and its arguments are data, as adapter.Format has it. The block
// "if false" makes go vet check them as it checks Printf: text from people as the format is a vet error.

// Reply answers where it was asked: same room, same thread.
func (r *Request) Reply(ctx context.Context, format string, args ...any) error {
	if false {
		_ = fmt.Sprintf(format, args...)
	}
	_, err := r.send(ctx, "", r.message(r.Event.Address(), adapter.Format(format, args...)))
	return err
}

// Thread answers in a thread: the one it was asked in, else a new one under the message. Where there are no threads it is
// Reply.
func (r *Request) Thread(ctx context.Context, format string, args ...any) error {
	if false {
		_ = fmt.Sprintf(format, args...)
	}
	to := r.Event.Address()
	if to.Thread == "" && r.effects.Features(to.Adapter).Threads {
		to.Thread = r.Event.MessageID
	}
	_, err := r.send(ctx, "", r.message(to, adapter.Format(format, args...)))
	return err
}

// Direct answers the asker in the direct room. adapter.ErrUnsupported where the platform has none.
func (r *Request) Direct(ctx context.Context, format string, args ...any) error {
	if false {
		_ = fmt.Sprintf(format, args...)
	}
	return r.direct(ctx, adapter.Format(format, args...))
}

func (r *Request) direct(ctx context.Context, text string) error {
	to := r.Event.Address()
	if r.Event.Room.Kind != adapter.RoomDirect {
		room, err := r.effects.OpenDirect(ctx, to.Adapter, r.Event.User.ID)
		if err != nil {
			return fmt.Errorf("direct message to %s: %w", r.Event.User.Key(), err)
		}
		to = adapter.Address{Adapter: to.Adapter, Room: room.ID}
	}
	_, err := r.send(ctx, "", r.message(to, text))
	return err
}

// Whisper answers so that only the asker sees it: in the room where the platform can, else by direct message, else it is
// an error. It never goes to the room.
func (r *Request) Whisper(ctx context.Context, format string, args ...any) error {
	if false {
		_ = fmt.Sprintf(format, args...)
	}
	text := adapter.Format(format, args...)
	if r.Event.Room.Kind == adapter.RoomDirect || !r.effects.Features(r.Event.Adapter).Ephemeral {
		return r.direct(ctx, text)
	}
	m := r.message(r.Event.Address(), text)
	if m.Only = r.Event.User.ID; m.Only == "" { // a message for nobody would be one for all
		return fmt.Errorf("whisper: the event has no user: %w", adapter.ErrNotFound)
	}
	_, err := r.send(ctx, "", m)
	return err
}

// React puts an emoji on the message that was said: the character itself or the platform's name without colons.
func (r *Request) React(ctx context.Context, emoji string) error {
	ref := r.Event.Ref()
	if ref.IsZero() {
		return fmt.Errorf("react: the event has no message: %w", adapter.ErrNotFound)
	}
	return r.effects.React(ctx, r, ref, emoji)
}

// Send says m: to m.To, or where it was asked if that is empty.
func (r *Request) Send(ctx context.Context, m *adapter.Message) (*Posted, error) {
	if m == nil {
		return nil, fmt.Errorf("handler: send: the message is nil")
	}
	c := *m
	if c.To == (adapter.Address{}) {
		c.To = r.Event.Address()
	}
	if c.To == r.Event.Address() && c.Origin == "" {
		c.Origin = r.Event.Origin
	}
	return r.send(ctx, "", &c)
}

// Post is Reply, and returns a handle to edit, delete or react to what it posted. When the event comes again the n-th Post
// of a route is the same message: it is edited where the text differs.
func (r *Request) Post(ctx context.Context, format string, args ...any) (*Posted, error) {
	if false {
		_ = fmt.Sprintf(format, args...)
	}
	slot := "post-" + strconv.Itoa(int(r.posts.Add(1)))
	return r.send(ctx, slot, r.message(r.Event.Address(), adapter.Format(format, args...)))
}

// Progress is how far a handler is.
type Progress struct {
	Text        string // portable Markdown
	Done, Total int64  // Total 0: nobody knows how much there is
}

// Progress shows how far a long handler is: one message where it was asked, with the time since the handler began, edited in
// place at most once a second; what comes faster is left out, but for the last. It has a button that cancels the job where the
// bot has that command (handler/jobs). When the handler has ended the message says how. Where the platform cannot edit, the
// first and the last are posted. When the event comes again, it is the same message.
func (r *Request) Progress(ctx context.Context, format string, args ...any) error {
	if false {
		_ = fmt.Sprintf(format, args...)
	}
	return r.effects.Progress(ctx, r, Progress{Text: adapter.Format(format, args...)})
}

// ProgressOf is Progress with a bar and percent: done of total, in any unit.
func (r *Request) ProgressOf(ctx context.Context, done, total int64, format string, args ...any) error {
	if false {
		_ = fmt.Sprintf(format, args...)
	}
	return r.effects.Progress(ctx, r, Progress{Text: adapter.Format(format, args...), Done: done, Total: total})
}

func (r *Request) message(to adapter.Address, text string) *adapter.Message {
	m := &adapter.Message{To: to, Text: text}
	if to == r.Event.Address() {
		m.Origin = r.Event.Origin
	}
	return m
}

func (r *Request) send(ctx context.Context, slot string, m *adapter.Message) (*Posted, error) {
	refs, err := r.effects.Send(ctx, r, slot, m)
	if err != nil {
		return nil, err
	}
	return &Posted{Refs: refs, r: r, m: m}, nil
}

// Posted is a message that was posted; all its methods act on all its parts.
type Posted struct {
	Refs []adapter.Ref // one per part; empty where the platform gives none
	r    *Request
	m    *adapter.Message
}

// Edit replaces the text; a longer one takes more messages, which come below. adapter.ErrUnsupported where the platform
// cannot edit.
func (p *Posted) Edit(ctx context.Context, format string, args ...any) error {
	if false {
		_ = fmt.Sprintf(format, args...)
	}
	m := *p.m
	m.Text = adapter.Format(format, args...)
	if len(p.Refs) == 0 {
		return fmt.Errorf("edit: the platform gave no reference: %w", adapter.ErrUnsupported)
	}
	refs, err := p.r.effects.Edit(ctx, p.r, p.Refs, &m)
	if len(refs) > 0 {
		p.Refs = refs
	}
	return err
}

// Delete removes it.
func (p *Posted) Delete(ctx context.Context) error {
	if len(p.Refs) == 0 {
		return fmt.Errorf("delete: the platform gave no reference: %w", adapter.ErrUnsupported)
	}
	return p.r.effects.Delete(ctx, p.r, p.Refs)
}

// React puts an emoji on its last part.
func (p *Posted) React(ctx context.Context, emoji string) error {
	if len(p.Refs) == 0 {
		return fmt.Errorf("react: the platform gave no reference: %w", adapter.ErrUnsupported)
	}
	return p.r.effects.React(ctx, p.r, p.Refs[len(p.Refs)-1], emoji)
}
