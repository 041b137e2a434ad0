package slack_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/internal/adapterstage"
	"github.com/starlingbot/starling/internal/slackfake"
)

// idle makes an adapter that does not run: Send works all the same.
func idle(t *testing.T, f *slackfake.Server, cfg slack.Config) *slack.Adapter {
	t.Helper()
	a, err := slack.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a
}

func to(room string) adapter.Address { return adapter.Address{Adapter: "slack", Room: room} }

// TestPace: a room gets about one message a second and Slack never has to refuse one; other rooms are not held up.
func TestPace(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		a := idle(t, f, configFor(f))
		begun := time.Now()
		for i := range 30 {
			_, err := a.Send(t.Context(), &adapter.Message{To: to("C1"), Text: fmt.Sprint(i)})
			require.NoError(t, err)
			if i == 2 {
				require.Zero(t, time.Since(begun), "a burst of three")
			}
		}
		require.Equal(t, 27*time.Second, time.Since(begun))
		begun = time.Now()
		_, err := a.Send(t.Context(), &adapter.Message{To: to("C2"), Text: "x"})
		require.NoError(t, err)
		require.Zero(t, time.Since(begun))
		require.Zero(t, f.Limited())

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // a turn that comes too late
		defer cancel()
		_, err = a.Send(ctx, &adapter.Message{To: to("C1"), Text: "late"})
		require.ErrorIs(t, err, adapter.ErrUnavailable, "nothing was posted, that is certain")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var wg sync.WaitGroup
		var limited atomic.Int32
		for i := range 20 {
			wg.Go(func() {
				_, err := a.Send(t.Context(), &adapter.Message{To: to("C1"), Text: fmt.Sprint("at once ", i)})
				var limit *adapter.RateLimitError
				if errors.As(err, &limit) {
					limited.Add(1)
					require.Positive(t, limit.RetryAfter)
				} else {
					require.NoError(t, err)
				}
			})
		}
		wg.Wait()
		require.Positive(t, limited.Load(), "a long wait is the caller's")
		require.Zero(t, f.Limited())
		require.Len(t, f.Find("at once"), 20-int(limited.Load()))
	})
}

