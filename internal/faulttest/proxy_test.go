package faulttest

import (
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// proxy is a toxiproxy in front of a platform.
type proxy struct {
	t        *testing.T
	server   *toxiproxy.ApiServer
	upstream string
	at       *toxiproxy.Proxy
}

func newProxy(t *testing.T, upstream string) *proxy {
	t.Helper()
	p := &proxy{t: t, server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop()), upstream: upstream}
	p.start()
	t.Cleanup(func() { p.at.Stop() })
	return p
}

func (p *proxy) start() {
	p.t.Helper()
	p.at = toxiproxy.NewProxy(p.server, "platform", "127.0.0.1:0", p.upstream)
	require.NoError(p.t, p.at.Start())
}

// addr is where it listens; another address after each cut.
func (p *proxy) addr() string { return p.at.Listen }

// toxic does something to what passes from now on: a toxic of toxiproxy without its name.
func (p *proxy) toxic(json string) {
	p.t.Helper()
	_, err := p.at.Toxics.AddToxicJson(strings.NewReader(strings.Replace(json, "{", `{"name":"t",`, 1)))
	require.NoError(p.t, err)
}

// cut ends all connections, and one without faults stands in its place. The toxics are not taken out first: that would wait
// until they have let go what they hold, and the platform would be away for so long.
func (p *proxy) cut() {
	p.t.Helper()
	p.at.Stop()
	p.start()
}
