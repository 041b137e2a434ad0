package discord_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/discordfake"
)

// TestHTTP: interactions over HTTP are answered in time, by the same rules as over the gateway, and the request ends when the
// interaction was acknowledged.
func TestHTTP(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		cfg := configFor(f)
		cfg.NoGateway = true
		a := start(t, f, cfg, e.Sink)
		wait(time.Second)
		require.Empty(t, f.Dials())
		require.True(t, a.Health().Connected)
		var mu sync.Mutex
		codes := map[int]int{}
		f.Webhook(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			a.HTTPHandler().ServeHTTP(rec, r)
			mu.Lock()
			defer mu.Unlock()
			codes[rec.Code]++
			if rec.Code == http.StatusAccepted && rec.Body.Len() > 0 {
				codes[-1]++
			}
		}))
		require.NoError(t, f.Invoke(alice, ops, "deploy", "api"))
		ev := e.Last(t, 0)
		require.Equal(t, "deploy", ev.Invocation.Command)
		_, err := a.Send(t.Context(), answerTo(ev, "at once", ""))
		require.NoError(t, err)
		require.NoError(t, f.Invoke(alice, ops, "deploy", "slow"))
		ev = e.Last(t, 1)
		wait(time.Minute)
		_, err = a.Send(t.Context(), answerTo(ev, "later", ""))
		require.NoError(t, err)
		e.Set(func(context.Context, *adapter.Event) error { return errors.New("the store is away") })
		require.NoError(t, f.Invoke(alice, ops, "deploy", "not taken"))
		wait(time.Minute)
		require.NoError(t, f.Completing(alice, ops, []string{"deploy"}, "x", 3, "a"))
		wait(time.Minute)
		e.Set(nil)
		f.Fail(discordfake.Fault{Route: "callback", Kind: discordfake.FaultStatus, Status: 500, Times: 3})
		require.NoError(t, f.Invoke(alice, ops, "deploy", "unlucky"))
		wait(time.Minute)
		mu.Lock()
		require.Equal(t, map[int]int{202: 4, 500: 1}, codes)
		mu.Unlock()
		require.Equal(t, map[string]string{"at once": "", "later": "", "I could not take this in time. If nothing happens, please try again.": alice}, sees(f))
		require.Len(t, f.Unanswered(), 1)
	})
}

// TestHTTPRefuses: what is not signed, stale, repeated, too large or of another method gets nothing but the fixed answer (T5 to
// T7).
func TestHTTPRefuses(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		cfg := configFor(f)
		a := start(t, f, cfg, e.Sink)
		ask := func(r *http.Request) (int, string) {
			w := httptest.NewRecorder()
			a.HTTPHandler().ServeHTTP(w, r)
			return w.Code, w.Body.String()
		}
		ping := map[string]any{"id": "1", "application_id": discordfake.AppID, "type": 1, "token": "x", "version": 1}
		for range 2 {
			code, body := ask(f.Request(ping, time.Now()))
			require.Equal(t, 200, code)
			require.JSONEq(t, `{"type":1}`, body)
		}
		unsigned := f.Request(ping, time.Now())
		unsigned.Header.Del("X-Signature-Ed25519")
		forged := f.Request(ping, time.Now())
		forged.Header.Set("X-Signature-Ed25519", strings.Repeat("0", 128))
		odd := map[string]any{"id": "2", "type": 77, "token": "x"}
		repeated := f.Request(odd, time.Now())
		code, _ := ask(f.Request(odd, time.Now()))
		require.Equal(t, 202, code, "a kind from tomorrow")
		for name, r := range map[string]*http.Request{
			"unsigned": unsigned, "forged": forged, "old": f.Request(ping, time.Now().Add(-301*time.Second)), "of tomorrow": f.Request(ping, time.Now().Add(301*time.Second)), "repeated": repeated,
		} {
			code, body := ask(r)
			require.Equal(t, 401, code, name)
			require.Equal(t, "unauthorized\n", body, name)
		}
		code, _ = ask(httptest.NewRequest(http.MethodGet, "/", nil))
		require.Equal(t, 405, code)
		code, _ = ask(httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", 1<<20+1))))
		require.Equal(t, 413, code)
		code, _ = ask(httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("x"), broken{})))
		require.Equal(t, 400, code)
		noJSON := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("no json"))
		f.Sign(noJSON, []byte("no json"), time.Now())
		code, _ = ask(noJSON)
		require.Equal(t, 400, code)

		without := configFor(f)
		without.PublicKeys = nil
		b := idle(t, without)
		w := httptest.NewRecorder()
		b.HTTPHandler().ServeHTTP(w, f.Request(ping, time.Now()))
		require.Equal(t, 401, w.Code, "without keys nobody gets in")
		c := idle(t, configFor(f))
		w = httptest.NewRecorder()
		c.HTTPHandler().ServeHTTP(w, f.Request(odd, time.Now().Add(time.Second)))
		require.Equal(t, 503, w.Code, "the bot does not run")
		require.Empty(t, e.Heard())
	})
}
