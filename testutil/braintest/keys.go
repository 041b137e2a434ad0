package braintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/starlingbot/starling/brain"
)

// oddKeys are valid, whatever an engine uses for its own purposes: patterns and
// separators of NATS, Redis and SQL among them.
func oddKeys() []string {
	return []string{
		"a", "b c", "@room:srv", "é", "e\u0301", "a.b", "a*>", ">", "*", "$x", "%41", "%", "{tag}", "[a-z]?", `back\slash`, `"quoted"`, "it's",
		"_", "_/core", "-", "~", "tab\tand\nnewline", "\x01\x7f", "日本語/🐦", "\uFFFD", "\U0010FFFF", "deep/" + strings.Repeat("s/", 60) + "end",
		strings.Repeat("k", brain.MaxKey), "A", "Ａ",
		brain.Key("/", "", "\x00", "\xff", "..", "."), "..", "./.",
	}
}

func badKeys() []string {
	return []string{"", "/", "/a", "a/", "a//b", "a\x00b", "\xff", "a/\xc3", strings.Repeat("k", brain.MaxKey+1), "\xed\xa0\x80"}
}

func keyCases() []Case {
	return []Case{
		{Name: "keys/odd", Rule: "a key is any UTF-8 of 1 to 512 bytes without NUL and without empty segments; odd segments are as good as others", run: storeCase(func(ctx context.Context, s brain.Store) error {
			for i, k := range oddKeys() {
				if _, err := write(ctx, s, brain.Op{Key: k, Value: fmt.Append(nil, i)}); err != nil {
					return err
				}
			}
			for i, k := range oddKeys() {
				if err := has(ctx, s, k, fmt.Sprint(i), 0); err != nil {
					return err
				}
			}
			keys := oddKeys()
			slices.Sort(keys)
			if err := lists(ctx, s, "", keys...); err != nil {
				return err
			}
			for _, k := range oddKeys() {
				if _, err := write(ctx, s, brain.Op{Key: k, If: brain.Any, Delete: true}); err != nil {
					return err
				}
			}
			return lists(ctx, s, "")
		})},
		{Name: "keys/invalid", Rule: "an invalid key is ErrInvalidKey in Get and Apply, an invalid prefix in List, and nothing is written", run: storeCase(func(ctx context.Context, s brain.Store) error {
			for _, k := range badKeys() {
				if _, err := s.Get(ctx, k); !errors.Is(err, brain.ErrInvalidKey) {
					return fmt.Errorf("Get(%q) = %v, want %q", brief(k), err, brain.ErrInvalidKey)
				}
				if err := refused(ctx, s, brain.ErrInvalidKey, put("good", "1"), put(k, "2")); err != nil {
					return err
				}
			}
			for _, p := range []string{"a", "/", "a//", "\xff/", "a\x00/", strings.Repeat("k", brain.MaxKey+1) + "/"} {
				n, last := 0, error(nil)
				for _, err := range s.List(ctx, p) {
					n, last = n+1, err
				}
				if n != 1 || !errors.Is(last, brain.ErrInvalidKey) {
					return fmt.Errorf("List(%q) yielded %d times, the last error is %v; want once %q", brief(p), n, last, brain.ErrInvalidKey)
				}
			}
			return lists(ctx, s, "")
		})},
		{Name: "keys/bytewise", Rule: "keys are compared byte by byte: case matters and nothing is normalised", run: storeCase(func(ctx context.Context, s brain.Store) error {
			for _, k := range []string{"ann", "Ann", "\u00e9", "e\u0301", "a", "a "} {
				if _, err := write(ctx, s, brain.Op{Key: k, Value: []byte(k)}); err != nil {
					return err
				}
			}
			return first(has(ctx, s, "ann", "ann", 0), has(ctx, s, "Ann", "Ann", 0), has(ctx, s, "\u00e9", "\u00e9", 0), has(ctx, s, "a", "a", 0), lacks(ctx, s, "ANN"))
		})},
	}
}
