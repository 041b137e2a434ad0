// Opsbot is the bot of a team that runs services: it deploys, shows, rolls back and reminds. The services are harmless
// demonstrations; everything else is as in earnest.
//
//	go run ./examples/opsbot
//	go run ./examples/opsbot -adapter slack -adapter discord -http :8080
//
// The flags -check, -manifest, -invite and -register are those of examples/anywhere. With -team FILE it has roles, approvals and an
// audit log, signed with OPSBOT_AUDIT_KEY (32 random characters or more); with OPSBOT_FACTOR_KEYS, keys of package brain/sealed,
// second factors too. SIGHUP reads the rules of the file again. All that it reads from the environment is listed by -h.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter/terminal"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/examples/internal/setup"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/platforms"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("opsbot", flag.ExitOnError)
	flags := platforms.Flags{Program: "opsbot"}
	flags.Add(fs)
	file := fs.String("brain", "", "file that keeps the bot's state, or \"memory\" to keep nothing (default opsbot.db in the user's state folder)")
	step := fs.Duration("step", time.Second, "how long a step of a deployment takes")
	teamPath := fs.String("team", "", "file that says who may do what, such as examples/opsbot/testdata/team.json; without it everybody may do everything")
	zone := fs.String("zone", "UTC", "time zone of dates and times of day, such as Europe/Berlin")
	setup.Usage(fs, true,
		setup.Variable{Name: auditKeyVar, For: "-team: the key that signs the audit log, 32 random characters or more, the same at every start"},
		setup.Variable{Name: factorKeyVar, For: "-team: keys that seal second factors, such as k1:BASE64 of 32 random bytes, newest first; without them there are none"})
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("opsbot: %q is no flag; flags begin with -, and -h lists them", fs.Arg(0))
	}
	flags.Default()
	var charge teamFile
	var rules starling.Rules
	var err error
	if *teamPath != "" {
		if charge, rules, err = readTeam(*teamPath); err != nil {
			return err
		}
	}
	printed, err := printable(*step, *teamPath != "", charge, rules)
	if err != nil {
		return err
	}
	if done, err := flags.Print(ctx, out, printed); done {
		return err
	}
	home, err := time.LoadLocation(*zone)
	if err != nil {
		return fmt.Errorf("opsbot: -zone: %w", err)
	}
	var where bytes.Buffer
	store, err := setup.Open("opsbot", *file, &where)
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
	adapters, logs, err := flags.Adapters(state, terminal.Config{Playground: true, Interrupt: stop})
	if err != nil {
		return err
	}
	if _, err := where.WriteTo(logs); err != nil {
		return err
	}
	start := func(bot *starling.Bot) error {
		if inUse != nil {
			return setup.Check(ctx, out, bot, inUse)
		}
		return flags.Run(ctx, out, bot)
	}
	cfg := starling.Config{
		Name: flags.Name, Aliases: flags.Aliases, Zone: home, Adapters: adapters, Brain: state,
		HTTP: flags.HTTP, Logger: flags.Logger(logs),
	}
	if *teamPath == "" {
		if cfg.Router, err = routes(*step, nil); err != nil {
			return err
		}
		bot, err := starling.New(cfg)
		if err != nil {
			return err
		}
		return start(bot)
	}
	t, err := newTeam(charge, rules, state, os.Getenv(auditKeyVar), os.Getenv(factorKeyVar))
	if err != nil {
		return err
	}
	t.level = &flags.Level // that of the adapters' logs, too
	if cfg.Router, err = routes(*step, t); err != nil {
		return err
	}
	cfg.Policies = t.rules
	if t.bot, err = starling.New(cfg); err != nil {
		return err
	}
	if err := t.begin(ctx); err != nil {
		return errors.Join(err, t.close())
	}
	go t.reload(ctx, *teamPath, cfg.Logger)
	return errors.Join(start(t.bot), t.close())
}

// printable makes the routes whose commands are printed for a platform: those of the bot with this team, which talks to nobody.
func printable(step time.Duration, guarded bool, file teamFile, rules starling.Rules) (*handler.Router, error) {
	if !guarded {
		return routes(step, nil)
	}
	key, factors := strings.Repeat("x", 32), os.Getenv(factorKeyVar)
	t, err := newTeam(file, rules, brain.New(memory.New()), key, factors)
	if err != nil {
		return nil, err
	}
	rt, err := routes(step, t)
	return rt, errors.Join(err, t.close())
}
