package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/lookup"
)

const (
	maxPages  = 100 // of a list that is read
	maxAsked  = 25  // servers that are asked about one user
	maxSearch = 100 // members that a search gives
)

// channelByID looks a room or a thread up.
func (a *Adapter) channelByID(ctx context.Context, id string) (channel, error) {
	return a.channels.Get(ctx, id, func(ctx context.Context) (channel, error) {
		var c wireChannel
		if !isID(id) {
			return channel{}, fmt.Errorf("discord: look up the room %q: %w: ids are numbers", id, adapter.ErrNotFound)
		}
		if err := a.call(ctx, "look up the room "+id, http.MethodGet, "channels/"+id, nil, &c); err != nil {
			return channel{}, err
		}
		return channelOf(&c), nil
	})
}

// place gives the room and the thread of a channel.
func (a *Adapter) place(ctx context.Context, id string) (adapter.Room, string, error) {
	c, err := a.channelByID(ctx, id)
	if err != nil {
		return adapter.Room{}, "", err
	}
	if !isThread(c.kind) || c.parent == "" {
		return c.room(), "", nil
	}
	r := adapter.Room{ID: c.parent, Kind: adapter.RoomChannel}
	if parent, err := a.channelByID(ctx, c.parent); err == nil {
		r = parent.room()
	} else {
		a.log.Debug("the room of a thread could not be looked up", "room", c.parent, "error", err)
	}
	if c.private {
		r.Kind = adapter.RoomPrivate
	}
	return r, id, nil
}

// userByID looks a user up.
func (a *Adapter) userByID(ctx context.Context, id string) (adapter.User, error) {
	return a.users.Get(ctx, id, func(ctx context.Context) (adapter.User, error) {
		if !isID(id) {
			return adapter.User{}, fmt.Errorf("discord: look up the user %q: %w: ids are numbers", id, adapter.ErrNotFound)
		}
		var u wireUser
		if err := a.call(ctx, "look up the user "+id, http.MethodGet, "users/"+id, nil, &u); err != nil {
			return adapter.User{}, err
		}
		out := adapter.User{Adapter: a.cfg.Name, ID: u.ID, Name: u.name(), Kind: u.kind()}
		if out.Kind == adapter.KindUnknown {
			kind, err := a.kindOf(ctx, id)
			if err != nil {
				a.log.Debug("what a user is could not be looked up", "user", id, "error", err)
			}
			out.Kind = kind
		}
		return out, nil
	})
}

// ours tells whether the members of a server count as members.
func (a *Adapter) ours(guild string) bool {
	return len(a.cfg.Guilds) == 0 || slices.Contains(a.cfg.Guilds, guild)
}

// memberKind is what a member of a server is.
func (a *Adapter) memberKind(guild string, m *wireMember) adapter.UserKind {
	switch {
	case !a.ours(guild):
		return adapter.KindExternal
	case m != nil && m.Pending: // has not accepted the server's rules yet
		return adapter.KindGuest
	}
	return adapter.KindMember
}

// kindOf asks the servers whether somebody is their member. Somebody of none of them is external. An error comes with
// KindUnknown, which is treated as a guest.
func (a *Adapter) kindOf(ctx context.Context, user string) (adapter.UserKind, error) {
	return a.kinds.Get(ctx, user, func(ctx context.Context) (adapter.UserKind, error) {
		servers := a.cfg.Guilds
		if len(servers) == 0 {
			if servers = a.guilds.ids(); len(servers) == 0 {
				list, err := a.ownGuilds(ctx)
				if err != nil {
					return adapter.KindUnknown, err
				}
				for _, g := range list {
					servers = append(servers, g.ID)
				}
			}
		}
		kind := adapter.KindExternal
		if len(servers) > maxAsked {
			servers, kind = servers[:maxAsked], adapter.KindUnknown
		}
		for _, g := range servers {
			var m wireMember
			err := a.call(ctx, "look up a member", http.MethodGet, "guilds/"+g+"/members/"+user, nil, &m)
			switch {
			case err == nil && !m.Pending:
				return adapter.KindMember, nil
			case err == nil:
				kind = adapter.KindGuest
			case !errors.Is(err, adapter.ErrNotFound):
				return adapter.KindUnknown, err
			}
		}
		return kind, nil
	})
}

