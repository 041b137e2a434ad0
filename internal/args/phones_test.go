package args_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/args"
)

// T17: what the keyboards of phones and word processors make of quotes and dashes, and what it is read as. iOS and macOS turn
// "--" into an em dash and straight quotes into curly ones, Windows and Word "--" into an en dash; keyboards of other
// languages have quotes of their own. Text that is free is left as it was typed.
func TestPhones(t *testing.T) {
	type say struct {
		Wait  string `flag:"wait" short:"w"`
		Force bool   `flag:"force" short:"f"`
		Color bool   `flag:"color" default:"true"`
		Who   string `arg:"who"`
		Text  string `arg:"text" rest:"" optional:""`
	}
	spec := compile[say](t)
	forms := []struct{ from, text, want string }{
		{"as typed", `"a b" --force`, `"a b" --force`},
		{"iOS", `“a b” —force`, `"a b" --force`},
		{"iOS", `“a b” —wait 5m`, `"a b" --wait 5m`},
		{"iOS", `“a b” —wait=5m`, `"a b" --wait 5m`},
		{"iOS", `—wait “5 m” bob`, `bob --wait "5 m"`},
		{"iOS", `—wait=“5 m” bob`, `bob --wait "5 m"`},
		{"iOS", `wait:“5 m” bob`, `bob --wait "5 m"`},
		{"iOS", `‘a b’ —f`, `"a b" --force`},
		{"iOS", `‘it’s bob’`, `"it’s bob"`},
		{"iOS", `“it’s bob”`, `"it’s bob"`},
		{"iOS", `it’s`, `it’s`},
		{"iOS", `bob it’s “quoted” — and dashed —force`, `bob it’s “quoted” — and dashed —force`},
		{"iOS", `bob —no-color`, `bob --no-color`},
		{"iOS", `—force bob — hello`, `bob --force "— hello"`},
		{"iOS", `—Force Bob`, `Bob --force`},
		{"iOS", `Wait:5m Bob`, `Bob --wait 5m`},
		{"iOS, three hyphens", `bob —-force`, `bob --force`},
		{"macOS", `“a b” –force`, `"a b" --force`},
		{"macOS", `bob -–force`, `bob --force`},
		{"macOS", `bob –w 5m`, `bob --wait 5m`},
		{"macOS", `bob —w 5m`, `bob --wait 5m`},
		{"macOS", `bob —w=5m`, `bob --wait 5m`},
		{"macOS", `“”bob“”`, `"“”bob“”"`},
		{"macOS", `who:“bob” text:“a b”`, `bob a b`},
		{"macOS", `bob “a b”`, `bob a b`},
		{"macOS", `bob “a” “b”`, `bob "“a” “b”"`},
		{"macOS", "\u00a0bob\u00a0—force", `bob --force`},
		{"Windows", `bob –force –wait 5m`, `bob --wait 5m --force`},
		{"Windows", `bob – force`, `bob "– force"`},
		{"Windows", `“a b”–force`, `"“a" b”–force`},
		{"Word, minus sign", `bob −−force`, `bob --force`},
		{"Word, non-breaking hyphen", `bob ‑‑force`, `bob --force`},
		{"Word, hyphen", `bob ‐‐wait 5m`, `bob --wait 5m`},
		{"Word, horizontal bar", `bob ―force`, `bob --force`},
		{"Android", `"a b" ––force`, `"a b" --force`},
		{"Android", `bob ——force`, `bob --force`},
		{"Android, fullwidth", `bob －－force`, `bob --force`},
		{"Android, small", `bob ﹣﹣force`, `bob --force`},
		{"German", `„a b“ —force`, `"a b" --force`},
		{"German", `„a b” x`, `"a b" x`},
		{"German", `‚a b‘ x`, `"a b" x`},
		{"German", `»a b« x`, `"a b" x`},
		{"German", `›a b‹ x`, `"a b" x`},
		{"French", `«a b» x`, `"a b" x`},
		{"French", `‹a b› x`, `"a b" x`},
		{"French, spaced", `« a b » x`, `" a b " x`},
		{"Swedish", `”a b” x`, `"a b" x`},
		{"Swedish", `’a b’ x`, `"a b" x`},
		{"Polish", `„a b” —wait=„5 m”`, `"a b" --wait "5 m"`},
		{"reversed", `‟a b‟ x`, `"a b" x`},
		{"reversed", `‛a b‛ x`, `"a b" x`},
		{"half a pair", `“a b`, `"“a" b`},
		{"half a pair", `a” b`, `a” b`},
		{"half a pair", `who:“a b`, `"“a" b`},
		{"two kinds", `“a b' x`, `"“a" b' x`},
		{"inside straight quotes", `"a “b” — c" x`, `"a “b” — c" x`},
		{"inside straight quotes", `"—force" x`, `"—force" x`},
		{"a curly quote in a word", `a“b x`, `a“b x`},
		{"an ellipsis stays", `bob wait…`, `bob wait…`},
		{"backslashes stay", `“a\\b c” x`, `"a\\\\b c" x`},
		{"straight quotes in curly ones", `“a "b" c” x`, `"a \"b\" c" x`},
		{"after the end of flags", `-- bob —force`, `bob "—force"`},
		{"an unknown flag is text", `bob —hello there`, `bob "—hello there"`},
		{"a dash in the text", `bob see you — maybe –5 or so —wait`, `bob see you — maybe –5 or so —wait`},
	}
	for _, c := range forms {
		b, err := spec.Bind(context.Background(), args.Input{Text: c.text})
		require.NoError(t, err, "%s: %s", c.from, c.text)
		require.Equal(t, c.want, b.Canonical(), "%s: %s", c.from, c.text)
		again, err := spec.Bind(context.Background(), args.Input{Text: c.want})
		require.NoError(t, err, c.want)
		require.Equal(t, c.want, again.Canonical(), "once repaired it stays")
		require.Equal(t, args.Value[say](b), args.Value[say](again))
	}
	t.Logf("T17: %d of %d golden forms, each idempotent", len(forms), len(forms))
	require.GreaterOrEqual(t, len(forms), 60)
}
