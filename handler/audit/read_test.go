package audit_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler/audit"
)

// interleaved makes a log of two chains whose records alternate in time, a minute apart: number 0 is the oldest.
func interleaved(t *testing.T, n int) (*memory.Store, *audit.Log) {
	t.Helper()
	m := memory.New()
	logs := []*audit.Log{open(t, m), open(t, m)}
	for i := range n {
		rec := record(i)
		rec.Delivery = fmt.Sprint(i)
		rec.Route = []string{"deploy", "restart", "status"}[i%3]
		if i%5 == 0 {
			rec.Who = audit.Person{Key: "test/T1/U2", Name: "bob"}
			rec.Phase = audit.PhaseDenied
		}
		if i == 7 {
			rec.Approvers = []audit.Person{{Key: "test/T1/U3", Name: "carol"}}
		}
		require.NoError(t, logs[i%2].Append(ctx, rec))
		time.Sleep(time.Minute)
	}
	closed(t, logs[1])
	return m, logs[0]
}

func TestFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		m, l := interleaved(t, 30)
		defer closed(t, l)
		at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
		for _, c := range []struct {
			name string
			f    audit.Filter
			want func(i int) bool
		}{
			{"all", audit.Filter{}, func(int) bool { return true }},
			{"by user", audit.Filter{User: "test/T1/U2"}, func(i int) bool { return i%5 == 0 }},
			{"by approver", audit.Filter{User: "test/T1/U3"}, func(i int) bool { return i == 7 }},
			{"a name is no key", audit.Filter{User: "alice"}, func(int) bool { return false }},
			{"by route", audit.Filter{Route: "status"}, func(i int) bool { return i%3 == 2 }},
			{"by phase", audit.Filter{Phase: audit.PhaseDenied, Route: "deploy"}, func(i int) bool { return i%15 == 0 }},
			{"since", audit.Filter{Since: at(20)}, func(i int) bool { return i >= 20 }},
			{"until", audit.Filter{Until: at(5)}, func(i int) bool { return i < 5 }},
			{"between", audit.Filter{Since: at(5), Until: at(9)}, func(i int) bool { return i >= 5 && i < 9 }},
		} {
			var want []string
			for i := 29; i >= 0; i-- {
				if c.want(i) {
					want = append(want, strconv.Itoa(i))
				}
			}
			var latest, chains []string
			for rec, err := range l.Latest(ctx, c.f) {
				require.NoError(t, err)
				latest = append(latest, rec.Delivery)
			}
			require.Equal(t, want, latest, c.name)
			for rec, err := range l.Records(ctx, c.f) {
				require.NoError(t, err)
				chains = append(chains, rec.Delivery)
			}
			require.ElementsMatch(t, want, chains, c.name)
			if len(want) > 1 {
				c.f.Limit = 2
				n := 0
				for rec, err := range l.Latest(ctx, c.f) {
					require.NoError(t, err)
					require.Equal(t, want[n], rec.Delivery)
					n++
				}
				require.Equal(t, 2, n)
				n = 0
				for range l.Records(ctx, c.f) {
					n++
				}
				require.Equal(t, 2, n)
			}
		}
		for range l.Records(ctx, audit.Filter{}) {
			break
		}
		for range l.Latest(ctx, audit.Filter{}) {
			break
		}

		// What does not verify is told of, and the rest is there.
		keys := under(t, m, "audit/record/")
		e, err := m.Get(ctx, keys[3])
		require.NoError(t, err)
		put(t, m, e.Key, append(e.Value[:10:10], e.Value[11:]...))
		remove(t, m, keys[5])
		good, bad := 0, 0
		for rec, err := range l.Latest(ctx, audit.Filter{}) {
			if err == nil {
				good++
				continue
			}
			bad++
			require.NotZero(t, rec.Seq)
			require.Contains(t, []string{"audit/record/" + rec.Writer + "/0000000000000004", "audit/record/" + rec.Writer + "/0000000000000006"}, recordOf(rec))
		}
		require.Equal(t, []int{28, 2}, []int{good, bad})
		good, bad = 0, 0
		for _, err := range l.Records(ctx, audit.Filter{}) {
			if err == nil {
				good++
			} else {
				bad++
			}
		}
		require.Equal(t, []int{28, 1}, []int{good, bad}, "that one is missing only Verify and Latest can tell")

		// Nor does a true record in the place of another one.
		put(t, m, keys[5], get(t, m, keys[6]))
		for rec, err := range l.Records(ctx, audit.Filter{}) {
			if rec.Seq == 6 && recordOf(rec) == keys[5] {
				require.ErrorContains(t, err, "it is record 7 of "+rec.Writer+": it was moved")
				good = -1
			}
		}
		require.Equal(t, -1, good)
	})
}

