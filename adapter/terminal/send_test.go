package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

func TestSendShows(t *testing.T) {
	thread := func(room, thread string) adapter.Address {
		return adapter.Address{Adapter: "terminal", Room: room, Thread: thread}
	}
	type message = adapter.Message
	for _, c := range []struct {
		name string
		m    message
		want string
	}{
		{"direct", message{To: to("dm-you"), Text: "hi"}, "starling> hi\n"},
		{"adapter left out", message{To: adapter.Address{Room: "dm-you"}, Text: "hi"}, "starling> hi\n"},
		{"room", message{To: to("ops"), Text: "hi"}, "#ops starling> hi\n"},
		{"thread", message{To: thread("ops", "3"), Text: "hi"}, "#ops/3 starling> hi\n"},
		{"thread in direct", message{To: thread("dm-you", "3"), Text: "hi"}, "@you/3 starling> hi\n"},
		{"direct of another", message{To: to("dm-alice"), Text: "hi"}, "@alice starling> hi\n"},
		{"only", message{To: to("dm-you"), Text: "hi", Only: "you"}, "(only you) starling> hi\n"},
		{"only in a thread", message{To: thread("ops", "3"), Text: "hi", Only: "you"}, "#ops/3 (only you) starling> hi\n"},
		{"further lines", message{To: to("ops"), Text: "a\n\n b\nc\n\n"}, "#ops starling> a\n  \n  b\n  c\n"},
		{"a line that looks like another", message{To: to("ops"), Text: "a\nstarling> b\u2028#x starling> c\r\nd"}, "#ops starling> a\n  starling> b\n  #x starling> c\n  d\n"},
		{"escapes", message{To: to("ops"), Text: "a\x1b[2J\x1b]0;t\a\u202eb\u200bc\x00\xff"}, "#ops starling> abc\uFFFD\n"},
		{"markup is shown plain, data as it is", message{To: to("ops"), Text: adapter.Format("*hi* %s in %v: %s", adapter.User{ID: "U1", Name: "bob"}, adapter.Room{ID: "R", Name: "dev"}, "*hi* # 1. `x` [a](b)")}, "#ops starling> hi @bob in #dev: *hi* # 1. `x` [a](b)\n"},
		{"data of several lines", message{To: to("ops"), Text: adapter.Format("> %s", "  a\n  b")}, "#ops starling> >   a\n  >   b\n"},
		{"data with an escape", message{To: to("ops"), Text: adapter.Format("%s %v", "a\x1b[31m\nb", adapter.User{ID: "U", Name: "x\x1b]0;t\ay"})}, "#ops starling> a\n  b @xy\n"},
		{"time", message{To: to("ops"), Text: adapter.Timestamp(time.Unix(0, 0))}, "#ops starling> 1970-01-01 00:00 UTC\n"},
		{"notify", message{To: to("ops"), Text: "fire", Notify: adapter.NotifyHere}, "#ops starling> @here fire\n"},
		{"notify alone", message{To: to("ops"), Notify: adapter.NotifyRoom, Buttons: []adapter.Button{{Label: "Go"}}}, "#ops starling> @room\n  [1] Go\n"},
		{"fields", message{To: to("ops"), Text: "up", Fields: []adapter.Field{{Name: "Ho\x1b[1mst", Value: "db\n1"}, {Name: "Load", Value: "3"}}}, "#ops starling> up\n  Host: db\n  1\n  Load: 3\n"},
		{"fields alone", message{To: to("ops"), Fields: []adapter.Field{{Name: "Load", Value: "3"}}}, "#ops starling> Load: 3\n"},
		{"buttons", message{To: to("ops"), Text: "sure?", Buttons: []adapter.Button{{Label: "Yes\n\x1b[2J", Command: "y"}, {Label: "No", Command: "n"}}}, "#ops starling> sure?\n  [1] Yes  [2] No\n"},
		{"files", message{To: to("ops"), Files: []adapter.File{{Name: "a\x1b[31m.txt", Size: 12}, {Name: "b"}, {Name: "c", Size: 1536}, {Name: "d", Size: 5 << 40}}}, "#ops starling> file: a.txt (12 B)\n  file: b\n  file: c (1.5 KiB)\n  file: d (5.0 TiB)\n"},
		{"native is not ours", message{To: to("ops"), Text: "hi", Native: map[string]json.RawMessage{"slack": json.RawMessage("[]")}}, "#ops starling> hi\n"},
		{"no limit", message{To: to("ops"), Text: strings.Repeat("x", 100_000)}, "#ops starling> " + strings.Repeat("x", 100_000) + "\n"},
		{"colour is for a terminal", message{To: to("ops"), Text: "hi", Color: adapter.ColorBad}, "#ops starling> hi\n"},
		{"thread with an escape", message{To: thread("ops", "3\x1b[2J\n"), Text: "hi"}, "#ops/3 starling> hi\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, out, _ := piped(t, "", Config{Playground: true})
			ref, err := a.Send(t.Context(), &c.m)
			require.NoError(t, err)
			require.Equal(t, c.want, out.String())
			require.Equal(t, 1, out.writes, "one Write")
			want := c.m.To
			want.Adapter = "terminal"
			require.Equal(t, want, ref.Address)
			require.NotEmpty(t, ref.ID)
		})
	}
}

