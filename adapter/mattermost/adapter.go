package mattermost

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/markdown"
	"github.com/starlingbot/starling/internal/health"
	"github.com/starlingbot/starling/internal/life"
	"github.com/starlingbot/starling/internal/lookup"
	"github.com/starlingbot/starling/internal/replay"
	"github.com/starlingbot/starling/internal/retry"
)

// Config is the configuration of an [Adapter]. URL and Token are required.
type Config struct {
	// Name is the adapter's name; default "mattermost". A bot on two servers has two adapters with two names.
	Name string
	// URL is the server's address, such as https://chat.example.com; a path is kept, for a server below one.
	URL string
	// Token is the bot account's: System Console or Integrations, Bot Accounts, "Create New Token".
	Token string
	// Tenant is User.Tenant of everybody; default the host of URL, in lower case. Set it to the old one when the server moves:
	// it is part of every identity that a policy names.
	Tenant string

	// SystemAdmin says that the bot's account has the role System Admin, without which Mattermost lets nobody post what one user
	// alone sees. Without it Features.Ephemeral is false.
	SystemAdmin bool
	// CallbackURL is where the Mattermost server reaches [Adapter.HTTPHandler], such as https://bot.example.com/adapters/mattermost/.
	// Without it Features.Buttons is false and no form can be opened.
	CallbackURL string
	// Secrets sign the buttons and forms that the bot posts, 16 characters or more each: the first signs, all are accepted, so
	// that one can be replaced. Default: a secret made of Token, so that buttons are void when the token is replaced.
	Secrets []string
	// ButtonsFor is how long a button works; default 30 days.
	ButtonsFor time.Duration
	// CommandTokens are those of the slash commands, one for each command and team ([Register] gives them); HookTokens those of
	// outgoing webhooks. What comes with another token is refused.
	CommandTokens, HookTokens []string
	// AdminToken is an administrator's personal access token, for [Register] alone; New and Run do not use it.
	AdminToken string

	// Positions keep how far each room was heard, for reading what was missed after a restart; default nil: in memory, so
	// that only gaps within one process are filled.
	Positions Positions

	// MaxText and MaxFile are what the server takes: default 16,383 characters and 100 MiB, those of a server since version 5
	// whose administrator changed nothing. Check says when they are not those of the server.
	MaxText int
	MaxFile int64

	Logger *slog.Logger // default slog.Default()

	// HTTPClient makes all requests; default one of the adapter's own. It must not retry by itself: that posts twice.
	HTTPClient *http.Client
	// Dialer opens the websocket; default one with the proxy of the environment and a timeout of 45 s.
	Dialer *websocket.Dialer

	CacheUsers int           // users remembered; default 20,000: the one unused for longest is forgotten
	CacheRooms int           // rooms remembered; default 10,000
	CacheFor   time.Duration // how long a name is believed without asking again; default 20 min
}

// Format keeps the tokens out of logs, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "mattermost.Config{Name: %q, URL: %q}", c.Name, c.URL)
}

// Positions keeps strings by key: how far each room was heard. Keys are of A-Z, a-z, 0-9 and "/"; values are under 1 KiB.
// Get gives "" and no error for a key that was never set. It may be used concurrently.
type Positions interface {
	Get(ctx context.Context, key string) (string, error)
	Set(ctx context.Context, key, value string) error
}

// Adapter is the Mattermost adapter. Make one with [New].
type Adapter struct {
	cfg   Config
	log   *slog.Logger
	life  *life.Life
	api   *model.Client4
	http  *client
	md    *markdown.Renderer
	seal  *sealer
	names emojiNames

	me     atomic.Pointer[identity] // who the bot is; nil before the first sign-in
	intake atomic.Pointer[intake]   // of the Run that goes
	doubt  life.Doubt               // whether the token still works

	users    *lookup.Cache[adapter.User]
	byName   *lookup.Cache[string] // "@name" and "#name" -> id
	rooms    *lookup.Cache[room]
	posts    *lookup.Cache[posted] // of the bot, with buttons
	pace     pacer
	places   places
	said     texts
	waiting  waiting
	once     *replay.Cache // callbacks that came
	health   *health.Keeper
	commands atomic.Pointer[map[string]string] // slash command -> command
}

