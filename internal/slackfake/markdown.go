package slackfake

import (
	"bytes"
	"html"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

// reader reads standard Markdown with what Slack's markdown block has beyond it
// (https://docs.slack.dev/reference/block-kit/blocks/markdown-block). It is another one than the adapter's: HTML comes out.
var reader = goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.TaskList)) // read only

var (
	paragraphEnd = regexp.MustCompile(`</(p|h[1-6]|pre|ul|ol|table)>\n`)
	cellEnd      = regexp.MustCompile(`</t[hd]>\n`)
	code         = regexp.MustCompile(`(<code[^>]*>)([^<]*)(</code>)`)
	tag          = regexp.MustCompile(`<[^>]*>`)
)

// readMarkdown resolves the text of a markdown block: what formats disappears, so that data which formats is noticed.
func (s *Server) readMarkdown(text string) string {
	text = angle.ReplaceAllStringFunc(text, func(t string) string { // Slack's own tags
		if strings.HasPrefix(t, "<@") || strings.HasPrefix(t, "<#") || strings.HasPrefix(t, "<!") {
			return s.read(t, false)
		}
		return t
	})
	var b bytes.Buffer
	if err := reader.Convert([]byte(text), &b); err != nil {
		return "slackfake: " + err.Error()
	}
	converted := code.ReplaceAllStringFunc(b.String(), func(s string) string {
		m := code.FindStringSubmatch(s)
		return m[1] + hideMarks.Replace(m[2]) + m[3]
	})
	out := paragraphEnd.ReplaceAllString(converted, "\n\n")
	out = cellEnd.ReplaceAllString(out, "\t")
	out = emoji.ReplaceAllString(html.UnescapeString(tag.ReplaceAllString(out, "")), "[$1]")
	return strings.TrimSpace(showMarks.Replace(out))
}
