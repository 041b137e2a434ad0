package terminal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/terminal"
	"github.com/starlingbot/starling/testutil/adaptertest"
)

func TestConformance(t *testing.T) {
	adaptertest.Run(t, func(testing.TB) adaptertest.Harness { return newPerson("one", "two").harness() })
}

// TestConformanceNotices proves that the far side above can tell: a terminal that is broken does not pass.
func TestConformanceNotices(t *testing.T) {
	results, err := adaptertest.Check(t, func(testing.TB) adaptertest.Harness {
		p := newPerson("one", "two")
		h := p.harness()
		h.Open = func() (adapter.Adapter, error) {
			a, err := p.open()
			return &broken{Adapter: a.(*terminal.Adapter)}, err
		}
		return h
	})
	require.NoError(t, err)
	status := map[string]adaptertest.Status{}
	for _, r := range results {
		status[r.Case.Name] = r.Status
	}
	for _, name := range []string{
		"event/once", "sink/blocked", "ack/error", "only/seen", "send/once", "thread/answer", "buttons/shown", "edit/works", "delete/works", "react/works", "topic/works",
	} {
		require.Equal(t, adaptertest.Failed, status[name], name)
	}
	require.Equal(t, adaptertest.OK, status["user/identity"], "what is not broken passes")
}

// broken drops every fifth event and acknowledges what failed, shows everything twice and to all, and claims verbs falsely.
type broken struct {
	*terminal.Adapter
	n int
}

func (b *broken) Run(ctx context.Context, sink adapter.Sink) error {
	return b.Adapter.Run(ctx, func(ctx context.Context, ev *adapter.Event) error {
		if b.n++; b.n%5 != 0 {
			_ = sink(ctx, ev)
		}
		return nil
	})
}

func (b *broken) Send(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
	c := *m
	c.Only, c.Buttons, c.To.Thread = "", nil, ""
	_, _ = b.Adapter.Send(ctx, &c)
	return b.Adapter.Send(ctx, &c)
}

func (*broken) Edit(context.Context, adapter.Ref, *adapter.Message) error { return nil }
func (*broken) Delete(context.Context, adapter.Ref) error                 { return nil }
func (*broken) React(context.Context, adapter.Ref, string) error          { return nil }
func (*broken) SetTopic(context.Context, string, string) error            { return nil }

// person is the far side of a terminal: who types into a pipe, plays two users with the lines of a playground, and reads
// what is shown.
type person struct {
	rooms []string

	mu       sync.Mutex
	in       *keyboard
	user     string
	room     string
	lines    map[string]int // said by each user
	posts    []*adaptertest.Post
	numbers  int
	reaction map[string][]string // to lines, by "user/number"
	topics   map[string]string
}

func newPerson(rooms ...string) *person {
	return &person{rooms: rooms, lines: map[string]int{}, reaction: map[string][]string{}, topics: map[string]string{}}
}

// open starts a process at an empty screen: an earlier one's messages have numbers that are used again.
func (p *person) open() (adapter.Adapter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.in != nil {
		p.in.end()
	}
	p.in, p.user, p.room, p.posts, p.numbers = newKeyboard(), "ann", "", nil, 0
	clear(p.lines)
	return terminal.New(terminal.Config{User: "ann", Playground: true, In: p.in, Out: p, Err: io.Discard}), nil
}

// keyboard is an input that never makes who types wait.
type keyboard struct {
	mu    sync.Mutex
	typed bytes.Buffer
	ended bool
	more  chan struct{} // has a token when there is something to look at
}

func newKeyboard() *keyboard { return &keyboard{more: make(chan struct{}, 1)} }

func (k *keyboard) Read(b []byte) (int, error) {
	for {
		k.mu.Lock()
		n, ended := k.typed.Len(), k.ended
		if n > 0 {
			n, _ = k.typed.Read(b)
		}
		k.mu.Unlock()
		switch {
		case n > 0:
			return n, nil
		case ended:
			return 0, io.EOF
		}
		<-k.more
	}
}

func (k *keyboard) wake() {
	select {
	case k.more <- struct{}{}:
	default:
	}
}

func (k *keyboard) typeLine(line string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.typed.WriteString(line + "\n")
	k.wake()
}

func (k *keyboard) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
	k.wake()
}

// Write reads the screen as a person does: a line that is not indented begins something.
func (p *person) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := strings.TrimSuffix(string(b), "\n") // the adapter shows one thing a Write
	head, rest, _ := strings.Cut(text, "\n")
	more := strings.Split(strings.ReplaceAll("\n"+rest, "\n  ", "\n"), "\n")[1:]
	if rest == "" {
		more = nil
	}
	p.read(head, more)
	return len(b), nil
}

var (
	said    = regexp.MustCompile(`^(?:(#|@)([^/ ]+)(?:/(\S+))? )?(?:\(only (\S+)\) )?starling(?: \(edited (\d+)\))?> (.*)$`)
	deleted = regexp.MustCompile(`starling deleted (\d+)$`)
	reacted = regexp.MustCompile(`starling reacted (\S+) to (?:@(\S+) )?(line )?(\d+)$`)
	topic   = regexp.MustCompile(`^#(\S+) topic: (.*)$`)
	button  = regexp.MustCompile(`\[\d+\] (\S+)`)
	buttons = regexp.MustCompile(`^(\[\d+\] \S+ *)+$`)
	fields  = regexp.MustCompile(`^(Host|Load): (.*)$`)
)

