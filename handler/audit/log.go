package audit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// Config says where the log is kept, under which key and for how long.
type Config struct {
	// Brain keeps the log. Give it a namespace of its own: state.Namespace("audit"). Required.
	Brain *brain.Brain
	// Key signs: at least 32 random bytes, as text. Keep it where the brain is not: who has both can rewrite the log. Required.
	Key handler.Secret
	// OldKeys verify what was signed before Key was changed.
	OldKeys []handler.Secret
	// Retention is how long records are kept; 0 is for ever.
	Retention time.Duration
	// AnchorEvery is the time between anchors of a chain that grows. 0 is one minute.
	AnchorEvery time.Duration
	// Timeout bounds one attempt to write to the brain. 0 is 5 s.
	Timeout time.Duration
	// Sinks get copies. The brain always has the log.
	Sinks []Sink
	// Logger is told what fails behind the scenes. nil is slog.Default.
	Logger *slog.Logger
}

// The bounds.
const (
	maxRecord  = 128 << 10 // bytes of one stored record
	maxError   = 4 << 10   // bytes of Record.Error, and of Record.Reason
	maxTyped   = 6 << 10   // bytes of Record.Command, and of all Record.Args
	minTyped   = 64        // bytes of each of Args
	maxName    = 256       // bytes of Record.Who.Name
	queueSize  = 512       // appends that wait; more wait for room
	batchSize  = brain.MaxOps - 3
	batchBytes = brain.MaxApply - 16<<10
	writeTries = 16 // for one batch, when others change the head or the list of anchors meanwhile
)

// ErrClosed is the error of Append after Close.
var ErrClosed = errors.New("audit: the log is closed")

// Log is an audit log. Make it with [New] and end it with [Log.Close]. Its methods may be called concurrently, and several
// processes may share one brain: each writes a chain of its own.
type Log struct {
	cfg  Config
	ring *ring
	log  *slog.Logger

	door   sync.RWMutex // held for reading while an append enters the queue
	closed bool         // guarded by door
	queue  chan *request
	done   chan struct{} // closed when the writer has ended

	feeds []*feed
	lost  atomic.Uint64
	sinks sync.WaitGroup

	stop    context.CancelFunc // ends the sweeper
	sweeper sync.WaitGroup

	w writer // owned by the writer's goroutine

	mu  sync.Mutex
	own own // what this process knows to be stored
}

// own is what this process has written or seen, which a log that was put back cannot have less of.
type own struct {
	head head
	n    uint64 // of anchors
}

// request is one Append.
type request struct {
	rec  Record
	done chan error // has room for the answer
}

