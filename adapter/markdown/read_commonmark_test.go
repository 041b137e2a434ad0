package markdown_test

import (
	"fmt"
	"html"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// commonmark reads what a platform that follows CommonMark and GitHub makes of a text. inline reads the raw text of a leaf.
func commonmark(s string, withHTML, linkify bool, code, inline func(raw string) string) string {
	blocks := parser.DefaultBlockParsers()
	inlines := append(parser.DefaultInlineParsers(), util.Prioritized(extension.NewTaskCheckBoxParser(), 0),
		util.Prioritized(extension.NewStrikethroughParser(), 500))
	if !withHTML {
		blocks = append(blocks[:8:8], blocks[9])
		inlines = append(inlines[:3:3], inlines[4:]...)
	}
	if linkify {
		inlines = append(inlines, util.Prioritized(extension.NewLinkifyParser(extension.WithLinkifyEmailRegexp(gfmMail)), 999))
	}
	p := parser.NewParser(parser.WithBlockParsers(blocks...), parser.WithInlineParsers(inlines...),
		parser.WithParagraphTransformers(append(parser.DefaultParagraphTransformers(), util.Prioritized(extension.NewTableParagraphTransformer(), 200))...),
		parser.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)))
	src := []byte(s)
	var walk func(n ast.Node) string
	children := func(n ast.Node) string {
		var b, raw strings.Builder
		flush := func() {
			if raw.Len() > 0 {
				b.WriteString(inline(raw.String()))
				raw.Reset()
			}
		}
		for c := n.FirstChild(); c != nil; c = c.NextSibling() {
			if t, ok := c.(*ast.Text); ok {
				raw.Write(t.Segment.Value(src))
				if t.SoftLineBreak() || t.HardLineBreak() {
					raw.WriteByte('\n')
				}
				continue
			}
			flush()
			b.WriteString(walk(c))
		}
		flush()
		return b.String()
	}
	walk = func(n ast.Node) string {
		switch n := n.(type) {
		case *ast.Heading:
			return mark("h", children(n))
		case *ast.ThematicBreak:
			return "⟪!rule⟫"
		case *ast.HTMLBlock, *ast.RawHTML:
			return "⟪!html⟫"
		case *ast.CodeBlock:
			return "⟪!indented⟫" + string(n.Lines().Value(src))
		case *ast.FencedCodeBlock:
			return mark("pre", dashes(strings.TrimSuffix(code(string(n.Lines().Value(src))), "\n")))
		case *ast.List:
			var b strings.Builder
			i := n.Start
			for c := n.FirstChild(); c != nil; c = c.NextSibling() {
				if n.IsOrdered() {
					fmt.Fprintf(&b, "⟪%d.⟫", i)
				} else {
					b.WriteString("⟪•⟫")
				}
				i++
				b.WriteString(children(c))
			}
			return b.String()
		case *extast.TableCell:
			return "⟪td⟫" + children(n)
		case *ast.Emphasis:
			return mark(map[int]string{1: "i", 2: "b"}[n.Level], children(n))
		case *extast.Strikethrough:
			return mark("s", children(n))
		case *ast.CodeSpan:
			var b strings.Builder
			for c := n.FirstChild(); c != nil; c = c.NextSibling() {
				b.Write(c.(*ast.Text).Segment.Value(src))
			}
			return mark("c", code(b.String()))
		case *ast.Link:
			return "⟪l " + strings.ReplaceAll(html.UnescapeString(string(n.Destination)), "\uE07E", "~") + "⟫" + children(n) + "⟪/l⟫"
		case *ast.Image:
			return "⟪!image⟫"
		case *ast.AutoLink:
			return code(string(n.Label(src)))
		case *extast.TaskCheckBox:
			return "⟪!task⟫"
		}
		return children(n)
	}
	return walk(p.Parse(text.NewReader(src)))
}

// gfmMail: GitHub Flavored Markdown, section 6.9; goldmark's own takes backticks too.
var gfmMail = regexp.MustCompile(`^[A-Za-z0-9._+-]+@[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+`)

var escapes = regexp.MustCompile("\\\\[!-/:-@\\[-`{-~]|&#?[0-9a-zA-Z]+;")

const coded = 0xF0000 // a character that was escaped is no syntax any more

// literals resolves escapes and entities to characters that are no syntax.
func literals(raw string, allowed string) string {
	return escapes.ReplaceAllStringFunc(raw, func(m string) string {
		out := html.UnescapeString(m)
		if m[0] == '\\' {
			if strings.IndexByte(allowed, m[1]) < 0 {
				return "⟪!escape " + m[1:] + "⟫"
			}
			out = m[1:]
		}
		return strings.Map(func(r rune) rune { return r + coded }, out)
	})
}

func uncoded(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= coded && r < coded+0x3000 {
			return r - coded
		}
		return r
	}, s)
}

var (
	mmMention = regexp.MustCompile(`(^|[^a-zA-Z0-9_])@([a-z0-9][a-z0-9._-]*)`)
	mmChannel = regexp.MustCompile(`(^|[^a-zA-Z0-9_~])~([a-z0-9][a-z0-9._-]*)`)
	mmHashtag = regexp.MustCompile(`(^|[^\pL\d_])#(\pL[\pL\d_.-]*)`)
)

// readMattermost reads the Markdown of Mattermost: goldmark finds the structure, as the server and the mobile apps do by
// CommonMark; names and signs in the text are found as by the server and the web app (app/mention_parser_standard.go,
// text_formatting.tsx). The web app knows backslashes only before some characters.
func readMattermost(s string) string {
	// Only two tildes strike out: hide the single ones.
	single := regexp.MustCompile(`(^|[^~\\])~($|[^~])`)
	for range 2 { // neighbours overlap
		s = single.ReplaceAllString(s, "${1}\uE07E${2}")
	}
	show := func(s string) string { return strings.ReplaceAll(s, "\uE07E", "~") }
	return commonmark(s, true, true, show, func(raw string) string {
		s := literals(show(raw), "\\`*{}[]()#+-.!_>~|")
		s = mmHashtag.ReplaceAllString(s, "$1⟪!tag $2⟫")
		s = mmMention.ReplaceAllString(s, "$1⟪@$2⟫")
		s = mmChannel.ReplaceAllString(s, "$1⟪#$2⟫")
		s = emoji.ReplaceAllString(s, "⟪!emoji⟫")
		return uncoded(s)
	})
}
