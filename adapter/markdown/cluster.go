package markdown

import (
	"unicode"
	"unicode/utf8"
)

// clusters tells where one grapheme cluster ends and the next begins (Unicode Standard Annex 29). It is simpler than the
// annex and only ever keeps more together: that is all that splitting needs, and it spares a dependency and its tables.
type clusters struct {
	prev   rune
	flags  int  // regional indicators right before
	linked bool // a virama came since the last letter
}

// boundary tells whether a cluster may end between the last rune and r, and goes on to r.
func (c *clusters) boundary(r rune) bool {
	prev := c.prev
	c.prev = r
	if prev < 0x300 && r < 0x300 { // GB3-GB5, GB999
		c.flags, c.linked = 0, false
		return prev != '\r' || r != '\n'
	}
	flags := c.flags
	if c.flags = 0; flag(r) {
		c.flags = flags + 1
	}
	switch {
	case extends(r): // GB9, GB9a
		if virama(r) {
			c.linked = true
		}
		return false
	case prev == 0x200d, prepends(prev): // GB9b, GB11 (whatever stands beside the joiner)
		c.linked = false
		return false
	case flag(r) && flag(prev): // GB12, GB13
		return flags%2 == 0
	case hangul(prev, r): // GB6-GB8
		return false
	case c.linked && unicode.IsLetter(r): // GB9c
		c.linked = false
		return false
	}
	c.linked = false
	return true
}

func flag(r rune) bool { return r >= 0x1f1e6 && r <= 0x1f1ff }

// extends: marks, joiners, variation selectors, tags, the modifiers of emoji and the half-width sound marks.
func extends(r rune) bool {
	if r < 0x300 {
		return false
	}
	switch {
	case r == 0x200c, r == 0x200d, r >= 0x1f3fb && r <= 0x1f3ff, r >= 0xe0020 && r <= 0xe007f, r == 0xff9e, r == 0xff9f,
		r == 0xe33, r == 0xeb3:
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Mc)
}

// virama: what joins two letters of an Indic script into one (Indic_Syllabic_Category Virama and Invisible_Stacker).
func virama(r rune) bool {
	switch r {
	case 0x94d, 0x9cd, 0xa4d, 0xacd, 0xb4d, 0xbcd, 0xc4d, 0xccd, 0xd4d, 0xdca, 0x1039, 0x17d2, 0x1a60, 0x1b44, 0x1baa, 0x1bab, 0xa9c0, 0xaaf6,
		0x10a3f, 0x11046, 0x11133, 0x113d0, 0x1193e, 0x11a47, 0x11a99, 0x11f42:
		return true
	}
	return false
}

func prepends(r rune) bool {
	switch {
	case r < 0x600:
		return false
	case r <= 0x605, r == 0x6dd, r == 0x70f, r == 0x890, r == 0x891, r == 0x8e2, r == 0xd4e, r == 0x110bd, r == 0x110cd,
		r == 0x111c2, r == 0x111c3, r == 0x113d1, r == 0x1193f, r == 0x11941, r >= 0x11a84 && r <= 0x11a89, r == 0x11d46, r == 0x11f02, r == 0x11a3a:
		return true
	}
	return false
}

func hangul(a, b rune) bool {
	l := func(r rune) bool { return r >= 0x1100 && r <= 0x115f || r >= 0xa960 && r <= 0xa97c }
	vt := func(r rune) bool { return r >= 0x1160 && r <= 0x11ff || r >= 0xd7b0 && r <= 0xd7fb }
	syllable := func(r rune) bool { return r >= 0xac00 && r <= 0xd7a3 }
	return l(a) && (l(b) || vt(b) || syllable(b)) || (vt(a) || syllable(a)) && vt(b)
}

// clusterLen gives the length in bytes of the cluster that s begins with.
func clusterLen(s string) int {
	if s == "" {
		return 0
	}
	r, n := utf8.DecodeRuneInString(s)
	c := clusters{prev: r}
	if flag(r) {
		c.flags = 1
	}
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if c.boundary(r) {
			break
		}
		n += size
	}
	return n
}
