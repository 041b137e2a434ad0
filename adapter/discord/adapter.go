package discord

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
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

	"github.com/bwmarrin/discordgo"
	"github.com/gorilla/websocket"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/markdown"
	"github.com/starlingbot/starling/internal/apiclient"
	"github.com/starlingbot/starling/internal/health"
	"github.com/starlingbot/starling/internal/life"
	"github.com/starlingbot/starling/internal/lookup"
	"github.com/starlingbot/starling/internal/pace"
	"github.com/starlingbot/starling/internal/retry"
)

// Config is the configuration of an [Adapter]. Token is required.
type Config struct {
	// Name is the adapter's name; default "discord".
	Name string
	// Token is the bot's: "Reset Token" on the application's page Bot. With or without "Bot " before it.
	Token string
	// PublicKeys turn HTTP mode for interactions on: "Public Key" on the application's page General Information, 64
	// hexadecimal digits. Several are for a change of application.
	PublicKeys []string
	// NoGateway leaves the gateway out: then there are no messages, only interactions over HTTP, and PublicKeys is required.
	NoGateway bool

	// Intents are what the gateway is asked for; default [DefaultIntents]. Fewer are for a bot that does less.
	Intents int
	// Guilds are the ids of the servers whose members count as members; default nil: all that the bot is in. People of
	// other servers are KindExternal.
	Guilds []string
	// CommandGuild is the id of the one server that gets the slash commands; default "": all servers and direct rooms.
	CommandGuild string
	// Positions keep how far each room was heard, for reading what was missed after a restart; default nil: in memory, so
	// that only gaps within one process are filled.
	Positions Positions

	Logger *slog.Logger // default slog.Default()

	// APIURL is the base of the REST API, version 9; default https://discord.com/api/v9/. For tests and proxies. The
	// gateway's address comes from its answer.
	APIURL string
	// HTTPClient makes all requests; default one of the adapter's own. It must not retry by itself: that posts twice.
	HTTPClient *http.Client
	// Dialer opens the websocket; default one with the proxy of the environment and a timeout of 20 s.
	Dialer *websocket.Dialer

	CacheUsers int           // users remembered; default 20,000: the one unused for longest is forgotten
	CacheRooms int           // rooms and threads remembered; default 10,000
	CacheFor   time.Duration // how long a name is believed without asking again; default 20 min
}

// Format keeps the token out of logs, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "discord.Config{Name: %q}", c.Name)
}

// Positions keeps strings by key: how far each room was heard. Keys are of A-Z, a-z, 0-9 and "/"; values are under 1 KiB.
// Get gives "" and no error for a key that was never set. It may be used concurrently.
type Positions interface {
	Get(ctx context.Context, key string) (string, error)
	Set(ctx context.Context, key, value string) error
}

// Adapter is the Discord adapter. Make one with [New].
type Adapter struct {
	cfg    Config
	log    *slog.Logger
	life   *life.Life
	web    *apiclient.Client
	http   *client            // of the library, over web
	rest   *discordgo.Session // for its requests alone: the connection is ours
	md     *markdown.Renderer
	verify *verifier // nil without public keys

	me     atomic.Pointer[identity] // who the bot is; nil before the first sign-in
	intake atomic.Pointer[intake]   // of the Run that goes
	doubt  life.Doubt               // whether the token still works

	dialed, identified time.Time // of the last connection and session; of the Run that goes

	users    *lookup.Cache[adapter.User]
	channels *lookup.Cache[channel]
	kinds    *lookup.Cache[adapter.UserKind] // by user id: what somebody is where no event says it
	index    *lookup.Cache[lookup.Names]
	guilds   guilds
	pace     *pace.Rooms // what Discord refuses is kept back by its route: see limits
	limits   limits
	places   places
	alive    atomic.Pointer[time.Time] // when the last heartbeat was sent that Discord answered, by its clock
	answers  answers
	spoken   spoken
	health   *health.Keeper
	empty    atomic.Int64 // messages without their content
	commands atomic.Pointer[commandSet]
}

