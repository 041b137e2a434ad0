package slack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"path"
	"sync/atomic"
	"time"
)

// silent takes the library's own log.
var silent = log.New(io.Discard, "", 0)

// client makes the requests of the library. It tells a request that certainly never left from one that may have, learns
// Slack's clock, and keeps addresses that are secrets (response_url, the socket's ticket) out of errors.
type client struct {
	http *http.Client
	skew *atomic.Int64
	open func() error // nil, or asked before each apps.connections.open
}

func newClient(a *Adapter, given *http.Client) *client {
	c := &client{http: given, skew: &a.skew}
	if given == nil {
		c.http = &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
			DialContext: (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		}}
	}
	return c
}

// close lets idle connections go, of a client that was given too: it makes new ones when it is used on.
func (c *client) close() { c.http.CloseIdleConnections() }

// notSentError is an error of a request that never left.
type notSentError struct{ err error }

func (e *notSentError) Error() string { return e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }

const (
	maxAnswer = 32 << 20         // bytes read of an answer of the Web API
	maxCall   = 45 * time.Second // for one, whatever the caller's context says
)

// Do makes a request for the library.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	method := path.Base(req.URL.Path)
	if method == "apps.connections.open" && c.open != nil {
		if err := c.open(); err != nil {
			return nil, &notSentError{err}
		}
	}
	ctx, cancel := context.WithTimeout(req.Context(), maxCall)
	resp, err := c.do(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &limitedBody{io.LimitReader(resp.Body, maxAnswer), resp.Body, cancel}
	return resp, nil
}

type limitedBody struct {
	io.Reader
	body   io.Closer
	cancel context.CancelFunc
}

// Close implements [io.Closer].
func (b *limitedBody) Close() error {
	defer b.cancel()
	return b.body.Close()
}

// do makes any request.
func (c *client) do(req *http.Request) (*http.Response, error) {
	var asked, got atomic.Bool
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { got.Store(true) },
	})
	begun := time.Now()
	resp, err := c.http.Do(req.WithContext(ctx))
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // it shows the address
			err = u.Err
		}
		err = fmt.Errorf("%s: %w", req.URL.Host, err)
		var op *net.OpError
		if asked.Load() && !got.Load() || errors.As(err, &op) && op.Op == "dial" && !got.Load() {
			return nil, &notSentError{err}
		}
		return nil, err
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		if took := time.Since(begun); took < 5*time.Second {
			c.skew.Store(int64(date.Sub(begun)))
		}
	}
	return resp, nil
}

// now is the time by Slack's clock, to a second.
func (a *Adapter) now() time.Time {
	skew := time.Duration(a.skew.Load())
	if skew.Abs() < 5*time.Second {
		skew = 0
	}
	return time.Now().Add(skew)
}

// pause waits d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// jitter gives 3/4 to 5/4 of d.
func jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }
