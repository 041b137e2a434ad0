//lint:file-ignore ST1005 errors begin with the names of what they judge

package adaptertest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
)

func eventCases() []Case {
	return []Case{
		{Name: "event/message", Rule: "a message is KindMessage with ID, MessageID, Room, User, a time in UTC and the text", run: live(func(s *stage) error {
			text := s.token("hello")
			ev, err := s.say(text)
			if err != nil {
				return err
			}
			if ev.Text != text {
				return fmt.Errorf("Text = %q, want %q", ev.Text, text)
			}
			if ev.MessageID == "" {
				return fmt.Errorf("%s has no MessageID", show(ev))
			}
			return complete(s, ev, s.user(), s.room())
		})},
		{Name: "event/normal", Rule: "an event keeps its meaning over Normalize and JSON: valid UTF-8, valid Raw, nothing over the bounds, and only the part that its Kind names", run: live(func(s *stage) error {
			if _, err := s.h.Say(s.user(), s.room(), s.token("naïve 日本語 🐦")); err != nil {
				return theirs("Say", err)
			}
			if _, err := s.hear("🐦"); err != nil {
				return err
			}
			if s.h.Press != nil && s.h.React != nil && s.a.Features().Buttons {
				if err := pressAndReact(s); err != nil {
					return err
				}
			}
			calls, _ := s.feed.find(func(*adapter.Event) bool { return true })
			for _, c := range calls {
				if err := normal(c.ev); err != nil {
					return err
				}
			}
			return nil
		})},
		{Name: "event/once", Rule: "every message comes once, in the order said, with an ID of its own", run: live(func(s *stage) error {
			return inOrder(s, []string{s.room()}, 40, func() {})
		})},
		{Name: "event/rooms", needs: []need{rooms}, Rule: "a message has the room it was said in", run: live(func(s *stage) error {
			for _, room := range append(slices.Clone(s.h.Rooms), s.h.Rooms...) {
				text := s.token("hello")
				if _, err := s.h.Say(s.user(), room, text); err != nil {
					return theirs("Say", err)
				}
				ev, err := s.hear(text)
				if err != nil {
					return err
				}
				if err := complete(s, ev, s.user(), room); err != nil {
					return err
				}
			}
			return nil
		})},
		{Name: "event/ids-restart", Rule: "the ids of events and messages do not repeat after a restart", run: live(func(s *stage) error {
			for i := range 3 {
				if i > 0 {
					if err := s.restart(); err != nil {
						return err
					}
				}
				for range 5 {
					if _, err := s.say(s.token("hello")); err != nil {
						return err
					}
				}
			}
			calls, _ := s.feed.find(message(s.label))
			events, messages := map[string]string{}, map[string]string{}
			for _, c := range calls {
				text := c.ev.Text
				if was, ok := events[c.ev.ID]; ok && was != text {
					return fmt.Errorf("the ID %q is that of %q and of %q", c.ev.ID, was, text)
				}
				if was, ok := messages[c.ev.MessageID]; ok && was != text {
					return fmt.Errorf("the MessageID %q is that of %q and of %q", c.ev.MessageID, was, text)
				}
				events[c.ev.ID], messages[c.ev.MessageID] = text, text
			}
			return nil
		})},
		{Name: "event/duplicate", needs: []need{far("Duplicate")}, Rule: "what the platform delivers twice has the same ID and content twice, or comes once", run: live(func(s *stage) error {
			text := s.token("twice")
			if _, err := s.say(text); err != nil {
				return err
			}
			if err := s.h.Duplicate(); err != nil {
				return theirs("Duplicate", err)
			}
			if _, err := s.say(s.token("next")); err != nil {
				return err
			}
			calls, _ := s.feed.find(message(text))
			return sameEvents(calls)
		})},
		{Name: "event/odd", needs: []need{far("Odd")}, Rule: "an event that the adapter cannot know is acknowledged, and does not end Run or hold others up", run: live(func(s *stage) error {
			for range 3 {
				if err := s.h.Odd(); err != nil {
					return theirs("Odd", err)
				}
			}
			if _, err := s.say(s.token("hello")); err != nil {
				return err
			}
			return acknowledged(s)
		})},
		{Name: "user/identity", Rule: "the same person is the same Key in all events, another person another one", run: live(func(s *stage) error {
			keys := map[string]string{}
			for range 2 {
				for _, user := range s.h.Users {
					text := s.token("hello")
					if _, err := s.h.Say(user, s.room(), text); err != nil {
						return theirs("Say", err)
					}
					ev, err := s.hear(text)
					if err != nil {
						return err
					}
					if err := complete(s, ev, user, s.room()); err != nil {
						return err
					}
					if was, ok := keys[user]; ok && was != ev.User.Key() {
						return fmt.Errorf("the user %q is %q and then %q", user, was, ev.User.Key())
					}
					keys[user] = ev.User.Key()
				}
			}
			seen := map[string]string{}
			for user, key := range keys {
				if was, ok := seen[key]; ok {
					return fmt.Errorf("the users %q and %q are both %q", was, user, key)
				}
				seen[key] = user
			}
			return nil
		})},
		{Name: "room/direct", needs: []need{far("Direct")}, Rule: "what is said to the bot alone is in a room of RoomDirect, and the answer goes there", run: live(func(s *stage) error {
			text := s.token("psst")
			if err := s.h.Direct(s.user(), text); err != nil {
				return theirs("Direct", err)
			}
			ev, err := s.hear(text)
			if err != nil {
				return err
			}
			if ev.Room.Kind != adapter.RoomDirect {
				return fmt.Errorf("the room %q has Kind %q, want %q", ev.Room.ID, ev.Room.Kind, adapter.RoomDirect)
			}
			if err := complete(s, ev, s.user(), ev.Room.ID); err != nil {
				return err
			}
			to := ev.Address()
			to.Adapter = s.a.Name()
			_, p, err := s.tell(to, s.token("answer"))
			if err == nil && p.Room != ev.Room.ID {
				err = fmt.Errorf("the answer is in the room %q, want %q", p.Room, ev.Room.ID)
			}
			return err
		})},
	}
}

