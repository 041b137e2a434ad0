package discordfake

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

var errNothing = errors.New("discordfake: no such thing")

// Say lets a person say text in a room or a thread. It gives the message's id.
func (s *Server) Say(user, channel, text string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.say(channel, &Message{User: user, Content: text})
}

func (s *Server) say(channel string, m *Message) (string, error) {
	ch := s.channels[channel]
	if ch == nil {
		return "", errNothing
	}
	m.Channel = channel
	s.post(ch, m)
	return m.ID, nil
}

// Answer says text as an inline reply to a message, which notifies its author.
func (s *Server) Answer(user, channel, to, text string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &Message{User: user, Content: text, Type: 19, Reference: to}
	for _, p := range s.posts {
		if p.ID == to {
			m.pings = []string{p.User}
		}
	}
	return s.say(channel, m)
}

// SayOf says a message of another type, such as those that Discord writes itself.
func (s *Server) SayOf(user, channel, text string, messageType int) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.say(channel, &Message{User: user, Content: text, Type: messageType})
}

// Direct says text in the direct room of the bot and a user.
func (s *Server) Direct(user, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.say(s.direct(user).ID, &Message{User: user, Content: text})
	return err
}

// Hook posts as a webhook.
func (s *Server) Hook(channel, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.say(channel, &Message{User: "100000000000000099", Hook: "100000000000000099", Content: text})
	return err
}

// Below says text in the thread of a message, which it begins.
func (s *Server) Below(user, message, text string) (thread string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.channels[message]
	if t == nil {
		for _, m := range s.posts {
			if m.ID == message {
				t = s.thread(s.channels[m.Channel], m, "thread")
			}
		}
	}
	if t == nil {
		return "", errNothing
	}
	_, err = s.say(t.ID, &Message{User: user, Content: text})
	return t.ID, err
}

// at finds a message.
func (s *Server) at(id string) (*Channel, *Message, error) {
	for _, ch := range s.channels {
		for _, m := range ch.messages {
			if m.ID == id {
				return ch, m, nil
			}
		}
	}
	return nil, nil, errNothing
}

// Edit changes what somebody said.
func (s *Server) Edit(message, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, m, err := s.at(message)
	if err != nil {
		return err
	}
	m.Content, m.Edited = text, time.Now()
	s.tell("MESSAGE_UPDATE", ch, m)
	return nil
}

// Unfurl changes a message as the preview of a link does: its text stays. Discord sends the whole message, or only what is new.
func (s *Server) Unfurl(message string, whole bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, m, err := s.at(message)
	if err != nil {
		return err
	}
	if whole {
		s.tell("MESSAGE_UPDATE", ch, m)
		return nil
	}
	s.deliver("MESSAGE_UPDATE", intentMessages, object{"id": m.ID, "channel_id": ch.ID, "guild_id": ch.Guild, "embeds": []object{{"type": "link"}}})
	return nil
}

// Delete removes what somebody said.
func (s *Server) Delete(message string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, m, err := s.at(message)
	if err != nil {
		return err
	}
	s.remove(ch, m)
	return nil
}

// DeleteAll removes several messages at once.
func (s *Server) DeleteAll(channel string, messages []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[channel]
	ch.messages = slices.DeleteFunc(ch.messages, func(m *Message) bool { return slices.Contains(messages, m.ID) })
	s.deliver("MESSAGE_DELETE_BULK", intentMessages, object{"ids": messages, "channel_id": channel, "guild_id": ch.Guild})
}

// React puts an emoji on a message, or takes it away. One of a server is name:id.
func (s *Server) React(user, message, emoji string, add bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, err := s.at(message)
	if err != nil {
		return err
	}
	s.react(m, user, emoji, add)
	return nil
}

// Reactions gives the emoji that a user put on a message.
func (s *Server) Reactions(user, message string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, err := s.at(message)
	if err != nil {
		return nil
	}
	return m.reactions(user)
}

func (m *Message) reactions(user string) (out []string) {
	for emoji, users := range m.Reactions {
		if slices.Contains(users, user) {
			out = append(out, emoji)
		}
	}
	slices.Sort(out)
	return out
}

// Share posts a file with text.
func (s *Server) Share(user, channel, text, name, content string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.say(channel, &Message{User: user, Content: text, Files: []*File{{ID: s.id(), Name: name, Type: "text/plain; charset=utf-8", Content: content}}})
	return err
}

// Posts gives what is shown that the bot posted, oldest first, ephemeral messages too, and none that is only awaited. The
// messages are copies.
func (s *Server) Posts() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Message
	for _, m := range s.posts {
		if m.User == BotUser && m.Flags&128 == 0 {
			out = append(out, *m)
		}
	}
	return out
}

// Thinking counts the messages that are only awaited.
func (s *Server) Thinking() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, m := range s.posts {
		if m.Flags&128 != 0 {
			n++
		}
	}
	return n
}

// Place gives the room and the thread of a channel.
func (s *Server) Place(channel string) (room, thread string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channels[channel]; c != nil && isThread(c.Type) {
		return c.Parent, c.ID
	}
	return channel, ""
}

// ChannelName gives the name of a room or thread.
func (s *Server) ChannelName(channel string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channels[channel]; c != nil {
		return c.Name
	}
	return ""
}

// Find gives the bot's messages whose shown text contains text.
func (s *Server) Find(text string) []Message {
	var out []Message
	for _, m := range s.Posts() {
		if strings.Contains(s.Shown(&m), text) {
			out = append(out, m)
		}
	}
	return out
}

// buttons gives the buttons of a message.
func (m *Message) buttons() []component {
	var rows []component
	_ = json.Unmarshal(m.Components, &rows)
	var out []component
	for _, r := range rows {
		out = append(out, r.Components...)
	}
	return out
}

// Buttons gives the labels of the buttons.
func (m *Message) Buttons() (labels []string) {
	for _, b := range m.buttons() {
		labels = append(labels, b.Label)
	}
	return labels
}

// ReactionsOf gives the emoji that a user put on the message.
func (m *Message) ReactionsOf(user string) []string { return m.reactions(user) }
