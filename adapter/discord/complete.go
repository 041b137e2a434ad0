package discord

import (
	"context"
	"maps"
	"slices"

	"github.com/starlingbot/starling/adapter"
)

// complete looks up what an event only names by id, and decodes its text. What cannot be looked up in time stays as it is:
// the event is never dropped for it, and a user nobody knows anything about is of KindUnknown, which is treated as a guest.
func (a *Adapter) complete(ctx context.Context, r *received) {
	ctx, cancel := context.WithTimeout(ctx, lookupFor)
	defer cancel()
	ev := r.ev
	a.completePlace(ctx, r)
	a.completeUser(ctx, r)
	n := &lookupNames{a: a, ctx: ctx, known: r.users, guild: r.guild}
	switch ev.Kind {
	case adapter.KindMessage, adapter.KindEdit, adapter.KindTopic:
		ev.Text, ev.Mentions = decodeText(r.text, n)
	case adapter.KindInvocation:
		for _, name := range slices.Sorted(maps.Keys(r.texts)) {
			var more []adapter.User
			ev.Invocation.Options[name], more = decodeText(r.texts[name], n)
			ev.Mentions = append(ev.Mentions, more...)
		}
		if r.text != "" {
			var more []adapter.User
			ev.Invocation.Text, more = decodeText(r.text, n)
			ev.Mentions = append(ev.Mentions, more...)
		}
	}
	if me := a.me.Load(); me != nil && slices.ContainsFunc(ev.Mentions, func(u adapter.User) bool { return u.ID == me.user }) {
		ev.Mentioned, ev.BotName = true, me.name
	}
	for i := range ev.Files {
		f := &ev.Files[i]
		f.Open = a.opener(adapter.File{ID: f.ID, Name: f.Name, Type: f.Type})
	}
}

// completePlace finds out which room it is, and which thread.
func (a *Adapter) completePlace(ctx context.Context, r *received) {
	ev := r.ev
	switch {
	case r.channel == "":
		return
	case r.guild == "" && r.known == nil: // the bot is in no group of people
		ev.Room = adapter.Room{ID: r.channel, Kind: adapter.RoomDirect}
	default:
		if r.known != nil {
			if !isThread(r.known.kind) { // it may lack who sees it, which a look-up tells
				ev.Room = r.known.room()
			}
			if r.guild == "" {
				break
			}
		}
		room, thread, err := a.place(ctx, r.channel)
		switch {
		case err == nil:
			ev.Room, ev.Thread = room, thread
		case r.known != nil && isThread(r.known.kind) && r.known.parent != "":
			ev.Room, ev.Thread = adapter.Room{ID: r.known.parent}, r.channel
		}
		if err != nil {
			a.log.Debug("a room could not be looked up", "room", r.channel, "error", err)
		}
	}
	if ev.Reaction != nil {
		ev.Reaction.Message = adapter.Ref{Address: ev.Address(), ID: ev.MessageID}
	}
	if ev.Click != nil {
		ev.Click.Message = adapter.Ref{Address: ev.Address(), ID: ev.MessageID}
	}
}

// completeUser finds out what the user is, and the name where the event lacks it.
func (a *Adapter) completeUser(ctx context.Context, r *received) {
	u := &r.ev.User
	if u.ID == "" {
		return
	}
	if r.ev.Self {
		u.Kind = adapter.KindBot
		if me := a.me.Load(); me != nil {
			u.Name = me.name
		}
		return
	}
	if u.Name == "" {
		if found, err := a.userByID(ctx, u.ID); err == nil {
			u.Name = found.Name
			if found.Kind == adapter.KindBot {
				u.Kind = found.Kind
			}
		} else {
			a.log.Debug("a user could not be looked up", "user", u.ID, "error", err)
		}
	}
	if u.Kind == adapter.KindUnknown {
		if r.guild != "" && !a.ours(r.guild) {
			u.Kind = adapter.KindExternal
		} else if kind, err := a.kindOf(ctx, u.ID); err == nil {
			u.Kind = kind
		} else {
			a.log.Debug("what a user is could not be looked up", "user", u.ID, "error", err)
		}
	}
	if u.Name != "" && r.guild != "" && r.ev.Kind != adapter.KindLeave && a.ours(r.guild) {
		a.users.Put(u.ID, *u) // by which a name that was just read is found
	}
}

// lookupNames finds the names in a text.
type lookupNames struct {
	a     *Adapter
	ctx   context.Context
	known map[string]adapter.User // whom the event itself names; nil: it does not say
	guild string
	asked int
}

func (n *lookupNames) bot() (adapter.User, bool) {
	me := n.a.me.Load()
	if me == nil {
		return adapter.User{}, false
	}
	return adapter.User{Adapter: n.a.cfg.Name, ID: me.user, Name: me.name, Kind: adapter.KindBot}, true
}

// user gives a user. Discord says which ones a message mentions: what only looks like a mention, in a piece of code, is none.
func (n *lookupNames) user(id string) (adapter.User, bool) {
	if me, ok := n.bot(); ok && me.ID == id {
		return me, n.known == nil || n.known[id].ID != ""
	}
	if n.known != nil {
		u, ok := n.known[id]
		if ok && u.Kind == adapter.KindUnknown {
			if seen, err := n.a.userByID(n.ctx, id); err == nil {
				u.Kind = seen.Kind
			}
		}
		return u, ok
	}
	u := adapter.User{Adapter: n.a.cfg.Name, ID: id}
	if n.asked++; n.asked <= maxNames {
		if found, err := n.a.userByID(n.ctx, id); err == nil {
			return found, true
		}
	}
	return u, true
}

func (n *lookupNames) room(id string) string {
	if n.asked++; n.asked <= maxNames {
		if found, err := n.a.channelByID(n.ctx, id); err == nil && found.name != "" {
			return found.name
		}
	}
	return id
}

func (n *lookupNames) role(id string) (string, bool) { return n.a.guilds.role(id) }
