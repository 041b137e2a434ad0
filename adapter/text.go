package adapter

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A text carries data, mentions, room links and times between noncharacters (U+FDD0 to U+FDD5), which Unicode reserves
// for a program's own use and forbids in interchange (The Unicode Standard, section 23.7). Strip removes them from all
// that comes from outside, so nothing that people write can make a node, and a renderer knows data from markup whatever
// construct it stands in.
const (
	nodeData    = '\uFDD0' // nodeData text nodeEnd
	nodeMention = '\uFDD1' // nodeMention id nodeSep name nodeEnd
	nodeRoom    = '\uFDD2' // nodeRoom id nodeSep name nodeEnd
	nodeTime    = '\uFDD3' // nodeTime unix-seconds nodeEnd
	nodeSep     = '\uFDD4'
	nodeEnd     = '\uFDD5'
)

// Strip removes the characters with which texts carry nodes. Whatever comes from outside passes it.
func Strip(s string) string {
	if !strings.Contains(s, "\xEF\xB7") { // all of U+FDC0 to U+FDFF begin so: the usual text costs one scan
		return s
	}
	return strings.Map(func(r rune) rune {
		if r >= 0xFDD0 && r <= 0xFDEF {
			return -1
		}
		return r
	}, s)
}

// Data carries s inside a text as data: every adapter shows it as itself, and nothing in it is markup, a mention or a link.
// Empty data is a node too, so that what stands around it stays what it is ("**%s**").
func Data(s string) string { return string(nodeData) + Strip(s) + string(nodeEnd) }

// Mention makes a mention of u.
func Mention(u User) string {
	if u.ID == "" { // nobody to mention: only the name
		return Data(u.Name)
	}
	return string(nodeMention) + Strip(u.ID) + string(nodeSep) + Strip(u.String()) + string(nodeEnd)
}

// RoomLink makes a link to r.
func RoomLink(r Room) string {
	if r.ID == "" {
		return Data(r.String())
	}
	return string(nodeRoom) + Strip(r.ID) + string(nodeSep) + Strip(r.Name) + string(nodeEnd)
}

// Timestamp makes a time that each platform shows in the reader's zone where it can.
func Timestamp(t time.Time) string {
	return string(nodeTime) + strconv.FormatInt(t.Unix(), 10) + string(nodeEnd)
}

// Markup is a string that [Format] puts in as markup and not as data. Never convert text from people to it.
type Markup string

// Format works as fmt.Sprintf, but its arguments are data: what an argument prints is carried as by [Data], a [User]
// becomes a [Mention], a [Room] a [RoomLink], a time.Time a [Timestamp], a time.Duration loses the zeros at its end
// ("1h" for "1h0m0s"), and numbers and booleans stand as they are. Only
// the format and arguments of type [Markup] are markup.
func Format(format string, args ...any) string {
	if len(args) == 0 && !strings.Contains(format, "%") {
		return format
	}
	format, odd := nameVerbs(format)
	wrapped := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, uintptr, float32, float64, complex64, complex128:
			if wrapped[i] = a; odd {
				wrapped[i] = data{a}
			}
		case Markup:
			wrapped[i] = string(v)
		case User:
			wrapped[i] = node(Mention(v))
		case Room:
			wrapped[i] = node(RoomLink(v))
		case time.Time:
			wrapped[i] = node(Timestamp(v))
		case time.Duration:
			wrapped[i] = data{span(v)}
		default:
			wrapped[i] = data{a}
		}
	}
	return fmt.Sprintf(format, wrapped...)
}

// ownVerb is added to a verb that fmt answers without asking the argument, so that it does ask: data.Format takes it off.
const ownVerb = 0xE000

// nameVerbs renames %T, %p and %w, which would show the inside of data as markup. odd: there is one of these, or one that
// makes a character of a number (%c, %q, %U), so that numbers are data as well.
func nameVerbs(format string) (named string, odd bool) {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		for i++; i < len(format) && strings.IndexByte("+-# 0123456789.*[]", format[i]) >= 0; i++ {
		}
		if i < len(format) && strings.IndexByte("TpwcqU", format[i]) >= 0 {
			odd = true
			if strings.IndexByte("Tpw", format[i]) >= 0 {
				format = format[:i] + string(rune(format[i])+ownVerb) + format[i+1:]
			}
		}
	}
	return format, odd
}

