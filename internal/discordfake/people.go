package discordfake

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// User is an account.
type User struct {
	ID, Name, Global, Nick string
	Bot                    bool
	Pending                bool // has not accepted the server's rules
	Outside                bool // is no member of the server
}

// Channel is a room or a thread.
type Channel struct {
	ID, Guild, Name, Topic, Parent string
	Type                           int
	Private                        bool
	Recipient                      string
	Hidden                         bool // the bot may not see it
	System                         bool // the server greets people here
	messages                       []*Message
}

// The types of channel.
const (
	ChannelText  = 0
	channelDM    = 1
	threadOfText = 11
)

func isThread(t int) bool { return t == 10 || t == 11 || t == 12 }

// AddUser adds an account.
func (s *Server) AddUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[u.ID] = &u
}

// AddGuild adds a server that the bot is in.
func (s *Server) AddGuild(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guilds = append(s.guilds, id)
}

// AddChannel adds a room; without a server it is one of [Guild]. While the bot is connected it hears of it.
func (s *Server) AddChannel(c Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Guild == "" && c.Type != channelDM {
		c.Guild = Guild
	}
	s.addChannel(&c)
	if c.Type != channelDM {
		s.deliver("CHANNEL_CREATE", intentGuilds, s.channelObject(&c))
	}
}

func (s *Server) addChannel(c *Channel) {
	s.channels[c.ID] = c
	s.order = append(s.order, c.ID)
}

func (s *Server) userObject(id string) object {
	u := s.users[id]
	if u == nil {
		return object{"id": id, "username": "ghost"}
	}
	o := object{"id": u.ID, "username": u.Name, "discriminator": "0", "global_name": nil, "avatar": nil}
	if u.Global != "" {
		o["global_name"] = u.Global
	}
	if u.Bot {
		o["bot"] = true
	}
	return o
}

func (s *Server) memberObject(u *User, withUser bool) object {
	o := object{"nick": nil, "roles": []string{}, "joined_at": "2024-01-02T03:04:05.000000+00:00", "deaf": false, "mute": false, "pending": u.Pending}
	if u.Nick != "" {
		o["nick"] = u.Nick
	}
	if withUser {
		o["user"] = s.userObject(u.ID)
	}
	return o
}

func (s *Server) guildObject(id string) object {
	channels, threads := []object{}, []object{}
	system := any(nil)
	for _, cid := range s.order {
		c := s.channels[cid]
		if c.Guild != id {
			continue
		}
		o := s.channelObject(c)
		delete(o, "guild_id") // left out there
		if isThread(c.Type) {
			threads = append(threads, o)
		} else {
			channels = append(channels, o)
		}
		if c.System {
			system = c.ID
		}
	}
	return object{"id": id, "name": "server " + id, "system_channel_id": system, "channels": channels, "threads": threads, "large": false, "member_count": len(s.users),
		"roles": []object{{"id": id, "name": "@everyone"}, {"id": RoleOps, "name": "ops"}, {"id": RoleBot, "name": "starling", "tags": object{"bot_id": BotUser}}}}
}

// The roles of every server.
const (
	RoleOps = "100000000000000020"
	RoleBot = "100000000000000021"
)

func (s *Server) channelObject(c *Channel) object {
	o := object{"id": c.ID, "type": c.Type, "last_message_id": nil}
	if n := len(c.messages); n > 0 {
		o["last_message_id"] = c.messages[n-1].ID
	}
	if c.Type == channelDM {
		o["recipients"] = []object{s.userObject(c.Recipient)}
		return o
	}
	o["guild_id"], o["name"], o["topic"], o["permission_overwrites"] = c.Guild, c.Name, c.Topic, []object{}
	if c.Private {
		o["permission_overwrites"] = []object{{"id": c.Guild, "type": 0, "allow": "0", "deny": "1024"}}
	}
	if c.Parent != "" {
		o["parent_id"] = c.Parent
	}
	if isThread(c.Type) {
		o["thread_metadata"] = object{"archived": false, "auto_archive_duration": 1440, "locked": false}
		delete(o, "topic")
	}
	return o
}

// channel finds the room of a call.
func (s *Server) channel(c *call) (*Channel, *apiError) {
	ch := s.channels[c.parts[1]]
	switch {
	case ch == nil:
		return nil, errUnknownChannel
	case ch.Hidden:
		return nil, errMissingAccess
	}
	return ch, nil
}

func (s *Server) search(c *call) (any, *apiError) {
	query := strings.ToLower(c.query.Get("query"))
	if query == "" {
		return nil, invalid("query")
	}
	list := []object{}
	for _, u := range s.users {
		if !u.Outside && (strings.HasPrefix(strings.ToLower(u.Name), query) || strings.HasPrefix(strings.ToLower(u.Nick), query)) {
			list = append(list, s.memberObject(u, true))
		}
	}
	return list, nil
}

// direct gives the direct room of the bot and a user.
func (s *Server) direct(user string) *Channel {
	for _, c := range s.channels {
		if c.Type == channelDM && c.Recipient == user {
			return c
		}
	}
	c := &Channel{ID: s.id(), Type: channelDM, Recipient: user}
	s.addChannel(c)
	return c
}

func (s *Server) openDirect(c *call) (any, *apiError) {
	var d struct {
		Recipient string `json:"recipient_id"`
	}
	if json.Unmarshal(c.body, &d) != nil || s.users[d.Recipient] == nil {
		return nil, invalid("recipient_id")
	}
	if s.users[d.Recipient].Bot {
		return nil, refuse(400, 50007, "Cannot send messages to this user")
	}
	return s.channelObject(s.direct(d.Recipient)), nil
}

func (s *Server) setTopic(c *call) (any, *apiError) {
	ch, fail := s.channel(c)
	if fail != nil {
		return nil, fail
	}
	var d struct {
		Topic *string `json:"topic"`
	}
	if json.Unmarshal(c.body, &d) != nil || d.Topic == nil || utf8.RuneCountInString(*d.Topic) > 1024 {
		return nil, invalid("topic")
	}
	ch.Topic = *d.Topic
	s.deliver("CHANNEL_UPDATE", intentGuilds, s.channelObject(ch))
	return s.channelObject(ch), nil
}

// ChangeTopic lets somebody set the topic.
func (s *Server) ChangeTopic(room, topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels[room].Topic = topic
	s.deliver("CHANNEL_UPDATE", intentGuilds, s.channelObject(s.channels[room]))
}

// Topic gives the topic of a room.
func (s *Server) Topic(room string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channels[room]; c != nil {
		return c.Topic
	}
	return ""
}

// Join and Leave move a person.
func (s *Server) Join(user string) { s.move(user, "GUILD_MEMBER_ADD") }

// Leave lets a person leave the server.
func (s *Server) Leave(user string) { s.move(user, "GUILD_MEMBER_REMOVE") }

func (s *Server) move(user, kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := object{"guild_id": Guild, "user": s.userObject(user)}
	if kind == "GUILD_MEMBER_ADD" {
		o = s.memberObject(s.users[user], true)
		o["guild_id"] = Guild
	}
	s.deliver(kind, intentMembers, o)
}

// Outage makes a server unavailable for a while, or brings it back.
func (s *Server) Outage(guild string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away[guild] = on
	if on {
		s.deliver("GUILD_DELETE", intentGuilds, object{"id": guild, "unavailable": true})
		return
	}
	s.deliver("GUILD_CREATE", intentGuilds, s.guildObject(guild))
}
