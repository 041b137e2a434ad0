package discordfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Message is what stands in a room.
type Message struct {
	ID, Channel string
	User        string
	Hook        string // of a webhook
	Content     string
	Type        int
	Flags       int
	Only        string // an ephemeral message's reader
	Embeds      []Embed
	Components  json.RawMessage
	Mentions    AllowedMentions
	Files       []*File
	Reactions   map[string][]string // emoji -> users
	Edited      time.Time
	Reference   string
	Interaction string // that it answers
	pings       []string
}

// Embed is a box of a message.
type Embed struct {
	Description string `json:"description"`
	Color       int    `json:"color"`
	Fields      []struct {
		Name   string `json:"name"`
		Value  string `json:"value"`
		Inline bool   `json:"inline"`
	} `json:"fields"`
}

// AllowedMentions is whom a message may notify.
type AllowedMentions struct {
	Parse []string `json:"parse"`
	Users []string `json:"users"`
}

// File is a file of a message.
type File struct{ ID, Name, Type, Content string }

type nonced struct {
	m  *Message
	at time.Time
}

type bucket struct {
	left  int
	reset time.Time
}

// keepNonce is how long a nonce is remembered: "the past few minutes".
const keepNonce = 3 * time.Minute

// allow takes one of the room's five messages in five seconds.
func (s *Server) allow(c *call, room string) *apiError {
	now := time.Now()
	b := s.buckets[room]
	if b == nil || !b.reset.After(now) {
		b = &bucket{left: 5, reset: now.Add(5 * time.Second)}
		s.buckets[room] = b
	}
	after := b.reset.Sub(now).Seconds()
	c.after = &after
	if b.left == 0 {
		s.limited++
		return &apiError{status: 429, text: "You are being rate limited.", after: after}
	}
	b.left--
	c.left = b.left
	return nil
}

// content is a message as a client sends it.
type content struct {
	Content    *string          `json:"content"`
	Embeds     []Embed          `json:"embeds"`
	Components json.RawMessage  `json:"components"`
	Mentions   *AllowedMentions `json:"allowed_mentions"`
	Flags      int              `json:"flags"`
	Nonce      string           `json:"nonce"`
	Enforce    bool             `json:"enforce_nonce"`
	Reference  *struct {
		ID string `json:"message_id"`
	} `json:"message_reference"`
	Attachments []struct {
		ID       json.Number `json:"id"`
		Filename string      `json:"filename"`
	} `json:"attachments"`
}

// put reads a message into m, and refuses what Discord refuses.
func (s *Server) put(c *call, body json.RawMessage, m *Message) (content, *apiError) {
	var d content
	if err := json.Unmarshal(body, &d); err != nil {
		return d, refuse(400, 50109, "The request body contains invalid JSON.")
	}
	if d.Mentions == nil || d.Mentions.Parse == nil {
		s.mistake("%s without allowed_mentions: everything in it would notify", c.route)
	} else {
		m.Mentions = *d.Mentions
	}
	if d.Content != nil {
		m.Content = strings.TrimSpace(*d.Content)
	}
	if len(utf16.Encode([]rune(m.Content))) > 2000 {
		return d, invalid("content: Must be 2000 or fewer in length.")
	}
	if len(d.Nonce) > 25 {
		return d, invalid("nonce: Must be 25 or fewer in length.")
	}
	if fail := checkEmbeds(d.Embeds); fail != nil {
		return d, fail
	}
	m.Embeds = d.Embeds
	if fail := checkComponents(d.Components); fail != nil {
		return d, fail
	}
	m.Components = d.Components
	if d.Reference != nil {
		m.Reference = d.Reference.ID
	}
	if len(c.files) > 10 || len(c.files) != len(d.Attachments) {
		return d, invalid("attachments: %d for %d files", len(d.Attachments), len(c.files))
	}
	for i, f := range c.files {
		if len(f.Content) > 10<<20 {
			return d, refuse(413, 40005, "Request entity too large")
		}
		if d.Attachments[i].Filename != f.Name {
			s.mistake("the attachment %q is the file %q", d.Attachments[i].Filename, f.Name)
		}
		m.Files = append(m.Files, &File{ID: s.id(), Name: f.Name, Type: f.Type, Content: f.Content})
	}
	m.Flags = m.Flags&^(1<<2) | d.Flags&(1<<2)
	if m.Content == "" && len(m.Embeds) == 0 && len(m.Files) == 0 && (len(m.Components) == 0 || string(m.Components) == "[]") {
		return d, refuse(400, 50006, "Cannot send an empty message")
	}
	return d, nil
}

