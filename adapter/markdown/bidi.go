package markdown

import "strings"

const (
	popDirection = '\u202c' // ends an embedding or override
	popIsolate   = '\u2069' // ends an isolate
)

// closed gives data with an end for every direction that it begins (Unicode Standard Annex 9, section 2): else what stands
// behind it in its line would be shown the other way round, as something else than was written.
func closed(s string) string {
	if !strings.Contains(s, "\xE2\x80") && !strings.Contains(s, "\xE2\x81") {
		return s
	}
	var open []rune // what ends them, the inner one last
	for _, r := range s {
		switch {
		case r >= '\u202a' && r <= '\u202e' && r != popDirection:
			open = append(open, popDirection)
		case r >= '\u2066' && r <= '\u2068':
			open = append(open, popIsolate)
		case r == popDirection:
			if n := len(open); n > 0 && open[n-1] == popDirection {
				open = open[:n-1]
			}
		case r == popIsolate: // and all that was begun within
			for n := len(open) - 1; n >= 0; n-- {
				if open[n] == popIsolate {
					open = open[:n]
					break
				}
			}
		}
	}
	if len(open) == 0 {
		return s
	}
	var b strings.Builder
	b.WriteString(s)
	for i := len(open) - 1; i >= 0; i-- {
		b.WriteRune(open[i])
	}
	return b.String()
}

// unclosed is s without what ends a direction.
func unclosed(s string) string {
	if !strings.ContainsRune(s, popDirection) && !strings.ContainsRune(s, popIsolate) {
		return s
	}
	return strings.NewReplacer(string(popDirection), "", string(popIsolate), "").Replace(s)
}
