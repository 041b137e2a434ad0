package slack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/internal/slackfake"
)

// overHTTP is a configuration for HTTP mode alone.
func overHTTP(f *slackfake.Server) slack.Config {
	cfg := configFor(f)
	cfg.AppToken = ""
	cfg.SigningSecrets = []string{slackfake.SigningSecret, "cnrymark-old-secret"}
	return cfg
}

func serve(a *slack.Adapter, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.HTTPHandler().ServeHTTP(w, r)
	return w
}

// TestHTTPMode: events, commands and clicks over HTTP alone; what the sink did not take comes again.
func TestHTTPMode(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		a := start(t, f, overHTTP(f), e.Sink)
		synctest.Wait()
		f.Webhook(a.HTTPHandler())
		_, err := f.SayRaw("U1", "C1", "", "<@U0BOT> hello")
		require.NoError(t, err)
		ev := e.Last(t, 0) // the mention of it too: one event
		require.Equal(t, "@starling hello", ev.Text)
		require.True(t, ev.Mentioned)
		require.NoError(t, f.Invoke("U1", "C1", "deploy", "api & db"))
		require.Equal(t, "api & db", e.Last(t, 1).Invocation.Text)
		ref, err := a.Send(t.Context(), &adapter.Message{To: to("C1"), Text: "Deploy?", Buttons: []adapter.Button{{Label: "Yes", Command: "deploy <x> & %"}}})
		require.NoError(t, err)
		require.NoError(t, f.Press("U2", "C1", ref.ID, "Yes"))
		require.Equal(t, "deploy <x> & %", e.Last(t, 2).Click.Command)
		require.Zero(t, f.Unacknowledged())

		fails := 2
		e.Set(func(_ context.Context, ev *adapter.Event) error {
			if fails--; fails >= 0 {
				return errors.New("the store is away")
			}
			return nil
		})
		_, err = f.Say("U1", "C1", "again")
		require.NoError(t, err)
		wait(2 * time.Minute)
		require.Equal(t, []string{"again", "again", "again"}, e.Texts()[3:])
		require.Empty(t, f.Lost())

		e.Set(func(ctx context.Context, _ *adapter.Event) error { // slower than Slack waits
			select {
			case <-time.After(4 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		n := len(e.Heard())
		_, err = f.Say("U1", "C1", "slow")
		require.NoError(t, err)
		wait(2 * time.Minute)
		require.Len(t, e.Heard(), n+1, "delivered again while the sink had it: handed over once")
		require.Zero(t, f.Unacknowledged())
	})
}

// TestHTTPRefuses is T5 to T8 at the handler.
func TestHTTPRefuses(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		payload := map[string]any{"type": "event_callback", "event_id": "Ev1", "event": map[string]any{
			"type": "message", "user": "U1", "text": "hello", "ts": "1700000000.000100", "channel": "C1", "channel_type": "channel"}}
		e := new(ear)
		cfg := overHTTP(f)
		early, err := slack.New(cfg)
		require.NoError(t, err)
		w := serve(early, slackfake.Request("events_api", payload, slackfake.SigningSecret, time.Now()))
		require.Equal(t, http.StatusServiceUnavailable, w.Code, "before Run: slack keeps it")
		require.NoError(t, early.Close())
		a := start(t, f, cfg, e.Sink)
		synctest.Wait()

		refused := func(what string, r *http.Request) {
			t.Helper()
			w := serve(a, r)
			require.Equal(t, http.StatusUnauthorized, w.Code, what)
			require.Equal(t, "unauthorized\n", w.Body.String(), what)
			require.Len(t, w.Header(), 1, what)
		}
		now := time.Now()
		for _, c := range []struct {
			what string
			at   time.Time
			ok   bool
		}{
			{"now", now, true}, {"5 min old", now.Add(-5 * time.Minute), true}, {"5 min ahead", now.Add(5 * time.Minute), true},
			{"too old", now.Add(-5*time.Minute - time.Second), false}, {"too far ahead", now.Add(5*time.Minute + time.Second), false},
			{"the beginning", time.Unix(-1<<62, 0), false}, {"the end", time.Unix(1<<62, 0), false},
		} {
			r := slackfake.Request("events_api", payload, slackfake.SigningSecret, c.at)
			if c.ok {
				require.Equal(t, http.StatusOK, serve(a, r).Code, c.what)
			} else {
				refused(c.what, r)
			}
		}
		again := slackfake.Request("events_api", payload, slackfake.SigningSecret, now)
		refused("a replay", again)
		require.Equal(t, http.StatusOK, serve(a, slackfake.Request("events_api", payload, "cnrymark-old-secret", now)).Code, "the secret before")
		refused("another secret", slackfake.Request("events_api", payload, "wrong", now))
		refused("no secret", slackfake.Request("events_api", payload, "", now))
		bare := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
		refused("no headers", bare)
		for _, stamp := range []string{"", "x", "9223372036854775807", "-9223372036854775808", "99999999999999999999", " 1", "1e9"} {
			r := slackfake.Request("events_api", payload, slackfake.SigningSecret, now)
			r.Header.Set("X-Slack-Request-Timestamp", stamp)
			refused("stamp "+stamp, r)
		}
		twice := slackfake.Request("events_api", payload, slackfake.SigningSecret, now.Add(time.Second))
		twice.Header.Add("X-Slack-Signature", "v0=00")
		refused("two signatures", twice)

		require.Equal(t, http.StatusMethodNotAllowed, serve(a, httptest.NewRequest(http.MethodGet, "/", nil)).Code)
		large := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(make([]byte, 1<<20+1)))
		require.Equal(t, http.StatusRequestEntityTooLarge, serve(a, large).Code)
		full := slackfake.Request("events_api", map[string]any{"type": "x", "pad": strings.Repeat("z", 1<<20-30)}, slackfake.SigningSecret, now)
		require.Equal(t, http.StatusOK, serve(a, full).Code, "just under the bound")

		challenge := map[string]any{"type": "url_verification", "challenge": "3eZbrw1aB"}
		w = serve(a, slackfake.Request("events_api", challenge, slackfake.SigningSecret, now))
		require.Equal(t, "3eZbrw1aB", w.Body.String())
		refused("an unsigned challenge", slackfake.Request("events_api", challenge, "wrong", now))
		require.Equal(t, http.StatusOK, serve(a, slackfake.Request("slash_commands", map[string]any{"ssl_check": "1"}, slackfake.SigningSecret, now)).Code)
		require.Equal(t, http.StatusOK, serve(a, slackfake.Request("events_api", map[string]any{"type": "event_callback", "event": map[string]any{"type": "from_tomorrow"}}, slackfake.SigningSecret, now)).Code)
		require.Len(t, e.Heard(), 1, "one event, however often it was signed")
	})
}

