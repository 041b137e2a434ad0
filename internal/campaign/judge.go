package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/handler"
)

// report is the one line of JSON.
type report struct {
	Run        string                 `json:"run"`
	Seed       uint64                 `json:"seed"`
	Mutant     string                 `json:"mutant,omitempty"`
	Idempotent bool                   `json:"idempotent"`
	Seconds    float64                `json:"seconds"`
	Planned    int                    `json:"planned"`
	Offered    int                    `json:"offered"`
	Rate       float64                `json:"rate"` // events offered for the first time, a second
	Again      int                    `json:"redelivered"`
	Kills      int                    `json:"kills"`
	Faults     map[string]int         `json:"faults"`
	Points     map[string]pointReport `json:"points"`
	Handled    int                    `json:"handled"`
	Lost       int                    `json:"lost"`
	Runs       int                    `json:"duplicated_runs"`
	Sends      int                    `json:"duplicated_sends"`
	ByStore    int                    `json:"duplicated_sends_by_store"` // of them: the store had failed in between
	Late       int                    `json:"duplicated_sends_late"`     // of them: the first should have been on record
	Effects    int                    `json:"duplicated_effects"`
	Order      int                    `json:"order_violations"`
	Wrong      int                    `json:"wrong_states"`
	Recovery   percentiles            `json:"recovery_ms"`
	Findings   []string               `json:"findings"`
	Dir        string                 `json:"dir,omitempty"`

	loadFor time.Duration
}

// pointReport: in how many processes a fail point was passed, and how many were killed there.
type pointReport struct {
	Hits  int `json:"hits"`
	Kills int `json:"kills"`
}

type percentiles struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func percentilesOf(ds []time.Duration) (p percentiles) {
	if len(ds) == 0 {
		return p
	}
	ds = slices.Clone(ds)
	slices.Sort(ds)
	ms := func(q float64) float64 {
		return float64(ds[min(len(ds)-1, int(q*float64(len(ds))))].Microseconds()) / 1000
	}
	return percentiles{len(ds), ms(0.5), ms(0.99), ms(1)}
}

// said is what the platform recorded, by event and label.
type said struct {
	value string
	sends []send
}

// differs is a label for answers that were given with two values.
const differs = "differs"

// examples bounds how many of a kind of finding are told in full.
const examples = 5

// judge compares what was offered with what was said and what is stored.
func (c *campaign) judge() error {
	p, rep := c.platform, c.report
	rep.Seconds = time.Since(c.started).Seconds()
	rep.Findings = append(rep.Findings, p.failures...)
	sends, err := c.readSends()
	if err != nil {
		return err
	}
	for _, ev := range p.order {
		if ev.offered != 0 {
			rep.Offered++
		}
	}
	rep.Rate = float64(rep.Offered) / rep.loadFor.Seconds()
	rep.Again = p.again
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	flush := func(kind string, n int) {
		if n > 0 {
			c.finding(kind, "%d, such as %s", n, strings.Join(notes[:min(len(notes), examples)], "; "))
		}
		notes = nil
	}

	unacked := 0
	for _, ev := range p.order {
		if ev.acked == 0 {
			unacked++
			note("%s", ev.id)
		}
	}
	flush("not acknowledged", unacked)
	for _, ev := range p.order {
		if ev.acked == 0 || len(ev.kind.routes) == 0 {
			continue
		}
		if missing := ev.missing(sends); missing != "" {
			rep.Lost++
			note("%s %q: %s", ev.id, ev.text, missing)
		} else {
			rep.Handled++
		}
	}
	flush("lost", rep.Lost)
	c.judgeRuns()
	rep.Order = p.disorder(note) + p.disorderOfReplies(sends, note)
	flush("order", rep.Order)
	for what := range sends {
		id, label, _ := strings.Cut(what, " ")
		if label == differs {
			rep.Wrong++
			note("the answer to %s changed when it was run again", id)
		}
	}
	if err := c.judgeState(note); err != nil {
		return err
	}
	flush("wrong state", rep.Wrong)
	for id, n := range p.effects {
		if n > 1 {
			rep.Effects += n - 1
			note("%s", id)
		}
	}
	flush("duplicated effects", rep.Effects)
	c.judgeSends(sends)
	rep.Recovery = percentilesOf(c.recovery)
	if rep.Recovery.P99 > 2000 {
		c.finding("recovery", "p99 is %.0f ms, at most 2000 were promised", rep.Recovery.P99)
	}
	if plan := float64(c.Rate) * 0.9; rep.Rate < plan {
		c.finding("load", "%.0f events a second were offered, the plan was %d", rep.Rate, c.Rate)
	}
	for _, name := range pointNames {
		r := rep.Points[name]
		r.Hits = p.passed[name]
		rep.Points[name] = r
		if r.Hits == 0 {
			c.finding("fail point", "%s was never hit", name)
		}
	}
	return nil
}

