package braintest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starlingbot/starling/brain"
)

func durableCases() []Case {
	return []Case{
		{Name: "reopen/all", needs: durable, Rule: "after Close and Open all that was acknowledged is there, with its revision", run: func(r *room) error {
			ctx := context.Background()
			s, err := r.open()
			if err != nil {
				return err
			}
			keys, err := fill(ctx, s, "k", 600)
			if err != nil {
				return err
			}
			rev, err := write(ctx, s, brain.Op{Key: "last", Value: []byte("1")})
			if err := first(err, s.Close()); err != nil {
				return err
			}
			if s, err = r.open(); err != nil {
				return err
			}
			if err := first(lists(ctx, s, "k/", keys...), has(ctx, s, "last", "1", rev)); err != nil {
				return err
			}
			_, err = write(ctx, s, brain.Op{Key: "last", Value: []byte("2"), If: brain.At(rev)})
			return err
		}},
		{Name: "reopen/revisions", needs: durable, Rule: "a revision is not used twice for one key over delete, Close and Open", run: func(r *room) error {
			ctx := context.Background()
			var last uint64
			for range 3 {
				s, err := r.open()
				if err != nil {
					return err
				}
				for range 2 {
					rev, err := write(ctx, s, brain.Op{Key: "k", Value: []byte("1")})
					if err == nil && rev <= last {
						err = fmt.Errorf("the key got the revision %d, an earlier one had %d", rev, last)
					}
					if err != nil {
						return err
					}
					last = rev
					if _, err := write(ctx, s, brain.Op{Key: "k", If: brain.At(rev), Delete: true}); err != nil {
						return err
					}
				}
				if err := s.Close(); err != nil {
					return err
				}
			}
			return nil
		}},
		{Name: "reopen/ttl", needs: durable, Clock: true, Rule: "time passes for TTLs while the store is closed", run: func(r *room) error {
			ctx := context.Background()
			s, err := r.open()
			if err != nil {
				return err
			}
			if _, err := s.Apply(ctx, putFor("short", "1", time.Second), putFor("long", "1", time.Hour)); err != nil {
				return err
			}
			if err := s.Close(); err != nil {
				return err
			}
			time.Sleep(2 * time.Second)
			if s, err = r.open(); err != nil {
				return err
			}
			return first(lacks(ctx, s, "short"), has(ctx, s, "long", "1", 0), lists(ctx, s, "", "long"))
		}},
		{Name: "kill", needs: durable, Rule: "after a SIGKILL of the process that writes, all that was acknowledged is there and no Apply is there by half", run: killed},
		{Name: "shared/own-writes", needs: shared, Rule: "what one replica wrote, another reads and judges at once", run: func(r *room) error {
			ctx := context.Background()
			one, err := r.open()
			if err != nil {
				return err
			}
			two, err := r.open()
			if err != nil {
				return err
			}
			for i := range 50 {
				rev, err := write(ctx, one, put("k", fmt.Sprint(i)))
				if err := first(err, has(ctx, two, "k", fmt.Sprint(i), rev), refused(ctx, two, brain.ErrConflict, brain.Op{Key: "k"})); err != nil {
					return err
				}
				if _, err := write(ctx, two, brain.Op{Key: "k", Value: []byte("two"), If: brain.At(rev)}); err != nil {
					return err
				}
				if err := first(has(ctx, one, "k", "two", 0), refused(ctx, one, brain.ErrConflict, brain.Op{Key: "k", If: brain.At(rev)})); err != nil {
					return err
				}
			}
			return nil
		}},
		{Name: "wake/hints", needs: wakes, Clock: true, Rule: "a Waker's channel receives after writes under its prefix", run: storeCase(func(ctx context.Context, s brain.Store) error {
			w, ok := brain.As[brain.Waker](s)
			if !ok {
				return errors.New("Features.Wake is claimed, and the store is no brain.Waker")
			}
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			hints, err := w.Wake(ctx, "a/")
			if err != nil {
				return err
			}
			for i := range 20 { // a hint may be missing, but not all
				if _, err := write(ctx, s, put("a/k", fmt.Sprint(i))); err != nil {
					return err
				}
				select {
				case _, open := <-hints:
					if !open {
						return errors.New("the channel was closed")
					}
					return nil
				case <-time.After(500 * time.Millisecond):
				}
			}
			return errors.New("no hint for 20 writes in 10 s")
		})},
	}
}
