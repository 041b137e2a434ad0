package args_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/args"
)

// version reads itself.
type version struct{ major, minor int }

func (v *version) UnmarshalText(b []byte) error {
	if _, err := fmt.Sscanf(string(b), "v%d.%d", &v.major, &v.minor); err != nil || string(b) != v.String() {
		return errors.New("a version is v1.2")
	}
	return nil
}

func (v version) String() string               { return fmt.Sprintf("v%d.%d", v.major, v.minor) }
func (v version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// hidden is a SecretSetter.
type hidden struct{ s string }

func (h *hidden) SetSecret(s string) { h.s = s }
func (h hidden) Reveal() string      { return h.s }

type onlyReads struct{}

func (*onlyReads) UnmarshalText([]byte) error { return nil }

type Common struct {
	Verbose bool `flag:"verbose" short:"v"`
}

func TestMistakes(t *testing.T) {
	type plain struct {
		A string `arg:"a"`
	}
	for _, c := range []struct {
		name string
		a    any
		want []string // parts of each mistake, in order
	}{
		{"no struct", 5, []string{"the arguments are the fields of a struct"}},
		{"nil", nil, []string{"the arguments are the fields of a struct"}},
		{"many at once", struct {
			A string `arg:"A!"`
			b string `arg:"b"`
			C chan int
			D int `arg:"d" default:"x"`
			E string
		}{}, []string{`field A: the name "A!" must be`, "field b: it is not exported", "field C: it has neither arg nor flag", "field E: it has neither", `field D: the default "x" is wrong: d is a whole number`}},
		{"both", struct {
			A string `arg:"a" flag:"b"`
		}{}, []string{"it is both arg and flag"}},
		{"misspelled", struct {
			A string `arg:"a" defualt:"x" hepl:"y" json:"a" env:"Z"`
		}{}, []string{"the tag defualt is not known: is it default?", "the tag hepl is not known: is it help?"}},
		{"misspelled arg", struct {
			A string `args:"a"`
		}{}, []string{"the tag args is not known: is it arg?"}},
		{"unreadable", tagged(`arg:"a" help: "x"`), []string{"the tag cannot be read from"}},
		{"unclosed", tagged(`arg:"a" help:"x`), []string{"the value has no closing quote"}},
		{"no space", tagged(`arg:"a"help:"x"`), []string{"the tag needs a space before"}},
		{"a key twice", tagged(`arg:"a" arg:"b"`), []string{"the tag arg is there twice"}},
		{"names", struct {
			A string `arg:"a"`
			B string `flag:"a"`
			C string `flag:""`
			D string `flag:"Upper"`
			E string `flag:"0day"`
			F string `flag:"very-long-very-long-very-long-very-long"`
			G string `flag:"a b"`
			H string `flag:"a--b"`
			I string `flag:"-b"`
		}{}, []string{"field B: the name a is already that of a", "field C: the name \"\"", "field D:", "field E:", "field F:", "field G:", "field H:", "field I:"}},
		{"shorts", struct {
			A string `flag:"aa" short:"ab"`
			B string `flag:"bb" short:"b"`
			C string `flag:"cc" short:"b"`
			D string `flag:"dd" short:"1"`
			E string `flag:"ee" short:""`
		}{}, []string{"field A: short \"ab\" must be one letter", "field C: short b is already that of bb", "field D: short", "field E: short"}},
		{"types", struct {
			A complex128     `arg:"a"`
			B map[string]int `arg:"b"`
			C *int           `arg:"c"`
			D []byte         `arg:"d" rest:""`
			E [][]string     `arg:"e" rest:""`
			F func()         `arg:"f"`
			G [2]int         `arg:"g"`
			H any            `arg:"h"`
			I uintptr        `arg:"i"`
			J struct{}       `arg:"j"`
			K onlyReads      `arg:"k"`
		}{}, []string{"A: the type complex128", "B: the type map", "C: the type *int", "D: the type []uint8", "E: the type [][]string", "F: the type func", "G: the type [2]int", "H: the type interface", "I: the type uintptr", "J: the type struct", "K: the type args_test.onlyReads"}},
		{"defaults", struct {
			A int           `flag:"aa" default:"x"`
			B string        `flag:"bb" enum:"x,y" default:"z"`
			C time.Duration `flag:"cc" default:"5"`
			D bool          `flag:"dd" default:"maybe"`
			E uint8         `flag:"ee" default:"256"`
			F args.URL      `flag:"ff" default:"x"`
			G args.Path     `flag:"gg" default:"../x"`
			H time.Time     `flag:"hh" default:"17:00"`
			I []string      `flag:"ii" default:"x"`
			J version       `flag:"jj" default:"1"`
			K string        `flag:"kk" secret:"" default:"cnrymark2"`
			L float64       `flag:"ll" default:"NaN"`
			M int           `flag:"mm" default:""`
		}{}, []string{"K: a secret has no default", "A: the default \"x\"", "B: the default \"z\" is wrong: bb is one of x, y", "C: the default", "D: the default", "E: the default", "F: the default", "G: the default", "H: the default", "I: a list has no default", "J: the default \"1\" is wrong: jj: a version is v1.2", "L: the default", "M: the default"}},
		{"enums", struct {
			A string        `flag:"aa" enum:""`
			B string        `flag:"bb" enum:"x,y,X"`
			C int           `flag:"cc" enum:"1,x"`
			D bool          `flag:"dd" enum:"yes,no"`
			E time.Duration `flag:"ee" enum:"1m,2m"`
			F string        `flag:"ff" enum:"pr\u043ed"`
			G int8          `flag:"gg" enum:"1,1000"`
			H string        `flag:"hh" enum:"a" text:""`
			I int           `flag:"ii" enum:"01"`
			J string        `flag:"jj" enum:"a" secret:""`
		}{}, []string{"A: enum has an empty value", "B: enum value X is there twice", "C: enum value \"x\" is not a number", "D: enum is for strings", "E: enum is for strings", "F: enum value", "G: enum value \"1000\"", "H: free text cannot have an enum", "I: enum value \"01\"", "J: a secret has no default and no enum", "J: free text"}},
		{"rest", struct {
			A []string `arg:"a"`
			B string   `arg:"b" rest:""`
			C int      `arg:"c" rest:""`
			D string   `flag:"dd" rest:""`
			E string   `arg:"e" rest:"yes"`
		}{}, []string{"A: a slice takes the rest", "C: rest is for a string or a slice", "D: a flag cannot be the rest", `E: rest is "yes"`, "B: rest must be the last", "C: rest must be the last"}},
		{"order", struct {
			A string `arg:"a" optional:""`
			B string `arg:"b"`
			C string `flag:"cc" optional:""`
		}{}, []string{"C: a flag is always optional", "B: it is required and comes after a"}},
		{"words", struct {
			A string `arg:"a" word:"to the"`
			B string `arg:"b" word:"in"`
			C string `arg:"c" word:"in"`
			D string `flag:"dd" word:"at"`
			E string `arg:"e" word:"on" enum:"on,off"`
			F string `arg:"f" word:""`
			G string `arg:"g" word:"-x"`
			H string `arg:"h" enum:"from,x"`
			I string `arg:"i" word:"from"`
		}{}, []string{"A: word \"to the\"", "D: a flag has no word", "E: on is both", "F: word", "G: word", "C: the word in already stands before b", "H: the value from is also the word before i"}},
		{"no-", struct {
			A bool `flag:"color"`
			B bool `flag:"no-color"`
		}{}, []string{"B: the name no-color is what turns color off"}},
		{"text, secret, complete, url", struct {
			A int      `flag:"aa" text:""`
			B int      `flag:"bb" secret:""`
			C string   `flag:"cc" complete:""`
			D string   `flag:"dd" schemes:"https"`
			E args.URL `flag:"ee" schemes:"HTTPS" hosts:"*,a.example:80,*.1.1.1.1,http://x"`
			F hidden   `flag:"ff" enum:"a"`
		}{}, []string{"A: text is for strings", "B: secret is for strings", "C: complete is the name", "D: schemes and hosts are for a URL", "E: scheme", "E: host \"*\"", "E: host \"a.example:80\"", "E: host \"*.1.1.1.1\"", "E: host \"http://x\"", "F: a secret has no default", "F: enum is for strings"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := args.CompileType(reflect.TypeOf(c.a))
			require.Error(t, err)
			lines := strings.Split(err.Error(), "\n")
			require.Len(t, lines, len(c.want), "%v", err)
			for i, want := range c.want {
				require.Contains(t, lines[i], want)
			}
		})
	}
	_, err := args.CompileType(reflect.StructOf(manyFields(args.MaxArgs + 1)))
	require.ErrorContains(t, err, "65 arguments, at most 64")
	_, err = args.CompileType(reflect.StructOf(manyFields(args.MaxArgs)))
	require.NoError(t, err)
	require.Equal(t, reflect.TypeFor[plain](), compile[plain](t).Type())
}

// tagged makes a struct of a string with a tag that go vet would refuse.
func tagged(tag reflect.StructTag) any {
	return reflect.Zero(reflect.StructOf([]reflect.StructField{{Name: "A", Type: reflect.TypeFor[string](), Tag: tag}})).Interface()
}

func manyFields(n int) []reflect.StructField {
	var out []reflect.StructField
	for i := range n {
		out = append(out, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: reflect.TypeFor[string](), Tag: reflect.StructTag(fmt.Sprintf(`flag:"f%d"`, i))})
	}
	return out
}

