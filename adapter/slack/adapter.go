package slack

import (
	"context"
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
	slackgo "github.com/slack-go/slack"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/apiclient"
	"github.com/starlingbot/starling/internal/health"
	"github.com/starlingbot/starling/internal/life"
	"github.com/starlingbot/starling/internal/lookup"
	"github.com/starlingbot/starling/internal/pace"
	"github.com/starlingbot/starling/internal/retry"
)

// Config is the configuration of an [Adapter]. BotToken is required, and AppToken or SigningSecrets or both.
type Config struct {
	// Name is the adapter's name; default "slack". A bot in two workspaces has two adapters with two names.
	Name string
	// BotToken begins with xoxb-: "Bot User OAuth Token" on the app's page OAuth & Permissions.
	BotToken string
	// AppToken begins with xapp- and has the scope connections:write: "App-Level Tokens" on the app's page Basic
	// Information. It turns Socket Mode on; without it events come over HTTP alone.
	AppToken string
	// SigningSecrets turn HTTP mode on: "Signing Secret" on the app's page Basic Information. While a secret is being
	// replaced both are given.
	SigningSecrets []string

	// Scopes are what Run wants the bot token to have; default [DefaultScopes]. A shorter list is for a bot that does less.
	Scopes []string
	// Positions keep how far each room was heard, for reading what was missed after a restart; default nil: in memory, so
	// that only gaps within one process are filled.
	Positions Positions

	Logger *slog.Logger // default slog.Default()

	// APIURL is the base of the Web API; default https://slack.com/api/. For tests and proxies.
	APIURL string
	// HTTPClient makes all requests; default one of the adapter's own. It must not retry by itself: that posts twice.
	HTTPClient *http.Client
	// Dialer opens the websocket; default one with the proxy of the environment and a timeout of 45 s.
	Dialer *websocket.Dialer

	CacheUsers int           // users remembered; default 20,000: the one unused for longest is forgotten
	CacheRooms int           // rooms remembered; default 10,000
	CacheFor   time.Duration // how long a name is believed without asking again; default 20 min
}

// Format keeps the tokens out of logs, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "slack.Config{Name: %q}", c.Name) }

// Positions keeps strings by key: how far each room was heard. Keys are of A-Z, a-z, 0-9 and "/"; values are under 1 KiB.
// Get gives "" and no error for a key that was never set. It may be used concurrently.
type Positions interface {
	Get(ctx context.Context, key string) (string, error)
	Set(ctx context.Context, key, value string) error
}

// Adapter is the Slack adapter. Make one with [New].
type Adapter struct {
	cfg    Config
	log    *slog.Logger
	life   *life.Life
	api    *slackgo.Client
	web    *apiclient.Client
	http   *client   // of the library, over web
	verify *verifier // nil without signing secrets

	me     atomic.Pointer[identity] // who the bot is; nil before the first sign-in
	intake atomic.Pointer[intake]   // of the Run that goes
	doubt  life.Doubt               // whether the token still works

	show     renderers
	users    *lookup.Cache[adapter.User]
	rooms    *lookup.Cache[adapter.Room]
	index    *lookup.Cache[lookup.Names]
	pace     *pace.Rooms
	places   places
	health   *health.Keeper
	commands atomic.Pointer[map[string]string] // slash command -> command
}

// identity is the bot's own account.
type identity struct {
	user, bot, team, enterprise, name string
}

