package args

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a text.
const (
	MaxText   = 16 << 10 // bytes
	MaxTokens = 8000     // words
)

// Errors of [Parse].
var (
	// ErrTooLong: the text has more than MaxText bytes.
	ErrTooLong = errors.New("args: text too long")
	// ErrTooManyWords: the text has more than MaxTokens words.
	ErrTooManyWords = errors.New("args: too many words")
)

// Line is a text in words.
type Line struct {
	Text   string // as it was given
	Tokens []Token
	// Odd are the characters that cannot be seen, the first 64 of them. They are part of the tokens: who binds a name
	// refuses them, free text keeps them.
	Odd []Odd
}

// Token is one word: what stands between white space, or between quotes.
type Token struct {
	Value      string // without the quotes
	Start, End int    // bytes of Line.Text, quotes included
	Quoted     bool   // Value, or what comes after Head, was quoted

	head int32 // length of the name before a quoted value
}

// Head gives the name before a quoted value, `--env=` of `--env="a b"` and `env:` of `env:"a b"`; empty for other tokens.
func (l *Line) Head(t *Token) string { return l.Text[t.Start : t.Start+int(t.head)] }

// Parse splits text into words, in linear time. Errors: [ErrTooLong], [ErrTooManyWords].
//
// White space (also no-break and other Unicode spaces) splits. Quotes group, at the beginning of a word or directly after
// --name= or name:, where the closing quote ends the word: "a b", 'a b', and the pairs that phones make of them, “a b”,
// „a b“, ‘a b’, «a b» and so on. A quote without its partner and an apostrophe are characters as others. In "..." the
// backslash quotes " and \; elsewhere it is a character as others. Nothing else is special: #ops, <@U1>, ;, $, | and * stand
// for themselves.
func Parse(text string) (Line, error) { return ParseAt(text, 0) }

// ParseAt is Parse of what follows the first offset bytes of text; the tokens' offsets count from the beginning of text.
func ParseAt(text string, offset int) (Line, error) {
	line := Line{Text: text}
	if len(text) > MaxText {
		return line, fmt.Errorf("%w: %d bytes, at most %d are read", ErrTooLong, len(text), MaxText)
	}
	if offset < 0 || offset > len(text) {
		return line, fmt.Errorf("args: offset %d is outside a text of %d bytes", offset, len(text))
	}
	if !isASCII(text[offset:]) {
		line.Odd = oddOf(text, offset)
	}
	tokens := make([]Token, 0, 8)
	for i := skipSpace(text, offset); i < len(text); i = skipSpace(text, i) {
		if len(tokens) == MaxTokens {
			line.Tokens = tokens
			return line, fmt.Errorf("%w: more than %d", ErrTooManyWords, MaxTokens)
		}
		if len(tokens) == cap(tokens) { // as many more as there will be at this rate, and a quarter
			tokens = slices.Grow(tokens, 8+min(MaxTokens, len(tokens)*(len(text)-i)/(i-offset)*5/4))
		}
		t := scan(text, i)
		tokens = append(tokens, t)
		i = t.End
	}
	line.Tokens = tokens
	return line, nil
}

func oddOf(text string, offset int) []Odd {
	var out []Odd
	for offset < len(text) && len(out) < maxOdd {
		i, r, n, found := findOdd(text[offset:], false)
		if !found {
			break
		}
		out = append(out, Odd{Offset: offset + i, Rune: r})
		offset += i + n
	}
	return out
}

// scan reads the word that begins at i.
func scan(text string, start int) Token {
	if value, end, ok := quoted(text, start); ok {
		return Token{Value: value, Start: start, End: end, Quoted: true}
	}
	name := true // all so far could be a name
	for i := start; ; {
		size, space := spaceAt(text, i)
		if i == len(text) || space {
			return Token{Value: text[start:i], Start: start, End: i}
		}
		c := text[i]
		i += size
		if !name {
			continue
		}
		if c != ':' && c != '=' {
			name = c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' ||
				size > 1 && dashes(text[i-size:i], 1) > 0
			continue
		}
		name = false
		if i-start == 1 || (c == '=') != (dashes(text[start:i], 1) > 0) {
			continue
		}
		if value, end, ok := quoted(text, i); ok {
			return Token{Value: value, Start: start, End: end, Quoted: true, head: int32(i - start)}
		}
	}
}

