package faulttest

import (
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/canary"
)

// searched gives a log of everything that fails the test when a secret is in it (T19).
func searched(t *testing.T, secrets ...string) *slog.Logger {
	t.Helper()
	s := &search{secrets: secrets}
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		require.Empty(t, s.found, "a secret is in the log")
		t.Logf("T19: %d kB of log, 0 secrets", s.bytes>>10)
	})
	return slog.New(slog.NewTextHandler(canary.Also(canary.Logs, s), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type search struct {
	secrets []string
	mu      sync.Mutex
	bytes   int
	found   []string
}

func (s *search) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += len(p)
	for _, secret := range s.secrets {
		if line := string(p); strings.Contains(line, secret) && len(s.found) < 5 {
			s.found = append(s.found, line)
		}
	}
	return len(p), nil
}
