package apiclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/apiclient"
)

func get(t *testing.T, address string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader("body"))
	require.NoError(t, err)
	return req
}

// TestNotSent: only what certainly never left is said to be so, and no error shows more of an address than its host.
func TestNotSent(t *testing.T) {
	t.Parallel()
	var unsent *apiclient.NotSentError
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	defer cut.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	gone := l.Addr().String()
	require.NoError(t, l.Close())

	c := apiclient.New(nil)
	defer c.Close()
	_, err = c.Do(get(t, "http://"+gone+"/cnrymark-path?token=cnrymark"))
	require.ErrorAs(t, err, &unsent)
	require.True(t, strings.HasPrefix(err.Error(), gone+": "), err)
	require.NotContains(t, err.Error(), "cnrymark")

	_, err = c.Do(get(t, cut.URL+"/cnrymark-path?token=cnrymark"))
	require.Error(t, err)
	require.False(t, errors.As(err, &unsent), "it left, and nobody knows what became of it")
	require.NotContains(t, err.Error(), "cnrymark")
	require.Contains(t, err.Error(), strings.TrimPrefix(cut.URL, "http://"))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Do(get(t, cut.URL).WithContext(ctx))
	require.ErrorIs(t, err, context.Canceled)
}

// answering is a transport that answers by itself.
type answering func(*http.Request) (*http.Response, error)

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestClock: the platform's clock is that of its last answer which came quickly.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ahead, took := time.Duration(0), time.Duration(0)
		c := apiclient.New(&http.Client{Transport: answering(func(*http.Request) (*http.Response, error) {
			date := time.Now().Add(ahead).UTC().Format(http.TimeFormat)
			time.Sleep(took)
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Date": {date}}, Body: http.NoBody}, nil
		})})
		ask := func() {
			resp, err := c.Do(get(t, "http://x.example"))
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
		}
		require.Zero(t, c.Skew())
		ahead = 7 * time.Minute
		ask()
		require.Equal(t, 7*time.Minute, c.Skew())
		require.Equal(t, 7*time.Minute, time.Until(c.Now()))
		ahead, took = time.Hour, 5*time.Second
		ask()
		require.Equal(t, 7*time.Minute, c.Skew(), "an answer that took so long says nothing")
		ahead, took = -4*time.Second, time.Second
		ask()
		require.Equal(t, -4*time.Second, c.Skew())
		require.Zero(t, time.Until(c.Now()), "a difference that small is not one")
		ahead = -5 * time.Second
		ask()
		require.Equal(t, -5*time.Second, time.Until(c.Now()))
	})
}

// TestBound: an answer is cut off at its bounds, and its context ends with its body and not before.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ctx context.Context
		body := &closing{Reader: strings.NewReader("0123456789")}
		do := func(r *http.Request) (*http.Response, error) {
			ctx = r.Context()
			return &http.Response{Body: body}, nil
		}
		resp, err := apiclient.Bound(get(t, "http://x.example"), time.Minute, 7, do)
		require.NoError(t, err)
		read, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, "0123456", string(read))
		until, ok := ctx.Deadline()
		require.True(t, ok)
		require.Equal(t, time.Minute, time.Until(until))
		require.NoError(t, ctx.Err(), "the body may still be read")
		require.NoError(t, resp.Body.Close())
		require.True(t, body.closed)
		require.ErrorIs(t, ctx.Err(), context.Canceled)

		failed := errors.New("failed")
		_, err = apiclient.Bound(get(t, "http://x.example"), time.Minute, 7, func(r *http.Request) (*http.Response, error) {
			ctx = r.Context()
			return nil, failed
		})
		require.Equal(t, failed, err)
		require.ErrorIs(t, ctx.Err(), context.Canceled, "nothing is left behind")
	})
}

// closing is a body that knows whether it was closed.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestNothingPosted(t *testing.T) {
	t.Parallel()
	require.NoError(t, apiclient.NothingPosted(nil))
	lost := errors.New("lost")
	require.Equal(t, adapter.Unknown, adapter.OutcomeOf(lost))
	require.Equal(t, adapter.NotYet, adapter.OutcomeOf(apiclient.NothingPosted(lost)))
	require.ErrorIs(t, apiclient.NothingPosted(lost), lost)
	for _, err := range []error{adapter.ErrForbidden, &adapter.RateLimitError{}} {
		require.Equal(t, err, apiclient.NothingPosted(err))
	}
}
