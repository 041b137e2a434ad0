//lint:file-ignore ST1005 errors begin with the names of what they judge

package adaptertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/starlingbot/starling/adapter"
)

func contentCases() []Case {
	return []Case{
		{Name: "text/empty", Rule: "a message with nothing to show is refused, or rendered to no message, and nothing is posted", run: live(func(s *stage) error {
			before := len(s.h.Posts())
			m := &adapter.Message{To: s.to(s.room())}
			parts, err := s.render(m)
			for _, p := range parts {
				if _, err = s.send(p); err == nil {
					return errors.New("Send of an empty message = nil")
				}
			}
			if err != nil && adapter.OutcomeOf(err) != adapter.Refused {
				return fmt.Errorf("the error of an empty message does not say that it was refused: %w", err)
			}
			s.quiet()
			if n := len(s.h.Posts()); n != before {
				return fmt.Errorf("%d messages are shown, there were %d", n, before)
			}
			return nil
		})},
		{Name: "text/unicode", Rule: "letters of all scripts, emoji and newlines are shown as they were sent", run: live(func(s *stage) error {
			for _, sent := range []string{"naïve façade e\u0301 日本語 ру́сский العربية", "🐦 👩 🇪🇺 𝒳 👍🏽", "first\nsecond\n\nfourth"} {
				text := s.token("say") + " " + sent
				if _, err := s.post(&adapter.Message{To: s.to(s.room()), Text: text}); err != nil {
					return err
				}
				p, err := s.shown(text[:strings.Index(text, "x ")+1])
				if err != nil {
					return err
				}
				if p.Text != text {
					return fmt.Errorf("%q was sent and %q is shown", text, p.Text)
				}
			}
			return nil
		})},
		{Name: "text/data", Rule: "text that people wrote is shown as itself, whatever it looks like: no markup, mention, link or escape in it acts", run: live(func(s *stage) error {
			for _, data := range []string{
				"*b* _i_ ~s~ **bb** __u__ `c` ```f```", "<@U1> <!here> <#C1> <http://x|y> &lt; &amp;lt;", "@here @everyone @channel", "[a](http://b.example) ![i](j)",
				"# head", "> quote", "1. one", "- item", "||spoiler||", `back\*slash\\`, "a | b", "<b>x</b>", ":tada:", "%s %d",
			} {
				head := s.token("say")
				text := head + " " + data + "\n" + data
				if _, err := s.post(&adapter.Message{To: s.to(s.room()), Text: head + " " + adapter.Data(data) + "\n" + adapter.Data(data)}); err != nil {
					return err
				}
				p, err := s.shown(head)
				if err != nil {
					return err
				}
				if p.Text != text {
					return fmt.Errorf("the data %q is shown as %q", text, p.Text)
				}
			}
			return nil
		})},
		{Name: "text/limit", needs: []need{claims("MaxText")}, Rule: "a text of exactly Features.MaxText is one message and is shown whole", run: live(func(s *stage) error {
			f := s.a.Features()
			text := s.token("full") + " "
			text += strings.Repeat("é", (f.MaxText-f.Unit.Len(text))/f.Unit.Len("é"))
			text += strings.Repeat("z", f.MaxText-f.Unit.Len(text))
			refs, err := s.post(&adapter.Message{To: s.to(s.room()), Text: text})
			if err != nil {
				return err
			}
			if len(refs) != 1 {
				return fmt.Errorf("it took %d messages", len(refs))
			}
			p, err := s.shown(text[:strings.Index(text, "x ")])
			if err == nil && p.Text != text {
				err = fmt.Errorf("%d of %d %s are shown", f.Unit.Len(p.Text), f.MaxText, unit(f.Unit))
			}
			return err
		})},
		{Name: "text/long", Rule: "a text over Features.MaxText is rendered into parts that fit and hold all of it, or is ErrTooLong; without a limit it is shown whole", run: live(long)},
		{Name: "text/no-cut", needs: []need{claims("MaxText")}, Rule: "Send of what is too long is ErrTooLong or shows all of it: it never cuts", run: live(func(s *stage) error {
			f := s.a.Features()
			text := s.token("over") + " " + strings.Repeat("z", f.MaxText)
			_, err := s.send(&adapter.Message{To: s.to(s.room()), Text: text, Key: s.token("key")})
			if err != nil {
				return first(wants("Send", err, adapter.ErrTooLong), s.never(text[:strings.Index(text, "x ")]))
			}
			return whole(s, text[:strings.Index(text, "x ")], text)
		})},
		{Name: "render/pure", needs: []need{verb[adapter.Renderer]}, Rule: "Render is pure: the same message gives the same parts, which survive JSON and go to the same place", run: live(func(s *stage) error {
			r, _ := adapter.As[adapter.Renderer](s.a)
			m := &adapter.Message{
				To: s.to(s.room()), Key: "k", AtMostOnce: true, Buttons: []adapter.Button{{Label: "Yes", Command: "y"}},
				Text: "*hello* " + adapter.Format("%s", "<data> *x*") + strings.Repeat(" word", 1+s.a.Features().MaxText/3),
			}
			one, err := r.Render(m)
			if err != nil {
				return fmt.Errorf("Render: %w", err)
			}
			two, err := r.Render(m)
			if err != nil {
				return fmt.Errorf("Render: %w", err)
			}
			if a, b := encode(one), encode(two); a != b {
				return fmt.Errorf("Render gave %s and then %s", brief(a), brief(b))
			}
			for i, p := range one {
				if p.To != m.To || p.AtMostOnce != m.AtMostOnce {
					return fmt.Errorf("part %d goes to %+v with AtMostOnce %v, the message to %+v with %v", i, p.To, p.AtMostOnce, m.To, m.AtMostOnce)
				}
			}
			var back []*adapter.Message
			if err := json.Unmarshal([]byte(encode(one)), &back); err != nil || encode(back) != encode(one) {
				return fmt.Errorf("the parts do not survive JSON: %v", err)
			}
			return nil
		})},
	}
}

