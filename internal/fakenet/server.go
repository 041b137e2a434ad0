package fakenet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// errRefused is how a connection fails that nobody takes.
var errRefused = errors.New("connection refused")

// Server is the web server of a fake platform and the way to it. It is made by [New] or [Listen]. Its methods may be called
// concurrently, but Serve, which comes first.
type Server struct {
	host string
	ln   net.Listener
	pipe *Pipe // nil on loopback
	web  http.Server
	done chan struct{}
	wg   sync.WaitGroup

	refusals Faults[struct{}]
	strip    Strip // nil: requests are not recorded

	mu     sync.Mutex
	closed bool
	down   bool
}

// New makes a server that its own clients alone reach, over a [Pipe]. host is what addresses name it, such as "slack.test".
func New(host string) *Server {
	p := NewPipe()
	return &Server{host: host, ln: p, pipe: p, done: make(chan struct{})}
}

// Listen makes a server on a free port of loopback (127.0.0.1). Its error says why there is none.
func Listen() (*Server, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("fakenet: %w", err)
	}
	return &Server{host: ln.Addr().String(), ln: ln, done: make(chan struct{})}, nil
}

// Serve lets h answer from now on, and returns. It is called once, by who made the server, before anything else but Host.
func (s *Server) Serve(h http.Handler) {
	if s.strip != nil {
		h = s.recorded(h)
	}
	s.web.Handler = h
	s.Go(func() { _ = s.web.Serve(s.ln) }) // it ends at Close, which gives the error that counts
}

// Host is the host of the server's addresses: what New was given, or 127.0.0.1:port.
func (s *Server) Host() string { return s.host }

// Dial connects to the server whatever addr is over a Pipe, and to addr on loopback. It fits [http.Transport] and the
// dialer of a websocket. While the server is down its error is a [*net.OpError] "connection refused".
func (s *Server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if s.isDown() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errRefused}
	}
	if s.pipe != nil {
		return s.pipe.Dial(ctx)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// Client makes an HTTP client that reaches the server. call names a request for Refuse. Who asked for the client calls its
// CloseIdleConnections at the end.
func (s *Server) Client(call func(*http.Request) string) *http.Client {
	return &http.Client{Transport: &transport{Transport: &http.Transport{DialContext: s.Dial, MaxIdleConnsPerHost: 8}, s: s, call: call}}
}

// transport is the way to the server, on which a connection can be refused.
type transport struct {
	*http.Transport
	s    *Server
	call func(*http.Request) string
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.s.isDown() || t.s.refusals.Take(t.call(r)) != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errRefused}
	}
	return t.Transport.RoundTrip(r)
}

// SetDown makes every Dial and every request of a Client fail, or lets them through again. Other connections that are open stay.
func (s *Server) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *Server) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// Refuse makes the next times requests of the name call ("" is any) fail in a Client as if nobody took the connection: the
// server hears nothing of them. Times of less than 1 are 1.
func (s *Server) Refuse(call string, times int) { s.refusals.Add(call, times, struct{}{}) }

// ClearRefusals takes back what Refuse was told.
func (s *Server) ClearRefusals() { s.refusals.Clear() }

// Go runs f in a goroutine that Close waits for. When Close has been called, f does not run.
func (s *Server) Go(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.wg.Go(f)
	}
}

// Done is closed when Close is called.
func (s *Server) Done() <-chan struct{} { return s.done }

// Close ends the server and its connections, without waiting for requests, and returns when the functions of Go have. A
// connection that a handler took over, as that of a websocket, is the handler's to close, before. Close may be called more than
// once; only the first does something and may give an error, that of closing the listener.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	close(s.done)
	err := s.web.Close()
	_ = s.ln.Close() // where there was no Serve, which closes it
	s.wg.Wait()
	return err
}
