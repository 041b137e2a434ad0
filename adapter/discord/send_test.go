package discord_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/discord"
	"github.com/starlingbot/starling/internal/discordfake"
)

// to is a room of the fake server.
func to(room string) adapter.Address { return adapter.Address{Adapter: "discord", Room: room} }

// say renders and sends.
func say(t *testing.T, a *discord.Adapter, m *adapter.Message) []adapter.Ref {
	t.Helper()
	parts, err := a.Render(m)
	require.NoError(t, err)
	var refs []adapter.Ref
	for _, p := range parts {
		ref, err := a.Send(t.Context(), p)
		require.NoError(t, err)
		refs = append(refs, ref)
	}
	return refs
}

// TestMentions: nobody is notified but whom the code mentions and, with Notify, everybody; whatever people write (the fake
// notes a mistake for each message without allowed_mentions, edits and answers too).
func TestMentions(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		a := idle(t, configFor(f))
		hostile := "@everyone @here <@" + bob + "> <@&" + discordfake.RoleOps + "> [Log in](https://evil.example) \\<@" + bob + "> `<@" + bob + ">`"
		ref := say(t, a, &adapter.Message{To: to(ops), Text: adapter.Format("%s says %s", adapter.User{ID: alice, Name: "Alice"}, hostile)})[0]
		m := f.Posts()[0]
		require.Equal(t, []string{}, m.Mentions.Parse)
		require.Equal(t, []string{alice}, m.Mentions.Users)
		require.Equal(t, "@Alice says "+hostile, f.Shown(&m))
		require.NoError(t, a.Edit(t.Context(), ref, &adapter.Message{Text: adapter.Data(hostile), Notify: adapter.NotifyRoom}))
		m = f.Posts()[0]
		require.Equal(t, discordfake.AllowedMentions{Parse: []string{}}, m.Mentions, "an edit notifies nobody")
		for want, n := range map[string]adapter.Notify{"@everyone": adapter.NotifyRoom, "@here": adapter.NotifyHere} {
			for _, rendered := range []bool{true, false} {
				m := &adapter.Message{To: to(dev), Text: "fire", Notify: n}
				if rendered {
					say(t, a, m)
				} else {
					_, err := a.Send(t.Context(), m)
					require.NoError(t, err)
				}
				posts := f.Posts()
				last := posts[len(posts)-1]
				require.Equal(t, want+" fire", last.Content)
				require.Equal(t, []string{"everyone"}, last.Mentions.Parse)
				wait(10 * time.Second)
			}
		}
		_, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: `as it is: \<@` + bob + `> \\<@` + alice + `>`})
		require.NoError(t, err)
		require.Equal(t, []string{alice}, f.Posts()[len(f.Posts())-1].Mentions.Users)
		_, err = a.Render(&adapter.Message{To: to(ops), Text: "x", Notify: "galaxy"})
		require.ErrorIs(t, err, adapter.ErrInvalid)
		long := say(t, a, &adapter.Message{To: to(ops), Text: strings.Repeat("word ", 900), Notify: adapter.NotifyRoom})
		require.Len(t, long, 3)
		posts := f.Posts()[len(f.Posts())-3:]
		require.Equal(t, []string{"everyone"}, posts[0].Mentions.Parse)
		require.Equal(t, []string{}, posts[1].Mentions.Parse, "once is enough")
	})
}

