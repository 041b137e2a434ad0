package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	redeliverAfter = time.Second // what is not acknowledged is offered again
	inFlight       = 32          // events of one room on offer at once, where the platform does not wait for each
	tick           = 2 * time.Millisecond
)

// platform is the chat platform as the bot sees it. Half of its rooms are strict: the next event is offered when the one
// before is acknowledged. The others offer events as they come, and a redelivery may come late.
type platform struct {
	listener   net.Listener
	trace      *bufio.Writer // all that was said, for who looks into a finding; used under mu
	traceFile  *os.File
	sends      *os.File // every message that was posted, written by nobody else
	idempotent bool
	rand       *rand.Rand // of what is said; used under mu

	mu       sync.Mutex
	clock    int // grows with everything that happens: tells before from after
	rooms    []*room
	events   map[string]*event
	order    []*event // as made
	left     []*event // of them, what was not yet handled when open last looked
	conn     *link    // nil: no bot is connected
	stuck    chan string
	passed   map[string]int // processes that passed a fail point
	keys     map[string]string
	posted   int
	again    int // offers of events that were offered before
	effects  map[string]int
	unsure   map[string]bool // deliveries of which a write failed
	onEnd    func()          // the first handler of a process has returned
	failures []string
}

type room struct {
	id     string
	strict bool
	count  int
	queue  []*event // not yet acknowledged, in order
}

type event struct {
	id, room, user, text string
	kind                 *kind
	n                    int
	made                 time.Time
	lastOffer            time.Time
	offered, acked       int // clock; 0: never
	begun                int // clock of the first handler's first run
	begins               []begin
	ended                map[string]bool // routes that returned without an error
	posted               map[string]bool // labels of what was said
	answered             bool            // its question
}

type begin struct {
	route   string
	attempt int
	process int
	at      time.Time
}

