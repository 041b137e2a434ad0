package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// build makes the program as README runs it.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "hello")
	out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return bin
}

func talk(t *testing.T, bin, stdin string, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(bin, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(t, cmd.Run(), errs.String())
	return out.String(), errs.String()
}

// TestConversation is the main job, in a pipe.
func TestConversation(t *testing.T) {
	bin := build(t)
	cases := map[string]struct{ in, out string }{
		"issue":        {"ping\nalice++\nkarma alice\n", "starling> PONG\nstarling> alice has 1.\n"},
		"karma":        {"alice++ bob++\nalice++\nbob--\nkarma alice\nkarma @bob\nkarma nobody\n", "starling> alice has 2.\nstarling> bob has 0.\nstarling> nobody has 0.\n"},
		"memory":       {"remember Moon is 384 Mm\nwhat is moon?\nwhat is mars\n", "starling> I'll remember Moon.\nstarling> moon is 384 Mm\nstarling> I don't know what mars is. Tell me: remember mars is ...\n"},
		"echo":         {"echo a  *b* `c` <@U1> <!channel> @here %d \\_ é 🐦\n", "starling> a  *b* `c` <@U1> <!channel> @here %d \\_ é 🐦\n"},
		"hear":         {"the Badger is here\n", "starling> Badgers? We don't need no stinking badgers.\n"},
		"unknown":      {"open the pod bay doors\n", "starling> I don't know that. Type help for what I can do.\n"},
		"help":         {"help karma\nhelp (\n", "starling> karma NAME - Show the karma of NAME. NAME++ and NAME-- change it.\nstarling> There is nothing about (. Type help for all I can do.\n"},
		"room":         {"/room ops\nping\nstarling ping\n!ping\n", "#ops starling> PONG\n#ops starling> PONG\n"},
		"unaddressed":  {"/room ops\nalice++\nstarling: karma alice\n", "#ops starling> alice has 1.\n"},
		"a bare alias": {"!\nping\n", "starling> PONG\n"},
		"hostile":      {"\x00\xff\u202e\u200b\n" + strings.Repeat("y", 1<<20) + "\nping\n", "starling> I don't know that. Type help for what I can do.\nstarling> I don't know that. Type help for what I can do.\nstarling> PONG\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _ := talk(t, bin, c.in, "-brain", "memory")
			require.Equal(t, c.out, out)
		})
	}
}

func TestNameAndAliases(t *testing.T) {
	bin := build(t)
	out, _ := talk(t, bin, "/room ops\nstarling ping\nRobin: ping\n?ping\nyo ping\n", "-name", "robin", "-alias", "?", "-alias", "yo", "-brain", "memory")
	require.Equal(t, strings.Repeat("#ops robin> PONG\n", 3), out)
}

func TestNoInputSaysWhatToDo(t *testing.T) {
	out, errs := talk(t, build(t), "", "-brain", "memory")
	require.Empty(t, out)
	require.Contains(t, errs, "no input")
}

// TestStateIsKept: what the bot knows survives a restart, its place is named, and a second bot on it says what to do.
func TestStateIsKept(t *testing.T) {
	bin := build(t)
	file := filepath.Join(t.TempDir(), "deep", "hello.db")
	_, errs := talk(t, bin, "alice++\nremember moon is 384\n", "-brain", file)
	require.Contains(t, errs, file)
	out, _ := talk(t, bin, "karma alice\nwhat is moon\n", "-brain", file)
	require.Equal(t, "starling> alice has 1.\nstarling> moon is 384\n", out)

	first := begin(t, bin, file)
	first.ask("ping", "PONG")
	cmd := exec.Command(bin, "-brain", file)
	second, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(second), "has my memory, "+file)
	require.Contains(t, string(second), "Stop that one, or give this bot a memory of its own with -brain FILE")
	if runtime.GOOS == "linux" {
		require.Contains(t, string(second), fmt.Sprintf("hello: process %d (hello) has my memory", first.cmd.Process.Pid))
	}
}

func TestDefaultPlaceOfState(t *testing.T) {
	bin := build(t)
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	_, errs := talk(t, bin, "alice++\n")
	require.Contains(t, errs, filepath.Join(os.Getenv("XDG_STATE_HOME"), "starling", "hello.db"))
}

// TestKarmaSurvivesSIGKILL kills the bot a hundred times, each time after it has shown a change.
func TestKarmaSurvivesSIGKILL(t *testing.T) {
	bin := build(t)
	file := filepath.Join(t.TempDir(), "hello.db")
	const kills = 100
	for i := 1; i <= kills; i++ {
		bot := begin(t, bin, file)
		bot.say("alice++")
		bot.ask("karma alice", fmt.Sprintf("alice has %d.", i))
		bot.kill()
	}
	out, _ := talk(t, bin, "karma alice\n", "-brain", file)
	require.Contains(t, out, fmt.Sprintf("alice has %d.", kills))
	t.Logf("%d SIGKILLs, karma %d", kills, kills)
}

// process is a bot that runs.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func begin(t *testing.T, bin, file string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(bin, "-brain", file)}
	var err error
	p.in, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.out = bufio.NewReader(out)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(p.kill)
	return p
}

func (p *process) say(line string) {
	p.t.Helper()
	_, err := io.WriteString(p.in, line+"\n")
	require.NoError(p.t, err)
}

// ask says line and reads until the answer; an answer of the process before may be repeated first.
func (p *process) ask(line, answer string) {
	p.t.Helper()
	p.say(line)
	for {
		got, err := p.out.ReadString('\n')
		require.NoError(p.t, err, "waiting for %q", answer)
		if got == "starling> "+answer+"\n" {
			return
		}
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}
