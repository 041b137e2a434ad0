package discordfake

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/starlingbot/starling/internal/await"
	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/internal/fakenet"
)

// The ids of the bot and of the server that is there from the beginning.
const (
	BotUser = "100000000000000010"
	AppID   = "100000000000000011"
	Guild   = "100000000000000001"
	Token   = canary.Mark + ".token.x"
)

// The flags of an application that say which privileged intents are turned on.
const (
	FlagMembers = 1 << 15
	FlagContent = 1 << 19
)

// Options say what the application is like. The zero value is ready.
type Options struct {
	Token string // of the bot, without "Bot "; default [Token]
	Flags int    // of the application; default all privileged intents; -1 none
	// Heartbeat is the interval of heartbeats; default 41.25 s. SessionFor is how long a session waits to be resumed; default
	// 3 min. IdentifyEvery is how far apart new sessions must be; default 5 s.
	Heartbeat, SessionFor, IdentifyEvery time.Duration
	// GatewayVia replaces host:port of the gateway's address, for a proxy; default: the server itself.
	GatewayVia string
	// Permissions of the bot in its servers; default all.
	Permissions int64
}

// Server is a Discord with one application.
type Server struct {
	opt Options
	net *fakenet.Server
	key ed25519.PrivateKey

	faults  fakenet.Faults[Fault] // but those of the connection, which net has
	changed await.Signal

	mu           sync.Mutex
	closed       bool
	lastID       uint64
	users        map[string]*User
	guilds       []string
	away         map[string]bool // servers that are not available
	channels     map[string]*Channel
	order        []string // of channels
	posts        []*Message
	nonces       map[string]nonced
	buckets      map[string]*bucket
	second       time.Time // of the global limit
	inSecond     int
	revoked      bool
	commands     map[string][]object // by scope: "" or a server's id
	overwrites   int
	interactions map[string]*Interaction // by token
	unanswered   []string                // interactions that nobody answered in time
	sessions     map[string]*session
	conns        []*conn
	last         *event
	calls        map[string]int
	dials        []time.Time
	identified   []time.Time
	resumed      int
	hasty        int // sessions that were begun too soon after another
	limited      int // 429 for too many messages in a room
	mute         int // connections that get no hello
	noResume     int // resumes that are answered with op 9
	seven        int // resumes and identifies that are answered with op 7
	closeNext    int // code with which the next identify is answered
	deaf         bool
	typing       map[string]int
	filesAt      string
	terse        bool
	expired      int // how often the addresses of files have expired
	mistakes     []string
	webhook      http.Handler // where interactions go over HTTP; nil: over the gateway
	remaining    int          // sessions of today
}

// New makes a server that is reached over net.Pipe. Discord's ids count from 2015: in a bubble, whose clock begins in 2000, it
// waits until 2025, which takes no time.
func New(opt Options) *Server {
	if begin := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC); time.Now().Before(begin) {
		<-time.After(time.Until(begin))
	}
	return start(opt, fakenet.New("discord.test"))
}

// Listen makes a server on a free port of loopback.
func Listen(opt Options) (*Server, error) {
	n, err := fakenet.Listen()
	if err != nil {
		return nil, fmt.Errorf("discordfake: %w", err)
	}
	return start(opt, n), nil
}

// start makes a server on the wire that it is given.
func start(opt Options, n *fakenet.Server) *Server {
	if opt.Token == "" {
		opt.Token = Token
	}
	if opt.Flags == 0 {
		opt.Flags = FlagMembers | FlagContent
	}
	if opt.Flags < 0 {
		opt.Flags = 0
	}
	if opt.Heartbeat == 0 {
		opt.Heartbeat = 41_250 * time.Millisecond
	}
	if opt.SessionFor == 0 {
		opt.SessionFor = 3 * time.Minute
	}
	if opt.IdentifyEvery == 0 {
		opt.IdentifyEvery = 5 * time.Second
	}
	if opt.Permissions == 0 {
		opt.Permissions = 1<<50 - 1
	}
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, "discordfake")
	s := &Server{
		opt: opt, net: n, away: map[string]bool{}, key: ed25519.NewKeyFromSeed(seed), users: map[string]*User{}, guilds: []string{Guild}, channels: map[string]*Channel{},
		nonces: map[string]nonced{}, buckets: map[string]*bucket{}, commands: map[string][]object{}, interactions: map[string]*Interaction{},
		sessions: map[string]*session{}, calls: map[string]int{}, typing: map[string]int{}, remaining: 1000,
	}
	s.AddUser(User{ID: BotUser, Name: "starling", Bot: true})
	n.Record(strip)
	n.Serve(http.HandlerFunc(s.serve))
	return s
}

