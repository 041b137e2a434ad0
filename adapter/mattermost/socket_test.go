package mattermost_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter/mattermost"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

// spaced wants at least a second between two dials.
func spaced(t *testing.T, f *fake.Server) {
	t.Helper()
	least := time.Hour
	dials := f.Dials()
	for i := 1; i < len(dials); i++ {
		least = min(least, dials[i].Sub(dials[i-1]))
	}
	t.Logf("%d dials, the closest %v apart", len(dials), least)
	require.GreaterOrEqual(t, least, time.Second)
}

// TestResume: a connection that is cut goes on where it ended, with what was missed and without a look into the histories.
func TestResume(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.Sink)
		var want []string
		say := func(n int) {
			for range n {
				text := fmt.Sprint("line ", len(want))
				_, err := f.Say(alice, ops, text)
				require.NoError(t, err)
				want = append(want, text)
			}
		}
		say(3)
		wait(time.Minute)
		for _, missed := range []int{0, 1, 3, 100, 200} {
			f.SetDown(true)
			f.Cut()
			say(missed)
			wait(3 * time.Second)
			f.SetDown(false)
			require.NoError(t, f.Await(t.Context(), f.Connected))
			wait(time.Second)
			require.True(t, a.Status().Connected)
			say(1)
			wait(time.Minute)
		}
		require.Equal(t, want, e.Texts(), "each once, in order")
		for _, ev := range e.Heard() {
			require.False(t, ev.Backfilled)
		}
		require.Equal(t, 5, a.Status().Resumed)
		require.Zero(t, f.Calls("GET /channels/{}/posts"))
		require.Empty(t, a.Status().Gaps)
		spaced(t, f)
	})
}

// TestFrameLost: what the server wrote and the network swallowed comes again, since the sequence number asks for it.
func TestFrameLost(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.Sink)
		_, err := f.Say(alice, ops, "one")
		require.NoError(t, err)
		e.Last(t, 0)
		f.Swallow(2)
		for _, text := range []string{"two", "three"} {
			_, err = f.Say(alice, ops, text)
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Len(t, e.Heard(), 1)
		f.Cut()
		wait(10 * time.Second)
		require.Equal(t, []string{"one", "two", "three"}, e.Texts())
		require.Equal(t, 1, a.Status().Resumed)
	})
}

// TestReconnects: at most one dial a second, whatever the server does, and it goes on in the end.
func TestReconnects(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.Sink)
		for range 10 {
			f.Cut()
			require.NoError(t, f.Await(t.Context(), f.Connected))
		}
		wait(time.Minute)
		f.Mute(3) // connections that never say hello
		f.Cut()
		require.NoError(t, f.Await(t.Context(), f.Connected))
		f.SetDown(true)
		f.Cut()
		wait(10 * time.Minute)
		require.False(t, a.Status().Connected)
		f.SetDown(false)
		begun := time.Now()
		require.NoError(t, f.Await(t.Context(), f.Connected))
		require.LessOrEqual(t, time.Since(begun), 40*time.Second)
		for range 5 {
			f.Fail(fake.Fault{Route: "GET /websocket", Kind: fake.FaultLost})
		}
		f.Cut()
		require.NoError(t, f.Await(t.Context(), f.Connected))
		spaced(t, f)
		require.Positive(t, a.Status().Reconnects)
		n := len(e.Heard())
		_, err := f.Say(alice, ops, "still there?")
		require.NoError(t, err)
		require.Equal(t, "still there?", e.Last(t, n).Text)
	})
}

// TestHungServer: a connection that stays open and says nothing is noticed by our own pings, long before the 100 s of the server.
func TestHungServer(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.Sink)
		wait(10 * time.Minute)
		require.Zero(t, a.Status().Reconnects, "a quiet connection is a good one")
		f.Hang(true)
		begun := time.Now()
		for a.Status().Connected {
			wait(time.Second)
		}
		t.Logf("noticed after %v", time.Since(begun))
		require.LessOrEqual(t, time.Since(begun), 60*time.Second)
		f.Hang(false)
		f.Cut()
		wait(time.Minute)
		_, err := f.Say(alice, ops, "there you are")
		require.NoError(t, err)
		require.Equal(t, "there you are", e.Last(t, 0).Text)
	})
}

// TestDialPace: however often the connection is cut, no two attempts are in one second.
func TestDialPace(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		start(t, f, configFor(f), e.Sink)
		for i := range 100 {
			require.NoError(t, f.Await(t.Context(), f.Connected))
			_, err := f.Say(alice, ops, fmt.Sprint("event ", i))
			require.NoError(t, err)
			synctest.Wait() // a connection on which something came is a good one: there is no longer pause
			f.Cut()
			synctest.Wait()
		}
		wait(time.Minute)
		dials := f.Dials()
		require.Len(t, dials, 101)
		for i := range dials[1:] {
			require.GreaterOrEqual(t, dials[i+1].Sub(dials[i]), time.Second)
		}
		require.Len(t, e.Texts(), 100)
	})
}

// TestRedirect: the token goes to the server that Config names and to no other, and no request becomes another one.
func TestRedirect(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"https://elsewhere.example/api/v4/users/me", "https://chat.example.com/other", "/other"} {
		var asked []string
		client := &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.URL.String())
			return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {to}}, Body: http.NoBody, Request: r}, nil
		})}
		a, err := mattermost.New(mattermost.Config{URL: "https://chat.example.com", Token: "cnrymark-t", HTTPClient: client, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		require.Error(t, a.Check(t.Context()))
		require.NotEmpty(t, asked)
		for _, u := range asked {
			require.True(t, strings.HasPrefix(u, "https://chat.example.com/api/v4/"), u)
		}
		require.NoError(t, a.Close())
	}
}

type tripper func(r *http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestSequence: an event whose number says that others are missing makes the history be read; one that comes again is not used.
func TestSequence(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.Sink)
		_, err := f.Say(alice, ops, "one")
		require.NoError(t, err)
		wait(time.Minute)
		f.Drop(1) // it is in the history and on no websocket
		_, err = f.Say(alice, ops, "two, lost")
		require.NoError(t, err)
		_, err = f.Say(alice, ops, "three")
		require.NoError(t, err)
		wait(time.Minute)
		require.ElementsMatch(t, []string{"one", "two, lost", "three"}, e.Texts())
		for _, ev := range e.Heard() {
			require.Equal(t, ev.Text == "two, lost", ev.Backfilled)
		}
		require.Len(t, a.Status().Gaps, 1)
		n := len(e.Heard())
		for range 3 {
			f.Duplicate()
		}
		wait(time.Minute)
		require.Len(t, e.Heard(), n)
	})
}
