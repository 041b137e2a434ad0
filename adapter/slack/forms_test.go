package slack_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	slackgo "github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/internal/slackfake"
)

func deployForm() *adapter.Form {
	return &adapter.Form{ID: "deploy.7", Title: "Deploy a service of the team", Fields: []adapter.FormField{
		{Name: "service", Label: "Service", Hint: "what to ship", Required: true},
		{Name: "env", Label: "Environment", Value: "staging & <test>", Choices: []string{"prod", "staging & <test>", "50%"}},
		{Name: "note", Value: "first\nsecond", Long: true},
	}}
}

// TestForm: a form is opened from a slash command, a button and another form, over a socket and over HTTP, and what is
// entered comes back as an invocation in the room and thread where it began.
func TestForm(t *testing.T) {
	for _, mode := range []string{"socket", "http"} {
		t.Run(mode, func(t *testing.T) {
			bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
				e := new(ear)
				cfg := configFor(f)
				if mode == "http" {
					cfg = overHTTP(f)
				}
				a := start(t, f, cfg, e.Sink)
				if mode == "http" {
					f.Webhook(a.HTTPHandler())
				}
				synctest.Wait()
				ready := f.Acknowledged()

				require.NoError(t, f.Invoke("U1", "C1", "deploy", ""))
				ev := e.Last(t, 0)
				require.Nil(t, f.View("U1"))
				require.NoError(t, a.OpenForm(t.Context(), ev.Origin, deployForm()))
				v := f.View("U1")
				require.Equal(t, "Deploy a service of the…", v.Title)
				require.Equal(t, "deploy.7", v.CallbackID)
				require.Equal(t, [2]string{"Submit", "Cancel"}, [2]string{v.SubmitLabel, v.CancelLabel})
				require.Equal(t, [3]string{"Service", "Environment", "note"}, [3]string{v.Fields[0].Label, v.Fields[1].Label, v.Fields[2].Label})
				require.Equal(t, "what to ship", v.Fields[0].Hint)
				require.Equal(t, [3]bool{false, true, true}, [3]bool{v.Fields[0].Optional, v.Fields[1].Optional, v.Fields[2].Optional})
				require.Equal(t, [3]string{"", "staging & <test>", "first\nsecond"}, [3]string{v.Fields[0].Value, v.Fields[1].Value, v.Fields[2].Value})
				require.Equal(t, []string{"prod", "staging & <test>", "50%"}, v.Fields[1].Choices)
				require.Equal(t, [3]bool{false, false, true}, [3]bool{v.Fields[0].Long, v.Fields[1].Long, v.Fields[2].Long})

				wait(10 * time.Minute) // who fills it in takes his time
				require.NoError(t, f.Submit("U1", map[string]string{"service": "<api> & co", "note": ""}))
				got := e.Last(t, 1)
				require.Equal(t, adapter.KindInvocation, got.Kind)
				require.Equal(t, &adapter.Invocation{Form: "deploy.7", Options: map[string]string{"service": "<api> & co", "env": "staging & <test>"}}, got.Invocation)
				require.Equal(t, ev.User, got.User)
				require.Equal(t, ev.Address(), got.Address())
				require.Equal(t, ev.Room, got.Room)
				raw, err := slack.Decode(got)
				require.NoError(t, err)
				require.Equal(t, slackgo.InteractionTypeViewSubmission, raw.(slackgo.InteractionCallback).Type)
				require.NotContains(t, string(got.Raw), "verification-token")

				// a form after a form, and one from a button in a thread
				require.NoError(t, a.OpenForm(t.Context(), got.Origin, &adapter.Form{ID: "next", Title: "Sure?", Fields: []adapter.FormField{{Name: "why", Choices: []string{"50%"}}}}))
				require.NoError(t, f.Submit("U1", map[string]string{"why": "50%"}))
				require.Equal(t, &adapter.Invocation{Form: "next", Options: map[string]string{"why": "50%"}}, e.Last(t, 2).Invocation)
				root, err := f.Say("U2", "C2", "root")
				require.NoError(t, err)
				in := adapter.Address{Adapter: "slack", Room: "C2", Thread: root}
				ref, err := a.Send(t.Context(), &adapter.Message{To: in, Text: "fill it in", Buttons: []adapter.Button{{Label: "Open", Command: "open"}}})
				require.NoError(t, err)
				synctest.Wait()
				n := len(e.Heard())
				require.NoError(t, f.Press("U2", "C2", ref.ID, "Open"))
				click := e.Last(t, n)
				require.NoError(t, a.OpenForm(t.Context(), click.Origin, deployForm()))
				require.NoError(t, f.Submit("U2", map[string]string{"service": "web", "env": ""}))
				got = e.Last(t, n+1)
				require.Equal(t, in, got.Address())
				require.Equal(t, "U2", got.User.ID)
				require.Equal(t, map[string]string{"service": "web", "note": "first\nsecond"}, got.Invocation.Options)

				// a window that is closed says nothing
				require.NoError(t, f.Invoke("U1", "C1", "deploy", ""))
				require.NoError(t, a.OpenForm(t.Context(), e.Last(t, n+2).Origin, deployForm()))
				f.CloseView("U1")
				wait(time.Minute)
				require.Len(t, e.Heard(), n+3)
				require.Greater(t, f.Acknowledged(), ready+5)
				require.Zero(t, f.Unacknowledged())
				require.Empty(t, f.Lost())
			})
		})
	}
}

