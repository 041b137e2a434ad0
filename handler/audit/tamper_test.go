package audit_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/audit"
)

// small makes a store with three chains: one closed, one of a process that died, one that goes on; and a log to verify with
// that has written nothing itself.
func small(t *testing.T) (*memory.Store, *audit.Log) {
	t.Helper()
	m := memory.New()
	one := open(t, m)
	appended(t, one, 4)
	closed(t, one)
	dead := open(t, m)
	appended(t, dead, 3)
	state := copyOf(t, m)
	closed(t, dead)
	last := open(t, state)
	appended(t, last, 3)
	s := copyOf(t, state)
	closed(t, last)
	l := open(t, s)
	t.Cleanup(func() { closed(t, l) })
	r := verify(t, l)
	require.Equal(t, []int{10, 3, 4}, []int{r.Records, r.Chains, r.Anchors})
	return s, l
}

// T35: each byte of each stored value, changed in several ways.
func TestT35EveryFlippedByteIsFound(t *testing.T) {
	s, l := small(t)
	flips, missed, every := 0, 0, 1
	if raceEnabled {
		every = 11 // there is no race to find in this, and it takes 25 times as long
	}
	for _, e := range all(t, s) {
		for at := 0; at < len(e.Value); at += every {
			for _, mask := range []byte{0x20, []byte{0x01, 0x80, 0xff, 0x02}[at%4]} { // 0x20: the other case of a letter
				bent := append([]byte(nil), e.Value...)
				bent[at] ^= mask
				put(t, s, e.Key, bent)
				r, err := l.Verify(ctx, audit.Check{})
				require.NoError(t, err)
				flips++
				if r.OK() {
					missed++
					t.Errorf("%s: byte %d ^ %#x is not found", e.Key, at, mask)
				}
			}
		}
		put(t, s, e.Key, e.Value)
	}
	verify(t, l)
	t.Logf("T35: %d flips over %d stored values, %d not found (%.0f %% found)", flips, len(all(t, s)), missed, 100*float64(flips-missed)/float64(flips))
}

// T35: each stored key missing, alone and with all that come after it in its chain.
func TestT35EveryMissingKeyIsFound(t *testing.T) {
	s, l := small(t)
	entries := all(t, s)
	removed := 0
	for i, e := range entries {
		remove(t, s, e.Key)
		r, err := l.Verify(ctx, audit.Check{})
		require.NoError(t, err)
		require.False(t, r.OK(), "%s is missing and that is not found", e.Key)
		removed++
		put(t, s, e.Key, e.Value)
		var cut []brain.Entry // the tail of the chain or list from here on
		dir := e.Key[:strings.LastIndexByte(e.Key, '/')+1]
		for _, f := range entries[i:] {
			if strings.HasPrefix(f.Key, dir) {
				cut = append(cut, f)
				remove(t, s, f.Key)
			}
		}
		r, err = l.Verify(ctx, audit.Check{})
		require.NoError(t, err)
		require.False(t, r.OK(), "the tail from %s on is missing and that is not found", e.Key)
		removed++
		for _, f := range cut {
			put(t, s, f.Key, f.Value)
		}
	}
	verify(t, l)
	list, err := s.Get(ctx, "audit/anchors")
	require.NoError(t, err)
	remove(t, s, list.Key)
	found(t, l, "anchors: it is missing, and there are anchors")
	put(t, s, list.Key, list.Value)
	verify(t, l)
	t.Logf("T35: %d removals of a key or of a tail, 0 not found", removed)
}

// Any two values exchanged, any value copied over another, any put under a free key.
func TestT35ExchangedValuesAreFound(t *testing.T) {
	s, l := small(t)
	entries := all(t, s)
	n := 0
	for _, a := range entries {
		for _, b := range entries {
			if a.Key == b.Key {
				continue
			}
			put(t, s, a.Key, b.Value)
			r, err := l.Verify(ctx, audit.Check{})
			require.NoError(t, err)
			require.False(t, r.OK(), "%s has the value of %s", a.Key, b.Key)
			put(t, s, b.Key, a.Value)
			r, err = l.Verify(ctx, audit.Check{})
			require.NoError(t, err)
			require.False(t, r.OK(), "%s and %s are exchanged", a.Key, b.Key)
			put(t, s, a.Key, a.Value)
			put(t, s, b.Key, b.Value)
			n += 2
		}
	}
	for _, a := range entries {
		dir := a.Key[:strings.LastIndexByte(a.Key, '/')+1]
		for _, key := range []string{dir + "0000000000000009", dir + "other"} {
			put(t, s, key, a.Value)
			if dir == "audit/" {
				remove(t, s, key)
				continue // no key of the log
			}
			r, err := l.Verify(ctx, audit.Check{})
			require.NoError(t, err)
			require.False(t, r.OK(), "%s is put under %s", a.Key, key)
			remove(t, s, key)
			n++
		}
	}
	verify(t, l)
	t.Logf("T35: %d exchanges, copies and additions, 0 not found", n)
}

// Another key cannot add, and one kind of line does not pass for another.
func TestForgedRecords(t *testing.T) {
	m := memory.New()
	forger := open(t, m, func(c *audit.Config) { c.Key = handler.NewSecret("cnrymark: the forger's key of thirty-two bytes") })
	appended(t, forger, 3)
	closed(t, forger)
	l := open(t, m)
	r := found(t, l, "key that is not given")
	require.Len(t, r.Findings, 3+2+1+1, "each record, the two anchors, the head and the list")
	for _, err := range l.Records(ctx, audit.Filter{}) {
		require.ErrorContains(t, err, "it is signed with a key that is not given")
	}
	closed(t, l)
}