// complete wants what every event of a person has.
func complete(s *stage, ev *adapter.Event, user, room string) error {
	name := s.a.Name()
	switch {
	case ev.ID == "":
		return fmt.Errorf("%s has no ID", show(ev))
	case ev.Kind == "":
		return fmt.Errorf("%s has no Kind", show(ev))
	case ev.Adapter != "" && ev.Adapter != name:
		return fmt.Errorf("%s: Adapter = %q, want %q", show(ev), ev.Adapter, name)
	case ev.Room.ID != room:
		return fmt.Errorf("%s: Room.ID = %q, want %q", show(ev), ev.Room.ID, room)
	case ev.User.ID != user:
		return fmt.Errorf("%s: User.ID = %q, want %q", show(ev), ev.User.ID, user)
	case ev.User.Adapter != name:
		return fmt.Errorf("%s: User.Adapter = %q, want %q", show(ev), ev.User.Adapter, name)
	case ev.User.Kind == adapter.KindBot:
		return fmt.Errorf("%s: User.Kind says that a person is a bot", show(ev))
	case ev.Self:
		return fmt.Errorf("%s: Self is set on what a person did", show(ev))
	case ev.Backfilled:
		return fmt.Errorf("%s: Backfilled is set on a live event", show(ev))
	case ev.Time.IsZero() || ev.Time.Location() != time.UTC:
		return fmt.Errorf("%s: Time = %v, want a time in UTC", show(ev), ev.Time)
	}
	return nil
}

