package roles_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler/roles"
)

var ctx = context.Background()

func account(id string) adapter.User {
	return adapter.User{Adapter: "chat", Tenant: "T1", ID: id, Name: strings.ToLower(id), Kind: adapter.KindMember}
}

var (
	alice = account("ALICE")
	bob   = account("BOB")
	carol = account("CAROL")
)

func space(s brain.Store) *brain.Brain { return brain.New(s).Namespace("roles") }

// made makes Roles on a store.
func made(t testing.TB, s brain.Store, change ...func(*roles.Config)) *roles.Roles {
	t.Helper()
	cfg := roles.Config{Brain: space(s), Admins: []string{alice.Key()}}
	for _, f := range change {
		f(&cfg)
	}
	ro, err := roles.New(cfg)
	require.NoError(t, err)
	return ro
}

func of(t testing.TB, ro *roles.Roles, u adapter.User) []string {
	t.Helper()
	all, err := ro.Of(ctx, u)
	require.NoError(t, err)
	return all
}

// shaky is a store that fails when it is told to, and counts.
type shaky struct {
	brain.Store
	fails  atomic.Bool
	gets   atomic.Int64
	onGet  atomic.Pointer[func()] // before a Get returns
	onList atomic.Int64
}

var errDown = errors.New("the store is down")

func (s *shaky) Unwrap() brain.Store { return s.Store }

func (s *shaky) Get(ctx context.Context, key string) (brain.Entry, error) {
	s.gets.Add(1)
	if s.fails.Load() {
		return brain.Entry{}, errDown
	}
	e, err := s.Store.Get(ctx, key)
	if f := s.onGet.Swap(nil); f != nil {
		(*f)()
	}
	return e, err
}

func (s *shaky) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	s.onList.Add(1)
	if s.fails.Load() {
		return func(yield func(brain.Entry, error) bool) { yield(brain.Entry{}, errDown) }
	}
	return s.Store.List(ctx, prefix)
}

func (s *shaky) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if s.fails.Load() {
		return nil, errDown
	}
	return s.Store.Apply(ctx, ops...)
}

// source is a directory of a test.
type source func(ctx context.Context, u adapter.User) ([]string, error)

func (f source) Roles(ctx context.Context, u adapter.User) ([]string, error) { return f(ctx, u) }

// T2, P18: a name is refused where a key belongs, with the way to the key.
func TestNamesAreNoKeys(t *testing.T) {
	s := memory.New()
	for _, name := range []string{"alice", "@alice", "alice@example.com", "chat/alice", "", "a/b/c/d"} {
		_, err := roles.New(roles.Config{Brain: space(s), Admins: []string{name}})
		require.ErrorContains(t, err, fmt.Sprintf("roles: Config.Admins: %q is a name", name))
		require.ErrorContains(t, err, "adapter/tenant/id")
		require.ErrorContains(t, err, `saying "whoami"`)
	}
	for _, odd := range []string{"//", "chat/T1/", "/T1/U1", "chat/T%1/U1", "chat/%2f/U1"} {
		_, err := roles.New(roles.Config{Brain: space(s), Admins: []string{odd}})
		require.ErrorContains(t, err, "is not the key of an account", odd)
	}
	for _, u := range []adapter.User{alice, {Adapter: "a/b", Tenant: "", ID: "x%2Fy"}, {Adapter: "mm", ID: "é"}} {
		got, err := roles.ParseKey(u.Key())
		require.NoError(t, err)
		require.Equal(t, adapter.User{Adapter: u.Adapter, Tenant: u.Tenant, ID: u.ID}, got)
	}
}

