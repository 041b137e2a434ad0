package mattermost

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
)

// room is what is remembered of a room.
type room struct {
	adapter.Room
	other string // the other account of a direct room
}

// userByID looks a user up.
func (a *Adapter) userByID(ctx context.Context, id string) (adapter.User, error) {
	if !model.IsValidId(id) { // it would be part of a path
		return adapter.User{}, fmt.Errorf("mattermost: look up the user %q: %w", id, adapter.ErrNotFound)
	}
	return a.users.Get(ctx, id, func(ctx context.Context) (adapter.User, error) {
		u, resp, err := a.with(ctx).GetUser(id, "")
		if err != nil {
			return adapter.User{}, a.fail("look up the user "+id, resp, err)
		}
		if u.Id != id {
			return adapter.User{}, fmt.Errorf("mattermost: look up the user %s: the answer is of another one", id)
		}
		return a.userOf(u), nil
	})
}

// userOf makes a user of the library's. Its name is the one that mentions it.
func (a *Adapter) userOf(u *model.User) adapter.User {
	out := adapter.User{Adapter: a.cfg.Name, Tenant: a.cfg.Tenant, ID: u.Id, Name: u.Username, Email: u.Email, Kind: adapter.KindMember}
	switch {
	case u.DeleteAt != 0:
		out.Kind = adapter.KindDeactivated
	case u.IsBot:
		out.Kind = adapter.KindBot
	case u.RemoteId != nil && *u.RemoteId != "":
		out.Kind = adapter.KindExternal
	case u.IsGuest():
		out.Kind = adapter.KindGuest
	case u.Roles == "": // nothing is known of it
		out.Kind = adapter.KindUnknown
	}
	return out
}

// roomByID looks a room up.
func (a *Adapter) roomByID(ctx context.Context, id string) (room, error) {
	if !model.IsValidId(id) {
		return room{}, fmt.Errorf("mattermost: look up the room %q: %w", id, adapter.ErrNotFound)
	}
	return a.rooms.Get(ctx, id, func(ctx context.Context) (room, error) {
		c, resp, err := a.with(ctx).GetChannel(id, "")
		if err != nil {
			return room{}, a.fail("look up the room "+id, resp, err)
		}
		if c.Id != id {
			return room{}, fmt.Errorf("mattermost: look up the room %s: the answer is of another one", id)
		}
		return a.roomOf(c), nil
	})
}

// roomOf makes a room of the library's. Its name is the one that links it; a direct room has none.
func (a *Adapter) roomOf(c *model.Channel) room {
	r := room{Room: adapter.Room{ID: c.Id, Name: c.Name, Kind: roomKind(string(c.Type))}}
	switch r.Kind {
	case adapter.RoomDirect:
		r.Name = ""
		one, two, _ := strings.Cut(c.Name, "__")
		r.other = two
		if me := a.me.Load(); me != nil && two == me.id {
			r.other = one
		}
	case adapter.RoomGroup:
		r.Name = c.DisplayName
	}
	return r
}

// roomKind maps model.ChannelType.
func roomKind(t string) adapter.RoomKind {
	switch t {
	case "O":
		return adapter.RoomChannel
	case "P":
		return adapter.RoomPrivate
	case "D":
		return adapter.RoomDirect
	case "G":
		return adapter.RoomGroup
	}
	return adapter.RoomUnknown
}

// User implements [adapter.Directory]. A name is that of the account.
func (a *Adapter) User(ctx context.Context, query string) (adapter.User, error) {
	if err := a.life.Usable(ctx, "look up a user"); err != nil {
		return adapter.User{}, err
	}
	id := query
	if name, ok := strings.CutPrefix(query, "@"); ok {
		var err error
		if id, err = a.userID(ctx, name); err != nil {
			return adapter.User{}, fmt.Errorf("mattermost: look up the user %q: %w", query, err)
		}
	}
	return a.userByID(ctx, id)
}

// userID finds the id of an account by its name.
func (a *Adapter) userID(ctx context.Context, name string) (string, error) {
	name = strings.ToLower(name)
	if !validName(name) {
		return "", adapter.ErrNotFound
	}
	return a.byName.Get(ctx, "@"+name, func(ctx context.Context) (string, error) {
		u, resp, err := a.with(ctx).GetUserByUsername(name, "")
		if err != nil {
			return "", a.fail("look up the user @"+name, resp, err)
		}
		if strings.ToLower(u.Username) != name || !model.IsValidId(u.Id) {
			return "", fmt.Errorf("mattermost: look up the user @%s: the answer is of another one", name)
		}
		a.users.Put(u.Id, a.userOf(u))
		return u.Id, nil
	})
}

