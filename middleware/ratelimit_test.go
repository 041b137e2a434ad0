package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/middleware"
)

// counter is a handler that counts.
type counter struct{ n atomic.Int32 }

func (c *counter) Handle(context.Context, *handler.Request) error { c.n.Add(1); return nil }

func refused(t testing.TB, err error) {
	t.Helper()
	var r *handler.RefusedError
	require.ErrorAs(t, err, &r)
	require.Equal(t, "rate limit", r.Reason)
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, ran := &effects{ephemeral: true}, &counter{}
		h := middleware.RateLimit(time.Minute, 3)(ran)
		for range 3 {
			require.NoError(t, run(h, request(e, "U1")))
		}
		for range 5 {
			refused(t, run(h, request(e, "U1")))
		}
		require.EqualValues(t, 3, ran.n.Load())
		require.Len(t, e.sent, 1, "told once")
		require.Equal(t, "That is too often. Please try again in 1m.", adapter.PlainText(e.sent[0].Text))
		require.Equal(t, "U1", e.sent[0].Only, "and nobody else sees it")

		require.NoError(t, run(h, request(e, "U2")), "another user has a limit of their own")
		require.NoError(t, run(middleware.RateLimit(time.Minute, 3)(ran), request(e, "U1")), "another route too")

		pass(59*time.Second + 500*time.Millisecond)
		refused(t, run(h, request(e, "U1")))
		require.Len(t, e.sent, 1, "the period is not over")
		pass(500 * time.Millisecond)
		require.NoError(t, run(h, request(e, "U1")), "one more each period")
		refused(t, run(h, request(e, "U1")))
		require.Len(t, e.sent, 2, "told once each period")

		pass(time.Hour)
		for range 3 {
			require.NoError(t, run(h, request(e, "U1")))
		}
		pass(20 * time.Second)
		refused(t, run(h, request(e, "U1")))
		require.Equal(t, "That is too often. Please try again in 40s.", adapter.PlainText(e.sent[2].Text))
	})
}

func TestRateLimitTellsOnlyTheUser(t *testing.T) {
	broken := errors.New("broken")
	inDirect := func(r *handler.Request) *handler.Request {
		r.Event.Room = adapter.Room{ID: "D1", Kind: adapter.RoomDirect}
		return r
	}
	for _, c := range []struct {
		name   string
		e      *effects
		change func(*handler.Request) *handler.Request
		to     string // "" nobody
		warns  bool
	}{
		{"only the asker sees it", &effects{ephemeral: true}, nil, "C1 only U1", false},
		{"by direct message", &effects{}, nil, "D-U1 only ", false},
		{"in the direct room", &effects{}, inDirect, "D1 only ", false},
		{"it cannot be told", &effects{fail: broken}, nil, "", true},
		{"it cannot be told in the room", &effects{fail: broken, ephemeral: true}, nil, "", true},
		{"it cannot be told in the direct room", &effects{fail: broken}, inDirect, "", true},
		{"there is nobody to tell", &effects{}, func(r *handler.Request) *handler.Request { r.Event.User = adapter.User{}; return r }, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, out := logger(slog.LevelInfo)
				h := middleware.RateLimit(time.Minute, 1)(returns(nil))
				for i := range 3 {
					r := request(c.e, "U1")
					r.Logger = log
					if c.change != nil {
						r = c.change(r)
					}
					if err := run(h, r); i == 0 {
						require.NoError(t, err)
					} else {
						refused(t, err)
					}
				}
				if c.to == "" {
					require.Empty(t, c.e.sent)
				} else {
					require.Len(t, c.e.sent, 1)
					require.Equal(t, c.to, c.e.sent[0].To.Room+" only "+c.e.sent[0].Only)
				}
				got := records(t, out)
				require.Equal(t, c.warns, len(got) == 1, "%v", got)
				if c.warns {
					require.Equal(t, "WARN", got[0]["level"])
					require.Contains(t, got[0]["error"], "broken")
				}
			})
		})
	}
}

// A run that comes again was counted the first time: refusing it would lose an accepted event.
func TestRateLimitLetsARerunPass(t *testing.T) {
	h := middleware.RateLimit(time.Hour, 1)(returns(nil))
	require.NoError(t, run(h, request(&effects{}, "U1")))
	again := request(&effects{}, "U1")
	again.Attempt = 2
	require.NoError(t, run(h, again))
	refused(t, run(h, request(&effects{}, "U1")))
}

