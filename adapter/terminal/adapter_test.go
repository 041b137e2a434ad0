package terminal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/starlingbot/starling/adapter"
)

func TestMain(m *testing.M) {
	// What a terminal is like is said by the environment.
	for k, v := range map[string]string{"TERM": "xterm-256color", "NO_COLOR": ""} {
		if err := os.Setenv(k, v); err != nil {
			panic(err)
		}
	}
	time.Local = time.UTC
	goleak.VerifyTestMain(m)
}

// output is a concurrent buffer that counts writes.
type output struct {
	mu     sync.Mutex
	b      bytes.Buffer
	writes int
	err    error
	short  int
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.short, o.err
	}
	o.writes++
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// take gives what was written since the last take.
func (o *output) take() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.b.Reset()
	return o.b.String()
}

// piped makes an adapter for tests that reads from a string.
func piped(t *testing.T, in string, cfg Config) (a *Adapter, out, errs *output) {
	t.Helper()
	out, errs = &output{}, &output{}
	if cfg.In == nil {
		cfg.In = strings.NewReader(in)
	}
	cfg.Out, cfg.Err = out, errs
	a = New(cfg)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a, out, errs
}

// recorder is a sink that keeps events.
type recorder struct {
	mu     sync.Mutex
	events []*adapter.Event
}

func (r *recorder) sink(_ context.Context, ev *adapter.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, ev)
	return nil
}

// last gives the nth event from the end, and how many there are.
func (r *recorder) last(n int) (*adapter.Event, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[len(r.events)-n], len(r.events)
}

func (r *recorder) texts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	texts := []string{}
	for _, ev := range r.events {
		texts = append(texts, ev.Text)
	}
	return texts
}

func to(room string) adapter.Address { return adapter.Address{Adapter: "terminal", Room: room} }

func TestConfigDefaults(t *testing.T) {
	a := New(Config{})
	require.Equal(t, "terminal", a.Name())
	require.Same(t, os.Stdin, a.cfg.In)
	require.Same(t, os.Stdout, a.cfg.Out)
	require.Same(t, os.Stderr, a.cfg.Err)
	require.Equal(t, adapter.Features{Threads: true, Buttons: true, Ephemeral: true, Fields: true, Local: true}, a.Features())
	require.Equal(t, adapter.User{Adapter: "terminal", ID: "you", Name: "you", Kind: adapter.KindMember}, a.user)
	require.Equal(t, adapter.Room{ID: "dm-you", Name: "you", Kind: adapter.RoomDirect}, a.room)

	a = New(Config{Name: "tty", BotName: "ops\x1b[2Jbot", User: "ann", Playground: true})
	require.Equal(t, "tty", a.Name())
	require.True(t, a.Features().Playground)
	require.Equal(t, "opsbot", a.bot.Name)
	require.Equal(t, "dm-ann", a.room.ID)
}

func TestBotIsNoHumanOfItsName(t *testing.T) { // A35: ids are compared, not names
	a, _, errs := piped(t, "/as starling\nhello\n/as bot:starling\nstill me", Config{Playground: true})
	var got recorder
	require.NoError(t, a.Run(t.Context(), got.sink))
	require.Len(t, got.events, 2)
	for _, ev := range got.events {
		require.Equal(t, "starling", ev.User.ID)
		require.NotEqual(t, a.bot.ID, ev.User.ID)
		require.False(t, ev.Self)
	}
	require.Equal(t, "that is no name; usage: /as NAME\n", errs.String())
}

