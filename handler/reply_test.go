package handler_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

const evil = "*x* @here \uFDD1U9\uFDD4eve\uFDD5"

// threaded is bob's message in a thread, with what answering natively needs.
func threaded(text string) *adapter.Event {
	ev := message(text)
	ev.Thread, ev.Origin = "T1", "token"
	return ev
}

func TestWhereAnswersGo(t *testing.T) {
	room, thread := adapter.Address{Adapter: "test", Room: "C1"}, adapter.Address{Adapter: "test", Room: "C1", Thread: "T1"}
	started, private := adapter.Address{Adapter: "test", Room: "C1", Thread: "M1"}, adapter.Address{Adapter: "test", Room: "D-U1"}
	origin := func(ev *adapter.Event) *adapter.Event { ev.Origin = "token"; return ev }
	noMessage := origin(message("x"))
	noMessage.MessageID = ""
	reply := func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "hi") }
	inThread := func(ctx context.Context, r *handler.Request) error { return r.Thread(ctx, "hi") }
	alone := func(ctx context.Context, r *handler.Request) error { return r.Direct(ctx, "hi") }
	whisper := func(ctx context.Context, r *handler.Request) error { return r.Whisper(ctx, "hi") }
	post := func(ctx context.Context, r *handler.Request) error { _, err := r.Post(ctx, "hi"); return err }
	send := func(ctx context.Context, r *handler.Request) error {
		_, err := r.Send(ctx, &adapter.Message{Text: "hi"})
		return err
	}
	all := adapter.Features{Threads: true, Ephemeral: true}
	for _, c := range []struct {
		name     string
		ev       *adapter.Event
		features adapter.Features
		f        handler.Func
		want     adapter.Message
		slot     string
	}{
		{"Reply", origin(message("x")), all, reply, adapter.Message{To: room, Origin: "token"}, ""},
		{"Reply in a thread", threaded("x"), all, reply, adapter.Message{To: thread, Origin: "token"}, ""},
		{"Reply in a direct room", direct("x"), all, reply, adapter.Message{To: private}, ""},
		{"Thread starts one", origin(message("x")), all, inThread, adapter.Message{To: started}, ""},
		{"Thread stays in one", threaded("x"), all, inThread, adapter.Message{To: thread, Origin: "token"}, ""},
		{"Thread where there are none", origin(message("x")), adapter.Features{}, inThread, adapter.Message{To: room, Origin: "token"}, ""},
		{"Thread without a message", noMessage, all, inThread, adapter.Message{To: room, Origin: "token"}, ""},
		{"Direct", threaded("x"), all, alone, adapter.Message{To: private}, ""},
		{"Direct in the direct room", origin(direct("x")), all, alone, adapter.Message{To: private, Origin: "token"}, ""},
		{"Whisper in the room", threaded("x"), all, whisper, adapter.Message{To: thread, Only: "U1", Origin: "token"}, ""},
		{"Whisper by direct message", threaded("x"), adapter.Features{}, whisper, adapter.Message{To: private}, ""},
		{"Whisper in the direct room", direct("x"), all, whisper, adapter.Message{To: private}, ""},
		{"Post", threaded("x"), all, post, adapter.Message{To: thread, Origin: "token"}, "post-1"},
		{"Send", threaded("x"), all, send, adapter.Message{To: thread, Origin: "token"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &recorder{features: c.features}
			require.NoError(t, c.f(context.Background(), handler.NewRequest(c.ev, e)))
			c.want.Text = "hi"
			require.Equal(t, []sent{{c.slot, c.want}}, e.sent)
		})
	}
}

// A whisper is seen by the asker or it is an error; the room never gets it.
func TestWhisperNeverGoesToTheRoom(t *testing.T) {
	machine := message("x")
	machine.User = adapter.User{}
	for name, c := range map[string]struct {
		ev *adapter.Event
		e  *recorder
		is error
	}{
		"no direct rooms and not ephemeral": {message("x"), &recorder{noDirect: true}, adapter.ErrUnsupported},
		"nobody asked, ephemeral":           {machine, &recorder{features: adapter.Features{Ephemeral: true}}, adapter.ErrNotFound},
		"nobody asked":                      {machine, &recorder{noDirect: true}, adapter.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, handler.NewRequest(c.ev, c.e).Whisper(context.Background(), "psst"), c.is)
			require.Empty(t, c.e.sent)
		})
	}
	e := &recorder{noDirect: true}
	require.ErrorIs(t, handler.NewRequest(message("x"), e).Direct(context.Background(), "psst"), adapter.ErrUnsupported)
	require.Empty(t, e.sent)
}

// T9: in every verb that speaks, arguments are data.
func TestArgumentsAreData(t *testing.T) {
	ctx := context.Background()
	e := &recorder{features: adapter.Features{Ephemeral: true}}
	r := handler.NewRequest(message("x"), e)
	require.NoError(t, r.Reply(ctx, "**%s** %s", evil, r.Event.User))
	require.NoError(t, r.Thread(ctx, "**%s** %s", evil, r.Event.User))
	require.NoError(t, r.Direct(ctx, "**%s** %s", evil, r.Event.User))
	require.NoError(t, r.Whisper(ctx, "**%s** %s", evil, r.Event.User))
	posted, err := r.Post(ctx, "**%s** %s", evil, r.Event.User)
	require.NoError(t, err)
	want := "**" + adapter.Data(evil) + "** " + adapter.Mention(r.Event.User)
	require.Len(t, e.sent, 5)
	for _, s := range e.sent {
		require.Equal(t, want, s.m.Text)
	}
	require.NoError(t, posted.Edit(ctx, "**%s** %s", evil, r.Event.User))
	require.Equal(t, []string{"edit 5a+5b: " + want}, e.did)

	var shown *handler.UserError
	require.ErrorAs(t, handler.UserErrorf("**%s** %s", evil, r.Event.User), &shown)
	require.Equal(t, want, shown.Text)
}

