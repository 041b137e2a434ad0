package args

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Odd is a character that cannot be seen or that changes how others look: zero-width, bidi, tag and control characters,
// blank letters, noncharacters, and bytes that are not UTF-8.
type Odd struct {
	Offset int  // in Line.Text, bytes
	Rune   rune // utf8.RuneError for a byte that is not UTF-8
}

// maxOdd is how many odd characters a Line names.
const maxOdd = 64

// CodePoint names a character: "U+200B ZERO WIDTH SPACE". Names come from a small table of what is invisible or easily
// confused; other characters have their script in place of a name.
func CodePoint(r rune) string {
	if name, ok := runeNames[r]; ok {
		return fmt.Sprintf("U+%04X %s", r, name)
	}
	switch {
	case r < 0x20 || 0x7F <= r && r < 0xA0:
		return fmt.Sprintf("U+%04X CONTROL", r)
	case 0xE0020 <= r && r <= 0xE007E:
		return fmt.Sprintf("U+%04X TAG %q", r, r-0xE0000)
	case 0xFE00 <= r && r <= 0xFE0F:
		return fmt.Sprintf("U+%04X VARIATION SELECTOR-%d", r, r-0xFE00+1)
	case 0xE0100 <= r && r <= 0xE01EF:
		return fmt.Sprintf("U+%04X VARIATION SELECTOR-%d", r, r-0xE0100+17)
	case noncharacter(r):
		return fmt.Sprintf("U+%04X NONCHARACTER", r)
	}
	if s := scriptOf(r); s != "" {
		return fmt.Sprintf("U+%04X (%s)", r, s)
	}
	return fmt.Sprintf("U+%04X", r)
}

func noncharacter(r rune) bool { return r >= 0xFDD0 && r <= 0xFDEF || r&0xFFFE == 0xFFFE }

// isOdd tells whether r is one of the characters that [Odd] names. White space is not.
func isOdd(r rune) bool {
	switch {
	case r < 0x20:
		return r != '\t' && r != '\n' && r != '\v' && r != '\f' && r != '\r'
	case r < 0x7F:
		return false
	case r == 0x85: // a line break
		return false
	case r < 0xA0:
		return true
	}
	switch r {
	case 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2065, 0x2800, 0x3164, 0xFFA0:
		return true // blank, though they are letters, marks or symbols
	}
	return unicode.Is(unicode.Cf, r) || 0xFE00 <= r && r <= 0xFE0F || 0xE0100 <= r && r <= 0xE01EF ||
		0xE0000 <= r && r <= 0xE0FFF || 0xFFF0 <= r && r <= 0xFFF8 || noncharacter(r)
}

// findOdd gives the first odd character of s, and its size; in names line breaks and tabs count as well.
func findOdd(s string, spaces bool) (off int, r rune, size int, found bool) {
	for i := 0; i < len(s); {
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		switch {
		case r == utf8.RuneError && n == 1, isOdd(r), spaces && r != ' ' && (r < 0x20 || r == 0x85 || r == 0x2028 || r == 0x2029):
			return i, r, n, true
		}
		i += n
	}
	return 0, 0, 0, false
}

// scriptCommon are characters of no script of their own: digits, punctuation, marks, emoji.
const scriptCommon = ""

// scripts are looked at first; the others of package unicode come after.
var scripts = [...]struct {
	name  string
	table *unicode.RangeTable
}{
	{"Latin", unicode.Latin}, {"Cyrillic", unicode.Cyrillic}, {"Greek", unicode.Greek}, {"Han", unicode.Han},
	{"Hiragana", unicode.Hiragana}, {"Katakana", unicode.Katakana}, {"Hangul", unicode.Hangul}, {"Arabic", unicode.Arabic},
	{"Hebrew", unicode.Hebrew}, {"Armenian", unicode.Armenian}, {"Cherokee", unicode.Cherokee},
}

// scriptOf gives the script of r. Letters in disguise (mathematical, fullwidth, circled) are scripts of their own here.
func scriptOf(r rune) string {
	if r < utf8.RuneSelf {
		if 'a' <= r|0x20 && r|0x20 <= 'z' {
			return "Latin"
		}
		return scriptCommon
	}
	switch {
	case 0x1D400 <= r && r <= 0x1D7FF:
		return "Mathematical"
	case 0xFF10 <= r && r <= 0xFF19, 0xFF21 <= r && r <= 0xFF3A, 0xFF41 <= r && r <= 0xFF5A:
		return "Fullwidth"
	case 0x24B6 <= r && r <= 0x24E9, 0x1F130 <= r && r <= 0x1F189:
		return "Enclosed"
	}
	for _, s := range scripts {
		if unicode.Is(s.table, r) {
			return s.name
		}
	}
	if unicode.Is(unicode.Common, r) || unicode.Is(unicode.Inherited, r) {
		return scriptCommon
	}
	for name, table := range unicode.Scripts { // a character has one script: the order does not matter
		if unicode.Is(table, r) {
			return name
		}
	}
	return scriptCommon
}