func TestSpec(t *testing.T) {
	type full struct {
		Common
		Left    int                     `arg:"-"`
		private int                     //nolint
		Version version                 `arg:"version"`
		Port    uint16                  `arg:"port" enum:"80,443" default:"443"`
		People  []adapter.User          `arg:"people" rest:"" optional:"true" complete:"people" help:"who"`
		Key     hidden                  `flag:"key"`
		Level   struct{ hidden hidden } `arg:"-"`
	}
	spec := compile[full](t)
	require.Equal(t, args.Arg{Name: "verbose", Kind: args.KindBool, Flag: true, Short: "v"}, public(spec.Arg("verbose")))
	require.Equal(t, args.Arg{Name: "version", Kind: args.KindText, Required: true}, public(spec.Arg("VERSION")))
	require.Equal(t, args.Arg{Name: "port", Kind: args.KindInt, Choices: []string{"80", "443"}, Default: "443", HasDefault: true, Max: 65535}, public(spec.Arg("port")))
	require.Equal(t, args.Arg{Name: "people", Kind: args.KindUser, Rest: true, List: true, Complete: "people", Help: "who"}, public(spec.Arg("people")))
	require.Equal(t, args.Arg{Name: "key", Kind: args.KindString, Flag: true, Secret: true, FreeText: true}, public(spec.Arg("key")))
	require.Nil(t, spec.Arg("nothing"))
	require.Len(t, spec.Args, 5)

	b, err := spec.Bind(context.Background(), args.Input{Text: `v1.2 080 -v --key "a b"`})
	require.NoError(t, err)
	v := args.Value[full](b)
	require.Equal(t, full{Common: Common{Verbose: true}, Version: version{1, 2}, Port: 80, Key: hidden{"a b"}}, v)
	require.Zero(t, v.private)
	require.Equal(t, &v, b.Pointer())
	require.Equal(t, "wrong: port is one of 80, 443", bind[full](t, "v1.2 22"))
	require.Equal(t, "wrong: version: a version is v1.2", bind[full](t, "x"))
	require.Panics(t, func() { args.Value[deploy](b) })
	require.Panics(t, func() { spec.Canonical(deploy{}) })
	require.Panics(t, func() { spec.Canonical(nil) })
}