// identity is the bot's own account, and what its server tells of itself.
type identity struct {
	id, name string
	key      *ecdsa.PublicKey // signs trigger ids; nil if the server does not tell it
	maxFile  int64
	maxText  int
	version  string
}

// Guards for what the adapter claims.
var (
	_ adapter.Adapter          = (*Adapter)(nil)
	_ adapter.Editor           = (*Adapter)(nil)
	_ adapter.Deleter          = (*Adapter)(nil)
	_ adapter.Reactor          = (*Adapter)(nil)
	_ adapter.Typer            = (*Adapter)(nil)
	_ adapter.Uploader         = (*Adapter)(nil)
	_ adapter.Opener           = (*Adapter)(nil)
	_ adapter.Directory        = (*Adapter)(nil)
	_ adapter.DirectOpener     = (*Adapter)(nil)
	_ adapter.TopicSetter      = (*Adapter)(nil)
	_ adapter.CommandRegistrar = (*Adapter)(nil)
	_ adapter.FormOpener       = (*Adapter)(nil)
	_ adapter.Historian        = (*Adapter)(nil)
	_ adapter.Finder           = (*Adapter)(nil)
	_ adapter.HTTPHandler      = (*Adapter)(nil)
	_ adapter.HealthReporter   = (*Adapter)(nil)
	_ adapter.Checker          = (*Adapter)(nil)
	_ adapter.Closer           = (*Adapter)(nil)
	_ adapter.Renderer         = (*Adapter)(nil)
)

var nameForm = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// New makes a Mattermost adapter. It uses no network; all that is wrong with cfg is in one error, which holds no secret.
func New(cfg Config) (*Adapter, error) {
	cfg = cfg.withDefaults()
	if err := check(cfg); err != nil {
		return nil, fmt.Errorf("mattermost: %w", err)
	}
	a := &Adapter{cfg: cfg, log: cfg.Logger.With("adapter", cfg.Name), md: markdown.Mattermost(), names: newEmojiNames()}
	a.health = health.New(a.log)
	a.life, a.doubt = life.New("mattermost"), life.NewDoubt()
	a.http = newClient(a, cfg.HTTPClient)
	a.api = a.http.library(cfg.URL, cfg.Token)
	a.seal = newSealer(cfg)
	a.users = lookup.New[adapter.User](a.life.Context(), a.life.Begin, cfg.CacheUsers, cfg.CacheFor)
	a.byName = lookup.New[string](a.life.Context(), a.life.Begin, cfg.CacheUsers, cfg.CacheFor)
	a.rooms = lookup.New[room](a.life.Context(), a.life.Begin, cfg.CacheRooms, cfg.CacheFor)
	a.posts = lookup.New[posted](a.life.Context(), a.life.Begin, maxPosted, cfg.CacheFor)
	a.places.init(cfg.Positions)
	a.said.init()
	a.waiting.init()
	a.once = replay.New()
	return a, nil
}

func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = "mattermost"
	}
	c.URL = strings.TrimRight(c.URL, "/")
	if u, err := url.Parse(c.URL); err == nil && c.Tenant == "" {
		c.Tenant = strings.ToLower(u.Host)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.ButtonsFor <= 0 {
		c.ButtonsFor = 30 * 24 * time.Hour
	}
	if c.MaxText <= 0 {
		c.MaxText = model.PostMessageMaxRunesV2
	}
	if c.MaxFile <= 0 {
		c.MaxFile = 100 << 20
	}
	if c.CacheUsers <= 0 {
		c.CacheUsers = 20_000
	}
	if c.CacheRooms <= 0 {
		c.CacheRooms = 10_000
	}
	if c.CacheFor <= 0 {
		c.CacheFor = 20 * time.Minute
	}
	c.Secrets, c.CommandTokens, c.HookTokens = slices.Clone(c.Secrets), slices.Clone(c.CommandTokens), slices.Clone(c.HookTokens)
	return c
}