// TestLayout: fields, colours, buttons and previews.
func TestLayout(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		a := idle(t, configFor(f))
		last := func(m *adapter.Message) discordfake.Message {
			m.To = to(ops)
			say(t, a, m)
			wait(5 * time.Second)
			posts := f.Posts()
			return posts[len(posts)-1]
		}
		m := last(&adapter.Message{Text: "see <https://example.com>"})
		require.Equal(t, 4, m.Flags, "no previews")
		require.Zero(t, last(&adapter.Message{Text: "see https://example.com", Previews: true}).Flags)
		m = last(&adapter.Message{Text: "status", Fields: []adapter.Field{{Name: "Host", Value: adapter.Data("*db* 1"), Short: true}, {Name: " ", Value: ""}}})
		require.Equal(t, "status", m.Content)
		require.Zero(t, m.Flags, "which would hide the fields")
		require.Equal(t, [][2]string{{"Host", "*db* 1"}, {"\u200b", "\u200b"}}, f.Fields(&m))
		require.True(t, m.Embeds[0].Fields[0].Inline)
		m = last(&adapter.Message{Text: "down", Color: adapter.ColorBad})
		require.Empty(t, m.Content)
		require.Equal(t, "down", m.Embeds[0].Description)
		require.Equal(t, 0xE74C3C, m.Embeds[0].Color)
		m = last(&adapter.Message{Text: adapter.Format("%s: down", adapter.User{ID: bob, Name: "Bob"}), Color: adapter.ColorBad})
		require.Contains(t, m.Content, bob, "in an embed it would notify nobody")
		m = last(&adapter.Message{Text: strings.Repeat("word ", 500), Color: adapter.ColorGood, Fields: []adapter.Field{{Name: "a", Value: "b"}}})
		require.Equal(t, 0x2ECC71, m.Embeds[0].Color)
		require.Empty(t, f.Posts()[len(f.Posts())-2].Embeds, "a long text is set off at its end alone")

		var buttons []adapter.Button
		for i := range 25 {
			buttons = append(buttons, adapter.Button{Label: fmt.Sprint("B", i), Command: fmt.Sprint("do ", i), Style: []adapter.ButtonStyle{"", "primary", "danger"}[i%3]})
		}
		m = last(&adapter.Message{Text: "choose", Buttons: buttons})
		require.Len(t, m.Buttons(), 25)
		native := json.RawMessage(`[{"type":1,"components":[{"type":2,"style":3,"label":"Go","custom_id":"go"}]}]`)
		m = last(&adapter.Message{Text: "native", Native: map[string]json.RawMessage{"discord": native, "slack": json.RawMessage(`[]`)}})
		require.JSONEq(t, string(native), string(m.Components))

		for name, bad := range map[string]struct {
			m  adapter.Message
			is error
		}{
			"26 buttons":     {adapter.Message{Text: "x", Buttons: append(buttons, adapter.Button{Label: "one more", Command: "more"})}, adapter.ErrTooLong},
			"command of 101": {adapter.Message{Text: "x", Buttons: []adapter.Button{{Label: "a", Command: strings.Repeat("é", 101)}}}, adapter.ErrInvalid},
			"no command":     {adapter.Message{Text: "x", Buttons: []adapter.Button{{Label: "a"}}}, adapter.ErrInvalid},
			"no label":       {adapter.Message{Text: "x", Buttons: []adapter.Button{{Label: " ", Command: "a"}}}, adapter.ErrInvalid},
			"same command":   {adapter.Message{Text: "x", Buttons: []adapter.Button{{Label: "a", Command: "a"}, {Label: "b", Command: "a"}}}, adapter.ErrInvalid},
			"26 fields":      {adapter.Message{Text: "x", Fields: make([]adapter.Field, 26)}, adapter.ErrTooLong},
			"long field":     {adapter.Message{Text: "x", Fields: []adapter.Field{{Name: "a", Value: strings.Repeat("x", 1025)}}}, adapter.ErrTooLong},
			"11 files":       {adapter.Message{Text: "x", Files: make([]adapter.File, 11)}, adapter.ErrTooLong},
			"bad native":     {adapter.Message{Text: "x", Native: map[string]json.RawMessage{"discord": json.RawMessage(`{}`)}}, adapter.ErrInvalid},
		} {
			before := len(f.Posts())
			bad.m.To = to(ops)
			_, err := a.Render(&bad.m)
			require.ErrorIs(t, err, bad.is, name)
			_, err = a.Send(t.Context(), &bad.m)
			require.ErrorIs(t, err, bad.is, name)
			require.Len(t, f.Posts(), before, name)
		}
		exact := strings.Repeat("é", 100)
		m = last(&adapter.Message{Text: "x", Buttons: []adapter.Button{{Label: strings.Repeat("l", 90), Command: exact}}})
		require.Contains(t, string(m.Components), exact)
		require.Len(t, []rune(m.Buttons()[0]), 80)
	})
}

