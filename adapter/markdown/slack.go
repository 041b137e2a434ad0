package markdown

import (
	"fmt"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Slack shows documents in mrkdwn, for the text of a message and for text objects of type mrkdwn
// (https://docs.slack.dev/messaging/formatting-message-text). It has no headings, lists or tables: they become bold lines,
// lines with bullets, and aligned code. & < > are escaped as entities, which is all that mentions and links need.
//
// mrkdwn cannot escape * _ ~ and backticks: here they are kept apart from what they would format by zero-width spaces.
// [SlackBlock] can escape them. Send the text with link_names off and without parse=full.
func Slack() *Renderer {
	return &Renderer{Dialect: Dialect{
		Name:        "slack",
		Strong:      Marks{"*", "*"},
		Emphasis:    Marks{"_", "_"},
		Strike:      Marks{"~", "~"},
		Heading:     func(int) Marks { return Marks{"*", "*"} },
		Rule:        "———",
		Bullets:     []string{"• ", "◦ ", "▪ "},
		Tasks:       [2]string{"☐ ", "☑ "},
		Quote:       "> ",
		QuoteInner:  "│ ",
		Fence:       FenceThree,
		Boundary:    zwsp,
		PlainLabels: true,
		Escape:      slackEscape,
		Code:        slackCode,
		CodeLine:    slackCodeLine,
		Link: func(w *Writer, address string, label func()) {
			w.Raw("<" + slackAddress(address) + "|")
			label()
			w.Raw(">")
		},
		URL: func(w *Writer, address string) bool {
			w.Raw("<" + slackAddress(address) + ">")
			return true
		},
		Mention:  slackMention,
		RoomLink: slackRoom,
		Time:     slackTime,
		Notify:   slackNotify,
	}}
}

// SlackBlock shows documents for a block of type markdown
// (https://docs.slack.dev/reference/block-kit/blocks/markdown-block), which keeps more than mrkdwn: headings, lists, tables
// (with Dialect.Tables), the language of code, and escapes for everything. All such blocks of a message have 12,000
// characters together. A message with blocks needs a plain text for notifications as well: [Plain].
func SlackBlock() *Renderer {
	r := &Renderer{Dialect: Dialect{
		Name:          "slack-block",
		Strong:        Marks{"**", "**"},
		Emphasis:      Marks{"*", "*"},
		EmphasisOuter: Marks{"_", "_"},
		Flanking:      true,
		Strike:        Marks{"~~", "~~"},
		Heading:       headingMarks(6),
		Rule:          "---",
		Bullets:       []string{"- "},
		Tasks:         [2]string{"[ ] ", "[x] "},
		TaskBullet:    true,
		Quote:         "> ",
		FenceQuoted:   true,
		Fence:         FenceLong,
		FenceInfo:     true,
		Tables:        true,
		Code:          slackBlockCode,
		CodeLine:      slackEntities,
		Link:          markdownLink,
		Mention:       slackMention,
		RoomLink:      slackRoom,
		Time:          slackTime,
		Notify:        slackNotify,
		URL: func(w *Writer, address string) bool {
			w.Raw("<" + slackAddress(address) + ">")
			return true
		},
	}}
	r.Dialect.Time = func(w *Writer, t time.Time) bool {
		return !w.InTable() && slackTime(w, t) // it has the bar that ends a cell
	}
	m := &markdownEscape{always: "\\`*_[]#~|", start: "-+>", guard: "=", number: true, indent: true, at: true, emoji: ":" + zwsp, www: true, address: ":" + zwsp}
	r.Dialect.Escape = func(w *Writer, s string, data bool) {
		// The three characters of mrkdwn first: nothing else keeps a mention from being one.
		for s != "" {
			i := strings.IndexAny(s, "&<>")
			if i < 0 {
				i = len(s)
			}
			if i > 0 {
				m.escape(w, s[:i], data)
				s = s[i:]
				continue
			}
			if s[0] == '>' && w.LineStart() {
				w.Atom(zwsp)
			}
			w.Atom(slackEntity(s[0]))
			s = s[1:]
		}
	}
	return r
}

// headingMarks gives headings of number signs, and strong lines below the given level.
func headingMarks(deepest int) func(int) Marks {
	return func(level int) Marks {
		if level > deepest {
			return Marks{"**", "**"}
		}
		return Marks{Open: strings.Repeat("#", level) + " "}
	}
}

func markdownLink(w *Writer, address string, label func()) {
	w.Raw("[")
	label()
	for i := 0; i < len(address); i++ {
		if address[i] == '&' && entityLike(address[i+1:], false) {
			address = address[:i] + "&amp;" + address[i+1:]
		}
	}
	w.Raw("](" + address + ")")
}

func slackAddress(s string) string { return strings.ReplaceAll(s, "&", "&amp;") }

func slackEntity(c byte) string {
	switch c {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	}
	return "&gt;"
}

// slackEntities writes s with the three characters that Slack escapes as entities.
func slackEntities(w *Writer, s string) {
	for {
		i := strings.IndexAny(s, "&<>")
		if i < 0 {
			w.Raw(s)
			return
		}
		w.Raw(s[:i])
		w.Atom(slackEntity(s[i]))
		s = s[i+1:]
	}
}

// slackEscape: the marks of mrkdwn format only between a boundary and a character that is neither white space nor
// invisible, so that a zero-width space after them, and within formatted text also before them, leaves them as they are.
func slackEscape(w *Writer, s string, data bool) {
	from := 0
	put := func(i int, atom string) {
		w.Raw(s[from:i])
		w.Atom(atom)
		from = i + 1
	}
	start := w.LineStart()
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 0x80 {
			start = false
			continue
		}
		switch c {
		case ' ':
			continue
		case '&', '<':
			put(i, slackEntity(c))
		case '>':
			if start { // the entity quotes as well
				put(i, zwsp+"&gt;")
			} else {
				put(i, "&gt;")
			}
		case '*', '_', '~':
			if wordRune(before(w, s, i)) && wordRune(after(s, i)) && i > 0 {
				break
			}
			fallthrough
		case '`':
			guarded := s[i:i+1] + zwsp
			if w.inside != 0 || len(w.pending) > 0 || c == '`' {
				guarded = zwsp + guarded
			}
			if len(w.pending) > 0 && strings.TrimLeftFunc(s[from:i], unseenSpace) == "" { // right after a mark it would hide that
				w.Raw(s[from:i])
				w.outside(guarded)
				from = i + 1
				break
			}
			put(i, guarded)
		case '@':
			if massMention(s[i+1:]) {
				put(i, "@"+zwsp)
			}
		case ':':
			if colonOpens(s[i+1:], w.more) || data && emojiLike(s[i+1:], w.more, i == 0 || !alnum(s[i-1])) {
				put(i, ":"+zwsp)
			}
		}
		start = false
	}
	w.Raw(s[from:])
}

