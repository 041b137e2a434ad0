package canary

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// MaxHits is how many hits a search tells; it counts them all.
const MaxHits = 50

// Hit is a secret in an output.
type Hit struct {
	File    string // below the folder
	Offset  int64  // in bytes
	Form    string
	Excerpt string // with the secret masked
}

// Report is what a search found.
type Report struct {
	Files   int
	Bytes   map[Kind]int64
	Watched int
	Found   int   // hits, all of them
	Hits    []Hit // the first MaxHits
	Took    time.Duration
}

// Total gives the bytes of all kinds.
func (r *Report) Total() (n int64) {
	for _, b := range r.Bytes {
		n += b
	}
	return n
}

// String is one line.
func (r *Report) String() string {
	var kinds []string
	for _, k := range Kinds() {
		kinds = append(kinds, fmt.Sprintf("%s %.1f MB", k, float64(r.Bytes[k])/1e6))
	}
	return fmt.Sprintf("canary: secrets begin with %q, %d more are watched; %d files, %.1f MB (%s) searched in %.1fs: %d hits",
		Mark, r.Watched, r.Files, float64(r.Total())/1e6, strings.Join(kinds, ", "), r.Took.Seconds(), r.Found)
}

// Minimum is what must have been searched, in bytes: of all kinds, and of each kind. A kind that is left out may be empty.
type Minimum struct {
	Total int64
	Kinds map[Kind]int64
}

// Check tells why a search says nothing: it found a secret, or too little was searched.
func (r *Report) Check(m Minimum) error {
	var errs []error
	for _, h := range r.Hits {
		errs = append(errs, fmt.Errorf("%s at %d, %s: %s", h.File, h.Offset, h.Form, h.Excerpt))
	}
	if r.Found > 0 {
		errs = append(errs, fmt.Errorf("canary: %d hits: a secret is where it must not be", r.Found))
	}
	if r.Total() == 0 || r.Total() < m.Total {
		errs = append(errs, fmt.Errorf("canary: %d bytes were searched, at least %d must be: are the outputs written?", r.Total(), max(1, m.Total)))
	}
	for _, k := range Kinds() {
		if least, ok := m.Kinds[k]; ok && (r.Bytes[k] == 0 || r.Bytes[k] < least) {
			errs = append(errs, fmt.Errorf("canary: %d bytes of %s were searched, at least %d must be: are they written?", r.Bytes[k], k, max(1, least)))
		}
	}
	return errors.Join(errs...)
}

// window is how many bytes of a form are looked for at once.
const window = len(Mark)

// needle is a form of a secret.
type needle struct {
	Form
	shown []Kind // where it may stand
}

// haystack is what is searched for: the forms by their first bytes, and a filter that tells quickly that there is none.
type haystack struct {
	by     map[uint64][]needle
	filter [1 << 10]uint64
}

func slot(w uint64) (int, uint64) {
	h := w * 0x9e3779b97f4a7c15 >> 48
	return int(h >> 6), 1 << (h & 63)
}

func (h *haystack) add(secret []byte, shown ...Kind) {
	for _, f := range Forms(secret) {
		w := binary.BigEndian.Uint64(f.Text)
		i, bit := slot(w)
		h.filter[i] |= bit
		h.by[w] = append(h.by[w], needle{f, shown})
	}
}

// marked looks for what begins with Mark alone.
var marked = sync.OnceValue(func() *haystack {
	h := &haystack{by: map[uint64][]needle{}}
	h.add([]byte(Mark))
	return h
})

// Find looks for secrets that begin with Mark in one output, and gives the first hits. It may be called concurrently.
func Find(p []byte) []Hit {
	r := &Report{}
	r.search(marked(), p, 0, len(p), 0, "", "")
	return r.Hits
}

