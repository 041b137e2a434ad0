package args_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/args"
)

// every has an argument of each type; each of its fields may be left out or not.
type every struct {
	Name   string          `arg:"name"`
	Env    string          `arg:"env" word:"to" enum:"staging,prod,in progress" default:"staging"`
	Count  int             `arg:"count" word:"times" optional:""`
	Note   string          `arg:"note" optional:"" text:""`
	At     time.Time       `arg:"at" word:"at" optional:""`
	Text   string          `arg:"text" word:"saying" rest:"" optional:""`
	Wait   time.Duration   `flag:"wait" short:"w" default:"10m"`
	Force  bool            `flag:"force" short:"f"`
	Color  bool            `flag:"color" default:"true"`
	Small  int8            `flag:"small" short:"s"`
	Big    uint64          `flag:"big" default:"7"`
	Ratio  float64         `flag:"ratio" short:"r"`
	Short  float32         `flag:"short" default:"0.5"`
	Level  int             `flag:"level" enum:"1,2,30" default:"2"`
	URL    args.URL        `flag:"url" short:"u"`
	Path   args.Path       `flag:"path" default:"a/b"`
	Who    adapter.User    `flag:"who"`
	Room   adapter.Room    `flag:"room"`
	Ver    version         `flag:"version" default:"v1.2"`
	Key    hidden          `flag:"key"`
	Title  string          `flag:"title" default:"none"`
	Tags   []string        `flag:"tag" short:"t"`
	Ints   []int           `flag:"int"`
	Spans  []time.Duration `flag:"span"`
	People []adapter.User  `flag:"person"`
}

// lists has a slice for the rest.
type lists struct {
	First string   `arg:"first" optional:"" default:"one"`
	On    bool     `arg:"on" optional:""`
	All   []string `arg:"all" word:"all" rest:"" optional:""`
	N     int      `flag:"n"`
}

// anyone resolves every id.
type anyone struct{}

func (anyone) User(_ context.Context, q string) (adapter.User, error) {
	return adapter.User{ID: q}, nil
}
func (anyone) Room(_ context.Context, q string) (adapter.Room, error) {
	return adapter.Room{ID: q}, nil
}

// spice are words that a binder could take for something else.
var spice = []string{
	"", "//", "//a b", "to", "TO", "at", "saying", "all", "times", "--", "-", "-x", "--force", "—force", "–n", "env:prod", "NAME:x", "text:", `"`, `'`, `"a`, `a"`, `"a b"`, `'a b'`, "“a b”", "’tis", "it's", `\`, `a\`, `\"`, `a "b" c`,
	"name:\"x", `--title="a b`, "a=b", `x="a b"`, `x:"a b"`, "http://x", "-5", "−5", "today", "17:00", "me", "here", "<@U1>", "#ops", "@bob", "<", "a\nb", " a", "a ", "a  b", "\u00a0", "a\u3000b", "«a»", "„", "=", ":", "-=", "--=x", "x:", "true", "0",
}

func name(t *rapid.T, label string) string {
	s := rapid.OneOf(rapid.SampledFrom(spice), rapid.StringMatching(`[a-z"' :=\\-]{1,8}`), rapid.String()).Draw(t, label)
	return onlyNames(s)
}

// onlyNames makes s what a name may be.
func onlyNames(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == ' ' || r < 0x80 && unicode.IsPrint(r) || unicode.Is(unicode.Latin, r) && r < 0x250 || strings.ContainsRune("“”‘’„«»—–−", r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func free(t *rapid.T, label string) string {
	return rapid.OneOf(rapid.SampledFrom(spice), rapid.String(), rapid.StringMatching(`(--?[a-z]+|[a-z]+:|"|'|“|\\| |\n|[a-z]+){0,6}`)).Draw(t, label)
}

func times(t *rapid.T, label string) time.Time {
	if rapid.Bool().Draw(t, label+" zero") {
		return time.Time{}
	}
	return time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, label), rapid.Int64Range(0, 999999999).Draw(t, label+" ns")).UTC()
}

