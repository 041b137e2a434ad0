package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/starlingbot/starling/brain"
)

// small is a Config that gives up on a lock soon.
func small(path string) Config { return Config{Path: path, LockTimeout: 100 * time.Millisecond} }

func put(key, value string) brain.Op {
	return brain.Op{Key: key, Value: []byte(value), If: brain.Any}
}

// filled makes a file with n keys of some size and returns its bytes.
func filled(t *testing.T, n int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b.db")
	s, err := Open(small(path))
	require.NoError(t, err)
	for i := range n {
		_, err := s.Apply(context.Background(), put(fmt.Sprintf("k/%04d", i), strings.Repeat(fmt.Sprintf("%04d", i), 100)))
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// requireRefused wants Open to refuse a file with these words and to leave it
// as it is, with no other file beside it.
func requireRefused(t *testing.T, content []byte, words ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b.db")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	_, err := Open(small(path))
	require.ErrorIs(t, err, ErrFile)
	require.ErrorContains(t, err, path)
	for _, w := range words {
		require.ErrorContains(t, err, w)
	}
	requireUntouched(t, path, content)
}

func requireUntouched(t *testing.T, path string, content []byte) {
	t.Helper()
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, after), "the file was changed")
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1, "something was left beside the file")
}

func TestOpenRefusesForeignFiles(t *testing.T) {
	requireRefused(t, nil, "it is empty", "delete the file")
	requireRefused(t, []byte("x"), "not a bbolt file")
	requireRefused(t, []byte(strings.Repeat("some text of a user\n", 5000)), "not a bbolt file", "another path")
	requireRefused(t, make([]byte, 32<<10), "not a bbolt file")
	requireRefused(t, append([]byte("SQLite format 3\x00"), make([]byte, 8192)...), "not a bbolt file")
}

func TestOpenRefusesOtherBboltFiles(t *testing.T) {
	for name, options := range map[string]*bbolt.Options{"freelist synced": {}, "freelist not synced": {NoFreelistSync: true}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "b.db")
			db, err := bbolt.Open(path, 0o600, options)
			require.NoError(t, err)
			require.NoError(t, db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }))
			require.NoError(t, db.Close())
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			requireRefused(t, content, "another program")
		})
	}
}

func TestOpenRefusesNewerFormats(t *testing.T) {
	t.Run("of the store", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "b.db")
		require.NoError(t, os.WriteFile(path, filled(t, 1), 0o600))
		db, err := bbolt.Open(path, 0o600, nil)
		require.NoError(t, err)
		require.NoError(t, db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(metaName()).Put([]byte("format"), []byte("2")) }))
		require.NoError(t, db.Close())
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		requireRefused(t, content, `format "2"`, "update the program")
	})
	t.Run("of bbolt", func(t *testing.T) {
		content := filled(t, 1)
		for page := range 2 {
			m := content[page*os.Getpagesize()+pageHeader:]
			binary.NativeEndian.PutUint32(m[4:], metaVersion+1)
			sum := fnv.New64a()
			sum.Write(m[:metaLen-8])
			binary.NativeEndian.PutUint64(m[56:], sum.Sum64())
		}
		requireRefused(t, content, "another version", "update this program")
	})
}

func TestOpenRefusesNoFile(t *testing.T) {
	_, err := Open(Config{})
	require.ErrorContains(t, err, "Config.Path is empty")
	_, err = Open(small(t.TempDir()))
	require.ErrorIs(t, err, ErrFile)
	require.ErrorContains(t, err, "not a regular file")
	_, err = Open(small(filepath.Join(t.TempDir(), "none", "b.db")))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "make it first")
}

// What the system says at Open comes with its cure.
func TestOpenErrors(t *testing.T) {
	for errno, cure := range map[syscall.Errno]string{syscall.EROFS: "make it writable, or give another path", syscall.ENOSPC: "free space", syscall.EDQUOT: "raise the quota", syscall.EACCES: "to the user of the process", syscall.ENOENT: "make it first"} {
		err := openError("/data/b.db", &os.PathError{Op: "open", Path: "/data/b.db", Err: errno})
		require.ErrorIs(t, err, errno)
		require.ErrorContains(t, err, cure)
		require.ErrorContains(t, err, `bolt: open "/data/b.db"`)
	}
}

func TestOpenInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.db")
	s, err := Open(small(path))
	require.NoError(t, err)
	begin := time.Now()
	_, err = Open(small(path)) // flock is per open file, so this is as another process
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, "stop the other one")
	require.ErrorContains(t, err, "a file of its own")
	require.Less(t, time.Since(begin), 2*time.Second)
	require.NoError(t, s.Close())
	s, err = Open(small(path))
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// Many that open a file that does not exist: one gets it, whole, and none
// replaces the file under another.
func TestOpenRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.db")
	type result struct {
		s   *Store
		err error
	}
	results := make(chan result)
	for range 8 {
		go func() { s, err := Open(small(path)); results <- result{s, err} }()
	}
	var won []*Store
	for range 8 {
		r := <-results
		if r.err != nil {
			require.ErrorIs(t, r.err, ErrInUse)
			continue
		}
		won = append(won, r.s)
	}
	require.Len(t, won, 1)
	require.NoError(t, won[0].Close())
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1)
}

// opens reads everything of a file that may be damaged. Open refuses it with
// the repair, or all keys can be read or an error names the repair.
func opens(t *testing.T, path string) (entries int, err error) {
	t.Helper()
	s, err := Open(small(path))
	if err != nil {
		require.ErrorIs(t, err, ErrFile)
		require.Regexp(t, "restore|delete the file|another path", err.Error())
		return 0, err
	}
	defer func() { require.NoError(t, s.Close()) }()
	for e, err := range s.List(context.Background(), "") {
		if err != nil {
			require.ErrorIs(t, err, errDamaged)
			require.ErrorContains(t, err, "restore")
			return entries, err
		}
		require.NotEmpty(t, e.Key)
		entries++
	}
	return entries, nil
}

// R5: a file cut at every 512 bytes opens with all its keys or is refused with
// the repair, and is not changed by that; no panic, no SIGBUS.
func TestR5CutFiles(t *testing.T) {
	const keys = 300
	whole := filled(t, keys)
	require.Zero(t, len(whole)%512)
	dir := t.TempDir()
	opened, refused := 0, 0
	for cut := 0; cut <= len(whole); cut += 512 {
		path := filepath.Join(dir, fmt.Sprint(cut))
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o600))
		n, err := opens(t, path)
		if err == nil {
			require.Equal(t, keys, n, "cut at %d", cut)
			opened++
		} else {
			refused++
			after, rerr := os.ReadFile(path)
			require.NoError(t, rerr)
			require.True(t, bytes.Equal(whole[:cut], after), "cut at %d: the file was changed", cut)
		}
		require.NoError(t, os.Remove(path))
	}
	require.NotZero(t, opened)
	require.NotZero(t, refused)
	t.Logf("R5: %d cuts of a file of %d bytes: %d opened with all keys, %d refused with the repair, 0 panics", opened+refused, len(whole), opened, refused)
}

// R5: a page overwritten with noise is an error that names the repair or does
// no harm; no panic, no fault.
func TestR5DamagedPages(t *testing.T) {
	whole := filled(t, 300)
	rnd := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	page := os.Getpagesize()
	fine, damagedN := 0, 0
	for at := 0; at < len(whole); at += page {
		for kind := range 2 {
			content := bytes.Clone(whole)
			for i := range content[at : at+page] {
				content[at+i] = byte(rnd.Uint32())
				if kind == 1 {
					content[at+i] = 0
				}
			}
			path := filepath.Join(dir, "b.db")
			require.NoError(t, os.WriteFile(path, content, 0o600))
			if n, err := opens(t, path); err != nil {
				damagedN++
			} else {
				require.GreaterOrEqual(t, n, 299, "page %d", at/page) // the older meta page is one write older
				fine++
			}
		}
	}
	require.NotZero(t, damagedN)
	t.Logf("R5: %d files with one damaged page: %d read as if sound (a free page, or the older meta page), %d refused or read up to an error with the repair, 0 panics", fine+damagedN, fine, damagedN)
}

