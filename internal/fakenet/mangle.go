package fakenet

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// odd is what a platform should never put where something else belongs.
var odd = [...]string{"null", "true", "-1", "0.5", "1e400", "99999999999999999999999", `""`, `"\u0000"`, `"x"`, "[]", "{}", "[null]",
	strings.Repeat("[", 1200) + strings.Repeat("]", 1200)} // read only

const hole = "a hole for something odd"

// Mangle gives JSON in which one value after the other is left out, or is something odd.
func Mangle(raw []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		var whole any
		if err := json.Unmarshal(raw, &whole); err != nil {
			panic(fmt.Sprintf("fakenet: what is to be mangled is no JSON: %v", err))
		}
		text := func() string {
			b, err := json.Marshal(whole)
			if err != nil {
				panic(err)
			}
			return string(b)
		}
		fill := func() bool {
			with := text()
			for _, s := range odd {
				if !yield(strings.Replace(with, `"`+hole+`"`, s, 1)) {
					return false
				}
			}
			return true
		}
		var walk func(v any) bool
		walk = func(v any) bool {
			switch v := v.(type) {
			case map[string]any:
				for _, key := range slices.Sorted(maps.Keys(v)) {
					was := v[key]
					delete(v, key)
					if !yield(text()) {
						return false
					}
					v[key] = hole
					if !fill() {
						return false
					}
					v[key] = was
					if !walk(was) {
						return false
					}
				}
			case []any:
				for i, was := range v {
					v[i] = hole
					if !fill() {
						return false
					}
					v[i] = was
					if !walk(was) {
						return false
					}
				}
			}
			return true
		}
		walk(whole)
	}
}
