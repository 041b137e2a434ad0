package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/apiclient"
)

// respond answers an interaction with m: as its first answer, in the place of "is thinking", or as a message after it. A
// message for one user is never put where everybody sees it.
func (a *Adapter) respond(ctx context.Context, m *adapter.Message, o origin, body payload) (adapter.Ref, error) {
	w := a.answers.of(o, time.Now())
	if err := w.enter(ctx); err != nil {
		return adapter.Ref{}, err
	}
	defer w.exit()
	if id, ok := w.sent[m.Key]; ok && m.Key != "" {
		return adapter.Ref{Address: m.To, ID: id}, nil
	}
	if m.Only != "" {
		body.Flags |= flagEphemeral
	}
	for range 6 { // each state leads to another one, a few at most
		if time.Since(w.arrived) > tokenFor {
			w.state = stateGone
		}
		switch w.state {
		case stateGone:
			return a.instead(ctx, m, body)
		case stateNew:
			if time.Since(w.arrived) > 2900*time.Millisecond {
				w.state = stateUnknown
				continue
			}
			id, err := a.first(ctx, w, m, body)
			if err == nil {
				return w.done(a, m, id), nil
			}
			if w.state == stateUnknown || w.state == stateGone {
				continue
			}
			if adapter.OutcomeOf(err) == adapter.Unknown {
				w.state = stateLost
				w.lose(m.Key)
			}
			return adapter.Ref{}, err
		case stateLost, stateUnknown:
			id, err := a.look(ctx, w)
			if err != nil {
				return adapter.Ref{}, err
			}
			if _, ours := w.lost[m.Key]; ours && id != "" && m.Key != "" {
				return w.done(a, m, id), nil
			}
		case stateWaiting:
			if m.Only != "" { // what stands there is for everybody, whatever an answer says
				err := a.call(ctx, "answer", http.MethodDelete, w.o.webhook()+"/messages/@original", nil, nil)
				if err != nil && !errors.Is(err, adapter.ErrNotFound) {
					return adapter.Ref{}, apiclient.NothingPosted(err)
				}
				w.state = stateOpen
				continue
			}
			var msg posted
			err := a.deliver(ctx, "answer", http.MethodPatch, w.o.webhook()+"/messages/@original", &body, m.Files, nil, &msg)
			if hasCode(err, 10015, 50027) {
				w.state = stateGone
				continue
			}
			if hasCode(err, 10008) { // somebody deleted it
				w.state = stateOpen
				continue
			}
			if err != nil {
				if adapter.OutcomeOf(err) == adapter.Unknown { // it may stand there, and must not be written over
					w.state = stateLost
					w.lose(m.Key)
				}
				return adapter.Ref{}, err
			}
			w.state = stateOpen
			return w.done(a, m, msg.ID), nil
		case stateOpen:
			id, err := a.follow(ctx, w, m, body)
			if hasCode(err, 10015, 50027) {
				w.state = stateGone
				continue
			}
			if err != nil {
				return adapter.Ref{}, err
			}
			return w.done(a, m, id), nil
		}
	}
	return adapter.Ref{}, errors.New("discord: answer: the interaction changes as it is answered")
}

// done notes that m was posted.
func (w *answer) done(a *Adapter, m *adapter.Message, id string) adapter.Ref {
	a.answers.posted(id, w)
	a.spoken.note(id, m.Text, true)
	if m.Only != "" {
		id = ephemeralPrefix + id
	}
	if m.Key != "" && len(w.sent) < maxSent {
		w.sent[m.Key] = id
	}
	delete(w.lost, m.Key)
	return adapter.Ref{Address: m.To, ID: id}
}

// lose notes that nobody knows whether the message with this key was posted.
func (w *answer) lose(key string) {
	if key != "" && len(w.lost) < maxSent {
		w.lost[key] = time.Now()
	}
}

