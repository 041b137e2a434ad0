package mattermost_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"
	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// call posts to the adapter's handler.
func call(a *mattermost.Adapter, contentType string, header http.Header, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/adapters/mattermost/", bytes.NewReader(body))
	for k, v := range header {
		r.Header[k] = v
	}
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	a.HTTPHandler().ServeHTTP(w, r)
	return w
}

// command makes the request of a slash command.
func command(t *testing.T, f *fake.Server, change func(url.Values, http.Header)) (http.Header, []byte) {
	t.Helper()
	form, token, err := f.CommandRequest(alice, ops, "deploy", "api")
	require.NoError(t, err)
	h := http.Header{"Authorization": {"Token " + token}}
	if change != nil {
		change(form, h)
	}
	return h, []byte(form.Encode())
}

// TestCommandTokens is T5 to T8 for slash commands: the token, the user and the moment are checked, each request once, and nothing
// says why one is refused.
func TestCommandTokens(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		cfg := configFor(f)
		cfg.CommandTokens = []string{"cnrymarkthenewtoken", commandToken} // while it is replaced
		e := newEar()
		a := start(t, f, cfg, e.Sink)
		refused := 0
		for name, change := range map[string]func(url.Values, http.Header){
			"no token":       func(v url.Values, h http.Header) { v.Del("token"); h.Del("Authorization") },
			"empty token":    func(v url.Values, h http.Header) { v.Set("token", ""); h.Set("Authorization", "Token ") },
			"wrong token":    func(v url.Values, h http.Header) { v.Set("token", "x"); h.Set("Authorization", "Token x") },
			"two tokens":     func(_ url.Values, h http.Header) { h.Set("Authorization", "Token thenewtoken") },
			"token twice":    func(v url.Values, _ http.Header) { v.Add("token", "x") },
			"another user":   func(v url.Values, _ http.Header) { v.Set("user_id", bob) },
			"user twice":     func(v url.Values, _ http.Header) { v.Add("user_id", bob) },
			"no trigger":     func(v url.Values, _ http.Header) { v.Del("trigger_id") },
			"forged trigger": func(v url.Values, _ http.Header) { v.Set("trigger_id", forged(alice)) },
			"another one's":  func(v url.Values, _ http.Header) { v.Set("trigger_id", f.Trigger(bob)) },
			"an old trigger": func(v url.Values, _ http.Header) {
				v.Set("trigger_id", f.TriggerAt(alice, time.Now().Add(-6*time.Minute)))
			},
			"a trigger to come": func(v url.Values, _ http.Header) {
				v.Set("trigger_id", f.TriggerAt(alice, time.Now().Add(6*time.Minute)))
			},
			"a trigger far ahead": func(v url.Values, _ http.Header) { v.Set("trigger_id", f.TriggerAt(alice, time.UnixMilli(1<<62))) },
			"a trigger long ago":  func(v url.Values, _ http.Header) { v.Set("trigger_id", f.TriggerAt(alice, time.UnixMilli(-1<<62))) },
			"no room":             func(v url.Values, _ http.Header) { v.Del("channel_id") },
			"an odd room":         func(v url.Values, _ http.Header) { v.Set("channel_id", "../x") },
			"no command":          func(v url.Values, _ http.Header) { v.Set("command", "/") },
		} {
			h, body := command(t, f, change)
			w := call(a, formType, h, body)
			require.Equal(t, http.StatusUnauthorized, w.Code, name)
			require.Equal(t, "unauthorized\n", w.Body.String(), name)
			refused++
		}
		synctest.Wait()
		require.Empty(t, e.Heard())
		t.Logf("%d refused", refused)

		h, body := command(t, f, nil)
		require.Equal(t, http.StatusOK, call(a, formType, h, body).Code)
		for range 3 {
			require.Equal(t, http.StatusUnauthorized, call(a, formType, h, body).Code, "it came before")
		}
		wait(4 * time.Minute)
		require.Equal(t, http.StatusUnauthorized, call(a, formType, h, body).Code)
		h, body = command(t, f, func(v url.Values, h http.Header) { v.Set("token", "cnrymarkthenewtoken"); h.Del("Authorization") })
		require.Equal(t, http.StatusOK, call(a, formType, h, body).Code)
		ev := e.Heard()[0]
		require.Equal(t, &adapter.Invocation{Command: "deploy", Text: "api"}, ev.Invocation)
		require.Equal(t, "mattermost/"+tenant+"/"+alice, ev.User.Key())
		require.Equal(t, "alice", ev.User.Name)
		require.Equal(t, "ops", ev.Room.Name)
		require.NotContains(t, string(ev.Raw), commandToken)
		v, err := mattermost.Decode(ev)
		require.NoError(t, err)
		require.Equal(t, "/deploy", v.(map[string]string)["command"])
		require.Len(t, e.Heard(), 2)

		for _, c := range []struct {
			method, contentType string
			body                []byte
			want                int
		}{
			{http.MethodGet, formType, nil, http.StatusMethodNotAllowed},
			{http.MethodPost, formType, bytes.Repeat([]byte("z"), 1<<20+1), http.StatusRequestEntityTooLarge},
			{http.MethodPost, formType, []byte("%zz"), http.StatusUnauthorized},
			{http.MethodPost, jsonType, []byte("{"), http.StatusUnauthorized},
			{http.MethodPost, jsonType, []byte("[]"), http.StatusUnauthorized},
			{http.MethodPost, jsonType, []byte("{}"), http.StatusUnauthorized},
			{http.MethodPost, "text/plain", []byte("x"), http.StatusUnauthorized},
			{http.MethodPost, "", nil, http.StatusUnauthorized},
		} {
			r := httptest.NewRequest(c.method, "/", bytes.NewReader(c.body))
			r.Header.Set("Content-Type", c.contentType)
			w := httptest.NewRecorder()
			a.HTTPHandler().ServeHTTP(w, r)
			require.Equal(t, c.want, w.Code)
		}
	})
}