func TestSendRefused(t *testing.T) {
	a, out, _ := piped(t, "", Config{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name    string
		ctx     context.Context
		m       *adapter.Message
		want    error
		outcome adapter.Outcome
	}{
		{"no such room", t.Context(), &adapter.Message{To: to("ops"), Text: "x"}, adapter.ErrNotFound, adapter.Refused},
		{"no room", t.Context(), &adapter.Message{Text: "x"}, adapter.ErrNotFound, adapter.Refused},
		{"no such direct room", t.Context(), &adapter.Message{To: to("dm-bob"), Text: "x"}, adapter.ErrNotFound, adapter.Refused},
		{"another adapter", t.Context(), &adapter.Message{To: adapter.Address{Adapter: "slack", Room: "dm-you"}, Text: "x"}, adapter.ErrNotFound, adapter.Refused},
		{"only for nobody", t.Context(), &adapter.Message{To: to("dm-you"), Text: "x", Only: "bob"}, adapter.ErrNotFound, adapter.Refused},
		{"S1: nothing to show", t.Context(), &adapter.Message{To: to("dm-you")}, adapter.ErrInvalid, adapter.Refused},
		{"nil", t.Context(), nil, adapter.ErrInvalid, adapter.Refused},
		{"ended context", ended, &adapter.Message{To: to("dm-you"), Text: "x"}, context.Canceled, adapter.NotYet},
	} {
		t.Run(c.name, func(t *testing.T) {
			ref, err := a.Send(c.ctx, c.m)
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.outcome, adapter.OutcomeOf(err))
			require.True(t, ref.IsZero())
			require.Empty(t, out.String())
		})
	}
	for _, room := range []string{"", "#ops", "@bob", "a b", "x\x1b[2J", "dm-", "dm-\u202ebob", strings.Repeat("x", 65)} {
		a, _, _ := piped(t, "", Config{Playground: true})
		_, err := a.Send(t.Context(), &adapter.Message{To: to(room), Text: "x"})
		require.ErrorIs(t, err, adapter.ErrNotFound, room)
	}
}

func TestSendWriteFails(t *testing.T) {
	a, out, _ := piped(t, "", Config{})
	out.err = errors.New("no space")
	_, err := a.Send(t.Context(), &adapter.Message{To: to("dm-you"), Text: "x"})
	require.Equal(t, adapter.NotYet, adapter.OutcomeOf(err), "nothing was written")
	require.ErrorIs(t, err, out.err)
	out.short = 3
	_, err = a.Send(t.Context(), &adapter.Message{To: to("dm-you"), Text: "x"})
	require.Equal(t, adapter.Unknown, adapter.OutcomeOf(err), "some was written")
	require.Zero(t, a.last)
}

func TestSendOrder(t *testing.T) { // S3
	a, out, _ := piped(t, "", Config{})
	for i := range 4 {
		_, err := a.Send(t.Context(), &adapter.Message{To: to("dm-you"), Text: strconv.Itoa(i)})
		require.NoError(t, err)
	}
	require.Equal(t, "starling> 0\nstarling> 1\nstarling> 2\nstarling> 3\n", out.String())
}

func TestSendConcurrently(t *testing.T) {
	a, out, _ := piped(t, strings.Repeat("line\n", 50), Config{Playground: true})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				ref, err := a.Send(t.Context(), &adapter.Message{To: to("ops"), Text: fmt.Sprintf("g%d a%d\nb%d", g, i, i), Only: []string{"", "bob"}[i%2]})
				if err == nil && i%5 == 0 {
					err = errors.Join(a.Edit(t.Context(), ref, &adapter.Message{Text: "e"}), a.React(t.Context(), ref, "x"), a.Delete(t.Context(), ref))
				}
				if err != nil {
					t.Error(err)
				}
				_, _ = io.WriteString(a.LogWriter(), "log\n")
			}
		})
	}
	require.NoError(t, a.Run(t.Context(), (&recorder{}).sink))
	wg.Wait()
	next := map[string]int{}
	lines := strings.Split(out.String(), "\n")
	m := regexp.MustCompile(`^#ops starling> g(\d) a(\d+)$`)
	for i, l := range lines {
		if s := m.FindStringSubmatch(l); s != nil {
			n, err := strconv.Atoi(s[2])
			require.NoError(t, err)
			require.Equal(t, next[s[1]], n, "order within one goroutine")
			next[s[1]] = n + 2
			require.Equal(t, "  b"+s[2], lines[i+1], "a message is written whole")
		}
	}
	require.Len(t, next, 8)
	for _, n := range next {
		require.Equal(t, 50, n)
	}
}

