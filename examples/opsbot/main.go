// Opsbot is the bot of a team that runs services: it deploys, shows, rolls back and reminds. The services are harmless
// demonstrations; everything else is as in earnest.
//
//	go run ./examples/opsbot
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/terminal"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/internal/statefile"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("opsbot", flag.ExitOnError)
	name := flags.String("name", "starling", "what the bot is called")
	file := flags.String("brain", "", "file that keeps the bot's state, or \"memory\" to keep nothing (default opsbot.db in the user's state folder)")
	step := flags.Duration("step", time.Second, "how long a step of a deployment takes")
	zone := flags.String("zone", "UTC", "time zone of dates and times of day, such as Europe/Berlin")
	if err := flags.Parse(args); err != nil {
		return err
	}
	where, err := time.LoadLocation(*zone)
	if err != nil {
		return fmt.Errorf("opsbot: -zone: %w", err)
	}
	store, err := statefile.Open("opsbot", *file, os.Stderr)
	if err != nil {
		return err
	}
	defer store.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	term := terminal.New(terminal.Config{BotName: *name, Playground: true, Interrupt: stop})
	bot, err := starling.New(starling.Config{
		Name: *name, Aliases: []string{"!"}, Zone: where,
		Adapters: []adapter.Adapter{term},
		Router:   routes(*step),
		Brain:    brain.New(store),
		Logger:   slog.New(slog.NewTextHandler(term.LogWriter(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	return bot.RunUntilSignal(ctx)
}