// forged is a trigger id in the right form that the server did not sign.
func forged(user string) string {
	sig := base64.StdEncoding.EncodeToString([]byte("a signature of nobody, long enough to be one; it is not"))
	return base64.StdEncoding.EncodeToString([]byte(fake.ID("trigger") + ":" + user + ":" + fmt.Sprint(time.Now().UnixMilli()) + ":" + sig))
}

// TestClickIsBound: a button is one of its message and its room, for a time; whoever knows a seal cannot take it elsewhere.
func TestClickIsBound(t *testing.T) {
	bubble(t, fake.Options{SystemAdmin: true}, func(t *testing.T, f *fake.Server) {
		cfg := configFor(f)
		cfg.SystemAdmin, cfg.Secrets, cfg.ButtonsFor = true, []string{"cnrymark of today"}, time.Hour
		e := newEar()
		a := start(t, f, cfg, e.Sink)
		ask := func(a *mattermost.Adapter, room, only string) adapter.Ref {
			ref, err := a.Send(t.Context(), &adapter.Message{To: to(room), Text: "sure?", Only: only, Buttons: []adapter.Button{{Label: "Yes", Command: `do "it" <&>`}, {Label: "No", Command: "n"}}})
			require.NoError(t, err)
			return ref
		}
		click := func(id string, change func(m map[string]any)) int {
			address, body, err := f.ClickRequest(bob, id, "Yes")
			require.NoError(t, err)
			require.Equal(t, fake.CallbackURL, address)
			var m map[string]any
			require.NoError(t, json.Unmarshal(body, &m))
			if change != nil {
				change(m)
			}
			body, err = json.Marshal(m)
			require.NoError(t, err)
			return call(a, jsonType, nil, body).Code
		}
		one, two := ask(a, ops, ""), ask(a, ops, "")
		other := ask(a, dev, "")
		seal := func(id string) any {
			p, _ := f.Get(id)
			list := p.Props["attachments"].([]any)[0].(map[string]any)["actions"].([]any)
			return list[0].(map[string]any)["integration"].(map[string]any)["context"]
		}
		said, err := f.Say(alice, ops, "not the bot's")
		require.NoError(t, err)
		synctest.Wait()
		n := len(e.Heard())
		for name, change := range map[string]func(m map[string]any){
			"no context":        func(m map[string]any) { delete(m, "context") },
			"no seal":           func(m map[string]any) { m["context"] = map[string]any{} },
			"an odd seal":       func(m map[string]any) { m["context"] = map[string]any{"starling": 7} },
			"another message":   func(m map[string]any) { m["post_id"] = two.ID },
			"somebody else's":   func(m map[string]any) { m["post_id"] = said },
			"no message":        func(m map[string]any) { m["post_id"] = fake.ID("nopost") },
			"another room":      func(m map[string]any) { m["channel_id"] = dev },
			"a seal from there": func(m map[string]any) { m["context"] = seal(other.ID) },
			"another user":      func(m map[string]any) { m["user_id"] = alice },
			"no trigger":        func(m map[string]any) { m["trigger_id"] = "" },
			"a forged trigger":  func(m map[string]any) { m["trigger_id"] = forged(bob) },
		} {
			require.Equal(t, http.StatusUnauthorized, click(one.ID, change), name)
		}
		require.Len(t, e.Heard(), n)
		require.Equal(t, http.StatusOK, click(one.ID, nil))
		require.Equal(t, http.StatusOK, click(one.ID, nil), "a button may be pressed again")
		require.Len(t, e.Heard(), n+2)
		ev := e.Heard()[n]
		require.Equal(t, adapter.KindClick, ev.Kind)
		require.Equal(t, &adapter.Click{Command: `do "it" <&>`, Label: "Yes", Message: adapter.Ref{Address: to(ops), ID: one.ID}}, ev.Click)
		require.NotEqual(t, ev.ID, e.Heard()[n+1].ID)
		v, err := mattermost.Decode(ev)
		require.NoError(t, err)
		require.Equal(t, bob, v.(*model.PostActionIntegrationRequest).UserId)

		// A callback that cannot be checked now is not taken, and not refused for ever.
		fresh := ask(idle(t, cfg), ops, "") // another process posted it
		f.Fail(fake.Fault{Route: "GET /posts/{}", Kind: fake.FaultStatus, Status: 500})
		require.Equal(t, http.StatusServiceUnavailable, click(fresh.ID, nil))
		wait(10 * time.Second)
		require.Equal(t, http.StatusOK, click(fresh.ID, nil))

		// What one user alone sees, one user alone presses.
		whispered := ask(a, ops, bob)
		id := strings.TrimPrefix(whispered.ID, "ephemeral:")
		require.Equal(t, http.StatusOK, click(id, nil))
		require.Equal(t, http.StatusUnauthorized, click(id, func(m map[string]any) { m["user_id"], m["trigger_id"] = alice, f.Trigger(alice) }))

		// In a thread the click is there too.
		root, err := f.Say(alice, ops, "root")
		require.NoError(t, err)
		synctest.Wait() // else the click may come before it
		below, err := a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: ops, Thread: root}, Text: "sure?", Buttons: []adapter.Button{{Label: "Yes", Command: "y"}}})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, click(below.ID, nil))
		require.Equal(t, root, e.Heard()[len(e.Heard())-1].Thread)

		// A secret is replaced: the old buttons work while both are given, and not with the new one alone.
		for _, c := range []struct {
			secrets []string
			want    int
		}{{[]string{"cnrymark of tomorrow", "cnrymark of today"}, http.StatusOK}, {[]string{"cnrymark of tomorrow"}, http.StatusUnauthorized}} {
			cfg.Secrets = c.secrets
			next := idle(t, cfg)
			ctx, cancel := context.WithCancel(t.Context())
			over := make(chan error, 1)
			go func() { over <- next.Run(ctx, e.Sink) }()
			wait(time.Second)
			_, body, err := f.ClickRequest(bob, one.ID, "Yes")
			require.NoError(t, err)
			require.Equal(t, c.want, call(next, jsonType, nil, body).Code)
			cancel()
			require.NoError(t, <-over)
		}

		wait(time.Hour)
		require.NoError(t, f.Press(bob, one.ID, "Yes"), "too old: the person is told")
		require.Len(t, f.Find("too old"), 1)
	})
}

