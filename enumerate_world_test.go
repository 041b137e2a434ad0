package starling_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/canary"
)

// A fault is what happens at one call of the bot to its store or its platform.
type fault string

const (
	faultNone fault = "none"

	// The store, in one call.
	faultLost       fault = "not written, and no word of it"
	faultRefused    fault = "not written, and it says so"
	faultLanded     fault = "written, and no word of it"
	faultHangs      fault = "hangs, not written"
	faultHangLanded fault = "hangs, written"
	faultLate       fault = "an error, and written later"

	// The store, in all calls from there on, for a while.
	faultOutage       fault = "outage, not written"
	faultOutageLanded fault = "outage, written"
	faultOutageHangs  fault = "outage that hangs"
	faultOutageWrites fault = "outage of writes" // a full disk

	// The process.
	faultDiesBefore fault = "dies before the write"
	faultDiesAfter  fault = "dies after the write"
)

var storeFaults = []fault{
	faultLost, faultRefused, faultLanded, faultHangs, faultHangLanded, faultLate, faultOutage, faultOutageLanded, faultOutageHangs, faultOutageWrites,
}

func (f fault) kills() bool  { return f == faultDiesBefore || f == faultDiesAfter }
func (f fault) outage() bool { return strings.HasPrefix(string(f), "outage") }

const (
	outageFor = 3 * time.Second
	lateBy    = 700 * time.Millisecond
	aliveFor  = 90 * time.Second // after the last event: tries, back-off, sweeps and hangs of 10 s included
)

// strike is a fault at the n-th call, from 1, after the strike before it.
type strike struct {
	at   int
	what fault
}

func (s strike) String() string { return fmt.Sprintf("%s at call %d", s.what, s.at) }

// world is what outlives a process: the store's data, the platform and what the handlers did outside.
type world struct {
	t          *testing.T
	idempotent bool
	add        func(w *world, rt *handler.Router)

	data  *memory.Store
	freed chan struct{} // closed at the end: what hangs for ever goes on
	over  chan struct{} // no process is started any more
	log   *lockedBuffer

	mu      sync.Mutex
	lives   []*life
	up      chan struct{} // closed when there is a process that lives
	plan    []strike
	calls   int       // since the last strike
	all     []string  // every call, with what was done at it
	down    time.Time // until then the store is out
	how     fault     // of the outage
	shown   []*shownMessage
	byKey   map[string]*shownMessage
	repeats int            // of a key that the platform knew
	done    map[string]int // what handlers did outside, by name
	unread  bool           // a read has failed, which is an error for who reads
	begun   []string       // events in the order in which their handlers first began
	next    int
	sup     sync.WaitGroup
}

// shownMessage is a message that people see; first is what it was before it was edited.
type shownMessage struct {
	room, first, text string
}

// kind is what it was at first, without numbers.
func (s *shownMessage) kind() string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s.first)
}

func newWorld(t *testing.T, idempotent bool, add func(*world, *handler.Router), plan ...strike) *world {
	w := &world{
		t: t, idempotent: idempotent, add: add, plan: plan, data: memory.New(), freed: make(chan struct{}), over: make(chan struct{}), log: &lockedBuffer{},
		up: make(chan struct{}), byKey: map[string]*shownMessage{}, done: map[string]int{},
	}
	w.sup.Go(func() {
		for {
			l := w.start()
			select {
			case <-l.dead:
			case <-w.over:
				return
			}
			time.Sleep(time.Second)
		}
	})
	return w
}

// end stops all processes.
func (w *world) end() {
	close(w.over)
	close(w.freed)
	w.sup.Wait()
	w.mu.Lock()
	lives := slices.Clone(w.lives)
	w.mu.Unlock()
	for _, l := range lives {
		l.stop()
	}
	time.Sleep(time.Minute) // what a process still tried
}

// did counts something that a handler does outside.
func (w *world) did(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done[what]++
}

func (w *world) times(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done[what]
}

// begins notes the first beginning of an event.
func (w *world) begins(r *handler.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.begun, r.Event.ID) {
		w.begun = append(w.begun, r.Event.ID)
	}
}

// strikes tells what happens at a call. It is what an outage does, or the next of the plan when its turn has come.
func (w *world) strikes(call string) fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Now().Before(w.down) {
		w.all = append(w.all, call+": "+string(w.how))
		return w.how
	}
	w.calls++
	f := faultNone
	if len(w.plan) > 0 && w.calls == w.plan[0].at {
		f = w.plan[0].what
		w.plan, w.calls = w.plan[1:], 0
		if f.outage() {
			w.down, w.how = time.Now().Add(outageFor), faultOutage
			if f == faultOutageHangs || f == faultOutageWrites {
				w.how = f
			}
		}
	}
	w.all = append(w.all, call+": "+string(f))
	return f
}

// killsNext tells whether the next of the plan ends a process.
func (w *world) killsNext() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.plan) > 0 && w.plan[0].what.kills()
}

