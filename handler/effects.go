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
	Holder
	// Send posts m. slot names the message within the delivery: a run that comes again gets the recorded refs and posts
	// nothing. The empty slot is named by the content and its how-manieth occurrence.
	Send(ctx context.Context, r *Request, slot string, m *adapter.Message) ([]adapter.Ref, error)
	// Edit replaces the content of a message; refs are what Send returned. It gives the refs that it has now: a longer text
	// takes more messages.
	Edit(ctx context.Context, r *Request, refs []adapter.Ref, m *adapter.Message) ([]adapter.Ref, error)
	// Delete removes all parts of a message.
	Delete(ctx context.Context, r *Request, refs []adapter.Ref) error
	// React puts an emoji on a message.
	React(ctx context.Context, r *Request, ref adapter.Ref, emoji string) error
	// OpenDirect gives the direct room of the bot and a user.
	OpenDirect(ctx context.Context, adapterName, userID string) (adapter.Room, error)
	// EndsAt tells that the handler's context ends at t, which begins its grace time.
	EndsAt(r *Request, t time.Time)
	// Ask stores q as the open question of who sent r's event, in place of an older one, and sets q.ID where it is empty.
	Ask(ctx context.Context, r *Request, q *Question) error
	// Question gives the open question of who sent ev, where ev was; nil if there is none.
	Question(ctx context.Context, ev *adapter.Event) (*Question, error)
	// Keep stores Talked and Posts of q. One that is over, or another in its place, is left alone.
	Keep(ctx context.Context, r *Request, q *Question) error
	// OpenForm shows a window in answer to r's event; what is entered comes as an event of its own.
	OpenForm(ctx context.Context, r *Request, f *adapter.Form) error
	// Drop forgets q. It is no error if it is gone.
	Drop(ctx context.Context, r *Request, q *Question) error
	// Allow forgets q and delivers its event again with g, in one step: of many answers one has an effect.
	Allow(ctx context.Context, r *Request, q *Question, g *Grant) error
	// Begin says that the arguments of a declared command are complete and agreed to and it begins, or that the guard has let
	// another route through: from here on it is not begun again after a crash if its route reports (see Route.Reports), it is the
	// only one that changes what r.Intent calls Exclusive, and it leaves the line if it is Background.
	Begin(ctx context.Context, r *Request) error
	// Said remembers a command line for the user's history. secret: do not.
	Said(r *Request, line string, secret bool)
	// History gives the user's command lines, the last first.
	History(u adapter.User) []string
	// Again delivers r's event again as if line had been said to the bot.
	Again(ctx context.Context, r *Request, line string) error
	// SendAt says m at a time, also after a restart.
	SendAt(ctx context.Context, r *Request, at time.Time, m *adapter.Message) error
	// Directory looks people and rooms up; nil where the adapter cannot.
	Directory(adapterName string) adapter.Directory
	// Can tells whether an adapter has a verb.
	Can(adapterName string, v Verb) bool
	// Zone is that of dates and times of day.
	Zone() *time.Location
	// Progress shows how far the handler is, where it was asked and in the list of jobs.
	Progress(ctx context.Context, r *Request, p Progress) error
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
