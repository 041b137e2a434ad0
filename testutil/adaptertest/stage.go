//lint:file-ignore ST1005 errors begin with the names of what they judge

package adaptertest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// stage is what a case works on: the far side, the adapter, and the bot's sink.
type stage struct {
	h            Harness
	wait, settle time.Duration
	label        string // of the goroutines that the adapter starts
	feed         *feed

	a      adapter.Adapter
	run    *running      // the last Run
	closed bool          // a is
	ended  bool          // the far side is
	over   chan struct{} // closed when the case is over: no sink may block any longer

	mu sync.Mutex
	n  int // tokens
}

func newStage(h Harness) *stage {
	def := func(s *string) { *s = cmp.Or(*s, "no-such-thing") }
	def(&h.Missing.Room)
	def(&h.Missing.User)
	def(&h.Missing.Message)
	def(&h.Missing.File)
	return &stage{
		h: h, wait: cmp.Or(h.Wait, 5*time.Second), settle: cmp.Or(h.Settle, 50*time.Millisecond),
		label: strings.ToLower(rand.Text()[:8]), feed: newFeed(), closed: true, over: make(chan struct{}),
	}
}

// labelled runs f so that the goroutines it starts can be told from all others.
func (s *stage) labelled(ctx context.Context, f func(context.Context)) {
	pprof.Do(ctx, pprof.Labels(labelKey, s.label), f)
}

// open makes the adapter, as a process that starts.
func (s *stage) open() (err error) {
	s.labelled(context.Background(), func(context.Context) { s.a, err = s.h.Open() })
	if err == nil && s.a == nil {
		err = errors.New("no adapter")
	}
	if err != nil {
		return fmt.Errorf("Harness.Open: %w", err)
	}
	s.closed = false
	return nil
}

// running is one call of Run.
type running struct {
	cancel context.CancelFunc
	done   chan struct{} // closed after Run returned
	err    error         // of Run
}

func (r *running) returned() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// start calls Run, and returns when the adapter hears the far side.
func (s *stage) start() error {
	s.begin(context.Background())
	return s.connected()
}

// begin calls Run.
func (s *stage) begin(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{cancel: cancel, done: make(chan struct{})}
	s.run = r
	go s.labelled(ctx, func(ctx context.Context) {
		defer close(r.done)
		defer func() {
			if v := recover(); v != nil {
				r.err = fmt.Errorf("panic: %v", v)
			}
		}()
		r.err = s.a.Run(ctx, s.feed.sink(r))
	})
}

// up opens the adapter and starts it.
func (s *stage) up() error { return steps(s.open, s.start) }

func (s *stage) connected() error {
	if s.h.Connected == nil {
		return nil
	}
	r := s.run
	ctx, cancel := context.WithTimeout(context.Background(), s.wait)
	watched := make(chan struct{})
	go func() { // there is nothing to wait for when Run has returned
		defer close(watched)
		select {
		case <-r.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := s.h.Connected(ctx)
	cancel()
	<-watched
	switch {
	case err == nil:
		return nil
	case r.returned():
		return fmt.Errorf("Run returned before it was connected: %w", cmp.Or(r.err, errors.New("nil")))
	}
	return fmt.Errorf("Harness.Connected: %w", err)
}

// stop ends Run, which must return nil.
func (s *stage) stop() error {
	if s.run == nil {
		return nil
	}
	r := s.run
	s.run = nil
	r.cancel()
	if err := s.returns(r, "its context ended"); err != nil {
		return err
	}
	if r.err != nil {
		return fmt.Errorf("Run = %w after its context ended, want nil", r.err)
	}
	return nil
}

// returns waits until Run has returned.
func (s *stage) returns(r *running, since string) error {
	select {
	case <-r.done:
		return nil
	case <-time.After(s.wait):
		return fmt.Errorf("Run did not return within %v after %s", s.wait, since)
	}
}

// shut closes the adapter.
func (s *stage) shut() (err error) {
	if s.closed {
		return nil
	}
	s.closed = true
	c, ok := adapter.As[adapter.Closer](s.a)
	if !ok {
		return nil
	}
	if s.within(func(ctx context.Context) { err = c.Close() }) != nil {
		return fmt.Errorf("Close did not return within %v", s.wait)
	}
	if err != nil {
		return fmt.Errorf("Close: %w", err)
	}
	return nil
}

// restart ends the adapter and makes it anew.
func (s *stage) restart() error {
	return steps(s.stop, s.shut, s.open, s.start)
}

// close ends everything, and tells what no case may see.
func (s *stage) close() error {
	close(s.over)
	err := first(s.stop(), s.shut(), s.end())
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return first(err, s.feed.broken)
}

// end ends the far side.
func (s *stage) end() error {
	if s.ended || s.h.Close == nil {
		return nil
	}
	s.ended = true
	if err := s.h.Close(); err != nil {
		return fmt.Errorf("Harness.Close: %w", err)
	}
	return nil
}

// within runs f and gives an error if it takes longer than the stage waits. f goes on then, so what it sets must not be read.
func (s *stage) within(f func(context.Context)) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.wait)
	defer cancel()
	done := make(chan struct{})
	var panicked any
	go s.labelled(ctx, func(ctx context.Context) {
		defer close(done)
		defer func() { panicked = recover() }()
		f(ctx)
	})
	late := time.NewTimer(s.wait + s.wait/10) // a little after ctx, which f may wait for
	defer late.Stop()
	select {
	case <-done:
		if panicked != nil {
			panic(panicked)
		}
		return nil
	case <-late.C:
		return fmt.Errorf("it did not return within %v", s.wait)
	}
}

