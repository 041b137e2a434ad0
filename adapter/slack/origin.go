package slack

import "encoding/json"

// origin is what [adapter.Event.Origin] holds: how to answer a command, a click or a form without being in the room, and
// how to open a window.
type origin struct {
	URL     string `json:"u,omitempty"`
	Got     int64  `json:"s,omitempty"` // Unix seconds; the URL is good for 30 minutes and 5 uses from then on
	User    string `json:"i"`           // who sees an ephemeral answer
	At      int64  `json:"t"`           // Unix milliseconds; the trigger is good for 3 s
	Trigger string `json:"g,omitempty"`
	Room    string `json:"r"`
	Thread  string `json:"h,omitempty"`
}

// String gives "" where there is nothing to answer with.
func (o origin) String() string {
	if o.URL == "" && o.Trigger == "" {
		return ""
	}
	b, err := json.Marshal(o)
	if err != nil {
		return ""
	}
	return string(b)
}
