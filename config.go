package starling

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// Config says what a bot is made of. Adapters and Router are required; everything else has a default.
type Config struct {
	// Name addresses the bot ("starling ping"), in any case. Default "starling". Letters, digits, - and _ and spaces.
	Name string
	// Aliases address it too: words, or punctuation such as "!".
	Aliases []string

	Adapters []adapter.Adapter // required
	Router   *handler.Router   // required

	// Brain keeps state, and makes the bot durable: accepted events survive the process. nil: a brain in memory that keeps
	// nothing over a restart, which the log says once.
	Brain *brain.Brain
	// Volatile: do not store events even though there is a brain; accepted events are lost if the process dies. What an earlier
	// process has stored is handled all the same.
	Volatile bool

	Logger *slog.Logger // default slog.Default()
	// Zone is that of dates and times of day that people type. Default UTC, never the host's: processes may differ.
	Zone   *time.Location
	Limits Limits // flood protection; the zero value has defaults

	// Policies are rules of the operator beside those of the code, by route id or "group:NAME". Bot.SetPolicies replaces them
	// while the bot runs.
	Policies Rules

	// HTTP is the address of the bot's server: callbacks of adapters under /adapters/NAME/, /healthz, /readyz. Empty: none.
	// ":8080" listens on loopback alone; say "0.0.0.0:8080" for all interfaces.
	HTTP string
	// Mux answers what the bot's server does not. The bot is an http.Handler too, for a program with a server of its own.
	Mux *http.ServeMux

	// HearBots lets messages of other bots through. A loop of bots is broken after five of their messages in ten seconds.
	HearBots bool

	Timeout      time.Duration // of a handler, where its route has none; default 30 s
	Grace        time.Duration // for a handler to return after its context ended, before it is cut off; default 5 s
	SlowAfter    time.Duration // a handler that runs longer leaves the line of its conversation; default 2 s
	DrainTimeout time.Duration // for handlers to finish when the bot is stopped; they are told to end after four fifths of it; default 10 s
	MaxAge       time.Duration // events older than this when they arrive are not run, unless their route has RunLate; default 10 min
	SendFor      time.Duration // how long posting a message is tried before it is given up; default 1 h
	ButtonsFor   time.Duration // how long the buttons of a message work; default 24 h
	MaxParts     int           // a message that takes more parts is posted as its first and a file with the whole, where there are files; default 5

	Workers  int // handlers that run at once; default 256
	Attempts int // runs of an event that asks for a retry or meets crashes, before it is put aside; default 3
}

// Limits protect the bot from floods: token buckets in memory, before anything is stored. An event over the limit is
// acknowledged and counted, and whoever sent it is told once. A rate of -1 means no limit.
type Limits struct {
	UserRate  float64 // events per second and user; default 10
	UserBurst int     // default 60
	RoomRate  float64 // events per second and room; default 50
	RoomBurst int     // default 300
	Buckets   int     // users and rooms remembered; the one unused for longest is forgotten; default 10,000
	// Waiting is how many accepted events wait in memory for their turn; default 16,384. At the bound the sink blocks.
	Waiting int
}

var adapterName = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// withDefaults fills in what is not set and checks everything; the error joins all mistakes.
func (c Config) withDefaults() (Config, error) {
	def(&c.Name, "starling")
	def(&c.Timeout, 30*time.Second)
	def(&c.Grace, 5*time.Second)
	def(&c.SlowAfter, 2*time.Second)
	def(&c.DrainTimeout, 10*time.Second)
	def(&c.MaxAge, 10*time.Minute)
	def(&c.SendFor, time.Hour)
	def(&c.ButtonsFor, 24*time.Hour)
	def(&c.MaxParts, 5)
	def(&c.Workers, 256)
	def(&c.Attempts, 3)
	def(&c.Limits.UserRate, 10)
	def(&c.Limits.UserBurst, 60)
	def(&c.Limits.RoomRate, 50)
	def(&c.Limits.RoomBurst, 300)
	def(&c.Limits.Buckets, 10_000)
	def(&c.Limits.Waiting, 16_384)
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if strings.TrimSpace(c.Name) != c.Name || strings.IndexFunc(c.Name, nameRune) < 0 || strings.ContainsFunc(c.Name, unicode.IsControl) {
		wrong("Config.Name %q: a name has at least one letter or digit and no space around it", c.Name)
	}
	for i, a := range c.Aliases {
		if strings.TrimSpace(a) != a || a == "" || strings.ContainsFunc(a, unicode.IsControl) {
			wrong("Config.Aliases[%d] %q: an alias is not empty and has no space around it", i, a)
		}
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{{"Timeout", c.Timeout}, {"Grace", c.Grace}, {"SlowAfter", c.SlowAfter}, {"DrainTimeout", c.DrainTimeout}, {"MaxAge", c.MaxAge}, {"SendFor", c.SendFor}, {"ButtonsFor", c.ButtonsFor}} {
		if d.v < 0 {
			wrong("Config.%s is %v: give a positive time, or leave it 0 for the default", d.name, d.v)
		}
	}
	if c.Workers < 0 || c.Attempts < 0 || c.MaxParts < 0 || c.Limits.Waiting < 0 || c.Limits.Buckets < 0 || c.Limits.UserBurst < 0 || c.Limits.RoomBurst < 0 {
		wrong("Config: Workers, Attempts, MaxParts and the numbers of Limits are positive, or 0 for the default")
	}
	if addr, err := httpAddress(c.HTTP); err != nil {
		errs = append(errs, err)
	} else {
		c.HTTP = addr
	}
	if c.Router == nil {
		wrong("Config.Router is nil: make one with handler.NewRouter and give it a route")
	}
	if c.Volatile && c.Brain == nil {
		wrong("Config.Volatile without a Config.Brain: such a bot keeps nothing anyway; leave Volatile out")
	}
	errs = append(errs, checkAdapters(c.Adapters)...)
	return c, errors.Join(errs...)
}

func checkAdapters(as []adapter.Adapter) (errs []error) {
	if len(as) == 0 {
		return []error{errors.New("Config.Adapters is empty: a bot needs somewhere to talk; begin with terminal.New(terminal.Config{})")}
	}
	at := map[string]int{}
	playground, networked := "", ""
	for i, a := range as {
		if a == nil {
			errs = append(errs, fmt.Errorf("Config.Adapters[%d] is nil", i))
			continue
		}
		name := a.Name()
		if !adapterName.MatchString(name) {
			errs = append(errs, fmt.Errorf("Config.Adapters[%d]: the name %q is not 1 to 64 of a-z, 0-9, - and _", i, name))
		}
		if j, ok := at[name]; ok {
			errs = append(errs, fmt.Errorf("Config.Adapters[%d] and [%d] are both named %q: give one of them another Name in its Config", j, i, name))
		}
		at[name] = i
		if f := a.Features(); f.Playground {
			playground = name
		} else if !f.Local {
			networked = name
		}
	}
	if playground != "" && networked != "" {
		errs = append(errs, fmt.Errorf("adapter %q is a playground, where one can act as anybody, beside %q, which is not local: set Playground to false", playground, networked))
	}
	return errs
}

func nameRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// def sets *v to d where it is the zero value.
func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
