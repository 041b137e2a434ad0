package adaptertest

import (
	"context"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Harness is the far side of one adapter: the platform as its people and its operator see it. Users, rooms and messages
// are named by the platform's own ids. Functions that are nil are parts that the far side lacks: the cases that need them
// are skipped, and the table says so. A function that cannot do it just this once (a terminal cannot say two lines at
// once) gives errors.ErrUnsupported; any other error fails the case.
//
// Every case gets a Harness of its own.
type Harness struct {
	// Open makes the adapter as a process does that starts, without network. When it was closed Open may be called again:
	// the same bot on the same platform after a restart. What belongs to the platform is started before, not here.
	// Required.
	Open func() (adapter.Adapter, error)
	// Users are two or more people, Rooms one or more rooms that they and the bot are in; rooms that are not direct.
	// Required.
	Users, Rooms []string
	// Say lets a person say text in a room, and gives the name by which Edit and Delete find it. Required.
	Say func(user, room, text string) (said string, err error)
	// Posts gives the messages of the bot that are shown now, oldest first. Required.
	Posts func() []Post

	// Connected waits until a running adapter would see what is said from now on. Nil: what was said before waits for it.
	Connected func(ctx context.Context) error
	// Mention is Say with a mention of the bot before text.
	Mention func(user, room, text string) error
	// Direct says text to the bot in the direct room with user.
	Direct func(user, text string) error
	// Reply says text in the thread of, or below, a message of the bot.
	Reply func(user string, under Post, text string) error
	// React puts an emoji on a message of the bot, Unreact takes it away.
	React, Unreact func(user string, post Post, emoji string) error
	// Press presses the button with that label.
	Press func(user string, post Post, label string) error
	// Edit and Delete change what Say said.
	Edit   func(user, said, text string) error
	Delete func(user, said string) error
	// Invoke uses a native slash command.
	Invoke func(user, room, command, text string) error
	// Share posts a file with text, in a room.
	Share func(user, room, text string, f File) error
	// Own posts text as the bot's own account, past the adapter: what another replica said. OtherBot is another program.
	Own, OtherBot func(room, text string) error
	// Odd sends the adapter what it cannot know: a kind of event that is new, a field that is broken.
	Odd func() error

	// Duplicate delivers the last event once more, acknowledged or not.
	Duplicate func() error
	// Redeliver delivers again what was delivered and not acknowledged; it does nothing where that happens by itself
	// within Wait. Platform or adapter: it is the same to a bot.
	Redeliver func() error
	// Unacknowledged counts the events that were handed to the adapter, or wait for it, and are not acknowledged.
	Unacknowledged func() int
	// Drop cuts the connection, without goodbye. It may be made again at once.
	Drop func() error
	// End exhausts the source, where a source can end.
	End func() error
	// Faults let the platform fail, each by its name.
	Faults map[Fault]func() error

	// Typing counts the notices of typing in a room, Topic gives the topic of a room, Commands the commands the platform
	// was told, and Reactions what the bot put on something that Say said.
	Typing    func(room string) int
	Topic     func(room string) string
	Commands  func() []string
	Reactions func(said string) []string

	// Missing has ids in the platform's own form of things that do not exist. What is empty is "no-such-thing".
	Missing Missing
	// Lingers says why a goroutine of the adapter may outlive its Close until Close of the harness; empty: none may.
	Lingers string
	// Skip names cases that are not run, each with its reason, which is printed.
	Skip map[string]string
	// Bubble runs each case in a testing/synctest bubble, where waiting takes no time. For far sides without real I/O.
	Bubble bool
	// Wait bounds how long anything may take to happen; default 5 s. Settle is how long nothing must happen, where the
	// rule is that it does not; default 50 ms.
	Wait, Settle time.Duration
	// Close ends the far side, after the adapter was closed.
	Close func() error
}

// Post is a message of the bot as the platform shows it.
type Post struct {
	ID           string // how the harness names it; the suite only hands it back
	Room, Thread string // Thread: the id that events from that thread have
	Text         string // as people read it, markup and escapes resolved; fields where they are shown as text
	Only         string // who alone sees it; empty: everybody in the room
	Buttons      []string
	Fields       []adapter.Field
	Files        []File
	Reactions    []string // of the bot
}

// File is a file on the far side.
type File struct{ Name, Content string }

// Missing has ids of things that do not exist.
type Missing struct{ Room, User, Message, File string }

// Fault is a way in which a platform fails. It meets the next message that the adapter posts, and no later one, unless it
// says otherwise.
type Fault string

// The faults.
const (
	FaultRateLimit Fault = "rate-limit" // too many requests: not posted
	FaultForbidden Fault = "forbidden"  // a permission is missing: not posted
	FaultDown      Fault = "down"       // the platform cannot be reached: not posted
	FaultLost      Fault = "lost"       // posted, but the answer is lost
	FaultHang      Fault = "hang"       // there is no answer for longer than Wait; posted or not
	FaultAuth      Fault = "auth"       // the bot's token is revoked, for good
	FaultAway      Fault = "away"       // the connection is cut, and none can be made any more
)
