package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/retry"
)

const (
	steady   = 10 * time.Second // a socket that lived so long, or brought something, was a good one
	maxFrame = 16 << 20         // bytes
	helloFor = 90 * time.Second // from the first request to the hello

	dialEvery = 1100 * time.Millisecond // at most one attempt a second, also as Slack sees it
)

// runSocket keeps a socket open until ctx ends. The library would connect again by itself, without a pause when Slack asks
// it to go: each of its clients here gets one connection, and the pauses are ours: over a second between two attempts,
// doubling to 30 s while they fail.
func (a *Adapter) runSocket(ctx context.Context, in *intake) error {
	var dialed, lost time.Time
	wait := retry.First
	for n := 0; ; n++ {
		if !dialed.IsZero() {
			next := dialed.Add(max(dialEvery, retry.Jitter(wait)))
			if retry.Pause(ctx, time.Until(next)) != nil {
				return nil
			}
		}
		if n > 0 {
			a.health.Set(func(h *adapter.Status) { h.Reconnects++ })
		}
		s := &socket{a: a, in: in, lost: lost}
		err := s.run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		dialed = s.dialed
		if !s.helloAt.IsZero() {
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
		if s.worked.Load() || !s.helloAt.IsZero() && time.Since(s.helloAt) > steady {
			wait = retry.First
		} else {
			wait = min(2*wait, retry.Max)
		}
		var limit *adapter.RateLimitError
		if errors.As(err, &limit) {
			wait = max(wait, limit.RetryAfter*4/3) // jitter takes a quarter off
		}
		a.log.Info("the connection to slack ended; connecting again", "error", err, "after", wait)
	}
}

// socket is one connection.
type socket struct {
	a       *Adapter
	in      *intake
	lost    time.Time // when the connection before it ended; zero for the first
	dialed  time.Time // when Slack was asked for it
	helloAt time.Time
	client  *socketmode.Client
	ctx     context.Context // of the connection
	acks    chan string     // envelopes to acknowledge
	worked  atomic.Bool     // something was acknowledged
}

// maxAcks is how many acknowledgements wait for a socket that takes none; those that are over are left out: Slack delivers again.
const maxAcks = 2 * maxWaiting

var errSecondDial = errors.New("slack: the connection ended")

// run opens the socket and hands over what comes until it ends.
func (s *socket) run(ctx context.Context) error {
	a := s.a
	// The connection outlives ctx a little, so that what the sink has taken is still acknowledged.
	conn, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	s.ctx = conn
	opened := false
	web := *a.http
	web.open = func() error { // called by one goroutine
		if opened {
			cut(errSecondDial)
			return errSecondDial
		}
		opened, s.dialed = true, time.Now()
		return nil
	}
	api := slackgo.New(a.cfg.BotToken, slackgo.OptionAppLevelToken(a.cfg.AppToken), slackgo.OptionAPIURL(a.cfg.APIURL),
		slackgo.OptionHTTPClient(&web), slackgo.OptionLog(silent))
	dialer := a.cfg.Dialer
	if dialer == nil {
		dialer = &websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: 45 * time.Second, WriteBufferSize: 32 << 10}
	}
	s.client = socketmode.New(api, socketmode.OptionDialer(dialer), socketmode.OptionReadLimit(maxFrame), socketmode.OptionLog(silent))

	s.acks = make(chan string, maxAcks)
	over := make(chan error, 1)
	go func() { over <- s.client.RunContext(conn) }()
	go s.acknowledge()
	patience := time.NewTimer(helloFor)
	defer patience.Stop()
	var failed error
	for {
		select {
		case <-patience.C:
			if s.helloAt.IsZero() && failed == nil {
				failed = errors.New("slack: open the socket: there was no hello")
				cut(failed)
			}
		case ev := <-s.client.Events:
			if err := s.handle(ctx, ev); err != nil && failed == nil {
				failed = err
				cut(err)
			}
		case err := <-over:
			s.drain(ctx)
			switch {
			case failed != nil:
				return failed
			case errors.Is(context.Cause(conn), errSecondDial), ctx.Err() != nil:
				return nil
			}
			return a.judge(err)
		case <-ctx.Done():
			s.leave(cut)
			<-over
			return nil
		}
	}
}

