package testutil

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Conn is one connection of a bot to a [Chat]: the adapter. It has every verb but adapter.Renderer, Historian and
// HTTPHandler. Make one with [Chat.Connect].
type Conn struct {
	chat     *Chat
	closed   chan struct{} // by Close
	released chan struct{} // after a cut: what was stopped may end

	// guarded by chat.mu
	running, isClosed, dead, isReleased bool
	sending                             int // calls of Send under way
	giving                              int // calls of the sink under way
}

// Guards for what the adapter claims.
var (
	_ adapter.Adapter          = (*Conn)(nil)
	_ adapter.Editor           = (*Conn)(nil)
	_ adapter.Deleter          = (*Conn)(nil)
	_ adapter.Reactor          = (*Conn)(nil)
	_ adapter.Typer            = (*Conn)(nil)
	_ adapter.Uploader         = (*Conn)(nil)
	_ adapter.Opener           = (*Conn)(nil)
	_ adapter.Directory        = (*Conn)(nil)
	_ adapter.DirectOpener     = (*Conn)(nil)
	_ adapter.TopicSetter      = (*Conn)(nil)
	_ adapter.CommandRegistrar = (*Conn)(nil)
	_ adapter.Finder           = (*Conn)(nil)
	_ adapter.Closer           = (*Conn)(nil)
	_ adapter.Adapter          = (*Chat)(nil)
)

// bare hides all verbs of a connection but Close.
type bare struct {
	adapter.Adapter
	adapter.Closer
}

// Name implements [adapter.Adapter].
func (c *Conn) Name() string { return c.chat.cfg.Name }

// Features implements [adapter.Adapter].
func (c *Conn) Features() adapter.Features { return c.chat.cfg.Features }

// Run implements [adapter.Adapter]: it delivers events until ctx ends, the connection is closed, or [Chat.End] was called
// and everything is acknowledged. A connection runs once at a time.
func (c *Conn) Run(ctx context.Context, sink adapter.Sink) error {
	chat := c.chat
	chat.mu.Lock()
	if c.running {
		chat.mu.Unlock()
		return errors.New("testutil: run: this connection is already running")
	}
	c.running = true
	chat.conns++
	chat.changed()
	chat.mu.Unlock()
	var deliveries sync.WaitGroup
	defer func() {
		deliveries.Wait() // the sink is not called after Run
		chat.mu.Lock()
		defer chat.mu.Unlock()
		c.running = false
		chat.conns--
		chat.changed()
	}()
	for {
		chat.mu.Lock()
		if c.dead {
			chat.mu.Unlock()
			<-c.released
			return nil
		}
		if c.isClosed || ctx.Err() != nil || chat.ended && len(chat.queue) == 0 {
			chat.mu.Unlock()
			return nil
		}
		p, wait := chat.next(c)
		news := chat.news
		chat.mu.Unlock()
		if p != nil {
			deliveries.Go(func() { chat.give(ctx, c, p, sink) })
			continue
		}
		var due <-chan time.Time
		if wait > 0 {
			due = time.After(wait)
		}
		select {
		case <-news:
		case <-due:
		case <-c.closed:
		case <-ctx.Done():
		}
	}
}

// begin is what every verb starts with: it takes chat.mu, unless there is an error. After a cut it does not come back before
// the test ends, as nothing comes back to a process that was killed.
func (c *Conn) begin(ctx context.Context, verb string) error {
	c.chat.mu.Lock()
	var err error
	switch {
	case c.dead:
		c.chat.mu.Unlock()
		<-c.released
		return fmt.Errorf("testutil: %s: the bot was killed: %w", verb, adapter.ErrClosed)
	case c.isClosed:
		err = fmt.Errorf("testutil: %s: %w", verb, adapter.ErrClosed)
	case ctx.Err() != nil: // nothing was done yet, that is certain
		err = fmt.Errorf("testutil: %s: %w: %w", verb, adapter.ErrUnavailable, ctx.Err())
	}
	if err != nil {
		c.chat.mu.Unlock()
	}
	return err
}

// cut makes the connection that of a killed process: nothing passes it from now on, and events under way are not
// acknowledged.
func (c *Conn) cut() {
	c.chat.mu.Lock()
	defer c.chat.mu.Unlock()
	c.dead = true
	for _, p := range c.chat.queue {
		if p.conn == c {
			p.conn = nil
		}
	}
	c.chat.changed()
}

// release lets what the cut stopped end.
func (c *Conn) release() {
	c.chat.mu.Lock()
	defer c.chat.mu.Unlock()
	if !c.isReleased {
		c.isReleased = true
		close(c.released)
	}
}

