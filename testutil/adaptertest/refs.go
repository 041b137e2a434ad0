package adaptertest

import (
	"context"
	"fmt"
	"slices"

	"github.com/starlingbot/starling/adapter"
)

func refCases() []Case {
	return []Case{
		{Name: "ref/round-trip", Rule: "the Ref that Send gives names the adapter, the room and the message, is equal after a JSON round trip, and no other message has it", run: live(func(s *stage) error {
			seen := map[adapter.Ref]string{}
			for range 3 {
				for _, room := range s.h.Rooms {
					ref, p, err := s.tell(s.to(room), s.token("hello"))
					if err != nil {
						return err
					}
					if ref.Adapter != s.a.Name() || ref.Room != room || ref.ID == "" {
						return fmt.Errorf("the ref is %+v, want the adapter %q, the room %q and an id", ref, s.a.Name(), room)
					}
					if was, ok := seen[ref]; ok {
						return fmt.Errorf("%q and %q have the ref %+v", was, p.Text, ref)
					}
					seen[ref] = p.Text
					if _, err := stored(ref); err != nil {
						return err
					}
				}
			}
			return nil
		})},
		{Name: "edit/works", needs: []need{verb[adapter.Editor]}, Rule: "Edit replaces the text of the message that a stored Ref names, and of no other", run: live(func(s *stage) error {
			return edits(s, func() error { return nil })
		})},
		{Name: "edit/restart", needs: []need{verb[adapter.Editor], remote}, Rule: "a stored Ref is good for Edit after a restart", run: live(func(s *stage) error { return edits(s, s.restart) })},
		{Name: "delete/works", needs: []need{verb[adapter.Deleter]}, Rule: "Delete removes the message that a stored Ref names, and no other", run: live(func(s *stage) error {
			d, _ := adapter.As[adapter.Deleter](s.a)
			_, near, err := s.tell(s.to(s.room()), s.token("stays"))
			if err != nil {
				return err
			}
			ref, p, err := s.tell(s.to(s.room()), s.token("goes"))
			if err != nil {
				return err
			}
			if ref, err = stored(ref); err != nil {
				return err
			}
			if err := s.ask("Delete", func(ctx context.Context) error { return d.Delete(ctx, ref) }); err != nil {
				return err
			}
			if err := s.until(fmt.Sprintf("%q is gone", p.Text), func() bool { return len(s.posts(p.Text)) == 0 }); err != nil {
				return err
			}
			_, err = s.once(near.Text)
			return err
		})},
		{Name: "react/works", needs: []need{verb[adapter.Reactor]}, Rule: "React puts an emoji on the message that a stored Ref names, and doing it twice is no error and one emoji", run: live(func(s *stage) error {
			r, _ := adapter.As[adapter.Reactor](s.a)
			ref, p, err := s.tell(s.to(s.room()), s.token("like me"))
			if err != nil {
				return err
			}
			if ref, err = stored(ref); err != nil {
				return err
			}
			for range 2 {
				if err := s.ask("React", func(ctx context.Context) error { return r.React(ctx, ref, "👍") }); err != nil {
					return err
				}
			}
			if err := s.until("the emoji is shown", func() bool { p, ok := s.find(p); return ok && len(p.Reactions) > 0 }); err != nil {
				return err
			}
			s.quiet()
			if p, ok := s.find(p); !ok || len(p.Reactions) != 1 {
				return fmt.Errorf("the message is shown: %v, with the reactions %q", ok, p.Reactions)
			}
			return nil
		})},
		{Name: "react/theirs", needs: []need{verb[adapter.Reactor], far("Reactions")}, Rule: "React puts an emoji on what a person said, by the Ref of the event", run: live(func(s *stage) error {
			r, _ := adapter.As[adapter.Reactor](s.a)
			text := s.token("like me")
			said, err := s.h.Say(s.user(), s.room(), text)
			if err != nil {
				return theirs("Say", err)
			}
			ev, err := s.hear(text)
			if err != nil {
				return err
			}
			ref := ev.Ref()
			ref.Adapter = s.a.Name() // the bot's Sink sets it
			if err := s.ask("React", func(ctx context.Context) error { return r.React(ctx, ref, "👍") }); err != nil {
				return err
			}
			return s.until("the emoji is shown", func() bool { return len(s.h.Reactions(said)) == 1 })
		})},
		{Name: "ref/unknown", needs: []need{anyOf(verb[adapter.Editor], verb[adapter.Deleter], verb[adapter.Reactor])}, Rule: "Edit, Delete and React of a message that does not exist, or no longer does, is ErrNotFound", run: live(func(s *stage) error {
			refs := []adapter.Ref{{Address: s.to(s.room()), ID: s.h.Missing.Message}}
			if d, ok := adapter.As[adapter.Deleter](s.a); ok {
				ref, _, err := s.tell(s.to(s.room()), s.token("gone"))
				if err != nil {
					return err
				}
				if err := s.ask("Delete", func(ctx context.Context) error { return d.Delete(ctx, ref) }); err != nil {
					return err
				}
				refs = append(refs, ref)
			}
			for _, ref := range refs {
				for what, f := range s.verbsOnRefs(ref) {
					if err := wants(fmt.Sprintf("%s of %+v", what, ref), s.ask(what, f), adapter.ErrNotFound); err != nil {
						return err
					}
				}
			}
			return nil
		})},
	}
}