// leave lets acknowledgements out that the sink's last events made, and ends the connection.
func (s *socket) leave(cut context.CancelCauseFunc) {
	quiet := make(chan struct{})
	go func() { s.in.lanes.Wait(); close(quiet) }()
	late := time.NewTimer(2 * time.Second) // a socket that takes nothing must not hold Run up
	defer late.Stop()
	for waiting := true; waiting; {
		select {
		case <-s.client.Events: // not handed over: Slack delivers it again
		case <-late.C:
			cut(nil)
		case <-quiet:
			waiting = false
		}
	}
	_ = retry.Pause(s.ctx, 20*time.Millisecond) // they are written by other goroutines
	cut(nil)
	for {
		select {
		case <-s.client.Events:
		default:
			return
		}
	}
}

// drain hands over what was received before the connection ended.
func (s *socket) drain(ctx context.Context) {
	for {
		select {
		case ev := <-s.client.Events:
			_ = s.handle(ctx, ev)
		default:
			return
		}
	}
}

// judge maps an error of connecting; some of them the library would try again for ever.
func (a *Adapter) judge(err error) error {
	if err == nil {
		return nil
	}
	mapped := a.fail("open the socket", err)
	var refused slackgo.SlackErrorResponse
	if errors.As(err, &refused) {
		switch refused.Err {
		case "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type":
			return fmt.Errorf("slack: open the socket: %w: %s: Config.AppToken is wrong or revoked: make a new one on the app's page Basic Information, App-Level Tokens", adapter.ErrAuth, refused.Err)
		case "missing_scope":
			return fmt.Errorf("slack: open the socket: %w: the app token lacks the scope connections:write: make a new one on the app's page Basic Information, App-Level Tokens", adapter.ErrForbidden)
		case "no_permission", "forbidden_team", "socket_mode_disabled", "not_allowed":
			return fmt.Errorf("slack: open the socket: %w: %s: turn Socket Mode on on the app's page Socket Mode", adapter.ErrForbidden, refused.Err)
		}
	}
	return mapped
}

// handle takes what the library tells. It never blocks. An error ends the connection.
func (s *socket) handle(ctx context.Context, ev socketmode.Event) error {
	a := s.a
	switch ev.Type {
	case socketmode.EventTypeHello:
		s.helloAt = time.Now()
		a.health.Set(func(h *adapter.Status) { h.Connected, h.Since, h.LastError = true, time.Now(), "" })
		a.log.Info("connected to slack", "connections", ev.Request.NumConnections)
		s.catchUp(ctx)
	case socketmode.EventTypeEventsAPI: // the library has taken the envelope apart: that is not done twice
		if outer, ok := ev.Data.(slackevents.EventsAPIEvent); ok {
			if inner, ok := outer.Data.(*slackevents.EventsAPICallbackEvent); ok && inner.InnerEvent != nil {
				s.hand(ev.Request.EnvelopeID, a.decodeEvent(inner.EventID, *inner.InnerEvent))
				return nil
			}
		}
		s.envelope(ev.Request)
	case socketmode.EventTypeSlashCommand, socketmode.EventTypeInteractive:
		s.envelope(ev.Request)
	case socketmode.EventTypeErrorBadMessage: // the library cannot read it; perhaps we can, and it wants an answer
		bad, ok := ev.Data.(*socketmode.ErrorBadMessage)
		var req socketmode.Request
		if !ok || json.Unmarshal(bad.Message, &req) != nil {
			a.odd(malformed, "frame")
			return nil
		}
		if req.EnvelopeID == "" {
			a.odd(unknown, "frame/"+req.Type)
			return nil
		}
		a.log.Debug("the library could not read an envelope", "kind", req.Type, "error", bad.Cause)
		s.envelope(&req)
	case socketmode.EventTypeConnectionError:
		if e, ok := ev.Data.(*slackgo.ConnectionErrorEvent); ok {
			return a.judge(e.ErrorObj)
		}
	case socketmode.EventTypeInvalidAuth:
		return a.judge(slackgo.SlackErrorResponse{Err: "invalid_auth"})
	case socketmode.EventTypeErrorWriteFailed:
		a.log.Debug("an acknowledgement could not be written; slack delivers again")
	}
	return nil
}