// New makes a log and starts its goroutines; Close ends them. It does no I/O: the first Append begins the chain.
func New(cfg Config) (*Log, error) {
	if cfg.Brain == nil {
		return nil, errors.New("audit: Config.Brain is nil; give it a namespace of the bot's brain, such as state.Namespace(\"audit\")")
	}
	ring, err := newRing(cfg.Key, cfg.OldKeys)
	if err != nil {
		return nil, err
	}
	if cfg.Retention < 0 || cfg.AnchorEvery < 0 || cfg.Timeout < 0 {
		return nil, errors.New("audit: Config.Retention, AnchorEvery and Timeout must not be negative")
	}
	if cfg.AnchorEvery == 0 {
		cfg.AnchorEvery = time.Minute
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	l := &Log{cfg: cfg, ring: ring, log: cfg.Logger, queue: make(chan *request, queueSize), done: make(chan struct{})}
	if l.log == nil {
		l.log = slog.Default()
	}
	for _, s := range cfg.Sinks {
		f := &feed{sink: s, queue: make(chan any, sinkQueue), log: l.log, lost: &l.lost}
		l.feeds = append(l.feeds, f)
		l.sinks.Go(f.run)
	}
	l.w = writer{l: l}
	l.w.reset()
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	l.sweeper.Go(func() { l.sweepLoop(ctx) })
	go l.writeLoop()
	return l, nil
}

// Append writes a record and returns when it is in the brain. An error means that it may not be there: what must not happen
// without a record must not happen. (It may be there all the same: the outcome of a write to a store that does not answer
// is unknown, and a record that was on its way may land later.) Records of one process are stored in the order in which
// their Appends got into the queue.
//
// Errors: ErrClosed; no phase; a record of more than 128 KiB; the end of ctx; an error of the brain; a list of anchors that
// does not verify, after which nothing is written any more.
func (l *Log) Append(ctx context.Context, r Record) error {
	if r.Phase == "" {
		return errors.New("audit: append: the record has no phase")
	}
	r.bound()
	req := &request{rec: r, done: make(chan error, 1)}
	if err := l.enqueue(ctx, req); err != nil {
		return err
	}
	select {
	case err := <-req.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("audit: append: gave up waiting; the record may be written or not: %w", ctx.Err())
	}
}

// bound cuts what people have typed, so that nobody can make a record too large to be written. JSON makes at most 6 bytes of one.
func (r *Record) bound() {
	r.Command, r.Who.Name, r.Error, r.Reason = short(r.Command, maxTyped), short(r.Who.Name, maxName), cut(r.Error), cut(r.Reason)
	left := maxTyped
	var args map[string]string
	for _, name := range slices.Sorted(maps.Keys(r.Args)) {
		value := short(r.Args[name], max(left, minTyped))
		left -= len(value)
		if args == nil {
			args = make(map[string]string, len(r.Args))
		}
		args[name] = value
	}
	r.Args = args
}

// short cuts s and says how much it was and its digest, so that two that differ stay different.
func short(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + fmt.Sprintf("... (%d bytes, sha256 %x)", len(s), sha256.Sum256([]byte(s)))
}

// cut cuts an explanation and says how much it was.
func cut(s string) string {
	if len(s) <= maxError {
		return s
	}
	return strings.ToValidUTF8(s[:maxError], "") + fmt.Sprintf("... (%d bytes)", len(s))
}

func (l *Log) enqueue(ctx context.Context, req *request) error {
	l.door.RLock()
	defer l.door.RUnlock()
	if l.closed {
		return ErrClosed
	}
	select {
	case l.queue <- req:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("audit: append: gave up waiting for room in the queue; the record is not written: %w", ctx.Err())
	}
}

// SinkFailures counts the records and anchors that a sink has not taken.
func (l *Log) SinkFailures() uint64 { return l.lost.Load() }

// Close writes what is queued and a last anchor, and ends the goroutines; the brain stays open. It waits for the writer,
// and for the sinks until ctx ends: what they have not taken by then is counted as failed and an error. A second Close
// returns nil.
func (l *Log) Close(ctx context.Context) error {
	l.door.Lock()
	if l.closed {
		l.door.Unlock()
		<-l.done
		return nil
	}
	l.closed = true
	close(l.queue)
	l.door.Unlock()
	l.stop()
	l.sweeper.Wait()
	<-l.done
	err := l.w.last
	for _, f := range l.feeds {
		close(f.queue)
	}
	ended := make(chan struct{})
	go func() { l.sinks.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		waiting := 0
		for _, f := range l.feeds {
			waiting += len(f.queue)
		}
		err = errors.Join(err, fmt.Errorf("audit: close: %d records wait for sinks that are slow: %w", waiting, ctx.Err()))
	}
	return err
}

// writeLoop is the one goroutine that writes the chain of this process.
func (l *Log) writeLoop() {
	defer close(l.done)
	tick := time.NewTicker(l.cfg.AnchorEvery)
	defer tick.Stop()
	batch := make([]*request, 0, batchSize)
	for {
		select {
		case first, ok := <-l.queue:
			if !ok {
				l.w.last = l.w.close()
				return
			}
			l.w.append(l.gather(append(batch[:0], first)))
			clear(batch)
		case <-tick.C:
			if err := l.w.anchor(EventHead); err != nil {
				l.log.Error("audit: the chain could not be anchored; it is tried again", "writer", l.w.head.Writer, "error", err)
			}
		}
	}
}

// gather adds what else is queued, without waiting.
func (l *Log) gather(batch []*request) []*request {
	for len(batch) < batchSize {
		select {
		case r, ok := <-l.queue:
			if !ok {
				return batch
			}
			batch = append(batch, r)
			continue
		default:
		}
		break
	}
	return batch
}

// The keys, in the namespace of the log.
const (
	recordPrefix = "record/"
	headPrefix   = "head/"
	anchorPrefix = "anchor/"
	listKey      = "anchors"
)

func number(n uint64) string { return fmt.Sprintf("%016d", n) }

func recordKey(writer string, seq uint64) string { return recordPrefix + writer + "/" + number(seq) }

func anchorKey(n uint64) string { return anchorPrefix + number(n) }

// lastNumber reads the number at the end of a key; false where there is none in the one form that number gives.
func lastNumber(key string) (uint64, bool) {
	s := key[strings.LastIndexByte(key, '/')+1:]
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && n > 0 && number(n) == s
}

// full gives the store key of a key of the log, and prefix that of a prefix.
func (l *Log) full(key string) string { return l.cfg.Brain.Key(key) }

func (l *Log) prefix(p string) string { return strings.TrimSuffix(l.full(p+"x"), "x") }

// newWriter names a chain: the time, so that chains list in their order, and 40 random bits.
func newWriter() string {
	return time.Now().UTC().Format("20060102T150405.000Z") + "-" + strings.ToLower(rand.Text()[:8])
}

// read opens a line of the log. brain.ErrNotFound where there is none.
func (l *Log) read(ctx context.Context, key, kind string, v any) (rev uint64, err error) {
	e, err := l.cfg.Brain.Store().Get(ctx, l.full(key))
	if err != nil {
		return 0, err
	}
	if err := l.ring.open(kind, e.Value, v); err != nil {
		return 0, fmt.Errorf("audit: %q does not verify: %w; see audit verify, keep what is there as evidence and go on in another namespace", e.Key, err)
	}
	return e.Rev, nil
}
