package mattermost_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"
	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

// TestForms: a window asks for several values; what is entered comes back once, from who saw it.
func TestForms(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.Sink)
		form := &adapter.Form{ID: "deploy-1.x_y", Title: "Deploy a service to somewhere", Fields: []adapter.FormField{
			{Name: "service", Label: "Service @all", Hint: "what to ship", Value: "api", Required: true},
			{Name: "env", Label: "Environment of the thing to ship", Choices: []string{"staging", "prod"}},
			{Name: "notes", Long: true},
		}}
		e.Set(func(_ context.Context, ev *adapter.Event) error {
			if origin := ev.Origin; ev.Invocation != nil && ev.Invocation.Form == "" {
				go func() { _ = a.OpenForm(t.Context(), origin, form) }()
			}
			return nil
		})
		begun := time.Now()
		require.NoError(t, f.Invoke(alice, ops, "deploy", ""))
		require.Less(t, time.Since(begun), time.Second, "the window was the answer")
		synctest.Wait()
		d := f.Dialogs()[0]
		require.Equal(t, alice, d.User)
		require.LessOrEqual(t, len([]rune(d.Title)), 24)
		require.Equal(t, []string{"text", "select", "textarea"}, []string{d.Elements[0].Type, d.Elements[1].Type, d.Elements[2].Type})
		require.Equal(t, "api", d.Elements[0].Default)
		require.False(t, d.Elements[0].Optional)
		require.True(t, d.Elements[1].Optional)
		require.Equal(t, "notes", d.Elements[2].DisplayName)
		values := map[string]any{"service": "db", "env": "prod", "notes": nil, "yes": true, "n": 7.5}

		stolen := d
		stolen.User = bob
		_, err := f.Submit(stolen, ops, values)
		require.ErrorContains(t, err, "401")
		stolen = d
		stolen.CallbackID = "another"
		_, err = f.Submit(stolen, ops, values)
		require.ErrorContains(t, err, "401")
		stolen = d
		stolen.State += "x"
		_, err = f.Submit(stolen, ops, values)
		require.ErrorContains(t, err, "401")
		n := len(e.Heard())
		told, err := f.Submit(d, dev, values) // from another room: it is answered where it was asked
		require.NoError(t, err)
		require.Empty(t, told)
		ev := e.Last(t, n)
		require.Equal(t, adapter.KindInvocation, ev.Kind)
		require.Equal(t, &adapter.Invocation{Form: "deploy-1.x_y", Options: map[string]string{"service": "db", "env": "prod", "yes": "true", "n": "7.5"}}, ev.Invocation)
		require.Equal(t, ops, ev.Room.ID)
		require.Equal(t, alice, ev.User.ID)
		v, err := mattermost.Decode(ev)
		require.NoError(t, err)
		require.Empty(t, v.(*model.SubmitDialogRequest).State)
		_, err = f.Submit(d, ops, values)
		require.ErrorContains(t, err, "401", "once")

		origin := e.Heard()[0].Origin
		long := *form
		long.Fields = make([]adapter.FormField, 6)
		for want, err := range map[error]error{
			adapter.ErrNotFound: a.OpenForm(t.Context(), withTrigger(t, origin, f.TriggerAt(alice, time.Now().Add(-4*time.Second))), form),
			adapter.ErrTooLong:  a.OpenForm(t.Context(), withTrigger(t, origin, f.Trigger(alice)), &long),
			adapter.ErrInvalid:  a.OpenForm(t.Context(), withTrigger(t, origin, f.Trigger(alice)), &adapter.Form{ID: "no spaces"}),
		} {
			require.ErrorIs(t, err, want)
		}
		require.ErrorIs(t, a.OpenForm(t.Context(), ev.Origin, form), adapter.ErrUnsupported, "a form opens no form")
		require.ErrorIs(t, a.OpenForm(t.Context(), "", form), adapter.ErrUnsupported)
		cfg := configFor(f)
		cfg.CallbackURL = ""
		require.ErrorIs(t, idle(t, cfg).OpenForm(t.Context(), origin, form), adapter.ErrUnsupported)
		wait(2 * time.Minute)
		require.ErrorIs(t, a.OpenForm(t.Context(), origin, form), adapter.ErrNotFound)
		e.Set(nil)
		require.NoError(t, a.OpenForm(t.Context(), withTrigger(t, origin, f.Trigger(alice)), form))
		wait(2 * time.Hour)
		told, err = f.Submit(f.Dialogs()[len(f.Dialogs())-1], ops, values)
		require.NoError(t, err)
		require.Contains(t, told, "too old")
	})
}

// TestOutgoingWebhooks: what is said in a public room that the bot is not in reaches it by a token, once, and is answered.
func TestOutgoingWebhooks(t *testing.T) {
	for _, asJSON := range []bool{true, false} {
		t.Run(fmt.Sprint("json ", asJSON), func(t *testing.T) {
			bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
				outside := fake.ID("outside")
				f.AddRoom(fake.Room{ID: outside, Name: "outside", Members: []string{alice}, Outside: true})
				cfg := configFor(f)
				cfg.HookTokens = []string{"cnrymarkhooktoken"}
				e := newEar()
				a := start(t, f, cfg, e.Sink)
				e.Set(func(_ context.Context, ev *adapter.Event) error {
					origin := ev.Origin
					go func() {
						_, _ = a.Send(t.Context(), &adapter.Message{To: to(outside), Text: "hello " + adapter.Data("<!channel> @all") + " `<!here>`", Origin: origin})
					}()
					return nil
				})
				hook := &fake.Outgoing{Token: "cnrymarkhooktoken", Words: []string{"starling:"}, JSON: asJSON}
				f.AddOutgoing(*hook)
				id, err := f.SayOutside(alice, outside, "starling: ping")
				require.NoError(t, err)
				ev := e.Last(t, 0)
				require.Equal(t, "message/"+id, ev.ID, "the event that the websocket would bring")
				require.Equal(t, adapter.KindMessage, ev.Kind)
				require.Equal(t, "starling: ping", ev.Text)
				require.Equal(t, "mattermost/"+tenant+"/"+alice, ev.User.Key())
				require.Equal(t, adapter.Room{ID: outside, Name: "outside", Kind: adapter.RoomChannel}, ev.Room)
				v, err := mattermost.Decode(ev)
				require.NoError(t, err)
				require.Equal(t, id, v.(*model.Post).Id)
				require.Len(t, f.Find("hello"), 1)
				require.Empty(t, f.Pings(&f.Find("hello")[0]))
				contentType, body := f.HookRequest(hook, alice, outside, id, "starling: ping")
				require.Equal(t, http.StatusUnauthorized, call(a, contentType, nil, body).Code, "it came before")
				hook.Token = "cnrymark-x"
				contentType, body = f.HookRequest(hook, alice, outside, id, "starling: ping")
				require.Equal(t, http.StatusUnauthorized, call(a, contentType, nil, body).Code)
				require.Len(t, e.Heard(), 1)

				// In a room that the bot is in, both ways bring one event.
				hook.Token = "cnrymarkhooktoken"
				e.Set(nil)
				id, err = f.Say(alice, ops, "starling: twice")
				require.NoError(t, err)
				e.Last(t, 1)
				contentType, body = f.HookRequest(hook, alice, ops, id, "starling: twice")
				w := call(a, contentType, nil, body)
				require.Equal(t, http.StatusOK, w.Code)
				b, err := io.ReadAll(w.Body)
				require.NoError(t, err)
				require.JSONEq(t, "{}", string(b))
				require.Len(t, e.Heard(), 2)
			})
		})
	}
}