// Close implements [adapter.Closer]: the verbs give adapter.ErrClosed from now on, and a Run that still goes ends. The chat
// goes on; connect again with [Chat.Connect]. Further calls do nothing.
func (c *Conn) Close() error {
	c.chat.mu.Lock()
	defer c.chat.mu.Unlock()
	if !c.isClosed {
		c.isClosed = true
		close(c.closed)
	}
	return nil
}

// Send implements [adapter.Adapter]. A message with a Key that was sent within Features.IdempotentSend is not posted
// again. Buttons and fields that the chat does not have are left out. Errors: adapter.ErrInvalid for a message with nothing
// to show, ErrTooLong, ErrNotFound for a room or an Only user that is not here, ErrUnsupported for a thread or an Only
// that the chat does not have, ErrClosed, ErrUnavailable, and those of [Chat.FailSends].
func (c *Conn) Send(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
	if err := c.begin(ctx, "send"); err != nil {
		return adapter.Ref{}, err
	}
	chat := c.chat
	recordPost("send", m)
	fail := chat.fail
	chat.sends++
	n := chat.sends
	c.sending++
	chat.mu.Unlock()
	defer func() {
		chat.mu.Lock()
		defer chat.mu.Unlock()
		c.sending--
		chat.changed()
	}()
	var after *afterPost
	if fail != nil {
		if err := fail(n, m); err != nil && !errors.As(err, &after) {
			return adapter.Ref{}, fmt.Errorf("testutil: send: %w", err)
		}
	}
	files, err := readFiles(ctx, m.Files)
	if err != nil {
		return adapter.Ref{}, fmt.Errorf("testutil: send: %w: %w", adapter.ErrInvalid, err)
	}
	recordFiles(files)
	ref, err := c.post(ctx, m, files)
	if err == nil && after != nil {
		return adapter.Ref{}, fmt.Errorf("testutil: send: %w", after)
	}
	return ref, err
}

func (c *Conn) post(ctx context.Context, m *adapter.Message, files []File) (adapter.Ref, error) {
	if err := c.begin(ctx, "send"); err != nil {
		return adapter.Ref{}, err
	}
	chat := c.chat
	defer chat.mu.Unlock()
	room, err := chat.check(m)
	if err != nil {
		return adapter.Ref{}, fmt.Errorf("testutil: send: %w", err)
	}
	if known, ok := chat.keys[m.Key]; ok && m.Key != "" && time.Since(known.at) < chat.cfg.Features.IdempotentSend {
		return known.ref, nil
	}
	said := chat.add(room, m.To.Thread, chat.bot)
	said.post, said.files = chat.shown(m), files
	if m.Key != "" {
		chat.keys[m.Key] = sentKey{said.ref, time.Now()}
	}
	chat.act(actPost, said, "")
	if chat.cfg.Echo {
		chat.deliver(&adapter.Event{
			Kind: adapter.KindMessage, Room: room.Room, Thread: m.To.Thread, User: chat.bot, Self: true,
			MessageID: said.ref.ID, Text: adapter.PlainText(m.Text),
		})
	}
	return said.ref, nil
}

// check finds the room of m and tells whether the chat can show it there.
func (c *Chat) check(m *adapter.Message) (*room, error) {
	room := c.room(m.To.Room)
	switch {
	case room == nil || m.To.Adapter != "" && m.To.Adapter != c.cfg.Name:
		return nil, fmt.Errorf("room %q: %w", m.To.String(), adapter.ErrNotFound)
	case m.To.Thread != "" && !c.cfg.Features.Threads:
		return nil, fmt.Errorf("there are no threads: %w", adapter.ErrUnsupported)
	case m.Only != "" && room.Kind != adapter.RoomDirect && !c.cfg.Features.Ephemeral:
		return nil, fmt.Errorf("everybody in the room would see it: %w", adapter.ErrUnsupported)
	case m.Text == "" && len(m.Fields) == 0 && len(m.Buttons) == 0 && len(m.Files) == 0:
		return nil, fmt.Errorf("there is nothing to show: %w", adapter.ErrInvalid)
	}
	if m.Only != "" {
		if _, ok := c.userByID(m.Only); !ok {
			return nil, fmt.Errorf("user %q: %w", m.Only, adapter.ErrNotFound)
		}
	}
	return room, c.fits(m)
}

func (c *Chat) fits(m *adapter.Message) error {
	if most := c.cfg.Features.MaxText; most > 0 && c.cfg.Features.Unit.Len(adapter.PlainText(m.Text)) > most {
		return fmt.Errorf("the text is longer than %d: %w", most, adapter.ErrTooLong)
	}
	return nil
}

