package prefilter

import (
	"cmp"
	"math/bits"
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

const (
	// maxByteSets bounds the byte sets kept for one expression.
	maxByteSets = 3
	// broadByteSet is the size from which a set says nothing about a text.
	broadByteSet = 129
)

// byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(b byte) { s[b>>6] |= 1 << (b & 63) }

func (s *byteSet) has(b byte) bool { return s[b>>6]&(1<<(b&63)) != 0 }

func (s *byteSet) addRange(lo, hi byte) {
	for b := int(lo); b <= int(hi); b++ {
		s.add(byte(b))
	}
}

func (s *byteSet) meets(o *byteSet) bool {
	return s[0]&o[0]|s[1]&o[1]|s[2]&o[2]|s[3]&o[3] != 0
}

func (s byteSet) union(o byteSet) byteSet {
	return byteSet{s[0] | o[0], s[1] | o[1], s[2] | o[2], s[3] | o[3]}
}

func (s byteSet) size() int {
	return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) + bits.OnesCount64(s[2]) + bits.OnesCount64(s[3])
}

// weight estimates how often a chat text has a byte of the set.
func (s byteSet) weight() int {
	n := 0
	for i := range 256 {
		b := byte(i)
		if !s.has(b) {
			continue
		}
		switch {
		case b == ' ':
			n += 200
		case 'a' <= b && b <= 'z':
			n += 50
		case b >= utf8.RuneSelf:
			n += 2
		case b < ' ' || b == 0x7f:
			n++
		default:
			n += 10
		}
	}
	return n
}

// bytesIn returns the set of bytes in text.
func bytesIn(text string) byteSet {
	var s byteSet
	for i := range len(text) {
		s.add(text[i])
	}
	return s
}

// requiredBytes returns sets such that every match of re contains a byte of
// each, the most selective first. None means nothing is known. The tree must be
// simplified: nothing is known of OpRepeat.
//
// These are bytes of the text as it is. A rune stands for the first byte of its
// encoding, and U+FFFD for every byte outside ASCII, because regexp reads an
// invalid byte as U+FFFD.
func requiredBytes(re *syntax.Regexp) []byteSet {
	var sets []byteSet
	switch re.Op {
	case syntax.OpNoMatch:
		sets = append(sets, byteSet{}) // nothing meets it, as nothing matches
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			var s byteSet
			addFirstBytes(&s, r, r)
			if re.Flags&syntax.FoldCase != 0 {
				for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
					addFirstBytes(&s, f, f)
				}
			}
			sets = append(sets, s)
		}
	case syntax.OpCharClass:
		var s byteSet
		for i := 0; i < len(re.Rune); i += 2 {
			addFirstBytes(&s, re.Rune[i], re.Rune[i+1])
		}
		sets = append(sets, s)
	case syntax.OpCapture, syntax.OpPlus:
		return requiredBytes(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			sets = append(sets, requiredBytes(sub)...)
		}
	case syntax.OpAlternate:
		var s byteSet
		for _, sub := range re.Sub {
			of := requiredBytes(sub)
			if len(of) == 0 {
				return nil
			}
			s = s.union(of[0])
		}
		sets = append(sets, s)
	}
	return selective(sets)
}

// selective returns the best few of sets.
func selective(sets []byteSet) []byteSet {
	sets = slices.DeleteFunc(sets, func(s byteSet) bool { return s.size() >= broadByteSet })
	if len(sets) < 2 {
		return sets
	}
	slices.SortStableFunc(sets, func(a, b byteSet) int {
		return cmp.Or(cmp.Compare(a.weight(), b.weight()), slices.Compare(a[:], b[:]))
	})
	sets = slices.Compact(sets)
	return slices.Clone(sets[:min(len(sets), maxByteSets)])
}

// addFirstBytes adds to s the bytes with which regexp can find a rune of the
// range begin.
func addFirstBytes(s *byteSet, lo, hi rune) {
	const firstLead = 0xC2 // 0x80 to 0xC1 begin no rune
	for b := int(firstByte(lo)); b <= int(firstByte(hi)); b++ {
		if b < utf8.RuneSelf || b >= firstLead {
			s.add(byte(b))
		}
	}
	if lo <= utf8.RuneError && utf8.RuneError <= hi {
		s.addRange(utf8.RuneSelf, 0xFF)
	}
}

// firstByte is the first byte of the encoding of r. It never falls as r grows,
// which utf8.AppendRune does not promise for surrogates.
func firstByte(r rune) byte {
	switch {
	case r < utf8.RuneSelf:
		return byte(r)
	case r < 0x800:
		return 0xC0 | byte(r>>6)
	case r < 0x10000:
		return 0xE0 | byte(r>>12)
	}
	return 0xF0 | byte(r>>18)
}
