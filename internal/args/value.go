package args

import (
	"encoding"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
)

// fault is why a text is not a value.
type fault struct {
	reason string
	off    int    // where in the text, with size; size 0: all of it
	size   int    //
	fix    string // what was probably meant
	fixed  bool   // there is a fix
}

// parse reads text into v, which is of type elem, after the checks that go before every type.
func (f *field) parse(b *binder, v reflect.Value, text string, quoted bool) *fault {
	a := f.arg
	if a.FreeText {
		return f.set(b, f, v, text, quoted)
	}
	if a.Choices != nil {
		return f.choose(b, v, text, quoted)
	}
	ascii := isASCII(text)
	if a.Kind == KindString {
		if flt := checkName(a.Name, text, ascii); flt != nil {
			return flt
		}
		return f.set(b, f, v, text, quoted)
	}
	if !ascii && a.Kind != KindUser && a.Kind != KindRoom { // mentions are looked up first: names of people may have anything
		if flt := checkOdd(a.Name, text); flt != nil {
			return flt
		}
	}
	if a.Kind == KindText {
		if flt := checkName(a.Name, text, ascii); flt != nil {
			return flt
		}
	}
	return f.set(b, f, v, text, quoted)
}

// checkName refuses what cannot be seen, line breaks, and letters of several scripts in one word.
func checkName(name, text string, ascii bool) *fault {
	if ascii && !strings.ContainsAny(text, "\t\n\v\f\r") {
		return nil
	}
	if flt := checkOdd(name, text); flt != nil {
		return flt
	}
	return checkMixed(name, text)
}

func checkMixed(name, text string) *fault {
	off, r, among, found := findMixed(text)
	if !found {
		return nil
	}
	fix := plainLetters(text)
	return &fault{
		reason: name + " has " + CodePoint(r) + " among " + among + " letters", off: off, size: utf8.RuneLen(r),
		fix: fix, fixed: isASCII(fix),
	}
}

func checkOdd(name, text string) *fault {
	off, r, size, found := findOdd(text, true)
	if !found {
		return nil
	}
	what := CodePoint(r)
	if r == utf8.RuneError && size == 1 {
		what = "a byte that is no text"
	}
	fix := plainLetters(text)
	return &fault{reason: name + " has " + what + " in it", off: off, size: size, fix: fix, fixed: fix != "" && isASCII(fix)}
}

// choose finds text among the choices, in any case of ASCII letters.
func (f *field) choose(b *binder, v reflect.Value, text string, quoted bool) *fault {
	a := f.arg
	said := text
	if a.Kind == KindInt { // 007 and +7 are 7
		if flt := f.set(b, f, v, text, quoted); flt == nil {
			said = f.text(v)
		}
	}
	for _, choice := range a.Choices {
		if said == choice {
			return f.set(b, f, v, choice, quoted)
		}
	}
	for _, choice := range a.Choices {
		if foldASCII(said, choice) {
			return f.set(b, f, v, choice, quoted)
		}
	}
	flt := checkName(a.Name, text, isASCII(text))
	if flt == nil {
		flt = &fault{reason: a.Name + " is one of " + strings.Join(a.Choices, ", ")}
	}
	flt.fix, flt.fixed = Suggest(plainLetters(text), a.Choices)
	return flt
}

func setString(_ *binder, f *field, v reflect.Value, text string, _ bool) *fault {
	if text == "" && f.arg.Required {
		return &fault{reason: f.arg.Name + " is empty"}
	}
	v.SetString(text)
	return nil
}

func textString(v reflect.Value) string { return v.String() }

func setBool(_ *binder, f *field, v reflect.Value, text string, _ bool) *fault {
	for _, yes := range [...]string{"true", "yes", "on", "1"} {
		if foldASCII(text, yes) {
			v.SetBool(true)
			return nil
		}
	}
	for _, no := range [...]string{"false", "no", "off", "0"} {
		if foldASCII(text, no) {
			v.SetBool(false)
			return nil
		}
	}
	return &fault{reason: f.arg.Name + " is yes or no"}
}

func textBool(v reflect.Value) string { return strconv.FormatBool(v.Bool()) }

func setInt(_ *binder, f *field, v reflect.Value, text string, _ bool) *fault {
	n, err := strconv.ParseInt(text, 10, v.Type().Bits())
	if err != nil {
		return numberFault(f, v, err, "-9223372036854775808", "9223372036854775807")
	}
	v.SetInt(n)
	return nil
}

func textInt(v reflect.Value) string { return strconv.FormatInt(v.Int(), 10) }

func setUint(_ *binder, f *field, v reflect.Value, text string, _ bool) *fault {
	plus, _ := strings.CutPrefix(text, "+")
	n, err := strconv.ParseUint(plus, 10, v.Type().Bits())
	if err != nil {
		if digits, negative := strings.CutPrefix(text, "-"); negative && isDigits(digits) {
			return &fault{reason: f.arg.Name + " is not less than 0"}
		}
		return numberFault(f, v, err, "0", "18446744073709551615")
	}
	v.SetUint(n)
	return nil
}

