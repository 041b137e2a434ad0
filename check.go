package starling

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
)

// Check tests what the bot needs, without running it: that the store keeps what is written, and what each adapter tests of
// its own (tokens, permissions, clocks). It changes nothing that lasts.
func (b *Bot) Check(ctx context.Context) []adapter.Check {
	checks := []adapter.Check{b.checkStore(ctx)}
	for _, src := range b.order {
		c, ok := adapter.As[adapter.Checker](src.adapter)
		if !ok {
			checks = append(checks, adapter.Check{Name: src.name, OK: true, Detail: "nothing to test"})
			continue
		}
		for _, check := range c.Check(ctx) {
			check.Name = src.name + ": " + check.Name
			checks = append(checks, check)
		}
	}
	return checks
}

func (b *Bot) checkStore(ctx context.Context) adapter.Check {
	check := adapter.Check{Name: "brain"}
	if b.cfg.Brain == nil {
		check.OK, check.Detail = true, "in memory: nothing is kept over a restart"
		return check
	}
	begun := time.Now()
	value := []byte(nonce())
	_, err := b.store.Apply(ctx, brain.Op{Key: probeKey, Value: value, If: brain.Any, TTL: time.Minute})
	if err == nil {
		var entry brain.Entry
		entry, err = b.store.Get(ctx, probeKey)
		if err == nil && !bytes.Equal(entry.Value, value) {
			err = fmt.Errorf("it gave back something else")
		}
	}
	if err != nil {
		check.Detail, check.Cure = err.Error(), "see that its file or server can be written: space, permissions, connection"
		return check
	}
	check.OK, check.Detail = true, fmt.Sprintf("written and read in %v", time.Since(begun).Round(10*time.Microsecond))
	return check
}
