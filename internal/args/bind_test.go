package args_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/args"
)

type deploy struct {
	Service string        `arg:"service" help:"what to ship"`
	Env     string        `arg:"env" word:"to" enum:"staging,prod" help:"where to"`
	Wait    time.Duration `flag:"wait" short:"w" default:"10m" help:"give up after"`
	Force   bool          `flag:"force" short:"f" help:"skip the checks"`
}

func compile[A any](t testing.TB) *args.Spec {
	t.Helper()
	spec, err := args.Compile[A]()
	require.NoError(t, err)
	return spec
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// bind reads text and tells what came out, in one line: the struct, "missing ...", or "wrong: reasons => correction".
func bind[A any](t testing.TB, text string) string {
	t.Helper()
	return bindInput[A](t, args.Input{Text: text, Now: noon})
}

func bindInput[A any](t testing.TB, in args.Input) string {
	t.Helper()
	b, err := compile[A](t).Bind(context.Background(), in)
	var usage *args.UsageError
	var missing *args.Missing
	switch {
	case errors.As(err, &usage):
		out := "wrong: " + usage.Reason
		for _, m := range usage.More {
			out += "; " + m.Reason
		}
		for _, m := range usage.Missing {
			out += "; missing " + m.Name
		}
		if usage.Try != "" {
			out += " => " + usage.Try
		}
		return out
	case errors.As(err, &missing):
		return strings.TrimPrefix(err.Error(), "args: ")
	case err != nil:
		return err.Error()
	}
	return fmt.Sprintf("%+v", args.Value[A](b))
}

// The G rows about arguments; those about words are in TestParseCases. Not here: G11, history, which is the router's.
func TestArgumentCases(t *testing.T) {
	type two struct {
		A string `arg:"a"`
		B string `arg:"b" optional:""`
	}
	type run struct {
		Text string `arg:"text" rest:""`
	}
	type ar struct {
		V string `arg:"v"`
		N int    `flag:"n"`
	}
	type short struct {
		V string `arg:"v"`
		N int    `flag:"number" short:"n"`
	}
	type add struct {
		U    string `flag:"u"`
		HTTP string `flag:"http"`
	}
	type needs struct {
		Env    string `arg:"env" enum:"staging,prod"`
		Number int    `arg:"number"`
		Who    string `arg:"who"`
	}
	type when struct {
		At time.Time `arg:"at"`
	}
	for _, c := range []struct{ id, got, want string }{
		{"G1", bind[two](t, `'a b' d`), "{A:a b B:d}"},
		{"G2 apostrophe", bind[two](t, `it's ok`), "{A:it's B:ok}"},
		{"G2 unbalanced", bind[two](t, `"a b`), `{A:"a B:b}`},
		{"G4", bind[two](t, `“a b”`), "{A:a b B:}"},
		{"G5", bind[two](t, `a  b `), "{A:a B:b}"},
		{"G5 inner spaces of the rest (A23)", bind[run](t, ` a  b `), "{Text:a  b}"},
		{"G7", bind[ar](t, `x —n 3`), "{V:x N:3}"},
		{"G7 en dash", bind[ar](t, `x –n 3`), "{V:x N:3}"},
		{"G7 short", bind[short](t, `x —n 3`), "{V:x N:3}"},
		{"G7 equals", bind[short](t, `x —number=3`), "{V:x N:3}"},
		{"G8 apostrophe", bind[ar](t, `it's`), "{V:it's N:0}"},
		{"G8 no number", bind[ar](t, `x --n z`), "wrong: n is a whole number"},
		{"G10", bind[run](t, "\na\nb"), "{Text:a\nb}"},
		{"G13", bind[add](t, `--u http://a.b/c`), "{U:http://a.b/c HTTP:}"},
		{"G13 a URL is no key", bind[two](t, `http://a.b/c d`), "{A:http://a.b/c B:d}"},
		{"G13 not even of a declared one", bind[add](t, `http://a.b/c`), "wrong: one word too many"},
		{"G14", bind[needs](t, `porod x`), "wrong: env is one of staging, prod; number is a whole number; missing who"},
		{"G16 a date", bind[when](t, `today`), "{At:2026-11-22 00:00:00 +0000 UTC}"},
		{"G16 ISO", bind[when](t, `2026-12-24T18:00:00Z`), "{At:2026-12-24 18:00:00 +0000 UTC}"},
		{"G16 junk", bind[when](t, `soonish`), "wrong: at: a time is today 17:00, tomorrow 09:00, 2026-11-22, 2026-11-22 15:04 or 2026-11-22T15:04:05Z"},
	} {
		t.Run(c.id, func(t *testing.T) { require.Equal(t, c.want, c.got) })
	}
}

func TestForms(t *testing.T) {
	same := "{Service:api Env:prod Wait:5m0s Force:true}"
	for _, text := range []string{
		"api to prod --wait 5m --force", "api prod --wait=5m --force", "api prod -w 5m -f", "api prod -w5m -f", "api prod -w=5m -f", "api prod -fw5m",
		"api prod -fw 5m", "--force --wait 5m api prod", "service:api env:prod wait:5m force:yes", "env:prod api wait:5m -f", "--env prod --service api --force=true -w 5m",
		"api TO Prod --WAIT 5m --Force", "API:x", "api Env:PROD —wait 5m –force", `"api" to "prod" --wait "5m" -f=on`, "api to prod -f --wait 300s", "--service=api --env=\"prod\" -f wait:'5m'",
		"-f -w 5m -- api to prod", "api\nto\nprod\n--wait\n5m\n-f", "api to --wait 5m -f prod", "api prod --no-force=", "api prod -f -w5m0s", "api to prod —-wait=5m -–force",
	} {
		want := same
		switch text {
		case "API:x":
			want = "missing env"
		case "api prod --no-force=":
			want = "wrong: --no-force takes no value => api prod --no-force"
		}
		t.Run(text, func(t *testing.T) { require.Equal(t, want, bind[deploy](t, text)) })
	}
}

func TestBind(t *testing.T) {
	type flags struct {
		Name  string   `flag:"name"`
		On    bool     `flag:"on" default:"true"`
		Count int8     `flag:"count" short:"c"`
		Tags  []string `flag:"tag"`
		Big   uint64   `flag:"big"`
		Ratio float32  `flag:"ratio"`
	}
	type words struct {
		Who  string   `arg:"who" optional:""`
		In   int      `arg:"in" word:"in" default:"5"`
		Last []string `arg:"last" word:"about" rest:"" optional:""`
	}
	type note struct {
		Loud bool   `flag:"loud" short:"l"`
		Who  string `arg:"who"`
		Text string `arg:"text" word:"that" rest:"" optional:""`
	}
	for _, c := range []struct{ name, got, want string }{
		{"defaults", bind[deploy](t, "api prod"), "{Service:api Env:prod Wait:10m0s Force:false}"},
		{"missing one", bind[deploy](t, "api"), "missing env"},
		{"missing two", bind[deploy](t, ""), "missing service, env"},
		{"missing between", bind[deploy](t, "to prod"), "missing service"},
		{"a word and nothing after it", bind[deploy](t, "api to"), "missing env"},
		{"a word twice is a value", bind[deploy](t, "api to to"), "wrong: env is one of staging, prod"},
		{"a quoted word is a value", bind[deploy](t, `"to" prod`), "{Service:to Env:prod Wait:10m0s Force:false}"},
		{"wrong enum", bind[deploy](t, "api to porod"), "wrong: env is one of staging, prod => api to prod"},
		{"wrong enum, far", bind[deploy](t, "api to moon"), "wrong: env is one of staging, prod"},
		{"wrong and missing", bind[deploy](t, "--wait x"), "wrong: wait is a time span: 90s, 5m, 1h30m, 2d, 1w; missing service; missing env"},
		{"two corrections", bind[deploy](t, "api to prdo --wiat 5m"), "wrong: env is one of staging, prod; there is no --wiat; one word too many"},
		{"two corrections that fit", bind[deploy](t, "api to prdo --forse"), "wrong: env is one of staging, prod; there is no --forse => api to prod --force"},
		{"too many", bind[deploy](t, "api prod now"), "wrong: one word too many => api prod"},
		{"too many more", bind[deploy](t, "api prod now please -f"), "wrong: 2 words too many => api prod -f"},
		{"twice", bind[deploy](t, "api prod env:prod"), "wrong: env is given twice"},
		{"twice by flag", bind[deploy](t, "api prod -f --force"), "wrong: force is given twice"},
		{"no value", bind[deploy](t, "api prod --wait"), "wrong: --wait needs a value: DURATION"},
		{"a flag is no value", bind[deploy](t, "api prod --wait --force"), "wrong: --wait needs a value: DURATION"},
		{"a negative number is", bind[deploy](t, "api prod --wait -5m"), "{Service:api Env:prod Wait:-5m0s Force:false}"},
		{"a number without unit", bind[deploy](t, "api prod -w 5"), "wrong: wait needs a unit: 5s, 5m, 5h or 5d"},
		{"a space after the colon", bind[deploy](t, "api env: prod"), "wrong: env needs its value directly after the colon => api env:prod"},
		{"a colon at the end", bind[deploy](t, "api env:"), "wrong: env needs its value directly after the colon"},
		{"an unknown key is a value", bind[deploy](t, "x:y prod"), "{Service:x:y Env:prod Wait:10m0s Force:false}"},
		{"a quoted key is a value", bind[deploy](t, `"env:x" prod`), "{Service:env:x Env:prod Wait:10m0s Force:false}"},
		{"empty", bind[deploy](t, `"" prod`), "wrong: service is empty"},
		{"one dash", bind[deploy](t, "-force"), "wrong: there is no -force; missing service; missing env => --force"},
		{"unknown short", bind[deploy](t, "api prod -fx"), "wrong: there is no -x"},
		{"unknown short alone", bind[deploy](t, "api prod -x"), "wrong: there is no -x"},
		{"no name", bind[deploy](t, "api prod -=x"), "wrong: there is no -"},
		{"no long name", bind[deploy](t, "api prod --=x"), "wrong: there is no --"},
		{"a quoted value with a dash before it", bind[flags](t, `--name --x="a b"`), `wrong: name begins with a dash: put it in quotes if it is meant so => --name "--x=a b"`},
		{"help", bind[deploy](t, "api --help"), "args: help asked for"},
		{"help short", bind[deploy](t, "-h"), "args: help asked for"},
		{"T12 a dash", bind[deploy](t, "-rf prod"), `wrong: there is no -rf; missing env`},
		{"T12 a dash, quoted", bind[deploy](t, `"-rf" prod`), "{Service:-rf Env:prod Wait:10m0s Force:false}"},
		{"T12 a dash after --", bind[deploy](t, "-- -rf prod"), "{Service:-rf Env:prod Wait:10m0s Force:false}"},
		{"T12 a dash after =", bind[flags](t, "--name=-x"), `wrong: name begins with a dash: put it in quotes if it is meant so => --name="-x"`},
		{"T12 a dash after :", bind[flags](t, "name:-x"), `wrong: name begins with a dash: put it in quotes if it is meant so => name:"-x"`},
		{"T12 a dash after a flag", bind[flags](t, "--name -x"), `wrong: name begins with a dash: put it in quotes if it is meant so => --name "-x"`},
		{"T12 a long dash", bind[deploy](t, "—x prod"), `wrong: service begins with a dash: put it in quotes if it is meant so => "—x" prod`},
		{"T12 a number to a string", bind[deploy](t, "-5 prod"), `wrong: service begins with a dash: put it in quotes if it is meant so => "-5" prod`},
		{"T12 three dashes", bind[deploy](t, "---x prod"), `wrong: service begins with a dash: put it in quotes if it is meant so => "---x" prod`},
		{"no-flag", bind[flags](t, "--no-on"), "{Name: On:false Count:0 Tags:[] Big:0 Ratio:0}"},
		{"no-flag of a string", bind[flags](t, "--no-name"), "wrong: there is no --no-name"},
		{"repeated", bind[flags](t, "--tag a tag:b --tag=c"), "{Name: On:true Count:0 Tags:[a b c] Big:0 Ratio:0}"},
		{"negative", bind[flags](t, "--count -128"), "{Name: On:true Count:-128 Tags:[] Big:0 Ratio:0}"},
		{"short negative", bind[flags](t, "-c-128"), "{Name: On:true Count:-128 Tags:[] Big:0 Ratio:0}"},
		{"range", bind[flags](t, "--count 128"), "wrong: count is between -128 and 127"},
		{"range of uint", bind[flags](t, "--big -1"), "wrong: big is not less than 0"},
		{"range of uint64", bind[flags](t, "--big 18446744073709551616"), "wrong: big is between 0 and 18446744073709551615"},
		{"range of float", bind[flags](t, "--ratio 1e39"), "wrong: ratio is too large"},
		{"no number", bind[flags](t, "--ratio NaN"), "wrong: ratio is a number"},
		{"quotes after =", bind[flags](t, `--name="a b"`), "{Name:a b On:true Count:0 Tags:[] Big:0 Ratio:0}"},
		{"quotes after an unknown key", bind[flags](t, `--name x:"a b"`), "{Name:x:a b On:true Count:0 Tags:[] Big:0 Ratio:0}"},
		{"nothing to say", bind[struct{}](t, "x"), "wrong: there is nothing to say after the command"},
		{"nothing", bind[struct{}](t, " "), "{}"},
		{"words", bind[words](t, "bob in 3 about a b"), "{Who:bob In:3 Last:[a b]}"},
		{"words out", bind[words](t, "bob 3 a b"), "{Who:bob In:3 Last:[a b]}"},
		{"words jump", bind[words](t, "in 3"), "{Who: In:3 Last:[]}"},
		{"words jump to the rest", bind[words](t, "about in about"), "{Who: In:5 Last:[in about]}"},
		{"a list by name", bind[words](t, "last:a --last b bob"), "{Who:bob In:5 Last:[a b]}"},
		{"a list of spoken word and nothing", bind[words](t, "about"), "missing last"},
		{"a list and flags", bind[words](t, "a 1 b --in 2"), "wrong: in is given twice"},
		{"the rest is as typed", bind[note](t, "-l bob that  it's  --loud  “so”\n x:y "), "{Loud:true Who:bob Text:it's  --loud  “so”\n x:y}"},
		{"the rest in quotes", bind[note](t, `bob "  a "`), "{Loud:false Who:bob Text:  a }"},
		{"the rest by name", bind[note](t, `text:"a b" bob -l`), "{Loud:true Who:bob Text:a b}"},
		{"the rest begins with a dash", bind[note](t, `bob - a`), "{Loud:false Who:bob Text:- a}"},
		{"the rest begins with a long dash", bind[note](t, `bob —mom called`), "{Loud:false Who:bob Text:—mom called}"},
		{"the rest begins with a number", bind[note](t, `bob -5 degrees`), "{Loud:false Who:bob Text:-5 degrees}"},
		{"the rest begins with what is no flag", bind[note](t, `bob -mom`), "wrong: there is no -mom: put -- before it if it is meant as text => bob -- -mom"},
		{"the rest after --", bind[note](t, `bob -- --loud`), "{Loud:false Who:bob Text:--loud}"},
		{"T16 free text keeps all", bind[note](t, "bob a\u200bb \u202e прod"), "{Loud:false Who:bob Text:a\u200bb \u202e прod}"},
		{"long", bind[note](t, strings.Repeat("x", args.MaxText+1)), "wrong: text too long: 16385 bytes, at most 16384 are read"},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, c.got) })
	}
}

