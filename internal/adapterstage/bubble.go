package adapterstage

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// Fake is a fake platform.
type Fake interface {
	Close() error
	Mistakes() []string // what an adapter did that the platform would not take
	Connected() bool
	Await(ctx context.Context, ok func() bool) error // until ok, which is asked whenever something has changed
}

// Bubble runs a test beside others on a fake clock, against the fake that open makes there. At its end the fake is closed, and it
// must have seen no mistakes.
func Bubble[F Fake](t *testing.T, open func() F, test func(t *testing.T, f F)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := open()
		t.Cleanup(func() {
			require.NoError(t, End(f))
			synctest.Wait()
		})
		test(t, f)
	})
}

// End closes a fake, and gives the first mistake that it saw.
func End(f Fake) error {
	err := f.Close()
	if m := f.Mistakes(); len(m) > 0 {
		err = errors.Join(err, errors.New("the fake platform saw: "+m[0]))
	}
	return err
}

// Wait lets a time of the fake clock go by.
func Wait(d time.Duration) { <-time.After(d) }

// Start runs an adapter on a fake, and gives what ends that: Run must give no error then. If the adapter connects, it has when
// Start returns.
func Start(t *testing.T, f Fake, a adapter.Adapter, sink adapter.Sink, connects bool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- a.Run(ctx, sink) }()
	if connects {
		soon, done := context.WithTimeout(ctx, time.Minute)
		defer done()
		require.NoError(t, f.Await(soon, f.Connected))
	}
	return func() {
		cancel()
		require.NoError(t, <-over)
	}
}
