package faulttest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/internal/slackfake"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, // toxiproxy leaves these behind where a connection is cut in the middle of a write
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"))
}

// counter is the bot's side: it knows events by their id, as the bot's inbox does, and counts what reaches a handler.
type counter struct {
	mu      sync.Mutex
	seen    map[string]bool
	handled map[string]int // by text
	repeats int            // calls of the sink with an event it had
	rnd     *rand.Rand
	failing int // one of so many is refused; 0: none
}

func newCounter(seed uint64, failing int) *counter {
	return &counter{seen: map[string]bool{}, handled: map[string]int{}, rnd: rand.New(rand.NewPCG(seed, 1)), failing: failing}
}

func (c *counter) sink(_ context.Context, ev *adapter.Event) error {
	if ev.Kind != adapter.KindMessage || ev.Self {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[ev.ID] {
		c.repeats++
		return nil
	}
	if c.failing > 0 && c.rnd.IntN(c.failing) == 0 {
		return fmt.Errorf("the store is away")
	}
	c.seen[ev.ID] = true
	c.handled[ev.Text]++
	return nil
}

// figures are what a run prints.
type figures struct {
	Run          string `json:"run"`
	Seed         uint64 `json:"seed"`
	Offered      int    `json:"offered"`
	Cuts         int    `json:"cuts"`
	Handled      int    `json:"handled"`
	Lost         int    `json:"lost"`
	Duplicates   int    `json:"duplicates"`
	Repeats      int    `json:"repeats_to_the_sink"`
	GivenUp      int    `json:"given_up_by_slack"`
	P50          string `json:"reconnect_p50"`
	P99          string `json:"reconnect_p99"`
	Dials        int    `json:"dials"`
	DialsASecond int    `json:"dials_in_the_busiest_second"`
	Took         string `json:"took"`
}

func (c *counter) figures(f *slackfake.Server, run string, seed uint64, offered []string, down []time.Duration) figures {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := figures{Run: run, Seed: seed, Offered: len(offered), Cuts: len(down), Handled: len(c.handled), Repeats: c.repeats, GivenUp: len(f.Lost())}
	for _, text := range offered {
		switch n := c.handled[text]; {
		case n == 0:
			out.Lost++
		case n > 1:
			out.Duplicates++
		}
	}
	slices.Sort(down)
	out.P50, out.P99 = down[len(down)/2].Round(time.Millisecond).String(), down[(len(down)*99-1)/100].Round(time.Millisecond).String()
	opens := f.Opens()
	out.Dials = len(opens)
	for i := range opens {
		n := 1
		for j := i + 1; j < len(opens) && opens[j].Sub(opens[i]) < time.Second; j++ {
			n++
		}
		out.DialsASecond = max(out.DialsASecond, n)
	}
	return out
}

func print(t *testing.T, f figures) {
	t.Helper()
	line, err := json.Marshal(f)
	require.NoError(t, err)
	t.Log(string(line))
}

func config(t *testing.T, f *slackfake.Server) slack.Config {
	return slack.Config{BotToken: slackfake.BotToken, AppToken: slackfake.AppToken, APIURL: f.URL(), HTTPClient: f.Client(), Dialer: f.Dialer(),
		Logger: searched(t, slackfake.BotToken, slackfake.AppToken)}
}

// TestSlackCuts is R2 on the fake clock: 20,000 events in 20 rooms, 100 cuts of all sorts, a store that refuses now and
// then. With -short a tenth of both.
func TestSlackCuts(t *testing.T) {
	events, cuts := 20_000, 100
	if testing.Short() {
		events, cuts = 2_000, 10
	}
	begun := time.Now()
	var out figures
	synctest.Test(t, func(t *testing.T) {
		const rooms, seed = 20, 42
		rnd := rand.New(rand.NewPCG(seed, 2))
		f := slackfake.New(slackfake.Options{})
		f.AddUser(slackfake.User{ID: "U1", Name: "ann"})
		for i := range rooms {
			f.AddRoom(slackfake.Room{ID: fmt.Sprintf("C%02d", i), Name: fmt.Sprint("room", i)})
		}
		cfg := config(t, f)
		a, err := slack.New(cfg)
		require.NoError(t, err)
		c := newCounter(seed, 200)
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- a.Run(ctx, c.sink) }()
		require.NoError(t, f.Await(ctx, f.Connected))

		var offered []string
		var down []time.Duration
		every := events / cuts
		var waiting sync.WaitGroup
		for i := range events {
			text := fmt.Sprintf("event %d", i)
			offered = append(offered, text)
			_, err := f.Say("U1", fmt.Sprintf("C%02d", rnd.IntN(rooms)), text)
			require.NoError(t, err)
			if i%every == every/2 {
				begun := time.Now()
				switch kind := rnd.IntN(6); kind {
				case 0, 1:
					f.Cut()
				case 2:
					f.Disconnect("refresh_requested")
				case 3: // it is told to go again after the hello
					f.RefuseSockets(1)
					f.Cut()
				case 4: // nobody answers for a while
					f.SetDown(true)
					f.Cut()
					time.AfterFunc(time.Duration(1+rnd.IntN(4))*time.Second, func() { f.SetDown(false) })
				case 5: // the way in fails
					f.Fail(slackfake.Fault{Method: "apps.connections.open", Kind: slackfake.FaultKind(rnd.IntN(int(slackfake.FaultLost))), Status: 502, After: 2})
					f.Cut()
				}
				waiting.Add(1)
				go func() {
					defer waiting.Done()
					if f.Await(ctx, f.Connected) == nil {
						d := time.Since(begun)
						c.mu.Lock()
						down = append(down, d)
						c.mu.Unlock()
					}
				}()
			}
			<-time.After(time.Duration(250+rnd.IntN(500)) * time.Millisecond)
		}
		waiting.Wait()
		<-time.After(20 * time.Minute) // Slack's retries and the look at what it gave up
		require.Zero(t, f.Unacknowledged())
		out = c.figures(f, "R2 slack, fake clock", seed, offered, down)
		cancel()
		require.NoError(t, <-over)
		require.NoError(t, a.Close())
		require.NoError(t, f.Close())
		require.Empty(t, f.Mistakes())
		synctest.Wait()
		p99, err := time.ParseDuration(out.P99)
		require.NoError(t, err)
		require.Less(t, p99, 10*time.Second)
	})
	out.Took = time.Since(begun).Round(time.Millisecond).String()
	print(t, out)
	require.Equal(t, events, out.Offered)
	require.GreaterOrEqual(t, out.Cuts, cuts*9/10)
	require.Zero(t, out.Lost)
	require.Zero(t, out.Duplicates)
	require.LessOrEqual(t, out.DialsASecond, 1)
}

