package handler

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	defaultOutput = 64 << 10
	maxOutput     = 64 << 20
	defaultGrace  = 5 * time.Second
	// afterKill is how long a process that was killed may take to go, and one that left the group may hold the output.
	afterKill = time.Second
	// progressEvery is the time between two notes of progress.
	progressEvery = 2 * time.Second
)

// Program is a program to run, by its arguments and never by a shell: see [Exec].
type Program struct {
	// Path is absolute, or a bare name that is looked up in PATH, in no case in the current folder. It is chosen by code. Required.
	Path string
	// Args are the arguments after the name: Flag and Option for what code says, Value for what people say.
	Args []Arg
	// Dir is the folder it runs in, an absolute path; "" is that of the bot.
	Dir string
	// Env is all of the program's environment but PATH, which is the bot's unless it is given here.
	Env map[string]string
	// SecretEnv is more of the environment. Secrets go there or to SecretInput and never into arguments, which every user of
	// the machine can read.
	SecretEnv map[string]Secret
	// Input is what the program reads; SecretInput likewise, one of the two. Without any it reads nothing.
	Input       string
	SecretInput Secret
	// MaxOutput is how many bytes are kept of each of stdout and stderr, half from the beginning and half from the end. 0 is 64
	// KiB, the most is 64 MiB.
	MaxOutput int
	// Line, where it is not nil, gets each line as it is written, one call at a time, without its end and cut at 8 KiB. While it
	// works the program may have to wait. Its panic ends the program and is an error.
	Line func(stream Stream, line string)
	// Progress shows the last line by Request.Progress, every 2 s at most. It needs a Request.
	Progress bool
	// Grace is the time between asking the program to end (SIGTERM) and ending it (SIGKILL). 0 is 5 s.
	Grace time.Duration
}

// Stream is what a program writes to.
type Stream string

// The streams.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// Result is what a program has done.
type Result struct {
	Code   int // 0 is success; -1 where a signal ended it
	Stdout Output
	Stderr Output
	Took   time.Duration
}

// ExitError says that a program ran and did not succeed. It holds nothing of its arguments, environment, input or output.
type ExitError struct {
	Program string // Program.Path
	Code    int    // -1 where a signal ended it
	Signal  string // its name, where one did
}

// Error names the program and the code or signal.
func (e *ExitError) Error() string {
	if e.Signal != "" {
		return fmt.Sprintf("handler: exec %q: it was ended by the signal %q", e.Program, e.Signal)
	}
	return fmt.Sprintf("handler: exec %q: it ended with code %d", e.Program, e.Code)
}

// constant is the type of text that must stand in the code: a variable of type string does not fit.
type constant string

// Arg is one argument of a [Program]: made by [Flag], [Option], [Value] or [DashValue].
type Arg struct {
	text  string
	value bool // from a Value
	err   error
}

// Flag is an argument that code says as it is, such as "--force", "commit" or "--". It takes constants alone: text from
// people does not compile.
func Flag(text constant) Arg { return Arg{text: string(text)} }

// Option is one argument made of a constant name, "=" and a value: Option("--message", text). The value may begin with "-",
// because it is not an argument by itself.
func Option(name constant, v any) Arg {
	a := DashValue(v)
	a.text = string(name) + "=" + a.text
	return a
}

// Value is an argument that people may have chosen: a string, a number, a bool ("true"), a time.Duration or what has
// MarshalText, such as [Path], [URL] and time.Time. One that begins with "-" is refused, because the program would take it
// for an option; [Secret] is refused always.
func Value(v any) Arg {
	a := DashValue(v)
	if a.err == nil && strings.HasPrefix(a.text, "-") {
		a.err = fmt.Errorf("%q begins with \"-\", and the program would take it for an option; use handler.Option or, behind a Flag(\"--\"), handler.DashValue", shortened(a.text))
	}
	return a
}

// DashValue is [Value] that may begin with "-": for programs that take no option there, as most do behind "--".
func DashValue(v any) Arg {
	text, err := argText(v)
	return Arg{text: text, value: true, err: err}
}

