package admin

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// Config says what the commands work on and who may run them.
type Config struct {
	// Bot is the bot: admin.Of(func() *starling.Bot { return bot }). Required.
	Bot Bot
	// Switch is what disable and enable work on, which must be in use (Router.Use(off.Enforce)). nil: there are no such commands.
	Switch *Switch
	// Level is that of the bot's logger (slog.HandlerOptions.Level). nil: there is no loglevel.
	Level *slog.LevelVar
	// Backup is the brain that backup exports, the root one for all. nil: there is no backup.
	Backup *brain.Brain

	// Policy is that of every command, for the guard.
	Policy handler.Policy
	// May tells who may run the commands, besides the guard. Required where Policy asks for nothing.
	May func(ctx context.Context, u adapter.User) (bool, error)
	// Audit records a command before it has an effect; an error means that it does nothing. nil: the bot's log alone tells of it.
	Audit func(ctx context.Context, a Action) error

	// Version is what status shows; default that of the program's build information.
	Version string
}

// Action is a command of this package that is about to run.
type Action struct {
	Command     string // its name
	Args        string // its arguments as they were understood
	By          adapter.User
	Room        adapter.Address
	Correlation string
}

type commands struct {
	Config
	begun time.Time
}

// New makes the router.
func New(cfg Config) (*handler.Router, error) {
	var errs []error
	if cfg.Bot == nil {
		errs = append(errs, errors.New("admin: Config.Bot is nil; give it admin.Of(func() *starling.Bot { return bot })"))
	}
	if cfg.May == nil && cfg.Policy.IsZero() {
		errs = append(errs, errors.New("admin: Config.May is nil and Config.Policy asks for nothing, so that everybody would be an admin; say who may"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if cfg.Version == "" {
		cfg.Version = version()
	}
	c := &commands{Config: cfg, begun: time.Now()}
	rt := handler.NewRouter()
	add := func(route *handler.Route) {
		if cfg.Switch != nil {
			cfg.Switch.own = append(cfg.Switch.own, route)
		}
	}
	add(rt.Add(handler.Command[handler.None]{
		Name: "status", Summary: "Show how the bot is.", Policy: cfg.Policy, Run: checked(c, "status", none, c.status), OnCrash: handler.OnCrashRerun,
	}))
	add(rt.Add(handler.Command[handler.None]{
		Name: "dead list", Summary: "List the events that could not be handled.", Policy: cfg.Policy,
		Run: checked(c, "dead list", none, c.deadList), OnCrash: handler.OnCrashRerun,
	}))
	add(rt.Add(handler.Command[letterArgs]{
		Name: "dead show", Summary: "Show an event that could not be handled.", Policy: cfg.Policy,
		Run: checked(c, "dead show", letterArgs.words, c.deadShow), OnCrash: handler.OnCrashRerun,
	}))
	add(rt.Add(handler.Command[letterArgs]{
		Name: "dead replay", Summary: "Handle such an event again.", Policy: cfg.Policy,
		Run: checked(c, "dead replay", letterArgs.words, c.deadReplay), OnCrash: handler.OnCrashRerun, // which Once makes one
	}))
	if cfg.Switch != nil {
		rt.Complete("admin-route", func(context.Context, string) []string { return c.routeIDs() })
		add(rt.Add(handler.Command[disableArgs]{
			Name: "disable", Summary: "Switch a route off.", Policy: cfg.Policy, Examples: []string{"disable deploy because the cluster is being moved"},
			Run: allowed(c, c.disable), OnCrash: handler.OnCrashRerun, // a change that is made once however often it runs
		}))
		add(rt.Add(handler.Command[enableArgs]{
			Name: "enable", Summary: "Switch a route on again.", Policy: cfg.Policy, Examples: []string{"enable deploy"},
			Run: allowed(c, c.enable), OnCrash: handler.OnCrashRerun,
		}))
	}
	if cfg.Level != nil {
		add(rt.Add(handler.Command[levelArgs]{
			Name: "loglevel", Summary: "Show or change how much this process logs.", Policy: cfg.Policy, Examples: []string{"loglevel debug"},
			Run: checked(c, "loglevel", levelArgs.words, c.loglevel), OnCrash: handler.OnCrashRerun,
		}))
	}
	if cfg.Backup != nil {
		add(rt.Add(handler.Command[handler.None]{
			Name: "backup", Summary: "Send the brain as a file, in private.", Policy: cfg.Policy, Background: true, Timeout: backupTimeout,
			Run: allowed(c, c.backup), Needs: []handler.Verb{handler.VerbUpload}, OnCrash: handler.OnCrashReport,
		}))
	}
	return rt, nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func none(handler.None) string { return "" }

// run is a command's function.
type run[A any] func(ctx context.Context, r *handler.Request, a A) error

// allowed asks Config.May before f.
func allowed[A any](c *commands, f run[A]) run[A] {
	return func(ctx context.Context, r *handler.Request, a A) error {
		if c.May != nil {
			ok, err := c.May(ctx, r.Event.User)
			if err != nil {
				return err
			}
			if !ok {
				r.Log().Warn("a command of an admin was refused")
				return handler.UserErrorf("That is for those who run the bot.")
			}
		}
		return f(ctx, r, a)
	}
}

// checked asks Config.May and Config.Audit before f.
func checked[A any](c *commands, name string, words func(A) string, f run[A]) run[A] {
	return allowed(c, func(ctx context.Context, r *handler.Request, a A) error {
		if err := c.audit(ctx, r, name, words(a)); err != nil {
			return err
		}
		return f(ctx, r, a)
	})
}

// audit records what is about to happen. Its error is for the person.
func (c *commands) audit(ctx context.Context, r *handler.Request, name, args string) error {
	r.Log().Info("a command of an admin", "command", strings.TrimSpace(name+" "+args))
	if c.Audit == nil {
		return nil
	}
	err := c.Audit(ctx, Action{Command: name, Args: args, By: r.Event.User, Room: r.Event.Address(), Correlation: r.CorrelationID()})
	if err != nil {
		return &handler.UserError{Text: "Nothing was done, because it could not be audited.", Err: err}
	}
	return nil
}

type levelArgs struct {
	Level string `arg:"level" optional:"" enum:"debug,info,warn,error" help:"the least that is logged"`
}

func (a levelArgs) words() string { return a.Level }

// loglevel changes the level of this process, until it ends.
func (c *commands) loglevel(ctx context.Context, r *handler.Request, a levelArgs) error {
	if a.Level == "" {
		return r.Reply(ctx, "This process logs from %s on.", strings.ToLower(c.Level.Level().String()))
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.Level)); err != nil {
		return err
	}
	before := c.Level.Level()
	c.Level.Set(level)
	return r.Reply(ctx, "This process logs from %s on, until it ends; it was %s.", strings.ToLower(level.String()), strings.ToLower(before.String()))
}
