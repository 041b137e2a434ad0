package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/handler"
)

// inner is an adapter in the same process: it hands its sink out and takes every message.
type inner struct {
	sink chan adapter.Sink
	sent atomic.Int64
}

func (*inner) Name() string { return adapterName }

// Features says that a repeated message is recognised, as on Slack, Discord and Mattermost: else one message at a time is
// posted, and its rate is that of the store's commits.
func (*inner) Features() adapter.Features { return adapter.Features{IdempotentSend: idempotentFor} }

func (a *inner) Run(ctx context.Context, sink adapter.Sink) error {
	a.sink <- sink
	<-ctx.Done()
	return nil
}

func (a *inner) Send(_ context.Context, m *adapter.Message) (adapter.Ref, error) {
	return adapter.Ref{Address: m.To, ID: strconv.FormatInt(a.sent.Add(1), 10)}, nil
}

// watched tells when an event is out of the store.
type watched struct {
	brain.Store
	done   func()
	window atomic.Int64 // nanoseconds that the mark of an event lives, if not as long as the bot asks for
}

func (w *watched) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if window := time.Duration(w.window.Load()); window > 0 {
		ops = slices.Clone(ops)
		for i := range ops {
			if strings.HasPrefix(ops[i].Key, "_/seen/") {
				ops[i].TTL = window
			}
		}
	}
	revs, err := w.Store.Apply(ctx, ops...)
	if err == nil && w.done != nil {
		for _, op := range ops {
			if op.Delete && strings.HasPrefix(op.Key, "_/inbox/") {
				w.done()
			}
		}
	}
	return revs, err
}

// bench is a bot on bolt in this process.
type bench struct {
	bot   *starling.Bot
	sink  adapter.Sink
	store *watched
	dir   string
	stop  func() error
}