// TestErrors: what each failure of Slack says about the message.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		fault   slackfake.Fault
		is      error
		outcome adapter.Outcome
		says    string
	}{
		{slackfake.Fault{Kind: slackfake.FaultError, Error: "channel_not_found"}, adapter.ErrNotFound, adapter.Refused, ""},
		{slackfake.Fault{Kind: slackfake.FaultError, Error: "not_in_channel"}, adapter.ErrForbidden, adapter.Refused, "invite"},
		{slackfake.Fault{Kind: slackfake.FaultError, Error: "is_archived"}, adapter.ErrForbidden, adapter.Refused, ""},
		{slackfake.Fault{Kind: slackfake.FaultError, Error: "restricted_action_read_only_channel"}, adapter.ErrForbidden, adapter.Refused, ""},
		{slackfake.Fault{Kind: slackfake.FaultError, Error: "msg_too_long"}, adapter.ErrTooLong, adapter.Refused, ""},
		{slackfake.Fault{Kind: slackfake.FaultError, Error: "msg_blocks_too_long"}, adapter.ErrTooLong, adapter.Refused, ""},
		{slackfake.Fault{Kind: slackfake.FaultError, Error: "invalid_blocks"}, adapter.ErrInvalid, adapter.Refused, ""},
		{slackfake.Fault{Kind: slackfake.FaultError, Error: "token_revoked"}, adapter.ErrAuth, adapter.Refused, ""},
		{slackfake.Fault{Kind: slackfake.FaultError, Error: "token_expired"}, adapter.ErrAuth, adapter.Refused, ""},
		{slackfake.Fault{Kind: slackfake.FaultScope, Error: "chat:write.public"}, adapter.ErrForbidden, adapter.Refused, "chat:write.public"},
		{slackfake.Fault{Kind: slackfake.FaultError, Error: "ratelimited"}, nil, adapter.NotYet, ""},
		{slackfake.Fault{Kind: slackfake.FaultLimit, After: 3}, nil, adapter.NotYet, "3s"},
		{slackfake.Fault{Kind: slackfake.FaultLimitBare}, nil, adapter.NotYet, ""},
		{slackfake.Fault{Kind: slackfake.FaultRefused}, adapter.ErrUnavailable, adapter.NotYet, ""},
		{slackfake.Fault{Kind: slackfake.FaultError, Error: "fatal_error"}, nil, adapter.Unknown, ""},
		{slackfake.Fault{Kind: slackfake.FaultError, Error: "internal_error"}, nil, adapter.Unknown, ""},
		{slackfake.Fault{Kind: slackfake.FaultError, Error: "an_error_from_tomorrow"}, nil, adapter.Unknown, ""},
		{slackfake.Fault{Kind: slackfake.FaultStatus, Status: 500}, nil, adapter.Unknown, "500"},
		{slackfake.Fault{Kind: slackfake.FaultStatusLate, Status: 503}, nil, adapter.Unknown, "503"},
		{slackfake.Fault{Kind: slackfake.FaultHTML}, nil, adapter.Unknown, ""},
		{slackfake.Fault{Kind: slackfake.FaultTruncated}, nil, adapter.Unknown, ""},
		{slackfake.Fault{Kind: slackfake.FaultLost}, nil, adapter.Unknown, ""},
		{slackfake.Fault{Kind: slackfake.FaultHang}, context.DeadlineExceeded, adapter.Unknown, ""},
	} {
		t.Run(fmt.Sprint(c.fault.Kind, c.fault.Error, c.fault.Status), func(t *testing.T) {
			bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
				a := idle(t, f, configFor(f))
				_, err := a.Send(t.Context(), &adapter.Message{To: to("C2"), Text: "a connection is open"})
				require.NoError(t, err)
				c.fault.Method = "chat.postMessage"
				f.Fail(c.fault)
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				calls := f.Calls("chat.postMessage")
				_, err = a.Send(ctx, &adapter.Message{To: to("C1"), Text: "hello", Key: "k1"})
				require.Error(t, err)
				require.Equal(t, c.outcome, adapter.OutcomeOf(err), err)
				require.LessOrEqual(t, f.Calls("chat.postMessage"), calls+1, "it is never tried twice")
				if c.is != nil {
					require.ErrorIs(t, err, c.is)
				}
				require.ErrorContains(t, err, c.says)
				require.ErrorContains(t, err, "slack: send: ")
				shown := len(f.Find("hello"))
				if c.outcome != adapter.Unknown {
					require.Zero(t, shown)
				}
				_, found, err := a.Find(t.Context(), &adapter.Message{To: to("C1"), Text: "hello", Key: "k1"})
				require.NoError(t, err)
				require.Equal(t, shown == 1, found)
			})
		})
	}
}

// TestRetryAfter: while Slack wants to be left alone in a room, nothing is sent there.
func TestRetryAfter(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		a := idle(t, f, configFor(f))
		f.Fail(slackfake.Fault{Method: "chat.postMessage", Kind: slackfake.FaultLimit, After: 20})
		_, err := a.Send(t.Context(), &adapter.Message{To: to("C1"), Text: "x"})
		var limit *adapter.RateLimitError
		require.ErrorAs(t, err, &limit)
		require.Equal(t, 20*time.Second, limit.RetryAfter)
		for range 19 {
			wait(time.Second)
			_, err = a.Send(t.Context(), &adapter.Message{To: to("C1"), Text: "x"})
			require.ErrorAs(t, err, &limit)
		}
		require.Equal(t, 1, f.Calls("chat.postMessage"), "no request within Retry-After")
		_, err = a.Send(t.Context(), &adapter.Message{To: to("C2"), Text: "x"})
		require.NoError(t, err)
		wait(limit.RetryAfter)
		_, err = a.Send(t.Context(), &adapter.Message{To: to("C1"), Text: "x"})
		require.NoError(t, err)
	})
}

// TestPlatformErrors is R3: 2,000 messages in 40 rooms while 30 % of the calls fail, sent as the bot's outbox does.
func TestPlatformErrors(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		storm := adapterstage.Faulty{Each: 50, Posts: func() []string {
			var out []string
			for _, m := range f.Posts() {
				out = append(out, m.Text)
			}
			return out
		}}
		for i := range 40 {
			room := fmt.Sprintf("CX%02d", i)
			f.AddRoom(slackfake.Room{ID: room, Name: fmt.Sprint("x", i)})
			storm.Rooms = append(storm.Rooms, room)
		}
		for _, fault := range []slackfake.Fault{
			{Kind: slackfake.FaultLimit, After: 2}, {Kind: slackfake.FaultLimitBare}, {Kind: slackfake.FaultStatus, Status: 500}, {Kind: slackfake.FaultStatusLate, Status: 502},
			{Kind: slackfake.FaultHTML}, {Kind: slackfake.FaultTruncated}, {Kind: slackfake.FaultLost}, {Kind: slackfake.FaultRefused}, {Kind: slackfake.FaultError, Error: "internal_error"},
		} {
			fault.Method = "chat.postMessage"
			storm.Ways = append(storm.Ways, func() { f.Fail(fault) })
		}
		storm.Send(t, idle(t, f, configFor(f)))
		require.Zero(t, f.Limited())
	})
}

