package slack_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
)

// TestLive talks to a real workspace: it connects, posts, finds, edits, reacts to and deletes a message.
func TestLive(t *testing.T) {
	cfg := slack.Config{BotToken: os.Getenv("SLACK_BOT_TOKEN"), AppToken: os.Getenv("SLACK_APP_TOKEN"), APIURL: os.Getenv("SLACK_API_URL")}
	room := os.Getenv("SLACK_TEST_ROOM")
	if cfg.BotToken == "" || cfg.AppToken == "" || room == "" {
		t.Skip("SKIPPED, nothing was tested against Slack itself: it needs SLACK_BOT_TOKEN (xoxb-), SLACK_APP_TOKEN (xapp-, connections:write) and " +
			"SLACK_TEST_ROOM, the id of a room that the bot was invited to; SLACK_API_URL is optional")
	}
	if s := os.Getenv("SLACK_SIGNING_SECRET"); s != "" {
		cfg.SigningSecrets = strings.Split(s, ",")
	}
	a, err := slack.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e := new(ear)
	over := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	defer stop()
	go func() { over <- a.Run(running, e.Sink) }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !a.Status().Connected {
		select {
		case err := <-over:
			t.Fatal(err)
		case <-tick.C:
		}
	}
	m := &adapter.Message{To: adapter.Address{Adapter: "slack", Room: room}, Text: "starling " + adapter.Data("<!here> *TestLive*"), Key: "live-" + time.Now().Format(time.RFC3339Nano)}
	parts, err := a.Render(m)
	require.NoError(t, err)
	ref, err := a.Send(ctx, parts[0])
	require.NoError(t, err)
	found, ok, err := a.Find(ctx, parts[0])
	require.NoError(t, err)
	require.True(t, ok, "Find needs the metadata of our own message in the history")
	require.Equal(t, ref, found)
	require.NoError(t, a.React(ctx, ref, "👍"))
	require.NoError(t, a.React(ctx, ref, "👍"))
	parts[0].Text, parts[0].Native = "edited", nil
	require.NoError(t, a.Edit(ctx, ref, parts[0]))
	r, err := a.Room(ctx, room)
	require.NoError(t, err)
	t.Logf("in %s, skew %v", r, a.Status().Skew)
	require.NoError(t, a.Delete(ctx, ref))
	require.ErrorIs(t, a.Delete(ctx, ref), adapter.ErrNotFound)
	stop()
	require.NoError(t, <-over)
	require.NoError(t, a.Close())
}
