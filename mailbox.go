package starling

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// maxSpare is how many empty mailboxes are kept for the next conversations.
const maxSpare = 64

// window is how many stored events of one conversation wait in memory; the rest waits in the store.
const window = 64

// turn is how many events of one conversation a worker handles before others get their turn.
const turn = 16

// mailboxes keep one line per conversation and hand the heads to a bounded number of workers. An event takes its place
// before it is stored, so memory and a restart agree on the order. A mailbox exists only while it holds something.
type mailboxes struct {
	run    func(*delivery)                     // handles one event, whose line is held
	refill func(*mailbox) ([]*delivery, error) // reads the next stored events of a conversation, after mailbox.last
	log    func(msg string, err error, a adapter.Address)

	mu      sync.Mutex
	room    sync.Cond // there is room for waiting events, or nothing is left
	boxes   map[adapter.Address]*mailbox
	first   *mailbox // run queue, linked by next
	last    *mailbox
	workers int // goroutines that hold a line
	beside  int // goroutines whose event left the line
	most    int // bound of workers
	waiting int
	bound   int                // of waiting
	paused  bool               // draining: no stored event begins, it is for the next start
	closed  bool               // nothing begins
	held    map[place]struct{} // stored events that are in memory
	gone    int                // how many have left held since it was made
	seq     uint64             // last sequence given out
	spare   []*mailbox         // empty ones, at most maxSpare
}

// besideFactor bounds the events beside the lines, as a multiple of the workers: past it they hold their line.
const besideFactor = 4

type mailbox struct {
	address adapter.Address
	queue   []*delivery
	head    int  // of queue: what is before it has been taken
	held    bool // its line is taken
	queued  bool // it is in the run queue
	next    *mailbox

	last    uint64 // sequence of the newest event that is or was in queue
	storing int    // events past the window that are being stored
	spilled int    // grows with every event that waits in the store alone
	behind  bool   // the store holds events that are not in queue
	failing bool   // the store could not be read: not before the next try
}

// refetch is how long to wait before the store is read again after an error.
const refetch = 200 * time.Millisecond

// place names a stored event.
type place struct {
	address adapter.Address
	seq     uint64
}

func (box *mailbox) length() int { return len(box.queue) - box.head }

// line is the right to run the next event of a conversation. It is given back once.
type line struct {
	m    *mailboxes
	box  *mailbox
	kept bool // guarded by m.mu
	cuts int  // how often its goroutine was given up, and another one has gone on; guarded by m.mu
}

// cut gives up the goroutine that runs the event; the caller's new one goes on beside the line, and calls done with what it gets
// here when it has ended.
func (l *line) cut() (turn int) {
	l.leave(true)
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.cuts++
	return l.cuts
}

// done ends what goes on beside the line; not if it was itself given up.
func (l *line) done(turn int) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.cuts == turn {
		l.m.beside--
		l.m.room.Broadcast()
	}
}

func newMailboxes(workers, bound int) *mailboxes {
	m := &mailboxes{boxes: map[adapter.Address]*mailbox{}, held: map[place]struct{}{}, most: workers, bound: bound}
	m.room.L = &m.mu
	return m
}

// place puts d at the end of its conversation's line and gives it its sequence. A durable event that finds the window full
// waits in the store alone: inMemory is false. place blocks while too many events wait, until ctx ends.
func (m *mailboxes) place(ctx context.Context, d *delivery) (inMemory bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting >= m.bound && !d.durable {
		stop := context.AfterFunc(ctx, func() { m.mu.Lock(); m.room.Broadcast(); m.mu.Unlock() })
		defer stop()
		for m.waiting >= m.bound {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			m.room.Wait()
		}
	}
	box := m.box(d.address)
	d.seq = m.nextSeq()
	if d.notice != "" { // it is about what was just said and not about what waits, and is nowhere stored
		m.push(box, d)
		return true, nil
	}
	if box.behind && !d.durable && m.refill != nil {
		d.durable = true // the line goes through the store: whoever comes last must not overtake
	}
	if d.durable && m.refill != nil && (box.behind || box.length() >= window || m.waiting >= m.bound) {
		box.behind = true
		box.storing++
		box.spilled++
		return false, nil
	}
	m.push(box, d)
	return true, nil
}