// identity is the bot's own account and its application.
type identity struct {
	user, name, app string
	flags           int // of the application
	key             string
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
	_ adapter.HTTPHandler      = (*Adapter)(nil)
	_ adapter.HealthReporter   = (*Adapter)(nil)
	_ adapter.Checker          = (*Adapter)(nil)
	_ adapter.Closer           = (*Adapter)(nil)
	_ adapter.Renderer         = (*Adapter)(nil)
)

var nameForm = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// New makes a Discord adapter. It uses no network; all that is wrong with cfg is in one error, which holds no secret.
func New(cfg Config) (*Adapter, error) {
	if cfg.Name == "" {
		cfg.Name = "discord"
	}
	cfg.Token = strings.TrimPrefix(cfg.Token, "Bot ")
	if cfg.APIURL == "" {
		cfg.APIURL = discordgo.EndpointAPI
	}
	if !strings.HasSuffix(cfg.APIURL, "/") {
		cfg.APIURL += "/"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Intents == 0 {
		cfg.Intents = DefaultIntents()
	}
	if cfg.CacheUsers <= 0 {
		cfg.CacheUsers = 20_000
	}
	if cfg.CacheRooms <= 0 {
		cfg.CacheRooms = 10_000
	}
	if cfg.CacheFor <= 0 {
		cfg.CacheFor = 20 * time.Minute
	}
	cfg.PublicKeys = slices.Clone(cfg.PublicKeys)
	cfg.Guilds = slices.Clone(cfg.Guilds)
	keys, err := check(cfg)
	if err != nil {
		return nil, fmt.Errorf("discord: %w", err)
	}

	a := &Adapter{cfg: cfg, log: cfg.Logger.With("adapter", cfg.Name), md: markdown.Discord()}
	a.health = health.New(a.log)
	a.life, a.doubt = life.New("discord"), life.NewDoubt()
	a.web = apiclient.New(cfg.HTTPClient)
	a.http = &client{web: a.web, base: cfg.APIURL}
	a.limits.init()
	if a.rest, err = discordgo.New("Bot " + cfg.Token); err != nil {
		return nil, fmt.Errorf("discord: %w", err)
	}
	a.rest.Client = &http.Client{Transport: a.http}
	a.rest.LogLevel = -1                                            // it writes to the standard logger, addresses too
	a.rest.MaxRestRetries, a.rest.ShouldRetryOnRateLimit = 0, false // what it retries may post twice, and it waits without a context
	a.users = lookup.New[adapter.User](a.life.Context(), a.life.Begin, cfg.CacheUsers, cfg.CacheFor)
	a.channels = lookup.New[channel](a.life.Context(), a.life.Begin, cfg.CacheRooms, cfg.CacheFor)
	a.kinds = lookup.New[adapter.UserKind](a.life.Context(), a.life.Begin, cfg.CacheUsers, cfg.CacheFor)
	a.index = lookup.New[lookup.Names](a.life.Context(), a.life.Begin, 2, cfg.CacheFor)
	a.guilds.init()
	a.pace = pace.New(a.life.Context(), paceEvery, paceBurst)
	a.places.init(cfg.Positions)
	a.answers.init()
	a.spoken.init()
	if len(keys) > 0 {
		a.verify = newVerifier(keys)
	}
	return a, nil
}

// DefaultIntents are what everything here needs: rooms, members (privileged), messages and their content (privileged),
// reactions, direct messages (https://discord.com/developers/docs/events/gateway#gateway-intents).
func DefaultIntents() int {
	return int(discordgo.IntentsGuilds | discordgo.IntentsGuildMembers | discordgo.IntentsGuildMessages | discordgo.IntentsGuildMessageReactions |
		discordgo.IntentsDirectMessages | discordgo.IntentsDirectMessageReactions | discordgo.IntentsMessageContent)
}

// check finds all that is wrong with a configuration, and reads the public keys.
func check(cfg Config) (keys []ed25519.PublicKey, err error) {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !nameForm.MatchString(cfg.Name) {
		wrong("Config.Name %q is not 1 to 64 of a-z, 0-9, - and _", cfg.Name)
	}
	switch t := cfg.Token; {
	case t == "":
		wrong("Config.Token is empty: copy it from the application's page Bot on https://discord.com/developers/applications (Reset Token)")
	case strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r > '~' }):
		wrong("Config.Token: there is white space or another odd character in it; copy it again")
	case isHex64(t):
		wrong("Config.Token: this is a public key; the token is on the page Bot (Reset Token)")
	case strings.Count(t, ".") != 2:
		wrong("Config.Token: a bot token has three parts with dots between them (page Bot, Reset Token); this is something else, perhaps the client secret")
	}
	for i, k := range cfg.PublicKeys {
		key, err := hex.DecodeString(k)
		if err != nil || len(key) != ed25519.PublicKeySize {
			wrong("Config.PublicKeys[%d] is not 64 hexadecimal digits: copy the Public Key from the application's page General Information", i)
			continue
		}
		keys = append(keys, key)
	}
	if cfg.NoGateway && len(cfg.PublicKeys) == 0 {
		wrong("Config.NoGateway without Config.PublicKeys: nothing could come in; give the Public Key from the page General Information")
	}
	for i, g := range cfg.Guilds {
		if !isID(g) {
			wrong("Config.Guilds[%d] is not the id of a server: turn on developer mode in Discord's settings and copy the server's id", i)
		}
	}
	if cfg.CommandGuild != "" && !isID(cfg.CommandGuild) {
		wrong("Config.CommandGuild is not the id of a server: turn on developer mode in Discord's settings and copy the server's id")
	}
	if u, err := url.Parse(cfg.APIURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		wrong("Config.APIURL is not an http address: leave it empty for Discord's own")
	}
	return keys, errors.Join(errs...)
}