// closers gives what ends a quotation that begins with r; empty if r begins none.
func closers(r rune) string {
	switch r {
	case '"', '\'', '”', '’', '‟', '‛':
		return string(r)
	case '“':
		return "”"
	case '„':
		return "“”"
	case '‘':
		return "’"
	case '‚':
		return "‘’"
	case '«':
		return "»"
	case '»':
		return "«"
	case '‹':
		return "›"
	case '›':
		return "‹"
	}
	return ""
}

// beginsQuote tells whether s begins with something that can open a quotation.
func beginsQuote(s string) bool {
	if s == "" {
		return false
	}
	if s[0] < utf8.RuneSelf {
		return s[0] == '"' || s[0] == '\''
	}
	r, _ := utf8.DecodeRuneInString(s)
	return closers(r) != ""
}

// quoted reads a quotation at i. It looks no further than the next quote of the same kind that is no apostrophe, so reading
// a text is linear: the next attempt with this kind of quote begins there or later.
func quoted(text string, i int) (value string, end int, ok bool) {
	if i == len(text) {
		return "", 0, false
	}
	if c := text[i]; c == '"' {
		return doubleQuoted(text, i+1)
	} else if c != '\'' && c < utf8.RuneSelf {
		return "", 0, false
	}
	open, size := utf8.DecodeRuneInString(text[i:])
	ends := closers(open)
	if ends == "" {
		return "", 0, false
	}
	begin := i + size
	for j := begin; j < len(text); {
		r, n := utf8.DecodeRuneInString(text[j:])
		if r == open || strings.ContainsRune(ends, r) {
			if strings.ContainsRune(ends, r) && boundary(text, j+n) {
				return text[begin:j], j + n, true
			}
			if !apostrophe(text, r, j, n) {
				return "", 0, false
			}
		}
		j += n
	}
	return "", 0, false
}

func doubleQuoted(text string, begin int) (value string, end int, ok bool) {
	escapes := 0
	for j := begin; j < len(text); j++ {
		switch text[j] {
		case '\\':
			if j+1 < len(text) && (text[j+1] == '"' || text[j+1] == '\\') {
				escapes++
				j++
			}
		case '"':
			if !boundary(text, j+1) {
				return "", 0, false
			}
			if value = text[begin:j]; escapes > 0 {
				value = unescape(value, escapes)
			}
			return value, j + 1, true
		}
	}
	return "", 0, false
}

func unescape(s string, escapes int) string {
	var b strings.Builder
	b.Grow(len(s) - escapes)
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// apostrophe tells whether the single quote r of n bytes at j stands between letters.
func apostrophe(text string, r rune, j, n int) bool {
	if r != '\'' && r != '’' && r != '‘' {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(text[:j])
	after, _ := utf8.DecodeRuneInString(text[j+n:])
	return wordRune(before) && wordRune(after)
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// boundary tells whether text ends or has white space at i.
func boundary(text string, i int) bool {
	_, space := spaceAt(text, i)
	return i == len(text) || space
}

// spaceAt gives the size of the character at i and whether it is white space.
func spaceAt(text string, i int) (size int, space bool) {
	if i >= len(text) {
		return 0, false
	}
	if c := text[i]; c < utf8.RuneSelf {
		return 1, c == ' ' || '\t' <= c && c <= '\r'
	}
	r, n := utf8.DecodeRuneInString(text[i:])
	return n, unicode.IsSpace(r)
}

func skipSpace(text string, i int) int {
	for i < len(text) {
		n, space := spaceAt(text, i)
		if !space {
			break
		}
		i += n
	}
	return i
}

// dashes gives how many bytes of s, at its beginning, are a run of up to most dashes of any make.
func dashes(s string, most int) int {
	n := 0
	for ; most > 0 && n < len(s); most-- {
		if s[n] == '-' {
			n++
			continue
		}
		if s[n] < utf8.RuneSelf {
			break
		}
		r, size := utf8.DecodeRuneInString(s[n:])
		if !longDash(r) {
			break
		}
		n += size
	}
	return n
}

// longDash tells whether r is what phones and word processors make of "-" and "--".
func longDash(r rune) bool {
	return r >= 0x2010 && r <= 0x2015 || r == 0x2212 || r == 0xFE58 || r == 0xFE63 || r == 0xFF0D
}
