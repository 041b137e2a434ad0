package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"

	"github.com/starlingbot/starling/handler"
)

// pool is a number of dice, such as 2d6: a type of its own for arguments.
type pool struct{ n, sides int }

var poolForm = regexp.MustCompile(`^(\d{1,3})?d(\d{1,4})$`)

// UnmarshalText reads NdM.
func (p *pool) UnmarshalText(text []byte) error {
	m := poolForm.FindStringSubmatch(strings.ToLower(string(text)))
	if m == nil {
		return fmt.Errorf("dice are written as 2d6")
	}
	p.n = 1
	if m[1] != "" {
		p.n, _ = strconv.Atoi(m[1]) // at most three digits
	}
	p.sides, _ = strconv.Atoi(m[2])
	if p.n < 1 || p.n > 100 || p.sides < 2 {
		return fmt.Errorf("1 to 100 dice of at least 2 sides")
	}
	return nil
}

// MarshalText writes NdM.
func (p pool) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%dd%d", p.n, p.sides), nil }

type roll struct {
	Dice pool `arg:"dice" default:"1d6" help:"how many of how many sides"`
}

func dice() *handler.Router {
	rt := handler.NewRouter()
	rt.Add(handler.Command[roll]{
		Name: "roll", Summary: "Roll dice.", Examples: []string{"roll", "roll 2d20"},
		Run: func(ctx context.Context, r *handler.Request, a roll) error {
			sum := 0
			for range a.Dice.n {
				sum += 1 + rand.N(a.Dice.sides)
			}
			return r.Reply(ctx, "%d", sum)
		},
	})
	return rt
}