// TestIdempotent: a message with a key is posted once, whatever happens to the answer, and gives the same Ref (R3: no failure
// makes a second post, 5xx neither).
func TestIdempotent(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		a := idle(t, configFor(f))
		require.Positive(t, a.Features().IdempotentSend)
		for i, fault := range []discordfake.Fault{{Kind: discordfake.FaultLost}, {Kind: discordfake.FaultHTML}, {Kind: discordfake.FaultTruncated}, {Kind: discordfake.FaultStatusLate, Status: 502},
			{Kind: discordfake.FaultStatus, Status: 502}, {Kind: discordfake.FaultStatusLate, Status: 500}, {Kind: discordfake.FaultLimit, After: 0.3}, {Kind: discordfake.FaultLimitAll, After: 1},
			{Kind: discordfake.FaultLimitHTML}, {Kind: discordfake.FaultRefused}, {Kind: discordfake.FaultError, Status: 503}} {
			fault.Route = "send"
			f.Fail(fault)
			m := &adapter.Message{To: to(ops), Text: fmt.Sprint("message ", i), Key: fmt.Sprint("key ", i)}
			calls := f.Calls("send")
			_, err := a.Send(t.Context(), m)
			require.Error(t, err)
			require.LessOrEqual(t, f.Calls("send"), calls+1, "nothing is tried twice by itself")
			done := len(f.Find(m.Text)) == 1
			switch {
			case done:
				require.Equal(t, adapter.Unknown, adapter.OutcomeOf(err), "%v", err)
			case fault.Kind == discordfake.FaultStatus || fault.Kind == discordfake.FaultError:
				require.Equal(t, adapter.Unknown, adapter.OutcomeOf(err), "%v", err)
			default:
				require.Equal(t, adapter.NotYet, adapter.OutcomeOf(err), "%v", err)
			}
			wait(time.Minute + time.Second)
			ref, err := a.Send(t.Context(), m)
			require.NoError(t, err)
			require.Len(t, f.Find(m.Text), 1)
			require.Equal(t, f.Find(m.Text)[0].ID, ref.ID)
		}
		require.Zero(t, f.Limited())
		twice := &adapter.Message{To: to(ops), Text: "no key"}
		for range 2 {
			_, err := a.Send(t.Context(), twice)
			require.NoError(t, err)
		}
		require.Len(t, f.Find("no key"), 2)
	})
}

// TestThreads: a message to a message's id starts the thread below it, named for what was said there; the next ones go into
// it; where there are no threads it is a reply.
func TestThreads(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		said, err := f.Say(alice, ops, "<@"+discordfake.BotUser+"> **why** is the API so slow today? "+strings.Repeat("very ", 30))
		require.NoError(t, err)
		ev := e.Last(t, 0)
		in := to(ops)
		in.Thread = ev.MessageID
		f.Fail(discordfake.Fault{Route: "thread", Kind: discordfake.FaultStatus, Status: 500})
		_, err = a.Send(t.Context(), &adapter.Message{To: in, Text: "looking"})
		require.Equal(t, adapter.NotYet, adapter.OutcomeOf(err), "the thread may be there, the message is not: %v", err)
		for range 2 {
			_, err := a.Send(t.Context(), &adapter.Message{To: in, Text: "looking"})
			require.NoError(t, err)
		}
		require.Equal(t, "why is the API so slow today? very very very very very very…", strings.TrimSpace(f.ChannelName(said)))
		require.Equal(t, 2, f.Calls("thread"))
		for _, m := range f.Find("looking") {
			require.Equal(t, said, m.Channel)
		}
		_, err = f.Say(bob, said, "and here?")
		require.NoError(t, err)
		ev = e.Last(t, 1)
		require.Equal(t, in, ev.Address())
		require.Equal(t, "ops", ev.Room.Name)

		require.NoError(t, f.Direct(alice, "hello"))
		ev = e.Last(t, 2)
		_, err = a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: ev.Room.ID, Thread: ev.MessageID}, Text: "hi"})
		require.NoError(t, err)
		hi := f.Find("hi")[0]
		require.Equal(t, ev.Room.ID, hi.Channel)
		require.Equal(t, ev.MessageID, hi.Reference)

		in.Thread = none
		_, err = a.Send(t.Context(), &adapter.Message{To: in, Text: "nowhere"})
		require.ErrorIs(t, err, adapter.ErrNotFound)
	})
}

