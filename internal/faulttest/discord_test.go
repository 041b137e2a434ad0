package faulttest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/discord"
	"github.com/starlingbot/starling/internal/discordfake"
)

// TestDiscordProxy is R2 over real connections: ten cuts of the gateway by toxiproxy, in the middle of frames too.
func TestDiscordProxy(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s")
	}
	const user, room = "200000000000000001", "300000000000000001"
	f, err := discordfake.Listen(discordfake.Options{Heartbeat: time.Second})
	require.NoError(t, err)
	proxy := newProxy(t, f.Host())
	f.SetGatewayVia(proxy.addr())
	f.AddUser(discordfake.User{ID: user, Name: "alice"})
	f.AddChannel(discordfake.Channel{ID: room, Name: "ops"})

	client := f.Client()
	a, err := discord.New(discord.Config{Token: discordfake.Token, APIURL: f.URL(), HTTPClient: client, Dialer: f.Dialer(), Logger: searched(t, discordfake.Token)})
	require.NoError(t, err)
	var mu sync.Mutex
	handled := map[string]int{}
	sink := func(_ context.Context, ev *adapter.Event) error {
		mu.Lock()
		defer mu.Unlock()
		handled[ev.Text]++
		return nil
	}
	has := func(text string) bool {
		mu.Lock()
		defer mu.Unlock()
		return handled[text] > 0
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- a.Run(ctx, sink) }()
	require.NoError(t, f.Await(ctx, f.Connected))

	begun := time.Now()
	var offered []string
	say := func(n int) {
		for range n {
			text := fmt.Sprintf("event %d %s", len(offered), strings.Repeat("x", 500))
			offered = append(offered, text)
			_, err := f.Say(user, room, text)
			require.NoError(t, err)
		}
	}
	tick := func(d time.Duration) { <-time.After(d) }
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !ok(); tick(5 * time.Millisecond) {
			require.True(t, time.Now().Before(end), what)
		}
	}
	toxic := func(json string) func() {
		return func() { proxy.toxic(json) }
	}
	faults := map[string]func(){
		"01 reset":               toxic(`{"type":"reset_peer","stream":"downstream","attributes":{"timeout":0}}`),
		"02 cut in a frame":      toxic(`{"type":"limit_data","stream":"downstream","attributes":{"bytes":3333}}`),
		"03 timeout":             toxic(`{"type":"timeout","stream":"downstream","attributes":{"timeout":300}}`),
		"04 slow close":          toxic(`{"type":"slow_close","stream":"downstream","attributes":{"delay":200}}`),
		"05 sliced, then cut":    toxic(`{"type":"slicer","stream":"downstream","attributes":{"average_size":64,"size_variation":32,"delay":10}}`),
		"06 reset upwards":       toxic(`{"type":"reset_peer","stream":"upstream","attributes":{"timeout":0}}`),
		"07 cut in a heartbeat":  toxic(`{"type":"limit_data","stream":"upstream","attributes":{"bytes":20}}`),
		"08 slow, then cut":      toxic(`{"type":"latency","stream":"downstream","attributes":{"latency":200,"jitter":100}}`),
		"09 thin, then cut":      toxic(`{"type":"bandwidth","stream":"downstream","attributes":{"rate":20}}`),
		"10 the session is gone": f.DropSessions,
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
		f.SetGatewayVia(proxy.addr())
		say(5)
		until(name, func() bool { return has(offered[len(offered)-1]) })
		down = append(down, time.Since(cut))
	}
	until("all events", func() bool { return !slices.ContainsFunc(offered, func(text string) bool { return !has(text) }) })
	tick(time.Second) // what comes twice would come now
	out := figures{Run: "R2 discord, toxiproxy", Offered: len(offered), Cuts: len(down), Took: time.Since(begun).Round(time.Millisecond).String()}
	mu.Lock()
	out.Handled = len(handled)
	for _, text := range offered {
		if n := handled[text]; n > 1 {
			out.Duplicates++
		}
	}
	mu.Unlock()
	slices.Sort(down)
	out.P50, out.P99 = down[len(down)/2].Round(time.Millisecond).String(), down[len(down)-1].Round(time.Millisecond).String()
	dials := f.Dials()
	out.Dials = len(dials)
	for i := range dials {
		n := 1
		for j := i + 1; j < len(dials) && dials[j].Sub(dials[i]) < time.Second; j++ {
			n++
		}
		out.DialsASecond = max(out.DialsASecond, n)
	}
	cancel()
	require.NoError(t, <-over)
	require.NoError(t, a.Close())
	require.NoError(t, f.Close())
	client.CloseIdleConnections()
	line, err := json.Marshal(out)
	require.NoError(t, err)
	t.Log(string(line))
	require.Empty(t, f.Mistakes())
	require.Equal(t, 10, out.Cuts)
	require.Equal(t, len(offered), out.Handled)
	require.Zero(t, out.Duplicates)
	require.LessOrEqual(t, out.DialsASecond, 1)
	require.Less(t, down[len(down)-1], 20*time.Second)
}