// Guards for what the adapter claims.
var (
	_ adapter.Adapter          = (*Adapter)(nil)
	_ adapter.Editor           = (*Adapter)(nil)
	_ adapter.Deleter          = (*Adapter)(nil)
	_ adapter.Reactor          = (*Adapter)(nil)
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

// New makes a Slack adapter. It uses no network; all that is wrong with cfg is in one error, which holds no secret.
func New(cfg Config) (*Adapter, error) {
	if cfg.Name == "" {
		cfg.Name = "slack"
	}
	if cfg.APIURL == "" {
		cfg.APIURL = slackgo.APIURL
	}
	if !strings.HasSuffix(cfg.APIURL, "/") {
		cfg.APIURL += "/" // the library only puts the method's name behind it
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Scopes == nil {
		cfg.Scopes = DefaultScopes()
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
	cfg.SigningSecrets = slices.Clone(cfg.SigningSecrets)
	cfg.Scopes = slices.Clone(cfg.Scopes)
	if err := check(cfg); err != nil {
		return nil, fmt.Errorf("slack: %w", err)
	}

	a := &Adapter{cfg: cfg, log: cfg.Logger.With("adapter", cfg.Name)}
	a.health = health.New(a.log)
	a.life, a.doubt = life.New("slack"), life.NewDoubt()
	a.web = apiclient.New(cfg.HTTPClient)
	a.http = &client{web: a.web}
	a.api = slackgo.New(cfg.BotToken, slackgo.OptionAPIURL(cfg.APIURL), slackgo.OptionHTTPClient(a.http), slackgo.OptionLog(silent))
	a.users = lookup.New[adapter.User](a.life.Context(), a.life.Begin, cfg.CacheUsers, cfg.CacheFor)
	a.rooms = lookup.New[adapter.Room](a.life.Context(), a.life.Begin, cfg.CacheRooms, cfg.CacheFor)
	a.index = lookup.New[lookup.Names](a.life.Context(), a.life.Begin, 2, cfg.CacheFor)
	a.show = newRenderers()
	a.pace = pace.New(a.life.Context(), paceEvery, paceBurst)
	a.places.init(cfg.Positions)
	if len(cfg.SigningSecrets) > 0 {
		a.verify = newVerifier(cfg.SigningSecrets)
	}
	return a, nil
}

// check finds all that is wrong with a configuration.
func check(cfg Config) error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !nameForm.MatchString(cfg.Name) {
		wrong("Config.Name %q is not 1 to 64 of a-z, 0-9, - and _", cfg.Name)
	}
	switch t := cfg.BotToken; {
	case t == "":
		wrong("Config.BotToken is empty: install the app to the workspace and copy the Bot User OAuth Token from its page OAuth & Permissions; it starts with xoxb-")
	case strings.HasPrefix(t, "xapp-"):
		wrong("Config.BotToken: this is an app token; the bot token starts with xoxb- (page OAuth & Permissions)")
	case strings.HasPrefix(t, "xoxp-"):
		wrong("Config.BotToken: this is a user token; the bot token starts with xoxb- (page OAuth & Permissions)")
	case !strings.HasPrefix(t, "xoxb-"):
		wrong("Config.BotToken: a bot token starts with xoxb- (page OAuth & Permissions); this is something else")
	case strings.ContainsFunc(t, space):
		wrong("Config.BotToken: there is white space in it; copy it again")
	}
	switch t := cfg.AppToken; {
	case t == "" && len(cfg.SigningSecrets) == 0:
		wrong("Config.AppToken and Config.SigningSecrets are empty: give an app token (xapp-, page Basic Information, with connections:write) for Socket Mode, or the signing secret for HTTP mode")
	case t == "":
	case strings.HasPrefix(t, "xoxb-"):
		wrong("Config.AppToken: this is a bot token; the app token starts with xapp- (page Basic Information, App-Level Tokens)")
	case !strings.HasPrefix(t, "xapp-"):
		wrong("Config.AppToken: an app token starts with xapp- (page Basic Information, App-Level Tokens); this is something else")
	case strings.ContainsFunc(t, space):
		wrong("Config.AppToken: there is white space in it; copy it again")
	}
	for i, s := range cfg.SigningSecrets {
		if s == "" {
			wrong("Config.SigningSecrets[%d] is empty: an empty secret would let anybody in; copy the Signing Secret from the page Basic Information", i)
		} else if strings.HasPrefix(s, "xoxb-") || strings.HasPrefix(s, "xapp-") {
			wrong("Config.SigningSecrets[%d]: this is a token; the signing secret is on the page Basic Information", i)
		}
	}
	if u, err := url.Parse(cfg.APIURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		wrong("Config.APIURL is not an http address: leave it empty for Slack's own")
	}
	return errors.Join(errs...)
}

func space(r rune) bool { return r <= ' ' }

// Name implements [adapter.Adapter].
func (a *Adapter) Name() string { return a.cfg.Name }

// String gives the name; what the adapter holds is never shown.
func (a *Adapter) String() string { return "slack adapter " + a.cfg.Name }

// Format keeps the tokens out of logs, whatever the verb.
func (a *Adapter) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(a.String())) }

// The limits, see doc.go.
const (
	maxText    = 4_000   // runes (https://docs.slack.dev/reference/methods/chat.postMessage#truncating)
	maxFile    = 1 << 30 // bytes (https://docs.slack.dev/messaging/working-with-files)
	maxSection = 3_000   // runes of a section block's text
	maxLabel   = 75      // runes on a button
	maxCommand = 2_000   // runes of a button's value
	maxButtons = 25      // in an actions block
	maxField   = 2_000   // runes of a field of a section
	maxFields  = 10      // in a section
	maxBlocks  = 50      // of a message (https://docs.slack.dev/reference/block-kit/blocks)
	maxNotice  = 750     // runes of the text beside blocks: with each of them escaped it is below maxText
)

// Features implements [adapter.Adapter].
func (a *Adapter) Features() adapter.Features {
	return adapter.Features{
		MaxText: maxText, Unit: adapter.UnitRunes, MaxFile: maxFile,
		Threads: true, Buttons: true, Files: true, Ephemeral: true, Fields: true, Replay: true,
	}
}