// span prints a time.Duration without the zeros at its end.
type span time.Duration

func (d span) String() string {
	s := time.Duration(d).String()
	if short, ok := strings.CutSuffix(s, "m0s"); ok {
		s = short + "m"
	}
	if short, ok := strings.CutSuffix(s, "h0m"); ok {
		s = short + "h"
	}
	return s
}

// node prints itself whatever the verb.
type node string

func (n node) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(n)) }

// data prints its value by the verb and carries the result as data.
type data struct{ v any }

func (d data) Format(f fmt.State, verb rune) {
	if verb > ownVerb && verb <= ownVerb+'z' {
		verb -= ownVerb
	}
	if s, ok := d.v.(string); ok && verb != 'q' && verb != 'x' && verb != 'X' {
		if _, wide := f.Width(); !wide {
			if _, cut := f.Precision(); !cut && (verb == 's' || verb == 'v') && !f.Flag('#') {
				_, _ = f.Write([]byte(Data(s)))
				return
			}
		}
	}
	_, _ = f.Write([]byte(Data(fmt.Sprintf(fmt.FormatString(f, verb), d.v))))
}

// NodeKind tells what a [Node] of a text is.
type NodeKind int

// The kinds of node.
const (
	NodeMarkup  NodeKind = iota // portable Markdown: Text
	NodeData                    // data: Text
	NodeMention                 // a user: ID and Text, the name
	NodeRoom                    // a room: ID and Text, the name
	NodeTime                    // a time: Time
)

// Node is a piece of a text.
type Node struct {
	Kind NodeKind
	Text string
	ID   string
	Time time.Time
}

// Nodes splits a text into markup, data, mentions, room links and times. Characters that carry nodes but make none are
// dropped. It is for renderers.
func Nodes(text string) []Node {
	if !strings.Contains(text, "\xEF\xB7") {
		if text == "" {
			return nil
		}
		return []Node{{Text: text}}
	}
	var out []Node
	if n := strings.Count(text, string(nodeEnd)); n > 0 {
		out = make([]Node, 0, 1+2*n)
	}
	markup := func(s string) {
		if s = Strip(s); s != "" {
			out = append(out, Node{Text: s})
		}
	}
	for text != "" {
		start := strings.IndexFunc(text, func(r rune) bool { return r >= nodeData && r <= nodeTime })
		if start < 0 {
			markup(text)
			break
		}
		markup(text[:start])
		kind, size := utf8.DecodeRuneInString(text[start:])
		body, rest, closed := strings.Cut(text[start+size:], string(nodeEnd))
		if !closed { // cut off: show what is left as data, never as markup
			if body = Strip(body); body != "" {
				out = append(out, Node{Kind: NodeData, Text: body})
			}
			break
		}
		if n, ok := parseNode(kind, body); ok {
			out = append(out, n)
		}
		text = rest
	}
	return out
}

func parseNode(kind rune, body string) (Node, bool) {
	switch kind {
	case nodeMention, nodeRoom:
		id, name, _ := strings.Cut(body, string(nodeSep))
		n := Node{Kind: NodeMention, ID: Strip(id), Text: Strip(name)}
		if kind == nodeRoom {
			n.Kind = NodeRoom
		}
		return n, n.ID != ""
	case nodeTime:
		sec, err := strconv.ParseInt(body, 10, 64)
		return Node{Kind: NodeTime, Time: time.Unix(sec, 0).UTC()}, err == nil
	}
	return Node{Kind: NodeData, Text: Strip(body)}, true
}

// PlainText gives a text as plain text: data as it is, @name for a mention, #name for a room, times in UTC, and markup
// as it was written. It is what an adapter without a renderer of its own shows, and what logs show.
func PlainText(text string) string {
	if !strings.Contains(text, "\xEF\xB7") {
		return text
	}
	var b strings.Builder
	for _, n := range Nodes(text) {
		switch n.Kind {
		case NodeMention:
			b.WriteString("@" + n.Text)
		case NodeRoom:
			if n.Text == "" {
				b.WriteString(n.ID)
			} else {
				b.WriteString("#" + n.Text)
			}
		case NodeTime:
			b.WriteString(n.Time.Format("2006-01-02 15:04 UTC"))
		default:
			b.WriteString(n.Text)
		}
	}
	return b.String()
}