func ids(t *rapid.T, label string) string {
	return rapid.OneOf(rapid.StringMatching(`[A-Z0-9]{0,8}`), rapid.SampledFrom([]string{"me", "here", "ME", "@a:b.example", "#x", "<x>", "a b", "-1", "to", "name:x", "~y", `a"b`})).Draw(t, label)
}

func drawEvery(t *rapid.T) every {
	url, reason := args.URLRule{}.Parse(rapid.SampledFrom([]string{"https://a.example", "http://a.example:80/b?c=d&e=\"f\"#g", "https://a.example/'x'/ü"}).Draw(t, "url"))
	require.Empty(t, reason)
	path, reason := args.ParsePath(rapid.SampledFrom([]string{"a", "a b/c", "a/b", ".", "'x'", "to", "“a”"}).Draw(t, "path"))
	require.Empty(t, reason)
	v := every{
		Name: name(t, "name"), Env: rapid.SampledFrom([]string{"staging", "prod", "in progress"}).Draw(t, "env"), Count: rapid.Int().Draw(t, "count"), Note: free(t, "note"), At: times(t, "at"), Text: free(t, "text"),
		Wait: time.Duration(rapid.Int64().Draw(t, "wait")), Force: rapid.Bool().Draw(t, "force"), Color: rapid.Bool().Draw(t, "color"), Small: rapid.Int8().Draw(t, "small"), Big: rapid.Uint64().Draw(t, "big"),
		Ratio: finite(rapid.Float64().Draw(t, "ratio")), Short: float32(finite(float64(rapid.Float32().Draw(t, "short")))), Level: rapid.SampledFrom([]int{1, 2, 30}).Draw(t, "level"), URL: url, Path: path,
		Who: adapter.User{ID: ids(t, "who")}, Room: adapter.Room{ID: ids(t, "room")}, Ver: version{rapid.IntRange(0, 99).Draw(t, "major"), rapid.IntRange(0, 99).Draw(t, "minor")}, Key: hidden{free(t, "key")}, Title: name(t, "title"),
		Tags: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return name(t, "tag") }), 0, 3).Draw(t, "tags"), Ints: rapid.SliceOfN(rapid.Int(), 0, 3).Draw(t, "ints"),
	}
	if v.Name == "" {
		v.Name = "x"
	}
	for range rapid.IntRange(0, 2).Draw(t, "spans") {
		v.Spans = append(v.Spans, time.Duration(rapid.Int64().Draw(t, "span")))
	}
	for range rapid.IntRange(0, 2).Draw(t, "people") {
		if id := ids(t, "person"); id != "" {
			v.People = append(v.People, adapter.User{ID: id})
		}
	}
	if rapid.Bool().Draw(t, "few") { // where little is set, other things are left out
		v.Count, v.Note, v.At, v.Wait, v.Key, v.Ints, v.Spans, v.People, v.URL = 0, "", time.Time{}, 10*time.Minute, hidden{}, nil, nil, nil, args.URL{}
	}
	if len(v.Tags) == 0 {
		v.Tags = nil
	}
	if len(v.Ints) == 0 {
		v.Ints = nil
	}
	return v
}

func finite(f float64) float64 {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return 0
	}
	return f
}

func drawLists(t *rapid.T) lists {
	v := lists{First: name(t, "first"), On: rapid.Bool().Draw(t, "on"), N: rapid.Int().Draw(t, "n")}
	for range rapid.IntRange(0, 3).Draw(t, "all") {
		v.All = append(v.All, name(t, "one"))
	}
	return v
}