func checkEmbeds(list []Embed) *apiError {
	sum := 0
	if len(list) > 10 {
		return invalid("embeds")
	}
	for _, e := range list {
		if len(e.Fields) > 25 || utf8.RuneCountInString(e.Description) > 4096 || e.Description == "" && len(e.Fields) == 0 {
			return invalid("embeds[0]")
		}
		sum += utf8.RuneCountInString(e.Description)
		for _, f := range e.Fields {
			n, v := utf8.RuneCountInString(f.Name), utf8.RuneCountInString(f.Value)
			if n == 0 || n > 256 || v == 0 || v > 1024 {
				return invalid("embeds[0].fields")
			}
			sum += n + v
		}
	}
	if sum > 6000 {
		return invalid("embeds: Embed size exceeds maximum size of 6000")
	}
	return nil
}

// component is a component of a message or of a window.
type component struct {
	Type        int         `json:"type"`
	Style       int         `json:"style"`
	Label       string      `json:"label"`
	CustomID    string      `json:"custom_id"`
	Value       string      `json:"value"`
	Placeholder string      `json:"placeholder"`
	Required    bool        `json:"required"`
	Components  []component `json:"components"`
}

func checkComponents(raw json.RawMessage) *apiError {
	if len(raw) == 0 {
		return nil
	}
	var rows []component
	if json.Unmarshal(raw, &rows) != nil || len(rows) > 5 {
		return invalid("components")
	}
	seen := map[string]bool{}
	for _, row := range rows {
		if row.Type != 1 || len(row.Components) == 0 || len(row.Components) > 5 {
			return invalid("components[0]")
		}
		for _, b := range row.Components {
			n := utf8.RuneCountInString(b.CustomID)
			switch {
			case b.Type != 2 || b.Style < 1 || b.Style > 4:
				return invalid("components[0].components[0].type")
			case n == 0 || n > 100 || seen[b.CustomID]:
				return invalid("components[0].components[0].custom_id: %q", b.CustomID)
			case b.Label == "" || utf8.RuneCountInString(b.Label) > 80:
				return invalid("components[0].components[0].label")
			}
			seen[b.CustomID] = true
		}
	}
	return nil
}

func (s *Server) send(c *call) (any, *apiError) {
	ch, fail := s.channel(c)
	if fail != nil {
		return nil, fail
	}
	if ch.Type == 4 || ch.Type == 15 {
		return nil, refuse(400, 50008, "Cannot send messages in a non-text channel")
	}
	m := &Message{Channel: ch.ID, User: BotUser}
	d, fail := s.put(c, c.body, m)
	if fail != nil {
		return nil, fail
	}
	if fail := s.allow(c, ch.ID); fail != nil {
		return nil, fail
	}
	if old, ok := s.nonces[d.Nonce]; d.Nonce != "" && d.Enforce && ok && time.Since(old.at) < keepNonce {
		return s.messageObject(old.m), nil
	}
	if m.Reference != "" {
		m.Type = 19
	}
	s.post(ch, m)
	if d.Nonce != "" {
		s.nonces[d.Nonce] = nonced{m, time.Now()}
	}
	return s.messageObject(m), nil
}

// post shows m in a room and tells the bot.
func (s *Server) post(ch *Channel, m *Message) {
	m.ID = s.id()
	s.posts = append(s.posts, m)
	if m.Only == "" {
		ch.messages = append(ch.messages, m)
		s.tell("MESSAGE_CREATE", ch, m)
	}
	s.changed.Wake()
}

// tell delivers an event about a message.
func (s *Server) tell(kind string, ch *Channel, m *Message) {
	if ch.Hidden {
		return
	}
	o := s.messageObject(m)
	intent := intentDirect
	if ch.Guild != "" {
		intent = intentMessages
		o["guild_id"] = ch.Guild
		if u := s.users[m.User]; u != nil && m.Hook == "" {
			o["member"] = s.memberObject(u, false)
		}
	}
	s.deliver(kind, intent, o)
}

var userMention = regexp.MustCompile(`<@!?(\d+)>`)