// shown copies m as the chat shows it.
func (c *Chat) shown(m *adapter.Message) *adapter.Message {
	s := *m
	s.Fields, s.Buttons, s.Files = slices.Clone(m.Fields), slices.Clone(m.Buttons), slices.Clone(m.Files)
	if !c.cfg.Features.Buttons {
		s.Buttons = nil
	}
	if !c.cfg.Features.Fields {
		s.Fields = nil
	}
	return &s
}

// Find implements [adapter.Finder]: it knows every Key that was ever sent.
func (c *Conn) Find(ctx context.Context, m *adapter.Message) (adapter.Ref, bool, error) {
	if err := c.begin(ctx, "find"); err != nil {
		return adapter.Ref{}, false, err
	}
	defer c.chat.mu.Unlock()
	known, ok := c.chat.keys[m.Key]
	return known.ref, ok && m.Key != "", nil
}

// own finds a message that the bot posted. c.chat.mu is held.
func (c *Conn) own(ref adapter.Ref, verb string) (*message, error) {
	m, err := c.any(ref, verb)
	if err == nil && m.post == nil {
		return nil, fmt.Errorf("testutil: %s: the message is %s's: %w", verb, m.user, adapter.ErrForbidden)
	}
	return m, err
}

func (c *Conn) any(ref adapter.Ref, verb string) (*message, error) {
	if m := c.chat.messages[ref.ID]; m != nil && !m.deleted && m.ref.Room == ref.Room {
		return m, nil
	}
	return nil, fmt.Errorf("testutil: %s: message %s: %w", verb, ref.ID, adapter.ErrNotFound)
}

// Edit implements [adapter.Editor].
func (c *Conn) Edit(ctx context.Context, ref adapter.Ref, m *adapter.Message) error {
	if err := c.begin(ctx, "edit"); err != nil {
		return err
	}
	defer c.chat.mu.Unlock()
	recordPost("edit", m)
	said, err := c.own(ref, "edit")
	if err != nil {
		return err
	}
	if err := c.chat.fits(m); err != nil {
		return fmt.Errorf("testutil: edit: %w", err)
	}
	to, only := said.post.To, said.post.Only
	said.post = c.chat.shown(m)
	said.post.To, said.post.Only = to, only
	said.edits++
	c.chat.act(actEdit, said, "")
	return nil
}

// Delete implements [adapter.Deleter]. A bot may delete its own messages.
func (c *Conn) Delete(ctx context.Context, ref adapter.Ref) error {
	if err := c.begin(ctx, "delete"); err != nil {
		return err
	}
	defer c.chat.mu.Unlock()
	find := c.own
	if c.chat.cfg.Moderates {
		find = c.any
	}
	said, err := find(ref, "delete")
	if err != nil {
		return err
	}
	said.deleted = true
	c.chat.act(actDelete, said, "")
	return nil
}

// React implements [adapter.Reactor].
func (c *Conn) React(ctx context.Context, ref adapter.Ref, emoji string) error {
	if err := c.begin(ctx, "react"); err != nil {
		return err
	}
	defer c.chat.mu.Unlock()
	said, err := c.any(ref, "react")
	if err != nil {
		return err
	}
	if emoji = strings.Trim(emoji, ":"); emoji == "" {
		return fmt.Errorf("testutil: react: no emoji: %w", adapter.ErrInvalid)
	}
	if !slices.Contains(said.reactions, emoji) {
		said.reactions = append(said.reactions, emoji)
		c.chat.act(actReaction, said, emoji)
	}
	return nil
}

// Typing implements [adapter.Typer].
func (c *Conn) Typing(ctx context.Context, to adapter.Address) error {
	if err := c.begin(ctx, "typing"); err != nil {
		return err
	}
	defer c.chat.mu.Unlock()
	if c.chat.room(to.Room) == nil {
		return fmt.Errorf("testutil: typing: room %q: %w", to.Room, adapter.ErrNotFound)
	}
	c.chat.typing = append(c.chat.typing, to)
	return nil
}

// Upload implements [adapter.Uploader].
func (c *Conn) Upload(ctx context.Context, to adapter.Address, f adapter.File) (adapter.Ref, error) {
	files, err := readFiles(ctx, []adapter.File{f})
	if err != nil {
		return adapter.Ref{}, fmt.Errorf("testutil: upload: %w: %w", adapter.ErrInvalid, err)
	}
	recordFiles(files)
	if most := c.chat.cfg.Features.MaxFile; most > 0 && int64(len(files[0].Data)) > most {
		return adapter.Ref{}, fmt.Errorf("testutil: upload: the file has more than %d bytes: %w", most, adapter.ErrTooLong)
	}
	return c.post(ctx, &adapter.Message{To: to, Files: []adapter.File{f}}, files)
}

