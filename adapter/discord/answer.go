package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// How an interaction is answered (https://discord.com/developers/docs/interactions/receiving-and-responding): within three
// seconds with a message or with "wait", and then for 15 minutes.
const (
	deferAt   = 2 * time.Second
	answerIn  = 2500 * time.Millisecond // Discord waits 3 s
	tokenFor  = 14*time.Minute + 30*time.Second
	unsaidFor = 14 * time.Minute // after which "is thinking" is taken away
	maxOpen   = 10_000           // interactions whose state is remembered; others are asked for
	maxSent   = 64               // keys of an interaction

	responseMessage      = 4
	responseDefer        = 5
	responseDeferUpdate  = 6
	responseAutocomplete = 8
	responseForm         = 9
)

var (
	errLate = errors.New("discord: the interaction was not taken in time")
	errGone = errors.New("discord: the interaction's time is over")
)

// apology is what somebody sees whose command or click the bot did not take in time.
const apology = "I could not take this in time. If nothing happens, please try again."

// origin is what [adapter.Event.Origin] holds.
type origin struct {
	App     string `json:"a"`
	ID      string `json:"i"`
	Token   string `json:"t"`
	User    string `json:"u"` // who sees an ephemeral answer
	Channel string `json:"c"`
	Kind    int    `json:"k"`
	At      int64  `json:"s"` // Unix seconds
}

// String gives it as it is stored.
func (o origin) String() string {
	b, err := json.Marshal(o)
	if err != nil {
		return ""
	}
	return string(b)
}

// readOrigin reads an origin; false for what is none of Discord's.
func readOrigin(s string) (o origin, ok bool) {
	if s == "" || json.Unmarshal([]byte(s), &o) != nil {
		return o, false
	}
	return o, isID(o.App) && isID(o.ID) && isID(o.Channel) && token(o.Token)
}

// token tells whether s can stand in an address: what is stored with an event is not trusted further than that.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == ':' || c == '=') {
			return false
		}
	}
	return s != "" && len(s) < 2048
}

func (o origin) webhook() string { return "webhooks/" + o.App + "/" + o.Token }

// state is how far an interaction is answered.
type state int

const (
	stateNew     state = iota // Discord waits for the first answer
	stateWaiting              // everybody sees that the bot is thinking
	stateOpen                 // it was answered, or acknowledged without a word: what follows are messages of their own
	stateLost                 // the first answer was sent, and nobody knows whether it arrived
	stateUnknown              // another process knows
	stateGone                 // its time is over
)

// answer is how one interaction is answered. Whoever holds turn may change state, lost and sent.
type answer struct {
	o       origin
	arrived time.Time
	turn    chan struct{} // cap 1
	state   state
	lost    map[string]time.Time // keys of messages of unknown outcome, and when they were sent
	sent    map[string]string    // ids of messages by key
	first   chan struct{}        // closed when Discord waits no longer

	mu      sync.Mutex
	late    bool // the sink may not have it any more
	settled bool // first is closed
}

func newAnswer(o origin, now time.Time) *answer {
	return &answer{o: o, arrived: now, turn: make(chan struct{}, 1), first: make(chan struct{}), sent: map[string]string{}, lost: map[string]time.Time{}}
}

// waits tells whether the sink may still have the event.
func (w *answer) waits() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.late
}

func (w *answer) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late = true
}

// settle tells that Discord waits no longer.
func (w *answer) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.settled {
		w.settled = true
		close(w.first)
	}
}

// enter waits for the turn.
func (w *answer) enter(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("discord: answer: %w: %w", adapter.ErrUnavailable, ctx.Err())
	}
}

func (w *answer) exit() { <-w.turn }

// answers are the interactions of the last 15 minutes.
type answers struct {
	mu       sync.Mutex
	open     map[string]*answer // by interaction
	messages map[string]*answer // by message, so that it can be changed over its interaction
}

func (l *answers) init() { l.open, l.messages = map[string]*answer{}, map[string]*answer{} }

// add remembers a new interaction; false, and the one that is known, for a repetition.
func (l *answers) add(w *answer) (known *answer, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old := l.open[w.o.ID]; old != nil {
		return old, false
	}
	if len(l.open) < maxOpen {
		l.open[w.o.ID] = w
	}
	return w, true
}

// of gives the answer to an interaction; one that this process does not know begins as unknown.
func (l *answers) of(o origin, now time.Time) *answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.open[o.ID]; w != nil {
		return w
	}
	w := newAnswer(o, time.Unix(o.At, 0))
	w.state = stateUnknown
	if len(l.open) < maxOpen && now.Sub(w.arrived) < tokenFor {
		l.open[o.ID] = w
	}
	return w
}

// posted remembers the message of an answer.
func (l *answers) posted(id string, w *answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.messages) < 4*maxOpen {
		l.messages[id] = w
	}
}

