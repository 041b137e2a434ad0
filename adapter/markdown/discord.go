package markdown

import (
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Discord shows documents in the Markdown of Discord
// (https://support.discord.com/hc/en-us/articles/210298617, mentions and times:
// https://discord.com/developers/docs/reference#message-formatting). A backslash escapes every punctuation character.
// Addresses stand in angle brackets, so that they are not unfolded. Tables become aligned code, and headings below the
// third level strong lines.
//
// A backslash keeps @everyone from being shown as a mention; that nobody is notified is the work of allowed_mentions,
// which an adapter has to send with every message.
func Discord() *Renderer {
	m := &markdownEscape{always: "\\`*_~|<@[]#", start: "->+", number: true, emoji: `\:`, address: `\:`}
	return &Renderer{Dialect: Dialect{
		Name:          "discord",
		Strong:        Marks{"**", "**"},
		Emphasis:      Marks{"*", "*"},
		EmphasisOuter: Marks{"_", "_"},
		Strike:        Marks{"~~", "~~"},
		Heading:       headingMarks(3),
		Rule:          "———",
		Bullets:       []string{"- "},
		Tasks:         [2]string{"☐ ", "☑ "},
		Quote:         "> ",
		QuoteInner:    "│ ",
		FenceQuoted:   true,
		Fence:         FenceThree,
		FenceInfo:     true,
		Escape:        m.escape,
		Code:          discordCode,
		Link: func(w *Writer, address string, label func()) {
			w.Raw("[")
			label()
			w.Raw("](<" + address + ">)")
		},
		URL: func(w *Writer, address string) bool {
			w.Raw("<" + address + ">")
			return true
		},
		Mention:  func(w *Writer, id, _ string) bool { return discordID(w, "<@", id) },
		RoomLink: func(w *Writer, id, _ string) bool { return discordID(w, "<#", id) },
		Time: func(w *Writer, t time.Time) bool {
			w.Atom("<t:" + strconv.FormatInt(t.Unix(), 10) + ":f>")
			return true
		},
		Notify: func(n adapter.Notify) string {
			switch n {
			case adapter.NotifyHere:
				return "@here"
			case adapter.NotifyRoom:
				return "@everyone"
			}
			return ""
		},
	}}
}

// discordID: ids are snowflakes, numbers of 64 bits.
func discordID(w *Writer, open, id string) bool {
	if _, err := strconv.ParseUint(id, 10, 64); err != nil || id[0] == '+' {
		return false
	}
	w.Atom(open + id + ">")
	return true
}

// discordCode: three backticks open a block wherever they stand, so that a span has one or two, and none within two
// beside each other.
func discordCode(w *Writer, s string) {
	if strings.IndexByte(s, '`') < 0 {
		w.CodeSpan(Marks{"`", "`"}, func() { w.Raw(s) })
		return
	}
	open, closing := "``", "``"
	if s[0] == '`' {
		open += " "
	}
	if s[len(s)-1] == '`' {
		closing = " " + closing
	}
	w.CodeSpan(Marks{open, closing}, func() { w.breakRuns(s, 2) })
}
