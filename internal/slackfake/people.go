package slackfake

import (
	"slices"
	"strings"
)

// User is an account.
type User struct {
	ID, Name, Display, Email                              string
	Team                                                  string // "" is the workspace's
	Bot, Guest, SingleChannelGuest, Stranger, Deactivated bool
}

// Room is a conversation.
type Room struct {
	ID, Name string
	Type     string // channel, group, im, mpim; "" is channel
	Topic    string
	Members  []string // without the bot
	Outside  bool     // the bot is no member
	Archived bool

	messages []*Message // shown to all, oldest first
}

// AddUser adds an account.
func (s *Server) AddUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[u.ID] = &u
}

// AddRoom adds a conversation.
func (s *Server) AddRoom(r Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addRoom(r)
}

func (s *Server) addRoom(r Room) *Room {
	if r.Type == "" {
		r.Type = "channel"
	}
	if s.rooms[r.ID] == nil {
		s.order = append(s.order, r.ID)
	}
	s.rooms[r.ID] = &r
	return &r
}

// Topic gives the topic of a room.
func (s *Server) Topic(room string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rooms[room]; r != nil {
		return r.Topic
	}
	return ""
}

// Rename renames a user and tells the app.
func (s *Server) Rename(user, display string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[user]
	u.Display = display
	s.deliver(object{"type": "user_change", "user": s.userObject(u), "event_ts": s.ts()})
}

// RenameRoom renames a room and tells the app.
func (s *Server) RenameRoom(room, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rooms[room].Name = name
	s.deliver(object{"type": "channel_rename", "channel": object{"id": room, "name": name, "created": 1}, "event_ts": s.ts()})
}

func (s *Server) userObject(u *User) object {
	team := u.Team
	if team == "" {
		team = s.team
	}
	return object{
		"id": u.ID, "team_id": team, "name": u.Name, "deleted": u.Deactivated, "is_bot": u.Bot, "is_restricted": u.Guest || u.SingleChannelGuest,
		"is_ultra_restricted": u.SingleChannelGuest, "is_stranger": u.Stranger, "real_name": u.Display,
		"profile": object{"display_name": u.Display, "real_name": u.Display, "email": u.Email},
	}
}

func (s *Server) userInfo(c *call) (object, *apiError) {
	u := s.users[c.get("user")]
	if u == nil {
		return refuse("user_not_found")
	}
	return object{"user": s.userObject(u)}, nil
}

func (s *Server) listUsers(c *call) (object, *apiError) {
	ids := make([]string, 0, len(s.users))
	for id := range s.users {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	ids, next, fail := page(c, ids, 1000)
	if fail != nil {
		return nil, fail
	}
	members := []object{}
	for _, id := range ids {
		members = append(members, s.userObject(s.users[id]))
	}
	return object{"members": members, "response_metadata": object{"next_cursor": next}}, nil
}

func (s *Server) roomObject(r *Room) object {
	o := object{
		"id": r.ID, "created": 1, "is_channel": r.Type == "channel", "is_group": r.Type == "group", "is_im": r.Type == "im", "is_mpim": r.Type == "mpim",
		"is_private": r.Type != "channel", "is_archived": r.Archived, "is_member": !r.Outside,
	}
	if r.Type == "im" {
		o["user"] = r.Members[0]
		return o
	}
	o["name"], o["name_normalized"], o["topic"] = r.Name, r.Name, object{"value": r.Topic}
	return o
}

func (s *Server) roomInfo(c *call) (object, *apiError) {
	r := s.rooms[c.get("channel")]
	if r == nil || r.Outside && r.Type != "channel" {
		return refuse("channel_not_found")
	}
	return object{"channel": s.roomObject(r)}, nil
}

func (s *Server) listRooms(c *call) (object, *apiError) {
	types := strings.Split(c.get("types"), ",")
	name := map[string]string{"channel": "public_channel", "group": "private_channel", "im": "im", "mpim": "mpim"}
	var all []*Room
	for _, id := range s.order {
		r := s.rooms[id]
		if !slices.Contains(types, name[r.Type]) || r.Outside && (c.method == "users.conversations" || r.Type != "channel") {
			continue
		}
		if r.Archived && c.get("exclude_archived") == "true" {
			continue
		}
		all = append(all, r)
	}
	all, next, fail := page(c, all, 1000)
	if fail != nil {
		return nil, fail
	}
	list := []object{}
	for _, r := range all {
		list = append(list, s.roomObject(r))
	}
	return object{"channels": list, "response_metadata": object{"next_cursor": next}}, nil
}

func (s *Server) openDirect(c *call) (object, *apiError) {
	user := c.get("users")
	if s.users[user] == nil {
		return refuse("user_not_found")
	}
	return object{"channel": s.roomObject(s.direct(user))}, nil
}

// direct gives the direct room of the bot and a user.
func (s *Server) direct(user string) *Room {
	id := "D" + strings.TrimPrefix(user, "U")
	if r := s.rooms[id]; r != nil {
		return r
	}
	return s.addRoom(Room{ID: id, Type: "im", Members: []string{user}})
}

func (s *Server) setTopic(c *call) (object, *apiError) {
	r, fail := s.writable(c.get("channel"))
	if fail != nil {
		return nil, fail
	}
	topic := c.get("topic")
	if len([]rune(topic)) > 250 {
		return refuse("too_long")
	}
	r.Topic = unescape(topic)
	s.deliver(object{"type": "message", "subtype": "channel_topic", "user": BotUser, "topic": topic, "text": "set the topic: " + topic,
		"channel": r.ID, "channel_type": r.Type, "ts": s.ts()})
	return object{"channel": s.roomObject(r)}, nil
}

// writable gives a room that the bot can write in.
func (s *Server) writable(id string) (*Room, *apiError) {
	r := s.rooms[id]
	switch {
	case r == nil || r.Outside && r.Type != "channel":
		return nil, &apiError{code: "channel_not_found"}
	case r.Archived:
		return nil, &apiError{code: "is_archived"}
	case r.Outside:
		return nil, &apiError{code: "not_in_channel"}
	}
	return r, nil
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func escape(s string) string { return escaper.Replace(s) }

var unescaper = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

func unescape(s string) string { return unescaper.Replace(s) }
