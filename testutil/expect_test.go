package testutil_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/testutil"
)

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (r *recorder) Helper()           {}
func (r *recorder) Output() io.Writer { return io.Discard }
func (r *recorder) Cleanup(f func())  { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Logf(string, ...any) {
}
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r)
}
func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }

// failures runs f as a test and gives how it failed.
func failures(t *testing.T, f func(t testing.TB)) string {
	r := &recorder{TB: t}
	protect := func(f func()) {
		defer func() {
			if v := recover(); v != nil && v != r {
				panic(v)
			}
		}()
		f()
	}
	protect(func() { f(r) })
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		protect(r.cleanups[i])
	}
	return strings.Join(r.failures, "\n")
}

// What an assertion is for is that it fails.
func TestAssertionsFail(t *testing.T) {
	cases := []struct {
		name string
		test func(b *testutil.Bot)
		want []string
	}{
		{"another text", func(b *testutil.Bot) {
			b.User("alice").Say("#ops", "starling ping")
			b.Expect("#ops", "PING")
		}, []string{`want "PING"`, `got "PONG"`, "what was said, in order, with the number of each message in its room:\n   1  alice #ops> starling ping\n   2  #ops starling> PONG"}},
		{"no match", func(b *testutil.Bot) {
			b.User("alice").Say("#ops", "starling ping")
			b.ExpectMatch("#ops", "^I")
		}, []string{`want a match of "^I"`, `got "PONG"`}},
		{"nothing comes", func(b *testutil.Bot) {
			b.User("alice").Say("#ops", "ping")
			b.Expect("#ops", "PONG")
		}, []string{"#ops: no post of the bot within 5s", "alice #ops> ping"}},
		{"another room", func(b *testutil.Bot) {
			b.User("alice").Say("#dev", "starling ping")
			b.Expect("#ops", "PONG")
		}, []string{"#ops: no post", "#dev starling> PONG"}},
		{"outside the thread", func(b *testutil.Bot) {
			said := b.User("alice").Say("#ops", "starling ping")
			b.Expect(said.Thread(), "PONG")
		}, []string{"#ops/1: no post"}},
		{"seen once", func(b *testutil.Bot) {
			b.User("alice").Say("#ops", "starling ping")
			b.Expect("#ops", "PONG")
			b.Expect("#ops", "PONG")
		}, []string{"no post"}},
		{"wrong order", func(b *testutil.Bot) {
			b.User("alice").Say("#ops", "starling echo 1")
			b.User("alice").Say("#ops", "starling echo 2")
			b.Expect("#ops", "2")
		}, []string{`got "1"`}},
		{"not for all", func(b *testutil.Bot) {
			b.User("alice").Say("#ops", "starling whisper")
			b.Expect("#ops", "alice only")
		}, []string{"want a post for everybody\n got one for alice alone"}},
		{"for all", func(b *testutil.Bot) {
			b.User("alice").Say("#ops", "starling ping")
			b.ExpectWhisper("#ops", "alice", "PONG")
		}, []string{"want a post for alice alone\n got one for everybody"}},
		{"no silence", func(b *testutil.Bot) {
			b.User("alice").Say("#ops", "starling ping")
			b.User("alice").Say("#dev", "starling ping")
			b.Expect("#dev", "PONG")
			b.ExpectSilence("#dev")
			b.ExpectSilence("#ops")
		}, []string{"want silence\n got #ops starling> PONG\n"}},
		{"no silence in a thread", func(b *testutil.Bot) {
			b.User("alice").Say("#ops", "starling thread")
			b.ExpectSilence("#ops")
		}, []string{"got #ops/1 starling> here"}},
		{"no such button", func(b *testutil.Bot) {
			b.User("alice").Say("#ops", "starling ask")
			b.User("alice").Press(b.Expect("#ops", "Deploy?"), "Maybe")
		}, []string{`presses "Maybe": message 2 has no such button`, "[Yes] [No]"}},
		{"no such place", func(b *testutil.Bot) { b.User("alice").Say("ops", "hi") }, []string{`"ops" is no room: write #ops`}},
		{"no such thread", func(b *testutil.Bot) { b.Expect("#ops/7", "hi") }, []string{"there is no message 7 in #ops, which has 0"}},
		{"not idle", func(b *testutil.Bot) {
			b.User("alice").Say("#ops", "starling hang")
			b.Patience = time.Second
			b.Idle()
		}, []string{"the bot is not idle after 1s: 1 stored events are not handled to the end"}},
		{"runs twice", func(b *testutil.Bot) { b.Start() }, []string{"runs already"}},
		{"stopped twice", func(b *testutil.Bot) { b.Stop(); b.Stop() }, []string{"no bot runs"}},
		{"an adapter that fails", func(b *testutil.Bot) {
			b.Stop()
			b.Start(func(c *starling.Config) { c.Adapters = append(c.Adapters, broken{}) })
			b.Idle()
			b.Stop()
		}, []string{"the bot stopped with an error: adapter broken: the token is revoked"}},
		{"a bot that cannot be made", func(b *testutil.Bot) {
			b.Stop()
			b.Start(func(c *starling.Config) { c.Router = nil })
		}, []string{"starling.New: starling: Config.Router is nil"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // Patience takes no time
				got := failures(t, func(t testing.TB) {
					cfg := durable()
					cfg.Router.Command("hang", "", func(ctx context.Context, _ *handler.Request) error { <-ctx.Done(); return ctx.Err() })
					c.test(testutil.Start(t, cfg))
				})
				for _, want := range c.want {
					require.Contains(t, got, want)
				}
			})
		})
	}
}

