package slack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/internal/slackfake"
)

// TestBackfillGap: what was said while the connection was away for longer than Slack tries comes from the histories, once,
// in order, marked; and what cannot be given back is reported.
func TestBackfillGap(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		wait(time.Minute)
		root, err := f.Say("U1", "C1", "before")
		require.NoError(t, err)
		wait(time.Second)
		_, err = f.SayRaw("U2", "C1", root, "a thread")
		require.NoError(t, err)
		e.Last(t, 1)
		f.SetDown(true)
		f.Cut()
		var want []string
		for i := range 250 { // more than a page
			text := fmt.Sprint("missed ", i)
			_, err := f.Say("U1", "C1", text)
			require.NoError(t, err)
			want = append(want, text)
			wait(time.Second)
		}
		for _, text := range []string{"reply one", "reply two"} {
			_, err = f.SayRaw("U2", "C1", root, text) // the root is older than the gap
			require.NoError(t, err)
		}
		inGap, err := f.Say("U2", "C1", "new root")
		require.NoError(t, err)
		_, err = f.SayRaw("U1", "C1", inGap, "reply below the new root")
		require.NoError(t, err)
		want = append(want, "reply one", "reply two", "new root", "reply below the new root")
		wait(10 * time.Minute)
		require.NotEmpty(t, f.Lost(), "slack has given up")
		f.SetDown(false)
		wait(3 * time.Minute)
		_, err = f.Say("U1", "C1", "after")
		require.NoError(t, err)
		synctest.Wait()
		heard := e.Heard()[2:]
		byThread := map[string][]string{}
		for _, ev := range heard {
			require.Equal(t, ev.Text != "after", ev.Backfilled, ev.Text)
			byThread[ev.Thread] = append(byThread[ev.Thread], ev.Text)
		}
		require.Equal(t, append(want[:250:250], "new root", "after"), byThread[""])
		require.Equal(t, []string{"reply one", "reply two"}, byThread[root])
		require.Equal(t, []string{"reply below the new root"}, byThread[inGap])
		gaps := a.Status().Gaps
		require.Len(t, gaps, 1)
		require.Contains(t, gaps[0].What, "edits, deletions")
		require.Greater(t, gaps[0].To.Sub(gaps[0].From), 10*time.Minute)
		wait(10 * time.Minute)
		require.Len(t, e.Heard()[2:], len(want)+1, "nothing comes twice")
	})
}

// TestShortGap: a refresh or a short cut reads no history; Slack delivers again by itself.
func TestShortGap(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		start(t, f, configFor(f), e.Sink)
		_, err := f.Say("U1", "C1", "before")
		require.NoError(t, err)
		wait(time.Minute)
		f.Cut()
		_, err = f.Say("U1", "C1", "during")
		require.NoError(t, err)
		wait(5 * time.Minute)
		require.Equal(t, []string{"before", "during"}, e.Texts())
		require.Zero(t, f.Calls("conversations.history"))
	})
}

