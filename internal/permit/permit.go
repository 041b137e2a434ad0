// Package permit is what the guard and package handler have between them that nobody else may make: the word that lets a
// route with a policy run, and the key to the records of what waits for people.
package permit

import "context"

// Permit lets one request pass the gate of its route. The guard alone makes one.
type Permit struct {
	For     any // the *handler.Request
	Decider any // the handler.Decider
}

type key struct{}

// carrier is a context with a permit: one allocation for both.
type carrier struct {
	context.Context
	permit Permit
}

func (c *carrier) Value(k any) any {
	if k == (key{}) {
		return &c.permit
	}
	return c.Context.Value(k)
}

// With gives a context that carries p.
func With(ctx context.Context, p Permit) context.Context { return &carrier{ctx, p} }

// From gives the permit that ctx carries; nil if there is none.
func From(ctx context.Context) *Permit {
	p, _ := ctx.Value(key{}).(*Permit)
	return p
}

// Abilities say what an enforcing middleware can do beside deciding on roles and places.
type Abilities struct {
	Audits  bool   // it writes audit records
	Factors bool   // it can ask for a second factor
	Adapter string // of the room where it announces; empty for none
}

// Enforcer marks the handler that an enforcing middleware returns. No package outside of this module can name it.
type Enforcer interface{ Enforces() Abilities }

// Proof is asked for by what only the guard may use.
type Proof struct{}
