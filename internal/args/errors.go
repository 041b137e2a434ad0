package args

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const masked = "[secret]"

// Missing says that something required was not said, and nothing that was said is wrong: ask for it.
type Missing struct {
	Fields []*Arg // in the order of fields
}

// Error names the arguments.
func (e *Missing) Error() string { return "args: missing " + names(e.Fields) }

func names(args []*Arg) string {
	var out []string
	for _, a := range args {
		out = append(out, a.Name)
	}
	return strings.Join(out, ", ")
}

// Problem is one more thing that is wrong.
type Problem struct {
	Start, End int // bytes of UsageError.Text
	Reason     string
}

// UsageError says what is wrong with what was said. Secrets are masked in all of it.
type UsageError struct {
	Text       string // what was said, options of a native command as name:value; with masks in place of secrets
	Start, End int    // the word that is wrong, bytes of Text
	Reason     string // one line
	Try        string // a whole line that is right, to copy; empty where none can be computed
	More       []Problem
	Missing    []*Arg // required and not said
	Masked     bool   // some of what was said is a secret, or may be one
	Err        error  // ErrTooLong or ErrTooManyWords, else nil
}

// Error gives the reason.
func (e *UsageError) Error() string { return "args: " + e.Reason }

// Unwrap gives Err.
func (e *UsageError) Unwrap() error { return e.Err }

// columns is how wide a rendered text is at most.
const columns = 72

// Render shows the error in lines of a fixed-width font, for a code block:
//
//	deploy api to porod
//	              ^^^^^
//	env is one of staging, prod
//	try: deploy api to prod
//
// A long text is cut around the word, and what cannot be seen is shown by its code point. Further problems and what is
// missing follow the reason. Nothing in it is markup, but it has parts of what was said: send it as data.
func (e *UsageError) Render() string {
	var b strings.Builder
	if e.Text != "" {
		text, at, width := excerpt(e.Text, e.Start, e.End)
		b.WriteString(text)
		b.WriteByte('\n')
		b.WriteString(strings.Repeat(" ", at))
		b.WriteString(strings.Repeat("^", width))
		b.WriteByte('\n')
	}
	b.WriteString(e.Reason)
	for _, p := range e.More {
		b.WriteString("\nalso: ")
		b.WriteString(p.Reason)
	}
	if len(e.Missing) > 0 {
		b.WriteString("\nmissing: ")
		b.WriteString(names(e.Missing))
	}
	if e.Try != "" {
		b.WriteString("\ntry: ")
		b.WriteString(e.Try)
	}
	return b.String()
}

// excerpt gives the part of text around start to end as one line, and the column and width of start to end in it.
func excerpt(text string, start, end int) (line string, at, width int) {
	right := 0
	for i := start; i < len(text) && right < columns; {
		_, w, n := cell(text[i:])
		right += w
		i += n
	}
	budget := max(columns*2/5, columns-2-right) // what there is room for on the left
	from := start
	for from > 0 {
		_, n := utf8.DecodeLastRuneInString(text[:from])
		_, w, _ := cell(text[from-n:])
		if at+w > budget {
			break
		}
		at += w
		from -= n
	}
	var b strings.Builder
	if from > 0 {
		b.WriteString("…")
		at++
	}
	column := 0
	if from > 0 {
		column = 1
	}
	for i := from; i < len(text); {
		shown, w, n := cell(text[i:])
		if column+w > columns-1 {
			b.WriteString("…")
			break
		}
		b.WriteString(shown)
		column += w
		if i >= start && i < end {
			width += w
		}
		i += n
	}
	return b.String(), at, max(width, 1)
}

// Visible gives s in one line with what cannot be seen shown by its code point, `pr<U+200B>od`: for approvals and audits,
// where what is shown must be what is done.
func Visible(s string) string {
	if isASCII(s) && !strings.ContainsAny(s, "\t\n\v\f\r") {
		return s
	}
	var b strings.Builder
	for s != "" {
		shown, _, n := cell(s)
		b.WriteString(shown)
		s = s[n:]
	}
	return b.String()
}

// cell gives how the first character of s is shown, how many columns that takes, and its size.
func cell(s string) (shown string, width, size int) {
	if c := s[0]; c >= 0x20 && c < 0x7F {
		return s[:1], 1, 1
	}
	switch s[0] {
	case '\n':
		return `\n`, 2, 1
	case '\t':
		return `\t`, 2, 1
	case '\r':
		return `\r`, 2, 1
	}
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 {
		return escaped("x", uint32(s[0]), 2), 4, 1
	}
	if isOdd(r) || r < 0x20 || r == 0x85 || r == 0x2028 || r == 0x2029 {
		shown = escaped("U+", uint32(r), 4)
		return shown, len(shown), n
	}
	return s[:n], runeWidth(r), n
}

