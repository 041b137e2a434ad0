//go:build unix

package handler_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/canary"
)

const helperVar = "STARLING_EXEC_HELPER"

// TestExecHelper is no test but the program that the others run: this binary with the variable set.
func TestExecHelper(t *testing.T) {
	mode := os.Getenv(helperVar)
	if mode == "" {
		t.Skip("only run as a child of the other tests")
	}
	args := os.Args[slices.Index(os.Args, "--")+1:]
	switch mode {
	case "argv":
		for _, a := range args {
			fmt.Println(hex.EncodeToString([]byte(a)))
		}
	case "env":
		for _, e := range os.Environ() {
			fmt.Println(e)
		}
		dir, _ := os.Getwd()
		fmt.Println("dir", dir)
	case "exit":
		fmt.Fprintln(os.Stderr, "failing with canary", os.Getenv("CANARY"))
		n, _ := strconv.Atoi(args[0])
		os.Exit(n)
	case "cat":
		_, _ = io.Copy(os.Stdout, os.Stdin)
	case "lines":
		fmt.Print("one\ntwo\r\n\n", strings.Repeat("x", 20000), "\nlast")
		fmt.Fprintln(os.Stderr, "to stderr")
	case "flood":
		n, _ := strconv.Atoi(args[0])
		chunk := bytes.Repeat([]byte("0123456789abcde\n"), 4096)
		for ; n > 0; n -= len(chunk) {
			if _, err := os.Stdout.Write(chunk); err != nil {
				os.Exit(1)
			}
		}
	case "sleep":
		if args[0] == "stubborn" {
			signal.Ignore(syscall.SIGTERM)
		}
		fmt.Println("pid", os.Getpid())
		_ = os.NewFile(3, "ready").Close() // of a parent
		time.Sleep(time.Minute)
	case "parent": // starts children as args say, then sleeps, or exits with "exit"
		if args[0] == "stubborn" {
			signal.Ignore(syscall.SIGTERM)
		}
		ready, told, err := os.Pipe()
		if err != nil {
			os.Exit(2)
		}
		for _, kind := range args[2:] {
			cmd := exec.Command(os.Args[0], "-test.run=^TestExecHelper$", "--", kind)
			cmd.Env = append(os.Environ(), helperVar+"=sleep")
			cmd.Stdout, cmd.ExtraFiles = os.Stdout, []*os.File{told}
			if kind == "escaped" {
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			}
			if err := cmd.Start(); err != nil {
				fmt.Println(err)
				os.Exit(2)
			}
		}
		_ = told.Close()
		_, _ = io.Copy(io.Discard, ready) // until all children have said who they are
		fmt.Println("pid", os.Getpid())
		if args[1] == "sleep" {
			time.Sleep(time.Minute)
		}
	}
	os.Exit(0)
}

// helper is the program in a mode, with the arguments behind what makes the test binary run it.
func helper(mode string, args ...handler.Arg) handler.Program {
	return handler.Program{
		Path: os.Args[0], Args: append([]handler.Arg{handler.Flag("-test.run=^TestExecHelper$"), handler.Flag("--")}, args...),
		Env: map[string]string{helperVar: mode, "GORACE": "atexit_sleep_ms=0"}, // or every child sleeps a second at its end under -race
	}
}

func alive(pid int) bool {
	if runtime.GOOS == "linux" { // a zombie that nobody waits for is dead
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return false
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		return !strings.HasPrefix(rest, "Z")
	}
	return syscall.Kill(pid, 0) == nil
}