func TestMistakesOfTheConfiguration(t *testing.T) {
	_, err := roles.New(roles.Config{
		Admins: []string{"alice", "bob"}, Defaults: []string{"two words", "admin"}, Known: []string{"ä"}, Sources: []roles.Source{nil},
		CacheFor: time.Minute + 1, Timeout: -1,
	})
	for _, want := range []string{
		"Config.Brain is nil", `"alice" is a name`, `"bob" is a name`, `roles: Config.Defaults: "two words"`, "admin is given by the bot's configuration alone",
		`roles: Config.Known: "ä"`, "Config.Sources has a nil", "Config.CacheFor is 1m0.000000001s", "must not be negative",
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = roles.New(roles.Config{Brain: space(memory.New()), CacheFor: time.Minute})
	require.NoError(t, err)
}

// P3, P7: one form of a role's name.
func TestName(t *testing.T) {
	for in, want := range map[string]string{" Foo ": "foo", "foo": "foo", "FOO\t": "foo", "on-call_2": "on-call_2", strings.Repeat("a", 64): strings.Repeat("a", 64)} {
		got, err := roles.Name(in)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, in := range []string{"", "  ", "a b", "é", "\u0430" /* a Cyrillic a */, "\u212a" /* the Kelvin sign, which is k in lower case */, "a/b", "@bob", "-a", strings.Repeat("a", 65)} {
		got, err := roles.Name(in)
		require.Error(t, err, "%q", in)
		require.Empty(t, got)
	}

	ro := made(t, memory.New())
	require.NoError(t, ro.Grant(ctx, " Foo ", bob, alice))
	require.Equal(t, []string{"foo"}, of(t, ro, bob))
	require.ErrorIs(t, ro.Grant(ctx, "foo", bob, alice), roles.ErrAlready)
	require.NoError(t, ro.Revoke(ctx, "FOO", bob, alice))
	require.Empty(t, of(t, ro, bob))
}

// T4: default roles are for members; deactivated accounts have nothing.
func TestKinds(t *testing.T) {
	kinds := []adapter.UserKind{
		adapter.KindMember, adapter.KindGuest, adapter.KindExternal, adapter.KindBot, adapter.KindUnknown, adapter.KindDeactivated, "something new",
	}
	checked := 0
	for _, kind := range kinds {
		for _, granted := range []bool{false, true} {
			for _, admin := range []bool{false, true} {
				u := account("U1")
				u.Kind = kind
				ro := made(t, memory.New(), func(c *roles.Config) {
					c.Defaults = []string{"User", "reader"}
					if c.Admins = nil; admin {
						c.Admins = []string{u.Key()}
					}
				})
				if granted {
					require.NoError(t, ro.Grant(ctx, "deployer", u, alice))
				}
				var want []string
				if admin {
					want = append(want, "admin")
				}
				if granted {
					want = append(want, "deployer")
				}
				if kind == adapter.KindMember {
					want = append(want, "reader", "user")
				}
				if kind == adapter.KindDeactivated {
					want = nil
				}
				require.ElementsMatch(t, want, of(t, ro, u), "%s, granted %v, admin %v", kind, granted, admin)
				require.Equal(t, admin && kind != adapter.KindDeactivated, ro.IsAdmin(u))
				checked++
			}
		}
	}
	t.Logf("T4: %d cells, all right", checked)
}

// The kind is that of the event: an account that becomes a guest loses the defaults at once.
func TestKindChanges(t *testing.T) {
	ro := made(t, memory.New(), func(c *roles.Config) { c.Defaults = []string{"user"} })
	require.Equal(t, []string{"user"}, of(t, ro, bob))
	guest := bob
	guest.Kind = adapter.KindGuest
	require.Empty(t, of(t, ro, guest))
	require.Equal(t, []string{"user"}, of(t, ro, bob))
}

func TestNobody(t *testing.T) {
	ro := made(t, memory.New(), func(c *roles.Config) { c.Defaults = []string{"user"} })
	nobody := adapter.User{Adapter: "chat", Name: "alice", Kind: adapter.KindMember}
	require.Empty(t, of(t, ro, nobody))
	require.False(t, ro.IsAdmin(nobody))
	require.ErrorContains(t, ro.Grant(ctx, "x", nobody, alice), "no id")
	long := account(strings.Repeat("x", 200))
	require.ErrorContains(t, ro.Grant(ctx, "x", long, alice), "more than 200 bytes")
}

// P7: admin comes from the configuration alone.
func TestAdminCannotBeGranted(t *testing.T) {
	s := memory.New()
	ro := made(t, s, func(c *roles.Config) {
		c.Sources = []roles.Source{source(func(context.Context, adapter.User) ([]string, error) {
			return []string{"admin", " ADMIN ", "Domain Admins", "sre", "Member"}, nil
		})}
	})
	for _, name := range []string{"admin", "Admin", " ADMIN "} {
		require.ErrorIs(t, ro.Grant(ctx, name, bob, alice), roles.ErrAdmin)
		require.ErrorIs(t, ro.Revoke(ctx, name, alice, alice), roles.ErrAdmin)
	}
	guest := account("G")
	guest.Kind = adapter.KindGuest
	require.ErrorIs(t, ro.Grant(ctx, "Member", guest, alice), roles.ErrMember)
	require.Equal(t, []string{"sre"}, of(t, ro, bob), "a directory group of that name is no admin")
	require.Equal(t, []string{"admin", "sre"}, of(t, ro, alice))

	// whoever can write to the store cannot make an admin either
	require.NoError(t, brain.Set(ctx, space(s), brain.Key("member", bob.Key()), map[string]any{"v": 1, "user": bob, "roles": map[string]any{"admin": map[string]any{}, "member": map[string]any{}}}))
	ro.Purge()
	require.Equal(t, []string{"sre"}, of(t, ro, bob))
	members, err := ro.Members(ctx, "member")
	require.NoError(t, err)
	require.Empty(t, members)
	members, err = ro.Members(ctx, "admin")
	require.NoError(t, err)
	require.Len(t, members, 1)
	require.Equal(t, alice.Key(), members[0].User.Key())
}

func TestKnownRoles(t *testing.T) {
	ro := made(t, memory.New(), func(c *roles.Config) { c.Known, c.Defaults = []string{"deployer", "sre"}, []string{"user"} })
	require.ErrorContains(t, ro.Grant(ctx, "deploier", bob, alice), "there is no role deploier: is it deployer?")
	require.ErrorContains(t, ro.Grant(ctx, "zebra", bob, alice), "there are deployer, sre")
	require.NoError(t, ro.Grant(ctx, "sre", bob, alice))
	require.NoError(t, ro.Grant(ctx, "user", account("GUEST"), alice), "a default can be granted to who has it not by default")
}

func TestSources(t *testing.T) {
	fail := errors.New("the directory is down")
	var err error
	given := []string{" SRE ", "no role name", "deployer"}
	ro := made(t, memory.New(), func(c *roles.Config) {
		c.Sources = []roles.Source{
			source(func(_ context.Context, u adapter.User) ([]string, error) {
				require.Equal(t, bob, u)
				return given, err
			}),
			source(func(context.Context, adapter.User) ([]string, error) { return []string{"deployer", "second"}, nil }),
		}
	})
	require.Equal(t, []string{"deployer", "second", "sre"}, of(t, ro, bob))

	err = fail
	require.Equal(t, []string{"deployer", "second", "sre"}, of(t, ro, bob), "from the cache")
	ro.Purge(bob.Key())
	_, got := ro.Of(ctx, bob)
	require.ErrorIs(t, got, fail)
	require.ErrorContains(t, got, "roles: of chat/T1/BOB: source 1: ")
	has, got := ro.Has(ctx, bob, "second")
	require.ErrorIs(t, got, fail)
	require.False(t, has, "what another source says does not count when one is silent")

	err, given = nil, slices.Repeat([]string{"x"}, 257)
	_, got = ro.Of(ctx, bob)
	require.ErrorIs(t, got, roles.ErrFull)
}

// A source that hangs is no yes.
func TestSourceThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ro := made(t, memory.New(), func(c *roles.Config) {
			c.Defaults = []string{"user"}
			c.Sources = []roles.Source{source(func(ctx context.Context, _ adapter.User) ([]string, error) {
				<-ctx.Done()
				return nil, nil // and says nothing of it
			})}
		})
		begun := time.Now()
		all, err := ro.Of(ctx, bob)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Nil(t, all)
		require.Equal(t, 5*time.Second, time.Since(begun))
	})
}

