//lint:file-ignore ST1005 errors begin with the names of what they judge

package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/starlingbot/starling/adapter"
)

func verbCases() []Case {
	return []Case{
		{Name: "typing/works", needs: []need{verb[adapter.Typer]}, Rule: "Typing shows that the bot is busy", run: live(func(s *stage) error {
			v, _ := adapter.As[adapter.Typer](s.a)
			err := s.ask("Typing", func(ctx context.Context) error { return v.Typing(ctx, s.to(s.room())) })
			if err != nil || s.h.Typing == nil {
				return err
			}
			return s.until("the far side sees it", func() bool { return s.h.Typing(s.room()) > 0 })
		})},
		{Name: "directory/user", needs: []need{verb[adapter.Directory]}, Rule: "Directory finds a user by id and by @name as the User of events; one that does not exist is ErrNotFound", run: live(func(s *stage) error {
			d, _ := adapter.As[adapter.Directory](s.a)
			ev, err := s.say(s.token("hello"))
			if err != nil {
				return err
			}
			for _, query := range []string{ev.User.ID, "@" + ev.User.Name} {
				u, err := asked(s, "User", query, d.User)
				if err != nil {
					return err
				}
				if u.Adapter = s.a.Name(); u.Key() != ev.User.Key() {
					return fmt.Errorf("User(%q) is %q, in events it is %q", query, u.Key(), ev.User.Key())
				}
			}
			_, err = asked(s, "User", s.h.Missing.User, d.User)
			return wants("User", err, adapter.ErrNotFound)
		})},
		{Name: "directory/room", needs: []need{verb[adapter.Directory]}, Rule: "Directory finds a room by id and by #name as the Room of events; one that does not exist is ErrNotFound", run: live(func(s *stage) error {
			d, _ := adapter.As[adapter.Directory](s.a)
			ev, err := s.say(s.token("hello"))
			if err != nil {
				return err
			}
			queries := []string{ev.Room.ID}
			if ev.Room.Name != "" {
				queries = append(queries, "#"+ev.Room.Name)
			}
			for _, query := range queries {
				r, err := asked(s, "Room", query, d.Room)
				if err != nil {
					return err
				}
				if r.ID != s.room() {
					return fmt.Errorf("Room(%q) is %q, want %q", query, r.ID, s.room())
				}
			}
			_, err = asked(s, "Room", s.h.Missing.Room, d.Room)
			return wants("Room", err, adapter.ErrNotFound)
		})},
		{Name: "direct/opens", needs: []need{verb[adapter.DirectOpener]}, Rule: "OpenDirect gives the room in which a user is told alone; a user that does not exist is ErrNotFound", run: live(func(s *stage) error {
			d, _ := adapter.As[adapter.DirectOpener](s.a)
			seen := map[string]string{}
			for _, user := range s.h.Users[:2] {
				r, err := asked(s, "OpenDirect", user, d.OpenDirect)
				if err != nil {
					return err
				}
				if was, ok := seen[r.ID]; ok {
					return fmt.Errorf("the direct room of %q and %q is %q", was, user, r.ID)
				}
				seen[r.ID] = user
				if r.Kind != adapter.RoomDirect || slices.Contains(s.h.Rooms, r.ID) {
					return fmt.Errorf("the direct room is %+v", r)
				}
				_, p, err := s.tell(s.to(r.ID), s.token("psst"))
				if err != nil {
					return err
				}
				if p.Room != r.ID {
					return fmt.Errorf("the message to %q is shown in %q", r.ID, p.Room)
				}
			}
			_, err := asked(s, "OpenDirect", s.h.Missing.User, d.OpenDirect)
			return wants("OpenDirect", err, adapter.ErrNotFound)
		})},
		{Name: "topic/works", needs: []need{verb[adapter.TopicSetter]}, Rule: "SetTopic sets the topic of a room; a room that does not exist is ErrNotFound or ErrForbidden", run: live(func(s *stage) error {
			v, _ := adapter.As[adapter.TopicSetter](s.a)
			topic := s.token("topic")
			if err := s.ask("SetTopic", func(ctx context.Context) error { return v.SetTopic(ctx, s.room(), topic) }); err != nil {
				return err
			}
			if s.h.Topic != nil {
				if err := s.until("the topic is set", func() bool { return s.h.Topic(s.room()) == topic }); err != nil {
					return err
				}
			}
			err := s.ask("SetTopic", func(ctx context.Context) error { return v.SetTopic(ctx, s.h.Missing.Room, topic) })
			return wants("SetTopic of a room that does not exist", err, adapter.ErrNotFound, adapter.ErrForbidden)
		})},
		{Name: "commands/registers", needs: []need{verb[adapter.CommandRegistrar]}, Rule: "RegisterCommands before Run tells the platform the commands; again, it replaces them", run: still(func(s *stage) error {
			v, _ := adapter.As[adapter.CommandRegistrar](s.a)
			for _, names := range [][]string{{"deploy", "status"}, {"deploy", "job list"}} {
				var specs []adapter.CommandSpec
				for _, n := range names {
					specs = append(specs, adapter.CommandSpec{Name: n, Summary: "Do it."})
				}
				if err := s.ask("RegisterCommands", func(ctx context.Context) error { return v.RegisterCommands(ctx, specs) }); err != nil {
					return err
				}
				if s.h.Commands == nil {
					continue
				}
				if err := s.until(fmt.Sprintf("the commands are %q", names), func() bool { return s.commands(names) }); err != nil {
					return err
				}
			}
			return nil
		})},
		{Name: "history/reads", needs: []need{verb[adapter.Historian]}, Rule: "History gives what was said, oldest first, Backfilled, with the ids of live delivery, and only what came after", run: live(histories)},
		{Name: "find/posted", needs: []need{verb[adapter.Finder]}, Rule: "Find gives the Ref of a message whose Key was posted, and false without an error for one that was not", run: live(func(s *stage) error {
			v, _ := adapter.As[adapter.Finder](s.a)
			parts, err := s.render(&adapter.Message{To: s.to(s.room()), Text: s.token("find me"), Key: s.token("key")})
			if err != nil {
				return err
			}
			m := parts[0]
			var found bool
			var ref adapter.Ref
			find := func(ctx context.Context) (err error) { ref, found, err = v.Find(ctx, m); return err }
			if err := s.ask("Find", find); err != nil {
				return err
			}
			if found {
				return errors.New("Find found a message that was not posted")
			}
			want, err := s.send(m)
			if err != nil {
				return err
			}
			if _, err := s.shown(m.Text); err != nil {
				return err
			}
			if err := s.ask("Find", find); err != nil {
				return err
			}
			if !found || ref != want {
				return fmt.Errorf("Find = %+v, %v; want %+v", ref, found, want)
			}
			return nil
		})},
		{Name: "http/refuses", needs: []need{verb[adapter.HTTPHandler]}, Rule: "HTTPHandler serves before and during Run, and refuses what the platform did not send", run: still(func(s *stage) error {
			if err := s.forge(); err != nil {
				return err
			}
			if err := s.start(); err != nil {
				return err
			}
			if err := s.forge(); err != nil {
				return err
			}
			if _, err := s.say(s.token("next")); err != nil {
				return err
			}
			if calls, _ := s.feed.find(message("forged")); len(calls) > 0 {
				return fmt.Errorf("a forged request became %s", show(calls[0].ev))
			}
			return nil
		})},
	}
}