func TestOffset(t *testing.T) {
	require.Equal(t, "wrong: env is one of staging, prod => ship  api to prod", bindInput[deploy](t, args.Input{Text: "ship  api to prd", Offset: 4}))
	require.Equal(t, "wrong: env is one of staging, prod => deploy api to prod", bindInput[deploy](t, args.Input{Text: "  deploy api to prd", Offset: 8}))
	_, err := compile[deploy](t).Bind(context.Background(), args.Input{Text: "x", Offset: 2})
	require.Error(t, err)
	require.Nil(t, args.Bound{}.Pointer())
}

func TestSpecIsConcurrent(t *testing.T) { // with -race
	spec := compile[deploy](t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				b, err := spec.Bind(context.Background(), args.Input{Text: "api to porod"})
				if err == nil || b.Pointer() != nil {
					t.Error("a wrong enum was bound")
				}
				b, err = spec.Bind(context.Background(), args.Input{Text: "api to prod"})
				if err != nil || b.Canonical() != "api prod" {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestVisible(t *testing.T) {
	require.Equal(t, `a<U+200B>b<U+202E>\n\t\r<U+001B>\xFF<U+2028> é 東京`, args.Visible("a\u200bb\u202e\n\t\r\x1b\xff\u2028 é 東京"))
	require.Equal(t, "plain", args.Visible("plain"))
}

func TestOptions(t *testing.T) {
	opt := func(text string, kv ...string) string {
		in := args.Input{Text: text, Offset: len("deploy"), Options: map[string]string{}}
		for i := 0; i < len(kv); i += 2 {
			in.Options[kv[i]] = kv[i+1]
		}
		return bindInput[deploy](t, in)
	}
	require.Equal(t, "{Service:api Env:prod Wait:5m0s Force:true}", opt("deploy", "service", "api", "env", "prod", "wait", "5m", "force", "true"))
	require.Equal(t, "{Service:api Env:prod Wait:10m0s Force:false}", opt("deploy", "Service", "api", "ENV", "prod", "wait", ""))
	require.Equal(t, "{Service:api Env:prod Wait:10m0s Force:false}", opt("deploy api", "env", "prod"), "an answer")
	require.Equal(t, "{Service:-x Env:prod Wait:10m0s Force:false}", opt("deploy", "service", "-x", "env", "prod"), "a platform gives values, not words")
	require.Equal(t, "{Service:a  b Env:prod Wait:10m0s Force:false}", opt("deploy", "service", "a  b", "env", "prod"))
	require.Equal(t, "missing service", opt("deploy", "service", "", "env", "prod"))
	require.Equal(t, "wrong: env is one of staging, prod => deploy service:api env:prod", opt("deploy", "service", "api", "env", "prd"))
	require.Equal(t, "wrong: env is given twice", opt("deploy api prod", "env", "prod"))
	require.Equal(t, "wrong: there is no argument x", opt("deploy api prod", "x", "prod"))

	type list struct {
		All []string `arg:"all" rest:""`
		N   []int    `flag:"n"`
	}
	lists, err := compile[list](t).Bind(context.Background(), args.Input{Options: map[string]string{"all": `a "b c"`, "n": "1 -2"}})
	require.NoError(t, err)
	require.Equal(t, list{All: []string{"a", "b c"}, N: []int{1, -2}}, args.Value[list](lists))
	require.Equal(t, "wrong: n is a whole number", bindInput[list](t, args.Input{Options: map[string]string{"all": "a", "n": "1 x"}}))

	b, err := compile[deploy](t).Bind(context.Background(), args.Input{Text: "api -f"})
	var missing *args.Missing
	require.ErrorAs(t, err, &missing)
	require.Equal(t, map[string]string{"service": "api", "force": "true"}, b.Options(), "what was said so far")
	require.True(t, b.Given("service"))
	require.False(t, b.Given("wait"))
	require.Equal(t, "env", missing.Fields[0].Name)
	require.Equal(t, []string{"staging", "prod"}, missing.Fields[0].Choices)
}

// T15: a word of several scripts is refused in names and enums with the code point named, and matches nothing.
func TestMixedScripts(t *testing.T) {
	type note struct {
		Name string `arg:"name"`
		Free string `flag:"free" text:""`
		Text string `arg:"text" rest:"" optional:""`
	}
	for _, c := range []struct{ name, got, want string }{
		{"enum", bind[deploy](t, "api to pr\u043ed"), "wrong: env has U+043E CYRILLIC SMALL LETTER O among Latin letters => api to prod"},
		{"enum, most is Cyrillic", bind[deploy](t, "api to \u0440r\u043e\u0501"), "wrong: env has U+0440 CYRILLIC SMALL LETTER ER among Latin letters => api to prod"},
		{"enum, fullwidth", bind[deploy](t, "api to pro\uff44"), "wrong: env has U+FF44 (Fullwidth) among Latin letters => api to prod"},
		{"enum, all mathematical", bind[deploy](t, "api to 𝐩𝐫𝐨𝐝"), "wrong: env is one of staging, prod => api to prod"},
		{"enum, zero width", bind[deploy](t, "api to pr\u200bod"), "wrong: env has U+200B ZERO WIDTH SPACE in it => api to prod"},
		{"enum, quoted", bind[deploy](t, "api to \"pr\u200bod\""), "wrong: env has U+200B ZERO WIDTH SPACE in it => api to prod"},
		{"enum, tags", bind[deploy](t, "api to prod\U000e0061"), "wrong: env has U+E0061 TAG 'a' in it => api to prod"},
		{"name", bind[deploy](t, "\u0430pi prod"), "wrong: service has U+0430 CYRILLIC SMALL LETTER A among Latin letters => api prod"},
		{"name, Greek", bind[deploy](t, "api-\u03bfps prod"), "wrong: service has U+03BF GREEK SMALL LETTER OMICRON among Latin letters => api-ops prod"},
		{"name, bidi", bind[deploy](t, "api\u202e prod"), "wrong: service has U+202E RIGHT-TO-LEFT OVERRIDE in it => api prod"},
		{"name, control", bind[deploy](t, "\"a\x07pi\" prod"), "wrong: service has U+0007 BELL in it => api prod"},
		{"name, line break", bind[deploy](t, "\"a\nb\" prod"), "wrong: service has U+000A LINE FEED in it"},
		{"name, bytes", bind[deploy](t, "a\xffb prod"), "wrong: service has a byte that is no text in it"},
		{"flag", bind[deploy](t, "api prod --f\u043erce"), "wrong: --f\u043erce has U+043E CYRILLIC SMALL LETTER O among Latin letters => api prod --force"},
		{"word", bind[deploy](t, "api t\u043e prod"), "wrong: env has U+043E CYRILLIC SMALL LETTER O among Latin letters; one word too many"},
		{"one script is a name", bind[note](t, "апи-1"), "{Name:апи-1 Free: Text:}"},
		{"Latin and Japanese are together", bind[note](t, "東京tokyo"), "{Name:東京tokyo Free: Text:}"},
		{"words apart are apart", bind[note](t, `"привет api"`), "{Name:привет api Free: Text:}"},
		{"free text", bind[note](t, "x --free=pr\u043ed\u200b pr\u043ed\u200b"), "{Name:x Free:pr\u043ed\u200b Text:pr\u043ed\u200b}"},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, c.got) })
	}

	// Every way to put look-alikes into every choice.
	alike := map[rune]string{'a': "аαɑａ𝐚ⓐ", 'e': "еｅ𝐞", 'o': "оοօｏ𝐨", 'p': "рρｐ𝐩", 'r': "гｒ𝐫", 's': "ѕｓ𝐬", 'g': "ɡցｇ", 'n': "ոｎ", 'i': "іιｉı", 't': "тτｔ", 'd': "ԁｄ"}
	spec := compile[deploy](t)
	tried, matched := 0, 0
	for _, choice := range []string{"staging", "prod"} {
		runes := []rune(choice)
		for mask := 1; mask < 1<<len(runes); mask++ {
			for k := range 6 {
				said := []rune(choice)
				changed := false
				for i := range said {
					if alikes := []rune(alike[runes[i]]); mask&(1<<i) != 0 && len(alikes) > 0 {
						said[i] = alikes[k%len(alikes)]
						changed = true
					}
				}
				if !changed {
					continue
				}
				tried++
				if _, err := spec.Bind(context.Background(), args.Input{Text: "api to " + string(said)}); err == nil {
					matched++
				}
			}
		}
	}
	t.Logf("T15: %d mixed-script forms of enum values, %d matched", tried, matched)
	require.Greater(t, tried, 700)
	require.Zero(t, matched)
}