// T12: each value arrives as one argument, byte by byte; those that begin with "-" are refused, and those with NUL.
func TestT12ExecArguments(t *testing.T) {
	const inputs, batch = 100_000, 1000
	r := rand.New(rand.NewPCG(1, 2))
	odd := []string{"-", "--", "-rf", "$(id)", "`id`", "; rm -rf /", "|cat", "&", "\n", "'", "\"", "\\", "*", "~", "%s", "\x1b[31m", "\xff\xfe", "é", "日", " ", "\t", "#", "!", "{a,b}", "\x00", "="}
	var sent []string
	args := []handler.Arg{}
	refused, dashed, nul := 0, 0, 0
	flush := func() {
		p := helper("argv", args...)
		p.MaxOutput = 8 << 20
		res, err := handler.Exec(t.Context(), nil, p)
		require.NoError(t, err)
		require.Zero(t, res.Stdout.Omitted)
		lines := strings.Split(strings.TrimSuffix(res.Stdout.String(), "\n"), "\n")
		require.Len(t, lines, len(sent))
		for i, line := range lines {
			require.Equal(t, hex.EncodeToString([]byte(sent[i])), line)
		}
		sent, args = sent[:0], args[:0]
	}
	total := 0
	for total < inputs {
		var b strings.Builder
		for range r.IntN(8) {
			if r.IntN(2) == 0 {
				b.WriteString(odd[r.IntN(len(odd))])
			} else {
				b.WriteByte(byte(r.UintN(256)))
			}
		}
		text := b.String()
		arg := handler.Value(text)
		if strings.HasPrefix(text, "-") || strings.Contains(text, "\x00") {
			_, err := handler.Exec(t.Context(), nil, helper("argv", arg))
			require.Error(t, err, "%q", text)
			require.Contains(t, err.Error(), "argument 3: ")
			refused++
			if strings.Contains(text, "\x00") {
				nul++
				continue
			}
			dashed++
			if refused%2 == 0 {
				arg = handler.DashValue(text)
			} else {
				arg = handler.Option("--message", text)
				text = "--message=" + text
			}
		}
		sent, args = append(sent, text), append(args, arg)
		total++
		if len(sent) == batch {
			flush()
		}
	}
	require.Empty(t, sent)
	require.Greater(t, dashed, 1000)
	require.Greater(t, nul, 1000)
	t.Logf("T12: %d arguments arrived as they were given, %d of them by DashValue or Option; as a Value %d were refused for a dash and %d for NUL", total, dashed, dashed, nul)
}

type stringer struct{}

func (stringer) String() string { return "x" }

func TestExecValues(t *testing.T) {
	path, when := handler.Path{}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	type name string
	p := helper("argv", handler.Value("a b"), handler.Value(name("n")), handler.Value(7), handler.Value(uint8(8)), handler.Value(1.5), handler.Value(true),
		handler.Value(90*time.Minute), handler.Value(when), handler.Value(path), handler.DashValue(-3), handler.Option("-o", "-x"), handler.Flag("--force"))
	res, err := handler.Exec(t.Context(), nil, p)
	require.NoError(t, err)
	var got []string
	for line := range strings.Lines(res.Stdout.String()) {
		b, err := hex.DecodeString(strings.TrimSpace(line))
		require.NoError(t, err)
		got = append(got, string(b))
	}
	require.Equal(t, []string{"a b", "n", "7", "8", "1.5", "true", "1h30m0s", "2026-01-02T03:04:05Z", "", "-3", "-o=-x", "--force"}, got)

	secret := handler.NewSecret("cnrymark-77aa")
	var none *time.Time
	for want, arg := range map[string]handler.Arg{
		"argument 3: it is a secret":                         handler.Value(secret),
		"argument 3: it is a secret, and":                    handler.DashValue(&secret),
		"argument 3: it is a secret, and arguments":          handler.Option("--token", secret),
		`argument 3: "-rf" begins with "-"`:                  handler.Value("-rf"),
		`argument 3: "-3" begins with "-"`:                   handler.Value(-3),
		"argument 3: it contains NUL":                        handler.Option("--x", "a\x00b"),
		"argument 3: it contains NUL, which no":              handler.Flag("a\x00b"),
		"argument 3: a adapter.User has no one text":         handler.Value(adapter.User{ID: "U1", Name: "alice"}),
		"argument 3: a handler_test.stringer has no one":     handler.Value(stringer{}),
		"argument 3: a []string has no one text":             handler.Value([]string{"a"}),
		"argument 3: a <nil> has no one text":                handler.Value(nil),
		"argument 3: it is a nil *time.Time":                 handler.Value(none),
		"argument 3: a []handler.Secret has no one text":     handler.Value([]handler.Secret{secret}),
		"argument 3: a struct { S handler.Secret } has no o": handler.Value(struct{ S handler.Secret }{secret}),
	} {
		_, err := handler.Exec(t.Context(), nil, helper("argv", arg))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "cnrymark")
	}
}

