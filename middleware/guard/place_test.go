package guard_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/middleware/guard"
)

// T21: where a command runs, of all that a policy and an operator's rule may say of places, in every kind of room, for who has the
// role and who has not. The rule is said once more here, without the code that decides.
func TestPlaces(t *testing.T) {
	p := &people{}
	p.give("x//bob", "ops")
	ran := false
	lists := [][]string{nil, {"c1"}, {"c1", "c2"}, {"d-bob"}, {"x/c1"}}
	ids := func(list []string) (out []string) {
		for _, s := range list {
			if s == "x/c1" {
				s = "c1"
			}
			out = append(out, s)
		}
		return out
	}
	users := []adapter.User{{Adapter: "x", ID: "bob", Kind: adapter.KindMember}, {Adapter: "x", ID: "eve", Kind: adapter.KindMember}, {}}
	cells, runs := 0, 0
	for _, in := range lists {
		for _, roles := range [][]string{nil, {"ops"}} {
			for _, direct := range []bool{false, true} {
				_, tb := table(t, guard.Config{Roles: p}, func(rt *handler.Router) {
					rt.Command("c", "C.", func(context.Context, *handler.Request) error { ran = true; return nil }).Policy = handler.Policy{Roles: roles, In: in, Direct: direct}
				})
				for _, rule := range lists {
					var rules map[string]handler.Rule
					if rule != nil {
						rules = map[string]handler.Rule{"c": {Policy: handler.Policy{In: rule}}}
					}
					require.NoError(t, tb.SetPolicies(rules, []string{"x"}))
					for _, kind := range []adapter.RoomKind{adapter.RoomChannel, adapter.RoomPrivate, adapter.RoomGroup, adapter.RoomDirect, ""} {
						for _, room := range []string{"c1", "c2", "C1", "c", "d-bob", "", "x/c1"} {
							for _, u := range users {
								asks := in != nil || rule != nil || roles != nil || direct
								want := !asks || u.ID != "" && (in == nil || slices.Contains(ids(in), room)) && (rule == nil || slices.Contains(ids(rule), room)) &&
									(!direct || kind == adapter.RoomDirect) && (roles == nil || u.ID == "bob")
								ran = false
								err := whole(&adapter.Event{ID: "1", Kind: adapter.KindMessage, Adapter: "x", User: u, Room: adapter.Room{ID: room, Kind: kind}, Text: "starling c"}, tb.Route("c"))
								require.Equal(t, want, ran, "in %q, rule %q, direct %v, roles %q: %q in the %s room %q: %v", in, rule, direct, roles, u.ID, kind, room, err)
								require.Equal(t, want, err == nil)
								if cells++; ran {
									runs++
								}
							}
						}
					}
				}
			}
		}
	}
	require.Greater(t, runs, 100)
	t.Logf("T21: %d cells of policies, rules, rooms and people: %d run, 0 otherwise than the rule says", cells, runs)
}
