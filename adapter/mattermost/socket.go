package mattermost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/retry"
)

const (
	steady    = 10 * time.Second // a connection that was ready so long was a good one
	maxFrame  = 16 << 20         // bytes
	readyFor  = 30 * time.Second // from the dial to the hello
	pingEvery = 15 * time.Second
	silentFor = 40 * time.Second // without a word, a pong to our pings included, the connection is dead
	writeFor  = 10 * time.Second

	dialEvery = 1100 * time.Millisecond // at most one attempt a second, also as the server sees it
)

// The sequence numbers of our actions. The answer to the last one tells that a connection goes on where another ended, since
// then there is no hello; that to a challenge does not come where the header has told who we are (app/websocket_router.go).
const (
	seqChallenge = 1
	seqPing      = 2
)

// link is what a connection must know of the one before to go on where it ended.
type link struct {
	id   string // connection id; "" for a new one
	next int64  // sequence number of the next event
}

// runSocket keeps a websocket open until ctx ends: over a second between two attempts, doubling to 30 s while they fail. Before
// each attempt the token is checked, because a dial with a bad one does not fail.
func (a *Adapter) runSocket(ctx context.Context, in *intake) error {
	var begun, lost time.Time
	var at link
	wait := retry.First
	for n := 0; ; n++ {
		if n > 0 {
			if retry.Pause(ctx, time.Until(begun.Add(max(dialEvery, retry.Jitter(wait))))) != nil {
				return nil
			}
			a.health.Set(func(h *adapter.Status) { h.Reconnects++ })
		}
		begun = time.Now()
		var err error
		if n > 0 {
			err = a.authTest(ctx)
		}
		s := &socket{a: a, in: in, at: at, lost: lost, first: lost.IsZero()}
		if err == nil {
			begun = time.Now() // of the dial
			err = s.run(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		if !s.readyAt.IsZero() {
			lost, at = time.Now(), s.at
			if d := time.Since(s.heardAt); d > 0 { // it may have been gone for as long as it was silent
				lost = lost.Add(-d)
			}
		} else if err != nil && s.dialed {
			at = link{} // perhaps the server does not like how we want to go on
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
		if !s.readyAt.IsZero() && (s.worked || time.Since(s.readyAt) > steady) {
			wait = retry.First
		} else {
			wait = min(2*wait, retry.Max)
		}
		var limit *adapter.RateLimitError
		if errors.As(err, &limit) {
			wait = max(wait, limit.RetryAfter*4/3) // jitter takes a quarter off
		}
		a.log.Info("the connection to mattermost ended; connecting again", "error", err, "after", wait)
	}
}

// socket is one connection.
type socket struct {
	a       *Adapter
	in      *intake
	at      link
	lost    time.Time // when the connection before it ended; zero for the first
	first   bool      // there was none before
	dialed  bool      // the server took the websocket
	readyAt time.Time
	heardAt time.Time // when the last frame came
	worked  bool      // an event came
	odd     error     // why the connection cannot be used any more
}

// address is where the websocket is, and how it goes on.
func (s *socket) address() string {
	u := strings.Replace(s.a.cfg.URL, "http", "ws", 1) + model.APIURLSuffix + "/websocket"
	if s.at.id != "" {
		u += "?" + url.Values{"connection_id": {s.at.id}, "sequence_number": {strconv.FormatInt(s.at.next, 10)}}.Encode()
	}
	return u
}

// run opens the websocket and hands over what comes until it ends.
func (s *socket) run(ctx context.Context) error {
	a := s.a
	dialer := a.cfg.Dialer
	if dialer == nil {
		dialer = &websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: 45 * time.Second}
	}
	conn, resp, err := dialer.DialContext(ctx, s.address(), http.Header{"Authorization": {"Bearer " + a.cfg.Token}})
	if err != nil {
		if resp != nil {
			return a.fail("open the websocket", model.BuildResponse(resp), &model.AppError{Id: "websocket: bad handshake"})
		}
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Errorf("mattermost: open the websocket: %w", err)
	}
	s.dialed = true
	var wg sync.WaitGroup
	over := make(chan struct{})
	defer wg.Wait()
	defer close(over)
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()

	conn.SetReadLimit(maxFrame)
	alive := func(d time.Duration) { _ = conn.SetReadDeadline(time.Now().Add(d)) }
	alive(readyFor)
	limit := func() time.Duration {
		if s.readyAt.IsZero() { // pongs do not make a connection that says nothing a good one
			return 0
		}
		return silentFor
	}
	conn.SetPongHandler(func(string) error {
		if d := limit(); d > 0 {
			alive(d)
			s.heardAt = time.Now()
		}
		return nil
	})
	pongs := make(chan string, 1) // whoever reads never waits for a write: both sides would
	conn.SetPingHandler(func(data string) error {
		if d := limit(); d > 0 {
			alive(d)
			s.heardAt = time.Now()
		}
		select {
		case pongs <- data:
		default: // one is on its way
		}
		return nil
	})
	_ = conn.SetWriteDeadline(time.Now().Add(writeFor))
	for _, action := range []any{
		map[string]any{"seq": seqChallenge, "action": model.WebsocketAuthenticationChallenge, "data": map[string]string{"token": a.cfg.Token}},
		map[string]any{"seq": seqPing, "action": "ping"},
	} {
		if err := conn.WriteJSON(action); err != nil {
			return fmt.Errorf("mattermost: open the websocket: %w", err)
		}
	}
	wg.Go(func() {
		t := time.NewTicker(pingEvery)
		defer t.Stop()
		for {
			kind, data := websocket.PingMessage, ""
			select {
			case <-t.C:
			case data = <-pongs:
				kind = websocket.PongMessage
			case <-over:
				return
			}
			if conn.WriteControl(kind, []byte(data), time.Now().Add(writeFor)) != nil {
				_ = conn.Close()
				return
			}
		}
	})
	for {
		_, data, err := conn.ReadMessage()
		if err != nil {
			if s.readyAt.IsZero() {
				return fmt.Errorf("mattermost: open the websocket: it ended before the hello: %w", err)
			}
			return fmt.Errorf("mattermost: the websocket ended: %w", err)
		}
		s.heardAt = time.Now()
		if s.handle(ctx, data); s.odd != nil {
			s.at = link{}
			return s.odd
		}
		if d := limit(); d > 0 {
			alive(d)
		}
	}
}

// handle takes a frame. It never blocks.
func (s *socket) handle(ctx context.Context, data []byte) {
	a := s.a
	var f frame
	if err := json.Unmarshal(data, &f); err != nil {
		var bad struct { // perhaps only a part that is not used is broken; the sequence must not be
			Event string `json:"event"`
			Seq   int64  `json:"seq"`
		}
		_ = json.Unmarshal(data, &bad)
		a.odd(malformed, "frame "+bad.Event)
		if bad.Event != "" {
			s.sequence(ctx, bad.Seq)
		}
		return
	}
	switch {
	case f.Event == "hello":
		s.hello(ctx, &f)
		return
	case f.Event == "":
		if f.Reply == seqPing && f.Status == model.StatusOk {
			s.resumed()
		} else if f.Status == "" {
			a.odd(unknown, "frame")
		}
		return
	}
	if !s.sequence(ctx, f.Seq) {
		return
	}
	s.worked = true
	a.take(s.in, &f, s.at.id)
}

// hello begins a connection of which nothing is missing from now on. What was missed before it is read from the histories.
func (s *socket) hello(ctx context.Context, f *frame) {
	again := s.at.id != "" && s.at.id == f.str("connection_id")
	s.at = link{id: f.str("connection_id"), next: f.Seq + 1}
	if again && f.Seq > 0 { // it went on, and says so
		s.resumed()
		return
	}
	s.ready("connected to mattermost", false)
	gap, lost, in := s.a.places.freeze(), s.lost, s.in
	in.lanes.Go(func() { s.a.catchUp(ctx, in, lost, gap) })
}

// resumed tells that the connection goes on where the one before ended.
func (s *socket) resumed() {
	if s.readyAt.IsZero() && s.at.id != "" {
		s.ready("connected to mattermost again, nothing was lost", true)
	}
}

func (s *socket) ready(what string, resumed bool) {
	s.readyAt = time.Now()
	s.a.health.Set(func(h *adapter.Status) {
		h.Connected, h.Since, h.LastError = true, time.Now(), ""
		if resumed {
			h.Resumed++
		}
	})
	s.a.log.Info(what)
}

// sequence checks that no event is missing before this one; false for one that is not to be used. A sequence that goes back is
// one of another connection: with a new one all that was said since is read from the histories.
func (s *socket) sequence(ctx context.Context, seq int64) bool {
	if s.readyAt.IsZero() { // before the hello come only events that were missed
		if s.at.id == "" || seq != s.at.next {
			s.a.log.Debug("an event before the hello is not used", "seq", seq)
			return false
		}
		s.resumed()
	}
	switch {
	case seq < s.at.next:
		s.odd = fmt.Errorf("mattermost: the websocket's sequence went back from %d to %d", s.at.next-1, seq)
		return false
	case seq > s.at.next:
		s.a.log.Warn("events are missing on the websocket", "from", s.at.next, "to", seq-1)
		gap, in, now := s.a.places.freeze(), s.in, time.Now()
		in.lanes.Go(func() { s.a.catchUp(ctx, in, now, gap) })
	}
	s.at.next = seq + 1
	return true
}

// take decodes an event and offers it.
func (a *Adapter) take(in *intake, f *frame, conn string) {
	r, stale, v := a.decoder().event(f, conn, a.now())
	a.forget(stale)
	if v != deliver {
		a.odd(v, f.Event)
		return
	}
	ev := r.ev
	switch {
	case ev.Self && r.inHistory():
		a.places.heard(ev.Room.ID, ev.MessageID, r.since, true)
		a.odd(ignored, f.Event)
		return
	case ev.Self && ev.Kind != adapter.KindJoin && ev.Kind != adapter.KindLeave:
		a.odd(ignored, f.Event)
		return
	case ev.Kind == adapter.KindMessage:
		a.said.note(ev.MessageID, ev.Text)
	case ev.Kind == adapter.KindEdit:
		if a.said.note(ev.MessageID, ev.Text) { // something else of it was changed
			a.odd(ignored, f.Event)
			return
		}
	}
	in.offer(r, nil)
}
