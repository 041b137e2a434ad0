// Anywhere is the hello bot on every platform: one program, several adapters at once.
//
//	go run ./examples/anywhere -adapter terminal
//	SLACK_APP_TOKEN=xapp-... SLACK_BOT_TOKEN=xoxb-... go run ./examples/anywhere -adapter slack
//	go run ./examples/anywhere -manifest slack      # the app's manifest, made from the bot's commands
//	go run ./examples/anywhere -adapter slack -check
//
// It reads from the environment: SLACK_APP_TOKEN, SLACK_BOT_TOKEN, SLACK_SIGNING_SECRET (HTTP mode, with -http), and
// SLACK_API_URL for tests and proxies.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/adapter/terminal"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/examples/hello/routes"
	"github.com/starlingbot/starling/internal/statefile"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("anywhere", flag.ExitOnError)
	var names, aliases list
	flags.Var(&names, "adapter", "where to talk: terminal or slack; repeatable (default terminal)")
	flags.Var(&aliases, "alias", "what else addresses the bot; repeatable (default !)")
	name := flags.String("name", "starling", "what the bot is called")
	file := flags.String("brain", "", "file that keeps the bot's state, or \"memory\" to keep nothing (default anywhere.db in the user's state folder)")
	http := flags.String("http", "", "address of the bot's server, such as :8080: callbacks, /healthz, /readyz")
	manifest := flags.String("manifest", "", "print the manifest for a platform (slack) and end")
	check := flags.Bool("check", false, "test tokens, permissions, clock and brain, say what to do, and end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if names == nil {
		names = list{"terminal"}
	}
	if aliases == nil {
		aliases = list{"!"}
	}
	router := routes.New()
	if *manifest != "" {
		return printManifest(out, *manifest, *name, aliases)
	}
	store, err := statefile.Open("anywhere", *file, os.Stderr)
	if err != nil {
		return err
	}
	defer store.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	state := brain.New(store)
	var logs io.Writer = os.Stderr
	var adapters []adapter.Adapter
	for _, n := range names {
		switch n {
		case "terminal":
			term := terminal.New(terminal.Config{BotName: *name, Interrupt: stop})
			logs = term.LogWriter()
			adapters = append(adapters, term)
		case "slack":
			a, err := newSlack(state, logs)
			if err != nil {
				return err
			}
			adapters = append(adapters, a)
		default:
			return fmt.Errorf("anywhere: there is no adapter %q: say terminal or slack", n)
		}
	}
	bot, err := starling.New(starling.Config{
		Name: *name, Aliases: aliases, Adapters: adapters, Router: router, Brain: state, HTTP: *http, Logger: logger(logs),
	})
	if err != nil {
		return err
	}
	if *check {
		return printChecks(ctx, out, bot)
	}
	return bot.RunUntilSignal(ctx)
}

func logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// newSlack makes the Slack adapter of what the environment says.
func newSlack(state *brain.Brain, logs io.Writer) (*slack.Adapter, error) {
	cfg := slack.Config{
		AppToken: os.Getenv("SLACK_APP_TOKEN"), BotToken: os.Getenv("SLACK_BOT_TOKEN"), APIURL: os.Getenv("SLACK_API_URL"),
		Positions: state.Namespace("slack").Strings(), Logger: logger(logs),
	}
	if s := os.Getenv("SLACK_SIGNING_SECRET"); s != "" {
		cfg.SigningSecrets = strings.Split(s, ",") // several while one is being replaced
	}
	a, err := slack.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("anywhere: SLACK_BOT_TOKEN, SLACK_APP_TOKEN, SLACK_SIGNING_SECRET: %w", err)
	}
	return a, nil
}

// printManifest prints the manifest that a platform makes an app of.
func printManifest(out io.Writer, platform, name string, aliases []string) error {
	if platform != "slack" {
		return fmt.Errorf("anywhere: there is no manifest for %q: say slack", platform)
	}
	table, err := routes.New().Build(name, aliases)
	if err != nil {
		return err
	}
	all := adapter.CommandSpec{Name: name, Summary: "Say anything to the bot.", Usage: name + " COMMAND"}
	text, err := slack.Manifest(append(table.Specs(), all))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, string(text))
	return err
}

// printChecks tests everything; its error says that something is to be mended.
func printChecks(ctx context.Context, out io.Writer, bot *starling.Bot) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	bad := 0
	for _, c := range bot.Check(ctx) {
		line := "ok   " + c.Name
		if c.Err != nil {
			line = "FAIL " + c.Name + ": " + c.Err.Error()
			bad++
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fmt.Errorf("anywhere: %d of the tests failed", bad)
	}
	return nil
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }
