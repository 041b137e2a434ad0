// Package statefile opens the brain of an example bot where programs of this user keep what they remember.
package statefile

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/brain/memory"
)

// Open opens the store in file and says on out where it is. The file "memory" keeps nothing; an empty one is PROGRAM.db in
// the user's state folder.
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
