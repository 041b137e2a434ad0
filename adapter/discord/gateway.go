package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/retry"
)

const (
	maxFrame     = 64 << 20         // bytes; a large server comes in one frame
	readyFor     = 30 * time.Second // from the dial until Discord says that it is ready
	writeFor     = 10 * time.Second
	keepOpen     = 4900 // a close code of our own: any but 1000 and 1001 keeps the session
	leaveForGood = websocket.CloseNormalClosure
)

// The operations of the gateway (https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-opcodes).
const (
	opDispatch  = 0
	opHeartbeat = 1
	opIdentify  = 2
	opResume    = 6
	opReconnect = 7
	opInvalid   = 9
	opHello     = 10
	opAck       = 11
)

// gateway is one connection. All but reading happens in the goroutine of run, which never waits for the bot.
type gateway struct {
	a    *Adapter
	in   *intake
	sess *session // to resume; nil begins a new one, and after run it is what the next connection resumes
	lost time.Time
	gap  *gapOf // that is being filled

	identifiedAt time.Time
	readyAt      time.Time
	worked       bool // something came after the beginning

	conn  *websocket.Conn
	acked bool      // Discord answered the last heartbeat
	beat  time.Time // when the last heartbeat was sent
}

type frame struct {
	Op   int             `json:"op"`
	Seq  *int64          `json:"s"`
	Type string          `json:"t"`
	Data json.RawMessage `json:"d"`
}

var (
	errZombie    = errors.New("discord: the gateway answers no heartbeats")
	errHung      = errors.New("discord: open the connection: discord took it and did not say that it is ready")
	errReconnect = errors.New("discord: the gateway asked to reconnect")
	errInvalid   = errors.New("discord: the session is not valid any more")
)

// run connects and hands over what comes until the connection ends.
func (g *gateway) run(ctx context.Context) error {
	if err := g.dial(ctx); err != nil {
		return err
	}
	frames, over := make(chan []byte), make(chan error, 1)
	done, reading := make(chan struct{}), true
	go func() { over <- g.read(frames, done) }()
	defer func() {
		close(done)
		_ = g.conn.Close()
		if reading {
			<-over
		}
	}()
	ready := time.NewTimer(readyFor)
	defer ready.Stop()
	beat := time.NewTimer(time.Hour)
	defer beat.Stop()
	var interval time.Duration
	for {
		select {
		case raw := <-frames:
			every, err := g.take(ctx, raw)
			if err != nil {
				g.goodbye(keepOpen)
				if errors.Is(err, errInvalid) { // Discord wants a pause before the next session
					_ = retry.Pause(ctx, time.Second+time.Duration(rand.N(int64(4*time.Second))))
				}
				return err
			}
			if every > 0 {
				interval, g.acked = every, true
				beat.Reset(time.Duration(rand.N(int64(interval)) + 1))
			}
			if g.readyAt.IsZero() {
				ready.Reset(readyFor) // a long replay is no silence
			} else {
				ready.Stop()
			}
		case <-beat.C:
			if !g.acked {
				g.goodbye(keepOpen)
				return errZombie
			}
			g.acked = false
			if err := g.heartbeat(); err != nil {
				return err
			}
			beat.Reset(interval)
		case <-ready.C:
			g.goodbye(keepOpen)
			return errHung
		case err := <-over:
			reading = false
			return g.ended(err)
		case <-ctx.Done():
			g.goodbye(leaveForGood)
			return nil
		}
	}
}

// dial opens the connection.
func (g *gateway) dial(ctx context.Context) error {
	a := g.a
	ctx, cancel := context.WithTimeout(ctx, readyFor)
	defer cancel()
	address := ""
	if g.sess != nil {
		address = g.sess.url
	}
	if address == "" {
		bot, err := a.gatewayBot(ctx)
		if err != nil {
			return err
		}
		if g.sess == nil && bot.Limit.Total > 0 && bot.Limit.Remaining <= spareSessions {
			return fmt.Errorf("discord: open the connection: all %d sessions of today are used up: %w", bot.Limit.Total,
				&adapter.RateLimitError{RetryAfter: time.Duration(bot.Limit.ResetAfter) * time.Millisecond})
		}
		address = bot.URL
	}
	dialer := a.cfg.Dialer
	if dialer == nil {
		dialer = &websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: 20 * time.Second}
	}
	conn, resp, err := dialer.DialContext(ctx, strings.TrimSuffix(address, "/")+"/?v=9&encoding=json", http.Header{"User-Agent": {a.rest.UserAgent}})
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		if g.sess != nil { // perhaps only that address is away
			g.sess.url = ""
		}
		return fmt.Errorf("discord: open the connection: %w", err)
	}
	conn.SetReadLimit(maxFrame)
	conn.SetCloseHandler(func(int, string) error { return nil }) // what it was is in the error of reading
	g.conn = conn
	return nil
}

