package adaptertest

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"strings"
)

// labelKey is the label of the goroutines that an adapter starts. A goroutine inherits the labels of the one that starts
// it, so suites that run side by side do not take each other's for theirs.
const labelKey = "adaptertest"

// goroutines gives the stacks of the goroutines with the label of s.
func (s *stage) goroutines() ([]string, error) {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return nil, err
	}
	var found []string
	want := fmt.Sprintf("%q:%q", labelKey, s.label)
	for stack := range strings.SplitSeq(b.String(), "\n\n") {
		if _, labels, ok := strings.Cut(stack, "\n# labels: "); ok && strings.Contains(labels, want) {
			found = append(found, stack)
		}
	}
	return found, nil
}

// leaks wants no goroutine of the adapter to be left after a while.
func (s *stage) leaks() error {
	var left []string
	var err error
	late := s.until("the adapter's goroutines have ended", func() bool {
		left, err = s.goroutines()
		return err != nil || len(left) == 0
	})
	if err != nil {
		return err
	}
	if late != nil {
		return fmt.Errorf("%w; left:\n%s", late, strings.Join(left, "\n\n"))
	}
	return nil
}