func TestSendOnly(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close()
	a, out, _ := piped(t, "", Config{In: r, Playground: true})
	send := func(text, only string) adapter.Ref {
		ref, err := a.Send(t.Context(), &adapter.Message{To: to("ops"), Text: text, Only: only, Buttons: []adapter.Button{{Label: "B", Command: "c " + text}}})
		require.NoError(t, err)
		return ref
	}
	var got recorder
	step := make(chan string)
	done := make(chan error)
	go func() {
		done <- a.Run(t.Context(), func(ctx context.Context, ev *adapter.Event) error {
			defer func() { step <- ev.Text }()
			return got.sink(ctx, ev)
		})
	}()
	typed := func(s string) {
		_, err := io.WriteString(w, s+"\nsync\n")
		require.NoError(t, err)
		for <-step != "sync" {
		}
	}
	secret := send("secret", "bob")
	gone := send("gone", "bob")
	changed := send("old", "bob")
	require.Empty(t, out.take(), "nobody else sees it")
	require.NoError(t, a.React(t.Context(), secret, "👍"))
	require.NoError(t, a.Delete(t.Context(), gone))
	require.NoError(t, a.Edit(t.Context(), changed, &adapter.Message{Text: "new", Buttons: []adapter.Button{{Label: "N"}}}))
	require.Empty(t, out.take())
	send("open", "")
	require.Equal(t, "#ops starling> open\n  [1] B\n", out.take())

	typed("/as bob")
	require.Equal(t, "#ops (only bob) starling> secret\n  [1] B\n#ops (only bob) starling> new\n  [1] N\n", out.take(), "bob comes and sees it")
	typed("/press 2 b")
	pressed, _ := got.last(2)
	require.Equal(t, "c secret", pressed.Click.Command)

	typed("/as eve")
	_, before := got.last(1)
	require.NoError(t, a.Edit(t.Context(), secret, &adapter.Message{Text: "x"}))
	require.NoError(t, a.React(t.Context(), secret, "👍"))
	typed("/press 2 b")
	_, after := got.last(1)
	require.Equal(t, before+1, after, "what she does not see she cannot press")
	require.NoError(t, a.Delete(t.Context(), secret))
	require.Empty(t, out.take())

	first := send("h", "zed")
	for i := range maxHeld + 4 {
		send("h"+strconv.Itoa(i+1), "zed")
	}
	require.Len(t, a.held, maxHeld)
	require.ErrorIs(t, a.Delete(t.Context(), first), adapter.ErrNotFound, "the oldest is gone for good")
	typed("/as zed")
	shown := out.take()
	require.NotContains(t, shown, "> h4\n", "the oldest went")
	require.Contains(t, shown, "> h5\n")
	require.Contains(t, shown, "> h104\n")
	require.Empty(t, a.held)
	require.NoError(t, w.Close())
	require.NoError(t, <-done)
}