// out is what an outage does to a call that is not counted.
func (w *world) out() fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Now().Before(w.down) {
		return w.how
	}
	return faultNone
}

// calm ends the plan, and tells how much of it has not happened.
func (w *world) calm() (left int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	left, w.plan = len(w.plan), nil
	return left
}

// life is one process: a bot, its way to the store and its way to the platform.
type life struct {
	w    *world
	bot  *starling.Bot
	dead chan struct{}
	sink adapter.Sink
	runs chan struct{}
	stop func()
	once sync.Once
}

func (w *world) start() *life {
	l := &life{w: w, dead: make(chan struct{}), runs: make(chan struct{})}
	rt := handler.NewRouter()
	w.add(w, rt)
	var err error
	l.bot, err = starling.New(starling.Config{
		Router: rt, Adapters: []adapter.Adapter{far{l}}, Brain: brain.New(near{l}), Limits: unlimited(), DrainTimeout: time.Second, Attempts: 5, // a retry and two deaths
		Logger: slog.New(slog.NewTextHandler(canary.Also(canary.Logs, w.log), nil)),
	})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.bot.Run(ctx); err != nil && ctx.Err() == nil { // it could not start: who watches it starts it again
			l.die()
		}
	}()
	l.stop = func() { cancel(); <-ended }
	w.mu.Lock()
	w.lives = append(w.lives, l)
	w.mu.Unlock()
	select {
	case <-l.runs:
		w.mu.Lock()
		if !l.gone() {
			close(w.up)
		}
		w.mu.Unlock()
	case <-l.dead: // while it started
	case <-w.over:
	}
	return l
}

// alive waits for a process that runs.
func (w *world) alive() *life {
	for {
		w.mu.Lock()
		up := w.up
		w.mu.Unlock()
		<-up
		w.mu.Lock()
		l := w.lives[len(w.lives)-1]
		w.mu.Unlock()
		if !l.gone() {
			return l
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (l *life) gone() bool {
	select {
	case <-l.dead:
		return true
	default:
		return false
	}
}

// die ends the process: its calls never come back.
func (l *life) die() {
	l.once.Do(func() {
		l.w.mu.Lock()
		select {
		case <-l.w.up:
			l.w.up = make(chan struct{})
		default:
		}
		close(l.dead)
		l.w.mu.Unlock()
	})
}

// never is how a call of a dead process ends.
func (l *life) never() error {
	<-l.w.freed
	return errSevered
}

// deliver gives an event to the bot as a platform does: until it is acknowledged.
func (w *world) deliver(ev *adapter.Event) {
	for {
		l := w.alive()
		answer := make(chan error, 1)
		copied := *ev
		go func() { answer <- l.sink(context.Background(), &copied) }()
		select {
		case err := <-answer:
			if err == nil && !l.gone() {
				return
			}
		case <-l.dead:
		}
		time.Sleep(time.Second)
	}
}

// say delivers a message and returns its ID.
func (w *world) say(user, room, text string) string {
	w.mu.Lock()
	w.next++
	id := "e" + strconv.Itoa(w.next)
	w.mu.Unlock()
	kind := adapter.RoomChannel
	if room[0] == 'D' {
		kind = adapter.RoomDirect
	}
	w.deliver(&adapter.Event{
		ID: id, Kind: adapter.KindMessage, MessageID: id, Time: time.Now(), Room: adapter.Room{ID: room, Kind: kind},
		User: adapter.User{ID: user, Name: user, Kind: adapter.KindMember}, Text: text,
	})
	return id
}

// near is a process's way to its store.
type near struct{ l *life }

func (n near) Get(ctx context.Context, key string) (brain.Entry, error) {
	if err := n.read(ctx, "get "+key); err != nil {
		return brain.Entry{}, err
	}
	return n.l.w.data.Get(ctx, key)
}

// read is what happens at a read, all of which are counted but those of the sweeper's lists.
func (n near) read(ctx context.Context, call string) error {
	f := faultNone
	switch {
	case n.l.gone():
		return n.l.never()
	case n.l.w.out() == faultOutageWrites:
		return nil
	case strings.HasPrefix(call, "list "):
		f = n.l.w.out()
	default:
		f = n.l.w.strikes(call)
	}
	if f != faultNone && !f.kills() {
		n.l.w.mu.Lock()
		n.l.w.unread = true
		n.l.w.mu.Unlock()
	}
	switch f {
	case faultNone:
		return nil
	case faultRefused:
		return brain.ErrClosed
	case faultHangs, faultHangLanded, faultOutageHangs:
		return n.hang(ctx)
	case faultDiesBefore, faultDiesAfter:
		n.l.die()
		return n.l.never()
	}
	return errLost
}

// hang is a store that does not answer: it ends when the caller's patience does.
func (n near) hang(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-n.l.w.freed:
		return errSevered
	}
}

func (n near) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	return func(yield func(brain.Entry, error) bool) {
		if err := n.read(ctx, "list "+prefix); err != nil {
			yield(brain.Entry{}, err)
			return
		}
		for e, err := range n.l.w.data.List(ctx, prefix) {
			if !yield(e, err) {
				return
			}
		}
	}
}

func (n near) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if n.l.gone() {
		return nil, n.l.never()
	}
	var what []string
	for _, op := range ops {
		key := op.Key
		if op.Delete {
			key = "-" + key
		}
		what = append(what, key)
	}
	write := func() ([]uint64, error) { return n.l.w.data.Apply(context.WithoutCancel(ctx), ops...) }
	switch n.l.w.strikes("apply " + strings.Join(what, " ")) {
	case faultLost, faultOutage, faultOutageWrites:
		return nil, errLost
	case faultRefused:
		return nil, brain.ErrClosed
	case faultLanded, faultOutageLanded:
		if _, err := write(); brain.Certain(err) {
			return nil, err
		}
		return nil, errLost
	case faultHangs, faultOutageHangs:
		return nil, n.hang(ctx)
	case faultHangLanded:
		_, _ = write()
		return nil, n.hang(ctx)
	case faultLate:
		kept := slices.Clone(ops)
		for i := range kept {
			kept[i].Value = slices.Clone(kept[i].Value)
		}
		n.l.w.sup.Go(func() {
			time.Sleep(lateBy)
			_, _ = n.l.w.data.Apply(context.Background(), kept...)
		})
		return nil, errLost
	case faultDiesBefore:
		n.l.die()
		return nil, n.l.never()
	case faultDiesAfter:
		_, _ = write()
		n.l.die()
		return nil, n.l.never()
	}
	return write()
}

