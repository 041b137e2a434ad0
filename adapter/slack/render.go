package slack

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
)

// kind is the key of Message.Native: its value is an array of Block Kit blocks.
const kind = "slack"

// actionPrefix begins the action ids of buttons made here; their values are packed.
const actionPrefix = "starling:"

// Render implements [adapter.Renderer]. Text comes out with & < > escaped, mentions, room links and times in Slack's own
// form, and is split at 4,000 characters, between lines or words where it can. Markup stays as it was written. Data with
// characters that Slack would format goes out as rich text, in which nothing is interpreted. Buttons, fields and files
// come with the last part. A message with Native["slack"] is one message with those blocks and Text as its notification.
func (a *Adapter) Render(m *adapter.Message) ([]*adapter.Message, error) {
	nodes := adapter.Nodes(m.Text)
	switch m.Notify {
	case adapter.NotifyNone:
	case adapter.NotifyHere, adapter.NotifyRoom:
		nodes = append([]adapter.Node{{Kind: nodeNotify, ID: string(m.Notify)}, {Text: " "}}, nodes...)
	default:
		return nil, fmt.Errorf("slack: render: %w: Notify %q", adapter.ErrInvalid, m.Notify)
	}
	native := m.Native[kind]
	if len(native) > 0 && nativeBlocks(native) == nil {
		return nil, fmt.Errorf("slack: render: %w: Native[%q] is no array of blocks", adapter.ErrInvalid, kind)
	}
	limit := maxText
	rich := formats(nodes)
	layout := len(native) == 0 && (rich || len(m.Buttons) > 0 || len(m.Fields) > 0)
	if layout && !rich {
		limit = maxSection
	}
	var extra []any
	if len(native) == 0 {
		var err error
		if extra, err = extras(m); err != nil {
			return nil, err
		}
	}
	chunks := split(nodes, limit)
	if len(chunks) == 0 && (len(native) > 0 || len(extra) > 0) {
		chunks = [][]adapter.Node{nil}
	}
	if len(native) > 0 && len(chunks) > 1 {
		return nil, fmt.Errorf("slack: render: %w: the text beside blocks is over %d characters", adapter.ErrTooLong, maxText)
	}
	var parts []*adapter.Message
	part := func() *adapter.Message {
		c := *m
		c.Text, c.Fields, c.Buttons, c.Files, c.Notify, c.Native = "", nil, nil, nil, "", nil
		parts = append(parts, &c)
		return &c
	}
	for i, chunk := range chunks {
		c := part()
		c.Text = mrkdwn(chunk)
		last := i == len(chunks)-1
		blocks := []any{}
		if layout {
			blocks = append(blocks, textBlocks(chunk, rich)...)
			if last {
				blocks = append(blocks, extra...)
			}
		}
		raw := native
		if len(native) == 0 && len(blocks) > 0 {
			var err error
			if raw, err = json.Marshal(blocks); err != nil {
				return nil, fmt.Errorf("slack: render: %w: %w", adapter.ErrInvalid, err)
			}
		}
		if len(raw) > 0 {
			c.Native = map[string]json.RawMessage{kind: raw}
		}
		if c.Text == "" && len(extra) > 0 { // what a notification shows
			c.Text = escape(summary(m))
		}
	}
	if len(m.Files) > 0 { // a message of their own: a retry of one part does not repeat the other
		for _, f := range m.Files {
			if f.Size > maxFile {
				return nil, fmt.Errorf("slack: render: %w: the file %q has %d bytes", adapter.ErrTooLong, f.Name, f.Size)
			}
		}
		part().Files = m.Files
	}
	return parts, nil
}

// summary is a text for a message that has none.
func summary(m *adapter.Message) string {
	var words []string
	for _, f := range m.Fields {
		words = append(words, adapter.PlainText(f.Name)+": "+adapter.PlainText(f.Value))
	}
	for _, b := range m.Buttons {
		words = append(words, b.Label)
	}
	return cutRunes(strings.Join(words, ", "), maxSection)
}

// nodeNotify is a mass mention, which no text can hold.
const nodeNotify = adapter.NodeKind(100)

// formats tells whether data has characters that Slack would format.
func formats(nodes []adapter.Node) bool {
	for _, n := range nodes {
		if n.Kind == adapter.NodeData && (strings.ContainsAny(n.Text, "*_~`:@#>|") || strings.Contains(n.Text, "- ") || digitDot(n.Text)) {
			return true
		}
	}
	return false
}

