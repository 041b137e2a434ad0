package roles_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler/roles"
)

// P6: each reason has its own error.
func TestGrantAndRevoke(t *testing.T) {
	s := memory.New()
	ro := made(t, s)
	require.ErrorIs(t, ro.Revoke(ctx, "deployer", bob, alice), roles.ErrNotMember)
	require.NoError(t, ro.Grant(ctx, "deployer", bob, alice))
	require.ErrorIs(t, ro.Grant(ctx, "deployer", bob, alice), roles.ErrAlready)
	require.NoError(t, ro.Grant(ctx, "sre", bob, adapter.User{}))
	require.Equal(t, []string{"deployer", "sre"}, of(t, ro, bob))
	require.Empty(t, of(t, ro, carol))
	require.NoError(t, ro.Revoke(ctx, "deployer", bob, alice))
	require.ErrorIs(t, ro.Revoke(ctx, "deployer", bob, alice), roles.ErrNotMember)
	require.Equal(t, []string{"sre"}, of(t, ro, bob))

	_, err := brain.Get[any](ctx, space(s), brain.Key("member", bob.Key()))
	require.NoError(t, err)
	require.NoError(t, ro.Revoke(ctx, "sre", bob, alice))
	_, err = brain.Get[any](ctx, space(s), brain.Key("member", bob.Key()))
	require.ErrorIs(t, err, brain.ErrNotFound, "an account without roles leaves nothing behind")
}

func TestMembersAndList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ro := made(t, memory.New(), func(c *roles.Config) { c.Defaults, c.Known = []string{"user"}, []string{"deployer", "sre"} })
		require.NoError(t, ro.Grant(ctx, "deployer", carol, alice))
		begun := time.Now().UTC()
		time.Sleep(time.Minute)
		require.NoError(t, ro.Grant(ctx, "deployer", bob, adapter.User{}))

		members, err := ro.Members(ctx, " Deployer ")
		require.NoError(t, err)
		require.Equal(t, []roles.Member{
			{User: bob, At: begun.Add(time.Minute)},
			{User: carol, By: adapter.User{Adapter: "chat", Tenant: "T1", ID: "ALICE", Name: "alice"}, At: begun},
		}, members)
		members, err = ro.Members(ctx, "nobody")
		require.NoError(t, err)
		require.Empty(t, members)
		_, err = ro.Members(ctx, "no name")
		require.Error(t, err)

		all, err := ro.List(ctx)
		require.NoError(t, err)
		require.Equal(t, []roles.Role{{Name: "admin", Members: 1}, {Name: "deployer", Members: 2}, {Name: "sre"}, {Name: "user", Default: true}}, all)
	})
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shaky{Store: memory.New()}
		ro := made(t, s, func(c *roles.Config) { c.MaxMembers = 3 })
		given := map[string]any{}
		for i := range 255 {
			given[fmt.Sprint("r", i)] = map[string]any{}
		}
		require.NoError(t, brain.Set(ctx, space(s), brain.Key("member", bob.Key()), map[string]any{"v": 1, "user": bob, "roles": given}))
		require.NoError(t, ro.Grant(ctx, "the-last", bob, alice))
		require.ErrorIs(t, ro.Grant(ctx, "one-more", bob, alice), roles.ErrFull)
		require.Len(t, of(t, ro, bob), 256)

		require.NoError(t, ro.Grant(ctx, "x", carol, alice))
		require.NoError(t, ro.Grant(ctx, "x", account("D"), alice))
		require.ErrorIs(t, ro.Grant(ctx, "x", account("E"), alice), roles.ErrFull)
		require.NoError(t, ro.Grant(ctx, "y", carol, alice), "who has roles can get more")
		require.Equal(t, int64(1), s.onList.Load(), "not counted for each grant")

		require.NoError(t, ro.Revoke(ctx, "x", account("D"), alice))
		time.Sleep(time.Minute)
		require.NoError(t, ro.Grant(ctx, "x", account("E"), alice), "counted again after a minute")
	})
}

// The audit comes before the change, once, and only for what is one.
func TestAudit(t *testing.T) {
	var seen []roles.Change
	var refuse error
	s := memory.New()
	ro := made(t, s, func(c *roles.Config) {
		c.Audit = func(ctx context.Context, change roles.Change) error {
			has, err := made(t, s).Has(ctx, change.User, change.Role) // as another process sees it
			require.NoError(t, err)
			require.Equal(t, change.Action == roles.Revoked, has, "the change has not been made yet")
			seen = append(seen, change)
			return refuse
		}
	})
	require.NoError(t, ro.Grant(ctx, "Deployer", bob, alice))
	require.ErrorIs(t, ro.Grant(ctx, "deployer", bob, alice), roles.ErrAlready)
	require.ErrorIs(t, ro.Grant(ctx, "admin", bob, alice), roles.ErrAdmin)
	require.ErrorIs(t, ro.Revoke(ctx, "sre", bob, alice), roles.ErrNotMember)
	require.NoError(t, ro.Revoke(ctx, "deployer", bob, alice))
	require.Equal(t, []roles.Change{
		{Action: roles.Granted, Role: "deployer", User: bob, By: alice}, {Action: roles.Revoked, Role: "deployer", User: bob, By: alice},
	}, seen)

	refuse = errors.New("the log is full")
	err := ro.Grant(ctx, "deployer", bob, alice)
	require.ErrorIs(t, err, refuse)
	require.ErrorContains(t, err, "nothing was changed")
	require.Empty(t, of(t, ro, bob), "what cannot be audited does not happen")
	refuse = nil
	require.NoError(t, ro.Grant(ctx, "deployer", bob, alice))
	refuse = errors.New("the log is full")
	require.ErrorIs(t, ro.Revoke(ctx, "deployer", bob, alice), refuse)
	require.Equal(t, []string{"deployer"}, of(t, ro, bob))
}

// contended is a store where somebody else is always faster at first.
type contended struct {
	brain.Store
	times int
}

func (s *contended) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if s.times > 0 {
		s.times--
		return nil, brain.ErrConflict
	}
	return s.Store.Apply(ctx, ops...)
}

func TestAuditOnceUnderContention(t *testing.T) {
	n := 0
	ro := made(t, &contended{Store: memory.New(), times: 5}, func(c *roles.Config) {
		c.Audit = func(context.Context, roles.Change) error { n++; return nil }
	})
	require.NoError(t, ro.Grant(ctx, "deployer", bob, alice))
	require.Equal(t, 1, n)
}
