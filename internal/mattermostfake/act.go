package mattermostfake

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

var errNothing = errors.New("mattermostfake: no such thing")

// Say lets a person say text in a room; it gives the post's id.
func (s *Server) Say(user, room, text string) (string, error) { return s.SayIn(user, room, "", text) }

// SayIn is Say in a thread.
func (s *Server) SayIn(user, room, root, text string) (string, error) {
	return s.SayPost(room, Post{UserID: user, RootID: root, Message: text})
}

// SayPost posts what it is given.
func (s *Server) SayPost(room string, p Post) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	if r == nil {
		return "", errNothing
	}
	s.post(r, &p)
	return p.ID, nil
}

// Direct says text in the direct room of the bot and a user.
func (s *Server) Direct(user, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.post(s.direct(user), &Post{UserID: user, Message: text})
	return nil
}

// Webhook posts as an incoming webhook of a user does, under a name of its own.
func (s *Server) Webhook(creator, room, name, text string) (string, error) {
	return s.SayPost(room, Post{UserID: creator, Message: text, Props: object{"from_webhook": "true", "override_username": name}})
}

// Edit changes what somebody said.
func (s *Server) Edit(id, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.posts[id]
	if p == nil {
		return errNothing
	}
	s.change(p, text, p.Props)
	return nil
}

// Pin changes a post and not what it says.
func (s *Server) Pin(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.posts[id]
	if p == nil {
		return errNothing
	}
	p.Pinned = !p.Pinned
	s.change(p, p.Message, p.Props)
	return nil
}

// Attach changes the attachments of a post and not what it says: the server calls it edited.
func (s *Server) Attach(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.posts[id]
	if p == nil {
		return errNothing
	}
	props := maps.Clone(p.Props)
	props["attachments"] = []any{object{"text": "a preview"}}
	s.change(p, p.Message, props)
	return nil
}

// Delete removes what somebody said.
func (s *Server) Delete(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.posts[id]
	if p == nil {
		return errNothing
	}
	s.remove(p)
	return nil
}

// React puts an emoji on a message, or takes it away.
func (s *Server) React(user, id, name string, add bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.posts[id]
	if p == nil {
		return errNothing
	}
	s.react(p, user, name, add)
	return nil
}

// Reactions gives the emoji that a user put on a message.
func (s *Server) Reactions(user, id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.posts[id]
	if p == nil {
		return nil
	}
	var out []string
	for name, users := range p.Reactions {
		if slices.Contains(users, user) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Posts gives what is shown that the bot posted, oldest first, ephemeral messages and answers over HTTP too. The posts are copies.
func (s *Server) Posts() []Post {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Post
	for _, p := range s.said {
		if (p.UserID == Bot || p.Props["from_callback"] != nil) && p.DeleteAt == 0 && !strings.HasPrefix(p.Type, "system_") || p.Only != "" {
			c := *p
			c.Props = maps.Clone(p.Props)
			out = append(out, c)
		}
	}
	return out
}

// Get gives a copy of a post.
func (s *Server) Get(id string) (Post, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.posts[id]
	if p == nil {
		return Post{}, false
	}
	return *p, true
}

// Find gives the bot's posts whose shown text contains text.
func (s *Server) Find(text string) []Post {
	var out []Post
	for _, p := range s.Posts() {
		if strings.Contains(Shown(&p), text) {
			out = append(out, p)
		}
	}
	return out
}

// Fields gives the fields of a post, as they are shown.
func Fields(p *Post) (out [][2]string) {
	for _, att := range attachments(p) {
		list, _ := att["fields"].([]any)
		for _, f := range list {
			if o, ok := f.(object); ok {
				title, _ := o["title"].(string)
				value, _ := o["value"].(string)
				out = append(out, [2]string{Plain(title), Plain(value)})
			}
		}
	}
	return out
}

// Buttons gives the labels of the buttons of a post.
func Buttons(p *Post) (out []string) {
	for _, act := range actions(p) {
		name, _ := act["name"].(string)
		out = append(out, strings.ReplaceAll(name, "\u200b", ""))
	}
	return out
}

func attachments(p *Post) (out []object) {
	list, _ := p.Props["attachments"].([]any)
	for _, a := range list {
		if o, ok := a.(object); ok {
			out = append(out, o)
		}
	}
	return out
}

func actions(p *Post) (out []object) {
	for _, att := range attachments(p) {
		list, _ := att["actions"].([]any)
		for _, a := range list {
			if o, ok := a.(object); ok {
				out = append(out, o)
			}
		}
	}
	return out
}

// Said gives the ids of all posts, in the order of their making.
func (s *Server) Said() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.said {
		ids = append(ids, p.ID)
	}
	return ids
}
