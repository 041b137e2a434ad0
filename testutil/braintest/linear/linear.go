// Package linear tells whether a brain.Store is linearizable. It is apart from the suite of package braintest, so that who
// tests a store with that needs no checker.
package linear

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/starlingbot/starling/brain"
)

const (
	linKeys      = 3
	linClients   = 6
	linOps       = 40
	linHistories = 4
	linTimeout   = 20 * time.Second // for judging one history
)

// linOp is an Op of a history: small numbers for keys and values.
type linOp struct {
	key, value int
	cond       brain.Cond
	delete     bool
}

// linCall is a Get of a key (ops is empty) or an Apply.
type linCall struct {
	key int
	ops []linOp
}

// linResult is what came back.
type linResult struct {
	found    bool
	value    int
	rev      uint64
	conflict bool
	revs     []uint64
}

// cell is one key in the model; rev 0 means that it does not live.
type cell struct {
	value    int
	rev, top uint64 // top: the highest revision the key ever had
}

type linState [linKeys]cell

// linStep says whether a store in this state may answer a call so.
func linStep(state linState, call linCall, res linResult) (bool, linState) {
	if len(call.ops) == 0 {
		c := state[call.key]
		if !res.found {
			return c.rev == 0, state
		}
		return c.rev == res.rev && c.value == res.value, state
	}
	holds := true
	for _, op := range call.ops {
		c := state[op.key]
		holds = holds && op.cond.Holds(c.rev != 0, c.rev)
	}
	if res.conflict || !holds {
		return res.conflict && !holds, state
	}
	for i, op := range call.ops {
		c := &state[op.key]
		switch {
		case op.delete:
			c.rev = 0
		case res.revs[i] <= c.top:
			return false, state
		default:
			*c = cell{value: op.value, rev: res.revs[i], top: res.revs[i]}
		}
	}
	return true, state
}

// Check lets six clients read and write three keys at random, four times, and has porcupine look for an order of all calls
// that one store could have had. The error says that there is none, or what the store said. It writes below "lin/".
func Check(ctx context.Context, s brain.Store) error {
	model := porcupine.Model{
		Init: func() any { return linState{} },
		Step: func(state, in, out any) (bool, any) {
			return linStep(state.(linState), in.(linCall), out.(linResult))
		},
	}
	for h := range linHistories {
		history, err := linHistory(ctx, s, h)
		if err != nil {
			return err
		}
		switch porcupine.CheckOperationsTimeout(model, history, linTimeout) {
		case porcupine.Illegal:
			return fmt.Errorf("history %d of %d calls is not linearizable", h, len(history))
		case porcupine.Unknown:
			return fmt.Errorf("history %d of %d calls could not be judged in %v", h, len(history), linTimeout)
		}
	}
	return nil
}

func linHistory(ctx context.Context, s brain.Store, h int) ([]porcupine.Operation, error) {
	var clock, values atomic.Int64 // a logical clock: it orders calls and returns
	perClient := make([][]porcupine.Operation, linClients)
	errs := make([]error, linClients)
	var wg sync.WaitGroup
	for client := range linClients {
		wg.Go(func() {
			seen := linState{} // what this client last saw of each key
			for range linOps {
				call := linRandom(&seen, &values)
				begin := clock.Add(1)
				res, err := linDo(ctx, s, h, call, &seen)
				end := clock.Add(1)
				if err != nil {
					errs[client] = err
					return
				}
				perClient[client] = append(perClient[client], porcupine.Operation{ClientId: client, Input: call, Call: begin, Output: res, Return: end})
			}
		})
	}
	wg.Wait()
	var all []porcupine.Operation
	for _, ops := range perClient {
		all = append(all, ops...)
	}
	return all, errors.Join(errs...)
}

func linRandom(seen *linState, values *atomic.Int64) linCall {
	if rand.N(5) < 2 {
		return linCall{key: rand.N(linKeys)}
	}
	var call linCall
	for _, key := range rand.Perm(linKeys)[:1+rand.N(2)] {
		op := linOp{key: key, value: int(values.Add(1)), delete: rand.N(6) == 0}
		switch rand.N(4) {
		case 0:
			op.cond = brain.Any
		case 1:
			op.cond = brain.Absent
		default:
			op.cond = brain.At(seen[key].rev)
		}
		call.ops = append(call.ops, op)
	}
	return call
}

func linDo(ctx context.Context, s brain.Store, h int, call linCall, seen *linState) (linResult, error) {
	name := func(key int) string { return fmt.Sprintf("lin/%d/%d", h, key) }
	if len(call.ops) == 0 {
		e, err := s.Get(ctx, name(call.key))
		if errors.Is(err, brain.ErrNotFound) {
			seen[call.key].rev = 0
			return linResult{}, nil
		}
		if err != nil {
			return linResult{}, err
		}
		seen[call.key].rev = e.Rev
		value, err := strconv.Atoi(string(e.Value))
		return linResult{found: true, value: value, rev: e.Rev}, err
	}
	ops := make([]brain.Op, len(call.ops))
	for i, op := range call.ops {
		ops[i] = brain.Op{Key: name(op.key), Value: strconv.AppendInt(nil, int64(op.value), 10), If: op.cond, Delete: op.delete}
	}
	revs, err := s.Apply(ctx, ops...)
	if errors.Is(err, brain.ErrConflict) {
		return linResult{conflict: true}, nil
	}
	if err != nil {
		return linResult{}, err
	}
	for i, op := range call.ops {
		seen[op.key].rev = revs[i]
		if op.delete {
			seen[op.key].rev = 0
		}
	}
	return linResult{revs: revs}, nil
}
