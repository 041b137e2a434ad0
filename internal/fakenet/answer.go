package fakenet

import (
	"io"
	"net/http"
)

// Answer answers with a body as it is: the page of a guard before the platform, or JSON that ends in the middle.
func Answer(w http.ResponseWriter, status int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // who went away gets nothing
}

// Cut ends the connection of a request without an answer. Nothing may have been written to w. Where the connection cannot be
// taken over it panics with [http.ErrAbortHandler], which has net/http end it.
func Cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = conn.Close()
}

// Hang returns when the client of r has gone away, or Close is called, and not before: the answer never comes.
func (s *Server) Hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-s.done:
	}
}
