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
	"strings"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/terminal"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/examples/hello/routes"
	"github.com/starlingbot/starling/examples/internal/setup"
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
	setup.Usage(flags, false)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("hello: %q is no flag; flags begin with -, and -h lists them", flags.Arg(0))
	}
	if aliases == nil {
		aliases = list{"!"}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	term := terminal.New(terminal.Config{BotName: *name, Playground: true, Interrupt: stop})
	store, err := setup.Open("hello", *file, term.LogWriter())
	if err != nil {
		return err
	}
	defer store.Close()
	bot, err := starling.New(starling.Config{
		Name: *name, Aliases: aliases,
		Adapters: []adapter.Adapter{term},
		Router:   routes.New(),
		Brain:    brain.New(store),
		Logger:   slog.New(slog.NewTextHandler(term.LogWriter(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	return bot.RunUntilSignal(ctx)
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }
