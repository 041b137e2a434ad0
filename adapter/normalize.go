package adapter

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Normalize makes ev what it will be after a JSON round trip, and bounds it: valid UTF-8 (what is not becomes U+FFFD),
// UTC times, compact Raw, no empty slices or maps, Text of at most [MaxText] bytes cut between characters, Raw of at most
// [MaxRaw] bytes and 1,000 values inside one another, [MaxList] mentions and files. Characters that this package uses to
// carry data inside text are removed. The bot's Sink calls it on every event before anything else sees it; calling it
// twice changes nothing.
func (ev *Event) Normalize() {
	clean(&ev.ID, &ev.Adapter, &ev.Order, &ev.Thread, &ev.MessageID, &ev.BotName, &ev.Origin)
	cleanAs(&ev.Kind)
	ev.Time = normalTime(ev.Time)
	ev.Room.normalize()
	ev.User.normalize()
	ev.Text = Strip(strings.ToValidUTF8(ev.Text, "\uFFFD"))
	ev.bound(&ev.Text)
	if len(ev.Mentions) > MaxList {
		ev.Mentions, ev.Truncated = ev.Mentions[:MaxList], true
	}
	if len(ev.Mentions) == 0 {
		ev.Mentions = nil
	}
	for i := range ev.Mentions {
		ev.Mentions[i].normalize()
	}
	if len(ev.Files) > MaxList {
		ev.Files, ev.Truncated = ev.Files[:MaxList], true
	}
	if len(ev.Files) == 0 {
		ev.Files = nil
	}
	for i := range ev.Files {
		f := &ev.Files[i]
		clean(&f.ID, &f.Name, &f.Type)
	}
	if i := ev.Invocation; i != nil {
		clean(&i.Command, &i.Text)
		ev.bound(&i.Command, &i.Text)
		i.Options = cleanMap(i.Options)
	}
	if c := ev.Click; c != nil {
		clean(&c.Command, &c.Label)
		ev.bound(&c.Command, &c.Label)
		c.Message.normalize()
	}
	if r := ev.Reaction; r != nil {
		clean(&r.Emoji)
		r.Message.normalize()
		r.Author.normalize()
	}
	if s := ev.Signal; s != nil {
		clean(&s.Source, &s.Name, &s.Key, &s.Status)
	}
	ev.normalizeRaw()
}

// bound cuts texts at MaxText.
func (ev *Event) bound(texts ...*string) {
	for _, s := range texts {
		if len(*s) > MaxText {
			*s, ev.Truncated = cut(*s, MaxText), true
		}
	}
}

func (ev *Event) normalizeRaw() {
	if len(ev.Raw) == 0 || len(ev.Raw) > MaxRaw || !utf8.Valid(ev.Raw) {
		ev.Raw = nil
		return
	}
	raw, err := json.Marshal(ev.Raw) // compacts and escapes as the store's encoding of the event does
	if err != nil || len(raw) > MaxRaw || string(raw) == "null" || deep(raw) {
		raw = nil
	}
	ev.Raw = raw
}

// deep tells whether raw has more than 1,000 values inside one another: encoding/json reads 10,000, and a store puts the
// event inside records of its own, which must stay readable.
func deep(raw []byte) bool {
	if bytes.Count(raw, []byte("["))+bytes.Count(raw, []byte("{")) <= 1000 {
		return false
	}
	return !json.Valid(slices.Concat(bytes.Repeat([]byte("["), 9000), raw, bytes.Repeat([]byte("]"), 9000)))
}

func (u *User) normalize() {
	clean(&u.Adapter, &u.Tenant, &u.ID, &u.Name, &u.Email)
	cleanAs(&u.Kind)
}

func (r *Room) normalize() {
	clean(&r.ID, &r.Name)
	cleanAs(&r.Kind)
}

func (r *Ref) normalize() { clean(&r.Adapter, &r.Room, &r.Thread, &r.ID) }

// normalTime drops the monotonic reading and the zone; a year that JSON cannot hold becomes the zero time.
func normalTime(t time.Time) time.Time {
	t = t.Round(0).UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return time.Time{}
	}
	return t
}

func clean(fields ...*string) {
	for _, s := range fields {
		*s = Strip(strings.ToValidUTF8(*s, "\uFFFD"))
	}
}

func cleanAs[S ~string](s *S) { *s = S(Strip(strings.ToValidUTF8(string(*s), "\uFFFD"))) }

func cleanMap(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) { // in order: names that become the same do so the same way each time
		v := m[k]
		clean(&k, &v)
		out[k] = v
	}
	return out
}

// cut shortens s to at most n bytes between characters.
func cut(s string, n int) string {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
