package guard_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/testutil"
)

// source is an adapter into which a test puts whatever event it likes.
type source struct {
	name string
	sink chan adapter.Sink
	feed adapter.Sink

	mu      sync.Mutex
	posts   []*adapter.Message
	deleted []string
}

func newSource(name string) *source { return &source{name: name, sink: make(chan adapter.Sink, 1)} }

func (s *source) Name() string             { return s.name }
func (*source) Features() adapter.Features { return adapter.Features{Buttons: true, Threads: true} }
func (s *source) Run(ctx context.Context, sink adapter.Sink) error {
	s.sink <- sink
	<-ctx.Done()
	return nil
}

func (s *source) Send(_ context.Context, m *adapter.Message) (adapter.Ref, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts = append(s.posts, m)
	return adapter.Ref{Address: m.To, ID: strconv.Itoa(len(s.posts))}, nil
}

// Find tells the outbox what was posted, so that it need not post one message at a time.
func (*source) Find(context.Context, *adapter.Message) (adapter.Ref, bool, error) {
	return adapter.Ref{}, false, nil
}

func (s *source) OpenDirect(_ context.Context, id string) (adapter.Room, error) {
	return adapter.Room{ID: "d-" + id, Kind: adapter.RoomDirect}, nil
}

// Delete lets the bot take back what people have said, as Slack does with an admin's token.
func (s *source) Delete(_ context.Context, ref adapter.Ref) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted = append(s.deleted, ref.ID)
	return nil
}

func (s *source) said() []*adapter.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*adapter.Message(nil), s.posts...)
}

// run runs a bot on sources until the test ends.
func run(t *testing.T, cfg starling.Config, sources ...*source) *starling.Bot {
	t.Helper()
	if cfg.Adapters == nil {
		for _, s := range sources {
			cfg.Adapters = append(cfg.Adapters, s)
		}
	}
	if cfg.Limits == (starling.Limits{}) {
		cfg.Limits = starling.Limits{UserRate: -1, RoomRate: -1}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	bot, err := starling.New(cfg)
	require.NoError(t, err)
	running, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- bot.Run(running) }()
	for _, s := range sources {
		s.feed = <-s.sink
	}
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	return bot
}

// T24: a thousand clicks and lines of a thousand people at once, in one room and in a thousand: the command runs once. With two
// processes on one store, too.
func TestThousandApprovals(t *testing.T) {
	const n = 1000
	for _, needs := range []int{1, 3} {
		for _, where := range []string{"one room", "a thousand rooms", "two processes"} {
			t.Run(fmt.Sprintf("%d of %d, %s", needs, n, where), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := memory.New()
					w := &world{t: t, people: &people{}, book: &book{}, codes: &codes{}, store: store, deploys: make(chan deployArgs, n)}
					w.people.give("chat//bob", "deployer")
					for i := range n {
						w.people.give(fmt.Sprintf("chat//sre%d", i), "sre")
					}
					o := options{deploy: func(c *handler.Command[deployArgs]) {
						c.When = func(deployArgs) handler.Policy { return handler.Policy{Approvals: needs, ApprovedBy: "sre"} }
					}}
					sources := []*source{newSource("chat")}
					if where == "two processes" {
						sources = append(sources, newSource("chat"))
					}
					for _, s := range sources {
						run(t, starling.Config{Router: w.router(o), Brain: brain.New(store)}, s)
					}
					room := adapter.Room{ID: "ops", Kind: adapter.RoomChannel}
					require.NoError(t, sources[0].feed(ctx, &adapter.Event{ID: "ask", Kind: adapter.KindMessage, Room: room,
						User: adapter.User{ID: "bob", Name: "bob", Kind: adapter.KindMember}, Text: "starling deploy api"}))
					require.Eventually(t, func() bool { return len(sources[0].said()) == 1 }, 30*time.Second, time.Millisecond)
					post := sources[0].said()[0]
					require.Len(t, post.Buttons, 2)
					id := requestID(t, post.Text)
					var all sync.WaitGroup
					for i := range n {
						ev := &adapter.Event{ID: fmt.Sprint("click", i), Kind: adapter.KindClick, Room: room, User: adapter.User{ID: fmt.Sprint("sre", i), Name: fmt.Sprint("sre", i), Kind: adapter.KindMember},
							Click: &adapter.Click{Command: post.Buttons[0].Command}}
						if where != "one room" {
							ev.Kind, ev.Click, ev.Text, ev.Room.ID = adapter.KindMessage, nil, "starling approve "+id, fmt.Sprint("room", i)
						}
						all.Go(func() {
							if err := sources[i%len(sources)].feed(ctx, ev); err != nil {
								t.Error(err)
							}
						})
					}
					all.Wait()
					answers := func() (n int) {
						for _, s := range sources {
							n += len(s.said())
						}
						return n
					}
					// One request, one answer to each click, one deployment.
					require.Eventually(t, func() bool { return answers() >= 1+n+1 }, 60*time.Second, 5*time.Millisecond, "%d answers", answers())
					time.Sleep(20 * time.Millisecond)
					require.EqualValues(t, 1, w.ran.Load())
					agreed, over := 0, 0
					for _, s := range sources {
						for _, m := range s.said() {
							switch text := adapter.PlainText(m.Text); {
							case strings.Contains(text, "agreed to"):
								agreed++
							case strings.Contains(text, "any more"), strings.Contains(text, "Too many decide"):
								over++
							}
						}
					}
					require.Equal(t, needs, agreed)
					t.Logf("T24: %d approvals at once, %d needed: %d counted, %d came too late, %d execution", n, needs, agreed, over, w.ran.Load())
				})
			})
		}
	}
}