// people links accounts in a test.
type people map[string][]string

func (p people) Accounts(_ context.Context, key string) ([]string, error) {
	if p == nil {
		return nil, errDown
	}
	if keys := p[key]; keys != nil {
		return keys, nil
	}
	return []string{key}, nil
}

func TestLinkedAccounts(t *testing.T) {
	s := memory.New()
	other := adapter.User{Adapter: "mm", ID: "u9", Kind: adapter.KindGuest}
	both := []string{alice.Key(), other.Key()}
	linked := people{alice.Key(): both, other.Key(): both}
	ro := made(t, s, func(c *roles.Config) { c.People, c.Defaults = linked, []string{"user"} })
	require.NoError(t, ro.Grant(ctx, "deployer", alice, alice))
	require.NoError(t, ro.Grant(ctx, "reader", other, alice))
	require.Equal(t, []string{"admin", "deployer", "reader", "user"}, of(t, ro, alice))
	require.Equal(t, []string{"deployer", "reader"}, of(t, ro, other), "neither admin nor the defaults of the other account pass over a link")

	delete(linked, other.Key())
	ro.Purge(other.Key())
	require.Equal(t, []string{"reader"}, of(t, ro, other))

	for name, broken := range map[string]people{"fails": nil, "not among them": {bob.Key(): {alice.Key()}}, "at most 64": {bob.Key(): slices.Repeat([]string{bob.Key()}, 65)}} {
		_, err := made(t, s, func(c *roles.Config) { c.People = broken }).Of(ctx, bob)
		require.ErrorContains(t, err, "linked accounts: ", name)
	}
}

