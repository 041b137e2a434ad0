// Hello is a bot to talk to on the terminal: it shows Hear, Respond, Command, Mount, a brain and a fallback.
//
//	go run ./examples/hello
//	printf 'ping\nalice++\nkarma alice\n' | go run ./examples/hello
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/terminal"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/brain/memory"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("hello", flag.ExitOnError)
	name := flags.String("name", "starling", "what the bot is called")
	var aliases list
	file := flags.String("brain", "", "file that keeps the bot's state, or \"memory\" to keep nothing (default hello.db in the user's state folder)")
	flags.Var(&aliases, "alias", "what else addresses the bot; repeatable (default !)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if aliases == nil {
		aliases = list{"!"}
	}
	store, err := openBrain(*file)
	if err != nil {
		return err
	}
	defer store.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	term := terminal.New(terminal.Config{BotName: *name, Playground: true, Interrupt: stop})
	bot, err := starling.New(starling.Config{
		Name: *name, Aliases: aliases,
		Adapters: []adapter.Adapter{term},
		Router:   routes(),
		Brain:    brain.New(store),
		Logger:   slog.New(slog.NewTextHandler(term.LogWriter(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	return bot.RunUntilSignal(ctx)
}

// openBrain opens the store and says where it is.
func openBrain(file string) (brain.Store, error) {
	if file == "memory" {
		return memory.New(), nil
	}
	if file == "" {
		dir, err := stateDir()
		if err != nil {
			return nil, fmt.Errorf("hello: there is no place for the bot's state: %w; say -brain FILE or -brain memory", err)
		}
		file = filepath.Join(dir, "hello.db")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("hello: make the folder of the bot's state: %w", err)
	}
	store, err := bolt.Open(bolt.Config{Path: file})
	if err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	fmt.Fprintf(os.Stderr, "hello: my memory is in %s (-brain memory keeps nothing)\n", file)
	return store, nil
}

// stateDir is where programs of this user keep what they remember: $XDG_STATE_HOME/starling, ~/.local/state/starling (XDG
// Base Directory Specification), or the folder for configuration where the system has no such thing.
func stateDir() (string, error) {
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

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }
