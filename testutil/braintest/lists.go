package braintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/starlingbot/starling/brain"
)

// fill writes n keys "prefix/00000" ... in an order that is not theirs.
func fill(ctx context.Context, s brain.Store, prefix string, n int) ([]string, error) {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%s/%05d", prefix, i)
	}
	ops := make([]brain.Op, 0, brain.MaxOps)
	for i := range keys {
		ops = append(ops, put(keys[i*7919%n], "v")) // 7919 is prime, so all are met
		if len(ops) == brain.MaxOps || i == n-1 {
			if _, err := s.Apply(ctx, ops...); err != nil {
				return nil, err
			}
			ops = ops[:0]
		}
	}
	return keys, nil
}

func listCases() []Case {
	return []Case{
		{Name: "list/order", Rule: "List is in byte order of the whole keys", run: storeCase(func(ctx context.Context, s brain.Store) error {
			keys := []string{"a0", "a/b", "a-b", "a", "é", "z", "Z", "a/a", "a/b/c", "a/b-", "b", "~", " ", "a/é", "a/Z", "日", "🐦", "\uFFFD"}
			for _, k := range keys {
				if _, err := write(ctx, s, put(k, k)); err != nil {
					return err
				}
			}
			slices.Sort(keys)
			return first(lists(ctx, s, "", keys...), lists(ctx, s, "a/", "a/Z", "a/a", "a/b", "a/b-", "a/b/c", "a/é"))
		})},
		{Name: "list/prefix", Rule: "List gives the keys that begin with prefix, in whole segments, and no others", run: storeCase(func(ctx context.Context, s brain.Store) error {
			for _, k := range []string{"a", "ab", "ab/x", "a/x", "a/y/z", "b/a/x", "A/x", "a%/x", "a*/x", "a_/x"} {
				if _, err := write(ctx, s, put(k, "v")); err != nil {
					return err
				}
			}
			return first(lists(ctx, s, "a/", "a/x", "a/y/z"), lists(ctx, s, "a/y/", "a/y/z"), lists(ctx, s, "a*/", "a*/x"), lists(ctx, s, "a%/", "a%/x"), lists(ctx, s, "a_/", "a_/x"), lists(ctx, s, "none/"))
		})},
		{Name: "list/pages", Rule: "List gives each key once, also over the pages that the engine reads inside", run: storeCase(func(ctx context.Context, s brain.Store) error {
			keys, err := fill(ctx, s, "k", 1300)
			if err != nil {
				return err
			}
			if _, err := s.Apply(ctx, put("j/0", ""), put("l/0", "")); err != nil {
				return err
			}
			return lists(ctx, s, "k/", keys...)
		})},
		{Name: "list/entry", Rule: "List gives the same entries as Get", run: storeCase(func(ctx context.Context, s brain.Store) error {
			for i := range 5 {
				if _, err := write(ctx, s, put(fmt.Sprintf("k/%d", i), fmt.Sprint("value ", i))); err != nil {
					return err
				}
			}
			all, err := list(ctx, s, "k/")
			if err == nil && len(all) != 5 {
				err = fmt.Errorf("%d entries, want 5", len(all))
			}
			for _, e := range all {
				err = first(err, has(ctx, s, e.Key, string(e.Value), e.Rev))
			}
			return err
		})},
		{Name: "list/consumer", Rule: "the consumer of List may take its time and call the store, and may stop early; each range lists anew", run: storeCase(func(ctx context.Context, s brain.Store) error {
			keys, err := fill(ctx, s, "k", 600)
			if err != nil {
				return err
			}
			n, seq := 0, s.List(ctx, "k/")
			for e, err := range seq {
				if err != nil {
					return err
				}
				if err := has(ctx, s, e.Key, "v", e.Rev); err != nil {
					return err
				}
				if n++; n%100 == 0 {
					if _, err := s.Apply(ctx, brain.Op{Key: e.Key, If: brain.At(e.Rev), Delete: true}, put("done", e.Key)); err != nil {
						return fmt.Errorf("Apply inside of a List: %w", err)
					}
				}
			}
			if n != len(keys) {
				return fmt.Errorf("the List gave %d keys, want %d", n, len(keys))
			}
			n = 0
			for _, err := range seq {
				if err != nil {
					return err
				}
				if n++; n == 3 {
					break
				}
			}
			all, err := list(ctx, s, "k/")
			if err == nil && (n != 3 || len(all) != 594) {
				err = fmt.Errorf("after an early stop at %d the List has %d keys, want 594", n, len(all))
			}
			return err
		})},
		{Name: "list/writers", Rule: "List gives every key that lives unchanged meanwhile exactly once, in order, while others are written and deleted", run: storeCase(listUnderWriters)},
	}
}

