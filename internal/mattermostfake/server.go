package mattermostfake

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Options say what the server is like. The zero value is ready.
type Options struct {
	Token, AdminToken string // of the bot and of an administrator; default Token and AdminToken
	SystemAdmin       bool   // the bot may do what an administrator may: post ephemeral messages
	MaxFile           int64  // bytes; default 100 MiB
	MaxPost           int    // runes of a post; default 16,383
	NoKey             bool   // the server does not tell the key with which it signs trigger ids
	// Queue is how many events wait for a websocket that is gone, or slow, before the server gives it up; default 256. Dead is
	// how many of those that were sent are kept; default 128. Keep is how long a websocket that is gone is remembered; default
	// 5 min.
	Queue, Dead int
	Keep        time.Duration
	PingEvery   time.Duration // of the server's pings; default 60 s
	// SameMilli lets posts of one moment have the same time, as on a real server. Else each is later than the one before.
	SameMilli bool
	// Limit turns the rate limit on: so many requests a second, Burst at once.
	Limit, Burst int
}

// The default tokens, and the key of Options.
const (
	Token      = "fakebottokenfakebottokenfa"
	AdminToken = "fakeadmintokenfakeadmintok"
	callback   = "bot.test" // the host of the bot's own server
)

// CallbackURL is where [Server.SetCallback] puts the bot's handler.
const CallbackURL = "http://" + callback + "/adapters/mattermost/"

// Server is a Mattermost with one bot.
type Server struct {
	opt  Options
	host string
	ln   net.Listener
	pipe *pipeListener // nil on loopback
	web  *http.Server
	key  *ecdsa.PrivateKey
	done chan struct{}
	wg   sync.WaitGroup

	back    *pipeListener // the bot's server
	backWeb *http.Server
	caller  *http.Client // calls the bot

	mu       sync.Mutex
	handler  http.Handler // of the bot; nil: nobody listens
	closed   bool
	down     bool
	revoked  bool
	seq      int64
	lastAt   int64
	users    map[string]*User
	rooms    map[string]*Room
	order    []string // of rooms
	teams    map[string]*Team
	posts    map[string]*Post
	said     []*Post // in the order of creation, ephemeral ones too
	pending  map[string]*pendingPost
	files    map[string]*File
	uploads  map[string]*upload
	commands map[string]*Command
	hooks    map[string]*hook // response_url
	outgoing []*Outgoing
	dialogs  []Dialog
	typing   map[string]int
	tokens   float64 // of the rate limit
	filledAt time.Time
	faults   []*Fault
	conns    map[string]*conn // of the bot, by connection id
	sockets  []*socket
	drop     int  // events that no connection gets
	swallow  int  // events that are lost on the way
	mute     int  // websockets that get no hello
	hung     bool // nothing is read or written
	calls    map[string]int
	dials    []time.Time
	limited  []time.Time // requests that were refused for too many
	mistakes []string
	changed  chan struct{}
}

// ID makes an id in Mattermost's form of a readable name: ID("alice").
func ID(name string) string {
	return (strings.ToLower(name) + strings.Repeat("0", 26))[:26]
}

// New makes a server that is reached over net.Pipe.
func New(opt Options) *Server {
	s := prepare(opt)
	s.pipe = newPipe()
	s.start(s.pipe, "mattermost.test")
	return s
}

// Listen makes a server on a free port of loopback.
func Listen(opt Options) (*Server, error) {
	s := prepare(opt)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("mattermostfake: %w", err)
	}
	s.start(ln, ln.Addr().String())
	return s, nil
}

// The bot, its team and its name.
var (
	Bot  = ID("starling")
	Main = ID("mainteam")
)

