package mattermostfake

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/internal/canary"
)

// Command is a slash command of a team.
type Command struct {
	ID, Team, Trigger, Token, URL, Method, DisplayName, Description, Hint, Desc string
	Creator                                                                     string
	AutoComplete                                                                bool
}

// hook is a response_url (app/webhook.go).
type hook struct {
	user, channel, root string
	uses                int
	until               time.Time
}

// Outgoing is an outgoing webhook.
type Outgoing struct {
	Token, Channel string // Channel: empty is every public one
	Words          []string
	JSON           bool
}

// Dialog is a dialog that a user sees.
type Dialog struct {
	User, URL, CallbackID, State, Title string
	Elements                            []DialogElement
	Channel, Team                       string
}

// DialogElement is a part of a dialog.
type DialogElement struct {
	DisplayName string         `json:"display_name"`
	Name        string         `json:"name"`
	Type        string         `json:"type"`
	Default     string         `json:"default"`
	Placeholder string         `json:"placeholder"`
	HelpText    string         `json:"help_text"`
	Optional    bool           `json:"optional"`
	MaxLength   int            `json:"max_length"`
	Options     []DialogOption `json:"options"`
}

// DialogOption is a choice.
type DialogOption struct {
	Text  string `json:"text"`
	Value string `json:"value"`
}

// AddCommand registers a slash command for the main team, as an administrator does by hand.
func (s *Server) AddCommand(trigger, token, url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.id("command")
	s.commands[id] = &Command{ID: id, Team: Main, Trigger: trigger, Token: token, URL: url, Method: "P", Creator: ID("someone")}
}

// Commands gives the slash commands, sorted by team and trigger.
func (s *Server) Commands() (out []Command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.commands {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Command) int { return strings.Compare(a.Team+a.Trigger, b.Team+b.Trigger) })
	return out
}

// AddOutgoing puts an outgoing webhook in.
func (s *Server) AddOutgoing(o Outgoing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outgoing = append(s.outgoing, &o)
}

// Trigger makes a trigger id of a user, signed with the server's key (model.GenerateTriggerId).
func (s *Server) Trigger(user string) string {
	return s.TriggerAt(user, time.Now())
}

// TriggerAt is Trigger at another time.
func (s *Server) TriggerAt(user string, at time.Time) string {
	s.mu.Lock()
	id := s.id("trigger")
	s.mu.Unlock()
	data := id + ":" + user + ":" + strconv.FormatInt(at.UnixMilli(), 10) + ":"
	sum := sha256.Sum256([]byte(data))
	sig, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	if err != nil {
		panic(err) // the key is whole
	}
	return base64.StdEncoding.EncodeToString([]byte(data + base64.StdEncoding.EncodeToString(sig)))
}

// triggerUser gives the user of a trigger id, "" if it is none, or older than three seconds (model.DecodeAndVerifyTriggerId).
func (s *Server) triggerUser(trigger string) (user string, expired bool) {
	raw, err := base64.StdEncoding.DecodeString(trigger)
	parts := strings.Split(string(raw), ":")
	if err != nil || len(parts) != 4 {
		return "", false
	}
	sig, err := base64.StdEncoding.DecodeString(parts[3])
	sum := sha256.Sum256([]byte(strings.Join(parts[:3], ":") + ":"))
	if err != nil || !ecdsa.VerifyASN1(&s.key.PublicKey, sum[:], sig) {
		return "", false
	}
	at, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return "", false
	}
	return parts[1], time.Now().UnixMilli()-at > 3000
}

// call posts to the bot and gives the answer, within the 30 s that a server waits.
func (s *Server) call(address, contentType string, header http.Header, body []byte) (int, []byte, error) {
	req, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", "application/json")
	resp, err := s.caller.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, b, err
}

// commandResponse is what a slash command is answered with.
type commandResponse struct {
	ResponseType string `json:"response_type"`
	Text         string `json:"text"`
	Props        object `json:"props"`
	Attachments  []any  `json:"attachments"`
	Skip         bool   `json:"skip_slack_parsing"`
}

