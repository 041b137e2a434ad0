package handler

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
)

// addressing recognises text that is meant for the bot. Names are literal and in any case.
type addressing struct{ names []botName } // longest first

type botName struct {
	text string
	word bool // ends like a word, so a boundary must follow
}

func newAddressing(name string, aliases []string) addressing {
	var a addressing
	for _, n := range append([]string{name}, aliases...) {
		last, _ := utf8.DecodeLastRuneInString(n)
		a.names = append(a.names, botName{text: n, word: wordRune(last)})
	}
	slices.SortStableFunc(a.names, func(x, y botName) int { return len(y.text) - len(x.text) })
	return a
}

// parse gives the text after the address and whether ev is addressed to the bot. In a direct room everything is.
func (a addressing) parse(ev *adapter.Event) (string, bool) {
	text := strings.TrimLeftFunc(ev.Text, unicode.IsSpace)
	rest, ok, alone := a.strip(text)
	if after, mentioned := mention(ev, text); mentioned && (!ok || len(after) < len(rest)) { // the longest name wins
		return after, true
	}
	switch {
	case ok:
		return rest, true
	case alone:
		return "", false
	}
	if ev.Room.Kind == adapter.RoomDirect {
		return text, true
	}
	return "", false
}

// mention takes a leading mention of the bot by its name on the platform off.
func mention(ev *adapter.Event, text string) (rest string, ok bool) {
	if !ev.Mentioned || ev.BotName == "" || !strings.HasPrefix(text, "@") {
		return "", false
	}
	n, ok := foldPrefix(text[1:], ev.BotName)
	if !ok {
		return "", false
	}
	return afterWord(text[1+n:])
}

// strip takes one address off the front of text. alone: text is nothing but an alias of punctuation, which is chatter.
func (a addressing) strip(text string) (rest string, ok, alone bool) {
	bare, at := strings.CutPrefix(text, "@")
	for _, name := range a.names {
		if name.word {
			from := bare
			if strings.HasPrefix(name.text, "@") {
				from = text
			}
			n, ok := foldPrefix(from, name.text)
			if !ok {
				continue
			}
			if rest, ok := afterWord(from[n:]); ok {
				return rest, true, false
			}
			continue
		}
		if at && !strings.HasPrefix(name.text, "@") {
			continue
		}
		n, ok := foldPrefix(text, name.text)
		if !ok {
			continue
		}
		if _, again := foldPrefix(text[n:], name.text); again { // "..." is no command to "."
			continue
		}
		if rest := strings.TrimLeftFunc(text[n:], unicode.IsSpace); rest != "" {
			return rest, true, false
		}
		return "", false, true
	}
	return "", false, false
}

// afterWord checks the boundary after a word-like name and takes the separator off.
func afterWord(s string) (string, bool) {
	if s == "" {
		return "", true
	}
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r == ':' || r == ',':
		s = s[n:]
	case !unicode.IsSpace(r):
		return "", false
	}
	return strings.TrimLeftFunc(s, unicode.IsSpace), true
}

// foldPrefix tells whether s begins with prefix in any case, and how many bytes of s that takes.
func foldPrefix(s, prefix string) (int, bool) {
	i := 0
	for _, p := range prefix {
		if i >= len(s) {
			return 0, false
		}
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		if r != p && !foldEqual(r, p) {
			return 0, false
		}
		i += n
	}
	return i, true
}

func foldEqual(a, b rune) bool {
	if a < utf8.RuneSelf && b < utf8.RuneSelf {
		return a|0x20 == b|0x20 && 'a' <= a|0x20 && a|0x20 <= 'z'
	}
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return false
}

func wordRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}
