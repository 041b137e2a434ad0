package discord

import (
	"context"
	"fmt"
	"time"
)

const (
	paceEvery = time.Second // five messages in five seconds are what a room takes; the headers of the answers say when it is less
	paceBurst = 4
)

// turn waits for the turn of a message.
func (a *Adapter) turn(ctx context.Context, room string) error {
	if err := a.pace.Turn(ctx, room); err != nil {
		return fmt.Errorf("discord: send: %w", err)
	}
	return nil
}