// TestFormTooLate: the trigger of an origin lives three seconds and opens one window.
func TestFormTooLate(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		require.NoError(t, f.Invoke("U1", "C1", "deploy", ""))
		ev := e.Last(t, 0)
		wait(3 * time.Second)
		require.NoError(t, a.OpenForm(t.Context(), ev.Origin, deployForm()), "in the third second")
		err := a.OpenForm(t.Context(), ev.Origin, deployForm())
		require.ErrorIs(t, err, adapter.ErrNotFound, "it opened one")
		require.ErrorContains(t, err, "exchanged_trigger_id")
		require.Equal(t, 2, f.Calls("views.open"))
		f.CloseView("U1")
		wait(time.Millisecond)
		err = a.OpenForm(t.Context(), ev.Origin, deployForm())
		require.ErrorIs(t, err, adapter.ErrNotFound)
		require.ErrorContains(t, err, "3s")
		require.Equal(t, adapter.Refused, adapter.OutcomeOf(err))
		require.Equal(t, 2, f.Calls("views.open"), "Slack is not asked")
		require.NotContains(t, err.Error(), "trigger0", "what opens a window is a secret while it is fresh")

		require.NoError(t, f.Invoke("U1", "C1", "deploy", ""))
		ev = e.Last(t, 1)
		f.Fail(slackfake.Fault{Method: "views.open", Kind: slackfake.FaultError, Error: "expired_trigger_id"}) // it was on its way for long
		require.ErrorIs(t, a.OpenForm(t.Context(), ev.Origin, deployForm()), adapter.ErrNotFound)
		f.Fail(slackfake.Fault{Method: "views.open", Kind: slackfake.FaultLimit, After: 1})
		require.Equal(t, adapter.NotYet, adapter.OutcomeOf(a.OpenForm(t.Context(), ev.Origin, deployForm())))
		require.NoError(t, a.OpenForm(t.Context(), ev.Origin, deployForm()))
	})
}