func TestEditDeleteReactTopic(t *testing.T) {
	a, out, _ := piped(t, "first line\nsecond", Config{Playground: true})
	var got recorder
	require.NoError(t, a.Run(t.Context(), got.sink))
	ctx := t.Context()
	direct, err := a.Send(ctx, &adapter.Message{To: to("dm-you"), Text: "one"})
	require.NoError(t, err)
	room, err := a.Send(ctx, &adapter.Message{To: to("ops"), Text: "two"})
	require.NoError(t, err)
	out.take()

	require.NoError(t, a.Edit(ctx, direct, &adapter.Message{Text: "new\n\x1b[2Jlines"}))
	require.NoError(t, a.Edit(ctx, room, &adapter.Message{Text: "new"}))
	require.NoError(t, a.React(ctx, direct, "👍"))
	require.NoError(t, a.React(ctx, direct, "👍"))
	require.NoError(t, a.React(ctx, room, "ta\x1b[2Jda"))
	require.NoError(t, a.React(ctx, got.events[1].Ref(), "👀"))
	require.NoError(t, a.SetTopic(ctx, "ops", "on call:\n\x1b[1mann"))
	require.NoError(t, a.SetTopic(ctx, "dm-you", "us"))
	require.NoError(t, a.Delete(ctx, room))
	require.Equal(t, `starling (edited 1)> new
  lines
#ops starling (edited 2)> new
starling reacted 👍 to 1
#ops starling reacted tada to 2
starling reacted 👀 to line 2
#ops topic: on call: ann
topic: us
#ops starling deleted 2
`, out.take())

	user := got.events[0].Ref()
	wrong := direct
	wrong.Room = "ops"
	for name, ref := range map[string]adapter.Ref{
		"deleted": room, "zero": {}, "unknown": {Address: to("ops"), ID: "1"}, "wrong room": wrong,
		"another adapter": {Address: adapter.Address{Adapter: "slack", Room: "dm-you"}, ID: direct.ID},
	} {
		require.ErrorIs(t, a.Edit(ctx, ref, &adapter.Message{Text: "x"}), adapter.ErrNotFound, name)
		require.ErrorIs(t, a.Delete(ctx, ref), adapter.ErrNotFound, name)
		require.ErrorIs(t, a.React(ctx, ref, "x"), adapter.ErrNotFound, name)
	}
	require.ErrorIs(t, a.Edit(ctx, user, &adapter.Message{Text: "x"}), adapter.ErrForbidden)
	require.ErrorIs(t, a.Delete(ctx, user), adapter.ErrForbidden)
	require.ErrorIs(t, a.Edit(ctx, direct, &adapter.Message{}), adapter.ErrInvalid)
	require.ErrorIs(t, a.React(ctx, direct, "\u200b"), adapter.ErrInvalid)
	require.ErrorIs(t, a.SetTopic(ctx, "no room", "x"), adapter.ErrNotFound)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, a.Edit(ended, direct, &adapter.Message{Text: "x"}), context.Canceled)
	require.ErrorIs(t, a.React(ended, user, "x"), context.Canceled)
	require.ErrorIs(t, a.SetTopic(ended, "ops", "x"), context.Canceled)
	require.Empty(t, out.take())
}

func TestThreadsBelowMessages(t *testing.T) {
	a, out, _ := piped(t, "hello", Config{})
	var got recorder
	require.NoError(t, a.Run(t.Context(), got.sink))
	ev := got.events[0]
	ref, err := a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: "dm-you", Thread: ev.MessageID}, Text: "below your line"})
	require.NoError(t, err)
	require.Equal(t, ev.MessageID, ref.Thread)
	_, err = a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: "dm-you", Thread: ref.ID}, Text: "below mine"})
	require.NoError(t, err)
	require.Equal(t, "@you/you-1 starling> below your line\n@you/1 starling> below mine\n", out.String())
}

func TestMemoryIsBounded(t *testing.T) {
	a, _, errs := piped(t, strings.Repeat("x\n", maxKept+5), Config{Playground: true})
	var got recorder
	require.NoError(t, a.Run(t.Context(), got.sink))
	var refs []adapter.Ref
	for i := range maxKept + 5 {
		ref, err := a.Send(t.Context(), &adapter.Message{To: to("ops"), Text: strconv.Itoa(i)})
		require.NoError(t, err)
		refs = append(refs, ref)
	}
	require.ErrorIs(t, a.Delete(t.Context(), refs[4]), adapter.ErrNotFound)
	require.NoError(t, a.Delete(t.Context(), refs[5]))
	require.ErrorIs(t, a.React(t.Context(), got.events[4].Ref(), "x"), adapter.ErrNotFound)
	require.NoError(t, a.React(t.Context(), got.events[5].Ref(), "x"))
	for i := range 2 * maxEmoji {
		require.NoError(t, a.React(t.Context(), refs[6], strconv.Itoa(i)))
	}
	p, _ := a.posts.get(refs[6].ID)
	require.Len(t, p.emoji, maxEmoji)

	var in strings.Builder
	for i := range maxKept + 5 {
		fmt.Fprintf(&in, "/as u%d\n/room r%d\nx\n", i, i)
	}
	b, _, _ := piped(t, in.String(), Config{Playground: true})
	require.NoError(t, b.Run(t.Context(), got.sink))
	for _, n := range []int{len(a.posts.m), len(a.said.m), len(b.users.m), len(b.rooms.m), len(b.lines.m), len(b.users.order), len(b.rooms.order), len(b.lines.order)} {
		require.LessOrEqual(t, n, maxKept)
	}
	require.Empty(t, errs.String())
}
