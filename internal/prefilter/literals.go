package prefilter

import (
	"cmp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// minLiteral is the length in bytes below which a literal is left to the
	// byte sets: the automaton would stop at it in nearly every text.
	minLiteral = 2
	// maxLiteral is the length to which literals are cut.
	maxLiteral = 16
	// maxProduct bounds the strings a concatenation may multiply into, maxUnion
	// those an alternation may collect.
	maxProduct = 24
	maxUnion   = 64
	// maxLiteralBytes bounds the literals of one expression together: with more
	// than maxProduct of them, each is cut shorter.
	maxLiteralBytes = maxProduct * maxLiteral
	// maxChoices bounds the alternatives kept while an expression is read.
	maxChoices = 8
)

// asciiFold is a character outside ASCII that Unicode folds onto an ASCII
// letter: (?i)k matches it.
type asciiFold struct {
	encoding string // in UTF-8
	letter   byte   // lower case
}

// asciiFolds lists all of them.
func asciiFolds() []asciiFold {
	return []asciiFold{
		{encoding: "\u212a", letter: 'k'}, // Kelvin sign
		{encoding: "\u017f", letter: 's'}, // long s
	}
}

// chooseLiterals returns for each expression literals such that every match
// contains at least one, or nil where there are none. Literals are written as
// the automaton reads text: ASCII in lower case, asciiFolds replaced.
func chooseLiterals(trees []*syntax.Regexp) [][]string {
	choices := make([][]choice, len(trees))
	shares := make(map[string]int) // how many expressions could use a literal
	for i, re := range trees {
		exact, cs := required(re)
		if exact != nil {
			cs = addChoice(nil, exact)
		}
		choices[i] = cs
		seen := make(map[string]bool, len(cs))
		for _, c := range cs {
			for _, l := range c {
				if !seen[l] {
					seen[l] = true
					shares[l]++
				}
			}
		}
	}
	out := make([][]string, len(trees))
	for i, cs := range choices {
		if len(cs) > 0 {
			out[i] = slices.MinFunc(cs, func(a, b choice) int {
				return cmp.Or(cmp.Compare(a.cost(shares), b.cost(shares)), a.compare(b))
			})
		}
	}
	return out
}

// choice is one way to filter an expression: every match contains at least one
// of these literals. An expression may offer several.
type choice []string

// cost estimates how often a text meets c in vain: by chance, or because it is
// for another expression that has the same literal.
func (c choice) cost(shares map[string]int) int {
	n := c.chance()
	for _, l := range c {
		n += shares[l] - 1
	}
	return n
}

// chance estimates how often a text has a literal of c by chance, which falls
// with its length. The unit is one expression that shares a literal.
func (c choice) chance() int {
	n := 0
	for _, l := range c {
		if len(l) < 6 {
			n += 1 << (2 * (6 - len(l))) // 256 at two bytes, 64, 16, 4
		}
	}
	return n
}

// compare orders choices when nothing is known about other expressions.
func (c choice) compare(d choice) int {
	return cmp.Or(
		cmp.Compare(c.chance(), d.chance()),
		cmp.Compare(len(c), len(d)),
		-cmp.Compare(c.shortest(), d.shortest()),
		slices.Compare(c, d),
	)
}

func (c choice) shortest() int {
	n := len(c[0])
	for _, l := range c[1:] {
		n = min(n, len(l))
	}
	return n
}

// required reads a tree. When the matches of re are among a few strings it
// returns those as exact; else exact is nil and choices are what is known.
//
// Exact strings are what a match consumes: assertions such as \b or ^ consume
// the empty string.
func required(re *syntax.Regexp) (exact []string, choices []choice) {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText,
		syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}, nil
	case syntax.OpLiteral:
		if s, ok := plain(re); ok {
			return []string{s}, nil
		}
		return concat(len(re.Rune), func(i int) ([]string, []choice) {
			return runeForms(re.Rune[i], re.Flags&syntax.FoldCase != 0), nil
		})
	case syntax.OpCharClass:
		return classForms(re.Rune), nil
	case syntax.OpCapture:
		return required(re.Sub[0])
	case syntax.OpQuest:
		if sub, _ := required(re.Sub[0]); sub != nil && len(sub) < maxUnion {
			return union(sub, []string{""}), nil
		}
	case syntax.OpPlus:
		sub, cs := required(re.Sub[0])
		if sub != nil {
			cs = addChoice(nil, sub)
		}
		return nil, cs
	case syntax.OpConcat:
		return concat(len(re.Sub), func(i int) ([]string, []choice) { return required(re.Sub[i]) })
	case syntax.OpAlternate:
		return alternate(re.Sub)
	}
	// The rest may match anything: OpStar, OpAnyChar, OpAnyCharNotNL. A
	// simplified tree has no OpRepeat. OpNoMatch is left to the byte sets.
	return nil, nil
}

