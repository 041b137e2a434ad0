package mattermostfake

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Post is a message.
type Post struct {
	ID, ChannelID, RootID, UserID        string
	Message, Type                        string
	Props                                object
	FileIDs                              []string
	CreateAt, UpdateAt, EditAt, DeleteAt int64
	Pinned                               bool
	Only                                 string // who alone sees it
	Reactions                            map[string][]string

	pending string
}

// pendingPost is what a pending id stands for: the post, or "" while it is saved (app/post.go: deduplicateCreatePost).
type pendingPost struct {
	post  string
	until time.Time
}

// postObject is a post as clients see it: the integrations of its buttons are taken away.
func (s *Server) postObject(p *Post) object {
	props := object{}
	for k, v := range p.Props {
		props[k] = v
	}
	if list, ok := props["attachments"].([]any); ok {
		props["attachments"] = stripped(list)
	}
	o := object{"id": p.ID, "create_at": p.CreateAt, "update_at": p.UpdateAt, "edit_at": p.EditAt, "delete_at": p.DeleteAt, "is_pinned": p.Pinned,
		"user_id": p.UserID, "channel_id": p.ChannelID, "root_id": p.RootID, "original_id": "", "message": p.Message, "type": p.Type, "props": props,
		"hashtags": "", "pending_post_id": p.pending, "reply_count": 0, "participants": nil}
	meta := object{}
	if len(p.FileIDs) > 0 {
		o["file_ids"] = p.FileIDs
		var files []object
		for _, id := range p.FileIDs {
			if f := s.files[id]; f != nil {
				files = append(files, f.object())
			}
		}
		meta["files"] = files
	}
	o["metadata"] = meta
	return o
}

func stripped(list []any) []any {
	var out []any
	for _, a := range list {
		att, ok := a.(object)
		if !ok {
			continue
		}
		c := object{}
		for k, v := range att {
			c[k] = v
		}
		if actions, ok := c["actions"].([]any); ok {
			var shown []any
			for _, x := range actions {
				act := object{}
				if o, ok := x.(object); ok {
					for k, v := range o {
						if k != "integration" {
							act[k] = v
						}
					}
				}
				shown = append(shown, act)
			}
			c["actions"] = shown
		}
		out = append(out, c)
	}
	return out
}

// post saves a post and tells it. It is called with s.mu held.
func (s *Server) post(r *Room, p *Post) {
	p.ID, p.ChannelID = s.id("post"), r.ID
	p.CreateAt = s.now()
	p.UpdateAt = p.CreateAt
	if p.Props == nil {
		p.Props = object{}
	}
	if u := s.users[p.UserID]; u != nil && u.Bot {
		p.Props["from_bot"] = "true"
	}
	s.posts[p.ID] = p
	s.said = append(s.said, p)
	r.lastPost = max(r.lastPost, p.CreateAt)
	if root := s.posts[p.RootID]; root != nil { // a thread grew (store/sqlstore/post_store.go)
		root.UpdateAt = p.CreateAt
	}
	s.publish(s.posted(r, p))
}

// posted is the event of a post (app/notification.go).
func (s *Server) posted(r *Room, p *Post) *frame {
	data := object{"post": text(s.postObject(p)), "channel_type": r.Type, "channel_display_name": r.Name, "channel_name": r.Name, "team_id": r.Team, "set_online": true}
	name := "someone"
	if u := s.users[p.UserID]; u != nil {
		name = u.Name
	}
	if over, ok := p.Props["override_username"].(string); ok {
		name = over
	}
	data["sender_name"] = "@" + name
	if ids := s.mentioned(r, p); len(ids) > 0 {
		data["mentions"] = text(ids)
	}
	return &frame{Event: "posted", Data: data, Broadcast: broadcast{Channel: r.ID}}
}

var mention = regexp.MustCompile(`@([a-z0-9.\-_]+)`)

// withoutCode gives a text without its code, which mentions nobody (app/notification.go looks at text alone): a run of backticks
// up to the next one of the same length.
func withoutCode(t string) string {
	var b strings.Builder
	for t != "" {
		i := strings.IndexByte(t, '`')
		if i < 0 {
			break
		}
		run := t[i:]
		run = run[:len(run)-len(strings.TrimLeft(run, "`"))]
		b.WriteString(t[:i])
		t = t[i+len(run):]
		for rest, at := t, 0; ; {
			j := strings.Index(rest, run)
			if j < 0 {
				b.WriteString(run)
				break
			}
			end := j + len(run)
			if longer := len(rest[j:]) - len(strings.TrimLeft(rest[j:], "`")); longer > len(run) {
				rest, at = rest[j+longer:], at+j+longer
				continue
			}
			b.WriteByte(' ')
			t = t[at+end:]
			break
		}
	}
	return b.String() + t
}