// T16: none of the characters that cannot be seen gets into a name or an enum, and free text keeps each.
func TestInvisible(t *testing.T) {
	type note struct {
		Name string `arg:"name"`
		Text string `arg:"text" rest:""`
	}
	spec := compile[note](t)
	odd := []rune{0, 7, 8, 0x1b, 0x7f, 0x9b, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x180b, 0x180e, 0x2800, 0x3164, 0xfeff, 0xffa0, 0xfff9, 0xfdd0, 0xfffe, 0xe0001, 0xe007f, 0xe0100}
	for r := rune(0x200b); r <= 0x200f; r++ {
		odd = append(odd, r)
	}
	for r := rune(0x202a); r <= 0x202e; r++ {
		odd = append(odd, r)
	}
	for r := rune(0x2060); r <= 0x206f; r++ {
		odd = append(odd, r)
	}
	for r := rune(0xfe00); r <= 0xfe0f; r++ {
		odd = append(odd, r)
	}
	for r := rune(0xe0020); r <= 0xe007e; r++ {
		odd = append(odd, r)
	}
	refused := 0
	for _, r := range odd {
		for _, name := range []string{"ap" + string(r) + "i", string(r) + "api", "api" + string(r)} {
			_, err := spec.Bind(context.Background(), args.Input{Text: name + " x"})
			var usage *args.UsageError
			require.ErrorAs(t, err, &usage, "%U", r)
			require.Contains(t, usage.Reason, fmt.Sprintf("U+%04X", r))
			require.Equal(t, "api x", usage.Try)
			refused++
		}
		b, err := spec.Bind(context.Background(), args.Input{Text: "api a" + string(r) + "b"})
		require.NoError(t, err)
		require.Equal(t, "a"+string(r)+"b", args.Value[note](b).Text, "%U", r)
	}
	t.Logf("T16: %d forms with %d characters refused in names, all kept in free text", refused, len(odd))
}

