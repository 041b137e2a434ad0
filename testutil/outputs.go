package testutil

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/sealed"
	"github.com/starlingbot/starling/internal/canary"
)

// recordPost writes a message as the chat gets it into the outputs of package canary. Its Origin is left out: that is how the
// chat gets back what it gave the bot for answering, and nobody reads it.
func recordPost(verb string, m *adapter.Message) {
	if !canary.On() {
		return
	}
	shown := *m
	shown.Origin = ""
	canary.WriteJSON(canary.Posts, map[string]any{verb: &shown, "text": adapter.PlainText(m.Text)})
}

// recordFiles writes the files of a message.
func recordFiles(files []File) {
	if canary.On() {
		for _, f := range files {
			canary.Write(canary.Posts, fmt.Appendf(nil, "file %q %q: %s\n", f.Name, f.Type, f.Data))
		}
	}
}

// recordTopic writes the topic of a room.
func recordTopic(topic string) {
	if canary.On() {
		canary.WriteJSON(canary.Posts, map[string]any{"topic": topic})
	}
}

// recordCommands writes the commands of the bot, where they are others than before.
func recordCommands(before, now []adapter.CommandSpec) {
	if canary.On() && !reflect.DeepEqual(before, now) {
		canary.WriteJSON(canary.Posts, map[string]any{"commands": now})
	}
}

// recordKept writes what the bot's store holds when the test ends, as it lies there: a store that seals is looked at from below.
// Records of the audit log count as such. Left out is one thing: the value of a dead letter, which is the stored event itself
// with all that was said, so that it can be run again. Whoever does not want that on a disk seals the store.
func (b *Bot) recordKept() {
	if !canary.On() || b.cfg.Brain == nil {
		return
	}
	store := b.cfg.Brain.Store()
	if s, ok := brain.As[*sealed.Store](store); ok {
		store = s.Unwrap()
	}
	for e, err := range store.List(context.Background(), "") {
		if err != nil { // as of a store that the test has closed, or that fails on purpose
			canary.Write(canary.Kept, fmt.Appendf(nil, "%s: not read: %v\n", b.t.Name(), err))
			return
		}
		if strings.HasPrefix(e.Key, "_/dead/") {
			var letter map[string]any
			if json.Unmarshal(e.Value, &letter) == nil {
				delete(letter, "value")
				delete(letter, "record")
				canary.WriteJSON(canary.Kept, letter)
				continue
			}
		}
		kind := canary.Kept
		if strings.HasPrefix(e.Key, "audit/") {
			kind = canary.Audit
		}
		canary.Write(kind, fmt.Appendf(nil, "%s %s\n", e.Key, e.Value))
	}
}