// messageObject is a message as events and history have it.
func (s *Server) messageObject(m *Message) object {
	at, _ := strconv.ParseUint(m.ID, 10, 64)
	made := time.UnixMilli(int64(at>>22) + 1_420_070_400_000).UTC()
	o := object{"id": m.ID, "channel_id": m.Channel, "type": m.Type, "content": m.Content, "timestamp": made.Format("2006-01-02T15:04:05.000000-07:00"),
		"edited_timestamp": nil, "author": s.userObject(m.User), "flags": m.Flags, "embeds": m.Embeds, "components": []object{}, "tts": false, "pinned": false,
		"mention_everyone": false, "mention_roles": []string{}, "attachments": s.fileObjects(m)}
	if m.Embeds == nil {
		o["embeds"] = []object{}
	}
	if len(m.Components) > 0 {
		o["components"] = m.Components
	}
	if !m.Edited.IsZero() {
		o["edited_timestamp"] = m.Edited.UTC().Format("2006-01-02T15:04:05.000000-07:00")
	}
	if m.Hook != "" {
		o["webhook_id"], o["author"] = m.Hook, object{"id": m.Hook, "username": "hook", "avatar": nil}
	}
	if m.Interaction != "" {
		o["webhook_id"], o["application_id"] = AppID, AppID
	}
	mentions := []object{}
	for _, id := range append(m.pings, flat(userMention.FindAllStringSubmatch(m.Content, -1))...) {
		if u := s.users[id]; u != nil && !slices.ContainsFunc(mentions, func(o object) bool { return o["id"] == id }) {
			mo := s.userObject(id)
			if s.channels[m.Channel] != nil && s.channels[m.Channel].Guild != "" && !u.Outside {
				mo["member"] = s.memberObject(u, false)
			}
			mentions = append(mentions, mo)
		}
	}
	o["mentions"] = mentions
	return o
}

func flat(found [][]string) (out []string) {
	for _, f := range found {
		out = append(out, f[1])
	}
	return out
}

func (s *Server) fileObjects(m *Message) []object {
	list := []object{}
	for _, f := range m.Files {
		if s.filesAt != "" {
			list = append(list, object{"id": f.ID, "filename": f.Name, "size": len(f.Content), "url": s.filesAt})
			continue
		}
		list = append(list, object{"id": f.ID, "filename": f.Name, "content_type": f.Type, "size": len(f.Content),
			"url": fmt.Sprintf("http://%s/attachments/%s/%s/%s?ex=%d", s.net.Host(), m.Channel, f.ID, f.Name, s.expired)})
	}
	return list
}

// MoveFiles lets the files of messages lie at an address that is not Discord's.
func (s *Server) MoveFiles(address string) { s.set(func() { s.filesAt = address }) }

// ExpireFiles lets the addresses of files that were given until now expire.
func (s *Server) ExpireFiles() { s.set(func() { s.expired++ }) }

func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Authorization") != "" {
		s.mistake("the token was sent with the request for a file")
	}
	parts := strings.Split(r.URL.Path, "/") // "", attachments, channel, file, name
	ch := s.channels[parts[2]]
	if r.URL.Query().Get("ex") != strconv.Itoa(s.expired) || ch == nil {
		http.Error(w, "This content is no longer available.", http.StatusNotFound)
		return
	}
	for _, m := range ch.messages {
		for _, f := range m.Files {
			if f.ID == parts[3] {
				w.Header().Set("Content-Type", f.Type)
				_, _ = w.Write([]byte(f.Content))
				return
			}
		}
	}
	http.NotFound(w, r)
}

// message finds the message of a call.
func (s *Server) message(c *call) (*Channel, *Message, *apiError) {
	ch, fail := s.channel(c)
	if fail != nil {
		return nil, nil, fail
	}
	for _, m := range ch.messages {
		if m.ID == c.parts[3] {
			return ch, m, nil
		}
	}
	return ch, nil, errUnknownMessage
}

func (s *Server) edit(c *call) (any, *apiError) {
	ch, m, fail := s.message(c)
	if fail != nil {
		return nil, fail
	}
	if m.User != BotUser {
		return nil, refuse(403, 50005, "Cannot edit a message authored by another user")
	}
	if fail := s.change(c, ch, m); fail != nil {
		return nil, fail
	}
	return s.messageObject(m), nil
}

// change replaces the content of a message.
func (s *Server) change(c *call, ch *Channel, m *Message) *apiError {
	next := *m
	if _, fail := s.put(c, c.body, &next); fail != nil {
		return fail
	}
	*m = next
	m.Edited = time.Now()
	if m.Only == "" {
		s.tell("MESSAGE_UPDATE", ch, m)
	}
	s.changed.Wake()
	return nil
}

func (s *Server) deleteMessage(c *call) (any, *apiError) {
	ch, m, fail := s.message(c)
	if fail != nil {
		return nil, fail
	}
	s.remove(ch, m)
	return nil, nil
}