// CommandRequest makes the request of a slash command as the server sends it. link is its response_url.
func (s *Server) CommandRequest(user, room, command, text string) (form url.Values, token string, err error) {
	trigger := s.Trigger(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	if r == nil {
		return nil, "", errNothing
	}
	var cmd *Command
	for _, c := range s.commands {
		if c.Trigger == command && (c.Team == r.Team || r.Team == "") {
			cmd = c
		}
	}
	if cmd == nil {
		return nil, "", errNothing
	}
	id := s.id(canary.Mark + "hook")
	s.hooks[id] = &hook{user: user, channel: room, uses: 5, until: time.Now().Add(30 * time.Minute)}
	team := s.teams[cmd.Team]
	return url.Values{"token": {cmd.Token}, "team_id": {team.ID}, "team_domain": {team.Name}, "channel_id": {room}, "channel_name": {r.Name},
		"user_id": {user}, "user_name": {s.users[user].Name}, "command": {"/" + command}, "text": {text}, "trigger_id": {trigger},
		"response_url": {"http://public.example/hooks/commands/" + id}}, cmd.Token, nil
}

// Invoke uses a slash command and does with the answer what the server does.
func (s *Server) Invoke(user, room, command, text string) error {
	form, token, err := s.CommandRequest(user, room, command, text)
	if err != nil {
		return err
	}
	status, body, err := s.call(CallbackURL, "application/x-www-form-urlencoded", http.Header{"Authorization": {"Token " + token}}, []byte(form.Encode()))
	if err != nil {
		return fmt.Errorf("api.command.execute_command.failed.app_error: %w", err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("api.command.execute_command.failed_resp.app_error: %d", status)
	}
	var resp commandResponse
	if err := json.Unmarshal(body, &resp); err != nil {
		return fmt.Errorf("the answer to a slash command: %w: %q", err, body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.respond(user, room, "", &resp)
	return nil
}

// respond posts the answer to a slash command: in the name of who used it (app/command.go). It is called with s.mu held.
func (s *Server) respond(user, room, root string, resp *commandResponse) {
	if !resp.Skip && (resp.Text != "" || len(resp.Attachments) > 0) {
		s.mistakes = append(s.mistakes, "an answer that the server rewrites: skip_slack_parsing is not set")
	}
	props := object{"from_callback": true}
	maps.Copy(props, resp.Props)
	if resp.Attachments != nil {
		props["attachments"] = resp.Attachments
	}
	switch {
	case resp.ResponseType == "in_channel":
		props["from_webhook"] = "true"
		s.post(s.rooms[room], &Post{UserID: user, RootID: root, Message: resp.Text, Props: props})
	case resp.Text != "" || resp.Attachments != nil:
		s.ephemeral(user, room, root, resp.Text, props)
	}
}

// serveHook is a response_url (web/webhook.go).
func (s *Server) serveHook(w http.ResponseWriter, r *http.Request, id string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls["POST /hooks/commands/{}"]++
	h := s.hooks[id]
	var resp commandResponse
	switch {
	case r.Method != http.MethodPost:
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case h == nil || time.Now().After(h.until):
		http.Error(w, `{"id":"app.command_webhook.get.missing","status_code":404}`, http.StatusNotFound)
	case h.uses <= 0:
		http.Error(w, `{"id":"app.command_webhook.try_use.invalid","status_code":400}`, http.StatusBadRequest)
	case json.Unmarshal(body, &resp) != nil:
		http.Error(w, `{"id":"web.command_webhook.parse.app_error","status_code":400}`, http.StatusBadRequest)
	default:
		h.uses--
		s.respond(h.user, h.channel, h.root, &resp)
		_, _ = io.WriteString(w, "ok")
	}
}

// ClickRequest makes the body of the request for a pressed button as the server sends it, and its address.
func (s *Server) ClickRequest(user, id, label string) (address string, body []byte, err error) {
	trigger := s.Trigger(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.said, func(p *Post) bool { return p.ID == id })
	if i < 0 {
		return "", nil, errNothing
	}
	p := s.said[i]
	for _, act := range actions(p) {
		name, _ := act["name"].(string)
		action, _ := act["id"].(string)
		link, _ := act["integration"].(object)
		if strings.ReplaceAll(name, "\u200b", "") != label || link == nil {
			continue
		}
		for _, r := range action {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') { // api4/integration_action.go: a 404
				return "", nil, fmt.Errorf("the id %q of an action is no part of a path", action)
			}
		}
		r := s.rooms[p.ChannelID]
		address, _ = link["url"].(string)
		team := s.teams[r.Team]
		o := object{"user_id": user, "user_name": s.users[user].Name, "channel_id": r.ID, "channel_name": r.Name, "team_id": r.Team, "post_id": p.ID,
			"trigger_id": trigger, "type": "button", "data_source": "", "context": link["context"], "team_domain": ""}
		if team != nil {
			o["team_domain"] = team.Name
		}
		return address, []byte(text(o)), nil
	}
	return "", nil, errNothing
}

// Press presses a button.
func (s *Server) Press(user, id, label string) error {
	address, body, err := s.ClickRequest(user, id, label)
	if err != nil {
		return err
	}
	status, answer, err := s.call(address, "application/json", nil, body)
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("api.post.do_action.action_integration.app_error: %d %w", status, err)
	}
	var resp struct {
		Ephemeral string `json:"ephemeral_text"`
		Update    object `json:"update"`
		Skip      bool   `json:"skip_slack_parsing"`
	}
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &resp); err != nil {
			return fmt.Errorf("the answer to a button: %w: %q", err, answer)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if resp.Ephemeral != "" {
		if !resp.Skip {
			s.mistakes = append(s.mistakes, "an answer that the server rewrites: skip_slack_parsing is not set")
		}
		var req struct {
			Channel string `json:"channel_id"`
		}
		_ = json.Unmarshal(body, &req)
		s.ephemeral(user, req.Channel, "", resp.Ephemeral, object{"from_callback": true})
	}
	return nil
}

func (s *Server) openDialog(c *call) (any, *apiError) {
	var in struct {
		Trigger string `json:"trigger_id"`
		URL     string `json:"url"`
		Dialog  struct {
			CallbackID string          `json:"callback_id"`
			Title      string          `json:"title"`
			State      string          `json:"state"`
			Elements   []DialogElement `json:"elements"`
		} `json:"dialog"`
	}
	if fail := c.into(&in); fail != nil {
		return nil, fail
	}
	user, expired := s.triggerUser(in.Trigger)
	switch {
	case in.URL == "":
		return nil, refuse("api.context.invalid_body_param.app_error", http.StatusBadRequest)
	case user == "":
		return nil, refuse("interactive_message.decode_trigger_id.verify_signature_failed", http.StatusBadRequest)
	case expired:
		return nil, refuse("interactive_message.decode_trigger_id.expired", http.StatusBadRequest)
	}
	s.dialogs = append(s.dialogs, Dialog{User: user, URL: in.URL, CallbackID: in.Dialog.CallbackID, State: in.Dialog.State, Title: in.Dialog.Title, Elements: in.Dialog.Elements})
	s.changed.Wake()
	return object{"status": "OK"}, nil
}

// Dialogs gives the dialogs that were opened.
func (s *Server) Dialogs() []Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.dialogs)
}

