package admin

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// SwitchConfig says where it is kept which routes are off.
type SwitchConfig struct {
	// Brain is a namespace of the bot's brain, such as state.Namespace("admin"). Required.
	Brain *brain.Brain
	// CacheFor is how old what a process knows may be: default 10 s, at most 60 s.
	CacheFor time.Duration
}

const (
	defaultSwitchCache = 10 * time.Second
	maxSwitchCache     = time.Minute
	switchTimeout      = 5 * time.Second // for the brain to answer
	maxOff             = 256             // routes that are off
	maxReason          = 500             // bytes
	offKey             = "off"
)

// Off says that a route is switched off.
type Off struct {
	Reason string       `json:"reason,omitempty"`
	By     adapter.User `json:"by"`
	At     time.Time    `json:"at"`
}

// offRecord is all routes that are off, by id.
type offRecord struct {
	Version int            `json:"v"`
	Routes  map[string]Off `json:"routes"`
}

// Switch refuses routes that were switched off. Its methods may be called concurrently.
type Switch struct {
	brain    *brain.Brain
	cacheFor time.Duration
	begun    time.Time // the clock of known counts from here
	own      []*handler.Route

	mu    sync.RWMutex
	known map[string]Off
	until time.Duration // after begun: when known is too old
	round uint64        // counts changes: what was read before one is not kept
}

// NewSwitch makes a Switch, whose Enforce is for Router.Use and which [New] is given.
func NewSwitch(cfg SwitchConfig) (*Switch, error) {
	var errs []error
	if cfg.Brain == nil {
		errs = append(errs, errors.New("admin: SwitchConfig.Brain is nil; give it a namespace of the bot's brain, such as state.Namespace(\"admin\")"))
	}
	if cfg.CacheFor < 0 || cfg.CacheFor > maxSwitchCache {
		errs = append(errs, fmt.Errorf("admin: SwitchConfig.CacheFor is %v; it is from 0, which is %v, to %v", cfg.CacheFor, defaultSwitchCache, maxSwitchCache))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if cfg.CacheFor == 0 {
		cfg.CacheFor = defaultSwitchCache
	}
	return &Switch{brain: cfg.Brain, cacheFor: cfg.CacheFor, begun: time.Now()}, nil
}

// Enforce is the middleware. It must be around every route that is to be switched off: Router.Use on the bot's router.
func (s *Switch) Enforce(next handler.Handler) handler.Handler {
	return handler.Func(func(ctx context.Context, r *handler.Request) error {
		if r.Route == nil || s.isOwn(r.Route.ID) {
			return next.Handle(ctx, r)
		}
		off, err := s.Off(ctx)
		o, isOff := off[r.Route.ID]
		overheard := r.Route.Kind() == "hear" || r.Route.Kind() == "on" // nobody asked, and nobody is answered
		switch {
		case err != nil:
			err = fmt.Errorf("admin: nobody knows whether %s is switched off: %w", r.Route.ID, err)
			if overheard {
				r.Log().Warn("a route is refused", "error", err)
				return handler.Refused("whether the route is switched off is not known")
			}
			return &handler.UserError{Text: adapter.Format("I cannot look up now whether **%s** is switched off, so the answer is no. Try again in a while. My log has it under %s.", r.Route.ID, r.CorrelationID()), Err: err}
		case !isOff:
			return next.Handle(ctx, r)
		case overheard:
			return handler.Refused("the route is switched off")
		}
		return o.refuse(r.Route.ID)
	})
}

// refuse says that a route is off.
func (o Off) refuse(route string) error {
	text := adapter.Format("**%s** is switched off by %s since %s", route, o.By.String(), o.At)
	if o.Reason != "" {
		text += adapter.Format(": %s", o.Reason)
	} else {
		text += "."
	}
	return &handler.UserError{Text: text}
}

// Blocks says that a route is off, as data and not as markup; empty where it is not. It is for the command why: a Switch is an
// obstacle of the guard (guard.Config.Obstacles). An error means that nobody knows, and then the route is refused.
func (s *Switch) Blocks(ctx context.Context, route *handler.Route) (why string, err error) {
	if s.isOwn(route.ID) {
		return "", nil
	}
	off, err := s.Off(ctx)
	if err != nil {
		return "", fmt.Errorf("admin: nobody knows whether %s is switched off: %w", route.ID, err)
	}
	o, isOff := off[route.ID]
	if !isOff {
		return "", nil
	}
	why = fmt.Sprintf("%s is switched off by %s since %s", route.ID, o.By.String(), o.At.UTC().Format("2006-01-02 15:04 MST"))
	if o.Reason != "" {
		why += ": " + o.Reason
	}
	return why, nil
}

// isOwn tells whether a route is one of this package's.
func (s *Switch) isOwn(id string) bool {
	return slices.ContainsFunc(s.own, func(r *handler.Route) bool { return r.ID == id })
}

// Off gives the routes that are off, by id; it must not be changed.
func (s *Switch) Off(ctx context.Context) (map[string]Off, error) {
	now := time.Since(s.begun)
	s.mu.RLock()
	known, until, round := s.known, s.until, s.round
	s.mu.RUnlock()
	if now < until {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, switchTimeout)
	defer cancel()
	rec, err := brain.Get[offRecord](ctx, s.brain, offKey)
	if err != nil && !errors.Is(err, brain.ErrNotFound) {
		return nil, err
	}
	if err := rec.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.round == round {
		s.known, s.until = rec.Routes, now+s.cacheFor
	}
	return rec.Routes, nil
}

func (r *offRecord) check() error {
	if r.Version > 1 {
		return errors.New("which routes are off was stored by a newer version of this program")
	}
	return nil
}

// forget has it read again.
func (s *Switch) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known, s.until = nil, 0
	s.round++
}

