package markdown

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/starlingbot/starling/adapter"
)

// A node of a text stands in what goldmark reads as a placeholder: holdOpen, its number in hexadecimal digits from
// holdDigit on, holdClose. These noncharacters are neither space nor punctuation nor part of any construct, so that the
// placeholder is a word wherever it stands, and adapter.Nodes has taken all of them out of the markup.
const (
	holdOpen  = '\uFDD6'
	holdClose = '\uFDD7'
	holdDigit = '\uFDD8' // to U+FDE7
)

// engine parses the portable dialect; prose is the same without tables, for texts that have none. HTML is no part of it:
// what looks like it is text.
var engine, prose = newEngine(util.Prioritized(extension.NewTableParagraphTransformer(), 200)), newEngine()

func newEngine(tables ...util.PrioritizedValue) parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewSetextHeadingParser(), 100),
			util.Prioritized(parser.NewThematicBreakParser(), 200),
			util.Prioritized(parser.NewListParser(), 300),
			util.Prioritized(parser.NewListItemParser(), 400),
			util.Prioritized(parser.NewCodeBlockParser(), 500),
			util.Prioritized(parser.NewATXHeadingParser(), 600),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
			util.Prioritized(parser.NewBlockquoteParser(), 800),
			util.Prioritized(parser.NewParagraphParser(), 1000),
		),
		parser.WithInlineParsers(
			util.Prioritized(extension.NewTaskCheckBoxParser(), 0),
			util.Prioritized(parser.NewCodeSpanParser(), 100),
			util.Prioritized(parser.NewLinkParser(), 200),
			util.Prioritized(parser.NewAutoLinkParser(), 300),
			util.Prioritized(parser.NewEmphasisParser(), 500),
			util.Prioritized(extension.NewStrikethroughParser(), 500),
		),
		parser.WithParagraphTransformers(append(tables, util.Prioritized(parser.LinkReferenceParagraphTransformer, 100))...),
		parser.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)),
	)
}

// Parse reads a text of the portable dialect: CommonMark 0.31 (https://spec.commonmark.org/0.31.2/) without HTML, with the
// tables, strikethrough and task lists of GitHub (https://github.github.com/gfm/). Data, mentions, room links and times of
// package adapter are leaves of the tree wherever they stand, and have no influence on its structure.
//
// A line break within a paragraph is a line break, as people expect in a chat. What is no UTF-8 becomes U+FFFD.
func Parse(text string) *Document {
	if simple(text) {
		return oneParagraph(text)
	}
	c := converter{}
	c.source = c.hide(text)
	return c.document()
}

type converter struct {
	source string
	bytes  []byte         // source, for goldmark
	held   []adapter.Node // all pieces of the text; the number of a placeholder is an index
	slab   []Node
}

// hide puts placeholders in place of the nodes.
func (c *converter) hide(text string) string {
	if !strings.Contains(text, "\xEF\xB7") {
		return valid(text)
	}
	return c.hideNodes(adapter.Nodes(text), len(text))
}

// hideNodes puts placeholders in place of nodes; size is about what the result will have. A node without text has one too,
// so that what stands around it stays what it is.
func (c *converter) hideNodes(nodes []adapter.Node, size int) string {
	var b strings.Builder
	b.Grow(size + 64)
	c.held = nodes
	for i := range c.held {
		n := &c.held[i]
		if n.Kind == adapter.NodeMarkup {
			b.WriteString(valid(n.Text))
			continue
		}
		b.WriteRune(holdOpen)
		shift := 0
		for i>>shift >= 16 {
			shift += 4
		}
		for ; shift >= 0; shift -= 4 {
			b.WriteRune(holdDigit + rune(i>>shift&15))
		}
		b.WriteRune(holdClose)
	}
	return b.String()
}