// nextSeq gives the next sequence: it grows over restarts too, since it is no less than the clock. m.mu is held.
func (m *mailboxes) nextSeq() uint64 {
	m.seq = max(m.seq+1, uint64(time.Now().UnixMicro()))
	return m.seq
}

// next gives the next sequence to who stores an event without placing it.
func (m *mailboxes) next() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.nextSeq()
}

// atLeast makes all later sequences greater than seq.
func (m *mailboxes) atLeast(seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq = max(m.seq, seq)
}

func (m *mailboxes) box(a adapter.Address) *mailbox {
	box := m.boxes[a]
	if box == nil {
		if n := len(m.spare); n > 0 {
			box, m.spare = m.spare[n-1], m.spare[:n-1]
			box.address = a
		} else {
			box = &mailbox{address: a}
		}
		m.boxes[a] = box
	}
	return box
}

func (m *mailboxes) push(box *mailbox, d *delivery) {
	if d.durable {
		m.held[place{d.address, d.seq}] = struct{}{}
		box.last = max(box.last, d.seq) // up to here the store is in memory
	}
	box.queue = append(box.queue, d)
	m.waiting++
	m.schedule(box)
}

// settle says that the write of an event in memory is done: ok, and it may run, or not, and it leaves the line.
func (m *mailboxes) settle(d *delivery, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d.state = stateReady
	if !ok {
		d.state = stateDropped
		m.unhold(d)
	}
	if box := m.boxes[d.address]; box != nil {
		m.schedule(box)
		m.free(box)
	}
}

// stored says that the write of an event that waits in the store alone has ended, whatever its outcome.
func (m *mailboxes) stored(a adapter.Address) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if box := m.boxes[a]; box != nil {
		box.storing--
		m.schedule(box)
		m.free(box)
	}
}

// spill says that the store holds events of a, which nobody has in memory. Conversations that are in memory know already.
func (m *mailboxes) spill(a adapter.Address) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.boxes[a] != nil {
		return
	}
	box := m.box(a)
	box.behind = true
	m.schedule(box)
}

// release says that an event is no longer in memory: it is done, or left to the sweeper.
func (m *mailboxes) release(d *delivery) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unhold(d)
}

// unhold takes d out of held. A map that keys come into and leave grows even where few are in it at a time
// (https://go.dev/issue/70886): this one is made anew after so many have left. m.mu is held.
func (m *mailboxes) unhold(d *delivery) {
	delete(m.held, place{d.address, d.seq})
	if m.gone++; m.gone > 2*len(m.held)+512 {
		held := make(map[place]struct{}, len(m.held))
		maps.Copy(held, m.held)
		m.held, m.gone = held, 0
	}
}

// holds gives a function that tells whether the stored event under a key is in memory now, or will be read in its turn.
func (m *mailboxes) holds() func(key string) bool {
	m.mu.Lock()
	held := make(map[string]struct{}, len(m.held))
	for p := range m.held {
		held[inboxKey(p.address, p.seq)] = struct{}{}
	}
	behind := map[string]struct{}{}
	for _, box := range m.boxes {
		if box.behind {
			behind[conversationPrefix(box.address)] = struct{}{}
		}
	}
	m.mu.Unlock()
	return func(key string) bool {
		if _, ok := held[key]; ok {
			return true
		}
		_, ok := behind[key[:strings.LastIndexByte(key, '/')+1]]
		return ok
	}
}

// adopt puts a stored event that nobody has at the end of its line; false if somebody has it by now.
func (m *mailboxes) adopt(d *delivery) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.held[place{d.address, d.seq}]; ok || m.paused {
		return false
	}
	m.push(m.box(d.address), d)
	return true
}

// schedule puts box into the run queue if there is something to do for a worker. m.mu is held.
func (m *mailboxes) schedule(box *mailbox) {
	for box.length() > 0 && box.queue[box.head].state == stateDropped {
		m.pop(box)
	}
	if box.held || box.queued || !m.runnable(box) {
		return
	}
	box.queued = true
	if m.last == nil {
		m.first = box
	} else {
		m.last.next = box
	}
	m.last = box
	if m.workers < m.most {
		m.workers++
		go m.work()
	}
}

// runnable: the head is stored, or the line is empty and the store holds more.
func (m *mailboxes) runnable(box *mailbox) bool {
	if m.closed {
		return false
	}
	if box.length() > 0 {
		d := box.queue[box.head]
		return d.state == stateReady && !(m.paused && d.durable)
	}
	return box.behind && box.storing == 0 && !box.failing && !m.paused
}

