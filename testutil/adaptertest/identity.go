//lint:file-ignore ST1005 errors begin with the names of what they judge

package adaptertest

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/starlingbot/starling/adapter"
)

func identityCases() []Case {
	return []Case{
		{Name: "name/valid", Rule: "Name is 1 to 64 of a-z, 0-9, \"-\" and \"_\"", run: still(func(s *stage) error {
			if name := s.a.Name(); !regexp.MustCompile(`^[a-z0-9_-]{1,64}$`).MatchString(name) {
				return fmt.Errorf("Name = %q", name)
			}
			return nil
		})},
		{Name: "name/constant", Rule: "Name is the same before, during and after Run, and after a restart", run: constant("Name", func(a adapter.Adapter) any { return a.Name() })},
		{Name: "features/constant", Rule: "Features are the same before, during and after Run, and after a restart", run: constant("Features", func(a adapter.Adapter) any { return a.Features() })},
		{Name: "features/sense", Rule: "no limit in Features is negative, and Unit is a unit", run: still(func(s *stage) error {
			f := s.a.Features()
			switch {
			case f.MaxText < 0 || f.MaxFile < 0 || f.IdempotentSend < 0:
				return fmt.Errorf("a limit is negative: %+v", f)
			case f.Unit != adapter.UnitRunes && f.Unit != adapter.UnitBytes && f.Unit != adapter.UnitUTF16:
				return fmt.Errorf("Unit = %q", f.Unit)
			}
			return nil
		})},
		{Name: "as/unwrap", Rule: "As finds a verb of the adapter through one that wraps it, and comes to an end for one that it lacks", run: still(unwraps)},
	}
}

// constant wants a value never to change.
func constant(what string, get func(adapter.Adapter) any) func(*stage) error {
	return func(s *stage) error {
		if err := s.open(); err != nil {
			return err
		}
		want := get(s.a)
		same := func(when string) error {
			if got := get(s.a); got != want {
				return fmt.Errorf("%s = %+v %s, and was %+v", what, got, when, want)
			}
			return nil
		}
		return steps(
			func() error { return same("when asked again") },
			s.start,
			func() error { _, err := s.say(s.token("hello")); return err },
			func() error { return same("during Run") },
			s.stop,
			func() error { return same("after Run") },
			s.restart,
			func() error { return same("after a restart") },
		)
	}
}

// wrapper is an adapter around another, as a bot's author writes it.
type wrapper struct {
	adapter.Adapter
	inner adapter.Adapter
}

func (w wrapper) Unwrap() adapter.Adapter { return w.inner }

func unwraps(s *stage) error {
	for a, depth := s.a, 0; ; depth++ { // As itself would not come back
		u, ok := a.(adapter.Unwrapper)
		if !ok {
			break
		}
		if a = u.Unwrap(); a == nil {
			break
		}
		if depth == 100 {
			return errors.New("the chain of Unwrap does not end")
		}
	}
	w := wrapper{s.a, s.a}
	for _, err := range []error{
		unwrapped[adapter.Editor](s.a, w), unwrapped[adapter.Deleter](s.a, w), unwrapped[adapter.Reactor](s.a, w),
		unwrapped[adapter.Typer](s.a, w), unwrapped[adapter.Uploader](s.a, w), unwrapped[adapter.Opener](s.a, w),
		unwrapped[adapter.Directory](s.a, w), unwrapped[adapter.DirectOpener](s.a, w), unwrapped[adapter.TopicSetter](s.a, w),
		unwrapped[adapter.CommandRegistrar](s.a, w), unwrapped[adapter.Historian](s.a, w), unwrapped[adapter.Finder](s.a, w),
		unwrapped[adapter.HTTPHandler](s.a, w), unwrapped[adapter.Closer](s.a, w), unwrapped[adapter.Renderer](s.a, w),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func unwrapped[T any](a, w adapter.Adapter) error {
	_, bare := adapter.As[T](a)
	if _, wrapped := adapter.As[T](w); bare != wrapped {
		return fmt.Errorf("As finds %T: %v in the adapter, %v in one that wraps it", *new(T), bare, wrapped)
	}
	return nil
}
