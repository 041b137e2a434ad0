package discord_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/discordfake"
)

// answerTo makes an answer to an event.
func answerTo(ev *adapter.Event, text, only string) *adapter.Message {
	return &adapter.Message{To: ev.Address(), Text: text, Only: only, Origin: ev.Origin, Key: text}
}

// sees gives what stands in a room for a user, by text; "" is everybody.
func sees(f *discordfake.Server) map[string]string {
	out := map[string]string{}
	for _, m := range f.Posts() {
		out[m.Content] = m.Only
	}
	return out
}

// TestAnswerInTime: an answer before two seconds are over is the interaction's own, one that comes later takes the place of
// "is thinking", and what follows are messages after it. Nothing is posted beside them.
func TestAnswerInTime(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{0, 1900 * time.Millisecond, 2100 * time.Millisecond, time.Minute, 14 * time.Minute} {
		t.Run(delay.String(), func(t *testing.T) {
			bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
				e := new(ear)
				a := start(t, f, configFor(f), e.Sink)
				require.NoError(t, f.Invoke(alice, ops, "deploy", "api"))
				ev := e.Last(t, 0)
				wait(delay)
				require.Equal(t, delay > 2*time.Second, f.Thinking() == 1)
				var refs []adapter.Ref
				for i := range 3 {
					ref, err := a.Send(t.Context(), answerTo(ev, fmt.Sprint("answer ", i), ""))
					require.NoError(t, err)
					refs = append(refs, ref)
				}
				again, err := a.Send(t.Context(), answerTo(ev, "answer 1", ""))
				require.NoError(t, err)
				require.Equal(t, refs[1], again, "the same key is the same message")
				i := f.Interactions()[0]
				if delay < 2*time.Second {
					require.Equal(t, 4, i.Response)
				} else {
					require.Equal(t, 5, i.Response)
				}
				posts := f.Posts()
				require.Len(t, posts, 3)
				for i, m := range posts {
					require.Equal(t, fmt.Sprint("answer ", i), m.Content)
					require.Equal(t, m.ID, refs[i].ID)
					require.NotEmpty(t, m.Interaction)
					require.NoError(t, a.Edit(t.Context(), refs[i], &adapter.Message{To: refs[i].Address, Text: fmt.Sprint("edited ", i)}))
				}
				require.Zero(t, f.Calls("send"))
				require.Len(t, f.Find("edited"), 3)
				require.Zero(t, f.Thinking())
				require.Empty(t, f.Unanswered())
			})
		})
	}
}

// TestTerse: a first answer of which Discord says nothing is looked up, so that it can be changed.
func TestTerse(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		f.Terse()
		require.NoError(t, f.Invoke(alice, ops, "deploy", "api"))
		ref, err := a.Send(t.Context(), answerTo(e.Last(t, 0), "answer", ""))
		require.NoError(t, err)
		require.Equal(t, f.Posts()[0].ID, ref.ID)
		require.NoError(t, a.Edit(t.Context(), ref, &adapter.Message{Text: "edited"}))
		require.Len(t, f.Find("edited"), 1)
	})
}

// TestOutsider: in a room that the bot cannot see itself its answers can be changed all the same.
func TestOutsider(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		f.AddChannel(discordfake.Channel{ID: none, Name: "hidden", Hidden: true})
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		require.NoError(t, f.Invoke(alice, none, "deploy", "api"))
		wait(10 * time.Second)
		ev := e.Last(t, 0)
		require.Equal(t, none, ev.Room.ID)
		ref, err := a.Send(t.Context(), answerTo(ev, "answer", ""))
		require.NoError(t, err)
		require.NoError(t, a.Edit(t.Context(), ref, &adapter.Message{Text: "edited"}))
		require.Len(t, f.Find("edited"), 1)
		require.NoError(t, a.Delete(t.Context(), ref))
		require.Empty(t, f.Posts())
		_, err = a.Send(t.Context(), &adapter.Message{To: ev.Address(), Text: "by itself"})
		require.ErrorIs(t, err, adapter.ErrForbidden)
	})
}

