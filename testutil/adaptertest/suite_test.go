package adaptertest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

func good(w *world) adapter.Adapter { return &reference{w: w} }

// plain is a good adapter with no verb at all, for a platform of text alone.
func plain(w *world) adapter.Adapter {
	r := &reference{w: w, plain: true}
	return textOnly{r, r}
}

type textOnly struct {
	adapter.Adapter
	adapter.Renderer
}

// TestReference runs the suite the way an adapter's author does. An adapter that claims all is skipped for nothing but
// what it claims.
func TestReference(t *testing.T) { Run(t, inWorld(good)) }

func TestReferenceClaimsAll(t *testing.T) {
	results, err := Check(t, inWorld(good))
	require.NoError(t, err)
	for _, r := range results {
		if r.Status != OK {
			require.Equal(t, Skipped, r.Status, "%s: %v", r.Case.Name, r.Err)
			require.Contains(t, r.Case.Name, "unclaimed/")
		}
	}
}

func TestTextOnly(t *testing.T) {
	results, err := Check(t, inWorld(plain))
	require.NoError(t, err)
	skipped := 0
	for _, r := range results {
		switch {
		case r.Status == Skipped:
			skipped++
			require.NotEmpty(t, r.Reason)
		case strings.HasPrefix(r.Case.Name, "unclaimed/"):
			require.Equal(t, OK, r.Status, "%s: %v", r.Case.Name, r.Err)
		}
		require.NoError(t, r.Err, r.Case.Name)
	}
	require.Greater(t, skipped, 15, Table(results))
}

// TestRealTime runs suites side by side, without bubbles.
func TestRealTime(t *testing.T) {
	for range 6 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			results, err := Check(t, func(t testing.TB) Harness {
				h := inWorld(good)(t)
				h.Bubble, h.Settle = false, 3*time.Millisecond
				return h
			})
			require.NoError(t, err)
			for _, r := range results {
				require.NoError(t, r.Err, r.Case.Name)
			}
		})
	}
}

// TestFarSideIsOptional leaves out all that a harness may lack.
func TestFarSideIsOptional(t *testing.T) {
	results, err := Check(t, func(t testing.TB) Harness {
		full := inWorld(good)(t)
		return Harness{Open: full.Open, Users: full.Users, Rooms: full.Rooms[:1], Say: full.Say, Posts: full.Posts, Bubble: true, Missing: full.Missing}
	})
	require.NoError(t, err)
	table := Table(results)
	for _, want := range []string{
		"ack/after                skip the harness has no Unacknowledged",
		"ack/error                skip the harness has neither Unacknowledged nor Redeliver",
		"drop/send                skip the harness has no Drop",
		"event/rooms              skip the harness has one room",
		`fault/lost               skip the harness has no fault "lost"`,
		"unclaimed/files          skip the adapter claims Features.Files",
		"edit/works               ok ",
	} {
		require.Contains(t, table, want)
	}
	require.Contains(t, table, " 0 failed, ")
}

func TestSkipIsVisible(t *testing.T) {
	const name = "text/unicode"
	results, err := Check(t, func(t testing.TB) Harness {
		h := inWorld(good)(t)
		h.Skip = map[string]string{name: "it speaks ASCII"}
		return h
	}, name)
	require.NoError(t, err)
	require.Len(t, results, 1)
	require.Equal(t, "Harness.Skip: it speaks ASCII", results[0].Reason)
}

func TestHarnessThatCannot(t *testing.T) {
	results, err := Check(t, func(t testing.TB) Harness {
		h := inWorld(good)(t)
		h.Direct = func(string, string) error { return errors.ErrUnsupported }
		h.Own = func(string, string) error { return errors.New("no such account") }
		return h
	}, "room/direct", "own/elsewhere")
	require.NoError(t, err)
	require.Equal(t, Skipped, results[0].Status)
	require.Contains(t, results[0].Reason, "Harness.Direct")
	require.ErrorContains(t, results[1].Err, "Harness.Own: no such account")
}

func TestHarnessIsChecked(t *testing.T) {
	full := inWorld(good)(t)
	for want, h := range map[string]Harness{
		"needs Open, Say and Posts": {Users: full.Users, Rooms: full.Rooms},
		"needs two users":           {Open: full.Open, Say: full.Say, Posts: full.Posts, Users: []string{"U1", "U1"}, Rooms: full.Rooms},
		"which does not exist":      {Open: full.Open, Say: full.Say, Posts: full.Posts, Users: full.Users, Rooms: full.Rooms, Skip: map[string]string{"no/case": ""}},
		"look at the adapter: Harness.Open: no adapter": {
			Open: func() (adapter.Adapter, error) { return nil, nil }, Say: full.Say, Posts: full.Posts, Users: full.Users, Rooms: full.Rooms,
		},
	} {
		_, err := Check(t, func(testing.TB) Harness { return h })
		require.ErrorContains(t, err, want)
	}
	_, err := Check(t, inWorld(good), "no/case")
	require.ErrorContains(t, err, `no case "no/case"`)
}

// TestPanicIsAnError keeps the suite alive.
func TestPanicIsAnError(t *testing.T) {
	results, err := Check(t, inWorld(func(w *world) adapter.Adapter {
		b := bend(w)
		b.send = func(context.Context, *adapter.Message) (adapter.Ref, error) { panic("oh") }
		b.run = func(context.Context, adapter.Sink) error { panic("no") }
		return b
	}), "send/once", "send/concurrent", "send/anytime", "run/ends")
	require.NoError(t, err)
	for _, r := range results {
		require.ErrorContains(t, r.Err, "panic: ", r.Case.Name)
	}
}
