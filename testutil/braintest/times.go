package braintest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starlingbot/starling/brain"
)

// alive wants key to live, unless so much time has passed since start that it
// may be gone: a loaded machine is no broken rule.
func alive(ctx context.Context, s brain.Store, key, value string, start time.Time, ttl time.Duration) error {
	err := has(ctx, s, key, value, 0)
	if err != nil && time.Since(start) >= ttl {
		return nil
	}
	return err
}

func timeCases() []Case {
	return []Case{
		{Name: "ttl/ends", Clock: true, Rule: "a key is visible for at least its TTL and gone by TTL + 1 s", run: storeCase(func(ctx context.Context, s brain.Store) error {
			start := time.Now()
			if _, err := write(ctx, s, putFor("k", "v", 2*time.Second)); err != nil {
				return err
			}
			done := time.Now()
			for _, at := range []time.Duration{0, time.Second, 1900 * time.Millisecond} {
				time.Sleep(time.Until(start.Add(at)))
				if err := alive(ctx, s, "k", "v", start, 2*time.Second); err != nil {
					return fmt.Errorf("%v after the write for 2 s: %w", time.Since(start), err)
				}
			}
			time.Sleep(time.Until(done.Add(3 * time.Second)))
			return first(lacks(ctx, s, "k"), lists(ctx, s, ""))
		})},
		{Name: "ttl/rounds-up", Clock: true, Rule: "a TTL is rounded up to whole seconds", run: storeCase(func(ctx context.Context, s brain.Store) error {
			start := time.Now()
			if _, err := s.Apply(ctx, putFor("short", "v", time.Millisecond), putFor("odd", "v", 1100*time.Millisecond)); err != nil {
				return err
			}
			done := time.Now()
			time.Sleep(time.Until(start.Add(800 * time.Millisecond)))
			if err := alive(ctx, s, "short", "v", start, time.Second); err != nil {
				return fmt.Errorf("1 ms is 1 s: %w", err)
			}
			time.Sleep(time.Until(start.Add(1800 * time.Millisecond)))
			if err := alive(ctx, s, "odd", "v", start, 2*time.Second); err != nil {
				return fmt.Errorf("1.1 s is 2 s: %w", err)
			}
			time.Sleep(time.Until(done.Add(3 * time.Second)))
			return lists(ctx, s, "")
		})},
		{Name: "ttl/cleared", Clock: true, Rule: "a write without TTL makes the key permanent", run: storeCase(func(ctx context.Context, s brain.Store) error {
			one, err := write(ctx, s, putFor("k", "1", time.Second))
			if err != nil {
				return err
			}
			if _, err := write(ctx, s, brain.Op{Key: "k", Value: []byte("2"), If: brain.At(one)}); err != nil {
				return err
			}
			time.Sleep(2100 * time.Millisecond)
			return first(has(ctx, s, "k", "2", 0), lists(ctx, s, "", "k"))
		})},
		{Name: "ttl/replaced", Clock: true, Rule: "every write replaces the TTL, by a longer or a shorter one, or gives one to a permanent key", run: storeCase(func(ctx context.Context, s brain.Store) error {
			if _, err := s.Apply(ctx, putFor("longer", "1", time.Second), putFor("shorter", "1", time.Hour), put("given", "1")); err != nil {
				return err
			}
			if _, err := s.Apply(ctx, putFor("longer", "2", time.Hour), putFor("shorter", "2", time.Second), putFor("given", "2", time.Second)); err != nil {
				return err
			}
			time.Sleep(2 * time.Second)
			return first(has(ctx, s, "longer", "2", 0), lacks(ctx, s, "shorter"), lacks(ctx, s, "given"))
		})},
		{Name: "ttl/absent", Clock: true, Rule: "an expired key is exactly an absent key: Get, List, Absent, At and Delete treat it so", run: storeCase(func(ctx context.Context, s brain.Store) error {
			revs, err := s.Apply(ctx, putFor("a", "1", time.Second), putFor("b", "1", time.Second), put("keep", "1"))
			if err != nil {
				return err
			}
			time.Sleep(2 * time.Second)
			if err := first(lacks(ctx, s, "a"), lists(ctx, s, "", "keep"),
				refused(ctx, s, brain.ErrConflict, brain.Op{Key: "a", If: brain.At(revs[0])}),
				refused(ctx, s, brain.ErrConflict, brain.Op{Key: "b", If: brain.At(revs[1]), Delete: true})); err != nil {
				return err
			}
			if _, err := s.Apply(ctx, brain.Op{Key: "a", Value: []byte("2")}, brain.Op{Key: "b", Delete: true}); err != nil {
				return fmt.Errorf("Absent on expired keys: %w", err)
			}
			return first(has(ctx, s, "a", "2", 0), lacks(ctx, s, "b"), lists(ctx, s, "", "a", "keep"))
		})},
		{Name: "ttl/conflict", Clock: true, Rule: "an Apply that conflicts changes no TTL", run: storeCase(func(ctx context.Context, s brain.Store) error {
			if _, err := s.Apply(ctx, putFor("k", "1", time.Second), put("p", "1")); err != nil {
				return err
			}
			bad := brain.Op{Key: "p"}
			if err := first(refused(ctx, s, brain.ErrConflict, put("k", "2"), bad), refused(ctx, s, brain.ErrConflict, putFor("k", "2", time.Hour), bad)); err != nil {
				return err
			}
			time.Sleep(2 * time.Second)
			return lacks(ctx, s, "k")
		})},
		{Name: "ttl/many", Clock: true, Rule: "many keys that expire at once all go, and none that should stay", run: storeCase(func(ctx context.Context, s brain.Store) error {
			const n = 640
			for i := 0; i < n; i += brain.MaxOps {
				ops := make([]brain.Op, brain.MaxOps)
				for j := range ops {
					ops[j] = putFor(fmt.Sprintf("k/%04d", i+j), "v", time.Second)
					if (i+j)%10 == 0 {
						ops[j].TTL = time.Hour
					}
				}
				if _, err := s.Apply(ctx, ops...); err != nil {
					return err
				}
			}
			time.Sleep(2 * time.Second)
			for i := range 100 { // writes, which may sweep
				if _, err := write(ctx, s, putFor("w", fmt.Sprint(i), time.Hour)); err != nil {
					return err
				}
			}
			all, err := list(ctx, s, "k/")
			if err == nil && len(all) != n/10 {
				err = fmt.Errorf("%d keys live, want %d", len(all), n/10)
			}
			return err
		})},
		{Name: "ttl/remaining", Clock: true, Rule: "a store that is a brain.Expirer tells the time a key has left: 0 for a permanent one, ErrNotFound for none", run: storeCase(func(ctx context.Context, s brain.Store) error {
			x, ok := brain.As[brain.Expirer](s)
			if !ok {
				return nil // optional, and nothing claims it
			}
			if _, err := s.Apply(ctx, putFor("k", "1", 90*time.Minute), putFor("short", "1", time.Second), put("p", "1")); err != nil {
				return err
			}
			left, err := x.Remaining(ctx, "k")
			if err != nil || left <= 89*time.Minute || left > 90*time.Minute+time.Second {
				return fmt.Errorf("Remaining of a key for 90 minutes = %v, %v", left, err)
			}
			if left, err := x.Remaining(ctx, "p"); err != nil || left != 0 {
				return fmt.Errorf("Remaining of a permanent key = %v, %v", left, err)
			}
			time.Sleep(2 * time.Second)
			for _, k := range []string{"none", "short"} {
				if left, err := x.Remaining(ctx, k); !errors.Is(err, brain.ErrNotFound) {
					return fmt.Errorf("Remaining(%q) = %v, %v, want %q", k, left, err, brain.ErrNotFound)
				}
			}
			return nil
		})},
	}
}
