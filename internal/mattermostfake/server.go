package mattermostfake

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/starlingbot/starling/internal/await"
	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/internal/fakenet"
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
	Token      = canary.Mark + "fakebottokenfakebo"
	AdminToken = canary.Mark + "fakeadmintokenfake"
	callback   = "bot.test" // the host of the bot's own server
)

// CallbackURL is where [Server.SetCallback] puts the bot's handler.
const CallbackURL = "http://" + callback + "/adapters/mattermost/"

// Server is a Mattermost with one bot.
type Server struct {
	opt    Options
	net    *fakenet.Server
	key    *ecdsa.PrivateKey
	back   *fakenet.Server // the bot's own server
	caller *http.Client    // calls the bot

	faults  fakenet.Faults[Fault] // but those of the connection, which net has
	changed await.Signal

	mu       sync.Mutex
	handler  http.Handler // of the bot; nil: nobody listens
	closed   bool
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
}

// ID makes an id in Mattermost's form of a readable name: ID("alice").
func ID(name string) string {
	return (strings.ToLower(name) + strings.Repeat("0", 26))[:26]
}

// New makes a server that is reached over net.Pipe.
func New(opt Options) *Server {
	return start(opt, fakenet.New("mattermost.test"))
}

// Listen makes a server on a free port of loopback.
func Listen(opt Options) (*Server, error) {
	n, err := fakenet.Listen()
	if err != nil {
		return nil, fmt.Errorf("mattermostfake: %w", err)
	}
	return start(opt, n), nil
}

// The bot, its team and its name.
var (
	Bot  = ID("starling")
	Main = ID("mainteam")
)

// start makes a server on the wire that it is given.
func start(opt Options, n *fakenet.Server) *Server {
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
		opt: opt, net: n, key: key, back: fakenet.New(callback), users: map[string]*User{}, rooms: map[string]*Room{}, teams: map[string]*Team{}, posts: map[string]*Post{},
		pending: map[string]*pendingPost{}, files: map[string]*File{}, uploads: map[string]*upload{}, commands: map[string]*Command{}, hooks: map[string]*hook{},
		typing: map[string]int{}, conns: map[string]*conn{}, calls: map[string]int{}, tokens: float64(opt.Burst), filledAt: time.Now(),
	}
	s.AddTeam(Team{ID: Main, Name: "main"})
	s.AddUser(User{ID: Bot, Name: "starling", Bot: true})
	s.caller = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: s.back.Dial}}
	s.back.Serve(http.HandlerFunc(s.serveBack))
	n.Record(strip)
	n.Serve(http.HandlerFunc(s.serve))
	return s
}

// serveBack is the bot's own server.
func (s *Server) serveBack(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	h := s.handler
	s.mu.Unlock()
	if h == nil {
		http.Error(w, "nobody is here", http.StatusBadGateway)
		return
	}
	h.ServeHTTP(fakenet.RecordAnswer(w), r)
}

// SetCallback puts the bot's handler where [CallbackURL] points; nil takes it away.
func (s *Server) SetCallback(h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = h
}

// URL is the address of the server.
func (s *Server) URL() string { return "http://" + s.net.Host() }

// Host is host:port of the server, as it stands in addresses.
func (s *Server) Host() string { return s.net.Host() }

// Client makes an HTTP client that reaches the server; close its idle connections at the end.
func (s *Server) Client() *http.Client {
	return s.net.Client(func(r *http.Request) string { return r.Method + " " + routeOf(r.URL.Path) })
}

// Dialer makes a websocket dialer that reaches the server.
func (s *Server) Dialer() *websocket.Dialer {
	return &websocket.Dialer{NetDialContext: s.net.Dial, HandshakeTimeout: 10 * time.Second}
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
	for _, c := range sockets {
		c.cut()
	}
	s.caller.CloseIdleConnections()
	return errors.Join(s.net.Close(), s.back.Close())
}

// Await waits until ok, which is called with nothing held, or ctx ends.
func (s *Server) Await(ctx context.Context, ok func() bool) error { return s.changed.Until(ctx, ok) }

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
func (s *Server) SetDown(down bool) { s.net.SetDown(down) }

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
