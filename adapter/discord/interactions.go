package discord

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// The types of interaction (https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-object-interaction-type).
const (
	interactionPing         = 1
	interactionCommand      = 2
	interactionComponent    = 3
	interactionAutocomplete = 4
	interactionForm         = 5
)

// formPrefix begins the custom ids of windows, so that they cannot be taken for buttons.
const formPrefix = "form:"

type wireInteraction struct {
	ID        string       `json:"id"`
	AppID     string       `json:"application_id"`
	Type      int          `json:"type"`
	Token     string       `json:"token"`
	GuildID   string       `json:"guild_id"`
	ChannelID string       `json:"channel_id"`
	Channel   *wireChannel `json:"channel"`
	Member    *wireMember  `json:"member"`
	User      *wireUser    `json:"user"`
	Message   *struct {
		ID         string          `json:"id"`
		ChannelID  string          `json:"channel_id"`
		Flags      int             `json:"flags"`
		Components []wireComponent `json:"components"`
	} `json:"message"`
	Data struct {
		Name          string          `json:"name"`
		Type          int             `json:"type"` // of the command
		Options       []wireOption    `json:"options"`
		CustomID      string          `json:"custom_id"`
		ComponentType int             `json:"component_type"`
		Components    []wireComponent `json:"components"`
		Resolved      struct {
			Users    map[string]wireUser       `json:"users"`
			Members  map[string]wireMember     `json:"members"`
			Channels map[string]wireChannel    `json:"channels"`
			Files    map[string]wireAttachment `json:"attachments"`
		} `json:"resolved"`
	} `json:"data"`
}

type wireOption struct {
	Name    string          `json:"name"`
	Type    int             `json:"type"`
	Value   json.RawMessage `json:"value"`
	Options []wireOption    `json:"options"`
	Focused bool            `json:"focused"`
}

type wireComponent struct {
	Type       int             `json:"type"`
	CustomID   string          `json:"custom_id"`
	Label      string          `json:"label"`
	Value      string          `json:"value"`
	Components []wireComponent `json:"components"`
	Component  *wireComponent  `json:"component"` // of a label
	Accessory  *wireComponent  `json:"accessory"` // of a section
}

// walk calls f for a component and all within it.
func walk(list []wireComponent, f func(*wireComponent)) {
	for i := range list {
		c := &list[i]
		f(c)
		walk(c.Components, f)
		for _, inner := range []*wireComponent{c.Component, c.Accessory} {
			if inner != nil {
				walk([]wireComponent{*inner}, f)
			}
		}
	}
}

// The types of option (https://discord.com/developers/docs/interactions/application-commands#application-command-object-application-command-option-type).
const (
	optionSub     = 1
	optionGroup   = 2
	optionString  = 3
	optionInteger = 4
	optionBool    = 5
	optionUser    = 6
	optionChannel = 7
	optionNumber  = 10
)

const (
	componentButton = 2
	componentInput  = 4
)

// path gives the words of the command that was used, and its options.
func (w *wireInteraction) path() (words []string, options []wireOption) {
	words, options = []string{w.Data.Name}, w.Data.Options
	for len(words) < 3 && len(options) == 1 && (options[0].Type == optionSub || options[0].Type == optionGroup) {
		words, options = append(words, options[0].Name), options[0].Options
	}
	return words, options
}

