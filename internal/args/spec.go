package args

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// MaxArgs is how many arguments a command may have.
const MaxArgs = 64

// Kind is what the text of an argument is read as.
type Kind string

// The kinds.
const (
	KindString   Kind = "string"
	KindBool     Kind = "bool"
	KindInt      Kind = "integer"
	KindFloat    Kind = "number"
	KindDuration Kind = "duration"
	KindTime     Kind = "time"
	KindURL      Kind = "url"
	KindPath     Kind = "path"
	KindUser     Kind = "user"
	KindRoom     Kind = "room"
	KindText     Kind = "value" // a type with its own UnmarshalText
)

// Arg is one argument as help, completion and platforms see it. It must not be changed.
type Arg struct {
	Name     string
	Kind     Kind     // of the elements for a list
	Flag     bool     // given by name alone
	Short    string   // one letter, or empty
	Word     string   // that may stand before the value, or empty
	Choices  []string // the values that are allowed; nil = any
	Default  string   // in the form that people type
	Help     string
	Required bool
	Rest     bool // takes the rest of the text
	List     bool // several values
	FreeText bool // a string in which nothing is refused
	Secret   bool
	Complete string  // which function completes it, or empty
	Min, Max float64 // of an integer that its type limits to less than 64 bits; else both 0
	URLRule  URLRule // of a URL

	HasDefault bool

	position int // among the positionals; -1 for flags
}

// Spec is a struct of arguments made ready. It is immutable and safe for concurrent use.
type Spec struct {
	// Args are the arguments in the order of fields.
	Args []*Arg

	typ        reflect.Type
	fields     []field // as Args
	positional []int   // indexes in Args
	byName     map[string]int
	byShort    map[byte]int
	words      bool
	secret     bool          // any is
	proto      reflect.Value // the defaults that are plain values; invalid if there are none
	late       []int         // fields whose default is read at every Bind
}

// SecretSetter is implemented by a pointer to a type that hides a string, such as *handler.Secret.
type SecretSetter interface {
	SetSecret(s string)
	Reveal() string
}

var (
	nameForm  = regexp.MustCompile(`^[a-z][a-z0-9]*([_-][a-z0-9]+)*$`)
	wordForm  = regexp.MustCompile(`^[a-z]+$`)
	shortForm = regexp.MustCompile(`^[A-Za-z]$`)
)

const maxName = 32 // Discord's limit for the name of an option

// Compile reads the tags of A. All mistakes are joined into one error, each naming its field.
func Compile[A any]() (*Spec, error) { return CompileType(reflect.TypeFor[A]()) }

// CompileType is Compile of a type that is known at run time.
func CompileType(t reflect.Type) (*Spec, error) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("args: %v: the arguments are the fields of a struct", t)
	}
	c := compiler{spec: &Spec{typ: t, byName: map[string]int{}, byShort: map[byte]int{}}}
	c.structure(t, nil)
	c.whole()
	if err := errors.Join(c.mistakes...); err != nil {
		return nil, err
	}
	return c.spec, nil
}

// Type gives the struct.
func (s *Spec) Type() reflect.Type { return s.typ }

// Arg gives an argument by its name, in any case; nil if there is none.
func (s *Spec) Arg(name string) *Arg {
	if i := s.find(name); i >= 0 {
		return s.Args[i]
	}
	return nil
}

// find gives the index of an argument by its name, in any case of ASCII letters; -1 if there is none.
func (s *Spec) find(name string) int {
	if i, ok := s.byName[name]; ok {
		return i
	}
	if len(name) > maxName {
		return -1
	}
	var buf [maxName]byte
	for i := range len(name) {
		buf[i] = lower(name[i])
	}
	if i, ok := s.byName[string(buf[:len(name)])]; ok {
		return i
	}
	return -1
}

type compiler struct {
	spec     *Spec
	mistakes []error
}

func (c *compiler) wrong(field, format string, args ...any) {
	c.mistakes = append(c.mistakes, fmt.Errorf("%v: field %s: %s", c.spec.typ, field, fmt.Sprintf(format, args...)))
}

