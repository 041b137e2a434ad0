package mattermost

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
)

// The kinds of callback.
const (
	kindCommand = "command"
	kindClick   = "click"
	kindForm    = "form"
	kindHook    = "hook"
)

const (
	maxWaiters  = 1_000            // requests that are answered late; past it they are answered empty at once
	respondFor  = 29 * time.Minute // the server takes answers to a command for 30 (model/command_webhook.go)
	triggerFor  = time.Minute      // a window can be opened for 3 s after the click, by the server's clock
	answerTries = 5 * time.Second
)

// origin is what [adapter.Event.Origin] holds: how to answer a command or a click otherwise than by a post.
type origin struct {
	Kind    string `json:"k"`
	User    string `json:"u"`           // who sees an ephemeral answer
	Room    string `json:"r"`           // where
	Thread  string `json:"t,omitempty"` // and in which thread
	At      int64  `json:"a"`           // Unix seconds
	Hook    string `json:"h,omitempty"` // the id in the response_url of a command: good for 30 minutes and 5 uses
	Wait    string `json:"w,omitempty"` // the request that waits, in the process that has it
	Trigger string `json:"g,omitempty"` // opens a window, for 3 s
}

// String gives the origin as it is stored.
func (o origin) String() string {
	b, err := json.Marshal(o)
	if err != nil {
		return ""
	}
	return string(b)
}

func parseOrigin(s string) (o origin, ok bool) {
	return o, s != "" && json.Unmarshal([]byte(s), &o) == nil
}

// answer is what the bot says to a callback in place of a post.
type answer struct {
	kind        string
	text        string
	attachments []*model.SlackAttachment
	props       map[string]any
	ephemeral   bool
	done        chan error // tells whether it was written
}

// command gives an answer to a slash command. The server shows an ephemeral one to who used it, and posts the other in their name,
// marked as a program's. SkipSlackParsing keeps it from making mentions and links of what only looks like some.
func (s *answer) command() *model.CommandResponse {
	r := &model.CommandResponse{ResponseType: model.CommandResponseTypeInChannel, Text: s.text, Attachments: s.attachments, Props: s.props, SkipSlackParsing: true}
	if s.ephemeral {
		r.ResponseType = model.CommandResponseTypeEphemeral
	}
	return r
}

// noTags keeps an answer to an outgoing webhook from being rewritten: for these there is no SkipSlackParsing. A tag begins with < and
// the renderer leaves one in code and in addresses.
func noTags(s string) string {
	return strings.NewReplacer("<!", "<\u200b!", "<@", "<\u200b@", "<#", "<\u200b#").Replace(s)
}

// waiting are the requests that wait for an answer.
type waiting struct {
	mu   sync.Mutex
	list map[string]*waiter
}

// waiter is one of them.
type waiter struct {
	id, kind, user, room string
	ready                chan struct{} // closed when there is an answer, or none will come

	mu     sync.Mutex
	said   *answer
	over   bool // nothing is taken any more
	closed bool // ready is
}

func (w *waiting) init() { w.list = map[string]*waiter{} }

func (w *waiting) add(kind, user, room string) *waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.list) >= maxWaiters {
		return nil
	}
	x := &waiter{id: rand.Text(), kind: kind, user: user, room: room, ready: make(chan struct{})}
	w.list[x.id] = x
	return x
}

func (w *waiting) remove(x *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.list, x.id)
}

func (w *waiting) get(id string) *waiter {
	if id == "" {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.list[id]
}

// offer gives the request its answer; false if it takes none any more. done tells whether it was written.
func (x *waiter) offer(said *answer) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over || x.said != nil {
		return false
	}
	x.said = said
	x.wake()
	return true
}

// release lets the request be answered empty: the answer was posted.
func (x *waiter) release() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = x.over || x.said == nil
	x.wake()
}

func (x *waiter) wake() {
	if !x.closed {
		x.closed = true
		close(x.ready)
	}
}

// close takes no answer any more, and gives the one there is.
func (x *waiter) close() *answer {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	return x.said
}

// respond answers a command, a click or a webhook otherwise than by a post of the bot: with Message.Only to whoever it came from and
// nobody else; else, where the bot may not post, to the room. ok is false where there is no such way.
func (a *Adapter) respond(ctx context.Context, m *adapter.Message, out *outgoing) (id string, ok bool, err error) {
	o, parsed := parseOrigin(m.Origin)
	if !parsed || o.Room != m.To.Room || len(m.Files) > 0 || m.Only != "" && m.Only != o.User { // it would be shown to somebody else
		return "", false, nil
	}
	said := &answer{kind: o.Kind, text: out.text, ephemeral: m.Only != "", done: make(chan error, 1)}
	if said.attachments, said.props, err = a.attach(m, out, m.Only); err != nil {
		return "", false, err
	}
	switch {
	case o.Kind == kindClick && (m.Only == "" || len(said.attachments) > 0), o.Kind == kindHook && (m.Only != "" || len(said.attachments) > 0), o.Kind == kindForm:
		return "", false, nil // what is answered there is text, seen by one user or by all
	}
	id = responsePrefix + rand.Text()
	if w := a.waiting.get(o.Wait); w != nil && w.kind == o.Kind && w.user == o.User && w.room == o.Room && w.offer(said) {
		select {
		case err := <-said.done:
			if err != nil {
				return "", true, fmt.Errorf("mattermost: send: the answer to the request could not be written: %w", err)
			}
			return id, true, nil
		case <-ctx.Done():
			return "", true, fmt.Errorf("mattermost: send: %w", ctx.Err())
		case <-time.After(answerTries):
			return "", true, errors.New("mattermost: send: the request that waited for an answer went away")
		}
	}
	if o.Kind != kindCommand || !model.IsValidId(o.Hook) || a.now().Unix()-o.At > int64(respondFor.Seconds()) {
		return "", false, nil
	}
	return id, true, a.respondLater(ctx, o.Hook, said)
}

// respondLater answers a command at its response_url. Of that address only the id is used: the rest of it would be where somebody
// else says.
func (a *Adapter) respondLater(ctx context.Context, hook string, said *answer) error {
	b, err := json.Marshal(said.command())
	if err != nil {
		return fmt.Errorf("mattermost: send: %w: %w", adapter.ErrInvalid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.cfg.URL+"/hooks/commands/"+hook, bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("mattermost: send: %w", adapter.ErrInvalid)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.http.do(req)
	if err != nil {
		return a.fail("send", nil, err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode != http.StatusOK {
		return a.fail("send", model.BuildResponse(resp), &model.AppError{Id: "the response_url"})
	}
	return nil
}
