package audit

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
)

// forge is somebody who has the key and can write to the brain.
type forge struct {
	t *testing.T
	s *memory.Store
	l *Log
}

func newForge(t *testing.T) *forge {
	t.Helper()
	ctx := context.Background()
	s := memory.New()
	cfg := Config{Brain: brain.New(s).Namespace("audit"), Key: handler.NewSecret("cnrymark: a key of at least thirty-two bytes for tests"), Logger: slog.New(slog.DiscardHandler)}
	l, err := New(cfg)
	require.NoError(t, err)
	for i := range 5 {
		require.NoError(t, l.Append(ctx, Record{Phase: PhaseBefore, Command: fmt.Sprint("command ", i)}))
	}
	require.NoError(t, l.Close(ctx))
	other, err := New(cfg) // which has written nothing and remembers nothing
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Close(ctx)) })
	f := &forge{t, s, other}
	require.Empty(t, f.findings())
	return f
}

func (f *forge) findings() string {
	r, err := f.l.Verify(context.Background(), Check{})
	require.NoError(f.t, err)
	if r.OK() {
		return ""
	}
	return fmt.Sprint(r.Findings)
}

// edit changes what is stored under key with f, signs it anew and gives its hash.
func edit[T any](f *forge, key, kind string, change func(*T), hash func(*T) *string) string {
	f.t.Helper()
	ctx := context.Background()
	e, err := f.s.Get(ctx, f.l.full(key))
	require.NoError(f.t, err)
	var v T
	require.NoError(f.t, f.l.ring.open(kind, e.Value, &v))
	change(&v)
	*hash(&v) = ""
	line, sum, err := f.l.ring.sign(kind, &v)
	require.NoError(f.t, err)
	_, err = f.s.Apply(ctx, brain.Op{Key: e.Key, Value: line, If: brain.Any})
	require.NoError(f.t, err)
	return sum
}

func (f *forge) record(seq uint64, change func(*Record)) string {
	return edit(f, recordKey(f.writer(), seq), kindRecord, change, func(r *Record) *string { return &r.Hash })
}

func (f *forge) head(change func(*head)) {
	edit(f, headPrefix+f.writer(), kindHead, change, func(h *head) *string { return &h.Hash })
}

func (f *forge) anchor(n uint64, change func(*Anchor)) string {
	return edit(f, anchorKey(n), kindAnchor, change, func(a *Anchor) *string { return &a.Hash })
}

func (f *forge) list(change func(*list)) {
	edit(f, listKey, kindList, change, func(l *list) *string { return &l.Hash })
}

func (f *forge) writer() string {
	for e, err := range f.s.List(context.Background(), f.l.prefix(recordPrefix)) {
		require.NoError(f.t, err)
		return f.l.writerOf(e.Key)
	}
	f.t.Fatal("no chain")
	return ""
}

// Even with the key it takes rewriting everything that comes after, and then an anchor that was noted elsewhere tells.
func TestAForgerWithTheKey(t *testing.T) {
	t.Run("one record", func(t *testing.T) {
		f := newForge(t)
		f.record(3, func(r *Record) { r.Command = "another" })
		require.Contains(t, f.findings(), "0000000000000004: it does not follow the record before it")
	})
	t.Run("a beginning with a past", func(t *testing.T) {
		f := newForge(t)
		f.record(1, func(r *Record) { r.Prev = "x" })
		require.Contains(t, f.findings(), "0000000000000001: it does not follow the record before it")
	})
	t.Run("the last record", func(t *testing.T) {
		f := newForge(t)
		f.record(5, func(r *Record) { r.Command = "another" })
		require.Contains(t, f.findings(), "0000000000000005: it is not the record that was anchored")
		require.Contains(t, f.findings(), "its last record is another one")
	})
	t.Run("the last record and the head", func(t *testing.T) {
		f := newForge(t)
		hash := f.record(5, func(r *Record) { r.Command = "another" })
		f.head(func(h *head) { h.Last = hash })
		require.Contains(t, f.findings(), "0000000000000005: it is not the record that was anchored")
		require.Contains(t, f.findings(), "its last record is not the one that was anchored")
	})
	t.Run("a record that says it is another", func(t *testing.T) {
		f := newForge(t)
		f.record(3, func(r *Record) { r.Seq = 4 })
		require.Contains(t, f.findings(), "0000000000000003: it is record 4 of")
		f = newForge(t)
		f.record(3, func(r *Record) { r.Writer = "other" })
		require.Contains(t, f.findings(), `0000000000000003: it is record 3 of "other": it was moved`)
	})
	t.Run("a head that says it is another's", func(t *testing.T) {
		f := newForge(t)
		f.head(func(h *head) { h.Writer = "other" })
		require.Contains(t, f.findings(), `it is the head of "other": it was moved`)
	})
	t.Run("a head that begins later", func(t *testing.T) {
		f := newForge(t)
		f.head(func(h *head) { h.First, h.FirstPrev = 3, "x" })
		require.Contains(t, f.findings(), "0000000000000003: it does not follow the record before it")
	})
	t.Run("a head that ends earlier", func(t *testing.T) {
		f := newForge(t)
		f.head(func(h *head) { h.Seq = 4 })
		require.Contains(t, f.findings(), "0000000000000005: it is behind the head of the chain, which ends at 4")
		require.Contains(t, f.findings(), "the chain ends at 4, an anchor names its record 5: it was cut")
	})
	t.Run("an anchor", func(t *testing.T) {
		f := newForge(t)
		f.anchor(1, func(a *Anchor) { a.Seq = 2 })
		require.Contains(t, f.findings(), "anchor/0000000000000002: it does not follow the anchor before it")
		f = newForge(t)
		f.anchor(1, func(a *Anchor) { a.Prev = "x" })
		require.Contains(t, f.findings(), "anchor/0000000000000001: it does not follow the anchor before it")
		f = newForge(t)
		f.anchor(1, func(a *Anchor) { a.N = 2 })
		require.Contains(t, f.findings(), "anchor/0000000000000001: it is anchor 2: it was moved")
		f = newForge(t)
		f.anchor(2, func(a *Anchor) { a.By = "other" })
		require.Contains(t, f.findings(), "anchors: its last anchor is another one")
	})
	t.Run("the list ends earlier", func(t *testing.T) {
		f := newForge(t)
		f.list(func(l *list) { l.N = 1 })
		require.Contains(t, f.findings(), "anchor/0000000000000002: it is not in the list of anchors, which ends at 1")
		f = newForge(t)
		f.record(4, func(r *Record) { r.Anchor = 9 })
		require.Contains(t, f.findings(), "0000000000000004 knows of anchor 9, the list ends at 2: anchors were cut")
	})
	t.Run("all of it", func(t *testing.T) {
		f := newForge(t)
		before, err := f.l.Verify(context.Background(), Check{})
		require.NoError(t, err)
		prev := f.record(3, func(r *Record) { r.Command = "another" })
		for seq := uint64(4); seq <= 5; seq++ {
			prev = f.record(seq, func(r *Record) { r.Prev = prev })
		}
		f.head(func(h *head) { h.Last = prev })
		last := f.anchor(2, func(a *Anchor) { a.Chain = prev })
		f.list(func(l *list) { l.Last = last })
		require.Empty(t, f.findings(), "from within nothing tells")
		r, err := f.l.Verify(context.Background(), Check{Known: before.Last.String()})
		require.NoError(t, err)
		require.Contains(t, fmt.Sprint(r.Findings), "it is not the anchor that is known: the log was rewritten")
	})
}
