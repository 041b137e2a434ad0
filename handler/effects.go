package handler

import (
	"context"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Effects is how a request acts on the world. The bot implements it, so that every answer and change passes its outgoing
// chain, its outbox and its store; [NewRequest] takes another one for tests. All methods may be called concurrently and
// return [ErrEnded] once the event is over.
type Effects interface {
	// Send posts m. slot names the message within the delivery: a run that comes again gets the recorded refs and posts
	// nothing. The empty slot is named by the content and its how-manieth occurrence.
	Send(ctx context.Context, r *Request, slot string, m *adapter.Message) ([]adapter.Ref, error)
	// Edit replaces the content of a message; refs are what Send returned.
	Edit(ctx context.Context, r *Request, refs []adapter.Ref, m *adapter.Message) error
	// Delete removes all parts of a message.
	Delete(ctx context.Context, r *Request, refs []adapter.Ref) error
	// React puts an emoji on a message.
	React(ctx context.Context, r *Request, ref adapter.Ref, emoji string) error
	// OpenDirect gives the direct room of the bot and a user.
	OpenDirect(ctx context.Context, adapterName, userID string) (adapter.Room, error)
	// EndsAt tells that the handler's context ends at t, which begins its grace time.
	EndsAt(r *Request, t time.Time)
	// Progress notes how far the handler is, for the list of jobs.
	Progress(r *Request, text string)
	// Jobs lists the handlers that run now, longest first.
	Jobs() []Job
	// Cancel ends the context of the handlers with that id; false where none has it.
	Cancel(id string, by adapter.User) bool
	// Features says what the adapter of that name can do.
	Features(adapterName string) adapter.Features
	// Change replaces the value of a key exactly once per delivery; f gets nil where there is none. It returns the new
	// value, also when the run comes again. key is a full store key.
	Change(ctx context.Context, r *Request, key string, f func(old []byte) ([]byte, error)) ([]byte, error)
	// Once runs f at most once per delivery and key and returns its result, also when the run comes again.
	Once(ctx context.Context, r *Request, key string, f func(context.Context) ([]byte, error)) ([]byte, error)
}