// Close implements [adapter.Closer]: all verbs give [adapter.ErrClosed] from now on, and a Run that still goes ends.
func (a *Adapter) Close() error {
	a.life.End()
	a.web.Close()
	return nil
}

// Run implements [adapter.Adapter]: it checks the token, connects, delivers, and connects again until ctx ends. It returns
// an error only for what no retry cures: [adapter.ErrAuth] for a token that does not work, [adapter.ErrForbidden] for a
// missing scope, which it names.
func (a *Adapter) Run(ctx context.Context, sink adapter.Sink) error {
	return a.life.Run(ctx, func(ctx context.Context, end func(error)) error {
		if err := a.signIn(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		in := newIntake(ctx, a, sink)
		gap := 0
		if a.cfg.AppToken == "" { // before anything comes: what was missed is older
			gap = a.places.freeze()
		}
		a.intake.Store(in)
		var wg sync.WaitGroup
		wg.Go(func() { a.doubt.Watch(ctx, 0, a.authTest, fatal, end) })
		wg.Go(func() { a.keepPlaces(ctx) })
		var err error
		if a.cfg.AppToken != "" {
			err = a.runSocket(ctx, in)
		} else {
			a.health.Set(func(h *adapter.Status) { h.Connected, h.Since = true, time.Now() })
			wg.Go(func() { a.catchUp(ctx, in, time.Time{}, gap) })
			<-ctx.Done()
		}
		end(nil)
		a.intake.Store(nil)
		in.lanes.Wait()
		wg.Wait()
		a.savePlaces()
		a.health.Set(func(h *adapter.Status) { h.Connected = false })
		return err
	})
}

const callLimit = 20 * time.Second // of one call that nobody else bounds

// signIn learns who the bot is and what it may do.
func (a *Adapter) signIn(ctx context.Context) error {
	return retry.Until(ctx, fatal, func(err error, after time.Duration) {
		a.log.Warn("slack cannot be asked who the bot is; trying again", "error", err, "after", after)
		a.health.Set(func(h *adapter.Status) { h.LastError = err.Error() })
	}, func() error { return a.authTest(ctx) })
}

// fatal tells whether trying again is useless.
func fatal(err error) bool {
	return errors.Is(err, adapter.ErrAuth) || errors.Is(err, adapter.ErrForbidden)
}

func (a *Adapter) authTest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	r, err := a.api.AuthTestContext(ctx)
	if err != nil {
		return a.fail("check the bot token", err)
	}
	a.me.Store(&identity{user: r.UserID, bot: r.BotID, team: r.TeamID, enterprise: r.EnterpriseID, name: r.User})
	header := r.Header.Get("X-OAuth-Scopes")
	if header == "" { // a proxy may drop it; then missing scopes show when they are needed
		return nil
	}
	var has []string
	for s := range strings.SplitSeq(header, ",") {
		has = append(has, strings.TrimSpace(s))
	}
	var missing []string
	for _, s := range a.cfg.Scopes {
		if !slices.Contains(has, s) {
			missing = append(missing, s)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("slack: check the bot token: %w: it lacks the scopes %s: add them on the app's page OAuth & Permissions and install the app again, or set Config.Scopes to what this bot needs",
			adapter.ErrForbidden, strings.Join(missing, ", "))
	}
	return nil
}

// Check tests, without running, what a bot needs: the bot token and its scopes, the app token, the clock. The error joins all
// that is wrong, each with its cure; nil if Run would work now.
func (a *Adapter) Check(ctx context.Context) error {
	if err := a.life.Usable(ctx, "check"); err != nil {
		return err
	}
	errs := []error{a.authTest(ctx)}
	if a.cfg.AppToken != "" {
		api := slackgo.New(a.cfg.BotToken, slackgo.OptionAppLevelToken(a.cfg.AppToken), slackgo.OptionAPIURL(a.cfg.APIURL),
			slackgo.OptionHTTPClient(a.http), slackgo.OptionLog(silent))
		_, _, err := api.StartSocketModeContext(ctx) // an address that nobody connects to expires by itself
		errs = append(errs, a.judge(err))
	}
	if skew := a.web.Skew(); skew.Abs() > time.Minute {
		errs = append(errs, fmt.Errorf("slack: the clock of this machine is off by %v: set it (NTP); over five minutes HTTP mode refuses all that Slack sends", -skew.Round(time.Second)))
	}
	return errors.Join(errs...)
}

// DefaultScopes are the scopes of the bot token that everything here needs; [Manifest] asks for them.
func DefaultScopes() []string {
	return []string{
		"app_mentions:read", "channels:history", "channels:read", "chat:write", "commands", "files:read", "files:write",
		"groups:history", "groups:read", "im:history", "im:read", "im:write", "mpim:history", "mpim:read",
		"reactions:read", "reactions:write", "users:read",
	}
}
