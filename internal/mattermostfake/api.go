package mattermostfake

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/internal/fakenet"
)

// object is a JSON object.
type object = map[string]any

// text gives v as JSON in a string, as Mattermost puts posts into events.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // made of strings, numbers and what was JSON before
	}
	return string(b)
}

// FaultKind is how a call fails.
type FaultKind int

// The faults.
const (
	FaultLimit      FaultKind = iota // 429 with Retry-After, in plain text
	FaultStatus                      // Status with an HTML body; nothing done
	FaultStatusLate                  // Status with an HTML body, after it was done
	FaultHTML                        // 200 with an HTML body, after it was done
	FaultTruncated                   // done, and the JSON of the answer is cut in the middle
	FaultLost                        // done, and the connection is cut before the answer
	FaultHang                        // done, and no answer until the client goes away
	FaultError                       // the error Error with Status
	FaultRefused                     // the next connection attempt fails: nothing done
)

// Fault meets the next Times calls of Route ("" is any).
type Fault struct {
	Route  string // as "POST /posts" or "GET /channels/{}"
	Kind   FaultKind
	Status int
	After  int // seconds of Retry-After; 0: the header is absent
	Error  string
	Times  int // 0 is 1
}

// Fail puts a fault in.
func (s *Server) Fail(f Fault) {
	if f.Kind == FaultRefused {
		s.net.Refuse(f.Route, f.Times)
		return
	}
	s.faults.Add(f.Route, f.Times, f)
}

// ClearFaults takes all faults out.
func (s *Server) ClearFaults() {
	s.faults.Clear()
	s.net.ClearRefusals()
}

// routeOf gives a path with {} for what is an id or a name.
func routeOf(path string) string {
	path = strings.TrimPrefix(path, "/api/v4")
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if i > 0 && (len(p) == 26 || i > 0 && (parts[i-1] == "username" || parts[i-1] == "name")) {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}

// call is one call of the API.
type call struct {
	route string
	ids   []string // what stands for {} in the path
	query url.Values
	body  []byte
	kind  string // of the body
	user  string // who calls
	admin bool
}

func (c *call) into(v any) *apiError {
	if json.Unmarshal(c.body, v) != nil {
		return refuse("api.context.invalid_body_param.app_error", http.StatusBadRequest)
	}
	return nil
}

// apiError is an error of the server.
type apiError struct {
	id     string
	status int
}

func refuse(id string, status int) *apiError { return &apiError{id, status} }

var (
	errForbidden = &apiError{"api.context.permissions.app_error", http.StatusForbidden}
	errParam     = &apiError{"api.context.invalid_url_param.app_error", http.StatusBadRequest}
)

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request, path string) {
	c := &call{query: r.URL.Query(), kind: r.Header.Get("Content-Type")}
	c.route = r.Method + " " + routeOf(path)
	plain := strings.Split(path, "/")
	for i, p := range strings.Split(routeOf(path), "/") {
		if p == "{}" {
			c.ids = append(c.ids, plain[i])
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, s.opt.MaxFile+1<<20))
	if err != nil {
		return
	}
	c.body = body
	token := bearer(r)

	s.mu.Lock()
	s.calls[c.route]++
	fault := s.faults.Take(c.route)
	var answer any
	var fail *apiError
	status := http.StatusOK
	limited := !s.allowed()
	switch {
	case limited:
	case fault != nil && (fault.Kind == FaultLimit || fault.Kind == FaultStatus):
	case fault != nil && fault.Kind == FaultError:
		fail = refuse(fault.Error, fault.Status)
	case token == s.opt.AdminToken:
		c.user, c.admin = ID("admin"), true
		answer, status, fail = s.do(c)
	case token != s.opt.Token || s.revoked:
		fail = refuse("api.context.session_expired.app_error", http.StatusUnauthorized)
	default:
		c.user, c.admin = Bot, s.opt.SystemAdmin
		answer, status, fail = s.do(c)
	}
	if limited || fault != nil && fault.Kind == FaultLimit {
		s.limited = append(s.limited, time.Now())
	}
	left := int(s.tokens)
	s.changed.Wake()
	s.mu.Unlock()

	if s.opt.Limit > 0 {
		w.Header().Set("X-RateLimit-Limit", strconv.Itoa(s.opt.Burst))
		w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(left))
		w.Header().Set("X-RateLimit-Reset", "1")
	}
	if limited {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "limit exceeded", http.StatusTooManyRequests)
		return
	}
	if fault != nil && s.failed(w, r, fault) {
		return
	}
	if fail != nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(fail.status)
		_ = json.NewEncoder(w).Encode(object{"id": fail.id, "message": "The server says no.", "status_code": fail.status, "request_id": "request"})
		return
	}
	if raw, ok := answer.([]byte); ok {
		_, _ = w.Write(raw)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

// failed answers as a fault wants; false if the fault leaves the answer to the server.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, fault *Fault) bool {
	switch fault.Kind {
	case FaultLimit:
		if fault.After > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(fault.After))
		}
		http.Error(w, "limit exceeded", http.StatusTooManyRequests)
	case FaultStatus, FaultStatusLate:
		fakenet.Answer(w, fault.Status, "text/html", "<html><body>Server Error</body></html>")
	case FaultHTML:
		fakenet.Answer(w, http.StatusOK, "text/html", "<!DOCTYPE html><html><body>We'll be back.</body></html>")
	case FaultTruncated:
		fakenet.Answer(w, http.StatusOK, "application/json", `{"id":"x`)
	case FaultLost:
		fakenet.Cut(w)
	case FaultHang:
		s.net.Hang(r)
	default:
		return false
	}
	return true
}

