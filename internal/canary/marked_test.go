package canary_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/canary"
)

// secretFields are those of configurations that take secrets.
var secretFields = []string{"BotToken", "AppToken", "AdminToken", "Token", "SigningSecret", "SigningSecrets", "Secrets", "CommandTokens", "HookTokens", "SecretInput"}

// unmarked are the secrets in tests that may lack the mark, by file and text, with the reason.
var unmarked = map[string]string{
	"handler/secret_test.go: x":                        "its length is what is tested",
	"handler/secret_test.go: a1":                       "equality is what is tested",
	"handler/secret_test.go: a":                        "equality is what is tested",
	"handler/secret_test.go: b":                        "equality is what is tested",
	"handler/audit/audit_test.go: short":               "it is too short, which is what is tested",
	"internal/args/error_test.go: a b":                 "what is tested is that it is one word",
	"adapter/mattermost/adapter_test.go:  ":            "it is no token",
	"adapter/mattermost/receive_test.go: commandtoken": "it stands in the requests in testdata",
	"adapter/mattermost/receive_test.go: hooktoken":    "it stands in the requests in testdata",
}

// TestSecretsOfTestsAreMarked finds secrets in tests that a search would not see. It knows those that stand in a configuration, in
// handler.NewSecret and in the environment of a program.
func TestSecretsOfTestsAreMarked(t *testing.T) {
	const root = "../.."
	seen, used := 0, map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root) {
			return fs.SkipDir
		}
		// Examples are read by people, and print what they show.
		if !strings.HasSuffix(path, "_test.go") || d.Name() == "example_test.go" {
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		found, err := secretsIn(path, nil)
		for _, f := range found {
			seen++
			key := filepath.ToSlash(name) + ": " + f.text
			used[key] = true
			if f.text != "" && !strings.Contains(f.text, canary.Mark) && unmarked[key] == "" {
				t.Errorf("%s:%d: the secret %q does not have the mark %q: a search of the suite's outputs would not see it leave", name, f.line, f.text, canary.Mark)
			}
		}
		if err != nil {
			return err
		}
		return nil
	})
	require.NoError(t, err)
	for key, why := range unmarked {
		require.True(t, used[key], "%s (%s) is there no longer: take it off the list", key, why)
	}
	require.Greater(t, seen, 60, "the configurations of the tests are not found")
	t.Logf("%d secrets in tests", seen)
}

// written is a secret that is written out in a test.
type written struct {
	text string
	line int
}

// secretsIn finds the secrets in a file, or in src.
func secretsIn(path string, src any) (out []written, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	check := func(where token.Pos, e ast.Expr) {
		for _, text := range literals(e) {
			out = append(out, written{text, set.Position(where).Line})
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if id, ok := n.Key.(*ast.Ident); ok && slices.Contains(secretFields, id.Name) {
				check(n.Pos(), n.Value)
			}
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				if s, ok := l.(*ast.SelectorExpr); ok && slices.Contains(secretFields, s.Sel.Name) && len(n.Lhs) == len(n.Rhs) {
					check(n.Pos(), n.Rhs[i])
				}
			}
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "NewSecret" && len(n.Args) == 1 {
				check(n.Pos(), n.Args[0])
			}
		}
		return true
	})
	return out, nil
}

// TestSecretsOfTestsAreMarked sees the secrets that there are.
func TestSecretsAreSeen(t *testing.T) {
	for line, want := range map[string][]string{
		`_ = slack.Config{BotToken: "a", AppToken: "b" + "c", Name: "n", SigningSecrets: []string{"d", "e"}}`: {"a", "bc", "d", "e"},
		`cfg.Token, cfg.Name, cfg.Secrets = "a", "n", []string{"b"}`:                                          {"a", "b"},
		`_ = handler.NewSecret("a"); _ = handler.NewSecret(a); p.SecretInput = handler.NewSecret("b")`:        {"a", "b"},
		`_ = map[string]handler.Secret{"A": handler.NewSecret("a")}`:                                          {"a"},
		`_ = f{Token: fake.Token, AdminToken: canary.Secret("a"), HookTokens: nil}`:                           nil,
		`_ = f{Token: "a" + x}`: {"a"},
	} {
		found, err := secretsIn("x.go", "package x\n\nfunc f() {\n"+line+"\n}\n")
		require.NoError(t, err)
		var texts []string
		for _, f := range found {
			texts = append(texts, f.text)
			require.Equal(t, 4, f.line)
		}
		require.Equal(t, want, texts, line)
	}
}

// literals are the strings in e that are written out: not those of constants, which are checked where they are made, nor those in
// calls.
func literals(e ast.Expr) (out []string) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			out = append(out, text)
		}
	case *ast.BinaryExpr:
		left, right := literals(e.X), literals(e.Y)
		switch {
		case len(left) == 1 && len(right) == 1:
			out = append(out, left[0]+right[0])
		case fmt.Sprintf("%T", e.X) == "*ast.BasicLit":
			out = left
		}
	case *ast.CompositeLit:
		for _, x := range e.Elts {
			out = append(out, literals(x)...)
		}
	}
	return out
}
