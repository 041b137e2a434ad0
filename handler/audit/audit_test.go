package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
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
	"github.com/starlingbot/starling/handler/audit"
	"github.com/starlingbot/starling/internal/canary"
)

var ctx = context.Background()

const testKey = "cnrymark: a key of at least thirty-two bytes for tests"

// open makes a log in the namespace "audit" of a store; the test closes it.
func open(t testing.TB, s brain.Store, change ...func(*audit.Config)) *audit.Log {
	t.Helper()
	cfg := audit.Config{Brain: brain.New(s).Namespace("audit"), Key: handler.NewSecret(testKey), Logger: canary.Logger()}
	for _, f := range change {
		f(&cfg)
	}
	l, err := audit.New(cfg)
	require.NoError(t, err)
	if canary.On() {
		t.Cleanup(func() { recorded(s) })
	}
	return l
}

// recorded writes what is in the log into the outputs.
func recorded(s brain.Store) {
	for e, err := range s.List(ctx, "") {
		if err != nil { // it was closed, or fails on purpose
			canary.Write(canary.Audit, fmt.Appendf(nil, "not read: %v\n", err))
			return
		}
		canary.Write(canary.Audit, fmt.Appendf(nil, "%s %s\n", e.Key, e.Value))
	}
}

func closed(t testing.TB, l *audit.Log) {
	t.Helper()
	require.NoError(t, l.Close(ctx))
}

// record makes a record number n of alice's.
func record(n int) audit.Record {
	return audit.Record{
		Phase: audit.PhaseBefore, Delivery: fmt.Sprint("test/E", n), Correlation: handler.CorrelationID(fmt.Sprint(n)), Who: audit.Person{Key: "test/T1/U1", Name: "alice"},
		Room: adapter.Address{Adapter: "test", Room: "C1"}, Route: "deploy", Command: "deploy api to prod", Args: map[string]string{"service": "api", "env": "prod"},
		Decision: "allowed", Rule: "role deployer", Duration: time.Duration(n) * time.Millisecond,
	}
}

func appended(t testing.TB, l *audit.Log, n int) {
	t.Helper()
	for i := range n {
		require.NoError(t, l.Append(ctx, record(i)))
	}
}

// verify wants a report without findings.
func verify(t testing.TB, l *audit.Log) audit.Report {
	t.Helper()
	r, err := l.Verify(ctx, audit.Check{})
	require.NoError(t, err)
	require.True(t, r.OK(), "%v", r.Findings)
	return r
}

// found wants findings, one of which contains want.
func found(t testing.TB, l *audit.Log, want string) audit.Report {
	t.Helper()
	r, err := l.Verify(ctx, audit.Check{})
	require.NoError(t, err)
	require.False(t, r.OK(), "nothing was found, want %q", want)
	require.Contains(t, fmt.Sprint(r.Findings), want)
	return r
}

// all lists a store.
func all(t testing.TB, s brain.Store) []brain.Entry {
	t.Helper()
	var out []brain.Entry
	for e, err := range s.List(ctx, "") {
		require.NoError(t, err)
		out = append(out, e)
	}
	return out
}

// copyOf makes a store with the same keys and values.
func copyOf(t testing.TB, s brain.Store) *memory.Store {
	t.Helper()
	m := memory.New()
	for _, e := range all(t, s) {
		put(t, m, e.Key, e.Value)
	}
	return m
}

func put(t testing.TB, s brain.Store, key string, value []byte) {
	t.Helper()
	_, err := s.Apply(ctx, brain.Op{Key: key, Value: value, If: brain.Any})
	require.NoError(t, err)
}

func remove(t testing.TB, s brain.Store, keys ...string) {
	t.Helper()
	for _, key := range keys {
		_, err := s.Apply(ctx, brain.Op{Key: key, If: brain.Any, Delete: true})
		require.NoError(t, err)
	}
}

// under gives the keys of s that begin with prefix.
func under(t testing.TB, s brain.Store, prefix string) []string {
	t.Helper()
	var out []string
	for _, e := range all(t, s) {
		if strings.HasPrefix(e.Key, prefix) {
			out = append(out, e.Key)
		}
	}
	return out
}

func TestAppendAndRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		l := open(t, m)
		defer closed(t, l)
		want := record(7)
		want.Approvers = []audit.Person{{Key: "test/T1/U2", Name: "bob"}}
		want.Error = strings.Repeat("é", 5000)
		require.NoError(t, l.Append(ctx, want))
		time.Sleep(time.Second)
		require.NoError(t, l.Append(ctx, audit.Record{Phase: audit.PhaseRole}))

		var got []audit.Record
		for rec, err := range l.Records(ctx, audit.Filter{}) {
			require.NoError(t, err)
			got = append(got, rec)
		}
		require.Len(t, got, 2)
		require.Equal(t, []uint64{1, 2}, []uint64{got[0].Seq, got[1].Seq})
		require.Equal(t, got[0].Hash, got[1].Prev)
		require.Empty(t, got[0].Prev)
		require.Len(t, got[0].Hash, 64)
		require.Equal(t, time.Second, got[1].Time.Sub(got[0].Time))
		require.Equal(t, strings.Repeat("é", 2048)+"... (10000 bytes)", got[0].Error)
		same := got[0]
		same.Writer, same.Seq, same.Time, same.Anchor, same.Prev, same.Hash, same.Error = "", 0, time.Time{}, 0, "", "", want.Error
		require.Equal(t, want, same)
		require.Len(t, under(t, m, "audit/record/"+got[0].Writer+"/"), 2)
		require.Equal(t, "audit/record/"+got[0].Writer+"/0000000000000001", under(t, m, "audit/record/")[0])

		r := verify(t, l)
		require.Equal(t, []int{2, 1, 1}, []int{r.Records, r.Chains, r.Anchors})
	})
}

func TestAppendRefuses(t *testing.T) {
	l := open(t, memory.New())
	require.ErrorContains(t, l.Append(ctx, audit.Record{}), "no phase")
	long := record(1)
	long.Rule = strings.Repeat("x", 130<<10) // what people type is cut
	require.ErrorContains(t, l.Append(ctx, long), "the limit is 131072")
	appended(t, l, 3)
	require.Equal(t, 3, verify(t, l).Records, "what was refused leaves no gap")
	closed(t, l)
	require.ErrorIs(t, l.Append(ctx, record(1)), audit.ErrClosed)
	closed(t, l)
}

func TestNewRefuses(t *testing.T) {
	b := brain.New(memory.New())
	for want, cfg := range map[string]audit.Config{
		"Config.Brain is nil":     {Key: handler.NewSecret(testKey)},
		"key number 1 has 0":      {Brain: b},
		"key number 1 has 31":     {Brain: b, Key: handler.NewSecret(testKey[:31])},
		"key number 2 has 5":      {Brain: b, Key: handler.NewSecret(testKey), OldKeys: []handler.Secret{handler.NewSecret("short")}},
		"must not be negative":    {Brain: b, Key: handler.NewSecret(testKey), Retention: -1},
		"AnchorEvery and Timeout": {Brain: b, Key: handler.NewSecret(testKey), Timeout: -1},
	} {
		_, err := audit.New(cfg)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), testKey[:8])
	}
}

