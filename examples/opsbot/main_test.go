package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/testutil"
)

// TestTranscripts plays the conversations in testdata; STARLING_UPDATE=1 rewrites what the bot says.
func TestTranscripts(t *testing.T) {
	for _, name := range []string{"commands", "demo"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				testutil.Transcript(t, starling.Config{Router: routes(time.Second), Brain: brain.New(memory.New())}, "testdata/"+name+".txt")
			})
		})
	}
}
