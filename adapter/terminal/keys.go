package terminal

import (
	"context"
	"unicode/utf8"
)

// keyReader gives what is typed key by key. golang.org/x/term stops at bytes that are no UTF-8 and at escape sequences
// that it does not know until more is typed, and it echoes control characters of the C1 set: here such keys are dropped
// or stand-ins are given, so that no later line waits and nothing typed or pasted can act on the screen.
type keyReader struct {
	src         *source
	back        int  // a byte that was read too far, plus one
	cr          bool // the last key was a carriage return
	run         int  // printable keys since the last other one
	over        bool // something of this line was discarded
	interrupted bool // Ctrl-C was typed
}

func (k *keyReader) byte(ctx context.Context) (byte, error) {
	if k.back > 0 {
		b := byte(k.back - 1)
		k.back = 0
		return b, nil
	}
	return k.src.next(ctx)
}

func (k *keyReader) unread(b byte) { k.back = int(b) + 1 }

// The keys as golang.org/x/term knows them.
const (
	keyHome      = "\x01"
	keyEnd       = "\x05"
	keyCtrlC     = 3
	keyTab       = '\t'
	keyWordLeft  = "\x1b[1;3D"
	keyWordRight = "\x1b[1;3C"
)

// next gives the bytes of one key.
func (k *keyReader) next(ctx context.Context) (string, error) {
	for {
		b, err := k.byte(ctx)
		if err != nil {
			return "", err
		}
		afterCR := k.cr
		k.cr = b == '\r'
		if b >= ' ' && b != 0x7f {
			r, err := k.character(ctx, b)
			if err != nil {
				return "", err
			}
			if r < 0 {
				continue
			}
			if k.run++; k.run > maxTyped { // the line is full wherever it began
				k.over = true
				continue
			}
			return string(r), nil
		}
		k.run = 0
		switch b {
		case keyCtrlC:
			k.interrupted = true
			return string(rune(b)), nil
		case '\n':
			if !afterCR {
				return "\r", nil
			}
		case esc:
			s, err := k.escape(ctx)
			if s != "" || err != nil {
				return s, err
			}
		case '\r', keyTab, 1, 2, 4, 5, 6, 8, 11, 12, 14, 16, 20, 21, 23, 0x7f: // editing
			return string(rune(b)), nil
		}
	}
}

// character decodes the character that begins with b; a negative one is to be dropped.
func (k *keyReader) character(ctx context.Context, b byte) (rune, error) {
	if b < utf8.RuneSelf {
		return rune(b), nil
	}
	p := []byte{b}
	for !utf8.FullRune(p) {
		b, err := k.byte(ctx)
		if err != nil {
			return 0, err
		}
		if utf8.RuneStart(b) { // the character is broken off
			k.unread(b)
			break
		}
		p = append(p, b)
	}
	r, n := utf8.DecodeRune(p)
	if n < len(p) { // the last byte does not belong to it: it is broken on its own
		r = utf8.RuneError
	}
	if r >= 0x80 && r <= 0x9f {
		return -1, nil
	}
	return standIn(r), nil
}

// escape reads what follows ESC and gives the key; the empty string for one that does nothing. A sequence that is broken
// off costs nothing of what follows, and neither does ESC alone.
func (k *keyReader) escape(ctx context.Context) (string, error) {
	b, err := k.byte(ctx)
	if err != nil {
		return "", err
	}
	switch b {
	case 'b':
		return keyWordLeft, nil
	case 'f':
		return keyWordRight, nil
	case 'O':
		if b, err = k.byte(ctx); err != nil {
			return "", err
		}
		if b < 0x40 || b > 0x7e {
			k.unread(b)
			return "", nil
		}
		return csiKey("", b), nil
	case '[':
		var params []byte
		for {
			if b, err = k.byte(ctx); err != nil {
				return "", err
			}
			switch {
			case b >= 0x40 && b <= 0x7e:
				return csiKey(string(params), b), nil
			case b < 0x20 || b > 0x3f || len(params) == 32:
				k.unread(b)
				return "", nil
			}
			params = append(params, b)
		}
	}
	k.unread(b)
	return "", nil
}

// csiKey gives the key of the sequence CSI params final (xterm, VT220 and rxvt).
func csiKey(params string, final byte) string {
	switch final {
	case 'A', 'B':
		return "\x1b[" + string(final)
	case 'C', 'D':
		switch params {
		case "1;3", "1;5", "1;9": // Alt, Ctrl, Meta
			return "\x1b[1;3" + string(final)
		}
		return "\x1b[" + string(final)
	case 'H':
		return keyHome
	case 'F':
		return keyEnd
	case '~':
		switch params {
		case "1", "7":
			return keyHome
		case "4", "8":
			return keyEnd
		case "3":
			return "\x1b[3~"
		}
	}
	return ""
}

// Stand-ins, from plane 16 of the private use: characters that would not be seen, or would rewrite the line while it is
// edited, and U+FFFD, which golang.org/x/term takes for the end of what it has. A terminal shows a box for each.
const (
	standBMP  = 0x100000
	standTags = 0x10e000 // U+E0000 to U+E00FF; the same place in the BMP is private use and needs no stand-in
)

// standIn gives what the line editor gets for r.
func standIn(r rune) rune {
	switch {
	case r >= standBMP:
		return standBMP + utf8.RuneError
	case r >= 0xe0000 && r <= 0xe00ff:
		return r - 0xe0000 + standTags
	case r == utf8.RuneError, r < utf8.RuneError && invisible(r):
		return standBMP + r
	case invisible(r):
		return standBMP + utf8.RuneError
	}
	return r
}

// standsFor is the way back.
func standsFor(r rune) rune {
	switch {
	case r < standBMP:
		return r
	case r >= standTags && r <= standTags+0xff:
		return r - standTags + 0xe0000
	}
	return r - standBMP
}
