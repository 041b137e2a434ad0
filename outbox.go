package starling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

const (
	sendTimeout  = 30 * time.Second       // of one attempt
	firstBackoff = 250 * time.Millisecond // between attempts; doubles with jitter
	maxBackoff   = 30 * time.Second
	gateWait     = 5 * time.Second // for the record of another message, see gate
	maxPosting   = 1024            // messages for one adapter that are on their way at a time; who says more waits
)

// outbox posts messages: in one conversation one after the other in the order they were given, over rate limits and
// outages. A caller waits for its message as long as its context lets it; the message is posted all the same.
type outbox struct {
	sources map[string]*source
	sendFor time.Duration
	log     *slog.Logger
	ctx     context.Context // ends when the bot closes: what is not posted by then is left

	mu    sync.Mutex
	lanes map[adapter.Address]*lane // one for each conversation that something is being posted to
	quiet chan struct{}             // closed when there is no lane left; nil while nobody waits
	count map[string]int            // messages on their way, by adapter
	room  chan struct{}             // closed when there are less; nil while nobody waits
	wg    sync.WaitGroup
	ended bool
}

// lane is the order of messages in one conversation. It exists while something is being posted.
type lane struct {
	waiting []chan struct{}
}

// sending is one message on its way.
type sending struct {
	parts   []*adapter.Message
	refs    []adapter.Ref // of the parts that were posted
	resumed bool          // an earlier process may have posted the next part
	by      sender        // is told what becomes of it
	key     string        // the sender's name for it
	gate    gate          // nil: there is none
	inside  bool          // s has passed the gate; by opens it again
	alone   atomic.Bool   // nobody waits for it any more
}

// gate lets one message at a time be posted and not yet on record, so that the death of the process repeats one at most. It
// stands before adapters that can neither recognise a repeated key nor find a message again; the others need none. A post
// that hangs holds the others up for gateWait and no longer.
type gate chan struct{}

// enter passes the gate: false if it did not open in time, or ctx ended.
func (g gate) enter(ctx context.Context) bool {
	select {
	case g <- struct{}{}:
		return true
	default:
	}
	t := time.NewTimer(gateWait)
	defer t.Stop()
	select {
	case g <- struct{}{}:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// leave opens the gate for the next message.
func (g gate) leave() { <-g }

// leave opens the gate that s is inside of; s.by calls it when what was posted is on record.
func (s *sending) leave() {
	if s.inside {
		s.inside = false
		s.gate.leave()
	}
}

// sender is told of each part that was posted but the last, and of the end; both before the lane is free again. It opens
// the gate of what was posted.
type sender interface {
	posted(s *sending)
	done(s *sending, err error)
}

// errLeft ends a sending that the closing of the bot left undone: the store has it.
var errLeft = errors.New("starling: the bot closed before the message was posted")

// errQueued is given to who no longer waits for a message that is on its way.
var errQueued = errors.New("the message is queued and not yet posted")

// errFull is given to who waited for room in vain: nothing of the message is kept.
var errFull = fmt.Errorf("starling: %d messages wait to be posted already, and this one was not queued: %w", maxPosting, adapter.ErrUnavailable)

// send posts s and waits for it until ctx ends; then it gives the context's error and goes on by itself.
func (o *outbox) send(ctx context.Context, s *sending) ([]adapter.Ref, error) {
	to := s.parts[0].To
	turn := o.enter(to)
	if turn == nil && s.gate == nil { // the lane is free: the caller's goroutine does it, unless it turns out to take longer
		retry, err := o.attempt(s)
		if retry == 0 {
			o.end(to, s, err)
			return s.refs, err
		}
		return o.wait(ctx, to, s, nil, retry, err)
	}
	return o.wait(ctx, to, s, turn, 0, nil)
}

// start posts s without waiting for it.
func (o *outbox) start(s *sending) {
	s.alone.Store(true)
	to := s.parts[0].To
	turn := o.enter(to)
	o.spawn(func() {
		if turn != nil {
			<-turn
		}
		o.end(to, s, o.persist(s, 0, nil))
	})
}

// spawn runs f in a goroutine that stop waits for; after stop it runs f here, which then finds ctx ended.
func (o *outbox) spawn(f func()) {
	o.mu.Lock()
	if !o.ended {
		o.wg.Go(f)
		o.mu.Unlock()
		return
	}
	o.mu.Unlock()
	f()
}

// wait goes on with s in a goroutine of the outbox.
func (o *outbox) wait(ctx context.Context, to adapter.Address, s *sending, turn chan struct{}, retry time.Duration, err error) ([]adapter.Ref, error) {
	type result struct {
		refs []adapter.Ref
		err  error
	}
	over := make(chan result, 1)
	o.spawn(func() {
		if turn != nil {
			<-turn
		}
		err := o.persist(s, retry, err)
		refs := s.refs
		o.end(to, s, err)
		over <- result{refs, err}
	})
	select {
	case r := <-over:
		return r.refs, r.err
	case <-ctx.Done():
		s.alone.Store(true)
		return nil, fmt.Errorf("%w: %w", errQueued, context.Cause(ctx))
	}
}

// persist tries until s is posted, refused or given up.
func (o *outbox) persist(s *sending, retry time.Duration, err error) error {
	start := time.Now()
	backoff := firstBackoff
	for {
		if retry > 0 {
			if time.Since(start)+retry > o.sendFor {
				return fmt.Errorf("given up after %v: %w", o.sendFor, err)
			}
			if err := pause(o.ctx, max(retry, backoff/2+rand.N(backoff/2))); err != nil {
				return errLeft
			}
			backoff = min(2*backoff, maxBackoff)
		}
		if retry, err = o.attempt(s); retry == 0 {
			return err
		}
	}
}

// attempt posts the parts that are missing. retry > 0: not now, but no sooner than that.
func (o *outbox) attempt(s *sending) (retry time.Duration, err error) {
	for len(s.refs) < len(s.parts) {
		m := s.parts[len(s.refs)]
		src := o.sources[m.To.Adapter]
		if o.ctx.Err() != nil {
			return 0, errLeft
		}
		if wait := src.holdFor(m.To.Room); wait > 0 {
			return wait, errors.New("starling: the platform asked to wait")
		}
		if s.gate != nil && !s.inside {
			s.inside = s.gate.enter(o.ctx)
		}
		ctx, cancel := context.WithTimeout(o.ctx, sendTimeout)
		ref, err := o.post(ctx, src, s, m)
		cancel()
		if err == nil {
			s.resumed = false
			s.refs = append(s.refs, ref)
			if len(s.refs) < len(s.parts) {
				s.by.posted(s)
			}
			continue
		}
		s.leave()
		var limited *adapter.RateLimitError
		switch adapter.OutcomeOf(err) {
		case adapter.Refused:
			return 0, err
		case adapter.NotYet:
			if errors.As(err, &limited) && limited.RetryAfter > 0 {
				src.hold(m.To.Room, limited.RetryAfter)
				return limited.RetryAfter, err
			}
		default:
			if m.AtMostOnce {
				return 0, fmt.Errorf("%w: %w", handler.ErrUnknown, err)
			}
			s.resumed = true
		}
		o.log.Warn("a message could not be posted, trying again", "to", m.To.String(), "error", err)
		return time.Millisecond, err
	}
	return 0, nil
}

// post sends one part, after a look whether it was posted before where that is in doubt.
func (o *outbox) post(ctx context.Context, src *source, s *sending, m *adapter.Message) (ref adapter.Ref, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("adapter %s: send: %w: panic: %v", src.name, adapter.ErrInvalid, p)
		}
	}()
	if s.resumed {
		if m.AtMostOnce {
			return adapter.Ref{}, handler.ErrUnknown
		}
		if f, ok := adapter.As[adapter.Finder](src.adapter); ok {
			ref, found, err := f.Find(ctx, m)
			if err != nil && !errors.Is(err, errors.ErrUnsupported) {
				return adapter.Ref{}, fmt.Errorf("look whether it was posted: %w: %w", adapter.ErrUnavailable, err)
			}
			if found {
				return ref, nil
			}
		}
	}
	return src.adapter.Send(ctx, m)
}