func newBench(limits starling.Limits, done func(), add func(rt *handler.Router)) (*bench, error) {
	dir, err := os.MkdirTemp("", "campaign-")
	if err != nil {
		return nil, err
	}
	disk, err := bolt.Open(bolt.Config{Path: filepath.Join(dir, storeName)})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	a := &inner{sink: make(chan adapter.Sink, 1)}
	store := &watched{Store: disk, done: done}
	rt := handler.NewRouter()
	add(rt)
	bot, err := starling.New(starling.Config{Adapters: []adapter.Adapter{a}, Router: rt, Brain: brain.New(store), Limits: limits, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, errors.Join(err, disk.Close(), os.RemoveAll(dir))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- bot.Run(ctx) }()
	b := &bench{bot: bot, store: store, dir: dir, stop: func() error {
		cancel()
		return errors.Join(<-ended, disk.Close(), os.RemoveAll(dir))
	}}
	select {
	case b.sink = <-a.sink:
		return b, nil
	case err := <-ended:
		return nil, errors.Join(err, disk.Close(), os.RemoveAll(dir))
	}
}

// userMessage is an event of a user.
func userMessage(id, room, user, text string) *adapter.Event {
	ev := message(id, room, oneUser, text)
	ev.User.ID, ev.User.Name = user, user
	return ev
}

// floodReport: one user floods a room and others want something.
type floodReport struct {
	Run      string         `json:"run"`
	Seconds  float64        `json:"seconds"`
	Offered  uint64         `json:"offered"`
	Handled  uint64         `json:"handled"`
	Shed     uint64         `json:"shed"`
	Others   int            `json:"others"`
	Waited   percentiles    `json:"others_ms"`
	Stats    starling.Stats `json:"stats"`
	Findings []string       `json:"findings"`
}

// flood offers 10,000 events a second of one user, and one a second of each of twenty others, in one room.
func flood(ctx context.Context, d time.Duration) (*floodReport, error) {
	const rate, others = 10_000, 20
	var mu sync.Mutex
	offered := map[string]time.Time{}
	var waited []time.Duration
	b, err := newBench(starling.Limits{}, nil, func(rt *handler.Router) {
		rt.Hear(`^work`, func(ctx context.Context, r *handler.Request) error {
			if err := r.Reply(ctx, "done %s", r.Event.ID); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if at, ok := offered[r.Event.ID]; ok {
				waited = append(waited, time.Since(at))
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var wg sync.WaitGroup
	var asked atomic.Int64
	begun := time.Now()
	wg.Go(func() {
		t := time.NewTicker(time.Millisecond)
		defer t.Stop()
		for n := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
			for want := int(time.Since(begun).Seconds() * rate); n < want; n++ {
				id := "f" + strconv.Itoa(n)
				_ = b.sink(context.Background(), userMessage(id, "ROOM", "FLOOD", "work "+id)) // counted by the bot
			}
		}
	})
	for i := range others {
		user := "U" + strconv.Itoa(i)
		wg.Go(func() {
			select {
			case <-time.After(time.Duration(i) * time.Second / others):
			case <-ctx.Done():
			}
			t := time.NewTicker(time.Second)
			defer t.Stop()
			for n := 0; ctx.Err() == nil; n++ {
				id := user + "-" + strconv.Itoa(n)
				mu.Lock()
				offered[id] = time.Now()
				mu.Unlock()
				asked.Add(1)
				_ = b.sink(context.Background(), userMessage(id, "ROOM", user, "work "+id)) // counted by the bot
				select {
				case <-t.C:
				case <-ctx.Done():
				}
			}
		})
	}
	wg.Wait()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline) && b.bot.Stats().Completed < b.bot.Stats().Accepted; {
		time.Sleep(5 * time.Millisecond)
	}
	st := b.bot.Stats()
	rep := &floodReport{Run: "flood", Seconds: time.Since(begun).Seconds(), Offered: st.Offered, Handled: st.Handled, Shed: st.Shed, Others: int(asked.Load()), Stats: st}
	mu.Lock()
	rep.Waited = percentilesOf(waited)
	mu.Unlock()
	find := func(format string, args ...any) { rep.Findings = append(rep.Findings, fmt.Sprintf(format, args...)) }
	if st.Offered != st.Handled+st.Shed {
		find("offered %d is not handled %d and shed %d", st.Offered, st.Handled, st.Shed)
	}
	if rep.Waited.N != rep.Others {
		find("of %d events of the others %d were handled", rep.Others, rep.Waited.N)
	}
	if rep.Waited.P99 > 250 {
		find("the others' p99 is %.0f ms, at most 250 were promised", rep.Waited.P99)
	}
	if want := uint64(rate * d.Seconds() * 0.9); st.Offered < want {
		find("load: %d events were offered, the plan was %d", st.Offered, int(rate*d.Seconds()))
	}
	return rep, b.stop()
}

// soakReport: memory over many events.
type soakReport struct {
	Run        string   `json:"run"`
	Seconds    float64  `json:"seconds"`
	Events     int      `json:"events"`
	Rate       float64  `json:"events_per_second"`
	Window     float64  `json:"window_seconds,omitempty"` // that an event is remembered for, if not a day
	HeapAt10   uint64   `json:"heap_at_10_percent"`
	Heap       uint64   `json:"heap_at_the_end"`
	Growth     float64  `json:"growth_percent"`
	Goroutines [2]int   `json:"goroutines"`
	FileMiB    float64  `json:"file_mib"`
	Findings   []string `json:"findings"`
}

// soakSlack is what the heap may grow by where five percent of it are less (threats.md, T31). The bot itself takes some two
// megabytes; bbolt remembers some bytes of every page of its file, which holds a mark of every event for a day.
const soakSlack = 8 << 20

// soak handles n events of 64 conversations and compares the heap with that after a tenth of them. With a window, the marks
// of events end after it: the file then stops growing, as that of a bot does after its first day.
func soak(ctx context.Context, n int, window time.Duration, log io.Writer) (*soakReport, error) {
	const conversations, progress = 64, 10
	begun := time.Now()
	l, err := newLoad(conversations)
	if err != nil {
		return nil, err
	}
	l.store.window.Store(int64(window))
	rep := &soakReport{Run: "soak", Events: n, Window: window.Seconds()}
	measure := func() (uint64, int) {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what finalizers let go
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, runtime.NumGoroutine()
	}
	var first, last time.Duration // of the tenths
	for i := range progress {
		tenth := time.Now()
		if err := l.offer(ctx, n/progress); err != nil {
			return nil, errors.Join(err, l.stop())
		}
		last = time.Since(tenth)
		if i == 0 {
			first = last
		}
		heap, routines := measure()
		if i == 0 {
			rep.HeapAt10, rep.Goroutines[0] = heap, routines
		}
		rep.Heap, rep.Goroutines[1] = heap, routines
		info, err := os.Stat(filepath.Join(l.dir, storeName))
		if err != nil {
			return nil, errors.Join(err, l.stop())
		}
		rep.FileMiB = float64(info.Size()) / (1 << 20)
		fmt.Fprintf(log, "%6.1fs %d events, heap %.2f MiB, %d goroutines, file %.0f MiB\n", time.Since(begun).Seconds(), (i+1)*n/progress, float64(heap)/(1<<20), routines, rep.FileMiB)
	}
	rep.Seconds = time.Since(begun).Seconds()
	rep.Rate = float64(n) / rep.Seconds
	rep.Growth = (float64(rep.Heap)/float64(rep.HeapAt10) - 1) * 100
	if rep.Growth > 5 && rep.Heap > rep.HeapAt10+soakSlack {
		rep.Findings = append(rep.Findings, fmt.Sprintf("the heap grew by %.1f %%, at most 5 were promised", rep.Growth))
	}
	if last > 2*first {
		rep.Findings = append(rep.Findings, fmt.Sprintf("the last tenth took %v, the first %v", last, first))
	}
	if rep.Goroutines[1] > rep.Goroutines[0]+10 {
		rep.Findings = append(rep.Findings, fmt.Sprintf("goroutines grew from %d to %d", rep.Goroutines[0], rep.Goroutines[1]))
	}
	return rep, l.stop()
}

// load is a bench with conversations that ask one thing after the other and get one reply each.
type load struct {
	*bench
	conversations int
	next          int
	done          atomic.Int64
}

func newLoad(conversations int) (*load, error) {
	l := &load{conversations: conversations}
	var err error
	l.bench, err = newBench(unlimited(), func() { l.done.Add(1) }, func(rt *handler.Router) {
		rt.Hear(`^work`, func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "done %s", r.Event.ID) })
	})
	return l, err
}

// stalled is how long nothing is completed before a load is given up.
const stalled = 20 * time.Second

// offer offers n events and waits until all are out of the store.
func (l *load) offer(ctx context.Context, n int) error {
	want := l.done.Load() + int64(n/l.conversations*l.conversations)
	var wg sync.WaitGroup
	errs := make([]error, l.conversations)
	for c := range l.conversations {
		wg.Go(func() {
			room := "R" + strconv.Itoa(c)
			for i := range n / l.conversations {
				if ctx.Err() != nil {
					return
				}
				id := room + "-" + strconv.Itoa(l.next+i)
				if err := l.sink(ctx, message(id, room, oneUser, "work on this, please")); err != nil {
					errs[c] = err
					return
				}
			}
		})
	}
	wg.Wait()
	l.next += n
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return err
	}
	for last, since := int64(-1), time.Now(); l.done.Load() < want; time.Sleep(time.Millisecond) {
		switch n := l.done.Load(); {
		case n != last:
			last, since = n, time.Now()
		case time.Since(since) > stalled:
			return fmt.Errorf("of %d events %d were completed, and none for %v: %+v", want, n, stalled, l.bot.Stats())
		}
	}
	return nil
}

// throughputReport: what durable delivery costs on bolt.
type throughputReport struct {
	Run      string   `json:"run"`
	Rate     float64  `json:"events_per_second"` // 64 conversations, one reply each
	Plain    float64  `json:"one_update_per_call"`
	Ratio    float64  `json:"ratio"`
	LoneMs   float64  `json:"lone_event_p50_ms"`
	WriteMs  float64  `json:"bolt_write_p50_ms"`
	Times    float64  `json:"lone_event_in_writes"`
	BurstSec float64  `json:"burst_seconds"` // 10,000 events of 10 ms over 100 conversations
	Disorder int      `json:"burst_disorder"`
	Findings []string `json:"findings"`
}

func throughput(ctx context.Context, log io.Writer) (*throughputReport, error) {
	rep := &throughputReport{Run: "throughput"}
	find := func(format string, args ...any) { rep.Findings = append(rep.Findings, fmt.Sprintf(format, args...)) }
	short := func() bool { return rep.Rate < 5000 && rep.Ratio < 5000.0/600 }
	for try := 0; try < 3 && (try == 0 || short()); try++ { // others use the machine too
		rate, err := eventRate(ctx)
		if err != nil {
			return nil, err
		}
		plain, err := plainRate()
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(log, "%.0f events a second, %.0f with one Update per call: %.1f times\n", rate, plain, rate/plain)
		if rate/plain > rep.Ratio {
			rep.Rate, rep.Plain, rep.Ratio = rate, plain, rate/plain
		}
	}
	for try := 0; try < 3 && (try == 0 || rep.Times > 4); try++ {
		lone, write, err := loneEvent(ctx)
		if err != nil {
			return nil, err
		}
		rep.LoneMs, rep.WriteMs = float64(lone.Microseconds())/1000, float64(write.Microseconds())/1000
		rep.Times = float64(lone) / float64(write)
		fmt.Fprintf(log, "a lone event %v, one write %v: %.2f times\n", lone, write, rep.Times)
	}
	for try := 0; try < 3 && (try == 0 || rep.BurstSec > 2.2); try++ {
		took, disorder, err := burst(ctx)
		if err != nil {
			return nil, err
		}
		rep.BurstSec = took.Seconds()
		rep.Disorder = max(rep.Disorder, disorder)
		fmt.Fprintf(log, "10,000 events of 10 ms: %v, %d out of order\n", took, disorder)
	}
	if short() {
		find("%.0f events a second, %.1f times one Update per call: 5000 were promised where one Update per call gives 600", rep.Rate, rep.Ratio)
	}
	if rep.Times > 4 {
		find("a lone event takes %.2f bolt writes, at most 4 were promised", rep.Times)
	}
	if rep.BurstSec > 2.2 {
		find("10,000 events of 10 ms took %.2f s, at most 2.2 were promised", rep.BurstSec)
	}
	if rep.Disorder > 0 {
		find("%d events were out of order", rep.Disorder)
	}
	return rep, nil
}

// eventRate measures 64 conversations.
func eventRate(ctx context.Context) (float64, error) {
	const conversations, each = 64, 300
	l, err := newLoad(conversations)
	if err != nil {
		return 0, err
	}
	if err := l.offer(ctx, conversations*20); err != nil { // warm
		return 0, errors.Join(err, l.stop())
	}
	begun := time.Now()
	err = l.offer(ctx, conversations*each)
	took := time.Since(begun)
	return conversations * each / took.Seconds(), errors.Join(err, l.stop())
}

// plainRate measures the same writes, one synced transaction each, of 64 goroutines.
func plainRate() (rate float64, err error) {
	db, done, err := openPlain()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, done()) }()
	const writers, each = 64, 15
	var wg sync.WaitGroup
	errs := make([]error, writers)
	begun := time.Now()
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				id := strconv.Itoa(w) + "-" + strconv.Itoa(i)
				errs[w] = errors.Join(errs[w],
					write(db, "_/inbox/"+id, 400, "_/seen/"+id, 1), // accept
					write(db, "_/run/"+id, 500, "", 0),             // attempt
					write(db, "_/inbox/"+id, 0, "_/run/"+id, 0))    // complete
			}
		})
	}
	wg.Wait()
	return writers * each / time.Since(begun).Seconds(), errors.Join(errs...)
}

