package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// world is a small platform in memory: people, rooms, messages, and a log of updates that it delivers again until they
// are acknowledged. Its text has a markup: * _ ` and ~ disappear, a backslash takes the sense of what follows, and <x> is
// a mention.
type world struct {
	mu       sync.Mutex
	changed  chan struct{} // closed and replaced
	over     chan struct{} // closed by close
	ids      int
	boots    int // adapters opened
	gen      int // of the connection; a drop makes a new one
	joined   int // the generation that is connected
	drops    int
	ended    bool
	revoked  bool
	away     bool
	fault    Fault
	updates  []*update
	posts    []*shown
	said     map[string]*line
	keys     map[string]adapter.Ref
	files    map[string]string
	topics   map[string]string
	typing   map[string]int
	commands []string
}

// update is what the platform tells the bot; in its own words.
type update struct {
	n     int
	acked bool
	tries int

	ID, Type, Room, Thread, User, Message, Text string
	Mention                                     bool
	Files                                       []adapter.File
	Emoji, Label, Value                         string
	Gone                                        bool
}

// shown is a post of the bot; line is what a person said.
type shown struct {
	Post
	values map[string]string // of buttons by label
	native string
}

type line struct {
	room, thread, user string
	reactions          []string
}

const bot = "UBOT"

func newWorld() *world {
	return &world{
		changed: make(chan struct{}), over: make(chan struct{}), gen: 1, said: map[string]*line{}, keys: map[string]adapter.Ref{},
		files: map[string]string{}, topics: map[string]string{}, typing: map[string]int{},
	}
}

var (
	people = []string{"U1", "U2"}
	places = []string{"R1", "R2"}
)

func (w *world) names(id string) string {
	return map[string]string{"U1": "ann", "U2": "bob", "R1": "one", "R2": "two", bot: "wren", "UAPP": "app"}[id]
}

// id makes an id. It is called with w.mu held.
func (w *world) id(kind string) string { w.ids++; return fmt.Sprint(kind, w.ids) }

// wake is called with w.mu held.
func (w *world) wake() { close(w.changed); w.changed = make(chan struct{}) }

// tell logs an update. It is called with w.mu held.
func (w *world) tell(u update) {
	u.n, u.ID = len(w.updates), w.id("e")
	w.updates = append(w.updates, &u)
	w.wake()
}

var errDropped, errEnded, errAway = errors.New("the connection was cut"), errors.New("the source ended"), errors.New("nobody is there")

// connect gives the generation of a new connection.
func (w *world) connect() (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.revoked {
		return 0, adapter.ErrAuth
	}
	if w.away {
		return 0, errAway
	}
	w.joined = w.gen
	w.wake()
	return w.gen, nil
}