// slackCode: a span ends at the next backtick whatever stands before it, so that code with backticks is shown between
// three of them.
func slackCode(w *Writer, s string) {
	if s = strings.Trim(s, zwsp); s == "" { // beside it a backtick is no mark
		return
	}
	if strings.IndexByte(s, '`') < 0 {
		w.CodeSpan(Marks{"`", "`"}, func() { slackEntities(w, s) })
		return
	}
	w.CodeSpan(Marks{"```", "```"}, func() {
		if s[0] == '`' {
			w.Atom(zwsp)
		}
		slackCodeLine(w, s)
		if s[len(s)-1] == '`' {
			w.Atom(zwsp)
		}
	})
}

func slackCodeLine(w *Writer, s string) {
	run := 0
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '`' {
			if run++; run == 3 {
				w.Raw(s[from:i])
				w.Atom(zwsp)
				from, run = i, 1
			}
			continue
		}
		run = 0
		if c == '&' || c == '<' || c == '>' {
			w.Raw(s[from:i])
			w.Atom(slackEntity(c))
			from = i + 1
		}
	}
	w.Raw(s[from:])
}

func slackBlockCode(w *Writer, s string) {
	if w.InTable() && strings.IndexByte(s, '|') >= 0 { // an escaped bar in code is read in more than one way
		w.escape(s, true)
		return
	}
	n := 1
	for run := longest(s, '`'); n <= run; n++ {
	}
	mark, pad := strings.Repeat("`", n), ""
	if s[0] == '`' || s[len(s)-1] == '`' {
		pad = " "
	}
	w.CodeSpan(Marks{mark + pad, pad + mark}, func() { slackEntities(w, s) })
}

// slackID tells whether s can be an id: they are capital letters and digits.
func slackID(s string) bool {
	for i := range len(s) {
		if !alnum(s[i]) || s[i] >= 'a' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func slackMention(w *Writer, id, _ string) bool {
	if !slackID(id) {
		return false
	}
	w.Atom("<@" + id + ">")
	return true
}

func slackRoom(w *Writer, id, _ string) bool {
	if !slackID(id) {
		return false
	}
	w.Atom("<#" + id + ">")
	return true
}

// slackTime: https://docs.slack.dev/messaging/formatting-message-text#date-formatting
func slackTime(w *Writer, t time.Time) bool {
	w.Atom(fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), timeText(t, nil)))
	return true
}

func slackNotify(n adapter.Notify) string {
	switch n {
	case adapter.NotifyHere:
		return "<!here>"
	case adapter.NotifyRoom:
		return "<!channel>"
	}
	return ""
}
