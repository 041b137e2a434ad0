package terminal_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/terminal"
)

// TestOutTakesNothing: an Out that takes nothing (Ctrl-S, a pager that nobody pages) holds up neither who says something longer than
// their context, nor the log, nor Close; what waited its turn was certainly not shown, and is not shown later.
func TestOutTakesNothing(t *testing.T) {
	t.Parallel()
	shown, out := io.Pipe()
	var log bytes.Buffer
	a := terminal.New(terminal.Config{In: bytes.NewReader(nil), Out: out, Err: &log, Playground: true})
	to := adapter.Address{Adapter: "terminal", Room: "dm:you"}
	room, err := a.OpenDirect(t.Context(), "you")
	require.NoError(t, err)
	to.Room = room.ID
	brief := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	send := func(text string) error {
		_, err := a.Send(brief(), &adapter.Message{To: to, Text: text})
		return err
	}
	within := func(what string, f func()) {
		t.Helper()
		done := make(chan struct{})
		go func() { defer close(done); f() }()
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Fatal(what, "is held up")
		}
	}
	within("the first message", func() {
		require.Equal(t, adapter.Unknown, adapter.OutcomeOf(send("first")), "nobody knows whether it will be shown")
	})
	for what, f := range map[string]func() error{
		"a message":   func() error { return send("second") },
		"an edit":     func() error { return a.Edit(brief(), adapter.Ref{Address: to, ID: "x"}, &adapter.Message{Text: "x"}) },
		"a deletion":  func() error { return a.Delete(brief(), adapter.Ref{Address: to, ID: "x"}) },
		"a reaction":  func() error { return a.React(brief(), adapter.Ref{Address: to, ID: "x"}, "+1") },
		"a topic":     func() error { return a.SetTopic(brief(), to.Room, "x") },
		"a user":      func() error { _, err := a.User(brief(), "@you"); return err },
		"a room":      func() error { _, err := a.Room(brief(), to.Room); return err },
		"direct room": func() error { _, err := a.OpenDirect(brief(), "you"); return err },
	} {
		within(what, func() { require.ErrorIs(t, f(), adapter.ErrUnavailable, what) })
	}
	within("the log", func() { slog.New(slog.NewTextHandler(a.LogWriter(), nil)).Info("still here") })
	require.Contains(t, log.String(), "still here")
	within("one of many", func() { // those that are given up do not pile up
		before := runtime.NumGoroutine()
		for range 20 {
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() { require.Error(t, send("again")) })
			}
			wg.Wait()
		}
		require.Less(t, runtime.NumGoroutine(), before+200)
	})
	last := make(chan error, 1)
	go func() { // behind all of those
		_, err := a.Send(t.Context(), &adapter.Message{To: to, Text: "last"})
		last <- err
	}()
	line := make([]byte, 1000)
	n, err := shown.Read(line)
	require.NoError(t, err)
	require.Contains(t, string(line[:n]), "first")
	_, err = shown.Read(line[:1])
	require.NoError(t, err)
	within("Close", func() { require.NoError(t, a.Close()) })
	require.ErrorIs(t, send("too late"), adapter.ErrClosed)
	n, err = shown.Read(line[1:])
	require.NoError(t, err)
	require.Contains(t, string(line[:n+1]), "last", "what was given up is not shown later")
	require.NoError(t, <-last)
}
