package args

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
)

// ErrHelp: --help or -h was typed, and the command has no such argument.
var ErrHelp = errors.New("args: help asked for")

// Resolver looks up people and rooms; it is the part of adapter.Directory that is used here. The query is an id, or a name
// with its sigil. Errors that matter: adapter.ErrNotFound, ErrAmbiguous, ErrUnsupported; any other ends Bind.
type Resolver interface {
	User(ctx context.Context, query string) (adapter.User, error)
	Room(ctx context.Context, query string) (adapter.Room, error)
}

// Input is what Bind reads. Text and Options may both be set: an answer to a question is an option beside the first text.
type Input struct {
	// Text is what was said, without the bot's name. Its first Offset bytes, the command's name, are not read, and are shown
	// in errors.
	Text   string
	Offset int
	// Options are arguments by name: those of a native command, or answers to questions. A list is written as in a text.
	Options map[string]string

	Mentions []adapter.User // of the event
	User     adapter.User   // who asks: "me"; zero = "me" is no keyword
	Room     adapter.Room   // where: "here"; zero = "here" is no keyword
	Resolver Resolver       // nil = people must be mentioned, rooms cannot be given
	Now      time.Time      // of today and tomorrow; zero = the present
	Zone     *time.Location // of dates and times of day; nil = UTC
}

// Bound is a struct of arguments with its values.
type Bound struct {
	spec  *Spec
	v     reflect.Value
	given uint64
}

// Pointer gives a pointer to the struct, as any.
func (b Bound) Pointer() any {
	if b.spec == nil {
		return nil
	}
	return b.v.Addr().Interface()
}

// Value gives the struct. It panics when b was not made by a Spec of A.
func Value[A any](b Bound) A { return *b.v.Addr().Interface().(*A) }

// Given tells whether an argument was said, and not filled in from its default.
func (b Bound) Given(name string) bool {
	i := b.spec.find(name)
	return i >= 0 && b.given&(1<<i) != 0
}

// Options gives what was said, in the native form: canonical texts by name. Merged with an answer it is the Input of the
// next try.
func (b Bound) Options() map[string]string {
	out := map[string]string{}
	for i := range b.spec.fields {
		if f := &b.spec.fields[i]; b.given&(1<<i) != 0 {
			out[f.arg.Name] = b.spec.optionText(f, f.in(b.v))
		}
	}
	return out
}

// Bind reads the words of in.Text and then in.Options into a new struct.
//
// A positional argument takes the next word that is nothing else; a word tag may stand before it, and jumps over those
// before it that were left out. --name VALUE, --name=VALUE, -x VALUE, -xVALUE, -x=VALUE, -xyz (of bools), --no-name (of a
// bool) and name:VALUE may stand anywhere before a rest that is a string; "--" ends them. What phones make of dashes counts
// as one where a declared name follows. A value that begins with "-" must be quoted, but for negative numbers.
//
// Errors: *[UsageError] when something is wrong, with everything that is; else *[Missing] when something required was not
// said, with Bound holding what was; [ErrHelp]; or the Resolver's own error.
func (s *Spec) Bind(ctx context.Context, in Input) (Bound, error) {
	b := binder{s: s, ctx: ctx, in: &in}
	return b.run()
}

type binder struct {
	s     *Spec
	ctx   context.Context
	in    *Input
	line  Line
	v     reflect.Value
	given uint64
	said  uint64 // the word before it was said
	pos   int    // the next positional
	ended bool   // "--" was said
	help  bool
	dry   bool // look nobody up
	opt   int  // 1 + index of the argument whose option is read; 0 = the text is

	lookups  int
	err      error
	problems []problem
	edits    []edit // that correct the text
	unfixed  bool   // there is no correction
	hide     []edit // secrets
	strays   []int  // tokens
}

// problem is one thing that is wrong, at start to end of the text or in an option.
type problem struct {
	start, end int
	opt        int
	reason     string
}

const maxProblems = 8

func (b *binder) now() time.Time {
	if b.in.Now.IsZero() {
		b.in.Now = time.Now()
	}
	return b.in.Now
}

func (b *binder) zone() *time.Location {
	if b.in.Zone == nil {
		return time.UTC
	}
	return b.in.Zone
}

