package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/starlingbot/starling/brain"
)

// pages gives the offsets of the pages of a file that have this flag.
func pages(content []byte, flag uint16) (at []int) {
	size := os.Getpagesize()
	for off := 2 * size; off < len(content); off += size {
		if binary.NativeEndian.Uint64(content[off:]) == uint64(off/size) && binary.NativeEndian.Uint16(content[off+8:]) == flag {
			at = append(at, off)
		}
	}
	return at
}

// bendElement changes every element of a key in the leaf pages, those of former states included.
func bendElement(t *testing.T, content []byte, key string, bend func(page []byte, element int)) {
	t.Helper()
	n := 0
	for _, page := range pages(content, leafPage) {
		for i := range int(binary.NativeEndian.Uint16(content[page+10:])) {
			e := page + pageHeader + elementLen*i
			pos, size := int(binary.NativeEndian.Uint32(content[e+4:])), int(binary.NativeEndian.Uint32(content[e+8:]))
			if e+pos+size <= len(content) && string(content[e+pos:e+pos+size]) == key {
				bend(content, e)
				n++
			}
		}
	}
	require.NotZero(t, n, "no such key")
}

// R5: a page of the tree that leads back to itself, or to one above it, would have bbolt go down for ever: Open refuses it.
func TestR5Circles(t *testing.T) {
	whole := filled(t, 300)
	page := os.Getpagesize()
	branches := pages(whole, branchPage)
	require.NotEmpty(t, branches)
	n := 0
	for _, b := range branches {
		count := int(binary.NativeEndian.Uint16(whole[b+10:]))
		for i := range count {
			for _, to := range []uint64{uint64(b / page), binary.NativeEndian.Uint64(whole[b+pageHeader+16*((i+1)%count)+8:]), 0, 1 << 40} {
				content := bytes.Clone(whole)
				binary.NativeEndian.PutUint64(content[b+pageHeader+16*i+8:], to)
				path := filepath.Join(t.TempDir(), "b.db")
				require.NoError(t, os.WriteFile(path, content, 0o600))
				_, err := opens(t, path)
				if err != nil {
					require.ErrorIs(t, err, ErrFile)
					requireUntouched(t, path, content)
					n++
				}
			}
		}
	}
	require.GreaterOrEqual(t, n, 4*20, "all elements of the branch page that is in use")
	t.Logf("R5: %d circles refused", n)
}

// R5: a page that is listed as free and is in use would be overwritten by the next commit: Open refuses it.
func TestR5FreeAndInUse(t *testing.T) {
	whole := filled(t, 300)
	page := os.Getpagesize()
	m, err := newestMeta(bytes.NewReader(whole), int64(len(whole)))
	require.NoError(t, err)
	list := int(m.freelist) * page
	require.NotZero(t, binary.NativeEndian.Uint16(whole[list+10:]))
	for _, id := range []uint64{m.freelist, 0, 1, m.high, 1 << 40} {
		content := bytes.Clone(whole)
		binary.NativeEndian.PutUint64(content[list+pageHeader:], id)
		requireRefused(t, content, "restore")
	}
	// In the place of the last one, a page in use that keeps the order.
	used := 0
	count := int(binary.NativeEndian.Uint16(whole[list+10:]))
	last := list + pageHeader + 8*(count-1)
	for id := binary.NativeEndian.Uint64(whole[last:]) + 1; id < m.high; id++ {
		content := bytes.Clone(whole)
		binary.NativeEndian.PutUint64(content[last:], id)
		path := filepath.Join(t.TempDir(), "b.db")
		require.NoError(t, os.WriteFile(path, content, 0o600))
		if _, err := opens(t, path); err != nil {
			require.ErrorContains(t, err, "is in use and listed as free")
			used++
		}
	}
	require.NotZero(t, used)
}

// R5: a record that nobody wrote is an error that names the repair and its key, and no absent key: who takes it for one
// begins anew over what is there. Others of the same batch are not concerned.
func TestR5DamagedRecord(t *testing.T) {
	whole, ctx := filled(t, 300), context.Background()
	for name, bend := range map[string]func(element []byte){
		"too short":   func(e []byte) { binary.NativeEndian.PutUint32(e[12:], 3) },
		"empty":       func(e []byte) { binary.NativeEndian.PutUint32(e[12:], 0) },
		"too long":    func(e []byte) { binary.NativeEndian.PutUint32(e[12:], brain.MaxValue+headerLen+1) },
		"1 GiB":       func(e []byte) { binary.NativeEndian.PutUint32(e[12:], 1<<30) },
		"a bucket":    func(e []byte) { binary.NativeEndian.PutUint32(e, 1) },
		"a long key":  func(e []byte) { binary.NativeEndian.PutUint32(e[8:], 1<<30) },
		"another key": func(e []byte) { binary.NativeEndian.PutUint32(e[8:], 1) },
	} {
		t.Run(name, func(t *testing.T) {
			content := bytes.Clone(whole)
			bendElement(t, content, "k/0123", func(page []byte, e int) { bend(page[e : e+elementLen]) })
			path := filepath.Join(t.TempDir(), "b.db")
			require.NoError(t, os.WriteFile(path, content, 0o600))
			s, err := Open(small(path))
			require.NoError(t, err, "values and keys are not read at Open")
			defer func() { require.NoError(t, s.Close()) }()
			require.Error(t, listed(t, s))
			if name == "a long key" || name == "another key" { // what its name was is lost
				return
			}
			_, err = s.Get(ctx, "k/0123")
			require.ErrorIs(t, err, errDamaged)
			require.ErrorContains(t, err, `"k/0123"`)
			require.False(t, brain.Certain(err))
			for _, op := range []brain.Op{{Key: "k/0123"}, put("k/0123", "anew"), {Key: "k/0123", If: brain.Any, Delete: true}} {
				_, err = s.Apply(ctx, op, put("beside", "x"))
				require.ErrorIs(t, err, errDamaged)
				require.False(t, brain.Certain(err))
			}
			_, err = s.Get(ctx, "beside")
			require.ErrorIs(t, err, brain.ErrNotFound)
			_, err = s.Apply(ctx, put("k/0200", "x"))
			require.NoError(t, err, "the others go on")
		})
	}
}