type directory struct {
	users map[string]adapter.User
	rooms map[string]adapter.Room
	err   error
	asked []string
}

func (d *directory) User(_ context.Context, query string) (adapter.User, error) {
	d.asked = append(d.asked, query)
	if u, ok := d.users[query]; ok {
		return u, nil
	}
	if d.err != nil {
		return adapter.User{}, d.err
	}
	return adapter.User{}, fmt.Errorf("test: %w", adapter.ErrNotFound)
}

func (d *directory) Room(_ context.Context, query string) (adapter.Room, error) {
	d.asked = append(d.asked, query)
	if r, ok := d.rooms[query]; ok {
		return r, nil
	}
	if d.err != nil {
		return adapter.Room{}, d.err
	}
	return adapter.Room{}, fmt.Errorf("test: %w", adapter.ErrNotFound)
}

func TestPeopleAndRooms(t *testing.T) {
	type tell struct {
		Who  adapter.User `arg:"who"`
		Room adapter.Room `arg:"room" word:"in" optional:""`
	}
	user := func(id, name string) adapter.User { return adapter.User{Adapter: "x", ID: id, Name: name} }
	dir := &directory{
		users: map[string]adapter.User{"U1": user("U1", "bob"), "@bob": user("U1", "bob"), "@me": user("U9", "me"), "me": user("me", "me")},
		rooms: map[string]adapter.Room{"C1": {ID: "C1", Name: "ops"}, "#ops": {ID: "C1", Name: "ops"}, "here": {ID: "here", Name: "odd"}},
	}
	in := args.Input{
		Mentions: []adapter.User{user("U2", "Ann Bo"), user("U3", "Ann"), user("U4", "twin"), user("U5", "Twin"), user("U6", "TWIN"), user("U2", "Ann Bo")},
		User:     user("U7", "asker"), Room: adapter.Room{ID: "C7", Name: "room"}, Resolver: dir,
	}
	for _, c := range []struct{ text, who, room string }{
		{"@Ann", "U3", ""},
		{"@ann bo in #ops", "U2", "C1"},
		{"who:@Ann Bo in ops", "U2", "C1"},
		{"--who=@Ann Bo C1", "U2", "C1"},
		{"<@U3>", "U3", ""},
		{"<@U1|whatever> <#C1|ops>", "U1", "C1"},
		{"U2", "U2", ""},
		{"U1", "U1", ""},
		{"bob", "U1", ""},
		{"@bob", "U1", ""},
		{"me here", "U7", "C7"},
		{`"me" "here"`, "me", "here"},
		{"<@me> <#here>", "me", "here"},
		{"U7", "wrong: who: nobody here is called U7", ""},
		{"bob in C7", "U1", "C7"},
		{"@twin", "wrong: who: @twin is the name of several people: give the id", ""},
		{"@nobody", "wrong: who: nobody here is called @nobody", ""},
		{"bob in #nowhere", "wrong: room: there is no room #nowhere", ""},
		{"b\u200bob", "wrong: who has U+200B ZERO WIDTH SPACE in it => bob", ""},
	} {
		t.Run(c.text, func(t *testing.T) {
			in := in
			in.Text = c.text
			b, err := compile[tell](t).Bind(context.Background(), in)
			if err != nil {
				require.Equal(t, c.who, bindInput[tell](t, in))
				return
			}
			v := args.Value[tell](b)
			require.Equal(t, c.who, v.Who.ID)
			require.Equal(t, c.room, v.Room.ID)
		})
	}
	in.Text = "someone"
	for _, c := range []struct {
		err  error
		want string
	}{
		{adapter.ErrAmbiguous, "wrong: who: the name fits several: mention it or give the id"},
		{adapter.ErrUnsupported, "wrong: who cannot be looked up here: mention it"},
		{adapter.ErrUnavailable, "args: look up: adapter: unavailable"},
	} {
		dir.err = c.err
		require.Equal(t, c.want, bindInput[tell](t, in))
	}
	in.Resolver, in.Text = nil, "bob"
	require.Equal(t, "wrong: who is a person: mention them with @", bindInput[tell](t, in))
	in.Text = "@Ann C1"
	require.Equal(t, "wrong: room is a room, and rooms cannot be looked up here", bindInput[tell](t, in))

	type many struct {
		All []adapter.User `arg:"all" rest:""`
	}
	dir = &directory{}
	require.Contains(t, bindInput[many](t, args.Input{Text: strings.Repeat("x ", 1000), Resolver: dir}), "wrong: all: nobody")
	require.LessOrEqual(t, len(dir.asked), 32)
	dir = &directory{users: map[string]adapter.User{"x": user("x", "x")}}
	require.Contains(t, bindInput[many](t, args.Input{Text: strings.Repeat("x ", 1000), Resolver: dir}), "wrong: too many people")
	require.LessOrEqual(t, len(dir.asked), 32)
}
