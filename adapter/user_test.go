package adapter_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/starlingbot/starling/adapter"
)

func TestUserKey(t *testing.T) {
	for _, c := range []struct {
		user adapter.User
		want string
	}{
		{adapter.User{Adapter: "slack", Tenant: "T1", ID: "U1", Name: "bob", Email: "bob@example.org", Kind: adapter.KindMember}, "slack/T1/U1"},
		{adapter.User{Adapter: "slack", ID: "U1"}, "slack//U1"},
		{adapter.User{Adapter: "a/b", Tenant: "c", ID: "d"}, "a%2Fb/c/d"},
		{adapter.User{Adapter: "a", Tenant: "b/c", ID: "d"}, "a/b%2Fc/d"},
		{adapter.User{Adapter: "a%2Fb", Tenant: "c", ID: "d"}, "a%252Fb/c/d"},
		{adapter.User{Adapter: "slack", Tenant: "T1", Name: "bob"}, ""},
		{adapter.User{}, ""},
	} {
		require.Equal(t, c.want, c.user.Key())
	}
}

// Two users share a key only if adapter, tenant and id are the same; name, e-mail and kind are not part of it.
func TestUserKeyHasNoCollisions(t *testing.T) {
	part := rapid.StringOfN(rapid.SampledFrom([]rune("/%2F5a")), 0, 4, -1)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) adapter.User {
			return adapter.User{Adapter: part.Draw(t, name+" adapter"), Tenant: part.Draw(t, name+" tenant"), ID: "x" + part.Draw(t, name+" id"), Name: part.Draw(t, name+" name")}
		}
		a, b := draw("a"), draw("b")
		same := a.Adapter == b.Adapter && a.Tenant == b.Tenant && a.ID == b.ID
		require.Equal(t, same, a.Key() == b.Key(), "%q and %q", a.Key(), b.Key())
		c := a
		c.Name, c.Email, c.Kind = "other", "o@example.org", adapter.KindBot
		require.Equal(t, a.Key(), c.Key())
	})
}

func TestNames(t *testing.T) {
	require.Equal(t, "bob", adapter.User{ID: "U1", Name: "bob"}.String())
	require.Equal(t, "U1", adapter.User{ID: "U1"}.String())
	require.Equal(t, "#ops", adapter.Room{ID: "C1", Name: "ops", Kind: adapter.RoomPrivate}.String())
	require.Equal(t, "C1", adapter.Room{ID: "C1"}.String())
	require.Equal(t, "D1", adapter.Room{ID: "D1", Name: "bob", Kind: adapter.RoomDirect}.String())
}
