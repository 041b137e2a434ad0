package identity

import (
	"context"
	"errors"
	"fmt"
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
)

var ctx = context.Background()

func made(t testing.TB, s brain.Store, change ...func(*Config)) *Identity {
	t.Helper()
	cfg := Config{Brain: brain.New(s).Namespace("identity")}
	for _, f := range change {
		f(&cfg)
	}
	id, err := New(cfg)
	require.NoError(t, err)
	return id
}

func account(adapterName, tenant, userID string) linked {
	return linked{User: adapter.User{Adapter: adapterName, Tenant: tenant, ID: userID, Name: "alice", Kind: adapter.KindMember}, At: adapter.Address{Adapter: adapterName, Room: "D" + userID}}
}

// asked makes an offer of first that second has claimed.
func asked(t testing.TB, id *Identity, first, second linked) (pick string) {
	t.Helper()
	code, err := id.offer(ctx, first, Change{})
	require.NoError(t, err)
	pick, o, err := id.claim(ctx, code, second, Change{})
	require.NoError(t, err)
	require.Equal(t, first.key(), o.First.key())
	return pick
}

var deliveries atomic.Int64

func delivery() string { return fmt.Sprint("e", deliveries.Add(1)) }

// ready is asked, and second has agreed.
func ready(t testing.TB, id *Identity, first, second linked) (pick string) {
	t.Helper()
	pick = asked(t, id, first, second)
	all, err := id.agree(ctx, pick, second.key(), Change{}, delivery())
	require.NoError(t, err)
	require.Nil(t, all, "one of the two has agreed")
	return pick
}

func link(t testing.TB, id *Identity, first, second linked) {
	t.Helper()
	all, err := id.agree(ctx, ready(t, id, first, second), first.key(), Change{}, delivery())
	require.NoError(t, err)
	require.NotNil(t, all)
}

// person gives the first key of the accounts that are one person now.
func person(t testing.TB, id *Identity, a linked) string {
	t.Helper()
	now, _, err := id.Person(ctx, a.key())
	require.NoError(t, err)
	return now[0]
}

// T1: accounts that are alike are one person only where they were linked.
func TestPersonProperty(t *testing.T) {
	pairs := 100_000
	if raceEnabled {
		pairs = 10_000
	}
	rng := rand.New(rand.NewPCG(3, 4))
	id := made(t, memory.New())
	adapters := []string{"slack", "discord", "mattermost", "terminal", "slack/T1"}
	parts := []string{"", "U1", "U2", "u1", "T1", "T1/U1", "T1%2FU1", "%", "/", "a/b", "U1 ", "Ü1"}
	var all []linked
	group := map[int]int{} // of each account, by index
	seen := map[string]bool{}
	for len(all) < 400 {
		a := account(adapters[rng.IntN(len(adapters))], parts[rng.IntN(len(parts))], parts[1+rng.IntN(len(parts)-1)])
		same := fmt.Sprintf("%q %q %q", a.User.Adapter, a.User.Tenant, a.User.ID) // not the key, which is what is tested
		if !seen[same] {
			seen[same] = true
			group[len(all)] = len(all)
			all = append(all, a)
		}
	}
	for i := 0; i < 100; i += 2 { // 50 pairs are linked
		link(t, id, all[i], all[i+1])
		group[i+1] = i
	}
	cross, linkedPairs := 0, 0
	for range pairs {
		i, j := rng.IntN(len(all)), rng.IntN(len(all))
		one := person(t, id, all[i]) == person(t, id, all[j])
		if one != (group[i] == group[j]) {
			cross++
		}
		if i != j && group[i] == group[j] {
			linkedPairs++
		}
	}
	require.Zero(t, cross)
	require.Positive(t, linkedPairs)
	t.Logf("T1: %d pairs over %d adapters, %d of them linked, %d taken for one person that are not, or not that are", pairs, len(adapters), linkedPairs, cross)
}