func (s *Server) remove(ch *Channel, m *Message) {
	is := func(x *Message) bool { return x == m }
	ch.messages = slices.DeleteFunc(ch.messages, is)
	s.posts = slices.DeleteFunc(s.posts, is)
	if m.Only != "" {
		return
	}
	o := object{"id": m.ID, "channel_id": ch.ID}
	intent := intentDirect
	if ch.Guild != "" {
		o["guild_id"], intent = ch.Guild, intentMessages
	}
	s.deliver("MESSAGE_DELETE", intent, o)
	s.changed.Wake()
}

var custom = regexp.MustCompile(`^\w{2,32}:\d+$`)

func (s *Server) addReaction(c *call) (any, *apiError) {
	_, m, fail := s.message(c)
	if fail != nil {
		return nil, fail
	}
	emoji := c.parts[5]
	if len(c.parts) != 7 || c.parts[6] != "@me" {
		return nil, refuse(404, 0, "404: Not Found")
	}
	if emoji[0] < 0x80 && !custom.MatchString(emoji) {
		return nil, refuse(400, 10014, "Unknown Emoji")
	}
	if !slices.Contains(m.Reactions[emoji], BotUser) { // twice is no error and nothing new
		s.react(m, BotUser, emoji, true)
	}
	return nil, nil
}

func (s *Server) react(m *Message, user, emoji string, add bool) {
	kind := "MESSAGE_REACTION_REMOVE"
	if m.Reactions == nil {
		m.Reactions = map[string][]string{}
	}
	if add {
		kind = "MESSAGE_REACTION_ADD"
		m.Reactions[emoji] = append(m.Reactions[emoji], user)
	} else if m.Reactions[emoji] = slices.DeleteFunc(m.Reactions[emoji], func(u string) bool { return u == user }); len(m.Reactions[emoji]) == 0 {
		delete(m.Reactions, emoji)
	}
	name, id, isCustom := strings.Cut(emoji, ":")
	e := object{"id": nil, "name": emoji}
	if isCustom {
		e = object{"id": id, "name": name}
	}
	o := object{"user_id": user, "channel_id": m.Channel, "message_id": m.ID, "emoji": e, "burst": false, "type": 0}
	intent := intentDirectR
	if ch := s.channels[m.Channel]; ch.Guild != "" {
		o["guild_id"], intent = ch.Guild, intentReactions
		if add {
			o["member"], o["message_author_id"] = s.memberObject(s.users[user], true), m.User
		}
	}
	s.deliver(kind, intent, o)
	s.changed.Wake()
}

func (s *Server) history(c *call) (any, *apiError) {
	ch, fail := s.channel(c)
	if fail != nil {
		return nil, fail
	}
	limit, fail := c.number("limit", 50, 100)
	if fail != nil {
		return nil, fail
	}
	less := func(a, b string) bool { return len(a) < len(b) || len(a) == len(b) && a < b }
	var all []*Message
	for _, m := range ch.messages {
		if b := c.query.Get("before"); b != "" && !less(m.ID, b) {
			continue
		}
		if a := c.query.Get("after"); a != "" && !less(a, m.ID) {
			continue
		}
		all = append(all, m)
	}
	if c.query.Get("after") != "" {
		all = all[:min(limit, len(all))]
	} else {
		all = all[max(0, len(all)-limit):]
	}
	list := []object{}
	for _, m := range slices.Backward(all) {
		list = append(list, s.messageObject(m))
	}
	return list, nil
}

func (s *Server) startThread(c *call) (any, *apiError) {
	ch, m, fail := s.message(c)
	if fail != nil {
		return nil, fail
	}
	var d struct {
		Name string `json:"name"`
	}
	_ = json.Unmarshal(c.body, &d)
	switch n := utf8.RuneCountInString(d.Name); {
	case ch.Type == channelDM || isThread(ch.Type):
		return nil, refuse(400, 50024, "Cannot execute action on this channel type")
	case n < 1 || n > 100:
		return nil, invalid("name")
	case s.channels[m.ID] != nil:
		return nil, refuse(400, 160004, "A thread has already been created for this message")
	}
	return s.channelObject(s.thread(ch, m, d.Name)), nil
}

// thread begins the thread below a message.
func (s *Server) thread(ch *Channel, m *Message, name string) *Channel {
	t := &Channel{ID: m.ID, Guild: ch.Guild, Type: threadOfText, Parent: ch.ID, Name: name}
	s.addChannel(t)
	s.deliver("THREAD_CREATE", intentGuilds, s.channelObject(t))
	return t
}
