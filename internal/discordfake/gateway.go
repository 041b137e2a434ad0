package discordfake

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/internal/fakenet"
)

// event is a dispatch.
type event struct {
	kind   string
	intent int
	data   object
}

// session is what can be resumed.
type session struct {
	id      string
	intents int
	seq     int64
	frames  []object // all that were sent, for a replay
	conn    *conn    // nil while nobody is connected
	timer   *time.Timer
}

// conn is one connection to the gateway.
type conn struct {
	s    *Server
	ws   *websocket.Conn
	out  chan object // "close" in it ends the connection
	done chan struct{}
	sess *session
}

// The intents that events need.
const (
	intentGuilds    = 1 << 0
	intentMembers   = 1 << 1
	intentMessages  = 1 << 9
	intentReactions = 1 << 10
	intentDirect    = 1 << 12
	intentDirectR   = 1 << 13
	intentContent   = 1 << 15
)

func (s *Server) serveGateway(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.dials = append(s.dials, time.Now())
	if q := r.URL.Query(); q.Get("v") != "9" || q.Get("encoding") != "json" {
		s.mistake("the gateway was asked for with %q", r.URL.RawQuery)
	}
	mute := s.mute > 0
	s.mute = max(s.mute-1, 0)
	s.mu.Unlock()
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	ws.SetCloseHandler(func(int, string) error { return nil })
	c := &conn{s: s, ws: ws, out: make(chan object, 1<<16), done: make(chan struct{})}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = ws.Close()
		return
	}
	s.conns = append(s.conns, c)
	if !mute {
		c.send(object{"op": 10, "d": object{"heartbeat_interval": s.opt.Heartbeat.Milliseconds()}})
	}
	s.mu.Unlock()
	s.net.Go(c.write)
	c.read()
}

// send queues a frame. A full queue cuts the connection. It is called with s.mu held.
func (c *conn) send(o object) {
	select {
	case c.out <- o:
	default:
		_ = c.ws.NetConn().Close()
	}
}

// cut closes the TCP connection without a goodbye.
func (c *conn) cut() { _ = c.ws.NetConn().Close() }

