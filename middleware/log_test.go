package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/middleware"
)

// records reads what was logged.
func records(t testing.TB, out *bytes.Buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(out.String()) {
		var one map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &one), line)
		delete(one, "time")
		all = append(all, one)
	}
	return all
}

func logger(level slog.Level) (*slog.Logger, *bytes.Buffer) {
	out := new(bytes.Buffer)
	return slog.New(slog.NewJSONHandler(canary.Also(canary.Logs, out), &slog.HandlerOptions{Level: level})), out
}

type brokenError struct{}

func (*brokenError) Error() string { panic("an Error that panics") }

func TestLogOutcomes(t *testing.T) {
	secret := handler.NewSecret("cnrymark2")
	text := "what was said"
	for _, c := range []struct {
		name    string
		inside  handler.Handler
		level   string
		outcome string
		error   string // at level Info
		reason  string
		debug   string // error at level Debug, where another
	}{
		{"ok", returns(nil), "INFO", "ok", "", "", ""},
		{"failed", returns(fmt.Errorf("deploy: %w", io.EOF)), "ERROR", "failed", "deploy: EOF", "", ""},
		{"failed with a secret", returns(fmt.Errorf("login with %v", secret)), "ERROR", "failed", "login with [secret]", "", ""},
		{"timeout", returns(context.DeadlineExceeded), "ERROR", "failed", "context deadline exceeded", "", ""},
		{"user error", returns(handler.UserErrorf("no %s", text)), "INFO", "user_error", "", "", ""},
		{"user error with a cause", returns(handler.UserErrorf("no: %v", fmt.Errorf("parse %q", text))), "INFO", "user_error", "", "", `parse "what was said"`},
		{"canceled", returns(fmt.Errorf("x: %w", handler.ErrCanceled)), "INFO", "canceled", "", "", ""},
		{"refused", returns(fmt.Errorf("x: %w", handler.Refused("not now"))), "INFO", "refused", "", "not now", ""},
		{"retry", returns(handler.Retry(io.EOF)), "WARN", "retry", "retry: EOF", "", ""},
		{"retry of what is shown", returns(handler.Retry(handler.UserErrorf("busy"))), "WARN", "retry", "retry: busy", "", ""},
		{"panic as an error", middleware.Recover()(panics("boom")), "ERROR", "panic", "panic: boom", "", ""},
		{"panic", panics("boom"), "ERROR", "panic", "panic: boom", "", ""},
		{"panic with a secret", panics(secret), "ERROR", "panic", "panic: [secret]", "", ""},
		{"panic with what would be shown", panics(handler.UserErrorf("no")), "ERROR", "panic", "panic: no", "", ""},
		{"an error that cannot say what it is", returns(&brokenError{}), "ERROR", "failed", "%!v(PANIC=Error method: an Error that panics)", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, level := range []slog.Level{slog.LevelInfo, slog.LevelDebug} {
					log, out := logger(level)
					inside := handler.Func(func(ctx context.Context, r *handler.Request) error {
						pass(2 * time.Second)
						return c.inside.Handle(ctx, r)
					})
					r := request(nil, "U1")
					r.Event.Thread = "T1"
					r.Text = text
					_ = run(middleware.Recover()(middleware.Log(log)(inside)), r)
					got := records(t, out)
					require.Len(t, got, 1)
					stack, _ := got[0]["stack"].(string)
					require.Equal(t, c.outcome == "panic", strings.Contains(stack, "middleware_test."), "a stack of panics alone")
					delete(got[0], "stack")
					want := map[string]any{
						"level": c.level, "msg": "handled", "id": handler.CorrelationID("E1"), "route": "ping", "room": "test/C1/T1",
						"user": "test//U1", "duration": float64(2 * time.Second), "outcome": c.outcome,
					}
					if c.error != "" {
						want["error"] = c.error
					}
					if c.reason != "" {
						want["reason"] = c.reason
					}
					if level == slog.LevelDebug {
						want["bytes"] = float64(len(text))
						if c.debug != "" {
							want["error"] = c.debug
						}
					} else {
						require.NotContains(t, out.String(), text)
					}
					require.Equal(t, want, got[0])
					require.NotContains(t, out.String(), "cnrymark2")
				}
			})
		})
	}
}

