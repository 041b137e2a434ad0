package starling_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/canary"
)

// stage is an adapter and a running bot for tests of the pipeline: events go in through say, what the bot posts is in posts.
type stage struct {
	t    testing.TB
	feat adapter.Features
	bot  *starling.Bot
	sink adapter.Sink
	stop func() error // ends the bot and gives what Run returned
	log  *lockedBuffer

	mu    sync.Mutex
	posts []post
	fail  func(n int, m *adapter.Message) error // of the n-th send, from 1
	hang  func(m *adapter.Message)              // returns when the message may be posted
	sends int
	next  int
	open  func(ctx context.Context) error // of a direct room
	ready chan struct{}
	end   chan struct{}
}

type post struct{ room, text string }

func (p post) String() string {
	if p.room == "" {
		return p.text
	}
	return p.room + "> " + p.text
}

func (*stage) Name() string { return "stage" }

func (s *stage) Features() adapter.Features { return s.feat }

func (s *stage) Run(ctx context.Context, sink adapter.Sink) error {
	s.sink = sink
	close(s.ready)
	select {
	case <-ctx.Done():
	case <-s.end:
	}
	return nil
}

func (s *stage) Send(_ context.Context, m *adapter.Message) (adapter.Ref, error) {
	if canary.On() {
		shown := *m
		shown.Origin = "" // it goes back to the platform, which nobody reads
		canary.WriteJSON(canary.Posts, shown)
	}
	if s.hang != nil {
		s.hang(m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sends++
	if s.fail != nil {
		if err := s.fail(s.sends, m); err != nil {
			return adapter.Ref{}, err
		}
	}
	room := m.To.Room
	if m.To.Thread != "" {
		room += "/" + m.To.Thread
	}
	s.posts = append(s.posts, post{room, adapter.PlainText(m.Text)})
	return adapter.Ref{Address: m.To, ID: strconv.Itoa(len(s.posts))}, nil
}

func (s *stage) Edit(_ context.Context, ref adapter.Ref, m *adapter.Message) error {
	canary.WriteJSON(canary.Posts, m)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts = append(s.posts, post{"", "edit " + ref.ID + ": " + adapter.PlainText(m.Text)})
	return nil
}

func (s *stage) OpenDirect(ctx context.Context, user string) (adapter.Room, error) {
	if s.open != nil {
		if err := s.open(ctx); err != nil {
			return adapter.Room{}, err
		}
	}
	return adapter.Room{ID: "D" + user, Kind: adapter.RoomDirect}, nil
}

// play starts a bot on a stage; routes are made by add.
func play(t testing.TB, cfg starling.Config, add func(rt *handler.Router)) *stage {
	t.Helper()
	return playOn(t, adapter.Features{Threads: true, Local: true}, cfg, add)
}

// playOn is play on a platform that can do something else.
func playOn(t testing.TB, can adapter.Features, cfg starling.Config, add func(rt *handler.Router)) *stage {
	t.Helper()
	s := &stage{t: t, feat: can, ready: make(chan struct{}), end: make(chan struct{}), log: &lockedBuffer{}}
	rt := handler.NewRouter()
	add(rt)
	cfg.Router = rt
	cfg.Adapters = append([]adapter.Adapter{s}, cfg.Adapters...)
	cfg.Logger = slog.New(slog.NewTextHandler(canary.Also(canary.Logs, s.log), &slog.HandlerOptions{Level: slog.LevelDebug}))
	bot, err := starling.New(cfg)
	require.NoError(t, err)
	s.bot = bot
	ctx, cancel := context.WithCancel(context.Background())
	var once sync.Once
	done := make(chan struct{})
	var result error
	go func() { defer close(done); result = bot.Run(ctx) }()
	s.stop = func() error {
		once.Do(func() { cancel() })
		<-done
		return result
	}
	t.Cleanup(func() { _ = s.stop() })
	select {
	case <-s.ready:
	case <-done: // it died while it read what an earlier process had left
	}
	return s
}

// say offers a message of a user in a room ("D..." is direct) and returns what the sink answered.
func (s *stage) say(user, room, text string) error {
	return s.offer(s.message(user, room, text))
}

func (s *stage) message(user, room, text string) *adapter.Event {
	s.mu.Lock()
	s.next++
	id := "m" + strconv.Itoa(s.next)
	s.mu.Unlock()
	kind := adapter.RoomChannel
	if room[0] == 'D' {
		kind = adapter.RoomDirect
	}
	return &adapter.Event{
		ID: id, Kind: adapter.KindMessage, MessageID: id, Room: adapter.Room{ID: room, Kind: kind},
		User: adapter.User{ID: user, Name: user, Kind: adapter.KindMember}, Text: text,
	}
}

func (s *stage) offer(ev *adapter.Event) error { return s.sink(context.Background(), ev) }

// setFail has every send from now on ask f.
func (s *stage) setFail(f func(n int, m *adapter.Message) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// c1 is a message to the room C1.
func c1(text string) *adapter.Message {
	return &adapter.Message{To: adapter.Address{Adapter: "stage", Room: "C1"}, Text: text}
}

// said gives what was posted so far, as "room> text".
func (s *stage) said() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{}
	for _, p := range s.posts {
		out = append(out, p.String())
	}
	return out
}

func ok(context.Context, *handler.Request) error { return nil }

// replies answers with a fixed text.
func replies(text string) handler.Func {
	return func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "%s", text) }
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

var _ fmt.Stringer = (*lockedBuffer)(nil)

// unlimited switches flood protection off.
func unlimited() starling.Limits { return starling.Limits{UserRate: -1, RoomRate: -1} }