// recordedWithin is how soon what was posted must be on record: 20 ms and a commit, and a busy machine. A message that was
// posted longer than that before the process was killed must not be posted again.
const recordedWithin = 250 * time.Millisecond

// judgeSends judges what was posted more than once. The death of a process excuses what was not yet on record, once a kill;
// a failure of the store excuses the deliveries whose record it kept from being written, once each time it failed. What is
// between the platform and its record when a process dies grows with the rate, and with the time of a commit.
func (c *campaign) judgeSends(sends map[string]*said) {
	rep := c.report
	var late []string
	for what, s := range sends {
		id, label, _ := strings.Cut(what, " ")
		if label == differs {
			continue
		}
		for _, m := range s.sends[:len(s.sends)-1] {
			rep.Sends++
			if c.platform.unsure[id] {
				rep.ByStore++
				continue
			}
			at, killed := c.killed[m.Process]
			if !killed || at.Sub(m.Time) > recordedWithin {
				rep.Late++
				late = append(late, what)
			}
		}
	}
	outages := 0
	for _, mode := range outageModes {
		outages += rep.Faults[mode]
	}
	switch kills := rep.Faults["kill"]; {
	case c.Idempotent && rep.Sends > 0:
		c.finding("duplicated sends", "%d, although the platform knows keys again", rep.Sends)
	case rep.Late > 0:
		c.finding("duplicated sends", "%d that must have been on record, such as %s", rep.Late, strings.Join(late[:min(len(late), examples)], ", "))
	case float64(rep.Sends-rep.ByStore) > float64(kills)*c.PerKill:
		c.finding("duplicated sends", "%d, with %d kills", rep.Sends-rep.ByStore, kills)
	case rep.ByStore > outages:
		c.finding("duplicated sends", "%d where the store had failed, %d times", rep.ByStore, outages)
	}
}