func (c *compiler) structure(t reflect.Type, index []int) {
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(index[:len(index):len(index)], i)
		tag, mistakes := parseTags(sf.Tag)
		for _, m := range mistakes {
			c.wrong(sf.Name, "%s", m)
		}
		_, isArg := tag["arg"]
		_, isFlag := tag["flag"]
		switch {
		case tag["arg"] == "-" && len(tag) == 1:
		case sf.Anonymous && len(tag) == 0 && sf.Type.Kind() == reflect.Struct:
			c.structure(sf.Type, at)
		case !sf.IsExported():
			if len(tag) > 0 {
				c.wrong(sf.Name, "it is not exported, so it cannot be set")
			}
		case isArg && isFlag:
			c.wrong(sf.Name, "it is both arg and flag: choose one")
		case !isArg && !isFlag:
			if len(mistakes) == 0 {
				c.wrong(sf.Name, "it has neither arg nor flag; arg:\"-\" leaves it out")
			}
		default:
			c.field(sf, tag, at)
		}
	}
}

func (c *compiler) field(sf reflect.StructField, tag tags, index []int) {
	wrong := func(format string, args ...any) { c.wrong(sf.Name, format, args...) }
	on := func(key string) bool {
		v, mistake := tag.on(key)
		if mistake != "" {
			wrong("%s", mistake)
		}
		return v
	}
	_, flag := tag["flag"]
	a := &Arg{
		Name: tag["arg"] + tag["flag"], Flag: flag, Short: tag["short"], Word: tag["word"], Choices: tag.list("enum"), Help: tag["help"],
		Rest: on("rest"), FreeText: on("text"), Secret: on("secret"), Complete: tag["complete"], position: -1,
		URLRule: URLRule{Schemes: tag.list("schemes"), Hosts: tag.list("hosts")},
	}
	a.Default, a.HasDefault = tag["default"], has(tag, "default")
	optional := on("optional")
	a.Required = !flag && !optional && !a.HasDefault
	f := field{arg: a, index: index, typ: sf.Type}
	if !c.kind(&f, sf.Type) {
		wrong("the type %v is not supported", sf.Type)
		return
	}
	n := len(c.spec.Args)
	switch other, taken := c.spec.byName[a.Name]; {
	case !nameForm.MatchString(a.Name) || len(a.Name) > maxName:
		wrong("the name %q must be lower-case letters, digits, - and _, begin with a letter and be at most %d long", a.Name, maxName)
	case taken:
		wrong("the name %s is already that of %s", a.Name, c.name(other))
	default:
		c.spec.byName[a.Name] = n
	}
	if has(tag, "short") {
		if !shortForm.MatchString(a.Short) {
			wrong("short %q must be one letter", a.Short)
		} else if other, taken := c.spec.byShort[a.Short[0]]; taken {
			wrong("short %s is already that of %s", a.Short, c.name(other))
		} else {
			c.spec.byShort[a.Short[0]] = n
		}
	}
	if has(tag, "word") {
		switch {
		case !wordForm.MatchString(a.Word):
			wrong("word %q must be a plain word of lower-case letters", a.Word)
		case flag:
			wrong("a flag has no word before it")
		}
		c.spec.words = true
	}
	if flag && has(tag, "optional") {
		wrong("a flag is always optional")
	}
	if a.Rest && flag {
		wrong("a flag cannot be the rest")
	}
	if a.Rest && !a.List && a.Kind != KindString {
		wrong("rest is for a string or a slice")
	}
	if a.List && !flag && !a.Rest {
		wrong("a slice takes the rest: add rest:\"\"")
	}
	if has(tag, "text") && (a.Kind != KindString || f.hidden) {
		wrong("text is for strings")
	}
	if a.Secret && a.Kind != KindString {
		wrong("secret is for strings and for types with SetSecret and Reveal")
	}
	if a.Secret && (a.HasDefault || a.Choices != nil) {
		wrong("a secret has no default and no enum")
	}
	if a.Rest && !a.List || a.Secret {
		a.FreeText = true
	}
	if has(tag, "complete") && (a.Complete == "" || strings.ContainsAny(a.Complete, " \t\n")) {
		wrong("complete is the name of a function")
	}
	if a.Kind == KindURL {
		for _, m := range a.URLRule.check() {
			wrong("%s", m)
		}
	} else if has(tag, "schemes") || has(tag, "hosts") {
		wrong("schemes and hosts are for a URL")
	}
	c.choices(&f, wrong)
	if !flag {
		a.position = len(c.spec.positional)
		c.spec.positional = append(c.spec.positional, n)
	}
	c.spec.secret = c.spec.secret || a.Secret
	c.spec.Args = append(c.spec.Args, a)
	c.spec.fields = append(c.spec.fields, f)
}

