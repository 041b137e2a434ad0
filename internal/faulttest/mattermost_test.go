package faulttest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	"github.com/starlingbot/starling/internal/mattermostfake"
)

// TestMattermostProxy is R2 over real connections: ten cuts by toxiproxy, in the middle of frames too, of the websocket and of the
// REST calls alike.
func TestMattermostProxy(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s")
	}
	f, err := mattermostfake.Listen(mattermostfake.Options{Queue: 1 << 16, Dead: 1 << 12})
	require.NoError(t, err)
	proxy := newProxy(t, f.Host())
	alice, room := mattermostfake.ID("alice"), mattermostfake.ID("ops")
	f.AddUser(mattermostfake.User{ID: alice, Name: "alice"})
	f.AddRoom(mattermostfake.Room{ID: room, Name: "ops", Members: []string{alice}})

	var mu sync.Mutex
	where := proxy.addr() // it moves when the proxy is started again
	through := func(ctx context.Context, network, _ string) (net.Conn, error) {
		mu.Lock()
		to := where
		mu.Unlock()
		var d net.Dialer
		return d.DialContext(ctx, network, to)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: through, ResponseHeaderTimeout: 3 * time.Second}}
	a, err := mattermost.New(mattermost.Config{URL: f.URL(), Token: mattermostfake.Token, HTTPClient: client,
		Dialer: &websocket.Dialer{NetDialContext: through, HandshakeTimeout: 3 * time.Second}, Logger: searched(t, mattermostfake.Token)})
	require.NoError(t, err)
	handled, repeats := map[string]int{}, 0
	seen := map[string]bool{}
	sink := func(_ context.Context, ev *adapter.Event) error {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case ev.Kind != adapter.KindMessage:
		case seen[ev.ID]:
			repeats++
		default:
			seen[ev.ID] = true
			handled[ev.Text]++
		}
		return nil
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
			_, err := f.Say(alice, room, text)
			require.NoError(t, err)
		}
	}
	all := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(handled) == len(offered)
	}
	tick := func(d time.Duration) { <-time.After(d) }
	until := func(d time.Duration, what string, ok func() bool) {
		for end := time.Now().Add(d); !ok(); tick(10 * time.Millisecond) {
			require.True(t, time.Now().Before(end), what)
		}
	}
	toxics := []struct{ name, toxic string }{
		{"reset", `{"type":"reset_peer","stream":"downstream","attributes":{"timeout":0}}`},
		{"cut in a frame", `{"type":"limit_data","stream":"downstream","attributes":{"bytes":3333}}`},
		{"timeout", `{"type":"timeout","stream":"downstream","attributes":{"timeout":300}}`},
		{"slow close", `{"type":"slow_close","stream":"downstream","attributes":{"delay":200}}`},
		{"sliced, then cut", `{"type":"slicer","stream":"downstream","attributes":{"average_size":64,"size_variation":32,"delay":10}}`},
		{"reset upwards", `{"type":"reset_peer","stream":"upstream","attributes":{"timeout":0}}`},
		{"cut in what we say", `{"type":"limit_data","stream":"upstream","attributes":{"bytes":200}}`},
		{"slow, then cut", `{"type":"latency","stream":"downstream","attributes":{"latency":200,"jitter":100}}`},
		{"thin, then cut", `{"type":"bandwidth","stream":"downstream","attributes":{"rate":20}}`},
		{"the proxy is gone", ""},
	}
	var down []time.Duration
	for _, c := range toxics {
		say(5)
		tick(100 * time.Millisecond)
		if c.toxic != "" {
			proxy.toxic(c.toxic)
		}
		say(10)
		tick(300 * time.Millisecond)
		cut := time.Now()
		proxy.cut() // whatever the toxic did, now it is cut
		mu.Lock()
		where = proxy.addr()
		mu.Unlock()
		say(5)
		until(60*time.Second, c.name, all)
		down = append(down, time.Since(cut))
	}
	status := a.Status()
	out := figures{Run: "R2 mattermost, toxiproxy", Offered: len(offered), Cuts: len(down), Handled: len(handled), Repeats: repeats, Took: time.Since(begun).Round(time.Millisecond).String()}
	for _, text := range offered {
		switch n := handled[text]; {
		case n == 0:
			out.Lost++
		case n > 1:
			out.Duplicates++
		}
	}
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
	require.Empty(t, f.Mistakes())
	client.CloseIdleConnections()
	line, err := json.Marshal(out)
	require.NoError(t, err)
	t.Log(string(line), "resumed", status.Resumed)
	require.Equal(t, 10, out.Cuts)
	require.Zero(t, out.Lost)
	require.Zero(t, out.Duplicates)
	require.LessOrEqual(t, out.DialsASecond, 1)
	require.Positive(t, status.Resumed)
}