// The text of a value binds to the value; so do its full text and its options.
func roundTrip[A any](t *rapid.T, spec *args.Spec, v A) {
	in := args.Input{Resolver: anyone{}, User: adapter.User{ID: "asker"}, Room: adapter.Room{ID: "room"}}
	text := spec.Canonical(v)
	in.Text = text
	b, err := spec.Bind(context.Background(), in)
	require.NoError(t, err, "%s", text)
	require.Equal(t, v, args.Value[A](b), "%s", text)
	require.Equal(t, text, b.Canonical(), "the text of the same value is the same text")

	in.Text = spec.Format(v, args.Form{Full: true})
	b, err = spec.Bind(context.Background(), in)
	require.NoError(t, err, "%s", in.Text)
	require.Equal(t, v, args.Value[A](b), "%s", in.Text)
	require.Equal(t, text, b.Canonical())

	in.Text, in.Options = "", spec.Options(v)
	b, err = spec.Bind(context.Background(), in)
	require.NoError(t, err, "%q", in.Options)
	require.Equal(t, v, args.Value[A](b), "the native form of %s: %q", text, in.Options)
	require.Equal(t, in.Options, spec.Options(b.Pointer()))
	in.Options = b.Options()
	b, err = spec.Bind(context.Background(), in)
	require.NoError(t, err, "%q", in.Options)
	require.Equal(t, v, args.Value[A](b), "what was said, said again: %q", in.Options)
}

func TestCanonicalRoundTrip(t *testing.T) {
	spec, listSpec := compile[every](t), compile[lists](t)
	for range 10 { // of 100 values each
		rapid.Check(t, func(t *rapid.T) { roundTrip(t, spec, drawEvery(t)) })
		rapid.Check(t, func(t *rapid.T) { roundTrip(t, listSpec, drawLists(t)) })
	}
}

func TestCanonical(t *testing.T) {
	type note struct {
		Who  string `arg:"who" optional:""`
		Env  string `arg:"env" word:"to" enum:"staging,prod" default:"staging"`
		Loud bool   `flag:"loud" default:"true"`
		Text string `arg:"text" rest:"" optional:""`
	}
	for _, c := range []struct{ text, want string }{
		{"bob", "bob"},
		{"bob to staging", "bob"},
		{"bob to PROD hello", "bob prod hello"},
		{"--loud bob prod  it's  so ", "bob prod it's  so"},
		{"--no-loud bob prod it's so", "bob prod --no-loud it's so"},
		{"text:'a b'", `text:"a b"`},
		{"to prod", "env:prod"},
		{`text:"//"`, `text:"//"`}, // text:// would be a URL
		{"bob prod //", "bob prod //"},
		{`"to"`, `"to"`},
		{`"" prod`, "env:prod"},
		{`bob prod "--x"`, `bob prod "--x"`},
		{`bob prod "a"`, `bob prod a`},
		{"“bob” prod “a b”", "bob prod a b"},
	} {
		spec := compile[note](t)
		b, err := spec.Bind(context.Background(), args.Input{Text: c.text})
		require.NoError(t, err, c.text)
		require.Equal(t, c.want, b.Canonical(), c.text)
		b, err = spec.Bind(context.Background(), args.Input{Text: c.want})
		require.NoError(t, err)
		require.Equal(t, c.want, b.Canonical())
	}
	require.Equal(t, "api prod --wait 10m --no-force", compile[deploy](t).Format(deploy{Service: "api", Env: "prod", Wait: 10 * time.Minute}, args.Form{Full: true})+" --no-force")
	require.Equal(t, "2026-11-22T11:00:00Z", compile[struct {
		At time.Time `arg:"at"`
	}](t).Canonical(struct {
		At time.Time `arg:"at"`
	}{time.Date(2026, 11, 22, 12, 0, 0, 0, time.FixedZone("", 3600))}), "one instant, one text")
}