func has(t tags, key string) bool { _, ok := t[key]; return ok }

func (c *compiler) name(i int) string {
	if i < len(c.spec.Args) {
		return c.spec.Args[i].Name
	}
	return "another field"
}

func (c *compiler) choices(f *field, wrong func(string, ...any)) {
	a := f.arg
	if a.Choices == nil {
		return
	}
	if a.Kind != KindString && a.Kind != KindInt || f.hidden {
		wrong("enum is for strings and integers")
		return
	}
	if a.FreeText {
		wrong("free text cannot have an enum")
	}
	for i, choice := range a.Choices {
		_, _, _, odd := findOdd(choice, true)
		_, _, _, mixed := findMixed(choice)
		switch {
		case choice == "":
			wrong("enum has an empty value")
		case odd || mixed:
			wrong("enum value %q has characters that cannot be told apart", choice)
		case slices.ContainsFunc(a.Choices[:i], func(other string) bool { return foldASCII(other, choice) }):
			wrong("enum value %s is there twice", choice)
		case a.Kind == KindInt:
			v := reflect.New(f.elem).Elem()
			bare := *f
			bare.arg = &Arg{Name: a.Name, Kind: a.Kind}
			if flt := bare.parse(&binder{}, v, choice, false); flt != nil || bare.text(v) != choice {
				wrong("enum value %q is not a number of type %v", choice, f.elem)
			}
		}
		if a.Word != "" && foldASCII(a.Word, choice) {
			wrong("%s is both the word before it and a value", choice)
		}
	}
}

// whole checks what concerns several fields, and the defaults.
func (c *compiler) whole() {
	s := c.spec
	if len(s.Args) > MaxArgs {
		c.mistakes = append(c.mistakes, fmt.Errorf("%v: %d arguments, at most %d are possible", s.typ, len(s.Args), MaxArgs))
		return
	}
	words := map[string]string{}
	optional := ""
	for n, i := range s.positional {
		a := s.Args[i]
		if a.Rest && n != len(s.positional)-1 {
			c.wrong(s.fieldName(i), "rest must be the last positional argument")
		}
		if a.Required && optional != "" {
			c.wrong(s.fieldName(i), "it is required and comes after %s, which is optional", optional)
		}
		if !a.Required {
			optional = a.Name
		}
		if a.Word == "" {
			continue
		}
		if other, ok := words[a.Word]; ok {
			c.wrong(s.fieldName(i), "the word %s already stands before %s", a.Word, other)
		}
		words[a.Word] = a.Name
	}
	for i, a := range s.Args {
		for _, choice := range a.Choices {
			if to, ok := words[strings.ToLower(choice)]; ok && a.position >= 0 && a.Word != choice && s.Args[s.byName[to]].position >= a.position {
				c.wrong(s.fieldName(i), "the value %s is also the word before %s", choice, to)
			}
		}
		if on, ok := strings.CutPrefix(a.Name, "no-"); ok {
			if j, ok := s.byName[on]; ok && s.Args[j].Kind == KindBool && !s.Args[j].List {
				c.wrong(s.fieldName(i), "the name %s is what turns %s off", a.Name, on)
			}
		}
		if a.HasDefault {
			c.preset(i)
		}
	}
}

// preset checks a default, and puts it into the prototype if it is a plain value.
func (c *compiler) preset(i int) {
	s := c.spec
	f := &s.fields[i]
	if f.arg.List {
		c.wrong(s.fieldName(i), "a list has no default")
		return
	}
	b := binder{s: s, dry: true, in: &Input{Now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}}
	v := reflect.New(f.typ).Elem()
	if flt := f.parse(&b, v, f.arg.Default, false); flt != nil {
		c.wrong(s.fieldName(i), "the default %q is wrong: %s", f.arg.Default, flt.reason)
		return
	}
	switch {
	case f.arg.Kind == KindString && !f.hidden, f.arg.Kind == KindBool, f.arg.Kind == KindInt, f.arg.Kind == KindFloat, f.arg.Kind == KindDuration,
		f.arg.Kind == KindPath, f.arg.Kind == KindURL:
		if !s.proto.IsValid() {
			s.proto = reflect.New(s.typ).Elem()
		}
		f.in(s.proto).Set(v)
	default: // relative to now, or shared memory
		s.late = append(s.late, i)
	}
}