// allowed takes a token of the rate limit. It is called with s.mu held.
func (s *Server) allowed() bool {
	if s.opt.Limit <= 0 {
		return true
	}
	now := time.Now()
	s.tokens = min(float64(s.opt.Burst), s.tokens+now.Sub(s.filledAt).Seconds()*float64(s.opt.Limit))
	s.filledAt = now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

func (s *Server) mistake(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mistakes = append(s.mistakes, fmt.Sprintf(format, args...))
}

// do runs a call. It is called with s.mu held.
func (s *Server) do(c *call) (answer any, status int, fail *apiError) {
	answer, fail = s.route(c)
	switch {
	case fail != nil:
		return nil, 0, fail
	case strings.HasPrefix(c.route, "POST /posts"), strings.HasPrefix(c.route, "POST /channels"), c.route == "POST /commands", c.route == "POST /uploads":
		return answer, http.StatusCreated, nil
	}
	return answer, http.StatusOK, nil
}

func (s *Server) route(c *call) (any, *apiError) {
	switch c.route {
	case "GET /users/me", "GET /users/{}":
		id := c.user
		if len(c.ids) > 0 {
			id = c.ids[0]
		}
		if u := s.users[id]; u != nil {
			return s.userObject(u), nil
		}
		return nil, refuse("app.user.missing_account.const", http.StatusNotFound)
	case "GET /users/username/{}":
		for _, u := range s.users {
			if strings.EqualFold(u.Name, c.ids[0]) {
				return s.userObject(u), nil
			}
		}
		return nil, refuse("app.user.missing_account.const", http.StatusNotFound)
	case "GET /config/client":
		return s.config(), nil
	case "GET /users/{}/teams", "GET /users/me/teams", "GET /teams":
		return s.listTeams(), nil
	case "GET /teams/{}", "GET /teams/name/{}":
		for _, t := range s.teams {
			if t.ID == c.ids[0] || t.Name == c.ids[0] {
				return object{"id": t.ID, "name": t.Name, "display_name": t.Name}, nil
			}
		}
		return nil, refuse("app.team.get.find.app_error", http.StatusNotFound)
	case "GET /users/{}/channels":
		list := []object{}
		for _, id := range s.order {
			if r := s.rooms[id]; r.member(c.user) && !r.Archived {
				list = append(list, s.roomObject(r))
			}
		}
		return list, nil
	case "GET /channels/{}":
		r, fail := s.visible(c, c.ids[0])
		if fail != nil {
			return nil, fail
		}
		return s.roomObject(r), nil
	case "GET /teams/{}/channels/name/{}":
		for _, r := range s.rooms {
			if r.Team == c.ids[0] && r.Name == c.ids[1] && (r.Type == "O" || r.member(c.user)) {
				return s.roomObject(r), nil
			}
		}
		return nil, refuse("app.channel.get_by_name.missing.app_error", http.StatusNotFound)
	case "POST /channels/direct":
		return s.openDirect(c)
	case "PUT /channels/{}/patch":
		return s.patchRoom(c)
	case "GET /channels/{}/posts":
		return s.history(c)
	case "POST /posts":
		return s.createPost(c)
	case "POST /posts/ephemeral":
		return s.createEphemeral(c)
	case "GET /posts/{}":
		p := s.posts[c.ids[0]]
		if p == nil || p.DeleteAt != 0 {
			return nil, refuse("app.post.get.app_error", http.StatusNotFound)
		}
		if _, fail := s.visible(c, p.ChannelID); fail != nil {
			return nil, errForbidden
		}
		return s.postObject(p), nil
	case "GET /posts/{}/reactions":
		p := s.posts[c.ids[0]]
		if p == nil {
			return nil, errForbidden
		}
		list := []object{}
		for name, users := range p.Reactions {
			for _, u := range users {
				list = append(list, object{"user_id": u, "post_id": p.ID, "emoji_name": name})
			}
		}
		return list, nil
	case "GET /channels/{}/members/{}":
		if r := s.rooms[c.ids[0]]; r == nil || !r.member(c.ids[1]) {
			return nil, refuse("app.channel.get_member.missing.app_error", http.StatusNotFound)
		}
		return object{"channel_id": c.ids[0], "user_id": c.ids[1]}, nil
	case "POST /files":
		return s.uploadForm(c)
	case "GET /posts/{}/thread":
		return s.thread(c)
	case "PUT /posts/{}/patch":
		return s.patchPost(c)
	case "DELETE /posts/{}":
		return s.deletePost(c)
	case "POST /reactions":
		return s.saveReaction(c)
	case "POST /users/{}/typing":
		var req struct {
			Channel string `json:"channel_id"`
		}
		if fail := c.into(&req); fail != nil {
			return nil, fail
		}
		if _, fail := s.writable(c, req.Channel); fail != nil {
			return nil, fail
		}
		s.typing[req.Channel]++
		return object{"status": "OK"}, nil
	case "POST /uploads":
		return s.createUpload(c)
	case "POST /uploads/{}":
		return s.uploadData(c)
	case "GET /files/{}/info":
		f, fail := s.file(c)
		if fail != nil {
			return nil, fail
		}
		return f.object(), nil
	case "GET /files/{}":
		f, fail := s.file(c)
		if fail != nil {
			return nil, fail
		}
		return []byte(f.Content), nil
	case "POST /actions/dialogs/open":
		return s.openDialog(c)
	case "GET /commands", "POST /commands", "PUT /commands/{}", "DELETE /commands/{}":
		return s.commandAPI(c)
	}
	return nil, refuse("api.context.404.app_error", http.StatusNotFound)
}

func (s *Server) config() object {
	o := object{"Version": "6.7.2", "DiagnosticId": ID("diagnostic"), "SiteURL": s.URL(), "EnableFileAttachments": "true",
		"MaxFileSize": strconv.FormatInt(s.opt.MaxFile, 10), "MaxPostSize": strconv.Itoa(s.opt.MaxPost)}
	if !s.opt.NoKey {
		der, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
		if err != nil {
			panic(err) // a key that was just made
		}
		o["AsymmetricSigningPublicKey"] = base64.StdEncoding.EncodeToString(der)
	}
	return o
}

func (s *Server) listTeams() []object {
	list := []object{}
	for _, id := range sorted(keys(s.teams)...) {
		list = append(list, object{"id": id, "name": s.teams[id].Name, "display_name": s.teams[id].Name})
	}
	return list
}

func keys[V any](m map[string]V) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	return out
}