// interaction decodes a slash command, a pressed button, or a window that was filled in. commands may be nil.
func (d decoder) interaction(raw json.RawMessage, commands *commandSet) (r *received, w *wireInteraction, v verdict, kind string) {
	w = &wireInteraction{}
	if err := json.Unmarshal(raw, w); err != nil {
		return nil, w, malformed, "INTERACTION_CREATE"
	}
	kind = "INTERACTION_CREATE"
	if w.ChannelID == "" && w.Channel != nil {
		w.ChannelID = w.Channel.ID
	}
	user := w.User
	if w.Member != nil && w.Member.User != nil {
		user = w.Member.User
	}
	if !isID(w.ID) || !isID(w.ChannelID) || w.Token == "" || user == nil || !isID(user.ID) {
		return nil, w, malformed, kind
	}
	r = d.begin(adapter.KindInvocation, w.ChannelID, w.GuildID, idTime(w.ID))
	ev := r.ev
	ev.ID, ev.User, r.member = "interaction/"+w.ID, d.who(user, w.Member, w.GuildID), w.Member
	if w.Channel != nil && w.Channel.ID == w.ChannelID {
		w.Channel.GuildID = w.GuildID
		c := channelOf(w.Channel)
		r.known = &c
	}
	switch w.Type {
	case interactionCommand:
		if w.Data.Type > 1 || w.Data.Name == "" { // of a menu
			return nil, w, unknown, kind + "/menu"
		}
		d.invocation(r, w, commands)
	case interactionComponent:
		if w.Data.ComponentType != componentButton || w.Message == nil || !isID(w.Message.ID) {
			return nil, w, unknown, kind + "/component"
		}
		ev.Kind, ev.MessageID = adapter.KindClick, w.Message.ID
		if w.Message.Flags&flagEphemeral != 0 {
			ev.MessageID = ephemeralPrefix + w.Message.ID
		}
		ev.Click = &adapter.Click{Command: w.Data.CustomID}
		walk(w.Message.Components, func(c *wireComponent) {
			if c.Type == componentButton && c.CustomID == w.Data.CustomID {
				ev.Click.Label = c.Label
			}
		})
	case interactionForm:
		form, ok := strings.CutPrefix(w.Data.CustomID, formPrefix)
		if !ok {
			return nil, w, unknown, kind + "/modal"
		}
		ev.Invocation = &adapter.Invocation{Form: form}
		r.texts = map[string]string{}
		walk(w.Data.Components, func(c *wireComponent) {
			if c.Type == componentInput && c.CustomID != "" {
				r.texts[c.CustomID] = c.Value
			}
		})
		ev.Invocation.Options = map[string]string{}
	default:
		return nil, w, unknown, kind
	}
	o := origin{App: w.AppID, ID: w.ID, Token: w.Token, User: user.ID, Channel: w.ChannelID, Kind: w.Type, At: d.now.Unix()}
	ev.Origin = o.String()
	ev.Raw = without(raw, "token")
	r.answer = newAnswer(o, time.Now())
	return r, w, deliver, kind
}

// invocation reads a slash command.
func (d decoder) invocation(r *received, w *wireInteraction, commands *commandSet) {
	words, options := w.path()
	name := strings.Join(words, " ")
	inv := &adapter.Invocation{Command: name}
	r.ev.Invocation = inv
	for _, o := range options {
		if inv.Options == nil {
			inv.Options, r.texts = map[string]string{}, map[string]string{}
		}
		var s string
		switch o.Type {
		case optionString:
			if json.Unmarshal(o.Value, &s) == nil {
				if o.Name == textOption && commands.free(name) { // what follows a command that takes any text
					r.text = s
					continue
				}
				r.texts[o.Name] = s
			}
		case optionInteger, optionNumber, optionBool: // as Discord wrote them: numbers in decimal, true or false
			inv.Options[o.Name] = string(o.Value)
		case optionUser:
			if json.Unmarshal(o.Value, &s) == nil {
				inv.Options[o.Name] = s
				u := w.Data.Resolved.Users[s]
				m, found := w.Data.Resolved.Members[s]
				u.ID = s
				mp := &m
				if !found {
					mp = nil
				}
				r.ev.Mentions = append(r.ev.Mentions, d.who(&u, mp, w.GuildID))
			}
		default:
			if json.Unmarshal(o.Value, &s) == nil {
				inv.Options[o.Name] = s
			}
		}
	}
	if len(inv.Options) == 0 && len(r.texts) == 0 {
		inv.Options = nil
	}
}

// without drops a field of a JSON object.
func without(raw json.RawMessage, field string) json.RawMessage {
	var o map[string]json.RawMessage
	if json.Unmarshal(raw, &o) != nil {
		return nil
	}
	delete(o, field)
	out, err := json.Marshal(o)
	if err != nil {
		return nil
	}
	return out
}
