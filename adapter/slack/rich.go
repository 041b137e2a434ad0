package slack

import (
	"maps"
	"regexp"
	"strings"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/markdown"
)

// rich gives a document as a block of type rich_text (https://docs.slack.dev/reference/block-kit/blocks/rich-text-block),
// in which nothing is interpreted, or nil for one with more than paragraphs of text, data, marks, mentions, links to rooms
// and times. Addresses are links in mrkdwn alone, so that a text with one is none of these either.
func (a *Adapter) rich(d *markdown.Document, notify adapter.Notify) []any {
	w := richWriter{}
	switch notify {
	case adapter.NotifyHere:
		w.add(object{"type": "broadcast", "range": "here"})
		w.text(" ", nil)
	case adapter.NotifyRoom:
		w.add(object{"type": "broadcast", "range": "channel"})
		w.text(" ", nil)
	}
	for block := range d.Root().Children() {
		if block.Kind != markdown.KindParagraph {
			return nil
		}
		if !w.inline(block, nil) {
			return nil
		}
		if block.Next() != nil {
			w.text("\n\n", nil)
		}
	}
	return []any{object{"type": "rich_text", "elements": []any{object{"type": "rich_text_section", "elements": w.elements}}}}
}

type richWriter struct{ elements []any }

func (w *richWriter) add(e object) { w.elements = append(w.elements, e) }

func (w *richWriter) text(s string, style object) {
	if s == "" {
		return
	}
	e := object{"type": "text", "text": s}
	if len(style) > 0 {
		e["style"] = style
	}
	w.add(e)
}

// emojiWord is the name of an emoji in a text of markup.
var emojiWord = regexp.MustCompile(`:[a-z0-9_+-]+:`) // read only

// inline writes what is in n, with the style that is around it; false if that cannot be.
func (w *richWriter) inline(n *markdown.Node, style object) bool {
	for c := range n.Children() {
		ok := true
		switch c.Kind {
		case markdown.KindText:
			rest := c.Text
			for at := emojiWord.FindStringIndex(rest); at != nil; at = emojiWord.FindStringIndex(rest) {
				w.text(rest[:at[0]], style)
				w.add(object{"type": "emoji", "name": rest[at[0]+1 : at[1]-1]})
				rest = rest[at[1]:]
			}
			w.text(rest, style)
			ok = !strings.Contains(c.Text, "://")
		case markdown.KindData:
			w.text(c.Text, style)
			ok = !strings.Contains(c.Text, "://")
		case markdown.KindBreak:
			w.text("\n", style)
		case markdown.KindStrong:
			ok = w.inline(c, with(style, "bold"))
		case markdown.KindEmphasis:
			ok = w.inline(c, with(style, "italic"))
		case markdown.KindStrike:
			ok = w.inline(c, with(style, "strike"))
		case markdown.KindCode:
			w.text(c.Text, with(style, "code"))
		case markdown.KindMention:
			if validID(c.Target) {
				w.add(object{"type": "user", "user_id": c.Target})
			} else {
				w.text("@"+c.Text, style)
			}
		case markdown.KindRoom:
			if validID(c.Target) {
				w.add(object{"type": "channel", "channel_id": c.Target})
			} else {
				w.text("#"+c.Text, style)
			}
		case markdown.KindTime:
			w.add(object{"type": "date", "timestamp": c.Time.Unix(), "format": "{date_short_pretty} {time}", "fallback": c.Time.UTC().Format("2006-01-02 15:04 UTC")})
		default:
			ok = false
		}
		if !ok {
			return false
		}
	}
	return true
}

func with(style object, name string) object {
	out := object{name: true}
	maps.Copy(out, style)
	return out
}

// validID tells whether an id is one of Slack's.
func validID(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(r rune) bool {
		return !(r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	})
}
