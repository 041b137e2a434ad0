package args

import (
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// options binds in.Options.
func (b *binder) options() {
	if len(b.in.Options) == 0 {
		return
	}
	seen := 0
	for idx, a := range b.s.Args {
		if text, ok := b.in.Options[a.Name]; ok {
			seen++
			b.option(idx, text)
		}
	}
	if seen == len(b.in.Options) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(b.in.Options)) {
		idx := b.s.find(name)
		switch {
		case idx < 0:
			b.wrong(0, b.in.Offset, "there is no argument "+Visible(cut(name, 40)))
		case b.s.Args[idx].Name != name:
			b.option(idx, b.in.Options[name])
		}
	}
}

func (b *binder) option(idx int, text string) {
	a := b.s.Args[idx]
	if text == "" && (a.Kind != KindString || a.Required || a.List) { // what platforms give for "nothing"
		return
	}
	b.opt = 1 + idx
	defer func() { b.opt = 0 }()
	if len(text) > MaxText {
		b.given |= 1 << idx
		b.unfixed = true
		b.problems = append(b.problems, problem{0, 0, 0, fmt.Sprintf("%s has %d bytes, at most %d are read", a.Name, len(text), MaxText)})
		return
	}
	if !a.List {
		b.give(idx, text, 0, 0, false)
		return
	}
	list, err := Parse(text)
	if err != nil {
		b.wrong(0, 0, a.Name+" has too many words")
	}
	if b.given&(1<<idx) != 0 {
		b.wrong(0, 0, a.Name+" is given twice")
		return
	}
	for i := range list.Tokens {
		t := &list.Tokens[i]
		b.give(idx, list.Head(t)+t.Value, 0, 0, t.Quoted)
	}
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
