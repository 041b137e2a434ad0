package slack

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/starlingbot/starling/internal/inbound"
)

// HTTPHandler implements [adapter.HTTPHandler]: HTTP mode, also for functions that run only while they are called. It takes
// events, slash commands and interactivity at any path below where it is mounted, so one Request URL serves all three.
//
// What is not signed by Slack gets 401 and nothing else, and so does everything while there are no SigningSecrets. A
// request is answered with 200 after the sink has taken it, within 2.5 s; else with 503, and Slack sends it again.
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
		a.log.Debug("a request is refused: it is not signed by slack, or its stamp is off by more than five minutes")
		inbound.Unauthorized(w)
		return
	}
	if !inbound.First(w, a.log, a.verify.replays, sig) {
		return
	}
	if !a.receive(w, r, body) {
		a.verify.replays.Again(sig)
	}
}

// receive takes a verified request; false if Slack is to send it again.
func (a *Adapter) receive(w http.ResponseWriter, r *http.Request, body []byte) bool {
	kind, payload := "events_api", json.RawMessage(body)
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		switch {
		case err != nil:
			http.Error(w, "bad request", http.StatusBadRequest)
			return true
		case form.Get("ssl_check") == "1":
			return true
		case form.Has("payload"):
			kind, payload = "interactive", json.RawMessage(form.Get("payload"))
		default:
			kind = "slash_commands"
			fields := map[string]string{}
			for k := range form {
				fields[k] = form.Get(k)
			}
			if payload, err = json.Marshal(fields); err != nil {
				http.Error(w, "bad request", http.StatusBadRequest)
				return true
			}
		}
	} else {
		var head struct {
			Type      string `json:"type"`
			Challenge string `json:"challenge"`
		}
		if json.Unmarshal(body, &head) != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return true
		}
		if head.Type == "url_verification" {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, head.Challenge)
			return true
		}
	}
	in := a.intake.Load()
	if in == nil {
		http.Error(w, "the bot does not run", http.StatusServiceUnavailable)
		return false
	}
	received := a.decode(kind, payload)
	if received == nil {
		return true // counted; 200, so that it does not come again
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerIn)
	defer cancel()
	if err := in.hear(ctx, received); err != nil {
		http.Error(w, "not taken", http.StatusServiceUnavailable)
		return false
	}
	return true
}
