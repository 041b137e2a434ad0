package mattermostfake

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
)

// File is an uploaded file.
type File struct {
	ID, Name, Type, Content string

	channel, post, user string
}

// upload is an upload under way (api4/upload.go).
type upload struct {
	name, channel string
	size          int64
}

func (f *File) object() object {
	return object{"id": f.ID, "name": f.Name, "size": len(f.Content), "mime_type": f.Type, "post_id": f.post, "user_id": f.user, "extension": path.Ext(f.Name)}
}

func typeOf(name string) string {
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

func (s *Server) createUpload(c *call) (any, *apiError) {
	var in struct {
		Channel string `json:"channel_id"`
		Name    string `json:"filename"`
		Size    int64  `json:"file_size"`
	}
	if fail := c.into(&in); fail != nil {
		return nil, fail
	}
	if _, fail := s.writable(c, in.Channel); fail != nil {
		return nil, fail
	}
	switch {
	case in.Name == "" || in.Size <= 0:
		return nil, refuse("model.upload_session.is_valid.file_size.app_error", http.StatusBadRequest)
	case in.Size > s.opt.MaxFile:
		return nil, refuse("app.upload.create.upload_too_large.app_error", http.StatusRequestEntityTooLarge)
	}
	id := s.id("upload")
	s.uploads[id] = &upload{name: in.Name, channel: in.Channel, size: in.Size}
	return object{"id": id, "filename": in.Name, "file_size": in.Size, "file_offset": 0, "channel_id": in.Channel, "type": "attachment"}, nil
}

func (s *Server) uploadData(c *call) (any, *apiError) {
	u := s.uploads[c.ids[0]]
	if u == nil {
		return nil, refuse("app.upload.get.app_error", http.StatusNotFound)
	}
	if int64(len(c.body)) != u.size {
		return nil, refuse("api.upload.upload_data.invalid_content_length", http.StatusBadRequest)
	}
	delete(s.uploads, c.ids[0])
	f := &File{ID: s.id("file"), Name: u.name, Type: typeOf(u.name), Content: string(c.body), channel: u.channel, user: c.user}
	s.files[f.ID] = f
	return f.object(), nil
}

// uploadForm is the older way of uploading: a form.
func (s *Server) uploadForm(c *call) (any, *apiError) {
	_, params, err := mime.ParseMediaType(c.kind)
	if err != nil {
		return nil, refuse("api.file.upload_file.read_form_value.app_error", http.StatusBadRequest)
	}
	form, err := multipart.NewReader(bytes.NewReader(c.body), params["boundary"]).ReadForm(s.opt.MaxFile)
	if err != nil || len(form.Value["channel_id"]) != 1 {
		return nil, refuse("api.file.upload_file.read_form_value.app_error", http.StatusBadRequest)
	}
	channel := form.Value["channel_id"][0]
	if _, fail := s.writable(c, channel); fail != nil {
		return nil, fail
	}
	infos := []object{}
	for _, h := range form.File["files"] {
		r, err := h.Open()
		if err != nil {
			return nil, refuse("api.file.upload_file.read_request.app_error", http.StatusBadRequest)
		}
		b, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil {
			return nil, refuse("api.file.upload_file.read_request.app_error", http.StatusBadRequest)
		}
		f := &File{ID: s.id("file"), Name: h.Filename, Type: typeOf(h.Filename), Content: string(b), channel: channel, user: c.user}
		s.files[f.ID] = f
		infos = append(infos, f.object())
	}
	return object{"file_infos": infos, "client_ids": []string{}}, nil
}

func (s *Server) file(c *call) (*File, *apiError) {
	f := s.files[c.ids[0]]
	if f == nil {
		return nil, refuse("app.file_info.get.app_error", http.StatusNotFound)
	}
	if r := s.rooms[f.channel]; r == nil || r.Type != "O" && !r.member(c.user) {
		return nil, errForbidden
	}
	return f, nil
}

// Share posts a file with text.
func (s *Server) Share(user, room, text, name, content string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	if r == nil {
		return errNothing
	}
	f := &File{ID: s.id("file"), Name: name, Type: typeOf(name), Content: content, channel: room, user: user}
	s.files[f.ID] = f
	s.post(r, &Post{UserID: user, Message: text, FileIDs: []string{f.ID}})
	return nil
}

// Files gives the files of a post.
func (s *Server) Files(p *Post) []File {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []File
	for _, id := range p.FileIDs {
		if f := s.files[id]; f != nil {
			out = append(out, *f)
		}
	}
	return out
}
