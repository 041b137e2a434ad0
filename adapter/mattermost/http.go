package mattermost

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/inbound"
)

const (
	takeIn   = 2500 * time.Millisecond
	answerIn = 2 * time.Second // the server waits 30 s, but the person does too
)

// HTTPHandler implements [adapter.HTTPHandler]. It takes slash commands, buttons, forms and outgoing webhooks at any path below
// where it is mounted, so one address serves all four.
//
// What is not from the server gets 401 and nothing else, whatever is wrong with it. A request is answered after the sink has
// taken it, with the bot's answer if that comes within two seconds and is one that the server shows as it should be, else empty;
// with 503 where the sink has not taken it within 2.5 s, which the person is told.
func (a *Adapter) HTTPHandler() http.Handler { return http.HandlerFunc(a.serveHTTP) }

// callback is a request that is known to be the server's.
type callback struct {
	r      *received // nil: there is nothing to hand over
	kind   string    // command, click, form or hook
	replay string    // what names it
	origin origin
	said   string // an answer without the bot
}

// errRefused says why a request is not taken for the server's.
type errRefused struct{ why error }

func (e *errRefused) Error() string { return e.why.Error() }

func (a *Adapter) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if !inbound.Post(w, r) {
		return
	}
	body, ok := inbound.Body(w, r)
	if !ok {
		return
	}
	in := a.intake.Load()
	if in == nil || a.me.Load() == nil || a.life.Context().Err() != nil { // the server's key is not known before Run, so nothing can be checked
		unavailable(w)
		return
	}
	begun := time.Now()
	cb, err := a.readCallback(r, body, a.now())
	var refused *errRefused
	switch {
	case errors.As(err, &refused):
		a.log.Debug("a request is refused", "why", refused.why)
		inbound.Unauthorized(w)
		return
	case err != nil: // the platform could not be asked about it
		a.log.Warn("a callback cannot be checked", "error", err)
		unavailable(w)
		return
	case cb.r == nil:
		if err := reply(w, &answer{kind: cb.kind, text: cb.said}); err != nil {
			a.log.Debug("an answer could not be written", "error", err)
		}
		return
	}
	key := replayKey(cb.replay)
	if !inbound.First(w, a.log, a.once, key) {
		return
	}
	if !a.deliver(w, r, in, cb, begun) {
		a.once.Again(key)
	}
}

func unavailable(w http.ResponseWriter) {
	http.Error(w, "the bot cannot take it now", http.StatusServiceUnavailable)
}

// deliver hands a callback over and answers it; false if it was not taken.
func (a *Adapter) deliver(w http.ResponseWriter, r *http.Request, in *intake, cb *callback, begun time.Time) bool {
	var wait *waiter
	if cb.kind != kindForm {
		wait = a.waiting.add(cb.kind, cb.origin.User, cb.origin.Room)
	}
	if wait != nil {
		defer a.waiting.remove(wait)
		cb.origin.Wait = wait.id
	}
	cb.r.ev.Origin = cb.origin.String()
	cb.r.until = begun.Add(takeIn)
	ctx, cancel := context.WithDeadline(r.Context(), cb.r.until)
	defer cancel()
	if err := in.hear(ctx, cb.r); err != nil {
		unavailable(w)
		return false
	}
	if wait == nil {
		a.empty(w, cb.kind)
		return true
	}
	t := time.NewTimer(time.Until(begun.Add(answerIn)))
	defer t.Stop()
	select {
	case <-wait.ready:
	case <-t.C:
	case <-r.Context().Done():
	case <-in.ctx.Done():
	}
	said := wait.close()
	if said == nil {
		a.empty(w, cb.kind)
		return true
	}
	said.done <- reply(w, said)
	return true
}

// empty answers that there is nothing to say here.
func (a *Adapter) empty(w http.ResponseWriter, kind string) {
	if err := reply(w, &answer{kind: kind}); err != nil {
		a.log.Debug("an answer could not be written", "error", err)
	}
}

// reply writes an answer in the form that the server wants for it.
func reply(w http.ResponseWriter, said *answer) error {
	var v any = struct{}{}
	switch said.kind {
	case kindCommand:
		if said.text != "" || len(said.attachments) > 0 {
			v = said.command()
		}
	case kindClick:
		if said.text != "" {
			v = &model.PostActionIntegrationResponse{EphemeralText: said.text, SkipSlackParsing: true}
		}
	case kindForm:
		if said.text != "" {
			v = &model.SubmitDialogResponse{Error: said.text}
		}
	case kindHook:
		if said.text != "" {
			text := noTags(said.text)
			v = &model.OutgoingWebhookResponse{Text: &text, Props: said.props}
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, err = w.Write(b)
	if f, ok := w.(http.Flusher); ok && err == nil {
		f.Flush()
	}
	return err
}

// readCallback finds out what a request is, and that it is the server's.
func (a *Adapter) readCallback(r *http.Request, body []byte, now time.Time) (*callback, error) {
	no := func(why string) (*callback, error) { return nil, &errRefused{errors.New(why)} }
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch media {
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return no("its form cannot be read")
		}
		for k, v := range form { // what stands twice is read differently by different readers
			if len(v) > 1 && !manyOf[k] {
				return no("its form has a value twice")
			}
		}
		if form.Has("trigger_word") {
			return a.readHook(hookOf(form))
		}
		return a.readCommand(r.Header, form, now)
	case "application/json":
		var head struct {
			Type    string          `json:"type"`
			Context json.RawMessage `json:"context"`
			Word    *string         `json:"trigger_word"`
		}
		if json.Unmarshal(body, &head) != nil {
			return no("its JSON cannot be read")
		}
		switch {
		case head.Type == "dialog_submission":
			return a.readForm(body, now)
		case head.Word != nil:
			var p model.OutgoingWebhookPayload
			if json.Unmarshal(body, &p) != nil {
				return no("its JSON cannot be read")
			}
			return a.readHook(&p)
		case len(head.Context) > 0:
			return a.readClick(r.Context(), body, now)
		}
	}
	return no("it is neither a command, a button, a form nor a webhook")
}

// manyOf are the values of a slash command's form that may stand several times.
var manyOf = map[string]bool{"user_mentions": true, "user_mentions_ids": true, "channel_mentions": true, "channel_mentions_ids": true} // read only

// roomKnown gives what is remembered of a room; its kind is looked up later where it is not.
func (a *Adapter) roomKnown(id string) adapter.Room {
	if r, ok := a.rooms.Peek(id); ok {
		return r.Room
	}
	return adapter.Room{ID: id}
}
