package slackfake

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/starlingbot/starling/internal/await"
	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/internal/fakenet"
)

// The secrets of a workspace where Options name none.
const (
	BotToken      = "xoxb-" + canary.Mark + "-bot"
	AppToken      = "xapp-" + canary.Mark + "-app"
	SigningSecret = canary.Mark + "-signing"
)

// Options say what the workspace is like. The zero value is ready.
type Options struct {
	BotToken, AppToken, SigningSecret string   // default [BotToken], [AppToken] and [SigningSecret]
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
	opt Options
	net *fakenet.Server

	faults  fakenet.Faults[Fault] // but those of the connection, which net has
	changed await.Signal

	mu       sync.Mutex
	closed   bool
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
	accepts  []time.Time  // of messages by the rate limit, refused ones too
	limited  int          // 429 that the room limit gave
	mistakes []string     // what no client may do
	webhook  http.Handler // where HTTP mode delivers; nil: over sockets
}

// New makes a server that is reached over net.Pipe.
func New(opt Options) *Server {
	return start(opt, fakenet.New("slack.test"))
}

// Listen makes a server on a free port of loopback.
func Listen(opt Options) (*Server, error) {
	n, err := fakenet.Listen()
	if err != nil {
		return nil, fmt.Errorf("slackfake: %w", err)
	}
	return start(opt, n), nil
}

// start makes a server on the wire that it is given.
func start(opt Options, n *fakenet.Server) *Server {
	def := func(s *string, d string) {
		if *s == "" {
			*s = d
		}
	}
	def(&opt.BotToken, BotToken)
	def(&opt.AppToken, AppToken)
	def(&opt.SigningSecret, SigningSecret)
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
		opt: opt, net: n, team: "T01", users: map[string]*User{}, rooms: map[string]*Room{}, files: map[string]*File{},
		uploads: map[string]string{}, triggers: map[string]*trigger{}, views: map[string]*View{}, buckets: map[string]*bucket{}, tickets: map[string]bool{}, calls: map[string]int{},
	}
	s.AddUser(User{ID: BotUser, Name: "starling", Bot: true})
	n.Record(strip)
	n.Serve(http.HandlerFunc(s.serve))
	return s
}

// The ids of the bot.
const (
	BotUser = "U0BOT"
	BotID   = "B0BOT"
	AppID   = "A0APP"
)

// URL is the base of the Web API, with the slash at the end.
func (s *Server) URL() string { return "http://" + s.net.Host() + "/api/" }

// Host is host:port of the server, as it stands in addresses.
func (s *Server) Host() string { return s.net.Host() }

// Client makes an HTTP client that reaches the server; close its idle connections at the end.
func (s *Server) Client() *http.Client {
	return s.net.Client(func(r *http.Request) string { return path.Base(r.URL.Path) })
}

// Dialer makes a websocket dialer that reaches the server.
func (s *Server) Dialer() *websocket.Dialer {
	return &websocket.Dialer{NetDialContext: s.net.Dial, HandshakeTimeout: 10 * time.Second, WriteBufferSize: 32 << 10}
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
	return s.net.Close()
}

// Await waits until ok, which is called with nothing held, or ctx ends.
func (s *Server) Await(ctx context.Context, ok func() bool) error { return s.changed.Until(ctx, ok) }

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
func (s *Server) SetDown(down bool) { s.net.SetDown(down) }

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