func textUint(v reflect.Value) string { return strconv.FormatUint(v.Uint(), 10) }

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func numberFault(f *field, v reflect.Value, err error, least, most string) *fault {
	if !errors.Is(err, strconv.ErrRange) {
		return &fault{reason: f.arg.Name + " is a whole number"}
	}
	if v.Type().Bits() < 64 {
		least, most = strconv.FormatFloat(f.arg.Min, 'f', 0, 64), strconv.FormatFloat(f.arg.Max, 'f', 0, 64)
	}
	return &fault{reason: f.arg.Name + " is between " + least + " and " + most}
}

func setFloat(_ *binder, f *field, v reflect.Value, text string, _ bool) *fault {
	n, err := strconv.ParseFloat(text, v.Type().Bits())
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) || strings.ContainsAny(text, "xX_") {
		if errors.Is(err, strconv.ErrRange) {
			return &fault{reason: f.arg.Name + " is too large"}
		}
		return &fault{reason: f.arg.Name + " is a number"}
	}
	v.SetFloat(n)
	return nil
}

func textFloat(v reflect.Value) string {
	return strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits())
}

func setDuration(_ *binder, f *field, v reflect.Value, text string, _ bool) *fault {
	d, ok := ParseDuration(text)
	if !ok {
		d, ok = joinSpans(text)
	}
	if !ok {
		reason := f.arg.Name + " is a time span: 90s, 5m, 1h30m, 2d, 1w"
		if isDigits(text) {
			reason = f.arg.Name + " needs a unit: " + text + "s, " + text + "m, " + text + "h or " + text + "d"
		}
		flt := &fault{reason: reason}
		flt.fix, flt.fixed = spanMeant(text)
		return flt
	}
	v.SetInt(int64(d))
	return nil
}

func textDuration(v reflect.Value) string { return FormatDuration(time.Duration(v.Int())) }

func setTime(b *binder, f *field, v reflect.Value, text string, _ bool) *fault {
	t, reason := ParseTime(text, b.now(), b.zone())
	if reason != "" {
		flt := &fault{reason: f.arg.Name + ": " + reason}
		if meant, ok := timeMeant(text); ok {
			if _, still := ParseTime(meant, b.now(), b.zone()); still == "" {
				flt.fix, flt.fixed = meant, true
			}
		}
		return flt
	}
	*v.Addr().Interface().(*time.Time) = t
	return nil
}

func textTime(v reflect.Value) string {
	return v.Addr().Interface().(*time.Time).UTC().Format(time.RFC3339Nano)
}

func setURL(_ *binder, f *field, v reflect.Value, text string, _ bool) *fault {
	u, reason := f.arg.URLRule.Parse(text)
	if reason != "" {
		return &fault{reason: f.arg.Name + ": " + reason}
	}
	*v.Addr().Interface().(*URL) = u
	return nil
}

func textURL(v reflect.Value) string { return v.Addr().Interface().(*URL).String() }

func setPath(_ *binder, f *field, v reflect.Value, text string, _ bool) *fault {
	p, reason := ParsePath(text)
	if reason != "" {
		return &fault{reason: f.arg.Name + ": " + reason}
	}
	*v.Addr().Interface().(*Path) = p
	return nil
}

func textPath(v reflect.Value) string { return v.Addr().Interface().(*Path).String() }

func setSecret(_ *binder, f *field, v reflect.Value, text string, _ bool) *fault {
	if text == "" && f.arg.Required {
		return &fault{reason: f.arg.Name + " is empty"}
	}
	v.Addr().Interface().(SecretSetter).SetSecret(text)
	return nil
}

func textSecret(v reflect.Value) string { return v.Addr().Interface().(SecretSetter).Reveal() }

func setText(_ *binder, f *field, v reflect.Value, text string, _ bool) *fault {
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		return &fault{reason: f.arg.Name + ": " + Visible(err.Error())}
	}
	return nil
}

func textText(v reflect.Value) string {
	text, err := v.Addr().Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil { // a value that UnmarshalText did not make
		return ""
	}
	return string(text)
}

func setUser(b *binder, f *field, v reflect.Value, text string, quoted bool) *fault {
	if b.dry {
		return nil
	}
	u, flt := b.user(f, text, quoted)
	if flt == nil {
		*v.Addr().Interface().(*adapter.User) = u
	}
	return flt
}

func textUser(v reflect.Value) string {
	return idText(v.Addr().Interface().(*adapter.User).ID, "@", "me")
}

func setRoom(b *binder, f *field, v reflect.Value, text string, quoted bool) *fault {
	if b.dry {
		return nil
	}
	r, flt := b.room(f, text, quoted)
	if flt == nil {
		*v.Addr().Interface().(*adapter.Room) = r
	}
	return flt
}

func textRoom(v reflect.Value) string {
	return idText(v.Addr().Interface().(*adapter.Room).ID, "#", "here")
}

