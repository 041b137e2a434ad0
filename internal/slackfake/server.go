package slackfake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Options say what the workspace is like. The zero value is ready.
type Options struct {
	BotToken, AppToken, SigningSecret string   // default xoxb-fake, xapp-fake and "fake-secret"
	Scopes                            []string // of the bot token; nil: every scope there is
	// Retry is when an event that was not acknowledged is delivered again, each counted from the attempt before; default
	// at once, 1 min, 5 min. AckWithin is how long an acknowledgement may take; default 3 s.
	Retry     []time.Duration
	AckWithin time.Duration
	// RoomBurst is how many messages a room takes at once before the rate of one a second; default 4.
	RoomBurst int
	// PingEvery is the interval of the pings on a socket; default 5 s.
	PingEvery time.Duration
	// SocketVia replaces host:port of the websocket's address, for a proxy; default: the server itself.
	SocketVia string
}

// Server is a Slack with one workspace.
type Server struct {
	opt  Options
	host string // host:port in addresses
	ln   net.Listener
	pipe *pipeListener // nil on loopback
	web  *http.Server
	done chan struct{}
	wg   sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	down     bool // nobody can connect
	seq      int64
	lastTS   int64
	team     string
	users    map[string]*User
	rooms    map[string]*Room
	order    []string // of rooms
	files    map[string]*File
	uploads  map[string]string // upload path -> file id
	triggers map[string]*trigger
	views    map[string]*View // by user: one window at a time
	posts    []*Message       // in the order shown, ephemeral ones too
	buckets  map[string]*bucket
	revoked  bool
	faults   []*Fault
	tickets  map[string]bool
	sockets  []*socket
	turn     int // round robin over sockets
	pending  []*envelope
	last     *envelope
	lost     []string // event ids given up
	refuse   int      // sockets that get too_many_websockets
	mute     int      // sockets that get no hello
	acks     int
	calls    map[string]int
	opens    []time.Time
	accepts  []time.Time // of messages by the rate limit, refused ones too
	limited  int         // 429 that the room limit gave
	mistakes []string    // what no client may do
	changed  chan struct{}
	webhook  http.Handler // where HTTP mode delivers; nil: over sockets
}

// New makes a server that is reached over net.Pipe.
func New(opt Options) *Server {
	s := prepare(opt)
	s.pipe = &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	s.start(s.pipe, "slack.test")
	return s
}

// Listen makes a server on a free port of loopback.
func Listen(opt Options) (*Server, error) {
	s := prepare(opt)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("slackfake: %w", err)
	}
	s.start(ln, ln.Addr().String())
	return s, nil
}

func prepare(opt Options) *Server {
	def := func(s *string, d string) {
		if *s == "" {
			*s = d
		}
	}
	def(&opt.BotToken, "xoxb-fake")
	def(&opt.AppToken, "xapp-fake")
	def(&opt.SigningSecret, "fake-secret")
	if opt.Retry == nil {
		opt.Retry = []time.Duration{0, time.Minute, 5 * time.Minute}
	}
	if opt.AckWithin == 0 {
		opt.AckWithin = 3 * time.Second
	}
	if opt.RoomBurst == 0 {
		opt.RoomBurst = 4
	}
	if opt.PingEvery == 0 {
		opt.PingEvery = 5 * time.Second
	}
	s := &Server{
		opt: opt, done: make(chan struct{}), team: "T01", users: map[string]*User{}, rooms: map[string]*Room{}, files: map[string]*File{},
		uploads: map[string]string{}, triggers: map[string]*trigger{}, views: map[string]*View{}, buckets: map[string]*bucket{}, tickets: map[string]bool{}, calls: map[string]int{}, changed: make(chan struct{}),
	}
	s.AddUser(User{ID: BotUser, Name: "starling", Bot: true})
	return s
}

// The ids of the bot.
const (
	BotUser = "U0BOT"
	BotID   = "B0BOT"
	AppID   = "A0APP"
)