// normal wants ev to mean the same after Normalize.
func normal(ev *adapter.Event) error {
	if _, err := json.Marshal(ev); err != nil {
		return fmt.Errorf("%s cannot be stored: %w", show(ev), err)
	}
	before, after := clone(ev), clone(ev)
	after.Normalize()
	for _, e := range []*adapter.Event{before, after} { // what is empty is as good as nil, and functions are not compared
		if len(e.Mentions) == 0 {
			e.Mentions = nil
		}
		if len(e.Files) == 0 {
			e.Files = nil
		}
		if len(e.Raw) == 0 {
			e.Raw = nil
		}
		if i := e.Invocation; i != nil && len(i.Options) == 0 {
			i.Options = nil
		}
		for i := range e.Files {
			e.Files[i].Open = nil
		}
		e.Time = e.Time.Round(0)
	}
	if !reflect.DeepEqual(before, after) {
		return fmt.Errorf("Normalize changed %s: before %+v, after %+v", show(ev), before, after)
	}
	for _, part := range []struct {
		kind adapter.Kind
		set  bool
	}{
		{adapter.KindInvocation, ev.Invocation != nil}, {adapter.KindClick, ev.Click != nil},
		{adapter.KindReaction, ev.Reaction != nil}, {adapter.KindSignal, ev.Signal != nil},
	} {
		if want := ev.Kind == part.kind; part.set != want {
			return fmt.Errorf("%s: the part for Kind %q is set: %v, want %v", show(ev), part.kind, part.set, want)
		}
	}
	return nil
}

// inOrder says n lines in each room in turn, calls said, and wants them once and in order room by room.
func inOrder(s *stage, rooms []string, n int, said func()) error {
	want := map[string][]string{}
	for range n {
		for _, room := range rooms {
			text := s.token("line")
			if _, err := s.h.Say(s.user(), room, text); err != nil {
				return theirs("Say", err)
			}
			want[room] = append(want[room], text)
		}
	}
	said()
	if _, err := s.ends("a line", n*len(rooms), message(s.label)); err != nil {
		for _, room := range rooms {
			for _, text := range want[room] {
				if found, _ := s.feed.find(message(text)); len(found) == 0 {
					return fmt.Errorf("%q never came: %w", text, err)
				}
			}
		}
		return err
	}
	s.quiet()
	calls, _ := s.feed.find(message(s.label))
	ids := map[string]string{}
	got := map[string][]string{}
	for _, c := range calls {
		if was, ok := ids[c.ev.ID]; ok {
			return fmt.Errorf("the ID %q came with %q and with %q", c.ev.ID, was, c.ev.Text)
		}
		ids[c.ev.ID] = c.ev.Text
		got[c.ev.Room.ID] = append(got[c.ev.Room.ID], c.ev.Text)
	}
	for _, room := range rooms {
		for i := range max(len(got[room]), len(want[room])) {
			if i >= len(got[room]) || i >= len(want[room]) || !strings.Contains(got[room][i], want[room][i]) {
				return fmt.Errorf("%d lines were said in %q and %d came, not the same from number %d on:\nsaid %q\ncame %q",
					len(want[room]), room, len(got[room]), i, want[room][i:], got[room][min(i, len(got[room])):])
			}
		}
	}
	return nil
}

// sameEvents wants all calls to be of one event.
func sameEvents(calls []call) error {
	for _, c := range calls {
		a, b := calls[0].ev, c.ev
		if a.ID != b.ID || a.Kind != b.Kind || a.MessageID != b.MessageID || a.Text != b.Text || a.Address() != b.Address() || a.User.Key() != b.User.Key() {
			return fmt.Errorf("one event came as %s and as %s", show(a), show(b))
		}
	}
	return nil
}

// acknowledged wants nothing to be left unacknowledged.
func acknowledged(s *stage) error {
	if s.h.Unacknowledged == nil {
		return nil
	}
	return s.until("every event is acknowledged", func() bool { return s.h.Unacknowledged() == 0 })
}