// first gives the first answer, and its id.
func (a *Adapter) first(ctx context.Context, w *answer, m *adapter.Message, body payload) (string, error) {
	var got struct {
		Interaction struct {
			Message string `json:"response_message_id"`
		} `json:"interaction"`
		Resource struct {
			Message posted `json:"message"`
		} `json:"resource"`
	}
	err := w.acknowledge(true, func(path string) error {
		return a.deliver(ctx, "answer an interaction", http.MethodPost, path, &body, m.Files, func(p *payload) any {
			return map[string]any{"type": responseMessage, "data": p}
		}, &got)
	})
	if err != nil {
		return "", err
	}
	w.state = stateOpen
	if id := got.Resource.Message.ID; isID(id) {
		return id, nil
	}
	if id := got.Interaction.Message; isID(id) {
		return id, nil
	}
	var msg posted // an older server says nothing: it is posted all the same
	if err := a.call(ctx, "answer an interaction", http.MethodGet, w.o.webhook()+"/messages/@original", nil, &msg); err != nil || !isID(msg.ID) {
		a.log.Debug("the id of an answer is not known", "error", err)
		return w.o.ID, nil
	}
	return msg.ID, nil
}

// look asks Discord how far an interaction is answered, and gives the id of the first answer where it is one.
func (a *Adapter) look(ctx context.Context, w *answer) (string, error) {
	var msg posted
	err := a.call(ctx, "answer", http.MethodGet, w.o.webhook()+"/messages/@original", nil, &msg)
	young := time.Since(w.arrived) < 2900*time.Millisecond
	switch {
	case err == nil && msg.Flags&flagLoading != 0:
		w.state = stateWaiting
		w.settle()
	case err == nil:
		w.state = stateOpen
		w.settle()
		return msg.ID, nil
	case hasCode(err, 10015) && young:
		w.state = stateNew
	case hasCode(err, 10015, 50027, 10062):
		w.state = stateGone
		w.settle()
	case errors.Is(err, adapter.ErrNotFound): // it was answered, and the answer deleted
		w.state = stateOpen
		w.settle()
	default:
		return "", apiclient.NothingPosted(err)
	}
	return "", nil
}

// follow posts a message after the first answer. Discord knows no nonce here: one of unknown outcome is looked for in the
// room before it is posted once more.
func (a *Adapter) follow(ctx context.Context, w *answer, m *adapter.Message, body payload) (string, error) {
	if at, ok := w.lost[m.Key]; ok && m.Key != "" && m.Only == "" {
		id, err := a.lookFor(ctx, target(m.To), at, body.Content)
		if err != nil {
			a.log.Debug("whether an answer was posted cannot be told", "error", err)
		}
		if id != "" {
			return id, nil
		}
	}
	var msg posted
	err := a.deliver(ctx, "answer", http.MethodPost, w.o.webhook()+"?wait=true", &body, m.Files, nil, &msg)
	if err != nil {
		if adapter.OutcomeOf(err) == adapter.Unknown {
			w.lose(m.Key)
		}
		return "", err
	}
	return msg.ID, nil
}

// lookFor finds a message of the bot that says content, posted since a time; "" if there is none.
func (a *Adapter) lookFor(ctx context.Context, channel string, since time.Time, content string) (string, error) {
	if err := a.known(ctx); err != nil {
		return "", err
	}
	var list []wireMessage
	path := "channels/" + channel + "/messages?limit=100&after=" + idAt(since.Add(a.web.Skew()-5*time.Second))
	if err := a.call(ctx, "look for an answer", http.MethodGet, path, nil, &list); err != nil {
		return "", err
	}
	me := a.me.Load().user
	for i := range list {
		if l := &list[i]; l.Author != nil && l.Author.ID == me && l.Content != nil && *l.Content == content && content != "" {
			return l.ID, nil
		}
	}
	return "", nil
}

// instead posts an answer whose interaction is over: as an ordinary message, or for one user in the direct room.
func (a *Adapter) instead(ctx context.Context, m *adapter.Message, body payload) (adapter.Ref, error) {
	body.Flags &^= flagEphemeral
	if m.Only == "" {
		return a.post(ctx, m, body)
	}
	room, err := a.OpenDirect(ctx, m.Only)
	if err != nil {
		return adapter.Ref{}, fmt.Errorf("discord: send: %w: the time for an answer that one user alone sees is over, and there is no direct room: %w", adapter.ErrForbidden, err)
	}
	c := *m
	c.To = adapter.Address{Adapter: m.To.Adapter, Room: room.ID}
	return a.post(ctx, &c, body)
}

