package slackfake

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// block is a layout block, as far as Slack's limits and readers care.
type block struct {
	Type     string
	BlockID  string
	Text     *textObject
	Markdown string // the text of a block of type markdown
	Fields   []textObject
	Elements []element

	attached bool // it stands in an attachment
}

// UnmarshalJSON implements [json.Unmarshaler].
func (b *block) UnmarshalJSON(raw []byte) error {
	var w struct {
		Type     string          `json:"type"`
		BlockID  string          `json:"block_id"`
		Text     json.RawMessage `json:"text"`
		Fields   []textObject    `json:"fields"`
		Elements []element       `json:"elements"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	*b = block{Type: w.Type, BlockID: w.BlockID, Fields: w.Fields, Elements: w.Elements}
	switch {
	case len(w.Text) == 0:
		return nil
	case w.Type == "markdown":
		return json.Unmarshal(w.Text, &b.Markdown)
	}
	return json.Unmarshal(w.Text, &b.Text)
}

type textObject struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji *bool  `json:"emoji"`
}

type element struct {
	Type     string          `json:"type"`
	RawText  json.RawMessage `json:"text"`
	ActionID string          `json:"action_id"`
	Value    string          `json:"value"`
	Style    json.RawMessage `json:"style"`
	Elements []element       `json:"elements"`

	UserID    string      `json:"user_id"`
	ChannelID string      `json:"channel_id"`
	Range     string      `json:"range"`
	Name      string      `json:"name"`
	Timestamp json.Number `json:"timestamp"`
	Fallback  string      `json:"fallback"`
}

func (e element) label() string {
	var o textObject
	_ = json.Unmarshal(e.RawText, &o)
	return o.Text
}

func (e element) plain() string {
	var s string
	_ = json.Unmarshal(e.RawText, &s)
	return s
}

// blocks gives the blocks of a message, those in attachments too.
func (m *Message) blocks() []block {
	var all []block
	_ = json.Unmarshal(m.Blocks, &all)
	var attachments []struct {
		Blocks []block `json:"blocks"`
	}
	_ = json.Unmarshal(m.Attachments, &attachments)
	for _, a := range attachments {
		for _, b := range a.Blocks {
			b.attached = true
			all = append(all, b)
		}
	}
	return all
}

// tooMuch gives the error code of blocks that together are over a limit, or "".
func tooMuch(all []block) string {
	n := 0
	for _, b := range all {
		n += len([]rune(b.Markdown))
	}
	switch {
	case len(all) > 50:
		return "invalid_blocks"
	case n > 12_000:
		return "msg_blocks_too_long"
	}
	return ""
}

// refused gives the error code of a block over the limits of https://docs.slack.dev/reference/block-kit, or "".
func (b block) refused() string {
	switch b.Type {
	case "section":
		if b.Text == nil && len(b.Fields) == 0 || len(b.Fields) > 10 {
			return "invalid_blocks"
		}
		if b.Text != nil && (b.Text.Text == "" || len([]rune(b.Text.Text)) > 3000) {
			return "invalid_blocks"
		}
		for _, f := range b.Fields {
			if f.Text == "" || len([]rune(f.Text)) > 2000 || f.Type != "mrkdwn" && f.Type != "plain_text" {
				return "invalid_blocks"
			}
		}
	case "actions":
		ids := map[string]bool{}
		if len(b.Elements) == 0 || len(b.Elements) > 25 {
			return "invalid_blocks"
		}
		for _, e := range b.Elements {
			n := len([]rune(e.label()))
			style := strings.Trim(string(e.Style), `"`)
			if e.Type == "button" && (n == 0 || n > 75 || len([]rune(e.Value)) > 2000 || len(e.ActionID) > 255 || ids[e.ActionID] ||
				!slices.Contains([]string{"", "primary", "danger"}, style)) {
				return "invalid_blocks"
			}
			ids[e.ActionID] = true
		}
	case "rich_text":
		for _, sec := range b.Elements {
			if sec.Type != "rich_text_section" || len(sec.Elements) == 0 {
				return "invalid_blocks"
			}
			for _, e := range sec.Elements {
				if e.Type == "text" && e.plain() == "" {
					return "invalid_blocks"
				}
			}
		}
	case "markdown":
		if strings.TrimSpace(b.Markdown) == "" || b.attached {
			return "invalid_blocks"
		}
	case "":
		return "invalid_blocks_format"
	}
	return ""
}

// Shown is the text as people read it: that of the blocks where there are some, else that of the message. Characters that
// nobody sees are left out.
func (s *Server) Shown(m *Message) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return seen(s.shown(m))
}

// seen leaves zero-width spaces out.
func seen(text string) string { return strings.ReplaceAll(text, "\u200b", "") }

func (s *Server) shown(m *Message) string {
	all := m.blocks()
	if len(all) == 0 {
		return s.read(m.plainText(), m.Markup)
	}
	var parts []string
	for _, b := range all {
		switch {
		case b.Type == "section" && b.Text != nil && b.Text.Type == "mrkdwn":
			parts = append(parts, s.read(b.Text.Text, true))
		case b.Type == "section" && b.Text != nil:
			parts = append(parts, b.Text.Text)
		case b.Type == "rich_text":
			var t strings.Builder
			for _, sec := range b.Elements {
				for _, e := range sec.Elements {
					switch e.Type {
					case "text":
						t.WriteString(e.plain())
					case "user":
						t.WriteString("@" + s.nameOf(e.UserID))
					case "channel":
						t.WriteString("#" + s.roomName(e.ChannelID))
					case "broadcast":
						t.WriteString("@" + e.Range)
					case "emoji":
						t.WriteString("[" + e.Name + "]")
					case "date":
						t.WriteString(e.Fallback)
					}
				}
			}
			parts = append(parts, t.String())
		case b.Type == "markdown":
			parts = append(parts, s.readMarkdown(b.Markdown))
		}
	}
	return strings.Join(parts, "\n")
}

