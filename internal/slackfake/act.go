package slackfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/starlingbot/starling/internal/canary"
)

var errNothing = errors.New("slackfake: no such thing")

// Say lets a person say text in a room, typed as it is: Slack escapes it. It gives the message's stamp.
func (s *Server) Say(user, room, text string) (string, error) {
	return s.SayRaw(user, room, "", escape(text))
}

// SayRaw is Say of text as Slack keeps it, in a thread or not.
func (s *Server) SayRaw(user, room, thread, raw string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	if r == nil {
		return "", errNothing
	}
	m := &Message{Room: room, Thread: thread, User: user, Text: raw, Markup: true}
	s.post(r, m)
	return m.TS, nil
}

// Direct says text in the direct room of the bot and a user.
func (s *Server) Direct(user, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.post(s.direct(user), &Message{Room: s.direct(user).ID, User: user, Text: escape(text), Markup: true})
	return nil
}

// SayAsBot posts as a bot: the app's own account past its connection, or another program.
func (s *Server) SayAsBot(user, botID, room, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	if r == nil {
		return errNothing
	}
	m := &Message{Room: room, User: user, BotID: botID, Text: escape(text), Markup: true}
	if user == "" {
		m.Subtype = "bot_message"
	}
	s.post(r, m)
	return nil
}

// Edit changes what somebody said.
func (s *Server) Edit(room, ts, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, m, fail := s.message(room, ts)
	if fail != nil {
		return fail
	}
	old := s.messageObject(m, false)
	m.Text, m.Edited = escape(text), s.ts()
	s.changedMessage(r, m, old)
	return nil
}

// Unfurl changes a message as the preview of a link does: its text stays.
func (s *Server) Unfurl(room, ts string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, m, fail := s.message(room, ts)
	if fail != nil {
		return fail
	}
	old := s.messageObject(m, false)
	m.Attachments = json.RawMessage(`[{"title":"a preview"}]`)
	s.changedMessage(r, m, old)
	return nil
}

// Delete removes what somebody said.
func (s *Server) Delete(room, ts string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, m, fail := s.message(room, ts)
	if fail != nil {
		return fail
	}
	s.remove(r, m)
	return nil
}

// React puts an emoji on a message, or takes it away.
func (s *Server) React(user, room, ts, name string, add bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, fail := s.message(room, ts)
	if fail != nil {
		return fail
	}
	s.react(m, user, name, add)
	return nil
}

// Reactions gives the emoji that a user put on a message.
func (s *Server) Reactions(user, room, ts string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, fail := s.message(room, ts)
	if fail != nil {
		return nil
	}
	var out []string
	for name, users := range m.Reactions {
		if slices.Contains(users, user) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Share posts a file with text.
func (s *Server) Share(user, room, text, name, content string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	if r == nil {
		return errNothing
	}
	f := &File{ID: s.id("F"), Name: name, Type: "text/plain", Content: content, size: len(content), complete: true}
	s.files[f.ID] = f
	s.post(r, &Message{Room: room, User: user, Text: escape(text), Markup: true, Files: []*File{f}})
	return nil
}

func (s *Server) person(user string) object {
	o := object{"id": user, "team_id": s.team}
	if u := s.users[user]; u != nil {
		o["username"], o["name"] = u.Name, u.Name
		if u.Team != "" {
			o["team_id"] = u.Team
		}
	}
	return o
}

func (s *Server) responseURL(room, user string) string {
	return fmt.Sprintf("http://%s/response/%s/%s/%s", s.net.Host(), room, user, s.id(canary.Mark+"secret"))
}

// Press presses a button.
func (s *Server) Press(user, room, ts, label string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m *Message
	for _, p := range s.posts {
		if p.Room == room && p.TS == ts {
			m = p
		}
	}
	if m == nil {
		return errNothing
	}
	blockID, e, ok := m.button(label)
	if !ok {
		return errNothing
	}
	r := s.rooms[room]
	name := r.Name
	if r.Type == "im" {
		name = "directmessage"
	}
	s.enqueue(&envelope{ID: s.id("env"), Kind: "interactive", EventID: s.id("act"), payload: object{
		"type": "block_actions", "token": verificationToken, "team": object{"id": s.team, "domain": "fake"}, "user": s.person(user),
		"api_app_id": AppID, "trigger_id": s.trigger(user), "response_url": s.responseURL(room, user),
		"container": object{"type": "message", "message_ts": ts, "channel_id": room, "is_ephemeral": m.Only != ""},
		"channel":   object{"id": room, "name": name}, "message": s.messageObject(m, false),
		"actions": []object{{"type": "button", "block_id": blockID, "action_id": e.ActionID, "value": e.Value, "action_ts": s.ts(),
			"text": object{"type": "plain_text", "text": e.label(), "emoji": true}}},
	}})
	return nil
}

// Invoke uses a slash command.
func (s *Server) Invoke(user, room, command, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	if r == nil {
		return errNothing
	}
	u := s.users[user]
	name := r.Name
	if r.Type == "im" {
		name = "directmessage"
	}
	s.enqueue(&envelope{ID: s.id("env"), Kind: "slash_commands", EventID: s.id("cmd"), payload: object{
		"token": verificationToken, "team_id": s.team, "team_domain": "fake", "channel_id": room, "channel_name": name,
		"user_id": user, "user_name": u.Name, "command": "/" + command, "text": escape(text), "api_app_id": AppID, "is_enterprise_install": "false",
		"response_url": s.responseURL(room, user), "trigger_id": s.trigger(user),
	}})
	return nil
}

// Join and Leave move a person.
func (s *Server) Join(user, room string)  { s.move(user, room, "member_joined_channel", "channel_join") }
func (s *Server) Leave(user, room string) { s.move(user, room, "member_left_channel", "channel_leave") }

func (s *Server) move(user, room, event, subtype string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	s.deliver(object{"type": event, "user": user, "channel": room, "channel_type": "C", "team": s.team, "event_ts": s.ts()})
	s.deliver(object{"type": "message", "subtype": subtype, "user": user, "channel": room, "channel_type": r.Type, "ts": s.ts(), "text": "<@" + user + "> has moved"})
}

// ChangeTopic lets a person set the topic.
func (s *Server) ChangeTopic(user, room, topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	r.Topic = topic
	s.deliver(object{"type": "message", "subtype": "channel_topic", "user": user, "topic": escape(topic), "text": "set the channel topic: " + escape(topic),
		"channel": room, "channel_type": r.Type, "ts": s.ts()})
}

// Posts gives what is shown that the bot posted, oldest first, ephemeral messages too. The messages are copies.
func (s *Server) Posts() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Message
	for _, m := range s.posts {
		if m.User == BotUser || m.BotID == BotID {
			out = append(out, *m)
		}
	}
	return out
}

// In gives the copies of all messages of a room.
func (s *Server) In(room string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Message
	if r := s.rooms[room]; r != nil {
		for _, m := range r.messages {
			out = append(out, *m)
		}
	}
	return out
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
