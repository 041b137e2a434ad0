package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

func TestReceiveLines(t *testing.T) {
	big := strings.Repeat("a", maxLine)
	for name, c := range map[string]struct {
		in   string
		want []string
		cut  int // how many are truncated
	}{
		"lines":                       {in: "a\nb\n", want: []string{"a", "b"}},
		"no newline at the end":       {in: "a\nb", want: []string{"a", "b"}},
		"CRLF":                        {in: "a\r\nb\r\n", want: []string{"a", "b"}},
		"CR inside stays":             {in: "a\rb\r\r\n", want: []string{"a\rb\r"}},
		"empty lines":                 {in: "\n\r\n\na\n\n", want: []string{"a"}},
		"spaces are text":             {in: "  a \n", want: []string{"  a "}},
		"NUL":                         {in: "a\x00b\n\x00\nc\n", want: []string{"a\x00b", "\x00", "c"}},
		"no UTF-8":                    {in: "a\xff\xfeb\nc\xe2\x82\nd\n", want: []string{"a\uFFFDb", "c\uFFFD", "d"}},
		"bidi and zero-width stay":    {in: "a\u202eb\u200b\u2066c\ufeff\nd\n", want: []string{"a\u202eb\u200b\u2066c\ufeff", "d"}},
		"escape stays":                {in: "\x1b[2J\nd\n", want: []string{"\x1b[2J", "d"}},
		"slash is text":               {in: "/as bob\n/quit\n/\n", want: []string{"/as bob", "/quit", "/"}},
		"64 KiB":                      {in: big[:adapter.MaxText] + "\nb\n", want: []string{big[:adapter.MaxText], "b"}},
		"64 KiB and one":              {in: big[:adapter.MaxText+1] + "\nb\n", want: []string{big[:adapter.MaxText+1], "b"}},
		"1 MiB":                       {in: big + "\nb\n", want: []string{big, "b"}},
		"1 MiB CRLF":                  {in: big + "\r\nb\n", want: []string{big, "b"}},
		"1 MiB and one":               {in: big + "a\nb\n", want: []string{big, "b"}, cut: 1},
		"1 MiB and one, CRLF":         {in: big + "a\r\nb\n", want: []string{big, "b"}, cut: 1},
		"3 MiB":                       {in: big + big + big + "\nb\n", want: []string{big, "b"}, cut: 1},
		"3 MiB at the end":            {in: "b\n" + big + big + big, want: []string{"b", big}, cut: 1},
		"cut between characters":      {in: big[1:] + "é!\nb\n", want: []string{big[1:], "b"}, cut: 1},
		"cut before broken character": {in: big[1:] + "\xff\xff\nb\n", want: []string{big[1:] + "\uFFFD", "b"}, cut: 1},
	} {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"": func(r io.Reader) io.Reader { return r }, " byte by byte": iotest.OneByteReader, " with EOF": iotest.DataErrReader,
		} {
			if how == " byte by byte" && len(c.in) > 1000 {
				continue
			}
			t.Run(name+how, func(t *testing.T) {
				a, _, errs := piped(t, "", Config{In: wrap(strings.NewReader(c.in))})
				var got recorder
				require.NoError(t, a.Run(t.Context(), got.sink))
				require.Equal(t, c.want, got.texts())
				cut := 0
				for _, ev := range got.events {
					if ev.Truncated {
						cut++
					}
				}
				require.Equal(t, c.cut, cut)
				told := ""
				for _, text := range c.want {
					if len(text) > adapter.MaxText { // the bot cuts what the adapter has not
						told += "terminal: a line was cut: starling takes 64 KiB of one, and the rest is lost. It gets the beginning and knows that the end is missing\n"
					}
				}
				require.Equal(t, told, errs.String())
				require.LessOrEqual(t, cap(a.line.buf), 64<<10, "a long line's memory is given back")
			})
		}
	}
}

func TestReceiveMemoryIsBounded(t *testing.T) {
	endless := io.LimitReader(fill('x'), 64<<20)
	a, _, _ := piped(t, "", Config{In: io.MultiReader(endless, strings.NewReader("\nnext\n"))})
	var got recorder
	most := 0
	require.NoError(t, a.Run(t.Context(), func(ctx context.Context, ev *adapter.Event) error {
		most = max(most, len(ev.Text))
		return got.sink(ctx, ev)
	}))
	require.Equal(t, maxLine, most)
	require.Equal(t, "next", got.texts()[1])
}

