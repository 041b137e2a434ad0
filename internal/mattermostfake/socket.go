package mattermostfake

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/starlingbot/starling/internal/fakenet"
)

// frame is an event on a websocket.
type frame struct {
	Event     string
	Data      object
	Broadcast broadcast
	seq       int64
	raw       string // sent as it is, in place of the rest
}

type broadcast struct {
	Channel string
	Team    string
	User    string
}

func (f *frame) bytes() []byte {
	if f.raw != "" {
		return []byte(f.raw)
	}
	b, err := json.Marshal(object{"event": f.Event, "data": f.Data, "seq": f.seq,
		"broadcast": object{"omit_users": nil, "user_id": f.Broadcast.User, "channel_id": f.Broadcast.Channel, "team_id": f.Broadcast.Team}})
	if err != nil {
		panic(err) // made of strings, numbers and what was JSON before
	}
	return b
}

// conn is what the server remembers of a connection, also while its websocket is gone: what it sent last, and what waits
// (app/web_conn.go: deadQueue and send).
type conn struct {
	id      string
	next    int64 // sequence number of the next event
	dead    []*frame
	waiting []*frame
	at      *socket // nil: gone
	goneAt  time.Time
}

// socket is one websocket of the bot.
type socket struct {
	s    *Server
	ws   *websocket.Conn
	conn *conn
	user string
	wake chan struct{}
	say  chan []byte   // answers
	done chan struct{} // closed when nobody reads any more
	gone chan struct{} // closed when it is cut
	once sync.Once
}

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.dials = append(s.dials, time.Now())
	s.calls["GET /websocket"]++
	fault := s.faults.Take("GET /websocket")
	authorized := bearer(r) == s.opt.Token && !s.revoked
	s.mu.Unlock()
	if fault != nil {
		switch fault.Kind {
		case FaultHang:
			s.net.Hang(r)
		case FaultLost:
			fakenet.Cut(w)
		default:
			http.Error(w, "Bad Gateway", http.StatusBadGateway)
		}
		return
	}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &socket{s: s, ws: ws, wake: make(chan struct{}, 1), say: make(chan []byte, 16), done: make(chan struct{}), gone: make(chan struct{})}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = ws.Close()
		return
	}
	s.sockets = append(s.sockets, c)
	if authorized {
		s.register(c, r.URL.Query().Get("connection_id"), r.URL.Query().Get("sequence_number"))
	}
	s.net.Go(c.write)
	s.mu.Unlock()
	c.read()
}

// register ties a websocket to a connection that is remembered, or to a new one. It is called with s.mu held.
func (s *Server) register(c *socket, id, sequence string) {
	c.user = Bot
	if s.mute > 0 {
		s.mute--
		c.conn = &conn{id: "mute", at: c}
		return
	}
	for key, k := range s.conns {
		if k.at == nil && time.Since(k.goneAt) > s.opt.Keep {
			delete(s.conns, key)
		}
	}
	want, err := strconv.ParseInt(sequence, 10, 64)
	if k := s.conns[id]; id != "" && k != nil && err == nil && want >= 0 {
		if k.at != nil {
			k.at.cut()
		}
		k.at, c.conn = c, k
		i := slices.IndexFunc(k.dead, func(f *frame) bool { return f.seq == want })
		switch {
		case i >= 0: // sent before, and sent again
			k.waiting = append(slices.Clone(k.dead[i:]), k.waiting...)
			k.dead = k.dead[:i:i]
		case len(k.dead) > 0 && k.dead[len(k.dead)-1].seq == want-1: // nothing was lost
		default:
			delete(s.conns, k.id)
			k.id, k.dead, k.next = s.id("conn"), nil, 0
			s.conns[k.id] = k
			k.waiting = append([]*frame{s.hello(k)}, k.waiting...)
			for _, f := range k.waiting {
				f.seq = k.next
				k.next++
			}
		}
	} else {
		k := &conn{id: s.id("conn"), at: c}
		c.conn = k
		s.conns[k.id] = k
		h := s.hello(k)
		k.waiting, k.next = []*frame{h}, 1
	}
	c.poke()
	s.changed.Wake()
}