func openPlain() (*bbolt.DB, func() error, error) {
	dir, err := os.MkdirTemp("", "campaign-")
	if err != nil {
		return nil, nil, err
	}
	db, err := bbolt.Open(filepath.Join(dir, "plain.db"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoStatistics: true})
	if err == nil {
		err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("b")); return err })
	}
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return db, func() error { return errors.Join(db.Close(), os.RemoveAll(dir)) }, nil
}

// write writes two keys of so many bytes in one transaction; 0 bytes delete.
func write(db *bbolt.DB, k1 string, n1 int, k2 string, n2 int) error {
	return db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("b"))
		one := func(k string, n int) error {
			switch {
			case k == "":
				return nil
			case n == 0:
				return b.Delete([]byte(k))
			}
			return b.Put([]byte(k), []byte(strings.Repeat("v", n)))
		}
		return errors.Join(one(k1, n1), one(k2, n2))
	})
}

// loneEvent measures an event with one reply from the sink until it is out of the store, and a plain bolt write, in turns.
func loneEvent(ctx context.Context) (event, plain time.Duration, err error) {
	done := make(chan struct{}, 1)
	b, err := newBench(unlimited(), func() { done <- struct{}{} }, func(rt *handler.Router) {
		rt.Hear(`^work`, func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "done %s", r.Event.ID) })
	})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	db, closeDB, err := openPlain()
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, closeDB()) }()
	var events, writes []time.Duration
	for i := range 400 {
		begun := time.Now()
		if err := write(db, "k"+strconv.Itoa(i%100), 400, "", 0); err != nil {
			return 0, 0, err
		}
		middle := time.Now()
		if err := b.sink(ctx, message(strconv.Itoa(i), "R", oneUser, "work on this, please")); err != nil {
			return 0, 0, err
		}
		<-done
		writes, events = append(writes, middle.Sub(begun)), append(events, time.Since(middle))
	}
	slices.Sort(events)
	slices.Sort(writes)
	return events[len(events)/2], writes[len(writes)/2], nil
}