type fill byte

func (f fill) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(f)
	}
	return len(p), nil
}

func TestReceiveEvent(t *testing.T) {
	before := time.Now()
	a, _, _ := piped(t, "@Starling: ping\nmail@starling.org\n@starlings", Config{Name: "tty", User: "ann"})
	var got recorder
	require.NoError(t, a.Run(t.Context(), got.sink))
	ev := *got.events[0]
	require.NotEmpty(t, ev.ID)
	require.NotEmpty(t, ev.MessageID)
	require.NotEqual(t, ev.ID, ev.MessageID)
	require.WithinRange(t, ev.Time, before.Add(-time.Second), time.Now().Add(time.Second))
	require.Equal(t, time.UTC, ev.Time.Location())
	ev.ID, ev.MessageID, ev.Time = "", "", time.Time{}
	require.Equal(t, adapter.Event{
		Kind: adapter.KindMessage, Adapter: "tty", Text: "@Starling: ping", Mentioned: true, BotName: "starling",
		Room: adapter.Room{ID: "dm-ann", Name: "ann", Kind: adapter.RoomDirect},
		User: adapter.User{Adapter: "tty", ID: "ann", Name: "ann", Kind: adapter.KindMember},
	}, ev)
	require.False(t, got.events[1].Mentioned)
	require.False(t, got.events[2].Mentioned)
}

func TestReceiveNormalizeChangesNothing(t *testing.T) { // what the first run sees is what a rerun sees
	a, _, _ := piped(t, "hi\n/room ops\nyo \x00\u202e\n/react 1 👍\n/press 1 1\n/edit 1 new", Config{Playground: true})
	_, err := a.Send(t.Context(), &adapter.Message{To: to("ops"), Text: "x", Buttons: []adapter.Button{{Label: "L", Command: "c"}}})
	require.NoError(t, err)
	var got recorder
	require.NoError(t, a.Run(t.Context(), got.sink))
	require.Len(t, got.events, 5)
	for _, ev := range got.events {
		norm := *ev
		norm.Normalize()
		require.Equal(t, *ev, norm)
	}
}

func TestReceiveNoInput(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want bool
	}{
		"nothing": {"", true}, "empty lines": {"\n\r\n", true}, "a line": {"x", false},
	} {
		t.Run(name, func(t *testing.T) {
			a, out, errs := piped(t, c.in, Config{})
			for range 2 {
				require.NoError(t, a.Run(t.Context(), (&recorder{}).sink))
			}
			require.Empty(t, out.String())
			if !c.want {
				require.Empty(t, errs.String())
				return
			}
			require.Equal(t, 1, strings.Count(errs.String(), "\n"), "one line, once")
			require.Contains(t, errs.String(), "no input")
			require.Contains(t, errs.String(), "give it lines through a pipe")
		})
	}
}

func TestReceiveReadError(t *testing.T) {
	broken := errors.New("broken disk")
	a, _, _ := piped(t, "", Config{In: io.MultiReader(strings.NewReader("a\nhalf"), iotest.ErrReader(broken))})
	var got recorder
	require.ErrorIs(t, a.Run(t.Context(), got.sink), broken)
	require.Equal(t, []string{"a", "half"}, got.texts())

	for _, end := range []error{io.EOF, io.ErrClosedPipe, os.ErrClosed} {
		a, _, _ := piped(t, "", Config{In: iotest.ErrReader(end)})
		require.NoError(t, a.Run(t.Context(), got.sink))
	}
	a, _, _ = piped(t, "", Config{In: stuck{}})
	require.ErrorIs(t, a.Run(t.Context(), got.sink), io.ErrNoProgress)
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestReceiveSinkError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, errs := piped(t, "one\ntwo\n", Config{})
		start := time.Now()
		var got recorder
		var ids []string
		require.NoError(t, a.Run(t.Context(), func(ctx context.Context, ev *adapter.Event) error {
			ids = append(ids, ev.ID)
			if len(ids) < 10 {
				ev.Text, ev.ID = "the event belongs to the sink", ""
				return errDown
			}
			return got.sink(ctx, ev)
		}))
		require.Equal(t, []string{"one", "two"}, got.texts())
		for _, id := range ids[1:10] {
			require.Equal(t, ids[0], id, "the same event again")
		}
		// 0.1+0.2+0.4+0.8+1.6+3.2+5+5+5
		require.Equal(t, 21300*time.Millisecond, time.Since(start))
		require.Equal(t, "terminal: the line could not be taken yet, it is tried again: the store is down\n", errs.String())
	})
}

func TestReceiveSinkErrorUntilContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, _ := piped(t, "one\ntwo\n", Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		tries := 0
		require.NoError(t, a.Run(ctx, func(context.Context, *adapter.Event) error { tries++; return errDown }))
		require.Greater(t, tries, 10)
		var got recorder
		require.NoError(t, a.Run(t.Context(), got.sink))
		require.Equal(t, []string{"one", "two"}, got.texts(), "the next Run delivers it")
	})
}

func TestReceiveRejected(t *testing.T) {
	a, _, errs := piped(t, "one\ntwo\n", Config{})
	var got recorder
	require.NoError(t, a.Run(t.Context(), func(ctx context.Context, ev *adapter.Event) error {
		if ev.Text == "one" {
			return fmt.Errorf("too large\x1b[2J: %w", adapter.ErrRejected)
		}
		return got.sink(ctx, ev)
	}))
	require.Equal(t, []string{"two"}, got.texts())
	require.Equal(t, "terminal: the line was not taken: too large: adapter: event rejected\n", errs.String())
}

func TestReceiveNothingAfterRun(t *testing.T) { // the sink is not called after Run returned
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		a := New(Config{In: r, Out: io.Discard, Err: io.Discard})
		ctx, cancel := context.WithCancel(t.Context())
		var got recorder
		done := make(chan error)
		go func() { done <- a.Run(ctx, got.sink) }()
		synctest.Wait()
		cancel()
		require.NoError(t, <-done)
		_, err := io.WriteString(w, "late\n")
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, got.texts())
		require.NoError(t, w.Close())
	})
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q queue
		q.init()
		for range maxQueue {
			require.NoError(t, q.push(t.Context(), &adapter.Event{}))
		}
		pushed := false
		go func() {
			_ = q.push(t.Context(), &adapter.Event{ID: "last"})
			pushed = true
		}()
		synctest.Wait()
		require.False(t, pushed, "it waits")
		q.pop()
		synctest.Wait()
		require.True(t, pushed)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, q.push(ctx, &adapter.Event{ID: "kept"}))
		require.Equal(t, "kept", q.events[len(q.events)-1].ID, "what was read is never dropped")
	})
}

// FuzzReceive: whatever bytes come, each line that is not empty arrives, in order, as valid UTF-8.
func FuzzReceive(f *testing.F) {
	for _, s := range []string{"", "a\nb", "\r\n\r\r\n", "\xff\xfe\n", "/as bob\nx\n/quit\ny", "/thread 1\n/press 1 2\n/edit 1 b\n", "\x00\n\u202e\n", "/react 99999999999999999999 x"} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, in []byte, playground bool) {
		var want []string
		for line := range bytes.SplitSeq(in, []byte("\n")) {
			if line = bytes.TrimSuffix(line, []byte("\r")); len(line) > 0 {
				want = append(want, strings.ToValidUTF8(string(line), "\uFFFD"))
			}
		}
		if playground {
			// what waits for a message would wait two seconds
			if bytes.Contains(in, []byte("/thread")) || bytes.Contains(in, []byte("/react")) || bytes.Contains(in, []byte("/press")) {
				t.Skip()
			}
		}
		a := New(Config{In: iotest.HalfReader(bytes.NewReader(in)), Out: io.Discard, Err: io.Discard, Playground: playground})
		var got recorder
		require.NoError(t, a.Run(t.Context(), got.sink))
		for _, s := range got.texts() {
			require.True(t, utf8.ValidString(s))
		}
		if !playground {
			require.Equal(t, len(want), len(got.events))
			for i, s := range got.texts() {
				require.Equal(t, want[i], s)
			}
			return
		}
		said := []string{} // those that act are left out
		for _, s := range want {
			first, rest := cutWord(s)
			if s[0] == '/' && first == "/quit" && rest == "" {
				break
			}
			if s[0] != '/' || slashes(first) == nil {
				said = append(said, s)
			}
		}
		heard := []string{}
		for _, ev := range got.events {
			if ev.Kind == adapter.KindMessage {
				heard = append(heard, ev.Text)
			}
		}
		require.Equal(t, said, heard)
	})
}
