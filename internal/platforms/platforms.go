// Package platforms makes the adapters of the example bots from their flags and the environment, and prints what is needed to
// set a platform up.
package platforms

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/discord"
	"github.com/starlingbot/starling/adapter/mattermost"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/adapter/terminal"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// Flags are those that every example bot for several platforms has.
type Flags struct {
	Program string // for errors
	Names   List
	Aliases List
	Name    string
	HTTP    string
	// Level is the least that bot and adapters log: Warn until it is set otherwise, also while they run.
	Level    slog.LevelVar
	manifest string
	invite   string
	register string
	check    bool
}

// Add adds the flags to fs.
func (f *Flags) Add(fs *flag.FlagSet) {
	fs.Var(&f.Names, "adapter", "where to talk: terminal, slack, discord or mattermost; repeatable (default terminal)")
	fs.Var(&f.Aliases, "alias", "what else addresses the bot; repeatable (default !)")
	fs.StringVar(&f.Name, "name", "starling", "what the bot is called")
	fs.StringVar(&f.HTTP, "http", "", "address of the bot's server, such as :8080: callbacks, /healthz, /readyz")
	fs.StringVar(&f.manifest, "manifest", "", "print the manifest for a platform (slack) and end")
	fs.StringVar(&f.invite, "invite", "", "print the address that invites the bot to a platform (discord) and end")
	fs.StringVar(&f.register, "register", "", "make the slash commands of a platform (mattermost) or say how, and end")
	fs.BoolVar(&f.check, "check", false, "test tokens, permissions, clock and brain, say what to do, and end")
}

// Default fills in what was not given.
func (f *Flags) Default() {
	if f.Names == nil {
		f.Names = List{"terminal"}
	}
	if f.Aliases == nil {
		f.Aliases = List{"!"}
	}
	f.Level.Set(slog.LevelWarn)
}

// List is a flag that may be given several times.
type List []string

func (l *List) String() string     { return strings.Join(*l, " ") }
func (l *List) Set(s string) error { *l = append(*l, s); return nil }

// Print prints what the flags ask for instead of a bot; false: a bot is to run.
func (f *Flags) Print(ctx context.Context, out io.Writer, router *handler.Router) (done bool, err error) {
	if f.manifest == "" && f.invite == "" && f.register == "" {
		return false, nil
	}
	table, err := router.Build(f.Name, f.Aliases)
	if err != nil {
		return true, err
	}
	all := adapter.CommandSpec{Name: f.Name, Summary: "Say anything to the bot.", Usage: f.Name + " COMMAND"}
	specs := append(table.Specs(), all)
	switch {
	case f.manifest == "slack":
		text, err := slack.App{Name: f.Name}.Manifest(specs)
		if err == nil {
			_, err = fmt.Fprintln(out, string(text))
		}
		return true, err
	case f.manifest != "":
		return true, fmt.Errorf("%s: there is no manifest for %q: say slack", f.Program, f.manifest)
	case f.invite == "discord":
		return true, f.printInvite(ctx, out)
	case f.invite != "":
		return true, fmt.Errorf("%s: there is no invitation to %q: say discord", f.Program, f.invite)
	case f.register != "mattermost":
		return true, fmt.Errorf("%s: there is nothing to register with %q: say mattermost (Discord takes the commands when the bot starts, Slack from its manifest)", f.Program, f.register)
	}
	return true, f.registerMattermost(ctx, out, specs)
}

// printInvite prints the address with the permissions that the bot needs.
func (f *Flags) printInvite(ctx context.Context, out io.Writer) error {
	address := discord.Invite(os.Getenv("DISCORD_CLIENT_ID"))
	if os.Getenv("DISCORD_CLIENT_ID") == "" {
		a, err := newDiscord(nil, slog.New(slog.DiscardHandler))
		if err != nil {
			return fmt.Errorf("%s: DISCORD_CLIENT_ID is not set, and without it DISCORD_TOKEN is needed to ask for it: %w", f.Program, err)
		}
		if address, err = a.InviteURL(ctx); err != nil {
			return fmt.Errorf("%s: ask for the id of the application, or set DISCORD_CLIENT_ID: %w", f.Program, err)
		}
	}
	_, err := fmt.Fprintln(out, address)
	return err
}