// read takes in one thing that is shown. It is called with p.mu held.
func (p *person) read(head string, more []string) {
	if m := said.FindStringSubmatch(head); m != nil {
		post := adaptertest.Post{Thread: m[3], Only: m[4], Text: m[6]}
		switch {
		case m[1] == "#":
			post.Room = m[2]
		case m[1] == "@":
			post.Room = "dm-" + m[2]
		default:
			post.Room = "dm-" + p.user
		}
		for _, line := range more {
			switch f := fields.FindStringSubmatch(line); {
			case buttons.MatchString(line):
				for _, b := range button.FindAllStringSubmatch(line, -1) {
					post.Buttons = append(post.Buttons, b[1])
				}
			case f != nil:
				post.Fields = append(post.Fields, adapter.Field{Name: f[1], Value: f[2]})
			default:
				post.Text += "\n" + line
			}
		}
		if m[5] != "" {
			if old := p.number(m[5]); old != nil {
				post.ID, post.Reactions = old.ID, old.Reactions
				*old = post
			}
			return
		}
		p.numbers++
		post.ID = strconv.Itoa(p.numbers)
		p.posts = append(p.posts, &post)
		return
	}
	if m := deleted.FindStringSubmatch(head); m != nil {
		p.posts = slices.DeleteFunc(p.posts, func(q *adaptertest.Post) bool { return q.ID == m[1] })
		return
	}
	if m := reacted.FindStringSubmatch(head); m != nil {
		if m[3] == "" {
			if q := p.number(m[4]); q != nil {
				q.Reactions = append(q.Reactions, m[1])
			}
			return
		}
		user := m[2]
		if user == "" {
			user = p.user
		}
		p.reaction[user+"/"+m[4]] = append(p.reaction[user+"/"+m[4]], m[1])
		return
	}
	if m := topic.FindStringSubmatch(head); m != nil {
		p.topics[m[1]] = m[2]
	}
}

func (p *person) number(id string) *adaptertest.Post {
	i := slices.IndexFunc(p.posts, func(q *adaptertest.Post) bool { return q.ID == id })
	if i < 0 {
		return nil
	}
	return p.posts[i]
}

// act types lines as user in room ("" is the direct room). It is called with p.mu held.
func (p *person) act(user, room string, lines ...string) {
	if user != p.user {
		p.in.typeLine("/as " + user)
		p.user = user
		if p.room == "" {
			p.in.typeLine("/dm")
		}
	}
	switch {
	case room == p.room:
	case room == "":
		p.in.typeLine("/dm")
	default:
		p.in.typeLine("/room " + room)
	}
	p.room = room
	for _, line := range lines {
		p.in.typeLine(line)
	}
}

// say gives the name of what was said: user/number.
func (p *person) say(user, room, text string) (string, error) {
	if strings.Contains(text, "\n") {
		return "", fmt.Errorf("a line is one line: %w", errors.ErrUnsupported)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.act(user, room, text)
	p.lines[user]++
	return user + "/" + strconv.Itoa(p.lines[user]), nil
}

func (p *person) harness() adaptertest.Harness {
	onPost := func(user string, q adaptertest.Post, line string) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.act(user, q.Room, line) // in rooms: no case presses or reacts in a direct one
		return nil
	}
	return adaptertest.Harness{
		Bubble: true,
		Open:   p.open, Users: []string{"ann", "bob"}, Rooms: p.rooms, Say: p.say,
		Posts: func() []adaptertest.Post {
			p.mu.Lock()
			defer p.mu.Unlock()
			posts := make([]adaptertest.Post, len(p.posts))
			for i, q := range p.posts {
				posts[i] = *q
			}
			return posts
		},
		Mention: func(user, room, text string) error { _, err := p.say(user, room, "@starling "+text); return err },
		Direct:  func(user, text string) error { _, err := p.say(user, "", text); return err },
		Reply: func(user string, q adaptertest.Post, text string) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.act(user, q.Room, "/thread "+q.ID, text, "/thread")
			p.lines[user]++
			return nil
		},
		React: func(user string, q adaptertest.Post, emoji string) error {
			return onPost(user, q, "/react "+q.ID+" :"+emoji+":")
		},
		Press: func(user string, q adaptertest.Post, label string) error {
			return onPost(user, q, "/press "+q.ID+" "+label)
		},
		Edit: func(user, line, text string) error {
			_, n, _ := strings.Cut(line, "/")
			p.mu.Lock()
			defer p.mu.Unlock()
			p.act(user, p.room, "/edit "+n+" "+text)
			return nil
		},
		Redeliver: func() error { return nil }, // the adapter tries again by itself
		End:       func() error { p.mu.Lock(); defer p.mu.Unlock(); p.in.end(); return nil },
		Topic:     func(room string) string { p.mu.Lock(); defer p.mu.Unlock(); return p.topics[room] },
		Reactions: func(line string) []string { p.mu.Lock(); defer p.mu.Unlock(); return slices.Clone(p.reaction[line]) },
		Missing:   adaptertest.Missing{Room: "no such room", User: "no such user"},
		Lingers:   "a Read of In cannot be interrupted",
		Close:     func() error { p.mu.Lock(); defer p.mu.Unlock(); p.in.end(); return nil },
	}
}
