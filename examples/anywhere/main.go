// Anywhere is the hello bot on every platform: one program, several adapters at once.
//
//	go run ./examples/anywhere -adapter terminal
//	SLACK_APP_TOKEN=xapp-... SLACK_BOT_TOKEN=xoxb-... go run ./examples/anywhere -adapter slack
//	DISCORD_TOKEN=... go run ./examples/anywhere -adapter discord
//	MATTERMOST_URL=https://chat.example.com MATTERMOST_TOKEN=... go run ./examples/anywhere -adapter mattermost
//	go run ./examples/anywhere -manifest slack      # the app's manifest, made from the bot's commands
//	go run ./examples/anywhere -invite discord      # the address that invites the bot, with the permissions it needs
//	go run ./examples/anywhere -register mattermost # the slash commands, or how to make them
//	go run ./examples/anywhere -adapter slack -check
//
// What it reads from the environment is listed by -h.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter/terminal"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/examples/hello/routes"
	"github.com/starlingbot/starling/examples/internal/setup"
	"github.com/starlingbot/starling/internal/platforms"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("anywhere", flag.ExitOnError)
	flags := platforms.Flags{Program: "anywhere"}
	flags.Add(fs)
	file := fs.String("brain", "", "file that keeps the bot's state, or \"memory\" to keep nothing (default anywhere.db in the user's state folder)")
	setup.Usage(fs, true)
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("anywhere: %q is no flag; flags begin with -, and -h lists them", fs.Arg(0))
	}
	flags.Default()
	if done, err := flags.Print(ctx, out, routes.New()); done {
		return err
	}
	var where bytes.Buffer
	store, err := setup.Open("anywhere", *file, &where)
	var inUse *setup.InUse
	if errors.As(err, &inUse) && fs.Lookup("check").Value.String() == "true" { // the rest can be tested all the same
		store, err = memory.New(), nil
	}
	if err != nil {
		return err
	}
	defer store.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	state := brain.New(store)
	adapters, logs, err := flags.Adapters(state, terminal.Config{Interrupt: stop})
	if err != nil {
		return err
	}
	if _, err := where.WriteTo(logs); err != nil {
		return err
	}
	bot, err := starling.New(starling.Config{
		Name: flags.Name, Aliases: flags.Aliases, Adapters: adapters, Router: routes.New(), Brain: state, HTTP: flags.HTTP, Logger: flags.Logger(logs),
	})
	if err != nil {
		return err
	}
	if inUse != nil {
		return setup.Check(ctx, out, bot, inUse)
	}
	return flags.Run(ctx, out, bot)
}
