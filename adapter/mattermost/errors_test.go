package mattermost_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/adapterstage"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

// TestErrors: what each failure of Mattermost says about the message.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		fault   fake.Fault
		is      error
		outcome adapter.Outcome
		says    string
	}{
		{fake.Fault{Kind: fake.FaultError, Status: 403, Error: "api.context.permissions.app_error"}, adapter.ErrForbidden, adapter.Refused, "invite it"},
		{fake.Fault{Kind: fake.FaultError, Status: 401, Error: "api.context.session_expired.app_error"}, adapter.ErrAuth, adapter.Refused, "Config.Token"},
		{fake.Fault{Kind: fake.FaultError, Status: 400, Error: "api.post.create_post.can_not_post_to_deleted.error"}, adapter.ErrForbidden, adapter.Refused, "archived"},
		{fake.Fault{Kind: fake.FaultError, Status: 400, Error: "api.post.create_post.root_id.app_error"}, adapter.ErrNotFound, adapter.Refused, "thread"},
		{fake.Fault{Kind: fake.FaultError, Status: 400, Error: "model.post.is_valid.msg.app_error"}, adapter.ErrTooLong, adapter.Refused, ""},
		{fake.Fault{Kind: fake.FaultError, Status: 400, Error: "an.error.from.tomorrow"}, adapter.ErrInvalid, adapter.Refused, "an.error.from.tomorrow"},
		{fake.Fault{Kind: fake.FaultError, Status: 413, Error: "x"}, adapter.ErrTooLong, adapter.Refused, ""},
		{fake.Fault{Kind: fake.FaultStatus, Status: 301}, adapter.ErrInvalid, adapter.Refused, "Config.URL"},
		{fake.Fault{Kind: fake.FaultStatus, Status: 404}, adapter.ErrNotFound, adapter.Refused, ""},
		{fake.Fault{Kind: fake.FaultLimit, After: 3}, nil, adapter.NotYet, "3s"},
		{fake.Fault{Kind: fake.FaultLimit}, nil, adapter.NotYet, "1s"},
		{fake.Fault{Kind: fake.FaultRefused}, adapter.ErrUnavailable, adapter.NotYet, ""},
		{fake.Fault{Kind: fake.FaultError, Status: 500, Error: "app.post.save.app_error"}, nil, adapter.Unknown, "app.post.save.app_error"},
		{fake.Fault{Kind: fake.FaultError, Status: 500, Error: "api.post.deduplicate_create_post.pending"}, nil, adapter.Unknown, "pending"},
		{fake.Fault{Kind: fake.FaultStatus, Status: 500}, nil, adapter.Unknown, "500"},
		{fake.Fault{Kind: fake.FaultStatusLate, Status: 502}, nil, adapter.Unknown, "502"},
		{fake.Fault{Kind: fake.FaultHTML}, nil, adapter.Unknown, "could not be read"},
		{fake.Fault{Kind: fake.FaultTruncated}, nil, adapter.Unknown, "could not be read"},
		{fake.Fault{Kind: fake.FaultLost}, nil, adapter.Unknown, ""},
		{fake.Fault{Kind: fake.FaultHang}, context.DeadlineExceeded, adapter.Unknown, ""},
	} {
		t.Run(fmt.Sprint(c.fault.Kind, c.fault.Error, c.fault.Status), func(t *testing.T) {
			bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
				a := idle(t, configFor(f))
				_, err := a.Send(t.Context(), &adapter.Message{To: to(dev), Text: "a connection is open"})
				require.NoError(t, err)
				c.fault.Route = "POST /posts"
				f.Fail(c.fault)
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				calls := f.Calls("POST /posts")
				begun := time.Now()
				_, err = a.Send(ctx, &adapter.Message{To: to(ops), Text: "hello", Key: "k1"})
				require.Error(t, err)
				require.LessOrEqual(t, time.Since(begun), 31*time.Second)
				require.Equal(t, c.outcome, adapter.OutcomeOf(err), err)
				require.LessOrEqual(t, f.Calls("POST /posts"), calls+1, "it is never tried twice")
				if c.is != nil {
					require.ErrorIs(t, err, c.is)
				}
				require.ErrorContains(t, err, c.says)
				require.ErrorContains(t, err, "mattermost: send: ")
				require.NotContains(t, err.Error(), "<html>")
				shown := len(f.Find("hello"))
				if c.outcome != adapter.Unknown {
					require.Zero(t, shown)
				}
				wait(10 * time.Second)
				_, found, err := a.Find(t.Context(), &adapter.Message{To: to(ops), Text: "hello", Key: "k1"})
				require.NoError(t, err)
				require.Equal(t, shown == 1, found)
			})
		})
	}
}