// Submit fills a dialog in, in a room, and gives what the user is told.
func (s *Server) Submit(d Dialog, room string, values map[string]any) (string, error) {
	body := []byte(text(object{"type": "dialog_submission", "callback_id": d.CallbackID, "state": d.State, "user_id": d.User, "channel_id": room, "team_id": Main,
		"submission": values, "cancelled": false}))
	status, answer, err := s.call(d.URL, "application/json", nil, body)
	if err != nil || status != http.StatusOK {
		return "", fmt.Errorf("a dialog was answered with %d: %w", status, err)
	}
	var resp struct {
		Error  string            `json:"error"`
		Errors map[string]string `json:"errors"`
	}
	_ = json.Unmarshal(answer, &resp) // an empty answer is a good one
	return resp.Error, nil
}

// SayOutside says something in a public room in which the bot is not, and calls the outgoing webhooks that fit. It gives the
// post's id.
func (s *Server) SayOutside(user, room, text string) (string, error) {
	id, err := s.Say(user, room, text)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	var fit []*Outgoing
	word, _, _ := strings.Cut(text, " ")
	for _, o := range s.outgoing {
		if (o.Channel == "" || o.Channel == room) && slices.Contains(o.Words, word) {
			fit = append(fit, o)
		}
	}
	s.mu.Unlock()
	for _, o := range fit {
		contentType, body := s.HookRequest(o, user, room, id, text)
		status, answer, err := s.call(CallbackURL, contentType, nil, body)
		if err != nil || status != http.StatusOK {
			return id, fmt.Errorf("an outgoing webhook was answered with %d: %w", status, err)
		}
		var resp struct {
			Text         *string `json:"text"`
			ResponseType string  `json:"response_type"`
			Props        object  `json:"props"`
		}
		if len(answer) > 0 && json.Unmarshal(answer, &resp) == nil && resp.Text != nil {
			root := ""
			if resp.ResponseType == "comment" {
				root = id
			}
			s.mu.Lock()
			if strings.Contains(*resp.Text, "<!") { // the server makes mass mentions of these
				s.mistakes = append(s.mistakes, "an answer that the server makes a mass mention of")
			}
			s.post(s.rooms[room], &Post{UserID: ID("admin"), RootID: root, Message: *resp.Text, Props: object{"from_webhook": "true", "from_callback": true}})
			s.mu.Unlock()
		}
	}
	return id, nil
}

