package mattermost

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/apiclient"
)

// client makes the requests of the library. It gives them the contexts that the library has no parameter for, and learns the
// server's limits.
type client struct {
	a   *Adapter
	web *apiclient.Client
}

func newClient(a *Adapter, given *http.Client) *client {
	if given == nil {
		given = apiclient.Default()
	}
	own := *given
	own.CheckRedirect = asItIs // a post that is redirected becomes a get, and the token goes where it does not belong
	return &client{a: a, web: apiclient.New(&own)}
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
	return apiclient.Bound(r.WithContext(b.ctx), maxCall, maxAnswer, b.c.do)
}

const (
	maxAnswer = 64 << 20         // bytes read of an answer of the API
	maxCall   = 10 * time.Minute // for one, whatever the caller's context says: an upload may take long
)

// do makes any request, unless the server wants to be left alone.
func (c *client) do(req *http.Request) (*http.Response, error) {
	if wait := c.a.pace.held(time.Now()); wait > 0 {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, &apiclient.NotSentError{Err: &adapter.RateLimitError{RetryAfter: wait}}
	}
	resp, err := c.web.Do(req)
	if err != nil {
		return nil, err
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
func (a *Adapter) now() time.Time { return a.http.web.Now() }