// TestBackfillRestart: positions are stored, and a new process goes on from there.
func TestBackfillRestart(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		kept := &shelf{}
		e := new(ear)
		run := func(test func(a *slack.Adapter)) {
			process(t, f, kept, e.Sink, func(a *slack.Adapter) { wait(time.Second); test(a) })
		}
		_, err := f.Say("U1", "C1", "from before the bot was born")
		require.NoError(t, err)
		wait(10 * time.Minute)
		var root string
		run(func(*slack.Adapter) {
			root, _ = f.Say("U1", "C1", "heard")
			wait(time.Second)
			_, err = f.SayRaw("U2", "C1", root, "heard below")
			require.NoError(t, err)
			wait(time.Minute)
		})
		require.Equal(t, []string{"heard", "heard below"}, e.Texts())
		_, err = f.Say("U1", "C1", "missed")
		require.NoError(t, err)
		_, err = f.Say("U2", "C2", "missed in a quiet room")
		require.NoError(t, err)
		_, err = f.SayRaw("U2", "C1", root, "missed below")
		require.NoError(t, err)
		wait(time.Hour)
		run(func(*slack.Adapter) { wait(time.Minute) })
		require.ElementsMatch(t, []string{"heard", "heard below", "missed", "missed in a quiet room", "missed below"}, e.Texts())
		wait(time.Hour)
		run(func(*slack.Adapter) { wait(time.Minute) })
		require.Len(t, e.Texts(), 5, "nothing comes again")
		_, err = f.Say("U1", "C1", "missed while the store was away")
		require.NoError(t, err)
		wait(time.Hour)
		kept.Fail(errors.New("the store is away"))
		run(func(a *slack.Adapter) {
			wait(30 * time.Second)
			kept.Fail(nil)
			wait(2 * time.Minute)
			require.Equal(t, "missed while the store was away", e.Texts()[5])
			require.Empty(t, a.Status().Gaps)
		})
		kept.Fail(errors.New("the store is away"))
		run(func(a *slack.Adapter) {
			wait(10 * time.Minute)
			require.NotEmpty(t, a.Status().Gaps)
			_, err = f.Say("U1", "C1", "live all the same")
			require.NoError(t, err)
			wait(time.Second)
		})
		require.Equal(t, "live all the same", e.Texts()[6])
		t.Logf("%d writes of positions", kept.Sets())
		require.Less(t, kept.Sets(), 60)
	})
}

// TestNotTaken: what the bot could not take while Slack tried is read from the history afterwards, and nothing behind it is
// believed to be done before.
func TestNotTaken(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		kept := &shelf{}
		cfg := configFor(f)
		cfg.Positions = kept
		e := new(ear)
		taken := map[string]int{}
		failing := true
		var mu sync.Mutex
		e.Set(func(_ context.Context, ev *adapter.Event) error {
			mu.Lock()
			defer mu.Unlock()
			if failing && ev.Text == "hard" {
				return errors.New("the store is away")
			}
			taken[ev.Text]++
			return nil
		})
		start(t, f, cfg, e.Sink)
		wait(time.Second)
		hard, err := f.Say("U1", "C1", "hard")
		require.NoError(t, err)
		wait(time.Second)
		_, err = f.Say("U1", "C1", "easy")
		require.NoError(t, err)
		wait(8 * time.Minute)
		require.Len(t, f.Lost(), 1)
		require.Less(t, kept.Stored()["position/C1"], hard)
		mu.Lock()
		failing = false
		mu.Unlock()
		wait(10 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, map[string]int{"hard": 1, "easy": 1}, taken)
		require.Greater(t, kept.Stored()["position/C1"], hard)
	})
}

// TestBackfillTooMuch: what is over the bound, and what cannot be read, is a gap in the log and in Health.
func TestBackfillTooMuch(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		wait(time.Minute)
		f.SetDown(true)
		f.Cut()
		for i := range 2500 {
			_, err := f.Say("U1", "C1", fmt.Sprint("missed ", i))
			require.NoError(t, err)
		}
		_, err := f.Say("U1", "C2", "unreadable")
		require.NoError(t, err)
		wait(10 * time.Minute)
		f.SetDown(false)
		f.Fail(slackfake.Fault{Method: "conversations.history", Kind: slackfake.FaultLimit, After: 30})
		wait(10 * time.Minute)
		n := len(e.Heard())
		t.Logf("%d of 2501 came back", n)
		require.GreaterOrEqual(t, n, 2000)
		require.Equal(t, "missed 2499", e.Heard()[n-2].Text)
		require.Equal(t, "unreadable", e.Heard()[n-1].Text)
		gaps := a.Status().Gaps
		require.Len(t, gaps, 2)
		require.Equal(t, "C1", gaps[1].Room)
		require.Contains(t, gaps[1].What, "more than 2000")
	})
}