// TestOnlyStaysAlone: an answer for one user is never shown to the room, whenever it comes and whatever came before it (T20).
func TestOnlyStaysAlone(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"", "public", "only"} {
		for _, delay := range []time.Duration{0, 3 * time.Second, time.Minute} {
			t.Run(first+" "+delay.String(), func(t *testing.T) {
				bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
					e := new(ear)
					a := start(t, f, configFor(f), e.Sink)
					require.NoError(t, f.Invoke(alice, ops, "secret", "x"))
					ev := e.Last(t, 0)
					wait(delay)
					want := map[string]string{"psst": alice, "aloud": ""}
					switch first {
					case "public":
						_, err := a.Send(t.Context(), answerTo(ev, "first", ""))
						require.NoError(t, err)
						want["first"] = ""
					case "only":
						_, err := a.Send(t.Context(), answerTo(ev, "first", alice))
						require.NoError(t, err)
						want["first"] = alice
					}
					ref, err := a.Send(t.Context(), answerTo(ev, "psst", alice))
					require.NoError(t, err)
					require.True(t, strings.HasPrefix(ref.ID, "ephemeral:"))
					_, err = a.Send(t.Context(), answerTo(ev, "aloud", ""))
					require.NoError(t, err)
					require.Equal(t, want, sees(f))
					require.Zero(t, f.Thinking())
					require.NoError(t, a.Edit(t.Context(), ref, &adapter.Message{To: ref.Address, Text: "psst!"}))
					require.Equal(t, alice, sees(f)["psst!"])
					require.ErrorIs(t, a.React(t.Context(), ref, "👍"), adapter.ErrUnsupported)
					require.NoError(t, a.Delete(t.Context(), ref))
					require.NotContains(t, sees(f), "psst!")
					wait(time.Second)
					require.Len(t, e.Heard(), 1, "what is taken away was the bot's own")
				})
			})
		}
	}
}

// TestOnlyRefused: without the origin of that user, in that room, a message for one user is refused.
func TestOnlyRefused(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		require.NoError(t, f.Invoke(alice, ops, "deploy", "api"))
		ev := e.Last(t, 0)
		for name, m := range map[string]*adapter.Message{
			"no origin":      {To: ev.Address(), Text: "x", Only: alice},
			"another user":   {To: ev.Address(), Text: "x", Only: bob, Origin: ev.Origin},
			"another room":   {To: adapter.Address{Room: dev}, Text: "x", Only: alice, Origin: ev.Origin},
			"another thread": {To: adapter.Address{Room: ops, Thread: ev.Room.ID}, Text: "x", Only: bob, Origin: ev.Origin},
			"broken origin":  {To: ev.Address(), Text: "x", Only: alice, Origin: `{"a":"../..","i":"1","t":"x/../y"}`},
		} {
			_, err := a.Send(t.Context(), m)
			require.ErrorIs(t, err, adapter.ErrUnsupported, name)
		}
		require.Empty(t, f.Posts())
		require.NoError(t, f.Direct(bob, "hello"))
		direct := e.Last(t, 1).Room.ID
		_, err := a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: direct}, Text: "for bob", Only: bob})
		require.NoError(t, err, "nobody else is in his direct room")
		_, err = a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: direct}, Text: "for alice", Only: alice})
		require.ErrorIs(t, err, adapter.ErrUnsupported)
	})
}

// TestClick: a click is acknowledged without a word after two seconds; the answer is a message of its own, and never takes the
// place of the message with the button.
func TestClick(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{0, time.Minute} {
		for _, only := range []string{"", bob} {
			t.Run(delay.String()+only, func(t *testing.T) {
				bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
					e := new(ear)
					a := start(t, f, configFor(f), e.Sink)
					ref, err := a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: ops}, Text: "sure?", Buttons: []adapter.Button{{Label: "Yes", Command: "do it"}}})
					require.NoError(t, err)
					require.NoError(t, f.Press(bob, ref.ID, "Yes"))
					ev := e.Last(t, 0)
					require.Equal(t, &adapter.Click{Command: "do it", Label: "Yes", Message: ref}, withName(ev.Click, ""))
					wait(delay)
					_, err = a.Send(t.Context(), answerTo(ev, "done", only))
					require.NoError(t, err)
					require.Equal(t, map[string]string{"sure?": "", "done": only}, sees(f))
					require.Zero(t, f.Thinking())
					if delay > 0 {
						require.Equal(t, 6, f.Interactions()[0].Response)
					}
					require.Empty(t, f.Unanswered())
				})
			})
		}
	}
}