// R5: power loss. Between two states of the file any of the pages written last
// may be missing as long as the meta page is old (bbolt syncs them first), and a
// meta page may be torn: the state before or after is what opens.
func TestR5PowerLoss(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	path := filepath.Join(dir, "b.db")
	s, err := Open(small(path))
	require.NoError(t, err)
	for i := range 200 { // so that the file does not grow below
		_, err := s.Apply(ctx, put(fmt.Sprintf("k/%04d", i), strings.Repeat("v", 300)))
		require.NoError(t, err)
	}
	page := os.Getpagesize()
	rnd := rand.New(rand.NewPCG(3, 4))
	images, before := 0, 0
	check := func(image []byte, want string) {
		t.Helper()
		copyPath := filepath.Join(dir, "image")
		require.NoError(t, os.WriteFile(copyPath, image, 0o600))
		c, err := Open(small(copyPath))
		require.NoError(t, err)
		e, err := c.Get(ctx, "state")
		require.NoError(t, err)
		require.Equal(t, want, string(e.Value))
		require.NoError(t, c.Close())
		images++
	}
	_, err = s.Apply(ctx, put("state", "0"))
	require.NoError(t, err)
	old, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := 1; i <= 12; i++ {
		_, err = s.Apply(ctx, put("state", fmt.Sprint(i)), put(fmt.Sprintf("k/%04d", i*13), strings.Repeat("w", 300)))
		require.NoError(t, err)
		now, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Len(t, now, len(old))
		for range 6 { // any subset of the new pages, the old meta pages
			image := bytes.Clone(old)
			for at := 2 * page; at < len(now); at += page {
				if rnd.IntN(2) == 0 {
					copy(image[at:at+page], now[at:])
				}
			}
			check(image, fmt.Sprint(i-1))
			before++
		}
		for meta := range 2 { // the new meta page torn
			if bytes.Equal(old[meta*page:(meta+1)*page], now[meta*page:(meta+1)*page]) {
				continue
			}
			image := bytes.Clone(now)
			copy(image[meta*page+pageHeader+48:], "torn")
			check(image, fmt.Sprint(i-1))
			before++
		}
		check(now, fmt.Sprint(i))
		old = now
	}
	require.NoError(t, s.Close())
	t.Logf("R5: %d images of a file after power loss: %d opened in the state before the last commit, %d in the one after, 0 refused, 0 panics", images, before, images-before)
}

// A file cut under the running store (by a careless cp, say) is an error, not
// SIGBUS.
func TestCutWhileOpen(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "b.db")
	s, err := Open(small(path))
	require.NoError(t, err)
	for i := range 300 {
		_, err := s.Apply(ctx, put(fmt.Sprintf("k/%04d", i), strings.Repeat("v", 400)))
		require.NoError(t, err)
	}
	require.NoError(t, os.Truncate(path, int64(2*os.Getpagesize())))
	_, err = s.Get(ctx, "k/0123")
	require.ErrorIs(t, err, errDamaged)
	require.False(t, brain.Certain(err))
	_, err = s.Apply(ctx, put("k/0123", "x"))
	require.Error(t, err)
	require.False(t, brain.Certain(err), "%v", err)
	_, again := s.Apply(ctx, put("k/0124", "x"))
	require.Error(t, again)
	require.NoError(t, s.Close())
	_, err = s.Get(ctx, "k/0123")
	require.ErrorIs(t, err, brain.ErrClosed)
	_, err = s.Apply(ctx, put("k", "x"))
	require.ErrorIs(t, err, brain.ErrClosed)
	_, err = Open(small(path)) // the lock is given back
	require.ErrorIs(t, err, ErrFile)
	require.ErrorContains(t, err, "cut short")
}
