package starling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Paths that the bot's server answers itself; all others are Config.Mux's.
const (
	adaptersPath = "/adapters/" // + name + "/": callbacks of that adapter
	healthPath   = "/healthz"   // 200 while the bot runs
	readyPath    = "/readyz"    // 200 while every adapter and the store work
)

const (
	headerTimeout   = 5 * time.Second
	requestTimeout  = 30 * time.Second // for reading a request
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 2 * time.Second
)

// Health says how the bot is.
type Health struct {
	Running  bool                     `json:"running"` // Run has begun and not ended
	Ready    bool                     `json:"ready"`   // it runs, takes events, and every adapter and the store work
	Draining bool                     `json:"draining,omitempty"`
	Store    string                   `json:"store"` // "ok" or "failing"
	Waiting  int                      `json:"waiting"`
	Adapters map[string]AdapterHealth `json:"adapters"`
}

// AdapterHealth says how an adapter is.
type AdapterHealth struct {
	State string `json:"state"` // "not started", "running", "ended" or "failed"
	// Skew is how many seconds the clock of this machine is ahead of the platform's, by the stamps of its events; 0 where they
	// agree to a minute, or nothing is known.
	Skew float64 `json:"skew,omitempty"`
	adapter.Health
}

// Health gives the state of now. It holds no secrets and no text of errors, so it may be shown to a load balancer.
func (b *Bot) Health() Health {
	h := Health{Running: b.running.Load(), Draining: b.draining.Load(), Store: "ok", Waiting: b.mailboxes.left(), Adapters: map[string]AdapterHealth{}}
	h.Ready = h.Running && !h.Draining
	if b.storeState.Load() != nil {
		h.Store, h.Ready = "failing", false
	}
	for _, src := range b.order {
		state, _ := src.get()
		a := AdapterHealth{State: string(state), Health: adapter.Health{Connected: state == sourceRunning}}
		if r, ok := adapter.As[adapter.HealthReporter](src.adapter); ok && state == sourceRunning {
			a.Health = r.Health()
		}
		a.Skew = src.skew.now().Round(time.Second).Seconds()
		h.Adapters[src.name] = a
		h.Ready = h.Ready && a.Connected
	}
	return h
}

// ServeHTTP answers what the bot's server answers, for a program that has a server of its own: the callbacks of adapters
// under /adapters/NAME/, /healthz, /readyz, and Config.Mux for all else.
func (b *Bot) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.mux.ServeHTTP(w, r) }

func (b *Bot) newMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+healthPath, func(w http.ResponseWriter, _ *http.Request) {
		h := b.Health()
		writeHealth(w, h, h.Running)
	})
	mux.HandleFunc("GET "+readyPath, func(w http.ResponseWriter, _ *http.Request) {
		h := b.Health()
		writeHealth(w, h, h.Ready)
	})
	for _, src := range b.order {
		if h, ok := adapter.As[adapter.HTTPHandler](src.adapter); ok {
			prefix := adaptersPath + src.name
			mux.Handle(prefix+"/", http.StripPrefix(prefix, h.HTTPHandler()))
		}
	}
	if b.cfg.Mux != nil {
		mux.Handle("/", b.cfg.Mux)
	}
	return mux
}

func writeHealth(w http.ResponseWriter, h Health, ok bool) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(h)
}

// serve starts the bot's server, if Config.HTTP asks for one, and gives the function that stops it.
func (b *Bot) serve(ctx context.Context) (stop func(), err error) {
	if b.cfg.HTTP == "" {
		return func() {}, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", b.cfg.HTTP)
	if err != nil {
		return nil, fmt.Errorf("starling: Config.HTTP: %w: choose another port, or stop the program that has it", err)
	}
	b.httpAddr.Store(listener.Addr())
	b.log.Info("the bot's server listens", "address", listener.Addr().String())
	server := &http.Server{
		Handler: b, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 64 << 10,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			b.log.Error("the bot's server has stopped", "error", err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
		<-done
	}, nil
}

// HTTPAddr gives the address that the bot's server listens on; nil before it does. It tells the port that ":0" became.
func (b *Bot) HTTPAddr() net.Addr {
	a, _ := b.httpAddr.Load().(net.Addr)
	return a
}

// httpAddress fills in what an address leaves out: no host is loopback, since a callback address is for a proxy to reach.
func httpAddress(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || port == "" {
		return "", fmt.Errorf("Config.HTTP %q: give host:port, or :port for loopback alone", s)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}