// validName tells whether a name can be part of a path: names of accounts and channels are of these (model.IsValidUsername and
// IsValidChannelIdentifier of the server).
func validName(name string) bool {
	if name == "" || len(name) > 64 || strings.Trim(name, ".") == "" {
		return false
	}
	for i := range len(name) {
		if !nameByte(name[i]) {
			return false
		}
	}
	return true
}

// nameByte tells whether c may stand in the name of an account.
func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_'
}

// Room implements [adapter.Directory]. A name is that in the channel's address; it may be that of channels in several teams.
func (a *Adapter) Room(ctx context.Context, query string) (adapter.Room, error) {
	if err := a.life.Usable(ctx, "look up a room"); err != nil {
		return adapter.Room{}, err
	}
	id := query
	if name, ok := strings.CutPrefix(strings.Replace(query, "~", "#", 1), "#"); ok {
		var err error
		if id, err = a.roomID(ctx, name); err != nil {
			return adapter.Room{}, fmt.Errorf("mattermost: look up the room %q: %w", query, err)
		}
	}
	r, err := a.roomByID(ctx, id)
	return r.Room, err
}

// roomID finds the id of a room by its name, in all teams of the bot.
func (a *Adapter) roomID(ctx context.Context, name string) (string, error) {
	name = strings.ToLower(name)
	if !validName(name) {
		return "", adapter.ErrNotFound
	}
	me, err := a.known(ctx)
	if err != nil {
		return "", err
	}
	return a.byName.Get(ctx, "#"+name, func(ctx context.Context) (string, error) {
		c := a.with(ctx)
		teams, resp, err := c.GetTeamsForUser(me.id, "")
		if err != nil {
			return "", a.fail("list the bot's teams", resp, err)
		}
		var found []string
		for _, t := range teams {
			if !model.IsValidId(t.Id) {
				continue
			}
			ch, resp, err := c.GetChannelByName(name, t.Id, "")
			if err != nil {
				if _, kind := meaning(status(resp), ""); errors.Is(kind, adapter.ErrNotFound) || errors.Is(kind, adapter.ErrForbidden) {
					continue
				}
				return "", a.fail("look up the room #"+name, resp, err)
			}
			a.rooms.Put(ch.Id, a.roomOf(ch))
			found = append(found, ch.Id)
		}
		switch len(found) {
		case 0:
			return "", adapter.ErrNotFound
		case 1:
			return found[0], nil
		}
		return "", fmt.Errorf("%w: %s", adapter.ErrAmbiguous, strings.Join(found[:min(len(found), 5)], ", "))
	})
}

func status(resp *model.Response) int {
	if resp == nil {
		return 0
	}
	return resp.StatusCode
}

// OpenDirect implements [adapter.DirectOpener]. Errors: [adapter.ErrNotFound], [adapter.ErrForbidden].
func (a *Adapter) OpenDirect(ctx context.Context, userID string) (adapter.Room, error) {
	if err := a.life.Usable(ctx, "open a direct room"); err != nil {
		return adapter.Room{}, err
	}
	if !model.IsValidId(userID) {
		return adapter.Room{}, fmt.Errorf("mattermost: open a direct room: user %q: %w", userID, adapter.ErrNotFound)
	}
	me, err := a.known(ctx)
	if err != nil {
		return adapter.Room{}, err
	}
	c, resp, err := a.with(ctx).CreateDirectChannel(me.id, userID)
	if err != nil {
		return adapter.Room{}, a.fail("open a direct room", resp, err)
	}
	r := a.roomOf(c)
	if r.Kind != adapter.RoomDirect || r.other != userID {
		return adapter.Room{}, fmt.Errorf("mattermost: open a direct room with %s: the answer is another room", userID)
	}
	a.rooms.Put(r.ID, r)
	return r.Room, nil
}

// forget drops from the caches what an event makes stale.
func (a *Adapter) forget(f forget) {
	if f.user != "" {
		if old, ok := a.users.Peek(f.user); ok {
			a.byName.Forget("@" + strings.ToLower(old.Name))
		}
		a.users.Forget(f.user)
	}
	if f.room != "" {
		if old, ok := a.rooms.Peek(f.room); ok {
			a.byName.Forget("#" + strings.ToLower(old.Name))
		}
		a.rooms.Forget(f.room)
	}
	if f.name != "" {
		a.byName.Forget(f.name)
	}
	if f.everybody {
		a.users.Clear()
	}
}
