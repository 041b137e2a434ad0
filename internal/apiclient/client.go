// Package apiclient makes HTTP requests to a platform: it tells those that certainly never left, learns the platform's clock,
// and keeps addresses, which may be secrets, out of errors.
package apiclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Client makes requests to one platform. It is for several goroutines. Make one with [New].
type Client struct {
	http *http.Client
	skew atomic.Int64 // nanoseconds that the platform's clock is ahead of ours
}

// New makes a client that uses the one given; nil: [Default].
func New(given *http.Client) *Client {
	if given == nil {
		given = Default()
	}
	return &Client{http: given}
}

// Default is a client of its own, with the proxy of the environment and without a limit for a whole request.
func Default() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
		DialContext: (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
	}}
}

// Close lets idle connections go, of a client that was given too: it makes new ones when it is used on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// NotSentError is an error of a request that never left.
type NotSentError struct{ Err error }

// Error implements error.
func (e *NotSentError) Error() string { return e.Err.Error() }

// Unwrap gives what it was.
func (e *NotSentError) Unwrap() error { return e.Err }

// Do makes a request, once. An error begins with the host, shows nothing else of the address, and is a [*NotSentError] where the
// request certainly never left.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
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
			return nil, &NotSentError{err}
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

// Bound has do make req within a time, the reading of the answer included, and cuts the answer off after most bytes.
func Bound(req *http.Request, within time.Duration, most int64, do func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), within)
	resp, err := do(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &boundBody{io.LimitReader(resp.Body, most), resp.Body, cancel}
	return resp, nil
}

type boundBody struct {
	io.Reader
	body   io.Closer
	cancel context.CancelFunc
}

// Close implements [io.Closer].
func (b *boundBody) Close() error {
	defer b.cancel()
	return b.body.Close()
}

// Skew is how far the platform's clock is ahead of ours, to about a second, by its last answer that came within five; 0 before.
func (c *Client) Skew() time.Duration { return time.Duration(c.skew.Load()) }

// Now is the time by the platform's clock, to a second; ours where they differ by less than five seconds.
func (c *Client) Now() time.Time {
	skew := c.Skew()
	if skew.Abs() < 5*time.Second {
		skew = 0
	}
	return time.Now().Add(skew)
}

// NothingPosted says of an error before the request that posts what is certain: nothing was posted. An error that says so already,
// and nil, stay as they are.
func NothingPosted(err error) error {
	if err == nil || adapter.OutcomeOf(err) != adapter.Unknown {
		return err
	}
	return fmt.Errorf("%w: %w", adapter.ErrUnavailable, err)
}
