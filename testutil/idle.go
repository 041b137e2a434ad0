package testutil

import (
	"context"
	"encoding/json"
	"fmt"
	"testing/synctest"
	"time"

	"github.com/starlingbot/starling/brain"
)

// Where the core keeps accepted events and the messages of Bot.Send, see record.go of package starling.
const (
	inboxPrefix = "_/inbox/"
	outPrefix   = "_/out/"
)

// settle is how often the bot has to be found idle in a row, outside synctest: the core counts what it says by itself
// nowhere, and that is said in no time.
const settle = 3

// Idle waits until the bot has nothing left to do: every event is taken and handled, and everything said is posted. It
// fails the test when that takes longer than Patience. Inside testing/synctest it also waits until every goroutine of the
// bubble stands still; time passes only as far as handlers wait for it.
func (b *Bot) Idle() {
	b.t.Helper()
	if err := b.idle(); err != nil {
		b.t.Fatalf("%v%s", err, b.story())
	}
}

func (b *Bot) idle() error {
	if b.life == nil {
		return errNotRunning
	}
	l := b.life
	bubble := inBubble()
	why := ""
	times := 0
	ok := b.await(func() bool {
		if bubble {
			synctest.Wait()
		}
		if isClosed(l.done) {
			return true
		}
		if why = b.busy(l); why != "" {
			times = 0
			return false
		}
		times++
		return bubble || times >= settle
	}, l.done)
	if !ok {
		return fmt.Errorf("the bot is not idle after %v: %s", b.Patience, why)
	}
	return nil
}

// busy says what a bot is doing; "" for nothing.
func (b *Bot) busy(l *life) string {
	chats := 0
	for _, c := range l.conns {
		c.chat.mu.Lock()
		pending, sending := len(c.chat.queue), c.sending
		chats = max(chats, c.chat.conns)
		c.chat.mu.Unlock()
		if pending > 0 {
			return fmt.Sprintf("%d events are not taken", pending)
		}
		if sending > 0 {
			return fmt.Sprintf("%d messages are being posted", sending)
		}
	}
	if l.store != nil {
		if n := b.stored(l.store, inboxPrefix, nil); n > 0 {
			return fmt.Sprintf("%d stored events are not handled to the end", n)
		}
		if n := b.stored(l.store, outPrefix, attempted); n > 0 {
			return fmt.Sprintf("%d messages of Bot.Send are not posted", n)
		}
	}
	s := l.bot.Stats()
	if left := l.before + int(s.Accepted) - int(s.Completed) - int(s.Dead); left > 0 && chats == 1 {
		return fmt.Sprintf("%d events are not handled to the end", left) // where others share the store one cannot tell
	}
	return ""
}

// stored counts the records under prefix that count.
func (b *Bot) stored(s brain.Store, prefix string, counts func([]byte) bool) (n int) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for e, err := range s.List(ctx, prefix) {
		if err != nil {
			return max(n, 1) // a store that fails on purpose: nobody can tell that it is empty
		}
		if counts == nil || counts(e.Value) {
			n++
		}
	}
	return n
}

func attempted(value []byte) bool {
	var rec struct {
		State string `json:"state"`
	}
	return json.Unmarshal(value, &rec) == nil && rec.State == "attempted"
}

// inBubble tells whether the caller runs inside testing/synctest, which only says so by a panic. Inside it also waits until
// all other goroutines of the bubble stand still.
func inBubble() (in bool) {
	defer func() {
		if recover() != nil {
			in = false
		}
	}()
	synctest.Wait()
	return true
}