// User implements [adapter.Directory]. A name is a user name, a display name or a nickname: of somebody who was heard
// lately, else of a member of the servers.
func (a *Adapter) User(ctx context.Context, query string) (adapter.User, error) {
	if err := a.life.Usable(ctx, "look up a user"); err != nil {
		return adapter.User{}, err
	}
	if err := a.known(ctx); err != nil {
		return adapter.User{}, err
	}
	id := query
	if name, ok := strings.CutPrefix(query, "@"); ok {
		found, err := a.search(ctx, name)
		if err == nil {
			id, err = found.Pick(name)
		}
		if err != nil {
			return adapter.User{}, fmt.Errorf("discord: look up the user %q: %w", query, err)
		}
	}
	if id == "" {
		return adapter.User{}, fmt.Errorf("discord: look up a user: %w: empty", adapter.ErrNotFound)
	}
	return a.userByID(ctx, id)
}

// search finds users by name.
func (a *Adapter) search(ctx context.Context, name string) (lookup.Names, error) {
	found := lookup.Names{}
	a.users.Each(func(id string, u adapter.User) {
		if strings.EqualFold(u.Name, name) {
			found.Add(u.Name, id)
		}
	})
	if name == "" {
		return found, nil
	}
	servers := a.guilds.ids()
	if len(servers) == 0 {
		list, err := a.ownGuilds(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range list {
			servers = append(servers, g.ID)
		}
	}
	for _, g := range servers[:min(len(servers), maxAsked)] {
		var members []wireMember
		path := fmt.Sprintf("guilds/%s/members/search?query=%s&limit=%d", g, url.QueryEscape(name), maxSearch)
		if err := a.call(ctx, "search the members", http.MethodGet, path, nil, &members); err != nil {
			return nil, err
		}
		for _, m := range members {
			if m.User == nil {
				continue
			}
			for _, n := range []string{m.User.Username, m.User.GlobalName, m.Nick} {
				if strings.EqualFold(n, name) {
					found.Add(name, m.User.ID)
				}
			}
		}
	}
	return found, nil
}

// Room implements [adapter.Directory]. A thread is found by its id, as the room that it is in.
func (a *Adapter) Room(ctx context.Context, query string) (adapter.Room, error) {
	if err := a.life.Usable(ctx, "look up a room"); err != nil {
		return adapter.Room{}, err
	}
	id := query
	if name, ok := strings.CutPrefix(query, "#"); ok {
		index, err := a.index.Get(ctx, "rooms", a.indexRooms)
		if err == nil {
			id, err = index.Pick(name)
		}
		if err != nil {
			return adapter.Room{}, fmt.Errorf("discord: look up the room %q: %w", query, err)
		}
	}
	if id == "" {
		return adapter.Room{}, fmt.Errorf("discord: look up a room: %w: empty", adapter.ErrNotFound)
	}
	r, _, err := a.place(ctx, id)
	return r, err
}

func (a *Adapter) indexRooms(ctx context.Context) (lookup.Names, error) {
	index := lookup.Names{}
	list, err := a.ownGuilds(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range list {
		var channels []wireChannel
		if err := a.call(ctx, "list the rooms", http.MethodGet, "guilds/"+g.ID+"/channels", nil, &channels); err != nil {
			return nil, err
		}
		for i := range channels {
			c := &channels[i]
			if c.Type == channelCategory {
				continue
			}
			if c.GuildID == "" {
				c.GuildID = g.ID
			}
			a.channels.Put(c.ID, channelOf(c))
			index.Add(c.Name, c.ID)
		}
	}
	return index, nil
}

// OpenDirect implements [adapter.DirectOpener]. Errors: [adapter.ErrNotFound], [adapter.ErrForbidden].
func (a *Adapter) OpenDirect(ctx context.Context, userID string) (adapter.Room, error) {
	if err := a.life.Usable(ctx, "open a direct room"); err != nil {
		return adapter.Room{}, err
	}
	if !isID(userID) {
		return adapter.Room{}, fmt.Errorf("discord: open a direct room: user %q: %w", userID, adapter.ErrNotFound)
	}
	var c wireChannel
	if err := a.call(ctx, "open a direct room", http.MethodPost, "users/@me/channels", map[string]string{"recipient_id": userID}, &c); err != nil {
		if hasCode(err, 50035) { // what Discord says of a user that does not exist
			return adapter.Room{}, fmt.Errorf("discord: open a direct room: user %q: %w", userID, adapter.ErrNotFound)
		}
		return adapter.Room{}, err
	}
	c.Recipients = []wireUser{{ID: userID}}
	a.channels.Put(c.ID, channelOf(&c))
	return adapter.Room{ID: c.ID, Kind: adapter.RoomDirect}, nil
}