// TestContexts: every wait heeds the caller's context, which the library's do not.
func TestContexts(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		a := idle(t, configFor(f))
		f.Fail(discordfake.Fault{Route: "react", Kind: discordfake.FaultLimit, After: 3})
		ref := say(t, a, &adapter.Message{To: to(ops), Text: "x"})[0]
		err := a.React(t.Context(), ref, "👍")
		var limit *adapter.RateLimitError
		require.ErrorAs(t, err, &limit)
		require.Equal(t, 3*time.Second, limit.RetryAfter)
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		err = a.React(ctx, ref, "👍")
		require.Equal(t, 200*time.Millisecond, time.Since(begun))
		require.ErrorIs(t, err, adapter.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, a.React(t.Context(), ref, "👍"))
		require.Equal(t, 3*time.Second, time.Since(begun), "inside the limit nothing was sent")
		require.Equal(t, 2, f.Calls("react"))

		f.Fail(discordfake.Fault{Route: "send", Kind: discordfake.FaultHang, Times: 2})
		var wg sync.WaitGroup
		for range 2 { // one that hangs holds up no other
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begun := time.Now()
				_, err := a.Send(ctx, &adapter.Message{To: to(ops), Text: "hang"})
				require.Equal(t, adapter.Unknown, adapter.OutcomeOf(err))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.LessOrEqual(t, time.Since(begun), 1100*time.Millisecond)
			})
		}
		wg.Wait()
	})
}

// TestPace: many at once wait for their turn or are told when it comes; Discord never has to refuse one (R3).
func TestPace(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		a := idle(t, configFor(f))
		begun := time.Now()
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				for {
					_, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: fmt.Sprint("m", i), Key: fmt.Sprint(i)})
					var limit *adapter.RateLimitError
					if errors.As(err, &limit) {
						require.Positive(t, limit.RetryAfter)
						wait(limit.RetryAfter)
						continue
					}
					require.NoError(t, err)
					return
				}
			})
		}
		wg.Wait()
		require.Len(t, f.Posts(), 30)
		require.Zero(t, f.Limited())
		t.Logf("30 messages in one room took %v", time.Since(begun))
		require.Less(t, time.Since(begun), 70*time.Second)
		for i := range 20 { // 20 rooms do not wait for each other
			f.AddChannel(discordfake.Channel{ID: fmt.Sprint("40000000000000000", i+10), Name: fmt.Sprint("room", i)})
		}
		begun = time.Now()
		for i := range 20 {
			_, err := a.Send(t.Context(), &adapter.Message{To: to(fmt.Sprint("40000000000000000", i+10)), Text: "x"})
			require.NoError(t, err)
		}
		require.Less(t, time.Since(begun), time.Second)
	})
}