func (s *Server) hello(k *conn) *frame {
	return &frame{Event: "hello", Data: object{"server_version": "6.7.2.fake", "connection_id": k.id}, Broadcast: broadcast{User: Bot}}
}

func (c *socket) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// publish gives an event to every connection of the bot that may see it. It is called with s.mu held.
func (s *Server) publish(f *frame) {
	if f.Broadcast.Channel != "" && f.Event != "user_removed" {
		if r := s.rooms[f.Broadcast.Channel]; r != nil && !r.member(Bot) {
			return
		}
	}
	if f.Broadcast.User != "" && f.Broadcast.User != Bot {
		return
	}
	drop := s.drop > 0
	s.drop = max(s.drop-1, 0)
	for key, k := range s.conns {
		copied := *f
		if f.raw == "" {
			copied.seq = k.next
			k.next++
		}
		if drop {
			continue
		}
		if len(k.waiting) >= s.opt.Queue { // the server gives it up
			delete(s.conns, key)
			if k.at != nil {
				k.at.cut()
			}
			continue
		}
		k.waiting = append(k.waiting, &copied)
		if k.at != nil {
			k.at.poke()
		}
	}
	s.changed.Wake()
}

// cut closes the TCP connection without a goodbye.
func (c *socket) cut() {
	c.once.Do(func() { close(c.gone) })
	_ = c.ws.NetConn().Close()
}

// take gives the next event to write, or nil.
func (c *socket) take() []byte {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for {
		k := c.conn
		if k == nil || k.at != c || len(k.waiting) == 0 || c.s.hung {
			return nil
		}
		f := k.waiting[0]
		if k.waiting = k.waiting[1:]; len(k.waiting) == 0 {
			c.s.changed.Wake()
		}
		if f.raw == "" {
			if k.dead = append(k.dead, f); len(k.dead) > c.s.opt.Dead {
				k.dead = slices.Clone(k.dead[1:])
			}
		}
		if c.s.swallow > 0 {
			c.s.swallow--
			continue
		}
		return f.bytes()
	}
}

func (c *socket) write() {
	t := time.NewTicker(c.s.opt.PingEvery)
	defer t.Stop()
	for {
		var err error
		if b := c.take(); b != nil {
			err = c.ws.WriteMessage(websocket.TextMessage, b)
		} else {
			select {
			case b := <-c.say:
				err = c.ws.WriteMessage(websocket.TextMessage, b)
			case <-c.wake:
			case <-t.C:
				if !c.s.isHung() {
					err = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(5*time.Second))
				}
			case <-c.done:
				return
			}
		}
		if err != nil {
			c.cut()
			<-c.done
			return
		}
	}
}

func (s *Server) isHung() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hung
}

// answer queues the answer to an action.
func (c *socket) answer(v object) {
	b, err := json.Marshal(v)
	if err != nil {
		return
	}
	select {
	case c.say <- b:
	case <-c.done:
	}
}

func (c *socket) read() {
	ping := c.ws.PingHandler()
	c.ws.SetPingHandler(func(data string) error {
		if c.s.isHung() {
			return nil
		}
		return ping(data)
	})
	for {
		_, data, err := c.ws.ReadMessage()
		if err != nil {
			break
		}
		fakenet.RecordFrame(c.s.Host(), stripFrame(data))
		if c.s.isHung() {
			continue
		}
		var req struct {
			Seq    int64          `json:"seq"`
			Action string         `json:"action"`
			Data   map[string]any `json:"data"`
		}
		if json.Unmarshal(data, &req) != nil || req.Seq <= 0 {
			c.s.mistake("a websocket frame without a sequence number: %q", data)
			continue
		}
		c.act(req.Seq, req.Action, req.Data)
	}
	_ = c.ws.Close()
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	close(c.done)
	s.sockets = slices.DeleteFunc(s.sockets, func(x *socket) bool { return x == c })
	if k := c.conn; k != nil && k.at == c {
		k.at, k.goneAt = nil, time.Now()
	}
	s.changed.Wake()
}