// URL is the base of the REST API, with the slash at the end.
func (s *Server) URL() string { return "http://" + s.net.Host() + "/api/v9/" }

// Host is host:port of the server, as it stands in addresses.
func (s *Server) Host() string { return s.net.Host() }

// PublicKey is the application's, with which its requests are checked.
func (s *Server) PublicKey() ed25519.PublicKey { return s.key.Public().(ed25519.PublicKey) }

// Client makes an HTTP client that reaches the server; close its idle connections at the end.
func (s *Server) Client() *http.Client {
	return s.net.Client(func(r *http.Request) string { return routeOf(r.Method, strings.TrimPrefix(r.URL.Path, "/api/v9/")) })
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
	conns := slices.Clone(s.conns)
	for _, i := range s.interactions {
		i.timer.Stop()
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.cut()
	}
	return s.net.Close()
}

// Await waits until ok, which is called with nothing held, or ctx ends.
func (s *Server) Await(ctx context.Context, ok func() bool) error { return s.changed.Until(ctx, ok) }

// id makes a snowflake. It is called with s.mu held.
func (s *Server) id() string {
	n := uint64(time.Now().UnixMilli()-1_420_070_400_000) << 22
	s.lastID = max(s.lastID+1, n)
	return strconv.FormatUint(s.lastID, 10)
}

// ID makes an id of now.
func (s *Server) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id()
}

// Calls tells how often a route was called, by its name: see [Fault].
func (s *Server) Calls(route string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[route]
}

// Dials gives when connections to the gateway were opened.
func (s *Server) Dials() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.dials)
}

// Identified counts the sessions that were begun, Resumed those that were resumed.
func (s *Server) Identified() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.identified)
}

// Resumed counts the sessions that were resumed.
func (s *Server) Resumed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resumed
}

// Hasty counts the sessions that were begun too soon after another one.
func (s *Server) Hasty() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hasty
}

// Limited counts the messages that were refused because a room had too many.
func (s *Server) Limited() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limited
}

// Overwrites counts how often the commands were written.
func (s *Server) Overwrites() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.overwrites
}

// Typing counts the notices of typing in a room.
func (s *Server) Typing(room string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.typing[room]
}

// Unanswered gives the interactions that nobody answered in three seconds.
func (s *Server) Unanswered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.unanswered)
}

// Mistakes gives what a client did that none may do.
func (s *Server) Mistakes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mistakes)
}

// mistake is called with s.mu held.
func (s *Server) mistake(format string, args ...any) {
	s.mistakes = append(s.mistakes, fmt.Sprintf(format, args...))
}

// SetDown makes every new connection fail, or lets them through again.
func (s *Server) SetDown(down bool) { s.net.SetDown(down) }

// Revoke revokes the token.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = true
}

// SetSessions sets how many sessions may still be begun today.
func (s *Server) SetSessions(left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remaining = left
}

// SetGatewayVia sets Options.GatewayVia.
func (s *Server) SetGatewayVia(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.GatewayVia = host
}

// serve is the whole server.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/v9/"):
		s.serveAPI(w, r, strings.TrimPrefix(r.URL.Path, "/api/v9/"))
	case strings.HasPrefix(r.URL.Path, "/gateway/"), strings.HasPrefix(r.URL.Path, "/resume/"):
		s.serveGateway(w, r)
	case strings.HasPrefix(r.URL.Path, "/attachments/"):
		s.serveFile(w, r)
	default:
		http.NotFound(w, r)
	}
}