// digitDot tells whether there may be a numbered list.
func digitDot(s string) bool {
	i := strings.Index(s, ". ")
	return i > 0 && s[i-1] >= '0' && s[i-1] <= '9'
}

// mrkdwn gives nodes as Slack's text.
func mrkdwn(nodes []adapter.Node) string {
	var b strings.Builder
	for _, n := range nodes {
		b.WriteString(wireText(n))
	}
	return b.String()
}

// wireText gives a node as Slack's text (https://docs.slack.dev/messaging/formatting-message-text).
func wireText(n adapter.Node) string {
	switch n.Kind {
	case adapter.NodeMention:
		if validID(n.ID) {
			return "<@" + n.ID + ">"
		}
		return escape("@" + n.Text)
	case adapter.NodeRoom:
		if validID(n.ID) {
			return "<#" + n.ID + ">"
		}
		return escape("#" + n.Text)
	case adapter.NodeTime:
		return "<!date^" + strconv.FormatInt(n.Time.Unix(), 10) + "^{date_short_pretty} {time}|" + fallbackTime(n) + ">"
	case nodeNotify:
		if n.ID == string(adapter.NotifyHere) {
			return "<!here>"
		}
		return "<!channel>"
	}
	return escape(n.Text)
}

func fallbackTime(n adapter.Node) string { return n.Time.Format("2006-01-02 15:04 UTC") }

// validID tells whether an id can stand in a tag without ending it.
func validID(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(r rune) bool {
		return !(r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	})
}

// size is how long a node is in what is sent.
func size(n adapter.Node) int { return utf8.RuneCountInString(wireText(n)) }

// split cuts nodes into chunks of at most limit characters, between lines where it can, else between words, else where it
// must. White space at a cut goes. A chunk of white space alone is nothing to post.
func split(nodes []adapter.Node, limit int) (chunks [][]adapter.Node) {
	var now []adapter.Node
	used := 0
	flush := func() {
		if strings.TrimFunc(mrkdwn(now), unicode.IsSpace) != "" {
			chunks = append(chunks, now)
		}
		now, used = nil, 0
	}
	for _, n := range nodes {
		for {
			s := size(n)
			if used+s <= limit {
				now, used = append(now, n), used+s
				break
			}
			if n.Kind != adapter.NodeMarkup && n.Kind != adapter.NodeData {
				flush()
				continue
			}
			head, tail := cutText(n.Text, limit-used, used == 0)
			if head != "" {
				h := n
				h.Text = head
				now = append(now, h)
			}
			flush()
			if n.Text = tail; tail == "" {
				break
			}
		}
	}
	flush()
	return chunks
}

// cutText cuts s so that the head, escaped, has at most limit characters. must: the head cannot be empty.
func cutText(s string, limit int, must bool) (head, tail string) {
	used, end, line, word := 0, 0, -1, -1
	for i, r := range s {
		n := 1
		switch r {
		case '&':
			n = 5
		case '<', '>':
			n = 4
		}
		if used+n > limit {
			break
		}
		used += n
		end = i + utf8.RuneLen(r)
		if r == utf8.RuneError {
			_, w := utf8.DecodeRuneInString(s[i:])
			end = i + w
		}
		if r == '\n' {
			line = i
		}
		if unicode.IsSpace(r) {
			word = i
		}
	}
	if end == len(s) {
		return s, ""
	}
	if next, _ := utf8.DecodeRuneInString(s[end:]); unicode.IsSpace(next) {
		word = end
		if next == '\n' {
			line = end
		}
	}
	switch {
	case line > 0 && line >= end/2:
		end = line
	case word > 0:
		end = word
	case !must: // begin a chunk rather than cut a word
		return "", s
	}
	head, tail = s[:end], s[end:]
	if r, n := utf8.DecodeRuneInString(tail); unicode.IsSpace(r) {
		tail = tail[n:]
	}
	return head, tail
}

