package discordfake

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"time"

	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/internal/fakenet"
)

// Interaction is something that the bot is to answer.
type Interaction struct {
	ID, Token, User, Channel string
	Type                     int // 2 command, 3 click, 4 completion, 5 window
	Response                 int // the type of the first answer; 0 while there is none
	Message                  *Message
	Original                 *Message // the first answer
	Choices                  []string // that a completion was answered with
	Window                   *Window  // that was opened
	Data                     object   // as it was delivered
	at                       time.Time
	late                     bool
	deleted                  bool
	timer                    *time.Timer
}

// Window is a modal.
type Window struct {
	CustomID   string      `json:"custom_id"`
	Title      string      `json:"title"`
	Components []component `json:"components"`
}

const (
	answerIn = 3 * time.Second
	tokenFor = 15 * time.Minute
)

// interact delivers an interaction. It is called with s.mu held.
func (s *Server) interact(kind int, user string, ch *Channel, data object, message *Message) *Interaction {
	i := &Interaction{ID: s.id(), Token: canary.Mark + "token-" + s.id(), User: user, Channel: ch.ID, Type: kind, Message: message, at: time.Now()}
	o := object{"id": i.ID, "application_id": AppID, "type": kind, "token": i.Token, "version": 1, "channel_id": ch.ID, "locale": "en-US", "data": data, "entitlements": []object{}}
	channel := s.channelObject(ch)
	delete(channel, "permission_overwrites")
	delete(channel, "guild_id")
	o["channel"] = channel
	if ch.Guild != "" {
		o["guild_id"], o["member"] = ch.Guild, s.memberObject(s.users[user], true)
	} else {
		o["user"] = s.userObject(user)
	}
	if message != nil {
		o["message"] = s.messageObject(message)
	}
	i.Data = o
	s.interactions[i.Token] = i
	i.timer = time.AfterFunc(answerIn, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if i.Response == 0 {
			i.late = true
			s.unanswered = append(s.unanswered, i.ID)
			s.changed.Wake()
		}
	})
	if s.webhook != nil {
		h := s.webhook
		s.net.Go(func() { h.ServeHTTP(fakenet.RecordAnswer(httptest.NewRecorder()), s.Request(o, time.Now())) })
		return i
	}
	s.deliver("INTERACTION_CREATE", 0, o)
	return i
}

// Webhook switches from the gateway to HTTP: interactions are posted to h, signed.
func (s *Server) Webhook(h http.Handler) { s.set(func() { s.webhook = h }) }

// Terse lets first answers be acknowledged without a word about the message that they made, as Discord did before
// with_response.
func (s *Server) Terse() { s.set(func() { s.terse = true }) }

// Sign signs a request as https://discord.com/developers/docs/interactions/overview#setting-up-an-endpoint says.
func (s *Server) Sign(r *http.Request, body []byte, at time.Time) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	r.Header.Set("X-Signature-Timestamp", stamp)
	r.Header.Set("X-Signature-Ed25519", hex.EncodeToString(ed25519.Sign(s.key, append([]byte(stamp), body...))))
}