func (s *Spec) fieldName(i int) string { return s.typ.FieldByIndex(s.fields[i].index).Name }

// field is one argument's place in the struct and its functions, found at Compile so that Bind looks up nothing by name.
type field struct {
	arg    *Arg
	index  []int
	typ    reflect.Type
	elem   reflect.Type // of a slice; else typ
	hidden bool         // a SecretSetter
	// set reads the text into v, which is of type elem.
	set func(b *binder, f *field, v reflect.Value, text string, quoted bool) *fault
	// text gives the canonical text of v, which is of type elem.
	text func(v reflect.Value) string
}

// in gives the field in a struct.
func (f *field) in(v reflect.Value) reflect.Value {
	if len(f.index) == 1 {
		return v.Field(f.index[0])
	}
	return v.FieldByIndex(f.index)
}

var (
	typeDuration = reflect.TypeFor[time.Duration]()
	typeTime     = reflect.TypeFor[time.Time]()
	typeURL      = reflect.TypeFor[URL]()
	typePath     = reflect.TypeFor[Path]()
	typeUser     = reflect.TypeFor[adapter.User]()
	typeRoom     = reflect.TypeFor[adapter.Room]()
	ifaceSecret  = reflect.TypeFor[SecretSetter]()
	ifaceText    = reflect.TypeFor[encoding.TextUnmarshaler]()
	ifaceMarshal = reflect.TypeFor[encoding.TextMarshaler]()
)

// kind finds the functions for a type; false if it is not supported.
func (c *compiler) kind(f *field, t reflect.Type) bool {
	f.elem = t
	ptr := reflect.PointerTo(t)
	switch {
	case t == typeDuration:
		f.arg.Kind, f.set, f.text = KindDuration, setDuration, textDuration
	case t == typeTime:
		f.arg.Kind, f.set, f.text = KindTime, setTime, textTime
	case t == typeURL:
		f.arg.Kind, f.set, f.text = KindURL, setURL, textURL
	case t == typePath:
		f.arg.Kind, f.set, f.text = KindPath, setPath, textPath
	case t == typeUser:
		f.arg.Kind, f.set, f.text = KindUser, setUser, textUser
	case t == typeRoom:
		f.arg.Kind, f.set, f.text = KindRoom, setRoom, textRoom
	case ptr.Implements(ifaceSecret) && t.Kind() != reflect.Pointer:
		f.arg.Kind, f.set, f.text, f.hidden, f.arg.Secret = KindString, setSecret, textSecret, true, true
	case ptr.Implements(ifaceText) && t.Kind() != reflect.Pointer:
		f.arg.Kind, f.set, f.text = KindText, setText, textText
		if !ptr.Implements(ifaceMarshal) {
			return false
		}
	default:
		return c.basic(f, t)
	}
	return true
}

func (c *compiler) basic(f *field, t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String:
		f.arg.Kind, f.set, f.text = KindString, setString, textString
	case reflect.Bool:
		f.arg.Kind, f.set, f.text = KindBool, setBool, textBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		f.arg.Kind, f.set, f.text = KindInt, setInt, textInt
		if bits := t.Bits(); bits < 64 {
			f.arg.Max = math.Ldexp(1, bits-1) - 1
			f.arg.Min = -f.arg.Max - 1
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		f.arg.Kind, f.set, f.text = KindInt, setUint, textUint
		if bits := t.Bits(); bits < 64 {
			f.arg.Max = math.Ldexp(1, bits) - 1
		}
	case reflect.Float32, reflect.Float64:
		f.arg.Kind, f.set, f.text = KindFloat, setFloat, textFloat
	case reflect.Slice:
		if f.arg.List || t.Elem().Kind() == reflect.Uint8 {
			return false
		}
		f.arg.List = true
		return c.kind(f, t.Elem())
	default:
		return false
	}
	return true
}