// Text from people as a Flag does not compile.
func TestFlagTakesConstantsAlone(t *testing.T) {
	here, err := os.Getwd()
	require.NoError(t, err)
	file, overlay := filepath.Join(t.TempDir(), "main.go"), filepath.Join(t.TempDir(), "overlay.json")
	// A program in a folder of this module that is only there for the compiler.
	require.NoError(t, os.WriteFile(overlay, fmt.Appendf(nil, `{"Replace": {%q: %q}}`, filepath.Join(here, "testdata", "flag", "main.go"), file), 0o600))
	build := func(line string) string {
		program := "package main\n\nimport \"github.com/starlingbot/starling/handler\"\n\nfunc main() {\n\ttext := \"-rf\"\n\t_ = text\n\t_ = " + line + "\n}\n"
		require.NoError(t, os.WriteFile(file, []byte(program), 0o600))
		out, _ := exec.Command("go", "build", "-overlay", overlay, "-o", os.DevNull, "./testdata/flag").CombinedOutput()
		return string(out)
	}
	require.Empty(t, build(`handler.Flag("-rf")`))
	require.Contains(t, build(`handler.Flag(text)`), "cannot use text (variable of type string)")
	require.Contains(t, build(`handler.Option(text, 1)`), "cannot use text (variable of type string)")
}

// T14: where the program and its folder may be.
func TestT14ExecPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("here", []byte("#!/bin/sh\n"), 0o700))
	require.NoError(t, os.WriteFile("ls", []byte("#!/bin/sh\nexit 9\n"), 0o700))
	for path, want := range map[string]string{
		"": "the Path is empty", "./here": "the Path is relative", "../x/here": "the Path is relative", "bin/ls": "the Path is relative", `bin\ls`: "the Path is relative", "~/ls": "the Path is relative",
		"a\x00b": "the Path contains NUL", "/bin/l\x00s": "the Path contains NUL", "here": "no such program in PATH", "no-such-program-here": "no such program in PATH",
	} {
		_, err := handler.Exec(t.Context(), nil, handler.Program{Path: path})
		require.ErrorContains(t, err, want, "%q", path)
	}
	t.Setenv("PATH", "."+string(os.PathListSeparator)+os.Getenv("PATH"))
	_, err := handler.Exec(t.Context(), nil, handler.Program{Path: "here"})
	require.ErrorContains(t, err, "only in the current folder")
	_, err = handler.Exec(t.Context(), nil, handler.Program{Path: "ls"})
	require.ErrorContains(t, err, "only in the current folder", "what lies there does not come before the real one by stealth")
	_, err = handler.Exec(t.Context(), nil, handler.Program{Path: filepath.Join(t.TempDir(), "none")})
	require.ErrorContains(t, err, "it did not start")
	require.ErrorIs(t, err, os.ErrNotExist)

	ok := helper("argv")
	for want, change := range map[string]func(*handler.Program){
		"is not an absolute path":                     func(p *handler.Program) { p.Dir = "x" },
		"the Dir contains NUL":                        func(p *handler.Program) { p.Dir = "/x\x00" },
		"the MaxOutput is -1":                         func(p *handler.Program) { p.MaxOutput = -1 },
		"the MaxOutput is 67108865":                   func(p *handler.Program) { p.MaxOutput = 64<<20 + 1 },
		"the Grace is negative":                       func(p *handler.Program) { p.Grace = -1 },
		"both Input and SecretInput":                  func(p *handler.Program) { p.Input, p.SecretInput = "x", handler.NewSecret("cnrymark") },
		"to show Progress takes a Request":            func(p *handler.Program) { p.Progress = true },
		`"A=B" is no name of an environment variable`: func(p *handler.Program) { p.Env = map[string]string{"A=B": "cnrymark"} },
		`"" is no name of an environment variable`:    func(p *handler.Program) { p.Env = map[string]string{"": "cnrymark"} },
		"the environment variable A contains NUL": func(p *handler.Program) {
			p.SecretEnv = map[string]handler.Secret{"A": handler.NewSecret("cnrymark\x00")}
		},
		"A is in both Env and SecretEnv": func(p *handler.Program) {
			p.Env, p.SecretEnv = map[string]string{"A": "cnrymark"}, map[string]handler.Secret{"A": handler.NewSecret("cnrymark")}
		},
	} {
		p := ok
		change(&p)
		_, err := handler.Exec(t.Context(), nil, p)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "cnrymark")
	}
}

