package args_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/args"
)

func usage[A any](t testing.TB, in args.Input) *args.UsageError {
	t.Helper()
	_, err := compile[A](t).Bind(context.Background(), in)
	var u *args.UsageError
	require.ErrorAs(t, err, &u)
	return u
}

func TestRender(t *testing.T) {
	type note struct {
		Who  string `arg:"who"`
		N    int    `arg:"n"`
		Text string `arg:"text" rest:"" optional:""`
	}
	long := strings.Repeat("word ", 40)
	for _, c := range []struct {
		name string
		err  *args.UsageError
		want string
	}{
		{"wrong enum", usage[deploy](t, args.Input{Text: "deploy api to porod", Offset: 6}), `
deploy api to porod
              ^^^^^
env is one of staging, prod
try: deploy api to prod`},
		{"no correction", usage[note](t, args.Input{Text: "note bob x", Offset: 4}), `
note bob x
         ^
n is a whole number`},
		{"wide characters", usage[note](t, args.Input{Text: "note 東京👍 ｘ", Offset: 4}), `
note 東京👍 ｘ
            ^^
n is a whole number`},
		{"combining characters", usage[note](t, args.Input{Text: "note e\u0301a\u0308 x\u0301", Offset: 4}), "\n" +
			"note e\u0301a\u0308 x\u0301\n" +
			"        ^\n" +
			"n is a whole number"},
		{"tabs and lines", usage[note](t, args.Input{Text: "note\tbob\nx", Offset: 4}), `
note\tbob\nx
           ^
n is a whole number`},
		{"what cannot be seen", usage[note](t, args.Input{Text: "note b\u202eob 1", Offset: 4}), `
note b<U+202E>ob 1
     ^^^^^^^^^^^
who has U+202E RIGHT-TO-LEFT OVERRIDE in it
try: note bob 1`},
		{"bytes", usage[note](t, args.Input{Text: "note b\xffb 1", Offset: 4}), `
note b\xFFb 1
     ^^^^^^
who has a byte that is no text in it`},
		{"nodes of texts", usage[note](t, args.Input{Text: "note a\ufdd1U1\ufdd4x\ufdd5 1", Offset: 4}), `
note a<U+FDD1>U1<U+FDD4>x<U+FDD5> 1
     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
who has U+FDD1 NONCHARACTER in it
try: note aU1x 1`},
		{"a quoted word", usage[deploy](t, args.Input{Text: `deploy api to "porod"`, Offset: 6}), `
deploy api to "porod"
              ^^^^^^^
env is one of staging, prod
try: deploy api to prod`},
		{"a value of a flag", usage[deploy](t, args.Input{Text: "deploy api prod --wait=5", Offset: 6}), `
deploy api prod --wait=5
                       ^
wait needs a unit: 5s, 5m, 5h or 5d`},
		{"long before", usage[note](t, args.Input{Text: "note \"" + long + "\" x", Offset: 4}), `
…d word word word word word word word word word word word word word " x
                                                                      ^
n is a whole number`},
		{"long after", usage[note](t, args.Input{Text: "note bob x " + long, Offset: 4}), `
note bob x word word word word word word word word word word word word …
         ^
n is a whole number`},
		{"long on both sides", usage[note](t, args.Input{Text: "note \"" + long + "\" x " + long, Offset: 4}), `
… word word word word word " x word word word word word word word word …
                             ^
n is a whole number`},
		{"a long word", usage[deploy](t, args.Input{Text: "deploy api " + strings.Repeat("x", 200), Offset: 6}), `
deploy api xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
env is one of staging, prod`},
		{"several", usage[deploy](t, args.Input{Text: "deploy --wait x", Offset: 6}), `
deploy --wait x
              ^
wait is a time span: 90s, 5m, 1h30m, 2d, 1w
missing: service, env`},
		{"G14 several wrong", usage[deploy](t, args.Input{Text: "deploy api moon -w x", Offset: 6}), `
deploy api moon -w x
           ^^^^
env is one of staging, prod
also: wait is a time span: 90s, 5m, 1h30m, 2d, 1w`},
		{"an option of a native command", usage[deploy](t, args.Input{Text: "deploy", Offset: 6, Options: map[string]string{"env": "pord", "service": "a b"}}), `
deploy service:"a b" env:pord
                         ^^^^
env is one of staging, prod
try: deploy service:"a b" env:prod`},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, strings.TrimPrefix(c.want, "\n"), c.err.Render())
			require.Equal(t, "args: "+c.err.Reason, c.err.Error())
		})
	}
	u := usage[note](t, args.Input{Text: strings.Repeat("ä", args.MaxText)})
	require.True(t, errors.Is(u, args.ErrTooLong))
	require.True(t, utf8.ValidString(u.Text))
	require.Less(t, len(u.Render()), 400)
}