// withName drops the adapter's name from a click's message, which Send does not fill in for an address without.
func withName(c *adapter.Click, name string) *adapter.Click {
	o := *c
	o.Message.Adapter = name
	return &o
}

// TestNotTaken: whoever uses a command or a button that the bot does not take in time is told so, alone, and it is not run
// later.
func TestNotTaken(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(context.Context) error{
		"fails":    func(context.Context) error { return errors.New("the store is away") },
		"rejects":  func(context.Context) error { return adapter.ErrRejected },
		"hangs":    func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"too slow": func(context.Context) error { wait(10 * time.Second); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
				e := new(ear)
				e.Set(func(ctx context.Context, _ *adapter.Event) error { return answer(ctx) })
				a := start(t, f, configFor(f), e.Sink)
				begun := time.Now()
				require.NoError(t, f.Invoke(alice, ops, "deploy", "api"))
				require.NoError(t, f.Await(t.Context(), func() bool { return len(f.Posts()) == 1 }))
				require.LessOrEqual(t, time.Since(begun), 2600*time.Millisecond)
				require.Equal(t, map[string]string{"I could not take this in time. If nothing happens, please try again.": alice}, sees(f))
				wait(20 * time.Second)
				calls := len(e.Heard())
				wait(20 * time.Minute)
				require.Len(t, e.Heard(), calls, "it is not offered any more")
				if name == "too slow" { // it was taken after all
					_, err := a.Send(t.Context(), answerTo(e.Heard()[0], "done", ""))
					require.NoError(t, err)
				}
				require.Empty(t, f.Unanswered())
			})
		})
	}
}

// TestBehindOthers: a command that waits behind messages which the bot does not take is not run minutes later.
func TestBehindOthers(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		free := make(chan struct{})
		e.Set(func(_ context.Context, ev *adapter.Event) error {
			if ev.Kind == adapter.KindMessage {
				<-free
			}
			return nil
		})
		start(t, f, configFor(f), e.Sink)
		_, err := f.Say(alice, ops, "slow")
		require.NoError(t, err)
		require.NoError(t, f.Invoke(bob, ops, "deploy", "api"))
		wait(time.Minute)
		require.Len(t, f.Posts(), 1)
		require.Equal(t, bob, f.Posts()[0].Only)
		close(free)
		wait(time.Minute)
		require.Len(t, e.Heard(), 1, "the message alone")
	})
}

// TestRestart: an answer that another process gives still arrives, where the person waits for it, while the token lives; later it
// is an ordinary message, and one for a single user goes to the direct room or nowhere.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, only string
		before     string // what the first process said
		delay      time.Duration
		closed     bool // the user takes no direct messages
	}{
		{"waiting", "", "", time.Minute, false},
		{"waiting, for one", alice, "", time.Minute, false},
		{"answered", "", "first", time.Minute, false},
		{"answered, for one", alice, "first", time.Minute, false},
		{"over", "", "", 16 * time.Minute, false},
		{"over, for one", alice, "", 16 * time.Minute, false},
		{"over, for one who takes none", alice, "", 16 * time.Minute, true},
		{"at once", "", "", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
				cfg := configFor(f)
				one := idle(t, cfg)
				e := new(ear)
				ctx, cancel := context.WithCancel(t.Context())
				over := make(chan error, 1)
				go func() { over <- one.Run(ctx, e.Sink) }()
				require.NoError(t, f.Await(ctx, f.Connected))
				require.NoError(t, f.Invoke(alice, ops, "deploy", "api"))
				ev := e.Last(t, 0)
				if c.before != "" {
					_, err := one.Send(ctx, answerTo(ev, c.before, ""))
					require.NoError(t, err)
				}
				cancel()
				require.NoError(t, <-over)
				require.NoError(t, one.Close())
				require.Empty(t, f.Unanswered(), "the process that stops puts it off")
				wait(c.delay)

				two := idle(t, configFor(f))
				if c.closed {
					f.Fail(discordfake.Fault{Route: "direct", Kind: discordfake.FaultError, Status: 403, Code: 50007})
				}
				ref, err := two.Send(t.Context(), answerTo(ev, "answer", c.only))
				if c.closed {
					require.ErrorIs(t, err, adapter.ErrForbidden)
					require.Empty(t, sees(f))
					return
				}
				require.NoError(t, err)
				var found discordfake.Message
				for _, m := range f.Posts() {
					if m.Content == "answer" {
						found = m
					}
				}
				require.Equal(t, found.ID, strings.TrimPrefix(ref.ID, "ephemeral:"))
				if c.delay > 15*time.Minute {
					require.Empty(t, found.Interaction)
					require.Equal(t, c.only != "", found.Channel != ops, "for one user it is in the direct room")
				} else {
					require.NotEmpty(t, found.Interaction)
					require.Equal(t, c.only, found.Only)
				}
				if c.delay < 15*time.Minute {
					require.Zero(t, f.Thinking())
				}
				if c.before != "" {
					require.Equal(t, "", sees(f)[c.before])
				}
			})
		})
	}
}

