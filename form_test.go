package starling_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
)

// windowed is a stage with modal windows.
type windowed struct {
	*stage
	home   *stage // whose log is the bot's
	forms  []*adapter.Form
	broken bool
}

func (*windowed) Name() string { return "far" }

func (w *windowed) OpenForm(_ context.Context, origin string, f *adapter.Form) error {
	if w.broken || origin == "" {
		return errors.New("its time is over")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forms = append(w.forms, f)
	return nil
}

// invoke uses a native command, or fills in a form.
func (w *windowed) invoke(user, room string, in adapter.Invocation) {
	ev := w.message(user, room, "")
	ev.Kind, ev.Invocation, ev.Origin, ev.MessageID = adapter.KindInvocation, &in, "origin", ""
	require.NoError(w.t, w.offer(ev))
	time.Sleep(time.Second)
	synctest.Wait()
}

type parcel struct {
	What   string         `arg:"what" help:"the goods"`
	To     string         `arg:"to" enum:"staging,prod"`
	Pin    handler.Secret `flag:"pin" secret:"true"`
	Copies int            `flag:"copies" default:"1"`
}

func formBot(t *testing.T) *windowed {
	w := &windowed{stage: &stage{t: t, ready: make(chan struct{}), end: make(chan struct{})}}
	w.feat = adapter.Features{Threads: true, Local: true}
	w.home = play(t, starling.Config{Adapters: []adapter.Adapter{w}, Brain: brain.New(memory.New())}, func(rt *handler.Router) {
		rt.Add(handler.Command[plainParcel]{
			Name: "send", Summary: "Send.", Confirm: func(a plainParcel) string {
				if a.To == "prod" {
					return "Really?"
				}
				return ""
			},
			Run: func(ctx context.Context, r *handler.Request, a plainParcel) error {
				return r.Reply(ctx, "%s to %s, %d", a.What, a.To, a.Copies)
			},
		})
		rt.Add(handler.Command[parcel]{Name: "seal", Summary: "Seal.", Run: func(ctx context.Context, r *handler.Request, a parcel) error {
			return r.Reply(ctx, "sealed %s with %d", a.What, len(a.Pin.Reveal()))
		}})
	})
	<-w.ready
	return w
}

type plainParcel struct {
	What   string `arg:"what" help:"the goods"`
	To     string `arg:"to" enum:"staging,prod"`
	Copies int    `flag:"copies" default:"1"`
}

// All that a native command lacks is asked for in one window; what was entered passes the same parser, and the command runs
// once.
func TestForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := formBot(t)
		w.invoke("alice", "C1", adapter.Invocation{Command: "send", Options: map[string]string{"copies": "2"}})
		require.Len(t, w.forms, 1)
		f := w.forms[0]
		require.Equal(t, "send", f.Title)
		require.Equal(t, []adapter.FormField{
			{Name: "what", Label: "what", Hint: "the goods", Required: true}, {Name: "to", Label: "to", Choices: []string{"staging", "prod"}, Required: true},
		}, f.Fields)
		require.Empty(t, w.said())

		entered := map[string]string{"what": "my *thing*", "to": "staging"}
		w.invoke("bob", "C1", adapter.Invocation{Form: f.ID, Options: entered}) // not his
		w.invoke("alice", "C1", adapter.Invocation{Form: f.ID, Options: entered})
		w.invoke("alice", "C1", adapter.Invocation{Form: f.ID, Options: entered}) // twice
		over := "That question is over. Say the command again."
		require.Equal(t, []string{"Dbob> " + over, "C1> my *thing* to staging, 2", "Dalice> " + over}, w.said())
	})
}

// What is wrong in a form is said, and a confirmation comes after it.
func TestFormIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := formBot(t)
		w.invoke("alice", "C1", adapter.Invocation{Command: "send"})
		w.invoke("alice", "C1", adapter.Invocation{Form: w.forms[0].ID, Options: map[string]string{"what": "x", "to": "mars"}})
		require.Contains(t, w.said()[0], "is one of staging, prod")
		w.invoke("alice", "C1", adapter.Invocation{Command: "send", Text: "x"})
		w.invoke("alice", "C1", adapter.Invocation{Form: w.forms[1].ID, Options: map[string]string{"to": "prod"}})
		require.Equal(t, "C1> Really? (yes, no)", w.said()[1])
		require.NoError(t, w.say("alice", "C1", "yes"))
		synctest.Wait()
		require.Equal(t, "C1> x to prod, 1", w.said()[2])
		w.invoke("alice", "C1", adapter.Invocation{Command: "send", Text: "y"})
		w.invoke("alice", "C1", adapter.Invocation{Form: w.forms[2].ID, Options: map[string]string{"to": ""}}) // left empty
		require.Equal(t, "C1> Which to: staging or prod?", w.said()[3])
	})
}

// A window is private, so that secrets can be asked for in it where a room could not hear them.
func TestFormAsksForSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := formBot(t)
		w.invoke("alice", "C1", adapter.Invocation{Command: "seal"})
		require.Len(t, w.forms, 1)
		w.invoke("alice", "C1", adapter.Invocation{Form: w.forms[0].ID, Options: map[string]string{"what": "box", "to": "prod", "pin": "cnrymark12345"}})
		require.Equal(t, []string{"C1> sealed box with 13"}, w.said())
		require.NotContains(t, w.home.log.String(), "cnrymark")
	})
}

// Where the window does not open, the arguments are asked for in words; and a message is never answered by one.
func TestFormFallsBackToWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := formBot(t)
		w.broken = true
		w.invoke("alice", "C1", adapter.Invocation{Command: "send"})
		require.Equal(t, []string{"C1> What (the goods)?"}, w.said())
		w.broken = false
		require.NoError(t, w.say("bob", "C1", "starling send"))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, "C1> What (the goods)?", w.said()[1])
		require.Empty(t, w.forms)
	})
}