// TestTwoGaps: a second gap while the first is being filled is filled too, and nothing that was said live in between hides it.
func TestTwoGaps(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		kept := &shelf{}
		cfg := configFor(f)
		cfg.Positions = kept
		e := new(ear)
		start(t, f, cfg, e.Sink)
		wait(time.Minute)
		var want []string
		say := func(text string) {
			for _, room := range []string{"C1", "C2"} {
				_, err := f.Say("U1", room, text+" "+room)
				require.NoError(t, err)
				want = append(want, text+" "+room)
			}
			wait(time.Second)
		}
		say("before")
		for gap := range 2 {
			f.SetDown(true)
			f.Cut()
			say(fmt.Sprint("in gap ", gap))
			wait(10 * time.Minute)
			f.Fail(slackfake.Fault{Method: "conversations.history", Kind: slackfake.FaultLimit, After: 25, Times: 3}) // it takes its time
			f.SetDown(false)
			require.NoError(t, f.Await(t.Context(), f.Connected))
			wait(5 * time.Second)
			say(fmt.Sprint("live after gap ", gap))
			wait(20 * time.Second)
		}
		wait(10 * time.Minute)
		require.ElementsMatch(t, want, e.Texts())
	})
}

// TestStoppedWhileFilling: a process that ends while it fills a gap leaves the rest to the next one.
func TestStoppedWhileFilling(t *testing.T) {
	for _, method := range []string{"users.conversations", "conversations.history"} {
		t.Run(method, func(t *testing.T) {
			bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
				kept := &shelf{}
				e := new(ear)
				run := func(test func()) {
					process(t, f, kept, e.Sink, func(*slack.Adapter) { wait(time.Second); test() })
				}
				run(func() { wait(time.Minute) })
				_, err := f.Say("U1", "C1", "missed")
				require.NoError(t, err)
				wait(10 * time.Minute)
				f.Fail(slackfake.Fault{Method: method, Kind: slackfake.FaultLimit, After: 600})
				run(func() {
					_, err := f.Say("U1", "C1", "live")
					require.NoError(t, err)
					wait(time.Minute)
				})
				require.Equal(t, []string{"live"}, e.Texts())
				run(func() { wait(time.Minute) })
				require.Contains(t, e.Texts(), "missed")
			})
		})
	}
}

// TestHistoryEnds: what reads a history back to a time names its end too. Without it Slack may give first what is closest to the
// beginning, so that the newest would be left out where there is much.
func TestHistoryEnds(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		cfg := configFor(f)
		var mu sync.Mutex
		var ends []string // of the requests that name a beginning
		way := cfg.HTTPClient.Transport
		cfg.HTTPClient.Transport = via(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/conversations.history") {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return nil, err
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				if form, err := url.ParseQuery(string(body)); err == nil && form.Has("oldest") {
					mu.Lock()
					defer mu.Unlock()
					ends = append(ends, form.Get("latest"))
				}
			}
			return way.RoundTrip(r)
		})
		asked := func() int {
			mu.Lock()
			defer mu.Unlock()
			n := len(ends)
			for _, end := range ends {
				at, err := strconv.ParseFloat(end, 64)
				require.NoError(t, err)
				require.Greater(t, at, float64(time.Now().Add(-3*time.Minute).Unix()), "what is said now is not left out either")
			}
			ends = nil
			return n
		}
		e := new(ear)
		a := start(t, f, cfg, e.Sink)
		said, err := f.Say("U1", "C1", "before")
		require.NoError(t, err)
		wait(time.Minute)
		f.SetDown(true)
		f.Cut()
		for i := range 250 {
			_, err := f.Say("U1", "C1", fmt.Sprint("missed ", i))
			require.NoError(t, err)
		}
		wait(10 * time.Minute)
		f.SetDown(false)
		wait(3 * time.Minute)
		require.Len(t, e.Heard(), 251)
		require.GreaterOrEqual(t, asked(), 2, "both pages")
		for _, err := range a.History(t.Context(), "C1", said) {
			require.NoError(t, err)
		}
		require.Positive(t, asked())
		_, found, err := a.Find(t.Context(), &adapter.Message{To: to("C1"), Text: "x", Key: "k"})
		require.NoError(t, err)
		require.False(t, found)
		require.Positive(t, asked())
	})
}

// via is a way of requests.
type via func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (v via) RoundTrip(r *http.Request) (*http.Response, error) { return v(r) }