// A role that is taken from one account of a person is gone from the others at once, too; and where nobody knows whose they are,
// every answer is looked up again.
func TestRevokedFromALinkedAccount(t *testing.T) {
	other := adapter.User{Adapter: "mm", ID: "u9", Kind: adapter.KindMember}
	both := []string{bob.Key(), other.Key()}
	linked := people{bob.Key(): both, other.Key(): both, carol.Key(): {carol.Key()}}
	s := &shaky{Store: memory.New()}
	ro := made(t, s, func(c *roles.Config) { c.People = linked })
	require.Empty(t, of(t, ro, other))
	require.NoError(t, ro.Grant(ctx, "deployer", bob, alice))
	require.Equal(t, []string{"deployer"}, of(t, ro, other))
	of(t, ro, carol)
	require.NoError(t, ro.Revoke(ctx, "deployer", bob, alice))
	require.Empty(t, of(t, ro, other))
	n := s.gets.Load()
	of(t, ro, carol)
	require.Equal(t, n, s.gets.Load(), "who is not concerned is not asked for again")

	require.NoError(t, ro.Grant(ctx, "deployer", bob, alice))
	of(t, ro, other)
	linked[bob.Key()] = []string{alice.Key()} // damaged
	require.NoError(t, ro.Revoke(ctx, "deployer", bob, alice))
	require.Empty(t, of(t, ro, other))
}

// T1: nobody gets what somebody else was granted, however alike their ids are.
func TestCrossGrants(t *testing.T) {
	pairs := 100_000
	if raceEnabled {
		pairs = 10_000
	}
	rng := rand.New(rand.NewPCG(1, 2))
	adapters := []string{"slack", "discord", "mattermost", "terminal", "slack/T1"}
	parts := []string{"", "U1", "U2", "u1", "T1", "T1/U1", "T1%2FU1", "%", "/", "a/b", "U1 ", "Ü1"}
	pick := func() adapter.User {
		return adapter.User{
			Adapter: adapters[rng.IntN(len(adapters))], Tenant: parts[rng.IntN(len(parts))], ID: parts[1+rng.IntN(len(parts)-1)], Kind: adapter.KindGuest, Name: "alice",
		}
	}
	ro := made(t, memory.New())
	own := map[string]string{} // role of each account that was granted one
	granted := []adapter.User{}
	for len(granted) < 300 {
		u := pick()
		id := fmt.Sprintf("%q %q %q", u.Adapter, u.Tenant, u.ID) // not the key, which is what is tested
		if own[id] != "" {
			continue
		}
		own[id] = fmt.Sprintf("r%d", len(granted))
		granted = append(granted, u)
		require.NoError(t, ro.Grant(ctx, own[id], u, alice))
	}
	cross, same := 0, 0
	for range pairs {
		a, b := granted[rng.IntN(len(granted))], pick()
		role := own[fmt.Sprintf("%q %q %q", a.Adapter, a.Tenant, a.ID)]
		has, err := ro.Has(ctx, b, role)
		require.NoError(t, err)
		is := a.Adapter == b.Adapter && a.Tenant == b.Tenant && a.ID == b.ID
		if is {
			same++
		}
		if has != is {
			cross++
		}
	}
	require.Zero(t, cross)
	require.Positive(t, same)
	t.Logf("T1: %d pairs over %d adapters, %d of the same account, %d cross-grants", pairs, len(adapters), same, cross)
}

