package discord

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"github.com/starlingbot/starling/adapter"
)

// received is an event on its way to the sink, before names are looked up.
type received struct {
	ev      *adapter.Event
	channel string            // where it happened: a room or a thread
	guild   string            // "" in a direct room
	known   *channel          // the channel, where the event itself has it
	text    string            // as Discord delivers it
	texts   map[string]string // options that are text, likewise
	users   map[string]adapter.User
	member  *wireMember
	answer  *answer // of an interaction: how it is answered; it is not delivered again
}

// verdict is what is to be done with what came.
type verdict string

const (
	deliver   verdict = "delivered"
	ignored   verdict = "ignored"   // of no interest, or told by another event too
	unknown   verdict = "unknown"   // a kind that is not mapped
	malformed verdict = "malformed" // it cannot be read
)

// decoder turns what Discord delivers into events. It looks nothing up: that is the intake's.
type decoder struct {
	adapter string
	me      identity
	spoken  *spoken
	ours    func(guild string, m *wireMember) adapter.UserKind
	greets  func(guild string) string
	stamp   string // names a delivery over the gateway: session and sequence; the same when it is replayed
	now     time.Time
}

// decoder gives the decoder of this moment.
func (a *Adapter) decoder(stamp string) decoder {
	d := decoder{adapter: a.cfg.Name, spoken: &a.spoken, ours: a.memberKind, greets: a.guilds.system, stamp: stamp, now: a.now().UTC().Round(0)}
	if me := a.me.Load(); me != nil {
		d.me = *me
	}
	return d
}

// event decodes a dispatch of the gateway. Interactions are decoded by interaction.
func (d decoder) event(kind string, raw json.RawMessage) (list []*received, v verdict) {
	one := func(r *received, v verdict) ([]*received, verdict) {
		if v != deliver {
			return nil, v
		}
		r.ev.Raw = raw
		return []*received{r}, v
	}
	switch kind {
	case "MESSAGE_CREATE":
		var m wireMessage
		if json.Unmarshal(raw, &m) != nil {
			return nil, malformed
		}
		return one(d.said(&m))
	case "MESSAGE_UPDATE":
		var m wireMessage
		if json.Unmarshal(raw, &m) != nil {
			return nil, malformed
		}
		return one(d.edited(&m))
	case "MESSAGE_DELETE":
		var m struct {
			ID        string `json:"id"`
			ChannelID string `json:"channel_id"`
			GuildID   string `json:"guild_id"`
		}
		if json.Unmarshal(raw, &m) != nil {
			return nil, malformed
		}
		return one(d.deleted(m.ID, m.ChannelID, m.GuildID))
	case "MESSAGE_DELETE_BULK":
		var m struct {
			IDs       []string `json:"ids"`
			ChannelID string   `json:"channel_id"`
			GuildID   string   `json:"guild_id"`
		}
		if json.Unmarshal(raw, &m) != nil {
			return nil, malformed
		}
		for _, id := range m.IDs {
			r, v := d.deleted(id, m.ChannelID, m.GuildID)
			if v != deliver {
				return nil, v
			}
			r.ev.Raw, _ = json.Marshal(map[string]string{"id": id, "channel_id": m.ChannelID, "guild_id": m.GuildID})
			list = append(list, r)
		}
		return list, deliver
	case "MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE":
		return one(d.reaction(raw, kind == "MESSAGE_REACTION_REMOVE"))
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_REMOVE":
		return one(d.moved(raw, kind == "GUILD_MEMBER_REMOVE"))
	}
	return nil, unknown
}

// begin makes what all events have.
func (d decoder) begin(kind adapter.Kind, channelID, guild string, at time.Time) *received {
	r := &received{ev: &adapter.Event{Kind: kind, Adapter: d.adapter, Time: at, Room: adapter.Room{ID: channelID}}, channel: channelID, guild: guild}
	if guild == "" {
		r.ev.Room.Kind = adapter.RoomDirect
	}
	return r
}

// who makes a user of an account, with what its server says of it.
func (d decoder) who(u *wireUser, m *wireMember, guild string) adapter.User {
	if u == nil {
		return adapter.User{}
	}
	out := adapter.User{Adapter: d.adapter, ID: u.ID, Name: u.name(), Kind: u.kind()}
	if m != nil && m.Nick != "" {
		out.Name = m.Nick
	}
	if u.ID == d.me.user {
		out.Name, out.Kind = d.me.name, adapter.KindBot
	}
	if out.Kind == adapter.KindUnknown && m != nil && guild != "" {
		out.Kind = d.ours(guild, m)
	}
	return out
}

// author is who said something.
func (d decoder) author(m *wireMessage) (u adapter.User, self bool) {
	u = d.who(m.Author, m.Member, m.GuildID)
	if m.WebhookID != "" && (m.ApplicationID == "" || m.ApplicationID != d.me.app) { // a hook has a name that anybody may choose
		u.Kind = adapter.KindBot
		if u.ID == "" {
			u.ID = m.WebhookID
		}
	}
	return u, d.me.user != "" && (u.ID == d.me.user || m.ApplicationID != "" && m.ApplicationID == d.me.app)
}

