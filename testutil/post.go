package testutil

import (
	"slices"
	"strconv"
	"strings"

	"github.com/starlingbot/starling/adapter"
)

// Post is a message that the bot posted.
type Post struct {
	Ref     adapter.Ref
	Place   string // as tests write it: "#ops", "@alice", "#ops/3"
	Number  int    // in its room, from 1; what users say counts too
	Text    string // plain text
	Message *adapter.Message
	Only    string // name of the user who alone sees it
	Files   []File

	Reactions []string // of the bot
	Edits     int
	Deleted   bool
}

func (p *Post) target() adapter.Ref { return p.Ref }

// Thread gives the place of the thread under this message, as tests write it.
func (p *Post) Thread() string { return threadUnder(p.Place, p.Number) }

func threadUnder(place string, number int) string {
	room, _, threaded := strings.Cut(place, "/")
	if threaded {
		return place
	}
	return room + "/" + strconv.Itoa(number)
}

// Posts gives the messages that the bot posted, in order and as they are now; those of all rooms, or of the places given.
// "#ops" is the room without its threads.
func (c *Chat) Posts(places ...string) []Post {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Post
	for _, a := range c.acts {
		if a.kind == actPost && a.bot && (len(places) == 0 || slices.Contains(places, a.place)) {
			out = append(out, *c.view(a.message))
		}
	}
	return out
}

// view makes a Post of a message of the bot.
func (c *Chat) view(m *message) *Post {
	p := &Post{
		Ref: m.ref, Place: c.label(m.room, m.ref.Thread), Number: m.number, Text: adapter.PlainText(m.post.Text),
		Message: c.shown(m.post), Files: slices.Clone(m.files),
		Reactions: slices.Clone(m.reactions), Edits: m.edits, Deleted: m.deleted,
	}
	if u, ok := c.userByID(m.post.Only); ok {
		p.Only = u.Name
	}
	return p
}

type actKind string

const (
	actPost     actKind = "post"
	actEdit     actKind = "edit"
	actDelete   actKind = "delete"
	actReaction actKind = "reaction"
	actTopic    actKind = "topic"
	actOther    actKind = "other" // of a user
)

// act is something that the bot or a user did, as everybody saw it.
type act struct {
	kind    actKind
	bot     bool
	place   string
	message *message
	post    *Post  // of the bot: as it was then
	detail  string // emoji, topic
	line    string // as a transcript shows it
}

// act notes what happened. c.mu is held.
func (c *Chat) act(kind actKind, m *message, detail string) {
	a := act{kind: kind, bot: true, message: m, place: c.label(m.room, m.ref.Thread), detail: detail}
	if kind == actPost && m.post == nil {
		a.bot = false
	}
	number := strconv.Itoa(m.number)
	switch {
	case !a.bot:
		a.line = c.head(m.user, m.room, a.place) + "> " + indent(userText(m))
	case kind == actPost:
		a.post = c.view(m)
		a.line = a.place + only(a.post) + " " + c.bot.Name + "> " + indent(show(a.post))
	case kind == actEdit:
		a.post = c.view(m)
		a.line = a.place + only(a.post) + " " + c.bot.Name + " (edited " + number + ")> " + indent(show(a.post))
	case kind == actDelete:
		a.line = a.place + " " + c.bot.Name + " deleted " + number
	case kind == actReaction:
		a.line = a.place + " " + c.bot.Name + " reacted " + detail + " to " + number
	case kind == actTopic:
		a.line = a.place + " topic: " + detail
	}
	c.acts = append(c.acts, a)
	c.changed()
}

// note remembers what a user did that is not a message, for transcripts.
func (c *Chat) note(u adapter.User, r *room, thread, what string) {
	place := c.label(r, thread)
	c.acts = append(c.acts, act{kind: actOther, place: place, line: c.head(u, r, place) + " " + what})
}

// head gives who and where: "alice #ops", or "alice" in her direct room.
func (c *Chat) head(u adapter.User, r *room, place string) string {
	if r.user == u.ID {
		if _, thread, ok := strings.Cut(place, "/"); ok {
			return u.Name + " /" + thread
		}
		return u.Name
	}
	return u.Name + " " + place
}

func userText(m *message) string {
	text := m.text
	for _, f := range m.files {
		text += "\n(file " + f.Name + ")"
	}
	return strings.TrimPrefix(text, "\n")
}

func only(p *Post) string {
	if p.Only == "" {
		return ""
	}
	return " (only " + p.Only + ")"
}

// show gives all of a post as text: what it says, its fields, its files and its buttons, a line each.
func show(p *Post) string {
	lines := []string{p.Text}
	if p.Text == "" {
		lines = nil
	}
	for _, f := range p.Message.Fields {
		lines = append(lines, adapter.PlainText(f.Name)+": "+adapter.PlainText(f.Value))
	}
	for _, f := range p.Message.Files {
		lines = append(lines, "(file "+f.Name+")")
	}
	var buttons []string
	for _, b := range p.Message.Buttons {
		buttons = append(buttons, "["+b.Label+"]")
	}
	if buttons != nil {
		lines = append(lines, strings.Join(buttons, " "))
	}
	return strings.Join(lines, "\n")
}

// indent sets all lines but the first off by two spaces; empty ones stay empty, and those at the end are dropped.
func indent(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i, l := range lines {
		if i > 0 && l != "" {
			lines[i] = "  " + l
		}
	}
	return strings.Join(lines, "\n")
}

// Transcript gives what was said and done, in order, as a golden transcript shows it.
func (c *Chat) Transcript() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, a := range c.acts {
		b.WriteString(a.line + "\n")
	}
	return b.String()
}