// TestOnly is T20: what one user is to see is never shown to the room.
func TestOnly(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		ref, err := a.Send(t.Context(), &adapter.Message{To: to("C1"), Text: "psst", Only: "U1"})
		require.NoError(t, err)
		require.Equal(t, "U1", f.Find("psst")[0].Only)
		require.ErrorIs(t, a.Edit(t.Context(), ref, &adapter.Message{Text: "x"}), adapter.ErrUnsupported)
		require.ErrorIs(t, a.Delete(t.Context(), ref), adapter.ErrUnsupported)
		_, err = a.Send(t.Context(), &adapter.Message{To: to("C1"), Text: "secret", Only: "U77"})
		require.ErrorIs(t, err, adapter.ErrForbidden)
		require.Empty(t, f.Find("secret"))
		_, err = a.Send(t.Context(), &adapter.Message{To: to("C1"), Files: []adapter.File{{Name: "x", Size: 1}}, Only: "U1"})
		require.ErrorIs(t, err, adapter.ErrUnsupported)
	})
}

// TestAnswerFromOutside: a slash command used where the bot is no member is answered over its response_url, to whom it was for.
func TestAnswerFromOutside(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		f.AddRoom(slackfake.Room{ID: "C9", Name: "elsewhere", Members: []string{"U1", "U2"}, Outside: true})
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		require.NoError(t, f.Invoke("U1", "C9", "deploy", "api"))
		ev := e.Last(t, 0)
		_, err := a.Send(t.Context(), &adapter.Message{To: ev.Address(), Text: "done", Origin: ev.Origin})
		require.NoError(t, err)
		require.Equal(t, "response_url", f.Find("done")[0].Via)
		require.Empty(t, f.Find("done")[0].Only)
		_, err = a.Send(t.Context(), &adapter.Message{To: ev.Address(), Text: "only you", Only: "U1", Origin: ev.Origin})
		require.NoError(t, err)
		require.Equal(t, "U1", f.Find("only you")[0].Only)
		_, err = a.Send(t.Context(), &adapter.Message{To: ev.Address(), Text: "not him", Only: "U2", Origin: ev.Origin})
		require.ErrorIs(t, err, adapter.ErrForbidden, "the address shows it to who used the command")
		_, err = a.Send(t.Context(), &adapter.Message{To: ev.Address(), Text: "no origin"})
		require.ErrorIs(t, err, adapter.ErrForbidden)
		forged := strings.Replace(ev.Origin, "slack.test", "evil.example", 1)
		require.NotEqual(t, ev.Origin, forged)
		_, err = a.Send(t.Context(), &adapter.Message{To: ev.Address(), Text: "forged", Origin: forged})
		require.ErrorIs(t, err, adapter.ErrForbidden)
		wait(30 * time.Minute)
		_, err = a.Send(t.Context(), &adapter.Message{To: ev.Address(), Text: "late", Origin: ev.Origin})
		require.ErrorIs(t, err, adapter.ErrForbidden)
		require.Empty(t, f.Find("forged"))
	})
}