// admit waits until an adapter has fewer than maxPosting messages on their way: while a platform is out, those who have
// something to say to it wait, and so do the events behind them, in the store. Some more may pass at once, one for each
// handler, and what an earlier process left is not held up.
func (o *outbox) admit(ctx context.Context, name string) error {
	for {
		o.mu.Lock()
		if o.count[name] < maxPosting {
			o.mu.Unlock()
			return nil
		}
		if o.room == nil {
			o.room = make(chan struct{})
		}
		room := o.room
		o.mu.Unlock()
		select {
		case <-room:
		case <-o.ctx.Done():
			return errLeft
		case <-ctx.Done():
			return fmt.Errorf("adapter %s: %w", name, errFull)
		}
	}
}

// enter takes the lane of a conversation: nil if it was free, else a channel that is closed at our turn.
func (o *outbox) enter(a adapter.Address) chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.count == nil {
		o.count = map[string]int{}
	}
	o.count[a.Adapter]++
	l := o.lanes[a]
	if l == nil {
		o.lanes[a] = &lane{}
		return nil
	}
	turn := make(chan struct{})
	l.waiting = append(l.waiting, turn)
	return turn
}

// end reports s and gives the lane to the next.
func (o *outbox) end(a adapter.Address, s *sending, err error) {
	s.by.done(s, err)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count[a.Adapter]--
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
	l := o.lanes[a]
	if len(l.waiting) == 0 {
		delete(o.lanes, a)
		if len(o.lanes) == 0 && o.quiet != nil {
			close(o.quiet)
			o.quiet = nil
		}
		return
	}
	close(l.waiting[0])
	l.waiting = l.waiting[1:]
}

// idle waits until nothing is being posted, or until ctx ends.
func (o *outbox) idle(ctx context.Context) error {
	o.mu.Lock()
	if len(o.lanes) == 0 {
		o.mu.Unlock()
		return nil
	}
	if o.quiet == nil {
		o.quiet = make(chan struct{})
	}
	quiet := o.quiet
	o.mu.Unlock()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stop waits for what is being posted, once ctx of the outbox has ended, and refuses everything from then on.
func (o *outbox) stop() {
	o.mu.Lock()
	o.ended = true
	o.mu.Unlock()
	ended := make(chan struct{})
	go func() { o.wg.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(lastMoment):
		o.log.Error("an adapter does not end a post although it was told to; it is left behind")
	}
}

// pause waits d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