func long(s *stage) error {
	f := s.a.Features()
	size := 20_000
	if f.MaxText > 0 {
		size = f.MaxText*5/2 + 50
	}
	mark := s.token("long")
	var b strings.Builder
	b.WriteString(mark)
	for i, n := 0, f.Unit.Len(mark); n < size; i++ {
		word := fmt.Sprintf(" é🐦%s%d", s.label, i)
		if i%17 == 16 {
			word = "\n" + word[1:]
		}
		b.WriteString(word)
		n += f.Unit.Len(word)
	}
	m := &adapter.Message{To: s.to(s.room()), Text: b.String()}
	parts, err := s.render(m)
	if err != nil {
		return wants("Render", err, adapter.ErrTooLong)
	}
	if _, ok := adapter.As[adapter.Renderer](s.a); ok && f.MaxText > 0 {
		for i, p := range parts {
			if n := f.Unit.Len(p.Text); n > f.MaxText {
				return fmt.Errorf("part %d of %d has %d %s, over Features.MaxText %d", i+1, len(parts), n, unit(f.Unit), f.MaxText)
			}
		}
	}
	if _, err := s.post(m); err != nil {
		if f.MaxText == 0 {
			return fmt.Errorf("Features name no limit: %w", err)
		}
		return first(wants("Send", err, adapter.ErrTooLong), s.never(s.label))
	}
	return whole(s, s.label, m.Text)
}

// whole wants the posts that contain mark to hold text together, but for white space at the cuts.
func whole(s *stage, mark, text string) error {
	var shown string
	want := squeeze(text)
	err := s.until("the text is shown", func() bool {
		var b strings.Builder
		for _, p := range s.posts(mark) {
			b.WriteString(p.Text)
		}
		shown = b.String()
		return squeeze(shown) == want
	})
	if err != nil {
		return fmt.Errorf("%w: %d bytes are shown in %d posts of the %d bytes sent", err, len(shown), len(s.posts(mark)), len(text))
	}
	return nil
}

// squeeze drops white space.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

func unit(u adapter.TextUnit) string {
	if u == adapter.UnitRunes {
		return "runes"
	}
	return string(u)
}

// encode gives v as a store keeps it.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