func (c *conn) write() {
	for {
		var err error
		select {
		case o := <-c.out:
			switch {
			case o["close"] != nil:
				_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(o["close"].(int), "because"), time.Now().Add(time.Second))
				c.cut()
				<-c.done
				return
			case o["raw"] != nil:
				err = c.ws.WriteMessage(websocket.TextMessage, []byte(o["raw"].(string)))
			default:
				err = c.ws.WriteJSON(o)
			}
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

func (c *conn) read() {
	s := c.s
	code := 0
	for {
		_ = c.ws.SetReadDeadline(time.Now().Add(s.opt.Heartbeat*2 + 30*time.Second))
		_, raw, err := c.ws.ReadMessage()
		if err != nil {
			if e, ok := err.(*websocket.CloseError); ok {
				code = e.Code
			}
			break
		}
		var f struct {
			Op   int             `json:"op"`
			Data json.RawMessage `json:"d"`
		}
		fakenet.RecordFrame(s.Host(), stripFrame(raw))
		s.mu.Lock()
		if len(raw) > 4096 || json.Unmarshal(raw, &f) != nil {
			s.mistake("a frame that Discord refuses: %d bytes", len(raw))
			c.send(object{"close": 4002})
		} else {
			c.take(f.Op, f.Data)
		}
		s.mu.Unlock()
	}
	_ = c.ws.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	close(c.done)
	s.conns = slices.DeleteFunc(s.conns, func(x *conn) bool { return x == c })
	if sess := c.sess; sess != nil && sess.conn == c {
		sess.conn = nil
		if code == websocket.CloseNormalClosure || code == websocket.CloseGoingAway { // the session is over
			delete(s.sessions, sess.id)
		} else {
			sess.timer = time.AfterFunc(s.opt.SessionFor, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				if sess.conn == nil {
					delete(s.sessions, sess.id)
				}
			})
			if s.closed {
				sess.timer.Stop()
			}
		}
	}
	s.changed.Wake()
}

// take answers a frame. It is called with s.mu held.
func (c *conn) take(op int, data json.RawMessage) {
	s := c.s
	switch op {
	case 1:
		if !s.deaf {
			c.send(object{"op": 11})
		}
	case 2:
		c.identify(data)
	case 6:
		c.resume(data)
	default:
		s.mistake("op %d was sent", op)
		c.send(object{"close": 4001})
	}
}

func (c *conn) identify(data json.RawMessage) {
	s := c.s
	var d struct {
		Token      string            `json:"token"`
		Intents    int               `json:"intents"`
		Properties map[string]string `json:"properties"`
	}
	_ = json.Unmarshal(data, &d)
	now := time.Now()
	early := len(s.identified) > 0 && now.Sub(s.identified[len(s.identified)-1]) < s.opt.IdentifyEvery
	s.identified = append(s.identified, now)
	s.remaining--
	switch {
	case s.closeNext != 0:
		c.send(object{"close": s.closeNext})
		s.closeNext = 0
	case d.Token != s.opt.Token || s.revoked:
		c.send(object{"close": 4004})
	case d.Intents&^(1<<26-1) != 0 || d.Intents <= 0:
		c.send(object{"close": 4013})
	case d.Intents&intentContent != 0 && s.opt.Flags&FlagContent == 0, d.Intents&intentMembers != 0 && s.opt.Flags&FlagMembers == 0:
		c.send(object{"close": 4014})
	case c.sess != nil:
		s.mistake("a second identify on one connection")
		c.send(object{"close": 4005})
	case early:
		s.hasty++
		c.send(object{"op": 9, "d": false})
	case s.seven > 0:
		s.seven--
		c.send(object{"op": 7})
	default:
		sess := &session{id: canary.Mark + "session" + s.id(), intents: d.Intents, conn: c}
		c.sess = sess
		s.sessions[sess.id] = sess
		var guilds []object
		for _, g := range s.guilds {
			guilds = append(guilds, object{"id": g, "unavailable": true})
		}
		sess.dispatch(&event{kind: "READY", data: object{"v": 9, "user": s.userObject(BotUser), "session_id": sess.id, "resume_gateway_url": "ws://" + s.gatewayHost() + "/resume/",
			"guilds": guilds, "application": object{"id": AppID, "flags": s.opt.Flags}, "session_type": "normal"}})
		for _, g := range s.guilds {
			if s.away[g] {
				continue
			}
			sess.dispatch(&event{kind: "GUILD_CREATE", data: s.guildObject(g)})
		}
		s.changed.Wake()
	}
}

func (c *conn) resume(data json.RawMessage) {
	s := c.s
	var d struct {
		Token string `json:"token"`
		ID    string `json:"session_id"`
		Seq   int64  `json:"seq"`
	}
	_ = json.Unmarshal(data, &d)
	sess := s.sessions[d.ID]
	switch {
	case d.Token != s.opt.Token || s.revoked:
		c.send(object{"close": 4004})
	case s.seven > 0:
		s.seven--
		c.send(object{"op": 7})
	case s.noResume > 0:
		s.noResume--
		delete(s.sessions, d.ID)
		c.send(object{"op": 9, "d": false})
	case sess == nil:
		c.send(object{"op": 9, "d": false})
	case d.Seq < 0 || d.Seq > sess.seq:
		delete(s.sessions, d.ID)
		c.send(object{"close": 4007})
	default:
		if sess.conn != nil { // Discord drops the older one
			sess.conn.sess = nil
			sess.conn.send(object{"close": 4000})
		}
		if sess.timer != nil {
			sess.timer.Stop()
		}
		sess.conn, c.sess = c, sess
		s.resumed++
		for _, f := range sess.frames {
			if f["s"].(int64) > d.Seq {
				c.send(f)
			}
		}
		sess.dispatch(&event{kind: "RESUMED", data: object{}})
		s.changed.Wake()
	}
}

// dispatch sends an event with its sequence number. It is called with s.mu held.
func (sess *session) dispatch(e *event) {
	sess.seq++
	f := object{"op": 0, "s": sess.seq, "t": e.kind, "d": e.data}
	sess.frames = append(sess.frames, f)
	if len(sess.frames) > 20_000 {
		sess.frames = sess.frames[10_000:]
	}
	if sess.conn != nil {
		sess.conn.send(f)
	}
}

// deliver hands an event to all sessions that asked for it. It is called with s.mu held.
func (s *Server) deliver(kind string, intent int, data object) {
	e := &event{kind, intent, data}
	s.last = e
	for _, sess := range s.sessions {
		if intent != 0 && sess.intents&intent == 0 {
			continue
		}
		out := e
		if sess.intents&intentContent == 0 && strings.HasPrefix(kind, "MESSAGE_") && data["content"] != nil && data["guild_id"] != nil && !s.seesContent(data) {
			c := maps.Clone(data)
			c["content"], c["attachments"], c["embeds"], c["components"] = "", []object{}, []object{}, []object{}
			out = &event{kind, intent, c}
		}
		sess.dispatch(out)
	}
}

// seesContent: the bot's own messages and those that mention it have their content.
func (s *Server) seesContent(data object) bool {
	if a, ok := data["author"].(object); ok && a["id"] == BotUser {
		return true
	}
	list, _ := data["mentions"].([]object)
	return slices.ContainsFunc(list, func(o object) bool { return o["id"] == BotUser })
}

func (s *Server) gatewayHost() string {
	if s.opt.GatewayVia != "" {
		return s.opt.GatewayVia
	}
	return s.net.Host()
}

// Connected tells whether a session is connected.
func (s *Server) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.sessions {
		if sess.conn != nil {
			return true
		}
	}
	return false
}

