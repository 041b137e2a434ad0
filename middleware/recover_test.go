package middleware_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/middleware"
)

func TestRecover(t *testing.T) {
	h := middleware.Recover()(handler.Func(explode))
	err := run(h, request(nil, "bob"))
	var p *handler.PanicError
	require.ErrorAs(t, err, &p)
	require.Equal(t, "boom", p.Value)
	require.Contains(t, string(p.Stack), "middleware_test.explode", "the stack is that of the panic")

	for _, v := range []any{7, io.EOF, handler.NewSecret("cnrymark2"), (*handler.PanicError)(nil), nil} {
		err = run(middleware.Recover()(panics(v)), request(nil, "bob"))
		require.ErrorAs(t, err, &p)
		if v == nil {
			require.ErrorAs(t, err, new(*runtime.PanicNilError))
			continue
		}
		require.Equal(t, v, p.Value)
		require.NotEmpty(t, p.Stack)
	}
	require.ErrorIs(t, run(middleware.Recover()(panics(io.EOF)), request(nil, "bob")), io.EOF)
}

func explode(context.Context, *handler.Request) error { panic("boom") }

func TestRecoverLetsTheRestBe(t *testing.T) {
	require.NoError(t, run(middleware.Recover()(returns(nil)), request(nil, "bob")))
	require.Same(t, io.EOF, run(middleware.Recover()(returns(io.EOF)), request(nil, "bob")))
}

// A panic that was looked at and let go on keeps its first stack.
func TestRecoverKeepsAPanicError(t *testing.T) {
	first := &handler.PanicError{Value: "boom", Stack: []byte("where it was")}
	require.Same(t, first, run(middleware.Recover()(panics(first)), request(nil, "bob")))

	nested := middleware.Recover()(middleware.Log(nil)(middleware.Recover()(handler.Func(explode))))
	var p *handler.PanicError
	require.ErrorAs(t, run(nested, request(nil, "bob")), &p)
	require.Equal(t, "boom", p.Value)
}

// runtime.Goexit ends the goroutine and cannot be made an error.
func TestRecoverDoesNotCatchGoexit(t *testing.T) {
	returned := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = run(middleware.Recover()(handler.Func(func(context.Context, *handler.Request) error {
			runtime.Goexit()
			return nil
		})), request(nil, "bob"))
		returned = true
	}()
	<-done
	require.False(t, returned)
}

// T33: ten thousand panics, and every event has its result.
func TestRecoverTenThousandPanics(t *testing.T) {
	h := middleware.Recover()(middleware.Log(nil)(panics(errors.New("boom"))))
	got := 0
	for range 10_000 {
		var p *handler.PanicError
		if errors.As(run(h, request(nil, "bob")), &p) && len(p.Stack) > 0 {
			got++
		}
	}
	require.Equal(t, 10_000, got)
}
