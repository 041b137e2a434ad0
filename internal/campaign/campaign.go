package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// settings are the flags of a campaign.
type settings struct {
	Kills      int
	Events     int // at least; the load goes on until all faults are done
	Rate       int // events a second
	Rooms      int
	Seed       uint64
	Terms      int // SIGTERM under load
	Outages    int // of the store
	Idempotent bool
	PerKill    float64 // messages posted twice that a kill excuses, on average
	Mutant     string
	Points     []string      // fail points to kill at; nil: all, as far as Kills reaches
	Modes      []string      // ways for the store to fail, in turn
	Settle     time.Duration // for everything to be handled after the load
	Timeout    time.Duration // of everything
	Dir        string        // "": a new one, removed after a run that found nothing
	Program    string        // of the child
	Log        io.Writer     // progress
}

const (
	bootTimeout    = 10 * time.Second
	recoverTimeout = 10 * time.Second // for the first handled event after a fault; the promise is 2 s
	armTimeout     = 8 * time.Second  // for an armed fail point to be passed
	drainTimeout   = 15 * time.Second // for a SIGTERM to end the process: the bot's own bound is 10 s
	calmTimeout    = 20 * time.Second // for the backlog after a fault
)

// fault is one thing that is done to the bot.
type fault struct {
	kind  string // kill, term, outage
	point string // of a kill: "" at a random time
	mode  string // of an outage
}

type campaign struct {
	settings
	dir      string
	platform *platform
	rand     *rand.Rand
	started  time.Time
	pace     time.Duration // between two faults, on average

	cmd     *exec.Cmd
	exited  chan error
	stdin   io.Closer
	process int
	served  sync.WaitGroup

	report   *report
	recovery []time.Duration
	killed   map[int]time.Time // processes, and when
}

// run runs a campaign and judges it. An error means that it could not be run.
func run(ctx context.Context, s settings) (rep *report, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	dir := s.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "campaign-"); err != nil { // short: a socket's name has 108 bytes
			return nil, err
		}
	}
	c := &campaign{settings: s, dir: dir, killed: map[int]time.Time{}, rand: rand.New(rand.NewPCG(s.Seed, 2)), started: time.Now()}
	c.report = &report{Run: "campaign", Seed: s.Seed, Mutant: s.Mutant, Idempotent: s.Idempotent, Kills: s.Kills, Dir: dir,
		Faults: map[string]int{}, Points: map[string]pointReport{}}
	if c.platform, err = newPlatform(dir, s.Rooms, s.Seed, s.Idempotent); err != nil {
		return nil, err
	}
	err = c.campaign(ctx)
	c.end()
	err = errors.Join(err, c.platform.close())
	if err != nil {
		return nil, fmt.Errorf("campaign: %w (look into %s)", err, dir)
	}
	if err := c.judge(); err != nil {
		return nil, fmt.Errorf("campaign: %w (look into %s)", err, dir)
	}
	if len(c.report.Findings) == 0 && s.Dir == "" {
		c.report.Dir = ""
		return c.report, os.RemoveAll(dir)
	}
	return c.report, nil
}

func (c *campaign) say(format string, args ...any) {
	fmt.Fprintf(c.Log, "%6.1fs %s\n", time.Since(c.started).Seconds(), fmt.Sprintf(format, args...))
}

// finding notes a broken promise, by the name of its kind.
func (c *campaign) finding(kind, format string, args ...any) {
	c.report.Findings = append(c.report.Findings, kind+": "+fmt.Sprintf(format, args...))
}

func (c *campaign) campaign(ctx context.Context) error {
	if err := c.spawn(ctx); err != nil {
		return err
	}
	loading, stopLoad := context.WithCancel(ctx)
	var load sync.WaitGroup
	defer load.Wait()
	defer stopLoad()
	faulted := make(chan struct{})
	enough := make(chan struct{})
	load.Go(func() { c.load(loading, faulted, enough) })
	plan := c.plan()
	c.pace = time.Duration(float64(time.Second) * float64(c.Events) / float64(c.Rate) / float64(len(plan)+1))
	for i, f := range plan {
		if err := c.inflict(ctx, f); err != nil {
			return err
		}
		if i%5 == 4 {
			unacked, unhandled := c.platform.open()
			c.say("%d faults done; offered and not acknowledged %d, acknowledged and not handled %d", i+1, unacked, unhandled)
		}
	}
	close(faulted)
	select {
	case <-enough:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	c.say("the load has ended")
	return c.settle(ctx)
}

// load makes events at the rate, and offers them until ctx ends; enough is closed when no more are made.
func (c *campaign) load(ctx context.Context, faulted, enough chan struct{}) {
	p := c.platform
	begun := time.Now()
	made := 0
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if enough != nil {
			p.mu.Lock()
			for want := int(time.Since(begun).Seconds() * float64(c.Rate)); made < want; made++ {
				p.say()
			}
			p.mu.Unlock()
			select {
			case <-faulted:
				if made >= c.Events {
					c.report.Planned, c.report.loadFor = made, time.Since(begun)
					close(enough)
					enough = nil
				}
			default:
			}
		}
		p.offer()
	}
}

