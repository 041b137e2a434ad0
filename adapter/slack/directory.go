package slack

import (
	"context"
	"fmt"
	"strings"

	slackgo "github.com/slack-go/slack"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/lookup"
)

// userByID looks a user up.
func (a *Adapter) userByID(ctx context.Context, id string) (adapter.User, error) {
	return a.users.Get(ctx, id, func(ctx context.Context) (adapter.User, error) {
		u, err := a.api.GetUserInfoContext(ctx, id)
		if err != nil {
			return adapter.User{}, a.fail("look up the user "+id, err)
		}
		return a.userOf(u), nil
	})
}

// userOf makes a user of the library's.
func (a *Adapter) userOf(u *slackgo.User) adapter.User {
	me := a.me.Load()
	if me == nil {
		me = &identity{team: u.TeamID}
	}
	out := adapter.User{Adapter: a.cfg.Name, Tenant: me.team, ID: u.ID, Name: u.Profile.DisplayName, Email: u.Profile.Email, Kind: adapter.KindMember}
	if out.Name == "" {
		out.Name = u.RealName
	}
	if out.Name == "" {
		out.Name = u.Name
	}
	switch {
	case u.Deleted:
		out.Kind = adapter.KindDeactivated
	case u.IsBot || u.IsWorkflowBot || u.ID == "USLACKBOT":
		out.Kind = adapter.KindBot
	case u.IsStranger || u.TeamID != "" && u.TeamID != me.team && (me.enterprise == "" || u.Enterprise.EnterpriseID != me.enterprise):
		out.Kind = adapter.KindExternal
	case u.IsRestricted || u.IsUltraRestricted:
		out.Kind = adapter.KindGuest
	}
	return out
}

// roomByID looks a room up.
func (a *Adapter) roomByID(ctx context.Context, id string) (adapter.Room, error) {
	return a.rooms.Get(ctx, id, func(ctx context.Context) (adapter.Room, error) {
		c, err := a.api.GetConversationInfoContext(ctx, &slackgo.GetConversationInfoInput{ChannelID: id})
		if err != nil {
			return adapter.Room{}, a.fail("look up the room "+id, err)
		}
		return roomOf(c), nil
	})
}

// roomOf makes a room of the library's.
func roomOf(c *slackgo.Channel) adapter.Room {
	r := adapter.Room{ID: c.ID, Name: c.Name, Kind: adapter.RoomChannel}
	switch {
	case c.IsIM:
		r.Kind, r.Name = adapter.RoomDirect, ""
	case c.IsMpIM:
		r.Kind = adapter.RoomGroup
	case c.IsPrivate || c.IsGroup:
		r.Kind = adapter.RoomPrivate
	}
	return r
}

const maxPages = 100 // of a list that is read for its names

// User implements [adapter.Directory]. A name is the account's handle, its display name or its full name.
func (a *Adapter) User(ctx context.Context, query string) (adapter.User, error) {
	if err := a.life.Usable(ctx, "look up a user"); err != nil {
		return adapter.User{}, err
	}
	if err := a.known(ctx); err != nil {
		return adapter.User{}, err
	}
	id := query
	if name, ok := strings.CutPrefix(query, "@"); ok {
		index, err := a.index.Get(ctx, "users", a.indexUsers)
		if err == nil {
			id, err = index.Pick(name)
		}
		if err != nil {
			return adapter.User{}, fmt.Errorf("slack: look up the user %q: %w", query, err)
		}
	}
	if id == "" {
		return adapter.User{}, fmt.Errorf("slack: look up a user: %w: empty", adapter.ErrNotFound)
	}
	return a.userByID(ctx, id)
}

// known signs in where nobody did yet: users carry the workspace in their key.
func (a *Adapter) known(ctx context.Context) error {
	if a.me.Load() != nil {
		return nil
	}
	err := a.authTest(ctx)
	if a.me.Load() != nil { // a missing scope is Run's to tell
		return nil
	}
	return err
}

func (a *Adapter) indexUsers(ctx context.Context) (lookup.Names, error) {
	index := lookup.Names{}
	p := a.api.GetUsersPaginated(slackgo.GetUsersOptionLimit(1000))
	for range maxPages {
		var err error
		if p, err = p.Next(ctx); p.Done(err) {
			return index, nil
		} else if err != nil {
			return nil, a.fail("list the users", err)
		}
		for i := range p.Users {
			u := &p.Users[i]
			if u.Deleted {
				continue
			}
			index.Add(u.Name, u.ID)
			index.Add(u.Profile.DisplayName, u.ID)
			index.Add(u.RealName, u.ID)
		}
	}
	return index, nil
}

// Room implements [adapter.Directory].
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
			return adapter.Room{}, fmt.Errorf("slack: look up the room %q: %w", query, err)
		}
	}
	if id == "" {
		return adapter.Room{}, fmt.Errorf("slack: look up a room: %w: empty", adapter.ErrNotFound)
	}
	return a.roomByID(ctx, id)
}

func (a *Adapter) indexRooms(ctx context.Context) (lookup.Names, error) {
	index := lookup.Names{}
	cursor := ""
	for range maxPages {
		list, next, err := a.api.GetConversationsContext(ctx, &slackgo.GetConversationsParameters{
			Cursor: cursor, Limit: 999, ExcludeArchived: true, Types: []string{"public_channel", "private_channel"}})
		if err != nil {
			return nil, a.fail("list the rooms", err)
		}
		for i := range list {
			index.Add(list[i].Name, list[i].ID)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return index, nil
}

// OpenDirect implements [adapter.DirectOpener]. Errors: [adapter.ErrNotFound], [adapter.ErrForbidden].
func (a *Adapter) OpenDirect(ctx context.Context, userID string) (adapter.Room, error) {
	if err := a.life.Usable(ctx, "open a direct room"); err != nil {
		return adapter.Room{}, err
	}
	if userID == "" || strings.ContainsAny(userID, ", ") { // several users would open a group
		return adapter.Room{}, fmt.Errorf("slack: open a direct room: user %q: %w", userID, adapter.ErrNotFound)
	}
	c, _, _, err := a.api.OpenConversationContext(ctx, &slackgo.OpenConversationParameters{Users: []string{userID}, ReturnIM: true})
	if err != nil {
		return adapter.Room{}, a.fail("open a direct room", err)
	}
	r := adapter.Room{ID: c.ID, Kind: adapter.RoomDirect}
	a.rooms.Put(r.ID, r)
	return r, nil
}