// broken is an adapter that cannot connect.
type broken struct{}

func (broken) Name() string               { return "broken" }
func (broken) Features() adapter.Features { return adapter.Features{} }
func (broken) Run(context.Context, adapter.Sink) error {
	return fmt.Errorf("the token is revoked: %w", adapter.ErrAuth)
}
func (broken) Send(context.Context, *adapter.Message) (adapter.Ref, error) {
	return adapter.Ref{}, adapter.ErrAuth
}

func TestTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := durable()
		cfg.Adapters = []adapter.Adapter{testutil.NewChat(testutil.ChatConfig{ID: "transcript"})}
		b := testutil.Start(t, cfg)
		time.AfterFunc(10*time.Minute, func() {
			_, err := b.Bot().Send(context.Background(), &adapter.Message{To: adapter.Address{Adapter: "chat", Room: b.Room("#ops").ID}, Text: "ten minutes"})
			require.NoError(t, err)
		})
		b.Play("testdata/everything.txt")
		b.ExpectSilence()
	})
}

// Without a bubble, and from nothing.
func TestTranscriptOfItsOwnBot(t *testing.T) {
	testutil.Transcript(t, durable(), "testdata/small.txt")
}

func write(t *testing.T, lines ...string) string {
	path := filepath.Join(t.TempDir(), "case.txt")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return path
}

func TestTranscriptMismatch(t *testing.T) {
	t.Setenv("STARLING_UPDATE", "")
	path := write(t, "# Alice plays.", "alice #ops> starling ping", "#ops starling> PING", "", "# Bob is silent.", "bob #ops> hi", "bob #ops> ho", "bob> ping")
	got := failures(t, func(t testing.TB) { testutil.Transcript(t, durable(), path) })
	require.Contains(t, got, path+" is not what happened")
	require.Contains(t, got, strings.Join([]string{
		"  # Alice plays.", "  alice #ops> starling ping", "- #ops starling> PING", "+ #ops starling> PONG", "  ", "  # Bob is silent.",
		"  ...", "  bob #ops> ho", "  bob> ping", "+ @bob starling> PONG",
	}, "\n"))
}

func TestTranscriptUpdate(t *testing.T) {
	t.Setenv("STARLING_UPDATE", "1")
	path := write(t, "alice #ops> starling echo a", "", "  b", "#ops starling> wrong", "  and", "", "  long", "", "# Bob.", "bob> ping")
	require.Empty(t, failures(t, func(t testing.TB) { testutil.Transcript(t, durable(), path) }))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "alice #ops> starling echo a\n\n  b\n#ops starling> a\n\n  b\n\n# Bob.\nbob> ping\n@bob starling> PONG\n", string(text))
	t.Setenv("STARLING_UPDATE", "")
	testutil.Transcript(t, durable(), path)
}

func TestTranscriptMistakes(t *testing.T) {
	for line, want := range map[string]string{
		"  indented":                        "1: an indented line goes on with the line above",
		"alice says hello":                  "that is no line of a transcript",
		"-- sleep --":                       "there is -- restart --",
		"-- 5m pass --":                     "only inside testing/synctest",
		"alice #ops reacts 👍 to 3":          "there is no message 3 in #ops",
		"alice #ops reacts 👍":               "there is no such message in #ops",
		"alice #ops reacts with joy":        "write: alice #room reacts 👍 to 2",
		`alice #ops presses "Yes"`:          "there is no such message",
		`alice #ops presses Yes`:            "write: alice #room presses",
		"alice #ops edits the first":        "write: alice #room edits 1",
		"alice #ops invokes deploy":         "write: alice #room invokes /command",
		"alice #ops sets fire to the topic": "write: alice #room sets the topic",
		"alice #ops/9> hi":                  "there is no message 9",
	} {
		t.Run(line, func(t *testing.T) {
			path := write(t, line)
			require.Contains(t, failures(t, func(t testing.TB) { testutil.Transcript(t, durable(), path) }), want)
		})
	}
}
