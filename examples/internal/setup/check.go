package setup

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/starlingbot/starling"
)

// Check tests all of a bot but its brain, which another process has: most likely the bot itself, which runs. bot has another brain
// meanwhile, and must not run. The error says that something is to be mended.
func Check(ctx context.Context, out io.Writer, bot *starling.Bot, has *InUse) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	bad := 0
	for _, c := range bot.Check(ctx) {
		line := "ok   " + c.Name
		switch {
		case c.Name == "brain":
			line = fmt.Sprintf("held brain: %s has %s. If that is the bot, it runs and its memory works; this is a test of the rest. Else stop it: no bot can start with that memory before",
				has.Holder, has.Path)
		case c.Err != nil:
			line = "FAIL " + c.Name + ": " + c.Err.Error()
			bad++
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fmt.Errorf("%s: %d of the tests failed", has.Program, bad)
	}
	return nil
}