func listUnderWriters(ctx context.Context, s brain.Store) error {
	stable, err := fill(ctx, s, "k", 700)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	errs := make(chan error, 4)
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("k/%05d-%d", i*37%700, w)
				_, err := s.Apply(ctx, put(key, "passing"))
				if err == nil && i%2 == 1 {
					_, err = s.Apply(ctx, brain.Op{Key: key, If: brain.Any, Delete: true})
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	defer wg.Wait()
	defer close(stop)
	for range 8 {
		seen, last := 0, ""
		for e, err := range s.List(ctx, "k/") {
			if err != nil {
				return err
			}
			if e.Key <= last {
				return fmt.Errorf("%q came after %q", e.Key, last)
			}
			last = e.Key
			if string(e.Value) == "v" {
				if e.Key != stable[seen] {
					return fmt.Errorf("%q came, but %q lived all the time and is missing", e.Key, stable[seen])
				}
				seen++
			}
		}
		if seen != len(stable) {
			return fmt.Errorf("%d of %d keys that lived all the time were seen", seen, len(stable))
		}
	}
	select {
	case err := <-errs:
		return fmt.Errorf("a writer failed: %w", err)
	default:
		return nil
	}
}

func contextCases() []Case {
	return []Case{
		{Name: "ctx/ended", Rule: "with a context that has ended Get, List and Apply return its error, which is not certain, and the store goes on", run: storeCase(func(ctx context.Context, s brain.Store) error {
			if _, err := write(ctx, s, put("k", "1")); err != nil {
				return err
			}
			for range 20 { // engines with queues must not answer by chance
				dead, cancel := context.WithCancel(ctx)
				cancel()
				_, get := s.Get(dead, "k")
				_, apply := s.Apply(dead, put("k", "2"))
				_, all := list(dead, s, "")
				for i, err := range []error{get, apply, all} {
					if !errors.Is(err, context.Canceled) || brain.Certain(err) {
						return fmt.Errorf("%s = %v, want %v", []string{"Get", "Apply", "List"}[i], err, context.Canceled)
					}
				}
			}
			_, err := write(ctx, s, put("k", "3"))
			return first(err, has(ctx, s, "k", "3", 0))
		})},
		{Name: "ctx/midway", Rule: "a context that ends during an Apply makes it return; its write is done wholly or not at all", run: storeCase(func(ctx context.Context, s brain.Store) error {
			for i := range 40 {
				c, cancel := context.WithCancel(ctx)
				done := make(chan error, 1)
				a, b := fmt.Sprintf("k/%d/a", i), fmt.Sprintf("k/%d/b", i)
				go func() {
					_, err := s.Apply(c, put(a, "1"), put(b, "1"))
					done <- err
				}()
				cancel()
				if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
					return fmt.Errorf("Apply = %w, want nil or %v", err, context.Canceled)
				} else if err == nil {
					if err := first(has(ctx, s, a, "1", 0), has(ctx, s, b, "1", 0)); err != nil {
						return fmt.Errorf("an acknowledged Apply: %w", err)
					}
				}
			}
			if _, err := write(ctx, s, put("fence", "1")); err != nil { // what was on its way has landed
				return err
			}
			for i := range 40 {
				all, err := list(ctx, s, fmt.Sprintf("k/%d/", i))
				if err != nil {
					return err
				}
				if len(all) == 1 {
					return fmt.Errorf("half of an Apply was done: only %q", all[0].Key)
				}
			}
			return nil
		})},
		{Name: "close/closed", Rule: "after Close every method returns ErrClosed, and a second Close nil", run: func(r *room) error {
			ctx := context.Background()
			s, err := r.open()
			if err != nil {
				return err
			}
			if _, err := write(ctx, s, put("k", "1")); err != nil {
				return err
			}
			if err := first(s.Close(), s.Close()); err != nil {
				return fmt.Errorf("Close: %w", err)
			}
			_, get := s.Get(ctx, "k")
			_, apply := s.Apply(ctx, put("k", "2"))
			_, all := list(ctx, s, "")
			for i, err := range []error{get, apply, all} {
				if !errors.Is(err, brain.ErrClosed) {
					return fmt.Errorf("%s after Close = %v, want %q", []string{"Get", "Apply", "List"}[i], err, brain.ErrClosed)
				}
			}
			return nil
		}},
		{Name: "close/busy", Rule: "Close while others read and write lets every call return, with success, ErrClosed or an unknown outcome, and none panics", run: closeBusy},
	}
}

func closeBusy(r *room) error {
	ctx := context.Background()
	s, err := r.open()
	if err != nil {
		return err
	}
	acked := make([]int, 8)
	bad := make(chan error, 16)
	var started, wg sync.WaitGroup
	for w := range acked {
		started.Add(1)
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					bad <- fmt.Errorf("panic: %v", p)
				}
			}()
			for i := 1; i < 20_000; i++ { // a bound, for a store that never closes
				_, err := s.Apply(ctx, put(fmt.Sprintf("w/%d", w), fmt.Sprint(i)))
				if i == 1 {
					started.Done()
				}
				if err != nil {
					if !errors.Is(err, brain.ErrClosed) {
						bad <- fmt.Errorf("Apply during Close: %w", err)
					}
					return
				}
				acked[w] = i
				if _, err := list(ctx, s, "w/"); err != nil && !errors.Is(err, brain.ErrClosed) {
					bad <- fmt.Errorf("List during Close: %w", err)
					return
				}
			}
		})
	}
	started.Wait()
	err = s.Close()
	wg.Wait()
	select {
	case b := <-bad:
		return b
	default:
	}
	if err != nil || !r.h.Features.Durable {
		return err
	}
	if s, err = r.open(); err != nil {
		return err
	}
	for w, n := range acked {
		if err := has(ctx, s, fmt.Sprintf("w/%d", w), fmt.Sprint(n), 0); err != nil {
			return fmt.Errorf("after reopening, the last acknowledged write is not there: %w", err)
		}
	}
	return nil
}
