package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The layout of bbolt's pages, from its source (internal/common/page.go, bucket.go, unsafe.go): a header of 16 bytes (id,
// flags, count, overflow), then count elements of 16 bytes. An element of a branch page ends with the id of a page; one of
// a leaf page has flags, the offset of its key from the element, and the lengths of key and value.
const (
	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	elementLen   = 16
	bucketFlag   = 0x01
	manyFree     = 0xFFFF // the count of free pages does not fit the header: it is in front of them
)

// tree looks at the pages from which the others are reached. bbolt trusts them: it would go round a circle of pages until
// the process dies of it, and write over a page that is in use and listed as free.
type tree struct {
	meta
	f    io.ReaderAt
	seen []uint64 // a bit for each page
}

// checkTree refuses a file whose pages lead elsewhere than down, each to its own, or that lists one of them as free. It
// reads the branch pages, of which there is one for some hundred keys, and no others: leaves are all at one depth.
func (m meta) checkTree(f io.ReaderAt) error {
	t := &tree{meta: m, f: f, seen: make([]uint64, m.high/64+1)}
	if err := t.mark(m.freelist); err != nil {
		return err
	}
	if err := t.walk(m.root, true); err != nil {
		return err
	}
	return t.free()
}

var errTree = errors.New("its pages do not lead to each other as they should")

func (t *tree) wrong(id uint64, what string) error {
	return fmt.Errorf("%w: page %d %s", errTree, id, what)
}

// header reads the header and the elements of a page.
func (t *tree) header(id uint64) (flags uint16, count int, elements []byte, err error) {
	var head [pageHeader]byte
	off := int64(id * t.pageSize)
	if _, err := t.f.ReadAt(head[:], off); err != nil {
		return 0, 0, nil, err
	}
	if binary.NativeEndian.Uint64(head[:]) != id {
		return 0, 0, nil, t.wrong(id, "has another number")
	}
	flags, count = binary.NativeEndian.Uint16(head[8:]), int(binary.NativeEndian.Uint16(head[10:]))
	if flags != branchPage && flags != leafPage {
		return flags, count, nil, nil
	}
	elements = make([]byte, elementLen*count)
	if _, err := t.f.ReadAt(elements, off+pageHeader); err != nil {
		return 0, 0, nil, t.wrong(id, "is longer than the file")
	}
	return flags, count, elements, nil
}

// mark notes that a page is in use.
func (t *tree) mark(id uint64) error {
	switch {
	case id < 2 || id >= t.high:
		return t.wrong(id, "is outside of the file")
	case t.seen[id/64]&(1<<(id%64)) != 0:
		return t.wrong(id, "is reached twice")
	}
	t.seen[id/64] |= 1 << (id % 64)
	return nil
}

// walk marks the pages of one tree. In the outer one are the buckets.
func (t *tree) walk(root uint64, outer bool) error {
	if err := t.mark(root); err != nil {
		return err
	}
	for level := []uint64{root}; len(level) > 0; {
		var below []uint64
		for i, id := range level {
			flags, _, elements, err := t.header(id)
			if err != nil {
				return err
			}
			switch {
			case flags == branchPage:
				for e := 0; e < len(elements); e += elementLen {
					child := binary.NativeEndian.Uint64(elements[e+8:])
					if err := t.mark(child); err != nil {
						return err
					}
					below = append(below, child)
				}
			case flags != leafPage:
				return t.wrong(id, "is of another kind")
			case outer:
				if err := t.buckets(id, elements); err != nil {
					return err
				}
			case i == 0: // so are the others of this level
				return nil
			}
		}
		level = below
	}
	return nil
}

// buckets walks the trees of the buckets in a leaf page. One that is small has no pages of its own.
func (t *tree) buckets(id uint64, elements []byte) error {
	for e := 0; e < len(elements); e += elementLen {
		if binary.NativeEndian.Uint32(elements[e:])&bucketFlag == 0 {
			continue
		}
		at := int64(id*t.pageSize) + pageHeader + int64(e) + int64(binary.NativeEndian.Uint32(elements[e+4:])) + int64(binary.NativeEndian.Uint32(elements[e+8:]))
		var root [8]byte
		if _, err := t.f.ReadAt(root[:], at); err != nil {
			return t.wrong(id, "has a bucket outside of the file")
		}
		if r := binary.NativeEndian.Uint64(root[:]); r != 0 {
			if err := t.walk(r, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// free wants the pages that are listed as free to be in order, within the file, and not in use.
func (t *tree) free() error {
	flags, count, _, err := t.header(t.freelist)
	if err != nil {
		return err
	}
	if flags != freelistPage {
		return t.wrong(t.freelist, "is not the list of free pages")
	}
	off := int64(t.freelist*t.pageSize) + pageHeader
	n := uint64(count)
	if count == manyFree {
		var b [8]byte
		if _, err := t.f.ReadAt(b[:], off); err != nil {
			return err
		}
		n, off = binary.NativeEndian.Uint64(b[:]), off+8
	}
	if n > t.high {
		return t.wrong(t.freelist, "lists more pages than there are")
	}
	ids := make([]byte, 8*n)
	if _, err := t.f.ReadAt(ids, off); err != nil {
		return t.wrong(t.freelist, "is longer than the file")
	}
	last := uint64(1)
	for i := 0; i < len(ids); i += 8 {
		id := binary.NativeEndian.Uint64(ids[i:])
		if id <= last || id >= t.high {
			return t.wrong(t.freelist, "lists a page that cannot be free")
		}
		if t.seen[id/64]&(1<<(id%64)) != 0 {
			return t.wrong(id, "is in use and listed as free")
		}
		last = id
	}
	return nil
}
