package adapter

import (
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// TextUnit is what a platform counts when it limits the length of a text.
type TextUnit string

// The units; the zero value is runes.
const (
	UnitRunes TextUnit = ""
	UnitBytes TextUnit = "bytes"
	UnitUTF16 TextUnit = "utf16"
)

// Len gives the length of s in unit u.
func (u TextUnit) Len(s string) int {
	switch u {
	case UnitBytes:
		return len(s)
	case UnitUTF16:
		n := 0
		for _, r := range s {
			n += max(utf16.RuneLen(r), 1)
		}
		return n
	}
	return utf8.RuneCountInString(s)
}

// Features says what a platform can do and where its limits are. Verbs are optional interfaces (see [As]); this is the rest.
type Features struct {
	MaxText int      // longest text of one message in Unit; 0 = no limit
	Unit    TextUnit // what MaxText counts
	MaxFile int64    // largest file in bytes; 0 = no limit

	Threads   bool // Message.To.Thread is honoured
	Buttons   bool // Message.Buttons are shown and pressed
	Files     bool // Message.Files are posted
	Ephemeral bool // Message.Only is honoured in a room
	// EphemeralOrigin: Ephemeral holds only for the answer to an event that has an Origin.
	EphemeralOrigin bool
	Fields          bool // Message.Fields are shown natively

	// IdempotentSend says for how long the platform recognises a repeated Message.Key and posts it once; 0 = it does not.
	IdempotentSend time.Duration

	Local  bool // only the process that received an event can answer it (a terminal)
	Single bool // only one connection is allowed at a time
	Replay bool // the platform delivers again what was not acknowledged

	// Playground: what people type can act as any user in any room. The bot refuses it beside an adapter that is not Local.
	Playground bool
}
