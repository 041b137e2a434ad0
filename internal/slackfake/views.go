package slackfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// trigger is what a person did that lets the app open one window.
type trigger struct {
	user string
	at   time.Time
	used bool
}

// trigger makes one. It is called with s.mu held.
func (s *Server) trigger(user string) string {
	id := s.id("trigger")
	s.triggers[id] = &trigger{user: user, at: time.Now()}
	return id
}

// View is a window that stands open before a user.
type View struct {
	ID, User                        string
	CallbackID, Metadata            string
	Title, SubmitLabel, CancelLabel string
	Fields                          []ViewField
}

// ViewField is an input of a window.
type ViewField struct {
	Name, Label, Hint string
	Value             string   // what stands there at first, as it is shown
	Choices           []string // as they are shown; empty: text
	Optional, Long    bool

	kind   string
	action string
	values []string // of the choices, as they are sent
}

// viewForm is a modal as it is sent (https://docs.slack.dev/reference/views/modal-views).
type viewForm struct {
	Type       string      `json:"type"`
	Title      *textObject `json:"title"`
	Submit     *textObject `json:"submit"`
	Close      *textObject `json:"close"`
	CallbackID string      `json:"callback_id"`
	Metadata   string      `json:"private_metadata"`
	Blocks     []struct {
		Type     string      `json:"type"`
		BlockID  string      `json:"block_id"`
		Optional bool        `json:"optional"`
		Label    *textObject `json:"label"`
		Hint     *textObject `json:"hint"`
		Element  struct {
			Type      string       `json:"type"`
			ActionID  string       `json:"action_id"`
			Multiline bool         `json:"multiline"`
			Initial   string       `json:"initial_value"`
			Options   []viewOption `json:"options"`
			First     *viewOption  `json:"initial_option"`
		} `json:"element"`
	} `json:"blocks"`
}

type viewOption struct {
	Text  textObject `json:"text"`
	Value string     `json:"value"`
}

// openView is views.open.
func (s *Server) openView(c *call) (object, *apiError) {
	t := s.triggers[c.get("trigger_id")]
	switch {
	case t == nil:
		return refuse("invalid_trigger_id")
	case t.used:
		return refuse("exchanged_trigger_id")
	case time.Since(t.at) > 3*time.Second:
		return refuse("expired_trigger_id")
	}
	raw := c.get("view")
	if len(raw) > 250_000 {
		return refuse("view_too_large")
	}
	var f viewForm
	if json.Unmarshal([]byte(raw), &f) != nil {
		return refuse("invalid_arguments")
	}
	v, ok := f.view()
	if !ok {
		return refuse("invalid_arguments")
	}
	t.used = true
	v.ID, v.User = s.id("V"), t.user
	s.views[t.user] = v
	s.changed.Wake()
	return object{"view": object{"id": v.ID, "callback_id": v.CallbackID}}, nil
}

func within(o *textObject, most int) bool {
	return o != nil && o.Type == "plain_text" && o.Text != "" && len([]rune(o.Text)) <= most
}

// view checks the limits and gives what is shown.
func (f viewForm) view() (*View, bool) {
	if f.Type != "modal" || !within(f.Title, 24) || !within(f.Submit, 24) || !within(f.Close, 24) || len([]rune(f.Metadata)) > 3000 ||
		len(f.CallbackID) > 255 || len(f.Blocks) == 0 || len(f.Blocks) > 100 {
		return nil, false
	}
	v := &View{CallbackID: f.CallbackID, Metadata: f.Metadata, Title: f.Title.Text, SubmitLabel: f.Submit.Text, CancelLabel: f.Close.Text}
	ids := map[string]bool{}
	for _, b := range f.Blocks {
		e := b.Element
		if b.Type != "input" || !within(b.Label, 2000) || b.Hint != nil && !within(b.Hint, 2000) || b.BlockID == "" || len(b.BlockID) > 255 || ids[b.BlockID] ||
			len(e.ActionID) > 255 || len([]rune(e.Initial)) > 3000 {
			return nil, false
		}
		ids[b.BlockID] = true
		field := ViewField{Name: b.BlockID, Label: b.Label.Text, Value: e.Initial, Optional: b.Optional, Long: e.Multiline, kind: e.Type, action: e.ActionID}
		if b.Hint != nil {
			field.Hint = b.Hint.Text
		}
		switch e.Type {
		case "plain_text_input":
		case "static_select":
			if len(e.Options) == 0 || len(e.Options) > 100 {
				return nil, false
			}
			for _, o := range e.Options {
				if !within(&o.Text, 75) || o.Value == "" || len([]rune(o.Value)) > 150 {
					return nil, false
				}
				field.Choices, field.values = append(field.Choices, o.Text.Text), append(field.values, o.Value)
			}
			if e.First != nil {
				if !slices.Contains(field.values, e.First.Value) {
					return nil, false
				}
				field.Value = e.First.Text.Text
			}
		default:
			return nil, false
		}
		v.Fields = append(v.Fields, field)
	}
	return v, true
}

// View gives the window that stands open before a user; nil: none.
func (s *Server) View(user string) *View {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.views[user]; v != nil {
		c := *v
		return &c
	}
	return nil
}

// CloseView closes a user's window with nothing entered: the app is not told.
func (s *Server) CloseView(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.views, user)
}

// Submit enters values, by the names of the fields, in the window of a user, and submits it. A field that is not named keeps
// what stands there at first.
func (s *Server) Submit(user string, values map[string]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.views[user]
	if v == nil {
		return errNothing
	}
	state := object{}
	for _, f := range v.Fields {
		entered, ok := values[f.Name]
		if !ok {
			entered = f.Value
		}
		if strings.TrimSpace(entered) == "" && !f.Optional {
			return errors.New("slackfake: Slack wants a value for " + f.Name)
		}
		element := object{"type": f.kind}
		switch i := slices.Index(f.Choices, entered); {
		case f.kind == "static_select" && entered == "":
			element["selected_option"] = nil
		case f.kind == "static_select" && i < 0:
			return fmt.Errorf("slackfake: %s has no choice %q", f.Name, entered)
		case f.kind == "static_select":
			element["selected_option"] = object{"text": object{"type": "plain_text", "text": escape(entered)}, "value": f.values[i]}
		case entered == "":
			element["value"] = nil
		default:
			element["value"] = entered
		}
		state[f.Name] = object{f.action: element}
	}
	delete(s.views, user)
	s.enqueue(&envelope{ID: s.id("env"), Kind: "interactive", EventID: s.id("view"), payload: object{
		"type": "view_submission", "token": verificationToken, "team": object{"id": s.team, "domain": "fake"}, "user": s.person(user),
		"api_app_id": AppID, "trigger_id": s.trigger(user), "response_urls": []object{},
		"view": object{"id": v.ID, "team_id": s.team, "type": "modal", "callback_id": v.CallbackID, "private_metadata": v.Metadata, "state": object{"values": state}},
	}})
	return nil
}
