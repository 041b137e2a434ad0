package mattermost

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// maxHold bounds how long an answer may keep the adapter from asking again.
const maxHold = 5 * time.Minute

// pacer keeps requests back while the server wants none. Its limit is for an account or an address and not for a room
// (https://docs.mattermost.com/configure/rate-limiting-configuration-settings.html), and it is off unless an administrator
// turns it on: then 10 requests a second, 100 at once.
type pacer struct {
	mu    sync.Mutex
	until time.Time
}

// held gives how long the server wants to be left alone.
func (p *pacer) held(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.until.Sub(now), 0)
}

// note reads what an answer says of the limit: a refusal, or that it was the last request for now.
func (p *pacer) note(resp *http.Response, now time.Time) {
	var wait time.Duration
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		wait = retryAfter(resp.Header)
	case resp.Header.Get("X-RateLimit-Remaining") == "0":
		wait = seconds(resp.Header.Get("X-RateLimit-Reset"))
	}
	if wait <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := now.Add(min(wait, maxHold)); until.After(p.until) {
		p.until = until
	}
}

// retryAfter is how long a refusal says to wait; one second where it does not say.
func retryAfter(h http.Header) time.Duration {
	if d := seconds(h.Get("Retry-After")); d > 0 {
		return d
	}
	if d := seconds(h.Get("X-RateLimit-Reset")); d > 0 {
		return d
	}
	return time.Second
}

func seconds(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 24*60*60 {
		return 0
	}
	return time.Duration(n) * time.Second
}