func TestPosted(t *testing.T) {
	ctx := context.Background()
	e := &recorder{}
	r := handler.NewRequest(threaded("x"), e)
	first, err := r.Post(ctx, "one")
	require.NoError(t, err)
	second, err := r.Post(ctx, "one")
	require.NoError(t, err)
	require.Equal(t, []string{"post-1", "post-2"}, []string{e.sent[0].slot, e.sent[1].slot}, "each has its own slot, so that a rerun finds it")
	require.Len(t, first.Refs, 2)

	require.NoError(t, first.Edit(ctx, "two"))
	require.NoError(t, second.React(ctx, "eyes"))
	require.NoError(t, second.Delete(ctx))
	require.Equal(t, []string{"edit 1a+1b: two", "react test/C1/T1/2b eyes", "delete 2a+2b"}, e.did)
	require.Equal(t, "one", e.sent[0].m.Text, "editing does not change what was sent")

	nowhere := &handler.Posted{}
	require.ErrorIs(t, nowhere.Delete(ctx), adapter.ErrUnsupported)
	require.ErrorIs(t, nowhere.React(ctx, "eyes"), adapter.ErrUnsupported)
	withoutRefs, err := handler.NewRequest(message("x"), silent{e}).Post(ctx, "one")
	require.NoError(t, err)
	require.ErrorIs(t, withoutRefs.Edit(ctx, "two"), adapter.ErrUnsupported)
}

// silent is a platform that gives no references.
type silent struct{ *recorder }

func (silent) Send(context.Context, *handler.Request, string, *adapter.Message) ([]adapter.Ref, error) {
	return nil, nil
}

func TestReact(t *testing.T) {
	e := &recorder{}
	require.NoError(t, handler.NewRequest(threaded("x"), e).React(context.Background(), "eyes"))
	require.Equal(t, []string{"react test/C1/T1/M1 eyes"}, e.did)
	ev := message("x")
	ev.MessageID = ""
	require.ErrorIs(t, handler.NewRequest(ev, e).React(context.Background(), "eyes"), adapter.ErrNotFound)
	require.Len(t, e.did, 1)
}

func TestSend(t *testing.T) {
	ctx := context.Background()
	e := &recorder{}
	r := handler.NewRequest(threaded("x"), e)
	elsewhere := adapter.Address{Adapter: "other", Room: "C9"}
	m := &adapter.Message{To: elsewhere, Text: "a", Key: "k", AtMostOnce: true}
	_, err := r.Send(ctx, m)
	require.NoError(t, err)
	_, err = r.Send(ctx, &adapter.Message{To: r.Event.Address(), Text: "b", Origin: "mine"})
	require.NoError(t, err)
	here := &adapter.Message{Text: "c", Notify: adapter.NotifyHere}
	_, err = r.Send(ctx, here)
	require.NoError(t, err)
	require.Equal(t, []sent{
		{"", adapter.Message{To: elsewhere, Text: "a", Key: "k", AtMostOnce: true}}, // an origin belongs to its own conversation
		{"", adapter.Message{To: r.Event.Address(), Text: "b", Origin: "mine"}},
		{"", adapter.Message{To: r.Event.Address(), Text: "c", Notify: adapter.NotifyHere, Origin: "token"}},
	}, e.sent)
	require.Equal(t, &adapter.Message{Text: "c", Notify: adapter.NotifyHere}, here, "the caller's message is not changed")

	_, err = r.Send(ctx, nil)
	require.Error(t, err)
	require.Len(t, e.sent, 3)
}

func TestSendErrorsReachTheHandler(t *testing.T) {
	ctx := context.Background()
	broken := errors.New("broken")
	r := handler.NewRequest(message("x"), &recorder{fail: broken, features: adapter.Features{Ephemeral: true}})
	posted, err := r.Post(ctx, "x")
	require.ErrorIs(t, err, broken)
	require.Nil(t, posted)
	_, err = r.Send(ctx, &adapter.Message{Text: "x"})
	require.ErrorIs(t, err, broken)
	for _, f := range []func(context.Context, string, ...any) error{r.Reply, r.Thread, r.Direct, r.Whisper} {
		require.ErrorIs(t, f(ctx, "x"), broken)
	}
}

// WithTimeout ends the context and tells when, so that the grace time can begin; a later end than there is changes nothing.
func TestWithTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &recorder{}
		r := handler.NewRequest(message("x"), e)
		begin := time.Now()
		outer, cancel := r.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		longer, cancel := r.WithTimeout(outer, time.Hour)
		defer cancel()
		shorter, cancel := r.WithTimeout(longer, time.Second)
		defer cancel()
		require.Equal(t, []time.Time{begin.Add(time.Minute), begin.Add(time.Second)}, e.ends)
		<-shorter.Done()
		require.Equal(t, time.Second, time.Since(begin))
		require.ErrorIs(t, shorter.Err(), context.DeadlineExceeded)
		require.NoError(t, longer.Err())
		<-longer.Done()
		require.Equal(t, time.Minute, time.Since(begin))
	})
}
