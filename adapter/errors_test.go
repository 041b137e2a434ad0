package adapter_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

func TestOutcomeOf(t *testing.T) {
	limited := &adapter.RateLimitError{RetryAfter: time.Second}
	for _, c := range []struct {
		err  error
		want adapter.Outcome
	}{
		{adapter.ErrUnsupported, adapter.Refused},
		{errors.ErrUnsupported, adapter.Refused},
		{adapter.ErrNotFound, adapter.Refused},
		{adapter.ErrAmbiguous, adapter.Refused},
		{adapter.ErrForbidden, adapter.Refused},
		{adapter.ErrTooLong, adapter.Refused},
		{adapter.ErrAuth, adapter.Refused},
		{adapter.ErrInvalid, adapter.Refused},
		{adapter.ErrClosed, adapter.Refused},
		{adapter.ErrUnavailable, adapter.NotYet},
		{limited, adapter.NotYet},
		{&adapter.RateLimitError{}, adapter.NotYet},
		{context.DeadlineExceeded, adapter.Unknown},
		{context.Canceled, adapter.Unknown},
		{errors.New("connection reset"), adapter.Unknown},
		{nil, adapter.Unknown},
	} {
		require.Equal(t, c.want, adapter.OutcomeOf(c.err), "%v", c.err)
		if c.err != nil {
			require.Equal(t, c.want, adapter.OutcomeOf(fmt.Errorf("slack: send: %w: C1", c.err)), "wrapped %v", c.err)
			require.Equal(t, c.want, adapter.OutcomeOf(errors.Join(errors.New("other"), c.err)), "joined %v", c.err)
		}
	}
	// What says that nothing was posted and that it may be tried again wins over why it was refused this time.
	require.Equal(t, adapter.NotYet, adapter.OutcomeOf(errors.Join(adapter.ErrForbidden, limited)))
}

func TestErrors(t *testing.T) {
	require.ErrorIs(t, adapter.ErrUnsupported, errors.ErrUnsupported)
	require.EqualError(t, &adapter.RateLimitError{}, "adapter: rate limited")
	require.EqualError(t, &adapter.RateLimitError{RetryAfter: -1}, "adapter: rate limited")
	require.EqualError(t, &adapter.RateLimitError{RetryAfter: 90 * time.Second}, "adapter: rate limited, retry after 1m30s")
	var rl *adapter.RateLimitError
	require.ErrorAs(t, fmt.Errorf("x: %w", &adapter.RateLimitError{RetryAfter: 3}), &rl)
	require.Equal(t, time.Duration(3), rl.RetryAfter)
}