// T2: a name gives nothing: 10,000 accounts that rename themselves to an admin's or a member's name.
func TestRenames(t *testing.T) {
	ro := made(t, memory.New())
	require.NoError(t, ro.Grant(ctx, "deployer", bob, alice))
	allowed := 0
	for i := range 10_000 {
		u := account(fmt.Sprintf("U%d", i))
		u.Name, u.Email = []string{"alice", "bob", "ALICE", alice.Key(), bob.Key()}[i%5], "alice@example.com"
		if all := of(t, ro, u); len(all) > 0 {
			allowed++
		}
	}
	require.Zero(t, allowed)
	renamed := bob
	renamed.Name = "mallory"
	require.Equal(t, []string{"deployer"}, of(t, ro, renamed), "and a new name takes nothing away")
	t.Logf("T2: 10000 renames, %d allowed", allowed)
}

// T34: what was known is used for CacheFor, then nobody is let through.
func TestBrainOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shaky{Store: memory.New()}
		ro := made(t, s)
		require.NoError(t, ro.Grant(ctx, "deployer", bob, alice))
		require.Equal(t, []string{"deployer"}, of(t, ro, bob))

		s.fails.Store(true)
		_, err := ro.Of(ctx, carol)
		require.ErrorIs(t, err, errDown, "who was not known is refused at once")
		for range 29 {
			time.Sleep(time.Second)
			require.Equal(t, []string{"deployer"}, of(t, ro, bob))
		}
		unauthorised := 0
		for range 300 {
			time.Sleep(time.Second)
			if all, err := ro.Of(ctx, bob); err == nil || all != nil {
				unauthorised++
			}
		}
		require.Zero(t, unauthorised)
		require.ErrorIs(t, ro.Grant(ctx, "x", bob, alice), errDown)
		require.ErrorIs(t, ro.Revoke(ctx, "deployer", bob, alice), errDown)
		_, err = ro.List(ctx)
		require.ErrorIs(t, err, errDown)
		_, err = ro.Members(ctx, "deployer")
		require.ErrorIs(t, err, errDown)

		s.fails.Store(false)
		require.Equal(t, []string{"deployer"}, of(t, ro, bob), "at once when it is back")
		t.Logf("T34: 5 minutes without the brain: %d yes after the cache's 30 s", unauthorised)
	})
}

// T23: a revoked role denies at once here and within CacheFor in another process.
func TestRevokeAcrossReplicas(t *testing.T) {
	for _, cacheFor := range []time.Duration{0, time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			s := memory.New()
			one := made(t, s, func(c *roles.Config) { c.CacheFor = cacheFor })
			two := made(t, s, func(c *roles.Config) { c.CacheFor = cacheFor })
			require.NoError(t, one.Grant(ctx, "deployer", bob, alice))
			require.Equal(t, []string{"deployer"}, of(t, two, bob))
			require.NoError(t, one.Revoke(ctx, "deployer", bob, alice))
			require.Empty(t, of(t, one, bob), "at once where it was revoked")
			require.Equal(t, []string{"deployer"}, of(t, two, bob), "else the cache is not tested")
			begun := time.Now()
			for len(of(t, two, bob)) > 0 {
				time.Sleep(100 * time.Millisecond)
				require.LessOrEqual(t, time.Since(begun), time.Minute)
			}
			t.Logf("T23: CacheFor %v: revoke to deny on the other replica %v", cacheFor, time.Since(begun))
			require.NoError(t, one.Grant(ctx, "deployer", bob, alice))
			time.Sleep(time.Minute)
			require.Equal(t, []string{"deployer"}, of(t, two, bob), "and a grant is seen as well")
		})
	}
}

