// Package inbound takes what platforms send over HTTP, as far as it is the same for all: a POST with a body of bounded size, and
// one answer to all that is not the platform's.
package inbound

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/starlingbot/starling/internal/replay"
)

// maxBody is how many bytes a request may have. Those of Slack, Discord and Mattermost are far below.
const maxBody = 1 << 20

// Post tells whether a request may be looked at; what is no POST is answered with 405.
func Post(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodPost {
		return true
	}
	w.Header().Set("Allow", http.MethodPost)
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	return false
}

// Body reads the body of a request, of at most 1 MiB; a larger one is answered with 413, one that cannot be read with 400, and ok
// is false then.
func Body(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		http.Error(w, "request body too large", http.StatusRequestEntityTooLarge)
		return nil, false
	}
	if err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return nil, false
	}
	return body, true
}

// Unauthorized is the answer, with 401, to all that is not the platform's; it never says why.
func Unauthorized(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = io.WriteString(w, "unauthorized\n")
}

// First tells whether a request that is known to be the platform's is new. One that came before is answered like one that is not
// the platform's, and one that nobody can tell of with 503.
func First(w http.ResponseWriter, log *slog.Logger, known *replay.Cache, key replay.Key) bool {
	first, full := known.First(key, time.Now())
	switch {
	case full:
		log.Error("too many requests in ten minutes to tell repeated ones")
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return false
	case !first:
		log.Debug("a request is refused: it came before")
		Unauthorized(w)
		return false
	}
	return true
}