// check finds all that is wrong with a configuration.
func check(cfg Config) error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !nameForm.MatchString(cfg.Name) {
		wrong("Config.Name %q is not 1 to 64 of a-z, 0-9, - and _", cfg.Name)
	}
	switch {
	case cfg.URL == "":
		wrong("Config.URL is empty: give the server's address, as in https://chat.example.com")
	case !webAddress(cfg.URL):
		wrong("Config.URL is not an http address: give the server's, as in https://chat.example.com, without a user, a query or #")
	}
	switch t := cfg.Token; {
	case t == "":
		wrong("Config.Token is empty: make a bot account (Integrations, Bot Accounts, Add Bot Account) and copy the token that is shown once")
	case strings.ContainsFunc(t, space):
		wrong("Config.Token: there is white space in it; copy it again")
	}
	if cfg.CallbackURL != "" && !webAddress(cfg.CallbackURL) {
		wrong("Config.CallbackURL is not an http address: give the one under which the Mattermost server reaches the bot, as in https://bot.example.com/adapters/mattermost/")
	}
	for i, s := range cfg.Secrets {
		if len(s) < 16 {
			wrong("Config.Secrets[%d] has under 16 characters: a secret that can be guessed would let anybody press any button; take 32 random ones", i)
		}
	}
	for _, list := range []struct {
		name   string
		tokens []string
	}{{"CommandTokens", cfg.CommandTokens}, {"HookTokens", cfg.HookTokens}} {
		for i, t := range list.tokens {
			if t == "" || strings.ContainsFunc(t, space) {
				wrong("Config.%s[%d] is empty or has white space: an empty token would let anybody in; copy it from Integrations", list.name, i)
			}
		}
	}
	return errors.Join(errs...)
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

func space(r rune) bool { return r <= ' ' }

// Name implements [adapter.Adapter].
func (a *Adapter) Name() string { return a.cfg.Name }

// String gives the name; what the adapter holds is never shown.
func (a *Adapter) String() string { return "mattermost adapter " + a.cfg.Name }

// Format keeps the tokens out of logs, whatever the verb.
func (a *Adapter) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(a.String())) }

// idempotent is how long the server knows a pending post id (app/post.go of the server: PendingPostIDsCacheTTL; in the memory
// of one process).
const idempotent = 30 * time.Second

// Features implements [adapter.Adapter]. Buttons need Config.CallbackURL, Ephemeral needs Config.SystemAdmin, and Replay, the
// reading of what was not taken before a restart, Config.Positions.
func (a *Adapter) Features() adapter.Features {
	return adapter.Features{
		MaxText: a.cfg.MaxText, Unit: adapter.UnitRunes, MaxFile: a.cfg.MaxFile, IdempotentSend: idempotent,
		Threads: true, Files: true, Fields: true, Buttons: a.cfg.CallbackURL != "", Ephemeral: a.cfg.SystemAdmin, Replay: a.cfg.Positions != nil,
	}
}

// Close implements [adapter.Closer]: all verbs give [adapter.ErrClosed] from now on, and a Run that still goes ends.
func (a *Adapter) Close() error {
	a.life.End()
	a.http.web.Close()
	return nil
}

