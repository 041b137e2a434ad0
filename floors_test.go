package starling_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/starlingbot/starling"

// TestFloors keeps the floors of the house: the core needs nothing beyond the standard library and golang.org/x, and no
// room imports one above it.
func TestFloors(t *testing.T) {
	floors := []struct {
		pkg string
		may []string // rooms of this module; itself and internal are always allowed
	}{
		{"adapter", nil},
		{"brain", nil},
		{"brain/memory", []string{"brain"}},
		{"handler", []string{"adapter", "brain"}},
		{"handler/jobs", []string{"adapter", "brain", "handler"}},
		{"handler/audit", []string{"adapter", "brain", "handler"}},
		{"handler/roles", []string{"adapter", "brain", "handler"}},
		{"handler/identity", []string{"adapter", "brain", "handler"}},
		{"handler/admin", []string{"adapter", "brain", "handler"}},
		{"brain/sealed", []string{"brain"}},
		{"handler/history", []string{"adapter", "brain", "handler"}},
		{"middleware/guard", []string{"adapter", "brain", "handler", "handler/audit", "handler/roles"}},
		{"middleware", []string{"adapter", "brain", "handler"}},
		{"", []string{"adapter", "brain", "brain/memory", "handler", "middleware"}},
	}
	for _, f := range floors {
		t.Run("./"+f.pkg, func(t *testing.T) {
			self := strings.TrimSuffix(module+"/"+f.pkg, "/")
			allowed := map[string]bool{self: true}
			for _, p := range f.may {
				allowed[module+"/"+p] = true
			}
			for _, dep := range deps(t, self) {
				first, _, _ := strings.Cut(dep, "/")
				switch {
				case !strings.Contains(first, "."): // standard library
				case strings.HasPrefix(dep, "golang.org/x/"):
				case strings.HasPrefix(dep, module+"/internal/"):
				case allowed[dep]:
				default:
					t.Errorf("%s depends on %s, which its floor does not allow", self, dep)
				}
			}
		})
	}
}

// readmeBot is the program that README shows: what is shown must work.
func readmeBot(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, after, ok := strings.Cut(string(readme), "```go\npackage main\n")
	require.True(t, ok, "README shows no program")
	program, _, _ := strings.Cut(after, "```")
	return "package main\n" + program
}

func deps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", pkg).CombinedOutput()
	require.NoError(t, err, string(out))
	list := strings.Fields(string(out))
	require.Contains(t, list, pkg)
	return list
}

// TestConsumerGoSum builds a bot in a module of its own, as README says, and keeps what that costs its author small.
func TestConsumerGoSum(t *testing.T) {
	cases := []struct {
		name, program string
		in, out       string
		most          int // lines of go.sum
	}{
		{"the bot of README", readmeBot(t), "ping\n", "starling> PONG\n", 25},
		{"Slack and bolt", `package main

import (
	"fmt"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/handler"
)

func main() {
	store, err := bolt.Open(bolt.Config{Path: "bot.db"})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	state := brain.New(store)
	chat, err := slack.New(slack.Config{BotToken: "xoxb-1", AppToken: "xapp-1", Positions: state.Namespace("slack").Strings()})
	if err != nil {
		panic(err)
	}
	rt := handler.NewRouter()
	rt.Command("ping", "Say PONG.", nil)
	_, err = starling.New(starling.Config{Adapters: []adapter.Adapter{chat}, Router: rt, Brain: state})
	fmt.Println(err != nil)
}
`, "", "true\n", 25},
	}
	root, err := os.Getwd()
	require.NoError(t, err)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
			}
			write("main.go", c.program)
			run := func(stdin string, args ...string) string {
				cmd := exec.Command(args[0], args[1:]...)
				cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
				cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
				out, err := cmd.Output()
				require.NoError(t, err, "%v: %s", args, out)
				return string(out)
			}
			run("", "go", "mod", "init", "example.com/bot")
			run("", "go", "mod", "edit", "-require", module+"@v0.0.0", "-replace", module+"="+root)
			run("", "go", "mod", "tidy")
			require.Equal(t, c.out, run(c.in, "go", "run", "."))
			sum, err := os.ReadFile(filepath.Join(dir, "go.sum"))
			require.NoError(t, err)
			lines := strings.Count(string(sum), "\n")
			t.Logf("go.sum of a bot of %s: %d lines", c.name, lines)
			require.LessOrEqual(t, lines, c.most, string(sum))
		})
	}
}