func (m *mailboxes) pop(box *mailbox) *delivery {
	d := box.queue[box.head]
	box.queue[box.head] = nil
	if box.head++; box.head == len(box.queue) {
		box.queue, box.head = box.queue[:0], 0
	}
	if m.waiting--; m.waiting == m.bound-1 {
		m.room.Broadcast()
	}
	return d
}

// free forgets box if it holds nothing, and wakes whoever waits for quiet. m.mu is held.
func (m *mailboxes) free(box *mailbox) {
	if m.boxes[box.address] == box && !box.held && !box.queued && box.length() == 0 && !box.behind && box.storing == 0 {
		delete(m.boxes, box.address)
		if len(m.spare) < maxSpare && cap(box.queue) <= 2*window {
			*box = mailbox{queue: box.queue}
			m.spare = append(m.spare, box)
		}
		if len(m.boxes) == 0 {
			m.room.Broadcast()
		}
	}
}

// work takes boxes from the run queue until there is none.
func (m *mailboxes) work() {
	m.mu.Lock()
	for m.first != nil && m.workers <= m.most {
		box := m.first
		m.first = box.next
		if m.first == nil {
			m.last = nil
		}
		box.next, box.queued = nil, false
		for range turn {
			if box.held || !m.runnable(box) {
				break
			}
			box.held = true
			if box.length() == 0 {
				m.fetch(box)
				continue
			}
			d := m.pop(box)
			l := &d.line
			*l = line{m: m, box: box, kept: true}
			m.mu.Unlock()
			m.run(d)
			m.mu.Lock()
			if l.cuts > 0 { // it was given up: another goroutine is counted in its place
				m.mu.Unlock()
				return
			}
			if l.kept {
				l.kept, box.held = false, false
			} else { // it left the line meanwhile: become a worker again
				m.beside--
				m.workers++
				box = nil
				break
			}
		}
		if box != nil {
			m.schedule(box)
			m.free(box)
		}
	}
	m.workers--
	m.room.Broadcast()
	m.mu.Unlock()
}

// fetch fills box from the store. m.mu is held before and after.
func (m *mailboxes) fetch(box *mailbox) {
	before := box.spilled
	m.mu.Unlock()
	ds, err := m.refill(box)
	m.mu.Lock()
	box.held = false
	if err != nil {
		m.log("cannot read the stored events of a conversation, trying again", err, box.address)
		box.failing = true
		time.AfterFunc(refetch, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			box.failing = false
			m.schedule(box)
		})
		return
	}
	for _, d := range ds {
		if _, held := m.held[place{d.address, d.seq}]; held { // it runs beside the line
			box.last = max(box.last, d.seq)
		} else if d.seq > box.last {
			m.push(box, d)
		}
	}
	if len(ds) < window && box.spilled == before && box.storing == 0 {
		box.behind = false
	}
}

// leave lets the next event of the conversation run beside this one. false: too many run beside already, so the line is
// kept; or it was left before. force: leave whatever the number.
func (l *line) leave(force bool) bool {
	m := l.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if !l.kept || !force && m.beside >= m.most*besideFactor {
		return false
	}
	l.kept = false
	l.box.held = false
	m.beside++
	m.workers--
	m.schedule(l.box)
	m.free(l.box)
	if m.first != nil && m.workers < m.most {
		m.workers++
		go m.work()
	}
	return true
}

// pause keeps stored events that wait from beginning; what runs goes on, and so do volatile events.
func (m *mailboxes) pause() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.paused = true
	m.room.Broadcast()
}

// close keeps everything that waits from beginning, and tells how many volatile events are lost.
func (m *mailboxes) close() (volatile int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.paused, m.closed = true, true
	for _, box := range m.boxes {
		for _, d := range box.queue[box.head:] {
			if !d.durable && d.state != stateDropped {
				volatile++
			}
		}
	}
	m.room.Broadcast()
	return volatile
}

// idle waits until nothing runs and nothing can begin. It returns early when ctx ends.
func (m *mailboxes) idle(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { m.mu.Lock(); m.room.Broadcast(); m.mu.Unlock() })
	defer stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.workers+m.beside > 0 || !m.closed && m.first != nil || !m.paused && len(m.boxes) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		m.room.Wait()
	}
	return nil
}

// left counts the events that wait in memory.
func (m *mailboxes) left() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.waiting
}