// TestLostAnswers: an answer whose outcome nobody knows is not given twice when it is sent again.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, kind := range []discordfake.FaultKind{discordfake.FaultLost, discordfake.FaultHTML, discordfake.FaultTruncated, discordfake.FaultStatusLate, discordfake.FaultStatus, discordfake.FaultRefused, discordfake.FaultLimit} {
		for _, at := range []string{"callback", "edit original", "followup"} {
			t.Run(fmt.Sprint(kind, " ", at), func(t *testing.T) {
				bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
					e := new(ear)
					a := start(t, f, configFor(f), e.Sink)
					require.NoError(t, f.Invoke(alice, ops, "deploy", "api"))
					ev := e.Last(t, 0)
					switch at {
					case "edit original":
						wait(time.Minute)
					case "followup":
						_, err := a.Send(t.Context(), answerTo(ev, "first", ""))
						require.NoError(t, err)
					}
					if at == "callback" { // the interaction itself tells
						f.Fail(discordfake.Fault{Route: "history", Kind: discordfake.FaultError, Status: 403, Code: 50001, Times: 9})
					}
					f.Fail(discordfake.Fault{Route: at, Kind: kind, Status: 502, After: 0.5})
					_, err := a.Send(t.Context(), answerTo(ev, "answer", ""))
					require.Error(t, err)
					if kind != discordfake.FaultStatus && kind != discordfake.FaultRefused && kind != discordfake.FaultLimit {
						require.Equal(t, adapter.Unknown, adapter.OutcomeOf(err))
						require.Len(t, f.Find("answer"), 1)
					}
					wait(700 * time.Millisecond)
					ref, err := a.Send(t.Context(), answerTo(ev, "answer", ""))
					require.NoError(t, err)
					require.Len(t, f.Find("answer"), 1)
					require.Equal(t, f.Find("answer")[0].ID, ref.ID)
					_, err = a.Send(t.Context(), answerTo(ev, "more", ""))
					require.NoError(t, err)
					require.Len(t, f.Find("more"), 1)
					require.Zero(t, f.Thinking())
					require.Empty(t, f.Unanswered())
				})
			})
		}
	}
}

// TestLostIsNotWrittenOver: an answer in the place of "is thinking" of which nobody knows whether it was posted stays where it was
// posted, whatever is said after it.
func TestLostIsNotWrittenOver(t *testing.T) {
	t.Parallel()
	for _, kind := range []discordfake.FaultKind{discordfake.FaultLost, discordfake.FaultStatusLate, discordfake.FaultHang, discordfake.FaultStatus} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
				e := new(ear)
				a := start(t, f, configFor(f), e.Sink)
				require.NoError(t, f.Invoke(alice, ops, "deploy", "api"))
				ev := e.Last(t, 0)
				wait(time.Minute)
				f.Fail(discordfake.Fault{Route: "edit original", Kind: kind, Status: 502})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, err := a.Send(ctx, answerTo(ev, "the answer", ""))
				require.Equal(t, adapter.Unknown, adapter.OutcomeOf(err), err)
				was := len(f.Find("the answer")) // not posted where the status came at once
				_, err = a.Send(t.Context(), answerTo(ev, "what was said next", ""))
				require.NoError(t, err)
				require.Len(t, f.Find("what was said next"), 1)
				require.Len(t, f.Find("the answer"), was)
				require.Zero(t, f.Thinking())
			})
		})
	}
}

