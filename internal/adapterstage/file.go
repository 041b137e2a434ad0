package adapterstage

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// SlowFile is a file whose Open or Read takes its time.
type SlowFile struct {
	Name string
	Size int64 // 0 is unknown
	open func(ctx context.Context, over <-chan struct{}) (io.ReadCloser, error)
}

// SlowFiles gives files that heed no context, and files that end with it, with and without a size.
func SlowFiles() []SlowFile {
	var out []SlowFile
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
		out = append(out, SlowFile{name + ", size unknown", 0, open}, SlowFile{name + ", size 100", 100, open})
	}
	return out
}

// HoldsNobody posts the file, which must not hold its message up: it was not posted yet, and may be tried again.
func (s SlowFile) HoldsNobody(t *testing.T, a adapter.Uploader, to adapter.Address) {
	t.Helper()
	over := make(chan struct{})
	defer close(over)
	file := adapter.File{Name: "a.txt", Size: s.Size, Open: func(ctx context.Context) (io.ReadCloser, error) { return s.open(ctx, over) }}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := a.Upload(ctx, to, file)
		done <- err
	}()
	select {
	case err := <-done:
		require.Equal(t, adapter.NotYet, adapter.OutcomeOf(err), "%v", err)
	case <-time.After(2 * time.Minute):
		t.Error("the message is held up")
	}
}

// slowly is a file that is waited for.
type slowly func() error

// Read implements [io.Reader].
func (s slowly) Read([]byte) (int, error) { return 0, s() }
