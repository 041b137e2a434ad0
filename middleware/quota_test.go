package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/middleware"
)

func overQuota(t testing.TB, err error) {
	t.Helper()
	var r *handler.RefusedError
	require.ErrorAs(t, err, &r)
	require.Equal(t, "quota", r.Reason)
}

func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		e, ran := &effects{ephemeral: true}, &counter{}
		quota := func() handler.Handler {
			return middleware.Quota(middleware.QuotaConfig{Brain: brain.New(m), Name: "ping", Every: time.Minute, Burst: 3})(ran)
		}
		h := quota()
		for range 3 {
			require.NoError(t, run(h, request(e, "U1")))
		}
		for range 5 {
			overQuota(t, run(h, request(e, "U1")))
			overQuota(t, run(quota(), request(e, "U1"))) // another process
		}
		require.EqualValues(t, 3, ran.n.Load())
		require.Len(t, e.sent, 1, "told once, by whichever process")
		require.Equal(t, "That is too often. Please try again in 1m.", adapter.PlainText(e.sent[0].Text))
		require.Equal(t, "U1", e.sent[0].Only, "and nobody else sees it")
		require.NoError(t, run(h, request(e, "U2")), "another user has a quota of their own")

		pass(59*time.Second + 500*time.Millisecond)
		overQuota(t, run(h, request(e, "U1")))
		require.Len(t, e.sent, 1)
		pass(500 * time.Millisecond)
		require.NoError(t, run(h, request(e, "U1")), "one more each period")
		overQuota(t, run(h, request(e, "U1")))
		require.Len(t, e.sent, 2, "told once each period")

		pass(time.Hour)
		n := 0
		for _, err := range m.List(t.Context(), "") {
			require.NoError(t, err)
			n++
		}
		require.Zero(t, n, "what has its whole burst again leaves nothing in the brain")
		for range 3 {
			require.NoError(t, run(h, request(e, "U1")))
		}
		pass(20 * time.Second)
		overQuota(t, run(h, request(e, "U1")))
		require.Equal(t, "That is too often. Please try again in 40s.", adapter.PlainText(e.sent[2].Text))
	})
}

func TestQuotaBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Whether the second request passes after the first one.
		change := map[string]func(*handler.Request){
			"same":          func(*handler.Request) {},
			"other user":    func(r *handler.Request) { r.Event.User.ID = "U2" },
			"other tenant":  func(r *handler.Request) { r.Event.User.Tenant = "T2" },
			"same name":     func(r *handler.Request) { r.Event.User.ID, r.Event.User.Name = "U3", "U1" },
			"other room":    func(r *handler.Request) { r.Event.Room.ID = "C2" },
			"other thread":  func(r *handler.Request) { r.Event.Thread = "th" },
			"other adapter": func(r *handler.Request) { r.Event.Adapter = "test2" },
			"other route":   func(r *handler.Request) { r.Route = &handler.Route{ID: "pong"} },
		}
		for name, c := range map[string]struct {
			by   func(*handler.Request) string
			pass []string
		}{
			"default":        {nil, []string{"other user", "other tenant", "same name"}},
			"user":           {middleware.ByUser, []string{"other user", "other tenant", "same name"}},
			"room":           {middleware.ByRoom, []string{"other room", "other adapter"}},
			"route":          {middleware.ByRoute, []string{"other route"}},
			"user and route": {middleware.ByUserAndRoute, []string{"other user", "other tenant", "same name", "other route"}},
			"own":            {func(r *handler.Request) string { return r.Event.Thread }, []string{"other thread"}},
		} {
			for what, f := range change {
				m := memory.New()
				h := middleware.Quota(middleware.QuotaConfig{Brain: brain.New(m), Name: "x", Every: time.Hour, Burst: 1, By: c.by})(returns(nil))
				require.NoError(t, run(h, request(&effects{}, "U1")))
				r := request(&effects{}, "U1")
				f(r)
				if err := run(h, r); slices.Contains(c.pass, what) {
					require.NoError(t, err, "%s: %s", name, what)
				} else {
					overQuota(t, err)
				}
				other := middleware.Quota(middleware.QuotaConfig{Brain: brain.New(m), Name: "y", Every: time.Hour, Burst: 1, By: c.by})(returns(nil))
				require.NoError(t, run(other, request(&effects{}, "U1")), "a quota of another name")
			}
		}
	})
}

