package memory

import (
	"cmp"
	"iter"
	"slices"
)

// blockKeys is the largest number of items in one block of an index.
const blockKeys = 256

// index keeps items in byte order of their keys: a sorted list of sorted blocks.
// Finding is two binary searches; inserting moves at most one block, and now and
// then the list of blocks, which is 256 times shorter than the items. The zero
// value is empty. No block is empty.
type index struct {
	blocks [][]*item
}

// block returns the position of the block that key belongs in: the last one that
// begins at or before key, or the first.
func (x *index) block(key string) int {
	i, found := slices.BinarySearchFunc(x.blocks, key, func(b []*item, key string) int { return cmp.Compare(b[0].key, key) })
	if !found && i > 0 {
		i--
	}
	return i
}

func search(b []*item, key string) (int, bool) {
	return slices.BinarySearchFunc(b, key, func(it *item, key string) int { return cmp.Compare(it.key, key) })
}

// insert adds an item whose key is not in the index.
func (x *index) insert(it *item) {
	if len(x.blocks) == 0 {
		x.blocks = append(x.blocks, []*item{it})
		return
	}
	i := x.block(it.key)
	b := x.blocks[i]
	at, _ := search(b, it.key)
	if len(b) < blockKeys {
		x.blocks[i] = slices.Insert(b, at, it)
		return
	}
	// Full. Keys that arrive in order fill their blocks; others split in half.
	cut := len(b) / 2
	if at == len(b) && i == len(x.blocks)-1 {
		cut = len(b)
	}
	rest := append(make([]*item, 0, blockKeys), b[cut:]...)
	clear(b[cut:])
	b = b[:cut]
	if at <= cut && cut < blockKeys {
		b = slices.Insert(b, at, it)
	} else {
		rest = slices.Insert(rest, at-cut, it)
	}
	x.blocks[i] = b
	x.blocks = slices.Insert(x.blocks, i+1, rest)
}

// remove takes the item of key out; its key must be in the index.
func (x *index) remove(key string) {
	i := x.block(key)
	at, found := search(x.blocks[i], key)
	if !found {
		return
	}
	x.blocks[i] = slices.Delete(x.blocks[i], at, at+1)
	// Keep blocks from becoming many and small: an eighth joins its neighbour.
	b := x.blocks[i]
	switch {
	case len(b) == 0:
		x.blocks = slices.Delete(x.blocks, i, i+1)
	case len(b) <= blockKeys/8 && i+1 < len(x.blocks) && len(b)+len(x.blocks[i+1]) <= blockKeys/2:
		x.blocks[i] = append(b, x.blocks[i+1]...)
		x.blocks = slices.Delete(x.blocks, i+1, i+2)
	}
}

// from iterates over the items whose keys are at or after key, in order.
func (x *index) from(key string) iter.Seq[*item] {
	return func(yield func(*item) bool) {
		if len(x.blocks) == 0 {
			return
		}
		i := x.block(key)
		at, _ := search(x.blocks[i], key)
		for ; i < len(x.blocks); i, at = i+1, 0 {
			for _, it := range x.blocks[i][at:] {
				if !yield(it) {
					return
				}
			}
		}
	}
}
