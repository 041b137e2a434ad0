package memory_test

import (
	"testing"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/testutil/braintest"
)

func open(string) (brain.Store, error) { return memory.New(), nil }

func TestConformance(t *testing.T) {
	braintest.Run(t, braintest.Harness{Open: open, Bubble: true})
}

func BenchmarkStore(b *testing.B) { braintest.Bench(b, open) }
