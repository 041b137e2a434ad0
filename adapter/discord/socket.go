package discord

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/retry"
)

const (
	steady        = 10 * time.Second        // a connection that lived so long, or brought something, was a good one
	dialEvery     = 1100 * time.Millisecond // at most one attempt a second, also as Discord sees it
	maxIdentify   = 5 * time.Minute         // between new sessions that come to nothing
	spareSessions = 5                       // of a day's 1,000 that are left alone: past the last one Discord resets the token
	identifyEvery = 5 * time.Second         // https://discord.com/developers/docs/events/gateway#session-start-limit-object
)

// session is what is needed to go on where a connection ended.
type session struct {
	id, url, name string // name stands for the id where it may be shown
	seq           int64
}

// runSocket keeps a connection to the gateway open until ctx ends: over a second between two attempts, doubling to 30 s
// while they fail, five between two new sessions.
//
// It is our own and not the library's Session.Open: that one holds its lock while it waits for Discord and while it sleeps,
// locks itself out for ever when it is told to reconnect at the wrong moment, answers an invalid session at once, ends dead
// connections so that Discord forgets the session, and knows no address to resume at; none of it can be mended from
// outside.
func (a *Adapter) runSocket(ctx context.Context, in *intake) error {
	var lost time.Time
	dialed, identified := a.dialed, a.identified // of a Run before this one
	defer func() { a.dialed, a.identified = dialed, identified }()
	var sess *session
	var gap *gapOf
	wait := retry.First
	for n := 0; ; n++ {
		var next time.Time
		if !dialed.IsZero() {
			next = dialed.Add(max(dialEvery, retry.Jitter(wait)))
		}
		if sess == nil && !identified.IsZero() {
			next = later(next, identified.Add(identifyEvery+time.Duration(rand.N(int64(time.Second)))))
		}
		if retry.Pause(ctx, time.Until(next)) != nil {
			return nil
		}
		if n > 0 {
			a.health.Set(func(h *adapter.Status) { h.Reconnects++ })
		}
		dialed = time.Now()
		resumes := sess != nil
		g := &gateway{a: a, in: in, sess: sess, lost: lost, gap: gap}
		err := g.run(ctx)
		sess, gap = g.sess, g.gap
		if ctx.Err() != nil {
			return nil
		}
		if g.identifiedAt.After(identified) {
			identified = g.identifiedAt
		}
		if !g.readyAt.IsZero() {
			lost = time.Now()
		}
		a.health.Set(func(h *adapter.Status) {
			if h.Connected {
				h.Connected, h.Since = false, time.Now()
			}
			if err != nil {
				h.LastError = err.Error()
			}
		})
		if fatal(err) {
			return err
		}
		switch {
		case g.worked, !g.readyAt.IsZero() && time.Since(g.readyAt) > steady, resumes && errors.Is(err, errInvalid): // that session is over: the next one is new
			wait = retry.First
		case !g.identifiedAt.IsZero() && g.readyAt.IsZero(): // the sessions of a day are counted
			wait = min(2*wait, maxIdentify)
		default:
			wait = min(2*wait, retry.Max)
		}
		var limit *adapter.RateLimitError
		if errors.As(err, &limit) {
			wait = max(wait, limit.RetryAfter*4/3) // jitter takes a quarter off
		}
		a.log.Info("the connection to discord ended; connecting again", "error", err, "after", wait, "resume", sess != nil)
	}
}

// botGateway is where to connect, and how often that may be done.
type botGateway struct {
	URL   string `json:"url"`
	Limit struct {
		Total      int   `json:"total"`
		Remaining  int   `json:"remaining"`
		ResetAfter int64 `json:"reset_after"` // milliseconds
	} `json:"session_start_limit"`
}

func (a *Adapter) gatewayBot(ctx context.Context) (bot botGateway, err error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	if err = a.call(ctx, "ask for the gateway", http.MethodGet, "gateway/bot", nil, &bot); err != nil {
		return bot, err
	}
	if !strings.HasPrefix(bot.URL, "wss://") && !strings.HasPrefix(bot.URL, "ws://") {
		return bot, fmt.Errorf("discord: ask for the gateway: %q is no address of one", bot.URL)
	}
	return bot, nil
}
