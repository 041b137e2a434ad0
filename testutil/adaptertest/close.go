package adaptertest

import (
	"context"

	"github.com/starlingbot/starling/adapter"
)

func closeCases() []Case {
	return []Case{
		{Name: "close/send", needs: []need{verb[adapter.Closer]}, Rule: "after Close, Send, Edit, Delete and React are ErrClosed, and nothing is posted or changed", run: live(func(s *stage) error {
			ref, post, err := s.tell(s.to(s.room()), s.token("before"))
			if err != nil {
				return err
			}
			if err := steps(s.stop, s.shut); err != nil {
				return err
			}
			m := &adapter.Message{To: s.to(s.room()), Text: s.token("late"), Key: s.token("key")}
			_, err = s.send(m)
			if err := wants("Send after Close", err, adapter.ErrClosed); err != nil {
				return err
			}
			if e, ok := adapter.As[adapter.Editor](s.a); ok {
				err := s.ask("Edit", func(ctx context.Context) error { return e.Edit(ctx, ref, m) })
				if err := wants("Edit after Close", err, adapter.ErrClosed); err != nil {
					return err
				}
			}
			if d, ok := adapter.As[adapter.Deleter](s.a); ok {
				err := s.ask("Delete", func(ctx context.Context) error { return d.Delete(ctx, ref) })
				if err := wants("Delete after Close", err, adapter.ErrClosed); err != nil {
					return err
				}
			}
			if r, ok := adapter.As[adapter.Reactor](s.a); ok {
				err := s.ask("React", func(ctx context.Context) error { return r.React(ctx, ref, "👍") })
				if err := wants("React after Close", err, adapter.ErrClosed); err != nil {
					return err
				}
			}
			_, err = s.once(post.Text)
			return first(err, s.never(m.Text))
		})},
		{Name: "close/unused", needs: []need{verb[adapter.Closer]}, Rule: "an adapter that never ran is closed without an error", run: func(s *stage) error {
			return steps(s.open, s.shut)
		}},
		{Name: "leak/none", Rule: "after Run and Close no goroutine of the adapter is left", run: func(s *stage) error {
			err := steps(s.up, func() error {
				if _, err := s.say(s.token("hello")); err != nil {
					return err
				}
				if s.h.Drop != nil {
					if err := first(theirs("Drop", s.h.Drop()), s.connected()); err != nil {
						return err
					}
				}
				_, _, err := s.tell(s.to(s.room()), s.token("answer"))
				return err
			}, s.stop, s.shut)
			if err != nil {
				return err
			}
			if s.h.Lingers != "" {
				if err := s.end(); err != nil {
					return err
				}
			}
			return s.leaks()
		}},
	}
}
