package adapter_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// plain is an adapter without verbs.
type plain struct{ name string }

func (p *plain) Name() string                          { return p.name }
func (*plain) Features() adapter.Features              { return adapter.Features{} }
func (*plain) Run(context.Context, adapter.Sink) error { return nil }
func (p *plain) Send(context.Context, *adapter.Message) (adapter.Ref, error) {
	return adapter.Ref{ID: p.name}, nil
}

// editing can edit.
type editing struct{ plain }

func (*editing) Edit(context.Context, adapter.Ref, *adapter.Message) error { return nil }

// wrapper wraps and has a verb of its own.
type wrapper struct{ adapter.Adapter }

func (w wrapper) Unwrap() adapter.Adapter                 { return w.Adapter }
func (wrapper) Delete(context.Context, adapter.Ref) error { return nil }

// shell wraps and does not say what.
type shell struct{ adapter.Adapter }

func TestAs(t *testing.T) {
	edits, bare := &editing{plain{"edits"}}, &plain{"bare"}
	outer := &editing{plain{"outer"}}
	for name, c := range map[string]struct {
		a               adapter.Adapter
		editor, deleter adapter.Adapter // who is found; nil for nobody
	}{
		"nil":                         {nil, nil, nil},
		"itself":                      {edits, edits, nil},
		"no verb":                     {bare, nil, nil},
		"inside":                      {wrapper{edits}, edits, wrapper{edits}},
		"two deep":                    {wrapper{wrapper{edits}}, edits, wrapper{wrapper{edits}}},
		"the outermost is taken":      {over{outer, edits}, over{outer, edits}, nil},
		"a wrapper around nothing":    {wrapper{nil}, nil, wrapper{nil}},
		"a wrapper without Unwrap":    {shell{edits}, nil, nil},
		"behind one that has no verb": {wrapper{bare}, nil, wrapper{bare}},
	} {
		t.Run(name, func(t *testing.T) {
			e, ok := adapter.As[adapter.Editor](c.a)
			require.Equal(t, c.editor != nil, ok)
			if ok {
				require.Equal(t, c.editor, e)
			} else {
				require.Nil(t, e)
			}
			d, ok := adapter.As[adapter.Deleter](c.a)
			require.Equal(t, c.deleter != nil, ok)
			if ok {
				require.Equal(t, c.deleter, d)
			}
		})
	}
	w, ok := adapter.As[*editing](wrapper{edits})
	require.True(t, ok, "a concrete type is found too")
	require.Same(t, edits, w)
}

// over edits itself and wraps another that edits.
type over struct {
	*editing
	inner adapter.Adapter
}

func (o over) Unwrap() adapter.Adapter { return o.inner }

func TestAddress(t *testing.T) {
	a := adapter.Address{Adapter: "slack", Room: "C1"}
	require.Equal(t, "slack/C1", a.String())
	b := adapter.Address{Adapter: "slack", Room: "C1", Thread: "7"}
	require.Equal(t, "slack/C1/7", b.String())
	sorted := []adapter.Address{{}, {Adapter: "a", Room: "z", Thread: "z"}, {Adapter: "b"}, {Adapter: "b", Room: "a", Thread: "z"}, {Adapter: "b", Room: "b"}, {Adapter: "b", Room: "b", Thread: "a"}}
	for i := range sorted {
		for j := range sorted {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			require.Equal(t, want, sorted[i].Compare(sorted[j]), "%v and %v", sorted[i], sorted[j])
		}
	}
	require.True(t, adapter.Ref{}.IsZero())
	require.False(t, adapter.Ref{Address: a}.IsZero())
	require.False(t, adapter.Ref{ID: "1"}.IsZero())
}

func TestTextUnitLen(t *testing.T) {
	for _, c := range []struct {
		text                string
		runes, bytes, utf16 int
	}{
		{"", 0, 0, 0}, {"abc", 3, 3, 3}, {"é", 1, 2, 1}, {"€", 1, 3, 1}, {"🐦", 1, 4, 2}, {"👩‍🚀", 3, 11, 5}, {"a\xffb", 3, 3, 3},
	} {
		require.Equal(t, c.runes, adapter.UnitRunes.Len(c.text), "%q", c.text)
		require.Equal(t, c.bytes, adapter.UnitBytes.Len(c.text), "%q", c.text)
		require.Equal(t, c.utf16, adapter.UnitUTF16.Len(c.text), "%q", c.text)
	}
}