// 1,000 presses of Yes at the same time, in several processes: one link.
func TestOneLinkUnderConcurrency(t *testing.T) {
	const presses = 1000
	s := memory.New()
	var audits atomic.Int64
	replicas := []*Identity{made(t, s), made(t, s), made(t, s)}
	for _, id := range replicas {
		id.cfg.Audit = func(_ context.Context, c Change) error {
			if c.Action == Linked {
				audits.Add(1)
			}
			return nil
		}
	}
	a, b := account("slack", "T1", "U1"), account("mm", "", "x")
	pick := ready(t, replicas[0], a, b)
	var linkedOnce, over atomic.Int64
	var wg sync.WaitGroup
	for i := range presses {
		wg.Go(func() {
			_, err := replicas[i%3].agree(ctx, pick, a.key(), Change{}, delivery())
			switch {
			case err == nil:
				linkedOnce.Add(1)
			case errors.Is(err, errOver):
				over.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, int64(1), linkedOnce.Load())
	require.Equal(t, int64(presses-1), over.Load())
	require.Equal(t, person(t, replicas[1], a), person(t, replicas[2], b))
	t.Logf("%d presses: %d linked, %d over, %d audits", presses, linkedOnce.Load(), over.Load(), audits.Load())
}

// One account tries 1,000 codes at the same time: five are looked at.
func TestTriesUnderConcurrency(t *testing.T) {
	s := memory.New()
	id := made(t, s)
	me := account("mm", "", "x")
	var wrong, refused atomic.Int64
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			switch _, _, err := id.claim(ctx, "0000000000000000", me, Change{}); {
			case errors.Is(err, errCode):
				wrong.Add(1)
			case errors.Is(err, errTries):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, int64(maxTries), wrong.Load())
	require.Equal(t, int64(1000-maxTries), refused.Load())
}

// Whatever happens at the same time, all accounts of a person have the same record.
func TestLinksAndUnlinksAtTheSameTime(t *testing.T) {
	seeds := uint64(20)
	if raceEnabled {
		seeds = 4
	}
	for seed := range seeds {
		s := memory.New()
		var all []linked
		for i := range 6 {
			all = append(all, account("chat", "", fmt.Sprint("U", i)))
		}
		var wg sync.WaitGroup
		for w := range 4 {
			rng := rand.New(rand.NewPCG(seed, uint64(w)))
			id := made(t, s)
			wg.Go(func() {
				for range 30 {
					i := rng.IntN(len(all))
					a, b := all[i], all[(i+1+rng.IntN(len(all)-1))%len(all)] // claim lets nobody link an account with itself
					if rng.IntN(3) == 0 {
						if err := id.Unlink(ctx, a.key(), adapter.User{}); err != nil && !errors.Is(err, ErrNotLinked) {
							t.Error(err)
						}
						continue
					}
					ga, err := id.group(ctx, a.key())
					require.NoError(t, err)
					gb, err := id.group(ctx, b.key())
					require.NoError(t, err)
					pick := id.letters(pickLength)
					second := b
					o := offer{Version: recordVersion, First: a, Second: &second, Persons: keys(union(a, b, ga, gb)), Yes: []string{b.key()}, Expires: time.Now().Add(time.Hour)}
					require.NoError(t, brain.Set(ctx, id.brain, brain.Key(codePrefix, pick), o))
					_, err = id.agree(ctx, pick, a.key(), Change{}, delivery())
					if err != nil && !errors.Is(err, errChanged) && !errors.Is(err, errOver) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		id := made(t, s)
		for _, a := range all {
			g, err := id.group(ctx, a.key())
			require.NoError(t, err)
			require.NotEqual(t, 1, len(g.Accounts), "nobody is linked with nobody")
			for _, other := range g.Accounts {
				same, err := id.group(ctx, other.key())
				require.NoError(t, err)
				require.Equal(t, keys(g.Accounts), keys(same.Accounts), "seed %d: %s and %s", seed, a.key(), other.key())
			}
		}
	}
}

// An unlink between the look at a person and the write is not undone by the write.
func TestUnlinkDuringALink(t *testing.T) {
	s := &hooked{Store: memory.New()}
	id := made(t, s)
	a, b, c := account("chat", "", "A"), account("chat", "", "B"), account("chat", "", "C")
	link(t, id, a, b)
	pick := ready(t, id, a, c)
	s.before = func(ops []brain.Op) {
		s.before = nil
		require.NoError(t, made(t, s.Store).Unlink(ctx, b.key(), adapter.User{}))
	}
	_, err := id.agree(ctx, pick, a.key(), Change{}, delivery())
	require.ErrorIs(t, err, errChanged)
	for _, l := range []linked{a, b, c} {
		require.Equal(t, l.key(), person(t, id, l))
	}
}

// The same, between the reads of the accounts.
func TestUnlinkBetweenReads(t *testing.T) {
	s := &hooked{Store: memory.New()}
	id := made(t, s)
	a, b, c := account("chat", "", "A"), account("chat", "", "B"), account("chat", "", "C")
	link(t, id, a, b)
	pick := ready(t, id, a, c)
	s.after = func(key string) {
		if key == id.full(accountPrefix, a.key()) { // A was read as one of {A, B}
			s.after = nil
			require.NoError(t, made(t, s.Store).Unlink(ctx, b.key(), adapter.User{}))
		}
	}
	_, err := id.agree(ctx, pick, a.key(), Change{}, delivery())
	require.ErrorIs(t, err, errChanged)
	for _, l := range []linked{a, b, c} {
		require.Equal(t, l.key(), person(t, made(t, s.Store), l))
	}
}

// hooked is a store that something happens in.
type hooked struct {
	brain.Store
	after  func(key string)     // after a Get
	before func(ops []brain.Op) // before an Apply
	lose   atomic.Int64         // answers to lose: the write happens
	fail   atomic.Int64         // writes that fail: nobody knows whether they happen, and they do not
	down   atomic.Bool
	gets   atomic.Int64
}

var errLost = errors.New("the answer was lost")

func (s *hooked) Get(ctx context.Context, key string) (brain.Entry, error) {
	s.gets.Add(1)
	if s.down.Load() {
		return brain.Entry{}, errLost
	}
	e, err := s.Store.Get(ctx, key)
	if s.after != nil {
		s.after(key)
	}
	return e, err
}

func (s *hooked) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if s.before != nil {
		s.before(ops)
	}
	if s.fail.Add(-1) >= 0 {
		return nil, errLost
	}
	revs, err := s.Store.Apply(ctx, ops...)
	if err == nil && s.lose.Add(-1) >= 0 {
		return nil, errLost
	}
	return revs, err
}

// A lost answer to the write of a link: it is found to have happened, once.
func TestLostAnswers(t *testing.T) {
	for name, broken := range map[string]func(*hooked){
		"it happened": func(s *hooked) { s.lose.Store(1) }, "it did not": func(s *hooked) { s.fail.Store(3) },
	} {
		t.Run(name, func(t *testing.T) {
			s := &hooked{Store: memory.New()}
			audits := 0
			id := made(t, s)
			a, b := account("chat", "", "A"), account("chat", "", "B")
			pick := ready(t, id, a, b)
			id.cfg.Audit = func(context.Context, Change) error { audits++; return nil }
			broken(s)
			all, err := id.agree(ctx, pick, a.key(), Change{}, delivery())
			require.NoError(t, err)
			require.Equal(t, []string{"chat//A", "chat//B"}, keys(all))
			require.Equal(t, 1, audits)
			require.Equal(t, "chat//A", person(t, id, b))
			broken(s)
			_, err = id.unlink(ctx, b.key(), Change{}, delivery())
			require.NoError(t, err)
			require.Equal(t, "chat//B", person(t, id, b))
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := &hooked{Store: memory.New()}
		id := made(t, s)
		pick := ready(t, id, account("chat", "", "A"), account("chat", "", "B"))
		s.fail.Store(1 << 40)
		_, err := id.agree(ctx, pick, "chat//A", Change{}, delivery())
		require.ErrorContains(t, err, "nobody knows whether it was")
	})
}

// T34, T23: an answer is of this moment, in every process, and there is none when nobody knows.
func TestPersonIsNeverOld(t *testing.T) {
	s := &hooked{Store: memory.New()}
	one, two := made(t, s), made(t, s)
	a, b := account("slack", "T1", "U1"), account("mm", "", "x")
	require.Equal(t, "slack/T1/U1", person(t, two, a))
	link(t, one, a, b)
	for _, id := range []*Identity{one, two} {
		require.Equal(t, "mm//x", person(t, id, a))
		require.Equal(t, "mm//x", person(t, id, b))
	}
	require.NoError(t, one.Unlink(ctx, b.key(), adapter.User{}))
	require.Equal(t, "slack/T1/U1", person(t, two, a))
	s.down.Store(true)
	now, lately, err := two.Person(ctx, a.key())
	require.ErrorIs(t, err, errLost)
	require.Empty(t, append(now, lately...))
	_, err = two.Accounts(ctx, a.key())
	require.ErrorIs(t, err, errLost)
}

// T24: an account that was taken out counts as one with those that it was linked with, for 15 days, and has no rights in that time.
func TestLately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		id := made(t, s)
		a, b, c := account("chat", "", "A"), account("chat", "", "B"), account("chat", "", "C")
		are := func(l linked, wantNow, wantLately string) {
			t.Helper()
			now, lately, err := id.Person(ctx, l.key())
			require.NoError(t, err)
			require.Equal(t, wantNow+" / "+wantLately, strings.Join(now, " ")+" / "+strings.Join(lately, " "))
		}
		link(t, id, a, b)
		link(t, id, a, c)
		are(a, "chat//A chat//B chat//C", "")
		require.NoError(t, id.Unlink(ctx, b.key(), adapter.User{}))
		are(a, "chat//A chat//C", "")
		are(b, "chat//B", "chat//A chat//C")
		time.Sleep(7 * 24 * time.Hour)
		require.NoError(t, id.Unlink(ctx, c.key(), adapter.User{}))
		are(a, "chat//A", "")
		are(c, "chat//C", "chat//A")
		link(t, id, b, c) // whom b was linked with before counts on
		are(b, "chat//B chat//C", "chat//A")
		are(c, "chat//B chat//C", "chat//A")
		require.NoError(t, id.Unlink(ctx, b.key(), adapter.User{}))
		are(b, "chat//B", "chat//A chat//C")
		time.Sleep(8*24*time.Hour - time.Second)
		are(b, "chat//B", "chat//A chat//C")
		time.Sleep(time.Second)
		are(b, "chat//B", "chat//C")
		link(t, id, b, c)                    // who is one of them again is not one that was
		are(b, "chat//B chat//C", "chat//A") // from whom c was taken away later
		require.NoError(t, id.Unlink(ctx, b.key(), adapter.User{}))
		time.Sleep(15 * 24 * time.Hour)
		are(b, "chat//B", "")
		for e, err := range s.List(ctx, "") {
			require.NoError(t, err)
			require.NotContains(t, e.Key, apartPrefix, "nothing is left behind")
		}
	})
}

// Nobody has it forgotten whom an account was linked with by linking it with many others: links are refused before that.
func TestTooManyLinksTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := made(t, memory.New())
		a, n := account("chat", "", "A"), 0
		for ; n < 100; n++ {
			other := account("chat", "", fmt.Sprint("B", n))
			pick := asked(t, id, other, a)
			if _, err := id.agree(ctx, pick, a.key(), Change{}, delivery()); err != nil {
				require.ErrorIs(t, err, errApart)
				break
			}
			_, err := id.agree(ctx, pick, other.key(), Change{}, delivery())
			require.NoError(t, err)
			require.NoError(t, id.Unlink(ctx, a.key(), adapter.User{}))
			time.Sleep(window / maxTries)
		}
		_, lately, err := id.Person(ctx, a.key())
		require.NoError(t, err)
		require.Len(t, lately, n)
		require.Equal(t, maxApart-1, n)
	})
}

// What is stored of a code cannot be sent.
func TestCodeIsHashed(t *testing.T) {
	s := memory.New()
	id := made(t, s)
	code, err := id.offer(ctx, account("chat", "", "A"), Change{})
	require.NoError(t, err)
	pick, secret, ok := parse(code)
	require.True(t, ok)
	o, err := brain.Get[offer](ctx, id.brain, brain.Key(codePrefix, pick))
	require.NoError(t, err)
	require.True(t, o.is(secret))
	require.False(t, o.is(secret[1:]))
	require.False(t, (&offer{}).is(""))
	require.False(t, (&offer{}).is(secret))
	for e, err := range s.List(ctx, "") {
		require.NoError(t, err)
		require.NotContains(t, string(e.Value), secret)
		require.NotContains(t, e.Key, secret)
	}
	other, err := id.offer(ctx, account("chat", "", "B"), Change{})
	require.NoError(t, err)
	require.NotEqual(t, code, other)
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"ABCD-EFGH-JKMN-PQRS": "ABCDEFGHJKMNPQRS", "abcdefghjkmnpqrs": "ABCDEFGHJKMNPQRS", "oil0-0000-0000-0000": "0110000000000000",
		"": "", "ABCD": "", "ABCD-EFGH-JKMN-PQRU": "", "ABCD-EFGH-JKMN-PQRSS": "", "ÄBCDEFGHJKMNPQRS": "", "????????????????": "",
	} {
		pick, secret, ok := parse(text)
		require.Equal(t, want != "", ok, text)
		require.Equal(t, want, pick+secret, text)
	}
	require.Equal(t, "ABCD-EFGH-JKMN-PQRS", shown("ABCDEFGHJKMNPQRS"))
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(strings.Split(alphabet, "")))), 32)
}

