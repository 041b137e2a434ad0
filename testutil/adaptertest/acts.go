//lint:file-ignore ST1005 errors begin with the names of what they judge

package adaptertest

import (
	"fmt"
	"strings"

	"github.com/starlingbot/starling/adapter"
)

// oddCommand is the command of a button with all that a platform may escape, cut or lower.
const oddCommand = `Deploy "api gateway" --to=prod <&> 'é 🐦' a/b:c,d;e %41 &lt;`

func actCases() []Case {
	return []Case{
		{Name: "reaction/event", needs: []need{far("React")}, Rule: "an emoji on a message of the bot is KindReaction with the emoji and the Ref of that message", run: live(func(s *stage) error {
			ref, p, err := s.tell(s.to(s.room()), s.token("like me"))
			if err != nil {
				return err
			}
			_, err = s.reacted(ref, p, false)
			return err
		})},
		{Name: "reaction/removed", needs: []need{far("React"), far("Unreact")}, Rule: "an emoji that is taken away is KindReaction with Removed", run: live(func(s *stage) error {
			ref, p, err := s.tell(s.to(s.room()), s.token("like me"))
			if err != nil {
				return err
			}
			one, err := s.reacted(ref, p, false)
			if err != nil {
				return err
			}
			two, err := s.reacted(ref, p, true)
			if err == nil && one.ID == two.ID {
				err = fmt.Errorf("putting an emoji and taking it away have the same ID %q", one.ID)
			}
			return err
		})},
		{Name: "click/event", needs: []need{far("Press"), claims("Buttons")}, Rule: "a pressed button is KindClick with the exact Command of that button, who pressed it, and the Ref of its message", run: live(func(s *stage) error {
			ref, p, err := s.asked()
			if err != nil {
				return err
			}
			for _, b := range []adapter.Button{{Label: "No", Command: oddCommand}, {Label: "Yes", Command: "approve 1"}} {
				if err := s.pressed(ref, p, b); err != nil {
					return err
				}
			}
			return nil
		})},
		{Name: "click/restart", needs: []need{far("Press"), claims("Buttons"), remote}, Rule: "the buttons of a message that an earlier process posted work", run: live(func(s *stage) error {
			ref, p, err := s.asked()
			if err != nil {
				return err
			}
			if err := s.restart(); err != nil {
				return err
			}
			return s.pressed(ref, p, adapter.Button{Label: "No", Command: oddCommand})
		})},
		{Name: "edit/event", needs: []need{far("Edit")}, Rule: "a changed message is KindEdit with the same MessageID, an ID of its own and the new text, and never KindMessage", run: live(func(s *stage) error {
			old := s.token("before")
			said, err := s.h.Say(s.user(), s.room(), old)
			if err != nil {
				return theirs("Say", err)
			}
			was, err := s.hear(old)
			if err != nil {
				return err
			}
			text := s.token("after")
			if err := s.h.Edit(s.user(), said, text); err != nil {
				return theirs("Edit", err)
			}
			ev, err := s.await("the edit", func(ev *adapter.Event) bool { return strings.Contains(ev.Text, text) })
			if err != nil {
				return err
			}
			switch {
			case ev.Kind != adapter.KindEdit:
				return fmt.Errorf("the edit came as %s", show(ev))
			case ev.MessageID != was.MessageID:
				return fmt.Errorf("MessageID = %q on the edit of %q", ev.MessageID, was.MessageID)
			case ev.ID == was.ID:
				return fmt.Errorf("the edit has the ID of the message, %q", ev.ID)
			case ev.Text != text:
				return fmt.Errorf("Text = %q, want %q", ev.Text, text)
			}
			if _, err := s.say(s.token("next")); err != nil {
				return err
			}
			if calls, _ := s.feed.find(message(text)); len(calls) > 0 {
				return fmt.Errorf("the edit came as %s too", show(calls[0].ev))
			}
			return complete(s, ev, s.user(), s.room())
		})},
		{Name: "delete/event", needs: []need{far("Delete")}, Rule: "a deleted message is KindDelete with its MessageID, an ID of its own, and never KindMessage", run: live(func(s *stage) error {
			text := s.token("gone")
			said, err := s.h.Say(s.user(), s.room(), text)
			if err != nil {
				return theirs("Say", err)
			}
			was, err := s.hear(text)
			if err != nil {
				return err
			}
			if err := s.h.Delete(s.user(), said); err != nil {
				return theirs("Delete", err)
			}
			ev, err := s.await("the deletion", kind(adapter.KindDelete))
			if err != nil {
				return err
			}
			switch {
			case ev.MessageID != was.MessageID:
				return fmt.Errorf("MessageID = %q on the deletion of %q", ev.MessageID, was.MessageID)
			case ev.ID == was.ID || ev.ID == "":
				return fmt.Errorf("the deletion has the ID %q, the message %q", ev.ID, was.ID)
			case ev.Room.ID != s.room():
				return fmt.Errorf("Room.ID = %q, want %q", ev.Room.ID, s.room())
			}
			return nil
		})},
		{Name: "invocation/event", needs: []need{far("Invoke")}, Rule: "a native slash command is KindInvocation with the command without its slash, what followed, who and where", run: live(func(s *stage) error {
			text := s.token("api")
			if err := s.h.Invoke(s.user(), s.room(), "deploy", text); err != nil {
				return theirs("Invoke", err)
			}
			ev, err := s.await("the invocation", kind(adapter.KindInvocation))
			if err != nil {
				return err
			}
			if i := ev.Invocation; i == nil || i.Command != "deploy" || !strings.Contains(i.Text+fmt.Sprint(i.Options), text) {
				return fmt.Errorf("Invocation = %+v, want deploy %s", i, text)
			}
			return complete(s, ev, s.user(), s.room())
		})},
	}
}

