package bolt_test

import (
	"path/filepath"
	"testing"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/testutil/braintest"
)

func open(dir string) (brain.Store, error) {
	return bolt.Open(bolt.Config{Path: filepath.Join(dir, "brain.db")})
}

func TestConformance(t *testing.T) {
	braintest.Run(t, braintest.Harness{Open: open, Features: braintest.Features{Durable: true}})
}

func BenchmarkStore(b *testing.B) { braintest.Bench(b, open) }
