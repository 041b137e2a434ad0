package starling

import (
	"fmt"

	"github.com/starlingbot/starling/handler"
)

// Rules are policies that the operator sets outside of the code: by a route's id, or by "group:NAME" for the routes mounted
// under NAME. A rule tightens what the code asks for, or replaces it, see [handler.Rule]. [handler.ParseRules] reads them from
// JSON.
type Rules = map[string]handler.Rule

// SetPolicies puts rules in force in place of Config.Policies, all at one instant; commands that wait for an approval under
// another policy must be asked for again. Where anything is wrong with them the error says all of it, and the rules before stay.
// It may be called at any time.
func (b *Bot) SetPolicies(rules Rules) error {
	if err := b.table.SetPolicies(rules, b.adapterNames()); err != nil {
		return fmt.Errorf("starling: policies: %w", err)
	}
	return nil
}

func (b *Bot) adapterNames() []string {
	var names []string
	for _, src := range b.order {
		names = append(names, src.name)
	}
	return names
}
