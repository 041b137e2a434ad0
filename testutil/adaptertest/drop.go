//lint:file-ignore ST1005 errors begin with the names of what they judge

package adaptertest

import (
	"context"
	"fmt"

	"github.com/starlingbot/starling/adapter"
)

func dropCases() []Case {
	return []Case{
		{Name: "drop/reconnect", needs: []need{far("Drop")}, Rule: "after the connection was cut Run goes on: what is said is delivered, and what came before does not come as something new", run: live(func(s *stage) error {
			for range 3 {
				if _, err := s.say(s.token("before")); err != nil {
					return err
				}
				if err := first(theirs("Drop", s.h.Drop()), s.connected()); err != nil {
					return err
				}
			}
			if _, err := s.say(s.token("after")); err != nil {
				return err
			}
			s.quiet()
			if s.run.returned() {
				return fmt.Errorf("Run returned %v", s.run.err)
			}
			return oneEach(s)
		})},
		{Name: "drop/sink", needs: []need{far("Drop"), claims("Replay")}, Rule: "a connection that is cut while a Sink runs, and what is said meanwhile, loses nothing; what comes twice has the same ID", run: live(func(s *stage) error {
			texts := []string{s.token("wait")}
			free := make(chan struct{})
			s.feed.respond(func(context.Context, *adapter.Event) error { <-free; return nil })
			_, err := s.say(texts[0])
			for range 5 {
				if err == nil {
					texts = append(texts, s.token("meanwhile"))
					err = theirs("Drop", s.h.Drop())
				}
				if err == nil {
					_, err = s.h.Say(s.user(), s.room(), texts[len(texts)-1])
					err = theirs("Say", err)
				}
			}
			s.quiet()
			close(free)
			if err := first(err, s.connected()); err != nil {
				return err
			}
			for _, text := range texts {
				if err := s.taken(text); err != nil {
					return err
				}
			}
			s.quiet()
			return first(oneEach(s), acknowledged(s))
		})},
		{Name: "drop/away", needs: []need{fault(FaultAway)}, Rule: "while the platform is away Run tries on, and returns soon when its context ends meanwhile", run: live(func(s *stage) error {
			if _, err := s.say(s.token("before")); err != nil {
				return err
			}
			if err := s.h.Faults[FaultAway](); err != nil {
				return theirs("Faults", err)
			}
			s.quiet()
			if s.run.returned() {
				return fmt.Errorf("Run returned %v", s.run.err)
			}
			return s.stop()
		})},
		{Name: "drop/send", needs: []need{far("Drop")}, Rule: "a Send around a cut connection posts once or gives an error whose Outcome is true", run: live(func(s *stage) error {
			for range 3 {
				if err := s.h.Drop(); err != nil {
					return theirs("Drop", err)
				}
				if err := judged(s, &adapter.Message{To: s.to(s.room()), Text: s.token("around")}); err != nil {
					return err
				}
			}
			if err := s.connected(); err != nil {
				return err
			}
			_, _, err := s.tell(s.to(s.room()), s.token("after"))
			return err
		})},
	}
}

// oneEach wants each text that came to have come under one ID.
func oneEach(s *stage) error {
	calls, _ := s.feed.find(message(s.label))
	texts := map[string][]call{}
	for _, c := range calls {
		texts[c.ev.Text] = append(texts[c.ev.Text], c)
	}
	for _, same := range texts {
		if err := sameEvents(same); err != nil {
			return err
		}
	}
	return nil
}
