package slack

import (
	"encoding/json"
	"errors"
	"fmt"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"

	"github.com/starlingbot/starling/adapter"
)

// secrets are the fields of a command or an interaction that let whoever has them answer it, or act for the bot. Origin has those that
// are used; unlike Raw it is never logged.
var secrets = [...]string{"token", "response_url", "response_urls", "trigger_id", "bot_access_token", "interactivity"} // read only

// bare gives the payload of a command or an interaction without its secrets.
func bare(raw json.RawMessage) json.RawMessage {
	var o, view map[string]json.RawMessage
	if json.Unmarshal(raw, &o) != nil {
		return nil
	}
	for _, field := range secrets {
		delete(o, field)
	}
	if json.Unmarshal(o["view"], &view) == nil && view != nil { // of a form: the response_url is carried along in it
		delete(view, "private_metadata")
		o["view"], _ = json.Marshal(view)
	}
	out, err := json.Marshal(o)
	if err != nil {
		return nil
	}
	return out
}

// Decode gives the library's value of an event's Raw: a pointer to one of the types of package slackevents, a
// slack.SlashCommand for KindInvocation, a slack.InteractionCallback for KindClick and for a form. The response_url and the trigger_id
// of these are from Event.Origin, and so are not there without it; tokens are not there.
func Decode(ev *adapter.Event) (any, error) {
	if len(ev.Raw) == 0 {
		return nil, fmt.Errorf("slack: decode: %w: the event has no Raw", adapter.ErrNotFound)
	}
	var v any
	var err error
	var o origin
	if ev.Origin != "" {
		if err := json.Unmarshal([]byte(ev.Origin), &o); err != nil {
			return nil, fmt.Errorf("slack: decode: the event's Origin is not one of Slack's: %w", err)
		}
	}
	switch {
	case ev.Kind == adapter.KindInvocation && (ev.Invocation == nil || ev.Invocation.Form == ""):
		var s slackgo.SlashCommand
		err = json.Unmarshal(ev.Raw, &s)
		s.ResponseURL, s.TriggerID = o.URL, o.Trigger
		v = s
	case ev.Kind == adapter.KindClick || ev.Kind == adapter.KindInvocation:
		var c slackgo.InteractionCallback
		err = json.Unmarshal(ev.Raw, &c)
		switch c.TriggerID = o.Trigger; {
		case ev.Kind == adapter.KindClick:
			c.ResponseURL = o.URL
		case err == nil && ev.Origin != "":
			c.View.PrivateMetadata, err = o.window()
		}
		v = c
	default:
		var outer []byte
		if outer, err = json.Marshal(map[string]any{"type": "event_callback", "event": ev.Raw}); err == nil {
			var e slackevents.EventsAPIEvent
			e, err = slackevents.ParseEvent(outer, slackevents.OptionNoVerifyToken())
			v = e.InnerEvent.Data
		}
	}
	if err == nil && v == nil {
		err = errors.New("nothing in it")
	}
	if err != nil {
		return nil, fmt.Errorf("slack: decode: %w", err)
	}
	return v, nil
}
