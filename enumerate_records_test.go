package starling_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
)

// badValues are records that nobody can use, wherever they stand.
var badValues = map[string]string{
	"nothing":             "",
	"not JSON":            "\xff\x00\x17",
	"cut off":             `{"v":1,"delivery":"stage/z","event":{"id":"z","ki`,
	"foreign JSON":        `{"name":"alice"}`,
	"another kind":        `[1,2,3]`,
	"null":                `null`,
	"a newer version":     `{"v":2,"event":{"id":"z"}}`,
	"no content":          `{"v":1}`,
	"fields of other":     `{"v":1,"delivery":7,"event":"x","slots":[],"parts":"x","state":4,"ask":1,"message":[]}`,
	"an event of nothing": `{"v":1,"delivery":"stage/z","routes":["hear-x"],"event":{}}`,
	"empty parts":         `{"v":1,"state":"attempted","parts":[null],"slots":{"hear-x\u0000a":{"state":"attempted","parts":[null]}},"delivery":"stage/z","event":null,"message":{}}`,
}

// Whatever stands in the store is put aside with its key and a reason, or is of no account, and all else goes on: also what
// comes after it in the same conversation, and after the next start.
func TestBadRecordsEverywhere(t *testing.T) {
	good := func(id, room string) string {
		return fmt.Sprintf(`{"v":1,"delivery":"stage/%s","routes":["hear-x"],"event":{"id":"%s","kind":"message","adapter":"stage","room":{"id":"%s","kind":"channel"},"user":{"adapter":"stage","id":"alice"},"text":"x"}}`, id, id, room)
	}
	for name, value := range badValues {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memory.New()
				put := func(key, value string) {
					_, err := store.Apply(context.Background(), brain.Op{Key: key, Value: []byte(value)})
					require.NoError(t, err)
				}
				put("_/inbox/stage/C1/%/0000000000000001", value)
				put("_/inbox/stage/C1/%/0000000000000002", good("y", "C1"))
				put("_/inbox/stage/C1/%/not-a-number", value)
				put("_/inbox/stage/C2/%/0000000000000003", good("z", "C2"))
				put("_/run/stage%2Fz", value)
				put("_/run/stage%2Fnobody", value)
				put("_/out/k", value)
				put("_/sent/k2", value)
				put("_/due/0000000000000001-a", value)
				put("_/ask/stage/C3/%/stage%2F%2Falice", value)
				put("_/dead/0000000000000001-a", value)
				put("_/seen/stage/other", value)
				for start := range 2 {
					s := play(t, starling.Config{Brain: brain.New(store)}, func(rt *handler.Router) {
						rt.Hear("x", replies("y"))
						rt.Add(handler.Command[ship]{Name: "ship", Summary: "Ship.", Run: func(context.Context, *handler.Request, ship) error { return nil }})
					})
					s.next = 100 * (start + 1)
					require.NoError(t, s.say("alice", "C1", "x"))
					require.NoError(t, s.say("alice", "C3", "x"))
					time.Sleep(time.Minute)
					synctest.Wait()
					said := strings.Join(s.said(), "\n")
					if start == 0 {
						require.Equal(t, 2, strings.Count(said, "C1> y"), said)
					} else {
						require.Equal(t, 1, strings.Count(said, "C1> y"), said)
					}
					require.Contains(t, said, "C3> y")
					require.Empty(t, keys(t, store, "_/inbox/"))
					require.Empty(t, keys(t, store, "_/out/"))
					require.Empty(t, keys(t, store, "_/due/"))
					letters, err := s.bot.DeadLetters(context.Background())
					require.NoError(t, err)
					found := map[string]bool{}
					for _, l := range letters {
						found[l.Key] = true
						if l.ID != "0000000000000001-a" { // which is of no account itself
							require.NotEmpty(t, l.Reason, l.Key)
						}
					}
					require.True(t, found["_/inbox/stage/C1/%/0000000000000001"], "put aside: %v", found)
					require.True(t, found["_/inbox/stage/C1/%/not-a-number"], "put aside: %v", found)
					require.NoError(t, s.stop())
					if t.Failed() {
						t.Log(s.log.String())
					}
				}
			})
		})
	}
}
