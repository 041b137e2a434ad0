package discord

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// What Discord delivers, as far as it is used. Unlike the library's types these take kinds that are new and fields that are
// broken, as long as those used here are not.

type wireUser struct {
	ID         string `json:"id"`
	Username   string `json:"username"`
	GlobalName string `json:"global_name"`
	Bot        bool   `json:"bot"`
	System     bool   `json:"system"`
}

// name is what Discord shows where no server has another one.
func (u *wireUser) name() string {
	if u.GlobalName != "" {
		return u.GlobalName
	}
	return u.Username
}

type wireMember struct {
	User    *wireUser `json:"user"`
	Nick    string    `json:"nick"`
	Pending bool      `json:"pending"`
}

// The types of channel that are told apart (https://discord.com/developers/docs/resources/channel#channel-object-channel-types).
const (
	channelText          = 0
	channelDirect        = 1
	channelGroup         = 3
	channelCategory      = 4
	channelAnnouncement  = 5
	threadOfAnnouncement = 10
	threadPublic         = 11
	threadPrivate        = 12
)

type wireChannel struct {
	ID          string     `json:"id"`
	Type        int        `json:"type"`
	GuildID     string     `json:"guild_id"`
	Name        string     `json:"name"`
	Topic       string     `json:"topic"`
	ParentID    string     `json:"parent_id"`
	LastMessage string     `json:"last_message_id"`
	Recipients  []wireUser `json:"recipients"`
	Overwrites  []struct {
		ID   string `json:"id"`
		Deny string `json:"deny"`
	} `json:"permission_overwrites"`
}

func isThread(channelType int) bool {
	return channelType == threadOfAnnouncement || channelType == threadPublic || channelType == threadPrivate
}

// private tells whether the server's members in general do not see the channel.
func (c *wireChannel) private() bool {
	if c.Type == threadPrivate {
		return true
	}
	for _, o := range c.Overwrites {
		if o.ID == c.GuildID && c.GuildID != "" { // the role that everybody has has the server's id
			deny, err := strconv.ParseInt(o.Deny, 10, 64)
			return err == nil && deny&(1<<10) != 0 // VIEW_CHANNEL
		}
	}
	return false
}

type wireRole struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Tags struct {
		BotID string `json:"bot_id"`
	} `json:"tags"`
}

type wireGuild struct {
	ID            string        `json:"id"`
	Name          string        `json:"name"`
	Unavailable   bool          `json:"unavailable"`
	SystemChannel string        `json:"system_channel_id"`
	Roles         []wireRole    `json:"roles"`
	Channels      []wireChannel `json:"channels"`
	Threads       []wireChannel `json:"threads"`
}

type wireAttachment struct {
	ID          string `json:"id"`
	Filename    string `json:"filename"`
	ContentType string `json:"content_type"`
	Size        int64  `json:"size"`
	URL         string `json:"url"`
}

// wireMessage is a message of an event or of a history.
type wireMessage struct {
	ID            string           `json:"id"`
	ChannelID     string           `json:"channel_id"`
	GuildID       string           `json:"guild_id"`
	Type          int              `json:"type"`
	Content       *string          `json:"content"`
	Author        *wireUser        `json:"author"`
	Member        *wireMember      `json:"member"`
	WebhookID     string           `json:"webhook_id"`
	ApplicationID string           `json:"application_id"`
	Timestamp     string           `json:"timestamp"`
	Edited        *string          `json:"edited_timestamp"`
	Mentions      []wireMention    `json:"mentions"`
	MentionRoles  []string         `json:"mention_roles"`
	Attachments   []wireAttachment `json:"attachments"`
	Flags         int              `json:"flags"`

	// Only whether there are any: a message without content that has them is not one whose content is withheld.
	Embeds     []json.RawMessage `json:"embeds"`
	Components json.RawMessage   `json:"components"`
	Stickers   []json.RawMessage `json:"sticker_items"`
	Poll       json.RawMessage   `json:"poll"`
	Snapshots  []struct {
		Message struct {
			Content string `json:"content"`
		} `json:"message"`
	} `json:"message_snapshots"`
}

type wireMention struct {
	wireUser
	Member *wireMember `json:"member"`
}

// flagLoading and flagEphemeral are flags of a message
// (https://discord.com/developers/docs/resources/message#message-object-message-flags).
const (
	flagSuppressEmbeds = 1 << 2
	flagEphemeral      = 1 << 6
	flagLoading        = 1 << 7
)

// isID tells whether s is a snowflake: a number of 64 bits.
func isID(s string) bool {
	if len(s) == 0 || len(s) > 20 || s[0] == '0' {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}

// epoch is the first millisecond of Discord's ids (https://discord.com/developers/docs/reference#snowflakes).
const epoch = 1_420_070_400_000

// idTime is when an id was made.
func idTime(id string) time.Time {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil || !isID(id) {
		return time.Time{}
	}
	return time.UnixMilli(int64(n>>22) + epoch).UTC()
}

// idAt is the least id of a time.
func idAt(t time.Time) string {
	ms := t.UnixMilli() - epoch
	if ms <= 0 {
		return "0"
	}
	return strconv.FormatUint(uint64(ms)<<22, 10)
}

// older compares ids as numbers; "" is older than all.
func older(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// orderOf is an id that can be compared as a string: [adapter.Event.Order].
func orderOf(id string) string { return fmt.Sprintf("%020s", id) }

// idOf is the id of an Event.Order.
func idOf(order string) string {
	for len(order) > 1 && order[0] == '0' {
		order = order[1:]
	}
	return order
}

// userKind is what an account is, as far as its own fields say.
func (u *wireUser) kind() adapter.UserKind {
	if u.Bot || u.System {
		return adapter.KindBot
	}
	return adapter.KindUnknown
}