// TestGlobalLimit: no more than 50 requests a second leave; a global 429 stops all, but not the answers to interactions; a ban
// that is no JSON is waited for; and with very many refusals everything stops before Discord bans the address.
func TestGlobalLimit(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		cfg := configFor(f)
		cfg.CacheFor = time.Nanosecond
		a := start(t, f, cfg, e.Sink)
		wait(5 * time.Second)
		begun := time.Now()
		for i := range 200 {
			require.NoError(t, a.Typing(t.Context(), to([]string{ops, dev}[i%2])))
		}
		require.GreaterOrEqual(t, time.Since(begun), 3*time.Second)
		require.NoError(t, f.Invoke(alice, ops, "deploy", "x"))
		ev := e.Last(t, 0)
		f.Fail(discordfake.Fault{Route: "typing", Kind: discordfake.FaultLimitAll, After: 30})
		require.Error(t, a.Typing(t.Context(), to(ops)))
		_, err := a.Send(t.Context(), &adapter.Message{To: to(dev), Text: "x"})
		var limit *adapter.RateLimitError
		require.ErrorAs(t, err, &limit)
		require.InDelta(t, 30, limit.RetryAfter.Seconds(), 1)
		_, err = a.Send(t.Context(), answerTo(ev, "at once", ""))
		require.NoError(t, err)
		wait(40 * time.Second)
		f.Fail(discordfake.Fault{Route: "typing", Kind: discordfake.FaultLimitHTML})
		require.ErrorAs(t, a.Typing(t.Context(), to(ops)), &limit)
		require.Equal(t, time.Minute, limit.RetryAfter)
		wait(2 * time.Minute)
		calls := f.Calls("typing")
		f.AddChannel(discordfake.Channel{ID: none, Name: "hidden", Hidden: true})
		for range 9000 {
			if err := a.Typing(t.Context(), to(none)); errors.As(err, &limit) {
				break
			}
		}
		require.Greater(t, limit.RetryAfter, time.Minute)
		require.InDelta(t, 8000, f.Calls("typing")-calls, 50)
		wait(11 * time.Minute)
		require.NoError(t, a.Typing(t.Context(), to(ops)))
	})
}

// TestErrors: what Discord refuses, in the errors of package adapter.
func TestErrors(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		a := idle(t, configFor(f))
		for code, want := range map[int]error{
			10003: adapter.ErrNotFound, 50001: adapter.ErrForbidden, 50013: adapter.ErrForbidden, 50007: adapter.ErrForbidden, 50008: adapter.ErrUnsupported, 50006: adapter.ErrInvalid,
			50035: adapter.ErrInvalid, 40005: adapter.ErrTooLong, 200000: adapter.ErrForbidden, 160005: adapter.ErrForbidden, 50083: adapter.ErrForbidden, 0: adapter.ErrForbidden,
		} {
			f.Fail(discordfake.Fault{Route: "send", Kind: discordfake.FaultError, Status: 403, Code: code})
			_, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "x"})
			require.ErrorIs(t, err, want, code)
			require.Equal(t, adapter.Refused, adapter.OutcomeOf(err))
			wait(2 * time.Second)
		}
		f.Fail(discordfake.Fault{Route: "send", Kind: discordfake.FaultError, Status: 400, Code: 20016})
		_, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "x"})
		require.Equal(t, adapter.NotYet, adapter.OutcomeOf(err), "slow mode: %v", err)
		wait(2 * time.Second)
		ref := adapter.Ref{Address: to(ops), ID: none}
		require.ErrorIs(t, a.React(t.Context(), ref, "👍"), adapter.ErrNotFound)
		ref = say(t, a, &adapter.Message{To: to(ops), Text: "x"})[0]
		require.ErrorIs(t, a.React(t.Context(), ref, "thumbsup"), adapter.ErrInvalid)
		require.ErrorIs(t, a.React(t.Context(), ref, ""), adapter.ErrInvalid)
		require.NoError(t, a.React(t.Context(), ref, "<:party:555>"))
		require.NoError(t, a.React(t.Context(), ref, "blob:556"))
		require.Equal(t, []string{"blob:556", "party:555"}, f.Reactions(discordfake.BotUser, ref.ID))
		require.ErrorIs(t, a.SetTopic(t.Context(), ops, strings.Repeat("x", 1025)), adapter.ErrTooLong)
		require.ErrorIs(t, a.SetTopic(t.Context(), "ops", "x"), adapter.ErrNotFound)
		_, err = a.OpenDirect(t.Context(), other)
		require.ErrorIs(t, err, adapter.ErrForbidden)
		_, err = a.Send(t.Context(), &adapter.Message{To: to("ops"), Text: "x"})
		require.ErrorIs(t, err, adapter.ErrNotFound)
		_, err = a.Send(t.Context(), &adapter.Message{Text: "x"})
		require.ErrorIs(t, err, adapter.ErrInvalid)
	})
}

