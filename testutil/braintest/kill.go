package braintest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/brain"
)

const (
	childVar     = "STARLING_BRAINTEST_CHILD"
	childAcks    = "acks" // beside the folder of the store
	childWriters = 4
	killRounds   = 3
	killAcks     = 200 // acknowledged writes per round before the kill
)

// killed has a child process write until it is killed, several times on the
// same data, and compares the acknowledgements, which the child appends to a
// file, with what is there.
func killed(r *room) error {
	if r.test == "" {
		return errors.New("this case runs a child process and needs Run")
	}
	dir := filepath.Join(r.dir, "store")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	acks := filepath.Join(r.dir, childAcks)
	for round := range killRounds {
		if err := killOnce(r, dir, acks); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if err := killCompare(r, dir, acks); err != nil {
			return fmt.Errorf("after SIGKILL number %d: %w", round+1, err)
		}
	}
	return nil
}

// killOnce runs a child and kills it after it has acknowledged some writes.
func killOnce(r *room, dir, acks string) error {
	before := fileSize(acks)
	name := "^" + strings.ReplaceAll(regexp.QuoteMeta(topTest(r.test)), "/", "$/^") + "$"
	cmd := exec.Command(os.Args[0], "-test.run="+name, "-test.timeout=60s")
	cmd.Env = append(append(os.Environ(), r.h.Env...), childVar+"="+dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	alive, err := cmd.StdinPipe() // the child ends with us
	if err != nil {
		return err
	}
	defer alive.Close()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(30 * time.Second)
	var why error
	for fileSize(acks) < before+killAcks*16 && why == nil { // a line has 16 bytes at most
		select {
		case <-poll.C:
		case <-ended:
			return fmt.Errorf("the child ended by itself: %s", out.String())
		case <-deadline:
			why = errors.New("the child acknowledged too little in 30 s")
		}
	}
	time.Sleep(rand.N(5 * time.Millisecond)) // at any point of a commit
	err = cmd.Process.Kill()
	<-ended
	return first(why, err)
}

// topTest is the name of the test that called Run: the name of the case is the
// end of the subtest's name.
func topTest(name string) string { return strings.TrimSuffix(name, "/kill") }

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// killCompare reads "writer number revision" lines and the store. In each Apply
// a writer creates k/<writer>/<number> and sets last/<writer>, so the two must
// agree.
func killCompare(r *room, dir, acks string) error {
	ctx := context.Background()
	s, err := r.h.Open(dir)
	if err != nil {
		return fmt.Errorf("Open: %w", err)
	}
	defer s.Close()
	f, err := os.Open(acks)
	if err != nil {
		return err
	}
	defer f.Close()
	lines, n := bufio.NewScanner(f), 0
	for ; lines.Scan(); n++ {
		var w, i int
		var rev uint64
		if _, err := fmt.Sscanf(lines.Text(), "%d %d %d", &w, &i, &rev); err != nil {
			return fmt.Errorf("the line %q of the acknowledgements: %w", lines.Text(), err)
		}
		if err := has(ctx, s, childKey(w, i), fmt.Sprint(i), rev); err != nil {
			return fmt.Errorf("an acknowledged write is lost: %w", err)
		}
	}
	if n < killAcks {
		return fmt.Errorf("only %d acknowledgements were compared", n)
	}
	for w := range childWriters {
		all, err := list(ctx, s, fmt.Sprintf("k/%d/", w))
		if err != nil {
			return err
		}
		if err := has(ctx, s, fmt.Sprintf("last/%d", w), fmt.Sprint(len(all)), 0); err != nil {
			return fmt.Errorf("an Apply is there by half: writer %d has %d keys: %w", w, len(all), err)
		}
	}
	return first(lines.Err(), s.Close())
}

func childKey(w, i int) string { return fmt.Sprintf("k/%d/%06d", w, i) }

// childMain is the child process: it writes until it is killed.
func childMain(h Harness, dir string) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3) // the parent is gone
	}()
	err := childWrite(h, dir)
	fmt.Println("braintest child:", err)
	os.Exit(2)
}

func childWrite(h Harness, dir string) error {
	ctx := context.Background()
	s, err := h.Open(dir)
	if err != nil {
		return err
	}
	acks, err := os.OpenFile(filepath.Join(filepath.Dir(dir), childAcks), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return together(childWriters, func(w int) error {
		last, i := fmt.Sprintf("last/%d", w), 0
		cond := brain.Absent
		if e, err := s.Get(ctx, last); err == nil {
			cond = brain.At(e.Rev)
			if i, err = strconv.Atoi(string(e.Value)); err != nil {
				return err
			}
		} else if !errors.Is(err, brain.ErrNotFound) {
			return err
		}
		for {
			i++
			value := fmt.Append(nil, i)
			revs, err := s.Apply(ctx, brain.Op{Key: childKey(w, i), Value: value}, brain.Op{Key: last, Value: value, If: cond})
			if err != nil {
				return err
			}
			cond = brain.At(revs[1])
			if _, err := fmt.Fprintf(acks, "%d %04d %d\n", w, i, revs[0]); err != nil {
				return err
			}
		}
	})
}
