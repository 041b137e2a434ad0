package prefilter

import (
	"cmp"
	"slices"
	"strings"
)

// maxTableBytes bounds the transition table of a set.
const maxTableBytes = 4 << 20

// noList is the list of a state where no literal ends.
const noList = 0

// needle is a literal of an expression.
type needle struct {
	literal string
	expr    int32
}

// automaton is an Aho-Corasick automaton over classes of bytes. A text takes it
// through the states; each state is a prefix of a literal, the longest that is
// a suffix of the text read so far.
//
// States are numbered breadth first, so the children of a state follow one
// another and a failure link always points to a smaller number. States below
// rows have a full row in table. The others, which are deep, keep a range of
// children and a failure link.
type automaton struct {
	class   [256]uint8 // 0 for bytes in no literal
	classes uint32
	folds   []asciiFold

	rows  uint32
	table []uint32 // rows of classes handles

	// For state rows+i: its children are first[i] to first[i+1]-1, each reached
	// by its label; elsewhere the text continues at fail.
	first []uint32
	label []uint8
	fail  []uint32 // handles without hit

	list     []int32  // by state: the list of the longest literal that ends there
	listNext []int32  // by list: that of the next shorter literal that ends there too
	listAt   []uint32 // by list: its start in members
	members  []int32
}

// A handle is how the scan knows a state: the offset of its row, or, for a
// state without one, its number counted on from the end of the table. hit marks
// a state where a literal ends.
const hit = 1 << 31

// newAutomaton makes an automaton of needles, which are different from one
// another and which it sorts.
func newAutomaton(needles []needle, t tuning) automaton {
	slices.SortFunc(needles, func(a, b needle) int {
		return cmp.Or(strings.Compare(a.literal, b.literal), cmp.Compare(a.expr, b.expr))
	})

	a := automaton{folds: t.folds, classes: 1, listNext: []int32{noList}, listAt: []uint32{0}}
	if len(needles) == 0 {
		return a
	}
	a.classify(needles)
	a.rows = max(1, uint32(t.tableBytes)/4/a.classes)

	// The states that begin with a prefix are a range of the sorted needles.
	// Each turn of the loop takes the next state and appends its children.
	type span struct{ lo, hi, depth int }
	spans := []span{{hi: len(needles)}}
	fail := []uint32{0}
	a.list = []int32{noList}
	for state := uint32(0); int(state) < len(spans); state++ {
		sp := spans[state]
		for sp.lo < sp.hi && len(needles[sp.lo].literal) == sp.depth {
			sp.lo++ // these end here
		}
		if state < a.rows {
			a.addRow(state, fail[state])
		} else {
			a.first = append(a.first, uint32(len(spans)))
		}
		for sp.lo < sp.hi {
			b := needles[sp.lo].literal[sp.depth]
			end := sp.lo + 1
			for end < sp.hi && needles[end].literal[sp.depth] == b {
				end++
			}
			c, child := a.class[b], uint32(len(spans))
			spans = append(spans, span{sp.lo, end, sp.depth + 1})

			to := uint32(0)
			if state != 0 {
				to = a.state(a.step(a.handle(fail[state])&^hit, c))
			}
			fail = append(fail, to)
			a.list = append(a.list, a.addList(needles[sp.lo:end], sp.depth+1, a.list[to]))
			a.addLink(child, c, to)
			if state < a.rows {
				a.table[state*a.classes+uint32(c)] = a.handle(child)
			}
			sp.lo = end
		}
	}
	a.first = append(a.first, uint32(len(spans)))
	a.listAt = append(a.listAt, uint32(len(a.members)))
	a.table, a.first, a.label, a.fail = fit(a.table), fit(a.first), fit(a.label), fit(a.fail)
	a.list, a.listNext, a.listAt, a.members = fit(a.list), fit(a.listNext), fit(a.listAt), fit(a.members)
	return a
}

// fit copies s to memory of its size.
func fit[T any](s []T) []T {
	out := make([]T, len(s))
	copy(out, s)
	return out
}