// concat joins n parts that follow one another. It multiplies exact strings
// while they are few, and starts anew where a part has none.
func concat(n int, part func(i int) ([]string, []choice)) ([]string, []choice) {
	run := []string{""}
	whole := true // run is the concatenation of all parts so far
	var choices []choice
	for i := range n {
		exact, cs := part(i)
		for _, c := range cs {
			choices = keepBest(append(choices, c))
		}
		if exact != nil && (len(run) == 1 || len(exact) == 1 || len(run)*len(exact) <= maxProduct) {
			run = product(run, exact)
			continue
		}
		choices = addChoice(choices, run)
		whole = false
		if run = exact; exact == nil {
			run = []string{""}
		}
	}
	if whole {
		return run, nil
	}
	return nil, addChoice(choices, run)
}

// alternate joins parts of which one matches.
func alternate(subs []*syntax.Regexp) ([]string, []choice) {
	var exact, each []string
	isExact, isEach := true, true
	for _, sub := range subs {
		e, cs := required(sub)
		if isExact = isExact && e != nil; isExact {
			exact = union(exact, e)
			isExact = len(exact) <= maxUnion
		}
		if e != nil {
			cs = addChoice(nil, e)
		}
		if isEach = isEach && len(cs) > 0; isEach {
			each = append(each, slices.MinFunc(cs, choice.compare)...)
		}
		if !isExact && !isEach {
			return nil, nil
		}
	}
	if isExact {
		return exact, nil
	}
	return nil, addChoice(nil, each)
}

// plain returns a literal that has one form only, as ASCII has.
func plain(re *syntax.Regexp) (string, bool) {
	var b strings.Builder
	for _, r := range re.Rune {
		if r == utf8.RuneError || r >= utf8.RuneSelf && re.Flags&syntax.FoldCase != 0 {
			return "", false
		}
		b.WriteString(normal(r))
	}
	return b.String(), true
}

// runeForms lists what a rune of a literal may be in the text, nil if unknown.
func runeForms(r rune, fold bool) []string {
	if r == utf8.RuneError {
		return nil // regexp reads any invalid byte as this rune
	}
	forms := []string{normal(r)}
	if fold && r >= utf8.RuneSelf {
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			forms = union(forms, []string{normal(f)})
		}
	}
	return forms
}

// classForms lists the runes of a class when they are few, nil otherwise.
func classForms(ranges []rune) []string {
	var forms []string
	for i := 0; i < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		if hi-lo >= 2*maxProduct || lo <= utf8.RuneError && utf8.RuneError <= hi {
			return nil
		}
		for r := lo; r <= hi; r++ {
			forms = union(forms, []string{normal(r)})
			if len(forms) > maxProduct {
				return nil
			}
		}
	}
	return forms
}

// normal is r as the automaton reads it.
func normal(r rune) string {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return string(r)
	}
	s := string(r)
	for _, f := range asciiFolds() {
		if s == f.encoding {
			return string(rune(f.letter))
		}
	}
	return s
}

// union appends to a what it lacks of b.
func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// product returns each of a followed by each of b.
func product(a, b []string) []string {
	out := make([]string, 0, len(a)*len(b))
	for _, s := range a {
		for _, t := range b {
			out = append(out, s+t)
		}
	}
	return out
}

// addChoice adds what the strings give, of which every match contains one. It
// adds nothing where they are too many or one is too short, and two choices,
// heads and tails, where they are too long.
func addChoice(choices []choice, strs []string) []choice {
	c := withoutLonger(strs)
	if c == nil || len(c) > maxUnion || c.shortest() < minLiteral {
		return choices
	}
	most := min(maxLiteral, maxLiteralBytes/len(c))
	heads, tails := make(choice, len(c)), make(choice, len(c))
	for i, s := range c {
		heads[i], tails[i] = s[:min(len(s), most)], s[len(s)-min(len(s), most):]
	}
	heads, tails = withoutLonger(heads), withoutLonger(tails)
	choices = keepBest(append(choices, heads))
	if !slices.Equal(heads, tails) {
		choices = keepBest(append(choices, tails))
	}
	return choices
}

// keepBest drops the worst choice when there are too many.
func keepBest(choices []choice) []choice {
	if len(choices) <= maxChoices {
		return choices
	}
	worst := slices.MaxFunc(choices, choice.compare)
	at := slices.IndexFunc(choices, func(c choice) bool { return slices.Equal(c, worst) })
	return slices.Delete(choices, at, at+1)
}

// withoutLonger returns strs without those that contain another, which need not
// be looked for, shortest first. It returns nil when there are far too many.
func withoutLonger(strs []string) choice {
	const tooMany = 4 * maxUnion // this is quadratic
	if len(strs) > tooMany {
		return nil
	}
	sorted := slices.Clone(strs)
	slices.SortFunc(sorted, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	var out choice
	for _, s := range sorted {
		if !slices.ContainsFunc(out, func(o string) bool { return strings.Contains(s, o) }) {
			out = append(out, s)
		}
	}
	return out
}