func (c *socket) act(seq int64, action string, data map[string]any) {
	s := c.s
	s.mu.Lock()
	registered, mute := c.conn != nil, c.conn != nil && c.conn.id == "mute"
	switch {
	case mute:
		s.mu.Unlock()
	case action == "authentication_challenge":
		token, _ := data["token"].(string)
		ok := token == s.opt.Token && !s.revoked
		if registered { // it is known from the header: there is no answer (app/websocket_router.go)
			s.mu.Unlock()
			return
		}
		if ok {
			s.register(c, "", "")
		}
		s.mu.Unlock()
		if !ok {
			c.cut() // without a word
			return
		}
		c.answer(object{"status": "OK", "seq_reply": seq})
	case !registered:
		s.mu.Unlock()
		c.answer(object{"status": "FAIL", "seq_reply": seq, "error": object{"id": "api.web_socket_router.not_authenticated.app_error"}})
	case action == "ping":
		s.mu.Unlock()
		for { // behind what waits
			s.mu.Lock()
			left := len(c.conn.waiting)
			changed := s.changed.Changed()
			s.mu.Unlock()
			if left == 0 {
				break
			}
			select {
			case <-changed:
			case <-time.After(time.Millisecond):
			case <-c.gone:
				return
			case <-s.net.Done():
				return
			}
		}
		c.answer(object{"status": "OK", "seq_reply": seq, "data": object{"text": "pong", "server_time": time.Now().UnixMilli()}})
	default:
		s.mu.Unlock()
		c.answer(object{"status": "FAIL", "seq_reply": seq, "error": object{"id": "api.web_socket_router.bad_action.app_error"}})
	}
}

// Connected tells whether a websocket takes events and has taken all.
func (s *Server) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.conns {
		if k.at != nil && len(k.waiting) == 0 {
			return true
		}
	}
	return false
}

// Sockets counts the open websockets.
func (s *Server) Sockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sockets)
}

// Cut closes all websockets without a goodbye and returns when they are gone.
func (s *Server) Cut() {
	s.mu.Lock()
	s.swallow = 0
	sockets := slices.Clone(s.sockets)
	s.mu.Unlock()
	for _, c := range sockets {
		c.cut()
		<-c.done
	}
}

// Forget lets the server forget its connections, as after five minutes: nothing is replayed.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, k := range s.conns {
		if k.at == nil {
			delete(s.conns, key)
		}
	}
}

// Mute lets the next n websockets say nothing.
func (s *Server) Mute(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = n
}

// Hang lets websockets stay open and say nothing, not even to a ping, or lets them go on.
func (s *Server) Hang(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hung = on
	for _, c := range s.sockets {
		c.poke()
	}
}

// Duplicate sends the last event once more, with the sequence number that it had.
func (s *Server) Duplicate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.conns {
		if k.at != nil && len(k.dead) > 0 {
			copied := *k.dead[len(k.dead)-1]
			copied.raw = string(copied.bytes())
			k.waiting = append(k.waiting, &copied)
			k.at.poke()
		}
	}
}

// Deliver sends an event of any form.
func (s *Server) Deliver(event string, data map[string]any, channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publish(&frame{Event: event, Data: data, Broadcast: broadcast{Channel: channel}})
}

// DeliverRaw sends a frame as it is, without a sequence number of its own.
func (s *Server) DeliverRaw(raw string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publish(&frame{raw: raw})
}

func bearer(r *http.Request) string {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "bearer") {
		return ""
	}
	return token
}

// Swallow lets the next n events before the next cut be written and lost by the network: the server believes that they were sent.
func (s *Server) Swallow(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.swallow = n
}

// Drop lets the next n events be given to no connection, with a number of their own.
func (s *Server) Drop(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop = n
}
