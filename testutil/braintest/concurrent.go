package braintest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starlingbot/starling/brain"
)

// together runs f n times at once and returns the first error.
func together(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					errs[i] = fmt.Errorf("panic: %v", p)
				}
			}()
			<-gate
			errs[i] = f(i)
		})
	}
	close(gate)
	wg.Wait()
	return first(errs...)
}

func concurrentCases() []Case {
	return []Case{
		{Name: "race/create", Rule: "of many that create one key if Absent, one succeeds and the others get ErrConflict", run: storeCase(func(ctx context.Context, s brain.Store) error {
			for round := range 10 {
				var won atomic.Int32
				key := fmt.Sprintf("k/%d", round)
				err := together(32, func(i int) error {
					_, err := s.Apply(ctx, brain.Op{Key: key, Value: fmt.Append(nil, i)})
					if err == nil {
						won.Add(1)
					} else if !errors.Is(err, brain.ErrConflict) {
						return err
					}
					return nil
				})
				if err == nil && won.Load() != 1 {
					err = fmt.Errorf("%d of 32 succeeded", won.Load())
				}
				if err != nil {
					return err
				}
			}
			return nil
		})},
		{Name: "race/update", Rule: "64 concurrent brain.Update of one key all succeed and none is lost", run: storeCase(func(ctx context.Context, s brain.Store) error {
			const writers = 64
			b := brain.New(s)
			var read sync.WaitGroup // all have read before the first writes
			read.Add(writers)
			err := together(writers, func(int) error {
				var arrive sync.Once
				defer arrive.Do(read.Done)
				_, err := brain.Update(ctx, b, "n", func(n *int) error {
					arrive.Do(read.Done)
					read.Wait()
					*n++
					return nil
				})
				return err
			})
			if err != nil {
				return err
			}
			n, err := brain.Get[int](ctx, b, "n")
			if err == nil && n != writers {
				err = fmt.Errorf("%d increments gave %d", writers, n)
			}
			return err
		})},
		{Name: "race/apart", Rule: "a conflict concerns only its own Apply: writers of other keys at the same time succeed", run: storeCase(func(ctx context.Context, s brain.Store) error {
			if _, err := write(ctx, s, put("taken", "1")); err != nil {
				return err
			}
			return together(32, func(i int) error {
				for j := range 10 {
					if i%2 == 0 {
						if err := refused(ctx, s, brain.ErrConflict, put(fmt.Sprintf("never/%d", i), "x"), brain.Op{Key: "taken"}); err != nil {
							return err
						}
						if err := lacks(ctx, s, fmt.Sprintf("never/%d", i)); err != nil {
							return err
						}
						continue
					}
					key := fmt.Sprintf("k/%d/%d", i, j)
					rev, err := write(ctx, s, brain.Op{Key: key, Value: []byte("v")})
					if err := first(err, has(ctx, s, key, "v", rev)); err != nil {
						return err
					}
				}
				return nil
			})
		})},
	}
}

func leaseCases() []Case {
	return []Case{
		{Name: "lease/one", Rule: "a lease has one holder; a renewal gives a larger token; after Release it is free", run: storeCase(func(ctx context.Context, s brain.Store) error {
			b := brain.New(s)
			one, err := b.Acquire(ctx, "job", time.Hour)
			if err != nil {
				return err
			}
			if _, err := b.Acquire(ctx, "job", time.Hour); !errors.Is(err, brain.ErrConflict) {
				return fmt.Errorf("a second Acquire = %v, want %q", err, brain.ErrConflict)
			}
			before := one.Token()
			if err := one.Renew(ctx); err != nil {
				return err
			}
			if one.Token() <= before {
				return fmt.Errorf("renewed from token %d to %d", before, one.Token())
			}
			before = one.Token()
			if err := one.Release(ctx); err != nil {
				return err
			}
			two, err := b.Acquire(ctx, "job", time.Hour)
			if err == nil && two.Token() <= before {
				err = fmt.Errorf("the next holder has token %d after %d", two.Token(), before)
			}
			return err
		})},
		{Name: "lease/fence", Clock: true, Rule: "who lost a lease by its TTL can neither renew it nor write under it", run: storeCase(func(ctx context.Context, s brain.Store) error {
			b := brain.New(s)
			old, err := b.Acquire(ctx, "job", time.Second)
			if err != nil {
				return err
			}
			if err := old.Apply(ctx, put("state", "old")); err != nil {
				return err
			}
			guard := old.Guard()
			time.Sleep(2 * time.Second)
			if err := refused(ctx, s, brain.ErrConflict, guard, put("state", "zombie")); err != nil {
				return fmt.Errorf("after expiry: %w", err)
			}
			next, err := b.Acquire(ctx, "job", time.Hour)
			if err != nil {
				return fmt.Errorf("after expiry: %w", err)
			}
			if err := next.Apply(ctx, put("state", "next")); err != nil {
				return err
			}
			for what, err := range map[string]error{"Apply": old.Apply(ctx, put("state", "zombie")), "Renew": old.Renew(ctx), "Release": old.Release(ctx)} {
				if !errors.Is(err, brain.ErrConflict) {
					return fmt.Errorf("%s of a lost lease = %v, want %q", what, err, brain.ErrConflict)
				}
			}
			return first(has(ctx, s, "state", "next", 0), next.Renew(ctx))
		})},
	}
}
