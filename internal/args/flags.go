package args

import (
	"strings"
	"unicode/utf8"
)

// keyed binds name:VALUE and gives the next token; 0 if token i is nothing like it.
func (b *binder) keyed(i int) int {
	t := &b.line.Tokens[i]
	said := t.Value
	if t.Quoted {
		if t.head == 0 {
			return 0
		}
		said = b.line.Head(t)
	}
	n := strings.IndexByte(said, ':')
	if n <= 0 || n > maxName || strings.HasPrefix(said[n:], "://") {
		return 0
	}
	idx := b.s.find(said[:n])
	if idx < 0 {
		return 0
	}
	if a := b.s.Args[idx]; b.given&(1<<idx) != 0 && !a.List && !a.Secret && b.nextIsText() {
		b.wrongly(t.Start, t.End, a.Name+" is given twice: put -- before it if it is meant as text", edit{start: t.Start, end: t.Start, text: "-- "})
		b.position(i)
		return len(b.line.Tokens)
	}
	start := t.Start + n + 1
	if t.Quoted {
		return b.take(idx, i, t.Value, start, true)
	}
	if n == len(said)-1 { // "env: prod"
		b.given |= 1 << idx
		reason := b.s.Args[idx].Name + " needs its value directly after the colon"
		if i+1 == len(b.line.Tokens) {
			b.wrong(t.Start, t.End, reason)
			return i + 1
		}
		value := &b.line.Tokens[i+1]
		next := i + 2
		if a := b.s.Args[idx]; a.Rest && !a.List && !value.Quoted {
			next = b.restAt(idx, next)
		}
		if b.s.Args[idx].Secret {
			b.hideAt(value.Start, b.line.Tokens[next-1].End)
		}
		b.wrongly(t.Start, t.End, reason, edit{start: t.End, end: value.Start})
		return next
	}
	return b.take(idx, i, said[n+1:], start, false)
}

// nextIsText tells whether the next position takes the rest of the text as it was typed.
func (b *binder) nextIsText() bool {
	for n := b.pos; n < len(b.s.positional); n++ {
		idx := b.s.positional[n]
		if a := b.s.Args[idx]; b.given&(1<<idx) == 0 {
			return a.Rest && !a.List
		}
	}
	return false
}

// flag binds --name and -x and gives the next token; 0 if token i is nothing like it.
func (b *binder) flag(i int) int {
	t := &b.line.Tokens[i]
	said := t.Value
	if t.Quoted {
		if t.head == 0 {
			return 0
		}
		said = b.line.Head(t)
	}
	if said[0] != '-' && said[0] < utf8.RuneSelf {
		return 0
	}
	n := dashes(said, 3)
	if n == 0 || n == len(said) || negativeNumber(said) {
		return 0
	}
	typed := said[:n] == "-" || said[:n] == "--"
	if !typed && n == 3 && said[:n] == "---" {
		return 0
	}
	c := call{i: i, name: said[n:], start: t.Start + n, value: t.Value, quoted: t.Quoted}
	if eq := strings.IndexByte(c.name, '='); eq >= 0 {
		c.valueStart = c.start + eq + 1
		if !t.Quoted {
			c.value = c.name[eq+1:]
		}
		c.name, c.has = c.name[:eq], true
	}
	if said[:n] == "-" {
		return b.short(c)
	}
	idx, off := b.long(c.name)
	if idx >= 0 {
		return b.call(c, idx, off)
	}
	if !typed {
		return 0
	}
	return b.unknown(c, "--")
}

// call is one flag as it was typed.
type call struct {
	i          int // token
	name       string
	start      int // of name
	has        bool
	value      string // after "=", if has
	valueStart int
	quoted     bool
}

// long finds what --name means: an argument, a bool that is turned off, or a short name.
func (b *binder) long(name string) (idx int, off bool) {
	if idx = b.s.find(name); idx >= 0 {
		return idx, false
	}
	if len(name) > 3 && foldASCII(name[:3], "no-") {
		if idx = b.s.find(name[3:]); idx >= 0 && b.s.Args[idx].Kind == KindBool && !b.s.Args[idx].List {
			return idx, true
		}
	}
	if len(name) == 1 {
		if idx, ok := b.s.byShort[name[0]]; ok {
			return idx, false
		}
	}
	return -1, false
}

// call binds a flag and gives the next token.
func (b *binder) call(c call, idx int, off bool) int {
	t := &b.line.Tokens[c.i]
	a := b.s.Args[idx]
	switch {
	case off && c.has:
		b.wrongly(t.Start, t.End, "--no-"+a.Name+" takes no value", edit{start: c.valueStart - 1, end: t.End})
		return c.i + 1
	case off:
		b.give(idx, "false", t.Start, t.End, true)
		return c.i + 1
	case c.has:
		return b.take(idx, c.i, c.value, c.valueStart, c.quoted)
	case a.Kind == KindBool && !a.List:
		b.give(idx, "true", t.Start, t.End, true)
		return c.i + 1
	}
	return b.callNext(c, idx)
}