// read gives the frames that come until the connection ends.
func (g *gateway) read(frames chan<- []byte, done <-chan struct{}) error {
	for {
		kind, raw, err := g.conn.ReadMessage()
		if err != nil {
			return err
		}
		if kind != websocket.TextMessage { // no compression was asked for
			return errors.New("discord: a frame is not text")
		}
		select {
		case frames <- raw:
		case <-done:
			return nil
		}
	}
}

// goodbye tells Discord why the connection is closed; whether it arrives does not matter.
func (g *gateway) goodbye(code int) {
	_ = g.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
}

// ended says what the end of a connection means (https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes).
func (g *gateway) ended(err error) error {
	var closed *websocket.CloseError
	if !errors.As(err, &closed) {
		return fmt.Errorf("discord: the connection was lost: %w", err)
	}
	say := func(kind error, cure string) error {
		return &fatalError{fmt.Errorf("discord: the gateway closed the connection (%d %s): %w: %s", closed.Code, closed.Text, kind, cure)}
	}
	switch closed.Code {
	case 4004:
		return say(adapter.ErrAuth, "Config.Token is wrong or was reset: copy the new one from the application's page Bot")
	case 4010, 4011:
		return say(adapter.ErrForbidden, "the bot is in too many servers for one connection, and this adapter does not shard: leave some, or use another token for the others")
	case 4012:
		return say(adapter.ErrForbidden, "Discord no longer takes version 9 of the gateway: update this library")
	case 4013:
		return say(adapter.ErrForbidden, "Config.Intents holds a bit that is no intent: use discord.DefaultIntents")
	case 4014:
		return say(adapter.ErrForbidden, "an intent of Config.Intents is not turned on: turn on Server Members Intent and Message Content Intent on the application's page Bot, Privileged Gateway Intents, or leave them out of Config.Intents")
	case 4003, 4005, 4007, 4009:
		g.sess = nil
	}
	return fmt.Errorf("discord: the gateway closed the connection (%d %s)", closed.Code, closed.Text)
}

// send writes a frame.
func (g *gateway) send(op int, data any) error {
	_ = g.conn.SetWriteDeadline(time.Now().Add(writeFor))
	if err := g.conn.WriteJSON(map[string]any{"op": op, "d": data}); err != nil {
		return fmt.Errorf("discord: write to the gateway: %w", err)
	}
	return nil
}

func (g *gateway) heartbeat() error {
	g.beat = g.a.now()
	if g.sess != nil && g.sess.seq > 0 {
		return g.send(opHeartbeat, g.sess.seq)
	}
	return g.send(opHeartbeat, nil)
}

// take does what a frame wants. An error ends the connection; every is the interval of the heartbeats, once it is known.
func (g *gateway) take(ctx context.Context, raw []byte) (every time.Duration, err error) {
	var f frame
	if json.Unmarshal(raw, &f) != nil {
		g.a.odd(malformed, "frame")
		return 0, nil
	}
	switch f.Op {
	case opHello:
		var hello struct {
			Interval int64 `json:"heartbeat_interval"`
		}
		if json.Unmarshal(f.Data, &hello) != nil || hello.Interval < 100 || hello.Interval > 3_600_000 {
			return 0, errors.New("discord: open the connection: the hello names no interval")
		}
		return time.Duration(hello.Interval) * time.Millisecond, g.begin()
	case opHeartbeat:
		return 0, g.heartbeat()
	case opAck:
		g.acked = true
		beat := g.beat
		g.a.alive.Store(&beat)
	case opReconnect:
		g.worked = g.worked || !g.readyAt.IsZero()
		return 0, errReconnect
	case opInvalid:
		var resumable bool
		if json.Unmarshal(f.Data, &resumable) != nil || !resumable {
			g.sess = nil
		}
		return 0, errInvalid
	case opDispatch:
		g.dispatch(ctx, &f)
	default:
		g.a.odd(unknown, fmt.Sprintf("frame/%d", f.Op))
	}
	return 0, nil
}

// begin resumes the session, or begins one.
func (g *gateway) begin() error {
	token := g.a.cfg.Token
	if g.sess != nil {
		return g.send(opResume, map[string]any{"token": token, "session_id": g.sess.id, "seq": g.sess.seq})
	}
	g.identifiedAt = time.Now()
	return g.send(opIdentify, map[string]any{
		"token": token, "intents": g.a.cfg.Intents, "large_threshold": 50,
		"properties": map[string]string{"os": runtime.GOOS, "browser": "starling", "device": "starling"},
	})
}

