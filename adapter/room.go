package adapter

// RoomKind tells who can be in a room.
type RoomKind string

// The kinds of room. The zero value is treated as a channel.
const (
	RoomUnknown RoomKind = ""
	RoomChannel RoomKind = "channel" // open to the workspace
	RoomPrivate RoomKind = "private" // by invitation
	RoomDirect  RoomKind = "direct"  // one person and the bot: all text there is addressed to the bot
	RoomGroup   RoomKind = "group"   // a direct conversation of several people
)

// Room is a place where messages are: channel, group, direct conversation.
type Room struct {
	ID   string   `json:"id,omitempty"`
	Name string   `json:"name,omitempty"` // without # or ~, for display alone
	Kind RoomKind `json:"kind,omitempty"`
}

// String gives #name, or the id where the name is not known or the room is direct.
func (r Room) String() string {
	if r.Name == "" || r.Kind == RoomDirect {
		return r.ID
	}
	return "#" + r.Name
}
