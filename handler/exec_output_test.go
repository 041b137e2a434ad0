//go:build unix

package handler_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

func TestExecLines(t *testing.T) {
	p := helper("lines")
	var mu sync.Mutex
	got := map[handler.Stream][]string{}
	p.Line = func(s handler.Stream, line string) {
		require.True(t, mu.TryLock(), "one call at a time")
		defer mu.Unlock()
		time.Sleep(10 * time.Millisecond) // the other stream has a line by then
		got[s] = append(got[s], line)
	}
	_, err := handler.Exec(t.Context(), nil, p)
	require.NoError(t, err)
	require.Equal(t, map[handler.Stream][]string{
		handler.Stdout: {"one", "two", "", strings.Repeat("x", 8192), "last"},
		handler.Stderr: {"to stderr"},
	}, got)

	p.Line = func(handler.Stream, string) { panic("a mistake") }
	_, err = handler.Exec(t.Context(), nil, p)
	require.ErrorContains(t, err, "panic of Program.Line: a mistake")
	p = helper("parent", handler.Value("stubborn"), handler.Value("sleep"))
	p.Grace = 50 * time.Millisecond
	p.Line = func(handler.Stream, string) { panic("a mistake") }
	res, err := handler.Exec(t.Context(), nil, p)
	require.ErrorContains(t, err, "panic of Program.Line: a mistake", "it ends a program that would go on")
	require.Less(t, res.Took, 30*time.Second)
}

// shown is effects that remember progress.
type shown struct {
	handler.Effects
	texts []string
	fail  error
}

func (s *shown) Progress(_ context.Context, _ *handler.Request, p handler.Progress) error {
	s.texts = append(s.texts, adapter.PlainText(p.Text))
	return s.fail
}

func TestExecProgress(t *testing.T) {
	s := &shown{}
	r := handler.NewRequest(&adapter.Event{ID: "E1", Adapter: "test", User: adapter.User{Adapter: "test", ID: "U1"}}, s)
	p := helper("lines")
	p.Progress = true
	_, err := handler.Exec(t.Context(), r, p)
	require.NoError(t, err)
	require.Len(t, s.texts, 1, "at most one in 2 s")
	require.Contains(t, []string{"one", "to stderr"}, s.texts[0])
	s.fail = errors.New("the platform is down")
	_, err = handler.Exec(t.Context(), r, p)
	require.NoError(t, err, "that it cannot be shown does not fail the program")
}

// However much is written, memory stays flat and the beginning and the end are kept.
func TestExecFlood(t *testing.T) {
	const size = 512 << 20
	p := helper("flood", handler.Value(size))
	p.MaxOutput = 1000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	res, err := handler.Exec(t.Context(), nil, p)
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	require.EqualValues(t, size-1000, res.Stdout.Omitted)
	require.Len(t, res.Stdout.Head, 500)
	require.Len(t, res.Stdout.Tail, 500)
	line := "0123456789abcde\n"
	require.Equal(t, strings.Repeat(line, 40)[:500], string(res.Stdout.Head))
	require.Equal(t, strings.Repeat(line, 40)[140:], string(res.Stdout.Tail))
	require.Contains(t, res.Stdout.String(), "\n... 536869912 bytes left out ...\n")
	allocated := after.TotalAlloc - before.TotalAlloc
	require.Less(t, allocated, uint64(1<<20))
	t.Logf("exec: %d MiB of output in %v (%.1f GB/s), %d KiB allocated in all", size>>20, res.Took.Round(time.Millisecond), size/res.Took.Seconds()/1e9, allocated>>10)
}

// The kept output is the beginning and the end for every length and limit.
func TestExecOutputIsCapped(t *testing.T) {
	p := helper("cat")
	for _, n := range []int{0, 1, 5, 9, 10, 11, 15, 99, 5000, 100_000} {
		for _, limit := range []int{1, 10, 11} {
			text := strings.Repeat("0123456789", n/10+1)[:n]
			p.Input, p.MaxOutput = text, limit
			res, err := handler.Exec(t.Context(), nil, p)
			require.NoError(t, err)
			if n <= limit {
				require.Equal(t, text, res.Stdout.String())
				continue
			}
			head := (limit + 1) / 2
			require.Equal(t, text[:head], string(res.Stdout.Head))
			require.Equal(t, text[n-limit/2:], string(res.Stdout.Tail))
			require.EqualValues(t, n-limit, res.Stdout.Omitted)
		}
	}
	require.Equal(t, "\uFFFD", handler.Output{Head: []byte("\xff")}.String())
}