func readFiles(ctx context.Context, files []adapter.File) (out []File, err error) {
	for _, f := range files {
		kept := File{Name: f.Name, Type: f.Type}
		if f.Open != nil {
			r, err := f.Open(ctx)
			if err != nil {
				return nil, err
			}
			kept.Data, err = io.ReadAll(r)
			if err := errors.Join(err, r.Close()); err != nil {
				return nil, err
			}
		}
		out = append(out, kept)
	}
	return out, nil
}

// Open implements [adapter.Opener].
func (c *Conn) Open(ctx context.Context, f adapter.File) (io.ReadCloser, error) {
	if err := c.begin(ctx, "open"); err != nil {
		return nil, err
	}
	defer c.chat.mu.Unlock()
	kept, ok := c.chat.files[f.ID]
	if !ok {
		return nil, fmt.Errorf("testutil: open: file %q: %w", f.ID, adapter.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(kept.Data)), nil
}

// User implements [adapter.Directory].
func (c *Conn) User(ctx context.Context, query string) (adapter.User, error) {
	if err := c.begin(ctx, "user"); err != nil {
		return adapter.User{}, err
	}
	defer c.chat.mu.Unlock()
	if u, ok := c.chat.userByID(query); ok {
		return u, nil
	}
	return lookUp(c.chat.users, query, "@", func(u adapter.User) string { return u.Name })
}

// Room implements [adapter.Directory].
func (c *Conn) Room(ctx context.Context, query string) (adapter.Room, error) {
	if err := c.begin(ctx, "room"); err != nil {
		return adapter.Room{}, err
	}
	defer c.chat.mu.Unlock()
	if r := c.chat.room(query); r != nil {
		return r.Room, nil
	}
	var rooms []adapter.Room
	for _, r := range c.chat.rooms {
		if r.user == "" {
			rooms = append(rooms, r.Room)
		}
	}
	return lookUp(rooms, query, "#", func(r adapter.Room) string { return r.Name })
}

// lookUp finds by name, and by name in any case where that is only one.
func lookUp[T any](all []T, query, sigil string, name func(T) string) (found T, err error) {
	query = strings.TrimPrefix(query, sigil)
	n := 0
	for _, v := range all {
		if name(v) == query {
			return v, nil
		}
		if strings.EqualFold(name(v), query) {
			found = v
			n++
		}
	}
	var zero T
	switch n {
	case 0:
		return zero, fmt.Errorf("testutil: %q: %w", query, adapter.ErrNotFound)
	case 1:
		return found, nil
	}
	return zero, fmt.Errorf("testutil: %q: %w", query, adapter.ErrAmbiguous)
}

// OpenDirect implements [adapter.DirectOpener].
func (c *Conn) OpenDirect(ctx context.Context, userID string) (adapter.Room, error) {
	if err := c.begin(ctx, "open direct"); err != nil {
		return adapter.Room{}, err
	}
	defer c.chat.mu.Unlock()
	u, ok := c.chat.userByID(userID)
	if !ok || u.ID == c.chat.bot.ID {
		return adapter.Room{}, fmt.Errorf("testutil: open direct: user %q: %w", userID, adapter.ErrNotFound)
	}
	return c.chat.direct(u).Room, nil
}

// SetTopic implements [adapter.TopicSetter].
func (c *Conn) SetTopic(ctx context.Context, roomID, topic string) error {
	if err := c.begin(ctx, "set topic"); err != nil {
		return err
	}
	defer c.chat.mu.Unlock()
	r := c.chat.room(roomID)
	if r == nil {
		return fmt.Errorf("testutil: set topic: room %q: %w", roomID, adapter.ErrNotFound)
	}
	recordTopic(topic)
	r.topic = topic
	c.chat.act(actTopic, &message{room: r, user: c.chat.bot, post: &adapter.Message{}}, topic)
	return nil
}

// RegisterCommands implements [adapter.CommandRegistrar].
func (c *Conn) RegisterCommands(ctx context.Context, commands []adapter.CommandSpec) error {
	if err := c.begin(ctx, "register commands"); err != nil {
		return err
	}
	defer c.chat.mu.Unlock()
	recordCommands(c.chat.commands, commands)
	c.chat.commands = slices.Clone(commands)
	return nil
}
