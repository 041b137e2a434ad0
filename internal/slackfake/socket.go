package slackfake

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gorilla/websocket"

	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/internal/fakenet"
)

// envelope is something that waits for its acknowledgement.
type envelope struct {
	ID      string
	Kind    string // events_api, slash_commands, interactive
	EventID string
	payload object
	attempt int
	reason  string
	at      *socket // where it was sent last
	timer   *time.Timer
	acked   bool
	dead    bool
}

// socket is one websocket of the app.
type socket struct {
	s    *Server
	conn *websocket.Conn
	out  chan any
	done chan struct{}
	old  bool // it was told to go: nothing new is sent there
}

func (s *Server) openSocket() (object, *apiError) {
	ticket := s.id(canary.Mark + "ticket")
	s.tickets[ticket] = true
	host := s.net.Host()
	if s.opt.SocketVia != "" {
		host = s.opt.SocketVia
	}
	return object{"url": "ws://" + host + "/socket/?ticket=" + url.QueryEscape(ticket)}, nil
}

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	ticket := r.URL.Query().Get("ticket")
	known := s.tickets[ticket]
	delete(s.tickets, ticket) // good for one connection
	full := s.refuse > 0 || len(s.live()) >= 10
	s.refuse = max(s.refuse-1, 0)
	s.mu.Unlock()
	if !known {
		http.Error(w, "invalid ticket", http.StatusForbidden)
		return
	}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &socket{s: s, conn: conn, out: make(chan any, 1<<15), done: make(chan struct{})}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = conn.Close()
		return
	}
	s.sockets = append(s.sockets, c)
	if s.mute > 0 {
		s.mute--
		c.old = true
		s.mu.Unlock()
		s.net.Go(c.write)
		c.read()
		return
	}
	c.send(object{"type": "hello", "num_connections": len(s.sockets), "connection_info": object{"app_id": AppID},
		"debug_info": object{"host": "fake", "approximate_connection_time": 3600}})
	if full {
		c.disconnect("too_many_websockets")
	} else { // what waits for a socket
		for _, e := range s.pending {
			if e.at == nil && e.timer == nil {
				s.attempt(e)
			}
		}
	}
	s.changed.Wake()
	s.mu.Unlock()
	s.net.Go(c.write)
	c.read()
}

// live are the sockets that take events.
func (s *Server) live() []*socket {
	var out []*socket
	for _, c := range s.sockets {
		if !c.old {
			out = append(out, c)
		}
	}
	return out
}

// send queues a frame. A full queue cuts the socket. It is called with s.mu held.
func (c *socket) send(v any) {
	select {
	case c.out <- v:
	default:
		_ = c.conn.NetConn().Close()
	}
}

// disconnect tells the client to go (https://docs.slack.dev/apis/events-api/using-socket-mode#disconnect).
func (c *socket) disconnect(reason string) {
	c.old = true
	c.send(object{"type": "disconnect", "reason": reason, "debug_info": object{"host": "fake"}})
}

// cut closes the TCP connection without a goodbye.
func (c *socket) cut() { _ = c.conn.NetConn().Close() }

func (c *socket) write() {
	t := time.NewTicker(c.s.opt.PingEvery)
	defer t.Stop()
	for {
		var err error
		select {
		case v := <-c.out:
			if raw, ok := v.(json.RawMessage); ok {
				err = c.conn.WriteMessage(websocket.TextMessage, raw)
			} else {
				err = c.conn.WriteJSON(v)
			}
		case <-t.C:
			err = c.conn.WriteControl(websocket.PingMessage, []byte("ping"), time.Now().Add(5*time.Second))
		case <-c.done:
			return
		}
		if err != nil {
			c.cut()
			<-c.done
			return
		}
	}
}

func (c *socket) read() {
	for {
		_, data, err := c.conn.ReadMessage()
		if err != nil {
			break
		}
		fakenet.RecordFrame(c.s.Host(), data)
		var ack struct {
			EnvelopeID string `json:"envelope_id"`
		}
		if len(data) >= 20<<10 || json.Unmarshal(data, &ack) != nil {
			c.s.mistake("a frame of %d bytes that Slack drops", len(data))
			continue
		}
		c.s.acknowledge(ack.EnvelopeID)
	}
	_ = c.conn.Close()
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	close(c.done)
	s.sockets = slices.DeleteFunc(s.sockets, func(x *socket) bool { return x == c })
	for _, e := range slices.Clone(s.pending) {
		if e.at == c { // nobody can acknowledge any more
			s.failed(e, "socket_closed")
		}
	}
	s.changed.Wake()
}