// next waits for the first update from n on that is not acknowledged.
func (w *world) next(ctx context.Context, gen, n int) (*update, error) {
	for {
		w.mu.Lock()
		var found *update
		for _, u := range w.updates[min(n, len(w.updates)):] {
			if !u.acked {
				found = u
				break
			}
		}
		dropped, ended, changed := w.gen != gen, w.ended, w.changed
		w.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case dropped:
			return nil, errDropped
		case found != nil:
			return found, nil
		case ended:
			return nil, errEnded
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// ack acknowledges over the connection gen; it is lost if that was cut.
func (w *world) ack(gen int, u *update) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gen == gen {
		u.acked = true
	}
}

// see resolves the markup of native text.
func see(native string) string {
	var b strings.Builder
	for i := 0; i < len(native); i++ {
		switch c := native[i]; {
		case c == '\\' && i+1 < len(native):
			i++
			b.WriteByte(native[i])
		case strings.IndexByte("*_`~", c) >= 0:
		case c == '<' && strings.Contains(native[i:], ">"):
			b.WriteString("@somebody")
			i += strings.Index(native[i:], ">")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// post posts for the bot.
func (w *world) post(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
	w.mu.Lock()
	f := w.fault
	w.fault = ""
	revoked := w.revoked
	w.mu.Unlock()
	switch {
	case revoked:
		return adapter.Ref{}, adapter.ErrAuth
	case f == FaultRateLimit:
		return adapter.Ref{}, &adapter.RateLimitError{RetryAfter: 10 * time.Millisecond}
	case f == FaultForbidden:
		return adapter.Ref{}, adapter.ErrForbidden
	case f == FaultDown:
		return adapter.Ref{}, adapter.ErrUnavailable
	case f == FaultHang:
		select {
		case <-ctx.Done():
			return adapter.Ref{}, ctx.Err()
		case <-w.over:
			return adapter.Ref{}, errors.New("the world ended")
		}
	}
	var files []File
	for _, file := range m.Files {
		r, err := file.Open(ctx)
		if err != nil {
			return adapter.Ref{}, err
		}
		b, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			return adapter.Ref{}, err
		}
		files = append(files, File{file.Name, string(b)})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if ref, ok := w.keys[m.Key]; ok && m.Key != "" {
		return ref, nil
	}
	ref := adapter.Ref{Address: m.To, ID: w.id("m")}
	p := &shown{Post: Post{ID: ref.ID, Room: m.To.Room, Thread: m.To.Thread, Text: see(m.Text), Only: m.Only, Fields: m.Fields, Files: files}, native: m.Text}
	p.buttonsOf(m)
	w.posts = append(w.posts, p)
	if m.Key != "" {
		w.keys[m.Key] = ref
	}
	if m.Only == "" {
		w.tell(update{Type: "said", Room: p.Room, Thread: p.Thread, User: bot, Message: p.ID, Text: p.Text})
	}
	if f == FaultLost {
		return adapter.Ref{}, errors.New("connection reset")
	}
	return ref, nil
}

func (p *shown) buttonsOf(m *adapter.Message) {
	p.Buttons, p.values = nil, map[string]string{}
	for _, b := range m.Buttons {
		p.Buttons = append(p.Buttons, b.Label)
		p.values[b.Label] = b.Command
	}
}

// at gives the post that ref names. It is called with w.mu held.
func (w *world) at(ref adapter.Ref) (*shown, error) {
	i := slices.IndexFunc(w.posts, func(p *shown) bool { return p.ID == ref.ID && p.Room == ref.Room })
	if i < 0 {
		return nil, fmt.Errorf("message %q: %w", ref.ID, adapter.ErrNotFound)
	}
	return w.posts[i], nil
}

func (w *world) edit(ref adapter.Ref, m *adapter.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, err := w.at(ref)
	if err != nil {
		return err
	}
	p.native, p.Text = m.Text, see(m.Text)
	p.buttonsOf(m)
	w.tell(update{Type: "edited", Room: p.Room, Thread: p.Thread, User: bot, Message: p.ID, Text: p.Text})
	return nil
}

func (w *world) remove(ref adapter.Ref) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, err := w.at(ref)
	if err != nil {
		return err
	}
	w.posts = slices.DeleteFunc(w.posts, func(q *shown) bool { return q == p })
	return nil
}

func (w *world) react(ref adapter.Ref, emoji string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list *[]string
	if l, ok := w.said[ref.ID]; ok {
		list = &l.reactions
	} else if p, err := w.at(ref); err == nil {
		list = &p.Reactions
	} else {
		return err
	}
	if !slices.Contains(*list, emoji) {
		*list = append(*list, emoji)
	}
	return nil
}

// do lets something happen on the far side.
func (w *world) do(f func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	w.wake()
	return nil
}

func (w *world) say(kind, user, room, thread, text string) (id string) {
	_ = w.do(func() {
		id = w.id("m")
		w.said[id] = &line{room: room, thread: thread, user: user}
		w.tell(update{Type: kind, Room: room, Thread: thread, User: user, Message: id, Text: text, Mention: strings.HasPrefix(text, "<"+bot+">")})
	})
	return id
}

// harness gives the far side. open makes the adapter.
func (w *world) harness(open func() adapter.Adapter) Harness {
	onPost := func(p Post, u update) error {
		return w.do(func() { u.Room, u.Thread, u.Message = p.Room, p.Thread, p.ID; w.tell(u) })
	}
	h := Harness{
		Users: people, Rooms: places, Bubble: true,
		Open: func() (adapter.Adapter, error) {
			_ = w.do(func() { w.boots++ })
			return open(), nil
		},
		Say: func(user, room, text string) (string, error) { return w.say("said", user, room, "", text), nil },
		Posts: func() (posts []Post) {
			_ = w.do(func() {
				for _, p := range w.posts {
					q := p.Post
					q.Buttons, q.Reactions = slices.Clone(p.Buttons), slices.Clone(p.Reactions)
					posts = append(posts, q)
				}
			})
			return posts
		},
		Connected: func(ctx context.Context) error {
			for {
				w.mu.Lock()
				ok, changed := w.joined == w.gen, w.changed
				w.mu.Unlock()
				if ok {
					return nil
				}
				select {
				case <-changed:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		},
		Mention: func(user, room, text string) error { w.say("said", user, room, "", "<"+bot+"> "+text); return nil },
		Direct:  func(user, text string) error { w.say("said", user, "D"+user, "", text); return nil },
		Reply: func(user string, p Post, text string) error {
			thread := p.Thread
			if thread == "" {
				thread = p.ID
			}
			w.say("said", user, p.Room, thread, text)
			return nil
		},
		React: func(user string, p Post, emoji string) error {
			return onPost(p, update{Type: "reacted", User: user, Emoji: ":" + emoji + ":"})
		},
		Unreact: func(user string, p Post, emoji string) error {
			return onPost(p, update{Type: "reacted", User: user, Emoji: ":" + emoji + ":", Gone: true})
		},
		Press: func(user string, p Post, label string) error {
			w.mu.Lock()
			q, err := w.at(adapter.Ref{Address: adapter.Address{Room: p.Room}, ID: p.ID})
			w.mu.Unlock()
			if err != nil || !slices.Contains(q.Buttons, label) {
				return fmt.Errorf("no button %q", label)
			}
			return onPost(p, update{Type: "pressed", User: user, Label: label, Value: q.values[label]})
		},
		Edit: func(user, said, text string) error {
			return w.do(func() {
				l := w.said[said]
				w.tell(update{Type: "edited", Room: l.room, Thread: l.thread, User: user, Message: said, Text: text})
			})
		},
		Delete: func(user, said string) error {
			return w.do(func() {
				l := w.said[said]
				w.tell(update{Type: "deleted", Room: l.room, Thread: l.thread, User: user, Message: said})
			})
		},
		Invoke: func(user, room, command, text string) error {
			return w.do(func() { w.tell(update{Type: "slash", Room: room, User: user, Label: "/" + command, Text: text}) })
		},
		Share: func(user, room, text string, f File) error {
			return w.do(func() {
				id := w.id("f")
				w.files[id] = f.Content
				w.tell(update{Type: "said", Room: room, User: user, Message: w.id("m"), Text: text, Files: []adapter.File{{ID: id, Name: f.Name, Size: int64(len(f.Content))}}})
			})
		},
		Own:      func(room, text string) error { w.say("said", bot, room, "", text); return nil },
		OtherBot: func(room, text string) error { w.say("said", "UAPP", room, "", text); return nil },
		Odd:      func() error { return w.do(func() { w.tell(update{Type: "solstice"}) }) },
		Duplicate: func() error {
			return w.do(func() {
				u := *w.updates[len(w.updates)-1]
				u.n, u.acked = len(w.updates), false
				w.updates = append(w.updates, &u)
			})
		},
		Redeliver: func() error { return nil }, // it does so by itself
		Unacknowledged: func() (n int) {
			_ = w.do(func() {
				for _, u := range w.updates {
					if !u.acked {
						n++
					}
				}
			})
			return n
		},
		Drop:     func() error { return w.do(func() { w.gen++; w.drops++ }) },
		End:      func() error { return w.do(func() { w.ended = true }) },
		Typing:   func(room string) (n int) { _ = w.do(func() { n = w.typing[room] }); return n },
		Topic:    func(room string) (s string) { _ = w.do(func() { s = w.topics[room] }); return s },
		Commands: func() (list []string) { _ = w.do(func() { list = w.commands }); return list },
		Reactions: func(said string) (list []string) {
			_ = w.do(func() { list = slices.Clone(w.said[said].reactions) })
			return list
		},
		Faults:  map[Fault]func() error{},
		Missing: Missing{Room: "R99", User: "U99", Message: "m9999", File: "f9999"},
		Close:   func() error { close(w.over); return w.do(func() { w.ended = true }) },
	}
	for _, f := range []Fault{FaultRateLimit, FaultForbidden, FaultDown, FaultLost, FaultHang} {
		h.Faults[f] = func() error { return w.do(func() { w.fault = f }) }
	}
	h.Faults[FaultAuth] = func() error { return w.do(func() { w.revoked = true; w.gen++ }) }
	h.Faults[FaultAway] = func() error { return w.do(func() { w.away = true; w.gen++ }) }
	return h
}

// inWorld makes harnesses whose adapters are bent.
func inWorld(open func(*world) adapter.Adapter) func(testing.TB) Harness {
	return func(testing.TB) Harness {
		w := newWorld()
		return w.harness(func() adapter.Adapter { return open(w) })
	}
}
