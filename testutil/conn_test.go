package testutil_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/testutil"
)

func TestVerbs(t *testing.T) {
	ctx := t.Context()
	chat := testutil.NewChat(testutil.ChatConfig{Name: "test", Features: adapter.Features{MaxText: 10, MaxFile: 4}})
	ops := chat.AddRoom(adapter.Room{Name: "ops"})
	to := adapter.Address{Adapter: "test", Room: ops.ID}
	said := chat.As(t, "alice").Say("#ops", "hello")
	alices := adapter.Ref{Address: to, ID: said.MessageID}
	ref, err := chat.Send(ctx, &adapter.Message{To: to, Text: "hi", Buttons: []adapter.Button{{Label: "Yes"}}})
	require.NoError(t, err)
	require.Equal(t, to, ref.Address)
	require.Empty(t, chat.Posts()[0].Message.Buttons, "the chat has none")

	send := func(m adapter.Message) error { _, err := chat.Send(ctx, &m); return err }
	require.ErrorIs(t, send(adapter.Message{To: to}), adapter.ErrInvalid)
	require.ErrorIs(t, send(adapter.Message{To: to, Text: strings.Repeat("x", 11)}), adapter.ErrTooLong)
	require.ErrorIs(t, send(adapter.Message{To: adapter.Address{Adapter: "test", Room: "ops"}, Text: "a name is no id"}), adapter.ErrNotFound)
	require.ErrorIs(t, send(adapter.Message{To: adapter.Address{Room: ops.ID, Thread: ref.ID}, Text: "x"}), adapter.ErrUnsupported)
	require.ErrorIs(t, send(adapter.Message{To: to, Text: "x", Only: "u-alice"}), adapter.ErrUnsupported)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = chat.Send(ended, &adapter.Message{To: to, Text: "x"})
	require.Equal(t, adapter.NotYet, adapter.OutcomeOf(err))

	require.NoError(t, chat.Edit(ctx, ref, &adapter.Message{Text: "ho"}))
	require.ErrorIs(t, chat.Edit(ctx, alices, &adapter.Message{Text: "x"}), adapter.ErrForbidden)
	require.ErrorIs(t, chat.Edit(ctx, ref, &adapter.Message{Text: strings.Repeat("x", 11)}), adapter.ErrTooLong)
	require.NoError(t, chat.React(ctx, alices, ":tada:"))
	require.NoError(t, chat.React(ctx, alices, "tada"))
	require.NoError(t, chat.Delete(ctx, ref))
	require.ErrorIs(t, chat.Delete(ctx, ref), adapter.ErrNotFound)
	require.ErrorIs(t, chat.React(ctx, ref, "x"), adapter.ErrNotFound)
	require.NoError(t, chat.SetTopic(ctx, ops.ID, "lunch"))
	require.NoError(t, chat.Typing(ctx, to))
	require.Equal(t, []adapter.Address{to}, chat.Typings())
	require.Equal(t, strings.Join([]string{
		"alice #ops> hello", "#ops starling> hi", "#ops starling (edited 2)> ho", "#ops starling reacted tada to 1",
		"#ops starling deleted 2", "#ops topic: lunch", "",
	}, "\n"), chat.Transcript())

	file := func(s string) adapter.File {
		return adapter.File{Name: "f", Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }}
	}
	_, err = chat.Upload(ctx, to, file("1234"))
	require.NoError(t, err)
	require.Equal(t, "1234", string(chat.Posts("#ops")[1].Files[0].Data))
	_, err = chat.Upload(ctx, to, file("12345"))
	require.ErrorIs(t, err, adapter.ErrTooLong)
	_, err = chat.Open(ctx, adapter.File{ID: "none"})
	require.ErrorIs(t, err, adapter.ErrNotFound)

	chat.AddUser(adapter.User{ID: "u-2", Name: "Bob"})
	chat.AddUser(adapter.User{ID: "u-3", Name: "BOB"})
	for query, want := range map[string]error{"@alice": nil, "ALICE": nil, "u-alice": nil, "@Bob": nil, "@bob": adapter.ErrAmbiguous, "carol": adapter.ErrNotFound} {
		_, err := chat.User(ctx, query)
		require.ErrorIs(t, err, want, query)
	}
	r, err := chat.Room(ctx, "#OPS")
	require.NoError(t, err)
	require.Equal(t, ops, r)
	direct, err := chat.OpenDirect(ctx, "u-alice")
	require.NoError(t, err)
	require.Equal(t, adapter.RoomDirect, direct.Kind)
	_, err = chat.OpenDirect(ctx, "alice")
	require.ErrorIs(t, err, adapter.ErrNotFound)

	require.NoError(t, chat.Close())
	require.NoError(t, chat.Close())
	require.ErrorIs(t, send(adapter.Message{To: to, Text: "x"}), adapter.ErrClosed)
	_, err = chat.Connect().Send(ctx, &adapter.Message{To: to, Text: "x"})
	require.NoError(t, err, "the chat goes on")
}

func TestIDsNeverRepeat(t *testing.T) {
	ids := map[string]bool{}
	for range 3 {
		chat := testutil.NewChat(testutil.ChatConfig{})
		for range 3 {
			said := chat.As(t, "alice").Say("#ops", "hi")
			ids[said.MessageID], ids[said.Event.ID] = true, true
		}
	}
	require.Len(t, ids, 18)
}