func newPlatform(dir string, rooms int, seed uint64, idempotent bool) (*platform, error) {
	l, err := net.Listen("unix", filepath.Join(dir, socketName))
	if err != nil {
		return nil, err
	}
	sends, err := os.OpenFile(filepath.Join(dir, sendsName), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	trace, err := os.Create(filepath.Join(dir, traceName))
	if err != nil {
		return nil, err
	}
	p := &platform{
		listener: l, trace: bufio.NewWriterSize(trace, 1<<16), traceFile: trace, sends: sends, idempotent: idempotent, rand: rand.New(rand.NewPCG(seed, 1)),
		events: map[string]*event{}, passed: map[string]int{}, keys: map[string]string{}, effects: map[string]int{}, unsure: map[string]bool{},
		stuck: make(chan string, 1),
	}
	for i := range rooms {
		p.rooms = append(p.rooms, &room{id: fmt.Sprintf("r%02d", i), strict: i%2 == 0})
	}
	return p, nil
}

// say makes the next event. mu is held.
func (p *platform) say() {
	r := p.rooms[p.rand.IntN(len(p.rooms))]
	at, k := p.rand.IntN(1000), &kinds[0]
	for i := range kinds {
		if k = &kinds[i]; at < k.share {
			break
		}
		at -= k.share
	}
	r.count++
	ev := &event{id: r.id + "-" + strconv.Itoa(r.count), user: oneUser, text: k.name + " " + strconv.Itoa(r.count), kind: k, n: r.count}
	if k.name == "ask" { // a command, and only who was asked may answer
		ev.user, ev.text = "U-"+ev.id, "starling "+ev.text+" "+ev.id
	}
	p.add(r, ev)
}

// oneUser says everything that nobody has to answer.
const oneUser = "U1"

// answer says yes to the question of ev. mu is held.
func (p *platform) answer(ev *event) {
	if ev.answered {
		return
	}
	ev.answered = true
	for _, r := range p.rooms {
		if r.id == ev.room {
			p.add(r, &event{id: ev.id + "-" + yes.name, user: ev.user, text: yes.name, kind: &yes})
		}
	}
}

// add puts an event into its room. mu is held.
func (p *platform) add(r *room, ev *event) {
	ev.room, ev.made, ev.ended, ev.posted = r.id, time.Now(), map[string]bool{}, map[string]bool{}
	p.events[ev.id] = ev
	p.order, p.left = append(p.order, ev), append(p.left, ev)
	r.queue = append(r.queue, ev)
}

// offer sends what is due to the bot.
func (p *platform) offer() {
	p.mu.Lock()
	conn := p.conn
	var due []*event
	now := time.Now()
	if conn != nil {
		for _, r := range p.rooms {
			most := inFlight
			if r.strict {
				most = 1
			}
			for i, ev := range r.queue {
				if i == most {
					break
				}
				if now.Sub(ev.lastOffer) < redeliverAfter {
					continue
				}
				p.clock++
				if ev.offered == 0 {
					ev.offered = p.clock
				} else {
					p.again++
				}
				ev.lastOffer = now
				p.note(0, line{Type: lineEvent, ID: ev.id, Text: ev.text})
				due = append(due, ev)
			}
		}
	}
	p.mu.Unlock()
	for _, ev := range due {
		if conn.send(line{Type: lineEvent, ID: ev.id, Room: ev.room, User: ev.user, Text: ev.text, Time: ev.made}) != nil {
			return // the process is dying
		}
	}
}

// note writes down what was said. mu is held.
func (p *platform) note(process int, m line) {
	fmt.Fprintf(p.trace, "%d %s process=%d %s %s%s %s %s\n", p.clock, time.Now().Format("05.000000"), process, m.Type, m.ID, m.Room, m.Route, m.Text+m.Point+m.Err)
}

// close ends the platform.
func (p *platform) close() error {
	return errors.Join(p.listener.Close(), p.sends.Close(), p.trace.Flush(), p.traceFile.Close())
}

// serve talks to one process of the bot until it hangs up.
func (p *platform) serve(l *link, process int) {
	for {
		m, err := l.receive()
		if err != nil {
			break
		}
		p.hear(l, process, m)
	}
	p.mu.Lock()
	if p.conn == l {
		p.conn = nil
	}
	p.mu.Unlock()
	_ = l.conn.Close()
}

func (p *platform) hear(l *link, process int, m line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock++
	p.note(process, m)
	ev := p.events[m.ID]
	switch m.Type {
	case lineHello:
		p.conn = l
	case lineAck:
		if ev != nil && ev.acked == 0 {
			ev.acked = p.clock
			for _, r := range p.rooms {
				if r.id == ev.room {
					r.remove(ev)
				}
			}
		}
	case lineBegin:
		if ev == nil {
			p.failures = append(p.failures, "a handler ran for an event that was never offered: "+m.ID)
			return
		}
		if ev.begun == 0 {
			ev.begun = p.clock
		}
		ev.begins = append(ev.begins, begin{m.Route, m.Attempt, process, time.Now()})
	case lineEnd:
		if ev != nil && m.Err == "" {
			ev.ended[m.Route] = true
			if f := p.onEnd; f != nil {
				p.onEnd = nil
				f()
			}
		}
	case lineEffect:
		p.effects[m.ID]++
	case lineUnsure:
		p.unsure[m.ID] = true
	case linePass:
		p.passed[m.Point]++
	case lineStuck:
		select {
		case p.stuck <- m.Point:
		default:
		}
	case lineSend:
		id, known := p.keys[m.Key]
		if !known || !p.idempotent {
			p.posted++
			id = "m" + strconv.Itoa(p.posted)
			p.keys[m.Key] = id
			data, err := json.Marshal(send{Process: process, Time: time.Now(), Key: m.Key, Room: m.Room, Text: m.Text})
			if err == nil {
				_, err = p.sends.Write(append(data, '\n'))
			}
			if err != nil {
				p.failures = append(p.failures, "a message could not be recorded: "+err.Error())
			}
			p.heard(m.Text)
		}
		_ = l.send(line{Type: lineSent, N: m.N, ID: id}) // the process may be dying
	}
}

// heard notes that the bot has said something, and answers a question. mu is held.
func (p *platform) heard(text string) {
	id, label, _, ok := parse(text)
	if ev := p.events[id]; ok && ev != nil {
		ev.posted[label] = true
		if label == "asked" {
			p.answer(ev)
		}
	}
}

// parse reads what the bot says: ID LABEL VALUE, and after a question its choices.
func parse(text string) (id, label, value string, ok bool) {
	words := strings.Fields(text)
	if len(words) < 3 || len(words) > 3 && words[1] != "asked" {
		return "", "", "", false
	}
	return words[0], words[1], words[2], true
}

// send is a message as the platform records it.
type send struct {
	Process int       `json:"process"`
	Time    time.Time `json:"time"`
	Key     string    `json:"key"`
	Room    string    `json:"room"`
	Text    string    `json:"text"`

	at int // line of the file
}

func (r *room) remove(ev *event) {
	for i, e := range r.queue {
		if e == ev {
			r.queue = append(r.queue[:i], r.queue[i+1:]...)
			return
		}
	}
}

// tell says something to the bot; false if none is connected.
func (p *platform) tell(m line) bool {
	p.mu.Lock()
	conn := p.conn
	p.mu.Unlock()
	return conn != nil && conn.send(m) == nil
}

// firstEnd gives a channel that gets the time of the next handler's return.
func (p *platform) firstEnd() <-chan time.Time {
	c := make(chan time.Time, 1)
	p.mu.Lock()
	p.onEnd = func() { c <- time.Now() }
	p.mu.Unlock()
	return c
}

// open counts what is offered and not yet handled as far as the platform has seen.
func (p *platform) open() (unacked, unhandled int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = slices.DeleteFunc(p.left, func(ev *event) bool { return ev.acked != 0 && ev.done() })
	for _, ev := range p.left {
		if ev.acked == 0 {
			unacked++
		} else {
			unhandled++
		}
	}
	return unacked, unhandled
}

// waiting names some of what is offered and not yet handled.
func (p *platform) waiting() (names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ev := range p.left {
		if (ev.acked == 0 || !ev.done()) && len(names) < examples {
			names = append(names, fmt.Sprintf("%s %q (in the log %s; acknowledged %t, begun %d times, ended %v, said %v)", ev.id, ev.text, ev.correlation(), ev.acked != 0, len(ev.begins),
				slices.Sorted(maps.Keys(ev.ended)), slices.Sorted(maps.Keys(ev.posted))))
		}
	}
	return names
}

// done tells whether every route of the event has returned without an error and everything was said; the overrunning one never
// returns.
func (ev *event) done() bool {
	if ev.kind.name == "over" {
		return len(ev.begins) > 0
	}
	for _, r := range ev.kind.routes {
		if !ev.ended[r] {
			return false
		}
	}
	for _, label := range ev.kind.replies {
		if !ev.posted[label] && (label != "once" || !ev.posted["unknown"]) {
			return false
		}
	}
	return true
}
