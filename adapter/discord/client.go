package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bwmarrin/discordgo"

	"github.com/starlingbot/starling/adapter"
)

// client makes the requests of the library. It sends them to Config.APIURL without the library's package variables, tells
// a request that certainly never left from one that may have, learns Discord's clock, and keeps addresses that hold
// interaction tokens out of errors.
type client struct {
	http *http.Client
	base string
	skew atomic.Int64 // nanoseconds that Discord's clock is ahead of ours
}

func newClient(given *http.Client, base string) *client {
	c := &client{http: given, base: base}
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

// off is how far Discord's clock is ahead of ours, to about a second.
func (c *client) off() time.Duration { return time.Duration(c.skew.Load()) }

// notSentError is an error of a request that never left.
type notSentError struct{ err error }

func (e *notSentError) Error() string { return e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }

const (
	maxAnswer = 32 << 20         // bytes read of an answer of the API
	maxCall   = 45 * time.Second // for one, whatever the caller's context says
)

// note is what a request leaves for whoever made it: the library's errors do not say all of it.
type note struct {
	status int
	header http.Header
}

type noteKey struct{}

// RoundTrip implements [http.RoundTripper] for the library.
func (c *client) RoundTrip(req *http.Request) (*http.Response, error) {
	rest, ok := strings.CutPrefix(req.URL.String(), discordgo.EndpointAPI)
	if !ok {
		return nil, &notSentError{errors.New("not an address of the API")}
	}
	to, err := url.Parse(c.base + rest)
	if err != nil {
		return nil, &notSentError{errors.New("not an address")}
	}
	ctx, cancel := context.WithTimeout(req.Context(), maxCall)
	out := req.Clone(ctx)
	out.URL, out.Host = to, ""
	resp, err := c.do(out)
	if err != nil {
		cancel()
		return nil, err
	}
	if n, ok := req.Context().Value(noteKey{}).(*note); ok {
		n.status, n.header = resp.StatusCode, resp.Header
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

// call makes one request of the API with a JSON body, waits for the limits as long as ctx lets it, and never tries twice.
// path is what follows the base; into may be nil.
func (a *Adapter) call(ctx context.Context, verb, method, path string, body, into any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return fmt.Errorf("discord: %s: %w: %w", verb, adapter.ErrInvalid, err)
		}
	}
	return a.exchange(ctx, verb, method, path, func(ctx context.Context) ([]byte, error) {
		// A bucket of its own: the library's are kept for ever, and whoever waits for one heeds no context.
		bucket := discordgo.NewRatelimiter().LockBucket("")
		return a.rest.RequestWithLockedBucket(method, discordgo.EndpointAPI+path, "application/json", raw, bucket, 0, discordgo.WithContext(ctx))
	}, into)
}

// stream is call with a body that is read while it is sent. size is -1 where nobody knows it.
func (a *Adapter) stream(ctx context.Context, verb, method, path, contentType string, body io.Reader, size int64, into any) error {
	return a.exchange(ctx, verb, method, path, func(ctx context.Context) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, method, discordgo.EndpointAPI+path, body)
		if err != nil {
			return nil, &notSentError{errors.New("not an address")}
		}
		req.ContentLength = size
		req.Header.Set("Authorization", a.rest.Token)
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("User-Agent", a.rest.UserAgent)
		resp, err := a.http.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		defer func() { _ = resp.Body.Close() }()
		raw, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode/100 != 2 {
			failed := &discordgo.RESTError{Request: req, Response: resp, ResponseBody: raw}
			if json.Unmarshal(raw, &failed.Message) != nil {
				failed.Message = nil
			}
			err = failed
		}
		return raw, err
	}, into)
}

// exchange is what all requests have in common.
func (a *Adapter) exchange(ctx context.Context, verb, method, path string, send func(context.Context) ([]byte, error), into any) error {
	if err := a.limits.enter(ctx, method, path); err != nil {
		return fmt.Errorf("discord: %s: %w", verb, err)
	}
	var n note
	raw, err := send(context.WithValue(ctx, noteKey{}, &n))
	a.limits.leave(method, path, &n, time.Now())
	if err != nil {
		return a.fail(verb, err, &n)
	}
	if into == nil || len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil { // done, and the answer cannot be read
		return fmt.Errorf("discord: %s: the answer is no JSON of the kind that Discord documents: %w", verb, err)
	}
	return nil
}

// now is the time by Discord's clock, to a second.
func (a *Adapter) now() time.Time {
	skew := a.http.off()
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

// patiently calls f, which only reads, and again while Discord asks for patience or fails, a few times.
func (a *Adapter) patiently(ctx context.Context, f func() error) error {
	wait := firstRetry
	for n := 0; ; n++ {
		err := f()
		if err == nil || fatal(err) || adapter.OutcomeOf(err) == adapter.Refused || n == 8 {
			return err
		}
		var limit *adapter.RateLimitError
		pauseFor := jitter(wait)
		if errors.As(err, &limit) && limit.RetryAfter > 0 {
			pauseFor = limit.RetryAfter
		} else {
			wait = min(2*wait, maxRetry)
		}
		if pause(ctx, pauseFor) != nil {
			return err
		}
	}
}
