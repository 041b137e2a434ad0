//lint:file-ignore ST1005 errors begin with the names of what they judge

package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/starlingbot/starling/adapter"
)

func sendCases() []Case {
	return []Case{
		{Name: "send/anytime", Rule: "Send works before, during and after Run", run: still(func(s *stage) error {
			for _, when := range []string{"before Run", "during Run", "after Run"} {
				switch when {
				case "during Run":
					if err := s.start(); err != nil {
						return err
					}
				case "after Run":
					if err := s.stop(); err != nil {
						return err
					}
				}
				if _, _, err := s.tell(s.to(s.room()), s.token("hello")); err != nil {
					return fmt.Errorf("%s: %w", when, err)
				}
			}
			return nil
		})},
		{Name: "send/once", Rule: "one Send is one post, in the room it was sent to, seen by all, with the text it has", run: live(func(s *stage) error {
			for _, room := range s.h.Rooms {
				text := s.token("hello")
				if _, err := s.post(&adapter.Message{To: s.to(room), Text: text}); err != nil {
					return err
				}
				p, err := s.once(text)
				if err != nil {
					return err
				}
				if p.Room != room || p.Thread != "" || p.Only != "" || p.Text != text {
					return fmt.Errorf("%q was sent to %q and is shown as %+v", text, room, p)
				}
			}
			return nil
		})},
		{Name: "send/order", Rule: "what is sent one after the other is shown in that order", run: live(func(s *stage) error {
			var texts []string
			for range 10 {
				text := s.token("line")
				texts = append(texts, text)
				if _, err := s.post(&adapter.Message{To: s.to(s.room()), Text: text}); err != nil {
					return err
				}
			}
			if _, err := s.shown(texts[len(texts)-1]); err != nil {
				return err
			}
			for i, p := range s.posts("line " + s.label) {
				if i >= len(texts) || p.Text != texts[i] {
					return fmt.Errorf("number %d is %q, sent were %q", i, p.Text, texts)
				}
			}
			return nil
		})},
		{Name: "send/concurrent", Rule: "50 that send at once, while events come and Name and Features are asked, all post once, under refs of their own", run: live(concurrent)},
		{Name: "send/unknown-room", Rule: "Send to a room that does not exist is ErrNotFound or ErrForbidden", run: live(func(s *stage) error {
			text := s.token("nowhere")
			_, err := s.post(&adapter.Message{To: s.to(s.h.Missing.Room), Text: text})
			return first(wants("Send", err, adapter.ErrNotFound, adapter.ErrForbidden), s.never(text))
		})},
		{Name: "send/same-text", Rule: "two messages with the same text are two posts", run: live(func(s *stage) error {
			text := s.token("again")
			one, err := s.post(&adapter.Message{To: s.to(s.room()), Text: text})
			if err != nil {
				return err
			}
			two, err := s.post(&adapter.Message{To: s.to(s.room()), Text: text})
			if err != nil {
				return err
			}
			if one[0] == two[0] {
				return fmt.Errorf("both have the ref %+v", one[0])
			}
			return s.until("both are shown", func() bool { return len(s.posts(text)) == 2 })
		})},
		{Name: "send/key", needs: []need{claims("IdempotentSend")}, Rule: "the same Message.Key within Features.IdempotentSend posts once and gives the same ref", run: live(func(s *stage) error {
			m := &adapter.Message{To: s.to(s.room()), Text: s.token("once"), Key: s.token("key")}
			parts, err := s.render(m)
			if err != nil {
				return err
			}
			var refs []adapter.Ref
			for range 3 {
				c := *parts[0]
				ref, err := s.send(&c)
				if err != nil {
					return err
				}
				refs = append(refs, ref)
			}
			if refs[0] != refs[1] || refs[0] != refs[2] {
				return fmt.Errorf("the refs are %+v", refs)
			}
			_, err = s.once(m.Text)
			return err
		})},
		{Name: "send/at-most-once", Rule: "a message with AtMostOnce is posted, once", run: live(func(s *stage) error {
			text := s.token("once")
			if _, err := s.post(&adapter.Message{To: s.to(s.room()), Text: text, AtMostOnce: true}); err != nil {
				return err
			}
			_, err := s.once(text)
			return err
		})},
		{Name: "send/cancelled", Rule: "Send with a context that has ended returns soon, and what its error says of the message is true", run: live(func(s *stage) error {
			m := &adapter.Message{To: s.to(s.room()), Text: s.token("too late"), Key: s.token("key")}
			parts, err := s.render(m)
			if err != nil {
				return err
			}
			late := s.within(func(ctx context.Context) {
				ctx, cancel := context.WithCancel(ctx)
				cancel()
				_, err = s.a.Send(ctx, parts[0])
			})
			if late != nil {
				return fmt.Errorf("Send: %w", late)
			}
			return truth(s, m.Text, err)
		})},
		{Name: "send/keeps", Rule: "Send and Render change nothing in the message they are given", run: live(func(s *stage) error {
			m := &adapter.Message{To: s.to(s.room()), Text: "*keep* " + s.token("me"), Key: s.token("key"), Fields: []adapter.Field{{Name: "a", Value: "b"}}}
			want := encode(m)
			if r, ok := adapter.As[adapter.Renderer](s.a); ok {
				if _, err := r.Render(m); err != nil {
					return fmt.Errorf("Render: %w", err)
				}
				if got := encode(m); got != want {
					return fmt.Errorf("Render changed %s to %s", want, got)
				}
			}
			parts, err := s.render(m)
			if err != nil {
				return err
			}
			want = encode(parts[0])
			if _, err := s.send(parts[0]); err != nil {
				return err
			}
			if got := encode(parts[0]); got != want {
				return fmt.Errorf("Send changed %s to %s", want, got)
			}
			return nil
		})},
	}
}