// A shell or an interpreter gets no text from people as its program.
func TestExecRefusesCode(t *testing.T) {
	v := handler.Value("echo hello")
	for _, c := range []struct {
		path string
		args []handler.Arg
		want bool // refused
	}{
		{"/bin/sh", []handler.Arg{handler.Flag("-c"), v}, true},
		{"/bin/bash", []handler.Arg{handler.Flag("-lc"), v}, true},
		{"/bin/bash", []handler.Arg{handler.Flag("--norc"), handler.Flag("-c"), v}, true},
		{"/usr/bin/python3.12", []handler.Arg{handler.Flag("-c"), v}, true},
		{"/usr/bin/perl", []handler.Arg{handler.Flag("-we"), v}, true},
		{"/bin/sh", []handler.Arg{handler.Flag("-c"), handler.Flag(`echo "$1"`), handler.Flag("sh"), v}, false},
		{"/bin/sh", []handler.Arg{handler.Flag("/no/such/script.sh"), v}, false},
		{"/bin/echo", []handler.Arg{handler.Flag("-c"), v}, false},
		{"env", []handler.Arg{handler.Flag("sh"), handler.Flag("-c"), v}, true},
		{"env", []handler.Arg{handler.Flag("-S"), v}, true},
		{"timeout", []handler.Arg{handler.Flag("5"), handler.Flag("/bin/sh"), handler.Flag("-c"), v}, true},
		{"/no/docker", []handler.Arg{handler.Flag("exec"), handler.Flag("web"), handler.Flag("sh"), handler.Flag("-c"), v}, true},
		{"/no/docker", []handler.Arg{handler.Flag("exec"), v, handler.Flag("sh"), handler.Flag("-c"), handler.Flag("date")}, false},
		{"/no/apt-get", []handler.Arg{handler.Flag("install"), handler.Flag("awk"), v}, false},
		{"/no/node", []handler.Arg{handler.Flag("--eval"), v}, true},
		{"/no/node", []handler.Arg{handler.Option("--eval", "1")}, true},
		{"/no/node", []handler.Arg{handler.Flag("/no/script.js"), v}, false},
		{"/no/gawk", []handler.Arg{v}, true},
		{"/no/gawk", []handler.Arg{handler.Flag("-v"), handler.Value("x=1"), handler.Flag("{print x}"), v}, false},
		{"/no/gawk", []handler.Arg{handler.Flag("-v"), handler.Value("x=1"), v}, true},
		{"/no/gawk", []handler.Arg{handler.Flag("-F"), handler.Flag(":"), v}, true},
		{"/no/gawk", []handler.Arg{handler.Flag("-f"), handler.Flag("/no/script.awk"), v}, false},
		{"timeout", []handler.Arg{handler.Flag("5"), handler.Flag("awk"), v}, true},
		{"/no/sed", []handler.Arg{v}, true},
		{"/no/sed", []handler.Arg{handler.Flag("-n"), handler.Flag("-e"), v}, true},
		{"/no/sed", []handler.Arg{handler.Flag("-n"), handler.Flag("-e"), handler.Flag("1p"), v}, false},
		{"/no/sed", []handler.Arg{handler.Flag("-n"), handler.Flag("1p"), handler.Flag("--"), v}, false},
		{"/no/ssh", []handler.Arg{handler.Flag("-p"), handler.Value(22), v}, false},
		{"/no/ssh", []handler.Arg{v, handler.Flag("uptime")}, false},
		{"/no/ssh", []handler.Arg{handler.Flag("web1"), handler.Flag("systemctl"), handler.Flag("restart"), v}, true},
		{"/no/su", []handler.Arg{handler.Flag("deploy"), handler.Flag("-c"), v}, true},
	} {
		_, err := handler.Exec(t.Context(), nil, handler.Program{Path: c.path, Args: c.args})
		refused := err != nil && strings.Contains(err.Error(), "where the program takes code to run")
		require.Equal(t, c.want, refused, "%s %v: %v", c.path, c.args, err)
	}
	res, err := handler.Exec(t.Context(), nil, handler.Program{Path: "sh", Args: []handler.Arg{handler.Flag("-c"), handler.Flag(`printf %s "$1"`), handler.Flag("sh"), handler.Value("$(id); `id`")}})
	require.NoError(t, err)
	require.Equal(t, "$(id); `id`", res.Stdout.String())
}

