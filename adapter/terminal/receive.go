package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/lanes"
)

// runPiped reads a line, delivers it, reads the next.
func (a *Adapter) runPiped(ctx context.Context, sink adapter.Sink) error {
	for {
		if err := a.drain(ctx, sink); err != nil {
			return nil
		}
		if in := a.later; in != nil {
			a.later = nil
			if a.take(ctx, in.line, in.truncated) != nil {
				return nil
			}
			continue
		}
		line, truncated, err := a.line.next(ctx, &a.in)
		if err != nil {
			if err = ended(ctx, err); err == nil && ctx.Err() == nil && !a.heard {
				a.heard = true // say it once
				a.notice("terminal: there was no input: standard input ended before a line was read. " +
					"Start the bot in a terminal (in a container with -it), or give it lines through a pipe, such as: echo help | BOT")
			}
			return err
		}
		if a.take(ctx, line, truncated) != nil {
			return nil
		}
	}
}

// ended tells whether err of reading is the end of the input, which is no failure.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.EIO) {
		return nil // EIO: the terminal went away
	}
	return fmt.Errorf("terminal: read: %w", err)
}

// input is a line that was typed.
type input struct {
	line      string
	truncated bool
}

// take makes what was typed an event and queues it, or does what it says. It gives errQuit for /quit.
func (a *Adapter) take(ctx context.Context, line string, truncated bool) error {
	if line == "" {
		return nil
	}
	a.heard = true
	line = strings.ToValidUTF8(line, "\uFFFD")
	if a.cfg.Playground && line[0] == '/' {
		if acted, err := a.act(ctx, input{line, truncated}); acted {
			return err
		}
	}
	if truncated || len(line) > adapter.MaxText {
		a.noticeCut()
	}
	return a.queue.push(ctx, a.say(line, truncated))
}

// noticeCut says what is lost of a line, and what to do.
func (a *Adapter) noticeCut() {
	if a.tty {
		a.notice("terminal: your line was cut: the prompt takes %d characters of one, and the rest is lost. %s gets the beginning and knows that "+
			"the end is missing. For a longer text give the bot its input through a pipe, which takes %d KiB a line", maxTyped, a.cfg.BotName, adapter.MaxText>>10)
		return
	}
	a.notice("terminal: a line was cut: %s takes %d KiB of one, and the rest is lost. It gets the beginning and knows that the end is missing", a.cfg.BotName, adapter.MaxText>>10)
}

// utterance is a line that a user said.
type utterance struct {
	ref    adapter.Ref
	room   adapter.Room
	user   adapter.User
	number int // of the lines of that user, from 1
	emoji  []string
}

func (a *Adapter) say(text string, truncated bool) *adapter.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	ev := a.event(adapter.KindMessage, a.room, a.thread)
	ev.MessageID, ev.Text, ev.Truncated = a.id("u"), text, truncated
	ev.Mentioned = mentions(text, a.cfg.BotName)
	n, _ := a.lines.get(a.user.ID)
	a.lines.put(a.user.ID, n+1)
	a.said.put(ev.MessageID, &utterance{ref: ev.Ref(), room: a.room, user: a.user, number: n + 1})
	return ev
}

// event makes an event of the current user. It is called with a.mu held.
func (a *Adapter) event(kind adapter.Kind, room adapter.Room, thread string) *adapter.Event {
	return &adapter.Event{
		ID: a.id("e"), Kind: kind, Adapter: a.cfg.Name, Time: now(),
		Room: room, Thread: thread, User: a.user, BotName: a.cfg.BotName,
	}
}

// mentions tells whether text has @name as a word.
func mentions(text, name string) bool {
	text, at := strings.ToLower(text), "@"+strings.ToLower(name)
	for {
		i := strings.Index(text, at)
		if i < 0 {
			return false
		}
		before, after := text[:i], text[i+len(at):]
		if !endsInWord(before) && !beginsWithWord(after) {
			return true
		}
		text = after
	}
}

// drain delivers what is queued, in order. An error means that ctx ended; what was not delivered stays queued.
func (a *Adapter) drain(ctx context.Context, sink adapter.Sink) error {
	for {
		ev := a.queue.first()
		if ev == nil {
			return nil
		}
		if err := a.deliver(ctx, sink, ev); err != nil {
			return err
		}
		a.queue.pop()
	}
}

// The pauses between attempts to deliver a line.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

func (a *Adapter) deliver(ctx context.Context, sink adapter.Sink, ev *adapter.Event) error {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := sink(ctx, lanes.Copy(ev)) // what it is given is the sink's
		if err == nil {
			return nil
		}
		if errors.Is(err, adapter.ErrRejected) {
			a.notice("terminal: the line was not taken: %v", err)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if pause == firstPause {
			a.notice("terminal: the line could not be taken yet, it is tried again: %v", err)
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// queue holds events until they are delivered, over the end of a Run too. One goroutine pushes and one pops.
type queue struct {
	mu     sync.Mutex
	events []*adapter.Event
	pushed chan struct{} // has a token when something was pushed
	popped chan struct{} // has a token when something was popped
}

func (q *queue) init() { q.pushed, q.popped = make(chan struct{}, 1), make(chan struct{}, 1) }

// push waits while the queue is full; when ctx ends meanwhile the event is queued all the same, so that it is not lost.
func (q *queue) push(ctx context.Context, ev *adapter.Event) error {
	for {
		q.mu.Lock()
		if len(q.events) < maxQueue || ctx.Err() != nil {
			q.events = append(q.events, ev)
			q.mu.Unlock()
			signal(q.pushed)
			return nil
		}
		q.mu.Unlock()
		select {
		case <-q.popped:
		case <-ctx.Done():
		}
	}
}

func (q *queue) first() *adapter.Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) == 0 {
		return nil
	}
	return q.events[0]
}

func (q *queue) pop() {
	q.mu.Lock()
	q.events[0] = nil
	q.events = q.events[1:]
	q.mu.Unlock()
	signal(q.popped)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
