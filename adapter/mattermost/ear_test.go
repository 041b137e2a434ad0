package mattermost_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	"github.com/starlingbot/starling/internal/adapterstage"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func to(room string) adapter.Address { return adapter.Address{Adapter: "mattermost", Room: room} }

// idle makes an adapter that does not run: Send works all the same.
func idle(t *testing.T, cfg mattermost.Config) *mattermost.Adapter {
	t.Helper()
	a, err := mattermost.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a
}

// What the tests of all adapters share.
type (
	ear   = adapterstage.Ear
	shelf = adapterstage.Shelf
)

func newEar() *ear { return &ear{Own: true} }

// bubble runs a test against a fake on the fake clock.
func bubble(t *testing.T, opt fake.Options, test func(t *testing.T, f *fake.Server)) {
	t.Helper()
	adapterstage.Bubble(t, func() *fake.Server {
		f := fake.New(opt)
		people(f)
		return f
	}, test)
}

func wait(d time.Duration) { adapterstage.Wait(d) }
