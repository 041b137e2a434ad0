//lint:file-ignore ST1005 errors begin with the names of what they judge

package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starlingbot/starling/adapter"
)

func faultCases() []Case {
	return []Case{
		{Name: "fault/rate-limit", needs: []need{fault(FaultRateLimit)}, Rule: "a rate limit is waited for, or is a *RateLimitError, and the message is not posted", run: faulty(FaultRateLimit, func(err error) error {
			var limit *adapter.RateLimitError
			if err == nil || errors.As(err, &limit) && limit.RetryAfter >= 0 {
				return nil
			}
			return fmt.Errorf("Send = %w, want a *RateLimitError", err)
		})},
		{Name: "fault/forbidden", needs: []need{fault(FaultForbidden)}, Rule: "a missing permission is ErrForbidden", run: faulty(FaultForbidden, func(err error) error {
			return wants("Send", err, adapter.ErrForbidden)
		})},
		{Name: "fault/down", needs: []need{fault(FaultDown)}, Rule: "a platform that cannot be reached is ErrUnavailable, or is waited for", run: faulty(FaultDown, func(err error) error {
			if err == nil {
				return nil
			}
			return wants("Send", err, adapter.ErrUnavailable)
		})},
		{Name: "fault/lost", needs: []need{fault(FaultLost)}, Rule: "when the answer to a Send is lost the message is not posted twice, and the error does not say that it was not posted", run: faulty(FaultLost, func(error) error { return nil })},
		{Name: "fault/hang", needs: []need{fault(FaultHang)}, Rule: "Send returns soon after its context ended, whatever the platform does", run: live(func(s *stage) error {
			m := &adapter.Message{To: s.to(s.room()), Text: s.token("hang"), Key: s.token("key")}
			parts, err := s.render(m)
			if err == nil {
				err = theirs("Faults", s.h.Faults[FaultHang]())
			}
			if err != nil {
				return err
			}
			late := s.within(func(ctx context.Context) {
				ctx, cancel := context.WithTimeout(ctx, s.wait/50)
				defer cancel()
				_, err = s.a.Send(ctx, parts[0])
			})
			switch {
			case late != nil:
				return fmt.Errorf("Send: %w", late)
			case err == nil:
				return errors.New("Send = nil while the platform has not answered")
			}
			return truth(s, m.Text, err)
		})},
		{Name: "fault/auth", needs: []need{fault(FaultAuth)}, Rule: "with a revoked token Run returns ErrAuth and does not try for ever, and Send is ErrAuth", run: still(func(s *stage) error {
			if err := s.h.Faults[FaultAuth](); err != nil {
				return theirs("Faults", err)
			}
			s.begin(context.Background())
			r := s.run
			if err := s.returns(r, "its token was revoked"); err != nil {
				return err
			}
			s.run = nil
			if err := wants("Run", r.err, adapter.ErrAuth); err != nil {
				return err
			}
			_, err := s.post(&adapter.Message{To: s.to(s.room()), Text: s.token("hello")})
			return wants("Send", err, adapter.ErrAuth)
		})},
	}
}

// faulty sends during a fault, and once more after it. AtMostOnce must hold as well.
func faulty(f Fault, judge func(error) error) func(*stage) error {
	return live(func(s *stage) error {
		for _, most := range []bool{false, true} {
			if err := s.h.Faults[f](); err != nil {
				return theirs("Faults", err)
			}
			m := &adapter.Message{To: s.to(s.room()), Text: s.token("trouble"), Key: s.token("key"), AtMostOnce: most}
			parts, err := s.render(m)
			if err != nil {
				return err
			}
			start := time.Now()
			_, err = s.send(parts[0])
			if err := first(judge(err), truth(s, m.Text, err)); err != nil {
				return fmt.Errorf("with AtMostOnce %v, after %v: %w", most, time.Since(start).Round(time.Millisecond), err)
			}
		}
		_, _, err := s.tell(s.to(s.room()), s.token("after"))
		return err
	})
}
