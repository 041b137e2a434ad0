package markdown

import "strings"

// simple tells whether a text is one that every dialect shows as it is written: no nodes, no markup, nothing that is
// escaped anywhere, and no white space that goes.
func simple(s string) bool {
	if s == "" {
		return false
	}
	start := true // of a line
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch class[c] {
		case 0: // stands for itself
			start = false
		case 1: // markup or an escape, wherever it stands
			return false
		case 2: // markup at the beginning of a line
			if start {
				return false
			}
		case 3: // a colon: an address
			if i+1 < len(s) && s[i+1] == '/' {
				return false
			}
			start = false
		case 4: // space
			if start || i+1 == len(s) || s[i+1] == '\n' {
				return false
			}
		case 5: // line feed
			if start || i+1 == len(s) {
				return false
			}
			start = true
		}
	}
	return true
}

// oneParagraph is the document of a simple text.
func oneParagraph(text string) *Document {
	lines := 1 + strings.Count(text, "\n")
	nodes := make([]Node, 2*lines+1) // the document, the paragraph, and its texts with the breaks between them
	root, paragraph := &nodes[0], &nodes[1]
	root.Kind, root.first, root.last = KindDocument, paragraph, paragraph
	paragraph.Kind, paragraph.first, paragraph.last = KindParagraph, &nodes[2], &nodes[2*lines]
	for i := 2; ; i += 2 {
		line, rest, more := strings.Cut(text, "\n")
		nodes[i].Kind, nodes[i].Text = KindText, line
		if !more {
			return &Document{root}
		}
		text = rest
		nodes[i].next, nodes[i+1].Kind, nodes[i+1].next = &nodes[i+1], KindBreak, &nodes[i+2]
	}
}

var class = func() (t [256]uint8) {
	for i := range t {
		switch c := byte(i); {
		case c < ' ' || c == 0x7f || c >= 0x80: // controls; letters beyond ASCII may be noncharacters, spaces or not UTF-8
			t[i] = 1
		case c >= '0' && c <= '9':
			t[i] = 2
		}
	}
	for _, c := range []byte("\\`*_~[]<>&#|@") {
		t[c] = 1
	}
	for _, c := range []byte("-+=") {
		t[c] = 2
	}
	t[':'], t[' '], t['\n'] = 3, 4, 5
	return t
}()
