package slack

import (
	"context"
	"fmt"
	"time"
)

const (
	paceEvery = time.Second // one message a second in a room (https://docs.slack.dev/apis/web-api/rate-limits#posting)
	paceBurst = 3
)

// turn waits for the turn of a message.
func (a *Adapter) turn(ctx context.Context, room string) error {
	if err := a.pace.Turn(ctx, room); err != nil {
		return fmt.Errorf("slack: send: %w", err)
	}
	return nil
}