// The types of message that somebody says (https://discord.com/developers/docs/resources/message#message-object-message-types);
// those up to maxMessageType that are not here are Discord's own.
const (
	messageDefault = 0
	messageReply   = 19
	messageCommand = 20 // what a bot answered to a slash command
	messageContext = 23 // or to a command of a menu
	maxMessageType = 46
)

// said decodes something that somebody said. Its ID is made of the message's, so that live and from a history it is one
// event.
func (d decoder) said(m *wireMessage) (*received, verdict) {
	switch m.Type {
	case messageDefault, messageReply, messageCommand, messageContext:
	default:
		if m.Type > maxMessageType || m.Type < 0 {
			return nil, unknown
		}
		return nil, ignored // somebody joined, a thread began, a message was pinned: other events tell it, or nobody said it
	}
	if !isID(m.ID) || !isID(m.ChannelID) || m.Author == nil && m.WebhookID == "" {
		return nil, malformed
	}
	if m.Flags&flagLoading != 0 { // the bot, or another one, is about to answer
		_, self := d.author(m)
		d.spoken.note(m.ID, "", self)
		return nil, ignored
	}
	r := d.begin(adapter.KindMessage, m.ChannelID, m.GuildID, idTime(m.ID))
	r.ev.ID, r.ev.MessageID, r.ev.Order = "message/"+m.ID, m.ID, orderOf(m.ID)
	r.ev.User, r.ev.Self = d.author(m)
	r.member = m.Member
	d.content(r, m)
	d.spoken.note(m.ID, r.text, r.ev.Self)
	return r, deliver
}

// content reads the text, the mentions and the files.
func (d decoder) content(r *received, m *wireMessage) {
	if m.Content != nil {
		r.text = *m.Content
	}
	if r.text == "" && len(m.Snapshots) > 0 { // forwarded
		r.text = m.Snapshots[0].Message.Content
	}
	r.users = map[string]adapter.User{}
	for i := range m.Mentions {
		u := &m.Mentions[i]
		r.users[u.ID] = d.who(&u.wireUser, u.Member, m.GuildID)
		if u.ID == d.me.user && d.me.user != "" { // in the text, or by a reply
			r.ev.Mentioned, r.ev.BotName = true, d.me.name
		}
	}
	for _, f := range m.Attachments {
		r.ev.Files = append(r.ev.Files, adapter.File{ID: m.ChannelID + "/" + m.ID + "/" + f.ID, Name: f.Filename, Type: mediaType(f.ContentType), Size: max(f.Size, 0)})
	}
}

// withheld tells whether a message of a person came without anything in it, as it does while the Message Content Intent is off.
func (m *wireMessage) withheld() bool {
	some := func(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" && string(raw) != "[]" }
	return m.GuildID != "" && m.Content != nil && *m.Content == "" && m.WebhookID == "" && m.Author != nil && !m.Author.Bot && len(m.Attachments) == 0 &&
		len(m.Embeds) == 0 && len(m.Stickers) == 0 && len(m.Snapshots) == 0 && !some(m.Components) && !some(m.Poll)
}

func mediaType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.TrimSpace(s)
}

// edited decodes a change of what was said. Discord tells of previews, pins and threads in the same way: without a time of
// an edit, or with the text as it was.
func (d decoder) edited(m *wireMessage) (*received, verdict) {
	if !isID(m.ID) || !isID(m.ChannelID) {
		return nil, malformed
	}
	if m.Content == nil || m.Edited == nil || *m.Edited == "" {
		return nil, ignored
	}
	at, err := time.Parse(time.RFC3339Nano, *m.Edited)
	if err != nil {
		return nil, malformed
	}
	r := d.begin(adapter.KindEdit, m.ChannelID, m.GuildID, at.UTC())
	r.ev.ID, r.ev.MessageID = "edit/"+m.ID+"/"+strconv.FormatInt(at.UnixMicro(), 10), m.ID
	r.ev.User, r.ev.Self = d.author(m)
	r.member = m.Member
	d.content(r, m)
	if d.spoken.note(m.ID, r.text, r.ev.Self) {
		return nil, ignored
	}
	return r, deliver
}

// deleted decodes a deletion. Discord does not say who did it, so User is empty; Self is set on the bot's own messages, as
// far back as they are remembered.
func (d decoder) deleted(id, channelID, guild string) (*received, verdict) {
	if !isID(id) || !isID(channelID) {
		return nil, malformed
	}
	r := d.begin(adapter.KindDelete, channelID, guild, d.now)
	r.ev.ID, r.ev.MessageID, r.ev.Self = "delete/"+id, id, d.spoken.self(id)
	return r, deliver
}

