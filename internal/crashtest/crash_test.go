package crashtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/terminal"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/canary"
)

// childDir is the variable that makes the test binary a bot: its folder.
const childDir = "STARLING_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child is a bot on bolt and the terminal whose program marks that it was started and then takes for ever.
func child(dir string) error {
	store, err := bolt.Open(bolt.Config{Path: filepath.Join(dir, "bot.db")})
	if err != nil {
		return err
	}
	defer store.Close()
	rt := handler.NewRouter()
	program := func(ctx context.Context, r *handler.Request) error {
		f, err := os.OpenFile(filepath.Join(dir, "started"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(f, r.Event.Text)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		if err := r.Reply(ctx, "started"); err != nil {
			return err
		}
		time.Sleep(time.Hour) // deaf to its context
		return nil
	}
	rt.Command("deploy", "Deploy.", program).OnCrash = handler.OnCrashReport
	rt.Command("migrate", "Migrate.", program).Background = true // reports by default
	rt.Command("ping", "Say PONG.", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "PONG") })
	bot, err := starling.New(starling.Config{
		Adapters: []adapter.Adapter{terminal.New(terminal.Config{Playground: true})}, Router: rt, Brain: brain.New(store),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	return bot.RunUntilSignal(context.Background())
}

// bot is a child process.
type botProcess struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	err *output
}

func startChild(t *testing.T, dir string) *botProcess {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	p := &botProcess{t: t, cmd: exec.Command(self), err: &output{}}
	p.cmd.Env = append(os.Environ(), childDir+"="+dir)
	p.cmd.Stderr = canary.Also(canary.Programs, p.err)
	p.in, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.out = bufio.NewReader(io.TeeReader(out, canary.Writer(canary.Programs)))
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	return p
}

func (p *botProcess) say(line string) {
	p.t.Helper()
	_, err := io.WriteString(p.in, line+"\n")
	require.NoError(p.t, err)
}

// until reads lines up to the one that holds text, and gives them all.
func (p *botProcess) until(text string) string {
	p.t.Helper()
	var all strings.Builder
	for {
		line, err := p.out.ReadString('\n')
		all.WriteString(line)
		require.NoError(p.t, err, "waiting for %q, read %q, stderr %q", text, all.String(), p.err)
		if strings.Contains(line, text) {
			return all.String()
		}
	}
}

// SIGKILL in the middle of a command that reports: its program was started once; asker and room are told, with the line to
// repeat.
func TestOnCrashReport(t *testing.T) {
	for _, command := range []string{"deploy", "migrate"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first := startChild(t, dir)
			first.say("/room ops")
			first.say("starling " + command)
			first.until("#ops starling> started")
			require.NoError(t, first.cmd.Process.Signal(syscall.SIGKILL))
			_ = first.cmd.Wait()

			second := startChild(t, dir)
			told := second.until("#ops starling> @you: interrupted, outcome unknown.")
			told += second.until("starling " + command) // the line to repeat
			rest := second.until("starling> @you: interrupted, outcome unknown.")
			told += rest + second.until("starling "+command)
			require.Contains(t, told, "#ops starling> @you: interrupted")
			require.Regexp(t, `(?m)^starling> @you: interrupted`, told, "the asker is told too")
			second.say("starling ping")
			second.until("PONG")
			started, err := os.ReadFile(filepath.Join(dir, "started"))
			require.NoError(t, err)
			require.Equal(t, "starling "+command+"\n", string(started))
		})
	}
}

// A second signal forces the exit and names what is unfinished.
func TestSecondSignalForcesTheExit(t *testing.T) {
	dir := t.TempDir()
	p := startChild(t, dir)
	p.say("starling deploy")
	p.until("started")
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool { return strings.Contains(p.err.String(), "a signal ends it at once") }, 5*time.Second, 5*time.Millisecond)
	begun := time.Now()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.Error(t, p.cmd.Wait())
	require.Less(t, time.Since(begun), 2*time.Second)
	require.Contains(t, p.err.String(), "unfinished when the bot stopped")
	require.Contains(t, p.err.String(), "deploy")
	require.Contains(t, p.err.String(), "a second signal forced the exit")
}

// output is what a process wrote so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
