package testutil

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/starlingbot/starling/adapter"
)

// User acts as a person in a [Chat]. Its fields are what the platform shows from now on; set Kind for a guest or another
// bot. A place is written as everywhere: "#ops", "#ops/3" for the thread under message 3, "@alice" for the direct room of
// alice and the bot.
type User struct {
	adapter.User
	chat *Chat
	t    testing.TB
}

// Said is a message of a user.
type Said struct {
	MessageID string
	Place     string
	Number    int            // in its room, from 1; what the bot says counts too
	Event     *adapter.Event // as the bot gets it
	user      *User
	message   *message
}

// Target is a message that one can react to: a [*Said] or a [*Post].
type Target interface{ target() adapter.Ref }

func (s *Said) target() adapter.Ref { return s.message.ref }

// Thread gives the place of the thread under this message, or of the one it is in.
func (s *Said) Thread() string { return threadUnder(s.Place, s.Number) }

// at finds a place. The caller unlocks.
func (u *User) at(where string) place {
	u.t.Helper()
	u.chat.mu.Lock()
	p, err := u.chat.parsePlace(where)
	if err == nil && p.thread != "" && !u.chat.cfg.Features.Threads {
		u.chat.mu.Unlock()
		u.t.Fatalf("%s: the chat has no threads", where)
	}
	if err != nil {
		u.chat.mu.Unlock()
		u.t.Fatalf("%s: %v", u.Name, err)
	}
	u.chat.addUser(u.User)
	return p
}

// event begins an event of u. u.chat.mu is held.
func (u *User) event(kind adapter.Kind, p place) *adapter.Event {
	u.Adapter = u.chat.cfg.Name
	return &adapter.Event{Kind: kind, Room: p.room.Room, Thread: p.thread, User: u.User}
}

// Say says something in a room or thread.
func (u *User) Say(where, text string) *Said {
	u.t.Helper()
	return u.say(where, text, nil)
}

// SayIn says something in the thread under a message.
func (u *User) SayIn(under interface{ Thread() string }, text string) *Said {
	u.t.Helper()
	return u.say(under.Thread(), text, nil)
}

// Direct says something to the bot in private.
func (u *User) Direct(text string) *Said {
	u.t.Helper()
	return u.say("@"+u.Name, text, nil)
}

// Share posts files with a text.
func (u *User) Share(where, text string, files ...File) *Said {
	u.t.Helper()
	return u.say(where, text, files)
}

func (u *User) say(where, text string, files []File) *Said {
	u.t.Helper()
	p := u.at(where)
	c := u.chat
	defer c.mu.Unlock()
	m := c.add(p.room, p.thread, u.User)
	m.text, m.files = text, slices.Clone(files)
	ev := u.event(adapter.KindMessage, p)
	ev.MessageID, ev.Text = m.ref.ID, text
	for _, f := range files {
		id := c.id("f")
		c.files[id] = f
		ev.Files = append(ev.Files, adapter.File{ID: id, Name: f.Name, Type: f.Type, Size: int64(len(f.Data))})
	}
	c.act(actPost, m, "")
	return &Said{MessageID: m.ref.ID, Place: c.label(p.room, p.thread), Number: m.number, Event: c.deliver(ev), user: u, message: m}
}

// Edit changes what was said. It gives the event as the bot gets it.
func (s *Said) Edit(text string) *adapter.Event {
	c := s.user.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.edit(s.user, s.message, text)
}

func (c *Chat) edit(u *User, m *message, text string) *adapter.Event {
	m.text = text
	m.edits++
	ev := u.event(adapter.KindEdit, place{m.room, m.ref.Thread})
	ev.MessageID, ev.Text = m.ref.ID, text
	c.note(u.User, m.room, m.ref.Thread, "edits "+strconv.Itoa(m.number)+": "+indent(text))
	return c.deliver(ev)
}

// Delete takes back what was said.
func (s *Said) Delete() *adapter.Event {
	c := s.user.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.delete(s.user, s.message)
}

func (c *Chat) delete(u *User, m *message) *adapter.Event {
	m.deleted = true
	ev := u.event(adapter.KindDelete, place{m.room, m.ref.Thread})
	ev.MessageID = m.ref.ID
	c.note(u.User, m.room, m.ref.Thread, "deletes "+strconv.Itoa(m.number))
	return c.deliver(ev)
}

// Deleted tells whether the message is gone, whoever deleted it.
func (s *Said) Deleted() bool {
	c := s.user.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	return s.message.deleted
}

