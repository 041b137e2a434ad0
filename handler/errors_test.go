package handler_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

func TestUserErrorf(t *testing.T) {
	second := errors.New("second")
	err := handler.UserErrorf("no **%s** for %s: %v, %v", evil, adapter.User{ID: "U1", Name: "bob"}, io.EOF, second)
	require.EqualError(t, err, "no **"+adapter.Strip(evil)+"** for @bob: EOF, second")
	require.ErrorIs(t, err, io.EOF, "the first error is the cause")
	require.NotErrorIs(t, err, second)
	require.NoError(t, errors.Unwrap(handler.UserErrorf("no")))
	var none error
	require.NoError(t, errors.Unwrap(handler.UserErrorf("no %v", none)))

	var shown *handler.UserError
	require.ErrorAs(t, fmt.Errorf("deploy: %w", err), &shown)
	require.Contains(t, shown.Text, "**"+adapter.Data(evil)+"**")
}

func TestRetry(t *testing.T) {
	require.NoError(t, handler.Retry(nil))
	err := handler.Retry(io.EOF)
	require.EqualError(t, err, "retry: EOF")
	require.ErrorIs(t, err, io.EOF)
	var again *handler.RetryError
	require.ErrorAs(t, fmt.Errorf("fetch: %w", err), &again)
	require.Zero(t, again.After)
	require.NotEmpty(t, (&handler.RetryError{}).Error(), "one made by hand without a cause")
}

func TestRefused(t *testing.T) {
	var refused *handler.RefusedError
	require.ErrorAs(t, handler.Refused("rate limit"), &refused)
	require.Equal(t, "rate limit", refused.Reason)
	require.EqualError(t, refused, "refused: rate limit")
}

func TestPanicError(t *testing.T) {
	require.EqualError(t, &handler.PanicError{Value: 7}, "panic: 7")
	require.NoError(t, errors.Unwrap(&handler.PanicError{Value: "x"}))
	require.ErrorIs(t, &handler.PanicError{Value: fmt.Errorf("x: %w", io.EOF)}, io.EOF)
	require.NotContains(t, (&handler.PanicError{Value: handler.NewSecret("cnrymark2")}).Error(), "cnrymark2")
}

func TestCorrelationID(t *testing.T) {
	a := handler.CorrelationID("slack/E1")
	require.Regexp(t, `^[a-z2-7]{8}$`, a)
	require.Equal(t, a, handler.CorrelationID("slack/E1"))
	require.NotEqual(t, a, handler.CorrelationID("slack/E2"))
	require.Equal(t, a, handler.NewRequest(&adapter.Event{ID: "slack/E1"}, nil).CorrelationID())
}

func TestPolicyIsZero(t *testing.T) {
	require.True(t, handler.Policy{}.IsZero())
	for _, p := range []handler.Policy{{Roles: []string{"a"}}, {In: []string{"C1"}}, {Direct: true}, {Approvals: 1}, {ApprovedBy: "a"}, {Elevate: 1}, {Dangerous: true}} {
		require.False(t, p.IsZero(), "%+v", p)
	}
}