// TestMutations is T5: 10,000 changes of one bit in the callbacks, and none of them makes the bot do anything else than the button
// or the command said, by who pressed or typed it, where it was.
func TestMutations(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		var mu sync.Mutex
		var got []*adapter.Event
		a := start(t, f, configFor(f), func(_ context.Context, ev *adapter.Event) error {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, ev)
			return nil
		})
		ref, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "sure?", Buttons: []adapter.Button{{Label: "Yes", Command: "approve 1"}}})
		require.NoError(t, err)
		require.NoError(t, f.Invoke(bob, ops, "deploy", "x"))
		mu.Lock()
		origin := got[0].Origin
		mu.Unlock()
		require.NoError(t, a.OpenForm(t.Context(), withTrigger(t, origin, f.Trigger(bob)), &adapter.Form{ID: "f1", Title: "T", Fields: []adapter.FormField{{Name: "env"}}}))
		dialog := f.Dialogs()[0]
		_, clicked, err := f.ClickRequest(bob, ref.ID, "Yes")
		require.NoError(t, err)
		header, typed := command(t, f, nil)
		filled, err := json.Marshal(map[string]any{"type": "dialog_submission", "callback_id": dialog.CallbackID, "state": dialog.State, "user_id": bob,
			"channel_id": ops, "team_id": fake.Main, "submission": map[string]any{"env": "prod"}})
		require.NoError(t, err)
		rnd := rand.New(rand.NewPCG(3, 4))
		accepted, refused := 0, 0
		for n := range 10_000 {
			mu.Lock()
			got = nil
			mu.Unlock()
			kind := n % 3
			contentType, body, fields := jsonType, clicked, []string{"user_id", "channel_id", "post_id", "trigger_id", "context"} // what is protected
			switch kind {
			case 1:
				contentType, body, fields = formType, typed, []string{"user_id", "token", "trigger_id"}
			case 2:
				body, fields = filled, []string{"user_id", "state", "callback_id"}
			}
			bad := mutate(rnd, kind == 1, body, fields)
			code := call(a, contentType, header, bad).Code
			mu.Lock()
			events := got
			mu.Unlock()
			switch {
			case code == http.StatusUnauthorized && len(events) == 0:
				refused++
			default:
				accepted++
				t.Errorf("%d: %q was taken: %+v", code, bad, events)
			}
		}
		t.Logf(`{"run":"T5 mattermost","mutations":10000,"refused":%d,"accepted":%d}`, refused, accepted)
		require.Zero(t, accepted)
		for contentType, body := range map[string][]byte{jsonType: clicked, formType: typed} { // and unchanged they are taken
			require.Equal(t, http.StatusOK, call(a, contentType, header, body).Code)
		}
		require.Equal(t, http.StatusOK, call(a, jsonType, nil, filled).Code)
	})
}