// TestAnswerFromOutsideLater: an answer that Slack's response_url does not take now is not given up: it may be sent again.
func TestAnswerFromOutsideLater(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		f.AddRoom(slackfake.Room{ID: "C9", Name: "elsewhere", Members: []string{"U1", "U2"}, Outside: true})
		e := new(ear)
		cfg := configFor(f)
		limited := false
		way := cfg.HTTPClient.Transport
		cfg.HTTPClient.Transport = via(func(r *http.Request) (*http.Response, error) {
			if limited && strings.HasPrefix(r.URL.Path, "/response/") {
				return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"7"}}, Body: http.NoBody, Request: r}, nil
			}
			return way.RoundTrip(r)
		})
		a := start(t, f, cfg, e.Sink)
		require.NoError(t, f.Invoke("U1", "C9", "deploy", "api"))
		ev := e.Last(t, 0)
		m := &adapter.Message{To: ev.Address(), Text: "done", Origin: ev.Origin}
		var o struct {
			URL string `json:"u"`
		}
		require.NoError(t, json.Unmarshal([]byte(ev.Origin), &o))
		f.Fail(slackfake.Fault{Method: path.Base(o.URL), Kind: slackfake.FaultRefused})
		_, err := a.Send(t.Context(), m)
		require.ErrorIs(t, err, adapter.ErrUnavailable)
		require.Equal(t, adapter.NotYet, adapter.OutcomeOf(err))
		require.NotContains(t, err.Error(), path.Base(o.URL))
		limited = true
		_, err = a.Send(t.Context(), m)
		var limit *adapter.RateLimitError
		require.ErrorAs(t, err, &limit)
		require.Equal(t, 7*time.Second, limit.RetryAfter)
		require.Empty(t, f.Find("done"))
		limited = false
		wait(limit.RetryAfter)
		_, err = a.Send(t.Context(), m)
		require.NoError(t, err)
		require.Len(t, f.Find("done"), 1)
	})
}

// TestLayouts: buttons, fields, colours, native blocks, mass mentions and previews, as Slack gets them.
func TestLayouts(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		a := idle(t, f, configFor(f))
		send := func(m *adapter.Message) slackfake.Message {
			m.To = to("C1")
			parts, err := a.Render(m)
			require.NoError(t, err)
			for _, p := range parts {
				wait(2 * time.Second)
				_, err = a.Send(t.Context(), p)
				require.NoError(t, err)
			}
			posts := f.Posts()
			return posts[len(posts)-1]
		}
		ann := adapter.User{ID: "U1", Name: "ann"}
		for _, c := range []struct {
			name  string
			m     adapter.Message
			shown string
			pings []string
		}{
			{"plain", adapter.Message{Text: "a < b & c"}, "a < b & c", nil},
			{"injection in markup", adapter.Message{Text: "<!channel> <@U2>"}, "<!channel> <@U2>", nil},
			{"injection in data", adapter.Message{Text: adapter.Format("%s", "<!channel> <@U2> *b* :tada: @here")}, "<!channel> <@U2> *b* :tada: @here", nil},
			{"mention", adapter.Message{Text: adapter.Format("%s: done", ann)}, "@ann: done", []string{"U1"}},
			{"mention among data", adapter.Message{Text: adapter.Format("%s: %s", ann, "*x*")}, "@ann: *x*", []string{"U1"}},
			{"mention of a forged id", adapter.Message{Text: adapter.Mention(adapter.User{ID: "U1> <!channel", Name: "x"})}, "@x", nil},
			{"room", adapter.Message{Text: adapter.Format("see %s", adapter.Room{ID: "C2", Name: "dev"})}, "see #dev", nil},
			{"time", adapter.Message{Text: adapter.Format("at %s", time.Unix(1_700_000_000, 0))}, "at 2023-11-14 22:13 UTC", nil},
			{"notify", adapter.Message{Text: "fire", Notify: adapter.NotifyRoom}, "@channel fire", []string{"channel"}},
			{"notify among data", adapter.Message{Text: adapter.Data("*fire*"), Notify: adapter.NotifyHere}, "@here *fire*", []string{"here"}},
			{"buttons", adapter.Message{Text: "go?", Buttons: []adapter.Button{{Label: "Yes", Command: "y"}, {Label: strings.Repeat("é", 80), Command: "n"}}}, "go?", nil},
			{"field injection", adapter.Message{Text: "x", Fields: []adapter.Field{{Name: "n", Value: adapter.Data("<!here> *b*")}}}, "x", nil},
		} {
			m := send(&c.m)
			require.Equal(t, c.shown, f.Shown(&m), c.name)
			require.Equal(t, c.pings, m.Pings(), c.name)
		}
		m := send(&adapter.Message{Text: "bad", Color: adapter.ColorBad, Fields: []adapter.Field{{Name: "a", Value: "b"}}})
		require.Contains(t, string(m.Attachments), `"color":"danger"`)
		require.Equal(t, [][2]string{{"a", "b"}}, f.Fields(&m))
		native := json.RawMessage(`[{"type":"header","text":{"type":"plain_text","text":"H"},"from_tomorrow":1},{"type":"divider"}]`)
		m = send(&adapter.Message{Text: "fallback", Native: map[string]json.RawMessage{"slack": native}})
		require.JSONEq(t, string(native), string(m.Blocks))
		require.Equal(t, "fallback", m.Text)
		var buttons []adapter.Button
		for i := range 60 {
			buttons = append(buttons, adapter.Button{Label: fmt.Sprint(i), Command: "x"})
		}
		m = send(&adapter.Message{Text: "many", Buttons: buttons})
		require.Len(t, m.Buttons(), 60)
		m = send(&adapter.Message{Text: strings.Repeat("long ", 1200), Buttons: buttons[:1]})
		require.Len(t, m.Buttons(), 1)

		for want, m := range map[error]*adapter.Message{
			adapter.ErrTooLong: {Text: "x", Buttons: []adapter.Button{{Label: "x", Command: strings.Repeat("y", 2001)}}},
			adapter.ErrInvalid: {Text: "x", Native: map[string]json.RawMessage{"slack": json.RawMessage(`{}`)}},
		} {
			m.To = to("C1")
			_, err := a.Render(m)
			require.ErrorIs(t, err, want)
		}
		_, err := a.Render(&adapter.Message{To: to("C1"), Text: "x", Notify: "everybody"})
		require.ErrorIs(t, err, adapter.ErrInvalid)
	})
}

