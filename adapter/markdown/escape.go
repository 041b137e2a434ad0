package markdown

import (
	"strings"
	"unicode/utf8"
)

// markdownEscape says how a dialect that follows Markdown escapes.
type markdownEscape struct {
	always  string // these get a backslash wherever they stand
	start   string // these get one at the beginning of a line
	guard   string // these get a zero-width space before them at the beginning of a line
	number  bool   // a number with a dot or bracket at the beginning of a line is a list
	indent  bool   // four spaces or a tab at the beginning of a line are code
	angle   bool   // < is written as an entity
	entity  bool   // entities are read
	at      bool   // a zero-width space after @
	emoji   string // what is written instead of the colon of a name of an emoji in data
	www     bool   // www. begins an address: a zero-width space before its dot, if there is anything to escape in it
	address string // what is written instead of the colon of an address that is to stay text
}

func (m *markdownEscape) escape(w *Writer, s string, data bool) {
	from := 0
	put := func(i int, atom string, skip int) { // what is before i as it is, then atom instead of skip bytes
		w.Raw(s[from:i])
		w.Atom(atom)
		from = i + skip
	}
	start := w.LineStart()
	if start && m.indent {
		if lead := len(s) - len(strings.TrimLeft(s, " \t")); lead >= 4 || strings.IndexByte(s[:lead], '\t') >= 0 {
			w.Atom(zwsp)
			start = false
		} else { // not shown, but they would move the column where a list item begins
			s = s[lead:]
		}
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x80 || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			start = false
			if m.www && c|0x20 == 'w' && len(s)-i > 3 && strings.EqualFold(s[i:i+4], "www.") && (i == 0 || !alnum(s[i-1])) && !bareHost(s[i:], w.more) {
				put(i+3, zwsp, 0)
				i += 2
			}
			continue
		}
		switch {
		case c == ' ':
			continue
		case c == '<' && m.angle:
			put(i, "&lt;", 1)
		case strings.IndexByte(m.always, c) >= 0:
			put(i, `\`+s[i:i+1], 1)
		case start && strings.IndexByte(m.start, c) >= 0:
			put(i, `\`+s[i:i+1], 1)
		case start && strings.IndexByte(m.guard, c) >= 0:
			put(i, zwsp+s[i:i+1], 1)
		case start && m.number && c >= '0' && c <= '9':
			j := i
			for j < len(s) && s[j] >= '0' && s[j] <= '9' {
				j++
			}
			if j < len(s) && (s[j] == '.' || s[j] == ')') {
				put(j, `\`+s[j:j+1], 1)
				i = j
			} else if j == len(s) { // the next piece may begin with the dot
				put(j, zwsp, 0)
			}
		case c == '&' && m.entity && entityLike(s[i+1:], w.more):
			put(i, "&amp;", 1)
		case c == '@' && m.at && (i == 0 && !lastAlnum(w) || i > 0 && !alnum(s[i-1]) || massMention(s[i+1:]) || afterHost(w, s[from:i])):
			put(i, "@"+zwsp, 1)
		case c == ':':
			if colonOpens(s[i+1:], w.more) {
				if m.address != "" {
					put(i, m.address, 1)
				}
			} else if data && m.emoji != "" && emojiLike(s[i+1:], w.more, i == 0 || !alnum(s[i-1])) {
				put(i, m.emoji, 1)
			}
		}
		start = false
	}
	w.Raw(s[from:])
}

// lastAlnum tells whether a letter or digit of ASCII was the last that was written.
func lastAlnum(w *Writer) bool {
	return len(w.buf) > 0 && len(w.pending) == 0 && !w.edge && alnum(w.buf[len(w.buf)-1])
}

// bareHost tells whether the word that s begins with has nothing that is escaped.
func bareHost(s string, more bool) bool {
	for i := range len(s) {
		if c := s[i]; c == ' ' || c == '\t' {
			return true
		} else if !alnum(c) && strings.IndexByte("./?=%+,;-", c) < 0 {
			return false
		}
	}
	return !more
}

// afterHost tells whether the word that ends here is the name of a web server or the end of a mail address: what follows
// such an address is read as if a word began there.
func afterHost(w *Writer, s string) bool {
	word := func(s []byte) int {
		i := len(s)
		for i > 0 && (alnum(s[i-1]) || s[i-1] == '.' || s[i-1] == '-') {
			i--
		}
		return i
	}
	i := word([]byte(s))
	host := s[i:]
	if i > 0 && s[i-1] == '@' {
		return true
	}
	if i == 0 {
		j := word(w.buf)
		if j > 0 && w.buf[j-1] == '@' {
			return true
		}
		host = string(w.buf[j:]) + host
	}
	return len(host) > 4 && strings.EqualFold(host[:4], "www.")
}

// colonOpens tells whether s, what stands after a colon, goes on like an address or may do so in the next piece, if there are more.
func colonOpens(s string, more bool) bool {
	return strings.HasPrefix(s, "//") || more && (s == "/" || s == "")
}

// entityLike tells whether s, what stands after an ampersand, may be read as an entity.
func entityLike(s string, more bool) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == ';' {
			return i > 0
		}
		if !alnum(s[i]) && (s[i] != '#' || i > 0) {
			return false
		}
	}
	return more // the next piece may end it
}

// emojiLike tells whether s, what stands after a colon, may be read as the rest of the name of an emoji (:tada:) or as a
// face; the latter only if no letter or digit stands before the colon, as in a time.
func emojiLike(s string, more, face bool) bool {
	if s == "" {
		return more // the next piece may be one
	}
	i := 0
	for i < len(s) && (alnum(s[i]) || s[i] == '_' || s[i] == '+' || s[i] == '-' || s[i] == '\'') {
		i++
	}
	if i == len(s) {
		return more || face && i <= 2
	}
	if i > 0 && s[i] == ':' {
		return true
	}
	if strings.IndexByte("()[]{}|/\\*<>@#$&^3DPpOoSsXxZzCcBb'-", s[0]) < 0 {
		return s[0] >= 0x80 // names may be of any letters
	}
	return face && i <= 2 // a colon and one or two characters
}

// before and after give the characters beside position i of s, which is about to be written.
func before(w *Writer, s string, i int) rune {
	if i > 0 {
		r, _ := utf8.DecodeLastRuneInString(s[:i])
		return r
	}
	if len(w.pending) > 0 {
		return '*'
	}
	return w.Last()
}

func after(s string, i int) rune {
	if i+1 >= len(s) {
		return ' '
	}
	r, _ := utf8.DecodeRuneInString(s[i+1:])
	return r
}

// massMention tells whether s, what stands after an @, may be read as a mention of everybody.
func massMention(s string) bool {
	for _, word := range [...]string{"here", "channel", "everyone", "all"} {
		if n := min(len(s), len(word)); strings.EqualFold(s[:n], word[:n]) { // the next piece may go on
			return true
		}
	}
	return false
}