// Run implements [adapter.Adapter]: it checks the token, connects, delivers, and connects again until ctx ends. It returns
// an error only for what no retry cures: [adapter.ErrAuth] for a token that does not work, or no longer does.
func (a *Adapter) Run(ctx context.Context, sink adapter.Sink) error {
	return a.life.Run(ctx, func(ctx context.Context, end func(error)) error {
		if err := a.signIn(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		in := newIntake(ctx, a, sink)
		a.intake.Store(in)
		var wg sync.WaitGroup
		wg.Go(func() { a.doubt.Watch(ctx, tokenEvery, a.authTest, fatal, end) })
		wg.Go(func() { a.keepPlaces(ctx) })
		err := a.runSocket(ctx, in)
		end(nil)
		a.intake.Store(nil)
		in.lanes.Wait()
		wg.Wait()
		a.savePlaces()
		a.health.Set(func(h *adapter.Status) { h.Connected = false })
		return err
	})
}

const (
	callLimit  = 20 * time.Second // of one call that nobody else bounds
	tokenEvery = 5 * time.Minute  // a revoked token leaves the websocket open: it is asked about now and then
)

// fatal tells whether trying again is useless.
func fatal(err error) bool { return errors.Is(err, adapter.ErrAuth) }

// signIn learns who the bot is and what its server is like.
func (a *Adapter) signIn(ctx context.Context) error {
	return retry.Until(ctx, fatal, func(err error, after time.Duration) {
		a.log.Warn("mattermost cannot be asked who the bot is; trying again", "error", err, "after", after)
		a.health.Set(func(h *adapter.Status) { h.LastError = err.Error() })
	}, func() error { return a.authTest(ctx) })
}

// authTest asks whether the token works, and the first time what the server is like.
func (a *Adapter) authTest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	c := a.with(ctx)
	me, resp, err := c.GetMe("")
	if err != nil {
		return a.fail("check the token", resp, err)
	}
	if !model.IsValidId(me.Id) || me.Username == "" {
		return errors.New("mattermost: check the token: the answer names no account: is Config.URL the address of a Mattermost server?")
	}
	now := &identity{id: me.Id, name: me.Username}
	if old := a.me.Load(); old != nil && old.id == me.Id {
		*now = *old
		now.name = me.Username
	} else if err := a.learn(ctx, now); err != nil {
		return err
	}
	a.me.Store(now)
	return nil
}

// Check tests, without running, what a bot needs: the token, the limits, the clock. The error joins all that is wrong, each with
// its cure; nil if Run would work now.
func (a *Adapter) Check(ctx context.Context) error {
	if err := a.life.Usable(ctx, "check"); err != nil {
		return err
	}
	if err := a.authTest(ctx); err != nil {
		return err
	}
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("mattermost: "+format, args...)) }
	me := a.me.Load()
	if me.maxText > 0 && me.maxText < a.cfg.MaxText {
		wrong("the server takes posts of %d characters and Config.MaxText is %d: set it to %d", me.maxText, a.cfg.MaxText, me.maxText)
	}
	if me.maxFile > 0 && me.maxFile < a.cfg.MaxFile {
		wrong("the server takes files of %d bytes and Config.MaxFile is %d: set it to %d", me.maxFile, a.cfg.MaxFile, me.maxFile)
	}
	if a.cfg.SystemAdmin {
		if err := a.isAdmin(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	if skew := a.http.web.Skew(); skew.Abs() > time.Minute {
		wrong("the clock of this machine is off by %v: set it (NTP); over five minutes buttons and slash commands are refused", -skew.Round(time.Second))
	}
	return errors.Join(errs...)
}

// isAdmin tells whether the bot's account has the role that Config.SystemAdmin claims.
func (a *Adapter) isAdmin(ctx context.Context) error {
	me, resp, err := a.with(ctx).GetMe("")
	if err != nil {
		return a.fail("check the role", resp, err)
	}
	if !slices.Contains(strings.Fields(me.Roles), model.SystemAdminRoleId) {
		return fmt.Errorf("mattermost: check the role: %w: Config.SystemAdmin is set and the account @%s has not the role %s: give it the role, or leave Config.SystemAdmin out",
			adapter.ErrForbidden, me.Username, model.SystemAdminRoleId)
	}
	return nil
}

// known signs in where nobody did yet.
func (a *Adapter) known(ctx context.Context) (*identity, error) {
	if me := a.me.Load(); me != nil {
		return me, nil
	}
	if err := a.authTest(ctx); err != nil {
		return nil, err
	}
	return a.me.Load(), nil
}
