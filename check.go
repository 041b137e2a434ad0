package starling

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
)

// Check is what a test of the bot's settings found.
type Check struct {
	Name string // what was tested: "brain", or an adapter's name
	Err  error  // what is wrong and what to do; nil: it works
}

// Check tests what the bot needs, without running it: that the store keeps what is written, and what each adapter tests of
// its own (tokens, permissions, clocks). There is one Check for each thing that is wrong, and one for each thing where
// nothing is. It changes nothing that lasts.
func (b *Bot) Check(ctx context.Context) []Check {
	checks := []Check{{"brain", b.checkStore(ctx)}}
	for _, src := range b.order {
		c, ok := adapter.As[adapter.Checker](src.adapter)
		if !ok {
			checks = append(checks, Check{Name: src.name})
			continue
		}
		err := c.Check(ctx)
		if err == nil {
			checks = append(checks, Check{Name: src.name})
		}
		for _, e := range parts(err) {
			checks = append(checks, Check{src.name, e})
		}
	}
	return checks
}

// parts gives the errors that errors.Join joined.
func parts(err error) []error {
	if err == nil {
		return nil
	}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	return []error{err}
}

func (b *Bot) checkStore(ctx context.Context) error {
	if b.cfg.Brain == nil {
		return nil // memory
	}
	value := []byte(nonce())
	_, err := b.store.Apply(ctx, brain.Op{Key: probeKey, Value: value, If: brain.Any, TTL: time.Minute})
	if err == nil {
		var entry brain.Entry
		if entry, err = b.store.Get(ctx, probeKey); err == nil && !bytes.Equal(entry.Value, value) {
			err = errors.New("it gave back something else than was written")
		}
	}
	if err != nil {
		return fmt.Errorf("the store cannot be used: %w: look at its space, its permissions and its connection", err)
	}
	return nil
}