func escaped(prefix string, v uint32, digits int) string {
	const hex = "0123456789ABCDEF"
	var buf [8]byte
	i := len(buf)
	for ; v > 0 || len(buf)-i < digits; v >>= 4 {
		i--
		buf[i] = hex[v&15]
	}
	if prefix == "x" {
		return `\x` + string(buf[i:])
	}
	return "<" + prefix + string(buf[i:]) + ">"
}

// wide are the characters that take two columns in a font of fixed width (Unicode Standard Annex 11, W and F), as ranges.
var wide = [...][2]rune{
	{0x1100, 0x115F}, {0x231A, 0x231B}, {0x2329, 0x232A}, {0x23E9, 0x23EC}, {0x23F0, 0x23F0}, {0x23F3, 0x23F3}, {0x25FD, 0x25FE},
	{0x2614, 0x2615}, {0x2648, 0x2653}, {0x267F, 0x267F}, {0x2693, 0x2693}, {0x26A1, 0x26A1}, {0x26AA, 0x26AB}, {0x26BD, 0x26BE},
	{0x26C4, 0x26C5}, {0x26CE, 0x26CE}, {0x26D4, 0x26D4}, {0x26EA, 0x26EA}, {0x26F2, 0x26F3}, {0x26F5, 0x26F5}, {0x26FA, 0x26FA},
	{0x26FD, 0x26FD}, {0x2705, 0x2705}, {0x270A, 0x270B}, {0x2728, 0x2728}, {0x274C, 0x274C}, {0x274E, 0x274E}, {0x2753, 0x2755},
	{0x2757, 0x2757}, {0x2795, 0x2797}, {0x27B0, 0x27B0}, {0x27BF, 0x27BF}, {0x2B1B, 0x2B1C}, {0x2B50, 0x2B50}, {0x2B55, 0x2B55},
	{0x2E80, 0x303E}, {0x3041, 0xA4CF}, {0xA960, 0xA97F}, {0xAC00, 0xD7A3}, {0xF900, 0xFAFF}, {0xFE10, 0xFE19}, {0xFE30, 0xFE6F},
	{0xFF01, 0xFF60}, {0xFFE0, 0xFFE6}, {0x16FE0, 0x18DFF}, {0x1AFF0, 0x1B2FF}, {0x1F004, 0x1F004}, {0x1F0CF, 0x1F0CF},
	{0x1F18E, 0x1F18E}, {0x1F191, 0x1F19A}, {0x1F200, 0x1F320}, {0x1F32D, 0x1F335}, {0x1F337, 0x1F37C}, {0x1F37E, 0x1F393},
	{0x1F3A0, 0x1F3CA}, {0x1F3CF, 0x1F3D3}, {0x1F3E0, 0x1F3F0}, {0x1F3F4, 0x1F3F4}, {0x1F3F8, 0x1F43E}, {0x1F440, 0x1F440},
	{0x1F442, 0x1F4FC}, {0x1F4FF, 0x1F53D}, {0x1F54B, 0x1F54E}, {0x1F550, 0x1F567}, {0x1F57A, 0x1F57A}, {0x1F595, 0x1F596},
	{0x1F5A4, 0x1F5A4}, {0x1F5FB, 0x1F64F}, {0x1F680, 0x1F6C5}, {0x1F6CC, 0x1F6CC}, {0x1F6D0, 0x1F6D2}, {0x1F6D5, 0x1F6DF},
	{0x1F6EB, 0x1F6EC}, {0x1F6F4, 0x1F6FC}, {0x1F7E0, 0x1F7F0}, {0x1F90C, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD},
}

// runeWidth gives the columns of a character that can be seen.
func runeWidth(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) || 0x1160 <= r && r <= 0x11FF {
		return 0
	}
	_, in := slices.BinarySearchFunc(wide[:], r, func(w [2]rune, r rune) int {
		switch {
		case w[1] < r:
			return -1
		case w[0] > r:
			return 1
		}
		return 0
	})
	if in {
		return 2
	}
	return 1
}

// edit replaces a part of a text, or of an option.
type edit struct {
	start, end int
	text       string
	opt        int
}

