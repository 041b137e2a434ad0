package discordfake

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/internal/fakenet"
)

// object is a JSON object.
type object = map[string]any

// FaultKind is how a call fails.
type FaultKind int

// The faults.
const (
	FaultLimit      FaultKind = iota // 429 with Retry-After
	FaultLimitAll                    // 429 of the global limit
	FaultLimitHTML                   // 429 with HTML, as Discord's guard before the API gives it
	FaultStatus                      // Status with an HTML body; nothing done
	FaultStatusLate                  // Status with an HTML body, after it was done
	FaultHTML                        // 200 with an HTML body, after it was done
	FaultTruncated                   // done, and the JSON of the answer is cut in the middle
	FaultLost                        // done, and the connection is cut before the answer
	FaultHang                        // done, and no answer until the client goes away
	FaultError                       // refused with Status and Code
	FaultSlow                        // done, and the answer comes After seconds later
	FaultRefused                     // the next connection attempts fail: nothing done
)

// Fault meets the next Times calls of Route ("" is any). Routes are named: me, application, gateway, guilds, channels, members,
// search, member, user, direct, channel, topic, send, history, message, edit, delete, react, typing, thread, callback, followup,
// original, edit original, delete original, commands, register.
type Fault struct {
	Route        string
	Kind         FaultKind
	Status, Code int
	After        float64 // seconds of Retry-After, or of a delay
	Times        int     // 0 is 1
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

// apiError is what is refused.
type apiError struct {
	status, code int
	text         string
	after        float64 // > 0: 429
	global       bool
}

func (e *apiError) Error() string { return fmt.Sprintf("discordfake: %d %s", e.code, e.text) }

func refuse(status, code int, text string) *apiError {
	return &apiError{status: status, code: code, text: text}
}

func invalid(format string, args ...any) *apiError {
	return &apiError{status: 400, code: 50035, text: "Invalid Form Body: " + fmt.Sprintf(format, args...)}
}

var (
	errUnknownChannel     = refuse(404, 10003, "Unknown Channel")
	errUnknownMessage     = refuse(404, 10008, "Unknown Message")
	errUnknownUser        = refuse(404, 10013, "Unknown User")
	errUnknownMember      = refuse(404, 10007, "Unknown Member")
	errUnknownWebhook     = refuse(404, 10015, "Unknown Webhook")
	errUnknownInteraction = refuse(404, 10062, "Unknown interaction")
	errAcknowledged       = refuse(400, 40060, "Interaction has already been acknowledged.")
	errMissingAccess      = refuse(403, 50001, "Missing Access")
)

// call is one call of the API.
type call struct {
	route string
	parts []string
	query url.Values
	body  json.RawMessage
	files []*File
	after *float64 // seconds until the room's limit begins anew
	left  int
}

// routeOf names what a request is for.
func routeOf(method, path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	n := len(parts)
	is := func(i int, s string) bool { return i < n && parts[i] == s }
	switch parts[0] {
	case "users":
		switch {
		case is(1, "@me") && n == 2:
			return "me"
		case is(2, "guilds"):
			return "guilds"
		case is(2, "channels"):
			return "direct"
		}
		return "user"
	case "applications":
		switch {
		case is(1, "@me"):
			return "application"
		case method == http.MethodPut:
			return "register"
		}
		return "commands"
	case "gateway":
		return "gateway"
	case "guilds":
		switch {
		case is(2, "channels"):
			return "channels"
		case is(3, "search"):
			return "search"
		}
		return "member"
	case "interactions":
		return "callback"
	case "webhooks":
		switch {
		case n == 3:
			return "followup"
		case method == http.MethodPatch:
			return "edit original"
		case method == http.MethodDelete:
			return "delete original"
		}
		return "original"
	case "channels":
		switch {
		case n == 2 && method == http.MethodPatch:
			return "topic"
		case n == 2:
			return "channel"
		case is(2, "typing"):
			return "typing"
		case n == 3 && method == http.MethodPost:
			return "send"
		case n == 3:
			return "history"
		case is(4, "threads"):
			return "thread"
		case is(4, "reactions"):
			return "react"
		case method == http.MethodPatch:
			return "edit"
		case method == http.MethodDelete:
			return "delete"
		}
		return "message"
	}
	return "unknown"
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request, path string) {
	c := &call{route: routeOf(r.Method, path), query: r.URL.Query()}
	for _, p := range strings.Split(strings.Trim(r.URL.EscapedPath()[len("/api/v9/"):], "/"), "/") {
		u, err := url.PathUnescape(p)
		if err != nil {
			u = p
		}
		c.parts = append(c.parts, u)
	}
	if err := c.read(r); err != nil {
		return // the client went away in the middle: nothing was done
	}

	s.mu.Lock()
	s.calls[c.route]++
	if r.Header.Get("User-Agent") == "" || !strings.HasPrefix(r.Header.Get("User-Agent"), "DiscordBot (") {
		s.mistake("%s without a User-Agent of the form that Discord wants", c.route)
	}
	fault := s.faults.Take(c.route)
	var answer any
	var fail *apiError
	switch {
	case fault != nil && fault.Kind == FaultLimit:
		fail = &apiError{status: 429, text: "You are being rate limited.", after: fault.After}
	case fault != nil && fault.Kind == FaultLimitAll:
		fail = &apiError{status: 429, text: "You are being rate limited.", after: fault.After, global: true}
	case fault != nil && (fault.Kind == FaultStatus || fault.Kind == FaultLimitHTML):
	case fault != nil && fault.Kind == FaultError:
		fail = refuse(fault.Status, fault.Code, "refused")
	default:
		if fail = s.authorize(c, r.Header.Get("Authorization")); fail == nil {
			answer, fail = s.do(c)
		}
	}
	s.changed.Wake()
	s.mu.Unlock()

	if c.after != nil {
		w.Header().Set("X-RateLimit-Limit", "5")
		w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(c.left))
		w.Header().Set("X-RateLimit-Reset-After", strconv.FormatFloat(*c.after, 'f', 3, 64))
		w.Header().Set("X-RateLimit-Bucket", "bucket-"+c.route)
	}
	if fault != nil && broken(w, r, s, fault) {
		return
	}
	if fail != nil {
		o := object{"message": fail.text, "code": fail.code}
		if fail.status == 429 {
			o = object{"message": fail.text, "retry_after": fail.after, "global": fail.global}
			w.Header().Set("Retry-After", strconv.Itoa(int(fail.after+0.999)))
			scope := "user"
			if fail.global {
				w.Header().Set("X-RateLimit-Global", "true")
				scope = "global"
			}
			w.Header().Set("X-RateLimit-Scope", scope)
		}
		writeJSON(w, fail.status, o)
		return
	}
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// broken answers as a fault wants; false where the answer is the usual one.
func broken(w http.ResponseWriter, r *http.Request, s *Server, fault *Fault) bool {
	html := func(status int) {
		fakenet.Answer(w, status, "text/html", "<!DOCTYPE html><html><body>error code: 1015</body></html>")
	}
	switch fault.Kind {
	case FaultLimitHTML:
		html(http.StatusTooManyRequests)
	case FaultStatus, FaultStatusLate:
		html(fault.Status)
	case FaultHTML:
		html(http.StatusOK)
	case FaultTruncated:
		fakenet.Answer(w, http.StatusOK, "application/json", `{"id":"1000`)
	case FaultLost:
		fakenet.Cut(w)
	case FaultSlow:
		late := time.NewTimer(time.Duration(fault.After * float64(time.Second)))
		defer late.Stop()
		select {
		case <-late.C:
		case <-r.Context().Done():
		case <-s.net.Done():
		}
		return false
	case FaultHang:
		s.net.Hang(r)
	default:
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// read reads the body: JSON, or a form with a message and its files.
func (c *call) read(r *http.Request) error {
	media, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "multipart/form-data" {
		raw, err := io.ReadAll(io.LimitReader(r.Body, 32<<20))
		c.body = raw
		return err
	}
	form := multipart.NewReader(r.Body, params["boundary"])
	for {
		p, err := form.NextPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		raw, err := io.ReadAll(p)
		if err != nil {
			return err
		}
		if p.FormName() == "payload_json" {
			c.body = raw
			continue
		}
		c.files = append(c.files, &File{Name: p.FileName(), Type: p.Header.Get("Content-Type"), Content: string(raw)})
	}
}

// authorize checks the token. It is called with s.mu held.
func (s *Server) authorize(c *call, header string) *apiError {
	now := time.Now()
	if now.Sub(s.second) >= time.Second {
		s.second, s.inSecond = now, 0
	}
	switch c.route {
	case "callback", "followup", "original", "edit original", "delete original": // their own token is enough
		return nil
	}
	if s.inSecond++; s.inSecond > 50 {
		return &apiError{status: 429, text: "You are being rate limited.", after: 1, global: true}
	}
	if header != "Bot "+s.opt.Token || s.revoked {
		return refuse(401, 0, "401: Unauthorized")
	}
	return nil
}

// do runs a route. It is called with s.mu held.
func (s *Server) do(c *call) (any, *apiError) {
	for i, p := range c.parts {
		if (c.parts[0] == "channels" || c.parts[0] == "guilds" || c.parts[0] == "users") && i == 1 && p != "@me" && !isID(p) {
			return nil, invalid("%q is not a snowflake", p)
		}
	}
	switch c.route {
	case "me":
		return s.userObject(BotUser), nil
	case "application":
		return object{"id": AppID, "name": "starling", "flags": s.opt.Flags, "verify_key": fmt.Sprintf("%x", []byte(s.PublicKey()))}, nil
	case "gateway":
		return object{"url": "ws://" + s.gatewayHost() + "/gateway", "shards": 1,
			"session_start_limit": object{"total": 1000, "remaining": s.remaining, "reset_after": 14_400_000, "max_concurrency": 1}}, nil
	case "guilds":
		list := []object{}
		for _, g := range s.guilds {
			list = append(list, object{"id": g, "name": "server " + g, "permissions": strconv.FormatInt(s.opt.Permissions, 10)})
		}
		return list, nil
	case "channels":
		list := []object{}
		for _, id := range s.order {
			if ch := s.channels[id]; ch.Guild == c.parts[1] && !isThread(ch.Type) {
				list = append(list, s.channelObject(ch))
			}
		}
		return list, nil
	case "search":
		return s.search(c)
	case "member":
		u := s.users[c.parts[3]]
		if u == nil {
			return nil, errUnknownUser
		}
		if u.Outside {
			return nil, errUnknownMember
		}
		return s.memberObject(u, true), nil
	case "user":
		if s.users[c.parts[1]] == nil {
			return nil, errUnknownUser
		}
		return s.userObject(c.parts[1]), nil
	case "direct":
		return s.openDirect(c)
	case "channel":
		ch, fail := s.channel(c)
		if fail != nil {
			return nil, fail
		}
		return s.channelObject(ch), nil
	case "topic":
		return s.setTopic(c)
	case "typing":
		ch, fail := s.channel(c)
		if fail != nil {
			return nil, fail
		}
		s.typing[ch.ID]++
		return nil, nil
	case "send":
		return s.send(c)
	case "history":
		return s.history(c)
	case "message":
		_, m, fail := s.message(c)
		if fail != nil {
			return nil, fail
		}
		return s.messageObject(m), nil
	case "edit":
		return s.edit(c)
	case "delete":
		return s.deleteMessage(c)
	case "react":
		return s.addReaction(c)
	case "thread":
		return s.startThread(c)
	case "callback":
		return s.callback(c)
	case "followup":
		return s.followup(c)
	case "original":
		return s.original(c)
	case "edit original":
		return s.editOriginal(c)
	case "delete original":
		return s.deleteOriginal(c)
	case "commands":
		return s.listCommands(c)
	case "register":
		return s.register(c)
	}
	return nil, refuse(404, 0, "404: Not Found")
}

func isID(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}

// number reads a parameter of the query.
func (c *call) number(name string, otherwise, most int) (int, *apiError) {
	v := c.query.Get(name)
	if v == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > most {
		return 0, invalid("%s", name)
	}
	return n, nil
}