// TestUnsaid: where nobody says anything "is thinking" is taken away before it becomes an error that everybody sees.
func TestUnsaid(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		require.NoError(t, f.Invoke(alice, ops, "quiet", ""))
		ev := e.Last(t, 0)
		wait(13 * time.Minute)
		require.Equal(t, 1, f.Thinking())
		wait(90 * time.Second)
		require.Zero(t, f.Thinking())
		_, err := a.Send(t.Context(), answerTo(ev, "at last", ""))
		require.NoError(t, err)
		require.Len(t, f.Find("at last"), 1)
	})
}

// TestReplayedInteraction: an interaction that comes twice is one event and one answer.
func TestReplayedInteraction(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		require.NoError(t, f.Invoke(alice, ops, "deploy", "api"))
		ev := e.Last(t, 0)
		f.Duplicate()
		_, err := a.Send(t.Context(), answerTo(ev, "answer", ""))
		require.NoError(t, err)
		f.Duplicate()
		wait(time.Minute)
		require.Len(t, e.Heard(), 1)
		require.Len(t, f.Posts(), 1)
		require.Equal(t, 1, f.Calls("callback"))
	})
}

// TestForm: a window opens as the first answer, and what is entered comes back.
func TestForm(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		require.NoError(t, f.Invoke(alice, ops, "deploy", ""))
		ev := e.Last(t, 0)
		form := &adapter.Form{ID: "q-1.x_Y", Title: "Deploy", Fields: []adapter.FormField{
			{Name: "service", Label: "Which service", Hint: "its name", Required: true}, {Name: "env", Choices: []string{"staging", "prod"}, Hint: "one of"},
			{Name: "notes", Label: strings.Repeat("é", 60), Long: true, Value: "none"},
		}}
		for name, c := range map[string]struct {
			form *adapter.Form
			is   error
		}{
			"too many fields": {&adapter.Form{ID: "x", Fields: make([]adapter.FormField, 6)}, adapter.ErrTooLong},
			"no field":        {&adapter.Form{ID: "x"}, adapter.ErrInvalid},
			"bad id":          {&adapter.Form{ID: "x/y", Fields: form.Fields}, adapter.ErrInvalid},
			"same name":       {&adapter.Form{ID: "x", Fields: []adapter.FormField{{Name: "a"}, {Name: "a"}}}, adapter.ErrInvalid},
			"too much in it":  {&adapter.Form{ID: "x", Fields: []adapter.FormField{{Name: "a", Value: strings.Repeat("x", 4001)}}}, adapter.ErrTooLong},
		} {
			require.ErrorIs(t, a.OpenForm(t.Context(), ev.Origin, c.form), c.is, name)
		}
		require.ErrorIs(t, a.OpenForm(t.Context(), "", form), adapter.ErrUnsupported)
		require.NoError(t, a.OpenForm(t.Context(), ev.Origin, form))
		w := f.Interactions()[0].Window
		require.Equal(t, "Deploy", w.Title)
		require.Equal(t, "one of: staging, prod", w.Components[1].Components[0].Placeholder)
		require.ErrorIs(t, a.OpenForm(t.Context(), ev.Origin, form), adapter.ErrNotFound, "it was answered")
		wait(time.Minute)
		require.NoError(t, f.Submit(alice, ops, map[string]string{"service": "api", "env": "prod", "notes": "see <@" + bob + ">"}))
		ev = e.Last(t, 1)
		require.Equal(t, adapter.KindInvocation, ev.Kind)
		require.Equal(t, &adapter.Invocation{Form: "q-1.x_Y", Options: map[string]string{"service": "api", "env": "prod", "notes": "see @Bob"}}, ev.Invocation)
		require.ErrorIs(t, a.OpenForm(t.Context(), ev.Origin, form), adapter.ErrUnsupported, "a window opens no window")
		_, err := a.Send(t.Context(), answerTo(ev, "deploying", ""))
		require.NoError(t, err)
		require.Len(t, f.Find("deploying"), 1)

		require.NoError(t, f.Invoke(alice, ops, "deploy", ""))
		ev = e.Last(t, 2)
		wait(5 * time.Second)
		require.ErrorIs(t, a.OpenForm(t.Context(), ev.Origin, form), adapter.ErrNotFound, "too late")
		_, err = a.Send(t.Context(), answerTo(ev, "in words", ""))
		require.NoError(t, err)
		require.Zero(t, f.Thinking())
		require.Empty(t, f.Unanswered())
	})
}