// dispatch takes an event. It never waits.
func (g *gateway) dispatch(ctx context.Context, f *frame) {
	a := g.a
	if f.Seq != nil && g.sess != nil {
		g.sess.seq = *f.Seq
	}
	switch f.Type {
	case "READY":
		g.ready(ctx, f)
		return
	case "RESUMED":
		g.online()
		a.health.Set(func(h *adapter.Status) { h.Resumed++ })
		a.log.Info("the connection to discord goes on where it ended")
		return
	case "GUILD_CREATE":
		g.server(ctx, f)
		return
	}
	if g.sess == nil {
		return // before READY nothing comes
	}
	g.worked = g.worked || !g.readyAt.IsZero()
	stamp := fmt.Sprintf("%s/%d", g.sess.name, g.sess.seq)
	if f.Type == "INTERACTION_CREATE" {
		a.interact(ctx, g.in, f.Data)
		return
	}
	list, v := a.decoder(stamp).event(f.Type, f.Data)
	if v == unknown {
		topic, known, err := a.learn(f.Type, f.Data)
		switch {
		case err != nil:
			v = malformed
		case topic != nil:
			list, v = []*received{a.decoder(stamp).topic(topic, f.Data)}, deliver
		case known:
			v = ignored
		}
	}
	if v != deliver {
		a.odd(v, f.Type)
		return
	}
	for _, r := range list {
		if f.Type == "MESSAGE_CREATE" {
			g.look(f.Data, r)
		}
		g.in.live(r)
	}
}

// look notices that messages come without their content.
func (g *gateway) look(raw json.RawMessage, r *received) {
	if r.text != "" || len(r.ev.Files) > 0 || r.ev.Self || r.ev.Mentioned {
		return
	}
	var m wireMessage
	if json.Unmarshal(raw, &m) != nil || !m.withheld() {
		return
	}
	if g.a.empty.Add(1) == 1 {
		g.a.log.Error("a message came without its content: turn on the Message Content Intent on the application's page Bot, and have it in Config.Intents")
	}
}

// ready begins a new session (https://discord.com/developers/docs/events/gateway-events#ready).
func (g *gateway) ready(ctx context.Context, f *frame) {
	a := g.a
	var r struct {
		SessionID string      `json:"session_id"`
		ResumeURL string      `json:"resume_gateway_url"`
		User      wireUser    `json:"user"`
		Guilds    []wireGuild `json:"guilds"`
	}
	if json.Unmarshal(f.Data, &r) != nil || r.SessionID == "" {
		a.odd(malformed, "READY")
		return
	}
	g.sess = &session{id: r.SessionID, url: r.ResumeURL, name: strings.TrimSuffix(stampOf(r.SessionID, 0), "/0")}
	if f.Seq != nil {
		g.sess.seq = *f.Seq
	}
	if me := a.me.Load(); me != nil && r.User.ID == me.user { // the name may have changed
		c := *me
		c.name = r.User.name()
		a.me.Store(&c)
	}
	a.guilds.expect(r.Guilds)
	g.gap = a.newSession(ctx, g.in, g.lost, len(r.Guilds))
	if len(r.Guilds) == 0 {
		a.fillServer(ctx, g.in, g.gap, &wireGuild{}, true)
	}
	g.online()
	a.log.Info("connected to discord", "servers", len(r.Guilds))
}

func (g *gateway) online() {
	g.readyAt = time.Now()
	g.a.health.Set(func(h *adapter.Status) { h.Connected, h.Since, h.LastError = true, time.Now(), "" })
}

// server takes one of the servers that READY named, one that is available again, or a new one.
func (g *gateway) server(ctx context.Context, f *frame) {
	a := g.a
	var s wireGuild
	if json.Unmarshal(f.Data, &s) != nil || !isID(s.ID) {
		a.odd(malformed, f.Type)
		return
	}
	if s.Unavailable {
		return
	}
	for _, list := range [][]wireChannel{s.Channels, s.Threads} {
		for i := range list {
			list[i].GuildID = s.ID // left out there
			a.channels.Put(list[i].ID, channelOf(&list[i]))
		}
	}
	a.index.Forget("rooms")
	me := ""
	if id := a.me.Load(); id != nil {
		me = id.user
	}
	if missed := a.guilds.add(&s, me); missed && g.gap != nil {
		g.gap.left--
		a.fillServer(ctx, g.in, g.gap, &s, g.gap.left == 0)
	}
}

// interact takes an interaction, which Discord waits for.
func (a *Adapter) interact(ctx context.Context, in *intake, raw json.RawMessage) *answer {
	r, w, v, kind := a.decoder("").interaction(raw, a.commands.Load())
	switch {
	case w.Type == interactionAutocomplete && v == unknown:
		return a.complement(ctx, in, w)
	case v != deliver:
		a.odd(v, kind)
		return nil
	}
	if known, ok := a.answers.add(r.answer); !ok { // a repetition
		return known
	}
	taken := make(chan error, 1)
	in.offer(r, func(err error) { taken <- err })
	answer := r.answer
	in.lanes.Go(func() { a.attend(ctx, answer, taken) })
	return answer
}
