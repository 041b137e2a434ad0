package markdown_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/markdown"
)

func seeds(f *testing.F) {
	f.Add("# h\n\n**b** *i* ~~s~~ `c` [l](https://x.example) <https://y.example>\n\n- a\n  - b\n\n1. c\n\n> q\n> > r\n\n```go\nx\n```\n\n| a | b |\n|---|--:|\n| c | d |", "<!here> @all `x` *y*\n# z", uint16(40))
	f.Add("\t\t\t\t", "\xff\x00\f\x94b\xce", uint16(7))
	f.Add("000000000", "\t", uint16(2))
	f.Add("\u2000", " ", uint16(149))
	f.Add("*>*<ps:>", "<https://evil.example>", uint16(0))
	for i, h := range hostile {
		f.Add("x **"+h+"** `"+h+"`\n\n"+h, h, uint16(8+i))
	}
}

// fuzzed puts data into a text wherever it has a per cent sign, and at its end.
func fuzzed(text, data string) string {
	return strings.ReplaceAll(adapter.Strip(text), "%", adapter.Data(data)) + " " + adapter.Data(data)
}

// FuzzRender: any markup and any data give valid text without characters that carry nodes, and the structure of the
// document does not depend on the data.
func FuzzRender(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text, data string, _ uint16) {
		if len(text) > 2000 || len(data) > 500 || adapter.Strip(data) == "" {
			return
		}
		source := fuzzed(text, data)
		doc := markdown.Parse(source)
		require.Equal(t, shape(markdown.Parse(fuzzed(text, "x"))), shape(doc))
		for name, r := range renderers() {
			out := r.Document(doc).Text()
			require.True(t, utf8.ValidString(out), name)
			require.Equal(t, out, adapter.Strip(out), name)
			require.NotContains(t, out, "\x00", name)
		}
		for _, out := range []string{markdown.Slack().Document(doc).Text(), markdown.SlackBlock().Document(doc).Text()} {
			require.NotContains(t, out, "<!")
			require.NotContains(t, out, "<@")
			require.NotContains(t, out, "<#")
		}
	})
}

// FuzzSplit: no part is over the limit or empty, and the parts give the text.
func FuzzSplit(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text, data string, limit uint16) {
		if len(text) > 2000 || len(data) > 500 {
			return
		}
		source := fuzzed(text, data)
		doc := markdown.Parse(source)
		unit := units[int(limit)%3]
		n := int(limit)%500 + 8
		for name, r := range renderers() {
			whole := r.Document(doc)
			checkParts(t, name, source, whole, whole.Split(n, unit), n, unit)
			checkParts(t, name, source, nil, r.Parts(doc, n, unit), n, unit)
		}
		raw := strings.ToValidUTF8(text, "?")
		for _, p := range markdown.Split(raw, n, unit) {
			require.LessOrEqual(t, unit.Len(p), n)
		}
	})
}