// Connections counts the open connections, with and without a session.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Cut closes all connections without a goodbye and returns when they are gone.
func (s *Server) Cut() {
	s.mu.Lock()
	conns := slices.Clone(s.conns)
	s.mu.Unlock()
	for _, c := range conns {
		c.cut()
		<-c.done
	}
}

// to calls f for all connections.
func (s *Server) to(f func(c *conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		f(c)
	}
}

// Reconnect tells all connections to reconnect (op 7).
func (s *Server) Reconnect() { s.to(func(c *conn) { c.send(object{"op": 7}) }) }

// Invalidate tells all connections that their session is invalid (op 9). Unless it is resumable it is gone.
func (s *Server) Invalidate(resumable bool) {
	s.to(func(c *conn) {
		if c.sess != nil && !resumable {
			delete(s.sessions, c.sess.id)
			c.sess = nil
		}
		c.send(object{"op": 9, "d": resumable})
	})
}

// CloseWith closes all connections with a code.
func (s *Server) CloseWith(code int) { s.to(func(c *conn) { c.send(object{"close": code}) }) }

// AskHeartbeat asks for a heartbeat (op 1).
func (s *Server) AskHeartbeat() { s.to(func(c *conn) { c.send(object{"op": 1}) }) }

// Raw sends a frame as it is.
func (s *Server) Raw(frame string) { s.to(func(c *conn) { c.send(object{"raw": frame}) }) }

// set changes what happens next.
func (s *Server) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Mute lets the next n connections say nothing.
func (s *Server) Mute(n int) { s.set(func() { s.mute = n }) }

// RefuseResume answers the next n resumes with an invalid session.
func (s *Server) RefuseResume(n int) { s.set(func() { s.noResume = n }) }

// AnswerSeven answers the next n identifies and resumes with op 7.
func (s *Server) AnswerSeven(n int) { s.set(func() { s.seven = n }) }

// CloseIdentify answers the next identify with a close code.
func (s *Server) CloseIdentify(code int) { s.set(func() { s.closeNext = code }) }

// Deaf stops the answers to heartbeats, or lets them go on.
func (s *Server) Deaf(on bool) { s.set(func() { s.deaf = on }) }

// DropSessions forgets all sessions, so that nobody can resume.
func (s *Server) DropSessions() { s.set(func() { clear(s.sessions) }) }

// Duplicate sends the last frame of every session once more, with the same sequence.
func (s *Server) Duplicate() {
	s.set(func() {
		for _, sess := range s.sessions {
			if sess.conn != nil && len(sess.frames) > 0 {
				sess.conn.send(sess.frames[len(sess.frames)-1])
			}
		}
	})
}

// Deliver delivers an event of any form.
func (s *Server) Deliver(kind string, data map[string]any) {
	s.set(func() { s.deliver(kind, 0, data) })
}
