package starling_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/testutil"
)

// A bot that stops because its context ended, as with Ctrl-C at the prompt of the terminal, is ended at once by one signal.
func TestSignalWhileTheBotStops(t *testing.T) {
	log := &lockedBuffer{}
	chat := testutil.NewChat(testutil.ChatConfig{})
	begun, end := make(chan struct{}), make(chan struct{})
	defer close(end)
	rt := handler.NewRouter()
	rt.Command("hang", "Hang.", func(context.Context, *handler.Request) error { close(begun); <-end; return nil })
	bot, err := starling.New(starling.Config{Router: rt, Adapters: []adapter.Adapter{chat}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	over := make(chan error, 1)
	go func() { over <- bot.RunUntilSignal(ctx) }()
	chat.As(t, "alice").Direct("hang")
	<-begun
	cancel()
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "the bot stops; a signal ends it at once") }, 10*time.Second, time.Millisecond)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
	select {
	case err := <-over:
		require.ErrorIs(t, err, starling.ErrForced)
	case <-time.After(5 * time.Second):
		t.Fatal("the signal did not end it")
	}
	require.Contains(t, log.String(), "unfinished when the bot stopped")
}
