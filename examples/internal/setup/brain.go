package setup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/brain/memory"
)

// InUse is the error of Open where another process has the file.
type InUse struct {
	Program, Path string
	Holder        string // "process 4711 (opsbot)", or "another process" where the system does not tell which
	Err           error
}

func (e *InUse) Error() string {
	return fmt.Sprintf("%s: %s has my memory, %s: one process holds it at a time. Stop that one, or give this bot a memory of its own with -brain FILE, or none with -brain memory",
		e.Program, e.Holder, e.Path)
}

func (e *InUse) Unwrap() error { return e.Err }

// Open opens the store in file and says on out where it is. The file "memory" keeps nothing; an empty one is PROGRAM.db in the
// user's state folder.
//
// Errors: [*InUse] when another process has the file, and those of the operating system and of package bolt.
func Open(program, file string, out io.Writer) (brain.Store, error) {
	if file == "memory" {
		return memory.New(), nil
	}
	if file == "" {
		dir, err := folder()
		if err != nil {
			return nil, fmt.Errorf("%s: there is no place for the bot's state: %w; say -brain FILE or -brain memory", program, err)
		}
		file = filepath.Join(dir, program+".db")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("%s: make the folder of the bot's state: %w", program, err)
	}
	store, err := bolt.Open(bolt.Config{Path: file})
	if errors.Is(err, bolt.ErrInUse) {
		by := holder(file)
		if by == "" {
			by = "another process"
		}
		return nil, &InUse{Program: program, Path: file, Holder: by, Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	_, _ = fmt.Fprintf(out, "%s: my memory is in %s (-brain memory keeps nothing)\n", program, file)
	return store, nil
}

// folder is $XDG_STATE_HOME/starling or ~/.local/state/starling (XDG Base Directory Specification), or in the folder for
// configuration where the system has no such thing.
func folder() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "starling"), nil
	}
	switch runtime.GOOS {
	case "windows", "darwin", "ios", "plan9":
		dir, err := os.UserConfigDir()
		return filepath.Join(dir, "starling"), err
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "state", "starling"), err
}
