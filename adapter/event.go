package adapter

import (
	"encoding/json"
	"time"
)

// Kind tells what happened.
type Kind string

// The kinds of event. What an adapter cannot map it counts, logs at Debug and acknowledges.
const (
	KindMessage    Kind = "message"    // somebody said something
	KindEdit       Kind = "edit"       // somebody changed what was said: Text is the new text. Never runs a command
	KindDelete     Kind = "delete"     // MessageID is gone
	KindReaction   Kind = "reaction"   // Event.Reaction is set
	KindInvocation Kind = "invocation" // a native slash command: Event.Invocation is set
	KindClick      Kind = "click"      // a button was pressed: Event.Click is set
	KindJoin       Kind = "join"       // User came into Room
	KindLeave      Kind = "leave"      // User left Room
	KindTopic      Kind = "topic"      // the topic of Room is now Text
	KindSignal     Kind = "signal"     // a machine or a clock reports: Event.Signal is set
)

// Limits of what the intake lets through. An adapter need not apply them: the bot's Sink does, see [Event.Normalize].
const (
	MaxText = 64 << 10 // bytes of Event.Text; what is over is cut and Event.Truncated set
	MaxRaw  = 64 << 10 // bytes of Event.Raw; over that it is dropped
	MaxList = 256      // Mentions and Files; what is over is cut and Event.Truncated set
)

// Event is one thing that happened, from whatever source. It survives a JSON round trip: after [Event.Normalize] what a
// handler gets the first time equals what it gets when the event is read back from the store.
type Event struct {
	// ID is the platform's id of this event. A redelivery has the same one, and it is never a counter that a restart
	// repeats: the inbox recognises duplicates by it. Required.
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	// Adapter is the name of the adapter that delivered it; the bot's Sink sets it.
	Adapter string    `json:"adapter"`
	Time    time.Time `json:"time,omitzero"` // when it happened, by the platform's clock; UTC
	// Order is the platform's own order stamp within the room, where it has one (Slack's ts, a snowflake); equal-length or
	// zero-padded, so that it can be compared as a string.
	Order string `json:"order,omitempty"`

	Room      Room   `json:"room,omitzero"`
	Thread    string `json:"thread,omitempty"` // id of the thread, empty outside one
	User      User   `json:"user,omitzero"`    // who did it
	Self      bool   `json:"self,omitempty"`   // done by the bot's own account, by id; such events are dropped
	MessageID string `json:"message_id,omitempty"`

	// Text is what was said, decoded once: no entities, mentions as @name with the User in Mentions, links as their URL.
	Text string `json:"text,omitempty"`
	// Mentioned: the platform says that the bot is mentioned. BotName is then the bot's name on this platform, so that a
	// leading "@BotName" addresses it whatever it is called in Config.
	Mentioned  bool   `json:"mentioned,omitempty"`
	BotName    string `json:"bot_name,omitempty"`
	Truncated  bool   `json:"truncated,omitempty"`  // the intake cut something
	Backfilled bool   `json:"backfilled,omitempty"` // read from history after a gap, not live
	Mentions   []User `json:"mentions,omitempty"`
	Files      []File `json:"files,omitempty"`

	Invocation *Invocation `json:"invocation,omitempty"` // set for KindInvocation, else nil
	Click      *Click      `json:"click,omitempty"`      // set for KindClick, else nil
	Reaction   *Reaction   `json:"reaction,omitempty"`   // set for KindReaction, else nil
	Signal     *Signal     `json:"signal,omitempty"`     // set for KindSignal, else nil

	// Origin is opaque: what the adapter needs to answer natively (interaction token, response URL). It is stored, it
	// expires on the platform's side, and it is never logged.
	Origin string `json:"origin,omitempty"`
	// Raw is the platform's own JSON; it is kept over redelivery. Adapters offer Decode(ev) for the SDK's type.
	Raw json.RawMessage `json:"raw,omitempty"`
}

// Address gives the event's conversation.
func (ev *Event) Address() Address {
	return Address{Adapter: ev.Adapter, Room: ev.Room.ID, Thread: ev.Thread}
}

// Ref names the message that the event is about; the zero Ref where there is none.
func (ev *Event) Ref() Ref {
	if ev.MessageID == "" {
		return Ref{}
	}
	return Ref{Address: ev.Address(), ID: ev.MessageID}
}

// Invocation is a native slash command as the platform parsed it.
type Invocation struct {
	Command string `json:"command"`        // without the slash; words of a command with several are joined by a space
	Text    string `json:"text,omitempty"` // what followed, where the platform gives text
	// Options are the typed arguments by name, where the platform has them; a value is a string, a bool or a number's
	// decimal text.
	Options map[string]string `json:"options,omitempty"`
	// Form is the Form.ID of a form that was filled in; Command and Text are then empty and Options what was entered.
	Form string `json:"form,omitempty"`
}

// Click is a pressed button.
type Click struct {
	Command string `json:"command"`          // Button.Command: passes the same parser and policy as typing it
	Label   string `json:"label,omitempty"`  // what stood on the button
	Token   string `json:"token,omitempty"`  // the bot's name for the button, set by the bot; empty for one that it did not make
	Message Ref    `json:"message,omitzero"` // the message that carries the button
}

// Reaction is an emoji put on a message or taken away.
type Reaction struct {
	Emoji   string `json:"emoji"` // the emoji itself or the platform's name without colons
	Removed bool   `json:"removed,omitempty"`
	Message Ref    `json:"message,omitzero"`
	Author  User   `json:"author,omitzero"` // who wrote that message, where the platform says so
}

// Signal is the report of a machine (a webhook) or of a clock (a schedule).
type Signal struct {
	Source string `json:"source"`         // which hook or job
	Name   string `json:"name,omitempty"` // what kind of report, lower case
	Key    string `json:"key,omitempty"`  // what it is about; the same thing has the same key
	Status string `json:"status,omitempty"`
}