// reacted lets the other user put or take an emoji, and checks the event.
func (s *stage) reacted(ref adapter.Ref, p Post, removed bool) (*adapter.Event, error) {
	what, act := "React", s.h.React
	if removed {
		what, act = "Unreact", s.h.Unreact
	}
	if err := act(s.other(), p, "👍"); err != nil {
		return nil, theirs(what, err)
	}
	ev, err := s.await(fmt.Sprintf("the reaction (removed: %v)", removed), func(ev *adapter.Event) bool {
		return kind(adapter.KindReaction)(ev) && ev.Reaction != nil && ev.Reaction.Removed == removed
	})
	if err != nil {
		return nil, err
	}
	r := ev.Reaction
	switch {
	case r.Emoji == "" || strings.Contains(r.Emoji, ":"):
		return nil, fmt.Errorf("Emoji = %q, want the emoji or its name without colons", r.Emoji)
	case r.Message.ID != ref.ID || r.Message.Room != ref.Room:
		return nil, fmt.Errorf("Reaction.Message = %+v, want %+v", r.Message, ref)
	}
	return ev, complete(s, ev, s.other(), s.room())
}

// asked posts a question with two buttons.
func (s *stage) asked() (adapter.Ref, Post, error) {
	text := s.token("Deploy?")
	refs, err := s.post(&adapter.Message{To: s.to(s.room()), Text: text, Buttons: []adapter.Button{
		{Label: "Yes", Command: "approve 1", Style: adapter.ButtonPrimary}, {Label: "No", Command: oddCommand, Style: adapter.ButtonDanger},
	}})
	if err != nil {
		return adapter.Ref{}, Post{}, err
	}
	p, err := s.shown(text)
	if err == nil && len(refs) != 1 {
		err = fmt.Errorf("a short text with two buttons took %d messages", len(refs))
	}
	if err != nil {
		return adapter.Ref{}, p, err
	}
	return refs[0], p, nil
}

// pressed lets the other user press b, and checks the event.
func (s *stage) pressed(ref adapter.Ref, p Post, b adapter.Button) error {
	before, _ := s.feed.find(kind(adapter.KindClick))
	if err := s.h.Press(s.other(), p, b.Label); err != nil {
		return theirs("Press", err)
	}
	calls, err := s.calls("a click", len(before)+1, kind(adapter.KindClick))
	if err != nil {
		return err
	}
	ev := calls[len(before)].ev
	c := ev.Click
	switch {
	case c == nil:
		return fmt.Errorf("Click is nil on %s", show(ev))
	case c.Command != b.Command:
		return fmt.Errorf("Click.Command = %q, want %q", c.Command, b.Command)
	case c.Message.ID != ref.ID || c.Message.Room != ref.Room:
		return fmt.Errorf("Click.Message = %+v, want %+v", c.Message, ref)
	}
	return complete(s, ev, s.other(), s.room())
}

func pressAndReact(s *stage) error {
	ref, p, err := s.asked()
	if err != nil {
		return err
	}
	if err := s.pressed(ref, p, adapter.Button{Label: "No", Command: oddCommand}); err != nil {
		return err
	}
	_, err = s.reacted(ref, p, false)
	return err
}

func ownCases() []Case {
	return []Case{
		{Name: "own/marked", Rule: "what the bot posts through the adapter does not come back, or comes with Self", run: live(func(s *stage) error {
			ref, p, err := s.tell(s.to(s.room()), s.token("mine"))
			if err != nil {
				return err
			}
			if e, ok := adapter.As[adapter.Editor](s.a); ok {
				if err := s.edit(e, ref, s.token("mine edited")); err != nil {
					return err
				}
			}
			if _, err := s.say(s.token("next")); err != nil {
				return err
			}
			s.quiet()
			calls, _ := s.feed.find(func(ev *adapter.Event) bool {
				return !ev.Self && (strings.Contains(ev.Text, "mine") || strings.Contains(ev.Text, p.Text) || ev.MessageID == ref.ID)
			})
			if len(calls) > 0 {
				return fmt.Errorf("the bot's own message came without Self: %s", show(calls[0].ev))
			}
			return nil
		})},
		{Name: "own/elsewhere", needs: []need{far("Own")}, Rule: "what the bot's own account posts past this adapter, as another replica does, has Self or does not come", run: live(func(s *stage) error {
			text := s.token("mine")
			if err := s.h.Own(s.room(), text); err != nil {
				return theirs("Own", err)
			}
			if _, err := s.say(s.token("next")); err != nil {
				return err
			}
			s.quiet()
			if calls, _ := s.feed.find(message(text)); len(calls) > 0 {
				return fmt.Errorf("the bot's own message came without Self: %s", show(calls[0].ev))
			}
			return nil
		})},
		{Name: "own/other-bot", needs: []need{far("OtherBot")}, Rule: "a message of another program has User.Kind bot and not Self, or does not come", run: live(func(s *stage) error {
			text := s.token("beep")
			if err := s.h.OtherBot(s.room(), text); err != nil {
				return theirs("OtherBot", err)
			}
			if _, err := s.say(s.token("next")); err != nil {
				return err
			}
			s.quiet()
			calls, _ := s.feed.find(func(ev *adapter.Event) bool { return strings.Contains(ev.Text, text) })
			for _, c := range calls {
				if c.ev.Self || c.ev.User.Kind != adapter.KindBot {
					return fmt.Errorf("%s of another bot has Self %v and User.Kind %q", show(c.ev), c.ev.Self, c.ev.User.Kind)
				}
			}
			return nil
		})},
	}
}
