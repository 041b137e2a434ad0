// Package history is a ready-made router that repeats commands:
//
//	history    lists what you asked for, the last first
//	!!         repeats the last, !2 the second last
//
// Lines with secret arguments and commands that were refused are not kept. The history lives in memory, for each person.
//
// Mount it: rt.Mount("history", history.New()).
package history

import (
	"context"
	"strconv"
	"strings"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// New makes the router.
func New() *handler.Router {
	rt := handler.NewRouter()
	rt.Command("history", "List what you asked for; !! repeats the last, !2 the second last.", list).Volatile = true
	rt.Hear(`^\s*!(?:!|(?P<n>[1-9]\d?))\s*$`, repeat).ID = "repeat"
	rt.Respond(`!(?:!|(?P<n>[1-9]\d?))\s*$`, addressed).ID = "repeat-addressed"
	return rt
}

func list(ctx context.Context, r *handler.Request) error {
	lines := r.History()
	if len(lines) == 0 {
		return r.Reply(ctx, "You have not asked for anything yet.")
	}
	var b strings.Builder
	for i, line := range lines {
		b.WriteString(adapter.Format("\n!%d %s", i+1, line))
	}
	return r.Reply(ctx, "%s", adapter.Markup(b.String()[1:]))
}

// repeat runs a line again; one that is not there is silence, since it may have been chatter.
func repeat(ctx context.Context, r *handler.Request) error {
	n := 1
	if s := r.Arg("n"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			return err
		}
	}
	lines := r.History()
	if n > len(lines) {
		return nil
	}
	return r.Again(ctx, lines[n-1])
}

// addressed repeats what was asked for by name, "starling !!"; a line that is nothing else has been heard already.
func addressed(ctx context.Context, r *handler.Request) error {
	if strings.TrimSpace(r.Event.Text) == strings.TrimSpace(r.Text) {
		return nil
	}
	return repeat(ctx, r)
}