func (b *binder) run() (Bound, error) {
	s := b.s
	b.v = reflect.New(s.typ).Elem()
	if s.proto.IsValid() {
		b.v.Set(s.proto)
	}
	var err error
	if b.line, err = ParseAt(b.in.Text, b.in.Offset); err != nil {
		if !errors.Is(err, ErrTooLong) && !errors.Is(err, ErrTooManyWords) {
			return Bound{}, err
		}
		reason, _ := strings.CutPrefix(err.Error(), "args: ")
		return Bound{}, &UsageError{Text: b.beginning(), Reason: reason, Err: err}
	}
	b.words()
	b.options()
	b.tooMany()
	if b.help {
		return Bound{}, ErrHelp
	}
	for _, i := range s.late {
		if f := &s.fields[i]; b.given&(1<<i) == 0 && f.parse(b, f.in(b.v), f.arg.Default, false) != nil && b.err == nil {
			b.said |= 1 << i // "me" where nobody asks: ask
		}
	}
	if b.err != nil {
		return Bound{}, fmt.Errorf("args: look up: %w", b.err)
	}
	var missing []*Arg
	for i, a := range s.Args {
		if (a.Required || b.said&(1<<i) != 0) && b.given&(1<<i) == 0 {
			missing = append(missing, a)
		}
	}
	if len(b.problems) > 0 {
		return Bound{}, b.usage(missing)
	}
	bound := Bound{spec: s, v: b.v, given: b.given}
	if missing != nil {
		return bound, &Missing{Fields: missing}
	}
	return bound, nil
}

// beginning gives as much of a text that is too long as an error shows.
func (b *binder) beginning() string {
	text := b.in.Text
	if b.s.secret {
		text = text[:min(b.in.Offset, len(text))]
	}
	if len(text) > 200 {
		n := 200
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n] + "…"
	}
	return text
}

func (b *binder) wrong(start, end int, reason string) {
	if len(b.problems) < maxProblems {
		b.problems = append(b.problems, problem{start, end, b.opt, reason})
	}
	b.unfixed = true
}

// wrongly is wrong where a correction is known.
func (b *binder) wrongly(start, end int, reason string, e edit) {
	if len(b.problems) < maxProblems {
		b.problems = append(b.problems, problem{start, end, b.opt, reason})
		e.opt = b.opt
		b.edits = append(b.edits, e)
		return
	}
	b.unfixed = true
}

func (b *binder) words() {
	tokens := b.line.Tokens
	for i := 0; i < len(tokens); {
		if !b.ended {
			if t := &tokens[i]; !t.Quoted && t.Value == "--" {
				b.ended = true
				i++
				continue
			}
			if next := b.flag(i); next > 0 {
				i = next
				continue
			}
			if next := b.keyed(i); next > 0 {
				i = next
				continue
			}
		}
		i = b.position(i)
	}
}

// position binds the token i by its place and gives the next one.
func (b *binder) position(i int) int {
	t := &b.line.Tokens[i]
	s := b.s
	if s.words && !t.Quoted {
		for n := b.pos; n < len(s.positional); n++ {
			idx := s.positional[n]
			if a := s.Args[idx]; a.Word != "" && (b.given|b.said)&(1<<idx) == 0 && foldASCII(a.Word, t.Value) {
				b.said |= 1 << idx
				b.pos = n
				return i + 1
			}
		}
	}
	for b.pos < len(s.positional) {
		idx := s.positional[b.pos]
		a := s.Args[idx]
		if b.given&(1<<idx) != 0 && !a.List {
			b.pos++
			continue
		}
		if a.Rest && !a.List {
			if i == len(b.line.Tokens)-1 && t.Quoted && t.head == 0 {
				b.give(idx, t.Value, t.Start, t.End, true)
			} else {
				text := strings.TrimRightFunc(b.line.Text[t.Start:], unicode.IsSpace)
				b.give(idx, text, t.Start, t.Start+len(text), false)
			}
			return len(b.line.Tokens)
		}
		text := t.Value
		if t.head > 0 {
			text = b.line.Head(t) + text
		}
		return b.take(idx, i, text, t.Start, t.Quoted)
	}
	b.strays = append(b.strays, i)
	if s.secret {
		b.hideAt(t.Start, t.End)
	}
	return i + 1
}

func (b *binder) hideAt(start, end int) {
	b.hide = append(b.hide, edit{start: start, end: end, text: masked, opt: b.opt})
}