func argText(v any) (string, error) {
	switch v := v.(type) {
	case Secret, *Secret:
		return "", errors.New("it is a secret, and arguments can be read by every user of the machine; use SecretEnv or SecretInput")
	case string:
		return v, nil
	case time.Duration:
		return v.String(), nil
	case encoding.TextMarshaler:
		if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
			return "", fmt.Errorf("it is a nil %T", v)
		}
		text, err := v.MarshalText()
		return string(text), err
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.String:
		return rv.String(), nil
	case reflect.Bool:
		return strconv.FormatBool(rv.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(rv.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.FormatUint(rv.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(rv.Float(), 'f', -1, rv.Type().Bits()), nil
	}
	return "", fmt.Errorf("a %T has no one text; choose the field that is meant, such as the ID", v)
}

func shortened(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// Exec runs a program and waits for it. It never uses a shell: every [Arg] arrives as one argument, whatever it contains. Where the
// program is itself a shell or another well-known interpreter, a Value, DashValue or Option that it would run as code is refused,
// also behind env, timeout, sudo, ssh or "docker exec".
//
// The program gets a process group of its own. When ctx ends, or Program.Line panics, the whole group is asked to end and,
// after Program.Grace, ended. When Exec returns nothing of the group is left, also after a success: children that write on
// get the grace time to end, others none. (A process that made a group of its own is not found; on systems other than Unix only the
// program itself is ended.)
//
// Errors: an *[ExitError] where it ran and failed; the error of ctx, and its cause, where that ended it; else it did not run, and the error
// says which field is wrong and the cure. The Result is there with the first two. No error shows the environment or the input, and what the log
// of r gets (r may be nil) is the path, the code and the time. What the program prints is its own affair: it is not searched
// for secrets.
func Exec(ctx context.Context, r *Request, p Program) (Result, error) {
	run, err := p.prepare(r)
	if err != nil {
		return Result{}, fmt.Errorf("handler: exec %q: %w", shortened(p.Path), err)
	}
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("handler: exec %q: not begun: %w", p.Path, err)
	}
	res, err := run.run(ctx)
	if r != nil {
		r.Log().Info("ran a program", "program", p.Path, "code", res.Code, "duration", res.Took, "ok", err == nil)
	}
	return res, err
}

// prepare checks the program and makes its command.
func (p Program) prepare(r *Request) (*running, error) {
	argv := make([]string, 0, len(p.Args)+1)
	argv = append(argv, p.Path)
	for i, a := range p.Args {
		if a.err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, a.err)
		}
		if strings.ContainsRune(a.text, 0) {
			return nil, fmt.Errorf("argument %d: it contains NUL, which no argument can", i+1)
		}
		argv = append(argv, a.text)
	}
	path, err := lookUp(p.Path)
	if err != nil {
		return nil, err
	}
	if i, ok := code(path, p.Args); ok {
		return nil, fmt.Errorf("argument %d is people's text where the program takes code to run; give it as an argument of that code (sh -c 'echo \"$1\"' sh VALUE) or as Input", i+1)
	}
	env, err := p.environment()
	switch {
	case err != nil:
		return nil, err
	case p.Dir != "" && !filepath.IsAbs(p.Dir):
		return nil, fmt.Errorf("the Dir %q is not an absolute path", p.Dir)
	case strings.ContainsRune(p.Dir, 0):
		return nil, errors.New("the Dir contains NUL")
	case p.MaxOutput < 0 || p.MaxOutput > maxOutput:
		return nil, fmt.Errorf("the MaxOutput is %d, it must be from 0 to %d", p.MaxOutput, maxOutput)
	case p.Grace < 0:
		return nil, errors.New("the Grace is negative")
	case p.Input != "" && !p.SecretInput.IsZero():
		return nil, errors.New("both Input and SecretInput are given; the program reads one")
	case p.Progress && r == nil:
		return nil, errors.New("to show Progress takes a Request")
	}
	if p.MaxOutput == 0 {
		p.MaxOutput = defaultOutput
	}
	if p.Grace == 0 {
		p.Grace = defaultGrace
	}
	cmd := &exec.Cmd{Path: path, Args: argv, Dir: p.Dir, Env: env}
	ownGroup(cmd)
	return &running{p: p, r: r, cmd: cmd, failed: make(chan struct{})}, nil
}