// ask calls a verb of the adapter.
func (s *stage) ask(what string, f func(context.Context) error) error {
	var err error
	if late := s.within(func(ctx context.Context) { err = f(ctx) }); late != nil {
		return fmt.Errorf("%s: %w", what, late)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// token makes a text that no other post has, and none contains.
func (s *stage) token(word string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return fmt.Sprintf("%s %s%04dx", word, s.label, s.n)
}

func (s *stage) user() string  { return s.h.Users[0] }
func (s *stage) other() string { return s.h.Users[1] }
func (s *stage) room() string  { return s.h.Rooms[0] }

// to gives the address of a room.
func (s *stage) to(room string) adapter.Address {
	return adapter.Address{Adapter: s.a.Name(), Room: room}
}

// theirs judges an error of the harness.
func theirs(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errors.ErrUnsupported):
		return &skipError{fmt.Sprintf("Harness.%s: %v", what, err)}
	}
	return fmt.Errorf("Harness.%s: %w", what, err)
}

// say lets the first user say text in the first room and waits for the event.
func (s *stage) say(text string) (*adapter.Event, error) {
	if _, err := s.h.Say(s.user(), s.room(), text); err != nil {
		return nil, theirs("Say", err)
	}
	return s.hear(text)
}

// hear waits for the message that contains text.
func (s *stage) hear(text string) (*adapter.Event, error) {
	return s.await(fmt.Sprintf("the message %q", brief(text)), message(text))
}

// message matches a message of somebody else that contains text.
func message(text string) func(*adapter.Event) bool {
	return func(ev *adapter.Event) bool {
		return ev.Kind == adapter.KindMessage && !ev.Self && strings.Contains(ev.Text, text)
	}
}

func kind(k adapter.Kind) func(*adapter.Event) bool {
	return func(ev *adapter.Event) bool { return ev.Kind == k && !ev.Self }
}

// await waits for the first event that matches.
func (s *stage) await(what string, match func(*adapter.Event) bool) (*adapter.Event, error) {
	calls, err := s.calls(what, 1, match)
	if err != nil {
		return nil, err
	}
	return calls[0].ev, nil
}

// calls waits until the sink was called n times with an event that matches.
func (s *stage) calls(what string, n int, match func(*adapter.Event) bool) ([]call, error) {
	return s.callsWhere(what, n, func(call) bool { return true }, match)
}

// ends waits until n calls of the sink with an event that matches have returned.
func (s *stage) ends(what string, n int, match func(*adapter.Event) bool) ([]call, error) {
	return s.callsWhere(what, n, func(c call) bool { return c.over }, match)
}

func (s *stage) callsWhere(what string, n int, good func(call) bool, match func(*adapter.Event) bool) ([]call, error) {
	late := time.NewTimer(s.wait)
	defer late.Stop()
	var over <-chan struct{}
	if s.run != nil {
		over = s.run.done
	}
	for {
		found, changed := s.feed.find(match)
		k := 0
		for _, c := range found {
			if good(c) {
				k++
			}
		}
		if k >= n {
			return found, nil
		}
		select {
		case <-changed:
		case <-late.C:
			return nil, fmt.Errorf("%s came %d times to the Sink within %v, want %d", what, k, s.wait, n)
		case <-over:
			if err := s.run.err; err != nil {
				return nil, fmt.Errorf("Run returned while %s was awaited: %w", what, err)
			}
			over = nil
		}
	}
}

// quiet gives what must not happen the time to happen.
func (s *stage) quiet() {
	t := time.NewTimer(s.settle)
	defer t.Stop()
	<-t.C
}

// waits makes the Sink wait for its context.
func (s *stage) waits(ctx context.Context, _ *adapter.Event) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.over:
		return errors.New("test: the case is over")
	}
}

// until looks at the far side until ok.
func (s *stage) until(what string, ok func() bool) error {
	end := time.Now().Add(s.wait)
	t := time.NewTimer(0)
	defer t.Stop()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		<-t.C
		if ok() {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: not so within %v", what, s.wait)
		}
		t.Reset(pause)
	}
}

