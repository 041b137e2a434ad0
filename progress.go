package starling

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

const (
	progressEvery = time.Second // at most one edit; the last state is always shown
	progressSlot  = "progress"
	progressWidth = 20 // characters of the bar

	cancelCommand = "cancel " // of handler/jobs; the id of a job follows
)

// progress is the message that shows how far a handler is.
type progress struct {
	mu     sync.Mutex
	state  handler.Progress
	said   bool          // the message was posted
	ahead  bool          // state is ahead of what is shown
	timer  *time.Timer   // edits when it is time; nil: nothing waits
	edited time.Time     // when it was last edited
	busy   chan struct{} // closed when the edit that is under way has ended; nil: there is none
	over   bool          // the handler has ended
}

// plain gives the state for the list of jobs.
func (p *progress) plain() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state.Text == "" && p.state.Total == 0 {
		return ""
	}
	text := adapter.PlainText(p.state.Text)
	if p.state.Total > 0 {
		text += fmt.Sprintf(" (%d %%)", percent(p.state))
	}
	return strings.TrimSpace(text)
}

// Progress shows p: the first state at once, the others when it is time.
func (x *run) Progress(ctx context.Context, _ *handler.Request, state handler.Progress) error {
	if err := x.open(); err != nil {
		return err
	}
	p := &x.progress
	p.mu.Lock()
	p.state = state
	if p.said {
		p.ahead = true
		x.schedule()
		p.mu.Unlock()
		return nil
	}
	p.said, p.edited = true, time.Now()
	p.mu.Unlock()
	_, err := x.send(ctx, progressSlot, x.progressMessage(state, "", true))
	if errors.Is(err, adapter.ErrUnsupported) { // it was posted by the run before, and cannot be edited
		return nil
	}
	return err
}

// schedule has the newest state shown when it is time. p.mu is held.
func (x *run) schedule() {
	p := &x.progress
	if p.timer != nil || p.busy != nil || p.over || !x.edits() {
		return
	}
	b := x.d.bot
	b.background.Add()
	p.timer = time.AfterFunc(max(0, progressEvery-time.Since(p.edited)), func() {
		defer b.background.Done()
		x.showProgress()
	})
}

// edits tells whether the message can be edited.
func (x *run) edits() bool { return x.Can(x.d.address.Adapter, handler.VerbEdit) }

// showProgress edits the message to the newest state.
func (x *run) showProgress() {
	p := &x.progress
	p.mu.Lock()
	p.timer = nil
	if p.over || !p.ahead {
		p.mu.Unlock()
		return
	}
	state := p.state
	done := make(chan struct{})
	p.ahead, p.busy = false, done
	p.mu.Unlock()
	if _, err := x.send(&x.ctx, progressSlot, x.progressMessage(state, "", true)); err != nil && x.ctx.Err() == nil {
		x.d.bot.log.Warn("progress could not be shown", "id", handler.CorrelationID(x.d.id), "error", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.edited, p.busy = time.Now(), nil
	close(done)
	if p.ahead {
		x.schedule()
	}
}

// endProgress shows the last state and how the handler ended; nothing where it is to run again.
func (x *run) endProgress(err error) {
	p := &x.progress
	p.mu.Lock()
	if !p.said || p.over {
		p.mu.Unlock()
		return
	}
	p.over = true
	if p.timer != nil && p.timer.Stop() {
		x.d.bot.background.Done()
	}
	busy, state := p.busy, p.state
	p.mu.Unlock()
	if busy != nil {
		<-busy
	}
	x.d.mu.Lock()
	told := x.d.told
	x.d.mu.Unlock()
	var retry *handler.RetryError
	if told || errors.As(err, &retry) || x.state.Load() == runCut {
		return
	}
	how := "done"
	switch {
	case x.canceled.Load() != nil:
		how = "canceled"
	case errors.Is(err, errTimeout):
		how = "took too long"
	case err != nil:
		how = "failed"
	}
	if how == "done" {
		state.Done = state.Total
	}
	slot := progressSlot
	if !x.edits() {
		slot = progressSlot + "-end"
	}
	ctx, cancel := context.WithTimeout(x.d.bot.closing, min(sendTimeout, x.d.bot.cfg.Grace/2))
	defer cancel()
	if _, err := x.send(ctx, slot, x.progressMessage(state, how, false)); err != nil {
		x.d.bot.log.Warn("the end of the progress could not be shown", "id", handler.CorrelationID(x.d.id), "error", err)
	}
}

// interruptProgress says in the message of a dead process that its handler was interrupted.
func (x *run) interruptProgress() {
	refs, _, known, err := x.d.recall(x.slot(progressSlot))
	if err != nil || known != slotSent || len(refs) == 0 || !x.edits() {
		return
	}
	x.d.tell(x, progressSlot, &adapter.Message{To: x.d.address, Text: "interrupted, outcome unknown"})
}

// progressMessage draws a state. how: how it ended, empty while it goes on.
func (x *run) progressMessage(state handler.Progress, how string, goesOn bool) *adapter.Message {
	m := &adapter.Message{To: x.d.address, Text: state.Text}
	if goesOn {
		m.Origin, m.Reusable = x.d.ev.Origin, true
		if x.d.bot.cancels && x.d.bot.sources[x.d.address.Adapter].features.Buttons {
			m.Buttons = []adapter.Button{{Label: "Cancel", Command: cancelCommand + handler.CorrelationID(x.d.id), Style: adapter.ButtonDanger}}
		}
	}
	var line []string
	below := " · "
	if state.Total > 0 {
		n := percent(state)
		below = "\n\n"
		full := n * progressWidth / 100
		line = append(line, strings.Repeat("█", full)+strings.Repeat("░", progressWidth-full), fmt.Sprintf("%d %%", n))
	}
	if how != "" {
		line = append(line, how)
	}
	line = append(line, elapsed(time.Since(x.begun)))
	if m.Text != "" {
		m.Text += below
	}
	m.Text += strings.Join(line, " · ")
	return m
}

// percent is how much of it is done, from 0 to 100.
func percent(p handler.Progress) int {
	done := min(max(p.Done, 0), p.Total)
	return int(float64(done) / float64(p.Total) * 100)
}

// elapsed writes a time as people do: "12 s", "3 min 20 s", "2 h 5 min".
func elapsed(d time.Duration) string {
	s := int(d.Seconds())
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %d min", s/3600, s/60%60)
}