// callNext binds a flag whose value is the next token.
func (b *binder) callNext(c call, idx int) int {
	t := &b.line.Tokens[c.i]
	if c.i+1 < len(b.line.Tokens) {
		v := &b.line.Tokens[c.i+1]
		f := &b.s.fields[idx]
		text := v.Value
		if v.head > 0 {
			text = b.line.Head(v) + text
		}
		if v.Quoted && v.head == 0 || dashes(text, 1) == 0 || f.number() && negativeNumber(text) {
			return b.take(idx, c.i+1, text, v.Start, v.Quoted)
		}
		if text != "--" && !b.flagLike(v) {
			return b.take(idx, c.i+1, text, v.Start, false) // which refuses it for its dash
		}
	}
	b.given |= 1 << idx
	b.wrong(t.Start, t.End, "--"+b.s.Args[idx].Name+" needs a value: "+valueName(b.s.Args[idx]))
	return c.i + 1
}

// flagLike tells whether a token that begins with a dash is a flag of this command.
func (b *binder) flagLike(t *Token) bool {
	said := t.Value
	if t.head > 0 {
		said = b.line.Head(t)
	}
	n := dashes(said, 2)
	name, _, _ := strings.Cut(said[n:], "=")
	if idx, _ := b.long(name); idx >= 0 {
		return true
	}
	if name != "" {
		_, ok := b.s.byShort[name[0]]
		return ok && said[:n] == "-"
	}
	return false
}

// short binds -x, -xVALUE, -x=VALUE and -xyz, as pflag does.
func (b *binder) short(c call) int {
	t := &b.line.Tokens[c.i]
	if c.name == "" { // "-=x"
		return b.unknown(c, "-")
	}
	for k := range len(c.name) {
		idx, ok := b.s.byShort[c.name[k]]
		if !ok {
			if k == 0 || !nameLike(c.name) {
				return b.unknown(c, "-")
			}
			if b.s.find(c.name) >= 0 || b.s.secret { // -force
				return b.unknown(c, "-")
			}
			b.wrong(c.start+k, c.start+k+1, "there is no -"+c.name[k:k+1])
			return c.i + 1
		}
		last := k == len(c.name)-1
		if a := b.s.Args[idx]; a.Kind == KindBool && !a.List {
			if last && c.has {
				return b.take(idx, c.i, c.value, c.valueStart, c.quoted)
			}
			b.give(idx, "true", c.start+k, c.start+k+1, true)
			continue
		}
		if last {
			if c.has {
				return b.take(idx, c.i, c.value, c.valueStart, c.quoted)
			}
			return b.callNext(c, idx)
		}
		value, start := c.name[k+1:], c.start+k+1 // -n5; what follows is the value, an "=" in it too
		if c.has {
			value = b.line.Text[start:t.End]
			if c.quoted {
				value = b.line.Text[start:c.valueStart] + c.value
			}
		}
		return b.take(idx, c.i, value, start, c.quoted)
	}
	return c.i + 1
}

// unknown reports a flag that there is not.
func (b *binder) unknown(c call, dash string) int {
	t := &b.line.Tokens[c.i]
	if (dash == "--" && c.name == "help" || dash == "-" && c.name == "h") && !c.has {
		b.help = true
		return c.i + 1
	}
	b.unknownValue(c)
	end := c.start + len(c.name)
	if b.s.secret {
		end = t.End
	}
	said := Visible(dash + c.name)
	reason := "there is no " + said
	if b.s.secret { // who knows what it is
		reason = "there is no such flag"
	} else if flt := checkName(said, c.name, isASCII(c.name)); flt != nil {
		reason = flt.reason
	}
	if near, ok := Suggest(plainLetters(c.name), b.flagNames()); ok && len(c.name) > 1 {
		b.wrongly(t.Start, end, reason, edit{start: t.Start, end: end, text: "--" + near})
		return c.i + 1
	}
	if b.nextIsText() && !b.s.secret { // quotes would be part of it
		b.wrongly(t.Start, t.End, reason+": put -- before it if it is meant as text", edit{start: t.Start, end: t.Start, text: "-- "})
		b.position(c.i)
		return len(b.line.Tokens)
	}
	if name, value, ok := strings.Cut(c.name, ":"); ok && !b.s.secret && dash == "--" {
		if idx, off := b.long(name); idx >= 0 && !off && value != "" && !c.has {
			b.wrongly(t.Start, t.End, "a value stands after =", edit{start: c.start + len(name), end: c.start + len(name) + 1, text: "="})
			return c.i + 1
		}
	}
	if !nameLike(c.name) && !c.has || len(b.flagNames()) == 0 && len(b.s.positional) > 0 {
		b.wrongly(t.Start, t.End, reason+": put it in quotes if it is meant as text", edit{start: t.Start, end: t.End, text: quote(b.line.Text[t.Start:t.End])})
		if b.pos < len(b.s.positional) && b.given&(1<<b.s.positional[b.pos]) == 0 { // it is not missing
			b.given |= 1 << b.s.positional[b.pos]
		}
		return c.i + 1
	}
	b.wrong(t.Start, end, reason)
	return c.i + 1
}

// unknownValue hides what may be a secret after a flag that there is not.
func (b *binder) unknownValue(c call) {
	if !b.s.secret {
		return
	}
	t := &b.line.Tokens[c.i]
	b.hideAt(c.start, t.End)
	if c.i+1 < len(b.line.Tokens) {
		t := &b.line.Tokens[c.i+1]
		b.hideAt(t.Start, t.End)
	}
}

func nameLike(s string) bool {
	for i := range len(s) {
		if c := lower(s[i]); c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

func (b *binder) flagNames() []string {
	var out []string
	for _, a := range b.s.Args {
		if a.Flag {
			out = append(out, a.Name)
			if a.Kind == KindBool && !a.List {
				out = append(out, "no-"+a.Name)
			}
		}
	}
	return out
}