// What goes through Log comes out as it went in; a panic goes on.
func TestLogChangesNothing(t *testing.T) {
	log, out := logger(slog.LevelInfo)
	for _, err := range []error{nil, io.EOF, handler.Retry(io.EOF), handler.UserErrorf("no")} {
		require.Equal(t, err, run(middleware.Log(log)(returns(err)), request(nil, "U1")))
	}
	func() {
		defer func() {
			p, ok := recover().(*handler.PanicError)
			require.True(t, ok)
			require.Equal(t, "boom", p.Value)
			require.Contains(t, string(p.Stack), "middleware_test.explode")
		}()
		_ = run(middleware.Log(log)(handler.Func(explode)), request(nil, "U1"))
		t.Error("the panic must go on")
	}()
	require.Len(t, records(t, out), 5)
}

func TestLogLevels(t *testing.T) {
	for level, want := range map[slog.Level][]any{
		slog.LevelInfo:      {"ok", "user_error", "refused", "retry", "failed"},
		slog.LevelWarn:      {"retry", "failed"},
		slog.LevelError:     {"failed"},
		slog.LevelError + 1: nil,
	} {
		log, out := logger(level)
		for _, err := range []error{nil, handler.UserErrorf("no"), handler.Refused("no"), handler.Retry(io.EOF), io.EOF} {
			require.Equal(t, err, run(middleware.Log(log)(returns(err)), request(nil, "U1")))
		}
		var got []any
		for _, r := range records(t, out) {
			got = append(got, r["outcome"])
		}
		require.Equal(t, want, got, level)
	}
}

func TestLogNilIsTheRequestsLogger(t *testing.T) {
	log, out := logger(slog.LevelInfo)
	r := request(nil, "U1")
	r.Logger, r.Route = log, nil
	r.Event.User = adapter.User{}
	require.NoError(t, run(middleware.Log(nil)(returns(nil)), r))
	got := records(t, out)
	require.Len(t, got, 1)
	require.Equal(t, "", got[0]["route"])
	require.Equal(t, "", got[0]["user"])
}

func TestLogOfGoexit(t *testing.T) {
	log, out := logger(slog.LevelInfo)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = run(middleware.Log(log)(handler.Func(func(context.Context, *handler.Request) error {
			runtime.Goexit()
			return nil
		})), request(nil, "U1"))
	}()
	<-done
	got := records(t, out)
	require.Len(t, got, 1)
	require.Equal(t, "failed", got[0]["outcome"])
	require.Contains(t, got[0]["error"], "Goexit")
}

// A record that nobody takes costs nothing.
func TestLogDiscardedAllocatesNothing(t *testing.T) {
	r := request(nil, "U1")
	ctx := context.Background()
	for _, log := range []*slog.Logger{nil, slog.New(slog.DiscardHandler)} {
		for _, err := range []error{nil, errors.New("x")} {
			h := middleware.Log(log)(returns(err))
			require.Zero(t, testing.AllocsPerRun(100, func() { _ = h.Handle(ctx, r) }))
		}
	}
	warnings, out := logger(slog.LevelWarn)
	h := middleware.Log(warnings)(returns(nil))
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = h.Handle(ctx, r) }), "nor does one below the level")
	require.Empty(t, out.String())
}

func BenchmarkChain(b *testing.B) {
	for name, log := range map[string]*slog.Logger{"discard": slog.New(slog.DiscardHandler), "json": slog.New(slog.NewJSONHandler(io.Discard, nil))} {
		b.Run(name, func(b *testing.B) {
			h := middleware.Recover()(middleware.Log(log)(returns(nil)))
			r, ctx := request(nil, "U1"), context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if err := h.Handle(ctx, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