// T12: what a person says reaches a program's argv as it is, and nothing unquoted begins with a dash.
func TestArgv(t *testing.T) {
	type run struct {
		First string   `arg:"first"`
		Words []string `arg:"words" rest:""`
	}
	spec := compile[run](t)
	random := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		s := spice[random.IntN(len(spice))]
		for range random.IntN(3) {
			s += spice[random.IntN(len(spice))]
		}
		if s = onlyNames(s); s == "" {
			return "x"
		}
		return s
	}
	const inputs = 100_000
	unquoted := 0
	for range inputs {
		argv := []string{word()}
		for range 1 + random.IntN(4) {
			argv = append(argv, word())
		}
		b, err := spec.Bind(context.Background(), args.Input{Text: spec.Canonical(run{argv[0], argv[1:]})})
		if err != nil || !slices.Equal(argv, append([]string{args.Value[run](b).First}, args.Value[run](b).Words...)) {
			t.Fatalf("%q: %v", argv, err)
		}

		plain := strings.Join(argv, " ")
		b, err = spec.Bind(context.Background(), args.Input{Text: plain})
		line, _ := args.Parse(plain)
		if err != nil || slices.ContainsFunc(line.Tokens, func(tok args.Token) bool { return tok.Quoted || tok.Value == "--" }) {
			continue
		}
		unquoted++
		got := args.Value[run](b)
		for _, w := range append([]string{got.First}, got.Words...) {
			if strings.HasPrefix(w, "-") {
				t.Fatalf("%q gave %q", plain, w)
			}
		}
	}
	t.Logf("T12: %d argument vectors arrive as they were said; %d texts without quotes, none gave a value with a dash", inputs, unquoted)
	require.Greater(t, unquoted, 1000)
}

func FuzzBind(f *testing.F) {
	for _, s := range []string{
		"api to prod --wait 5m --force", "x env:prod -w5m -fs3 --no-color -r=-1.5 --tag a -t b --int -5 saying hi  there", "x staging 3 note today 17:00 —force “a b”", `"to" to "in progress" --title="a \"b\"" --key ''`,
		"x --url https://a.example --path a/b --who <@U1> --room #ops --person @Ann Bo --version v3.4", "-- -x --y", "x times: 3", "x --big=99999999999999999999 --lvel 3", "x\u200b pr\u043ed", "--help", "x at 2026-12-24 18:00",
	} {
		f.Add(s, "", "")
		f.Add("x", "env", s)
	}
	spec, listSpec := compile[every](f), compile[lists](f)
	in := args.Input{Resolver: anyone{}, User: adapter.User{ID: "asker"}, Room: adapter.Room{ID: "room"}, Now: noon, Mentions: []adapter.User{{ID: "U2", Name: "Ann Bo"}, {ID: "U3", Name: "Ann"}}}
	f.Fuzz(func(t *testing.T, text, option, value string) {
		in := in
		in.Text = text
		if option != "" {
			in.Options = map[string]string{option: value}
		}
		for _, s := range []*args.Spec{spec, listSpec} {
			b, err := s.Bind(context.Background(), in)
			var usage *args.UsageError
			var missing *args.Missing
			switch {
			case errors.As(err, &usage):
				require.LessOrEqual(t, usage.Start, usage.End)
				require.LessOrEqual(t, usage.End, len(usage.Text))
				shown := usage.Render()
				require.True(t, utf8.ValidString(strings.TrimSuffix(shown, usage.Try)), "%q", shown)
				require.NotEmpty(t, usage.Reason)
				require.NotContains(t, usage.Reason, "\n")
				if usage.Try != "" {
					again := in
					again.Text, again.Options = usage.Try, nil
					if _, err := s.Bind(context.Background(), again); err != nil {
						require.ErrorAs(t, err, &missing, "the correction %q of %q must be right", usage.Try, text)
					}
				}
			case errors.As(err, &missing):
				require.NotEmpty(t, missing.Fields)
			case err != nil:
				require.ErrorIs(t, err, args.ErrHelp)
			default:
				canonical := b.Canonical()
				again, err := s.Bind(context.Background(), args.Input{Text: canonical, Resolver: anyone{}, User: in.User, Room: in.Room, Now: noon})
				if len(canonical) > args.MaxText {
					return
				}
				require.NoError(t, err, "%q", canonical)
				require.Equal(t, canonical, again.Canonical())
				if e, ok := b.Pointer().(*every); ok && e.Room.ID != "room" && !strings.Contains(text+value, "@") { // people by mention have names
					require.True(t, reflect.DeepEqual(b.Pointer(), again.Pointer()), "%q", canonical)
				}
			}
		}
	})
}
