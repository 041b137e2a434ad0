//lint:file-ignore ST1005 errors begin with the names of what they judge

package adaptertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/starlingbot/starling/adapter"
)

func runCases() []Case {
	return []Case{
		{Name: "run/ends", Rule: "Run returns nil soon after its context ended", run: live(func(s *stage) error {
			if _, err := s.say(s.token("hello")); err != nil {
				return err
			}
			return s.stop()
		})},
		{Name: "run/stays", Rule: "Run does not return by itself while the source is there", run: live(func(s *stage) error {
			s.quiet()
			if s.run.returned() {
				return fmt.Errorf("Run returned %v", s.run.err)
			}
			_, err := s.say(s.token("hello"))
			return err
		})},
		{Name: "run/no-sink-after", Rule: "no Sink is called after Run has returned", run: live(func(s *stage) error {
			if _, err := s.say(s.token("hello")); err != nil {
				return err
			}
			if err := s.stop(); err != nil {
				return err
			}
			late := s.token("late")
			if _, err := s.h.Say(s.user(), s.room(), late); err != nil {
				return theirs("Say", err)
			}
			s.quiet()
			if calls, _ := s.feed.find(message(late)); len(calls) > 0 {
				return fmt.Errorf("the Sink of a Run that had returned was called with %s", show(calls[0].ev))
			}
			return nil
		})},
		{Name: "run/ended-context", Rule: "Run with a context that ended before it calls no Sink and returns nil", run: still(func(s *stage) error {
			if _, err := s.h.Say(s.user(), s.room(), s.token("hello")); err != nil {
				return theirs("Say", err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			s.begin(ctx)
			if err := s.stop(); err != nil {
				return err
			}
			if calls, _ := s.feed.find(func(*adapter.Event) bool { return true }); len(calls) > 0 {
				return fmt.Errorf("the Sink was called with %s", show(calls[0].ev))
			}
			return nil
		})},
		{Name: "run/again", Rule: "Run may be called again after it returned, and delivers", run: live(func(s *stage) error {
			for range 3 {
				if _, err := s.say(s.token("hello")); err != nil {
					return err
				}
				if err := steps(s.stop, s.start); err != nil {
					return err
				}
			}
			_, err := s.say(s.token("hello"))
			return err
		})},
		{Name: "run/sink-context", Rule: "the context of a Sink call ends with that of Run, so that a Sink that heeds it does not hold Run up", run: live(func(s *stage) error {
			text := s.token("wait")
			s.feed.respond(s.waits)
			if _, err := s.say(text); err != nil {
				return err
			}
			return s.stop()
		})},
		{Name: "run/blocked-sink", Rule: "Run that is cancelled while a Sink is blocked returns when the Sink does", run: live(func(s *stage) error {
			free := make(chan struct{})
			s.feed.respond(func(context.Context, *adapter.Event) error { <-free; return errors.New("not taken") })
			_, err := s.say(s.token("wait"))
			if err == nil {
				s.run.cancel()
				s.quiet()
			}
			close(free)
			return first(err, s.stop())
		})},
		{Name: "run/exhausted", needs: []need{far("End")}, Rule: "when the source is exhausted Run delivers what there was and returns nil", run: live(func(s *stage) error {
			text := s.token("last")
			if _, err := s.h.Say(s.user(), s.room(), text); err != nil {
				return theirs("Say", err)
			}
			if err := s.h.End(); err != nil {
				return theirs("End", err)
			}
			if _, err := s.hear(text); err != nil {
				return err
			}
			if err := s.returns(s.run, "the source ended"); err != nil {
				return err
			}
			return s.stop()
		})},
	}
}
