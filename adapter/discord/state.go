package discord

import (
	"encoding/json"
	"hash/maphash"
	"maps"
	"slices"
	"sync"

	"github.com/starlingbot/starling/adapter"
)

const (
	maxRoles   = 50_000 // role names remembered
	maxTopics  = 50_000 // rooms whose topic is remembered
	maxServers = 5_000
)

// guilds are the servers that the bot is in, as the gateway told.
type guilds struct {
	mu      sync.Mutex
	seed    maphash.Seed
	all     map[string]*guild
	roles   map[string]string // names by id
	own     map[string]bool   // the bot's own roles: a mention of one is a mention of the bot
	topics  map[string]uint64 // of rooms, hashed
	waiting map[string]bool   // servers that READY named and that have not come yet
}

type guild struct {
	id, name, system string
	away             bool // Discord says that it is not available
}

func (g *guilds) init() {
	g.seed = maphash.MakeSeed()
	g.all, g.roles, g.own, g.topics, g.waiting = map[string]*guild{}, map[string]string{}, map[string]bool{}, map[string]uint64{}, map[string]bool{}
}

// ids gives the servers, in order.
func (g *guilds) ids() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.all))
}

// role gives the name of a role, and whether it is the bot's own.
func (g *guilds) role(id string) (name string, own bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.roles[id], g.own[id]
}

// system gives the room in which a server greets its members; "" if it has none.
func (g *guilds) system(id string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.all[id]; s != nil {
		return s.system
	}
	return ""
}

// expect notes the servers that READY names: they come one by one.
func (g *guilds) expect(list []wireGuild) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = map[string]bool{}
	for _, s := range list {
		g.waiting[s.ID] = true
	}
}

// add takes a server; missed: it was known before, so that something may have happened there meanwhile.
func (g *guilds) add(s *wireGuild, me string) (missed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.all[s.ID]
	missed = g.waiting[s.ID] || old != nil && old.away
	delete(g.waiting, s.ID)
	if old == nil && len(g.all) >= maxServers {
		return missed
	}
	g.all[s.ID] = &guild{id: s.ID, name: s.Name, system: s.SystemChannel}
	for _, r := range s.Roles {
		g.addRole(r, me)
	}
	for i := range s.Channels {
		g.topic(&s.Channels[i])
	}
	return missed
}

func (g *guilds) addRole(r wireRole, me string) {
	if _, ok := g.roles[r.ID]; !ok && len(g.roles) >= maxRoles {
		return
	}
	g.roles[r.ID] = r.Name
	if r.Tags.BotID != "" && r.Tags.BotID == me {
		g.own[r.ID] = true
	}
}

// topic notes the topic of a room and tells whether it was another one before.
func (g *guilds) topic(c *wireChannel) (changed bool) {
	sum := maphash.String(g.seed, c.Topic)
	was, ok := g.topics[c.ID]
	if ok || len(g.topics) < maxTopics {
		g.topics[c.ID] = sum
	}
	return ok && was != sum
}

// setTopic notes a topic that the bot is about to set, so that the event of it is no news. undo takes that back.
func (g *guilds) setTopic(room, topic string) (undo func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	was, ok := g.topics[room]
	g.topic(&wireChannel{ID: room, Topic: topic})
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if ok {
			g.topics[room] = was
		} else {
			delete(g.topics, room)
		}
	}
}

// channelOf is what is remembered of a channel.
func channelOf(c *wireChannel) channel {
	out := channel{id: c.ID, guild: c.GuildID, parent: c.ParentID, name: c.Name, kind: c.Type, private: c.private()}
	if c.Type == channelDirect && len(c.Recipients) == 1 {
		out.recipient = c.Recipients[0].ID
	}
	return out
}

