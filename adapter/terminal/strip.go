package terminal

import (
	"strings"
	"unicode/utf8"
)

// clean makes s safe to show: escape sequences go whole, and so do control characters but \n and \t, DEL, bidirectional
// controls and zero-width characters. What is no UTF-8 becomes U+FFFD, and the line and paragraph separators \n.
func clean(s string) string { return strip(s, false) }

// cleanLog is clean, but leaves colours (SGR).
func cleanLog(s string) string { return strip(s, true) }

// cleanText is clean for a text of package adapter: the characters that carry nodes stay, and no sequence reaches over
// one.
func cleanText(s string) string {
	if !strings.Contains(s, "\xEF\xB7") { // all of them begin so
		return clean(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for s != "" {
		i := strings.IndexFunc(s, carries)
		if i < 0 {
			i = len(s)
		}
		b.WriteString(clean(s[:i]))
		s = s[i:]
		i = strings.IndexFunc(s, func(r rune) bool { return !carries(r) })
		if i < 0 {
			i = len(s)
		}
		b.WriteString(s[:i])
		s = s[i:]
	}
	return b.String()
}

// carries tells whether r is one of the noncharacters with which package adapter puts nodes into a text. Package markdown
// takes all of them out.
func carries(r rune) bool { return r >= 0xFDD0 && r <= 0xFDEF }

// word makes s safe to show inside a line: clean, and white space is a single space.
func word(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

const esc = '\x1b'

func strip(s string, colour bool) string {
	i := 0
	for i < len(s) && (s[i] >= ' ' && s[i] < 0x7f || s[i] == '\n' || s[i] == '\t') {
		i++
	}
	if i == len(s) { // the usual text costs one scan
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	b.WriteString(s[:i])
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == esc, r >= 0x80 && r <= 0x9f:
			m, sgr := sequence(s[i:])
			if sgr && colour {
				b.WriteString(s[i : i+m])
			}
			n = m
		case r == '\u2028' || r == '\u2029':
			b.WriteByte('\n')
		case r < ' ' && r != '\n' && r != '\t', r == 0x7f, invisible(r):
		default:
			b.WriteRune(r) // U+FFFD for what is no UTF-8
		}
		i += n
	}
	return b.String()
}

// sequence gives the length of the escape sequence or control that s begins with (ECMA-48, section 5), and whether it
// is a colour in the 7-bit form. A sequence that is broken off, by a character that it cannot have or by the end of the
// line, ends before that: what follows is text.
func sequence(s string) (n int, sgr bool) {
	r, n := utf8.DecodeRuneInString(s)
	if r == esc {
		if n == len(s) {
			return n, false
		}
		c := s[n]
		switch {
		case c >= 0x40 && c <= 0x5f: // the 7-bit form of a C1 control
			r = rune(c) + 0x40
			n++
		case c >= 0x20 && c <= 0x7e: // intermediates and a final byte
			for n < len(s) && s[n] >= 0x20 && s[n] <= 0x2f {
				n++
			}
			if n < len(s) && s[n] >= 0x30 && s[n] <= 0x7e {
				n++
			}
			return n, false
		default:
			return n, false
		}
	}
	switch r {
	case 0x9b: // CSI
		start := n
		for n < len(s) && s[n] >= 0x30 && s[n] <= 0x3f {
			n++
		}
		params := s[start:n]
		for n < len(s) && s[n] >= 0x20 && s[n] <= 0x2f {
			n++
		}
		if n < len(s) && s[n] >= 0x40 && s[n] <= 0x7e {
			sgr = s[n] == 'm' && n == start+len(params) && s[0] == esc && strings.Trim(params, "0123456789;:") == ""
			n++
		}
	case 0x90, 0x98, 0x9d, 0x9e, 0x9f: // DCS, SOS, OSC, PM, APC: a string up to ST or BEL
		for n < len(s) {
			r, size := utf8.DecodeRuneInString(s[n:])
			switch {
			case r == '\n' || r == '\u2028' || r == '\u2029':
				return n, false
			case r == '\a' || r == 0x9c || r == 0x18 || r == 0x1a:
				return n + size, false
			case r == esc:
				if strings.HasPrefix(s[n:], "\x1b\\") {
					return n + 2, false
				}
				return n, false
			}
			n += size
		}
	}
	return n, sgr
}

// invisible tells what is not to be shown: bidirectional controls, which rewrite a line, and characters without a width
// or a glyph (Unicode 16, Bidi_Control and Default_Ignorable_Code_Point, but for the variation selectors).
func invisible(r rune) bool {
	switch {
	case r < 0xad:
		return false
	case r == 0xad, r == 0x34f, r == 0x61c, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x3164, r == 0xfeff, r == 0xffa0,
		r >= 0x180b && r <= 0x180f,
		r >= 0x200b && r <= 0x200f, // zero-width space, joiners, marks
		r >= 0x202a && r <= 0x202e, // embeddings and overrides
		r >= 0x2060 && r <= 0x206f, // word joiner, isolates
		r >= 0xfff0 && r <= 0xfffb, // interlinear annotation
		r >= 0xfdd0 && r <= 0xfdef, // noncharacters
		r >= 0x1d173 && r <= 0x1d17a,
		r >= 0xe0000 && r <= 0xe00ff: // tags
		return true
	}
	return r&0xfffe == 0xfffe // noncharacters
}
