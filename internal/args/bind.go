package args

import (
	"context"
	"errors"
	"fmt"
	"reflect"
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
		return Bound{}, &UsageError{Text: b.beginning(), Reason: reason, Masked: s.secret, Err: err}
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
// a second token, a time span, a mention of a name with spaces and what takes the rest of the text several.
func (b *binder) take(idx, i int, text string, start int, quoted bool) int {
	tokens := b.line.Tokens
	end, next := tokens[i].End, i+1
	a := b.s.Args[idx]
	if !quoted && a.Rest && !a.List {
		if next = b.restAt(idx, next); next > i+1 {
			end = tokens[next-1].End
			text = b.line.Text[start:end]
		}
	}
	if !quoted && next < len(tokens) && text != "" {
		switch a.Kind {
		case KindDuration:
			if n := b.spanAt(idx, next, text); n > 0 {
				for ; n > 0; n-- {
					text, end = text+" "+tokens[next].Value, tokens[next].End
					next++
				}
			}
		case KindTime:
			if n := b.clockAt(next, text); n > 0 {
				for ; n > 0; n-- {
					text, end = text+" "+tokens[next].Value, tokens[next].End
					next++
				}
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

// restAt gives the token up to which, from i on, words belong to the argument idx, which takes the rest of the text and was given
// by its name: all up to a flag or a name that the command has. None do while another argument waits for them.
func (b *binder) restAt(idx, i int) int {
	for _, p := range b.s.positional {
		if p != idx && b.s.Args[p].Required && b.given&(1<<p) == 0 {
			return i
		}
	}
	for ; i < len(b.line.Tokens); i++ {
		if t := &b.line.Tokens[i]; !b.ended && (!t.Quoted && t.Value == "--" || b.named(t)) {
			break
		}
	}
	return i
}

// named tells whether a token gives an argument of this command by its name.
func (b *binder) named(t *Token) bool {
	said := t.Value
	if t.Quoted {
		said = b.line.Head(t)
	}
	if dashes(said, 1) > 0 && !negativeNumber(said) {
		return b.flagLike(t)
	}
	n := strings.IndexByte(said, ':')
	return n > 0 && n <= maxName && !strings.HasPrefix(said[n:], "://") && b.s.find(said[:n]) >= 0
}

// spanAt gives how many tokens from i on go on with the time span text of the argument idx, each part in a smaller unit than the
// one before: 30m after 1h, and in words, which are corrected, 30 minutes after 1 hour; 0 if there are none. What may be the
// value of the argument that comes next is no part.
func (b *binder) spanAt(idx, i int, text string) int {
	if b.s.Args[idx].List || b.nextTakesSpan(idx) {
		return 0
	}
	tokens := b.line.Tokens
	word := func(i int) string {
		if i < len(tokens) && !tokens[i].Quoted {
			return tokens[i].Value
		}
		return ""
	}
	part := func(first string, i int) (p spanPart, n int) { // n tokens from i on belong to it
		if p, ok := spanOf(first); ok {
			return p, 0
		}
		if unit := word(i); unit != "" && (unit[0] < '0' || unit[0] > '9') && !b.nextIsNumber(idx, first, text) {
			if p, ok := spanOf(first + unit); ok {
				return p, 1
			}
		}
		return spanPart{}, -1
	}
	last, n := part(text, i)
	if n < 0 {
		return 0
	}
	for {
		at := i + n
		if foldASCII(word(at), "and") {
			at++
		}
		p, more := part(word(at), at+1)
		if more < 0 || p.largest >= last.smallest {
			return n
		}
		last, n = p, at+1+more-i
	}
}

// next gives the argument that takes the next word after idx has its value; nil if there is none.
func (b *binder) next(idx int) *Arg {
	for n := b.pos; n < len(b.s.positional); n++ {
		p := b.s.positional[n]
		if a := b.s.Args[p]; p != idx && (b.given&(1<<p) == 0 || a.List) {
			return a
		}
	}
	return nil
}

// nextTakesSpan tells whether a time span may be the value of the argument that comes after idx.
func (b *binder) nextTakesSpan(idx int) bool {
	a := b.next(idx)
	return a != nil && (a.Kind == KindDuration || a.Kind == KindText || a.Choices != nil)
}

// nextIsNumber tells whether said, which is not the text of idx itself, is the number that comes after idx.
func (b *binder) nextIsNumber(idx int, said, text string) bool {
	a := b.next(idx)
	return said != text && a != nil && (a.Kind == KindInt || a.Kind == KindFloat)
}

// clockAt gives how many tokens from i on are the time of day of a date: one, or two where "at" or an am of its own is among
// them; 0 if there is none. One that cannot be read belongs to the date all the same, or the date would be taken for its
// beginning and the time for what comes next.
func (b *binder) clockAt(i int, date string) int {
	tokens := b.line.Tokens
	plain := func(i int, ok func(string) bool) bool {
		return i < len(tokens) && !tokens[i].Quoted && ok(tokens[i].Value)
	}
	if _, near := timeMeant(date); !near || !plain(i, func(string) bool { return true }) {
		return 0
	}
	n := 0
	if foldASCII(tokens[i].Value, "at") {
		n++
	}
	switch {
	case plain(i+n, clockish):
		return n + 1
	case plain(i+n, func(s string) bool { return len(s) <= 2 && isDigits(s) }) && plain(i+n+1, halfOfDay):
		return n + 2
	}
	return 0
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
		if minus := "-" + text[dashes(text, 1):]; f.number() && negativeNumber(minus) && a.Choices == nil { // what phones make of a minus
			r, _ := utf8.DecodeRuneInString(text)
			b.wrongly(start, end, a.Name+" begins with "+CodePoint(r)+" in place of a minus", edit{start: start, end: end, text: minus})
			return
		}
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
			if a.Kind != KindTime { // which may be two words
				fix = b.s.word(fix, f.number())
			}
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
