package slack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// wire is an inner event, or a message of a history, as far as it is used. Unlike the library's types it takes events that
// are new and fields that are broken, as long as those used here are not.
type wire struct {
	Type       string `json:"type"`
	Subtype    string `json:"subtype"`
	User       idOf   `json:"user"`
	BotID      string `json:"bot_id"`
	Username   string `json:"username"`
	BotProfile *struct {
		Name string `json:"name"`
	} `json:"bot_profile"`
	Text        string     `json:"text"`
	TS          string     `json:"ts"`
	ThreadTS    string     `json:"thread_ts"`
	EventTS     string     `json:"event_ts"`
	Channel     idOf       `json:"channel"`
	ChannelType string     `json:"channel_type"`
	UserTeam    string     `json:"user_team"`
	Files       []wireFile `json:"files"`
	Edited      *struct {
		TS string `json:"ts"`
	} `json:"edited"`
	DeletedTS string `json:"deleted_ts"`
	Message   *wire  `json:"message"`
	Previous  *wire  `json:"previous_message"`
	Topic     string `json:"topic"`

	Reaction string `json:"reaction"`
	ItemUser string `json:"item_user"`
	Item     *struct {
		Type    string `json:"type"`
		Channel string `json:"channel"`
		TS      string `json:"ts"`
	} `json:"item"`

	ReplyCount  int    `json:"reply_count"` // of a message in a history
	LatestReply string `json:"latest_reply"`
}