// The environment is what is given, and PATH; secrets are neither in errors nor in the log.
func TestExecEnvironment(t *testing.T) {
	t.Setenv("STARLING_CANARY", "cnrymark-leak")
	dir := t.TempDir()
	p := helper("env")
	p.Dir = dir
	p.Env["GIVEN"] = "a b"
	p.SecretEnv = map[string]handler.Secret{"TOKEN": handler.NewSecret("cnrymark-secret")}
	res, err := handler.Exec(t.Context(), nil, p)
	require.NoError(t, err)
	got := strings.Split(strings.TrimSpace(res.Stdout.String()), "\n")
	slices.Sort(got)
	real, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	want := []string{"GIVEN=a b", "PATH=" + os.Getenv("PATH"), "PWD=" + dir, helperVar + "=env", "GORACE=atexit_sleep_ms=0", "TOKEN=cnrymark-secret", "dir " + real}
	got = slices.DeleteFunc(got, func(s string) bool { return s == "PWD="+dir })
	want = slices.DeleteFunc(want, func(s string) bool { return s == "PWD="+dir }) // some versions of Go add it
	require.ElementsMatch(t, want, got)
	p.Env["PATH"] = "/nowhere"
	res, err = handler.Exec(t.Context(), nil, p)
	require.NoError(t, err)
	require.Contains(t, res.Stdout.String(), "PATH=/nowhere\n")

	var log bytes.Buffer
	r := handler.NewRequest(&adapter.Event{ID: "E1", User: adapter.User{Adapter: "test", ID: "U1"}}, nil)
	r.Logger = slog.New(slog.NewJSONHandler(canary.Also(canary.Logs, &log), nil))
	p = helper("exit", handler.Value(3))
	p.SecretEnv = map[string]handler.Secret{"CANARY": handler.NewSecret("cnrymark-secret")}
	p.SecretInput = handler.NewSecret("cnrymark-input")
	res, err = handler.Exec(t.Context(), r, p)
	var exit *handler.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, handler.ExitError{Program: os.Args[0], Code: 3}, *exit)
	require.EqualError(t, err, fmt.Sprintf("handler: exec %q: it ended with code 3", os.Args[0]))
	require.Equal(t, 3, res.Code)
	require.Contains(t, res.Stderr.String(), "failing with canary cnrymark-secret", "what it prints is its own affair")
	require.Contains(t, log.String(), `"msg":"ran a program"`)
	require.Contains(t, log.String(), `"code":3`)
	for _, text := range []string{log.String(), err.Error(), fmt.Sprintf("%v %+v %#v", p, p, p), fmt.Sprintf("%+v %#v", exit, exit)} {
		require.NotContains(t, text, "cnrymark-")
	}
}

func TestExecInput(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 64<<10) // more than a pipe holds
	p := helper("cat")
	p.MaxOutput = 4 << 20
	for _, set := range []func(){func() { p.Input = big }, func() { p.Input, p.SecretInput = "", handler.NewSecret(big) }} {
		set()
		res, err := handler.Exec(t.Context(), nil, p)
		require.NoError(t, err)
		require.True(t, res.Stdout.String() == big)
	}
	p = helper("argv") // does not read it
	p.Input = big
	_, err := handler.Exec(t.Context(), nil, p)
	require.NoError(t, err)
	res, err := handler.Exec(t.Context(), nil, helper("cat"))
	require.NoError(t, err)
	require.Empty(t, res.Stdout.String(), "without input it reads the end at once")
}

// Exec leaves no open files and no goroutines, however it ends.
func TestExecLeaksNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("open files are counted in /proc")
	}
	files := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(list)
	}
	run := func() {
		_, err := handler.Exec(t.Context(), nil, helper("argv"))
		require.NoError(t, err)
		_, err = handler.Exec(t.Context(), nil, handler.Program{Path: "/no/such/program"})
		require.Error(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		_, err = handler.Exec(ctx, nil, helper("sleep", handler.Value("polite")))
		require.Error(t, err)
	}
	run()
	before, known := files(), goleak.IgnoreCurrent()
	for range 5 {
		run()
	}
	require.Equal(t, before, files())
	goleak.VerifyNone(t, known)
}

func ExampleExec() {
	said := "-rf $(id) 'quoted'" // what a person said
	res, err := handler.Exec(context.Background(), nil, handler.Program{
		Path: "echo",
		Args: []handler.Arg{handler.Flag("deploying"), handler.Option("--note", said), handler.Value("api")},
	})
	fmt.Print(res.Stdout)
	fmt.Println(err)
	_, err = handler.Exec(context.Background(), nil, handler.Program{Path: "rm", Args: []handler.Arg{handler.Value("-rf")}})
	fmt.Println(err)

	// Output:
	// deploying --note=-rf $(id) 'quoted' api
	// <nil>
	// handler: exec "rm": argument 1: "-rf" begins with "-", and the program would take it for an option; use handler.Option or, behind a Flag("--"), handler.DashValue
}