func (s *Server) start(ln net.Listener, host string) {
	s.ln, s.host = ln, host
	s.web = &http.Server{Handler: http.HandlerFunc(s.serve)}
	s.wg.Go(func() { _ = s.web.Serve(ln) })
}

// URL is the base of the Web API, with the slash at the end.
func (s *Server) URL() string { return "http://" + s.host + "/api/" }

// Host is host:port of the server.
func (s *Server) Host() string { return s.host }

// dial connects to the server, unless it is down.
func (s *Server) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	s.mu.Lock()
	down := s.down
	s.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
	}
	if s.pipe != nil {
		return s.pipe.dial(ctx)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// Client makes an HTTP client that reaches the server; close its idle connections at the end.
func (s *Server) Client() *http.Client {
	return &http.Client{Transport: &transport{Transport: &http.Transport{DialContext: s.dial, MaxIdleConnsPerHost: 8}, s: s}}
}

// transport is the way to the server, on which a connection can be refused.
type transport struct {
	*http.Transport
	s *Server
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.s.refused(path.Base(r.URL.Path)) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	return t.Transport.RoundTrip(r)
}

func (s *Server) refused(method string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return true
	}
	for i, f := range s.faults {
		if f.Kind == FaultRefused && (f.Method == "" || f.Method == method) {
			if f.Times--; f.Times <= 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
			return true
		}
	}
	return false
}

// Dialer makes a websocket dialer that reaches the server.
func (s *Server) Dialer() *websocket.Dialer {
	return &websocket.Dialer{NetDialContext: s.dial, HandshakeTimeout: 10 * time.Second, WriteBufferSize: 32 << 10}
}

// Close ends the server and all its connections.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	sockets := s.sockets
	s.mu.Unlock()
	close(s.done)
	for _, c := range sockets {
		c.cut()
	}
	err := s.web.Close()
	if s.pipe != nil {
		s.pipe.close()
	}
	s.wg.Wait()
	return err
}

// wake tells those who wait in Await. It is called with s.mu held.
func (s *Server) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Await waits until ok, which is called with nothing held, or ctx ends.
func (s *Server) Await(ctx context.Context, ok func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if ok() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// id makes an id. It is called with s.mu held.
func (s *Server) id(prefix string) string {
	s.seq++
	return fmt.Sprintf("%s%08d", prefix, s.seq)
}

// ts makes the next message stamp. It is called with s.mu held.
func (s *Server) ts() string {
	now := time.Now().UnixMicro()
	s.lastTS = max(s.lastTS+1, now)
	return fmt.Sprintf("%d.%06d", s.lastTS/1e6, s.lastTS%1e6)
}

// Calls tells how often a method was called.
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// Opens gives when apps.connections.open was called.
func (s *Server) Opens() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.opens...)
}

// Limited counts the messages that were refused because a room had too many.
func (s *Server) Limited() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limited
}

// Mistakes gives what a client did that none may do.
func (s *Server) Mistakes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.mistakes...)
}

// SetDown makes every new connection fail, or lets them through again.
func (s *Server) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// Revoke revokes both tokens.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = true
}

// serve is the whole server.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/"):
		s.serveAPI(w, r, strings.TrimPrefix(r.URL.Path, "/api/"))
	case strings.HasPrefix(r.URL.Path, "/socket"):
		s.serveSocket(w, r)
	case strings.HasPrefix(r.URL.Path, "/upload/"):
		s.serveUpload(w, r)
	case strings.HasPrefix(r.URL.Path, "/files/"):
		s.serveDownload(w, r)
	case strings.HasPrefix(r.URL.Path, "/response/"):
		s.serveResponse(w, r)
	default:
		http.NotFound(w, r)
	}
}

// pipeListener accepts connections made of net.Pipe.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: ctx.Err()}
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) close()         { l.once.Do(func() { close(l.done) }) }
func (l *pipeListener) Close() error   { l.close(); return nil }
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
