package starling_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
)

// hooked is an adapter that takes callbacks and tells its health.
type hooked struct {
	named
	connected bool
}

func (h *hooked) Run(ctx context.Context, _ adapter.Sink) error { <-ctx.Done(); return nil }

func (h *hooked) HTTPHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, "callback ", r.URL.Path) })
}

func (h *hooked) Health() adapter.Health { return adapter.Health{Connected: h.connected} }

func TestServer(t *testing.T) {
	h := &hooked{named: named{name: "hooks"}, connected: true}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "mine") })
	r := newRig(memory.New())
	s := play(t, starling.Config{HTTP: ":0", Mux: mux, Adapters: []adapter.Adapter{h}, Brain: brain.New(r)}, func(rt *handler.Router) { rt.Hear("x", ok) })
	addr := s.bot.HTTPAddr()
	require.True(t, addr.(*net.TCPAddr).IP.IsLoopback(), "no host means loopback: %v", addr)
	get := func(method, path string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+addr.String()+path, nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(body)
	}
	code, body := get("GET", "/adapters/hooks/events")
	require.Equal(t, 200, code)
	require.Equal(t, "callback /events", body)
	code, body = get("POST", "/hello")
	require.Equal(t, 200, code)
	require.Equal(t, "mine", body)
	code, _ = get("GET", "/nothing")
	require.Equal(t, 404, code)
	code, _ = get("POST", "/healthz")
	require.NotEqual(t, 200, code)
	require.Eventually(t, func() bool { code, _ = get("GET", "/readyz"); return code == 200 }, 5*time.Second, time.Millisecond)

	r.mu.Lock()
	r.fail = func([]brain.Op) error { return brain.ErrClosed }
	r.mu.Unlock()
	require.Error(t, s.say("alice", "C1", "x"))
	code, body = get("GET", "/readyz")
	require.Equal(t, 503, code)
	var health starling.Health
	require.NoError(t, json.Unmarshal([]byte(body), &health))
	require.Equal(t, "failing", health.Store)
	require.True(t, health.Running)
	code, _ = get("GET", "/healthz")
	require.Equal(t, 200, code, "a bot without its store lives: restarting it would not help")
	r.mu.Lock()
	r.fail = nil
	r.mu.Unlock()
	require.NoError(t, s.say("alice", "C1", "x"))
	code, _ = get("GET", "/readyz")
	require.Equal(t, 200, code)

	require.NoError(t, s.stop())
	http.DefaultClient.CloseIdleConnections()
	_, err := net.DialTimeout("tcp", addr.String(), time.Second)
	require.Error(t, err)
	w := httptest.NewRecorder()
	s.bot.ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
	require.Equal(t, 503, w.Code)
}

func TestNotReadyWhileAnAdapterIsAway(t *testing.T) {
	h := &hooked{named: named{name: "hooks"}}
	s := play(t, starling.Config{Adapters: []adapter.Adapter{h}}, func(rt *handler.Router) { rt.Hear("x", ok) })
	require.Eventually(t, func() bool {
		w := httptest.NewRecorder()
		s.bot.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		return w.Code == 503 && strings.Contains(w.Body.String(), `"hooks":{"state":"running","connected":false}`)
	}, 5*time.Second, time.Millisecond)
}

// S27: a port in use ends the bot with an error that says what to do.
func TestS27PortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	rt := handler.NewRouter()
	rt.Hear("x", ok)
	bot, err := starling.New(starling.Config{Adapters: []adapter.Adapter{newNull()}, Router: rt, HTTP: l.Addr().String()})
	require.NoError(t, err)
	err = bot.Run(context.Background())
	require.ErrorContains(t, err, "choose another port")
	_, err = starling.New(starling.Config{Adapters: []adapter.Adapter{newNull()}, Router: rt, HTTP: "8080"})
	require.ErrorContains(t, err, "host:port")
}

// ExampleBot_Send turns a POST into something that the bot says.
func ExampleBot_Send() {
	room := newNull()
	rt := handler.NewRouter()
	rt.Command("ping", "Say PONG.", ok)
	var bot *starling.Bot
	mux := http.NewServeMux()
	mux.HandleFunc("POST /say", func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4096))
		if err != nil {
			http.Error(w, "too long", http.StatusRequestEntityTooLarge)
			return
		}
		_, err = bot.Send(r.Context(), &adapter.Message{
			To: adapter.Address{Adapter: "null", Room: "ops"}, Text: adapter.Format("The build says: %s", string(text)),
			Key: r.Header.Get("Idempotency-Key"),
		})
		if err != nil {
			http.Error(w, "not sent", http.StatusBadGateway)
		}
	})
	bot, err := starling.New(starling.Config{Adapters: []adapter.Adapter{room}, Router: rt, Mux: mux})
	if err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	bot.ServeHTTP(w, httptest.NewRequest("POST", "/say", strings.NewReader("all green")))
	fmt.Println(w.Code, room.sent.Load(), "message sent")
	// Output: 200 1 message sent
}

// checked is an adapter that tests its settings.
type checked struct{ named }

func (checked) Check(context.Context) error {
	return errors.Join(fmt.Errorf("the bot token is revoked: make a new one: %w", adapter.ErrAuth), errors.New("the clock is off"))
}

func TestCheck(t *testing.T) {
	r := newRig(memory.New())
	rt := handler.NewRouter()
	rt.Hear("x", ok)
	bot, err := starling.New(starling.Config{Adapters: []adapter.Adapter{newNull(), checked{named{name: "chat"}}}, Router: rt, Brain: brain.New(r)})
	require.NoError(t, err)
	checks := bot.Check(context.Background())
	require.Len(t, checks, 4)
	require.Equal(t, []starling.Check{{Name: "brain"}, {Name: "null"}}, checks[:2])
	require.Equal(t, "chat", checks[2].Name)
	require.ErrorIs(t, checks[2].Err, adapter.ErrAuth)
	require.ErrorContains(t, checks[3].Err, "the clock")
	r.fail = func([]brain.Op) error { return brain.ErrClosed }
	require.ErrorIs(t, bot.Check(context.Background())[0].Err, brain.ErrClosed)
}