// idText gives an id in a form that is read as an id and as nothing else.
func idText(id, sigil, keyword string) string {
	if id != "" && (strings.ContainsAny(id[:1], "@#~<") || foldASCII(id, keyword)) {
		return "<" + sigil + id + ">"
	}
	return id
}

// entity gives the id in <@id> or <@id|name>.
func entity(text, sigil string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(text, "<"+sigil)
	if !ok || !strings.HasSuffix(rest, ">") {
		return "", false
	}
	id, _, _ = strings.Cut(rest[:len(rest)-1], "|")
	return id, id != ""
}

// maxLookups is how often one Bind asks the Resolver.
const maxLookups = 32

func (b *binder) user(f *field, text string, quoted bool) (adapter.User, *fault) {
	name := f.arg.Name
	if text == "" {
		return adapter.User{}, &fault{reason: name + " is empty"}
	}
	id, isEntity := entity(text, "@")
	if !isEntity {
		id = text
	}
	for _, u := range b.in.Mentions {
		if u.ID == id && id != "" {
			return u, nil
		}
	}
	if !isEntity {
		if !quoted && foldASCII(text, "me") && b.in.User.ID != "" {
			return b.in.User, nil
		}
		if shown, ok := strings.CutPrefix(text, "@"); ok {
			u, n := b.mentioned(shown)
			switch n {
			case 1:
				return u, nil
			case 2:
				return adapter.User{}, &fault{reason: name + ": " + Visible(text) + " is the name of several people: give the id"}
			}
		}
	}
	if flt := checkOdd(name, id); flt != nil {
		return adapter.User{}, flt
	}
	if b.in.Resolver == nil {
		return adapter.User{}, &fault{reason: name + " is a person: mention them with @"}
	}
	u, err := adapter.User{}, adapter.ErrNotFound
	for _, query := range [...]string{id, "@" + id} {
		if query[0] == '@' && (isEntity || strings.HasPrefix(id, "@")) && query != id {
			continue
		}
		if flt := b.lookup(); flt != nil {
			return adapter.User{}, flt
		}
		if u, err = b.in.Resolver.User(b.ctx, query); !errors.Is(err, adapter.ErrNotFound) {
			break
		}
	}
	if err == nil && u.ID == "" {
		err = adapter.ErrNotFound
	}
	return u, b.looked(name, "nobody here is called "+Visible(text), err)
}

// mentioned finds the one user among the mentions that is shown by a name; n is 2 if there are several.
func (b *binder) mentioned(name string) (u adapter.User, n int) {
	for _, m := range b.in.Mentions {
		if m.ID == "" || m.Name == "" || !strings.EqualFold(m.Name, name) || n > 0 && m.Key() == u.Key() {
			continue
		}
		if n++; n > 1 {
			return u, 2
		}
		u = m
	}
	return u, n
}

func (b *binder) room(f *field, text string, quoted bool) (adapter.Room, *fault) {
	name := f.arg.Name
	if text == "" {
		return adapter.Room{}, &fault{reason: name + " is empty"}
	}
	id, isEntity := entity(text, "#")
	if !isEntity {
		id = text
		if !quoted && foldASCII(text, "here") && b.in.Room.ID != "" {
			return b.in.Room, nil
		}
	}
	if b.in.Room.ID == id {
		return b.in.Room, nil
	}
	if flt := checkOdd(name, id); flt != nil {
		return adapter.Room{}, flt
	}
	if b.in.Resolver == nil {
		return adapter.Room{}, &fault{reason: name + " is a room, and rooms cannot be looked up here"}
	}
	r, err := adapter.Room{}, adapter.ErrNotFound
	for _, query := range [...]string{id, "#" + id} {
		if query != id && (isEntity || strings.ContainsAny(id[:1], "#~")) {
			continue
		}
		if flt := b.lookup(); flt != nil {
			return adapter.Room{}, flt
		}
		if r, err = b.in.Resolver.Room(b.ctx, query); !errors.Is(err, adapter.ErrNotFound) {
			break
		}
	}
	if err == nil && r.ID == "" {
		err = adapter.ErrNotFound
	}
	return r, b.looked(name, "there is no room "+Visible(text), err)
}

func (b *binder) lookup() *fault {
	if b.lookups++; b.lookups > maxLookups {
		return &fault{reason: "too many people and rooms in one command"}
	}
	return nil
}

// looked makes a fault of what a lookup said; what is not the fault of who asked ends Bind.
func (b *binder) looked(name, notFound string, err error) *fault {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, adapter.ErrNotFound):
		return &fault{reason: name + ": " + notFound}
	case errors.Is(err, adapter.ErrAmbiguous):
		return &fault{reason: name + ": the name fits several: mention it or give the id"}
	case errors.Is(err, adapter.ErrUnsupported):
		return &fault{reason: name + " cannot be looked up here: mention it"}
	}
	if b.err == nil {
		b.err = err
	}
	return &fault{reason: name + " could not be looked up"}
}