func isHex64(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 64
}

// Name implements [adapter.Adapter].
func (a *Adapter) Name() string { return a.cfg.Name }

// String gives the name; what the adapter holds is never shown.
func (a *Adapter) String() string { return "discord adapter " + a.cfg.Name }

// Format keeps the token out of logs, whatever the verb.
func (a *Adapter) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(a.String())) }

// The limits, see doc.go.
const (
	maxText       = 2_000    // characters (https://discord.com/developers/docs/resources/message#create-message)
	maxFile       = 10 << 20 // bytes (https://discord.com/developers/docs/reference#uploading-files)
	maxFiles      = 10
	maxLabel      = 80  // characters on a button (https://discord.com/developers/docs/components/reference#button)
	maxCustomID   = 100 // characters of a button's command
	maxRows       = 5
	maxRow        = 5
	maxFields     = 25 // of an embed (https://discord.com/developers/docs/resources/message#embed-object-embed-limits)
	maxFieldName  = 256
	maxFieldValue = 1_024
	maxEmbed      = 6_000
	maxTopic      = 1_024

	// sameNonce is how long a repeated nonce certainly is the same message: Discord says "the past few minutes"
	// (https://discord.com/developers/docs/resources/message#create-message).
	sameNonce = 2 * time.Minute
)

// Features implements [adapter.Adapter]. Message.Only is honoured in the answer to an interaction alone: EphemeralOrigin.
func (a *Adapter) Features() adapter.Features {
	return adapter.Features{
		MaxText: maxText, Unit: adapter.UnitUTF16, MaxFile: maxFile,
		Threads: true, Buttons: true, Files: true, Fields: true, Ephemeral: true, EphemeralOrigin: true, IdempotentSend: sameNonce,
	}
}

// Close implements [adapter.Closer]: all verbs give [adapter.ErrClosed] from now on, and a Run that still goes ends.
func (a *Adapter) Close() error {
	a.life.End()
	a.web.Close()
	return nil
}