func (d decoder) reaction(raw json.RawMessage, removed bool) (*received, verdict) {
	var w struct {
		UserID    string      `json:"user_id"`
		ChannelID string      `json:"channel_id"`
		MessageID string      `json:"message_id"`
		GuildID   string      `json:"guild_id"`
		Member    *wireMember `json:"member"`
		AuthorID  string      `json:"message_author_id"`
		Emoji     struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"emoji"`
	}
	if json.Unmarshal(raw, &w) != nil || !isID(w.UserID) || !isID(w.ChannelID) || !isID(w.MessageID) || w.Emoji.Name == "" && w.Emoji.ID == "" {
		return nil, malformed
	}
	r := d.begin(adapter.KindReaction, w.ChannelID, w.GuildID, d.now)
	kind := "reaction/"
	if removed {
		kind = "unreaction/"
	}
	r.ev.ID, r.ev.MessageID = kind+d.stamp, w.MessageID
	r.ev.User = adapter.User{Adapter: d.adapter, ID: w.UserID}
	if w.Member != nil && w.Member.User != nil {
		r.ev.User, r.member = d.who(w.Member.User, w.Member, w.GuildID), w.Member
	}
	r.ev.Self = d.me.user != "" && w.UserID == d.me.user
	emoji := strings.Trim(w.Emoji.Name, ":")
	if emoji == "" { // a custom one that was deleted
		emoji = w.Emoji.ID
	}
	r.ev.Reaction = &adapter.Reaction{Emoji: emoji, Removed: removed}
	switch {
	case w.AuthorID != "":
		r.ev.Reaction.Author = adapter.User{Adapter: d.adapter, ID: w.AuthorID}
	case d.spoken.self(w.MessageID):
		r.ev.Reaction.Author = adapter.User{Adapter: d.adapter, ID: d.me.user}
	}
	return r, deliver
}

// moved decodes that somebody came to a server or left it: servers have members, rooms have none. Its room is the one in
// which the server greets people.
func (d decoder) moved(raw json.RawMessage, left bool) (*received, verdict) {
	var w struct {
		wireMember
		GuildID string `json:"guild_id"`
		Joined  string `json:"joined_at"`
	}
	if json.Unmarshal(raw, &w) != nil || w.User == nil || !isID(w.User.ID) || !isID(w.GuildID) {
		return nil, malformed
	}
	room := d.greets(w.GuildID)
	if room == "" {
		return nil, ignored // there is no room to say it in
	}
	kind := adapter.KindJoin
	if left {
		kind = adapter.KindLeave
	}
	r := d.begin(kind, room, w.GuildID, d.now)
	if at, err := time.Parse(time.RFC3339Nano, w.Joined); err == nil && !left {
		r.ev.Time = at.UTC()
	}
	r.ev.ID = string(kind) + "/" + d.stamp
	r.ev.User, r.ev.Self = d.who(w.User, &w.wireMember, w.GuildID), w.User.ID == d.me.user
	r.member = &w.wireMember
	return r, deliver
}

// topic decodes a changed topic. Discord does not say who changed it.
func (d decoder) topic(c *wireChannel, raw json.RawMessage) *received {
	r := d.begin(adapter.KindTopic, c.ID, c.GuildID, d.now)
	r.ev.ID, r.text, r.ev.Raw = "topic/"+d.stamp, c.Topic, raw
	return r
}

// stampOf names a delivery without showing the session, which is a secret while it lives.
func stampOf(session string, seq int64) string {
	h := sha256.Sum256([]byte(session))
	return hex.EncodeToString(h[:10]) + "/" + strconv.FormatInt(seq, 10)
}

// Decode gives the library's value of an event's Raw: a pointer to one of the types of package discordgo that is named for
// the event (MessageCreate, MessageUpdate, MessageDelete, MessageReactionAdd, MessageReactionRemove, GuildMemberAdd,
// GuildMemberRemove, ChannelUpdate), an InteractionCreate for KindInvocation and KindClick, with the token out of Event.Origin.
func Decode(ev *adapter.Event) (any, error) {
	if len(ev.Raw) == 0 {
		return nil, fmt.Errorf("discord: decode: %w: the event has no Raw", adapter.ErrNotFound)
	}
	var v any
	switch ev.Kind {
	case adapter.KindMessage:
		v = &discordgo.MessageCreate{}
	case adapter.KindEdit:
		v = &discordgo.MessageUpdate{}
	case adapter.KindDelete:
		v = &discordgo.MessageDelete{}
	case adapter.KindReaction:
		v = &discordgo.MessageReactionAdd{}
		if ev.Reaction != nil && ev.Reaction.Removed {
			v = &discordgo.MessageReactionRemove{}
		}
	case adapter.KindJoin:
		v = &discordgo.GuildMemberAdd{}
	case adapter.KindLeave:
		v = &discordgo.GuildMemberRemove{}
	case adapter.KindTopic:
		v = &discordgo.ChannelUpdate{}
	case adapter.KindInvocation, adapter.KindClick:
		v = &discordgo.InteractionCreate{}
	default:
		return nil, fmt.Errorf("discord: decode: %w: no event of Discord is of kind %q", adapter.ErrUnsupported, ev.Kind)
	}
	if err := json.Unmarshal(ev.Raw, v); err != nil {
		return nil, fmt.Errorf("discord: decode: %w", errors.Join(adapter.ErrInvalid, err))
	}
	if i, ok := v.(*discordgo.InteractionCreate); ok && i.Interaction != nil {
		o, _ := readOrigin(ev.Origin)
		i.Token = o.Token
	}
	return v, nil
}