// deliver hands an event to the app. It is called with s.mu held.
func (s *Server) deliver(event object) string {
	eventID := s.id("Ev")
	s.enqueue(&envelope{ID: s.id("env"), Kind: "events_api", EventID: eventID, payload: object{
		"token": verificationToken, "team_id": s.team, "api_app_id": AppID, "event": event, "type": "event_callback", "event_id": eventID,
		"event_time": time.Now().Unix(), "authorizations": []object{{"team_id": s.team, "user_id": BotUser, "is_bot": true}},
	}})
	return eventID
}

func (s *Server) enqueue(e *envelope) {
	s.pending = append(s.pending, e)
	s.last = e
	if s.webhook != nil {
		s.postEnvelope(e)
		return
	}
	s.attempt(e)
}

// attempt sends e to the next socket. It is called with s.mu held.
func (s *Server) attempt(e *envelope) {
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	live := s.live()
	if len(live) == 0 {
		s.failed(e, "no_socket")
		return
	}
	s.turn++
	c := live[s.turn%len(live)]
	e.at = c
	c.send(e.frame())
	e.timer = time.AfterFunc(s.opt.AckWithin, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !e.acked && !e.dead && e.at == c {
			s.failed(e, "timeout")
		}
	})
}

func (e *envelope) frame() object {
	o := object{"type": e.Kind, "envelope_id": e.ID, "payload": e.payload, "accepts_response_payload": e.Kind != "events_api"}
	if e.Kind == "events_api" {
		o["retry_attempt"], o["retry_reason"] = e.attempt, e.reason
	}
	return o
}

// failed plans the next attempt, or gives up. It is called with s.mu held.
func (s *Server) failed(e *envelope, reason string) {
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	e.at = nil
	if s.closed || e.Kind != "events_api" || e.attempt >= len(s.opt.Retry) { // interactions are not delivered again
		e.dead = true
		s.pending = slices.DeleteFunc(s.pending, func(x *envelope) bool { return x == e })
		s.lost = append(s.lost, e.EventID)
		s.changed.Wake()
		return
	}
	wait := s.opt.Retry[e.attempt]
	e.attempt++
	e.reason = reason
	e.timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !e.acked && !e.dead && !s.closed {
			s.attempt(e)
		}
	})
}

func (s *Server) acknowledge(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range s.pending {
		if e.ID == id {
			e.acked = true
			s.acks++
			if e.timer != nil {
				e.timer.Stop()
			}
			s.pending = slices.Delete(s.pending, i, i+1)
			break
		}
	}
	s.changed.Wake()
}

// Connected tells whether a socket takes events.
func (s *Server) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live()) > 0
}

// Sockets counts the open sockets.
func (s *Server) Sockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sockets)
}

// Unacknowledged counts what waits for an acknowledgement.
func (s *Server) Unacknowledged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending)
}

// Acknowledged counts what was acknowledged.
func (s *Server) Acknowledged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acks
}

// Lost gives the ids of the events that were given up.
func (s *Server) Lost() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lost)
}

// SetSocketVia sets Options.SocketVia.
func (s *Server) SetSocketVia(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.SocketVia = host
}

// Cut closes all sockets without a goodbye and returns when they are gone.
func (s *Server) Cut() {
	s.mu.Lock()
	sockets := slices.Clone(s.sockets)
	s.mu.Unlock()
	for _, c := range sockets {
		c.cut()
		<-c.done
	}
}

// Disconnect tells all sockets to go, for a reason: warning, refresh_requested, link_disabled.
func (s *Server) Disconnect(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.sockets {
		c.disconnect(reason)
	}
}

// RefuseSockets tells the next n sockets too_many_websockets.
func (s *Server) RefuseSockets(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = n
}

// Mute lets the next n sockets say nothing but pings.
func (s *Server) Mute(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = n
}

// Redeliver sends what waits for an acknowledgement once more, at once, without using up an attempt.
func (s *Server) Redeliver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Clone(s.pending) {
		if len(s.live()) > 0 {
			e.reason = "timeout"
			s.attempt(e)
		}
	}
}

// Duplicate sends the last event once more with the same envelope id and no sign of a retry, acknowledged or not.
func (s *Server) Duplicate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if live := s.live(); s.last != nil && len(live) > 0 {
		live[0].send(s.last.frame())
	}
}

// Deliver delivers an event of any form.
func (s *Server) Deliver(event map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deliver(event)
}

// DeliverRaw sends a frame as it is on every socket.
func (s *Server) DeliverRaw(frame string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.live() {
		c.send(json.RawMessage(frame))
	}
}
