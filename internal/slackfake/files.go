package slackfake

import (
	"encoding/json"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// File is an uploaded file.
type File struct {
	ID, Name, Type string
	Alt            string // what is read aloud in place of a picture
	Content        string
	size           int
	complete       bool
}

// typeOf knows a picture, which Slack shows as one, by the end of its name.
func typeOf(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".gif":
		return "image/gif"
	case ".webp":
		return "image/webp"
	}
	return "text/plain"
}

func (s *Server) fileObject(f *File) object {
	url := "http://" + s.net.Host() + "/files/" + f.ID
	return object{"id": f.ID, "name": f.Name, "title": f.Name, "mimetype": f.Type, "size": len(f.Content), "url_private": url, "url_private_download": url + "/download"}
}

func (s *Server) uploadURL(c *call) (object, *apiError) {
	n, err := strconv.Atoi(c.get("length"))
	if err != nil || n < 1 || c.get("filename") == "" {
		return refuse("invalid_arguments")
	}
	if n > 1<<30 {
		return refuse("file_upload_size_restricted")
	}
	f := &File{ID: s.id("F"), Name: c.get("filename"), Alt: c.get("alt_txt"), Type: typeOf(c.get("filename")), size: n}
	s.files[f.ID] = f
	where := "/upload/v1/" + f.ID
	s.uploads[where] = f.ID
	return object{"upload_url": "http://" + s.net.Host() + where, "file_id": f.ID}, nil
}

func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		mr, err := r.MultipartReader()
		if err != nil {
			http.Error(w, "bad multipart", http.StatusBadRequest)
			return
		}
		part, err := mr.NextPart()
		if err != nil {
			http.Error(w, "bad multipart", http.StatusBadRequest)
			return
		}
		body = part
	}
	b, err := io.ReadAll(io.LimitReader(body, 64<<20))
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[s.uploads[r.URL.Path]]
	if err != nil || f == nil || len(b) != f.size {
		http.Error(w, "bad upload", http.StatusBadRequest)
		return
	}
	f.Content = string(b)
	_, _ = io.WriteString(w, "OK - "+strconv.Itoa(len(b)))
}

func (s *Server) completeUpload(c *call) (object, *apiError) {
	var list []struct{ ID, Title string }
	if err := json.Unmarshal([]byte(c.get("files")), &list); err != nil || len(list) == 0 {
		return refuse("invalid_arguments")
	}
	r, fail := s.writable(c.get("channel_id"))
	if fail != nil {
		return nil, fail
	}
	m := &Message{Room: r.ID, Thread: c.get("thread_ts"), User: BotUser, BotID: BotID, Text: c.get("initial_comment"), Markup: true}
	files := []object{}
	for _, e := range list {
		f := s.files[e.ID]
		if f == nil || len(f.Content) != f.size {
			return refuse("file_not_found")
		}
		f.complete = true
		m.Files = append(m.Files, f)
		files = append(files, object{"id": f.ID, "title": e.Title})
	}
	s.post(r, m)
	return object{"files": files}, nil
}

func (s *Server) fileInfo(c *call) (object, *apiError) {
	f := s.files[c.get("file")]
	if f == nil {
		return refuse("file_not_found")
	}
	return object{"file": s.fileObject(f)}, nil
}

func (s *Server) deleteFile(c *call) (object, *apiError) {
	f := s.files[c.get("file")]
	if f == nil {
		return refuse("file_not_found")
	}
	delete(s.files, f.ID)
	for _, r := range s.rooms {
		for _, m := range r.messages {
			for i, g := range m.Files {
				if g == f {
					m.Files = append(m.Files[:i:i], m.Files[i+1:]...)
					break
				}
			}
		}
	}
	return object{}, nil
}

func (s *Server) serveDownload(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	f := s.files[strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/files/"), "/download")]
	ok := same(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), s.opt.BotToken) && !s.revoked
	s.mu.Unlock()
	switch {
	case !ok: // Slack shows its sign-in page with 200
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!DOCTYPE html><html>Sign in</html>")
	case f == nil:
		http.NotFound(w, r)
	default:
		w.Header().Set("Content-Type", f.Type)
		_, _ = io.WriteString(w, f.Content)
	}
}
