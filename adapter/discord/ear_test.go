package discord_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/discordfake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ear is a sink that remembers.
type ear struct {
	mu     sync.Mutex
	events []*adapter.Event
	answer func(ctx context.Context, ev *adapter.Event) error
}

func newEar() *ear { return &ear{} }

func (e *ear) sink(ctx context.Context, ev *adapter.Event) error {
	e.mu.Lock()
	e.events = append(e.events, ev)
	answer := e.answer
	e.mu.Unlock()
	if answer != nil {
		return answer(ctx, ev)
	}
	return nil
}

func (e *ear) set(answer func(ctx context.Context, ev *adapter.Event) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

// heard gives the events of others, as they came.
func (e *ear) heard() []*adapter.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []*adapter.Event
	for _, ev := range e.events {
		if !ev.Self {
			out = append(out, ev)
		}
	}
	return out
}

func (e *ear) texts() []string {
	var out []string
	for _, ev := range e.heard() {
		out = append(out, ev.Text)
	}
	return out
}

// last gives the only new event since n, once everything is quiet.
func (e *ear) last(t *testing.T, n int) *adapter.Event {
	t.Helper()
	synctest.Wait()
	all := e.heard()
	require.Len(t, all, n+1)
	return all[n]
}

// bubble runs a test against a fake on the fake clock.
func bubble(t *testing.T, opt discordfake.Options, test func(t *testing.T, f *discordfake.Server)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := discordfake.New(opt)
		people(f)
		t.Cleanup(func() {
			require.NoError(t, f.Close())
			require.Empty(t, f.Mistakes())
			synctest.Wait()
		})
		test(t, f)
	})
}

func wait(d time.Duration) { <-time.After(d) }

// shelf keeps positions as a brain does.
type shelf struct {
	mu   sync.Mutex
	m    map[string]string
	sets int
	err  error
}

func (s *shelf) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *shelf) Get(_ context.Context, key string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[key], s.err
}

func (s *shelf) Set(_ context.Context, key, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[string]string{}
	}
	if s.err == nil {
		s.m[key] = value
		s.sets++
	}
	return s.err
}
