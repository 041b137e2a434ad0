package testutil

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// ChatConfig is the configuration of a [Chat]. The zero value works.
type ChatConfig struct {
	// Name is the adapter's name; default "chat".
	Name string
	// BotName is what the bot is called there; default "starling".
	BotName string
	// Features are what the chat can do; the zero value is everything but limits and an idempotency window.
	Features adapter.Features
	// Bare leaves all optional verbs out of what [Start] gives the bot, [adapter.Finder] included: a platform that can post
	// and nothing else.
	Bare bool
	// Moderates lets the bot delete what others say; else that is forbidden.
	Moderates bool
	// Redeliver is how long the chat waits before it delivers an event again that the bot did not take; default 1 s.
	Redeliver time.Duration
	// Echo delivers what the bot posts to the bot too, as many platforms do (Event.Self).
	Echo bool
	// ID begins all ids of this chat; default: random, so that they never repeat. Set it where a golden file shows what is
	// made of ids, such as the number that a failed handler reports; not where a store outlives the test.
	ID string
}

// Chat is a chat platform in memory: it has users, rooms, messages and events, and outlives the bots that connect to it.
// Its methods may be called concurrently.
//
// It is an [adapter.Adapter] too: the embedded [Conn] is its first connection. [Chat.Connect] gives further ones, for a
// second bot or a second life of the same one; [Start] does that by itself.
//
// Events are delivered in order within a conversation, one at a time; other conversations are not waited for. What the
// bot's sink does not take (any error but adapter.ErrRejected) stays and is delivered again after ChatConfig.Redeliver,
// and so does what was under way when a bot died. Everything is kept until the test ends: there is no bound.
type Chat struct {
	*Conn
	cfg ChatConfig
	bot adapter.User

	mu       sync.Mutex
	news     chan struct{} // closed and replaced at every change
	count    uint64        // of ids
	users    []adapter.User
	rooms    []*room
	messages map[string]*message
	keys     map[string]sentKey
	acts     []act
	queue    []*pending
	conns    int // running
	ended    bool
	rejected int
	commands []adapter.CommandSpec
	typing   []adapter.Address
	files    map[string]File
	fail     func(n int, m *adapter.Message) error
	sends    int // since FailSends
}

// room is a room with its messages in order; their numbers count from 1.
type room struct {
	adapter.Room
	user     string // whose direct room it is
	topic    string
	messages []*message
}

type message struct {
	ref       adapter.Ref
	number    int
	room      *room
	user      adapter.User
	text      string           // of a user
	post      *adapter.Message // of the bot; nil for a user's
	files     []File
	reactions []string
	edits     int
	deleted   bool
}

// sentKey is a message that was sent with a key.
type sentKey struct {
	ref adapter.Ref
	at  time.Time
}

// pending is an event that no bot has acknowledged.
type pending struct {
	ev   *adapter.Event
	due  time.Time
	conn *Conn // to which it is being delivered
}

// File is a file as the chat keeps it.
type File struct {
	Name string
	Type string
	Data []byte
}

// NewChat makes a chat.
func NewChat(cfg ChatConfig) *Chat {
	cfg.Name = cmp.Or(cfg.Name, "chat")
	cfg.BotName = cmp.Or(cfg.BotName, "starling")
	cfg.Redeliver = cmp.Or(cfg.Redeliver, time.Second)
	cfg.ID = cmp.Or(cfg.ID, strings.ToLower(rand.Text()[:8]))
	if cfg.Features == (adapter.Features{}) {
		cfg.Features = adapter.Features{Threads: true, Buttons: true, Files: true, Ephemeral: true, Fields: true, Replay: true}
	}
	c := &Chat{
		cfg: cfg, news: make(chan struct{}), messages: map[string]*message{}, keys: map[string]sentKey{}, files: map[string]File{},
		bot: adapter.User{Adapter: cfg.Name, ID: "u-" + cfg.BotName, Name: cfg.BotName, Kind: adapter.KindBot},
	}
	c.users = append(c.users, c.bot)
	c.Conn = c.Connect()
	return c
}

// Connect gives one more connection to the chat: an adapter of the same name for another bot. Several may run at once, as
// the replicas of one bot do: each event is delivered to one of them.
func (c *Chat) Connect() *Conn {
	return &Conn{chat: c, closed: make(chan struct{}), released: make(chan struct{})}
}

// End exhausts the source: Run returns nil once everything is acknowledged.
func (c *Chat) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.changed()
}

// FailSends lets f decide about every message before it is posted, edits not included; n counts them from 1. An error
// means that it was not posted, unless it is one of [AfterPost]. nil ends that.
func (c *Chat) FailSends(f func(n int, m *adapter.Message) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail, c.sends = f, 0
}

// AfterPost is for [Chat.FailSends]: the message is posted, and the bot gets err all the same.
func AfterPost(err error) error { return &afterPost{err} }

type afterPost struct{ err error }

func (e *afterPost) Error() string { return e.err.Error() }
func (e *afterPost) Unwrap() error { return e.err }

// Commands gives what the bot registered last.
func (c *Chat) Commands() []adapter.CommandSpec {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.commands)
}

// Typings gives where the bot showed that it is busy, in order.
func (c *Chat) Typings() []adapter.Address {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.typing)
}

// Pending counts the events that no bot has acknowledged.
func (c *Chat) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue)
}

// Rejected counts the events that a bot refused for good.
func (c *Chat) Rejected() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rejected
}