func TestConcurrentAppends(t *testing.T) {
	const appenders, each = 64, 100
	m := memory.New()
	l := open(t, m)
	var wg sync.WaitGroup
	start := time.Now()
	for a := range appenders {
		wg.Go(func() {
			for i := range each {
				require.NoError(t, l.Append(ctx, audit.Record{Phase: audit.PhaseAfter, Delivery: fmt.Sprint(a), Duration: time.Duration(i)}))
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	closed(t, l)
	r := verify(t, l)
	require.Equal(t, appenders*each, r.Records)
	last := map[string]time.Duration{}
	for rec, err := range l.Records(ctx, audit.Filter{}) {
		require.NoError(t, err)
		if rec.Duration > 0 {
			require.Equal(t, last[rec.Delivery]+1, rec.Duration, "the records of one appender are in its order")
		}
		last[rec.Delivery] = rec.Duration
	}
	t.Logf("audit: %d records by %d appenders in %v (memory)", r.Records, appenders, took.Round(time.Millisecond))
}

// Two processes at once on one store: two chains, one list of anchors.
func TestTwoWriters(t *testing.T) {
	m := memory.New()
	one, two := open(t, m), open(t, m)
	var wg sync.WaitGroup
	for _, l := range []*audit.Log{one, two} {
		for range 4 {
			wg.Go(func() { appended(t, l, 50) })
		}
	}
	wg.Wait()
	verify(t, one)
	closed(t, one)
	verify(t, two)
	closed(t, two)
	r := verify(t, two)
	require.Equal(t, []int{400, 2, 4}, []int{r.Records, r.Chains, r.Anchors})
}

// Verify may run while others append.
func TestVerifyWhileAppending(t *testing.T) {
	m := memory.New()
	l := open(t, m)
	other := open(t, m)
	var at atomic.Int64
	var wg sync.WaitGroup
	for _, w := range []*audit.Log{l, other} {
		for range 2 {
			wg.Go(func() {
				for i := range 500 {
					require.NoError(t, w.Append(ctx, record(i)))
					at.Add(1)
				}
			})
		}
	}
	runs := 0
	for at.Load() < 2000 {
		verify(t, l)
		runs++
	}
	require.Positive(t, runs)
	wg.Wait()
	closed(t, l)
	closed(t, other)
	verify(t, l)
}

func TestAnchorsEveryMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		l := open(t, m)
		defer closed(t, l)
		appended(t, l, 1)
		require.Equal(t, 1, verify(t, l).Anchors, "one with the first record")
		time.Sleep(61 * time.Second)
		require.Equal(t, 1, verify(t, l).Anchors, "nothing new: no other")
		appended(t, l, 1)
		time.Sleep(60 * time.Second)
		require.Equal(t, 2, verify(t, l).Anchors)
		time.Sleep(10 * time.Minute)
		require.Equal(t, 2, verify(t, l).Anchors)
		closed(t, l)
		r := verify(t, l)
		require.Equal(t, 3, r.Anchors)
		require.Equal(t, audit.EventClose, r.Last.Event)
		require.EqualValues(t, 2, r.Last.Seq)
		idle := open(t, m)
		time.Sleep(2 * time.Minute)
		closed(t, idle)
		require.Equal(t, 3, verify(t, l).Anchors, "who writes nothing leaves nothing")
	})
}

// A process that is gone without a last anchor gets one from another process.
func TestAnchorsForTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		dead := open(t, m)
		defer closed(t, dead)
		appended(t, dead, 5)
		state := copyOf(t, m) // the process has died here
		l := open(t, state)
		defer closed(t, l)
		time.Sleep(10 * time.Minute)
		appended(t, l, 1)
		time.Sleep(2 * time.Hour)
		r := verify(t, l)
		require.Equal(t, []int{6, 2}, []int{r.Records, r.Chains})
		events := map[audit.Event]int{}
		for _, key := range under(t, state, "audit/anchor/") {
			e, err := state.Get(ctx, key)
			require.NoError(t, err)
			for _, ev := range []audit.Event{audit.EventBegin, audit.EventHead} {
				if strings.Contains(string(e.Value), `"event":"`+string(ev)+`"`) {
					events[ev]++
				}
			}
		}
		// The five of the dead came in several batches, the first of which was anchored as it began.
		require.Equal(t, map[audit.Event]int{audit.EventBegin: 2, audit.EventHead: 1}, events)
	})
}

func TestKeysChange(t *testing.T) {
	m := memory.New()
	l := open(t, m)
	appended(t, l, 3)
	closed(t, l)
	newKey := handler.NewSecret("cnrymark: another key of at least thirty-two bytes")
	both := open(t, m, func(c *audit.Config) { c.Key, c.OldKeys = newKey, []handler.Secret{c.Key} })
	appended(t, both, 3)
	closed(t, both)
	require.Equal(t, 6, verify(t, both).Records)
	only := open(t, m, func(c *audit.Config) { c.Key = newKey })
	found(t, only, "Config.OldKeys lacks that key")
	require.ErrorContains(t, open(t, copyOf(t, m), func(c *audit.Config) { c.Key = handler.NewSecret(testKey) }).Append(ctx, record(1)), "does not verify")
	closed(t, only)
}

func TestSinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		var got []audit.Record
		var failures atomic.Int64
		stuck := make(chan struct{})
		l := open(t, memory.New(), func(c *audit.Config) {
			c.Sinks = []audit.Sink{
				audit.Slog(slog.New(slog.NewTextHandler(&text, nil))),
				audit.SinkFunc(func(_ context.Context, r audit.Record) error { got = append(got, r); return nil }),
				audit.SinkFunc(func(context.Context, audit.Record) error { return errors.New("no disk") }),
				audit.SinkFunc(func(context.Context, audit.Record) error { panic("a sink") }),
				audit.SinkFunc(func(context.Context, audit.Record) error { <-stuck; return nil }),
			}
			c.Logger = slog.New(counting{&failures})
		})
		defer closed(t, l)
		release := sync.OnceFunc(func() { close(stuck) })
		defer release()
		appended(t, l, 3)
		synctest.Wait()
		require.Len(t, got, 3)
		require.EqualValues(t, 3, got[2].Seq)
		require.EqualValues(t, 6, l.SinkFailures())
		require.EqualValues(t, 2, failures.Load(), "one warning for each sink a minute")
		require.Contains(t, text.String(), "command=\"deploy api to prod\"")
		require.Contains(t, text.String(), "anchor=1:"+verify(t, l).Last.Hash)

		// A sink that is stuck holds nobody up, and its queue is bounded.
		before := l.SinkFailures()
		for range 11 {
			appended(t, l, 100)
			synctest.Wait()
		}
		require.EqualValues(t, 2*1100+79, l.SinkFailures()-before, "its queue takes 1,024, and three were in it before")
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		require.ErrorContains(t, l.Close(short), "1024 records wait for sinks that are slow")
		release()
		synctest.Wait()
		require.Equal(t, 1103, verify(t, l).Records)
	})
}

