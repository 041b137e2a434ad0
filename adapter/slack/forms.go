package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	slackgo "github.com/slack-go/slack"

	"github.com/starlingbot/starling/adapter"
)

// The limits of a window (https://docs.slack.dev/reference/views/modal-views, .../block-kit/blocks/input-block,
// .../block-elements/plain-text-input-element, .../composition-objects/option-object), in runes.
const (
	triggerFor     = 3 * time.Second // https://docs.slack.dev/interactivity/handling-user-interaction#modal_responses
	maxFormFields  = 100
	maxFormTitle   = 24
	maxFormLabel   = 2_000 // and hint
	maxFormName    = 255
	maxFormValue   = 3_000
	maxFormChoices = 100
	maxChoice      = 75
	maxChoiceValue = 150
)

// formAction is the action id of what is entered; the block around it has the name of the field.
const formAction = "value"

// window is what a window carries along (private_metadata): where the event that it answers came from, for Slack does not say
// in which room a window was open.
type window struct {
	Version int    `json:"starling"` // 1
	Room    string `json:"r"`
	Thread  string `json:"h,omitempty"`
	URL     string `json:"u,omitempty"` // the response_url of that event
	Got     int64  `json:"s,omitempty"` // when it was given
}

// window gives what a window carries that answers the event of this origin.
func (o origin) window() (string, error) {
	b, err := json.Marshal(window{Version: 1, Room: o.Room, Thread: o.Thread, URL: o.URL, Got: o.Got})
	return string(b), err
}

// OpenForm implements [adapter.FormOpener]: a modal, for three seconds after a slash command, a pressed button or a submitted
// form; each opens one. A title over 24 characters is cut. Errors: [adapter.ErrUnsupported] for the origin of another event,
// [adapter.ErrNotFound] when the three seconds are over or the origin has opened a window, [adapter.ErrTooLong] over 100
// fields, 100 choices of a field, 75 characters of a choice or 3,000 of a value, [adapter.ErrInvalid] for a form that makes
// no sense.
func (a *Adapter) OpenForm(ctx context.Context, from string, f *adapter.Form) error {
	if err := a.life.Usable(ctx, "open a form"); err != nil {
		return err
	}
	var o origin
	if from == "" || json.Unmarshal([]byte(from), &o) != nil || o.Trigger == "" || o.Room == "" {
		return fmt.Errorf("slack: open a form: %w: slack opens one only as the answer to a slash command, a button or a form", adapter.ErrUnsupported)
	}
	view, err := formView(o, f)
	if err != nil {
		return fmt.Errorf("slack: open a form: %w", err)
	}
	if age := a.now().UnixMilli() - o.At; age < -triggerFor.Milliseconds() || age > triggerFor.Milliseconds() {
		return fmt.Errorf("slack: open a form: %w: slack lets a window be opened for %v after the command or click", adapter.ErrNotFound, triggerFor)
	}
	var opened slackgo.SlackResponse
	if err := a.call(ctx, "views.open", url.Values{"trigger_id": {o.Trigger}, "view": {view}}, &opened); err != nil {
		return fmt.Errorf("slack: open a form: %w", err)
	}
	return nil
}

