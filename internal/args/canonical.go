package args

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// Form says how [Spec.Format] writes.
type Form struct {
	// Mask writes "[secret]" for secrets: for audits. Such a text cannot be bound.
	Mask bool
	// Full writes defaults too, so that the text means the same after a default was changed: for what is stored.
	Full bool
}

// Canonical gives the shortest text that binds to a, which is of the Spec's struct type or a pointer to it: positionals in
// their order, flags by their long name, defaults left out, quotes where they are needed, times in UTC, people and rooms by
// id. Secrets are in it: see [Spec.Format]. Values that Bind gives are written so that Bind(Canonical(a)) gives a again.
func (s *Spec) Canonical(a any) string { return s.Format(a, Form{}) }

// Format is Canonical in a form.
func (s *Spec) Format(a any, form Form) string {
	v := s.valueOf(a)
	w := writer{s: s, v: v, form: form}
	skipped := false
	rest := -1
	for _, i := range s.positional {
		f := &s.fields[i]
		switch {
		case w.omit(f):
			skipped = true
		case skipped || f.arg.List && form.Mask && f.arg.Secret:
			w.named(f)
		case f.arg.Rest && !f.arg.List:
			rest = i // after the flags, which it would swallow
		default:
			w.positional(f)
		}
	}
	for i := range s.fields {
		if f := &s.fields[i]; f.arg.Flag && !w.omit(f) {
			w.flag(f)
		}
	}
	if rest >= 0 {
		w.rest(&s.fields[rest])
	}
	return w.b.String()
}

// Canonical is [Spec.Canonical] of the bound values.
func (b Bound) Canonical() string { return b.spec.format(b.v, Form{}) }

// Format is [Spec.Format] of the bound values.
func (b Bound) Format(form Form) string { return b.spec.format(b.v, form) }

func (s *Spec) format(v reflect.Value, form Form) string { return s.Format(v.Addr().Interface(), form) }

// Options gives the native form of a: canonical texts by name, without what is empty and has no default. Binding them
// gives a again.
func (s *Spec) Options(a any) map[string]string {
	v := s.valueOf(a)
	w := writer{s: s, v: v, form: Form{Full: true}}
	out := map[string]string{}
	for i := range s.fields {
		if f := &s.fields[i]; !w.omit(f) {
			out[f.arg.Name] = s.optionText(f, f.in(v))
		}
	}
	return out
}

// valueOf gives the struct, addressable.
func (s *Spec) valueOf(a any) reflect.Value {
	v := reflect.ValueOf(a)
	if v.IsValid() && v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if !v.IsValid() || v.Type() != s.typ {
		panic(fmt.Sprintf("args: %T is not the struct of this spec, %v", a, s.typ))
	}
	if !v.CanAddr() {
		p := reflect.New(s.typ).Elem()
		p.Set(v)
		v = p
	}
	return v
}

func (s *Spec) optionText(f *field, v reflect.Value) string {
	if !f.arg.List {
		return f.text(v)
	}
	var b strings.Builder
	for i := range v.Len() {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s.word(f.text(v.Index(i)), true))
	}
	return b.String()
}

type writer struct {
	s    *Spec
	v    reflect.Value
	form Form
	b    strings.Builder
}

// omit tells whether the value is what Bind gives when nothing is said.
func (w *writer) omit(f *field) bool {
	v := f.in(w.v)
	a := f.arg
	switch {
	case a.List:
		return v.Len() == 0
	case a.HasDefault:
		if w.form.Full || w.s.isLate(f) {
			return false
		}
		return f.text(v) == f.text(f.in(w.s.proto))
	case a.Required:
		return false
	case a.Kind == KindTime:
		return textTime(v) == "0001-01-01T00:00:00Z"
	case a.Kind == KindUser || a.Kind == KindRoom:
		return f.text(v) == ""
	}
	return v.IsZero()
}

func (s *Spec) isLate(f *field) bool {
	for _, i := range s.late {
		if &s.fields[i] == f {
			return true
		}
	}
	return false
}

func (w *writer) write(parts ...string) {
	if w.b.Len() > 0 {
		w.b.WriteByte(' ')
	}
	for _, p := range parts {
		w.b.WriteString(p)
	}
}

// word gives one value, as it is written in a text.
func (w *writer) word(f *field, v reflect.Value) string {
	if f.arg.Secret && w.form.Mask {
		return masked
	}
	return w.s.word(f.text(v), f.number())
}