// HookRequest makes the request of an outgoing webhook.
func (s *Server) HookRequest(o *Outgoing, user, room, id, said string) (contentType string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, word := s.rooms[room], strings.SplitN(said, " ", 2)[0]
	team := s.teams[r.Team]
	at := s.posts[id].CreateAt
	if o.JSON {
		return "application/json", []byte(text(object{"token": o.Token, "team_id": team.ID, "team_domain": team.Name, "channel_id": room, "channel_name": r.Name,
			"timestamp": at, "user_id": user, "user_name": s.users[user].Name, "post_id": id, "text": said, "trigger_word": word, "file_ids": ""}))
	}
	return "application/x-www-form-urlencoded", []byte(url.Values{"token": {o.Token}, "team_id": {team.ID}, "team_domain": {team.Name}, "channel_id": {room},
		"channel_name": {r.Name}, "timestamp": {strconv.FormatInt(at/1000, 10)}, "user_id": {user}, "user_name": {s.users[user].Name}, "post_id": {id}, "text": {said},
		"trigger_word": {word}, "file_ids": {""}}.Encode())
}

// commandAPI is /commands (api4/command.go).
func (s *Server) commandAPI(c *call) (any, *apiError) {
	if !c.admin {
		return nil, errForbidden
	}
	var in struct {
		ID           string `json:"id"`
		Team         string `json:"team_id"`
		Trigger      string `json:"trigger"`
		Method       string `json:"method"`
		URL          string `json:"url"`
		AutoComplete bool   `json:"auto_complete"`
		Desc         string `json:"auto_complete_desc"`
		Hint         string `json:"auto_complete_hint"`
		DisplayName  string `json:"display_name"`
		Description  string `json:"description"`
	}
	if c.route == "GET /commands" {
		list := []object{}
		for _, id := range sorted(keys(s.commands)...) {
			if cmd := s.commands[id]; cmd.Team == c.query.Get("team_id") {
				list = append(list, cmd.object())
			}
		}
		return list, nil
	}
	if c.route != "DELETE /commands/{}" {
		if fail := c.into(&in); fail != nil {
			return nil, fail
		}
		if in.Trigger == "" || strings.ContainsAny(in.Trigger, "/ ") || len(in.Trigger) > 128 || len(in.Description) > 128 || len(in.DisplayName) > 64 ||
			!strings.HasPrefix(in.URL, "http") || in.Method != "P" && in.Method != "G" || s.teams[in.Team] == nil {
			return nil, refuse("model.command.is_valid.trigger.app_error", http.StatusBadRequest)
		}
	}
	cmd := &Command{Team: in.Team, Trigger: in.Trigger, URL: in.URL, Method: in.Method, DisplayName: in.DisplayName, Description: in.Description, Hint: in.Hint,
		Desc: in.Desc, AutoComplete: in.AutoComplete, Creator: c.user}
	if c.route == "POST /commands" {
		for _, other := range s.commands {
			if other.Team == in.Team && other.Trigger == in.Trigger {
				return nil, refuse("api.command.duplicate_trigger.app_error", http.StatusBadRequest)
			}
		}
		if in.Trigger == "help" { // one of the server's own
			return nil, refuse("api.command.duplicate_trigger.app_error", http.StatusBadRequest)
		}
		cmd.ID, cmd.Token = s.id("command"), s.id(canary.Mark+"token")
		s.commands[cmd.ID] = cmd
		return cmd.object(), nil
	}
	old := s.commands[c.ids[0]]
	if old == nil {
		return nil, refuse("store.sql_command.get.missing.app_error", http.StatusNotFound)
	}
	if c.route == "DELETE /commands/{}" {
		delete(s.commands, old.ID)
		return object{"status": "OK"}, nil
	}
	cmd.ID, cmd.Token, cmd.Creator = old.ID, old.Token, old.Creator
	s.commands[old.ID] = cmd
	return cmd.object(), nil
}

func (cmd *Command) object() object {
	return object{"id": cmd.ID, "token": cmd.Token, "team_id": cmd.Team, "trigger": cmd.Trigger, "method": cmd.Method, "url": cmd.URL, "auto_complete": cmd.AutoComplete,
		"auto_complete_desc": cmd.Desc, "auto_complete_hint": cmd.Hint, "display_name": cmd.DisplayName, "description": cmd.Description, "creator_id": cmd.Creator,
		"create_at": 1, "update_at": 1, "delete_at": 0, "plugin_id": "", "username": "", "icon_url": ""}
}
