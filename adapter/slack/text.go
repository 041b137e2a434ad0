package slack

import (
	"strings"

	"github.com/starlingbot/starling/adapter"
)

// names finds the names that a text shows. label is what the text itself says, or "".
type names interface {
	user(id, label string) adapter.User
	room(id, label string) string
}

// decodeText makes what people read of a text as Slack delivers it: entities once, mentions as @name, rooms as #name, links
// as their address or as they were typed, no-break spaces as spaces
// (https://docs.slack.dev/messaging/formatting-message-text#retrieving-messages).
func decodeText(raw string, n names) (text string, mentions []adapter.User) {
	if !strings.ContainsAny(raw, "<&\u00a0") {
		return raw, nil
	}
	var b strings.Builder
	b.Grow(len(raw))
	for raw != "" {
		start := strings.IndexByte(raw, '<')
		if start < 0 {
			break
		}
		end := strings.IndexAny(raw[start+1:], "<>")
		if end < 0 || raw[start+1+end] == '<' { // no tag of Slack's: what people type has &lt;
			unescapeTo(&b, raw[:start+1])
			raw = raw[start+1:]
			continue
		}
		unescapeTo(&b, raw[:start])
		tag := raw[start+1 : start+1+end]
		raw = raw[start+1+end+1:]
		body, label, labelled := strings.Cut(tag, "|")
		switch {
		case body == "":
			unescapeTo(&b, "<"+tag+">")
		case body[0] == '@':
			u := n.user(unescape(body[1:]), unescape(label))
			mentions = append(mentions, u)
			b.WriteString("@" + u.String())
		case body[0] == '#':
			b.WriteString("#" + n.room(unescape(body[1:]), unescape(label)))
		case body[0] == '!':
			b.WriteString(special(unescape(body[1:]), unescape(label)))
		case labelled && typed(body, label):
			unescapeTo(&b, label)
		default:
			unescapeTo(&b, body)
		}
	}
	unescapeTo(&b, raw)
	return b.String(), mentions
}

// typed tells whether a link is one that Slack made of what was typed without a scheme, so that its label is what was said.
func typed(address, label string) bool {
	for _, scheme := range [...]string{"http://", "https://", "mailto:", "tel:"} {
		if rest, ok := strings.CutPrefix(address, scheme); ok {
			return rest == label
		}
	}
	return false
}

// special shows what stands after an exclamation mark.
func special(body, label string) string {
	kind, rest, _ := strings.Cut(body, "^")
	switch kind {
	case "here", "channel", "everyone":
		return "@" + kind
	case "subteam":
		if label != "" {
			return "@" + strings.TrimPrefix(label, "@")
		}
		return "@" + rest
	case "date":
		if label != "" {
			return label
		}
		return rest
	}
	if label != "" {
		return label
	}
	return "@" + body
}

// unescapeTo writes s without its entities: each once, so that what was typed as &lt; stays it.
func unescapeTo(b *strings.Builder, s string) {
	for {
		i := strings.IndexAny(s, "&\u00a0")
		if i < 0 {
			b.WriteString(s)
			return
		}
		b.WriteString(s[:i])
		s = s[i:]
		switch {
		case strings.HasPrefix(s, "&lt;"):
			b.WriteByte('<')
			s = s[4:]
		case strings.HasPrefix(s, "&gt;"):
			b.WriteByte('>')
			s = s[4:]
		case strings.HasPrefix(s, "&amp;"):
			b.WriteByte('&')
			s = s[5:]
		case strings.HasPrefix(s, "\u00a0"):
			b.WriteByte(' ')
			s = s[2:]
		default:
			b.WriteByte(s[0])
			s = s[1:]
		}
	}
}

func unescape(s string) string {
	var b strings.Builder
	unescapeTo(&b, s)
	return b.String()
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escape makes s text that Slack shows as it is, but for its own formatting characters
// (https://docs.slack.dev/messaging/formatting-message-text#escaping).
func escape(s string) string { return escaper.Replace(s) }
