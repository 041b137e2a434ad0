package discord_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/discordfake"
)

// TestFileHoldsNobody: a file whose Open or Read heeds no context, or ends with it, does not hold its message up: it was not posted
// yet, and may be tried again.
func TestFileHoldsNobody(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(ctx context.Context, over <-chan struct{}) (io.ReadCloser, error){
		"open": func(_ context.Context, over <-chan struct{}) (io.ReadCloser, error) {
			<-over
			return nil, io.ErrUnexpectedEOF
		},
		"open, with its context": func(ctx context.Context, _ <-chan struct{}) (io.ReadCloser, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"read": func(_ context.Context, over <-chan struct{}) (io.ReadCloser, error) {
			return io.NopCloser(slowly(func() error { <-over; return io.EOF })), nil
		},
		"read, with its context": func(ctx context.Context, _ <-chan struct{}) (io.ReadCloser, error) {
			return io.NopCloser(slowly(func() error { <-ctx.Done(); return ctx.Err() })), nil
		},
	} {
		for _, size := range []int64{0, 100} {
			t.Run(fmt.Sprint(name, ", size ", size), func(t *testing.T) {
				bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
					a := idle(t, configFor(f))
					over := make(chan struct{})
					defer close(over)
					file := adapter.File{Name: "a.txt", Size: size, Open: func(ctx context.Context) (io.ReadCloser, error) { return open(ctx, over) }}
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					done := make(chan error, 1)
					go func() {
						_, err := a.Upload(ctx, to(ops), file)
						done <- err
					}()
					select {
					case err := <-done:
						require.Equal(t, adapter.NotYet, adapter.OutcomeOf(err), "%v", err)
					case <-time.After(2 * time.Minute):
						t.Error("the message is held up")
					}
					require.Empty(t, f.Posts())
				})
			})
		}
	}
}

// TestFileTooLong: a file that does not say its size and is longer than Discord takes is refused, and nothing of it is posted.
func TestFileTooLong(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		a := idle(t, configFor(f))
		file := adapter.File{Name: "a.bin", Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(strings.Repeat("x", 10<<20+1))), nil
		}}
		_, err := a.Upload(t.Context(), to(ops), file)
		require.ErrorIs(t, err, adapter.ErrTooLong)
		require.Equal(t, adapter.Refused, adapter.OutcomeOf(err))
		require.Empty(t, f.Posts())
	})
}

// slowly is a file that is waited for.
type slowly func() error

// Read implements [io.Reader].
func (s slowly) Read([]byte) (int, error) {
	return 0, s()
}