// classify gives each byte that occurs in a literal a class, in order, and a
// capital that of its small letter.
func (a *automaton) classify(needles []needle) {
	var used byteSet
	for _, n := range needles {
		for i := range len(n.literal) {
			used.add(n.literal[i])
		}
	}
	for b := range 256 {
		if used.has(byte(b)) {
			a.class[b] = uint8(a.classes)
			a.classes++
		}
	}
	for b := 'A'; b <= 'Z'; b++ {
		a.class[b] = a.class[b+'a'-'A']
	}
}

// addRow appends the row of state: at first that of its failure link.
func (a *automaton) addRow(state, fail uint32) {
	if state == 0 {
		a.table = append(a.table, make([]uint32, a.classes)...)
		return
	}
	at := fail * a.classes
	a.table = append(a.table, a.table[at:at+a.classes]...)
}

// addLink records how a state without a row is reached and left.
func (a *automaton) addLink(state uint32, c uint8, fail uint32) {
	if state >= a.rows {
		a.label = append(a.label, c)
		a.fail = append(a.fail, a.handle(fail)&^hit)
	}
}

// addList returns the list of a state: a new one if literals of length depth,
// which come first among needles, end there, else that of its failure link.
func (a *automaton) addList(needles []needle, depth int, next int32) int32 {
	if len(needles[0].literal) != depth {
		return next
	}
	a.listAt = append(a.listAt, uint32(len(a.members)))
	a.listNext = append(a.listNext, next)
	for _, n := range needles {
		if len(n.literal) != depth {
			break
		}
		a.members = append(a.members, n.expr)
	}
	return int32(len(a.listNext) - 1)
}

// lists is one more than the highest list.
func (a *automaton) lists() int { return len(a.listNext) }

// empty reports that there is no literal.
func (a *automaton) empty() bool { return len(a.members) == 0 }

// exprs returns the expressions of a list, each once.
func (a *automaton) exprs(list int32) []int32 {
	return a.members[a.listAt[list]:a.listAt[list+1]]
}

func (a *automaton) handle(state uint32) uint32 {
	h := state * a.classes
	if state >= a.rows {
		h = a.rows*a.classes + state - a.rows
	}
	if a.list[state] != noList {
		h |= hit
	}
	return h
}

// state is the number of the state with a handle.
func (a *automaton) state(h uint32) uint32 {
	h &^= hit
	if end := a.rows * a.classes; h >= end {
		return h - end + a.rows
	}
	return h / a.classes
}

// step returns the handle that follows h, which is without hit, on class c.
func (a *automaton) step(h uint32, c uint8) uint32 {
	end := a.rows * a.classes
	for h >= end {
		i := h - end
		for child := a.first[i]; child < a.first[i+1]; child++ {
			if a.label[child-a.rows] == c {
				return a.handle(child)
			}
		}
		h = a.fail[i]
	}
	return a.table[h+uint32(c)]
}

// Bytes that begin an encoding in asciiFolds.
const (
	foldLead1 = 0xC5
	foldLead2 = 0xE2
)

// next reads text from index at in a state, 0 at first, up to the next place
// where literals end. It returns where and in which state to go on and the list
// of the longest of them, or noList at the end of the text.
func (a *automaton) next(text string, at int, state uint32) (int, uint32, int32) {
	table, end := a.table, a.rows*a.classes
	for at < len(text) {
		b := text[at]
		if b == foldLead1 || b == foldLead2 {
			b, at = a.fold(text, at)
		}
		at++
		if c := a.class[b]; state < end {
			state = table[state+uint32(c)]
		} else {
			state = a.step(state, c)
		}
		if state&hit != 0 {
			state &^= hit
			return at, state, a.list[a.state(state)]
		}
	}
	return at, state, noList
}

// fold reads a character that may be one of folds. It returns the byte to use
// and the index of the last byte read.
//
// A lead byte begins an encoding wherever it stands, so these bytes are that
// character for regexp too.
func (a *automaton) fold(text string, at int) (byte, int) {
	for _, f := range a.folds {
		if strings.HasPrefix(text[at:], f.encoding) {
			return f.letter, at + len(f.encoding) - 1
		}
	}
	return text[at], at
}