// An exported line carries what an outsider with the key needs to check it.
func TestExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, l := interleaved(t, 10)
		defer closed(t, l)
		var out bytes.Buffer
		n, err := l.Export(ctx, &out, audit.Filter{})
		require.NoError(t, err)
		require.Equal(t, 10, n)
		prev, writer := "", ""
		for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
			var rec audit.Record
			require.NoError(t, json.Unmarshal([]byte(line), &rec))
			mac := hmac.New(sha256.New, []byte(testKey))
			mac.Write([]byte("starling audit record 1\n" + line[:strings.LastIndex(line, `","hash":"`)]))
			require.Equal(t, hex.EncodeToString(mac.Sum(nil)), rec.Hash)
			if rec.Writer != writer {
				prev, writer = "", rec.Writer
			}
			require.Equal(t, prev, rec.Prev, i)
			prev = rec.Hash
		}
		out.Reset()
		n, err = l.Export(ctx, &out, audit.Filter{Route: "deploy", Limit: 2})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, 2, strings.Count(out.String(), "\n"))

		keys := under(t, m, "audit/record/")
		put(t, m, keys[0], []byte("{}"))
		out.Reset()
		n, err = l.Export(ctx, &out, audit.Filter{})
		require.ErrorContains(t, err, "audit: record 1 of "+writers(t, m)[0])
		require.Equal(t, 9, n)
	})
}

// Export and Import of the brain carry a log to another store, where it verifies.
func TestBrainExport(t *testing.T) {
	m := memory.New()
	l := open(t, m)
	appended(t, l, 5)
	closed(t, l)
	var out bytes.Buffer
	require.NoError(t, brain.New(m).Export(ctx, &out))
	to := memory.New()
	require.NoError(t, brain.New(to).Import(ctx, &out))
	other := open(t, to)
	require.Equal(t, 5, verify(t, other).Records)
	closed(t, other)
}

// TestVerifyFigures verifies a log of many records on bolt: STARLING_AUDIT_RECORDS (default 10,000; 100,000 for the figure).
func TestVerifyFigures(t *testing.T) {
	want := 10_000
	if raceEnabled {
		want = 2_000
	}
	if s := os.Getenv("STARLING_AUDIT_RECORDS"); s != "" {
		var err error
		want, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	db, err := bolt.Open(bolt.Config{Path: filepath.Join(t.TempDir(), "brain.db")})
	require.NoError(t, err)
	defer db.Close()
	l := open(t, db)
	defer closed(t, l)
	start := time.Now()
	left := make(chan int, want)
	for i := range want {
		left <- i
	}
	close(left)
	done := make(chan error, 64)
	for range 64 {
		go func() {
			for i := range left {
				if err := l.Append(ctx, record(i)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 64 {
		require.NoError(t, <-done)
	}
	wrote := time.Since(start)
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var peak uint64
	start = time.Now()
	r, err := l.Verify(ctx, audit.Check{Progress: func(now audit.Report) {
		if now.Records%10_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&during)
			peak = max(peak, during.HeapAlloc)
		}
	}})
	require.NoError(t, err)
	took := time.Since(start)
	require.True(t, r.OK(), r.Findings)
	require.Equal(t, want, r.Records)
	grown := int64(peak) - int64(before.HeapAlloc)
	require.Less(t, grown, int64(8<<20), "memory does not grow with the records")
	t.Logf("audit on bolt: %d records appended by 64 in %v (%.0f/s), verified in %v (%.1f us each), live heap +%d KiB meanwhile",
		want, wrote.Round(time.Millisecond), float64(want)/wrote.Seconds(), took.Round(time.Millisecond), float64(took.Microseconds())/float64(want), grown>>10)
}

func recordOf(r audit.Record) string { return fmt.Sprintf("audit/record/%s/%016d", r.Writer, r.Seq) }

func get(t *testing.T, s brain.Store, key string) []byte {
	t.Helper()
	e, err := s.Get(ctx, key)
	require.NoError(t, err)
	return e.Value
}
