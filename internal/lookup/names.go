package lookup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlingbot/starling/adapter"
)

// Names finds ids by name, in lower case. It is for one goroutine while it is filled, and for several afterwards.
type Names map[string][]string

// Add notes that a name is that of an id; an empty name is none.
func (n Names) Add(name, id string) {
	name = strings.ToLower(name)
	if name != "" && !slices.Contains(n[name], id) {
		n[name] = append(n[name], id)
	}
}

// Pick gives the one id of a name. Errors: [adapter.ErrNotFound]; [adapter.ErrAmbiguous] with five of the ids at most.
func (n Names) Pick(name string) (string, error) {
	switch ids := n[strings.ToLower(name)]; len(ids) {
	case 0:
		return "", adapter.ErrNotFound
	case 1:
		return ids[0], nil
	default:
		return "", fmt.Errorf("%w: %s", adapter.ErrAmbiguous, strings.Join(ids[:min(len(ids), 5)], ", "))
	}
}