// plainText is the text of a message without blocks, with that of its attachments.
func (m *Message) plainText() string {
	var attachments []struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal(m.Attachments, &attachments)
	text := m.Text
	for _, a := range attachments {
		text = strings.TrimPrefix(text+"\n"+a.Text, "\n")
	}
	return text
}

func (s *Server) nameOf(id string) string {
	if u := s.users[id]; u != nil {
		return u.Name
	}
	return id
}

func (s *Server) roomName(id string) string {
	if r := s.rooms[id]; r != nil {
		return r.Name
	}
	return id
}

var (
	angle = regexp.MustCompile(`<([^<>]*)>`)
	codes = []*regexp.Regexp{ // a single backtick or two stand for themselves between three
		regexp.MustCompile("(^|[\\s(*_~\u200b])```((?:[^`\u200b]|``?[^`])(?:[^`]|``?[^`])*)```"),
		regexp.MustCompile("(^|[\\s(*_~\u200b])`([^`\n\u200b][^`\n]*)`"),
	}
	styles = []*regexp.Regexp{
		regexp.MustCompile(`(^|[\s(*_~\x{200b}])\*([^\s\x{200b}*][^*\n]*)\*`), // a zero-width space is white space
		regexp.MustCompile(`(^|[\s(*_~\x{200b}])_([^\s\x{200b}_][^_\n]*)_`),
		regexp.MustCompile(`(^|[\s(*_~\x{200b}])~([^\s\x{200b}~][^~\n]*)~`),
	}
	quote = regexp.MustCompile(`(?m)^(&gt;|>)\s?`)
	emoji = regexp.MustCompile(`:([a-z0-9_+-]+):`)
)

// In code nothing else is formatted.
var (
	hideMarks = strings.NewReplacer("*", "\uE001", "_", "\uE002", "~", "\uE003", "`", "\uE004", ":", "\uE005", "&gt;", "\uE006", ">", "\uE007")
	showMarks = strings.NewReplacer("\uE001", "*", "\uE002", "_", "\uE003", "~", "\uE004", "`", "\uE005", ":", "\uE006", "&gt;", "\uE007", ">")
)

// read resolves mrkdwn as Slack's clients do: what formats disappears, so that data which formats is noticed.
func (s *Server) read(text string, markup bool) string {
	if markup {
		for _, re := range codes {
			text = re.ReplaceAllStringFunc(text, func(s string) string { return hideMarks.Replace(re.ReplaceAllString(s, "$1$2")) })
		}
		text = quote.ReplaceAllString(text, "")
		for _, re := range styles {
			text = re.ReplaceAllString(text, "$1$2")
		}
		text = showMarks.Replace(emoji.ReplaceAllString(text, "[$1]"))
	}
	text = angle.ReplaceAllStringFunc(text, func(tag string) string {
		body, label, labelled := strings.Cut(tag[1:len(tag)-1], "|")
		switch {
		case strings.HasPrefix(body, "@"):
			return "@" + s.nameOf(body[1:])
		case strings.HasPrefix(body, "#"):
			return "#" + s.roomName(body[1:])
		case strings.HasPrefix(body, "!date^") && labelled:
			return label
		case strings.HasPrefix(body, "!"):
			return "@" + strings.TrimPrefix(body, "!")
		case labelled:
			return label
		}
		return body
	})
	return unescape(text)
}

// Pings gives the mentions that a message makes: user ids, "here", "channel" and "everyone".
func (m *Message) Pings() []string {
	var out []string
	scan := func(text string) {
		for _, tag := range angle.FindAllStringSubmatch(text, -1) {
			body, _, _ := strings.Cut(tag[1], "|")
			if strings.HasPrefix(body, "@") || strings.HasPrefix(body, "!") && !strings.HasPrefix(body, "!date^") {
				out = append(out, body[1:])
			}
		}
	}
	all := m.blocks()
	if len(all) == 0 {
		scan(m.plainText())
	}
	for _, b := range all {
		if b.Text != nil && b.Text.Type == "mrkdwn" {
			scan(b.Text.Text)
		}
		for _, f := range b.Fields {
			if f.Type == "mrkdwn" {
				scan(f.Text)
			}
		}
		scan(b.Markdown)
		for _, sec := range b.Elements {
			for _, e := range sec.Elements {
				if e.Type == "user" || e.Type == "broadcast" {
					out = append(out, e.UserID+e.Range)
				}
			}
		}
	}
	return out
}

// Fields gives name and value of the fields that a message shows.
func (s *Server) Fields(m *Message) [][2]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out [][2]string
	for _, b := range m.blocks() {
		for _, f := range b.Fields {
			name, value, _ := strings.Cut(f.Text, "\n")
			if f.Type == "mrkdwn" {
				name, value = seen(s.read(name, true)), seen(s.read(value, true))
			}
			out = append(out, [2]string{name, value})
		}
	}
	return out
}

// Buttons gives the labels of the buttons of a message.
func (m *Message) Buttons() []string {
	var out []string
	for _, b := range m.blocks() {
		for _, e := range b.Elements {
			if e.Type == "button" {
				out = append(out, e.label())
			}
		}
	}
	return out
}

// button finds a button by its label.
func (m *Message) button(label string) (blockID string, e element, ok bool) {
	for i, b := range m.blocks() {
		for _, e := range b.Elements {
			if e.Type == "button" && e.label() == label {
				if b.BlockID == "" {
					b.BlockID = "b" + strconv.Itoa(i)
				}
				return b.BlockID, e, true
			}
		}
	}
	return "", element{}, false
}