// TestRetryAfter: while the server wants to be left alone, nothing is asked of it.
func TestRetryAfter(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		a := idle(t, configFor(f))
		f.Fail(fake.Fault{Route: "POST /posts", Kind: fake.FaultLimit, After: 20})
		_, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "x"})
		var limit *adapter.RateLimitError
		require.ErrorAs(t, err, &limit)
		require.Equal(t, 20*time.Second, limit.RetryAfter)
		for range 19 {
			wait(time.Second)
			_, err = a.Send(t.Context(), &adapter.Message{To: to(dev), Text: "x"})
			require.ErrorAs(t, err, &limit)
			_, err = a.User(t.Context(), bob)
			require.ErrorAs(t, err, &limit)
		}
		require.Equal(t, 1, f.Calls("POST /posts"), "no request within Retry-After")
		wait(limit.RetryAfter)
		_, err = a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "x"})
		require.NoError(t, err)
	})
}

// TestRateLimit: with the server's limit on, what its answers say of it keeps the bot from being refused again and again.
func TestRateLimit(t *testing.T) {
	bubble(t, fake.Options{Limit: 5, Burst: 10}, func(t *testing.T, f *fake.Server) {
		a := idle(t, configFor(f))
		var limit *adapter.RateLimitError
		sent := 0
		for begun := time.Now(); sent < 100; {
			require.Less(t, time.Since(begun), time.Minute)
			_, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "x"})
			if errors.As(err, &limit) {
				wait(max(limit.RetryAfter, 100*time.Millisecond))
				continue
			}
			require.NoError(t, err)
			sent++
		}
		t.Logf("%d refusals for 100 messages", len(f.Limited()))
		require.Empty(t, f.Limited(), "X-RateLimit-Remaining was heeded")
	})
}

// TestPlatformErrors is R3: 1,000 messages in 20 rooms while 30 % of the calls fail, sent as the bot's outbox does. With
// STARLING_FIGURES=full 20,000 in 100.
func TestPlatformErrors(t *testing.T) {
	storm := adapterstage.Faulty{Each: 50}
	rooms := 20
	if os.Getenv("STARLING_FIGURES") == "full" {
		rooms, storm.Each = 100, 200
	}
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		storm.Posts = func() []string {
			var out []string
			for _, m := range f.Posts() {
				out = append(out, m.Message)
			}
			return out
		}
		for i := range rooms {
			room := fake.ID(fmt.Sprintf("room%03d", i))
			f.AddRoom(fake.Room{ID: room, Name: fmt.Sprint("x", i)})
			storm.Rooms = append(storm.Rooms, room)
		}
		for _, fault := range []fake.Fault{
			{Kind: fake.FaultLimit, After: 2}, {Kind: fake.FaultLimit}, {Kind: fake.FaultStatus, Status: 500}, {Kind: fake.FaultStatusLate, Status: 502},
			{Kind: fake.FaultHTML}, {Kind: fake.FaultTruncated}, {Kind: fake.FaultLost}, {Kind: fake.FaultRefused},
			{Kind: fake.FaultError, Status: 500, Error: "api.post.deduplicate_create_post.pending"},
		} {
			fault.Route = "POST /posts"
			storm.Ways = append(storm.Ways, func() { f.Fail(fault) })
		}
		storm.Send(t, idle(t, configFor(f)))
		inside := 0 // refusals within a second of another: the adapter asked although it was told not to
		limited := f.Limited()
		for i := 1; i < len(limited); i++ {
			if limited[i].Sub(limited[i-1]) > 0 && limited[i].Sub(limited[i-1]) < time.Second {
				inside++
			}
		}
		require.Zero(t, inside)
	})
}