// burst offers 10,000 events of 10 ms of 100 conversations at once.
func burst(ctx context.Context) (took time.Duration, disorder int, err error) {
	const events, rooms = 10_000, 100
	var mu sync.Mutex
	last := map[string]int{}
	var left sync.WaitGroup
	left.Add(events)
	b, err := newBench(unlimited(), nil, func(rt *handler.Router) {
		rt.Hear(`^work \d+$`, func(ctx context.Context, r *handler.Request) error {
			defer left.Done()
			n := number(r)
			mu.Lock()
			if n != last[r.Event.Room.ID]+1 {
				disorder++
			}
			last[r.Event.Room.ID] = n
			mu.Unlock()
			return sleep(ctx, 10*time.Millisecond)
		})
	})
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	var wg sync.WaitGroup
	errs := make([]error, rooms)
	for c := range rooms {
		wg.Go(func() {
			room := "R" + strconv.Itoa(c)
			for i := range events / rooms {
				if err := b.sink(ctx, message(room+"-"+strconv.Itoa(i), room, oneUser, "work "+strconv.Itoa(i+1))); err != nil {
					errs[c] = err
					left.Add(i - events/rooms)
					return
				}
			}
		})
	}
	wg.Wait()
	left.Wait()
	return time.Since(begun), disorder, errors.Join(append(errs, b.stop())...)
}
