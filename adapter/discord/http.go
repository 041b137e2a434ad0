package discord

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	maxBody = 1 << 20                 // bytes of a request; Discord's are far below
	heldFor = 2900 * time.Millisecond // until Discord gives a request up
)

// HTTPHandler implements [adapter.HTTPHandler]: commands, clicks, windows and completion over HTTP, at any path below where it is
// mounted ("Interactions Endpoint URL" on the application's page General Information). Discord sends them there instead of
// over the gateway; messages never come over HTTP.
//
// What is not signed by Discord gets 401 and nothing else, and so does everything while there are no PublicKeys. A request is
// answered when the interaction was: with 202, because the answer itself goes over the API.
func (a *Adapter) HTTPHandler() http.Handler { return http.HandlerFunc(a.serveHTTP) }

// unauthorized is the answer to all that is not Discord's; it never says why.
func unauthorized(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = io.WriteString(w, "unauthorized\n")
}

func (a *Adapter) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if a.verify == nil {
		unauthorized(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		http.Error(w, "request body too large", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	now := time.Now()
	sig, ok := a.verify.check(r.Header, body, now)
	if !ok {
		a.log.Debug("a request is refused: it is not signed by discord, or its stamp is off by more than five minutes")
		unauthorized(w)
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
	first, full := a.verify.first(sig, now)
	switch {
	case full:
		a.log.Error("too many requests in ten minutes to tell repeated ones")
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	case !first:
		a.log.Debug("a request is refused: it came before")
		unauthorized(w)
		return
	}
	in := a.intake.Load()
	if in == nil || !in.begin() {
		http.Error(w, "the bot does not run", http.StatusServiceUnavailable)
		return
	}
	defer in.wg.Done()
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
