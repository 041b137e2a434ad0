package mattermost

import (
	"crypto/sha256"
	"strings"
	"sync"
)

// A text of Mattermost is what was typed: nothing in it is escaped, and a mention is a name. So decoding it is finding names.

// candidate is a name that a text may mention: what was typed, and the same without the punctuation at its end, as the server
// reads it (app/notification.go: processText), longest first.
type candidate []string

// mentioned gives the names that stand behind an @ outside of code, each once, in lower case.
func mentioned(text string) (names []candidate) {
	if strings.IndexByte(text, '@') < 0 {
		return nil
	}
	seen := map[string]bool{}
	plain := withoutCode(text)
	for i := 0; i < len(plain); i++ {
		if plain[i] != '@' || i > 0 && wordByte(plain[i-1]) {
			continue
		}
		end := i + 1
		for end < len(plain) && nameByte(lower(plain[end])) {
			end++
		}
		name := strings.ToLower(plain[i+1 : end])
		var c candidate
		for name != "" && len(name) <= 64 {
			c = append(c, name)
			last := name[len(name)-1]
			if last != '.' && last != '-' && last != '_' {
				break
			}
			name = name[:len(name)-1]
		}
		if len(c) > 0 && !seen[c[0]] {
			seen[c[0]] = true
			names = append(names, c)
		}
		i = end - 1
	}
	return names
}

// has tells whether a name is among those that a text mentions.
func has(names []candidate, name string) bool {
	for _, c := range names {
		for _, n := range c {
			if n == name {
				return true
			}
		}
	}
	return false
}

// everybody are the names that are not accounts.
func everybody(name string) bool { return name == "all" || name == "channel" || name == "here" }

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// wordByte tells whether an @ behind c is part of a word, as in a mail address.
func wordByte(c byte) bool {
	return c >= 0x80 || c == '_' || nameByte(lower(c)) && c != '.' && c != '-'
}

// withoutCode gives a text with a space in place of each piece of code, which mentions nobody.
func withoutCode(text string) string {
	if strings.IndexByte(text, '`') < 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		if text[i] != '`' {
			b.WriteByte(text[i])
			i++
			continue
		}
		n := ticks(text[i:])
		end := closing(text[i+n:], n)
		switch {
		case end >= 0:
			b.WriteByte(' ')
			i += n + end
		case n >= 3 && strings.TrimSpace(text[strings.LastIndexByte(text[:i], '\n')+1:i]) == "": // a block to the end
			return b.String()
		default:
			b.WriteString(text[i : i+n])
			i += n
		}
	}
	return b.String()
}

func ticks(s string) (n int) {
	for n < len(s) && s[n] == '`' {
		n++
	}
	return n
}

// closing gives the position behind the next run of exactly n backticks; -1 if there is none.
func closing(s string, n int) int {
	for i := 0; i < len(s); {
		j := strings.IndexByte(s[i:], '`')
		if j < 0 {
			return -1
		}
		i += j
		run := ticks(s[i:])
		i += run
		if run == n {
			return i
		}
	}
	return -1
}

// maxTexts is how many messages are remembered to tell whether a change of one is a change of its text: two such generations.
const maxTexts = 10_000

// texts remembers what was said, as hashes: the server tells changes that leave the text too.
type texts struct {
	mu       sync.Mutex
	now, old map[string][8]byte
}

func (t *texts) init() { t.now, t.old = map[string][8]byte{}, map[string][8]byte{} }

// note remembers the text of a message and tells whether it is known to have had the same before.
func (t *texts) note(id, text string) (same bool) {
	sum := sha256.Sum256([]byte(text))
	short := [8]byte(sum[:8])
	t.mu.Lock()
	defer t.mu.Unlock()
	was, ok := t.now[id]
	if !ok {
		was, ok = t.old[id]
	}
	if len(t.now) >= maxTexts {
		t.old, t.now = t.now, map[string][8]byte{}
	}
	t.now[id] = short
	return ok && was == short
}

// forget takes back what was noted of a message.
func (t *texts) forget(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.now, id)
	delete(t.old, id)
}
