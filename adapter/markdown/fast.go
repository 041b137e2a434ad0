package markdown

// simple tells whether a text is one that every dialect shows as it is written: no nodes, no markup, nothing that is
// escaped anywhere, and no white space that goes.
func simple(s string) bool {
	if s == "" {
		return false
	}
	start := true // of a line
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch class[c] {
		case 0: // stands for itself
			start = false
		case 1: // markup or an escape, wherever it stands
			return false
		case 2: // markup at the beginning of a line
			if start {
				return false
			}
		case 3: // a colon: an address
			if i+1 < len(s) && s[i+1] == '/' {
				return false
			}
			start = false
		case 4: // space
			if start || i+1 == len(s) || s[i+1] == '\n' {
				return false
			}
		case 5: // line feed
			if start || i+1 == len(s) {
				return false
			}
			start = true
		}
	}
	return true
}

var class = func() (t [256]uint8) {
	for i := range t {
		switch c := byte(i); {
		case c < ' ' || c == 0x7f || c >= 0x80: // controls; letters beyond ASCII may be noncharacters, spaces or not UTF-8
			t[i] = 1
		case c >= '0' && c <= '9':
			t[i] = 2
		}
	}
	for _, c := range []byte("\\`*_~[]<>&#|@") {
		t[c] = 1
	}
	for _, c := range []byte("-+=") {
		t[c] = 2
	}
	t[':'], t[' '], t['\n'] = 3, 4, 5
	return t
}()