// counting is a slog.Handler that counts errors.
type counting struct{ n *atomic.Int64 }

func (counting) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (c counting) Handle(context.Context, slog.Record) error  { c.n.Add(1); return nil }
func (c counting) WithAttrs([]slog.Attr) slog.Handler         { return c }
func (c counting) WithGroup(string) slog.Handler              { return c }

// No form of a handler.Secret gives its value to the log, the brain or a sink; nor does the log show its key.
func TestSecrets(t *testing.T) {
	const canary = "cnrymark-9b1d7e"
	secret := handler.NewSecret(canary)
	m := memory.New()
	var out strings.Builder
	l := open(t, m, func(c *audit.Config) { c.Sinks = []audit.Sink{audit.Slog(slog.New(slog.NewJSONHandler(&out, nil)))} })
	text, err := secret.MarshalText()
	require.NoError(t, err)
	rec := record(1)
	rec.Command = fmt.Sprintf("login %s", secret)
	rec.Args = map[string]string{"a": fmt.Sprint(secret), "b": fmt.Sprintf("%#v %q %x", secret, secret, secret), "c": string(text)}
	rec.Error = fmt.Errorf("login with %v: failed", secret).Error()
	require.NoError(t, l.Append(ctx, rec))
	closed(t, l) // and with it the sink, which writes to out as well
	_, err = l.Export(ctx, &out, audit.Filter{})
	require.NoError(t, err)
	fmt.Fprintf(&out, "%v %+v %#v %v", l, l, l, audit.Config{Key: handler.NewSecret(testKey)})
	for _, e := range all(t, m) {
		out.Write(e.Value)
	}
	require.Contains(t, out.String(), "login [secret]")
	for _, s := range []string{canary, fmt.Sprintf("%x", canary), testKey[:10], fmt.Sprint([]byte(testKey[:10]))[1:30], "0x63, 0x6e, 0x72"} {
		require.NotContains(t, out.String(), s)
	}
}

// What is kept outside of the brain says all that the record says: the reason of who passed an approval over, too.
func TestSlogHasAllOfARecord(t *testing.T) {
	var out strings.Builder
	rec := audit.Record{
		Writer: "w-1", Seq: 987654, Time: time.Unix(1_700_000_000, 0).UTC(), Phase: "phase-1", Delivery: "delivery-1", Correlation: "correlation-1",
		Who: audit.Person{Key: "key-1", Name: "name-1"}, Room: adapter.Address{Adapter: "chat", Room: "room-1"}, Route: "route-1", Command: "command-1",
		Args: map[string]string{"arg": "value-1"}, Decision: "decision-1", Rule: "rule-1", Approvers: []audit.Person{{Key: "key-2", Name: "name-2"}}, Outcome: "outcome-1",
		Reason: "reason-1", Duration: 123456 * time.Nanosecond, Error: "error-1", Anchor: 1, Prev: "prev-1", Hash: "hash-1",
	}
	for v, i := reflect.ValueOf(rec), 0; i < v.NumField(); i++ {
		require.False(t, v.Field(i).IsZero(), "%s is new: give it a value here, and have Slog write it", v.Type().Field(i).Name)
	}
	require.NoError(t, audit.Slog(slog.New(slog.NewJSONHandler(&out, nil))).Record(ctx, rec))
	for _, want := range []string{
		"w-1", "987654", "2023-11-14T22:13:20Z", "phase-1", "delivery-1", "correlation-1", "key-1", "name-1", "chat/room-1", "route-1", "command-1", `"arg":"value-1"`, "decision-1",
		"rule-1", "key-2", "name-2", "outcome-1", "reason-1", "123456", "error-1", "hash-1",
	} {
		require.Contains(t, out.String(), want)
	}
}

// A route is found by its whole id and by the last part of it, and not by a part of a word.
func TestFilterRoute(t *testing.T) {
	l := open(t, memory.New())
	for _, route := range []string{"services/deploy", "deploy", "redeploy", "services/deploy/undo"} {
		require.NoError(t, l.Append(ctx, audit.Record{Phase: audit.PhaseAfter, Route: route}))
	}
	for route, want := range map[string][]string{
		"deploy": {"services/deploy", "deploy"}, "services/deploy": {"services/deploy"}, "undo": {"services/deploy/undo"}, "ploy": nil, "services": nil,
	} {
		var got []string
		for rec, err := range l.Records(ctx, audit.Filter{Route: route}) {
			require.NoError(t, err)
			got = append(got, rec.Route)
		}
		require.Equal(t, want, got, route)
	}
	closed(t, l)
}
