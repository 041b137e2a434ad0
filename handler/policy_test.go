package handler_test

import (
	"cmp"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/handler"
)

// dice makes random policies and situations, the same in every run.
type dice struct{ *rand.Rand }

func newDice() dice { return dice{rand.New(rand.NewPCG(1, 2))} }

// some gives n of list, doubles and all.
func (d dice) some(n int, list ...string) (out []string) {
	for range n {
		out = append(out, list[d.IntN(len(list))])
	}
	return out
}

// seldom gives 0 more often than not, else 1 to n.
func (d dice) seldom(n int) int { return max(0, d.IntN(3*n)-2*n+1) }

func (d dice) policy(t *testing.T) handler.Policy {
	p := handler.Policy{
		Roles: d.some(d.seldom(3), "a", "b", "c", "d"), In: d.some(d.seldom(2), "x/1", "x/2", "y/1"), Direct: d.IntN(5) == 0,
		Dangerous: d.IntN(3) == 0, Approvals: d.seldom(3), Elevate: time.Duration(d.seldom(3)) * time.Minute,
	}
	if p.Approvals > 0 {
		p.ApprovedBy = d.some(1, "", "a", "b", handler.MemberRole)[0]
	}
	p, err := p.Check(nil)
	require.NoError(t, err)
	if d.IntN(3) == 0 {
		p = handler.Combine(p, d.policy(t))
	}
	return p
}

const policyCases = 100_000

// Combine is commutative, associative and idempotent, and the policy of nothing changes nothing.
func TestCombineLaws(t *testing.T) {
	d := newDice()
	for range policyCases / 4 {
		p, q, r := d.policy(t), d.policy(t), d.policy(t)
		pq := handler.Combine(p, q)
		for what, same := range map[string][2]handler.Policy{
			"commutative": {pq, handler.Combine(q, p)}, "associative": {handler.Combine(pq, r), handler.Combine(p, handler.Combine(q, r))},
			"idempotent": {p, handler.Combine(p, p)}, "neutral": {p, handler.Combine(p, handler.Policy{})}, "absorbing": {pq, handler.Combine(pq, p)},
		} {
			if !reflect.DeepEqual(same[0], same[1]) {
				t.Fatalf("not %s: %v, %v, %v: %v and %v", what, p, q, r, same[0], same[1])
			}
		}
		if reflect.DeepEqual(p, q) != (p.String() == q.String()) {
			t.Fatalf("String does not name a policy: %v, %v", p, q)
		}
	}
}

// meets tells whether a situation is one that p allows.
func meets(p handler.Policy, s situation) bool {
	if p.Lacks(func(role string) bool { return slices.Contains(s.roles, role) }) != nil || !p.HasPlace(s.adapter, s.room, s.direct) {
		return false
	}
	for _, need := range p.AllConsents() {
		n := 0
		for _, roles := range s.consents {
			if slices.Contains(roles, cmp.Or(need.Role, handler.MemberRole)) { // a guest may have any other role
				n++
			}
		}
		if n < need.N {
			return false
		}
	}
	return (p.Elevate == 0 || s.elevated < p.Elevate) && (!p.Dangerous || s.audited)
}

type situation struct {
	roles         []string
	adapter, room string
	direct        bool
	consents      [][]string // roles of those who agreed, member where they are one
	elevated      time.Duration
	audited       bool
}

// What both allow the combination allows, and nothing else: it is never weaker, and no stricter than it must be.
func TestCombineIsBoth(t *testing.T) {
	d := newDice()
	allowed, denied := 0, 0
	for range policyCases {
		p, q := d.policy(t), d.policy(t)
		s := situation{
			roles: d.some(d.IntN(5), "a", "b", "c", "d"), adapter: d.some(1, "x", "y")[0], room: d.some(1, "1", "2")[0], direct: d.IntN(2) == 0,
			elevated: time.Duration(d.IntN(4)) * time.Minute, audited: d.IntN(4) > 0,
		}
		for range d.IntN(5) {
			s.consents = append(s.consents, d.some(d.IntN(5), "a", "b", handler.MemberRole, handler.MemberRole))
		}
		both := meets(p, s) && meets(q, s)
		if both != meets(handler.Combine(p, q), s) {
			t.Fatalf("%v and %v is %v: %+v", p, q, handler.Combine(p, q), s)
		}
		if both {
			allowed++
		} else {
			denied++
		}
	}
	t.Logf("%d situations that both allow, %d that one denies, 0 where the combination differs", allowed, denied)
	require.Greater(t, allowed, policyCases/50)
	require.Greater(t, denied, policyCases/50)
}