// judged sends m once and wants the truth about it.
func judged(s *stage, m *adapter.Message) error {
	parts, err := s.render(m)
	if err != nil {
		return err
	}
	_, err = s.send(parts[0])
	return truth(s, m.Text, err)
}

// truth wants err of a Send to say what became of text, which nobody sent before.
func truth(s *stage, text string, err error) error {
	if err == nil {
		_, err := s.once(text)
		return err
	}
	s.quiet()
	n := len(s.posts(text))
	if adapter.OutcomeOf(err) == adapter.Unknown {
		if n > 1 {
			return fmt.Errorf("it is shown %d times after Send = %w", n, err)
		}
		return nil
	}
	if n != 0 {
		return fmt.Errorf("the error says that it was certainly not posted, and it is shown %d times: %w", n, err)
	}
	return nil
}

func concurrent(s *stage) error {
	const senders = 50
	var wg sync.WaitGroup
	errs, refs, texts := make([]error, senders), make([]adapter.Ref, senders), make([]string, senders)
	name, features := s.a.Name(), s.a.Features()
	gate := make(chan struct{})
	for i := range senders {
		texts[i] = s.token("shout")
		wg.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					errs[i] = fmt.Errorf("panic: %v", v)
				}
			}()
			<-gate
			if s.a.Name() != name || s.a.Features() != features {
				errs[i] = errors.New("Name or Features changed")
				return
			}
			got, err := s.post(&adapter.Message{To: s.to(s.h.Rooms[i%len(s.h.Rooms)]), Text: texts[i]})
			if errs[i] = err; err == nil {
				refs[i] = got[0]
			}
		})
	}
	close(gate)
	heard, err := s.say(s.token("meanwhile"))
	wg.Wait()
	if err := first(append(errs, err)...); err != nil {
		return err
	}
	seen := map[adapter.Ref]int{heard.Ref(): -1}
	for i, ref := range refs {
		if was, ok := seen[ref]; ok {
			return fmt.Errorf("the messages %d and %d have the same ref %+v", was, i, ref)
		}
		seen[ref] = i
	}
	if err := s.until("all are shown", func() bool { return len(s.posts("shout "+s.label)) >= senders }); err != nil {
		return fmt.Errorf("%d of %d are shown: %w", len(s.posts("shout "+s.label)), senders, err)
	}
	s.quiet()
	count := map[string]int{}
	for _, p := range s.posts("shout " + s.label) {
		count[p.Text]++
	}
	for _, text := range texts {
		if count[text] != 1 {
			return fmt.Errorf("%q is shown %d times", text, count[text])
		}
	}
	return nil
}