// OpenForm implements [adapter.FormOpener]: at most five fields, as the first answer to a command or a click, within three
// seconds. A field with Choices shows them as its hint: Discord's windows take text.
func (a *Adapter) OpenForm(ctx context.Context, from string, f *adapter.Form) error {
	if err := a.life.Usable(ctx, "open a form"); err != nil {
		return err
	}
	o, ok := readOrigin(from)
	if !ok || o.Kind == interactionForm {
		return fmt.Errorf("discord: open a form: %w: a window opens as the answer to a command or a button alone", adapter.ErrUnsupported)
	}
	body, err := window(f)
	if err != nil {
		return fmt.Errorf("discord: open a form: %w", err)
	}
	w := a.answers.of(o, time.Now())
	if err := w.enter(ctx); err != nil {
		return err
	}
	defer w.exit()
	if w.state != stateNew || time.Since(w.arrived) > 2900*time.Millisecond {
		return fmt.Errorf("discord: open a form: %w: %w", adapter.ErrNotFound, errGone)
	}
	err = a.callback(ctx, w, map[string]any{"type": responseForm, "data": body}, nil)
	switch {
	case err == nil:
		w.state = stateOpen
	case w.state != stateNew:
		return fmt.Errorf("discord: open a form: %w: %w", adapter.ErrNotFound, err)
	case adapter.OutcomeOf(err) == adapter.Unknown:
		w.state = stateLost
	}
	return err
}

// The limits of a window (https://discord.com/developers/docs/components/reference#text-input).
const (
	maxInputs = 5
	maxTitle  = 45
	maxHint   = 100
	maxValue  = 4_000
)

// window makes a modal of a form.
func window(f *adapter.Form) (any, error) {
	switch {
	case f.ID == "" || len(f.ID) > 64 || strings.ContainsFunc(f.ID, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r))
	}):
		return nil, fmt.Errorf("%w: the form's id %q is not 1 to 64 of a-z, A-Z, 0-9, and - _ . as they are", adapter.ErrInvalid, cutRunes(f.ID, 64))
	case len(f.Fields) == 0:
		return nil, fmt.Errorf("%w: the form has no field", adapter.ErrInvalid)
	case len(f.Fields) > maxInputs:
		return nil, fmt.Errorf("%w: %d fields; discord's window takes %d", adapter.ErrTooLong, len(f.Fields), maxInputs)
	}
	title := cutRunes(strings.TrimSpace(adapter.PlainText(f.Title)), maxTitle)
	if title == "" {
		title = "…"
	}
	type input struct {
		Type        int    `json:"type"`
		CustomID    string `json:"custom_id"`
		Label       string `json:"label"`
		Style       int    `json:"style"`
		Placeholder string `json:"placeholder,omitempty"`
		Value       string `json:"value,omitempty"`
		Required    bool   `json:"required"`
	}
	type line struct {
		Type       int     `json:"type"`
		Components []input `json:"components"`
	}
	var lines []line
	var names []string
	for _, field := range f.Fields {
		if n := utf8.RuneCountInString(field.Name); n == 0 || n > maxCustomID || slices.Contains(names, field.Name) {
			return nil, fmt.Errorf("%w: the field %q has no name of its own with 1 to %d characters", adapter.ErrInvalid, cutRunes(field.Name, 40), maxCustomID)
		}
		names = append(names, field.Name)
		if utf8.RuneCountInString(field.Value) > maxValue {
			return nil, fmt.Errorf("%w: what stands in the field %q has over %d characters", adapter.ErrTooLong, field.Name, maxValue)
		}
		label := cutRunes(strings.TrimSpace(adapter.PlainText(field.Label)), maxTitle)
		if label == "" {
			label = cutRunes(field.Name, maxTitle)
		}
		hint := adapter.PlainText(field.Hint)
		if len(field.Choices) > 0 {
			if hint != "" {
				hint += ": "
			}
			hint += strings.Join(field.Choices, ", ")
		}
		in := input{Type: componentInput, CustomID: field.Name, Label: label, Style: 1, Placeholder: cutRunes(hint, maxHint), Value: field.Value, Required: field.Required}
		if field.Long {
			in.Style = 2
		}
		lines = append(lines, line{Type: 1, Components: []input{in}})
	}
	return struct {
		CustomID   string `json:"custom_id"`
		Title      string `json:"title"`
		Components []line `json:"components"`
	}{formPrefix + f.ID, title, lines}, nil
}