func prepare(opt Options) *Server {
	if opt.Token == "" {
		opt.Token = Token
	}
	if opt.AdminToken == "" {
		opt.AdminToken = AdminToken
	}
	if opt.MaxFile == 0 {
		opt.MaxFile = 100 << 20
	}
	if opt.MaxPost == 0 {
		opt.MaxPost = 16_383
	}
	if opt.Queue == 0 {
		opt.Queue = 256
	}
	if opt.Dead == 0 {
		opt.Dead = 128
	}
	if opt.Keep == 0 {
		opt.Keep = 5 * time.Minute
	}
	if opt.PingEvery == 0 {
		opt.PingEvery = time.Minute
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the system has no randomness
	}
	s := &Server{
		opt: opt, key: key, done: make(chan struct{}), users: map[string]*User{}, rooms: map[string]*Room{}, teams: map[string]*Team{}, posts: map[string]*Post{},
		pending: map[string]*pendingPost{}, files: map[string]*File{}, uploads: map[string]*upload{}, commands: map[string]*Command{}, hooks: map[string]*hook{},
		typing: map[string]int{}, conns: map[string]*conn{}, calls: map[string]int{}, changed: make(chan struct{}), tokens: float64(opt.Burst), filledAt: time.Now(),
	}
	s.AddTeam(Team{ID: Main, Name: "main"})
	s.AddUser(User{ID: Bot, Name: "starling", Bot: true})
	return s
}

func (s *Server) start(ln net.Listener, host string) {
	s.ln, s.host = ln, host
	s.web = &http.Server{Handler: http.HandlerFunc(s.serve)}
	s.wg.Go(func() { _ = s.web.Serve(ln) })
	s.back = newPipe()
	s.backWeb = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		h := s.handler
		s.mu.Unlock()
		if h == nil {
			http.Error(w, "nobody is here", http.StatusBadGateway)
			return
		}
		h.ServeHTTP(w, r)
	})}
	s.wg.Go(func() { _ = s.backWeb.Serve(s.back) })
	s.caller = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.back.dial(ctx) }}}
}

// SetCallback puts the bot's handler where [CallbackURL] points; nil takes it away.
func (s *Server) SetCallback(h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = h
}

// URL is the address of the server.
func (s *Server) URL() string { return "http://" + s.host }

// Host is host:port of the server.
func (s *Server) Host() string { return s.host }

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
	if t.s.refused(r.Method + " " + routeOf(r.URL.Path)) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	return t.Transport.RoundTrip(r)
}

// Dialer makes a websocket dialer that reaches the server.
func (s *Server) Dialer() *websocket.Dialer {
	return &websocket.Dialer{NetDialContext: s.dial, HandshakeTimeout: 10 * time.Second}
}

// Close ends the server and all its connections.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	sockets := slices.Clone(s.sockets) // who ends takes itself out
	s.mu.Unlock()
	close(s.done)
	for _, c := range sockets {
		c.cut()
	}
	s.caller.CloseIdleConnections()
	err := errors.Join(s.web.Close(), s.backWeb.Close())
	if s.pipe != nil {
		s.pipe.close()
	}
	s.back.close()
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
	n := fmt.Sprintf("%012d", s.seq)
	return (prefix + strings.Repeat("0", 26))[:26-len(n)] + n
}

// now is the server's clock in milliseconds. It is called with s.mu held.
func (s *Server) now() int64 {
	now := time.Now().UnixMilli()
	if s.opt.SameMilli {
		return now
	}
	s.lastAt = max(s.lastAt+1, now)
	return s.lastAt
}

// Calls tells how often a route was called, as "POST /posts" or "GET /channels/{}".
func (s *Server) Calls(route string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[route]
}

// Dials gives when websockets were asked for.
func (s *Server) Dials() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.dials...)
}

// Limited gives when requests were refused for too many.
func (s *Server) Limited() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.limited...)
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

// Revoke makes the bot's token void. Websockets stay open and go on receiving, as on a real server.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = true
}

// Restart is a server that was stopped and started again: all connections are gone, and so is what waited for them.
func (s *Server) Restart() {
	s.mu.Lock()
	s.conns = map[string]*conn{}
	s.pending = map[string]*pendingPost{}
	s.mu.Unlock()
	s.Cut()
}

// serve is the whole server.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/api/v4")
	switch {
	case path == "/websocket":
		s.serveSocket(w, r)
	case ok:
		s.serveAPI(w, r, path)
	case strings.HasPrefix(r.URL.Path, "/hooks/commands/"):
		s.serveHook(w, r, strings.TrimPrefix(r.URL.Path, "/hooks/commands/"))
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

func newPipe() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
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