// T19 in part: no error shows a secret, whatever else is wrong.
func TestSecretsAreMasked(t *testing.T) {
	type login struct {
		User  string `arg:"user"`
		Token hidden `arg:"token" optional:""`
		Key   string `flag:"key" short:"k" secret:""`
		N     int    `flag:"n"`
	}
	const canary = "cnrymark2canary"
	forms := []string{
		"bob " + canary + " --n x", "bob --key " + canary + " --n x", "bob --key=" + canary + " -x", "bob key:" + canary + " n:x", "bob -k" + canary + " n:x",
		"bob -k " + canary + " -k " + canary, "bob key: " + canary, "bob --kye " + canary, "bob --kye=" + canary, "bob ok " + canary, "bob -" + canary, "bob --" + canary, "bob ok " + canary + " " + canary,
		"bob --n x token:\"" + canary + " " + canary + "\"", "bob --key \"a " + canary + " --n x", "bob --key -" + canary, "bob ok -z" + canary, "bob —" + canary + " --n x",
		"bob ok --key x -n " + canary, "bob --n x -- " + canary, "bob --no-key " + canary, "bob --key" + canary, strings.Repeat("x", args.MaxText) + canary,
		canary + strings.Repeat("x", args.MaxText),
	}
	for _, text := range forms {
		u := usage[login](t, args.Input{Text: "login " + text, Offset: 5})
		shown := u.Render() + u.Error() + u.Text + u.Try
		for _, m := range u.More {
			shown += m.Reason
		}
		require.NotContains(t, shown, canary, text)
		require.LessOrEqual(t, u.End, len(u.Text))
		require.LessOrEqual(t, u.Start, u.End)
	}
	type keyed struct {
		User string `arg:"user"`
		Key  string `flag:"key" secret:""`
	}
	for _, text := range []string{"--kye " + canary, "-k " + canary, "--kye=x " + canary, canary + " " + canary + " --x"} {
		u := usage[keyed](t, args.Input{Text: text})
		if text[0] == '-' {
			require.NotContains(t, u.Render()+u.Text, canary, "what follows a flag that there is not may be a secret")
		}
	}
	t.Logf("T19: %d wrong texts with a secret, none shown", len(forms))
	u := usage[login](t, args.Input{Text: "login", Offset: 5, Options: map[string]string{"user": "bob", "key": canary, "token": canary, "n": "x"}})
	require.Equal(t, "login user:bob token:[secret] key:[secret] n:x\n                                             ^\nn is a whole number", u.Render())

	spec := compile[login](t)
	b, err := spec.Bind(context.Background(), args.Input{Text: "bob " + canary + " --key " + canary})
	require.NoError(t, err)
	require.Equal(t, "bob "+canary+" --key "+canary, b.Canonical())
	require.Equal(t, "bob [secret] --key [secret]", b.Format(args.Form{Mask: true}))
	require.Equal(t, "bob [secret] --key [secret] --n 3", spec.Format(login{User: "bob", Token: hidden{"a b"}, Key: "x", N: 3}, args.Form{Mask: true}))
	type rest struct {
		Text string `arg:"text" rest:"" secret:""`
	}
	require.Equal(t, "[secret]", compile[rest](t).Format(rest{"a b"}, args.Form{Mask: true}))
}
