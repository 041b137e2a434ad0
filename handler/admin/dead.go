package admin

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

const (
	maxLetters = 20  // in one list, the newest
	maxText    = 500 // runes of what was said
)

type letterArgs struct {
	ID string `arg:"id" text:"" help:"as dead list shows it"`
}

func (a letterArgs) words() string { return a.ID }

// deadList lists the newest dead letters, the newest first. What people said is not shown: it may have been said in private.
func (c *commands) deadList(ctx context.Context, r *handler.Request, _ handler.None) error {
	all, err := c.Bot.DeadLetters(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return r.Reply(ctx, "There are no dead letters.")
	}
	var b strings.Builder
	if len(all) == 1 {
		b.WriteString("1 dead letter:\n")
	} else {
		b.WriteString(adapter.Format("%d dead letters, the newest first:\n", len(all)))
	}
	for i := range all {
		l := all[len(all)-1-i]
		if i == maxLetters {
			b.WriteString(adapter.Format("\n- and %d older ones", len(all)-i))
			break
		}
		b.WriteString(adapter.Format("\n- `%s` %s: %s", l.ID, l.Time, l.Reason))
	}
	return r.Reply(ctx, "%s", adapter.Markup(b.String()))
}

func (c *commands) letter(ctx context.Context, id string) (DeadLetter, error) {
	all, err := c.Bot.DeadLetters(ctx)
	if err != nil {
		return DeadLetter{}, err
	}
	for _, l := range all {
		if l.ID == id {
			return l, nil
		}
	}
	return DeadLetter{}, noLetter(id)
}

func noLetter(id string) error {
	return handler.UserErrorf("There is no dead letter %s. Type dead list for those that there are.", id)
}

// deadShow shows a letter to the one who asks: it holds what somebody said.
func (c *commands) deadShow(ctx context.Context, r *handler.Request, a letterArgs) error {
	l, err := c.letter(ctx, a.ID)
	if err != nil {
		return err
	}
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			b.WriteString(adapter.Format("\n- "+name+": %s", value))
		}
	}
	b.WriteString(adapter.Format("Dead letter `%s`, %s\n", l.ID, l.Time))
	line("reason", l.Reason)
	if ev := l.Event; ev != nil {
		line("kind", string(ev.Kind))
		line("who", strings.TrimSpace(ev.User.Name+" ("+ev.User.Key()+")"))
		line("where", strings.TrimSpace(ev.Room.Name+" ("+ev.Address().String()+")"))
		if !ev.Time.IsZero() {
			b.WriteString(adapter.Format("\n- when: %s", ev.Time))
		}
		if ev.Click != nil {
			line("pressed", ev.Click.Label)
		} else {
			line("said", cut(l.Said))
		}
	} else {
		b.WriteString(adapter.Format("\n- the event cannot be read; the record `%s` has %d bytes", l.Key, len(l.Value)))
	}
	return r.Whisper(ctx, "%s", adapter.Markup(b.String()))
}

func cut(s string) string {
	if utf8.RuneCountInString(s) <= maxText {
		return s
	}
	return string([]rune(s)[:maxText]) + "…"
}

// deadReplay puts a letter into the inbox again, once however often the command runs.
func (c *commands) deadReplay(ctx context.Context, r *handler.Request, a letterArgs) error {
	found, err := handler.Once(ctx, r, "replay", func(ctx context.Context) (bool, error) {
		err := c.Bot.Replay(ctx, a.ID)
		if errors.Is(err, brain.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	})
	switch {
	case errors.Is(err, handler.ErrUnknown):
		return handler.UserErrorf("Nobody knows whether %s was put into the inbox again. Type dead list to see whether it is still there.", a.ID)
	case err != nil:
		return err
	case !found:
		return noLetter(a.ID)
	}
	return r.Reply(ctx, "`%s` is in the inbox again.", a.ID)
}
