package handler_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// people is a Directory that answers as a test wants.
type people struct {
	adapter.Directory
	user func(query string) (adapter.User, error)
}

func (p people) User(_ context.Context, query string) (adapter.User, error) { return p.user(query) }

// lookups is Effects with a Directory.
type lookups struct {
	recorder
	directory adapter.Directory
}

func (e *lookups) Directory(string) adapter.Directory { return e.directory }

// An account is of the kind that the platform says now; where it does not know the account it is gone, and where nobody knows
// that is an error.
func TestCurrent(t *testing.T) {
	was := adapter.User{Adapter: "chat", Tenant: "T1", ID: "U1", Name: "bob", Kind: adapter.KindMember}
	is := func(kind adapter.UserKind) adapter.User { u := was; u.Kind = kind; return u }
	other := was
	other.ID = "U2"
	for name, c := range map[string]struct {
		now  adapter.User
		err  error
		want adapter.UserKind // empty: an error
	}{
		"as it was":       {now: is(adapter.KindMember), want: adapter.KindMember},
		"deactivated":     {now: is(adapter.KindDeactivated), want: adapter.KindDeactivated},
		"a guest now":     {now: is(adapter.KindGuest), want: adapter.KindGuest},
		"of unknown kind": {now: is(adapter.KindUnknown), want: adapter.KindMember},
		"gone":            {err: fmt.Errorf("x: %w", adapter.ErrNotFound), want: adapter.KindDeactivated},
		"not supported":   {err: adapter.ErrUnsupported, want: adapter.KindMember},
		"nobody knows":    {err: errors.New("down")},
		"another account": {now: other},
	} {
		t.Run(name, func(t *testing.T) {
			e := &lookups{directory: people{user: func(query string) (adapter.User, error) {
				require.Equal(t, "U1", query)
				return c.now, c.err
			}}}
			r := handler.NewRequest(&adapter.Event{ID: "1", Adapter: "chat"}, e)
			u, err := r.Current(context.Background(), was)
			if c.want == "" {
				require.ErrorContains(t, err, "chat/T1/U1")
				return
			}
			require.NoError(t, err)
			require.Equal(t, is(c.want), u)
		})
	}
	r := handler.NewRequest(&adapter.Event{ID: "1", Adapter: "chat"}, &lookups{})
	u, err := r.Current(context.Background(), was)
	require.NoError(t, err)
	require.Equal(t, was, u, "an adapter that cannot look people up")
}
