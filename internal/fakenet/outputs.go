package fakenet

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/starlingbot/starling/internal/canary"
)

// Strip takes out of a request what it carries on purpose because the platform wants it there: out of the address, as
// url.URL.RequestURI gives it, and out of the body. All else is searched for secrets.
type Strip func(address string, body []byte) (string, []byte)

// Record writes what clients send from now on into the outputs of package canary, without their headers. It is called before
// Serve, and does nothing where outputs are not written.
func (s *Server) Record(strip Strip) {
	if canary.On() {
		s.strip = strip
	}
}

// RecordFrame writes a frame of a websocket into the outputs.
func RecordFrame(host string, frame []byte) {
	canary.Write(canary.Bodies, fmt.Appendf(nil, "%s: %s\n", host, frame))
}

// RecordAnswer gives a way to w on which what a bot answers is written into the outputs.
func RecordAnswer(w http.ResponseWriter) http.ResponseWriter {
	if !canary.On() {
		return w
	}
	return answer{w}
}

type answer struct{ http.ResponseWriter }

func (a answer) Write(p []byte) (int, error) {
	canary.Write(canary.Bodies, fmt.Appendf(nil, "answered: %s\n", p))
	return a.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (a answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// recorded writes requests that h reads.
func (s *Server) recorded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := &body{ReadCloser: r.Body}
		b.over = sync.OnceFunc(func() {
			address, text := s.strip(r.URL.RequestURI(), b.read.Bytes())
			canary.Write(canary.Bodies, fmt.Appendf(nil, "%s %s%s: %s\n", r.Method, s.host, address, text))
		})
		defer b.over()
		r.Body = b
		h.ServeHTTP(w, r)
	})
}

// body is the body of a request that is kept while it is read.
type body struct {
	io.ReadCloser
	read bytes.Buffer
	over func() // at its end
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Write(p[:n])
	if err != nil {
		b.over()
	}
	return n, err
}