// forge sends the adapter requests that the platform did not send.
func (s *stage) forge() error {
	v, _ := adapter.As[adapter.HTTPHandler](s.a)
	h := v.HTTPHandler()
	if h == nil {
		return errors.New("HTTPHandler = nil")
	}
	for _, body := range []string{"", "adaptertest", `{"text":"` + s.token("forged") + `"}`, strings.Repeat("z", 4<<20)} {
		w := httptest.NewRecorder()
		late := s.within(func(ctx context.Context) {
			h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(body)))
		})
		if late != nil {
			return fmt.Errorf("the HTTP handler: %w", late)
		}
		if w.Code < 400 {
			return fmt.Errorf("a forged request of %d bytes was answered with %d", len(body), w.Code)
		}
	}
	return nil
}

// asked calls a verb that looks something up.
func asked[T any](s *stage, what, query string, f func(context.Context, string) (T, error)) (found T, err error) {
	err = s.ask(fmt.Sprintf("%s(%q)", what, query), func(ctx context.Context) error {
		v, err := f(ctx, query)
		found = v
		return err
	})
	return found, err
}

// commands tells whether the platform knows exactly these.
func (s *stage) commands(names []string) bool {
	got := slices.Clone(s.h.Commands())
	slices.Sort(got)
	want := slices.Sorted(slices.Values(names))
	return slices.Equal(got, want)
}

func histories(s *stage) error {
	v, _ := adapter.As[adapter.Historian](s.a)
	var lines []*adapter.Event
	for range 4 {
		ev, err := s.say(s.token("line"))
		if err != nil {
			return err
		}
		lines = append(lines, ev)
	}
	read := func(after string, want []*adapter.Event) error {
		var got []*adapter.Event
		err := s.ask("History", func(ctx context.Context) error {
			for ev, err := range v.History(ctx, s.room(), after) {
				if err != nil {
					return err
				}
				if ev == nil {
					return errors.New("an event is nil")
				}
				if message(s.label)(ev) {
					got = append(got, ev)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(got) != len(want) {
			return fmt.Errorf("History after %q gave %d of the %d lines", after, len(got), len(want))
		}
		for i, ev := range got {
			switch {
			case ev.ID != want[i].ID || ev.MessageID != want[i].MessageID || ev.Text != want[i].Text || ev.User.Key() != want[i].User.Key():
				return fmt.Errorf("History after %q gave %s as number %d, live it was %s", after, show(ev), i, show(want[i]))
			case !ev.Backfilled:
				return fmt.Errorf("Backfilled is not set on %s", show(ev))
			}
		}
		return nil
	}
	if err := read("", lines); err != nil {
		return err
	}
	if lines[1].Order == "" {
		return errors.New("an adapter with History needs Event.Order, and it is empty")
	}
	return read(lines[1].Order, lines[2:])
}
