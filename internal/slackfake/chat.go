package slackfake

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Message is what stands in a room.
type Message struct {
	TS, Room, Thread string
	User, BotID      string
	Text             string // as Slack keeps it: escaped
	Only             string // an ephemeral message's reader
	Markup           bool   // mrkdwn is on
	Blocks           json.RawMessage
	Attachments      json.RawMessage
	Metadata         json.RawMessage
	Files            []*File
	Reactions        map[string][]string // name -> users
	Edited           string
	Via              string // "response_url" where it came so
	Subtype          string
}

type bucket struct {
	tokens float64
	at     time.Time
}

// allow takes one of the room's tokens: one a second (https://docs.slack.dev/apis/web-api/rate-limits#posting).
func (s *Server) allow(room string) bool {
	now := time.Now()
	s.accepts = append(s.accepts, now)
	b := s.buckets[room]
	if b == nil {
		b = &bucket{tokens: float64(s.opt.RoomBurst), at: now}
		s.buckets[room] = b
	}
	b.tokens = min(float64(s.opt.RoomBurst), b.tokens+now.Sub(b.at).Seconds())
	b.at = now
	if b.tokens < 1 {
		s.limited++
		return false
	}
	b.tokens--
	return true
}

// content reads the parts of a message, and refuses what Slack refuses.
func (s *Server) content(c *call, m *Message) *apiError {
	m.Text, m.Markup = c.get("text"), c.get("mrkdwn") != "false"
	if c.get("link_names") != "" || c.get("parse") == "full" {
		s.mistakes = append(s.mistakes, "link_names or parse=full turns text into mentions")
	}
	for _, part := range []struct {
		name string
		to   *json.RawMessage
	}{{"blocks", &m.Blocks}, {"attachments", &m.Attachments}, {"metadata", &m.Metadata}} {
		v := c.get(part.name)
		if v == "" {
			continue
		}
		if !json.Valid([]byte(v)) {
			return &apiError{code: "invalid_" + part.name}
		}
		*part.to = json.RawMessage(v)
	}
	if m.Text == "" && m.Blocks == nil && m.Attachments == nil {
		return &apiError{code: "no_text"}
	}
	if len([]rune(m.Text)) > 40_000 {
		return &apiError{code: "msg_too_long"}
	}
	for _, b := range m.blocks() {
		if code := b.refused(); code != "" {
			return &apiError{code: code}
		}
	}
	if code := tooMuch(m.blocks()); code != "" {
		return &apiError{code: code}
	}
	return nil
}

func (s *Server) postMessage(c *call) (object, *apiError) {
	r, fail := s.writable(c.get("channel"))
	if fail != nil {
		return nil, fail
	}
	m := &Message{Room: r.ID, Thread: c.get("thread_ts"), User: BotUser, BotID: BotID}
	if fail := s.content(c, m); fail != nil {
		return nil, fail
	}
	if !s.allow(r.ID) {
		return nil, &apiError{code: "ratelimited", after: 1}
	}
	s.post(r, m)
	return object{"channel": r.ID, "ts": m.TS, "message": s.messageObject(m, false)}, nil
}

// post shows m in a room and tells the app.
func (s *Server) post(r *Room, m *Message) {
	m.TS = s.ts()
	r.messages = append(r.messages, m)
	s.posts = append(s.posts, m)
	s.tell(r, m)
	s.changed.Wake()
}

// tell delivers the event of a new message, and the mention of it.
func (s *Server) tell(r *Room, m *Message) {
	if r.Outside {
		return
	}
	o := s.messageObject(m, false)
	o["channel"], o["channel_type"], o["event_ts"] = r.ID, r.Type, m.TS
	if r.Type != "im" && m.User != BotUser && strings.Contains(m.Text, "<@"+BotUser) {
		mention := maps.Clone(o)
		mention["type"] = "app_mention"
		delete(mention, "channel_type")
		s.deliver(mention)
	}
	s.deliver(o)
}