// placeholder reads the placeholder that s begins with.
func (c *converter) placeholder(s string) (n *adapter.Node, size int) {
	r, size := utf8.DecodeRuneInString(s)
	if r != holdOpen {
		return nil, 0
	}
	index := 0
	for {
		r, k := utf8.DecodeRuneInString(s[size:])
		size += k
		switch {
		case r >= holdDigit && r < holdDigit+16:
			if index = index<<4 | int(r-holdDigit); index > len(c.held) {
				return nil, 0
			}
		case r == holdClose && index < len(c.held):
			return &c.held[index], size
		default:
			return nil, 0
		}
	}
}

func (c *converter) document() *Document {
	c.bytes = []byte(c.source)
	p := prose
	if strings.IndexByte(c.source, '|') >= 0 {
		p = engine
	}
	tree := p.Parse(text.NewReader(c.bytes))
	c.slab = make([]Node, 0, 8+len(c.source)/64+len(c.held))
	root := c.node(KindDocument)
	c.blocks(root, tree)
	return &Document{root}
}

func (c *converter) node(k Kind) *Node {
	if len(c.slab) == cap(c.slab) {
		c.slab = make([]Node, 0, 32)
	}
	c.slab = append(c.slab, Node{Kind: k})
	return &c.slab[len(c.slab)-1]
}

func (c *converter) add(parent *Node, k Kind) *Node {
	n := c.node(k)
	if parent.last == nil {
		parent.first = n
	} else {
		parent.last.next = n
	}
	parent.last = n
	return n
}

func (c *converter) blocks(parent *Node, from ast.Node) {
	for b := from.FirstChild(); b != nil; b = b.NextSibling() {
		switch b := b.(type) {
		case *ast.Paragraph:
			c.inlines(c.add(parent, KindParagraph), b)
		case *ast.TextBlock:
			c.inlines(c.add(parent, KindParagraph), b)
		case *ast.Heading:
			n := c.add(parent, KindHeading)
			n.Level = b.Level
			c.inlines(n, b)
		case *ast.ThematicBreak:
			c.add(parent, KindRule)
		case *ast.Blockquote:
			c.blocks(c.add(parent, KindQuote), b)
		case *ast.List:
			n := c.add(parent, KindList)
			n.Ordered, n.Loose, n.Level = b.IsOrdered(), !b.IsTight, b.Start
			c.blocks(n, b)
		case *ast.ListItem:
			n := c.add(parent, KindItem)
			if first := b.FirstChild(); first != nil {
				if box, ok := first.FirstChild().(*extast.TaskCheckBox); ok {
					if n.Task = TaskOpen; box.IsChecked {
						n.Task = TaskDone
					}
				}
			}
			c.blocks(n, b)
		case *ast.CodeBlock:
			c.add(parent, KindCodeBlock).Text = c.lines(b.Lines())
		case *ast.FencedCodeBlock:
			n := c.add(parent, KindCodeBlock)
			n.Text = c.lines(b.Lines())
			if b.Info != nil {
				info, _ := c.expand(string(b.Info.Segment.Value(c.bytes)), true)
				n.Target = language(info)
			}
		case *extast.Table:
			n := c.add(parent, KindTable)
			for r := b.FirstChild(); r != nil; r = r.NextSibling() {
				row := c.add(n, KindRow)
				for cell := r.FirstChild(); cell != nil; cell = cell.NextSibling() {
					to := c.add(row, KindCell)
					switch cell.(*extast.TableCell).Alignment {
					case extast.AlignLeft:
						to.Align = AlignLeft
					case extast.AlignRight:
						to.Align = AlignRight
					case extast.AlignCenter:
						to.Align = AlignCenter
					}
					c.inlines(to, cell)
				}
			}
		}
	}
}

// lines gives the content of a code block.
func (c *converter) lines(lines *text.Segments) string {
	if lines.Len() == 0 {
		return ""
	}
	var b strings.Builder
	for _, l := range lines.Sliced(0, lines.Len()) {
		b.Write(l.Value(c.bytes)) // with the padding of an expanded tab
	}
	s, _ := c.expand(strings.TrimSuffix(b.String(), "\n"), false)
	return s
}

