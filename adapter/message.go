package adapter

import "encoding/json"

// Message is something that the bot says. It survives a JSON round trip but for File.Open.
type Message struct {
	To   Address `json:"to"`
	Text string  `json:"text,omitempty"` // portable Markdown; text from people is put in with [Data] or [Format]

	Fields  []Field  `json:"fields,omitempty"`
	Buttons []Button `json:"buttons,omitempty"`
	Files   []File   `json:"files,omitempty"`
	Color   Color    `json:"color,omitempty"`
	Only    string   `json:"only,omitempty"` // a user's ID: nobody else sees the message. Never shown to the room instead
	// Notify asks for a mass mention. It is the only way to one: no text can make it.
	Notify Notify `json:"notify,omitempty"`
	// Reusable: the buttons may be pressed more than once, until they expire. Else the first press uses all of them.
	Reusable bool `json:"reusable,omitempty"`
	// Previews lets the platform unfold links. Off by default: an unfolded link is a request somebody else chose.
	Previews bool `json:"previews,omitempty"`

	// Native holds the platform's own layout by adapter kind: Slack blocks, Discord components, Mattermost attachments.
	// Other platforms send Text.
	Native map[string]json.RawMessage `json:"native,omitempty"`

	// Key makes sending idempotent: the same key is sent once, also over a restart.
	Key string `json:"key,omitempty"`
	// AtMostOnce: when nobody can know whether the message was posted, give an error instead of posting it again.
	AtMostOnce bool `json:"at_most_once,omitempty"`
	// Origin of the event that is answered, so that the adapter can answer natively while the platform allows it.
	Origin string `json:"origin,omitempty"`
}

// Field is a short labelled value shown under the text.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"` // portable Markdown, as Message.Text
	Short bool   `json:"short,omitempty"`
}

// Button is a command that can be pressed: a click passes the same parser, policy and audit as typing Command. An adapter
// takes Command as it is and gives it back in Click.Command; the bot hands it a short token in its place.
type Button struct {
	Label   string      `json:"label"`
	Command string      `json:"command"`
	Style   ButtonStyle `json:"style,omitempty"`
}

// ButtonStyle is how a button looks.
type ButtonStyle string

// The styles of button; the zero value is a plain one.
const (
	ButtonPlain   ButtonStyle = ""
	ButtonPrimary ButtonStyle = "primary"
	ButtonDanger  ButtonStyle = "danger"
)

// Color is how a message is set off, where the platform can.
type Color string

// The colours of a message; the zero value is none.
const (
	ColorNone Color = ""
	ColorGood Color = "good"
	ColorWarn Color = "warn"
	ColorBad  Color = "bad"
)

// Notify is a mass mention.
type Notify string

// The mass mentions; the zero value is none.
const (
	NotifyNone Notify = ""
	NotifyHere Notify = "here" // those who are there now
	NotifyRoom Notify = "room" // everybody in the room
)