// TestEditLayout: an edit takes away what stood there.
func TestEditLayout(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		a := idle(t, f, configFor(f))
		ref, err := a.Send(t.Context(), &adapter.Message{To: to("C1"), Text: "Deploy?", Buttons: []adapter.Button{{Label: "Yes", Command: "y"}}})
		require.NoError(t, err)
		require.Equal(t, []string{"Yes"}, f.Posts()[0].Buttons())
		require.NoError(t, a.Edit(t.Context(), ref, &adapter.Message{Text: "Deployed by " + adapter.Data("*ann*")}))
		m := f.Posts()[0]
		require.Equal(t, "Deployed by *ann*", f.Shown(&m))
		require.Empty(t, m.Buttons())
		require.NoError(t, a.Edit(t.Context(), ref, &adapter.Message{Text: "over"}))
		m = f.Posts()[0]
		require.Equal(t, "over", f.Shown(&m))
		said, err := f.Say("U1", "C1", "mine")
		require.NoError(t, err)
		theirs := adapter.Ref{Address: to("C1"), ID: said}
		require.ErrorIs(t, a.Edit(t.Context(), theirs, &adapter.Message{Text: "x"}), adapter.ErrForbidden)
		require.ErrorIs(t, a.Delete(t.Context(), theirs), adapter.ErrForbidden)
		require.ErrorIs(t, a.React(t.Context(), theirs, "no emoji"), adapter.ErrInvalid)
		require.NoError(t, a.React(t.Context(), theirs, "✅"))
		require.Equal(t, []string{"white_check_mark"}, f.Reactions(slackfake.BotUser, "C1", said))
	})
}

// TestFind looks in rooms and threads, over pages.
func TestFind(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		a := idle(t, f, configFor(f))
		root, err := f.Say("U1", "C1", "root")
		require.NoError(t, err)
		in := adapter.Address{Adapter: "slack", Room: "C1", Thread: root}
		m := &adapter.Message{To: in, Text: "below", Key: "below"}
		ref, err := a.Send(t.Context(), m)
		require.NoError(t, err)
		m2 := &adapter.Message{To: to("C1"), Text: "above", Key: "above"}
		ref2, err := a.Send(t.Context(), m2)
		require.NoError(t, err)
		for i := range 450 {
			_, err := f.Say("U1", "C1", fmt.Sprint("chatter ", i))
			require.NoError(t, err)
		}
		f.Fail(slackfake.Fault{Method: "conversations.history", Kind: slackfake.FaultLimit, After: 7})
		for want, m := range map[adapter.Ref]*adapter.Message{ref: m, ref2: m2} {
			got, found, err := a.Find(t.Context(), m)
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, want, got)
		}
		_, found, err := a.Find(t.Context(), &adapter.Message{To: to("C1"), Key: "below"})
		require.NoError(t, err)
		require.False(t, found, "another conversation")
		_, _, err = a.Find(t.Context(), &adapter.Message{To: to("C0"), Key: "x"})
		require.ErrorIs(t, err, adapter.ErrNotFound)
		f.Fail(slackfake.Fault{Method: "conversations.history", Kind: slackfake.FaultStatus, Status: 500, Times: 100})
		_, _, err = a.Find(t.Context(), m2)
		require.Error(t, err, "no answer is not a no")
		f.ClearFaults()
		for _, m := range []*adapter.Message{{To: to("C1"), Text: "x"}, {To: to("C1"), Text: "x", Key: "x", Only: "U1"}, {To: to("C1"), Key: "x", Files: make([]adapter.File, 1)}} {
			_, _, err := a.Find(t.Context(), m)
			require.ErrorIs(t, err, adapter.ErrUnsupported, "it carries nothing to be found by")
		}
		for i := range 2000 {
			_, err := f.Say("U1", "C1", fmt.Sprint("more ", i))
			require.NoError(t, err)
		}
		_, _, err = a.Find(t.Context(), m2)
		require.ErrorIs(t, err, adapter.ErrUnsupported, "it was not looked at all of them")
	})
}

