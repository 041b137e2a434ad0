package braintest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlingbot/starling/brain"
)

// Harness tells the suite how to get a store and what it claims.
type Harness struct {
	// Open opens the store whose data lie in the folder dir, which exists. Each
	// case has a folder of its own and must find it empty. A store on a server
	// takes dir as a name: one key prefix or database for each. Required.
	Open func(dir string) (brain.Store, error)
	// Features is what the store claims.
	Features Features
	// Bubble runs the cases about time in a testing/synctest bubble, where
	// sleeping takes no time. For stores without I/O.
	Bubble bool
	// Skip names cases that are not run, each with its reason, which is printed.
	Skip map[string]string
	// Env is added to the environment of the child process of the case "kill",
	// such as the address of a server that the child must use.
	Env []string
}

// Features is what a store claims. Each claim adds cases.
type Features struct {
	// Durable: Open of the same folder after Close, or after the death of the
	// process, finds all that was acknowledged.
	Durable bool
	// Shared: the same folder can be open more than once at a time.
	Shared bool
	// Wake: the store is a brain.Waker whose hints usually come within seconds.
	Wake bool
}

// Case is one rule of the contract with its proof.
type Case struct {
	// Name is stable: Harness.Skip and reports use it.
	Name string
	// Rule is the sentence of the contract that the case proves.
	Rule string
	// Clock is whether the case waits for time to pass.
	Clock bool

	needs func(Features) string // why the case does not apply, or ""
	run   func(*room) error
}

// room is what a case works in: a folder and stores opened in it.
type room struct {
	h     Harness
	dir   string
	test  string // full name of the running test, for the child process
	mu    sync.Mutex
	ready []brain.Store
}

// open opens the store; the room closes it at the end.
func (r *room) open() (brain.Store, error) {
	s, err := r.h.Open(r.dir)
	if err != nil {
		return nil, fmt.Errorf("Open: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready = append(r.ready, s)
	return s, nil
}

func (r *room) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.ready {
		if err := s.Close(); err != nil {
			return fmt.Errorf("Close at the end of the case: %w", err)
		}
	}
	return nil
}

// Check runs the case alone, in the empty folder dir, and returns what broke. A
// panic of the store is an error too. It does not heed h.Bubble and h.Skip. The
// case "kill" needs [Run].
func (c Case) Check(h Harness, dir string) error { return c.check(h, dir, "") }

func (c Case) check(h Harness, dir, test string) (err error) {
	r := &room{h: h, dir: dir, test: test}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
		if cerr := r.close(); err == nil {
			err = cerr
		}
	}()
	return c.run(r)
}

// skipped returns why the case does not run for h, or "".
func (c Case) skipped(h Harness) string {
	if reason, ok := h.Skip[c.Name]; ok {
		return reason
	}
	if c.needs != nil {
		return c.needs(h.Features)
	}
	return ""
}

// Run runs every case as a subtest and prints a table at the end. Cases about
// real time run at once.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if dir := os.Getenv(childVar); dir != "" {
		childMain(h, dir) // does not return
	}
	for name := range h.Skip {
		if !known(name) {
			t.Errorf("Harness.Skip names the case %q, which does not exist", name)
		}
	}
	root := t.TempDir()
	folder := func(i int) string {
		dir := filepath.Join(root, fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	var table report
	waits := &waiters{h: h, folder: folder}
	t.Cleanup(waits.group.Wait)
	t.Cleanup(func() { t.Log(table.String()) })
	for i, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			if reason := c.skipped(h); reason != "" {
				table.add(i, c.Name, "skip", reason)
				t.Skip(reason)
			}
			start := time.Now()
			var err error
			switch {
			case c.Clock && h.Bubble:
				dir := folder(i)
				synctest.Test(t, func(*testing.T) { err = c.Check(h, dir) })
			case c.Clock:
				err = waits.result(i)
			default:
				err = c.check(h, folder(i), t.Name())
			}
			took := time.Since(start).Round(100 * time.Microsecond).String()
			if err != nil {
				table.add(i, c.Name, "FAIL", took)
				t.Fatalf("the rule is broken: %s\n%v", c.Rule, err)
			}
			table.add(i, c.Name, "ok", took)
		})
	}
}

// waiters runs the cases about real time all at once, because they do little
// but sleep, when the first of them is asked for.
type waiters struct {
	h      Harness
	folder func(int) string
	once   sync.Once
	group  sync.WaitGroup
	done   map[int]chan error
}

// result waits for the case with this number.
func (w *waiters) result(i int) error {
	w.once.Do(func() {
		w.done = make(map[int]chan error)
		for i, c := range Cases() {
			if !c.Clock || c.skipped(w.h) != "" {
				continue
			}
			done, dir := make(chan error, 1), w.folder(i)
			w.done[i] = done
			w.group.Go(func() { done <- c.Check(w.h, dir) })
		}
	})
	return <-w.done[i]
}

func known(name string) bool {
	for _, c := range Cases() {
		if c.Name == name {
			return true
		}
	}
	return false
}

// report collects what became of each case.
type report struct {
	mu   sync.Mutex
	rows map[int][3]string
}

func (r *report) add(i int, name, what, note string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rows == nil {
		r.rows = make(map[int][3]string)
	}
	r.rows[i] = [3]string{name, what, note}
}

// String is the table, in the order of the cases. A case that -run left out is
// not in it.
func (r *report) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := map[string]int{}
	var b strings.Builder
	for i := range len(Cases()) {
		if row, ok := r.rows[i]; ok {
			count[row[1]]++
			fmt.Fprintf(&b, "\n  %-28s %-4s %s", row[0], row[1], row[2])
		}
	}
	return fmt.Sprintf("brain contract: %d ok, %d failed, %d skipped of %d cases%s", count["ok"], count["FAIL"], count["skip"], len(Cases()), b.String())
}