// mutate changes one bit of one of the fields of a form or of JSON.
func mutate(rnd *rand.Rand, form bool, body []byte, fields []string) []byte {
	for {
		field := fields[rnd.IntN(len(fields))]
		flip := func(s string) string {
			b := []byte(s)
			b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(7)
			return string(b)
		}
		if form {
			v, _ := url.ParseQuery(string(body))
			was := v.Get(field)
			v.Set(field, flip(was))
			return []byte(v.Encode())
		}
		var m map[string]any
		_ = json.Unmarshal(body, &m)
		switch x := m[field].(type) {
		case string:
			m[field] = flip(x)
		case map[string]any:
			x["starling"] = flip(x["starling"].(string))
		}
		out, err := json.Marshal(m)
		if err == nil && !bytes.Equal(out, body) {
			return out
		}
	}
}

// withTrigger puts a fresh trigger into an origin.
func withTrigger(t *testing.T, origin, trigger string) string {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(origin), &m))
	m["g"], m["a"] = trigger, time.Now().Unix()
	b, err := json.Marshal(m)
	require.NoError(t, err)
	return string(b)
}

// TestNoKey: a server that does not tell its key is believed by its secrets alone, and each request still counts once.
func TestNoKey(t *testing.T) {
	bubble(t, fake.Options{NoKey: true}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.Sink)
		h, body := command(t, f, nil)
		require.Equal(t, http.StatusOK, call(a, formType, h, body).Code)
		require.Equal(t, http.StatusUnauthorized, call(a, formType, h, body).Code)
		h, body = command(t, f, func(v url.Values, _ http.Header) { v.Del("trigger_id") })
		require.Equal(t, http.StatusUnauthorized, call(a, formType, h, body).Code)
		require.Len(t, e.Heard(), 1)
	})
}

