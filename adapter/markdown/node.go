package markdown

import (
	"iter"
	"strings"
	"time"
)

// Kind tells what a [Node] is.
type Kind uint8

// The kinds of node. Blocks first, then what stands in a line.
const (
	KindDocument  Kind = iota
	KindParagraph      // inline children
	KindHeading        // inline children; Level 1 to 6
	KindQuote          // block children
	KindList           // items; Ordered with Level as the first number; Loose has blank lines between items
	KindItem           // block children; Task
	KindCodeBlock      // Text, and Target: the language, or ""
	KindTable          // rows; the first one is the header
	KindRow            // cells
	KindCell           // inline children; Align
	KindRule           // a line across

	KindText     // Text of the markup, its escapes resolved
	KindData     // Text that is data
	KindMention  // Target: the user's id; Text: the name
	KindRoom     // Target: the room's id; Text: the name
	KindTime     // Time
	KindStrong   // inline children
	KindEmphasis // inline children
	KindStrike   // inline children
	KindCode     // Text
	KindLink     // inline children: the label. Target: the address, "" if it is none that may be linked; Text: as written
	KindImage    // as KindLink; the children are the description
	KindBreak    // a new line
	numKinds
)

var kindNames = [numKinds]string{"document", "paragraph", "heading", "quote", "list", "item", "code block", "table", "row", "cell", "rule",
	"text", "data", "mention", "room", "time", "strong", "emphasis", "strike", "code", "link", "image", "break"}

// String names the kind.
func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return "unknown"
}

// Align is how a column of a table is aligned.
type Align uint8

// The alignments.
const (
	AlignNone Align = iota
	AlignLeft
	AlignRight
	AlignCenter
)

// Task is the state of an item of a task list.
type Task uint8

// The states of an item; TaskNone is that of an ordinary one.
const (
	TaskNone Task = iota
	TaskOpen
	TaskDone
)

// Node is an element of a [Document]. What the fields hold is said at the [Kind]s. Nodes are read only.
type Node struct {
	Kind    Kind
	Align   Align
	Task    Task
	Ordered bool
	Loose   bool
	// Foreign is set on a link whose host is, wholly or in part, data: its host is shown where the label hides it.
	Foreign bool
	Level   int
	Text    string
	Target  string
	Time    time.Time

	first, last, next *Node
}

// Children gives the children in order.
func (n *Node) Children() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		for c := n.first; c != nil; c = c.next {
			if !yield(c) {
				return
			}
		}
	}
}

// First gives the first child, or nil.
func (n *Node) First() *Node { return n.first }

// Next gives the next sibling, or nil.
func (n *Node) Next() *Node { return n.next }

// Document is a parsed text. It is read only and may be used concurrently.
type Document struct {
	root *Node
}

// Root gives the node of kind [KindDocument].
func (d *Document) Root() *Node { return d.root }

// String shows the structure of the document, one node a line, for tests and for debugging.
func (d *Document) String() string {
	var b strings.Builder
	var walk func(n *Node, depth int)
	walk = func(n *Node, depth int) {
		b.WriteString(strings.Repeat("  ", depth) + n.Kind.String())
		switch n.Kind {
		case KindText, KindData, KindCode, KindCodeBlock, KindMention, KindRoom, KindLink, KindImage:
			b.WriteString(" " + quoted(n.Text))
			if n.Target != "" {
				b.WriteString(" " + quoted(n.Target))
			}
		}
		b.WriteByte('\n')
		for c := range n.Children() {
			walk(c, depth+1)
		}
	}
	walk(d.root, 0)
	return b.String()
}

// timeText is how a time is shown where the platform has no times.
func timeText(t time.Time, loc *time.Location) string {
	if loc == nil {
		return t.UTC().Format("2006-01-02 15:04 UTC")
	}
	return t.In(loc).Format("2006-01-02 15:04 MST")
}

// plain gives what a leaf shows where it can be nothing but text.
func (n *Node) plain(loc *time.Location) string {
	switch n.Kind {
	case KindMention:
		return "@" + n.Text
	case KindRoom:
		if n.Text == "" {
			return n.Target
		}
		return "#" + n.Text
	case KindTime:
		return timeText(n.Time, loc)
	case KindBreak:
		return " "
	}
	return n.Text
}

// appendPlain appends the text of n and of what is below it.
func (n *Node) appendPlain(dst []byte, loc *time.Location) []byte {
	if n.Kind == KindLink || n.Kind == KindImage || n.first != nil {
		for c := n.first; c != nil; c = c.next {
			dst = c.appendPlain(dst, loc)
		}
		return dst
	}
	return append(dst, n.plain(loc)...)
}