func TestClosed(t *testing.T) {
	a, out, _ := piped(t, "", Config{})
	ref, err := a.Send(t.Context(), &adapter.Message{To: to("dm-you"), Text: "x"})
	require.NoError(t, err)
	out.take()
	require.NoError(t, a.Close())
	require.NoError(t, a.Close())
	ctx := t.Context()
	for verb, f := range map[string]func() error{
		"send":     func() error { _, err := a.Send(ctx, &adapter.Message{To: to("dm-you"), Text: "x"}); return err },
		"edit":     func() error { return a.Edit(ctx, ref, &adapter.Message{Text: "x"}) },
		"delete":   func() error { return a.Delete(ctx, ref) },
		"react":    func() error { return a.React(ctx, ref, "x") },
		"topic":    func() error { return a.SetTopic(ctx, "dm-you", "x") },
		"user":     func() error { _, err := a.User(ctx, "you"); return err },
		"room":     func() error { _, err := a.Room(ctx, "dm-you"); return err },
		"direct":   func() error { _, err := a.OpenDirect(ctx, "you"); return err },
		"commands": func() error { return a.RegisterCommands(ctx, nil) },
	} {
		err := f()
		require.ErrorIs(t, err, adapter.ErrClosed, verb)
		require.Equal(t, adapter.Refused, adapter.OutcomeOf(err), verb)
	}
	require.Empty(t, out.String())
}

func TestCloseEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		a := New(Config{In: r, Out: io.Discard, Err: io.Discard})
		done := make(chan error)
		go func() { done <- a.Run(t.Context(), (&recorder{}).sink) }()
		synctest.Wait()
		require.NoError(t, a.Close())
		require.NoError(t, <-done)
		require.NoError(t, w.Close())
	})
}

func TestRunOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		a := New(Config{In: r, Out: io.Discard, Err: io.Discard})
		done := make(chan error)
		go func() { done <- a.Run(t.Context(), (&recorder{}).sink) }()
		synctest.Wait()
		require.ErrorContains(t, a.Run(t.Context(), (&recorder{}).sink), "already running")
		require.NoError(t, w.Close())
		require.NoError(t, <-done)
	})
}

func TestRunContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		a := New(Config{In: r, Out: io.Discard, Err: io.Discard})
		var got recorder
		run := func() (cancel func()) {
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- a.Run(ctx, got.sink) }()
			synctest.Wait()
			return func() {
				stop()
				start := time.Now()
				require.NoError(t, <-done) // a Read is under way and nothing comes
				require.Zero(t, time.Since(start))
			}
		}
		cancel := run()
		write := func(s string) {
			_, err := io.WriteString(w, s)
			require.NoError(t, err)
			synctest.Wait()
		}
		write("one\ntw")
		require.Equal(t, []string{"one"}, got.texts())
		cancel()
		write("o\nthree\n") // the blocked Read takes it
		require.Equal(t, []string{"one"}, got.texts())
		cancel = run()
		require.Equal(t, []string{"one", "two", "three"}, got.texts())
		write("four\n")
		cancel()
		require.Equal(t, []string{"one", "two", "three", "four"}, got.texts())
		require.NoError(t, w.Close())
	})
}

func TestLogWriterPlain(t *testing.T) {
	a, out, errs := piped(t, "", Config{})
	log := slog.New(slog.NewTextHandler(a.LogWriter(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	log.Info("quiet")
	log.Warn("loud")
	_, err := a.LogWriter().Write([]byte("as \x1b[31mit is"))
	require.NoError(t, err)
	require.Contains(t, errs.String(), "level=WARN msg=loud\nas \x1b[31mit is")
	require.NotContains(t, errs.String(), "quiet")
	require.Empty(t, out.String())
}

func TestIDsDoNotRepeatAfterRestart(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		a, _, _ := piped(t, strings.Repeat("x\n", 100), Config{})
		var got recorder
		require.NoError(t, a.Run(t.Context(), got.sink))
		require.Len(t, got.events, 100)
		for _, ev := range got.events {
			require.False(t, seen[ev.ID], ev.ID)
			require.False(t, seen[ev.MessageID], ev.MessageID)
			seen[ev.ID], seen[ev.MessageID] = true, true
		}
		ref, err := a.Send(t.Context(), &adapter.Message{To: to("dm-you"), Text: "x"})
		require.NoError(t, err)
		require.False(t, seen[ref.ID])
		seen[ref.ID] = true
	}
}

var errDown = errors.New("the store is down")