// splice applies edits, which do not overlap, and gives where an offset of the old text is in the new one.
func splice(text string, edits []edit) (string, func(offset int, end bool) int) {
	slices.SortStableFunc(edits, func(a, b edit) int { return a.start - b.start })
	var b strings.Builder
	at := 0
	kept := edits[:0:0]
	for _, e := range edits {
		if e.start < at { // inside the one before
			continue
		}
		b.WriteString(text[at:e.start])
		b.WriteString(e.text)
		at = e.end
		kept = append(kept, e)
	}
	b.WriteString(text[at:])
	return b.String(), func(offset int, end bool) int {
		shift := 0
		for _, e := range kept {
			switch {
			case offset >= e.end && (offset > e.start || end):
				shift += len(e.text) - (e.end - e.start)
			case offset > e.start: // inside: the whole of it
				if end {
					return e.start + shift + len(e.text)
				}
				return e.start + shift
			}
		}
		return offset + shift
	}
}

// maxTry is how long a corrected line may be.
const maxTry = 500

// usage makes the error of all problems.
func (b *binder) usage(missing []*Arg) *UsageError {
	text := b.in.Text
	if len(b.in.Options) > 0 {
		text = b.spellOptions()
	}
	b.openQuote()
	slices.SortStableFunc(b.problems, func(x, y problem) int { return x.start - y.start })
	e := &UsageError{Missing: missing, Reason: b.problems[0].reason, Masked: len(b.hide) > 0}
	e.Try = b.try(text)
	var at func(int, bool) int
	e.Text, at = splice(text, b.hide)
	e.Start, e.End = at(b.problems[0].start, false), at(b.problems[0].end, true)
	for _, p := range b.problems[1:] {
		e.More = append(e.More, Problem{at(p.start, false), at(p.end, true), p.reason})
	}
	return e
}

// openQuote adds that a quotation has no end, which is often why words are too many or not what they should be.
func (b *binder) openQuote() {
	for i := range b.line.Tokens {
		t := &b.line.Tokens[i]
		if r, _ := utf8.DecodeRuneInString(t.Value); !t.Quoted && strings.ContainsRune("\"“„", r) && len(b.problems) < maxProblems {
			b.problems = append(b.problems, problem{start: t.Start, end: t.End, reason: "a quote has no partner: one ends where a space or the end of the text follows it"})
			return
		}
	}
}

// spellOptions writes the options after the text, and puts problems, edits and secrets that are about them there.
func (b *binder) spellOptions() string {
	var s strings.Builder
	s.WriteString(b.in.Text)
	for idx, a := range b.s.Args {
		value, ok := b.in.Options[a.Name]
		if !ok {
			continue
		}
		if len(value) > maxTry {
			b.unfixed = true
			continue
		}
		if s.Len() > 0 {
			s.WriteByte(' ')
		}
		s.WriteString(a.Name)
		s.WriteByte(':')
		start := s.Len()
		s.WriteString(keyValue(b.s.word(value, true)))
		for i := range b.problems {
			if p := &b.problems[i]; p.opt == 1+idx {
				p.start, p.end = start, s.Len()
			}
		}
		for _, edits := range [][]edit{b.edits, b.hide} {
			for i := range edits {
				if e := &edits[i]; e.opt == 1+idx {
					e.start, e.end = start, s.Len()
					if e.text != masked {
						e.text = keyValue(b.s.word(e.text, true))
					}
				}
			}
		}
		if a.List { // the place in the list is not known
			b.unfixed = true
		}
	}
	return s.String()
}

// try gives the corrected line, after trying it.
func (b *binder) try(text string) string {
	if b.unfixed || len(b.edits) == 0 || len(b.hide) > 0 || b.dry {
		return ""
	}
	line, _ := splice(text, slices.Clone(b.edits))
	line = strings.TrimSpace(line)
	if _, _, _, odd := findOdd(line, true); odd || len(line) > maxTry || !strings.HasPrefix(line, strings.TrimSpace(b.in.Text[:b.in.Offset])) {
		return ""
	}
	again := *b.in
	again.Text, again.Options = line, nil
	if !strings.HasPrefix(line, b.in.Text[:b.in.Offset]) {
		again.Offset = len(strings.TrimSpace(b.in.Text[:b.in.Offset]))
	}
	check := binder{s: b.s, ctx: b.ctx, in: &again, dry: true}
	if _, err := check.run(); err != nil {
		if _, missing := err.(*Missing); !missing {
			return ""
		}
	}
	return line
}
