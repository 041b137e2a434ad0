package discord

import (
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// names finds the names that a text shows.
type names interface {
	user(id string) (adapter.User, bool)
	room(id string) string
	role(id string) (name string, bot bool)
	bot() (adapter.User, bool)
}

// maxTag bounds what stands between < and >: names of commands have up to 98 characters.
const maxTag = 160

// decodeText makes what people read of a text as Discord delivers it: mentions as @name, rooms as #name, emoji as :name:,
// times in UTC, commands as they are typed (https://discord.com/developers/docs/reference#message-formatting). Nothing
// else is escaped in it. What looks like one of these and is none stays as it is.
func decodeText(raw string, n names) (text string, mentions []adapter.User) {
	if !strings.Contains(raw, "<") {
		return raw, nil
	}
	var b strings.Builder
	b.Grow(len(raw))
	for raw != "" {
		start := strings.IndexByte(raw, '<')
		if start < 0 {
			break
		}
		b.WriteString(raw[:start])
		raw = raw[start:]
		end := strings.IndexByte(raw[:min(len(raw), maxTag)], '>')
		if end < 0 {
			b.WriteByte('<')
			raw = raw[1:]
			continue
		}
		shown, who, ok := tag(raw[1:end], n)
		if !ok {
			b.WriteByte('<')
			raw = raw[1:]
			continue
		}
		if who.ID != "" {
			mentions = append(mentions, who)
		}
		b.WriteString(shown)
		raw = raw[end+1:]
	}
	b.WriteString(raw)
	return b.String(), mentions
}

// tag shows what stands between < and >.
func tag(body string, n names) (shown string, who adapter.User, ok bool) {
	switch {
	case strings.HasPrefix(body, "@&"):
		id := body[2:]
		if !isID(id) {
			return "", who, false
		}
		name, bot := n.role(id)
		if bot {
			if u, ok := n.bot(); ok {
				return "@" + u.String(), u, true
			}
		}
		if name == "" {
			name = id
		}
		return "@" + strings.TrimPrefix(name, "@"), who, true
	case strings.HasPrefix(body, "@"):
		id := strings.TrimPrefix(body[1:], "!")
		if !isID(id) {
			return "", who, false
		}
		u, ok := n.user(id)
		if !ok {
			return "", who, false
		}
		return "@" + u.String(), u, true
	case strings.HasPrefix(body, "#"):
		if !isID(body[1:]) {
			return "", who, false
		}
		return "#" + n.room(body[1:]), who, true
	case strings.HasPrefix(body, ":"), strings.HasPrefix(body, "a:"):
		_, rest, _ := strings.Cut(body, ":")
		name, id, found := strings.Cut(rest, ":")
		if !found || name == "" || strings.ContainsAny(name, " <:") || !isID(id) {
			return "", who, false
		}
		return ":" + name + ":", who, true
	case strings.HasPrefix(body, "t:"):
		sec, style, styled := strings.Cut(body[2:], ":")
		at, err := strconv.ParseInt(sec, 10, 64)
		if err != nil || styled && (len(style) != 1 || !strings.Contains("tTdDfFRsS", style)) || at > 8_640_000_000_000 || at < -8_640_000_000_000 {
			return "", who, false
		}
		return time.Unix(at, 0).UTC().Format("2006-01-02 15:04 UTC"), who, true
	case strings.HasPrefix(body, "/"):
		name, id, found := strings.Cut(body[1:], ":")
		if !found || name == "" || !isID(id) || strings.ContainsAny(name, "<\n") {
			return "", who, false
		}
		return "/" + name, who, true
	}
	return "", who, false
}