// TestAnswerWithFiles: the first answer, the one that was waited for, and those after it may have files.
func TestAnswerWithFiles(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		for n, delay := range []time.Duration{0, time.Minute} {
			require.NoError(t, f.Invoke(alice, ops, "plot", "cpu"))
			ev := e.Last(t, n)
			wait(delay)
			for i := range 2 {
				m := answerTo(ev, fmt.Sprint("plot ", n, i), "")
				m.Files = []adapter.File{{Name: "cpu", Type: "image/png", Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("PNG")), nil }}}
				_, err := a.Send(t.Context(), m)
				require.NoError(t, err)
				shown := f.Find(m.Text)
				require.Len(t, shown, 1)
				require.Equal(t, "cpu.png", shown[0].Files[0].Name, "shown as a picture")
				require.Equal(t, "image/png", shown[0].Files[0].Type)
				require.Equal(t, "PNG", shown[0].Files[0].Content)
			}
		}
	})
}

// TestCompletion: completions are answered in time, with what the command proposes, and never reach the bot's sink.
func TestCompletion(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		var many []string
		for i := range 40 {
			many = append(many, fmt.Sprint(i))
		}
		asked := make(chan string, 100)
		require.NoError(t, a.RegisterCommands(t.Context(), []adapter.CommandSpec{
			{Name: "deploy", Args: []adapter.ArgSpec{{Name: "service", Type: "string"}, {Name: "n", Type: "integer", Choices: many}},
				Complete: func(_ context.Context, typed string) []string {
					asked <- typed
					if rest, ok := strings.CutPrefix(typed, "--service="); ok {
						return []string{"--service=" + rest + "1", "--service=" + rest + "2", "--service=" + rest + "2", "--service=" + strings.Repeat("x", 200)}
					}
					return nil
				}},
			{Name: "job list", Args: []adapter.ArgSpec{{Name: "slow", Type: "string"}}, Complete: func(ctx context.Context, _ string) []string { <-ctx.Done(); return nil }},
			{Name: "job run", Args: []adapter.ArgSpec{{Name: "deaf", Type: "string"}}, Complete: func(context.Context, string) []string { wait(10 * time.Second); return nil }},
		}))
		ask := func(words []string, option string, kind int, typed any) []string {
			require.NoError(t, f.Completing(alice, ops, words, option, kind, typed))
			wait(3 * time.Second)
			all := f.Interactions()
			return all[len(all)-1].Choices
		}
		require.Equal(t, []string{"ap1", "ap2"}, ask([]string{"deploy"}, "service", 3, "ap"))
		require.Equal(t, []string{"api we1", "api we2"}, ask([]string{"deploy"}, "service", 3, "api we"), "the last word")
		require.Equal(t, []string{"3", "30", "31", "32", "33", "34", "35", "36", "37", "38", "39"}, ask([]string{"deploy"}, "n", 4, "3"))
		require.Len(t, ask([]string{"deploy"}, "n", 4, ""), 25)
		require.Equal(t, []string{}, ask([]string{"unknown"}, "n", 3, ""))
		require.Equal(t, []string{}, ask([]string{"job", "list"}, "slow", 3, ""), "in time, whatever the command does")
		require.Equal(t, []string{}, ask([]string{"job", "run"}, "deaf", 3, ""), "in time, whatever the command does")
		require.Empty(t, f.Unanswered())
		require.Empty(t, e.Heard())
		require.Equal(t, "--service=ap", <-asked)
	})
}

// TestManyAtOnce: many interactions in many rooms are all acknowledged in time while the bot takes long over each.
func TestManyAtOnce(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		for i := range 200 {
			require.NoError(t, f.Invoke(alice, []string{ops, dev}[i%2], "deploy", fmt.Sprint(i)))
		}
		synctest.Wait()
		require.Len(t, e.Heard(), 200)
		wait(5 * time.Second)
		require.Empty(t, f.Unanswered())
		require.Equal(t, 200, f.Thinking())
		for _, ev := range e.Heard() {
			_, err := a.Send(t.Context(), answerTo(ev, "ok "+ev.Invocation.Options["text"], ""))
			require.NoError(t, err)
		}
		require.Zero(t, f.Thinking())
		require.Len(t, f.Posts(), 200)
	})
}
