package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math"
	"os"
	"syscall"
)

// The layout of a bbolt meta page, from its source (internal/common/meta.go,
// page.go): a page header of 16 bytes, then the fields below, in the byte order
// of the machine.
const (
	pageHeader  = 16
	metaLen     = 64
	metaMagic   = 0xED0CDAED
	metaVersion = 2
	smallPage   = 1 << 10
	largePage   = 1 << 24
)

// meta is what is needed of a meta page.
type meta struct {
	pageSize             uint64
	root, freelist, high uint64 // page numbers; high is the first never used
	txid                 uint64
}

var (
	errForeign = errors.New("no bbolt meta page")
	errNewer   = errors.New("another version of bbolt's format")
	errSum     = errors.New("a bbolt meta page with a wrong checksum")
)

// readMeta decodes a meta page that begins at off.
func readMeta(f io.ReaderAt, off int64) (meta, error) {
	var b [pageHeader + metaLen]byte
	if n, _ := f.ReadAt(b[:], off); n < len(b) {
		return meta{}, errForeign
	}
	m, order := b[pageHeader:], binary.NativeEndian
	if order.Uint32(m) != metaMagic {
		return meta{}, errForeign
	}
	if v := order.Uint32(m[4:]); v != metaVersion {
		return meta{}, fmt.Errorf("%w (%d, known is %d)", errNewer, v, metaVersion)
	}
	sum := fnv.New64a()
	sum.Write(m[:metaLen-8])
	if sum.Sum64() != order.Uint64(m[56:]) {
		return meta{}, errSum
	}
	return meta{
		pageSize: uint64(order.Uint32(m[8:])),
		root:     order.Uint64(m[16:]),
		freelist: order.Uint64(m[32:]),
		high:     order.Uint64(m[40:]),
		txid:     order.Uint64(m[48:]),
	}, nil
}

// newestMeta returns the valid meta page with the highest transaction, as bbolt
// chooses. Only one of the two needs to be valid.
func newestMeta(f io.ReaderAt, size int64) (meta, error) {
	best, err := readMeta(f, 0)
	if err == nil {
		if second, err2 := readMeta(f, int64(best.pageSize)); err2 == nil && second.txid > best.txid {
			best = second
		}
		return best, nil
	}
	for off := int64(smallPage); off <= largePage && off < size; off *= 2 {
		m, err2 := readMeta(f, off)
		if err2 == nil && int64(m.pageSize) == off {
			return m, nil
		}
		if errors.Is(err, errForeign) && !errors.Is(err2, errForeign) {
			err = err2
		}
	}
	return meta{}, err
}

// inspect refuses a file that bbolt would crash on or change, without writing
// to it or taking its lock. A process that holds the file does not disturb it:
// at any time one of the two meta pages is whole, and the file never shrinks.
func inspect(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return openError(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return openError(path, err)
	}
	if !info.Mode().IsRegular() {
		return refuse(path, "it is not a regular file; give the path of a file")
	}
	if info.Size() == 0 {
		return refuse(path, "it is empty, and this package never leaves an empty file: was it cut short, or made by touch? %s; if there was no store yet, delete the file", restore)
	}
	m, err := newestMeta(f, info.Size())
	for try := 0; err != nil && try < 3; try++ { // torn by a writer just now?
		m, err = newestMeta(f, info.Size())
	}
	switch {
	case errors.Is(err, errNewer):
		return refuse(path, "it has %v; update this program to the version that wrote the file", err)
	case errors.Is(err, errSum):
		return refuse(path, "both of its meta pages are damaged; %s", restore)
	case err != nil:
		return refuse(path, "it is not a bbolt file, or only the beginning of one; give another path, or %s", restore)
	}
	return m.check(path, f)
}

// check compares the meta page with the size of the file, read after it.
func (m meta) check(path string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return openError(path, err)
	}
	if m.pageSize < smallPage || m.pageSize > largePage || m.high > math.MaxInt64/m.pageSize {
		return refuse(path, "its meta page makes no sense; %s", restore)
	}
	if need := int64(m.high * m.pageSize); info.Size() < need {
		return refuse(path, "it was cut short: it has %d bytes and needs %d; %s", info.Size(), need, restore)
	}
	if m.freelist == math.MaxUint64 {
		return refuse(path, "it is a bbolt file of another program; give another path")
	}
	if m.root >= m.high || m.freelist >= m.high {
		return refuse(path, "its meta page points outside of the file; %s", restore)
	}
	return nil
}

// openError explains what the operating system said.
func openError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("bolt: open %q: the process may not read and write it; give the file and its folder to the user of the process: %w", path, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("bolt: open %q: its folder does not exist; make it first: %w", path, err)
	case is(err, syscall.EROFS):
		return fmt.Errorf("bolt: open %q: its file system is read-only; make it writable, or give another path: %w", path, err)
	case is(err, syscall.ENOSPC), is(err, syscall.EDQUOT):
		return fmt.Errorf("bolt: open %q: no room for the file; free space on its disk, or raise the quota: %w", path, err)
	default:
		return fmt.Errorf("bolt: open %q: %w", path, err)
	}
}
