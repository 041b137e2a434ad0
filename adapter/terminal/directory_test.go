package terminal

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

func TestDirectory(t *testing.T) {
	const nothing, several = "not found", "ambiguous"
	for _, c := range []struct {
		name       string
		playground bool
		users      map[string]string // query to id
		rooms      map[string]string
		direct     map[string]string
	}{
		{
			name:   "one person",
			users:  map[string]string{"you": "you", "@you": "you", "@YOU": "you", "bob": nothing, "@bob": nothing, "": nothing, "@": nothing, "@starling": "bot:starling", "bot:starling": "bot:starling"},
			rooms:  map[string]string{"dm-you": "dm-you", "#you": nothing, "ops": nothing, "#ops": nothing, "": nothing, "#": nothing, "dm-bob": nothing},
			direct: map[string]string{"you": "dm-you", "bob": nothing, "": nothing},
		},
		{
			name: "playground", playground: true,
			users:  map[string]string{"@you": "you", "@bob": "bob", "Ann": "Ann", "@ann": "ann", "@ANN": several, "@carl": "Carl", "a b": nothing, "@x\x1b[2J": nothing, "@\u202ebob": nothing, "@starling": "bot:starling"},
			rooms:  map[string]string{"#ops": "ops", "ops": "ops", "#OPS": "ops", "#dev": "dev", "dm-bob": "dm-bob", "#dm-bob": nothing, "#a b": nothing, "##x": nothing},
			direct: map[string]string{"you": "dm-you", "bob": "dm-bob", "a b": nothing, "": nothing},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, _, _ := piped(t, "/as Carl\n/as Ann\n/as ann\n/room ops\nx", Config{Playground: c.playground})
			require.NoError(t, a.Run(t.Context(), (&recorder{}).sink))
			check := func(query, id string, err error, want string) {
				t.Helper()
				switch want {
				case nothing:
					require.ErrorIs(t, err, adapter.ErrNotFound, query)
				case several:
					require.ErrorIs(t, err, adapter.ErrAmbiguous, query)
				default:
					require.NoError(t, err, query)
					require.Equal(t, want, id, query)
				}
			}
			for query, want := range c.users {
				u, err := a.User(t.Context(), query)
				check(query, u.ID, err, want)
				if err == nil && u.ID != a.bot.ID {
					require.Equal(t, a.person(u.ID), u)
				}
			}
			for query, want := range c.rooms {
				r, err := a.Room(t.Context(), query)
				check(query, r.ID, err, want)
			}
			for query, want := range c.direct {
				r, err := a.OpenDirect(t.Context(), query)
				check(query, r.ID, err, want)
				if err == nil {
					require.Equal(t, adapter.Room{ID: want, Name: query, Kind: adapter.RoomDirect}, r)
				}
			}
			before := len(a.users.m) + len(a.rooms.m)
			_, _ = a.User(t.Context(), "@new")
			_, _ = a.Room(t.Context(), "#new")
			require.Len(t, a.users.m, before-len(a.rooms.m), "a question makes nobody")
		})
	}
}

func TestKept(t *testing.T) {
	var k kept[int]
	k.remove("x")
	for _, key := range []string{"a", "b", "a", "c"} {
		n, _ := k.get(key)
		k.put(key, n+1)
	}
	require.Equal(t, []string{"a", "b", "c"}, k.order)
	k.remove("b")
	require.Equal(t, []string{"a", "c"}, k.order)
	n, ok := k.find(func(n int) bool { return n > 1 })
	require.True(t, ok)
	require.Equal(t, 2, n)
	_, ok = k.get("b")
	require.False(t, ok)
}