// together are the scripts that one word may mix (Unicode Technical Standard 39, Highly Restrictive): Latin with those of
// Chinese, Japanese and Korean.
func together(script string) bool {
	switch script {
	case "Latin", "Han", "Hiragana", "Katakana", "Hangul", "Bopomofo":
		return true
	}
	return false
}

// findMixed gives the first letter of s that is of another script than the letters beside it in one word; where Latin is one
// of the two, the other.
func findMixed(s string) (off int, r rune, among string, found bool) {
	script, at, first := "", 0, rune(0) // of the word so far
	for i := 0; i < len(s); {
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		switch sc := scriptOf(r); {
		case unicode.IsSpace(r):
			script = ""
		case sc == scriptCommon || sc == script:
		case script == "":
			script, at, first = sc, i, r
		case together(sc) && together(script):
			if script == "Latin" { // remember the stranger
				script, at, first = sc, i, r
			}
		case sc == "Latin":
			return at, first, sc, true
		default:
			return i, r, script, true
		}
		i += n
	}
	return 0, 0, "", false
}

// isASCII tells whether s is printable ASCII, white space included.
func isASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x7F || c < 0x20 && (c < '\t' || c > '\r') {
			return false
		}
	}
	return true
}

// plainLetters gives s with what cannot be seen taken out and look-alikes made the ASCII letter they look like. It is for
// suggestions alone: what it gives was not said.
func plainLetters(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case isOdd(r):
			return -1
		case 0xFF01 <= r && r <= 0xFF5E:
			return r - 0xFEE0
		case 0x1D400 <= r && r <= 0x1D6A3:
			if i := (r - 0x1D400) % 52; i < 26 {
				return 'A' + i
			} else {
				return 'a' + i - 26
			}
		case 0x24D0 <= r && r <= 0x24E9:
			return 'a' + r - 0x24D0
		}
		if c, ok := lookAlikes[r]; ok {
			return c
		}
		return r
	}, s)
}

var lookAlikes = map[rune]rune{
	'а': 'a', 'в': 'b', 'е': 'e', 'о': 'o', 'р': 'p', 'с': 'c', 'у': 'y', 'х': 'x', 'і': 'i', 'ј': 'j', 'ѕ': 's', 'һ': 'h',
	'ԁ': 'd', 'ԛ': 'q', 'ԝ': 'w', 'ѵ': 'v', 'ӏ': 'l', 'к': 'k', 'м': 'm', 'н': 'h', 'т': 't', 'г': 'r', 'п': 'n',
	'А': 'A', 'В': 'B', 'Е': 'E', 'К': 'K', 'М': 'M', 'Н': 'H', 'О': 'O', 'Р': 'P', 'С': 'C', 'Т': 'T', 'У': 'Y', 'Х': 'X',
	'І': 'I', 'Ј': 'J', 'Ѕ': 'S', 'ο': 'o', 'α': 'a', 'ν': 'v', 'ρ': 'p', 'τ': 't', 'υ': 'u', 'χ': 'x', 'ι': 'i', 'κ': 'k',
	'γ': 'y', 'Α': 'A', 'Β': 'B', 'Ε': 'E', 'Η': 'H', 'Ι': 'I', 'Κ': 'K', 'Μ': 'M', 'Ν': 'N', 'Ο': 'O', 'Ρ': 'P', 'Τ': 'T',
	'Χ': 'X', 'Ζ': 'Z', 'ɑ': 'a', 'ɡ': 'g', 'ı': 'i', 'օ': 'o', 'ս': 'u', 'հ': 'h', 'ց': 'g', 'ո': 'n', 'ք': 'p',
}

