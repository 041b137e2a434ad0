package slack_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/starlingbot/starling/internal/adapterstage"
	"github.com/starlingbot/starling/internal/slackfake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What the tests of all adapters share.
type (
	ear   = adapterstage.Ear
	shelf = adapterstage.Shelf
)

// bubble runs a test against a fake on the fake clock.
func bubble(t *testing.T, opt slackfake.Options, test func(t *testing.T, f *slackfake.Server)) {
	t.Helper()
	adapterstage.Bubble(t, func() *slackfake.Server {
		f := slackfake.New(opt)
		people(f)
		return f
	}, test)
}

func wait(d time.Duration) { adapterstage.Wait(d) }