func (near) Close() error { return nil }

// far is a process's way to the platform, which people look at. An idempotent one posts a key once.
type far struct{ l *life }

func (far) Name() string { return "stage" }

func (f far) Features() adapter.Features {
	can := adapter.Features{Threads: true}
	if f.l.w.idempotent {
		can.IdempotentSend = time.Hour
	}
	return can
}

func (f far) Run(ctx context.Context, sink adapter.Sink) error {
	f.l.sink = sink
	close(f.l.runs)
	<-ctx.Done()
	return nil
}

func (f far) Send(_ context.Context, m *adapter.Message) (adapter.Ref, error) {
	w := f.l.w
	if f.l.gone() {
		return adapter.Ref{}, f.l.never()
	}
	strike := faultNone
	if w.killsNext() { // what the store does is not seen here
		strike = w.strikes("send " + adapter.PlainText(m.Text))
	}
	if strike == faultDiesBefore {
		f.l.die()
		return adapter.Ref{}, f.l.never()
	}
	ref := w.show(m)
	if strike == faultDiesAfter {
		f.l.die()
		return adapter.Ref{}, f.l.never()
	}
	return ref, nil
}

func (w *world) show(m *adapter.Message) adapter.Ref {
	said := *m
	said.Origin = "" // it goes back to the platform, which nobody reads
	canary.WriteJSON(canary.Posts, said)
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.Key == "" {
		w.t.Error("a message has no key:", m.Text)
	}
	if known := w.byKey[m.Key]; known != nil && w.idempotent {
		w.repeats++
		return adapter.Ref{Address: m.To, ID: strconv.Itoa(slices.Index(w.shown, known))}
	}
	s := &shownMessage{room: m.To.Room, first: adapter.PlainText(m.Text), text: adapter.PlainText(m.Text)}
	w.byKey[m.Key] = s
	w.shown = append(w.shown, s)
	return adapter.Ref{Address: m.To, ID: strconv.Itoa(len(w.shown) - 1)}
}

func (f far) Edit(_ context.Context, ref adapter.Ref, m *adapter.Message) error {
	w := f.l.w
	if f.l.gone() {
		return f.l.never()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	i, err := strconv.Atoi(ref.ID)
	if err != nil || i >= len(w.shown) {
		return adapter.ErrNotFound
	}
	w.shown[i].text = adapter.PlainText(m.Text)
	return nil
}

func (far) OpenDirect(_ context.Context, user string) (adapter.Room, error) {
	return adapter.Room{ID: "D" + user, Kind: adapter.RoomDirect}, nil
}

// seen gives what people see, as "room> text".
func (w *world) seen() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.shown {
		out = append(out, s.room+"> "+s.text)
	}
	return out
}

// story tells all that happened, for who reads a failure.
func (w *world) story() string {
	w.mu.Lock()
	all := strings.Join(w.all, "\n")
	w.mu.Unlock()
	return fmt.Sprintf("calls:\n%s\nseen:\n%s\nlog:\n%s", all, strings.Join(w.seen(), "\n"), w.log.String())
}

// number reads a number from the store.
func (w *world) number(key string) int {
	n, err := brain.Get[int](context.Background(), brain.New(w.data), key)
	if err != nil {
		require.ErrorIs(w.t, err, brain.ErrNotFound)
	}
	return n
}
