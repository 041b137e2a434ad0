package canary

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Variable names the environment variable with the folder that outputs are written into. It must be an absolute path: tests
// change their folder.
const Variable = "STARLING_OUTPUTS"

// Kind is a kind of output. Each has a folder of its name, with a file for each process.
type Kind string

// The kinds.
const (
	Test     Kind = "test"     // what `go test -v` prints: written by who runs it
	Logs     Kind = "logs"     // of bots, middleware and adapters, from Debug on
	Posts    Kind = "posts"    // messages as a chat gets them
	Audit    Kind = "audit"    // records of the audit log
	Kept     Kind = "kept"     // what a store holds at the end of a test
	Bodies   Kind = "bodies"   // what clients send to fake platforms
	Programs Kind = "programs" // what bots in processes of their own print and log
)

// Kinds gives all kinds.
func Kinds() []Kind { return []Kind{Test, Logs, Posts, Audit, Kept, Bodies, Programs} }

// watched is the folder of the secrets that Watch was told.
const watched = "watched"

// folder is where outputs go; "" is nowhere. It is read when the first test asks, so that `go test` knows that its result
// depends on it.
var folder = sync.OnceValue(func() string {
	dir := os.Getenv(Variable)
	if dir != "" && !filepath.IsAbs(dir) {
		panic(fmt.Sprintf("canary: %s is %q: give an absolute path", Variable, dir))
	}
	return dir
})

// files holds the open file of each kind: one a process.
var files sync.Map // Kind -> func() *os.File

// file opens the file of a kind once. Without it nothing could be searched, so it panics where it cannot.
func file(k Kind) *os.File {
	open, ok := files.Load(k)
	if !ok {
		open, _ = files.LoadOrStore(k, sync.OnceValue(func() *os.File {
			dir := filepath.Join(folder(), string(k))
			if err := os.MkdirAll(dir, 0o700); err != nil {
				panic(fmt.Sprintf("canary: %v", err))
			}
			name := fmt.Sprintf("%s-%d.txt", strings.TrimSuffix(filepath.Base(os.Args[0]), ".test"), os.Getpid())
			f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
			if err != nil {
				panic(fmt.Sprintf("canary: %v", err))
			}
			return f
		}))
	}
	return open.(func() *os.File)()
}

// On tells whether outputs are written.
func On() bool { return folder() != "" }

// Write writes an output as it is; nothing where outputs are not written. It may be called concurrently, and panics where it
// cannot write.
func Write(k Kind, p []byte) {
	if !On() {
		return
	}
	if _, err := file(k).Write(p); err != nil {
		panic(fmt.Sprintf("canary: %v", err))
	}
}

// WriteJSON writes v as a line of JSON.
func WriteJSON(k Kind, v any) {
	if !On() {
		return
	}
	line, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("canary: %s: %v", k, err))
	}
	Write(k, append(line, '\n'))
}

// writer is a kind as an [io.Writer].
type writer Kind

func (w writer) Write(p []byte) (int, error) {
	Write(Kind(w), p)
	return len(p), nil
}

// Writer gives where outputs of a kind go.
func Writer(k Kind) io.Writer { return writer(k) }

// Also gives a writer to w and to the outputs of a kind; w itself where outputs are not written.
func Also(k Kind, w io.Writer) io.Writer {
	if !On() {
		return w
	}
	return io.MultiWriter(w, Writer(k))
}

// Logger gives a logger for tests that do not look at the log: it goes to the outputs from Debug on, and else nowhere.
func Logger() *slog.Logger {
	if !On() {
		return slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return slog.New(slog.NewTextHandler(Writer(Logs), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Watch has a secret searched for that does not begin with Mark. shown are the kinds in which it may stand because somebody is
// to read it there. A secret of under 10 bytes is too short to be searched for, and panics.
func Watch(secret []byte, shown ...Kind) {
	if len(secret) < least {
		panic(fmt.Sprintf("canary: watch: a secret of %d bytes comes up by chance; it must have %d", len(secret), least))
	}
	if !On() {
		return
	}
	line := hex.EncodeToString(secret)
	for _, k := range shown {
		line += " " + string(k)
	}
	Write(watched, []byte(line+"\n"))
}