// lookUp finds the program.
func lookUp(path string) (string, error) {
	switch {
	case path == "":
		return "", errors.New("the Path is empty; name the program")
	case strings.ContainsRune(path, 0):
		return "", errors.New("the Path contains NUL")
	case filepath.IsAbs(path):
		return path, nil
	case strings.ContainsAny(path, `/\`):
		return "", errors.New("the Path is relative; give an absolute path, or a bare name that is in PATH")
	}
	found, err := exec.LookPath(path)
	if errors.Is(err, exec.ErrDot) {
		return "", errors.New("it is found only in the current folder; give its absolute path")
	}
	if err != nil {
		return "", errors.New("there is no such program in PATH; install it or give its absolute path")
	}
	return filepath.Abs(found)
}

func (p Program) environment() ([]string, error) {
	env := make([]string, 0, len(p.Env)+len(p.SecretEnv)+1)
	add := func(name, value string) error {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return fmt.Errorf("%q is no name of an environment variable", name)
		}
		if strings.ContainsRune(value, 0) {
			return fmt.Errorf("the environment variable %s contains NUL", name)
		}
		env = append(env, name+"="+value)
		return nil
	}
	for name, value := range p.Env {
		if err := add(name, value); err != nil {
			return nil, err
		}
	}
	for name, value := range p.SecretEnv {
		if _, ok := p.Env[name]; ok {
			return nil, fmt.Errorf("the environment variable %s is in both Env and SecretEnv", name)
		}
		if err := add(name, value.Reveal()); err != nil {
			return nil, err
		}
	}
	if _, ok := p.Env["PATH"]; !ok {
		env = append(env, "PATH="+os.Getenv("PATH"))
	}
	return env, nil
}

// running is a program at work.
type running struct {
	p   Program
	r   *Request
	cmd *exec.Cmd

	lines  sync.Mutex // one call of Program.Line at a time
	shown  time.Time
	once   sync.Once
	failed chan struct{} // closed when Program.Line has panicked
	err    error         // the panic; set before failed is closed
}

// run starts the program, reads what it writes and sees to its end.
func (x *running) run(ctx context.Context) (Result, error) {
	out, errs := newCapture(x.p.MaxOutput), newCapture(x.p.MaxOutput)
	files, err := x.connect()
	if err != nil {
		return Result{}, fmt.Errorf("handler: exec %q: %w", x.p.Path, err)
	}
	begin := time.Now()
	err = x.cmd.Start()
	files.started()
	if err != nil {
		files.close()
		return Result{}, fmt.Errorf("handler: exec %q: it did not start: %w", x.p.Path, plain(err))
	}
	var streams sync.WaitGroup
	streams.Go(func() { x.read(ctx, files.out, Stdout, out) })
	streams.Go(func() { x.read(ctx, files.errs, Stderr, errs) })
	read := make(chan struct{})
	go func() { streams.Wait(); close(read) }()
	var input sync.WaitGroup
	input.Go(files.write)
	ended := make(chan *os.ProcessState, 1)
	exited := make(chan struct{})
	proceed := make(chan struct{})
	go func() {
		reap := awaitExit(x.cmd)
		close(exited)
		<-proceed // until then the process is not forgotten, and its number cannot be another's
		ended <- reap()
	}()

	var stopped error
	grace := time.NewTimer(x.p.Grace) // begins anew when it is needed
	defer grace.Stop()
	select {
	case <-exited:
	case <-ctx.Done():
		stopped = fmt.Errorf("handler: exec %q: stopped: %w", x.p.Path, ctx.Err())
		if cause := context.Cause(ctx); cause != ctx.Err() { // such as ErrCanceled
			stopped = fmt.Errorf("%w: %w", stopped, cause)
		}
	case <-x.failed:
		stopped = fmt.Errorf("handler: exec %q: stopped: %w", x.p.Path, x.err)
	}
	grace.Reset(x.p.Grace)
	patient := true
	if stopped != nil {
		terminate(x.cmd)
		select {
		case <-exited:
		case <-grace.C:
			patient = false
			kill(x.cmd)
			select {
			case <-exited:
			case <-time.After(afterKill):
				close(proceed)
				files.close()
				return Result{Code: -1, Took: time.Since(begin)}, fmt.Errorf("%w; and the process %d does not end", stopped, x.cmd.Process.Pid)
			}
		}
	}
	if patient { // children may still write
		select {
		case <-read:
		case <-grace.C:
		case <-ctx.Done():
			if stopped == nil { // the program itself has ended: what it left behind is stopped
				terminate(x.cmd)
			}
			select {
			case <-read:
			case <-grace.C:
			}
		}
	}
	kill(x.cmd)
	close(proceed)
	state := <-ended
	select {
	case <-read:
	case <-time.After(afterKill): // held by a process that left the group
	}
	files.close()
	input.Wait()
	<-read
	res := Result{Code: -1, Stdout: out.output(), Stderr: errs.output(), Took: time.Since(begin)}
	if state != nil {
		res.Code = state.ExitCode()
	}
	select {
	case <-x.failed: // also when that was at the very end
		if stopped == nil {
			stopped = fmt.Errorf("handler: exec %q: stopped: %w", x.p.Path, x.err)
		}
	default:
	}
	switch {
	case stopped != nil:
		return res, stopped
	case res.Code == 0:
		return res, nil
	}
	return res, &ExitError{Program: x.p.Path, Code: res.Code, Signal: signalName(state)}
}

// plain takes from an error of the system what it says of the path and the cause; neither argument nor environment is in it.
func plain(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return fmt.Errorf("%s: %w", at.Path, at.Err)
	}
	return err
}