// Search searches a folder that outputs were written into. Its error is one of reading, or a file that is of no kind.
func Search(dir string) (*Report, error) {
	begun := time.Now()
	h := &haystack{by: map[uint64][]needle{}}
	h.add([]byte(Mark))
	r := &Report{Bytes: map[Kind]int64{}}
	if err := r.watch(h, dir); err != nil {
		return nil, err
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		k := Kind(strings.Split(filepath.ToSlash(name), "/")[0])
		if k == watched {
			return nil
		}
		if !slices.Contains(Kinds(), k) {
			return fmt.Errorf("%s is of no kind: kinds are the folders %v", path, Kinds())
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		r.Files++
		n, err := r.file(h, f, k, name)
		r.Bytes[k] += n
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("canary: search: %w", err)
	}
	r.Took = time.Since(begun)
	return r, nil
}

// watch adds the secrets that tests watch.
func (r *Report) watch(h *haystack, dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, watched, "*"))
	if err != nil {
		return fmt.Errorf("canary: search: %w", err)
	}
	known := map[string]bool{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("canary: search: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if known[line] || len(words) == 0 {
				continue
			}
			known[line] = true
			secret, err := hex.DecodeString(words[0])
			if err != nil || len(secret) < least {
				return fmt.Errorf("canary: search: %s has a line that Watch did not write", name)
			}
			var shown []Kind
			for _, w := range words[1:] {
				shown = append(shown, Kind(w))
			}
			h.add(secret, shown...)
			r.Watched++
		}
	}
	return nil
}

const (
	chunk  = 1 << 20
	before = 160 // bytes of an excerpt before a hit
	after  = 400 // bytes behind a hit's beginning: more than any form
)

// file searches one file, in chunks that overlap, and gives its size.
func (r *Report) file(h *haystack, f io.Reader, k Kind, name string) (int64, error) {
	in := bufio.NewReaderSize(f, chunk)
	buf := make([]byte, 0, before+chunk+after)
	var at int64 // of buf[0] in the file
	from := 0    // in buf: what comes before was searched
	for {
		n, err := io.ReadFull(in, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		last := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !last {
			return at, err
		}
		to := len(buf)
		if !last {
			to = max(from, to-after)
		}
		r.search(h, buf, from, to, at, k, name)
		if last {
			return at + int64(len(buf)), nil
		}
		keep := max(0, to-before)
		at += int64(keep)
		from = to - keep
		buf = buf[:copy(buf, buf[keep:])]
	}
}

// search tells the hits that begin in buf[from:to].
func (r *Report) search(h *haystack, buf []byte, from, to int, at int64, k Kind, name string) {
	if len(buf)-from < window {
		return
	}
	var plain, folded uint64
	hit := func(w uint64, i int) bool {
		s, bit := slot(w)
		if h.filter[s]&bit == 0 {
			return false
		}
		for _, n := range h.by[w] {
			if n.fits(buf[i:]) && !slices.Contains(n.shown, k) {
				r.Found++
				if len(r.Hits) < MaxHits {
					r.Hits = append(r.Hits, Hit{name, at + int64(i), n.Name, h.excerpt(buf, i)})
				}
				return true
			}
		}
		return false
	}
	for end := from; end < len(buf); end++ {
		c := buf[end]
		plain = plain<<8 | uint64(c)
		folded = folded<<8 | uint64(lower(c))
		if i := end - window + 1; i >= from {
			if i >= to {
				return
			}
			if !hit(folded, i) && folded != plain {
				hit(plain, i)
			}
		}
	}
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

// fits tells whether text begins with the form.
func (n *needle) fits(text []byte) bool {
	if len(text) < len(n.Text) {
		return false
	}
	if !n.Fold {
		return bytes.HasPrefix(text, n.Text)
	}
	for i, c := range n.Text {
		if lower(text[i]) != c {
			return false
		}
	}
	return true
}

// excerpt shows what stands around a hit, without any secret.
func (h *haystack) excerpt(buf []byte, i int) string {
	text := buf[max(0, i-before):min(len(buf), i+after)]
	var out []byte
	for j := 0; j < len(text) && len(out) < before+after/2; {
		n := h.longest(text[j:])
		if n == 0 {
			out = append(out, text[j])
			j++
			continue
		}
		out = append(out, "[secret]"...)
		for j += n; j < len(text) && secretLetter(text[j]); j++ { // the rest of it
		}
	}
	return fmt.Sprintf("%q", out)
}

func (h *haystack) longest(text []byte) (n int) {
	if len(text) < window {
		return 0
	}
	var folded [window]byte
	for i := range folded {
		folded[i] = lower(text[i])
	}
	for _, w := range []uint64{binary.BigEndian.Uint64(text), binary.BigEndian.Uint64(folded[:])} {
		for _, f := range h.by[w] {
			if f.fits(text) {
				n = max(n, len(f.Text))
			}
		}
	}
	return n
}

// secretLetter tells whether a byte may be a part of a secret or of one of its forms.
func secretLetter(c byte) bool {
	return 'a' <= lower(c) && lower(c) <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(`-_.%\+/=`, c) >= 0
}
