package mattermost

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
)

// client makes the requests of the library. It gives them the contexts that the library has no parameter for, tells a request
// that certainly never left from one that may have, learns the server's clock and its limits, and keeps addresses out of errors.
type client struct {
	a    *Adapter
	http *http.Client
}

func newClient(a *Adapter, given *http.Client) *client {
	if given == nil {
		given = &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
			DialContext: (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		}}
	}
	own := *given
	own.CheckRedirect = asItIs // a post that is redirected becomes a get, and the token goes where it does not belong
	return &client{a: a, http: &own}
}

func asItIs(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// library makes the library's client. Requests go over [Adapter.with].
func (c *client) library(address, token string) *model.Client4 {
	api := model.NewAPIv4Client(address)
	api.SetToken(token)
	return api
}

// with gives the library's client with ctx for its requests: Client4 of version 6 takes none.
func (a *Adapter) with(ctx context.Context) *model.Client4 { return a.http.bind(ctx, a.api) }

func (c *client) bind(ctx context.Context, api *model.Client4) *model.Client4 {
	bound := *api
	bound.HTTPClient = &http.Client{Transport: &bindings{ctx, c}, CheckRedirect: asItIs}
	return &bound
}

// bindings is a client's way with a context.
type bindings struct {
	ctx context.Context
	c   *client
}

// RoundTrip implements [http.RoundTripper].
func (b *bindings) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(b.ctx, maxCall)
	resp, err := b.c.do(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &limitedBody{io.LimitReader(resp.Body, maxAnswer), resp.Body, cancel}
	return resp, nil
}

// close lets idle connections go, of a client that was given too: it makes new ones when it is used on.
func (c *client) close() { c.http.CloseIdleConnections() }

// notSentError is an error of a request that never left.
type notSentError struct{ err error }

func (e *notSentError) Error() string { return e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }

const (
	maxAnswer = 64 << 20         // bytes read of an answer of the API
	maxCall   = 10 * time.Minute // for one, whatever the caller's context says: an upload may take long
)

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

// do makes any request, unless the server wants to be left alone.
func (c *client) do(req *http.Request) (*http.Response, error) {
	if wait := c.a.pace.held(time.Now()); wait > 0 {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, &notSentError{&adapter.RateLimitError{RetryAfter: wait}}
	}
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
			c.a.skew.Store(int64(date.Sub(begun)))
		}
	}
	c.a.pace.note(resp, time.Now())
	return resp, nil
}

// learn asks what the server is like: its limits, and the key with which it signs the ids of clicks and commands.
func (a *Adapter) learn(ctx context.Context, me *identity) error {
	config, resp, err := a.with(ctx).GetOldClientConfig("")
	if err != nil {
		return a.fail("ask for the server's settings", resp, err)
	}
	if config["Version"] == "" {
		return errors.New("mattermost: ask for the server's settings: the answer could not be read; trying again may help")
	}
	me.version = config["Version"]
	me.maxFile, _ = strconv.ParseInt(config["MaxFileSize"], 10, 64)
	me.maxText, _ = strconv.Atoi(config["MaxPostSize"])
	if raw := config["AsymmetricSigningPublicKey"]; raw != "" {
		der, err := base64.StdEncoding.DecodeString(raw)
		if err != nil {
			return fmt.Errorf("mattermost: ask for the server's settings: its key cannot be read: %w", err)
		}
		key, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return fmt.Errorf("mattermost: ask for the server's settings: its key cannot be read: %w", err)
		}
		public, ok := key.(*ecdsa.PublicKey)
		if !ok {
			return fmt.Errorf("mattermost: ask for the server's settings: its key is a %T", key)
		}
		me.key = public
	}
	if me.key == nil {
		a.log.Warn("the server does not tell the key that signs clicks and commands; they are told from forged ones by their secrets alone")
	}
	if me.maxText > 0 && me.maxText < a.cfg.MaxText {
		a.log.Warn("the server takes shorter posts than Config.MaxText; set it", "server", me.maxText, "config", a.cfg.MaxText)
	}
	return nil
}

// now is the time by the server's clock, to a second.
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

// patiently calls f, which only reads, and again while the server asks for patience or fails, a few times.
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