// TestRejected: what the bot can never take is acknowledged, and is not handed over when slack sends it all the same.
func TestRejected(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		e.Set(func(context.Context, *adapter.Event) error { return fmt.Errorf("too large: %w", adapter.ErrRejected) })
		a := start(t, f, overHTTP(f), e.Sink)
		synctest.Wait()
		payload := map[string]any{"type": "event_callback", "event_id": "Ev1", "event": map[string]any{
			"type": "message", "user": "U1", "text": "hello", "ts": "1700000000.000100", "channel": "C1", "channel_type": "channel"}}
		for i := range 2 {
			r := slackfake.Request("events_api", payload, slackfake.SigningSecret, time.Now().Add(time.Duration(i)*time.Second))
			require.Equal(t, http.StatusOK, serve(a, r).Code)
		}
		require.Len(t, e.Heard(), 1)
	})
}

// TestNoSecretsNoHTTP: without signing secrets nothing gets in.
func TestNoSecretsNoHTTP(t *testing.T) {
	t.Parallel()
	a, err := slack.New(slack.Config{BotToken: "xoxb-cnrymark", AppToken: "xapp-cnrymark", Logger: quiet()})
	require.NoError(t, err)
	for _, secret := range []string{"", slackfake.SigningSecret} {
		require.Equal(t, http.StatusUnauthorized, serve(a, slackfake.Request("events_api", map[string]any{}, secret, time.Now())).Code)
	}
	require.NoError(t, a.Close())
}