// verbsOnRefs gives the verbs that the adapter has, on ref.
func (s *stage) verbsOnRefs(ref adapter.Ref) map[string]func(context.Context) error {
	all := map[string]func(context.Context) error{}
	if e, ok := adapter.As[adapter.Editor](s.a); ok {
		all["Edit"] = func(ctx context.Context) error {
			return e.Edit(ctx, ref, &adapter.Message{To: ref.Address, Text: "new"})
		}
	}
	if d, ok := adapter.As[adapter.Deleter](s.a); ok {
		all["Delete"] = func(ctx context.Context) error { return d.Delete(ctx, ref) }
	}
	if r, ok := adapter.As[adapter.Reactor](s.a); ok {
		all["React"] = func(ctx context.Context) error { return r.React(ctx, ref, "👍") }
	}
	return all
}

// anyOf needs one of these.
func anyOf(needs ...need) need {
	return func(p *probe) string {
		all := ""
		for i, n := range needs {
			reason := n(p)
			if reason == "" {
				return ""
			}
			if i > 0 {
				all += ", "
			}
			all += reason
		}
		return all
	}
}

// edit renders text and edits the message with it.
func (s *stage) edit(e adapter.Editor, ref adapter.Ref, text string) error {
	parts, err := s.render(&adapter.Message{To: ref.Address, Text: text})
	if err != nil {
		return err
	}
	return s.ask("Edit", func(ctx context.Context) error { return e.Edit(ctx, ref, parts[0]) })
}

func edits(s *stage, between func() error) error {
	_, near, err := s.tell(s.to(s.room()), s.token("stays"))
	if err != nil {
		return err
	}
	ref, p, err := s.tell(s.to(s.room()), s.token("before"))
	if err != nil {
		return err
	}
	if ref, err = stored(ref); err != nil {
		return err
	}
	if err := between(); err != nil {
		return err
	}
	e, _ := adapter.As[adapter.Editor](s.a)
	for range 2 {
		text := s.token("after")
		if err := s.edit(e, ref, text); err != nil {
			return err
		}
		if _, err := s.shown(text); err != nil {
			return err
		}
	}
	if now, ok := s.find(p); !ok {
		return fmt.Errorf("%q is not the message that it was: it was posted anew", p.Text)
	} else if now.Room != p.Room || now.Thread != p.Thread {
		return fmt.Errorf("the message was in %q %q and is in %q %q", p.Room, p.Thread, now.Room, now.Thread)
	}
	if err := s.never(p.Text); err != nil {
		return err
	}
	_, err = s.once(near.Text)
	return err
}

// find gives the post as it is now.
func (s *stage) find(p Post) (Post, bool) {
	posts := s.h.Posts()
	i := slices.IndexFunc(posts, func(q Post) bool { return q.ID == p.ID })
	if i < 0 {
		return Post{}, false
	}
	return posts[i], true
}
