package prefilter

import (
	"fmt"
	"math"
	"regexp/syntax"
	"sync"
)

// Set answers which of its expressions can match a text. It does not change
// after New and is safe for concurrent use. It must not be copied.
type Set struct {
	auto   automaton
	byByte []byteRule // expressions known by byte sets only
	always []int32    // expressions nothing is known about
	found  sync.Pool  // of *found
}

// New makes a Set of expressions in the syntax of package regexp. It reports
// the first expression that Check refuses, by its index and with the error of
// Check.
func New(exprs []string) (*Set, error) {
	return newSet(exprs, tuning{folds: asciiFolds(), tableBytes: maxTableBytes})
}

// tuning is what tests vary.
type tuning struct {
	folds      []asciiFold
	tableBytes int
}

func newSet(exprs []string, t tuning) (*Set, error) {
	if len(exprs) > math.MaxInt32 {
		return nil, fmt.Errorf("%d expressions: more than the limit of %d", len(exprs), math.MaxInt32)
	}
	trees := make([]*syntax.Regexp, len(exprs))
	for i, expr := range exprs {
		re, err := parse(expr)
		if err != nil {
			return nil, fmt.Errorf("expression %d: %w", i, err)
		}
		trees[i] = re
	}

	s := &Set{}
	var needles []needle
	for i, literals := range chooseLiterals(trees) {
		if literals == nil {
			if sets := requiredBytes(trees[i]); len(sets) > 0 {
				s.byByte = append(s.byByte, byteRule{expr: int32(i), sets: sets})
			} else {
				s.always = append(s.always, int32(i))
			}
			continue
		}
		for _, l := range literals {
			needles = append(needles, needle{literal: l, expr: int32(i)})
		}
	}
	s.auto = newAutomaton(needles, t)
	nLists, nExprs := s.auto.lists(), len(exprs)
	s.found.New = func() any { return &found{lists: newBitmap(nLists), exprs: newBitmap(nExprs)} }
	return s, nil
}

// Candidates appends to dst the indexes of the expressions that may match text,
// ascending and each once, and returns the extended slice. Every expression
// that matches is among them.
//
// It allocates nothing when there is no candidate. Otherwise it allocates when
// dst lacks capacity, and, rarely, a scratch of about one bit for each
// expression and literal, which later calls reuse until the garbage collector
// takes it (sync.Pool).
//
// Time grows with the length of text and with the number of candidates, and
// with the number of expressions that have no literal.
func (s *Set) Candidates(dst []int32, text string) []int32 {
	var f *found
	if !s.auto.empty() {
		at, state, list := 0, uint32(0), int32(0)
		for {
			at, state, list = s.auto.next(text, at, state)
			if list == noList {
				break
			}
			if f == nil {
				f = s.found.Get().(*found)
			}
			// A list met before has brought all that follow it in the chain,
			// so a text that repeats one literal costs no more than its scan.
			for list != noList && f.lists.add(uint32(list)) {
				for _, expr := range s.auto.exprs(list) {
					f.exprs.add(uint32(expr))
				}
				list = s.auto.listNext[list]
			}
		}
	}
	if len(s.byByte) > 0 {
		present := bytesIn(text)
		for i := range s.byByte {
			if r := &s.byByte[i]; r.met(&present) {
				if f == nil {
					f = s.found.Get().(*found)
				}
				f.exprs.add(uint32(r.expr))
			}
		}
	}
	if f == nil {
		return append(dst, s.always...)
	}
	for _, expr := range s.always {
		f.exprs.add(uint32(expr))
	}
	dst = f.exprs.drain(dst)
	f.lists.clear()
	s.found.Put(f)
	return dst
}

// Unfilterable lists the indexes, ascending, of the expressions that are
// candidates for every text: those that match the empty text and those, like
// `.+` or `\S+`, whose matches have nothing in common. Each costs a run of
// regexp per text, so a router should warn of them.
func (s *Set) Unfilterable() []int {
	out := make([]int, len(s.always))
	for i, expr := range s.always {
		out[i] = int(expr)
	}
	return out
}

// found is the scratch of one call of Candidates that found something. It is
// empty between calls.
type found struct {
	lists bitmap // output lists of the automaton met so far
	exprs bitmap // expressions found so far
}

// byteRule is an expression whose every match needs a byte of each set.
type byteRule struct {
	expr int32
	sets []byteSet
}

func (r *byteRule) met(present *byteSet) bool {
	for i := range r.sets {
		if !r.sets[i].meets(present) {
			return false
		}
	}
	return true
}
