package inbound_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/inbound"
	"github.com/starlingbot/starling/internal/replay"
)

func TestPost(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodHead, "post"} {
		w := httptest.NewRecorder()
		require.False(t, inbound.Post(w, httptest.NewRequest(method, "/", nil)), method)
		require.Equal(t, http.StatusMethodNotAllowed, w.Code, method)
		require.Equal(t, http.MethodPost, w.Header().Get("Allow"))
	}
	w := httptest.NewRecorder()
	require.True(t, inbound.Post(w, httptest.NewRequest(http.MethodPost, "/", nil)))
	require.False(t, w.Flushed || w.Body.Len() > 0, "nothing is answered yet")
}

func TestBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		body io.Reader
		code int
		size int
	}{
		{"empty", http.NoBody, 0, 0},
		{"small", strings.NewReader("body"), 0, 4},
		{"at the bound", strings.NewReader(strings.Repeat("x", 1<<20)), 0, 1 << 20},
		{"over it", strings.NewReader(strings.Repeat("x", 1<<20+1)), http.StatusRequestEntityTooLarge, 0},
		{"broken", io.MultiReader(strings.NewReader("bo"), iotest.ErrReader(errors.New("cut"))), http.StatusBadRequest, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			body, ok := inbound.Body(w, httptest.NewRequest(http.MethodPost, "/", c.body))
			require.Equal(t, c.code == 0, ok)
			require.Len(t, body, c.size)
			if c.code != 0 {
				require.Equal(t, c.code, w.Code)
				require.NotContains(t, w.Body.String(), "cut", "it does not say why")
			} else {
				require.Zero(t, w.Body.Len(), "nothing is answered yet")
			}
		})
	}
}

func TestUnauthorized(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	inbound.Unauthorized(w)
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Equal(t, "unauthorized\n", w.Body.String())
	require.Equal(t, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, w.Header())
}

func TestFirst(t *testing.T) {
	t.Parallel()
	known, log := replay.New(), slog.New(slog.DiscardHandler)
	w := httptest.NewRecorder()
	require.True(t, inbound.First(w, log, known, replay.Key{1}))
	require.False(t, w.Flushed || w.Body.Len() > 0, "nothing is answered yet")
	require.False(t, inbound.First(w, log, known, replay.Key{1}))
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Equal(t, "unauthorized\n", w.Body.String(), "as for what is not the platform's")
}