// Request makes the signed request of an interaction.
func (s *Server) Request(interaction map[string]any, at time.Time) *http.Request {
	body, _ := json.Marshal(interaction)
	r := httptest.NewRequest(http.MethodPost, "/discord", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	s.Sign(r, body, at)
	return r
}

func (s *Server) callback(c *call) (any, *apiError) {
	i := s.interactions[c.parts[2]]
	if len(c.parts) != 4 || i == nil || i.ID != c.parts[1] || i.late {
		return nil, errUnknownInteraction
	}
	if i.Response != 0 {
		return nil, errAcknowledged
	}
	var d struct {
		Type int             `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(c.body, &d) != nil {
		return nil, refuse(400, 50109, "The request body contains invalid JSON.")
	}
	var flags struct {
		Flags int `json:"flags"`
	}
	_ = json.Unmarshal(d.Data, &flags)
	ch := s.channels[i.Channel]
	m := &Message{Channel: ch.ID, User: BotUser, Interaction: i.ID, Type: 20}
	if flags.Flags&64 != 0 {
		m.Flags, m.Only = 64, i.User
	}
	switch {
	case i.Type == 4 && d.Type != 8, d.Type == 8 && i.Type != 4, d.Type == 6 && i.Type != 3, d.Type == 9 && i.Type == 5:
		return nil, invalid("type: %d is not valid for an interaction of type %d", d.Type, i.Type)
	case d.Type == 4:
		if _, fail := s.put(c, d.Data, m); fail != nil {
			return nil, fail
		}
	case d.Type == 5:
		m.Flags |= 128
	case d.Type == 6:
		m = i.Message
	case d.Type == 8:
		var a struct {
			Choices []struct {
				Name  string `json:"name"`
				Value any    `json:"value"`
			} `json:"choices"`
		}
		if json.Unmarshal(d.Data, &a) != nil || a.Choices == nil || len(a.Choices) > 25 {
			return nil, invalid("choices")
		}
		m, i.Choices = nil, []string{}
		for _, choice := range a.Choices {
			if n := len([]rune(choice.Name)); n == 0 || n > 100 {
				return nil, invalid("choices[0].name")
			}
			i.Choices = append(i.Choices, choice.Name)
		}
	case d.Type == 9:
		w, fail := checkWindow(d.Data)
		if fail != nil {
			return nil, fail
		}
		m, i.Window = nil, w
	default:
		return nil, invalid("type")
	}
	i.Response, i.Original = d.Type, m
	if d.Type == 4 || d.Type == 5 {
		s.post(ch, m)
	}
	s.changed.Wake()
	if c.query.Get("with_response") != "true" || s.terse {
		return nil, nil
	}
	answer := object{"interaction": object{"id": i.ID, "type": i.Type}}
	if d.Type == 4 {
		answer["resource"] = object{"type": 4, "message": s.messageObject(m)}
	}
	return answer, nil
}

func checkWindow(raw json.RawMessage) (*Window, *apiError) {
	var w Window
	if json.Unmarshal(raw, &w) != nil || w.CustomID == "" || len(w.CustomID) > 100 || w.Title == "" || len([]rune(w.Title)) > 45 || len(w.Components) < 1 || len(w.Components) > 5 {
		return nil, invalid("modal")
	}
	seen := map[string]bool{}
	for _, row := range w.Components {
		if row.Type != 1 || len(row.Components) != 1 {
			return nil, invalid("components")
		}
		in := row.Components[0]
		if in.Type != 4 || in.CustomID == "" || len(in.CustomID) > 100 || seen[in.CustomID] || in.Label == "" || len([]rune(in.Label)) > 45 || len([]rune(in.Placeholder)) > 100 ||
			in.Style < 1 || in.Style > 2 || len([]rune(in.Value)) > 4000 {
			return nil, invalid("components[0].components[0]")
		}
		seen[in.CustomID] = true
	}
	return &w, nil
}

// token finds the interaction of a call over its token.
func (s *Server) token(c *call) (*Interaction, *apiError) {
	i := s.interactions[c.parts[2]]
	switch {
	case i == nil || c.parts[1] != AppID || i.Response == 0:
		return nil, errUnknownWebhook
	case time.Since(i.at) > tokenFor:
		return nil, refuse(401, 50027, "Invalid Webhook Token")
	}
	return i, nil
}

// theirs finds a message of an interaction: @original, or by its id.
func (s *Server) theirs(c *call) (*Interaction, *Message, *apiError) {
	i, fail := s.token(c)
	if fail != nil {
		return nil, nil, fail
	}
	id := c.parts[4]
	if id == "@original" {
		if i.Original == nil || i.deleted {
			return i, nil, errUnknownMessage
		}
		return i, i.Original, nil
	}
	for _, m := range s.posts {
		if m.ID == id && m.Interaction == i.ID {
			return i, m, nil
		}
	}
	return i, nil, errUnknownMessage
}

func (s *Server) original(c *call) (any, *apiError) {
	_, m, fail := s.theirs(c)
	if fail != nil {
		return nil, fail
	}
	return s.messageObject(m), nil
}

func (s *Server) editOriginal(c *call) (any, *apiError) {
	i, m, fail := s.theirs(c)
	if fail != nil {
		return nil, fail
	}
	return s.fill(c, i, m)
}

// fill changes a message over its interaction; it shows what was only awaited.
func (s *Server) fill(c *call, i *Interaction, m *Message) (any, *apiError) {
	loading := m.Flags&128 != 0
	if fail := s.change(c, s.channels[i.Channel], m); fail != nil {
		return nil, fail
	}
	if loading {
		m.Flags &^= 128
		m.Edited = time.Time{}
		s.changed.Wake()
	}
	return s.messageObject(m), nil
}

func (s *Server) deleteOriginal(c *call) (any, *apiError) {
	i, m, fail := s.theirs(c)
	if fail != nil {
		return nil, fail
	}
	if i.Response == 6 && m == i.Original {
		s.mistake("the message with the button was deleted in the place of an answer")
	}
	s.remove(s.channels[m.Channel], m)
	if m == i.Original {
		i.deleted = true
	}
	return nil, nil
}

func (s *Server) followup(c *call) (any, *apiError) {
	i, fail := s.token(c)
	if fail != nil {
		return nil, fail
	}
	if o := i.Original; o != nil && !i.deleted && o.Flags&128 != 0 { // it takes the place of "is thinking", and is seen by whoever sees that
		return s.fill(c, i, o)
	}
	var flags struct {
		Flags int `json:"flags"`
	}
	_ = json.Unmarshal(c.body, &flags)
	m := &Message{Channel: i.Channel, User: BotUser, Interaction: i.ID}
	if flags.Flags&64 != 0 {
		m.Flags, m.Only = 64, i.User
	}
	if _, fail := s.put(c, c.body, m); fail != nil {
		return nil, fail
	}
	s.post(s.channels[i.Channel], m)
	return s.messageObject(m), nil
}

// Interactions gives all interactions, oldest first, as they are now.
func (s *Server) Interactions() []Interaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Interaction
	for _, i := range s.interactions {
		out = append(out, *i)
	}
	slices.SortFunc(out, func(a, b Interaction) int {
		if len(a.ID) != len(b.ID) {
			return len(a.ID) - len(b.ID)
		}
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out
}

// Use uses a slash command: words are its name, options as Discord gives them, of {"name", "type", "value"}.
func (s *Server) Use(user, room string, words []string, options []map[string]any, resolved map[string]any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.use(2, user, room, words, options, resolved)
}

func (s *Server) use(kind int, user, room string, words []string, options []object, resolved object) error {
	ch := s.channels[room]
	if ch == nil || s.users[user] == nil {
		return errNothing
	}
	for n := len(words) - 1; n > 0; n-- {
		t := 1
		if n < len(words)-1 {
			t = 2
		}
		options = []object{{"name": words[n], "type": t, "options": options}}
	}
	data := object{"id": s.id(), "name": words[0], "type": 1, "options": options}
	if resolved != nil {
		data["resolved"] = resolved
	}
	s.interact(kind, user, ch, data, nil)
	return nil
}

// Invoke uses a slash command with one option, text.
func (s *Server) Invoke(user, room, command, text string) error {
	return s.Use(user, room, []string{command}, []map[string]any{{"name": "text", "type": 3, "value": text}}, nil)
}

// Completing is what somebody has typed so far in an option of a command.
func (s *Server) Completing(user, room string, words []string, option string, optionType int, typed any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.use(4, user, room, words, []object{{"name": option, "type": optionType, "value": typed, "focused": true}}, nil)
}

// Press presses a button of a message.
func (s *Server) Press(user, message, label string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.posts {
		if m.ID != message {
			continue
		}
		for _, b := range m.buttons() {
			if b.Label == label {
				s.interact(3, user, s.channels[m.Channel], object{"custom_id": b.CustomID, "component_type": 2}, m)
				return nil
			}
		}
	}
	return errNothing
}

// Submit fills in the window that was opened last, with values by the names of its fields.
func (s *Server) Submit(user, room string, values map[string]string) error {
	all := s.Interactions()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range slices.Backward(all) {
		if i.Window == nil {
			continue
		}
		var rows []object
		for _, row := range i.Window.Components {
			id := row.Components[0].CustomID
			rows = append(rows, object{"type": 1, "components": []object{{"type": 4, "custom_id": id, "value": values[id]}}})
		}
		s.interact(5, user, s.channels[room], object{"custom_id": i.Window.CustomID, "components": rows}, nil)
		return nil
	}
	return errNothing
}
