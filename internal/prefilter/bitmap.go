package prefilter

import "math/bits"

// bitmap is a set of small integers that is emptied in time proportional to its
// members rather than to its size.
type bitmap struct {
	words []uint64
	index []uint64 // one bit for each word that is not zero
}

func newBitmap(n int) bitmap {
	words := (n + 63) / 64
	return bitmap{words: make([]uint64, words), index: make([]uint64, (words+63)/64)}
}

// add adds i and reports whether it is new.
func (b *bitmap) add(i uint32) bool {
	w, bit := i/64, uint64(1)<<(i%64)
	if b.words[w]&bit != 0 {
		return false
	}
	b.words[w] |= bit
	b.index[w/64] |= 1 << (w % 64)
	return true
}

// drain appends the members to dst, ascending, and empties b.
func (b *bitmap) drain(dst []int32) []int32 {
	for i, top := range b.index {
		for ; top != 0; top &= top - 1 {
			w := i*64 + bits.TrailingZeros64(top)
			for word := b.words[w]; word != 0; word &= word - 1 {
				dst = append(dst, int32(w*64+bits.TrailingZeros64(word)))
			}
			b.words[w] = 0
		}
		b.index[i] = 0
	}
	return dst
}

// clear empties b.
func (b *bitmap) clear() {
	for i, top := range b.index {
		for ; top != 0; top &= top - 1 {
			b.words[i*64+bits.TrailingZeros64(top)] = 0
		}
		b.index[i] = 0
	}
}