// registerMattermost makes the slash commands where there is an administrator's token, and says how to make them elsewhere.
func (f *Flags) registerMattermost(ctx context.Context, out io.Writer, specs []adapter.CommandSpec) error {
	callback := os.Getenv("MATTERMOST_CALLBACK_URL")
	if callback == "" {
		return fmt.Errorf("%s: MATTERMOST_CALLBACK_URL is not set: it is where the server reaches this bot, such as https://bot.example.com/adapters/mattermost/", f.Program)
	}
	admin := os.Getenv("MATTERMOST_ADMIN_TOKEN")
	if admin == "" {
		_, err := io.WriteString(out, mattermost.Instructions(callback, specs))
		return err
	}
	cfg := mattermost.Config{URL: os.Getenv("MATTERMOST_URL"), AdminToken: admin}
	tokens, err := mattermost.Register(ctx, cfg, split(os.Getenv("MATTERMOST_TEAM")), callback, specs)
	if len(tokens) > 0 {
		_, perr := fmt.Fprintf(out, "%d slash commands are there. Start the bot with\nMATTERMOST_COMMAND_TOKENS=%s\n", len(tokens), strings.Join(tokens, ","))
		err = errors.Join(err, perr)
	}
	return err
}

// Adapters makes the adapters that were asked for. logs is where the bot's log goes, so that it does not disturb a terminal.
func (f *Flags) Adapters(state *brain.Brain, term terminal.Config) (adapters []adapter.Adapter, logs io.Writer, err error) {
	logs = os.Stderr
	if slices.Contains(f.Names, "terminal") {
		term.BotName = f.Name
		term.Playground = term.Playground && len(f.Names) == 1
		t := terminal.New(term)
		logs = t.LogWriter()
		adapters = append(adapters, t)
	}
	for _, name := range f.Names {
		var a adapter.Adapter
		var err error
		switch name {
		case "terminal":
			continue
		case "slack":
			a, err = newSlack(state, f.Logger(logs))
		case "discord":
			a, err = newDiscord(state, f.Logger(logs))
		case "mattermost":
			a, err = newMattermost(state, f.Logger(logs))
		default:
			err = fmt.Errorf("there is no adapter %q: say terminal, slack, discord or mattermost", name)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", f.Program, err)
		}
		adapters = append(adapters, a)
	}
	return adapters, logs, nil
}

// Logger logs to w from f.Level on.
func (f *Flags) Logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: &f.Level}))
}

// split parts a list of the environment.
func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func newSlack(state *brain.Brain, log *slog.Logger) (adapter.Adapter, error) {
	a, err := slack.New(slack.Config{
		AppToken: os.Getenv("SLACK_APP_TOKEN"), BotToken: os.Getenv("SLACK_BOT_TOKEN"), APIURL: os.Getenv("SLACK_API_URL"),
		SigningSecrets: split(os.Getenv("SLACK_SIGNING_SECRET")), // several while one is being replaced
		Positions:      state.Namespace("slack").Strings(), Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("SLACK_BOT_TOKEN, SLACK_APP_TOKEN, SLACK_SIGNING_SECRET: %w", err)
	}
	return a, nil
}

func newDiscord(state *brain.Brain, log *slog.Logger) (*discord.Adapter, error) {
	cfg := discord.Config{
		Token: os.Getenv("DISCORD_TOKEN"), APIURL: os.Getenv("DISCORD_API_URL"), PublicKeys: split(os.Getenv("DISCORD_PUBLIC_KEY")),
		CommandGuild: os.Getenv("DISCORD_GUILD"), Logger: log,
	}
	if state != nil {
		cfg.Positions = state.Namespace("discord").Strings()
	}
	a, err := discord.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("DISCORD_TOKEN, DISCORD_PUBLIC_KEY: %w", err)
	}
	return a, nil
}

func newMattermost(state *brain.Brain, log *slog.Logger) (adapter.Adapter, error) {
	a, err := mattermost.New(mattermost.Config{
		URL: os.Getenv("MATTERMOST_URL"), Token: os.Getenv("MATTERMOST_TOKEN"), CallbackURL: os.Getenv("MATTERMOST_CALLBACK_URL"),
		CommandTokens: split(os.Getenv("MATTERMOST_COMMAND_TOKENS")), HookTokens: split(os.Getenv("MATTERMOST_HOOK_TOKENS")),
		Secrets:   split(os.Getenv("MATTERMOST_SECRET")),
		Positions: state.Namespace("mattermost").Strings(), Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("MATTERMOST_URL, MATTERMOST_TOKEN, MATTERMOST_CALLBACK_URL: %w", err)
	}
	return a, nil
}

// Run checks the bot where that was asked for, and else runs it until a signal ends it.
func (f *Flags) Run(ctx context.Context, out io.Writer, bot *starling.Bot) error {
	if f.check {
		return f.printChecks(ctx, out, bot)
	}
	return bot.RunUntilSignal(ctx)
}

// printChecks tests everything; its error says that something is to be mended.
func (f *Flags) printChecks(ctx context.Context, out io.Writer, bot *starling.Bot) error {
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
		return fmt.Errorf("%s: %d of the tests failed", f.Program, bad)
	}
	return nil
}
