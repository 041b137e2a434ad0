package roles_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler/roles"
)

// crowd makes 10,000 members, each with 20 of 200 roles; a tenth of them for the race detector.
func crowd(tb testing.TB) (*roles.Roles, []adapter.User) {
	tb.Helper()
	s := memory.New()
	users := make([]adapter.User, 10_000)
	if raceEnabled {
		users = users[:1000]
	}
	for i := range users {
		users[i] = account(fmt.Sprintf("U%05d", i))
		given := map[string]any{}
		for r := range 20 {
			given[fmt.Sprintf("role-%03d", (i+r*10)%200)] = map[string]any{}
		}
		value, err := json.Marshal(map[string]any{"v": 1, "user": users[i], "roles": given})
		require.NoError(tb, err)
		_, err = s.Apply(ctx, brain.Op{Key: space(s).Key(brain.Key("member", users[i].Key())), Value: value})
		require.NoError(tb, err)
	}
	ro := made(tb, s)
	for _, u := range users {
		require.Len(tb, of(tb, ro, u), 20)
	}
	return ro, users
}

// A cached answer takes no allocation; how long it takes is printed.
func TestSpeed(t *testing.T) {
	ro, users := crowd(t)
	i := 0
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		i = (i + 7919) % len(users)
		if all, err := ro.Of(ctx, users[i]); err != nil || len(all) != 20 {
			t.Fatal(all, err)
		}
	}))
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		i = (i + 7919) % len(users)
		if has, err := ro.Has(ctx, users[i], "role-199"); err != nil || has != (i%10 == 9) {
			t.Fatal(i, has, err)
		}
	}))
	if testing.Short() || raceEnabled {
		return // figures of no meaning
	}
	one := testing.Benchmark(func(b *testing.B) { benchOf(b, ro, users[:1]) })
	all := testing.Benchmark(func(b *testing.B) { benchOf(b, ro, users) })
	t.Logf("cached Of, 200 roles x 10,000 members: %v for one member, %v over all members (cold memory)", one, all)
}

func BenchmarkOf(b *testing.B) {
	ro, users := crowd(b)
	b.Run("one", func(b *testing.B) { benchOf(b, ro, users[:1]) })
	b.Run("all", func(b *testing.B) { benchOf(b, ro, users) })
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := ro.Of(ctx, users[0]); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func benchOf(b *testing.B, ro *roles.Roles, users []adapter.User) {
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i++; i == len(users) {
			i = 0
		}
		if _, err := ro.Of(ctx, users[i]); err != nil {
			b.Fatal(err)
		}
	}
}