// AddUser makes an account, or replaces the one with the same id. The id is "u-" and the name where it is empty.
func (c *Chat) AddUser(u adapter.User) adapter.User {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addUser(u)
}

func (c *Chat) addUser(u adapter.User) adapter.User {
	u.Adapter, u.ID = c.cfg.Name, cmp.Or(u.ID, "u-"+u.Name)
	if i := slices.IndexFunc(c.users, func(o adapter.User) bool { return o.ID == u.ID }); i >= 0 {
		c.users[i] = u
	} else {
		c.users = append(c.users, u)
	}
	return u
}

// AddRoom makes a room; the id is "c-" and the name where it is empty, the kind a channel. A room that is only spoken of as
// "#ops" is made by itself.
func (c *Chat) AddRoom(r adapter.Room) adapter.Room {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addRoom(r).Room
}

func (c *Chat) addRoom(r adapter.Room) *room {
	r.ID, r.Kind = cmp.Or(r.ID, "c-"+r.Name), cmp.Or(r.Kind, adapter.RoomChannel)
	if known := c.room(r.ID); known != nil {
		known.Room = r
		return known
	}
	made := &room{Room: r}
	c.rooms = append(c.rooms, made)
	return made
}

// room finds a room by id.
func (c *Chat) room(id string) *room {
	for _, r := range c.rooms {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func (c *Chat) userByID(id string) (adapter.User, bool) {
	for _, u := range c.users {
		if u.ID == id {
			return u, true
		}
	}
	return adapter.User{}, false
}

// userNamed finds a user by name in any case, or makes a member.
func (c *Chat) userNamed(name string) adapter.User {
	for _, u := range c.users {
		if strings.EqualFold(u.Name, name) {
			return u
		}
	}
	return c.addUser(adapter.User{Name: name, Kind: adapter.KindMember})
}

// direct gives the direct room of the bot and a user.
func (c *Chat) direct(u adapter.User) *room {
	for _, r := range c.rooms {
		if r.user == u.ID {
			return r
		}
	}
	r := c.addRoom(adapter.Room{ID: "d-" + strings.TrimPrefix(u.ID, "u-"), Name: u.Name, Kind: adapter.RoomDirect})
	r.user = u.ID
	return r
}

// place is a room, or a thread in it, as tests write it: "#ops", "@alice" for her direct room, "#ops/3" for the thread under
// message 3 of that room.
type place struct {
	room   *room
	thread string
}

func (c *Chat) parsePlace(s string) (place, error) {
	name, number, threaded := strings.Cut(s, "/")
	var p place
	switch {
	case len(name) > 1 && name[0] == '#':
		for _, r := range c.rooms {
			if r.user == "" && strings.EqualFold(r.Name, name[1:]) {
				p.room = r
			}
		}
		if p.room == nil {
			p.room = c.addRoom(adapter.Room{Name: name[1:]})
		}
	case len(name) > 1 && name[0] == '@':
		p.room = c.direct(c.userNamed(name[1:]))
	default:
		return p, fmt.Errorf("%q is no room: write #ops, @alice for a direct room, or #ops/3 for a thread", s)
	}
	if threaded {
		m, err := p.room.numbered(number)
		if err != nil {
			return p, err
		}
		p.thread = m.ref.ID
	}
	return p, nil
}

func (r *room) numbered(number string) (*message, error) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(r.messages) {
		return nil, fmt.Errorf("there is no message %s in %s, which has %d", number, r.sigil(), len(r.messages))
	}
	return r.messages[n-1], nil
}

// sigil gives "#ops", or "@alice" for a direct room.
func (r *room) sigil() string {
	if r.user != "" {
		return "@" + r.Name
	}
	return "#" + r.Name
}

// label gives a place as tests write it.
func (c *Chat) label(r *room, thread string) string {
	if thread == "" {
		return r.sigil()
	}
	if m := c.messages[thread]; m != nil && m.room == r {
		thread = strconv.Itoa(m.number)
	}
	return r.sigil() + "/" + thread
}

// id makes an id that nothing else has.
func (c *Chat) id(kind string) string {
	c.count++
	return c.cfg.ID + "-" + kind + strconv.FormatUint(c.count, 10)
}

// add makes a message of u in r.
func (c *Chat) add(r *room, thread string, u adapter.User) *message {
	m := &message{
		ref:    adapter.Ref{Address: adapter.Address{Adapter: c.cfg.Name, Room: r.ID, Thread: thread}, ID: c.id("m")},
		number: len(r.messages) + 1, room: r, user: u,
	}
	r.messages = append(r.messages, m)
	c.messages[m.ref.ID] = m
	return m
}

// changed wakes everybody who waits for something to change. c.mu is held.
func (c *Chat) changed() {
	close(c.news)
	c.news = make(chan struct{})
}

// As gives a handle to act as a user of the chat, who is made a member if there is none of that name; what cannot be done
// fails t. Outside of a test t is nil, and what cannot be done panics.
func (c *Chat) As(t testing.TB, name string) *User {
	if t == nil {
		t = noTest{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return &User{User: c.userNamed(strings.TrimPrefix(name, "@")), chat: c, t: t}
}

// noTest is where failures go outside of a test.
type noTest struct{ testing.TB }

func (noTest) Helper()                           {}
func (noTest) Errorf(format string, args ...any) { panic(fmt.Sprintf("testutil: "+format, args...)) }
func (noTest) Fatalf(format string, args ...any) { panic(fmt.Sprintf("testutil: "+format, args...)) }