// Run implements [adapter.Adapter]: it checks the token, connects, delivers, and connects again until ctx ends. It returns
// an error only for what no retry cures: [adapter.ErrAuth] for a token that does not work, [adapter.ErrForbidden] for an
// intent that is not turned on, which it names.
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
		wg.Go(func() { a.doubt.Watch(ctx, 0, a.identify, fatal, end) })
		wg.Go(func() { a.keep(ctx, in) })
		var err error
		if a.cfg.NoGateway {
			a.health.Set(func(h *adapter.Status) { h.Connected, h.Since = true, time.Now() })
			<-ctx.Done()
		} else {
			err = a.runSocket(ctx, in)
		}
		end(nil)
		a.intake.Store(nil)
		wg.Wait() // first those who fill, then what they filled
		in.lanes.Wait()
		a.savePlaces()
		a.health.Set(func(h *adapter.Status) { h.Connected = false })
		return err
	})
}

// fatalError ends a Run.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

const callLimit = 20 * time.Second // of one call that nobody else bounds

// signIn learns who the bot is and what it may do.
func (a *Adapter) signIn(ctx context.Context) error {
	if err := retry.Until(ctx, fatal, func(err error, after time.Duration) {
		a.log.Warn("discord cannot be asked who the bot is; trying again", "error", err, "after", after)
		a.health.Set(func(h *adapter.Status) { h.LastError = err.Error() })
	}, func() error { return a.identify(ctx) }); err != nil {
		return err
	}
	return a.intents()
}

// fatal tells whether trying again is useless.
func fatal(err error) bool {
	var f *fatalError
	return errors.Is(err, adapter.ErrAuth) || errors.As(err, &f)
}

// identify asks who the bot is.
func (a *Adapter) identify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	var user wireUser
	if err := a.call(ctx, "check the token", http.MethodGet, "users/@me", nil, &user); err != nil {
		return err
	}
	var app struct {
		ID    string `json:"id"`
		Flags int    `json:"flags"`
		Key   string `json:"verify_key"`
	}
	if err := a.call(ctx, "check the application", http.MethodGet, "applications/@me", nil, &app); err != nil {
		return err
	}
	if !isID(user.ID) || !isID(app.ID) {
		return errors.New("discord: check the token: the answer does not say who the bot is")
	}
	a.me.Store(&identity{user: user.ID, name: user.name(), app: app.ID, flags: app.Flags, key: app.Key})
	return nil
}

// The switches of privileged intents in an application's flags
// (https://discord.com/developers/docs/resources/application#application-object-application-flags).
var privileged = [...]struct {
	intent discordgo.Intent
	flags  int
	name   string
}{
	{discordgo.IntentsGuildMembers, 1<<14 | 1<<15, "Server Members Intent"},
	{discordgo.IntentsMessageContent, 1<<18 | 1<<19, "Message Content Intent"},
	{discordgo.IntentsGuildPresences, 1<<12 | 1<<13, "Presence Intent"},
}

// intents wants the privileged intents that are asked for to be turned on.
func (a *Adapter) intents() error {
	me := a.me.Load()
	if a.cfg.NoGateway || me == nil {
		return nil
	}
	var off []string
	for _, p := range privileged {
		if a.cfg.Intents&int(p.intent) != 0 && me.flags&p.flags == 0 {
			off = append(off, p.name)
		}
	}
	if len(off) > 0 {
		return fmt.Errorf("discord: check the intents: %w: turn on %s on the application's page Bot, Privileged Gateway Intents, or leave them out of Config.Intents",
			adapter.ErrForbidden, strings.Join(off, " and "))
	}
	return nil
}

// known signs in where nobody did yet.
func (a *Adapter) known(ctx context.Context) error {
	if a.me.Load() != nil {
		return nil
	}
	return a.identify(ctx)
}