// visible gives a room that the caller may read.
func (s *Server) visible(c *call, id string) (*Room, *apiError) {
	if len(id) != 26 {
		return nil, errParam
	}
	r := s.rooms[id]
	switch {
	case r == nil:
		return nil, refuse("app.channel.get.existing.app_error", http.StatusNotFound)
	case r.Type != "O" && !r.member(c.user):
		return nil, errForbidden
	}
	return r, nil
}

// writable gives a room that the caller may write in. An unknown one is forbidden too (api4/post.go).
func (s *Server) writable(c *call, id string) (*Room, *apiError) {
	r := s.rooms[id]
	switch {
	case r == nil || !r.member(c.user):
		return nil, errForbidden
	case r.Archived:
		return nil, refuse("api.post.create_post.can_not_post_to_deleted.error", http.StatusBadRequest)
	}
	return r, nil
}

func (s *Server) openDirect(c *call) (any, *apiError) {
	var ids []string
	if fail := c.into(&ids); fail != nil {
		return nil, fail
	}
	if len(ids) != 2 || len(ids[0]) != 26 || len(ids[1]) != 26 || !slices.Contains(ids, c.user) {
		return nil, errParam
	}
	other := ids[0]
	if other == Bot {
		other = ids[1]
	}
	if s.users[other] == nil || !slices.Contains(ids, Bot) {
		return nil, refuse("api.channel.create_direct_channel.invalid_user.app_error", http.StatusBadRequest)
	}
	return s.roomObject(s.direct(other)), nil
}

func (s *Server) patchRoom(c *call) (any, *apiError) {
	r, fail := s.visible(c, c.ids[0])
	if fail != nil {
		return nil, fail
	}
	if !r.member(c.user) {
		return nil, errForbidden
	}
	var patch struct {
		Header *string `json:"header"`
	}
	if fail := c.into(&patch); fail != nil {
		return nil, fail
	}
	if patch.Header != nil {
		if len([]rune(*patch.Header)) > 1024 {
			return nil, refuse("model.channel.is_valid.header.app_error", http.StatusBadRequest)
		}
		s.setHeader(c.user, r, *patch.Header)
	}
	return s.roomObject(r), nil
}
