package apiclient_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/apiclient"
)

func fileOf(size int64, open func(context.Context) (io.ReadCloser, error)) adapter.File {
	return adapter.File{Name: "a", Size: size, Open: open}
}

// text is a file that says s, and tells that it was closed.
type text struct {
	io.Reader
	closed chan struct{}
}

// Close implements [io.Closer].
func (x *text) Close() error { close(x.closed); return nil }

// TestContent: a file is given as it is, and closed; one that is not what it says is invalid, with why.
func TestContent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, says string
		size       int64
		want       string // of the error
	}{
		{"as long as it says", "content", 7, ""},
		{"of unknown length", "content", 0, ""},
		{"empty", "", 0, ""},
		{"shorter", "content", 8, "it has 7 of the 8 bytes"},
		{"longer", "content", 6, "longer than the 6 bytes"},
		{"longer than one", "content", 1, "longer than the 1 bytes"},
		{"one byte", "c", 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := &text{strings.NewReader(c.says), make(chan struct{})}
			body, err := apiclient.Open(t.Context(), fileOf(c.size, func(context.Context) (io.ReadCloser, error) { return x, nil }))
			require.NoError(t, err)
			got, err := io.ReadAll(body)
			<-x.closed
			if c.want == "" {
				require.NoError(t, err)
				require.NoError(t, body.Fault())
				require.Equal(t, c.says, string(got))
			} else {
				require.ErrorContains(t, err, c.want)
				require.Equal(t, adapter.Refused, adapter.OutcomeOf(err))
				require.Equal(t, err, body.Fault())
				require.NotEqual(t, int(c.size), len(got), "as many as were promised would be taken for the whole")
			}
			require.NoError(t, body.Close())
		})
	}
}

// TestContentFaults: what Open and Read do wrong, a panic too, is an error of the file.
func TestContentFaults(t *testing.T) {
	t.Parallel()
	no := errors.New("no disk")
	for name, open := range map[string]func(context.Context) (io.ReadCloser, error){
		"nil": nil, "open": func(context.Context) (io.ReadCloser, error) { return nil, no }, "panic": func(context.Context) (io.ReadCloser, error) { panic("no disk") },
	} {
		_, err := apiclient.Open(t.Context(), fileOf(0, open))
		require.Equal(t, adapter.Refused, adapter.OutcomeOf(err), name)
	}
	_, err := apiclient.Open(t.Context(), fileOf(0, func(context.Context) (io.ReadCloser, error) {
		return nil, &adapter.RateLimitError{RetryAfter: time.Second}
	}))
	require.Equal(t, adapter.NotYet, adapter.OutcomeOf(err), "the file of another platform may come later")
	for name, read := range map[string]reader{"read": func() error { return no }, "panic": func() error { panic("no disk") }} {
		body, err := apiclient.Open(t.Context(), fileOf(0, func(context.Context) (io.ReadCloser, error) { return io.NopCloser(read), nil }))
		require.NoError(t, err)
		_, err = io.ReadAll(body)
		require.Equal(t, adapter.Refused, adapter.OutcomeOf(err), name)
		require.ErrorContains(t, body.Fault(), "no disk")
		require.NoError(t, body.Close())
	}
}

// TestContentCut: a file that is cut off at its last byte is no whole one.
func TestContentCut(t *testing.T) {
	t.Parallel()
	cut := io.MultiReader(strings.NewReader("content"), reader(func() error { return io.ErrUnexpectedEOF }))
	body, err := apiclient.Open(t.Context(), fileOf(7, func(context.Context) (io.ReadCloser, error) { return io.NopCloser(cut), nil }))
	require.NoError(t, err)
	got, err := io.ReadAll(body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Less(t, len(got), 7)
	require.NoError(t, body.Close())
}

type reader func() error

// Read implements [io.Reader].
func (r reader) Read([]byte) (int, error) { return 0, r() }

// TestContentWaitsForNobody: whoever reads is let go when the context ends, and when the content is closed.
func TestContentWaitsForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		defer close(over)
		hung := fileOf(9, func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(reader(func() error { <-over; return io.EOF })), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		body, err := apiclient.Open(ctx, hung)
		require.NoError(t, err)
		begun := time.Now()
		_, err = io.ReadAll(body)
		require.Equal(t, adapter.NotYet, adapter.OutcomeOf(err), err)
		require.Equal(t, time.Minute, time.Since(begun))
		require.Equal(t, adapter.NotYet, adapter.OutcomeOf(body.Fault()))
		require.NoError(t, body.Close())

		body, err = apiclient.Open(t.Context(), hung)
		require.NoError(t, err)
		time.AfterFunc(time.Second, func() { _ = body.Close() })
		_, err = io.ReadAll(body)
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.NoError(t, body.Fault(), "a close is no fault of the file")

		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = apiclient.Open(ctx, fileOf(0, func(context.Context) (io.ReadCloser, error) { <-over; return nil, io.EOF }))
		require.Equal(t, adapter.NotYet, adapter.OutcomeOf(err))
	})
}