// The first part of a code that is in use is not used again.
func TestFirstPartInUse(t *testing.T) {
	id := made(t, memory.New())
	n := 0
	id.random = func(b []byte) { // the same code twice, then others
		n++
		for i := range b {
			b[i] = byte(n / 4)
		}
	}
	a, err := id.offer(ctx, account("chat", "", "A"), Change{})
	require.NoError(t, err)
	b, err := id.offer(ctx, account("chat", "", "B"), Change{})
	require.NoError(t, err)
	require.NotEqual(t, a[:4], b[:4])
	id.random = func(b []byte) { clear(b) } // which is the first part of A's code
	_, err = id.offer(ctx, account("chat", "", "C"), Change{})
	require.ErrorContains(t, err, "no code is free")
}

func TestDamagedRecords(t *testing.T) {
	a, b := account("chat", "", "A"), account("chat", "", "B")
	for name, g := range map[string]any{
		"newer version": group{Version: 2, Accounts: []linked{a, b}}, "damaged": group{Version: 1, Accounts: []linked{b}},
		"is damaged": group{Version: 1, Accounts: []linked{b, a}}, "cannot unmarshal": []string{"x"},
		"record is damaged": group{Version: 1, Accounts: slices.Repeat([]linked{a}, 9)},
	} {
		id := made(t, memory.New())
		require.NoError(t, brain.Set(ctx, id.brain, brain.Key(accountPrefix, a.key()), g))
		_, _, err := id.Person(ctx, a.key())
		require.ErrorContains(t, err, name)
		_, err = id.Accounts(ctx, a.key())
		require.ErrorContains(t, err, name)
	}
}
