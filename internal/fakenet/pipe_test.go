package fakenet_test

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlingbot/starling/internal/fakenet"
	"github.com/stretchr/testify/require"
)

func TestBothEndsOfAPipeHearEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := fakenet.NewPipe()
		defer func() { _ = p.Close() }()
		go func() {
			c, err := p.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, io.LimitReader(c, 5)) // an echo
			_ = c.Close()
		}()
		c, err := p.Dial(t.Context())
		require.NoError(t, err)
		_, err = io.WriteString(c, "hello")
		require.NoError(t, err)
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Equal(t, "hello", string(got))
		require.Equal(t, "pipe", p.Addr().Network())
		require.Equal(t, "pipe", p.Addr().String())
	})
}

func TestADialThatNobodyAcceptsEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := fakenet.NewPipe()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begin := time.Now()
		_, err := p.Dial(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, "dial pipe: context deadline exceeded")
		require.Equal(t, time.Hour, time.Since(begin))
	})
}

func TestAClosedPipeEndsDialsAndAcceptsAndKeepsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := fakenet.NewPipe()
		far := make(chan net.Conn, 1)
		go func() {
			c, _ := p.Accept()
			far <- c
		}()
		near, err := p.Dial(t.Context())
		require.NoError(t, err)

		accepted := make(chan error, 1)
		go func() {
			_, err := p.Accept()
			accepted <- err
		}()
		synctest.Wait()
		require.NoError(t, p.Close())
		require.ErrorIs(t, <-accepted, net.ErrClosed)
		require.NoError(t, p.Close(), "closed again")
		_, err = p.Dial(t.Context())
		require.ErrorIs(t, err, net.ErrClosed)
		var op *net.OpError
		require.ErrorAs(t, err, &op)
		require.Equal(t, "dial", op.Op)

		c := <-far
		go func() {
			_, _ = io.WriteString(c, "still here")
			_ = c.Close()
		}()
		got, err := io.ReadAll(near)
		require.NoError(t, err)
		require.Equal(t, "still here", string(got))
	})
}

func TestAPipeThatIsClosedEndsADialThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := fakenet.NewPipe()
		dialed := make(chan error, 1)
		go func() {
			_, err := p.Dial(t.Context())
			dialed <- err
		}()
		synctest.Wait()
		require.NoError(t, p.Close())
		require.ErrorIs(t, <-dialed, net.ErrClosed)
	})
}
