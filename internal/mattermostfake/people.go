package mattermostfake

import (
	"slices"
	"strings"
	"time"
)

// User is an account.
type User struct {
	ID, Name, Email         string
	Bot, Guest, Deactivated bool
	Remote                  string // of another server (shared channels): its id
}

// Team is a team.
type Team struct{ ID, Name string }

// Room is a channel.
type Room struct {
	ID, Name, Type, Team string // Type: O, P, D or G; default O
	Header               string
	Members              []string // the bot need not be named, unless Outside
	Outside              bool     // the bot is no member
	Archived             bool

	lastPost int64
}

// AddUser puts an account in, or in place of the one with its ID.
func (s *Server) AddUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[u.ID] = &u
}

// AddTeam puts a team in.
func (s *Server) AddTeam(t Team) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.teams[t.ID] = &t
}

// AddRoom puts a channel in.
func (s *Server) AddRoom(r Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addRoom(&r)
}

func (s *Server) addRoom(r *Room) {
	if r.Type == "" {
		r.Type = "O"
	}
	if r.Team == "" && (r.Type == "O" || r.Type == "P") {
		r.Team = Main
	}
	if !r.Outside && !slices.Contains(r.Members, Bot) {
		r.Members = append(slices.Clone(r.Members), Bot)
	}
	s.rooms[r.ID] = r
	s.order = append(s.order, r.ID)
}

// Rename changes the name of an account and tells it.
func (s *Server) Rename(user, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := *s.users[user]
	u.Name = name
	s.users[user] = &u
	s.publish(&frame{Event: "user_updated", Data: object{"user": s.userObject(&u)}})
}

// RenameRoom changes the name of a channel and tells it.
func (s *Server) RenameRoom(room, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	r.Name = name
	s.publish(&frame{Event: "channel_updated", Data: object{"channel": text(s.roomObject(r))}, Broadcast: broadcast{Channel: room}})
}

func (s *Server) userObject(u *User) object {
	roles := "system_user"
	if u.Guest {
		roles = "system_guest"
	}
	if u.ID == Bot && s.opt.SystemAdmin {
		roles += " system_admin"
	}
	o := object{"id": u.ID, "username": u.Name, "email": u.Email, "roles": roles, "delete_at": 0, "nickname": "", "locale": "en"}
	if u.Bot {
		o["is_bot"] = true
	}
	if u.Deactivated {
		o["delete_at"] = time.Now().UnixMilli()
	}
	if u.Remote != "" {
		o["remote_id"] = u.Remote
	}
	return o
}

func (s *Server) roomObject(r *Room) object {
	o := object{"id": r.ID, "name": r.Name, "display_name": r.Name, "type": r.Type, "team_id": r.Team, "header": r.Header, "delete_at": 0, "last_post_at": r.lastPost}
	if r.Archived {
		o["delete_at"] = time.Now().UnixMilli()
	}
	return o
}

// direct gives the direct channel of two accounts, which it makes if need be. It is called with s.mu held.
func (s *Server) direct(user string) *Room {
	name := strings.Join(sorted(user, Bot), "__")
	for _, r := range s.rooms {
		if r.Type == "D" && r.Name == name {
			return r
		}
	}
	r := &Room{ID: s.id("direct"), Name: name, Type: "D", Members: []string{user, Bot}}
	s.addRoom(r)
	s.publish(&frame{Event: "direct_added", Data: object{"teammate_id": user}, Broadcast: broadcast{Channel: r.ID}})
	return r
}

func sorted(s ...string) []string { slices.Sort(s); return s }

// member tells whether an account is in a room. It is called with s.mu held.
func (r *Room) member(user string) bool { return slices.Contains(r.Members, user) }

// Join and Leave move an account, with the event and the message that tell it.
func (s *Server) Join(user, room string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	if !r.member(user) {
		r.Members = append(slices.Clone(r.Members), user)
	}
	s.publish(&frame{Event: "user_added", Data: object{"user_id": user, "team_id": r.Team}, Broadcast: broadcast{Channel: room}})
	s.post(r, &Post{UserID: user, Type: "system_join_channel", Message: s.users[user].Name + " joined the channel.", Props: object{"username": s.users[user].Name}})
}

// Leave is the opposite of Join. For the bot itself the event has another form.
func (s *Server) Leave(user, room string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	if user == Bot {
		s.publish(&frame{Event: "user_removed", Data: object{"channel_id": room, "remover_id": ID("alice")}, Broadcast: broadcast{User: Bot}})
	} else {
		s.publish(&frame{Event: "user_removed", Data: object{"user_id": user, "remover_id": user}, Broadcast: broadcast{Channel: room}})
		s.post(r, &Post{UserID: user, Type: "system_leave_channel", Message: s.users[user].Name + " left the channel.", Props: object{"username": s.users[user].Name}})
	}
	r.Members = slices.DeleteFunc(slices.Clone(r.Members), func(m string) bool { return m == user })
}

// ChangeHeader lets a person set the header of a channel: a message of the system tells it.
func (s *Server) ChangeHeader(user, room, header string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setHeader(user, s.rooms[room], header)
}

func (s *Server) setHeader(user string, r *Room, header string) {
	old := r.Header
	r.Header = header
	s.publish(&frame{Event: "channel_updated", Data: object{"channel": text(s.roomObject(r))}, Broadcast: broadcast{Channel: r.ID}})
	s.post(r, &Post{UserID: user, Type: "system_header_change", Message: s.users[user].Name + " updated the channel header to: " + header,
		Props: object{"username": s.users[user].Name, "old_header": old, "new_header": header}})
}

// Header gives the header of a channel.
func (s *Server) Header(room string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rooms[room]; r != nil {
		return r.Header
	}
	return ""
}

// Typing counts the notices of typing of the bot in a room.
func (s *Server) Typing(room string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.typing[room]
}
