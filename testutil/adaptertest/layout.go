//lint:file-ignore ST1005 errors begin with the names of what they judge

package adaptertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/starlingbot/starling/adapter"
)

func layoutCases() []Case {
	return []Case{
		{Name: "buttons/shown", needs: []need{claims("Buttons")}, Rule: "the buttons of a message are shown with their labels, in order, below its text", run: live(func(s *stage) error {
			_, p, err := s.asked()
			if err == nil && !slices.Equal(p.Buttons, []string{"Yes", "No"}) {
				err = fmt.Errorf("the buttons are %q, want Yes and No", p.Buttons)
			}
			return err
		})},
		{Name: "fields/shown", needs: []need{claims("Fields")}, Rule: "the fields of a message are shown, in order", run: live(func(s *stage) error {
			m := s.withFields()
			if _, err := s.post(m); err != nil {
				return err
			}
			p, err := s.shown(m.Text)
			if err != nil {
				return err
			}
			if len(p.Fields) != 2 || p.Fields[0].Name != "Host" || p.Fields[0].Value != "db 1" || p.Fields[1].Name != "Load" || p.Fields[1].Value != "0.7" {
				err = fmt.Errorf("the fields are %+v, want Host db 1 and Load 0.7", p.Fields)
			}
			return err
		})},
		{Name: "only/seen", needs: []need{claims("Ephemeral"), lacks("EphemeralOrigin")}, Rule: "a message with Only is seen by that user alone", run: live(func(s *stage) error {
			ev, err := s.say(s.token("hello"))
			if err != nil {
				return err
			}
			text := s.token("psst")
			if _, err := s.post(&adapter.Message{To: s.to(s.room()), Text: text, Only: s.user(), Origin: ev.Origin}); err != nil {
				return err
			}
			p, err := s.once(text)
			if err == nil && (p.Only != s.user() || p.Room != s.room()) {
				err = fmt.Errorf("the message for %q in %q is shown in %q for %q (empty: all)", s.user(), s.room(), p.Room, p.Only)
			}
			return err
		})},
	}
}

func (s *stage) withFields() *adapter.Message {
	return &adapter.Message{To: s.to(s.room()), Text: s.token("status"), Fields: []adapter.Field{{Name: "Host", Value: "db 1", Short: true}, {Name: "Load", Value: "0.7", Short: true}}}
}

func unclaimedCases() []Case {
	return []Case{
		{Name: "unclaimed/only", needs: []need{showsAll}, Rule: "without Features.Ephemeral, or with EphemeralOrigin and without an Origin, a message with Only in a room is ErrUnsupported, and never shown to the room", run: live(func(s *stage) error {
			text := s.token("psst")
			_, err := s.post(&adapter.Message{To: s.to(s.room()), Text: text, Only: s.user()})
			if err := s.never(text); err != nil {
				return err
			}
			return wants("Send with Only", err, adapter.ErrUnsupported)
		})},
		{Name: "unclaimed/threads", needs: []need{lacks("Threads")}, Rule: "without Features.Threads a message to a thread is posted to the room or is ErrUnsupported, never lost", run: live(func(s *stage) error {
			to := s.to(s.room())
			to.Thread = s.h.Missing.Message
			return s.shownOr(&adapter.Message{To: to, Text: s.token("below")})
		})},
		{Name: "unclaimed/buttons", needs: []need{lacks("Buttons")}, Rule: "without Features.Buttons their labels or commands are in the text, or it is ErrUnsupported", run: live(func(s *stage) error {
			return s.shownOr(&adapter.Message{To: s.to(s.room()), Text: s.token("Deploy?"), Buttons: []adapter.Button{{Label: "Yes", Command: "approve 1"}}}, "Yes", "approve 1")
		})},
		{Name: "unclaimed/fields", needs: []need{lacks("Fields")}, Rule: "without Features.Fields their values are in the text, or it is ErrUnsupported", run: live(func(s *stage) error {
			return s.shownOr(s.withFields(), "0.7")
		})},
		{Name: "unclaimed/files", needs: []need{lacks("Files")}, Rule: "without Features.Files the name of a file is in the text, or it is ErrUnsupported", run: live(func(s *stage) error {
			f := content("report.txt", s.token("report"))
			return s.shownOr(&adapter.Message{To: s.to(s.room()), Text: s.token("see"), Files: []adapter.File{f}}, f.Name)
		})},
	}
}

// shownOr wants m to be refused as unsupported, or shown with one of these in its text.
func (s *stage) shownOr(m *adapter.Message, one ...string) error {
	_, err := s.post(m)
	if errors.Is(err, adapter.ErrUnsupported) {
		return s.never(m.Text)
	}
	if err != nil {
		return fmt.Errorf("%w, want a post or %q", err, adapter.ErrUnsupported)
	}
	p, err := s.once(m.Text)
	if err != nil || len(one) == 0 {
		return err
	}
	if !slices.ContainsFunc(one, func(part string) bool { return strings.Contains(p.Text, part) }) {
		return fmt.Errorf("Send was nil, and none of %q is in the text that is shown: %q", one, p.Text)
	}
	return nil
}