// pids reads the lines "pid N" as they come.
type pids struct {
	mu   sync.Mutex
	all  []int
	want int
	done func()
}

func (p *pids) line(_ handler.Stream, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var n int
	if _, err := fmt.Sscanf(line, "pid %d", &n); err == nil {
		if p.all = append(p.all, n); len(p.all) == p.want && p.done != nil {
			p.done()
		}
	}
}

// When the context ends nothing of the group is left: not a child that ignores SIGTERM, nor its children.
func TestExecEndsTheGroup(t *testing.T) {
	for _, c := range []struct {
		name     string
		args     []handler.Arg
		children int
		patient  bool // it needs SIGKILL
	}{
		{"polite", []handler.Arg{handler.Value("polite"), handler.Value("sleep"), handler.Value("polite")}, 1, false},
		{"the program ignores SIGTERM", []handler.Arg{handler.Value("stubborn"), handler.Value("sleep"), handler.Value("polite")}, 1, true},
		{"its children do", []handler.Arg{handler.Value("polite"), handler.Value("sleep"), handler.Value("stubborn"), handler.Value("stubborn")}, 2, true},
		{"all do", []handler.Arg{handler.Value("stubborn"), handler.Value("sleep"), handler.Value("stubborn"), handler.Value("stubborn")}, 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			seen := &pids{want: c.children + 1, done: func() { cancel(handler.ErrCanceled) }}
			p := helper("parent", c.args...)
			p.Line, p.Grace = seen.line, 300*time.Millisecond
			begin := time.Now()
			res, err := handler.Exec(ctx, nil, p)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, handler.ErrCanceled)
			require.ErrorContains(t, err, "stopped: context canceled: handler: canceled by a person")
			require.NotZero(t, res.Code)
			if c.patient {
				require.GreaterOrEqual(t, time.Since(begin), p.Grace)
			}
			require.Len(t, seen.all, c.children+1)
			for _, pid := range seen.all {
				require.Eventually(t, func() bool { return !alive(pid) }, 10*time.Second, time.Millisecond, "%d lives", pid)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := handler.Exec(ctx, nil, helper("sleep", handler.Value("polite")))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = handler.Exec(ctx, nil, helper("sleep", handler.Value("polite")))
	require.ErrorContains(t, err, "not begun: context deadline exceeded")
}

// What a program leaves behind in its group is ended when it is over, also after a success.
func TestExecLeavesNothingBehind(t *testing.T) {
	seen := &pids{}
	p := helper("parent", handler.Value("polite"), handler.Value("exit"), handler.Value("polite"), handler.Value("stubborn"))
	p.Line, p.Grace = seen.line, 300*time.Millisecond
	res, err := handler.Exec(t.Context(), nil, p)
	require.NoError(t, err)
	require.Zero(t, res.Code)
	require.Len(t, seen.all, 3)
	for _, pid := range seen.all {
		require.Eventually(t, func() bool { return !alive(pid) }, 10*time.Second, time.Millisecond)
	}

	// One that left the group lives on, and does not hold Exec up.
	seen = &pids{}
	p = helper("parent", handler.Value("polite"), handler.Value("exit"), handler.Value("escaped"))
	p.Line, p.Grace = seen.line, 300*time.Millisecond
	res, err = handler.Exec(t.Context(), nil, p)
	require.NoError(t, err)
	require.Less(t, res.Took, 30*time.Second)
	require.Len(t, seen.all, 2)
	for _, pid := range seen.all {
		if alive(pid) {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
}

func TestExecSignal(t *testing.T) {
	p := handler.Program{Path: "sh", Args: []handler.Arg{handler.Flag("-c"), handler.Flag("kill -9 $$")}}
	res, err := handler.Exec(t.Context(), nil, p)
	require.EqualError(t, err, `handler: exec "sh": it was ended by the signal "killed"`)
	require.Equal(t, -1, res.Code)
}