// posts gives what is shown and contains text.
func (s *stage) posts(text string) []Post {
	var found []Post
	for _, p := range s.h.Posts() {
		if strings.Contains(p.Text, text) {
			found = append(found, p)
		}
	}
	return found
}

// shown waits for the one post that contains text.
func (s *stage) shown(text string) (Post, error) {
	if err := s.until(fmt.Sprintf("the far side shows %q", brief(text)), func() bool { return len(s.posts(text)) > 0 }); err != nil {
		return Post{}, err
	}
	return s.posts(text)[0], nil
}

// once wants text to be shown exactly once, now and after a while.
func (s *stage) once(text string) (Post, error) {
	p, err := s.shown(text)
	if err != nil {
		return p, err
	}
	s.quiet()
	if n := len(s.posts(text)); n != 1 {
		return p, fmt.Errorf("%q was sent once and is shown %d times", brief(text), n)
	}
	return p, nil
}

// never wants text not to be shown after a while.
func (s *stage) never(text string) error {
	s.quiet()
	if n := len(s.posts(text)); n != 0 {
		return fmt.Errorf("%q is shown %d times, want never", brief(text), n)
	}
	return nil
}

// post renders m as the bot's outbox does, sends the parts, and tries again what was certainly not posted.
func (s *stage) post(m *adapter.Message) ([]adapter.Ref, error) {
	parts, err := s.render(m)
	if err != nil {
		return nil, err
	}
	end := time.Now().Add(s.wait)
	var refs []adapter.Ref
	for len(refs) < len(parts) {
		ref, err := s.send(parts[len(refs)])
		if err == nil {
			refs = append(refs, ref)
			continue
		}
		if adapter.OutcomeOf(err) != adapter.NotYet || time.Now().After(end) {
			return refs, err
		}
		var limit *adapter.RateLimitError
		pause := 20 * time.Millisecond
		if errors.As(err, &limit) {
			pause = max(pause, limit.RetryAfter)
		}
		<-time.After(pause)
	}
	return refs, nil
}

// render gives the parts that the outbox would store, each with a key.
func (s *stage) render(m *adapter.Message) ([]*adapter.Message, error) {
	one := *m
	parts := []*adapter.Message{&one}
	if r, ok := adapter.As[adapter.Renderer](s.a); ok {
		var err error
		if parts, err = r.Render(&one); err != nil {
			return nil, fmt.Errorf("Render: %w", err)
		}
		if len(parts) == 0 && m.Text != "" {
			return nil, fmt.Errorf("Render gave no part for %q", brief(m.Text))
		}
	}
	key := cmp.Or(m.Key, s.token("key"))
	for i, p := range parts {
		if p == nil {
			return nil, errors.New("Render gave a nil part")
		}
		p.Key = fmt.Sprintf("%s/%d", key, i)
	}
	return parts, nil
}

// send calls Send once.
func (s *stage) send(m *adapter.Message) (ref adapter.Ref, err error) {
	var got adapter.Ref
	err = s.ask("Send", func(ctx context.Context) error {
		r, err := s.a.Send(ctx, m)
		got = r
		return err
	})
	if err != nil {
		return adapter.Ref{}, err
	}
	return got, nil
}

// tell posts text in a room, in one part, and waits until it is shown.
func (s *stage) tell(to adapter.Address, text string) (adapter.Ref, Post, error) {
	refs, err := s.post(&adapter.Message{To: to, Text: text})
	if err != nil {
		return adapter.Ref{}, Post{}, err
	}
	if len(refs) != 1 {
		return adapter.Ref{}, Post{}, fmt.Errorf("the short text %q took %d messages", text, len(refs))
	}
	p, err := s.shown(text)
	return refs[0], p, err
}

// stored gives a ref as a store gives it back.
func stored(ref adapter.Ref) (adapter.Ref, error) {
	b, err := json.Marshal(ref)
	if err != nil {
		return ref, fmt.Errorf("the ref %+v cannot be stored: %w", ref, err)
	}
	var back adapter.Ref
	if err := json.Unmarshal(b, &back); err != nil {
		return ref, fmt.Errorf("the ref %+v cannot be read back: %w", ref, err)
	}
	if back != ref {
		return ref, fmt.Errorf("the ref %+v is %+v after a JSON round trip", ref, back)
	}
	return back, nil
}

// wants wants err to be one of these.
func wants(what string, err error, want ...error) error {
	for _, w := range want {
		if errors.Is(err, w) {
			return nil
		}
	}
	names := make([]string, len(want))
	for i, w := range want {
		names[i] = fmt.Sprintf("%q", w)
	}
	return fmt.Errorf("%s = %v, want %s", what, err, strings.Join(names, " or "))
}

// steps calls one after the other until one fails.
func steps(all ...func() error) error {
	for _, f := range all {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