// A run that was refused is refused when it comes again, whatever the limit says then: nobody hears "too often" and sees it run.
func TestRefusedStaysRefused(t *testing.T) {
	for name, limit := range map[string]func() handler.Middleware{
		"rate limit": func() handler.Middleware { return middleware.RateLimit(time.Hour, 1) },
		"quota": func() handler.Middleware {
			return middleware.Quota(middleware.QuotaConfig{Brain: brain.New(memory.New()), Name: "x", Every: time.Hour, Burst: 1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			refuses := func(err error, as string) {
				t.Helper()
				var re *handler.RefusedError
				require.ErrorAs(t, err, &re)
				require.Equal(t, as, re.Reason)
			}
			first := limit()(returns(nil))
			require.NoError(t, run(first, request(&effects{}, "U1")))
			e := &effects{}
			refuses(run(first, request(e, "U1")), name)
			require.Len(t, e.sent, 1)
			again := request(e, "U1")
			again.Attempt = 2
			refuses(run(limit()(returns(nil)), again), name) // in a process whose limit has room
			require.Len(t, e.sent, 2)
			require.Equal(t, e.sent[0], e.sent[1], "by the same words it is recognised")

			dead := &effects{onces: map[string][]byte{name: nil}} // it died in between
			if name == "quota" {
				dead.onces = map[string][]byte{"quota x": nil}
			}
			again = request(dead, "U1")
			again.Attempt = 2
			refuses(run(limit()(returns(nil)), again), name)
			again.Attempt = 3
			require.NoError(t, run(limit()(returns(nil)), again), "the second run died while it looked")
		})
	}
}

func TestRateLimitEdges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, burst := range []int{0, -1, 1} {
			h := middleware.RateLimit(time.Hour, burst)(returns(nil))
			require.NoError(t, run(h, request(&effects{}, "U1")))
			refused(t, run(h, request(&effects{}, "U1")))
		}
		for _, every := range []time.Duration{0, -1} {
			h := middleware.RateLimit(every, 1)(returns(nil))
			for range 100 {
				require.NoError(t, run(h, request(&effects{}, "U1")))
			}
		}
		h := middleware.RateLimit(time.Hour, 1)(returns(nil))
		a, b := request(&effects{}, "U1"), request(&effects{}, "U1")
		b.Event.User.Tenant = "T2"
		require.NoError(t, run(h, a))
		require.NoError(t, run(h, b), "the same id in another workspace is another user")
	})
}

// At the bound the users that were seen last keep their limit; who was seen the longest ago is forgotten.
func TestRateLimitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users = 10_000
		e := &effects{ephemeral: true}
		h := middleware.RateLimit(time.Hour, 1)(returns(nil))
		for i := range users {
			require.NoError(t, run(h, request(e, fmt.Sprint(i))))
		}
		for i := range users {
			refused(t, run(h, request(e, fmt.Sprint(i))))
		}
		require.NoError(t, run(h, request(e, "one more"))) // 0 is forgotten
		refused(t, run(h, request(e, "1")))
		refused(t, run(h, request(e, "9999")))
		refused(t, run(h, request(e, "one more")))
		require.NoError(t, run(h, request(e, "0"))) // 2 is forgotten: 1 was seen again
		refused(t, run(h, request(e, "1")))
		refused(t, run(h, request(e, "3")))
		require.NoError(t, run(h, request(e, "2")))
	})
}

// A user whose burst is whole again is forgotten first: nothing changes for that user.
func TestRateLimitForgetsWhoHasAWholeBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users = 10_000
		e := &effects{ephemeral: true}
		h := middleware.RateLimit(time.Minute, 10)(returns(nil))
		for range 10 {
			require.NoError(t, run(h, request(e, "busy")))
		}
		require.NoError(t, run(h, request(e, "idle")))
		for i := range users - 2 {
			require.NoError(t, run(h, request(e, fmt.Sprint(i))))
		}
		pass(2 * time.Minute) // idle is whole again, busy is not and was seen before
		require.NoError(t, run(h, request(e, "one more")))
		for range 2 {
			require.NoError(t, run(h, request(e, "busy")))
		}
		refused(t, run(h, request(e, "busy")))
	})
}

func TestRateLimitConcurrently(t *testing.T) {
	e, ran := &effects{ephemeral: true}, &counter{}
	h := middleware.RateLimit(time.Hour, 7)(ran)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				_ = run(h, request(e, "U1"))
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 7, ran.n.Load())
	require.Len(t, e.sent, 1)
}

// What goes on with an answer, a code or the consent of others was counted when it was said.
func TestRateLimitCountsWhatIsSaid(t *testing.T) {
	e, ran := &effects{ephemeral: true}, &counter{}
	h := middleware.RateLimit(time.Hour, 1)(ran)
	require.NoError(t, run(h, request(e, "U1")))
	granted := request(e, "U1")
	granted.Grant = &handler.Grant{ID: "req-1"}
	require.NoError(t, run(h, granted))
	require.NoError(t, run(h, granted), "and again after a crash")
	require.ErrorContains(t, run(h, request(e, "U1")), "rate limit")
	require.EqualValues(t, 3, ran.n.Load())
}
