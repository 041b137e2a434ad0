package terminal

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
)

const directPrefix = "dm-" // a direct room's id is this and the user's id

// person makes the user with that name.
func (a *Adapter) person(name string) adapter.User {
	return adapter.User{Adapter: a.cfg.Name, ID: name, Name: name, Kind: adapter.KindMember}
}

// direct gives the direct room of the bot and a user.
func (a *Adapter) direct(userID string) adapter.Room {
	return adapter.Room{ID: directPrefix + userID, Name: userID, Kind: adapter.RoomDirect}
}

// User implements [adapter.Directory]. It knows Config.User, who was played with /as, and the bot; in a playground every
// name is somebody. Names are compared without regard to case, an exact one first.
func (a *Adapter) User(ctx context.Context, query string) (adapter.User, error) {
	return turn(ctx, a, "user", func() (adapter.User, error) { return a.findUser(query) })
}

// findUser is User with a.mu held.
func (a *Adapter) findUser(query string) (adapter.User, error) {
	if query == a.bot.ID {
		return a.bot, nil
	}
	name := strings.TrimPrefix(query, "@")
	if u, err := lookup(&a.users, name, adapter.User.String); err != nil || u.ID != "" {
		return u, err
	}
	if strings.EqualFold(name, a.bot.Name) {
		return a.bot, nil
	}
	if a.cfg.Playground && validName(name) {
		return a.person(name), nil
	}
	return adapter.User{}, fmt.Errorf("terminal: user %q: %w", query, adapter.ErrNotFound)
}

// Room implements [adapter.Directory]. It knows the direct room and where people went with /room; in a playground every
// name is a room.
func (a *Adapter) Room(ctx context.Context, query string) (adapter.Room, error) {
	return turn(ctx, a, "room", func() (adapter.Room, error) { return a.findRoom(query) })
}

// findRoom is Room with a.mu held.
func (a *Adapter) findRoom(query string) (adapter.Room, error) {
	if !strings.HasPrefix(query, "#") {
		if r, ok := a.roomByID(query); ok {
			return r, nil
		}
		return adapter.Room{}, fmt.Errorf("terminal: room %q: %w", query, adapter.ErrNotFound)
	}
	name := query[1:]
	r, err := lookup(&a.rooms, name, func(r adapter.Room) string {
		if r.Kind == adapter.RoomDirect {
			return "" // #you is not the direct room of you
		}
		return r.Name
	})
	if err != nil || r.ID != "" && r.Kind != adapter.RoomDirect {
		return r, err
	}
	if r, ok := a.roomByID(name); ok && r.Kind != adapter.RoomDirect {
		return r, nil
	}
	return adapter.Room{}, fmt.Errorf("terminal: room %q: %w", query, adapter.ErrNotFound)
}

// roomByID gives the room with that id: one that was seen, or in a playground any that could be. It is called with a.mu
// held.
func (a *Adapter) roomByID(id string) (adapter.Room, bool) {
	if r, ok := a.rooms.get(id); ok {
		return r, true
	}
	if !a.cfg.Playground {
		return adapter.Room{}, false
	}
	if user, ok := strings.CutPrefix(id, directPrefix); ok {
		return a.direct(user), validName(user)
	}
	return adapter.Room{ID: id, Name: id, Kind: adapter.RoomChannel}, validName(id)
}

// OpenDirect implements [adapter.DirectOpener]. Outside a playground there is Config.User alone; another id is
// [adapter.ErrNotFound].
func (a *Adapter) OpenDirect(ctx context.Context, userID string) (adapter.Room, error) {
	return turn(ctx, a, "open direct", func() (adapter.Room, error) { return a.openDirect(userID) })
}

// openDirect is OpenDirect with a.mu held.
func (a *Adapter) openDirect(userID string) (adapter.Room, error) {
	if r, ok := a.roomByID(directPrefix + userID); ok {
		return r, nil
	}
	return adapter.Room{}, fmt.Errorf("terminal: open direct: user %q: %w", userID, adapter.ErrNotFound)
}

// validName tells whether name can be a user or a room: 1 to 64 visible characters without white space, and no sigil first.
func validName(name string) bool {
	return name != "" && name[0] != '@' && name[0] != '#' && utf8.ValidString(name) && utf8.RuneCountInString(name) <= 64 && clean(name) == name && strings.IndexFunc(name, unicode.IsSpace) < 0
}

// lookup finds by id, by name, and by name without regard to case; the zero value for none.
func lookup[T any](k *kept[T], query string, name func(T) string) (found T, err error) {
	if v, ok := k.get(query); ok {
		return v, nil
	}
	n := 0
	for _, v := range k.m {
		if name(v) == query {
			return v, nil
		}
		if strings.EqualFold(name(v), query) {
			found = v
			n++
		}
	}
	if n > 1 {
		var zero T
		return zero, fmt.Errorf("terminal: %q: %w", query, adapter.ErrAmbiguous)
	}
	return found, nil
}

// kept is a map of at most maxKept entries: the one that was put in first goes.
type kept[T any] struct {
	m     map[string]T
	order []string
}

func (k *kept[T]) get(key string) (T, bool) {
	v, ok := k.m[key]
	return v, ok
}

func (k *kept[T]) put(key string, v T) {
	if k.m == nil {
		k.m = make(map[string]T)
	}
	if _, ok := k.m[key]; !ok {
		if len(k.order) == maxKept {
			delete(k.m, k.order[0])
			k.order = k.order[1:]
		}
		k.order = append(k.order, key)
	}
	k.m[key] = v
}

// find gives the newest entry that f is true for.
func (k *kept[T]) find(f func(T) bool) (T, bool) {
	for i := len(k.order) - 1; i >= 0; i-- {
		if v, ok := k.m[k.order[i]]; ok && f(v) {
			return v, true
		}
	}
	var zero T
	return zero, false
}

func (k *kept[T]) remove(key string) {
	if _, ok := k.m[key]; !ok {
		return
	}
	delete(k.m, key)
	for i, o := range k.order {
		if o == key {
			k.order = append(k.order[:i:i], k.order[i+1:]...)
			return
		}
	}
}

func endsInWord(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return s != "" && wordRune(r)
}

func beginsWithWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && wordRune(r)
}

func wordRune(r rune) bool { return r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r) }
