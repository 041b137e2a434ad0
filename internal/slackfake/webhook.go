package slackfake

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/starlingbot/starling/internal/fakenet"
)

// Webhook switches from sockets to HTTP mode: events, commands and clicks are posted to h, signed.
func (s *Server) Webhook(h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.webhook = h
}

// Sign signs a request as https://docs.slack.dev/authentication/verifying-requests-from-slack says.
func Sign(r *http.Request, secret string, body []byte, at time.Time) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + stamp + ":"))
	mac.Write(body)
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
}

// Request makes the signed request for a payload of one of the kinds events_api, slash_commands and interactive.
func Request(kind string, payload map[string]any, secret string, at time.Time) *http.Request {
	body, _ := json.Marshal(payload)
	contentType := "application/json"
	switch kind {
	case "slash_commands":
		form := url.Values{}
		for k, v := range payload {
			form.Set(k, v.(string))
		}
		body, contentType = []byte(form.Encode()), "application/x-www-form-urlencoded"
	case "interactive":
		body, contentType = []byte(url.Values{"payload": {string(body)}}.Encode()), "application/x-www-form-urlencoded"
	}
	r := httptest.NewRequest(http.MethodPost, "/slack", bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	Sign(r, secret, body, at)
	return r
}

// postEnvelope delivers e over HTTP. It is called with s.mu held.
func (s *Server) postEnvelope(e *envelope) {
	h, secret, attempt, reason := s.webhook, s.opt.SigningSecret, e.attempt, e.reason
	e.at = &socket{}
	s.net.Go(func() {
		r := Request(e.Kind, e.payload, secret, time.Now())
		if attempt > 0 {
			r.Header.Set("X-Slack-Retry-Num", strconv.Itoa(attempt))
			r.Header.Set("X-Slack-Retry-Reason", reason)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(fakenet.RecordAnswer(w), r)
		if w.Code/100 == 2 {
			s.acknowledge(e.ID)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if e.Kind != "events_api" || attempt >= len(s.opt.Retry) || s.closed || w.Header().Get("X-Slack-No-Retry") == "1" {
			e.dead = true
			s.pending = slices.DeleteFunc(s.pending, func(x *envelope) bool { return x == e })
			s.lost = append(s.lost, e.EventID)
			return
		}
		e.attempt, e.reason = attempt+1, "http_error"
		e.timer = time.AfterFunc(s.opt.Retry[attempt], func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if !s.closed {
				s.postEnvelope(e)
			}
		})
	})
}
