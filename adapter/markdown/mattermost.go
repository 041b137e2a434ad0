package markdown

import (
	"strings"

	"github.com/starlingbot/starling/adapter"
)

// Mattermost shows documents in the Markdown of Mattermost
// (https://docs.mattermost.com/collaborate/format-messages.html). It has names where other platforms have ids: set
// Renderer.UserName and RoomName if the names in mentions may be others than those of accounts and channels. Times are
// text, in Renderer.Location. A picture is a link: the server of a picture would be told who reads.
//
// A zero-width space stands after every @ that could begin a mention, since a post has no other way to write one
// without notifying. Where the adapter answers over HTTP it has to set SkipSlackParsing.
func Mattermost() *Renderer {
	m := &markdownEscape{always: "\\`*_[]#~|", start: "-+>", guard: "=", number: true, indent: true, angle: true, entity: true,
		at: true, emoji: ":" + zwsp, www: true, address: ":" + zwsp}
	return &Renderer{Dialect: Dialect{
		Name:          "mattermost",
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
		Escape:        m.escape,
		Code: func(w *Writer, s string) {
			if w.InTable() && strings.IndexByte(s, '|') >= 0 { // an escaped bar in code is read in more than one way
				m.escape(w, s, true)
				return
			}
			markdownCode(w, s)
		},
		Link: func(w *Writer, address string, label func()) {
			if !strings.HasPrefix(address, "mailto:") {
				address = strings.ReplaceAll(address, "@", "%40")
			}
			markdownLink(w, strings.ReplaceAll(address, "|", "%7C"), label)
		},
		URL: func(w *Writer, address string) bool {
			if strings.ContainsAny(address, "@~*|") { // these are read as mentions and marks in an address too
				return false
			}
			for i := range len(address) {
				if address[i] == '&' && entityLike(address[i+1:], true) { // read as an entity by some apps
					return false
				}
			}
			w.Raw("<" + address + ">")
			return true
		},
		Mention: func(w *Writer, id, name string) bool {
			if f := w.Renderer().UserName; f != nil {
				if known := f(id); known != "" {
					name = known
				}
			}
			return mattermostName(w, "@", name)
		},
		RoomLink: func(w *Writer, id, name string) bool {
			if f := w.Renderer().RoomName; f != nil {
				if known := f(id); known != "" {
					name = known
				}
			}
			return mattermostName(w, "~", name)
		},
		Notify: func(n adapter.Notify) string {
			switch n {
			case adapter.NotifyHere:
				return "@here"
			case adapter.NotifyRoom:
				return "@channel"
			}
			return ""
		},
	}}
}

// mattermostName writes a mention by name: names are of lower-case letters, digits, dots, hyphens and underscores, and the
// mass mentions are none (model.IsValidUsername of the server). What follows must not go on the name.
func mattermostName(w *Writer, sigil, name string) bool {
	if name == "" || len(name) > 64 || name == "all" || name == "here" || name == "channel" {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (!alnum(c) || c >= 'A' && c <= 'Z') && (i == 0 || strings.IndexByte(".-_", c) < 0) {
			return false
		}
	}
	if len(w.pending) > 0 || w.edge {
		w.begin(sigil)
	}
	if r := w.Last(); len(w.buf) > 0 && (wordRune(r) || strings.ContainsRune(".-_:@~\\", r)) {
		w.Atom(zwsp + sigil + name + zwsp)
		return true
	}
	w.Atom(sigil + name + zwsp)
	return true
}
