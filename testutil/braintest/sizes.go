package braintest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/starlingbot/starling/brain"
)

func sizeCases() []Case {
	return []Case{
		{Name: "size/value", Rule: "a value has at most 512 KiB; more is ErrTooLarge and nothing is written", run: storeCase(func(ctx context.Context, s brain.Store) error {
			largest := strings.Repeat("v", brain.MaxValue)
			if _, err := write(ctx, s, put("big", largest)); err != nil {
				return err
			}
			if err := refused(ctx, s, brain.ErrTooLarge, put("small", "x"), put("big", largest+"v")); err != nil {
				return err
			}
			return first(has(ctx, s, "big", largest, 0), lacks(ctx, s, "small"))
		})},
		{Name: "size/ops", Rule: "one Apply has at most 16 operations; more is ErrTooLarge and nothing is written", run: storeCase(func(ctx context.Context, s brain.Store) error {
			ops := make([]brain.Op, brain.MaxOps+1)
			for i := range ops {
				ops[i] = put(fmt.Sprintf("k%02d", i), "v")
			}
			if err := refused(ctx, s, brain.ErrTooLarge, ops...); err != nil {
				return err
			}
			if err := lists(ctx, s, ""); err != nil {
				return err
			}
			revs, err := s.Apply(ctx, ops[:brain.MaxOps]...)
			if err != nil || len(revs) != brain.MaxOps {
				return fmt.Errorf("Apply of %d ops gave %d revisions, %v", brain.MaxOps, len(revs), err)
			}
			return has(ctx, s, "k15", "v", revs[15])
		})},
		{Name: "size/apply", Rule: "the keys and values of one Apply have at most 768 KiB together; more is ErrTooLarge and nothing is written", run: storeCase(func(ctx context.Context, s brain.Store) error {
			half := strings.Repeat("v", brain.MaxApply/2-1) // and one byte of key
			if err := refused(ctx, s, brain.ErrTooLarge, put("a", half), put("b", half+"v")); err != nil {
				return err
			}
			if err := lists(ctx, s, ""); err != nil {
				return err
			}
			if _, err := s.Apply(ctx, put("a", half), put("b", half)); err != nil {
				return fmt.Errorf("Apply of exactly 768 KiB: %w", err)
			}
			return has(ctx, s, "b", half, 0)
		})},
		{Name: "size/twice", Rule: "a key appears once in an Apply, else ErrInvalidKey and nothing is written", run: storeCase(func(ctx context.Context, s brain.Store) error {
			return first(
				refused(ctx, s, brain.ErrInvalidKey, put("a", "1"), put("b", "1"), put("a", "2")),
				refused(ctx, s, brain.ErrInvalidKey, put("a", "1"), brain.Op{Key: "a", If: brain.Any, Delete: true}),
				lists(ctx, s, ""))
		})},
		{Name: "size/ttl", Rule: "a negative TTL is ErrInvalidOp and nothing is written; a huge one is no error", run: storeCase(func(ctx context.Context, s brain.Store) error {
			if err := first(refused(ctx, s, brain.ErrInvalidOp, put("a", "1"), putFor("b", "1", -1)), lists(ctx, s, "")); err != nil {
				return err
			}
			if _, err := write(ctx, s, putFor("c", "1", time.Duration(1<<63-1))); err != nil {
				return err
			}
			return has(ctx, s, "c", "1", 0)
		})},
	}
}
