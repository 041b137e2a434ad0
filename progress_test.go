package starling_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/jobs"
	"github.com/starlingbot/starling/testutil"
)

// steps is a router with a job that shows its progress: n steps of a time each, and then err.
func steps(n int, each time.Duration, err error) *handler.Router {
	rt := handler.NewRouter()
	rt.Mount("jobs", jobs.New(jobs.Config{}))
	rt.Add(handler.Command[handler.None]{
		Name: "work", Summary: "Work.", Background: true, Timeout: time.Hour,
		Run: func(ctx context.Context, r *handler.Request, _ handler.None) error {
			for i := range n {
				if err := r.ProgressOf(ctx, int64(i), int64(n), "step %d", i+1); err != nil {
					return err
				}
				select {
				case <-time.After(each):
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return errors.Join(r.ProgressOf(ctx, int64(n), int64(n), "all steps"), err)
		},
	})
	return rt
}

func barOf(full int) string { return strings.Repeat("█", full) + strings.Repeat("░", 20-full) }

// Progress is one message: edited at most once a second however often it is called, with the last state always shown.
func TestProgressIsCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testutil.Start(t, starling.Config{Router: steps(100, 131*time.Millisecond, nil), Brain: brain.New(memory.New())})
		b.Patience = time.Minute
		b.User("alice").Say("#ops", "starling work")
		post := b.Expect("#ops", "step 1\n\n"+barOf(0)+" · 0 % · 0 s")
		require.Equal(t, "Cancel", post.Message.Buttons[0].Label)
		for s := 1; s < 14; s++ {
			n := s * 1000 / 131
			b.ExpectEdit("#ops", fmt.Sprintf("step %d\n\n%s · %d %% · %d s", n+1, barOf(n/5), n, s))
		}
		end := b.ExpectEdit("#ops", "all steps\n\n"+barOf(20)+" · 100 % · done · 13 s")
		require.Empty(t, end.Message.Buttons)
		b.ExpectSilence()
	})
}

// The message says how the job ended.
func TestProgressSaysHowItEnded(t *testing.T) {
	for how, err := range map[string]error{"failed": errors.New("boom"), "took too long": context.DeadlineExceeded} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := testutil.Start(t, starling.Config{Router: steps(1, time.Second, err), Brain: brain.New(memory.New())})
				b.User("alice").Say("#ops", "starling work")
				b.ExpectMatch("#ops", "step 1")
				b.ExpectEdit("#ops", "all steps\n\n"+barOf(20)+" · 100 % · "+how+" · 1 s")
				b.ExpectMatch("#ops", "Sorry, that went wrong")
			})
		})
	}
}

// The button cancels the job, and the message says so.
func TestProgressCanBeCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testutil.Start(t, starling.Config{Router: steps(1, time.Hour, nil), Brain: brain.New(memory.New())})
		b.User("alice").Say("#ops", "starling work")
		post := b.ExpectMatch("#ops", "step 1")
		time.Sleep(70 * time.Second)
		b.User("bob").Press(post, "Cancel")
		b.ExpectMatch("#ops", "belongs to @?alice")
		b.User("alice").Press(post, "Cancel")
		for range 2 { // who cancels and what is canceled speak at the same time
			b.ExpectMatch("#ops", "is told to stop|^Canceled by @alice")
		}
		b.ExpectEdit("#ops", "step 1\n\n"+barOf(0)+" · 0 % · canceled · 1 min 10 s")
		b.ExpectSilence()
	})
}

// Where nothing can be edited the start and the end are posted.
func TestProgressWithoutEditing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bare := testutil.NewChat(testutil.ChatConfig{Bare: true, Features: adapter.Features{Threads: true}})
		b := testutil.Start(t, starling.Config{Router: steps(100, 100*time.Millisecond, nil), Brain: brain.New(memory.New()), Adapters: []adapter.Adapter{bare}})
		b.Patience = time.Minute
		b.User("alice").Say("#ops", "starling work")
		b.Expect("#ops", "step 1\n\n"+barOf(0)+" · 0 % · 0 s")
		b.Expect("#ops", "all steps\n\n"+barOf(20)+" · 100 % · done · 10 s")
		b.ExpectSilence()
	})
}

