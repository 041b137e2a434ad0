package args_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/args"
)

func values(line args.Line) []string {
	out := []string{}
	for i := range line.Tokens {
		out = append(out, line.Head(&line.Tokens[i])+line.Tokens[i].Value)
	}
	return out
}

// The G rows about words; the others are in TestArgumentCases.
func TestParseCases(t *testing.T) {
	for _, c := range []struct {
		id, text string
		want     []string
	}{
		{"G1", `'a b' d`, []string{"a b", "d"}},
		{"G1 double", `"a b" d`, []string{"a b", "d"}},
		{"G2 apostrophe", `it's ok`, []string{"it's", "ok"}},
		{"G2 unbalanced", `"a b`, []string{`"a`, "b"}},
		{"G2 unbalanced single", `'a b`, []string{"'a", "b"}},
		{"G2 a quote in a word", `"a"b c"`, []string{`"a"b`, `c"`}},
		{"G2 two openers", `"a "b c`, []string{`"a`, `"b`, "c"}},
		{"G2 apostrophe in quotes", `'it's fine' x`, []string{"it's fine", "x"}},
		{"G2 12\" monitor", `12" monitor 14" two`, []string{`12"`, "monitor", `14"`, "two"}},
		{"G4", `“a b”`, []string{"a b"}},
		{"G4 and more", `c “a b” d`, []string{"c", "a b", "d"}},
		{"G4 single", `‘a b’`, []string{"a b"}},
		{"G4 apostrophe inside", `‘it’s fine’`, []string{"it’s fine"}},
		{"G4 German", `„a b“ x`, []string{"a b", "x"}},
		{"G4 Swedish", `”a b” x`, []string{"a b", "x"}},
		{"G4 French", `«a b» x`, []string{"a b", "x"}},
		{"G4 only as pairs", `“a b`, []string{"“a", "b"}},
		{"G4 only as pairs: smart and straight", `“a b"`, []string{"“a", `b"`}},
		{"G4 inside straight ones", `"he said “hi there” ok"`, []string{"he said “hi there” ok"}},
		{"G4 a backslash is one", `“a\\b”`, []string{`a\\b`}},
		{"G5", `a  b `, []string{"a", "b"}},
		{"G10 a line break splits", "a\nb", []string{"a", "b"}},
		{"T18 no-break space", "a\u00a0b\u202fc\u3000d\u2028e\u0085f", []string{"a", "b", "c", "d", "e", "f"}},
		{"T18 chat text", `#ops <@U1> <@U2|bob> <#C1|ops> ; && $HOME * a|b`, []string{"#ops", "<@U1>", "<@U2|bob>", "<#C1|ops>", ";", "&&", "$HOME", "*", "a|b"}},
		{"T18 &amp; is not decoded again", `a&amp;b`, []string{"a&amp;b"}},
		{"T16 zero width does not split", "a\u200bb", []string{"a\u200bb"}},
		{"empty", ``, []string{}},
		{"spaces", " \t\n\u00a0", []string{}},
		{"empty quotes", `"" ''`, []string{"", ""}},
		{"escapes", `"a \"b\" \\ \n"`, []string{`a "b" \ \n`}},
		{"an escaped end", `"a\" b`, []string{`"a\"`, "b"}},
		{"no escapes in single quotes", `'a\' b`, []string{`a\`, "b"}},
		{"no escapes outside", `a\ b \"c\"`, []string{`a\`, "b", `\"c\"`}},
		{"after a name", `env:"a b" --msg="c d" -m='e f' —msg=“g h”`, []string{"env:a b", "--msg=c d", "-m=e f", "—msg=g h"}},
		{"not after anything else", `a="b c" http://"x y"`, []string{`a="b`, `c"`, `http://"x`, `y"`}},
		{"not UTF-8", "a\xff\xfeb \xc2", []string{"a\xff\xfeb", "\xc2"}},
	} {
		t.Run(c.id, func(t *testing.T) {
			line, err := args.Parse(c.text)
			require.NoError(t, err)
			require.Equal(t, c.want, values(line))
		})
	}
}

func TestParseOffsets(t *testing.T) {
	line, err := args.ParseAt(`say  “ä b” x:"y"`, 3)
	require.NoError(t, err)
	require.Len(t, line.Tokens, 2)
	require.Equal(t, `“ä b”`, line.Text[line.Tokens[0].Start:line.Tokens[0].End])
	require.True(t, line.Tokens[0].Quoted)
	require.Empty(t, line.Head(&line.Tokens[0]))
	require.Equal(t, "x:", line.Head(&line.Tokens[1]))
	require.Equal(t, "y", line.Tokens[1].Value)
	_, err = args.ParseAt("abc", 4)
	require.Error(t, err)
	_, err = args.ParseAt("abc", -1)
	require.Error(t, err)
}

func TestParseReportsOdd(t *testing.T) { // T16
	line, err := args.Parse("a\u200b \u202eb \x1b \xff \U000E0061 \ufdd0 äöü 日本 \t\n")
	require.NoError(t, err)
	var got []string
	for _, o := range line.Odd {
		got = append(got, fmt.Sprintf("%d %s", o.Offset, args.CodePoint(o.Rune)))
	}
	require.Equal(t, []string{
		"1 U+200B ZERO WIDTH SPACE", "5 U+202E RIGHT-TO-LEFT OVERRIDE", "10 U+001B ESCAPE", "12 U+FFFD REPLACEMENT CHARACTER",
		"14 U+E0061 TAG 'a'", "19 U+FDD0 NONCHARACTER",
	}, got)
	line, err = args.Parse(strings.Repeat("\u200b", 100))
	require.NoError(t, err)
	require.Len(t, line.Odd, 64)
	line, err = args.Parse("nothing odd: \u00a0 é 👩 \n")
	require.NoError(t, err)
	require.Empty(t, line.Odd)
}

func TestParseLimits(t *testing.T) {
	_, err := args.Parse(strings.Repeat("a", args.MaxText))
	require.NoError(t, err)
	_, err = args.Parse(strings.Repeat("a", args.MaxText+1))
	require.ErrorIs(t, err, args.ErrTooLong)
	require.EqualError(t, err, "args: text too long: 16385 bytes, at most 16384 are read")
	line, err := args.Parse(strings.Repeat("a ", args.MaxTokens))
	require.NoError(t, err)
	require.Len(t, line.Tokens, args.MaxTokens)
	_, err = args.Parse(strings.Repeat("a ", args.MaxTokens+1))
	require.ErrorIs(t, err, args.ErrTooManyWords)
}

// Texts that make naive readers of quotes quadratic: 16 times the text may take at most 64 times as long.
func TestParseIsLinear(t *testing.T) {
	for _, piece := range []string{`"a `, `'a `, `“a `, `„a `, `'a'b `, `"\" `, `x:"a `, `‘a‘b `, `«a `, `“ " ' ‘ „ « `, `a:`, `--`, `\`} {
		small, large := strings.Repeat(piece, 1000/len(piece)), strings.Repeat(piece, 16000/len(piece))
		parse := func(s string) time.Duration {
			best := time.Hour
			for range 7 {
				start := time.Now()
				for range 16 {
					_, err := args.Parse(s)
					require.NoError(t, err)
				}
				best = min(best, time.Since(start))
			}
			return best
		}
		ratio := 0.0
		for range 5 { // a shared machine may be busy
			if ratio = float64(parse(large)) / float64(parse(small)); ratio < 64 {
				break
			}
		}
		require.Less(t, ratio, 64.0, "%q", piece)
	}
}

func FuzzTokenize(f *testing.F) {
	for _, s := range []string{
		`deploy api to prod --wait 5m --force`, `c 'a b' d`, `it's "ok`, `“a b” ‘c’ „d“`, "a\u200b\u00a0b", `x:"a\"b" --y='z'`, "\xff\"", `"\\"`,
		`--msg=“a b” —n 3`, "'a'b' c'", "\"\"\"", `""`,
	} {
		f.Add(s, 0)
	}
	f.Fuzz(func(t *testing.T, text string, offset int) {
		line, err := args.ParseAt(text, offset)
		if err != nil {
			return
		}
		require.Equal(t, text, line.Text)
		at := offset
		for i := range line.Tokens {
			tok := &line.Tokens[i]
			require.Empty(t, strings.TrimFunc(text[at:tok.Start], unicode.IsSpace), "nothing but space is lost")
			require.Less(t, tok.Start, tok.End)
			if i > 0 {
				require.Greater(t, tok.Start, at, "words are apart")
			}
			said := text[tok.Start:tok.End]
			if !tok.Quoted {
				require.Equal(t, said, tok.Value)
				require.Negative(t, strings.IndexFunc(said, unicode.IsSpace))
			} else {
				require.True(t, strings.HasPrefix(said, line.Head(tok)))
				require.LessOrEqual(t, len(line.Head(tok))+len(tok.Value)+2, len(said))
			}
			at = tok.End
		}
		require.Empty(t, strings.TrimFunc(text[at:], unicode.IsSpace))
		for _, o := range line.Odd {
			r, _ := utf8.DecodeRuneInString(text[o.Offset:])
			require.Equal(t, r, o.Rune)
		}
		// What was read, quoted anew, is read as the same.
		var b strings.Builder
		for i := range line.Tokens {
			fmt.Fprintf(&b, "\"%s\"\n", strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(line.Tokens[i].Value))
		}
		again, err := args.Parse(b.String())
		if err != nil { // longer than the limit
			return
		}
		require.Len(t, again.Tokens, len(line.Tokens))
		for i := range line.Tokens {
			require.Equal(t, line.Tokens[i].Value, again.Tokens[i].Value)
		}
	})
}