// public gives the exported fields.
func public(a *args.Arg) args.Arg {
	out := args.Arg{}
	from, to := reflect.ValueOf(a).Elem(), reflect.ValueOf(&out).Elem()
	for i := range from.NumField() {
		if to.Field(i).CanSet() {
			to.Field(i).Set(from.Field(i))
		}
	}
	return out
}

// What Bind gives is the caller's: changing it changes no default.
func TestDefaultsAreNotShared(t *testing.T) {
	type d struct {
		V    version       `flag:"version" default:"v1.2"`
		At   time.Time     `flag:"at" default:"tomorrow 09:00"`
		Who  adapter.User  `flag:"who" default:"me"`
		Wait time.Duration `flag:"wait" default:"2d"`
	}
	spec := compile[d](t)
	in := args.Input{Now: noon, User: adapter.User{ID: "U1"}}
	b, err := spec.Bind(context.Background(), in)
	require.NoError(t, err)
	want := d{version{1, 2}, time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), adapter.User{ID: "U1"}, 48 * time.Hour}
	require.Equal(t, want, args.Value[d](b))
	p := b.Pointer().(*d)
	p.Wait, p.V.major = 1, 9
	in.Now = noon.Add(24 * time.Hour)
	b, err = spec.Bind(context.Background(), in)
	require.NoError(t, err)
	want.At = want.At.Add(24 * time.Hour)
	require.Equal(t, want, args.Value[d](b), "relative to each Bind")
	in.User = adapter.User{}
	require.Equal(t, "missing who", bindInput[d](t, in), "nobody asks")
}
