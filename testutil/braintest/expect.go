package braintest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starlingbot/starling/brain"
)

// storeCase makes the body of a case that needs one open store.
func storeCase(f func(context.Context, brain.Store) error) func(*room) error {
	return func(r *room) error {
		s, err := r.open()
		if err != nil {
			return err
		}
		return f(context.Background(), s)
	}
}

// put is an Op that writes whatever is there.
func put(key, value string) brain.Op {
	return brain.Op{Key: key, Value: []byte(value), If: brain.Any}
}

// putFor is put with a TTL.
func putFor(key, value string, ttl time.Duration) brain.Op {
	op := put(key, value)
	op.TTL = ttl
	return op
}

// write applies one op that must succeed, and returns its revision.
func write(ctx context.Context, s brain.Store, op brain.Op) (uint64, error) {
	revs, err := s.Apply(ctx, op)
	if err != nil {
		return 0, fmt.Errorf("Apply(%s): %w", show(op), err)
	}
	if len(revs) != 1 {
		return 0, fmt.Errorf("Apply(%s) returned %d revisions, want 1", show(op), len(revs))
	}
	return revs[0], nil
}

// refused wants an Apply to fail with a certain error.
func refused(ctx context.Context, s brain.Store, want error, ops ...brain.Op) error {
	_, err := s.Apply(ctx, ops...)
	if !errors.Is(err, want) {
		return fmt.Errorf("Apply(%s) = %v, want %q", show(ops...), err, want)
	}
	return nil
}

// has wants key to live with this value; rev 0 is any revision.
func has(ctx context.Context, s brain.Store, key, value string, rev uint64) error {
	e, err := s.Get(ctx, key)
	switch {
	case err != nil:
		return fmt.Errorf("Get(%q) = %w, want the value %q", key, err, brief(value))
	case e.Key != key:
		return fmt.Errorf("Get(%q) gave an entry with the key %q", key, e.Key)
	case !bytes.Equal(e.Value, []byte(value)):
		return fmt.Errorf("Get(%q) = %q, want %q", key, brief(string(e.Value)), brief(value))
	case rev != 0 && e.Rev != rev:
		return fmt.Errorf("Get(%q) has the revision %d, want %d", key, e.Rev, rev)
	}
	return nil
}

// lacks wants key not to live.
func lacks(ctx context.Context, s brain.Store, key string) error {
	if e, err := s.Get(ctx, key); !errors.Is(err, brain.ErrNotFound) {
		return fmt.Errorf("Get(%q) = %q, %v; want %q", key, brief(string(e.Value)), err, brain.ErrNotFound)
	}
	return nil
}

// list collects a whole List.
func list(ctx context.Context, s brain.Store, prefix string) ([]brain.Entry, error) {
	var all []brain.Entry
	for e, err := range s.List(ctx, prefix) {
		if err != nil {
			return all, fmt.Errorf("List(%q): %w", prefix, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// lists wants exactly these keys, in this order.
func lists(ctx context.Context, s brain.Store, prefix string, want ...string) error {
	all, err := list(ctx, s, prefix)
	if err != nil {
		return err
	}
	got := make([]string, len(all))
	for i, e := range all {
		got[i] = e.Key
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Errorf("List(%q) = %d keys %s, want %d keys %s; they differ from number %d on", prefix, len(got), brief(fmt.Sprintf("%q", got)), len(want), brief(fmt.Sprintf("%q", want)), i)
		}
	}
	return nil
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func brief(s string) string {
	if len(s) > 200 {
		return s[:200] + fmt.Sprintf("... (%d bytes)", len(s))
	}
	return s
}

func show(ops ...brain.Op) string {
	var b bytes.Buffer
	for i, op := range ops {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == 3 && len(ops) > 4 {
			fmt.Fprintf(&b, "... %d ops", len(ops))
			break
		}
		verb := "write"
		if op.Delete {
			verb = "delete"
		}
		fmt.Fprintf(&b, "%s %q", verb, brief(op.Key))
		switch op.If {
		case brain.Any:
		case brain.Absent:
			b.WriteString(" if absent")
		default:
			fmt.Fprintf(&b, " at %d", op.If)
		}
		if op.TTL != 0 {
			fmt.Fprintf(&b, " for %v", op.TTL)
		}
	}
	return b.String()
}
