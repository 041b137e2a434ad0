package discord_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/discord"
)

// TestLive talks to Discord itself: it checks, connects, posts once with one key, edits, reacts to, finds in the history and
// deletes a message; with a second account's token it hears what that one says.
func TestLive(t *testing.T) {
	cfg := discord.Config{Token: os.Getenv("DISCORD_TOKEN"), APIURL: os.Getenv("DISCORD_API_URL")}
	room, speaker := os.Getenv("DISCORD_CHANNEL"), os.Getenv("DISCORD_USER_TOKEN")
	if cfg.Token == "" || room == "" {
		t.Skip("SKIPPED, nothing was tested against Discord itself: it needs DISCORD_TOKEN (the bot's) and DISCORD_CHANNEL, the id of a room that the bot sees; " +
			"DISCORD_USER_TOKEN, the token of a second bot that speaks there (Discord forbids programs to use people's accounts), and DISCORD_API_URL are optional")
	}
	if key := os.Getenv("DISCORD_PUBLIC_KEY"); key != "" {
		cfg.PublicKeys = []string{key}
	}
	a, err := discord.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(t, a.Check(ctx))
	e := new(ear)
	over := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	defer stop()
	go func() { over <- a.Run(running, e.Sink) }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	until := func(what string, ok func() bool) {
		t.Helper()
		for !ok() {
			select {
			case err := <-over:
				t.Fatal(err)
			case <-ctx.Done():
				t.Fatal(what)
			case <-tick.C:
			}
		}
	}
	until("it does not connect", func() bool { return a.Health().Connected })
	m := &adapter.Message{To: adapter.Address{Adapter: "discord", Room: room}, Text: "starling " + adapter.Data("@everyone **TestLive** <@1>"), Key: "live-" + time.Now().Format(time.RFC3339Nano)}
	parts, err := a.Render(m)
	require.NoError(t, err)
	ref, err := a.Send(ctx, parts[0])
	require.NoError(t, err)
	again, err := a.Send(ctx, parts[0])
	require.NoError(t, err)
	require.Equal(t, ref, again, "a nonce makes it one message")
	require.NoError(t, a.React(ctx, ref, "👍"))
	require.NoError(t, a.React(ctx, ref, "👍"))
	parts[0].Text = "edited"
	require.NoError(t, a.Edit(ctx, ref, parts[0]))
	found := 0
	for ev, err := range a.History(ctx, room, "") {
		require.NoError(t, err)
		if ev.MessageID == ref.ID && ev.Text == "edited" && ev.Self {
			found++
		}
	}
	require.Equal(t, 1, found)
	r, err := a.Room(ctx, room)
	require.NoError(t, err)
	t.Logf("in %s, skew %v", r, a.Status().Skew)
	if speaker != "" {
		s, err := discordgo.New("Bot " + speaker)
		require.NoError(t, err)
		text := "live " + time.Now().Format(time.RFC3339Nano)
		_, err = s.ChannelMessageSendComplex(room, &discordgo.MessageSend{Content: text, AllowedMentions: &discordgo.MessageAllowedMentions{Parse: []discordgo.AllowedMentionType{}}}, discordgo.WithContext(ctx))
		require.NoError(t, err)
		until("what the other one said does not come", func() bool {
			for _, ev := range e.Heard() {
				if ev.Text == text {
					return true
				}
			}
			return false
		})
	}
	require.NoError(t, a.Delete(ctx, ref))
	require.ErrorIs(t, a.Delete(ctx, ref), adapter.ErrNotFound)
	stop()
	require.NoError(t, <-over)
	require.NoError(t, a.Close())
}
