package adaptertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/starlingbot/starling/adapter"
)

func ackCases() []Case {
	return []Case{
		{Name: "ack/after", needs: []need{far("Unacknowledged")}, Rule: "an event is acknowledged after the Sink has taken it, and not before", run: live(func(s *stage) error {
			if err := acknowledged(s); err != nil {
				return err
			}
			free := make(chan struct{})
			s.feed.respond(func(context.Context, *adapter.Event) error { <-free; return nil })
			_, err := s.say(s.token("wait"))
			s.quiet()
			if n := s.h.Unacknowledged(); err == nil && n == 0 {
				err = errors.New("the event was acknowledged while the Sink had not returned")
			}
			close(free)
			return first(err, acknowledged(s))
		})},
		{Name: "ack/error", needs: []need{either("Unacknowledged", "Redeliver")}, Rule: "an event whose Sink gave an error is not acknowledged: it comes again with the same ID and content", run: live(func(s *stage) error {
			text, next := s.token("again"), s.token("next")
			s.feed.respond(failing(text, 2))
			for _, line := range []string{text, next} {
				if _, err := s.h.Say(s.user(), s.room(), line); err != nil {
					return theirs("Say", err)
				}
			}
			for n := range 2 {
				if _, err := s.ends(fmt.Sprintf("%q", text), n+1, message(text)); err != nil {
					return err
				}
				if s.h.Unacknowledged != nil && s.h.Unacknowledged() == 0 {
					return errors.New("everything is acknowledged while the Sink gave an error")
				}
				if s.h.Redeliver == nil {
					return nil
				}
				if err := s.h.Redeliver(); err != nil {
					return theirs("Redeliver", err)
				}
			}
			calls, err := s.ends(fmt.Sprintf("%q", text), 3, message(text))
			if err != nil {
				return err
			}
			if _, err := s.hear(next); err != nil {
				return err
			}
			return first(sameEvents(calls), acknowledged(s))
		})},
		{Name: "ack/rejected", Rule: "an event that the Sink rejects for good is acknowledged and does not come again", run: live(func(s *stage) error {
			text := s.token("never")
			s.feed.respond(func(_ context.Context, ev *adapter.Event) error {
				if message(text)(ev) {
					return fmt.Errorf("test: %w", adapter.ErrRejected)
				}
				return nil
			})
			if _, err := s.say(text); err != nil {
				return err
			}
			if s.h.Redeliver != nil {
				if err := s.h.Redeliver(); err != nil {
					return theirs("Redeliver", err)
				}
			}
			if _, err := s.say(s.token("next")); err != nil {
				return err
			}
			s.quiet()
			if calls, _ := s.feed.find(message(text)); len(calls) != 1 {
				return fmt.Errorf("the rejected event came %d times", len(calls))
			}
			return acknowledged(s)
		})},
		{Name: "ack/restart", needs: []need{claims("Replay")}, Rule: "an event that was not taken when the process ended comes again after a restart with the same ID", run: live(func(s *stage) error {
			text := s.token("again")
			s.feed.respond(s.waits)
			if _, err := s.say(text); err != nil {
				return err
			}
			if err := s.stop(); err != nil {
				return err
			}
			s.feed.respond(nil)
			if err := s.restart(); err != nil {
				return err
			}
			if s.h.Redeliver != nil {
				if err := s.h.Redeliver(); err != nil {
					return theirs("Redeliver", err)
				}
			}
			calls, err := s.ends(fmt.Sprintf("%q", text), 2, message(text))
			return first(err, sameEvents(calls))
		})},
		{Name: "sink/blocked", Rule: "a Sink that blocks loses and reorders nothing: each conversation comes whole and in order", run: live(func(s *stage) error {
			free := make(chan struct{})
			s.feed.respond(func(context.Context, *adapter.Event) error { <-free; return nil })
			open := false
			defer func() {
				if !open {
					close(free)
				}
			}()
			return inOrder(s, s.h.Rooms[:min(2, len(s.h.Rooms))], 30, func() {
				s.quiet()
				open = true
				close(free)
			})
		})},
		{Name: "sink/failing", Rule: "a Sink that fails now and then loses nothing: what failed and what was said behind it are taken in the end", needs: []need{far("Redeliver")}, run: live(func(s *stage) error {
			var lines []string
			for range 5 {
				text := s.token("line")
				lines = append(lines, text)
				if _, err := s.h.Say(s.user(), s.room(), text); err != nil {
					return theirs("Say", err)
				}
			}
			if _, err := s.hear(lines[0]); err != nil {
				return err
			}
			s.feed.respond(failing(s.label, 2))
			for range 5 {
				text := s.token("line")
				lines = append(lines, text)
				if _, err := s.h.Say(s.user(), s.room(), text); err != nil {
					return theirs("Say", err)
				}
			}
			for range 3 {
				if err := s.h.Redeliver(); err != nil {
					return theirs("Redeliver", err)
				}
			}
			for _, text := range lines {
				if err := s.taken(text); err != nil {
					return err
				}
			}
			return nil
		})},
	}
}

// failing makes the Sink fail the first n calls with a message that contains text.
func failing(text string, n int) func(context.Context, *adapter.Event) error {
	left := make(chan struct{}, n)
	for range n {
		left <- struct{}{}
	}
	return func(_ context.Context, ev *adapter.Event) error {
		if message(text)(ev) {
			select {
			case <-left:
				return errors.New("test: not taken")
			default:
			}
		}
		return nil
	}
}

// taken waits until the Sink took text.
func (s *stage) taken(text string) error {
	_, err := s.callsWhere(fmt.Sprintf("%q (taken)", text), 1, func(c call) bool { return c.over && c.err == nil }, message(text))
	return err
}