// writers gives the chains of a store in their order.
func writers(t *testing.T, s brain.Store) []string {
	t.Helper()
	var out []string
	for _, key := range under(t, s, "audit/head/") {
		out = append(out, strings.TrimPrefix(key, "audit/head/"))
	}
	return out
}

// A whole chain is gone with its head: the anchors name it.
func TestARemovedWriterIsFound(t *testing.T) {
	s, l := small(t)
	w := writers(t, s)[1]
	remove(t, s, under(t, s, "audit/record/"+w+"/")...)
	remove(t, s, "audit/head/"+w)
	found(t, l, "head/"+w+": the chain is missing; an anchor names its record ")
}

// The chain is cut and its head put back to what it was: an anchor names what is gone.
func TestACutWithAnOldHeadIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		l := open(t, m)
		defer closed(t, l)
		appended(t, l, 5)
		time.Sleep(2 * time.Minute)
		w := writers(t, m)[0]
		old, err := m.Get(ctx, "audit/head/"+w)
		require.NoError(t, err)
		appended(t, l, 3)
		time.Sleep(2 * time.Minute)
		s := copyOf(t, m)
		other := open(t, s)
		defer closed(t, other)
		verify(t, other)
		remove(t, s, under(t, s, "audit/record/"+w+"/")[5:]...)
		found(t, other, "records 6 to 8 are missing: the chain was cut")
		put(t, s, old.Key, old.Value)
		found(t, other, "the chain ends at 5, an anchor names its record 8: it was cut")

		// And the last anchor is cut as well, with the list put back: records of another process name it.
		third := open(t, m)
		defer closed(t, third)
		appended(t, third, 1)
		state := copyOf(t, m)
		fourth := open(t, state)
		defer closed(t, fourth)
		verify(t, fourth)
		list, err := s.Get(ctx, "audit/anchors") // before the third process
		require.NoError(t, err)
		put(t, state, list.Key, list.Value)
		remove(t, state, under(t, state, "audit/anchor/")[3:]...)
		found(t, fourth, "knows of anchor 4, the list ends at 3: anchors were cut")
	})
}

// What nobody can find from the log alone, and what finds it.
func TestTheWholeLogPutBack(t *testing.T) {
	m := memory.New()
	l := open(t, m)
	appended(t, l, 3)
	old := copyOf(t, m)
	appended(t, l, 3)
	closed(t, l)
	known := verify(t, l).Last

	put3 := open(t, old)
	r := verify(t, put3)
	require.Equal(t, 3, r.Records, "a state that once was is a true log")
	r, err := put3.Verify(ctx, audit.Check{Known: known.String()})
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(r.Findings), "it is known and not there: the log was put back to an older state, or deleted")
	closed(t, put3)

	// The process that has written it notices.
	for _, key := range under(t, m, "audit/") {
		remove(t, m, key)
	}
	for _, e := range all(t, old) {
		put(t, m, e.Key, e.Value)
	}
	found(t, l, "the log was put back to an older state")
	for _, key := range under(t, m, "audit/") {
		remove(t, m, key)
	}
	found(t, l, "the chain of this process is missing")

	empty := open(t, memory.New())
	verify(t, empty)
	r, err = empty.Verify(ctx, audit.Check{Known: known.String()})
	require.NoError(t, err)
	require.False(t, r.OK())
	closed(t, empty)
}

func TestKnownAnchors(t *testing.T) {
	m := memory.New()
	l := open(t, m)
	appended(t, l, 1)
	closed(t, l)
	r := verify(t, l)
	r, err := l.Verify(ctx, audit.Check{Known: " " + r.Last.String() + "\n"})
	require.NoError(t, err)
	require.True(t, r.OK())
	r, err = l.Verify(ctx, audit.Check{Known: "2:" + strings.Repeat("0", 64)})
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(r.Findings), "it is not the anchor that is known: the log was rewritten")
	for _, bad := range []string{"x", "1", "0:" + strings.Repeat("0", 64), "1:abc", ":"} {
		_, err = l.Verify(ctx, audit.Check{Known: bad})
		require.ErrorContains(t, err, "not of the form NUMBER:HASH", bad)
	}
}

// A log that is put back under a running process goes on in a new chain, and the old one stays as evidence.
func TestTheProcessGoesOnAfterTheLogWasPutBack(t *testing.T) {
	m := memory.New()
	l := open(t, m)
	appended(t, l, 2)
	old := all(t, m)
	appended(t, l, 2)
	for _, e := range old {
		put(t, m, e.Key, e.Value)
	}
	w := writers(t, m)[0]
	appended(t, l, 2)
	require.Len(t, writers(t, m), 2)
	r := found(t, l, "record/"+w+"/0000000000000003: it is behind the head of the chain, which ends at 2")
	require.Equal(t, 4, r.Records, "up to the heads")
	closed(t, l)
}

// In the minute before the next anchor a chain can be cut and its head put back; the process that is running notices.
func TestARunningProcessKnowsItsOwnChain(t *testing.T) {
	m := memory.New()
	l := open(t, m)
	appended(t, l, 3)
	w := writers(t, m)[0]
	old, err := m.Get(ctx, "audit/head/"+w)
	require.NoError(t, err)
	appended(t, l, 2)
	whole := copyOf(t, m)
	put(t, m, old.Key, old.Value)
	remove(t, m, under(t, m, "audit/record/")[3:]...)
	found(t, l, "this process has written record 5, the chain ends at 3: the log was put back to an older state")
	other := open(t, copyOf(t, m))
	verify(t, other) // nobody else can know
	closed(t, other)
	for _, e := range all(t, whole) {
		put(t, m, e.Key, e.Value)
	}
	verify(t, l)
	closed(t, l)
}