func (w *writer) positional(f *field) {
	v := f.in(w.v)
	if !f.arg.List {
		w.write(w.word(f, v))
		return
	}
	for i := range v.Len() {
		w.write(w.word(f, v.Index(i)))
	}
}

func (w *writer) named(f *field) {
	v := f.in(w.v)
	if !f.arg.List {
		w.write(f.arg.Name, ":", keyValue(w.word(f, v)))
		return
	}
	for i := range v.Len() {
		w.write(f.arg.Name, ":", keyValue(w.word(f, v.Index(i))))
	}
}

func (w *writer) flag(f *field) {
	v := f.in(w.v)
	name := "--" + f.arg.Name
	switch {
	case f.arg.Kind == KindBool && !f.arg.List && v.Bool():
		w.write(name)
	case f.arg.Kind == KindBool && !f.arg.List:
		w.write("--no-", f.arg.Name)
	case !f.arg.List:
		w.write(name, " ", w.word(f, v))
	default:
		for i := range v.Len() {
			w.write(name, " ", w.word(f, v.Index(i)))
		}
	}
}

func (w *writer) rest(f *field) {
	text := f.text(f.in(w.v))
	switch {
	case f.arg.Secret && w.form.Mask:
		w.write(masked)
	case text != strings.TrimFunc(text, unicode.IsSpace) || w.s.restNeedsQuotes(text):
		w.write(quote(text))
	default:
		w.write(text)
	}
}

// restNeedsQuotes tells whether the first word of text would be read as something else than the beginning of the rest.
func (s *Spec) restNeedsQuotes(text string) bool {
	first := text
	if i := strings.IndexFunc(text, unicode.IsSpace); i >= 0 {
		first = text[:i]
	}
	return first == "" || beginsQuote(first) || dashes(first, 1) > 0 || s.isWord(first) || s.hasKey(first) || s.goesOn(text)
}

// goesOn tells whether text, where it stands after a time span, would be read as going on with it.
func (s *Spec) goesOn(text string) bool {
	if !slices.ContainsFunc(s.Args, func(a *Arg) bool { return a.Kind == KindDuration && !a.List }) {
		return false
	}
	var words [3]string
	n := 0
	for w := range strings.FieldsSeq(text) {
		if words[n] = w; n == len(words)-1 {
			break
		}
		n++
	}
	first, second := words[0], words[1]
	if foldASCII(first, "and") {
		first, second = words[1], words[2]
	}
	if _, ok := spanOf(first); ok {
		return true
	}
	_, ok := spanOf(first + second)
	return ok
}

// word writes a value so that it is read as one word and as nothing else.
func (s *Spec) word(text string, number bool) string {
	switch {
	case text == "", s.isWord(text), s.hasKey(text), strings.IndexFunc(text, unicode.IsSpace) >= 0, hasOpening(text):
	case !number && (s.goesOn(text) || s.goesOn(text+" s")): // a unit may follow
	case dashes(text, 1) > 0 && !(number && negativeNumber(text)):
	default:
		return text
	}
	return quote(text)
}

// keyValue quotes a word that name: before it would make a URL of.
func keyValue(word string) string {
	if strings.HasPrefix(word, "//") {
		return quote(word)
	}
	return word
}

// hasOpening tells whether text has a quote where one may open: at its beginning, or after : or =.
func hasOpening(text string) bool {
	if beginsQuote(text) {
		return true
	}
	for i := range len(text) {
		if c := text[i]; (c == ':' || c == '=') && beginsQuote(text[i+1:]) {
			return true
		}
	}
	return false
}

// isWord tells whether text is one of the words that stand before values.
func (s *Spec) isWord(text string) bool {
	if !s.words {
		return false
	}
	for _, i := range s.positional {
		if w := s.Args[i].Word; w != "" && foldASCII(w, text) {
			return true
		}
	}
	return false
}

// hasKey tells whether text begins with the name of an argument and a colon.
func (s *Spec) hasKey(text string) bool {
	i := strings.IndexByte(text, ':')
	return i > 0 && s.find(text[:i]) >= 0
}

// quote puts text into double quotes.
func quote(text string) string {
	var b strings.Builder
	b.Grow(len(text) + 2)
	b.WriteByte('"')
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	b.WriteByte('"')
	return b.String()
}