// settle waits until all is handled, and stops the bot.
func (c *campaign) settle(ctx context.Context) error {
	deadline := time.Now().Add(c.Settle)
	for {
		unacked, unhandled := c.platform.open()
		if unacked+unhandled == 0 {
			break
		}
		if time.Now().After(deadline) {
			c.say("not everything was handled: %d not acknowledged, %d not handled, such as %s", unacked, unhandled, strings.Join(c.platform.waiting(), ", "))
			break
		}
		if !c.alive() {
			if c.Mutant == "" {
				c.finding("died", "the bot's process ended by itself")
			}
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	// an overrunning handler's event ends when it is cut, and its change would come when it wakes
	select {
	case <-time.After(overFor + 500*time.Millisecond):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return c.stop()
}

// plan lists the faults in the order in which they come.
func (c *campaign) plan() (faults []fault) {
	points := c.Points
	if points == nil {
		points = slices.Clone(pointNames)
		c.rand.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	}
	named := min(c.Kills, max(len(points), c.Kills/2))
	if c.Points == nil {
		named = min(named, c.Kills*4/5) // some come at random
	}
	for i := range c.Kills {
		f := fault{kind: "kill"}
		if i < named && len(points) > 0 {
			f.point = points[i%len(points)]
		}
		faults = append(faults, f)
	}
	for range c.Terms {
		faults = append(faults, fault{kind: "term"})
	}
	for i := range c.Outages {
		faults = append(faults, fault{kind: "outage", mode: c.Modes[i%len(c.Modes)]})
	}
	c.rand.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	return faults
}

func (c *campaign) inflict(ctx context.Context, f fault) error {
	if !c.alive() {
		c.finding("died", "the bot's process ended by itself before %s %s%s", f.kind, f.point, f.mode)
		if err := c.spawn(ctx); err != nil {
			return err
		}
	}
	wait := time.Duration((0.25 + 1.25*c.rand.Float64()) * float64(c.pace))
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := c.calm(ctx); err != nil {
		return err
	}
	switch f.kind {
	case "kill":
		return c.kill(ctx, f.point)
	case "term":
		c.report.Faults["term"]++
		begun := time.Now()
		if err := c.stop(); err != nil {
			return err
		}
		c.say("stopped in %v", time.Since(begun).Round(time.Millisecond))
		return c.spawn(ctx)
	}
	return c.outage(ctx, f.mode)
}

// calm waits until the backlog of the fault before is done, so that every fault meets the planned load: in a burst a kill meets
// as many messages between the platform and their record as conversations are busy.
func (c *campaign) calm(ctx context.Context) error {
	told := false
	for deadline := time.Now().Add(calmTimeout); time.Now().Before(deadline); {
		if !told && time.Until(deadline) < calmTimeout-3*time.Second {
			told = true
			c.say("waiting for %s", strings.Join(c.platform.waiting(), ", "))
		}
		unacked, unhandled := c.platform.open()
		if unacked+unhandled <= c.Rate/10 {
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	c.say("the backlog stays: going on")
	return nil
}

// kill kills the process, at a fail point or now, starts the next one and waits until it has handled something.
func (c *campaign) kill(ctx context.Context, point string) error {
	what := "random"
	if point != "" {
		what = point
		n := 1 + c.rand.IntN(12)
		if step, _, _ := strings.Cut(point, "."); slices.Contains(seldom, step) {
			n = 1 + c.rand.IntN(3)
		}
		select {
		case <-c.platform.stuck: // of a process that is dead
		default:
		}
		if !c.platform.tell(line{Type: lineArm, Point: point, N: n}) {
			return errors.New("the bot is not connected")
		}
		select {
		case <-c.platform.stuck:
			r := c.report.Points[point]
			r.Kills++
			c.report.Points[point] = r
		case <-time.After(armTimeout):
			c.finding("fail point", "%s was armed and not passed within %v", point, armTimeout)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	c.report.Faults["kill"]++
	begun := time.Now()
	c.killed[c.process] = begun
	if err := c.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill: %w", err)
	}
	<-c.exited
	c.end()
	first := c.platform.firstEnd()
	if err := c.spawn(ctx); err != nil {
		return err
	}
	select {
	case at := <-first:
		c.recovery = append(c.recovery, at.Sub(begun))
	case <-time.After(recoverTimeout):
		c.finding("recovery", "nothing was handled within %v after the kill at %s", recoverTimeout, what)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// outage has the store fail for a while, and waits until events are handled again.
func (c *campaign) outage(ctx context.Context, mode string) error {
	d := time.Second + time.Duration(c.rand.IntN(1500))*time.Millisecond
	c.say("the store fails for %v: %s", d, mode)
	c.report.Faults[mode]++
	if !c.platform.tell(line{Type: lineFault, Point: mode, N: int(d.Milliseconds())}) {
		return errors.New("the bot is not connected")
	}
	select {
	case <-time.After(d + 100*time.Millisecond):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-c.platform.firstEnd():
	case <-time.After(recoverTimeout):
		c.finding("recovery", "nothing was handled within %v after the store had failed (%s)", recoverTimeout, mode)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// spawn starts the next process of the bot and waits until it is connected.
func (c *campaign) spawn(ctx context.Context) error {
	c.process++
	cmd := exec.Command(c.Program)
	cmd.Env = append(os.Environ(), childVar+"="+c.dir, mutantVar+"="+c.Mutant)
	if c.Idempotent {
		cmd.Env = append(cmd.Env, idempotentVar+"=1")
	}
	stderr := &tail{}
	cmd.Stdout, cmd.Stderr = stderr, stderr
	stdin, err := cmd.StdinPipe() // closed when this process ends, however it ends: the child ends then
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.cmd, c.stdin, c.exited = cmd, stdin, make(chan error, 1)
	exited := c.exited
	go func() {
		err := cmd.Wait()
		if text := stderr.String(); text != "" {
			fmt.Fprintf(c.Log, "        the bot: %s\n", strings.TrimSpace(text))
		}
		exited <- err
		close(exited)
	}()
	type deadlined interface{ SetDeadline(time.Time) error }
	if d, ok := c.platform.listener.(deadlined); ok {
		if err := d.SetDeadline(time.Now().Add(bootTimeout)); err != nil {
			return err
		}
	}
	conn, err := c.platform.listener.Accept()
	if err != nil {
		return fmt.Errorf("the bot did not connect: %w", err)
	}
	process := c.process
	l := newLink(conn)
	c.served.Go(func() { c.platform.serve(l, process) })
	for begun := time.Now(); ; {
		c.platform.mu.Lock()
		up := c.platform.conn == l
		c.platform.mu.Unlock()
		if up {
			return nil
		}
		if time.Since(begun) > bootTimeout || !c.alive() {
			return errors.New("the bot did not start")
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (c *campaign) alive() bool {
	select {
	case err, ok := <-c.exited:
		if ok {
			c.say("the bot ended: %v", err)
		}
		return false
	default:
		return c.cmd != nil
	}
}

// stop ends the bot as its operator would.
func (c *campaign) stop() error {
	if !c.alive() {
		return nil
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	select {
	case err := <-c.exited:
		if err != nil {
			c.finding("drain", "the bot ended with %v", err)
		}
	case <-time.After(drainTimeout):
		c.finding("drain", "the bot did not stop within %v", drainTimeout)
		_ = c.cmd.Process.Kill() // waited for below
		<-c.exited
	}
	c.end()
	return nil
}

// end makes sure that no child is left and that all it said was heard.
func (c *campaign) end() {
	if c.cmd == nil {
		return
	}
	_ = c.cmd.Process.Kill() // it may have ended
	for range c.exited {
	}
	_ = c.stdin.Close()
	c.served.Wait()
}

// tail keeps the first few kilobytes of what a child says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b[:min(len(b), 4<<10-len(t.text))]...)
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// storePath is where the bot's store is.
func (c *campaign) storePath() string { return filepath.Join(c.dir, storeName) }
