package handler_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// T13: a message whose format is text from people is an error of go vet, in every method that takes a format.
func TestVetSeesPrintf(t *testing.T) {
	source, err := os.ReadFile("testdata/vet/vet.go")
	require.NoError(t, err)
	want := map[string]string{} // by file:line
	lines := bufio.NewScanner(bytes.NewReader(source))
	for n := 1; lines.Scan(); n++ {
		if _, report, ok := strings.Cut(lines.Text(), "// want "); ok {
			want[fmt.Sprintf("testdata/vet/vet.go:%d", n)] = report
		}
	}
	require.Greater(t, len(want), 10)

	out, err := exec.Command("go", "vet", "./testdata/vet").CombinedOutput()
	require.IsType(t, &exec.ExitError{}, err, "go vet found nothing, or did not run: %s", out)
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.SplitN(strings.TrimPrefix(strings.TrimPrefix(line, "vet: "), "./"), ":", 4)
		require.Len(t, parts, 4, line)
		at := parts[0] + ":" + parts[1]
		require.Contains(t, want, at, "a report where none was wanted: %s", line)
		require.Contains(t, parts[3], want[at])
		delete(want, at)
	}
	require.Empty(t, want, "go vet did not report these:\n%s", out)
}