// listed lists everything, and wants no key twice and none out of order.
func listed(t *testing.T, s *Store) error {
	t.Helper()
	last := ""
	for e, err := range s.List(context.Background(), "") {
		if err != nil {
			require.ErrorIs(t, err, errDamaged)
			require.ErrorContains(t, err, "restore")
			return err
		}
		require.Greater(t, e.Key, last)
		last = e.Key
	}
	return nil
}

// A key that was changed where a page of List begins must not have it begin there again and again. (That a key has become
// another one in its place cannot be seen: bbolt has no checksums but those of its meta pages.)
func TestR5ListEnds(t *testing.T) {
	content, seen := filled(t, pageKeys+100), 0
	for key := pageKeys - 2; key < pageKeys+3; key++ {
		bent := bytes.Clone(content)
		bendElement(t, bent, fmt.Sprintf("k/%04d", key), func(page []byte, e int) { page[e+int(binary.NativeEndian.Uint32(page[e+4:]))] = 'a' })
		path := filepath.Join(t.TempDir(), "b.db")
		require.NoError(t, os.WriteFile(path, bent, 0o600))
		s, err := Open(small(path))
		require.NoError(t, err)
		if listed(t, s) != nil {
			seen++
		}
		require.NoError(t, s.Close())
	}
	require.GreaterOrEqual(t, seen, 3)
}

// R5: bytes of the file at random, half of them where bbolt keeps its structure: refused, read up to an error that names
// the repair, or read to the end; the same for writes. Nothing panics, hangs, or asks for gigabytes.
func TestR5DamagedBytes(t *testing.T) {
	const rounds = 400
	whole, ctx := filled(t, 300), context.Background()
	rnd := rand.New(rand.NewPCG(5, 6))
	dir, page := t.TempDir(), os.Getpagesize()
	path := filepath.Join(dir, "b.db")
	refused, failed, sound := 0, 0, 0
	for round := range rounds {
		content := bytes.Clone(whole)
		for range 1 + round%3 {
			at := rnd.IntN(len(content))
			if round%2 == 0 { // headers and elements
				at = at/page*page + rnd.IntN(pageHeader+8*16)
			}
			content[at] ^= 1 << rnd.IntN(8)
		}
		require.NoError(t, os.WriteFile(path, content, 0o600))
		s, err := Open(small(path))
		if err != nil {
			require.ErrorIs(t, err, ErrFile)
			refused++
			continue
		}
		err = listed(t, s)
		for i := 0; i < 300; i += 41 {
			if _, gerr := s.Get(ctx, fmt.Sprintf("k/%04d", i)); gerr != nil && !brain.Certain(gerr) {
				require.ErrorIs(t, gerr, errDamaged)
				err = gerr
			}
			if _, aerr := s.Apply(ctx, put(fmt.Sprintf("k/%04d", i), "new"), put("new", "x")); aerr != nil {
				require.False(t, brain.Certain(aerr))
				err = aerr
			}
		}
		if err != nil {
			failed++
		} else {
			sound++
		}
		require.NoError(t, s.Close())
	}
	require.NotZero(t, refused)
	require.NotZero(t, failed)
	t.Logf("R5: %d files with damaged bytes: %d refused, %d an error with the repair, %d as if sound", rounds, refused, failed, sound)
}

// A damaged record holds up no sweep.
func TestR5SweepGoesOn(t *testing.T) {
	s, ctx := newStore(t), context.Background()
	for _, key := range []string{"a", "b"} {
		op := put(key, "v")
		op.TTL = time.Second
		_, err := s.Apply(ctx, op)
		require.NoError(t, err)
	}
	require.NoError(t, s.write("test", func(keys, _ *bbolt.Bucket) error { return keys.Put([]byte("a"), []byte("short")) }))
	require.Eventually(t, func() bool { n, err := s.sweep(); return err == nil && n > 0 }, 10*time.Second, 50*time.Millisecond)
	require.Eventually(t, func() bool {
		n := 0
		require.NoError(t, s.db.View(func(tx *bbolt.Tx) error {
			n = tx.Bucket(dueName()).Stats().KeyN
			return nil
		}))
		_, _ = s.sweep()
		return n == 0
	}, 10*time.Second, 50*time.Millisecond)
	_, err := s.Get(ctx, "a")
	require.ErrorIs(t, err, errDamaged)
	_, err = s.Get(ctx, "b")
	require.ErrorIs(t, err, brain.ErrNotFound)
}
