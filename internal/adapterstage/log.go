package adapterstage

import (
	"bytes"
	"fmt"
	"log/slog"
	"sync"

	"github.com/starlingbot/starling/internal/canary"
)

// Log keeps what an adapter logs and returns, for tests that search it. The zero value is empty. Its methods may be called
// concurrently.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return canary.Also(canary.Logs, &l.b).Write(p)
}

// Logger logs everything into it.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Note keeps what was returned.
func (l *Log) Note(v any) { _, _ = fmt.Fprintln(l, "returned:", v) }

// String gives all of it.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
