package args

import (
	"os"
	"path"
	"strings"
)

// Path is a relative path of slashes, cleaned, that leads nowhere out of the folder it is opened in. The zero Path is none.
// Paths are comparable.
//
// It has no "..", no leading "/" or "~", no backslash, no colon, no control or invisible character, no part that begins
// with "-", and is at most 1,024 bytes long.
type Path struct{ p string }

const maxPath = 1024

// ParsePath makes a Path. The error is a reason for people.
func ParsePath(s string) (p Path, reason string) {
	if _, r, _, found := findOdd(s, true); found {
		return Path{}, "the path has " + CodePoint(r) + " in it"
	}
	switch {
	case s == "":
		return Path{}, "the path is empty"
	case len(s) > maxPath:
		return Path{}, "the path is longer than 1,024 bytes"
	case strings.ContainsRune(s, '\\'):
		return Path{}, "a path has / between its parts and no \\"
	case strings.ContainsRune(s, ':'):
		return Path{}, "a path has no : in it"
	case s[0] == '/':
		return Path{}, "the path must be relative: without / at its beginning"
	case s[0] == '~':
		return Path{}, "the path must be relative: without ~ at its beginning"
	}
	for part := range strings.SplitSeq(s, "/") {
		switch {
		case part == "..":
			return Path{}, "a path has no .. in it"
		case strings.HasPrefix(part, "-"):
			return Path{}, "no part of a path begins with -"
		case strings.Trim(part, ". ") == "" && len(part) > 1, strings.HasSuffix(part, " "):
			return Path{}, "no part of a path consists of dots, or ends with a space"
		}
	}
	return Path{path.Clean(s)}, ""
}

// String gives the path, with slashes.
func (p Path) String() string { return p.p }

// IsZero tells whether there is none.
func (p Path) IsZero() bool { return p.p == "" }

// MarshalText gives the path.
func (p Path) MarshalText() ([]byte, error) { return []byte(p.p), nil }

// Open opens the file in root, which no symbolic link leads out of. Errors are those of [os.Root.Open]; os.ErrNotExist for
// the zero Path.
func (p Path) Open(root *os.Root) (*os.File, error) {
	if p.p == "" {
		return nil, &os.PathError{Op: "open", Path: "", Err: os.ErrNotExist}
	}
	return root.Open(p.p)
}
