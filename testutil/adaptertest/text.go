//lint:file-ignore ST1005 errors begin with the names of what they judge

package adaptertest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/starlingbot/starling/adapter"
)

func textCases() []Case {
	return []Case{
		{Name: "text/decoded", Rule: "the text of a message is what was typed, decoded once: entities that were typed, emoji, markup characters and newlines stay", run: live(func(s *stage) error {
			tried := 0
			for _, typed := range []string{
				"&lt;b&gt; &amp; &amp;amp; %41 \\n", "a < b > c & d", "🐦 👩 é ñ 日本語 العربية 𝒳", "*stars* _under_ `tick` ~tilde~ [a](b)",
				"first\nsecond\n\nfourth", "  spaces  inside  ", "tab\there", "it's \"quoted\" “smart”",
			} {
				text := s.token("typed") + " " + typed + "."
				_, err := s.h.Say(s.user(), s.room(), text)
				if errors.Is(err, errors.ErrUnsupported) {
					continue
				}
				if err != nil {
					return theirs("Say", err)
				}
				tried++
				ev, err := s.hear(text[:strings.Index(text, "x ")+1])
				if err != nil {
					return err
				}
				if ev.Text != text {
					return fmt.Errorf("Text = %q, and %q was typed", ev.Text, text)
				}
			}
			if tried == 0 {
				return &skipError{"the harness can say none of the texts"}
			}
			return nil
		})},
		{Name: "mention/set", needs: []need{far("Mention")}, Rule: "Mentioned is set when the bot is mentioned and only then, and the text has @BotName in front", run: live(func(s *stage) error {
			text := s.token("please")
			if err := s.h.Mention(s.user(), s.room(), text); err != nil {
				return theirs("Mention", err)
			}
			ev, err := s.hear(text)
			if err != nil {
				return err
			}
			head, _, _ := strings.Cut(ev.Text, text)
			switch {
			case !ev.Mentioned:
				return fmt.Errorf("Mentioned is not set on %s", show(ev))
			case ev.BotName == "":
				return fmt.Errorf("BotName is empty on %s", show(ev))
			case !strings.EqualFold(strings.Trim(head, " :,"), "@"+ev.BotName):
				return fmt.Errorf("Text = %q, want %q in front of %q", ev.Text, "@"+ev.BotName, text)
			}
			ev, err = s.say(s.token("nobody"))
			if err == nil && ev.Mentioned {
				err = fmt.Errorf("Mentioned is set on %s", show(ev))
			}
			return err
		})},
		{Name: "thread/answer", needs: []need{far("Reply"), claims("Threads")}, Rule: "what is said in a thread has that Thread, and the answer to its Address lands there", run: live(threads)},
		{Name: "thread/start", needs: []need{claims("Threads")}, Rule: "a message to the Thread named by the MessageID of an event starts a thread below it", run: live(func(s *stage) error {
			ev, err := s.say(s.token("root"))
			if err != nil {
				return err
			}
			_, p, err := s.tell(adapter.Address{Adapter: s.a.Name(), Room: ev.Room.ID, Thread: ev.MessageID}, s.token("below"))
			if err == nil && (p.Thread == "" || p.Room != s.room()) {
				err = fmt.Errorf("the message to thread %q is shown in room %q, thread %q", ev.MessageID, p.Room, p.Thread)
			}
			return err
		})},
	}
}

func threads(s *stage) error {
	_, root, err := s.tell(s.to(s.room()), s.token("root"))
	if err != nil {
		return err
	}
	thread := ""
	for range 2 {
		text := s.token("below")
		if err := s.h.Reply(s.user(), root, text); err != nil {
			return theirs("Reply", err)
		}
		ev, err := s.hear(text)
		if err != nil {
			return err
		}
		switch {
		case ev.Thread == "":
			return fmt.Errorf("Thread is empty on %s", show(ev))
		case thread != "" && ev.Thread != thread:
			return fmt.Errorf("two messages of one thread have the Threads %q and %q", thread, ev.Thread)
		case ev.Room.ID != s.room():
			return fmt.Errorf("Room.ID = %q in a thread of room %q", ev.Room.ID, s.room())
		}
		thread = ev.Thread
		to := ev.Address()
		to.Adapter = s.a.Name()
		_, p, err := s.tell(to, s.token("answer"))
		if err != nil {
			return err
		}
		if p.Thread != thread || p.Room != s.room() {
			return fmt.Errorf("the answer to %s is shown in room %q, thread %q; want %q, %q", show(ev), p.Room, p.Thread, s.room(), thread)
		}
	}
	text := s.token("outside")
	if _, err := s.h.Say(s.other(), s.room(), text); err != nil {
		return theirs("Say", err)
	}
	ev, err := s.hear(text)
	if err != nil {
		return err
	}
	if ev.Thread != "" {
		return fmt.Errorf("Thread = %q on %s, which was said outside of threads", ev.Thread, show(ev))
	}
	_, p, err := s.tell(s.to(s.room()), s.token("answer"))
	if err == nil && p.Thread != "" {
		err = fmt.Errorf("the answer outside of threads is shown in thread %q", p.Thread)
	}
	return err
}