// TestSlackProxy is R2 over real connections: ten cuts by toxiproxy, in the middle of frames too.
func TestSlackProxy(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s")
	}
	f, err := slackfake.Listen(slackfake.Options{Retry: []time.Duration{0, time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second}, AckWithin: time.Second, PingEvery: time.Second})
	require.NoError(t, err)
	proxy := newProxy(t, f.Host())
	f.SetSocketVia(proxy.addr())
	f.AddUser(slackfake.User{ID: "U1", Name: "ann"})
	f.AddRoom(slackfake.Room{ID: "C01", Name: "ops"})

	cfg := config(t, f)
	a, err := slack.New(cfg)
	require.NoError(t, err)
	c := newCounter(7, 0)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- a.Run(ctx, c.sink) }()
	require.NoError(t, f.Await(ctx, f.Connected))

	begun := time.Now()
	var offered []string
	say := func(n int) {
		for range n {
			text := fmt.Sprintf("event %d %s", len(offered), strings.Repeat("x", 500))
			offered = append(offered, text)
			_, err := f.Say("U1", "C01", text)
			require.NoError(t, err)
		}
	}
	tick := func(d time.Duration) { <-time.After(d) }
	toxic := func(json string) func() {
		return func() { proxy.toxic(json) }
	}
	faults := map[string]func(){
		"01 reset":             toxic(`{"type":"reset_peer","stream":"downstream","attributes":{"timeout":0}}`),
		"02 cut in a frame":    toxic(`{"type":"limit_data","stream":"downstream","attributes":{"bytes":3333}}`),
		"03 timeout":           toxic(`{"type":"timeout","stream":"downstream","attributes":{"timeout":300}}`),
		"04 slow close":        toxic(`{"type":"slow_close","stream":"downstream","attributes":{"delay":200}}`),
		"05 sliced, then cut":  toxic(`{"type":"slicer","stream":"downstream","attributes":{"average_size":64,"size_variation":32,"delay":10}}`),
		"06 reset upwards":     toxic(`{"type":"reset_peer","stream":"upstream","attributes":{"timeout":0}}`),
		"07 cut in an ack":     toxic(`{"type":"limit_data","stream":"upstream","attributes":{"bytes":200}}`),
		"08 slow, then cut":    toxic(`{"type":"latency","stream":"downstream","attributes":{"latency":200,"jitter":100}}`),
		"09 thin, then cut":    toxic(`{"type":"bandwidth","stream":"downstream","attributes":{"rate":20}}`),
		"10 the proxy is gone": func() {},
	}
	var down []time.Duration
	names := make([]string, 0, len(faults))
	for name := range faults {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		say(5)
		tick(200 * time.Millisecond)
		faults[name]()
		say(10)
		tick(400 * time.Millisecond)
		cut := time.Now()
		proxy.cut() // whatever the toxic did, now it is cut
		f.SetSocketVia(proxy.addr())
		limit, stop := context.WithTimeout(ctx, 30*time.Second)
		require.NoError(t, f.Await(limit, f.Connected), name)
		down = append(down, time.Since(cut))
		acked := f.Acknowledged()
		say(5)
		require.NoError(t, f.Await(limit, func() bool { return f.Acknowledged() > acked }), name) // the connection works
		stop()
	}
	limit, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	require.NoError(t, f.Await(limit, func() bool { return f.Unacknowledged() == 0 }))
	out := c.figures(f, "R2 slack, toxiproxy", 7, offered, down)
	out.Took = time.Since(begun).Round(time.Millisecond).String()
	cancel()
	require.NoError(t, <-over)
	require.NoError(t, a.Close())
	require.NoError(t, f.Close())
	print(t, out)
	require.Equal(t, 10, out.Cuts)
	require.Zero(t, out.Lost)
	require.Zero(t, out.Duplicates)
	require.LessOrEqual(t, out.DialsASecond, 1)
	p99, err := time.ParseDuration(out.P99)
	require.NoError(t, err)
	require.Less(t, p99, 10*time.Second)
}