func TestQuotaLetsWhatWasCountedPass(t *testing.T) {
	m := memory.New()
	h := middleware.Quota(middleware.QuotaConfig{Brain: brain.New(m), Name: "x", Every: time.Hour, Burst: 1})(returns(nil))
	require.NoError(t, run(h, request(&effects{}, "U1")))
	again := request(&effects{}, "U1")
	again.Attempt = 2
	require.NoError(t, run(h, again))
	granted := request(&effects{}, "U1")
	granted.Grant = &handler.Grant{}
	require.NoError(t, run(h, granted))
	overQuota(t, run(h, request(&effects{}, "U1")))
}

func TestQuotaTells(t *testing.T) {
	for _, c := range []struct {
		name  string
		e     *effects
		room  adapter.Room
		user  string
		to    string
		warns bool
	}{
		{"only the asker sees it", &effects{ephemeral: true}, adapter.Room{ID: "C1"}, "U1", "C1 only U1", false},
		{"by direct message", &effects{}, adapter.Room{ID: "C1"}, "U1", "D-U1 only ", false},
		{"in the direct room", &effects{}, adapter.Room{ID: "D1", Kind: adapter.RoomDirect}, "U1", "D1 only ", false},
		{"it cannot be told", &effects{fail: errors.New("broken")}, adapter.Room{ID: "C1"}, "U1", "", true},
		{"there is nobody to tell", &effects{}, adapter.Room{ID: "C1"}, "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, out := logger(slog.LevelWarn)
			h := middleware.Quota(middleware.QuotaConfig{Brain: brain.New(memory.New()), Name: "x", Every: time.Hour, Burst: 1})(returns(nil))
			for i := range 3 {
				r := request(c.e, c.user)
				r.Event.Room, r.Logger = c.room, log
				if err := run(h, r); i == 0 {
					require.NoError(t, err)
				} else {
					overQuota(t, err)
				}
			}
			if c.to == "" {
				require.Empty(t, c.e.sent)
			} else {
				require.Len(t, c.e.sent, 1)
				require.Equal(t, c.to, c.e.sent[0].To.Room+" only "+c.e.sent[0].Only)
			}
			require.Equal(t, c.warns, len(records(t, out)) == 1)
		})
	}
}

// failing is a store that answers nothing, or not in time.
type failing struct {
	*memory.Store
	hang bool
}

var errDown = errors.New("the store is down")

func (f failing) Get(ctx context.Context, _ string) (brain.Entry, error) {
	if f.hang {
		<-ctx.Done()
		return brain.Entry{}, ctx.Err()
	}
	return brain.Entry{}, errDown
}

// T34: without the brain nothing runs, unless that was asked for.
func TestQuotaWithoutTheBrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, hang := range []bool{false, true} {
			ran := &counter{}
			cfg := middleware.QuotaConfig{Brain: brain.New(failing{memory.New(), hang}), Name: "x", Every: time.Hour, Burst: 1}
			log, out := logger(slog.LevelWarn)
			r := request(&effects{}, "U1")
			r.Logger = log
			begin := time.Now()
			err := run(middleware.Quota(cfg)(ran), r)
			var told *handler.UserError
			require.ErrorAs(t, err, &told)
			require.Equal(t, "I cannot count how often this runs just now, so I do not run it. Please try again later.", told.Error())
			require.Zero(t, ran.n.Load())
			if hang {
				require.Equal(t, 2*time.Second, time.Since(begin))
				require.ErrorIs(t, err, context.DeadlineExceeded)
			} else {
				require.ErrorIs(t, err, errDown)
			}
			cfg.Open = true
			require.NoError(t, run(middleware.Quota(cfg)(ran), r))
			require.EqualValues(t, 1, ran.n.Load())
			got := records(t, out)
			require.Len(t, got, 2)
			require.Contains(t, got[0]["msg"], "the run is refused")
			require.Contains(t, got[1]["msg"], "the run passes")
		}
	})
}

func TestQuotaPanics(t *testing.T) {
	b := brain.New(memory.New())
	require.PanicsWithValue(t, "middleware: Quota: Brain is nil; give the bot's brain or a namespace of it", func() {
		middleware.Quota(middleware.QuotaConfig{Name: "x", Every: 1, Burst: 1})
	})
	require.PanicsWithValue(t, "middleware: Quota: Name is empty; name what is limited", func() {
		middleware.Quota(middleware.QuotaConfig{Brain: b, Every: 1, Burst: 1})
	})
	for _, cfg := range []middleware.QuotaConfig{
		{Brain: b, Name: "x", Burst: 1}, {Brain: b, Name: "x", Every: time.Hour}, {Brain: b, Name: "x", Every: -1, Burst: 1}, {Brain: b, Name: "x", Every: 1, Burst: -1},
		{Brain: b, Name: "x", Every: 24 * time.Hour, Burst: 1 << 40},
	} {
		require.PanicsWithValue(t, "middleware: Quota: Every and Burst must be positive, and Burst times Every at most ten years", func() { middleware.Quota(cfg) })
	}
}