// learn takes from an event of the gateway what is remembered: servers, rooms, roles. It gives the event of a changed
// topic. known: the kind is one of those that nothing else is made of.
func (a *Adapter) learn(kind string, raw json.RawMessage) (topic *wireChannel, known bool, err error) {
	me := ""
	if id := a.me.Load(); id != nil {
		me = id.user
	}
	switch kind {
	case "CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE", "THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE":
		var c wireChannel
		if err := json.Unmarshal(raw, &c); err != nil {
			return nil, true, err
		}
		a.index.Forget("rooms")
		if kind == "CHANNEL_DELETE" || kind == "THREAD_DELETE" {
			a.channels.Forget(c.ID)
			return nil, true, nil
		}
		a.channels.Put(c.ID, channelOf(&c))
		if !isThread(c.Type) {
			a.guilds.mu.Lock()
			changed := a.guilds.topic(&c)
			a.guilds.mu.Unlock()
			if changed && kind == "CHANNEL_UPDATE" {
				return &c, true, nil
			}
		}
	case "THREAD_LIST_SYNC":
		var list struct {
			Threads []wireChannel `json:"threads"`
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, true, err
		}
		for i := range list.Threads {
			a.channels.Put(list.Threads[i].ID, channelOf(&list.Threads[i]))
		}
	case "GUILD_UPDATE":
		var s wireGuild
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, true, err
		}
		a.guilds.mu.Lock()
		if g := a.guilds.all[s.ID]; g != nil {
			g.name, g.system = s.Name, s.SystemChannel
		}
		a.guilds.mu.Unlock()
	case "GUILD_DELETE":
		var s wireGuild
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, true, err
		}
		a.guilds.mu.Lock()
		if g := a.guilds.all[s.ID]; g != nil && s.Unavailable {
			g.away = true
		} else {
			delete(a.guilds.all, s.ID)
		}
		a.guilds.mu.Unlock()
		a.index.Forget("rooms")
	case "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE":
		var r struct {
			Role wireRole `json:"role"`
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			return nil, true, err
		}
		a.guilds.mu.Lock()
		a.guilds.addRole(r.Role, me)
		a.guilds.mu.Unlock()
	case "GUILD_ROLE_DELETE":
		var r struct {
			ID string `json:"role_id"`
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			return nil, true, err
		}
		a.guilds.mu.Lock()
		delete(a.guilds.roles, r.ID)
		delete(a.guilds.own, r.ID)
		a.guilds.mu.Unlock()
	case "GUILD_MEMBER_UPDATE", "USER_UPDATE":
		var m struct {
			ID   string   `json:"id"`
			User wireUser `json:"user"`
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, true, err
		}
		for _, id := range []string{m.ID, m.User.ID} {
			if id != "" {
				a.users.Forget(id)
				a.kinds.Forget(id)
			}
		}
	case "CHANNEL_PINS_UPDATE", "THREAD_MEMBER_UPDATE", "THREAD_MEMBERS_UPDATE", "TYPING_START", "PRESENCE_UPDATE", "VOICE_STATE_UPDATE", "VOICE_SERVER_UPDATE",
		"GUILD_EMOJIS_UPDATE", "GUILD_STICKERS_UPDATE", "GUILD_INTEGRATIONS_UPDATE", "INTEGRATION_CREATE", "INTEGRATION_UPDATE", "INTEGRATION_DELETE", "WEBHOOKS_UPDATE",
		"INVITE_CREATE", "INVITE_DELETE", "APPLICATION_COMMAND_PERMISSIONS_UPDATE", "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE",
		"STAGE_INSTANCE_CREATE", "STAGE_INSTANCE_UPDATE", "STAGE_INSTANCE_DELETE", "VOICE_CHANNEL_STATUS_UPDATE", "MESSAGE_REACTION_REMOVE_ALL", "MESSAGE_REACTION_REMOVE_EMOJI",
		"MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE", "PRESENCES_REPLACE", "SESSIONS_REPLACE":
	default:
		return nil, false, nil
	}
	return nil, true, nil
}

// spoken remembers what messages said, so that an edit can be told from a preview that came, and which were the bot's own:
// of the last 20,000 at least.
type spoken struct {
	mu       sync.Mutex
	seed     maphash.Seed
	now, old map[string]said
}

type said struct {
	sum  uint64 // of the text
	self bool
}

const maxSpoken = 20_000

func (s *spoken) init() {
	s.seed, s.now, s.old = maphash.MakeSeed(), map[string]said{}, map[string]said{}
}

// note remembers a message, and tells whether its text is the one that it had.
func (s *spoken) note(id, text string, self bool) (same bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := said{maphash.String(s.seed, text), self}
	was, ok := s.now[id]
	if !ok {
		was, ok = s.old[id]
	}
	if len(s.now) >= maxSpoken {
		s.old, s.now = s.now, map[string]said{}
	}
	s.now[id] = one
	return ok && was.sum == one.sum
}

// self tells whether a message was the bot's own.
func (s *spoken) self(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now[id].self || s.old[id].self
}

// channel is what is remembered of a room or a thread.
type channel struct {
	id, guild, parent, name, recipient string
	kind                               int
	private                            bool
}

// room gives the room of a channel, without its name where it is a thread's: that of the parent is asked for.
func (c channel) room() adapter.Room {
	r := adapter.Room{ID: c.id, Name: c.name, Kind: adapter.RoomChannel}
	switch {
	case c.kind == channelDirect:
		r.Kind, r.Name = adapter.RoomDirect, ""
	case c.kind == channelGroup:
		r.Kind = adapter.RoomGroup
	case c.private:
		r.Kind = adapter.RoomPrivate
	}
	return r
}