// Again makes the platform deliver the message once more, with the same id.
func (s *Said) Again() { s.user.chat.Redeliver(s.Event) }

// React puts an emoji on a message.
func (u *User) React(to Target, emoji string) *adapter.Event {
	u.t.Helper()
	return u.react(to, emoji, false)
}

// Unreact takes an emoji away.
func (u *User) Unreact(to Target, emoji string) *adapter.Event {
	u.t.Helper()
	return u.react(to, emoji, true)
}

func (u *User) react(to Target, emoji string, removed bool) *adapter.Event {
	u.t.Helper()
	c := u.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.messages[to.target().ID]
	if m == nil {
		u.t.Errorf("%s reacts %s: there is no such message", u.Name, emoji)
		return nil
	}
	ev := u.event(adapter.KindReaction, place{m.room, m.ref.Thread})
	ev.MessageID = m.ref.ID
	ev.Reaction = &adapter.Reaction{Emoji: strings.Trim(emoji, ":"), Removed: removed, Message: m.ref, Author: m.user}
	verb := " reacts "
	if removed {
		verb = " unreacts "
	}
	c.note(u.User, m.room, m.ref.Thread, strings.TrimSpace(verb)+" "+emoji+" to "+strconv.Itoa(m.number))
	return c.deliver(ev)
}

// Press presses the button with that label, in any case. It fails the test if the post has none.
func (u *User) Press(post *Post, label string) *adapter.Event {
	u.t.Helper()
	c := u.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.messages[post.Ref.ID]
	if m == nil || m.post == nil || m.deleted {
		u.t.Errorf("%s presses %q: there is no such message any more", u.Name, label)
		return nil
	}
	return u.press(m, m.post.Buttons, label)
}

// PressLate is Press of a button as post has it, whatever the message has become since: some clients show an edit late.
func (u *User) PressLate(post *Post, label string) *adapter.Event {
	u.t.Helper()
	c := u.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	return u.press(c.messages[post.Ref.ID], post.Message.Buttons, label)
}

func (u *User) press(m *message, buttons []adapter.Button, label string) *adapter.Event {
	u.t.Helper()
	c := u.chat
	i := slices.IndexFunc(buttons, func(b adapter.Button) bool { return strings.EqualFold(b.Label, label) })
	if i < 0 {
		u.t.Errorf("%s presses %q: message %d has no such button; it shows\n  %s", u.Name, label, m.number, indent(show(c.view(m))))
		return nil
	}
	b := buttons[i]
	ev := u.event(adapter.KindClick, place{m.room, m.ref.Thread})
	ev.MessageID = m.ref.ID
	ev.Click = &adapter.Click{Command: b.Command, Label: b.Label, Message: m.ref}
	c.note(u.User, m.room, m.ref.Thread, "presses "+strconv.Quote(b.Label)+" on "+strconv.Itoa(m.number))
	return c.deliver(ev)
}

// Invoke runs a native slash command: command without the slash, text what follows.
func (u *User) Invoke(where, command, text string) *adapter.Event {
	u.t.Helper()
	p := u.at(where)
	defer u.chat.mu.Unlock()
	ev := u.event(adapter.KindInvocation, p)
	ev.Invocation = &adapter.Invocation{Command: strings.TrimPrefix(command, "/"), Text: text}
	u.chat.note(u.User, p.room, p.thread, strings.TrimSpace("invokes /"+ev.Invocation.Command+" "+text))
	return u.chat.deliver(ev)
}

// Join enters a room.
func (u *User) Join(where string) *adapter.Event {
	u.t.Helper()
	return u.simple(adapter.KindJoin, where, "", "joins")
}

// Leave leaves a room.
func (u *User) Leave(where string) *adapter.Event {
	u.t.Helper()
	return u.simple(adapter.KindLeave, where, "", "leaves")
}

// SetTopic changes the topic of a room.
func (u *User) SetTopic(where, topic string) *adapter.Event {
	u.t.Helper()
	return u.simple(adapter.KindTopic, where, topic, "sets the topic: "+topic)
}

func (u *User) simple(kind adapter.Kind, where, text, what string) *adapter.Event {
	u.t.Helper()
	p := u.at(where)
	defer u.chat.mu.Unlock()
	ev := u.event(kind, p)
	ev.Text = text
	if kind == adapter.KindTopic {
		p.room.topic = text
	}
	u.chat.note(u.User, p.room, p.thread, what)
	return u.chat.deliver(ev)
}