// TestFormRefused: what no window can show is refused before Slack is asked.
func TestFormRefused(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		_, err := f.Say("U1", "C1", "hello")
		require.NoError(t, err)
		for _, from := range []string{e.Last(t, 0).Origin, "", "{", "{}", `{"r":"C1","t":1}`} {
			require.ErrorIs(t, a.OpenForm(t.Context(), from, deployForm()), adapter.ErrUnsupported, from)
		}
		require.NoError(t, f.Invoke("U1", "C1", "deploy", ""))
		from := e.Last(t, 1).Origin
		many := func(n int) []adapter.FormField {
			var out []adapter.FormField
			for i := range n {
				out = append(out, adapter.FormField{Name: fmt.Sprint("f", i)})
			}
			return out
		}
		choices := func(n, length int) []string {
			var out []string
			for i := range n {
				out = append(out, fmt.Sprintf("%0*d", length, i))
			}
			return out
		}
		for _, c := range []struct {
			what   string
			is     error
			fields []adapter.FormField
		}{
			{"no fields", adapter.ErrInvalid, nil},
			{"101 fields", adapter.ErrTooLong, many(101)},
			{"a name twice", adapter.ErrInvalid, []adapter.FormField{{Name: "a"}, {Name: "a"}}},
			{"no name", adapter.ErrInvalid, []adapter.FormField{{Label: "a"}}},
			{"a long name", adapter.ErrTooLong, []adapter.FormField{{Name: strings.Repeat("a", 256)}}},
			{"a long value", adapter.ErrTooLong, []adapter.FormField{{Name: "a", Value: strings.Repeat("é", 3001)}}},
			{"101 choices", adapter.ErrTooLong, []adapter.FormField{{Name: "a", Choices: choices(101, 3)}}},
			{"a long choice", adapter.ErrTooLong, []adapter.FormField{{Name: "a", Choices: choices(1, 76)}}},
			{"a choice that grows", adapter.ErrTooLong, []adapter.FormField{{Name: "a", Choices: []string{strings.Repeat("&", 60)}}}},
			{"an empty choice", adapter.ErrInvalid, []adapter.FormField{{Name: "a", Choices: []string{" "}}}},
			{"a value that is no choice", adapter.ErrInvalid, []adapter.FormField{{Name: "a", Value: "x", Choices: []string{"y"}}}},
		} {
			err := a.OpenForm(t.Context(), from, &adapter.Form{ID: "x", Title: "x", Fields: c.fields})
			require.ErrorIs(t, err, c.is, c.what)
			require.Equal(t, adapter.Refused, adapter.OutcomeOf(err), c.what)
		}
		for _, form := range []*adapter.Form{nil, {Title: "x", Fields: many(1)}, {ID: "x", Fields: many(1)}} {
			require.ErrorIs(t, a.OpenForm(t.Context(), from, form), adapter.ErrInvalid)
		}
		require.Zero(t, f.Calls("views.open"))

		// everything at its limit
		full := many(98)
		full = append(full, adapter.FormField{Name: strings.Repeat("n", 255), Label: strings.Repeat("é", 2100), Hint: strings.Repeat("é", 2100), Value: strings.Repeat("é", 3000)},
			adapter.FormField{Name: "c", Choices: choices(100, 75)})
		require.NoError(t, a.OpenForm(t.Context(), from, &adapter.Form{ID: "x", Title: strings.Repeat("é", 30), Fields: full}))
		require.Len(t, f.View("U1").Fields, 100)

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.Equal(t, adapter.NotYet, adapter.OutcomeOf(a.OpenForm(ended, from, deployForm())))
		require.NoError(t, a.Close())
		require.ErrorIs(t, a.OpenForm(t.Context(), from, deployForm()), adapter.ErrClosed)
	})
}

// TestAnswerAForm: what a form asked for where the bot is no member is answered over the response_url of what opened it.
func TestAnswerAForm(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		f.AddRoom(slackfake.Room{ID: "C9", Name: "elsewhere", Members: []string{"U1", "U2"}, Outside: true})
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		require.NoError(t, f.Invoke("U1", "C9", "deploy", ""))
		require.NoError(t, a.OpenForm(t.Context(), e.Last(t, 0).Origin, deployForm()))
		wait(20 * time.Minute)
		require.NoError(t, f.Submit("U1", map[string]string{"service": "api"}))
		ev := e.Last(t, 1)
		_, err := a.Send(t.Context(), &adapter.Message{To: ev.Address(), Text: "done", Origin: ev.Origin})
		require.NoError(t, err)
		require.Equal(t, "response_url", f.Find("done")[0].Via)
		wait(10 * time.Minute) // 30 minutes after the command
		_, err = a.Send(t.Context(), &adapter.Message{To: ev.Address(), Text: "late", Origin: ev.Origin})
		require.ErrorIs(t, err, adapter.ErrForbidden)
		require.Empty(t, f.Find("late"))
	})
}
