package adapterstage

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Fake is a fake platform.
type Fake interface {
	Close() error
	Mistakes() []string // what an adapter did that the platform would not take
}

// Bubble runs a test beside others on a fake clock, against the fake that open makes there. At its end the fake is closed, and it
// must have seen no mistakes.
func Bubble[F Fake](t *testing.T, open func() F, test func(t *testing.T, f F)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := open()
		t.Cleanup(func() {
			require.NoError(t, f.Close())
			require.Empty(t, f.Mistakes())
			synctest.Wait()
		})
		test(t, f)
	})
}

// Wait lets a time of the fake clock go by.
func Wait(d time.Duration) { <-time.After(d) }