// messageObject is a message as events and history have it.
func (s *Server) messageObject(m *Message, metadata bool) object {
	o := object{"type": "message", "ts": m.TS, "text": m.Text, "team": s.team}
	if m.User != "" {
		o["user"] = m.User
	}
	if m.BotID != "" {
		o["bot_id"], o["app_id"] = m.BotID, AppID
	} else {
		o["client_msg_id"] = "client-" + m.TS
	}
	if m.Thread != "" {
		o["thread_ts"] = m.Thread
	}
	if m.Subtype != "" {
		o["subtype"] = m.Subtype
	}
	if m.Blocks != nil {
		o["blocks"] = m.Blocks
	}
	if m.Attachments != nil {
		o["attachments"] = m.Attachments
	}
	if m.Edited != "" {
		o["edited"] = object{"user": m.User, "ts": m.Edited}
	}
	if metadata && m.Metadata != nil {
		o["metadata"] = m.Metadata
	}
	if len(m.Files) > 0 {
		var files []object
		for _, f := range m.Files {
			files = append(files, s.fileObject(f))
		}
		o["files"] = files
		if m.User != BotUser {
			o["subtype"] = "file_share"
		}
	}
	if u := s.users[m.User]; u != nil && u.Team != "" {
		o["user_team"], o["source_team"] = u.Team, u.Team
	}
	if r := s.rooms[m.Room]; r != nil && m.Thread == "" {
		n, latest := 0, ""
		for _, reply := range r.messages {
			if reply.Thread == m.TS && reply.TS != m.TS {
				n++
				latest = reply.TS
			}
		}
		if n > 0 {
			o["thread_ts"], o["reply_count"], o["latest_reply"] = m.TS, n, latest
		}
	}
	return o
}

func (s *Server) postEphemeral(c *call) (object, *apiError) {
	r, fail := s.writable(c.get("channel"))
	if fail != nil {
		return nil, fail
	}
	user := c.get("user")
	if !slices.Contains(r.Members, user) {
		return refuse("user_not_in_channel")
	}
	m := &Message{Room: r.ID, Thread: c.get("thread_ts"), User: BotUser, BotID: BotID, Only: user}
	if fail := s.content(c, m); fail != nil {
		return nil, fail
	}
	m.TS = s.ts()
	s.posts = append(s.posts, m)
	s.changed.Wake()
	return object{"message_ts": m.TS}, nil
}

// message finds what stands in a room.
func (s *Server) message(room, ts string) (*Room, *Message, *apiError) {
	r := s.rooms[room]
	if r == nil {
		return nil, nil, &apiError{code: "channel_not_found"}
	}
	for _, m := range r.messages {
		if m.TS == ts {
			return r, m, nil
		}
	}
	return r, nil, &apiError{code: "message_not_found"}
}

func (s *Server) update(c *call) (object, *apiError) {
	r, m, fail := s.message(c.get("channel"), c.get("ts"))
	if fail != nil {
		return nil, fail
	}
	if m.User != BotUser {
		return refuse("cant_update_message")
	}
	old := s.messageObject(m, false)
	n := *m
	n.Blocks, n.Attachments = nil, nil
	if fail := s.content(c, &n); fail != nil {
		return nil, fail
	}
	n.Edited = s.ts()
	*m = n
	s.changedMessage(r, m, old)
	s.changed.Wake()
	return object{"channel": r.ID, "ts": m.TS, "text": m.Text}, nil
}

func (s *Server) changedMessage(r *Room, m *Message, old object) {
	s.deliver(object{"type": "message", "subtype": "message_changed", "hidden": true, "channel": r.ID, "channel_type": r.Type, "ts": s.ts(),
		"message": s.messageObject(m, false), "previous_message": old})
}

func (s *Server) delete(c *call) (object, *apiError) {
	r, m, fail := s.message(c.get("channel"), c.get("ts"))
	if fail != nil {
		return nil, fail
	}
	if m.User != BotUser {
		return refuse("cant_delete_message")
	}
	s.remove(r, m)
	return object{"channel": r.ID, "ts": m.TS}, nil
}

func (s *Server) remove(r *Room, m *Message) {
	is := func(x *Message) bool { return x == m }
	r.messages = slices.DeleteFunc(r.messages, is)
	s.posts = slices.DeleteFunc(s.posts, is)
	s.deliver(object{"type": "message", "subtype": "message_deleted", "hidden": true, "channel": r.ID, "channel_type": r.Type, "ts": s.ts(),
		"deleted_ts": m.TS, "previous_message": s.messageObject(m, false)})
	s.changed.Wake()
}

var emojiName = regexp.MustCompile(`^[a-z0-9_+'-]+(::skin-tone-[2-6])?$`)

func (s *Server) addReaction(c *call) (object, *apiError) {
	if !emojiName.MatchString(c.get("name")) {
		return refuse("invalid_name")
	}
	if !regexp.MustCompile(`^\d+\.\d+$`).MatchString(c.get("timestamp")) {
		return refuse("bad_timestamp")
	}
	_, m, fail := s.message(c.get("channel"), c.get("timestamp"))
	if fail != nil {
		return nil, fail
	}
	if slices.Contains(m.Reactions[c.get("name")], BotUser) {
		return refuse("already_reacted")
	}
	s.react(m, BotUser, c.get("name"), true)
	return object{}, nil
}

