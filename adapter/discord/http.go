package discord

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/starlingbot/starling/internal/inbound"
)

const (
	heldFor = 2900 * time.Millisecond // until Discord gives a request up
)

// HTTPHandler implements [adapter.HTTPHandler]: commands, clicks, windows and completion over HTTP, at any path below where it is
// mounted ("Interactions Endpoint URL" on the application's page General Information). Discord sends them there instead of
// over the gateway; messages never come over HTTP.
//
// What is not signed by Discord gets 401 and nothing else, and so does everything while there are no PublicKeys. A request is
// answered when the interaction was: with 202, because the answer itself goes over the API.
func (a *Adapter) HTTPHandler() http.Handler { return http.HandlerFunc(a.serveHTTP) }

func (a *Adapter) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if !inbound.Post(w, r) {
		return
	}
	if a.verify == nil {
		inbound.Unauthorized(w)
		return
	}
	body, ok := inbound.Body(w, r)
	if !ok {
		return
	}
	now := time.Now()
	sig, ok := a.verify.check(r.Header, body, now)
	if !ok {
		a.log.Debug("a request is refused: it is not signed by discord, or its stamp is off by more than five minutes")
		inbound.Unauthorized(w)
		return
	}
	var head struct {
		Type int `json:"type"`
	}
	if json.Unmarshal(body, &head) != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	if head.Type == interactionPing { // says nothing and does nothing: it may come twice
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"type":1}`)
		return
	}
	if !inbound.First(w, a.log, a.verify.replays, sig) {
		return
	}
	in := a.intake.Load()
	if in == nil {
		http.Error(w, "the bot does not run", http.StatusServiceUnavailable)
		return
	}
	release, ok := in.lanes.Hold()
	if !ok {
		http.Error(w, "the bot does not run", http.StatusServiceUnavailable)
		return
	}
	defer release()
	answer := a.interact(in.ctx, in, body)
	if answer == nil { // counted
		w.WriteHeader(http.StatusAccepted)
		return
	}
	late := time.NewTimer(heldFor)
	defer late.Stop()
	select {
	case <-answer.first:
		w.WriteHeader(http.StatusAccepted)
	case <-late.C:
		http.Error(w, "not answered", http.StatusInternalServerError)
	case <-r.Context().Done():
	}
}
