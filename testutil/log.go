package testutil

import (
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/starlingbot/starling/internal/canary"
)

// logs keeps what bots log, and writes it into the test's output while the test runs.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
	out  io.Writer // nil once the test is over
}

// logOf is the log of one bot: silent in the test's output once it is killed.
type logOf struct {
	logs *logs
	mu   sync.Mutex
	mute bool
}

func (l *logOf) silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mute = true
}

// Write implements [io.Writer] for a slog handler, which gives a record a call.
func (l *logOf) Write(p []byte) (int, error) {
	canary.Write(canary.Logs, p)
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.logs
	all.mu.Lock()
	defer all.mu.Unlock()
	if !l.mute {
		all.text.Write(p)
		if all.out != nil {
			_, _ = all.out.Write(p)
		}
	}
	return len(p), nil
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// end stops writing into the test's output.
func (l *logs) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = nil
}

// logger writes into w, and to what the author of the bot set.
func logger(w io.Writer, own *slog.Logger) *slog.Logger {
	h := slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	if own == nil {
		return slog.New(h)
	}
	return slog.New(slog.NewMultiHandler(own.Handler(), h))
}
