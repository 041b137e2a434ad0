package adaptertest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Case is one rule of the contract with its proof.
type Case struct {
	// Name is stable: Harness.Skip and reports use it.
	Name string
	// Rule is the sentence of the contract that the case proves.
	Rule string

	needs []need
	run   func(*stage) error
}

// Status is what became of a case.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Failed  Status = "FAIL"
	Skipped Status = "skip"
)

// Result is what became of one case.
type Result struct {
	Case   Case
	Status Status
	Reason string // why it was skipped
	Err    error  // what broke
	Took   time.Duration
}

// Run runs every case as a subtest and prints a table at the end.
func Run(t *testing.T, newHarness func(testing.TB) Harness) {
	t.Helper()
	p, err := look(t, newHarness)
	if err != nil {
		t.Fatal(err)
	}
	var table report
	t.Cleanup(func() { t.Log(table.String()) })
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			r := c.check(t, newHarness, p)
			table = append(table, r)
			switch r.Status {
			case Skipped:
				t.Skip(r.Reason)
			case Failed:
				t.Fatalf("the rule is broken: %s\n%v", c.Rule, r.Err)
			}
		})
	}
}

// Check runs the cases with these names, or all of them, and returns what became of them without failing t.
func Check(t *testing.T, newHarness func(testing.TB) Harness, names ...string) ([]Result, error) {
	p, err := look(t, newHarness)
	if err != nil {
		return nil, err
	}
	var results []Result
	wanted := map[string]bool{}
	for _, n := range names {
		if !known(n) {
			return nil, fmt.Errorf("adaptertest: there is no case %q", n)
		}
		wanted[n] = true
	}
	for _, c := range Cases() {
		if len(names) == 0 || wanted[c.Name] {
			results = append(results, c.check(t, newHarness, p))
		}
	}
	return results, nil
}

// Table shows results as Run prints them.
func Table(results []Result) string { return report(results).String() }

// check runs the case alone.
func (c Case) check(t *testing.T, newHarness func(testing.TB) Harness, p *probe) (r Result) {
	r = Result{Case: c, Status: OK}
	if r.Reason = c.skipped(p); r.Reason != "" {
		r.Status = Skipped
		return r
	}
	start := time.Now()
	if p.h.Bubble {
		synctest.Test(t, func(t *testing.T) {
			r.Err = play(c, newHarness(t))
			time.Sleep(time.Hour) // no time at all: whatever still waits for a timer ends
		})
	} else {
		r.Err = play(c, newHarness(t))
	}
	r.Took = time.Since(start)
	var skip *skipError
	switch {
	case errors.As(r.Err, &skip):
		r.Status, r.Reason, r.Err = Skipped, skip.reason, nil
	case r.Err != nil:
		r.Status = Failed
	}
	return r
}

// play runs the body of a case and ends what it began.
func play(c Case, h Harness) (err error) {
	s := newStage(h)
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
		if end := s.close(); err == nil {
			err = end
		}
	}()
	return c.run(s)
}

// skipped gives why the case does not run, or "".
func (c Case) skipped(p *probe) string {
	if reason, ok := p.h.Skip[c.Name]; ok {
		return "Harness.Skip: " + reason
	}
	for _, n := range c.needs {
		if reason := n(p); reason != "" {
			return reason
		}
	}
	return ""
}

// probe is what cases are chosen by: what the harness has, and what the adapter claims.
type probe struct {
	h Harness
	a adapter.Adapter // closed
	f adapter.Features
}

// look makes one harness and one adapter to see what they have.
func look(t testing.TB, newHarness func(testing.TB) Harness) (*probe, error) {
	h := newHarness(t)
	switch {
	case h.Open == nil || h.Say == nil || h.Posts == nil:
		return nil, errors.New("adaptertest: a Harness needs Open, Say and Posts")
	case len(h.Users) < 2 || h.Users[0] == h.Users[1] || len(h.Rooms) < 1:
		return nil, errors.New("adaptertest: a Harness needs two users and a room")
	}
	for name := range h.Skip {
		if !known(name) {
			return nil, fmt.Errorf("adaptertest: Harness.Skip names the case %q, which does not exist", name)
		}
	}
	s := newStage(h)
	err := s.open()
	p := &probe{h: h}
	if err == nil {
		p.a, p.f = s.a, s.a.Features()
	}
	_ = s.close() // the cases judge it
	if err != nil {
		return nil, fmt.Errorf("adaptertest: look at the adapter: %w", err)
	}
	return p, nil
}

// need gives why a case does not apply, or "".
type need func(*probe) string

// far is a part of the harness, by the name of its field.
func far(part string) need {
	return func(p *probe) string {
		if v := reflect.ValueOf(p.h).FieldByName(part); v.IsNil() {
			return "the harness has no " + part
		}
		return ""
	}
}

// either is one of two parts of the harness.
func either(one, two string) need {
	return func(p *probe) string {
		if far(one)(p) != "" && far(two)(p) != "" {
			return "the harness has neither " + one + " nor " + two
		}
		return ""
	}
}

// fault is a way to fail that the harness has.
func fault(f Fault) need {
	return func(p *probe) string {
		if p.h.Faults[f] == nil {
			return fmt.Sprintf("the harness has no fault %q", f)
		}
		return ""
	}
}

// claims is a field of Features that is set.
func claims(feature string) need {
	return func(p *probe) string {
		if reflect.ValueOf(p.f).FieldByName(feature).IsZero() {
			return "the adapter does not claim Features." + feature
		}
		return ""
	}
}

// lacks is a field of Features that is not set.
func lacks(feature string) need {
	return func(p *probe) string {
		if claims(feature)(p) == "" {
			return "the adapter claims Features." + feature
		}
		return ""
	}
}

// showsAll is a platform that cannot hide a message that answers nothing.
func showsAll(p *probe) string {
	if p.f.Hides(&adapter.Message{}) {
		return "the adapter claims Features.Ephemeral without EphemeralOrigin"
	}
	return ""
}

// verb is an optional interface.
func verb[T any](p *probe) string {
	if _, ok := adapter.As[T](p.a); !ok {
		return "the adapter is no " + reflect.TypeFor[T]().String()
	}
	return ""
}

func remote(p *probe) string {
	if p.f.Local {
		return "the adapter claims Features.Local: after a restart there is nobody to go on with"
	}
	return ""
}

func rooms(p *probe) string {
	if len(p.h.Rooms) < 2 {
		return "the harness has one room"
	}
	return ""
}

// skipError ends a case that turns out not to apply.
type skipError struct{ reason string }

func (e *skipError) Error() string { return "skipped: " + e.reason }

func known(name string) bool {
	for _, c := range Cases() {
		if c.Name == name {
			return true
		}
	}
	return false
}

// report shows what became of each case that ran.
type report []Result

func (r report) String() string {
	count := map[Status]int{}
	var b strings.Builder
	for _, res := range r {
		count[res.Status]++
		note := res.Reason
		if res.Status != Skipped {
			note = res.Took.Round(100 * time.Microsecond).String()
		}
		fmt.Fprintf(&b, "\n  %-24s %-4s %s", res.Case.Name, res.Status, note)
	}
	return fmt.Sprintf("adapter contract: %d ok, %d failed, %d skipped of %d cases%s", count[OK], count[Failed], count[Skipped], len(Cases()), b.String())
}
