package slack_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
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

// stuckDialer lets the connections of a dialer be stuck while on is set.
func stuckDialer(d *websocket.Dialer, on *atomic.Bool) {
	dial := d.NetDialContext
	d.NetDialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &stuck{Conn: c, on: on, closed: make(chan struct{})}, nil
	}
}

// TestStuckReading: a socket that takes no writes holds up nobody who reads, however much comes that is acknowledged at once: neither a
// stop, nor the next connection when it ends.
func TestStuckReading(t *testing.T) {
	t.Parallel()
	for _, stops := range []bool{false, true} {
		t.Run(fmt.Sprint("stops ", stops), func(t *testing.T) {
			bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
				var on atomic.Bool
				cfg := configFor(f)
				stuckDialer(cfg.Dialer, &on)
				e := new(ear)
				a, err := slack.New(cfg)
				require.NoError(t, err)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				over := make(chan error, 1)
				go func() { over <- a.Run(ctx, e.Sink) }()
				require.NoError(t, f.Await(ctx, f.Connected))
				wait(time.Second)
				on.Store(true)
				for range 200 {
					f.Deliver(map[string]any{"type": "user_change", "user": map[string]any{"id": "U1"}, "event_ts": "1.1"})
				}
				wait(time.Second)
				begun := time.Now()
				if !stops {
					on.Store(false)
					f.Cut()
					soon, done := context.WithTimeout(ctx, 2*time.Minute)
					defer done()
					require.NoError(t, f.Await(soon, func() bool { return f.Sockets() == 0 }))
					require.NoError(t, f.Await(soon, f.Connected))
					_, err = f.Say("U1", "C1", "there you are")
					require.NoError(t, err)
					wait(time.Second)
					require.Contains(t, e.Texts(), "there you are")
				}
				cancel()
				select {
				case err := <-over:
					require.NoError(t, err)
				case <-time.After(time.Hour):
					t.Fatal("Run does not end")
				}
				t.Logf("over after %v", time.Since(begun))
				if stops {
					require.Less(t, time.Since(begun), 5*time.Second)
				}
				require.NoError(t, a.Close())
				cfg.HTTPClient.CloseIdleConnections()
			})
		})
	}
}

// TestStuckStop: a socket that takes no writes does not hold a stop up, however many acknowledgements wait for it.
func TestStuckStop(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		var on atomic.Bool
		cfg := configFor(f)
		stuckDialer(cfg.Dialer, &on)
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