var runeNames = map[rune]string{
	0x00: "NULL", 0x07: "BELL", 0x08: "BACKSPACE", '\t': "TAB", '\n': "LINE FEED", '\r': "CARRIAGE RETURN", 0x1B: "ESCAPE",
	0x7F: "DELETE", 0x85: "NEXT LINE", 0x9B: "CONTROL SEQUENCE INTRODUCER", 0xA0: "NO-BREAK SPACE", 0xAD: "SOFT HYPHEN",
	0x034F: "COMBINING GRAPHEME JOINER", 0x061C: "ARABIC LETTER MARK", 0x115F: "HANGUL CHOSEONG FILLER",
	0x1160: "HANGUL JUNGSEONG FILLER", 0x180E: "MONGOLIAN VOWEL SEPARATOR",
	0x200B: "ZERO WIDTH SPACE", 0x200C: "ZERO WIDTH NON-JOINER", 0x200D: "ZERO WIDTH JOINER", 0x200E: "LEFT-TO-RIGHT MARK",
	0x200F: "RIGHT-TO-LEFT MARK", 0x2028: "LINE SEPARATOR", 0x2029: "PARAGRAPH SEPARATOR", 0x202A: "LEFT-TO-RIGHT EMBEDDING",
	0x202B: "RIGHT-TO-LEFT EMBEDDING", 0x202C: "POP DIRECTIONAL FORMATTING", 0x202D: "LEFT-TO-RIGHT OVERRIDE",
	0x202E: "RIGHT-TO-LEFT OVERRIDE", 0x2060: "WORD JOINER", 0x2061: "FUNCTION APPLICATION", 0x2062: "INVISIBLE TIMES",
	0x2063: "INVISIBLE SEPARATOR", 0x2064: "INVISIBLE PLUS", 0x2066: "LEFT-TO-RIGHT ISOLATE", 0x2067: "RIGHT-TO-LEFT ISOLATE",
	0x2068: "FIRST STRONG ISOLATE", 0x2069: "POP DIRECTIONAL ISOLATE", 0x2800: "BRAILLE PATTERN BLANK",
	0x3164: "HANGUL FILLER", 0xFEFF: "ZERO WIDTH NO-BREAK SPACE", 0xFFA0: "HALFWIDTH HANGUL FILLER",
	0xFFF9: "INTERLINEAR ANNOTATION ANCHOR", 0xFFFC: "OBJECT REPLACEMENT CHARACTER", 0xFFFD: "REPLACEMENT CHARACTER",
	0xE0001: "LANGUAGE TAG", 0xE007F: "CANCEL TAG",
	'а': "CYRILLIC SMALL LETTER A", 'в': "CYRILLIC SMALL LETTER VE", 'г': "CYRILLIC SMALL LETTER GHE", 'д': "CYRILLIC SMALL LETTER DE",
	'е': "CYRILLIC SMALL LETTER IE", 'к': "CYRILLIC SMALL LETTER KA", 'м': "CYRILLIC SMALL LETTER EM", 'н': "CYRILLIC SMALL LETTER EN",
	'о': "CYRILLIC SMALL LETTER O", 'п': "CYRILLIC SMALL LETTER PE", 'р': "CYRILLIC SMALL LETTER ER", 'с': "CYRILLIC SMALL LETTER ES",
	'т': "CYRILLIC SMALL LETTER TE", 'у': "CYRILLIC SMALL LETTER U", 'х': "CYRILLIC SMALL LETTER HA",
	'і': "CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I", 'ј': "CYRILLIC SMALL LETTER JE", 'ѕ': "CYRILLIC SMALL LETTER DZE",
	'һ': "CYRILLIC SMALL LETTER SHHA", 'ԁ': "CYRILLIC SMALL LETTER KOMI DE", 'ԛ': "CYRILLIC SMALL LETTER QA",
	'ԝ': "CYRILLIC SMALL LETTER WE", 'ѵ': "CYRILLIC SMALL LETTER IZHITSA", 'ӏ': "CYRILLIC SMALL LETTER PALOCHKA",
	'А': "CYRILLIC CAPITAL LETTER A", 'В': "CYRILLIC CAPITAL LETTER VE", 'Е': "CYRILLIC CAPITAL LETTER IE",
	'К': "CYRILLIC CAPITAL LETTER KA", 'М': "CYRILLIC CAPITAL LETTER EM", 'Н': "CYRILLIC CAPITAL LETTER EN",
	'О': "CYRILLIC CAPITAL LETTER O", 'Р': "CYRILLIC CAPITAL LETTER ER", 'С': "CYRILLIC CAPITAL LETTER ES",
	'Т': "CYRILLIC CAPITAL LETTER TE", 'У': "CYRILLIC CAPITAL LETTER U", 'Х': "CYRILLIC CAPITAL LETTER HA",
	'α': "GREEK SMALL LETTER ALPHA", 'γ': "GREEK SMALL LETTER GAMMA", 'ι': "GREEK SMALL LETTER IOTA", 'κ': "GREEK SMALL LETTER KAPPA",
	'ν': "GREEK SMALL LETTER NU", 'ο': "GREEK SMALL LETTER OMICRON", 'ρ': "GREEK SMALL LETTER RHO", 'τ': "GREEK SMALL LETTER TAU",
	'υ': "GREEK SMALL LETTER UPSILON", 'χ': "GREEK SMALL LETTER CHI", 'Α': "GREEK CAPITAL LETTER ALPHA",
	'Β': "GREEK CAPITAL LETTER BETA", 'Ε': "GREEK CAPITAL LETTER EPSILON", 'Η': "GREEK CAPITAL LETTER ETA",
	'Ι': "GREEK CAPITAL LETTER IOTA", 'Κ': "GREEK CAPITAL LETTER KAPPA", 'Μ': "GREEK CAPITAL LETTER MU",
	'Ν': "GREEK CAPITAL LETTER NU", 'Ο': "GREEK CAPITAL LETTER OMICRON", 'Ρ': "GREEK CAPITAL LETTER RHO",
	'Τ': "GREEK CAPITAL LETTER TAU", 'Χ': "GREEK CAPITAL LETTER CHI", 'Ζ': "GREEK CAPITAL LETTER ZETA",
	'ո': "ARMENIAN SMALL LETTER VO", 'օ': "ARMENIAN SMALL LETTER OH", 'ս': "ARMENIAN SMALL LETTER SEH", 'հ': "ARMENIAN SMALL LETTER HO",
}
