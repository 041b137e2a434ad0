package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOrderOfReplies: an answer that comes before that of the event before it is disorder, but where that event's handler had run so
// long, since its last begin, that it had left its line.
func TestOrderOfReplies(t *testing.T) {
	begun := time.Now()
	for ran, want := range map[time.Duration]int{100 * time.Millisecond: 1, 1700 * time.Millisecond: 1, 2045 * time.Millisecond: 0} {
		first := &event{id: "r1-1", room: "r1", kind: &kind{name: "once", replies: []string{"once"}}, begun: 1, begins: []begin{{at: begun.Add(-time.Minute)}, {at: begun}}}
		second := &event{id: "r1-2", room: "r1", kind: &kind{name: "add", replies: []string{"add"}}, begun: 2, begins: []begin{{at: begun}}}
		p := &platform{order: []*event{first, second}}
		posted := func(at int) *said { return &said{sends: []send{{Time: begun.Add(ran), at: at}}} }
		inOrder := map[string]*said{"r1-1 once": posted(1), "r1-2 add": {sends: []send{{Time: begun, at: 2}}}}
		require.Zero(t, p.disorderOfReplies(inOrder, t.Logf), ran)
		disorder := map[string]*said{"r1-1 once": posted(2), "r1-2 add": {sends: []send{{Time: begun, at: 1}}}}
		require.Equal(t, want, p.disorderOfReplies(disorder, t.Logf), ran)
	}
}