// readSends reads the platform's file.
func (c *campaign) readSends() (map[string]*said, error) {
	f, err := os.Open(filepath.Join(c.dir, sendsName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[string]*said{}
	add := func(what, value string, m send) {
		s := out[what]
		if s == nil {
			s = &said{value: value}
			out[what] = s
		}
		s.sends = append(s.sends, m)
		if s.value != value {
			id, _, _ := strings.Cut(what, " ")
			out[id+" "+differs] = &said{}
		}
	}
	corr := map[string]string{}
	for _, ev := range c.platform.order {
		if len(ev.kind.routes) > 0 {
			corr[failureText(ev.id)] = ev.id
		}
	}
	lines := bufio.NewScanner(f)
	for at := 1; lines.Scan(); at++ {
		m := send{at: at}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return nil, fmt.Errorf("the record of sends: %w", err)
		}
		if id, ok := corr[m.Text]; ok {
			add(id+" failure", "", m)
			continue
		}
		id, label, value, ok := parse(m.Text)
		if !ok {
			c.finding("wrong state", "the bot said %q", m.Text)
			continue
		}
		add(id+" "+label, value, m)
	}
	return out, lines.Err()
}

// missing says what an event still lacks; "": nothing.
func (ev *event) missing(sends map[string]*said) string {
	if ev.kind.name == "over" {
		if sends[ev.id+" failure"] == nil {
			return "nobody was told that it failed"
		}
		return ""
	}
	if sends[ev.id+" failure"] != nil {
		return "it failed"
	}
	for _, r := range ev.kind.routes {
		if !ev.ended[r] {
			return "the handler " + r + " did not end"
		}
	}
	for _, label := range ev.kind.replies {
		if sends[ev.id+" "+label] == nil && (label != "once" || sends[ev.id+" unknown"] == nil) {
			return "the reply " + label + " was not posted"
		}
	}
	return ""
}

// judgeRuns counts the runs that a perfect world would not have had.
func (c *campaign) judgeRuns() {
	for _, ev := range c.platform.order {
		want := len(ev.kind.routes)
		if ev.kind.name == "retry" {
			want = 2
		}
		c.report.Runs += max(0, len(ev.begins)-want)
	}
}

// disorder counts the events that began before one which was acknowledged before they were offered. A background handler
// leaves the line before its first step, so its beginning has no order.
func (p *platform) disorder(note func(string, ...any)) (n int) {
	for _, r := range p.rooms {
		var byOffer, byAck []*event
		for _, ev := range p.order {
			if ev.room == r.id && ev.begun != 0 && ev.acked != 0 && ev.kind.name != "slow" {
				byOffer, byAck = append(byOffer, ev), append(byAck, ev)
			}
		}
		slices.SortFunc(byOffer, func(a, b *event) int { return a.offered - b.offered })
		slices.SortFunc(byAck, func(a, b *event) int { return a.acked - b.acked })
		var late *event // of those acknowledged so far the one that began last
		i := 0
		for _, ev := range byOffer {
			for ; i < len(byAck) && byAck[i].acked < ev.offered; i++ {
				if late == nil || byAck[i].begun > late.begun {
					late = byAck[i]
				}
			}
			if late != nil && late.begun > ev.begun {
				n++
				note("%s (in the log %s) began in process %v before %s (%s) in process %v, and was offered after that was acknowledged",
					ev.id, ev.correlation(), ev.processes(), late.id, late.correlation(), late.processes())
			}
		}
	}
	return n
}

// disorderOfReplies counts the messages that were posted before one that was said earlier, by the first time that each was posted:
// those of one event, and in each room those of events that ran one after another. What was said while its record could not be
// written is left out, and what was said by a handler that ran so long that it had left its line.
func (p *platform) disorderOfReplies(sends map[string]*said, note func(string, ...any)) (n int) {
	first := func(ev *event, label string) int {
		if s := sends[ev.id+" "+label]; s != nil && !p.unsure[ev.id] {
			return s.sends[0].at
		}
		return 0
	}
	byRoom := map[string][]*event{}
	for _, ev := range p.order {
		if ev.begun != 0 {
			byRoom[ev.room] = append(byRoom[ev.room], ev)
		}
		last := ""
		for _, label := range ev.kind.replies {
			if label == "told" { // in another room
				continue
			}
			if last != "" && first(ev, label) != 0 && first(ev, label) < first(ev, last) {
				n++
				note("%s: %q was posted before %q", ev.id, label, last)
			}
			last = label
		}
	}
	for _, evs := range byRoom {
		slices.SortFunc(evs, func(a, b *event) int { return a.begun - b.begun })
		for _, label := range []string{"", "told"} { // in the room, and beside it
			var last *event
			lastAt := 0
			for _, ev := range evs {
				said := label
				if said == "" && slices.Contains(inTurn, ev.kind.name) {
					said = ev.kind.replies[0]
				}
				at := first(ev, said)
				if at == 0 || ev.leftLine(sends[ev.id+" "+said].sends[0].Time) {
					continue
				}
				if at < lastAt {
					n++
					note("%s: %q was posted before that of %s, which ran before it", ev.id, said, last.id)
				}
				last, lastAt = ev, max(at, lastAt)
			}
		}
	}
	return n
}

// leftLine tells whether the handler that said something at a time had run so long by then that it no longer held up the events
// behind it: Config.SlowAfter, which a slow store makes of the shortest one.
func (ev *event) leftLine(said time.Time) bool {
	const slowAfter = 2*time.Second - recordedWithin // it counts from a little before we hear of the begin
	for _, b := range slices.Backward(ev.begins) {
		if !b.at.After(said) {
			return said.Sub(b.at) >= slowAfter
		}
	}
	return false
}

// inTurn are the kinds of events whose first reply comes before the next event's: they are not in the background.
var inTurn = []string{"add", "both", "early", "once", "long", "tell", "later", "again", "ask"}

// correlation is what the bot's log calls the event.
func (ev *event) correlation() string { return handler.CorrelationID(adapterName + "/" + ev.id) }

// processes names the processes that ran an event.
func (ev *event) processes() (ps []int) {
	for _, b := range ev.begins {
		ps = append(ps, b.process)
	}
	return ps
}

// judgeState reads the store.
func (c *campaign) judgeState(note func(string, ...any)) (err error) {
	store, err := bolt.Open(bolt.Config{Path: c.storePath()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	wrong := func(format string, args ...any) {
		c.report.Wrong++
		note(format, args...)
	}
	lists := map[string][]int{}
	counted := map[string]tally{}
	for e, err := range store.List(context.Background(), "") {
		if err != nil {
			return err
		}
		var derr error
		name, rest, _ := strings.Cut(e.Key, "/")
		if _, ok := tallies[name]; ok {
			name = "tallies"
		}
		switch name {
		case "list":
			var l []int
			derr = json.Unmarshal(e.Value, &l)
			room, _, _ := strings.Cut(rest, "/")
			lists[room] = append(lists[room], l...) // they come in order
		case "tallies":
			var t tally
			derr = json.Unmarshal(e.Value, &t)
			counted[e.Key] = t
		case "zombie":
			// The change of a handler that was cut off before its event was completed; after that the fence refuses it, and
			// where there is none it leaves a run record that nobody removes.
		case "_":
			var due struct {
				Ask string `json:"ask"`
			}
			switch {
			case strings.HasPrefix(e.Key, "_/run/") && ended(e.Value): // its first write might still land, and must meet something
			case strings.HasPrefix(e.Key, "_/seen/"), strings.HasPrefix(e.Key, "_/sent/"), e.Key == "_/probe":
			case strings.HasPrefix(e.Key, "_/due/") && json.Unmarshal(e.Value, &due) == nil && due.Ask != "": // of a question that was answered
			default:
				wrong("%s is left over", e.Key)
			}
		default:
			wrong("%s is nobody's", e.Key)
		}
		if derr != nil {
			return fmt.Errorf("%s: %w", e.Key, derr)
		}
	}
	for _, r := range c.platform.rooms {
		c.judgeList(r, lists[r.id], wrong)
		for name, of := range tallies {
			var want tally
			for _, ev := range c.platform.order {
				if ev.room == r.id && ev.kind.name == of.kind {
					want.Count += of.each
					want.Sum += of.each * ev.n
				}
			}
			if got := counted[name+"/"+r.id]; got != want {
				wrong("%s/%s is %d (sum %d) and must be %d (sum %d)", name, r.id, got.Count, got.Sum, want.Count, want.Sum)
			}
		}
	}
	return nil
}

// ended tells whether a run record is the empty one that a delivery leaves for a while when a write of it had no answer.
func ended(record []byte) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(record, &fields) != nil {
		return false
	}
	delete(fields, "v")
	delete(fields, "nonce")
	return len(fields) == 0
}

// judgeList compares a room's list with the events that were to be appended to it: each once, in a strict room in order. An
// event whose record could not be written was run again later, when others had been; its place is not judged.
func (c *campaign) judgeList(r *room, list []int, wrong func(string, ...any)) {
	seen := map[int]int{}
	last := 0
	for _, n := range list {
		seen[n]++
		if c.platform.unsure[r.id+"-"+strconv.Itoa(n)] || !r.strict {
			continue
		}
		if n < last {
			wrong("list/%s has %d after %d", r.id, n, last)
		}
		last = max(last, n)
	}
	for _, ev := range c.platform.order {
		if ev.room != r.id || ev.kind.name != "add" && ev.kind.name != "both" && ev.kind.name != "long" {
			continue
		}
		if n := seen[ev.n]; n != 1 {
			wrong("list/%s has %d %d times", r.id, ev.n, n)
		}
	}
}
