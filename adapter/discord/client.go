package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/apiclient"
)

// client makes the requests of the library. It sends them to Config.APIURL without the library's package variables. Addresses
// that hold interaction tokens are not in its errors.
type client struct {
	web  *apiclient.Client
	base string
}

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
		return nil, &apiclient.NotSentError{Err: errors.New("not an address of the API")}
	}
	to, err := url.Parse(c.base + rest)
	if err != nil {
		return nil, &apiclient.NotSentError{Err: errors.New("not an address")}
	}
	out := req.Clone(req.Context())
	out.URL, out.Host = to, ""
	resp, err := apiclient.Bound(out, maxCall, maxAnswer, c.web.Do)
	if err != nil {
		return nil, err
	}
	if n, ok := req.Context().Value(noteKey{}).(*note); ok {
		n.status, n.header = resp.StatusCode, resp.Header
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
			return nil, &apiclient.NotSentError{Err: errors.New("not an address")}
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
func (a *Adapter) now() time.Time { return a.web.Now() }
