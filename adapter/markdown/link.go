package markdown

import (
	"strings"
	"unicode/utf8"
)

// target sets the address of a link. Where data reaches the scheme or the host the link is foreign.
func (c *converter) target(n *Node, written string, escapes bool) {
	address, data := c.expand(written, escapes)
	n.Text = address
	target, hostEnd, ok := cleanAddress(address)
	if !ok {
		return
	}
	schemeEnd := strings.IndexByte(address, ':')
	n.Foreign = data >= 0 && data <= hostEnd
	if data >= 0 && data <= schemeEnd {
		switch strings.ToLower(address[:schemeEnd]) {
		case "http", "https", "mailto":
		default: // data chooses no other scheme
			return
		}
	}
	n.Target = target
}

// cleanAddress gives an address that is safe inside the link syntax of any platform: what is no URL character is
// percent-encoded (RFC 3986, section 2). ok is false for what is no absolute address, for schemes that run code or open
// files, and for a host that is not made of letters, digits, dots and hyphens (write an international name in its ASCII
// form; RFC 5890), so that the host that is read is the host that is opened. hostEnd is where the host ends in s.
func cleanAddress(s string) (out string, hostEnd int, ok bool) {
	colon := strings.IndexByte(s, ':')
	if colon < 1 || colon > 31 {
		return "", 0, false
	}
	for i := range colon {
		if c := s[i]; !alnum(c) && (i == 0 || c != '+' && c != '-' && c != '.') {
			return "", 0, false
		}
	}
	scheme := strings.ToLower(s[:colon])
	switch scheme {
	case "javascript", "vbscript", "data", "file", "about", "blob", "view-source":
		return "", 0, false
	}
	if strings.HasPrefix(s[colon:], "://") {
		start := colon + 3
		for hostEnd = start; hostEnd < len(s); hostEnd++ {
			c := s[hostEnd]
			if c == '/' || c == '?' || c == '#' {
				break
			}
			if !alnum(c) && c != '.' && c != '-' && c != '_' && c != ':' && c != '[' && c != ']' {
				return "", 0, false
			}
		}
		if hostEnd == start {
			return "", 0, false
		}
	} else if scheme == "http" || scheme == "https" {
		return "", 0, false
	} else {
		hostEnd = len(s)
	}
	for i := 0; i < len(s); i++ {
		if !addressByte(s[i]) {
			var b strings.Builder
			for i := range len(s) {
				if c := s[i]; addressByte(c) {
					b.WriteByte(c)
				} else {
					b.WriteByte('%')
					b.WriteByte("0123456789ABCDEF"[c>>4])
					b.WriteByte("0123456789ABCDEF"[c&15])
				}
			}
			return b.String(), hostEnd, true
		}
	}
	return s, hostEnd, true
}

// addressByte tells whether c stands for itself in an address. The brackets and quotes that end a link on some platform
// do not.
func addressByte(c byte) bool {
	return alnum(c) || strings.IndexByte("-._~:/?#@!$&*+,;=%", c) >= 0
}

// host gives the host of an address, or what stands in its place (the recipient of a mail).
func host(address string) string {
	_, rest, ok := strings.Cut(address, "://")
	if !ok {
		_, rest, _ = strings.Cut(address, ":")
		rest, _, _ = strings.Cut(rest, "?")
		return rest
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// hides tells whether a label does not show the host of the address that it leads to.
func hides(label, address string) bool {
	label = strings.ToLower(strings.TrimSpace(label))
	for _, scheme := range [...]string{"https://", "http://", "mailto:"} {
		label = strings.TrimPrefix(label, scheme)
	}
	rest, shown := strings.CutPrefix(label, strings.ToLower(host(address)))
	return !shown || rest != "" && strings.IndexByte("/?# :", rest[0]) < 0
}

// looksLikeAddress tells whether people would take s for the address of some place.
func looksLikeAddress(s string) bool {
	if strings.Contains(s, "://") {
		return true
	}
	s = unclosed(s)
	for i := 1; i+1 < len(s); i++ {
		if s[i] == '.' && (alnum(s[i-1]) || s[i-1] >= 0x80) && (s[i+1] >= 'a' && s[i+1] <= 'z' || s[i+1] >= 'A' && s[i+1] <= 'Z' || s[i+1] >= 0x80) {
			return true
		}
	}
	return false
}

// shownHost gives the host that is to be shown after the label of a link, or "". A link that code wrote is trusted; the
// host is shown where data chose it, or where data in the label reads like an address, and the label hides it.
func shownHost(n *Node, label string) string {
	suspect := n.Foreign
	if !suspect {
		for c := n.first; c != nil; c = c.next {
			if c.hasData() && looksLikeAddress(label) {
				suspect = true
				break
			}
		}
	}
	if suspect && hides(label, n.Target) {
		return host(n.Target)
	}
	return ""
}

func (n *Node) hasData() bool {
	if n.Kind == KindData || n.Kind == KindCode { // a code span may hold data
		return true
	}
	for c := n.first; c != nil; c = c.next {
		if c.hasData() {
			return true
		}
	}
	return false
}

// maxURL is the length of the longest address that a text is searched for: what browsers take (RFC 9110, section 4.1, asks
// for 8000 at least; no chat has room for that), and a bound for hostile data.
const maxURL = 2048

// findURL finds the next http or https address that stands in a text: it ends at white space or a character that no
// address has, and without the punctuation that follows it (GitHub Flavored Markdown, section 6.9).
func findURL(s string, from int) (start, end int) {
	for {
		i := strings.Index(s[from:], "://")
		if i < 0 {
			return -1, -1
		}
		colon := from + i
		from = colon + 3
		start = colon
		for start > 0 && colon-start < 5 && alnum(s[start-1]) {
			start--
		}
		scheme := s[start:colon]
		if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") || start > 0 && (alnum(s[start-1]) || s[start-1] >= 0x80) {
			continue
		}
		end = from
		open := 0 // brackets that are not closed
		for end < len(s) && end-from <= maxURL && (addressByte(s[end]) || s[end] == '(' || s[end] == ')') {
			switch s[end] {
			case '(':
				open++
			case ')':
				open--
			}
			end++
		}
		if end-from > maxURL {
			continue
		}
		if end < len(s) && s[end] >= 0x80 { // an address with other letters: encoding it would change what is shown
			if r, _ := utf8.DecodeRuneInString(s[end:]); r != 0xA0 {
				continue
			}
		}
		for end > from {
			c := s[end-1]
			if c == ')' && open < 0 {
				open++
			} else if strings.IndexByte("?!.,:;*_~", c) < 0 {
				break
			}
			end--
		}
		if _, _, ok := cleanAddress(s[start:end]); !ok || !alnum(s[from]) {
			continue
		}
		return start, end
	}
}