// TestClosed: Close ends a Send that waits for its turn, and a Run.
func TestClosed(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		a, err := slack.New(configFor(f))
		require.NoError(t, err)
		over := make(chan error, 1)
		go func() { over <- a.Run(t.Context(), new(ear).Sink) }()
		require.NoError(t, f.Await(t.Context(), f.Connected))
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				_, err := a.Send(t.Context(), &adapter.Message{To: to("C1"), Text: "x"})
				if err != nil {
					require.ErrorIs(t, err, adapter.ErrClosed)
				}
			})
		}
		synctest.Wait()
		require.NoError(t, a.Close())
		wg.Wait()
		require.NoError(t, <-over)
		require.Len(t, f.Find("x"), 3)
	})
}

// TestUploadFails: only the last call of an upload posts; what fails before it was certainly not posted.
func TestUploadFails(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		a := idle(t, f, configFor(f))
		file := func(size int64) adapter.File {
			return adapter.File{Name: "a.txt", Size: size, Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("content")), nil }}
		}
		for _, c := range []struct {
			fault   slackfake.Fault
			outcome adapter.Outcome
		}{
			{slackfake.Fault{Method: "files.getUploadURLExternal", Kind: slackfake.FaultStatus, Status: 500}, adapter.NotYet},
			{slackfake.Fault{Method: "files.getUploadURLExternal", Kind: slackfake.FaultLimit, After: 1}, adapter.NotYet},
			{slackfake.Fault{Method: "files.getUploadURLExternal", Kind: slackfake.FaultScope, Error: "files:write"}, adapter.Refused},
			{slackfake.Fault{Method: "files.completeUploadExternal", Kind: slackfake.FaultStatus, Status: 500}, adapter.Unknown},
			{slackfake.Fault{Method: "files.completeUploadExternal", Kind: slackfake.FaultLost}, adapter.Unknown},
		} {
			wait(10 * time.Second)
			f.Fail(c.fault)
			before := len(f.Posts())
			_, err := a.Upload(t.Context(), to("C1"), file(7))
			require.Error(t, err)
			require.Equal(t, c.outcome, adapter.OutcomeOf(err), err)
			if c.outcome != adapter.Unknown {
				require.Len(t, f.Posts(), before)
			}
		}
		wait(10 * time.Second)
		ref, err := a.Upload(t.Context(), to("C1"), file(0)) // a size that is not known
		require.NoError(t, err)
		require.ErrorIs(t, a.Edit(t.Context(), ref, &adapter.Message{Text: "x"}), adapter.ErrUnsupported)
		require.NoError(t, a.Delete(t.Context(), ref))
		require.ErrorIs(t, a.Delete(t.Context(), ref), adapter.ErrNotFound)
		_, err = a.Upload(t.Context(), to("C1"), adapter.File{Name: "gone"})
		require.ErrorIs(t, err, adapter.ErrInvalid)
		before := len(f.Posts())
		for _, size := range []int64{6, 8} { // "content" has 7
			wait(10 * time.Second)
			_, err = a.Upload(t.Context(), to("C1"), file(size))
			require.Equal(t, adapter.Refused, adapter.OutcomeOf(err), "%d bytes said: %v", size, err)
			require.Len(t, f.Posts(), before)
		}
		_, err = a.Upload(t.Context(), to("C1"), adapter.File{Name: "empty", Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }})
		require.ErrorIs(t, err, adapter.ErrInvalid)
		_, err = a.Open(t.Context(), adapter.File{})
		require.ErrorIs(t, err, adapter.ErrNotFound)
	})
}
