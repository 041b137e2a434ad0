package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
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
		"help":         {"help karma\nhelp (\n", "starling> karma:\n  karma NAME - Show the karma of NAME. NAME++ and NAME-- change it.\nstarling> There is nothing about (. Type help for all I can do.\n"},
		"room":         {"/room ops\nping\nstarling ping\n!ping\n", "#ops starling> PONG\n#ops starling> PONG\n"},
		"unaddressed":  {"/room ops\nalice++\nstarling: karma alice\n", "#ops starling> alice has 1.\n"},
		"a bare alias": {"!\nping\n", "starling> PONG\n"},
		"hostile":      {"\x00\xff\u202e\u200b\n" + strings.Repeat("y", 1<<20) + "\nping\n", "starling> I don't know that. Type help for what I can do.\nstarling> I don't know that. Type help for what I can do.\nstarling> PONG\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _ := talk(t, bin, c.in)
			require.Equal(t, c.out, out)
		})
	}
}

func TestNameAndAliases(t *testing.T) {
	bin := build(t)
	out, _ := talk(t, bin, "/room ops\nstarling ping\nRobin: ping\n?ping\nyo ping\n", "-name", "robin", "-alias", "?", "-alias", "yo")
	require.Equal(t, strings.Repeat("#ops robin> PONG\n", 3), out)
}

func TestNoInputSaysWhatToDo(t *testing.T) {
	out, errs := talk(t, build(t), "")
	require.Empty(t, out)
	require.Contains(t, errs, "no input")
}