type wireFile struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"mimetype"`
	Size int64  `json:"size"`
}

// idOf is an id that some events give alone and others within an object.
type idOf string

// UnmarshalJSON implements [json.Unmarshaler].
func (id *idOf) UnmarshalJSON(b []byte) error {
	if len(b) >= 2 && b[0] == '"' && !bytes.ContainsRune(b, '\\') {
		*id = idOf(b[1 : len(b)-1])
		return nil
	}
	if len(b) > 0 && b[0] == '{' {
		var o struct {
			ID string `json:"id"`
		}
		err := json.Unmarshal(b, &o)
		*id = idOf(o.ID)
		return err
	}
	var s *string
	err := json.Unmarshal(b, &s)
	if s != nil {
		*id = idOf(*s)
	}
	return err
}

// received is an event on its way to the sink, before names are looked up.
type received struct {
	ev       *adapter.Event
	text     string // as Slack delivers it
	external bool   // Slack says that the user is of another workspace
	once     bool   // Slack does not deliver it again
}

// verdict is what is to be done with what came.
type verdict string

const (
	deliver   verdict = "delivered"
	ignored   verdict = "ignored"   // of no interest, or told by another event too
	unknown   verdict = "unknown"   // a kind that is not mapped
	malformed verdict = "malformed" // it cannot be read
)

// decoder turns what Slack delivers into events. It is pure: looking names up is the intake's.
type decoder struct {
	adapter  string
	me       identity
	commands map[string]string // slash command -> command
}

// decoder gives the decoder of this moment.
func (a *Adapter) decoder() decoder {
	d := decoder{adapter: a.cfg.Name}
	if me := a.me.Load(); me != nil {
		d.me = *me
	}
	if c := a.commands.Load(); c != nil {
		d.commands = *c
	}
	return d
}

// forget names what an event makes stale in the caches.
type forget struct{ user, room string }

// event decodes an inner event.
func (d decoder) event(eventID string, raw json.RawMessage) (r *received, f forget, v verdict, kind string) {
	var w wire
	if err := json.Unmarshal(raw, &w); err != nil {
		return nil, f, malformed, w.Type
	}
	kind = w.Type
	if w.Subtype != "" {
		kind += "/" + w.Subtype
	}
	switch w.Type {
	case "message":
		r, v = d.message(eventID, &w)
		if w.Subtype == "channel_name" || w.Subtype == "group_name" {
			f.room = string(w.Channel)
		}
	case "app_mention":
		if w.Edited != nil { // message/message_changed tells it
			return nil, f, ignored, kind
		}
		r, v = d.said(&w)
	case "reaction_added", "reaction_removed":
		r, v = d.reaction(eventID, &w)
	case "member_joined_channel", "member_left_channel":
		r, v = d.moved(eventID, &w)
	case "user_change", "user_profile_changed", "team_join", "user_status_changed":
		f.user, v = string(w.User), ignored
	case "channel_rename", "group_rename", "channel_archive", "channel_unarchive", "channel_deleted", "channel_left", "group_left", "channel_shared", "channel_unshared",
		"channel_id_changed", "group_archive", "group_unarchive", "group_deleted":
		f.room, v = string(w.Channel), ignored
	case "file_shared", "file_created", "file_public", "file_change", "file_deleted", "channel_created", "app_home_opened", "tokens_revoked", "app_uninstalled":
		v = ignored
	default:
		v = unknown
	}
	if r != nil {
		r.ev.Raw = raw
	}
	return r, f, v, kind
}

// message decodes a message event by its subtype (https://docs.slack.dev/reference/events/message#subtypes).
func (d decoder) message(eventID string, w *wire) (*received, verdict) {
	switch w.Subtype {
	case "", "file_share", "thread_broadcast", "me_message", "bot_message":
		return d.said(w)
	case "message_changed":
		return d.changed(w)
	case "message_deleted":
		return d.deleted(w, w.DeletedTS, w.Previous)
	case "channel_topic", "group_topic":
		r := d.begin(adapter.KindTopic, w, w.TS)
		r.ev.ID, r.ev.MessageID, r.text = orElse(eventID, "topic", w), w.TS, w.Topic
		return r, complete(r)
	case "channel_join", "group_join", "channel_leave", "group_leave", "channel_name", "group_name", "channel_purpose", "group_purpose",
		"channel_archive", "group_archive", "channel_unarchive", "group_unarchive", "message_replied", "pinned_item", "unpinned_item",
		"reminder_add", "tombstone", "bot_add", "bot_remove", "file_comment", "file_mention", "channel_convert_to_private", "channel_posting_permissions",
		"bot_enable", "bot_disable", "sh_room_created", "huddle_thread", "assistant_app_thread":
		return nil, ignored // told by an event of its own, or nobody said it
	}
	return nil, unknown
}

// begin makes what all events have.
func (d decoder) begin(kind adapter.Kind, w *wire, ts string) *received {
	ev := &adapter.Event{Kind: kind, Adapter: d.adapter, Time: stampTime(ts), Order: ts, Room: adapter.Room{ID: string(w.Channel), Kind: roomKind(w.ChannelType)}}
	ev.User = d.account(w)
	ev.Self = d.self(w)
	return &received{ev: ev, external: w.UserTeam != "" && w.UserTeam != d.me.team && w.UserTeam != d.me.enterprise}
}

// account is who did it, as far as the event says.
func (d decoder) account(w *wire) adapter.User {
	u := adapter.User{Adapter: d.adapter, Tenant: d.me.team, ID: string(w.User)}
	if w.BotID != "" || w.Subtype == "bot_message" {
		u.Kind, u.Name = adapter.KindBot, w.Username
		if w.BotProfile != nil && u.Name == "" {
			u.Name = w.BotProfile.Name
		}
		if u.ID == "" {
			u.ID = w.BotID
		}
	}
	if u.ID == "USLACKBOT" {
		u.Kind = adapter.KindBot
	}
	return u
}

func (d decoder) self(w *wire) bool {
	return d.me.user != "" && string(w.User) == d.me.user || d.me.bot != "" && w.BotID == d.me.bot
}

// thread gives the thread of a message: "" for what stands in the room itself, the root of a thread too.
func (w *wire) thread() string {
	if w.ThreadTS == w.TS {
		return ""
	}
	return w.ThreadTS
}

// said decodes something that somebody said. Its ID is made of room and stamp, so that the message event, the mention of it
// and what a history gives are one event.
func (d decoder) said(w *wire) (*received, verdict) {
	r := d.begin(adapter.KindMessage, w, w.TS)
	r.ev.ID, r.ev.MessageID, r.ev.Thread, r.text = "message/"+string(w.Channel)+"/"+w.TS, w.TS, w.thread(), w.Text
	r.ev.Files = files(w.Files)
	return r, complete(r)
}

func files(list []wireFile) []adapter.File {
	var out []adapter.File
	for _, f := range list {
		out = append(out, adapter.File{ID: f.ID, Name: f.Name, Type: f.Type, Size: max(f.Size, 0)})
	}
	return out
}

func (d decoder) changed(w *wire) (*received, verdict) {
	m := w.Message
	if m == nil {
		return nil, malformed
	}
	if m.Subtype == "tombstone" { // the root of a thread was deleted
		return d.deleted(w, m.TS, w.Previous)
	}
	if w.Previous != nil && w.Previous.Text == m.Text && len(w.Previous.Files) == len(m.Files) {
		return nil, ignored // a preview came, or a thread grew: nobody changed what was said
	}
	edited := w.TS
	if m.Edited != nil {
		edited = m.Edited.TS
	}
	c := *m
	c.Channel, c.ChannelType = w.Channel, w.ChannelType
	r := d.begin(adapter.KindEdit, &c, edited)
	r.ev.ID, r.ev.MessageID, r.ev.Thread, r.text = "edit/"+string(w.Channel)+"/"+m.TS+"/"+edited, m.TS, m.thread(), m.Text
	r.ev.Files = files(m.Files)
	return r, complete(r)
}

// deleted decodes a deletion. Slack does not say who did it, so User is empty; Self is set on the bot's own messages.
func (d decoder) deleted(w *wire, ts string, previous *wire) (*received, verdict) {
	c := wire{Channel: w.Channel, ChannelType: w.ChannelType}
	r := d.begin(adapter.KindDelete, &c, w.TS)
	r.ev.User = adapter.User{}
	r.ev.ID, r.ev.MessageID = "delete/"+string(w.Channel)+"/"+ts, ts
	if previous != nil {
		p := *previous
		if p.TS == "" {
			p.TS = ts
		}
		r.ev.Thread, r.ev.Self = p.thread(), d.self(&p)
	}
	if ts == "" {
		return nil, malformed
	}
	return r, complete(r)
}

func (d decoder) reaction(eventID string, w *wire) (*received, verdict) {
	if w.Item == nil || w.Item.Type != "message" {
		return nil, ignored // a reaction to a file
	}
	w.Channel = idOf(w.Item.Channel)
	r := d.begin(adapter.KindReaction, w, w.EventTS)
	emoji, _, _ := strings.Cut(w.Reaction, "::") // the colour of the skin
	r.ev.ID, r.ev.MessageID = orElse(eventID, w.Type, w), w.Item.TS
	r.ev.Reaction = &adapter.Reaction{Emoji: strings.Trim(emoji, ":"), Removed: w.Type == "reaction_removed",
		Message: adapter.Ref{Address: adapter.Address{Adapter: d.adapter, Room: w.Item.Channel}, ID: w.Item.TS}}
	if w.ItemUser != "" {
		r.ev.Reaction.Author = adapter.User{Adapter: d.adapter, Tenant: d.me.team, ID: w.ItemUser}
	}
	if r.ev.Reaction.Emoji == "" || w.Item.TS == "" {
		return nil, malformed
	}
	return r, complete(r)
}

func (d decoder) moved(eventID string, w *wire) (*received, verdict) {
	kind := adapter.KindJoin
	if w.Type == "member_left_channel" {
		kind = adapter.KindLeave
	}
	r := d.begin(kind, w, w.EventTS)
	r.ev.ID = orElse(eventID, w.Type, w)
	return r, complete(r)
}

// orElse gives the event's id, or one that a redelivery has too.
func orElse(eventID, kind string, w *wire) string {
	if eventID != "" {
		return eventID
	}
	stamp := w.EventTS
	if stamp == "" {
		stamp = w.TS
	}
	return kind + "/" + string(w.Channel) + "/" + string(w.User) + "/" + stamp
}

// complete finds events that lack what they need.
func complete(r *received) verdict {
	ev := r.ev
	if ev.Room.ID == "" || ev.Order == "" || ev.Kind == adapter.KindMessage && ev.User.ID == "" {
		return malformed
	}
	return deliver
}

func roomKind(channelType string) adapter.RoomKind {
	switch channelType {
	case "channel":
		return adapter.RoomChannel
	case "group":
		return adapter.RoomPrivate
	case "im", "app_home":
		return adapter.RoomDirect
	case "mpim":
		return adapter.RoomGroup
	}
	return adapter.RoomUnknown // member_joined_channel has letters that do not tell private from open
}

// stampTime is the time of a message stamp: seconds and microseconds, which a float would lose.
func stampTime(ts string) time.Time {
	sec, frac, _ := strings.Cut(ts, ".")
	n, err := strconv.ParseInt(sec, 10, 64)
	if err != nil || n <= 0 || n > 1<<37 {
		return time.Time{}
	}
	frac = (frac + "000000")[:6]
	m, err := strconv.ParseInt(frac, 10, 64)
	if err != nil || m < 0 {
		m = 0
	}
	return time.Unix(n, m*1000).UTC()
}

// stampOf is the message stamp of a time.
func stampOf(t time.Time) string {
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000)
}

// slash is a slash command as it is delivered (https://docs.slack.dev/interactivity/implementing-slash-commands).
type slash struct {
	TeamID      string `json:"team_id"`
	ChannelID   string `json:"channel_id"`
	ChannelName string `json:"channel_name"`
	UserID      string `json:"user_id"`
	UserName    string `json:"user_name"`
	Command     string `json:"command"`
	Text        string `json:"text"`
	ResponseURL string `json:"response_url"`
	TriggerID   string `json:"trigger_id"`
}

// slash decodes a slash command. now is its time: Slack gives none.
func (d decoder) slash(raw json.RawMessage, now time.Time) (*received, verdict) {
	var s slash
	if err := json.Unmarshal(raw, &s); err != nil || s.ChannelID == "" || s.UserID == "" || len(s.Command) < 2 || s.TriggerID == "" {
		return nil, malformed
	}
	ev := &adapter.Event{
		ID: "slash/" + digest(s.TriggerID), Kind: adapter.KindInvocation, Adapter: d.adapter, Time: now.UTC().Round(0),
		Room: adapter.Room{ID: s.ChannelID, Kind: kindByName(s.ChannelID, s.ChannelName)},
		User: adapter.User{Adapter: d.adapter, Tenant: d.me.team, ID: s.UserID, Name: s.UserName},
		Raw:  bare(raw),
	}
	if ev.Room.Kind == adapter.RoomUnknown {
		ev.Room.Name = s.ChannelName
	}
	ev.Origin = origin{URL: s.ResponseURL, Got: now.Unix(), User: s.UserID, At: now.UnixMilli(), Trigger: s.TriggerID, Room: s.ChannelID}.String()
	name := strings.TrimPrefix(s.Command, "/")
	if full, ok := d.commands[name]; ok {
		name = full
	}
	r := &received{ev: ev, text: s.Text, once: true, external: d.foreign(s.TeamID)}
	ev.Invocation = &adapter.Invocation{Command: name}
	return r, deliver
}

// kindByName knows the names that Slack gives rooms without one.
func kindByName(id, name string) adapter.RoomKind {
	switch {
	case name == "directmessage" || strings.HasPrefix(id, "D"):
		return adapter.RoomDirect
	case strings.HasPrefix(name, "mpdm-"):
		return adapter.RoomGroup
	case name == "privategroup":
		return adapter.RoomPrivate
	}
	return adapter.RoomUnknown
}

// person is who used something.
type person struct {
	ID, Username, Name string
	TeamID             string `json:"team_id"`
}

func (d decoder) whoActed(p person) adapter.User {
	name := p.Username
	if name == "" {
		name = p.Name
	}
	return adapter.User{Adapter: d.adapter, Tenant: d.me.team, ID: p.ID, Name: name}
}

// foreign tells whether a workspace that Slack names is another one.
func (d decoder) foreign(team string) bool {
	return team != "" && team != d.me.team && team != d.me.enterprise
}

// interaction is a block_actions payload (https://docs.slack.dev/reference/interaction-payloads/block_actions-payload).
type interaction struct {
	Type        string                    `json:"type"`
	User        person                    `json:"user"`
	Channel     struct{ ID, Name string } `json:"channel"`
	TriggerID   string                    `json:"trigger_id"`
	ResponseURL string                    `json:"response_url"`
	Message     *wire                     `json:"message"`
	Container   struct {
		MessageTS string `json:"message_ts"`
		ThreadTS  string `json:"thread_ts"`
		ChannelID string `json:"channel_id"`
	} `json:"container"`
	Actions []struct {
		Type     string `json:"type"`
		ActionID string `json:"action_id"`
		BlockID  string `json:"block_id"`
		Value    string `json:"value"`
		ActionTS string `json:"action_ts"`
		Text     struct {
			Text string `json:"text"`
		} `json:"text"`
	} `json:"actions"`
}

// interaction decodes a pressed button or a submitted form. Other interactions are unknown.
func (d decoder) interaction(raw json.RawMessage, now time.Time) (r *received, v verdict, kind string) {
	var p interaction
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, malformed, p.Type
	}
	switch p.Type {
	case "block_actions":
	case "view_submission":
		r, v = d.submission(raw, now)
		return r, v, p.Type
	default:
		return nil, unknown, p.Type
	}
	for _, act := range p.Actions {
		if act.Type != "button" {
			kind = "block_actions/" + act.Type
			continue
		}
		room, ts := p.Channel.ID, p.Container.MessageTS
		if room == "" {
			room = p.Container.ChannelID
		}
		thread := p.Container.ThreadTS
		if p.Message != nil {
			if ts == "" {
				ts = p.Message.TS
			}
			if thread == "" {
				thread = p.Message.ThreadTS
			}
		}
		if thread == ts {
			thread = ""
		}
		if room == "" || p.User.ID == "" || ts == "" {
			return nil, ignored, "block_actions outside a message" // a button of a home tab or a modal
		}
		at := stampTime(act.ActionTS)
		if at.IsZero() {
			at = now.UTC().Round(0)
		}
		ev := &adapter.Event{
			ID: "click/" + digest(p.TriggerID+"/"+act.ActionTS+"/"+act.BlockID+"/"+act.ActionID+"/"+p.User.ID+"/"+room+"/"+ts), Kind: adapter.KindClick, Adapter: d.adapter,
			Time: at, Order: act.ActionTS, Room: adapter.Room{ID: room, Kind: kindByName(room, p.Channel.Name)}, Thread: thread, MessageID: ts,
			User: d.whoActed(p.User), Raw: bare(raw),
		}
		ev.Click = &adapter.Click{Command: act.Value, Label: unescape(act.Text.Text), Message: ev.Ref()}
		if strings.HasPrefix(act.ActionID, actionPrefix) {
			ev.Click.Command = unpackCommand(act.Value)
		}
		ev.Origin = origin{URL: p.ResponseURL, Got: now.Unix(), User: p.User.ID, At: now.UnixMilli(), Trigger: p.TriggerID, Room: room, Thread: thread}.String()
		return &received{ev: ev, once: true, external: d.foreign(p.User.TeamID)}, deliver, "block_actions/button"
	}
	return nil, unknown, kind
}

// digest shortens what is a secret while it is fresh.
func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:16])
}
