package adapter

import (
	"context"
	"io"
	"iter"
	"net/http"
	"time"
)

// Editor replaces the content of a message that the bot posted.
// Errors: [ErrNotFound], [ErrForbidden], [ErrTooLong].
type Editor interface {
	Edit(ctx context.Context, ref Ref, m *Message) error
}

// Deleter removes a message. Errors: [ErrNotFound], [ErrForbidden].
type Deleter interface {
	Delete(ctx context.Context, ref Ref) error
}

// Reactor puts an emoji on a message. Emoji is the character itself or the platform's name without colons; putting the
// same one twice is no error. Errors: [ErrNotFound], [ErrForbidden].
type Reactor interface {
	React(ctx context.Context, ref Ref, emoji string) error
}

// Typer shows for a few seconds that the bot is busy.
type Typer interface {
	Typing(ctx context.Context, to Address) error
}

// Uploader posts a file by itself. Errors: [ErrTooLong] over Features.MaxFile.
type Uploader interface {
	Upload(ctx context.Context, to Address, f File) (Ref, error)
}

// Opener opens a file that came in, by its ID, also after a restart. Errors: [ErrNotFound], [ErrForbidden].
type Opener interface {
	Open(ctx context.Context, f File) (io.ReadCloser, error)
}

// Directory looks up users and rooms. The query is an id, or a name with its sigil ("@alice", "#ops") as people write it;
// a name that fits several is [ErrAmbiguous], one that fits none [ErrNotFound].
type Directory interface {
	User(ctx context.Context, query string) (User, error)
	Room(ctx context.Context, query string) (Room, error)
}

// DirectOpener opens the direct room of the bot and a user.
type DirectOpener interface {
	OpenDirect(ctx context.Context, userID string) (Room, error)
}

// TopicSetter sets the topic of a room. Errors: [ErrNotFound], [ErrForbidden].
type TopicSetter interface {
	SetTopic(ctx context.Context, room, topic string) error
}

// CommandRegistrar is told the bot's commands once before Run: for native slash commands or for completion.
type CommandRegistrar interface {
	RegisterCommands(ctx context.Context, commands []CommandSpec) error
}

// CommandChecker tells which commands are over the platform's limits for native ones; the error joins all of them. It is pure:
// the bot says so when it is made, and not when it first connects.
type CommandChecker interface {
	CheckCommands(commands []CommandSpec) error
}

// CommandSpec is what a platform needs to know of a command: enough for a native slash command, a manifest and completion.
type CommandSpec struct {
	Name    string    `json:"name"` // lower case; several words are separated by a space
	Aliases []string  `json:"aliases,omitempty"`
	Summary string    `json:"summary,omitempty"` // one line
	Usage   string    `json:"usage,omitempty"`   // name and arguments as people type them, one line
	Args    []ArgSpec `json:"args,omitempty"`
	// Complete gives what the last word of typed, the text after the command's name, may become, best first: what stands after its
	// last white space, as it is to be typed, in quotes where it needs them. nil where there is nothing to complete.
	Complete func(ctx context.Context, typed string) []string `json:"-"`
}

// ArgSpec describes an argument of a command.
type ArgSpec struct {
	Name     string   `json:"name"` // lower case
	Type     string   `json:"type"` // string, bool, integer, number, duration, time, url, path, user, room or value
	Help     string   `json:"help,omitempty"`
	Short    string   `json:"short,omitempty"`   // one letter
	Word     string   `json:"word,omitempty"`    // that may stand before the value
	Choices  []string `json:"choices,omitempty"` // the values that are allowed; empty = any
	Default  string   `json:"default,omitempty"` // in the form that people type
	Required bool     `json:"required,omitempty"`
	Flag     bool     `json:"flag,omitempty"` // given by name alone
	Rest     bool     `json:"rest,omitempty"` // takes the rest of the text
	List     bool     `json:"list,omitempty"` // several values
	Secret   bool     `json:"secret,omitempty"`
}

// FormOpener shows a window of the platform (a modal) in which several values are entered at once, as the first answer to an
// event that has an Origin. What is entered comes back as a [KindInvocation] with Invocation.Form and Invocation.Options; a
// window that is closed unanswered says nothing. Errors: [ErrUnsupported] where this origin has no window, [ErrNotFound]
// when its time is over, [ErrTooLong] for more fields than the window takes.
type FormOpener interface {
	OpenForm(ctx context.Context, origin string, f *Form) error
}

// Form is what a window asks for.
type Form struct {
	ID     string // comes back as Invocation.Form: opaque, at most 64 bytes of letters, digits and "-_."
	Title  string
	Fields []FormField
}

// FormField is one value that a form asks for.
type FormField struct {
	Name     string // comes back as the key in Invocation.Options; lower case
	Label    string
	Hint     string
	Value    string   // what stands there at first
	Choices  []string // the values that are allowed; empty = any text
	Required bool
	Long     bool // several lines
}

// Historian reads what was said in a room after the message with the order stamp after (exclusive; empty: as far back as
// the platform gives), oldest first. Events are marked Backfilled and have the ids that live delivery gives them.
type Historian interface {
	History(ctx context.Context, room, after string) iter.Seq2[*Event, error]
}

// Finder tells whether a message with m.Key was posted, after a Send of unknown outcome. false without an error means
// that it is certain that it was not; [ErrUnsupported] that this kind of message cannot be looked for, so that it may be
// posted twice rather than lost.
type Finder interface {
	Find(ctx context.Context, m *Message) (Ref, bool, error)
}

// HTTPHandler is an adapter that takes callbacks; the bot's server mounts it under /adapters/NAME/.
type HTTPHandler interface {
	HTTPHandler() http.Handler
}

// Closer releases what the adapter holds. The bot calls it once, after the last Send.
type Closer interface {
	Close() error
}

// HealthReporter tells how the connection is.
type HealthReporter interface {
	Health() Health
}

// Health is the state of an adapter's connection. It may be shown to anybody: no secrets, no text of errors.
type Health struct {
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since,omitzero"` // of Connected
	// Gaps counts the times that events may have been missed which the platform cannot give back.
	Gaps int `json:"gaps,omitempty"`
}

// Status is how the connection to a platform is, in full: what the adapters of platforms give by a method Status, for who
// runs the bot. It has the text of errors and the ids of rooms, and no secrets.
type Status struct {
	Connected  bool
	Since      time.Time      // of the last change of Connected
	Reconnects int            // connections that were opened after the first
	Resumed    int            // of them, those that went on without a loss, where the platform has that
	LastError  string         // of the last attempt that failed; "" once connected
	Skew       time.Duration  // the platform's clock minus ours, to about a second
	Busy       int            // events that found too many waiting: the platform is asked for them again, or they are a gap
	Waiting    int            // events that wait for the bot now
	Unknown    map[string]int // events of kinds that are not mapped, or that could not be read
	// Gaps are spans of which the platform gave not everything back; the last 100.
	Gaps []Gap
}

// Gap is a span of which something is lost to the bot.
type Gap struct {
	Room     string // "" is all rooms
	From, To time.Time
	What     string // what is missing
}

// Checker tests the adapter's settings against the platform, without running it: tokens, permissions, clocks. The error
// joins all that is wrong (errors.Join), each with its cure and without secrets; nil if Run would work now.
type Checker interface {
	Check(ctx context.Context) error
}

// Renderer turns a message into messages that fit Features: native text, split. It is pure: the bot stores the parts
// before the first attempt to send. Without it a message is sent as it is.
type Renderer interface {
	Render(m *Message) ([]*Message, error)
}