// 64 goroutines, each with a brain of its own on one store as so many replicas, in fake time: in no span of time do more pass than its length allows and the
// burst, and the whole quota can be used.
func TestQuotaIsNeverExceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers, every, burst, span = 64, 10 * time.Second, 5, 10 * time.Minute
		m := memory.New()
		var mu sync.Mutex
		var passed []time.Time
		tries := 0
		ok := handler.Func(func(context.Context, *handler.Request) error {
			mu.Lock()
			defer mu.Unlock()
			passed = append(passed, time.Now())
			return nil
		})
		begin := time.Now()
		var wg sync.WaitGroup
		for w := range workers {
			cfg := middleware.QuotaConfig{Brain: brain.New(m), Name: "x", Every: every, Burst: burst, Timeout: time.Minute}
			h := middleware.Quota(cfg)(ok)
			wg.Go(func() {
				r := rand.New(rand.NewPCG(1, uint64(w)))
				for time.Since(begin) < span {
					err := run(h, request(&effects{}, "U1"))
					if err != nil {
						overQuota(t, err)
					}
					mu.Lock()
					tries++
					mu.Unlock()
					pass(time.Duration(r.Int64N(int64(3 * time.Second))))
				}
			})
		}
		wg.Wait()
		for i := range passed {
			for j := i; j < len(passed); j++ {
				allowed := burst + int(passed[j].Sub(passed[i])/every)
				require.LessOrEqual(t, j-i+1, allowed, "from %v to %v", passed[i].Sub(begin), passed[j].Sub(begin))
			}
		}
		most := burst + int(span/every)
		require.LessOrEqual(t, len(passed), most+1)
		require.GreaterOrEqual(t, len(passed), most*9/10)
		t.Logf("quota: %d tries by %d goroutines with a brain each on one store in %v: %d passed, allowed are %d", tries, workers, span, len(passed), most)
	})
}

// A restart keeps what was counted.
func TestQuotaSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "brain.db")
	for i := range 4 {
		db, err := bolt.Open(bolt.Config{Path: path})
		require.NoError(t, err)
		h := middleware.Quota(middleware.QuotaConfig{Brain: brain.New(db), Name: "x", Every: time.Hour, Burst: 2})(returns(nil))
		if err := run(h, request(&effects{}, "U1")); i < 2 {
			require.NoError(t, err)
		} else {
			overQuota(t, err)
		}
		require.NoError(t, db.Close())
	}
}

// A stamp from a clock that was far ahead, or a larger Burst of before, locks nobody for longer than a burst takes.
func TestQuotaForgivesAWrongClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := brain.New(memory.New())
		key := brain.Key("quota", "x", request(&effects{}, "U1").Event.User.Key())
		require.NoError(t, brain.Set(t.Context(), b, key, map[string]int64{"t": time.Now().Add(100 * time.Hour).UnixNano(), "n": time.Now().Add(100 * time.Hour).UnixNano()}))
		e := &effects{ephemeral: true}
		h := middleware.Quota(middleware.QuotaConfig{Brain: b, Name: "x", Every: time.Minute, Burst: 2})(returns(nil))
		overQuota(t, run(h, request(e, "U1")))
		require.Len(t, e.sent, 1)
		require.Equal(t, "That is too often. Please try again in 1m.", adapter.PlainText(e.sent[0].Text))
	})
}

func BenchmarkQuota(b *testing.B) {
	for name, open := range map[string]func() brain.Store{
		"memory": func() brain.Store { return memory.New() },
		"bolt": func() brain.Store {
			db, err := bolt.Open(bolt.Config{Path: filepath.Join(b.TempDir(), "brain.db")})
			require.NoError(b, err)
			return db
		},
	} {
		for what, burst := range map[string]int{"pass": 1 << 30, "refuse": 1} {
			b.Run(fmt.Sprint(name, "/", what), func(b *testing.B) {
				s := open()
				defer s.Close()
				every := time.Millisecond
				if what == "refuse" {
					every = time.Hour
				}
				h := middleware.Quota(middleware.QuotaConfig{Brain: brain.New(s), Name: "x", Every: every, Burst: burst})(returns(nil))
				r := request(&effects{}, "U1")
				_ = run(h, r)
				_ = run(h, r) // the refusal that is told
				b.ReportAllocs()
				for b.Loop() {
					_ = run(h, r)
				}
			})
		}
	}
}