// After a crash the message of a job that is not begun again says "interrupted"; one that is run again goes on in it.
func TestProgressAfterACrash(t *testing.T) {
	for name, again := range map[string]bool{"report": false, "rerun": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				routes := func(n int) *handler.Router {
					rt := steps(n, time.Hour, nil)
					if again {
						rt = handler.NewRouter()
						rt.Respond("work", func(ctx context.Context, r *handler.Request) error {
							if err := r.Progress(ctx, "run %d", r.Attempt); err != nil || n == 0 {
								return err
							}
							<-ctx.Done()
							return ctx.Err()
						}).Timeout = time.Hour
					}
					return rt
				}
				b := testutil.Start(t, starling.Config{Router: routes(1), Brain: brain.New(memory.New())})
				b.User("alice").Say("#ops", "starling work")
				b.ExpectMatch("#ops", "(step|run) 1")
				time.Sleep(time.Minute)
				b.Kill()
				b.Start(func(c *starling.Config) { c.Router = routes(0) })
				if again {
					b.ExpectEdit("#ops", "run 2 · 0 s")
					b.ExpectEdit("#ops", "run 2 · done · 0 s")
				} else {
					b.ExpectEdit("#ops", "interrupted, outcome unknown")
					b.ExpectMatch("#ops", "interrupted, outcome unknown")
				}
			})
		})
	}
}

// What takes many parts is posted as the first and a file with the whole; editing to fewer or more parts deletes and adds.
func TestLongMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 40
		text := func(parts int) string {
			return strings.TrimSuffix(strings.Repeat(strings.Repeat("x", most-1)+"\n", parts), "\n")
		}
		add := func(rt *handler.Router) {
			rt.Command("long", "", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "%s", text(6)) })
			rt.Command("post", "", func(ctx context.Context, r *handler.Request) error {
				p, err := r.Post(ctx, "%s", text(2))
				if err != nil {
					return err
				}
				if err := p.Edit(ctx, "%s", text(4)); err != nil {
					return err
				}
				if len(p.Refs) != 4 {
					return fmt.Errorf("%d refs", len(p.Refs))
				}
				if err := p.Edit(ctx, "%s", text(1)); err != nil {
					return err
				}
				return p.Edit(ctx, "end")
			})
		}
		far := &splitting{stage: &stage{feat: adapter.Features{MaxText: most, Files: true}, ready: make(chan struct{}), end: make(chan struct{})}}
		s := play(t, starling.Config{Adapters: []adapter.Adapter{far}, Brain: brain.New(memory.New())}, add)
		<-far.ready
		require.NoError(t, far.say("alice", "C1", "starling long"))
		synctest.Wait()
		require.Equal(t, []string{"C1> " + text(1)}, far.said())
		require.Equal(t, "message.md", far.files[0].Name)
		content, err := far.files[0].Open(t.Context())
		require.NoError(t, err)
		whole, err := io.ReadAll(content)
		require.NoError(t, err)
		require.Equal(t, text(6), string(whole))
		require.NoError(t, far.say("alice", "C1", "starling post"))
		time.Sleep(time.Second)
		synctest.Wait()
		line := text(1)
		require.Equal(t, []string{
			"C1> " + line, "C1> " + line, // posted: messages 2 and 3
			"edit 2: " + line, "edit 3: " + line, "C1> " + line, "C1> " + line, // six and seven are added
			"edit 2: " + line, "delete 3", "delete 6", "delete 7", "edit 2: end",
		}, far.said()[1:])
		require.NoError(t, s.stop())
	})
}

// splitting is a stage that splits at lines, deletes, and keeps the files.
type splitting struct {
	*stage
	files []adapter.File
}

func (*splitting) Name() string { return "far" }

func (*splitting) Render(m *adapter.Message) (parts []*adapter.Message, err error) {
	for _, line := range strings.Split(adapter.PlainText(m.Text), "\n") {
		part := *m
		part.Text = line
		parts = append(parts, &part)
	}
	return parts, nil
}

func (s *splitting) Send(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
	s.files = append(s.files, m.Files...)
	return s.stage.Send(ctx, m)
}

func (s *splitting) Delete(_ context.Context, ref adapter.Ref) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts = append(s.posts, post{"", "delete " + ref.ID})
	return nil
}

// A handler that is told that the store is uncertain is run again: its progress does not say that it has failed.
func TestProgressOfWhatIsRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, q *handler.Request) error {
				if q.Attempt == 1 { // until a while after the handler has been told
					r.setFail(func([]brain.Op) error { return errLost })
					time.AfterFunc(200*time.Millisecond, func() { r.setFail(nil) })
				}
				if err := q.Progress(ctx, "work"); err != nil {
					return err
				}
				return q.Reply(ctx, "worked")
			})
		})
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"C1> work · 0 s", "C1> worked", "edit 1: work · done · 0 s"}, s.said())
	})
}