var (
	errIsOff  = errors.New("admin: the route is off already")
	errIsOn   = errors.New("admin: the route is not off")
	errTooOff = errors.New("admin: too many routes are off")
)

// change switches a route for a request, exactly once; audit is asked before there is an effect, once.
func (s *Switch) change(ctx context.Context, r *handler.Request, route string, off *Off, audit func() error) error {
	if !sameStore(r.Brain.Store(), s.brain.Store()) {
		return errors.New("admin: the bot keeps its state elsewhere than SwitchConfig.Brain: give both one brain")
	}
	r.Brain = s.brain // where handler.Change makes the change, wherever the router is mounted
	defer s.forget()
	audited := false
	_, err := handler.Change(ctx, r, offKey, func(rec *offRecord) error {
		if err := rec.check(); err != nil {
			return err
		}
		_, isOff := rec.Routes[route]
		switch {
		case off != nil && isOff:
			return errIsOff
		case off == nil && !isOff:
			return errIsOn
		case off != nil && len(rec.Routes) >= maxOff:
			return errTooOff
		}
		if !audited {
			if err := audit(); err != nil {
				return err
			}
		}
		audited = true
		if rec.Version = 1; off == nil {
			delete(rec.Routes, route)
			return nil
		}
		if rec.Routes == nil {
			rec.Routes = map[string]Off{}
		}
		rec.Routes[route] = *off
		return nil
	})
	return err
}

// sameStore tells whether two stores are one below what wraps them.
func sameStore(a, b brain.Store) bool {
	a, b = innermost(a), innermost(b)
	return reflect.TypeOf(a).Comparable() && reflect.TypeOf(b).Comparable() && a == b
}

func innermost(s brain.Store) brain.Store {
	for {
		u, ok := s.(interface{ Unwrap() brain.Store })
		if !ok {
			return s
		}
		inner := u.Unwrap()
		if inner == nil {
			return s
		}
		s = inner
	}
}

// shortened cuts a reason that is too long.
func shortened(s string) string {
	if s = strings.TrimSpace(s); len(s) > maxReason {
		return strings.ToValidUTF8(s[:maxReason], "") + "…"
	}
	return s
}