// by gives the interaction whose answer a message is; nil when it is over.
func (l *answers) by(message string, now time.Time) *answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.messages[message]; w != nil && now.Sub(w.arrived) < tokenFor {
		return w
	}
	return nil
}

// sweep forgets what is over, and gives the answers that nobody gave.
func (l *answers) sweep(now time.Time) (unsaid []*answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, w := range l.open {
		switch age := now.Sub(w.arrived); {
		case age > tokenFor:
			delete(l.open, id)
		case age > unsaidFor:
			unsaid = append(unsaid, w)
		}
	}
	for id, w := range l.messages {
		if now.Sub(w.arrived) > tokenFor {
			delete(l.messages, id)
		}
	}
	return unsaid
}

// attend sees to it that an interaction is acknowledged in time: by the bot's answer, else by "wait" after two seconds,
// else, if the sink did not take it, with an apology. taken tells what the sink said.
func (a *Adapter) attend(ctx context.Context, w *answer, taken <-chan error) {
	late := time.NewTimer(time.Until(w.arrived.Add(answerIn)))
	defer late.Stop()
	select {
	case err := <-taken:
		if err != nil {
			w.expire()
			a.apologise(w)
			return
		}
	case <-late.C:
		w.expire()
		a.apologise(w)
		return
	case <-ctx.Done():
		// What the sink says now comes in a moment: it ends with the same context.
		select {
		case err := <-taken:
			if err != nil {
				a.apologise(w)
				return
			}
		case <-late.C:
			a.apologise(w)
			return
		}
	}
	early := time.NewTimer(time.Until(w.arrived.Add(deferAt)))
	defer early.Stop()
	select {
	case <-w.first:
		return
	case <-early.C:
	case <-ctx.Done(): // somebody else answers, after a restart
	}
	a.postpone(w)
}

// acknowledging bounds what happens in the last moment.
func acknowledging() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 3*time.Second)
}

// postpone tells Discord to wait. The answer will be for everybody: only an answer itself can be for one.
func (a *Adapter) postpone(w *answer) {
	ctx, cancel := acknowledging()
	defer cancel()
	if w.enter(ctx) != nil {
		return
	}
	defer w.exit()
	if w.state != stateNew {
		return
	}
	body, next := map[string]any{"type": responseDefer}, stateWaiting
	if w.o.Kind == interactionComponent {
		body["type"], next = responseDeferUpdate, stateOpen
	}
	err := a.callback(ctx, w, body, nil)
	switch {
	case err == nil:
		w.state = next
	case w.state == stateNew:
		w.state = stateLost
	}
	if err != nil {
		a.log.Warn("an interaction could not be put off", "error", err)
	}
}

// apologise tells whoever used a command or a button, and nobody else, that it was not taken.
func (a *Adapter) apologise(w *answer) {
	ctx, cancel := acknowledging()
	defer cancel()
	if w.enter(ctx) != nil {
		return
	}
	defer w.exit()
	if w.state != stateNew {
		return
	}
	a.log.Warn("the bot did not take a command or a click in time; its user was told")
	body := map[string]any{"type": responseMessage, "data": map[string]any{"content": apology, "flags": flagEphemeral, "allowed_mentions": nobody()}}
	switch err := a.callback(ctx, w, body, nil); {
	case err == nil:
		w.state = stateOpen
	case w.state == stateNew:
		w.state = stateLost
		a.log.Warn("the user of a command or a button could not be told that it was not taken", "error", err)
	}
}

// callback gives the first answer. The state is set where Discord waits no longer. Whoever calls it holds the turn.
func (a *Adapter) callback(ctx context.Context, w *answer, body any, into any) error {
	return w.acknowledge(into != nil, func(path string) error {
		return a.call(ctx, "answer an interaction", http.MethodPost, path, body, into)
	})
}

// acknowledge sends the first answer to the path of it.
func (w *answer) acknowledge(told bool, send func(path string) error) error {
	path := "interactions/" + w.o.ID + "/" + w.o.Token + "/callback"
	if told {
		path += "?with_response=true"
	}
	err := send(path)
	switch {
	case err == nil:
		w.settle()
	case hasCode(err, 40060): // acknowledged already
		w.state = stateUnknown
		w.settle()
	case hasCode(err, 10062, 10015): // Discord has waited long enough
		w.state = stateGone
		w.settle()
	}
	return err
}

// tidy takes "is thinking" away where nobody said anything, before it becomes an error that everybody sees.
func (a *Adapter) tidy(ctx context.Context) {
	for _, w := range a.answers.sweep(time.Now()) {
		if w.enter(ctx) != nil {
			return
		}
		if w.state == stateWaiting {
			w.state = stateOpen
			ctx, cancel := context.WithTimeout(ctx, callLimit)
			if err := a.call(ctx, "take an answer back", http.MethodDelete, w.o.webhook()+"/messages/@original", nil, nil); err != nil {
				a.log.Debug("an answer that nobody gave could not be taken back", "error", err)
			}
			cancel()
		}
		w.exit()
	}
}