// reader is a file that is read once.
type reader struct {
	io.Reader
	closed chan struct{}
}

func (r *reader) Close() error { close(r.closed); return nil }

// TestFiles: files are read as they are sent, must be as long as they say, and are opened again by id when their address has
// expired.
func TestFiles(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		file := func(size int64, content io.Reader) (adapter.File, chan struct{}) {
			r := &reader{content, make(chan struct{})}
			return adapter.File{Name: "../../etc/pass wd\".txt", Size: size, Open: func(context.Context) (io.ReadCloser, error) { return r, nil }}, r.closed
		}
		big := strings.Repeat("0123456789abcdef", 10<<16) // exactly 10 MiB
		for _, size := range []int64{10 << 20, 0} {
			one, closed := file(size, strings.NewReader(big))
			_, err := a.Upload(t.Context(), to(ops), one)
			require.NoError(t, err)
			<-closed
			posts := f.Posts()
			require.Equal(t, big, posts[len(posts)-1].Files[0].Content)
			require.Equal(t, "pass wd\".txt", posts[len(posts)-1].Files[0].Name)
		}
		before := len(f.Posts())
		for name, c := range map[string]struct {
			size    int64
			content io.Reader
			is      error
		}{
			"too long, and says so":  {10<<20 + 1, strings.NewReader(big + "x"), adapter.ErrTooLong},
			"too long, unknown size": {0, strings.NewReader(big + "x"), adapter.ErrTooLong},
			"longer than it says":    {3, strings.NewReader("four"), adapter.ErrInvalid},
			"shorter than it says":   {5, strings.NewReader("four"), adapter.ErrInvalid},
			"breaks":                 {0, io.MultiReader(strings.NewReader("x"), broken{}), adapter.ErrInvalid},
		} {
			one, closed := file(c.size, c.content)
			_, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "with a file", Files: []adapter.File{one}})
			require.ErrorIs(t, err, c.is, name)
			if c.size <= 10<<20 {
				<-closed
			}
			wait(2 * time.Second)
		}
		_, err := a.Upload(t.Context(), to(ops), adapter.File{Name: "gone", Open: func(context.Context) (io.ReadCloser, error) { return nil, errors.New("gone") }})
		require.ErrorIs(t, err, adapter.ErrInvalid)
		_, err = a.Upload(t.Context(), to(ops), adapter.File{Name: "gone"})
		require.ErrorIs(t, err, adapter.ErrInvalid)
		require.Len(t, f.Posts(), before, "nothing of them is posted")

		require.NoError(t, f.Share(alice, ops, "mine", "notes.txt", "content"))
		in := e.Last(t, 0).Files[0]
		require.Equal(t, "text/plain", in.Type)
		f.ExpireFiles()
		for range 2 {
			r, err := in.Open(t.Context())
			require.NoError(t, err, "its address has expired since, and is asked for anew")
			b, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, "content", string(b))
			require.NoError(t, r.Close())
		}
		f.MoveFiles("http://169.254.169.254/secret")
		_, err = in.Open(t.Context())
		require.ErrorIs(t, err, adapter.ErrForbidden)
		for _, id := range []string{"", "x", "1/2", ops + "/" + none + "/1", "a/b/c"} {
			_, err = a.Open(t.Context(), adapter.File{ID: id})
			require.ErrorIs(t, err, adapter.ErrNotFound, id)
		}
		synctest.Wait()
	})
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the disk is broken") }