// textBlocks gives a chunk as blocks. verbatim keeps Slack from making mentions and links of plain text
// (https://docs.slack.dev/reference/block-kit/composition-objects/text-object).
func textBlocks(chunk []adapter.Node, rich bool) []any {
	if !rich {
		if text := mrkdwn(chunk); strings.TrimSpace(text) != "" {
			return []any{map[string]any{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": text, "verbatim": true}}}
		}
		return nil
	}
	var elements []any
	for _, n := range chunk {
		switch {
		case n.Kind == adapter.NodeMention && validID(n.ID):
			elements = append(elements, map[string]any{"type": "user", "user_id": n.ID})
		case n.Kind == adapter.NodeRoom && validID(n.ID):
			elements = append(elements, map[string]any{"type": "channel", "channel_id": n.ID})
		case n.Kind == adapter.NodeTime:
			elements = append(elements, map[string]any{"type": "date", "timestamp": n.Time.Unix(), "format": "{date_short_pretty} {time}", "fallback": fallbackTime(n)})
		case n.Kind == nodeNotify:
			r := "channel"
			if n.ID == string(adapter.NotifyHere) {
				r = "here"
			}
			elements = append(elements, map[string]any{"type": "broadcast", "range": r})
		case n.Kind == adapter.NodeMention:
			elements = append(elements, map[string]any{"type": "text", "text": "@" + n.Text})
		case n.Kind == adapter.NodeRoom:
			elements = append(elements, map[string]any{"type": "text", "text": "#" + n.Text})
		case n.Text != "":
			elements = append(elements, map[string]any{"type": "text", "text": n.Text})
		}
	}
	if len(elements) == 0 {
		return nil
	}
	return []any{map[string]any{"type": "rich_text", "elements": []any{map[string]any{"type": "rich_text_section", "elements": elements}}}}
}

// extras gives fields and buttons as blocks.
func extras(m *adapter.Message) (blocks []any, err error) {
	var fields []any
	for i, f := range m.Fields {
		nodes := adapter.Nodes(f.Value)
		name := adapter.PlainText(f.Name)
		object := map[string]any{"type": "mrkdwn", "text": "*" + escape(name) + "*\n" + mrkdwn(nodes), "verbatim": true}
		if formats(nodes) || strings.ContainsAny(name, "*_~`:\n") { // in plain text nothing is interpreted
			object = map[string]any{"type": "plain_text", "text": strings.ReplaceAll(name, "\n", " ") + "\n" + adapter.PlainText(f.Value), "emoji": false}
		}
		if n := utf8.RuneCountInString(object["text"].(string)); n > 2000 {
			return nil, fmt.Errorf("slack: render: %w: the field %q has %d of 2000 characters", adapter.ErrTooLong, name, n)
		}
		fields = append(fields, object)
		if len(fields) == 10 || i == len(m.Fields)-1 {
			blocks = append(blocks, map[string]any{"type": "section", "fields": fields})
			fields = nil
		}
	}
	var buttons []any
	for i, b := range m.Buttons {
		value := packCommand(b.Command)
		if utf8.RuneCountInString(value) > maxCommand {
			return nil, fmt.Errorf("slack: render: %w: the command of the button %q is over %d characters", adapter.ErrTooLong, b.Label, maxCommand)
		}
		label := cutRunes(adapter.PlainText(b.Label), maxLabel)
		if strings.TrimSpace(label) == "" {
			return nil, fmt.Errorf("slack: render: %w: a button has no label", adapter.ErrInvalid)
		}
		e := map[string]any{"type": "button", "action_id": actionPrefix + strconv.Itoa(i), "value": value,
			"text": map[string]any{"type": "plain_text", "text": label, "emoji": true}}
		if b.Style == adapter.ButtonPrimary || b.Style == adapter.ButtonDanger {
			e["style"] = string(b.Style)
		}
		buttons = append(buttons, e)
		if len(buttons) == maxButtons || i == len(m.Buttons)-1 {
			blocks = append(blocks, map[string]any{"type": "actions", "elements": buttons})
			buttons = nil
		}
	}
	if len(blocks) > 40 {
		return nil, fmt.Errorf("slack: render: %w: too many fields and buttons for one message", adapter.ErrTooLong)
	}
	return blocks, nil
}

// cutRunes shortens s to n characters.
func cutRunes(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n-1]) + "…"
}

// A command goes through a button without the characters that Slack escapes on some ways and not on others.
var (
	packer   = strings.NewReplacer("%", "%25", "&", "%26", "<", "%3C", ">", "%3E")
	unpacker = strings.NewReplacer("%25", "%", "%26", "&", "%3C", "<", "%3E", ">")
)

func packCommand(s string) string   { return packer.Replace(s) }
func unpackCommand(s string) string { return unpacker.Replace(s) }