// TestInteractionsAgain: nobody delivers a command again, so the adapter tries while somebody waits; then they are told, and may
// do it again.
func TestInteractionsAgain(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		fails := 2
		e.Set(func(_ context.Context, ev *adapter.Event) error {
			ev.ID = "the event is the sink's"
			if fails--; fails >= 0 {
				return errors.New("the store is away")
			}
			return nil
		})
		a := start(t, f, configFor(f), e.Sink)
		require.NoError(t, f.Invoke(alice, ops, "deploy", "api"))
		require.Len(t, e.Heard(), 3)
		fails = 1000
		h, body := command(t, f, nil)
		begun := time.Now()
		require.Equal(t, http.StatusServiceUnavailable, call(a, formType, h, body).Code)
		require.LessOrEqual(t, time.Since(begun), 3*time.Second)
		fails = 0
		wait(time.Second)
		require.Equal(t, http.StatusOK, call(a, formType, h, body).Code, "what was not taken may come once more")
		require.NoError(t, a.Close())
		h, body = command(t, f, nil)
		require.Equal(t, http.StatusServiceUnavailable, call(a, formType, h, body).Code, "nobody listens")
	})
}

// TestAnswers: how commands and clicks are answered: by a post of the bot where it may, else as the answer to the request while
// that waits, else at the response_url; and what one user is to see never in public.
func TestAnswers(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		outside := fake.ID("outside")
		f.AddRoom(fake.Room{ID: outside, Name: "outside", Members: []string{alice, bob}, Outside: true})
		e := newEar()
		a := start(t, f, configFor(f), e.Sink)
		answer := func(after time.Duration, m adapter.Message) (errs chan error) {
			errs = make(chan error, 1)
			e.Set(func(_ context.Context, ev *adapter.Event) error {
				if ev.Kind == adapter.KindMessage {
					return nil
				}
				origin, room := ev.Origin, ev.Room.ID
				go func() {
					wait(after)
					m.Origin, m.To = origin, to(room)
					_, err := a.Send(t.Context(), &m)
					errs <- err
				}()
				return nil
			})
			return errs
		}
		for _, c := range []struct {
			name  string
			room  string
			after time.Duration
			m     adapter.Message
			shown func(p fake.Post) bool
			is    error
			took  time.Duration // at most
		}{
			{"a post", ops, 100 * time.Millisecond, adapter.Message{}, func(p fake.Post) bool { return p.UserID == fake.Bot && p.Only == "" }, nil, 200 * time.Millisecond},
			{"a whisper while it waits", ops, 100 * time.Millisecond, adapter.Message{Only: alice}, func(p fake.Post) bool { return p.Only == alice }, nil, 200 * time.Millisecond},
			{"a whisper later", ops, time.Minute, adapter.Message{Only: alice}, func(p fake.Post) bool { return p.Only == alice }, nil, 2100 * time.Millisecond},
			{"a whisper to another one", ops, 100 * time.Millisecond, adapter.Message{Only: bob}, nil, adapter.ErrUnsupported, 2100 * time.Millisecond},
			{"a whisper too late", ops, 30 * time.Minute, adapter.Message{Only: alice}, nil, adapter.ErrUnsupported, 2100 * time.Millisecond},
			{"from outside while it waits", outside, 100 * time.Millisecond, adapter.Message{}, func(p fake.Post) bool { return p.UserID == alice && p.Only == "" }, nil, 200 * time.Millisecond},
			{"from outside later", outside, time.Minute, adapter.Message{}, func(p fake.Post) bool { return p.UserID == alice && p.Only == "" }, nil, 2100 * time.Millisecond},
			{"a whisper from outside", outside, time.Minute, adapter.Message{Only: alice}, func(p fake.Post) bool { return p.Only == alice }, nil, 2100 * time.Millisecond},
			{"from outside too late", outside, 30 * time.Minute, adapter.Message{}, nil, adapter.ErrForbidden, 2100 * time.Millisecond},
			{"buttons from outside", outside, 100 * time.Millisecond, adapter.Message{Buttons: []adapter.Button{{Label: "Yes", Command: "y"}}},
				func(p fake.Post) bool { return fake.Buttons(&p)[0] == "Yes" }, nil, 200 * time.Millisecond},
		} {
			text := "answer " + strings.ReplaceAll(c.name, " ", "-")
			c.m.Text = text + " " + adapter.Data("<!channel> @all <http://x|y>")
			errs := answer(c.after, c.m)
			begun := time.Now()
			require.NoError(t, f.Invoke(alice, c.room, "deploy", "api"), c.name)
			require.LessOrEqual(t, time.Since(begun), c.took, c.name)
			err := <-errs
			synctest.Wait()
			if c.is != nil {
				require.ErrorIs(t, err, c.is, c.name)
				require.Empty(t, f.Find(text), c.name)
				continue
			}
			require.NoError(t, err, c.name)
			found := f.Find(text)
			require.Len(t, found, 1, c.name)
			require.True(t, c.shown(found[0]), c.name)
			require.Empty(t, f.Pings(&found[0]), c.name)
			require.Contains(t, fake.Shown(&found[0]), "<!channel> @all <http://x|y>", c.name)
		}
		p := f.Find("answer buttons-from-outside")[0]
		n := len(e.Heard())
		e.Set(nil)
		f.AddRoom(fake.Room{ID: outside, Name: "outside", Members: []string{alice, bob, fake.Bot}}) // to be able to see it
		require.NoError(t, f.Press(bob, p.ID, "Yes"))
		require.Equal(t, "y", e.Heard()[n].Click.Command)

		// A click can be answered to one user while it waits, and not later.
		ref, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "sure?", Buttons: []adapter.Button{{Label: "Yes", Command: "y"}}})
		require.NoError(t, err)
		for _, c := range []struct {
			after time.Duration
			only  string
			is    error
		}{{100 * time.Millisecond, alice, nil}, {time.Minute, alice, adapter.ErrUnsupported}, {100 * time.Millisecond, bob, adapter.ErrUnsupported}} {
			errs := answer(c.after, adapter.Message{Text: "clicked", Only: c.only})
			before := len(f.Find("clicked"))
			require.NoError(t, f.Press(alice, ref.ID, "Yes"))
			require.ErrorIs(t, <-errs, c.is)
			if c.is == nil {
				before++
				require.Equal(t, alice, f.Find("clicked")[before-1].Only)
			}
			require.Len(t, f.Find("clicked"), before)
		}
		e.Set(nil)

		// An address in a stored origin leads nowhere but to the server.
		require.NoError(t, f.Invoke(alice, outside, "deploy", "api"))
		ev := e.Heard()[len(e.Heard())-1]
		require.NotContains(t, ev.Origin, "public.example")
		for _, origin := range []string{"", "{", `{"k":"command"}`, strings.Replace(ev.Origin, `"h":"`, `"h":"../../`, 1), strings.Replace(ev.Origin, alice, bob, 1)} {
			_, err := a.Send(t.Context(), &adapter.Message{To: to(outside), Text: "forged", Only: alice, Origin: origin})
			require.ErrorIs(t, err, adapter.ErrUnsupported, origin)
		}
		require.Empty(t, f.Find("forged"))
	})
}