// catchUp reads what was missed, where the time without a connection was long enough for Slack to have given up.
func (s *socket) catchUp(ctx context.Context) {
	if !s.lost.IsZero() && time.Since(s.lost) < shortGap {
		return
	}
	gap, lost := s.a.places.freeze(), s.lost
	s.in.lanes.Go(func() { s.a.catchUp(ctx, s.in, lost, gap) })
}

// envelope decodes what came and hands it over; it is acknowledged when the sink has taken it.
func (s *socket) envelope(req *socketmode.Request) {
	kind := "slash_commands"
	switch req.Type {
	case socketmode.RequestTypeInteractive:
		kind = "interactive"
	case socketmode.RequestTypeEventsAPI:
		kind = "events_api"
	case socketmode.RequestTypeSlashCommands:
	default:
		s.a.odd(unknown, "envelope/"+req.Type)
		s.ack(req.EnvelopeID)
		return
	}
	s.hand(req.EnvelopeID, s.a.decode(kind, req.Payload))
}

// hand offers what came under an envelope, or acknowledges it at once where nothing is for the sink.
func (s *socket) hand(id string, r *received) {
	if r == nil {
		s.ack(id)
		return
	}
	s.in.offer(r, func(err error) {
		if err == nil {
			s.ack(id)
		}
	})
}

// ack acknowledges an envelope, without waiting. On a connection that has ended it does nothing: Slack delivers again, and that is
// acknowledged at once.
func (s *socket) ack(id string) {
	s.worked.Store(true)
	select {
	case s.acks <- id:
	default:
	}
}

// acknowledge gives the library what is to be acknowledged, until the connection ends. The library waits while its socket takes
// nothing, and reads on only as long as somebody takes what it has read: who does that must not wait for it.
func (s *socket) acknowledge() {
	for {
		select {
		case id := <-s.acks:
			_ = s.client.AckCtx(s.ctx, id, nil)
		case <-s.ctx.Done():
			return
		}
	}
}

// decode makes an event of a payload; nil for one that is not for the sink, which is counted.
func (a *Adapter) decode(kind string, payload json.RawMessage) *received {
	d := a.decoder()
	var r *received
	var v verdict
	name := kind
	switch kind {
	case "slash_commands":
		r, v = d.slash(payload, a.now())
	case "interactive":
		r, v, name = d.interaction(payload, a.now())
	default:
		var outer struct {
			Type    string          `json:"type"`
			EventID string          `json:"event_id"`
			Event   json.RawMessage `json:"event"`
			Minute  int64           `json:"minute_rate_limited"`
		}
		if json.Unmarshal(payload, &outer) != nil {
			a.odd(malformed, kind)
			return nil
		}
		if outer.Type == "app_rate_limited" {
			at := time.Unix(outer.Minute, 0).UTC()
			a.health.Gap(Gap{From: at, To: at.Add(time.Minute), What: "events over Slack's limit of 30,000 an hour"})
			return nil
		}
		return a.decodeEvent(outer.EventID, outer.Event)
	}
	if v != deliver {
		a.odd(v, name)
		return nil
	}
	return r
}

// decodeEvent is decode of an inner event.
func (a *Adapter) decodeEvent(id string, raw json.RawMessage) *received {
	r, f, v, name := a.decoder().event(id, raw)
	if v == deliver {
		return r
	}
	if f.user != "" {
		a.users.Forget(f.user)
		a.index.Forget("users")
	}
	if f.room != "" {
		a.rooms.Forget(f.room)
		a.index.Forget("rooms")
	}
	if name == "tokens_revoked" || name == "app_uninstalled" {
		a.doubt.Raise()
	}
	a.odd(v, name)
	return nil
}
