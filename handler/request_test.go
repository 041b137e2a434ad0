package handler_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/canary"
)

func TestNewRequest(t *testing.T) {
	ev := message("hi")
	r := handler.NewRequest(ev, &recorder{})
	require.Same(t, ev, r.Event)
	require.Equal(t, "hi", r.Text)
	require.Equal(t, "E1", r.Delivery)
	require.Equal(t, 1, r.Attempt)
	r.Log().Info("goes nowhere")
}

func TestRequestLog(t *testing.T) {
	var out bytes.Buffer
	rt := handler.NewRouter()
	rt.Command("ping", "Ping.", func(_ context.Context, r *handler.Request) error {
		r.Logger = slog.New(slog.NewJSONHandler(canary.Also(canary.Logs, &out), nil))
		r.Log().Info("m", "more", 1)
		return nil
	})
	require.NoError(t, dispatch(build(t, rt), &recorder{}, message("starling ping")))
	var got map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	delete(got, "time")
	require.Equal(t, map[string]any{"level": "INFO", "msg": "m", "id": handler.CorrelationID("E1"), "route": "ping", "room": "test/C1", "user": "test//U1", "more": 1.0}, got)
}

func TestRest(t *testing.T) {
	rt := handler.NewRouter()
	rt.Command("a b", "A.", nothing)
	rt.Respond(`x`, nothing)
	tb := build(t, rt)
	rest := func(id, text string) string {
		r := handler.NewRequest(message(text), &recorder{})
		r.Route = tb.Route(id)
		return r.Rest()
	}
	require.Equal(t, "c  d", rest("a-b", " A\t b  c  d "))
	require.Equal(t, "", rest("a-b", "a b"))
	require.Equal(t, "", rest("a-b", ""))
	require.Equal(t, " x y ", rest("respond-x", " x y "))
}