func (s *Server) react(m *Message, user, name string, add bool) {
	kind := "reaction_removed"
	if m.Reactions == nil {
		m.Reactions = map[string][]string{}
	}
	if add {
		kind = "reaction_added"
		m.Reactions[name] = append(m.Reactions[name], user)
	} else if m.Reactions[name] = slices.DeleteFunc(m.Reactions[name], func(u string) bool { return u == user }); len(m.Reactions[name]) == 0 {
		delete(m.Reactions, name)
	}
	s.deliver(object{"type": kind, "user": user, "reaction": name, "item_user": m.User, "event_ts": s.ts(),
		"item": object{"type": "message", "channel": m.Room, "ts": m.TS}})
	s.changed.Wake()
}

func (s *Server) history(c *call) (object, *apiError) {
	r := s.rooms[c.get("channel")]
	if r == nil || r.Outside {
		return refuse("channel_not_found")
	}
	return s.readMessages(c, r, func(m *Message) bool { return m.Thread == "" || m.Thread == m.TS || m.Subtype == "thread_broadcast" }, true)
}

func (s *Server) replies(c *call) (object, *apiError) {
	r, root, fail := s.message(c.get("channel"), c.get("ts"))
	if fail != nil && r == nil {
		return nil, fail
	}
	if root == nil {
		return refuse("thread_not_found")
	}
	return s.readMessages(c, r, func(m *Message) bool { return m == root || m.Thread == root.TS }, false)
}

// readMessages gives the messages of a range: newest first in history, oldest first in threads, the root always there. A history with a
// beginning and no end comes from its beginning on, each page with the newest first (slackhq/slack-api-docs, methods/channels.history.md).
func (s *Server) readMessages(c *call, r *Room, want func(*Message) bool, newest bool) (object, *apiError) {
	oldest, latest, inclusive := c.get("oldest"), c.get("latest"), c.get("inclusive") == "1"
	var all []*Message
	for i, m := range r.messages {
		if !want(m) {
			continue
		}
		root := !newest && i >= 0 && m.TS == c.get("ts")
		after := oldest == "" || less(oldest, m.TS) || inclusive && m.TS == oldest
		before := latest == "" || less(m.TS, latest) || inclusive && m.TS == latest
		if after && before || root {
			all = append(all, m)
		}
	}
	fromOldest := newest && oldest != "" && latest == ""
	if newest && !fromOldest {
		slices.Reverse(all)
	}
	all, next, fail := page(c, all, 999)
	if fail != nil {
		return nil, fail
	}
	if fromOldest {
		all = slices.Clone(all)
		slices.Reverse(all)
	}
	metadata := c.get("include_all_metadata") == "1"
	list := []object{}
	for _, m := range all {
		list = append(list, s.messageObject(m, metadata))
	}
	return object{"messages": list, "has_more": next != "", "response_metadata": object{"next_cursor": next}}, nil
}

// less compares stamps as numbers.
func less(a, b string) bool {
	as, af, _ := strings.Cut(a, ".")
	bs, bf, _ := strings.Cut(b, ".")
	if len(as) != len(bs) {
		return len(as) < len(bs)
	}
	if as != bs {
		return as < bs
	}
	return af < bf
}

// serveResponse takes an answer over a response_url: five times within 30 minutes.
func (s *Server) serveResponse(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Text            string          `json:"text"`
		ResponseType    string          `json:"response_type"`
		ThreadTS        string          `json:"thread_ts"`
		ReplaceOriginal bool            `json:"replace_original"`
		Blocks          json.RawMessage `json:"blocks"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/response/"), "/") // room/user/secret
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(parts) != 3 || s.rooms[parts[0]] == nil {
		http.Error(w, "no_channel", http.StatusNotFound)
		return
	}
	m := &Message{Room: parts[0], Thread: body.ThreadTS, User: BotUser, BotID: BotID, Text: body.Text, Markup: true, Only: parts[1], Via: "response_url"}
	if string(body.Blocks) != "null" {
		m.Blocks = body.Blocks
	}
	if body.ResponseType == "in_channel" {
		m.Only = ""
	}
	m.TS = s.ts()
	s.posts = append(s.posts, m)
	s.changed.Wake()
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write([]byte("ok"))
}