// language takes the name of a language from an info string: its first word, where it is one that no platform can take for
// more than that.
func language(info string) string {
	info, _, _ = strings.Cut(strings.TrimSpace(info), " ")
	if len(info) > 24 {
		return ""
	}
	for i := range len(info) {
		if c := info[i]; !alnum(c) && strings.IndexByte("+-#._", c) < 0 {
			return ""
		}
	}
	return info
}

func (c *converter) inlines(parent *Node, from ast.Node) {
	for i := from.FirstChild(); i != nil; i = i.NextSibling() {
		switch i := i.(type) {
		case *ast.Text:
			c.text(parent, c.source[i.Segment.Start:i.Segment.Stop])
			if i.SoftLineBreak() || i.HardLineBreak() {
				c.add(parent, KindBreak)
			}
		case *ast.String:
			c.text(parent, string(i.Value))
		case *ast.CodeSpan:
			c.code(parent, i)
		case *ast.Emphasis:
			k := KindEmphasis
			if i.Level == 2 {
				k = KindStrong
			}
			c.inlines(c.add(parent, k), i)
		case *extast.Strikethrough:
			c.inlines(c.add(parent, KindStrike), i)
		case *ast.Link:
			n := c.add(parent, KindLink)
			c.target(n, string(i.Destination), true)
			c.inlines(n, i)
		case *ast.Image:
			n := c.add(parent, KindImage)
			c.target(n, string(i.Destination), true)
			c.inlines(n, i)
		case *ast.AutoLink:
			n := c.add(parent, KindLink)
			label := string(i.Label(c.bytes))
			address := label
			if i.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(address, "mailto:") {
				address = "mailto:" + address
			}
			c.target(n, address, false)
			label, _ = c.expand(label, false)
			c.add(n, KindText).Text = label
		}
	}
}

func (c *converter) code(parent *Node, span *ast.CodeSpan) {
	n := c.add(parent, KindCode)
	first, ok := span.FirstChild().(*ast.Text)
	if !ok {
		return
	}
	s := c.source[first.Segment.Start:first.Segment.Stop]
	if first.NextSibling() != nil {
		var b strings.Builder
		for t := ast.Node(first); t != nil; t = t.NextSibling() {
			if t, ok := t.(*ast.Text); ok {
				b.WriteString(c.source[t.Segment.Start:t.Segment.Stop])
			}
		}
		s = b.String()
	}
	s, _ = c.expand(strings.ReplaceAll(s, "\n", " "), false)
	n.Text = closed(s)
}

// text adds what a piece of text holds: text with its escapes resolved, and nodes.
func (c *converter) text(parent *Node, s string) {
	for s != "" {
		i := 0
		for i < len(s) && s[i] != '\\' && s[i] != '&' && s[i] != 0xEF {
			i++
		}
		if i < len(s) && s[i] != 0xEF || i < len(s) && !strings.Contains(s[i:], "\xEF\xB7") { // the rest has an escape, or another letter
			end := strings.Index(s, string(holdOpen))
			if end < 0 {
				end = len(s)
			}
			if end > 0 {
				c.literal(parent, unescape(s[:end]))
				s = s[end:]
				continue
			}
			i = 0
		}
		if i > 0 {
			c.literal(parent, s[:i])
			s = s[i:]
			continue
		}
		held, size := c.placeholder(s)
		if held == nil { // another character that begins like it
			_, size = utf8.DecodeRuneInString(s)
			c.literal(parent, s[:size])
			s = s[size:]
			continue
		}
		s = s[size:]
		n := c.add(parent, KindData)
		n.Text = closed(valid(held.Text))
		switch held.Kind {
		case adapter.NodeMention:
			n.Kind, n.Target = KindMention, valid(held.ID)
		case adapter.NodeRoom:
			n.Kind, n.Target = KindRoom, valid(held.ID)
		case adapter.NodeTime:
			n.Kind, n.Time = KindTime, held.Time
		}
	}
}

