package braintest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/starlingbot/starling/brain"
)

func writeCases() []Case {
	del := func(key string, cond brain.Cond) brain.Op { return brain.Op{Key: key, If: cond, Delete: true} }
	return []Case{
		{Name: "get/missing", Rule: "Get of a key that does not live is ErrNotFound, which is certain; an empty value is not that", run: storeCase(func(ctx context.Context, s brain.Store) error {
			if _, err := write(ctx, s, put("empty", "")); err != nil {
				return err
			}
			return first(lacks(ctx, s, "none"), has(ctx, s, "empty", "", 0), lists(ctx, s, "", "empty"))
		})},
		{Name: "get/latest", Rule: "Get gives the last acknowledged write", run: storeCase(func(ctx context.Context, s brain.Store) error {
			for i := range 20 {
				rev, err := write(ctx, s, put("k", fmt.Sprint(i)))
				for range 1 + i%3 {
					err = first(err, has(ctx, s, "k", fmt.Sprint(i), rev))
				}
				if err != nil {
					return err
				}
			}
			if _, err := write(ctx, s, del("k", brain.Any)); err != nil {
				return err
			}
			return lacks(ctx, s, "k")
		})},
		{Name: "value/bytes", Rule: "a value is any bytes", run: storeCase(func(ctx context.Context, s brain.Store) error {
			all := make([]byte, 256)
			for i := range all {
				all[i] = byte(i)
			}
			for i, v := range []string{string(all), "\x00", "\xff\xfe", strings.Repeat("\x00", 5000), " \r\n ", `{"k":1}`} {
				k := fmt.Sprintf("k%d", i)
				rev, err := write(ctx, s, put(k, v))
				if err := first(err, has(ctx, s, k, v, rev)); err != nil {
					return err
				}
			}
			return nil
		})},
		{Name: "value/not-kept", Rule: "the store keeps no slice of the caller, and the values it gives belong to the receiver", run: storeCase(func(ctx context.Context, s brain.Store) error {
			op := put("k", "before")
			if _, err := s.Apply(ctx, op); err != nil {
				return err
			}
			copy(op.Value, "AFTER!")
			if err := has(ctx, s, "k", "before", 0); err != nil {
				return fmt.Errorf("after the caller changed the slice it had passed to Apply: %w", err)
			}
			e, err := s.Get(ctx, "k")
			if err != nil {
				return err
			}
			copy(e.Value, "AFTER!")
			all, err := list(ctx, s, "")
			if err := first(err, has(ctx, s, "k", "before", 0)); err != nil {
				return fmt.Errorf("after the value from Get was changed: %w", err)
			}
			copy(all[0].Value, "AFTER!")
			if err := has(ctx, s, "k", "before", 0); err != nil {
				return fmt.Errorf("after the value from List was changed: %w", err)
			}
			return nil
		})},
		{Name: "apply/none", Rule: "an Apply of no operations succeeds and does nothing", run: storeCase(func(ctx context.Context, s brain.Store) error {
			if revs, err := s.Apply(ctx); err != nil || len(revs) != 0 {
				return fmt.Errorf("Apply() = %v, %v", revs, err)
			}
			return lists(ctx, s, "")
		})},
		{Name: "cond/zero", Rule: "the zero Cond is Absent: a forgotten condition refuses to overwrite and to delete", run: storeCase(func(ctx context.Context, s brain.Store) error {
			rev, err := write(ctx, s, brain.Op{Key: "k", Value: []byte("1")})
			return first(err,
				refused(ctx, s, brain.ErrConflict, brain.Op{Key: "k", Value: []byte("2")}),
				refused(ctx, s, brain.ErrConflict, brain.Op{Key: "k", Delete: true}),
				has(ctx, s, "k", "1", rev))
		})},
		{Name: "cond/at", Rule: "At(rev) holds only while the key lives with exactly this revision", run: storeCase(func(ctx context.Context, s brain.Store) error {
			if err := refused(ctx, s, brain.ErrConflict, brain.Op{Key: "k", If: brain.At(1)}); err != nil {
				return err
			}
			one, err := write(ctx, s, put("k", "1"))
			if err != nil {
				return err
			}
			for _, wrong := range []uint64{one + 1, one - 1} {
				if wrong == 0 {
					continue
				}
				if err := refused(ctx, s, brain.ErrConflict, brain.Op{Key: "k", If: brain.At(wrong)}); err != nil {
					return err
				}
			}
			two, err := write(ctx, s, brain.Op{Key: "k", Value: []byte("2"), If: brain.At(one)})
			if err := first(err, refused(ctx, s, brain.ErrConflict, brain.Op{Key: "k", If: brain.At(one)}), refused(ctx, s, brain.ErrConflict, del("k", brain.At(one))), has(ctx, s, "k", "2", two)); err != nil {
				return err
			}
			if _, err := write(ctx, s, del("k", brain.At(two))); err != nil {
				return err
			}
			return first(lacks(ctx, s, "k"), refused(ctx, s, brain.ErrConflict, brain.Op{Key: "k", If: brain.At(two)}), refused(ctx, s, brain.ErrConflict, del("k", brain.At(two))))
		})},
		{Name: "cond/any", Rule: "Any has no precondition: it writes and deletes whatever is there, also nothing", run: storeCase(func(ctx context.Context, s brain.Store) error {
			for _, op := range []brain.Op{del("k", brain.Any), put("k", "1"), put("k", "2")} {
				if _, err := write(ctx, s, op); err != nil {
					return err
				}
			}
			if err := has(ctx, s, "k", "2", 0); err != nil {
				return err
			}
			_, err := write(ctx, s, del("k", brain.Any))
			return first(err, lacks(ctx, s, "k"))
		})},
		{Name: "cond/delete-absent", Rule: "a Delete of an absent key if Absent succeeds and is a bare precondition of its Apply", run: storeCase(func(ctx context.Context, s brain.Store) error {
			if _, err := s.Apply(ctx, put("a", "1"), del("b", brain.Absent)); err != nil {
				return err
			}
			if _, err := write(ctx, s, put("b", "1")); err != nil {
				return err
			}
			return first(refused(ctx, s, brain.ErrConflict, put("a", "2"), del("b", brain.Absent)), has(ctx, s, "a", "1", 0), has(ctx, s, "b", "1", 0))
		})},
		{Name: "apply/all", Rule: "Apply does all operations and returns one revision each, which Get and List show", run: storeCase(func(ctx context.Context, s brain.Store) error {
			gone, err := write(ctx, s, put("gone", "x"))
			if err != nil {
				return err
			}
			revs, err := s.Apply(ctx, put("a", "1"), del("gone", brain.At(gone)), brain.Op{Key: "b", Value: []byte("2")})
			if err != nil || len(revs) != 3 {
				return fmt.Errorf("Apply of three gave %v, %v", revs, err)
			}
			all, err := list(ctx, s, "")
			if err := first(err, has(ctx, s, "a", "1", revs[0]), has(ctx, s, "b", "2", revs[2]), lacks(ctx, s, "gone"), lists(ctx, s, "", "a", "b")); err != nil {
				return err
			}
			if all[0].Rev != revs[0] || string(all[0].Value) != "1" {
				return fmt.Errorf("List gave %q at %d, want %q at %d", all[0].Value, all[0].Rev, "1", revs[0])
			}
			return nil
		})},
		{Name: "apply/nothing", Rule: "when one precondition does not hold, Apply is ErrConflict and does nothing at all, wherever the failing operation stands", run: storeCase(func(ctx context.Context, s brain.Store) error {
			rev, err := write(ctx, s, put("old", "1"))
			if err != nil {
				return err
			}
			bad := brain.Op{Key: "bad", Value: []byte("x"), If: brain.At(7)}
			good := []brain.Op{put("new", "2"), put("old", "2"), put("tail", "2")}
			for at := range len(good) + 1 {
				ops := append(append(append([]brain.Op{}, good[:at]...), bad), good[at:]...)
				if err := first(refused(ctx, s, brain.ErrConflict, ops...), lists(ctx, s, "", "old"), has(ctx, s, "old", "1", rev)); err != nil {
					return fmt.Errorf("with the failing operation at place %d: %w", at, err)
				}
			}
			return first(refused(ctx, s, brain.ErrConflict, del("old", brain.At(rev)), bad), has(ctx, s, "old", "1", rev))
		})},
		{Name: "errors/certain", Rule: "ErrNotFound, ErrConflict, ErrTooLarge, ErrInvalidKey and ErrInvalidOp are recognised with errors.Is and are certain", run: storeCase(func(ctx context.Context, s brain.Store) error {
			if _, err := write(ctx, s, put("k", "1")); err != nil {
				return err
			}
			_, missing := s.Get(ctx, "none")
			_, conflict := s.Apply(ctx, brain.Op{Key: "k"})
			_, large := s.Apply(ctx, put("k", strings.Repeat("v", brain.MaxValue+1)))
			_, invalid := s.Apply(ctx, put("", ""))
			_, op := s.Apply(ctx, putFor("k", "", -1))
			for _, err := range []error{missing, conflict, large, invalid, op} {
				if !brain.Certain(err) {
					return fmt.Errorf("brain.Certain(%v) is false", err)
				}
			}
			if errors.Is(conflict, brain.ErrNotFound) || errors.Is(missing, brain.ErrConflict) {
				return errors.New("an error matches two certain errors")
			}
			return nil
		})},
	}
}