func TestCombineExamples(t *testing.T) {
	check := func(p handler.Policy) handler.Policy {
		p, err := p.Check([]string{"slack"})
		require.NoError(t, err)
		return p
	}
	a := check(handler.Policy{Roles: []string{"Deployer", "sre "}, In: []string{"C1", "slack/C2"}, Approvals: 2, Elevate: time.Hour})
	b := check(handler.Policy{Roles: []string{"member"}, In: []string{"C2", "C3"}, Approvals: 1, ApprovedBy: "boss", Elevate: time.Minute, Dangerous: true})
	require.Equal(t, `roles=deployer|sre roles=member in=["slack/C2"] approvals=2: approvals=1:boss elevate=1m0s dangerous`, handler.Combine(a, b).String())
	nowhere := handler.Combine(check(handler.Policy{In: []string{"C1"}}), check(handler.Policy{In: []string{"C2"}}))
	require.Equal(t, "nowhere", nowhere.String())
	require.False(t, nowhere.IsZero())
	require.False(t, nowhere.HasPlace("slack", "C1", false))
	require.Equal(t, "none", handler.Policy{}.String())
}

// T2: what is no id is refused when it is loaded, with what to write instead.
func TestPolicyRefusesNames(t *testing.T) {
	one := []string{"slack"}
	for text, c := range map[string]struct {
		p        handler.Policy
		adapters []string
	}{
		"person's key (whoami shows it)":        {handler.Policy{Roles: []string{"@alice"}}, one},
		"is a person's key and not a role":      {handler.Policy{ApprovedBy: "slack/T1/U1", Approvals: 1}, one},
		"letters, digits":                       {handler.Policy{Roles: []string{"dеployer"}}, one}, // a Cyrillic e
		`"deployer\u200b" is no role`:           {handler.Policy{Roles: []string{"deployer\u200b"}}, one},
		"\"\u212aubernetes\" is no role":        {handler.Policy{Roles: []string{"\u212aubernetes"}}, one}, // a Kelvin sign, whose lower case is k
		`"#ops" is a name`:                      {handler.Policy{In: []string{"#ops"}}, one},
		`"slack/#ops" is a name`:                {handler.Policy{In: []string{"slack/#ops"}}, one},
		`"" is no room's id`:                    {handler.Policy{In: []string{""}}, one},
		"write ADAPTER/ID with one of one, two": {handler.Policy{In: []string{"C1"}}, []string{"one", "two"}},
		"Approvals is -1":                       {handler.Policy{Approvals: -1}, one},
		"Approvals is 17":                       {handler.Policy{Approvals: 17}, one},
		"without Approvals":                     {handler.Policy{ApprovedBy: "sre"}, one},
		"Elevate is -1ns":                       {handler.Policy{Elevate: -1}, one},
		"at most 256 roles":                     {handler.Policy{Roles: strings.Split(strings.Repeat("a,", 256)+"a", ",")}, one},
	} {
		p, err := c.p.Check(c.adapters)
		require.ErrorContains(t, err, text)
		require.True(t, p.IsZero())
	}
}

// A room is named with its adapter: an id that fits by chance on another platform is not it.
func TestRoomsOfAnotherAdapter(t *testing.T) {
	p, err := handler.Policy{In: []string{"slack/C1"}}.Check([]string{"slack", "term"})
	require.NoError(t, err)
	require.True(t, p.HasPlace("slack", "C1", false))
	require.False(t, p.HasPlace("term", "C1", false))
	require.False(t, p.HasPlace("term", "slack/C1", false))
	require.False(t, p.HasPlace("", "slack/C1", false))
	require.False(t, p.HasPlace("slac", "k/C1", false))
	require.False(t, p.HasPlace("slack", "", false))
}
