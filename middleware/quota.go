package middleware

import (
	"context"
	"errors"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// QuotaConfig says how often, for whom, and where that is counted.
type QuotaConfig struct {
	// Brain counts, for all processes that share its store, and over restarts. Required.
	Brain *brain.Brain
	// Name tells quotas apart: those of one name and one brain count together, on whatever routes they are. Required.
	Name string
	// Every is the time in which one more run is allowed, Burst how many may come at once. Both must be positive.
	Every time.Duration
	Burst int
	// By says what is counted: ByUser, ByRoom, ByRoute, ByUserAndRoute or a function that gives a key of its own. Nil is ByUser.
	By func(r *handler.Request) string
	// Open lets the route run when the brain cannot count. Without it nothing runs then.
	Open bool
	// Timeout bounds the wait for the brain. 0 is 2 s.
	Timeout time.Duration
}

// ByUser counts for each user, by User.Key; events without a user count together.
func ByUser(r *handler.Request) string { return r.Event.User.Key() }

// ByRoom counts for each room, its threads included.
func ByRoom(r *handler.Request) string {
	return adapter.Address{Adapter: r.Event.Adapter, Room: r.Event.Room.ID}.String()
}

// ByRoute counts for each route, whoever uses it.
func ByRoute(r *handler.Request) string { return r.Route.ID }

// ByUserAndRoute counts for each route and user.
func ByUserAndRoute(r *handler.Request) string { return r.Route.ID + " " + r.Event.User.Key() }

// Quota lets Burst runs pass at once and then one every Every, for each key of QuotaConfig.By, counted in the brain: it holds
// over restarts and for all processes together. [RateLimit] is the cheaper one for a single process that may forget.
//
// Over the quota the route does not run: the result is handler.Refused("quota"). Who asked is told once per key and Every,
// with the time to wait, as by [RateLimit]. When the brain does not answer within
// Timeout the route does not run either and a handler.UserError says so, unless Open is set; the log has the cause. A run
// that comes again (Request.Attempt above 1) and one in answer to a question (Request.Grant) were counted the first time:
// they pass, or are refused again.
//
// It is the generic cell rate algorithm (GCRA, ITU-T I.371): one time stamp per key, changed by compare and swap, that
// vanishes when the key has its whole burst again. The clock is that of each process, so clocks that differ by d let d/Every
// more runs pass. A refusal costs one read of the brain, a pass a read and a write. Of many tries of one key at once some
// may find it too busy to count within Timeout: they count as not answered.
//
// It panics when a required field of cfg is missing or not positive.
func Quota(cfg QuotaConfig) handler.Middleware {
	switch {
	case cfg.Brain == nil:
		panic("middleware: Quota: Brain is nil; give the bot's brain or a namespace of it")
	case cfg.Name == "":
		panic("middleware: Quota: Name is empty; name what is limited")
	case cfg.Every <= 0 || cfg.Burst <= 0 || time.Duration(cfg.Burst) > maxQuota/cfg.Every:
		panic("middleware: Quota: Every and Burst must be positive, and Burst times Every at most ten years")
	}
	if cfg.By == nil {
		cfg.By = ByUser
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 2 * time.Second
	}
	return func(next handler.Handler) handler.Handler {
		return handler.Func(func(ctx context.Context, r *handler.Request) error {
			if r.Attempt > 1 {
				f, err := again(ctx, r, "quota "+cfg.Name)
				switch {
				case err != nil:
					return err
				case f != nil:
					return f.refuse(ctx, r, "quota")
				}
			}
			if r.Attempt > 1 || r.Grant != nil {
				return next.Handle(ctx, r)
			}
			tell, wait, err := cfg.take(ctx, cfg.By(r))
			switch {
			case err != nil && cfg.Open:
				r.Log().Error("quota: the brain cannot count, the run passes", "quota", cfg.Name, "error", err)
				return next.Handle(ctx, r)
			case err != nil:
				r.Log().Error("quota: the brain cannot count, the run is refused", "quota", cfg.Name, "error", err)
				return &handler.UserError{Text: "I cannot count how often this runs just now, so I do not run it. Please try again later.", Err: err}
			case wait == 0:
				return next.Handle(ctx, r)
			}
			return refusal{"quota " + cfg.Name, tell, (wait + time.Second - 1).Truncate(time.Second)}.refuse(ctx, r, "quota")
		})
	}
}

// maxQuota bounds Burst times Every, so that no sum of times overflows.
const maxQuota = 10 * 365 * 24 * time.Hour

// cell is what is stored of a key. Times are nanoseconds since 1970.
type cell struct {
	Full int64 `json:"t"`           // when it has its whole burst again
	Told int64 `json:"n,omitempty"` // when somebody was last told
}

var errOver = errors.New("over the quota, and told")

// take counts one run of key. A wait above 0 refuses it, and is the time until one would pass; tell: say so.
func (cfg *QuotaConfig) take(ctx context.Context, key string) (tell bool, wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	burst := time.Duration(cfg.Burst) * cfg.Every
	_, err = brain.UpdateFor(ctx, cfg.Brain, brain.Key("quota", cfg.Name, key), burst+time.Second, func(c *cell) error {
		now := time.Now().UnixNano()
		// A stamp too far ahead was written under another Burst or by a clock that was wrong: it must not lock the key for long.
		full := min(max(c.Full, now), now+int64(burst))
		tell, wait = false, time.Duration(full-now)+cfg.Every-burst
		if wait <= 0 {
			wait, c.Full = 0, full+int64(cfg.Every)
			return nil
		}
		if since := now - c.Told; since >= 0 && since < int64(cfg.Every) {
			return errOver
		}
		tell, c.Told = true, now
		return nil
	})
	if errors.Is(err, errOver) {
		err = nil
	}
	return tell, wait, err
}
