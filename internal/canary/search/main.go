// Command search searches the outputs of the tests for secrets:
//
//	go run ./internal/canary/search [-least "500MB logs=100MB posts=1"] DIR
//
// It prints one line, and every hit with the secret masked. It ends with 1 where there is a hit, where less was searched than
// -least says, or where a kind that -least names is empty. Without names all kinds must be there.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/starlingbot/starling/internal/canary"
)

func main() {
	least := flag.String("least", "500MB", "what must have been searched: of all kinds, and of some as logs=10MB; where none is named, all must be there")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "search: give the folder that STARLING_OUTPUTS named")
		os.Exit(2)
	}
	m, err := minimum(*least)
	if err != nil {
		fmt.Fprintln(os.Stderr, "search:", err)
		os.Exit(2)
	}
	r, err := canary.Search(flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(r)
	if err := r.Check(m); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// minimum reads "500MB logs=10MB posts=1".
func minimum(text string) (canary.Minimum, error) {
	m := canary.Minimum{Kinds: map[canary.Kind]int64{}}
	for _, word := range strings.Fields(text) {
		kind, size, named := strings.Cut(word, "=")
		if !named {
			kind, size = "", word
		}
		n, err := bytes(size)
		switch {
		case err != nil:
			return m, fmt.Errorf("-least: %q is no size: write it as 10MB, 10kB or 10", word)
		case kind == "":
			m.Total = n
		case !slices.Contains(canary.Kinds(), canary.Kind(kind)):
			return m, fmt.Errorf("-least: there is no kind %q: kinds are %v", kind, canary.Kinds())
		default:
			m.Kinds[canary.Kind(kind)] = n
		}
	}
	if len(m.Kinds) == 0 {
		for _, k := range canary.Kinds() {
			m.Kinds[k] = 1
		}
	}
	return m, nil
}

func bytes(size string) (int64, error) {
	unit := int64(1)
	for end, n := range map[string]int64{"kB": 1e3, "MB": 1e6} {
		if rest, ok := strings.CutSuffix(size, end); ok {
			size, unit = rest, n
			break
		}
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if err == nil && (n < 0 || n > 1<<40) {
		err = strconv.ErrRange
	}
	return n * unit, err
}