// mentioned gives who a post mentions, by the rules of app/notification.go: its message, and pretext and text of attachments.
func (s *Server) mentioned(r *Room, p *Post) []string {
	var ids []string
	texts := []string{p.Message}
	if list, ok := p.Props["attachments"].([]any); ok {
		for _, a := range list {
			if att, ok := a.(object); ok {
				for _, k := range []string{"pretext", "text"} {
					if t, ok := att[k].(string); ok {
						texts = append(texts, t)
					}
				}
			}
		}
	}
	add := func(id string) {
		if id != p.UserID && r.member(id) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, t := range texts {
		for _, m := range mention.FindAllStringSubmatch(strings.ToLower(withoutCode(t)), -1) {
			name := strings.TrimRight(m[1], ".-_")
			if name == "all" || name == "channel" || name == "here" {
				for _, id := range r.Members {
					add(id)
				}
				continue
			}
			for _, u := range s.users {
				if u.Name == m[1] || u.Name == name {
					add(u.ID)
				}
			}
		}
	}
	if r.Type == "D" {
		for _, id := range r.Members {
			add(id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Pings gives who a post notifies by its text: names of users, and all, channel and here.
func (s *Server) Pings(p *Post) []string {
	texts := []string{p.Message}
	if list, ok := p.Props["attachments"].([]any); ok {
		texts = append(texts, leaves(list)...)
	}
	var out []string
	for _, t := range texts {
		for _, m := range mention.FindAllStringSubmatch(strings.ToLower(withoutCode(t)), -1) {
			out = append(out, strings.TrimRight(m[1], ".-_"))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// leaves gives all strings in v but addresses and those of integrations.
func leaves(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			out = append(out, leaves(e)...)
		}
	case object:
		for k, e := range v {
			if k != "integration" && !strings.HasSuffix(k, "_link") {
				out = append(out, leaves(e)...)
			}
		}
	}
	return out
}

func (s *Server) createPost(c *call) (any, *apiError) {
	var in struct {
		Channel string   `json:"channel_id"`
		Root    string   `json:"root_id"`
		Message string   `json:"message"`
		Type    string   `json:"type"`
		Props   object   `json:"props"`
		Files   []string `json:"file_ids"`
		Pending string   `json:"pending_post_id"`
	}
	if fail := c.into(&in); fail != nil {
		return nil, fail
	}
	r, fail := s.writable(c, in.Channel)
	if fail != nil {
		return nil, fail
	}
	if strings.HasPrefix(in.Type, "system_") {
		return nil, refuse("api.context.invalid_param.app_error", http.StatusBadRequest)
	}
	if in.Pending != "" {
		if p := s.pending[in.Pending]; p != nil && time.Now().Before(p.until) {
			return s.postObject(s.posts[p.post]), nil
		}
	}
	if fail := s.valid(in.Message, in.Props); fail != nil {
		return nil, fail
	}
	if len(in.Files) > 10 {
		return nil, refuse("model.post.is_valid.file_ids.app_error", http.StatusBadRequest)
	}
	if in.Root != "" {
		if root := s.posts[in.Root]; root == nil || root.DeleteAt != 0 || root.RootID != "" || root.ChannelID != r.ID {
			return nil, refuse("api.post.create_post.root_id.app_error", http.StatusBadRequest)
		}
	}
	p := &Post{RootID: in.Root, UserID: c.user, Message: in.Message, Type: in.Type, Props: in.Props, FileIDs: in.Files, pending: in.Pending}
	s.post(r, p)
	for _, id := range in.Files {
		if f := s.files[id]; f != nil {
			f.post = p.ID
		}
	}
	answer := s.postObject(p)
	if in.Pending != "" {
		s.pending[in.Pending] = &pendingPost{p.ID, time.Now().Add(30 * time.Second)}
	}
	p.pending = "" // it is not stored
	return answer, nil
}

// valid checks what model.Post.IsValid does, and what the database refuses.
func (s *Server) valid(message string, props object) *apiError {
	switch {
	case utf8.RuneCountInString(message) > s.opt.MaxPost:
		return refuse("model.post.is_valid.msg.app_error", http.StatusBadRequest)
	case utf8.RuneCountInString(text(props)) > 800_000:
		return refuse("model.post.is_valid.props.app_error", http.StatusBadRequest)
	case strings.Contains(message, "\x00"):
		return refuse("app.post.save.app_error", http.StatusInternalServerError)
	}
	return nil
}

func (s *Server) createEphemeral(c *call) (any, *apiError) {
	var in struct {
		User string `json:"user_id"`
		Post struct {
			Channel string `json:"channel_id"`
			Root    string `json:"root_id"`
			Message string `json:"message"`
			Props   object `json:"props"`
		} `json:"post"`
	}
	if fail := c.into(&in); fail != nil {
		return nil, fail
	}
	if !c.admin {
		return nil, errForbidden
	}
	if s.users[in.User] == nil {
		return nil, refuse("api.context.invalid_param.app_error", http.StatusBadRequest)
	}
	p := s.ephemeral(in.User, in.Post.Channel, in.Post.Root, in.Post.Message, in.Post.Props)
	return s.postObject(p), nil
}

// ephemeral shows a post to one user alone. It is in no history.
func (s *Server) ephemeral(user, channel, root, message string, props object) *Post {
	if props == nil {
		props = object{}
	}
	p := &Post{ID: s.id("ephemeral"), ChannelID: channel, RootID: root, UserID: Bot, Type: "system_ephemeral", Message: message, Props: props, Only: user, CreateAt: s.now()}
	p.UpdateAt = p.CreateAt
	s.said = append(s.said, p)
	return p
}

// own gives a post that the caller may change. One that is not there is forbidden, and not missing (api4/post.go).
func (s *Server) own(c *call, id string) (*Post, *apiError) {
	p := s.posts[id]
	if p == nil || p.DeleteAt != 0 || p.UserID != c.user {
		return nil, errForbidden
	}
	if r := s.rooms[p.ChannelID]; r == nil || !r.member(c.user) {
		return nil, errForbidden
	}
	return p, nil
}

func (s *Server) patchPost(c *call) (any, *apiError) {
	p, fail := s.own(c, c.ids[0])
	if fail != nil {
		return nil, fail
	}
	var in struct {
		Message *string `json:"message"`
		Props   *object `json:"props"`
	}
	if fail := c.into(&in); fail != nil {
		return nil, fail
	}
	message, props := p.Message, p.Props
	if in.Message != nil {
		message = *in.Message
	}
	if in.Props != nil {
		props = *in.Props
	}
	if fail := s.valid(message, props); fail != nil {
		return nil, fail
	}
	s.change(p, message, props)
	return s.postObject(p), nil
}

// change replaces message and props, and tells it (app/post.go: UpdatePost). It is called with s.mu held.
func (s *Server) change(p *Post, message string, props object) {
	now := s.now()
	if p.Message != message || text(p.Props["attachments"]) != text(props["attachments"]) {
		p.EditAt = now
	}
	p.Message, p.Props, p.UpdateAt = message, props, now
	s.publish(&frame{Event: "post_edited", Data: object{"post": text(s.postObject(p))}, Broadcast: broadcast{Channel: p.ChannelID}})
}

func (s *Server) deletePost(c *call) (any, *apiError) {
	p, fail := s.own(c, c.ids[0])
	if fail != nil {
		return nil, fail
	}
	s.remove(p)
	return object{"status": "OK"}, nil
}

// remove deletes a post and tells it. It is called with s.mu held.
func (s *Server) remove(p *Post) {
	before := text(s.postObject(p))
	p.DeleteAt = s.now()
	p.UpdateAt = p.DeleteAt
	s.publish(&frame{Event: "post_deleted", Data: object{"post": before}, Broadcast: broadcast{Channel: p.ChannelID}})
}

var emojiForm = regexp.MustCompile(`^[a-zA-Z0-9\-+_]{1,64}$`)

func (s *Server) saveReaction(c *call) (any, *apiError) {
	var in struct {
		User  string `json:"user_id"`
		Post  string `json:"post_id"`
		Emoji string `json:"emoji_name"`
	}
	if fail := c.into(&in); fail != nil {
		return nil, fail
	}
	if len(in.User) != 26 || len(in.Post) != 26 || !emojiForm.MatchString(in.Emoji) {
		return nil, refuse("api.reaction.save_reaction.invalid.app_error", http.StatusBadRequest)
	}
	if in.User != c.user {
		return nil, refuse("api.reaction.save_reaction.user_id.app_error", http.StatusForbidden)
	}
	p := s.posts[in.Post]
	if p == nil || p.DeleteAt != 0 {
		return nil, errForbidden
	}
	if r := s.rooms[p.ChannelID]; r == nil || !r.member(c.user) {
		return nil, errForbidden
	}
	return s.react(p, in.User, in.Emoji, true), nil
}

// react puts an emoji on a post or takes it away, and tells it. It is called with s.mu held.
func (s *Server) react(p *Post, user, emoji string, add bool) object {
	if p.Reactions == nil {
		p.Reactions = map[string][]string{}
	}
	event := "reaction_added"
	if !add {
		event = "reaction_removed"
		p.Reactions[emoji] = slices.DeleteFunc(p.Reactions[emoji], func(u string) bool { return u == user })
	} else if !slices.Contains(p.Reactions[emoji], user) {
		p.Reactions[emoji] = append(p.Reactions[emoji], user)
	}
	now := s.now()
	p.UpdateAt = now
	o := object{"user_id": user, "post_id": p.ID, "emoji_name": emoji, "create_at": now, "update_at": now, "delete_at": 0, "remote_id": ""}
	if !add {
		o["create_at"] = 0
	}
	s.publish(&frame{Event: event, Data: object{"reaction": text(o)}, Broadcast: broadcast{Channel: p.ChannelID}})
	return o
}

// shownIn gives the posts of a room, oldest first, the deleted ones too. It is called with s.mu held.
func (s *Server) shownIn(room string) []*Post {
	var out []*Post
	for _, p := range s.said {
		if p.ChannelID == room && p.Only == "" {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b *Post) int { return int(a.CreateAt - b.CreateAt) })
	return out
}

func (s *Server) list(posts []*Post) object {
	order, all := []string{}, object{}
	for _, p := range posts {
		order = append(order, p.ID)
		all[p.ID] = s.postObject(p)
		if root := s.posts[p.RootID]; root != nil {
			all[root.ID] = s.postObject(root)
		}
	}
	return object{"order": order, "posts": all, "next_post_id": "", "prev_post_id": ""}
}

// history is GET /channels/{}/posts: since, before, after or a page, newest first (store/sqlstore/post_store.go).
func (s *Server) history(c *call) (any, *apiError) {
	r, fail := s.visible(c, c.ids[0])
	if fail != nil {
		return nil, fail
	}
	all := s.shownIn(r.ID)
	if since, err := strconv.ParseInt(c.query.Get("since"), 10, 64); err == nil && since > 0 {
		var found []*Post
		for _, p := range all {
			if p.UpdateAt > since && len(found) < 1000 {
				found = append(found, p)
			}
		}
		slices.Reverse(found)
		return s.list(found), nil
	}
	page, _ := strconv.Atoi(c.query.Get("page"))
	per := 60
	if n, err := strconv.Atoi(c.query.Get("per_page")); err == nil && n > 0 {
		per = min(n, 200)
	}
	all = slices.DeleteFunc(all, func(p *Post) bool { return p.DeleteAt != 0 })
	slices.Reverse(all)
	if id := c.query.Get("before"); id != "" {
		at := s.posts[id]
		if at == nil {
			return s.list(nil), nil
		}
		all = slices.DeleteFunc(all, func(p *Post) bool { return p.CreateAt >= at.CreateAt })
	}
	from := min(page*per, len(all))
	return s.list(all[from:min(from+per, len(all))]), nil
}

func (s *Server) thread(c *call) (any, *apiError) {
	root := s.posts[c.ids[0]]
	if root == nil || root.DeleteAt != 0 {
		return nil, refuse("app.post.get.app_error", http.StatusNotFound)
	}
	r, fail := s.visible(c, root.ChannelID)
	if fail != nil {
		return nil, fail
	}
	var found []*Post
	for _, p := range s.shownIn(r.ID) {
		if p.DeleteAt == 0 && (p.ID == root.ID || p.RootID == root.ID) {
			found = append(found, p)
		}
	}
	return s.list(found), nil
}

// Pending gives the pending post ids that the server knows.
func (s *Server) Pending() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sorted(keys(s.pending)...)
}
