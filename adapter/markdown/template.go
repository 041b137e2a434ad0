package markdown

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Templates are messages kept in files: text/template in the portable dialect, where every value is data, as in
// [adapter.Format]. A User becomes a mention, a Room a link to it, a time.Time a time; numbers and booleans stand as they
// are. Only the text of the template is markup, and what passes the function markup:
//
//	**{{.Service}}** is {{.State}}, says {{.User}}.{{if .Note}} {{markup .Note}}{{end}}
//
// Give markup only what code wrote. The functions data and markup, and those of text/template, may be used; what
// printf, print, println, html, js, urlquery and slice give is data.
//
// A template may call another by the name of its file without .tmpl: {{template "footer" .}}.
type Templates struct {
	byPlatform map[string]map[string]*template.Template // platform, "" for all; then name
}

// NewTemplates parses every *.tmpl file at the top of files: NAME.tmpl for all platforms, NAME.PLATFORM.tmpl for the one
// with this [Dialect.Name] (slack, discord, mattermost, ansi, plain) instead. A name has no dots. The error names the
// file and the line of each mistake.
func NewTemplates(files fs.FS) (*Templates, error) {
	names, err := fs.Glob(files, "*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("markdown: templates: %w", err)
	}
	t := &Templates{byPlatform: map[string]map[string]*template.Template{}}
	var errs []error
	type file struct{ name, platform, path, text string }
	var parsed []file
	for _, path := range names {
		base := strings.TrimSuffix(path, ".tmpl")
		name, platform, _ := strings.Cut(base, ".")
		if name == "" || strings.Contains(platform, ".") {
			errs = append(errs, fmt.Errorf("markdown: templates: %s: the name is not NAME.tmpl or NAME.PLATFORM.tmpl", path))
			continue
		}
		text, err := fs.ReadFile(files, path)
		if err != nil {
			errs = append(errs, fmt.Errorf("markdown: templates: %w", err))
			continue
		}
		parsed = append(parsed, file{name, platform, path, adapter.Strip(string(text))})
	}
	platforms := map[string]bool{"": true}
	for _, f := range parsed {
		platforms[f.platform] = true
	}
	for platform := range platforms {
		set := map[string]*template.Template{}
		shared := template.New("").Funcs(functions()).Option("missingkey=error")
		for _, pass := range []string{"", platform} { // those of the platform take the place of the others
			for _, f := range parsed {
				if f.platform != pass {
					continue
				}
				trees, err := parseTemplate(f.path, f.text)
				if err != nil {
					if platform == f.platform {
						errs = append(errs, err)
					}
					continue
				}
				for name, tree := range trees {
					if name == f.path {
						name = f.name
					}
					if _, err := shared.AddParseTree(name, tree); err != nil && platform == f.platform {
						errs = append(errs, fmt.Errorf("markdown: templates: %s: %w", f.path, err))
					}
				}
				set[f.name] = shared.Lookup(f.name)
			}
			if platform == "" {
				break
			}
		}
		t.byPlatform[platform] = set
	}
	return t, errors.Join(errs...)
}

// parseTemplate parses a file. The name of the tree is the path, so that errors name it.
func parseTemplate(path, text string) (map[string]*parse.Tree, error) {
	t, err := template.New(path).Funcs(functions()).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("markdown: templates: %w", err)
	}
	trees := map[string]*parse.Tree{}
	for _, d := range t.Templates() {
		if d.Tree == nil || d.Tree.Root == nil {
			continue
		}
		escapeNode(d.Root)
		trees[d.Name()] = d.Tree
	}
	if trees[path] == nil { // an empty file
		empty := template.Must(template.New(path).Parse("{{/* empty */}}"))
		trees[path] = empty.Tree
	}
	return trees, nil
}

// Execute fills in the template name for a platform, a [Dialect.Name], or for all: "". The error names the file and the line.
// The result is a text for [adapter.Message]; a line feed at its end is dropped.
func (t *Templates) Execute(name, platform string, values any) (string, error) {
	set, ok := t.byPlatform[platform]
	if !ok {
		set = t.byPlatform[""]
	}
	tmpl := set[name]
	if tmpl == nil {
		return "", fmt.Errorf("markdown: templates: %s: %w", name, fs.ErrNotExist)
	}
	var b strings.Builder
	if err := tmpl.Execute(&b, values); err != nil {
		return "", fmt.Errorf("markdown: templates: %w", err)
	}
	return strings.TrimRight(b.String(), "\n"), nil
}

// escaper is the function that every pipeline whose value is shown ends with.
const escaper = "_starling_value"

func functions() template.FuncMap {
	return template.FuncMap{
		"markup": func(v any) adapter.Markup { return adapter.Markup(fmt.Sprint(v)) },
		"data":   func(v any) adapter.Markup { return adapter.Markup(adapter.Data(fmt.Sprint(v))) },
		escaper:  showValue,
	}
}

// showValue is what a value becomes in the text.
func showValue(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case adapter.Markup:
		return string(v)
	case *adapter.User:
		if v != nil {
			return adapter.Mention(*v)
		}
		return ""
	case *adapter.Room:
		if v != nil {
			return adapter.RoomLink(*v)
		}
		return ""
	case *time.Time:
		if v != nil {
			return adapter.Timestamp(*v)
		}
		return ""
	}
	return adapter.Format("%v", v)
}

// escapeNode makes every action of a template end with the escaper, as html/template does.
func escapeNode(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, c := range n.Nodes {
				escapeNode(c)
			}
		}
	case *parse.ActionNode:
		if len(n.Pipe.Decl) == 0 { // {{$x := ...}} shows nothing
			id := parse.NewIdentifier(escaper).SetPos(n.Pos)
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{id}})
		}
	case *parse.IfNode:
		escapeNode(n.List)
		escapeNode(n.ElseList)
	case *parse.RangeNode:
		escapeNode(n.List)
		escapeNode(n.ElseList)
	case *parse.WithNode:
		escapeNode(n.List)
		escapeNode(n.ElseList)
	}
}
