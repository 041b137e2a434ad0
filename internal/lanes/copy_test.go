package lanes

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// TestCopy: nothing that is done to a copy reaches the event, whatever fields events get.
func TestCopy(t *testing.T) {
	t.Parallel()
	ev := &adapter.Event{
		ID: "1", Mentions: []adapter.User{{ID: "a"}}, Files: []adapter.File{{ID: "f"}}, Raw: json.RawMessage(`{}`),
		Invocation: &adapter.Invocation{Options: map[string]string{"a": "b"}}, Click: &adapter.Click{Command: "c"},
		Reaction: &adapter.Reaction{Emoji: "x"}, Signal: &adapter.Signal{Key: "k"},
	}
	before, err := json.Marshal(ev)
	require.NoError(t, err)
	c := Copy(ev)
	require.Equal(t, ev, c)
	spoil(reflect.ValueOf(c).Elem())
	after, err := json.Marshal(ev)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
	require.Equal(t, &adapter.Event{}, Copy(&adapter.Event{}), "what is not there stays away")
}

// spoil overwrites all that a value points to; each pointer, slice and map of an event must lead somewhere.
func spoil(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Pointer:
			if f.Elem().Kind() == reflect.Struct {
				spoil(f.Elem())
				f.Elem().SetZero()
			}
		case reflect.Slice:
			f.Index(0).SetZero()
		case reflect.Map:
			f.Clear()
		}
	}
}
