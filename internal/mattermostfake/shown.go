package mattermostfake

import (
	"html"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	gmtext "github.com/yuin/goldmark/text"
)

// Shown gives the text of a post as people read it: markup and escapes resolved, with that of its attachments.
func Shown(p *Post) string {
	out := Plain(p.Message)
	for _, att := range attachments(p) {
		if t, ok := att["text"].(string); ok && t != "" {
			if out != "" {
				out += "\n\n"
			}
			out += Plain(t)
		}
	}
	return out
}

// Plain gives what Markdown shows, by a parser that the renderer under test does not share its escaping with.
func Plain(source string) string {
	md := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.TaskList))
	src := []byte(source)
	var b strings.Builder
	blocks(&b, md.Parser().Parse(gmtext.NewReader(src)), src, "")
	return strings.ReplaceAll(b.String(), "\u200b", "")
}

func blocks(b *strings.Builder, n ast.Node, src []byte, sep string) {
	first := true
	i := 0
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if !first {
			b.WriteString("\n")
			if sep == "" && c.HasBlankPreviousLines() {
				b.WriteString("\n")
			}
		}
		first = false
		i++
		switch c := c.(type) {
		case *ast.List:
			blocks(b, c, src, "item")
		case *ast.ListItem:
			if l, ok := n.(*ast.List); ok && l.IsOrdered() {
				b.WriteString(string(rune('0'+i%10)) + ". ")
			} else {
				b.WriteString("- ")
			}
			blocks(b, c, src, "")
		case *ast.Blockquote:
			blocks(b, c, src, "")
		case *ast.CodeBlock, *ast.FencedCodeBlock:
			lines := c.Lines()
			for i := range lines.Len() {
				seg := lines.At(i)
				b.Write(seg.Value(src))
			}
		case *ast.HTMLBlock:
			lines := c.Lines()
			for i := range lines.Len() {
				seg := lines.At(i)
				b.Write(seg.Value(src))
			}
		case *ast.ThematicBreak:
			b.WriteString("---")
		case *east.Table, *east.TableHeader, *east.TableRow:
			blocks(b, c, src, "row")
		default:
			inlines(b, c, src)
		}
	}
}

func inlines(b *strings.Builder, n ast.Node, src []byte) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			value := string(c.Segment.Value(src))
			if _, code := n.(*ast.CodeSpan); !code {
				value = unescape(value)
			}
			b.WriteString(value)
			if c.SoftLineBreak() || c.HardLineBreak() {
				b.WriteString("\n")
			}
		case *ast.String:
			b.Write(c.Value)
		case *ast.AutoLink:
			b.Write(c.URL(src))
		case *ast.RawHTML:
			for i := range c.Segments.Len() {
				seg := c.Segments.At(i)
				b.Write(seg.Value(src))
			}
		default:
			inlines(b, c, src)
		}
	}
}

// unescape resolves backslashes before punctuation, and entities.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", s[i+1]) >= 0 {
			i++
			b.WriteByte(s[i])
			continue
		}
		if s[i] == '&' {
			if end := strings.IndexByte(s[i:], ';'); end > 0 {
				entity := s[i : i+end+1]
				if u := html.UnescapeString(entity); u != entity {
					b.WriteString(u)
					i += end
					continue
				}
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
