package markdown_test

import (
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/markdown"
)

func files(pairs ...string) fs.FS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

func TestTemplates(t *testing.T) {
	ts, err := markdown.NewTemplates(files(
		"deploy.tmpl", "**{{.Name}}** by {{.User}} in {{.Room}} at {{.At}}: {{.N}}{{range .Items}}\n- {{.}}{{end}}\n",
		"deploy.slack.tmpl", "*slack* {{template \"footer\" .}}",
		"footer.tmpl", "`{{.Name}}`",
		"footer.slack.tmpl", "for slack: {{.Name | printf \"<%s>\"}}",
		"trusted.tmpl", "{{markup .Name}} {{.Name | markup}} {{data .Name}} {{$x := .Name}}{{$x}} {{with .Name}}{{.}}{{else}}{{.}}{{end}} {{if eq .N 3}}yes{{end}}",
		"inner.tmpl", "{{define \"part\"}}<{{.}}>{{end}}{{template \"part\" .Name}}",
		"empty.tmpl", "",
	))
	require.NoError(t, err)
	at := time.Unix(1767225600, 0)
	values := map[string]any{"Name": "*x*", "User": adapter.User{ID: "U1", Name: "alice"}, "Room": adapter.Room{ID: "C1", Name: "ops"},
		"At": at, "N": 3, "Items": []string{"# a", "<!here>"}}
	for _, c := range []struct{ name, platform, want string }{
		{"deploy", "", adapter.Format("**%s** by %s in %s at %s: 3\n- %s\n- %s", "*x*", values["User"], values["Room"], at, "# a", "<!here>")},
		{"deploy", "discord", adapter.Format("**%s** by %s in %s at %s: 3\n- %s\n- %s", "*x*", values["User"], values["Room"], at, "# a", "<!here>")},
		{"deploy", "slack", adapter.Format("*slack* for slack: %s", "<*x*>")},
		{"footer", "mattermost", adapter.Format("`%s`", "*x*")},
		{"trusted", "", adapter.Format("*x* *x* %s %s %s yes", "*x*", "*x*", "*x*")},
		{"inner", "slack", adapter.Format("<%s>", "*x*")},
		{"empty", "", ""},
	} {
		got, err := ts.Execute(c.name, c.platform, values)
		require.NoError(t, err)
		require.Equal(t, c.want, got, c.name)
	}
	wire, err := ts.Execute("deploy", "", values)
	require.NoError(t, err)
	require.Contains(t, markdown.Discord().Render(wire), "**\\*x\\*\u200b** by")
}

func TestTemplateErrors(t *testing.T) {
	for _, c := range []struct {
		name, file, text, want string
	}{
		{"syntax", "a.tmpl", "one\ntwo {{.X", "a.tmpl:2"},
		{"function", "a.slack.tmpl", "one\n{{nope .}}", "a.slack.tmpl:2"},
		{"name", "a.b.c.tmpl", "", "a.b.c.tmpl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := markdown.NewTemplates(files(c.file, c.text))
			require.ErrorContains(t, err, c.want)
		})
	}
	ts, err := markdown.NewTemplates(files("a.tmpl", "one\ntwo {{.Missing}}", "b.tmpl", "{{template \"none\"}}"))
	require.NoError(t, err)
	_, err = ts.Execute("a", "", map[string]any{})
	require.ErrorContains(t, err, "a.tmpl:2")
	_, err = ts.Execute("a", "slack", struct{ X int }{})
	require.ErrorContains(t, err, "a.tmpl:2")
	_, err = ts.Execute("none", "", nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