// formView gives the modal of a form.
func formView(o origin, f *adapter.Form) (string, error) {
	invalid := func(format string, args ...any) (string, error) {
		return "", fmt.Errorf("%w: "+format, append([]any{adapter.ErrInvalid}, args...)...)
	}
	long := func(what string, n, most int) (string, error) {
		return "", fmt.Errorf("%w: %s: %d, slack takes %d", adapter.ErrTooLong, what, n, most)
	}
	switch {
	case f == nil || f.ID == "" || strings.TrimSpace(f.Title) == "" || len(f.Fields) == 0:
		return invalid("a form has an ID, a Title and Fields")
	case len(f.Fields) > maxFormFields:
		return long("fields", len(f.Fields), maxFormFields)
	}
	var blocks []object
	seen := map[string]bool{}
	for _, field := range f.Fields {
		name := fmt.Sprintf("the field %q", field.Name)
		if field.Name == "" || seen[field.Name] {
			return invalid("%s has no name, or that of another one", name)
		}
		seen[field.Name] = true
		if n := utf8.RuneCountInString(field.Name); n > maxFormName {
			return long("characters in the name of "+name, n, maxFormName)
		}
		if n := utf8.RuneCountInString(field.Value); n > maxFormValue {
			return long("characters in the value of "+name, n, maxFormValue)
		}
		label := strings.TrimSpace(adapter.PlainText(field.Label))
		if label == "" {
			label = field.Name
		}
		element := object{"type": "plain_text_input", "action_id": formAction, "multiline": field.Long}
		switch {
		case len(field.Choices) > maxFormChoices:
			return long("choices of "+name, len(field.Choices), maxFormChoices)
		case len(field.Choices) > 0:
			var options []object
			for _, c := range field.Choices {
				if strings.TrimSpace(c) == "" {
					return invalid("a choice of %s is empty", name)
				}
				if n := utf8.RuneCountInString(c); n > maxChoice {
					return long("characters in a choice of "+name, n, maxChoice)
				}
				value := packCommand(c)
				if n := utf8.RuneCountInString(value); n > maxChoiceValue {
					return long("characters in a choice of "+name+", as it is sent", n, maxChoiceValue)
				}
				options = append(options, object{"text": plainText(c, false), "value": value})
			}
			element = object{"type": "static_select", "action_id": formAction, "options": options}
			if field.Value != "" {
				i := slices.Index(field.Choices, field.Value)
				if i < 0 {
					return invalid("the value of %s is none of its choices", name)
				}
				element["initial_option"] = options[i]
			}
		case field.Value != "":
			element["initial_value"] = field.Value
		}
		block := object{"type": "input", "block_id": field.Name, "optional": !field.Required, "label": plainText(cutRunes(label, maxFormLabel), false), "element": element}
		if hint := strings.TrimSpace(adapter.PlainText(field.Hint)); hint != "" {
			block["hint"] = plainText(cutRunes(hint, maxFormLabel), false)
		}
		blocks = append(blocks, block)
	}
	meta, err := o.window()
	if err != nil {
		return "", err
	}
	view, err := json.Marshal(object{
		"type": "modal", "callback_id": f.ID, "private_metadata": meta, "blocks": blocks,
		"title":  plainText(cutRunes(strings.TrimSpace(adapter.PlainText(f.Title)), maxFormTitle), false),
		"submit": plainText("Submit", false), "close": plainText("Cancel", false),
	})
	return string(view), err
}

// submission is a view_submission payload (https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload).
type submission struct {
	User      person `json:"user"`
	TriggerID string `json:"trigger_id"`
	View      struct {
		ID         string `json:"id"`
		CallbackID string `json:"callback_id"`
		Metadata   string `json:"private_metadata"`
		State      struct {
			Values map[string]map[string]struct {
				Value    *string `json:"value"`
				Selected *struct {
					Value string `json:"value"`
				} `json:"selected_option"`
			} `json:"values"`
		} `json:"state"`
	} `json:"view"`
}

// submission decodes a form that was filled in. A window that was not made here is unknown.
func (d decoder) submission(raw json.RawMessage, now time.Time) (*received, verdict) {
	var s submission
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, malformed
	}
	var f window
	if json.Unmarshal([]byte(s.View.Metadata), &f) != nil || f.Version != 1 {
		return nil, unknown
	}
	if s.User.ID == "" || f.Room == "" || s.View.CallbackID == "" || s.TriggerID == "" {
		return nil, malformed
	}
	options := map[string]string{}
	for name, actions := range s.View.State.Values {
		switch entered := actions[formAction]; {
		case entered.Selected != nil:
			options[name] = unpackCommand(entered.Selected.Value)
		case entered.Value != nil && *entered.Value != "":
			options[name] = *entered.Value
		}
	}
	ev := &adapter.Event{
		ID: "form/" + digest(s.TriggerID+"/"+s.View.ID), Kind: adapter.KindInvocation, Adapter: d.adapter, Time: now.UTC().Round(0),
		Room: adapter.Room{ID: f.Room, Kind: kindByName(f.Room, "")}, Thread: f.Thread, User: d.whoActed(s.User),
		Invocation: &adapter.Invocation{Form: s.View.CallbackID, Options: options},
		Raw:        bare(raw),
	}
	ev.Origin = origin{URL: f.URL, Got: f.Got, User: s.User.ID, At: now.UnixMilli(), Trigger: s.TriggerID, Room: f.Room, Thread: f.Thread}.String()
	return &received{ev: ev, once: true, external: d.foreign(s.User.TeamID)}, deliver
}
