package slackfake

import (
	"crypto/subtle"
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

// scopes are what the methods need (https://docs.slack.dev/reference/methods).
var scopes = map[string]string{ // read only
	"chat.postMessage": "chat:write", "chat.postEphemeral": "chat:write", "chat.update": "chat:write", "chat.delete": "chat:write",
	"reactions.add": "reactions:write", "conversations.info": "channels:read", "conversations.list": "channels:read",
	"users.conversations": "channels:read", "conversations.history": "channels:history", "conversations.replies": "channels:history",
	"conversations.open": "im:write", "conversations.setTopic": "channels:write.topic", "users.info": "users:read", "users.list": "users:read",
	"files.getUploadURLExternal": "files:write", "files.completeUploadExternal": "files:write", "files.delete": "files:write", "files.info": "files:read",
}

// AllScopes are the scopes of a token where Options name none.
func AllScopes() []string {
	return []string{
		"app_mentions:read", "channels:history", "channels:read", "channels:write.topic", "chat:write", "commands", "files:read", "files:write",
		"groups:history", "groups:read", "groups:write.topic", "im:history", "im:read", "im:write", "mpim:history", "mpim:read", "mpim:write", "reactions:read",
		"reactions:write", "users:read", "users:read.email",
	}
}

func (s *Server) granted() []string {
	if s.opt.Scopes == nil {
		return AllScopes()
	}
	return s.opt.Scopes
}

// FaultKind is how a call fails.
type FaultKind int

// The faults.
const (
	FaultLimit      FaultKind = iota // 429 with Retry-After
	FaultLimitBare                   // 429 without Retry-After
	FaultStatus                      // Status with an HTML body; nothing done
	FaultStatusLate                  // Status with an HTML body, after it was done
	FaultHTML                        // 200 with an HTML body, after it was done
	FaultTruncated                   // done, and the JSON of the answer is cut in the middle
	FaultLost                        // done, and the connection is cut before the answer
	FaultHang                        // done, and no answer until the client goes away
	FaultError                       // ok:false with Error
	FaultScope                       // ok:false with missing_scope and Error as what is needed
	FaultRefused                     // the next connection attempts fail: nothing done
)

// Fault meets the next Times calls of Method ("" is any).
type Fault struct {
	Method string
	Kind   FaultKind
	Status int
	After  int // seconds of Retry-After
	Error  string
	Times  int // 0 is 1
}

// Fail puts a fault in.
func (s *Server) Fail(f Fault) {
	if f.Kind == FaultRefused {
		s.net.Refuse(f.Method, f.Times)
		return
	}
	s.faults.Add(f.Method, f.Times, f)
}

// ClearFaults takes all faults out.
func (s *Server) ClearFaults() {
	s.faults.Clear()
	s.net.ClearRefusals()
}

// call is one call of a method.
type call struct {
	method string
	form   url.Values
}

func (c *call) get(name string) string { return c.form.Get(name) }

// apiError is ok:false.
type apiError struct {
	code   string
	needed string
	after  int // > 0: 429
}

func (e *apiError) Error() string { return e.code }

func refuse(code string) (object, *apiError) { return nil, &apiError{code: code} }

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request, method string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 32<<20))
	if err != nil {
		return
	}
	c := &call{method: method, form: r.URL.Query()}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			writeJSON(w, object{"ok": false, "error": "invalid_form_data"})
			return
		}
		for k, v := range form {
			if len(v) > 1 {
				s.mistake("%s has %s %d times", method, k, len(v))
			}
			c.form[k] = v
		}
	}
	if t := c.get("token"); t != "" {
		token = t
	}

	s.mu.Lock()
	s.calls[method]++
	if method == "apps.connections.open" {
		s.opens = append(s.opens, time.Now())
	}
	fault := s.faults.Take(method)
	var answer object
	var fail *apiError
	switch {
	case fault != nil && fault.Kind == FaultLimit:
		fail = &apiError{code: "ratelimited", after: fault.After}
	case fault != nil && fault.Kind == FaultLimitBare, fault != nil && fault.Kind == FaultStatus:
	case fault != nil && fault.Kind == FaultError:
		fail = &apiError{code: fault.Error}
	case fault != nil && fault.Kind == FaultScope:
		fail = &apiError{code: "missing_scope", needed: fault.Error}
	default:
		if fail = s.authorize(method, token); fail == nil {
			answer, fail = s.do(c)
		}
	}
	s.changed.Wake()
	s.mu.Unlock()

	w.Header().Set("X-OAuth-Scopes", strings.Join(s.granted(), ","))
	if fault != nil {
		switch fault.Kind {
		case FaultLimitBare:
			w.WriteHeader(http.StatusTooManyRequests)
			return
		case FaultStatus, FaultStatusLate:
			fakenet.Answer(w, fault.Status, "text/html", "<html><body>Server Error</body></html>")
			return
		case FaultHTML:
			fakenet.Answer(w, http.StatusOK, "text/html", "<!DOCTYPE html><html><body>We'll be back.</body></html>")
			return
		case FaultTruncated:
			fakenet.Answer(w, http.StatusOK, "application/json", `{"ok":true,"channel":"C`)
			return
		case FaultLost:
			fakenet.Cut(w)
			return
		case FaultHang:
			s.net.Hang(r)
			return
		}
	}
	if fail != nil {
		if fail.after > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(fail.after))
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"ok":false,"error":"ratelimited"}`)
			return
		}
		o := object{"ok": false, "error": fail.code}
		if fail.needed != "" {
			o["needed"], o["provided"] = fail.needed, strings.Join(s.granted(), ",")
		}
		writeJSON(w, o)
		return
	}
	answer["ok"] = true
	writeJSON(w, answer)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v)
}

func (s *Server) mistake(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mistakes = append(s.mistakes, fmt.Sprintf(format, args...))
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// authorize checks the token and its scopes. It is called with s.mu held.
func (s *Server) authorize(method, token string) *apiError {
	bot, app := same(token, s.opt.BotToken), same(token, s.opt.AppToken)
	switch {
	case token == "":
		return &apiError{code: "not_authed"}
	case !bot && !app:
		return &apiError{code: "invalid_auth"}
	case s.revoked:
		return &apiError{code: "token_revoked"}
	case (method == "apps.connections.open") != app:
		return &apiError{code: "not_allowed_token_type"}
	}
	if need := scopes[method]; need != "" && !slices.Contains(s.granted(), need) {
		return &apiError{code: "missing_scope", needed: need}
	}
	return nil
}

// do runs a method. It is called with s.mu held.
func (s *Server) do(c *call) (object, *apiError) {
	switch c.method {
	case "auth.test":
		return object{"url": "https://fake.slack.com/", "team": "Fake", "user": "starling", "team_id": s.team, "user_id": BotUser, "bot_id": BotID}, nil
	case "apps.connections.open":
		return s.openSocket()
	case "chat.postMessage":
		return s.postMessage(c)
	case "chat.postEphemeral":
		return s.postEphemeral(c)
	case "chat.update":
		return s.update(c)
	case "chat.delete":
		return s.delete(c)
	case "reactions.add":
		return s.addReaction(c)
	case "conversations.info":
		return s.roomInfo(c)
	case "conversations.list", "users.conversations":
		return s.listRooms(c)
	case "conversations.history":
		return s.history(c)
	case "conversations.replies":
		return s.replies(c)
	case "conversations.open":
		return s.openDirect(c)
	case "conversations.setTopic":
		return s.setTopic(c)
	case "users.info":
		return s.userInfo(c)
	case "users.list":
		return s.listUsers(c)
	case "views.open":
		return s.openView(c)
	case "files.getUploadURLExternal":
		return s.uploadURL(c)
	case "files.completeUploadExternal":
		return s.completeUpload(c)
	case "files.info":
		return s.fileInfo(c)
	case "files.delete":
		return s.deleteFile(c)
	}
	return refuse("unknown_method")
}

// page cuts all[cursor:cursor+limit] and gives the next cursor.
func page[T any](c *call, all []T, most int) ([]T, string, *apiError) {
	limit := most
	if l := c.get("limit"); l != "" {
		n, err := strconv.Atoi(l)
		if err != nil || n < 1 {
			return nil, "", &apiError{code: "invalid_limit"}
		}
		limit = min(n, most)
	}
	from := 0
	if cur := c.get("cursor"); cur != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(cur, "at:"))
		if err != nil || n < 0 || n > len(all) {
			return nil, "", &apiError{code: "invalid_cursor"}
		}
		from = n
	}
	to := min(from+limit, len(all))
	next := ""
	if to < len(all) {
		next = "at:" + strconv.Itoa(to)
	}
	return all[from:to], next, nil
}