// R13: the process dies between approval and run, again and again: nothing that was decided is lost, and nothing runs twice.
// 300 approvals; with STARLING_FIGURES=full all 5,000.
func TestApprovalsOverCrashes(t *testing.T) { synctest.Test(t, approvalsOverCrashes) }

func approvalsOverCrashes(t *testing.T) {
	n := 300
	if os.Getenv("STARLING_FIGURES") == "full" {
		n = 5000
	}
	store := &slow{Store: memory.New()}
	w := &world{t: t, people: &people{}, book: &book{}, codes: &codes{}, store: store, deploys: make(chan deployArgs, n)}
	w.people.give(key("bob"), "deployer")
	w.people.give(key("carol"), "sre")
	// The writes at which the process dies, just before they are made.
	points := []struct {
		name string
		hit  func(op brain.Op) bool
	}{
		{"the approval is stored", func(op brain.Op) bool { return op.Delete && strings.HasPrefix(op.Key, "_/held/") }},
		{"the click is completed", func(op brain.Op) bool {
			return op.Delete && strings.HasPrefix(op.Key, "_/inbox/")
		}},
		{"the run begins", func(op brain.Op) bool {
			return strings.HasPrefix(op.Key, "_/run/") && strings.Contains(string(op.Value), `"begun":["deploy"]`)
		}},
		{"the run is completed", func(op brain.Op) bool {
			return op.Delete && strings.HasPrefix(op.Key, "_/run/") && strings.Contains(op.Key, "req-")
		}},
	}
	dead := make(chan struct{}) // the writes of dead processes stand still until the end
	defer close(dead)
	var mu sync.Mutex
	runs := map[string]int{}
	o := options{deploy: func(c *handler.Command[deployArgs]) {
		c.Run = func(ctx context.Context, r *handler.Request, a deployArgs) error {
			mu.Lock()
			defer mu.Unlock()
			runs[a.Service]++
			return nil
		}
	}}
	w.start(o)
	kills := 0
	room := func(i int) string { return fmt.Sprint("#ops", i/100) } // of few posts, all of which are searched
	// find gives the first post in a room that has all words.
	find := func(room string, words ...string) *testutil.Post {
		var found *testutil.Post
		require.Eventually(t, func() bool {
			for _, p := range w.Chat.Posts(room) {
				all := true
				for _, word := range words {
					all = all && strings.Contains(p.Text, word)
				}
				if all {
					found = &p
					return true
				}
			}
			return false
		}, 20*time.Second, time.Millisecond, "%v", words)
		return found
	}
	hits := map[string]int{}
	for i := range n {
		service := fmt.Sprint("s", i)
		w.User("bob").Say(room(i), "starling deploy "+service+" to prod")
		post := find(room(i), "asks to run", "deploy "+service+" prod")
		w.Idle()
		if i%5 == 4 {
			w.User("carol").Press(post, "Approve")
		} else {
			point, reached := points[i%5], make(chan struct{})
			var once sync.Once
			store.before(func(ops []brain.Op) {
				if slices.ContainsFunc(ops, point.hit) {
					once.Do(func() { close(reached) })
					<-dead
				}
			})
			w.User("carol").Press(post, "Approve")
			await(w.t, reached)
			kills++
			hits[point.name]++
			w.Kill()
			store.before(nil)
			w.Start(func(c *starling.Config) { c.Router = w.router(o) })
		}
		find(room(i), "agreed to "+requestID(t, post.Text))
		w.Idle()
	}
	mu.Lock()
	defer mu.Unlock()
	once, told := 0, 0
	for i := range n {
		service := fmt.Sprint("s", i)
		require.LessOrEqual(t, runs[service], 1, "%s ran twice", service)
		switch {
		case runs[service] == 1:
			once++
		default:
			told++
			require.Contains(t, find(room(i), "interrupted", "deploy "+service+" ").Text, "outcome unknown", "%s was decided and lost", service)
		}
	}
	require.Len(t, hits, len(points))
	t.Logf("R13: %d approvals, %d kills %v: %d ran once, 0 ran twice, %d did not run and were told so, 0 decided and lost", n, kills, hits, once, told)
}
