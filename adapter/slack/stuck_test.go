package slack_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/internal/slackfake"
)

// stuck is a connection that, from a moment on, takes no writes, as one whose other end is gone.
type stuck struct {
	net.Conn
	on     *atomic.Bool
	closed chan struct{}
	once   sync.Once

	mu       sync.Mutex
	deadline time.Time
}

func (s *stuck) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	s.deadline = t
	s.mu.Unlock()
	return s.Conn.SetWriteDeadline(t)
}

func (s *stuck) Write(b []byte) (int, error) {
	if !s.on.Load() {
		return s.Conn.Write(b)
	}
	s.mu.Lock()
	limit := time.Until(s.deadline)
	if s.deadline.IsZero() {
		limit = 24 * time.Hour
	}
	s.mu.Unlock()
	select {
	case <-s.closed:
		return 0, net.ErrClosed
	case <-time.After(limit):
		return 0, context.DeadlineExceeded
	}
}

func (s *stuck) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.Conn.Close()
}

// TestStuckStop: a socket that takes no writes does not hold a stop up, however many acknowledgements wait for it.
func TestStuckStop(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		var on atomic.Bool
		cfg := configFor(f)
		dial := cfg.Dialer.NetDialContext
		cfg.Dialer.NetDialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &stuck{Conn: c, on: &on, closed: make(chan struct{})}, nil
		}
		a, err := slack.New(cfg)
		require.NoError(t, err)
		e := new(ear)
		free := make(chan struct{})
		e.Set(func(ctx context.Context, _ *adapter.Event) error {
			select {
			case <-free:
			case <-ctx.Done():
			}
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- a.Run(ctx, e.Sink) }()
		require.NoError(t, f.Await(ctx, f.Connected))
		for range 100 {
			_, err := f.Say("U1", "C1", "hello")
			require.NoError(t, err)
		}
		wait(time.Second)
		on.Store(true)
		close(free)
		wait(time.Second)
		begun := time.Now()
		cancel()
		require.NoError(t, <-over)
		t.Logf("stopped after %v", time.Since(begun))
		require.Less(t, time.Since(begun), 5*time.Second)
		require.NoError(t, a.Close())
		cfg.HTTPClient.CloseIdleConnections()
	})
}