// An answer is as old as its first part: what a slow source takes does not come on top.
func TestAgeOfAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		ro := made(t, memory.New(), func(c *roles.Config) {
			c.Sources = []roles.Source{source(func(context.Context, adapter.User) ([]string, error) {
				asked++
				time.Sleep(4 * time.Second)
				return nil, nil
			})}
		})
		of(t, ro, bob)
		time.Sleep(26*time.Second - time.Nanosecond)
		of(t, ro, bob)
		require.Equal(t, 1, asked)
		time.Sleep(time.Nanosecond)
		of(t, ro, bob)
		require.Equal(t, 2, asked)
	})
}

// A revoke that happens while an answer is looked up: the old answer is not kept.
func TestRevokeDuringLookUp(t *testing.T) {
	s := &shaky{Store: memory.New()}
	ro := made(t, s)
	require.NoError(t, ro.Grant(ctx, "deployer", bob, alice))
	revoke := func() { require.NoError(t, ro.Revoke(ctx, "deployer", bob, alice)) }
	s.onGet.Store(&revoke)
	of(t, ro, bob) // read before the revoke
	require.Empty(t, of(t, ro, bob))
}

func TestPurge(t *testing.T) {
	s := &shaky{Store: memory.New()}
	ro := made(t, s)
	of(t, ro, bob)
	of(t, ro, carol)
	n := s.gets.Load()
	ro.Purge(bob.Key(), "no key")
	of(t, ro, carol)
	require.Equal(t, n, s.gets.Load())
	of(t, ro, bob)
	require.Equal(t, n+1, s.gets.Load())
	ro.Purge()
	of(t, ro, bob)
	of(t, ro, carol)
	require.Equal(t, n+3, s.gets.Load())
}

func TestCacheIsBounded(t *testing.T) {
	s := &shaky{Store: memory.New()}
	ro := made(t, s, func(c *roles.Config) { c.CacheSize = 10 })
	for i := range 1000 {
		of(t, ro, account(fmt.Sprint("U", i)))
	}
	n := s.gets.Load()
	for i := range 1000 {
		of(t, ro, account(fmt.Sprint("U", i)))
	}
	require.GreaterOrEqual(t, s.gets.Load()-n, int64(1000-10))
	of(t, ro, bob)
	n = s.gets.Load()
	of(t, ro, bob)
	require.Equal(t, n, s.gets.Load(), "and the last is in it")
}

func TestNewerRecordIsRefused(t *testing.T) {
	s := memory.New()
	require.NoError(t, brain.Set(ctx, space(s), brain.Key("member", bob.Key()), map[string]any{"v": 2, "user": bob, "roles": map[string]any{"deployer": map[string]any{}}}))
	ro := made(t, s)
	_, err := ro.Of(ctx, bob)
	require.ErrorContains(t, err, "newer version")
	require.ErrorContains(t, ro.Grant(ctx, "x", bob, alice), "newer version")
	_, err = ro.List(ctx)
	require.ErrorContains(t, err, "newer version")
}

func TestConcurrentUse(t *testing.T) {
	ro := made(t, memory.New(), func(c *roles.Config) { c.CacheSize = 3 })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			u := account(fmt.Sprint("U", i%4))
			name := fmt.Sprint("r", i)
			for range 50 {
				if err := ro.Grant(ctx, name, u, alice); err != nil {
					t.Error(err)
				}
				if has, err := ro.Has(ctx, u, name); err != nil || !has {
					t.Error("granted and not there", has, err)
				}
				if err := ro.Revoke(ctx, name, u, alice); err != nil {
					t.Error(err)
				}
				if has, err := ro.Has(ctx, u, name); err != nil || has {
					t.Error("revoked and still there", has, err)
				}
			}
		})
	}
	wg.Wait()
}
