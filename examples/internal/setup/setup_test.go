package setup

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/terminal"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
)

// TestMain is a process that has a file, where a test runs it as one.
func TestMain(m *testing.M) {
	file := os.Getenv("SETUP_TEST_HOLD")
	if file == "" {
		os.Exit(m.Run())
	}
	store, err := bolt.Open(bolt.Config{Path: file})
	if err != nil {
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString("ready\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = store.Close()
}

// Who wants a file that a process has is told which, and the rest of a bot can be tested meanwhile.
func TestABrainInUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bot.db")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SETUP_TEST_HOLD="+file)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	_, err = out.Read(make([]byte, 16))
	require.NoError(t, err)

	var said bytes.Buffer
	_, err = Open("opsbot", file, &said)
	var inUse *InUse
	require.ErrorAs(t, err, &inUse)
	require.ErrorIs(t, err, bolt.ErrInUse)
	require.Equal(t, file, inUse.Path)
	require.Empty(t, said.String(), "it is not this bot's memory")
	if runtime.GOOS == "linux" {
		own := filepath.Join(t.TempDir(), "own.db")
		store, err := bolt.Open(bolt.Config{Path: own})
		require.NoError(t, err)
		require.Equal(t, "process "+strconv.Itoa(os.Getpid())+" (setup.test)", holder(own))
		require.NoError(t, store.Close())
		require.Empty(t, holder(own), "nobody has it")
		require.Empty(t, holder(own+".none"))
		require.Regexp(t, `^process `+strconv.Itoa(cmd.Process.Pid)+` \(setup\.test\)$`, inUse.Holder)
	}
	require.Equal(t, "opsbot: "+inUse.Holder+" has my memory, "+file+": one process holds it at a time. Stop that one, or give this bot a memory of its own with -brain FILE, or none with -brain memory", err.Error())

	check := func(adapters ...adapter.Adapter) (string, error) {
		bot, err := starling.New(starling.Config{Router: handler.NewRouter(), Brain: brain.New(memory.New()), Adapters: adapters})
		require.NoError(t, err)
		var out bytes.Buffer
		err = Check(t.Context(), &out, bot, inUse)
		return out.String(), err
	}
	held := "held brain: " + inUse.Holder + " has " + file + ". If that is the bot, it runs and its memory works; this is a test of the rest. Else stop it: no bot can start with that memory before\n"
	got, err := check(terminal.New(terminal.Config{}))
	require.NoError(t, err)
	require.Equal(t, held+"ok   terminal\n", got)
	got, err = check(terminal.New(terminal.Config{}), sick{terminal.New(terminal.Config{Name: "sick"})})
	require.EqualError(t, err, "opsbot: 1 of the tests failed")
	require.Equal(t, held+"ok   terminal\nFAIL sick: the clock is wrong\n", got)

	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
	store, err := Open("opsbot", file, &said)
	require.NoError(t, err)
	require.NoError(t, store.Close())
	require.Equal(t, "opsbot: my memory is in "+file+" (-brain memory keeps nothing)\n", said.String())
}

// sick is an adapter whose settings are wrong.
type sick struct{ *terminal.Adapter }

func (sick) Check(context.Context) error { return errors.New("the clock is wrong") }

// -h names every variable that the example bots read, and shows the value of none.
func TestUsageNamesTheEnvironment(t *testing.T) {
	read := map[string]bool{}
	for _, dir := range []string{"../..", "../../../internal/platforms", "../../../adapter/terminal"} {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, m := range regexp.MustCompile(`(?:Getenv|LookupEnv)\("(\w+)"\)|\w+Var += "(OPSBOT\w+)"`).FindAllStringSubmatch(string(source), -1) {
				read[m[1]+m[2]] = true
			}
			return err
		})
		require.NoError(t, err)
	}
	require.Greater(t, len(read), 20)
	own := []Variable{{"OPSBOT_AUDIT_KEY", "x"}, {"OPSBOT_FACTOR_KEYS", "y"}}
	for name := range read {
		t.Setenv(name, "cnrymark-value-of-"+name)
	}
	var out bytes.Buffer
	fs := flag.NewFlagSet("opsbot", flag.ContinueOnError)
	fs.SetOutput(&out)
	fs.String("name", "starling", "what the bot is called")
	Usage(fs, true, own...)
	require.ErrorIs(t, fs.Parse([]string{"-h"}), flag.ErrHelp)
	require.Contains(t, out.String(), "what the bot is called")
	require.NotContains(t, out.String(), "cnrymark")
	var named []string
	for _, m := range regexp.MustCompile(`(?m)^  ([A-Z_]+)\n    \t\S.*$`).FindAllStringSubmatch(out.String(), -1) {
		named = append(named, m[1])
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(read)), named)

	out.Reset()
	fs = flag.NewFlagSet("hello", flag.ContinueOnError)
	fs.SetOutput(&out)
	Usage(fs, false)
	require.ErrorIs(t, fs.Parse([]string{"-h"}), flag.ErrHelp)
	require.Contains(t, out.String(), "NO_COLOR")
	require.NotContains(t, out.String(), "SLACK")
}