// valid makes s UTF-8 without control characters but for line feeds and tabs: no platform shows them, and some refuse them.
// The line and paragraph separators become line feeds.
func valid(s string) string {
	clean := true
	for i := 0; i < len(s) && clean; i++ {
		c := s[i]
		clean = c >= ' ' && c < 0x7f || c == '\n' || c == '\t' || c > 0x7f && c != 0xC2 && c != 0xE2
	}
	if !clean {
		if strings.IndexByte(s, '\r') >= 0 {
			s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
		}
		s = strings.Map(func(r rune) rune {
			switch {
			case r == 0x2028 || r == 0x2029 || r == 0x85:
				return '\n'
			case r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0:
				return -1
			}
			return r
		}, s)
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}

func (c *converter) literal(parent *Node, s string) {
	if l := parent.last; l != nil && l.Kind == KindText {
		l.Text += s
		return
	}
	c.add(parent, KindText).Text = s
}

// expand gives s with the text of the nodes in place of their placeholders. data: where the first one begins, or -1.
func (c *converter) expand(s string, escapes bool) (out string, data int) {
	data = -1
	if !strings.Contains(s, "\xEF\xB7") {
		if escapes {
			s = unescape(s)
		}
		return s, data
	}
	var b strings.Builder
	for s != "" {
		i := strings.Index(s, string(holdOpen))
		if i < 0 {
			i = len(s)
		}
		if i > 0 {
			if escapes {
				b.WriteString(unescape(s[:i]))
			} else {
				b.WriteString(s[:i])
			}
			s = s[i:]
			continue
		}
		held, size := c.placeholder(s)
		if held == nil {
			s = s[len(string(holdOpen)):]
			continue
		}
		if data < 0 {
			data = b.Len()
		}
		b.WriteString(heldText(held))
		s = s[size:]
	}
	return b.String(), data
}

func heldText(h *adapter.Node) string {
	n := Node{Text: valid(h.Text), Target: h.ID, Time: h.Time}
	switch h.Kind {
	case adapter.NodeMention:
		n.Kind = KindMention
	case adapter.NodeRoom:
		n.Kind = KindRoom
	case adapter.NodeTime:
		n.Kind = KindTime
		return n.Time.UTC().Format(time.RFC3339)
	default:
		return n.Text
	}
	return n.plain(nil)
}

// unescape resolves backslashes before punctuation and entities (CommonMark 2.4, 2.5).
func unescape(s string) string {
	if !strings.ContainsAny(s, `\&`) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && util.IsPunct(s[i+1]):
			i++
			b.WriteByte(s[i])
		case s[i] == '&':
			text, size := entity(s[i:])
			b.WriteString(text)
			i += size - 1
		default:
			b.WriteByte(s[i])
		}
	}
	return adapter.Strip(b.String()) // no entity makes a character that carries nodes
}

// entity reads the entity that s begins with.
func entity(s string) (text string, size int) {
	end := strings.IndexByte(s[:min(len(s), 40)], ';')
	if end < 2 {
		return "&", 1
	}
	name := s[1:end]
	if name[0] != '#' {
		if e, ok := util.LookUpHTML5EntityByName(name); ok {
			return string(e.Characters), end + 1
		}
		return "&", 1
	}
	digits, base := name[1:], 10
	if digits != "" && (digits[0] == 'x' || digits[0] == 'X') {
		digits, base = digits[1:], 16
	}
	v, err := strconv.ParseUint(digits, base, 32)
	if err != nil || len(digits) > 7 {
		return "&", 1
	}
	r := rune(v)
	if v == 0 || v > utf8.MaxRune || !utf8.ValidRune(r) {
		r = utf8.RuneError
	}
	if r == '\r' {
		r = '\n'
	}
	return string(r), end + 1
}

func quoted(s string) string { return strconv.Quote(s) }

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