// tooMany reports the words that nothing takes.
func (b *binder) tooMany() {
	if len(b.strays) == 0 {
		return
	}
	tokens := b.line.Tokens
	first, last := &tokens[b.strays[0]], &tokens[b.strays[len(b.strays)-1]]
	reason := "one word too many"
	switch {
	case len(b.s.Args) == 0:
		reason = "there is nothing to say after the command"
	case len(b.strays) > 1:
		reason = fmt.Sprintf("%d words too many", len(b.strays))
	}
	if len(b.strays) > maxProblems || len(b.problems) >= maxProblems {
		b.wrong(first.Start, first.End, reason)
		return
	}
	end := first.End
	if len(b.strays) == 1+b.strays[len(b.strays)-1]-b.strays[0] {
		end = last.End
	}
	b.problems = append(b.problems, problem{start: first.Start, end: end, reason: reason})
	for _, i := range b.strays {
		t := &tokens[i]
		from := b.in.Offset
		if i > 0 {
			from = tokens[i-1].End
		}
		b.edits = append(b.edits, edit{start: from, end: t.End})
	}
}

// take gives the argument idx the value text that begins at start, in token i, and gives the next token. A time may take
// a second token, a mention of a name with spaces several.
func (b *binder) take(idx, i int, text string, start int, quoted bool) int {
	tokens := b.line.Tokens
	end, next := tokens[i].End, i+1
	if !quoted && next < len(tokens) && text != "" {
		switch b.s.Args[idx].Kind {
		case KindTime:
			if t := &tokens[next]; !t.Quoted && clockLike(t.Value) && dateLike(text) {
				text, end = text+" "+t.Value, t.End
				next++
			}
		case KindUser:
			if text[0] != '@' {
				break
			}
			if n := b.mentionAt(start); n > 0 {
				text, end = b.line.Text[start:start+n], start+n
				for next < len(tokens) && tokens[next].Start < end {
					next++
				}
			}
		}
	}
	b.give(idx, text, start, end, quoted)
	return next
}

// mentionAt gives the length of the longest mention by a name with spaces that the text has at start; 0 if there is none.
func (b *binder) mentionAt(start int) int {
	best := 0
	for i := range b.in.Mentions {
		m := &b.in.Mentions[i]
		n := 1 + len(m.Name)
		if n > best && start+n <= len(b.line.Text) && m.ID != "" && strings.IndexFunc(m.Name, unicode.IsSpace) > 0 &&
			boundary(b.line.Text, start+n) && strings.EqualFold(b.line.Text[start+1:start+n], m.Name) {
			best = n
		}
	}
	return best
}

// give sets the argument idx to what stands from start to end.
func (b *binder) give(idx int, text string, start, end int, quoted bool) {
	f := &b.s.fields[idx]
	a := f.arg
	if a.Secret {
		b.hideAt(start, end)
	}
	bit := uint64(1) << idx
	if b.given&bit != 0 && !a.List {
		b.wrong(start, end, a.Name+" is given twice")
		return
	}
	b.given |= bit
	if len(b.problems) >= maxProblems {
		b.unfixed = true
		return
	}
	rest := a.Rest && !a.List
	if !quoted && b.opt == 0 && !b.ended && !rest && text != "" && dashes(text, 1) > 0 && !(f.number() && negativeNumber(text)) {
		b.wrongly(start, end, a.Name+" begins with a dash: put it in quotes if it is meant so", edit{start: start, end: end, text: quote(text)})
		return
	}
	v := f.in(b.v)
	var flt *fault
	if a.List {
		n := v.Len()
		v.Grow(1)
		v.SetLen(n + 1)
		if flt = f.parse(b, v.Index(n), text, quoted); flt != nil {
			v.SetLen(n)
		}
	} else {
		flt = f.parse(b, v, text, quoted)
	}
	switch {
	case flt == nil:
	case flt.fixed:
		fix := flt.fix
		if b.opt == 0 {
			fix = b.s.word(fix, f.number())
		}
		b.wrongly(start, end, flt.reason, edit{start: start, end: end, text: fix})
	default:
		b.wrong(start, end, flt.reason)
	}
}

func (f *field) number() bool {
	return f.arg.Kind == KindInt || f.arg.Kind == KindFloat || f.arg.Kind == KindDuration
}

// negativeNumber tells whether text, which begins with a dash, goes on as a number does.
func negativeNumber(text string) bool {
	if text[0] != '-' || len(text) < 2 {
		return false
	}
	return '0' <= text[1] && text[1] <= '9' || text[1] == '.'
}

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
		if b.s.Args[idx].Secret {
			b.hideAt(value.Start, value.End)
		}
		b.wrongly(t.Start, t.End, reason, edit{start: t.End, end: value.Start})
		return i + 2
	}
	return b.take(idx, i, said[n+1:], start, false)
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
