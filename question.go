package starling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

const (
	askPrefix = "_/ask/" // + adapter/room/thread/user: an open question
	duePrefix = "_/due/" // + unix seconds-id: what is to happen at a time

	maxQuestions = 10_000 // open at once in one bot
)

// askRecord is an open question as it is stored.
type askRecord struct {
	Version int  `json:"v"`
	Apart   bool `json:"apart,omitempty"` // the arguments are in the memory of the process that asked, and nowhere else
	handler.Question
}

// keeps tells whether a secret may be stored under key.
func (b *Bot) keeps(key string) bool {
	s, ok := brain.As[brain.Sealer](b.store)
	return ok && s.Seals(key)
}

// dueRecord is what is to happen at a time: a question or a held command expires, or a message is posted.
type dueRecord struct {
	Version int              `json:"v"`
	Ask     string           `json:"ask,omitempty"`  // key of the question
	ID      string           `json:"id,omitempty"`   // of the question: another one in its place is left alone
	Held    string           `json:"held,omitempty"` // id of the command that waits
	Message *adapter.Message `json:"message,omitempty"`
}

// questions knows which questions are open, so that chatter costs no look-up in the store.
type questions struct {
	mu   sync.Mutex
	open map[string]openQuestion // by key; at most maxQuestions
}

// openQuestion is what is known of a question without the store.
type openQuestion struct {
	id     string     // empty: an earlier process asked
	sealed secretArgs // of a command with secrets, where the store does not seal; gone with the question
	talked bool       // see handler.Question
}

func newQuestions() *questions { return &questions{open: map[string]openQuestion{}} }

func (q *questions) has(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, ok := q.open[key]
	return ok
}

// empty is the cheap answer for bots that asked nothing.
func (q *questions) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.open) == 0
}

// add remembers a question in place of an older one under its key; false: too many are open.
func (q *questions) add(key string, o openQuestion) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, ok := q.open[key]; !ok && len(q.open) >= maxQuestions {
		return false
	}
	q.open[key] = o
	return true
}

// remove forgets a question; one that has taken its place stays.
func (q *questions) remove(key, id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if o := q.open[key]; id == "" || o.id == "" || o.id == id {
		delete(q.open, key)
	}
}

// unseal gives the arguments of a question that this process asked.
func (q *questions) unseal(key, id string) (secretArgs, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	o, ok := q.open[key]
	return o.sealed, ok && o.id == id
}

func askKey(ev *adapter.Event) string { return askKeyAt(ev.Address(), ev.User) }

func askKeyAt(a adapter.Address, u adapter.User) string {
	return askPrefix + brain.Key(segment(a.Adapter), segment(a.Room), segment(a.Thread), segment(u.Key()))
}

// roomKey is the key of a question that was put in the room in which ev's thread is; "" where ev is in none.
func roomKey(ev *adapter.Event) string {
	if ev.Thread == "" {
		return ""
	}
	a := ev.Address()
	a.Thread = ""
	return askKeyAt(a, ev.User)
}

// keyOf is the key of a question that was read.
func keyOf(q *handler.Question) string { return askKeyAt(q.Address(), q.Event.User) }

func dueKey(at time.Time, id string) string {
	return duePrefix + fmt.Sprintf("%016x-%s", max(at.Unix(), 0), id)
}

// loadQuestions reads which questions are open.
func (b *Bot) loadQuestions(ctx context.Context) error {
	for entry, err := range b.store.List(ctx, askPrefix) {
		if err != nil {
			return fmt.Errorf("starling: read the open questions: %w", err)
		}
		b.questions.add(entry.Key, openQuestion{})
	}
	return nil
}

// pruneQuestions forgets the questions that another process has ended.
func (b *Bot) pruneQuestions(ctx context.Context) error {
	stored := map[string]bool{}
	for entry, err := range b.store.List(ctx, askPrefix) {
		if err != nil {
			return err
		}
		stored[entry.Key] = true
	}
	b.questions.mu.Lock()
	defer b.questions.mu.Unlock()
	for key := range b.questions.open {
		if !stored[key] { // one that is just being asked is missed at worst: its answer is then chatter
			delete(b.questions.open, key)
		}
	}
	return nil
}

// answers tells whether ev may be the answer to an open question, and then has it go to the route of answers: what is
// addressed to the bot and is a command of its own is not an answer.
func (b *Bot) answers(ev *adapter.Event, sel *handler.Selection) {
	if ev.Kind == adapter.KindInvocation && ev.Invocation != nil && ev.Invocation.Form != "" {
		if answer := b.table.Route("answer"); answer != nil {
			sel.Routes = []*handler.Route{answer}
		}
		return
	}
	if b.table.Route("answer") == nil { // an earlier version of the bot asked
		return
	}
	if ev.Kind != adapter.KindMessage || b.questions.empty() || ev.User.Key() == "" || !b.questions.has(askKey(ev)) && !b.questions.has(roomKey(ev)) {
		return
	}
	routes := []*handler.Route{b.table.Route("answer")} // first: a slow Hear must not let what is said next overtake it
	for _, r := range sel.Routes {
		switch r.Kind() {
		case "command", "respond":
			return
		case "fallback":
		default:
			routes = append(routes, r)
		}
	}
	sel.Routes = routes
}

// Ask stores q and when it expires, in one step with the record of the delivery.
func (x *run) Ask(ctx context.Context, r *handler.Request, q *handler.Question) error {
	if err := x.open(); err != nil {
		return err
	}
	b := x.d.bot
	if r.Event.User.Key() == "" {
		return errors.New("starling: nobody can be asked: the event has no user")
	}
	key := askKeyAt(q.Address(), r.Event.User)
	if q.ID == "" || q.Rev != 0 { // a follow-up question is a new one, so that the first one's expiry leaves it alone
		q.ID = nonce()
	}
	rec := askRecord{Version: recordVersion, Question: *q}
	known := openQuestion{id: q.ID}
	if q.Secret && !b.keeps(key) {
		known.sealed, rec.Options, rec.Hash, rec.Apart = secretArgs{options: q.Options, hash: q.Hash}, nil, "", true
	}
	if !b.questions.add(key, known) && (b.pruneQuestions(ctx) != nil || !b.questions.add(key, known)) {
		return handler.UserErrorf("I am waiting for too many answers already. Try again later.")
	}
	value, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("starling: ask: %w", err)
	}
	due, err := json.Marshal(dueRecord{Version: recordVersion, Ask: key, ID: q.ID})
	if err != nil {
		return fmt.Errorf("starling: ask: %w", err)
	}
	return x.commit(ctx, func(*runRecord) {}, nil,
		brain.Op{Key: key, Value: value, If: brain.Any, TTL: rec.ttl()},
		brain.Op{Key: dueKey(q.Expires, q.ID), Value: due, If: brain.Any})
}

// Question gives the open question of who sent ev; nil if there is none.
func (x *run) Question(ctx context.Context, ev *adapter.Event) (*handler.Question, error) {
	b := x.d.bot
	key := askKey(ev)
	rec, err := b.question(ctx, key)
	if below := roomKey(ev); err == nil && rec == nil && below != "" {
		if key, rec, err = below, nil, nil; b.questions.has(key) {
			rec, err = b.question(ctx, key)
		}
		if rec != nil && !rec.Below(ev) {
			rec = nil // another thread of that room
		}
	}
	if err != nil || rec == nil {
		return nil, err
	}
	q := &rec.Question
	q.Talked = q.Talked || b.questions.talked(key)
	if !q.Expires.After(time.Now()) {
		return nil, nil // the sweeper tells
	}
	if rec.Apart {
		a, ok := b.questions.unseal(key, q.ID)
		if !ok { // an earlier process asked, and nothing secret is stored
			b.questions.remove(key, q.ID)
			_, err := b.store.Apply(ctx, brain.Op{Key: key, Delete: true, If: brain.At(q.Rev)})
			if err != nil && !errors.Is(err, brain.ErrConflict) {
				return nil, err
			}
			return nil, handler.UserErrorf("I was restarted and do not keep secrets: say the whole command again.")
		}
		q.Options, q.Hash = a.options, a.hash
	}
	return q, nil
}

func (b *Bot) question(ctx context.Context, key string) (*askRecord, error) {
	entry, err := b.store.Get(ctx, key)
	if errors.Is(err, brain.ErrNotFound) {
		b.questions.remove(key, "")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var rec askRecord
	if err := decode(entry.Value, &rec); err != nil || rec.Event == nil {
		b.questions.remove(key, "")
		return nil, b.aside(ctx, entry, orElse(err, errors.New("the question has no event")).Error())
	}
	rec.Rev = entry.Rev
	return &rec, nil
}

// forget gives the operation that deletes q.
func forget(q *handler.Question, key string) brain.Op {
	return brain.Op{Key: key, Delete: true, If: brain.At(q.Rev)}
}

// ttl is how long the record stays: the due record ends it, and this is for a bot that never starts again.
func (r *askRecord) ttl() time.Duration { return time.Until(r.Expires) + time.Hour }

// OpenForm shows a window in answer to the event. It is no message: it is not recorded, and one that is lost leaves the
// question open, which can be answered in words.
func (x *run) OpenForm(ctx context.Context, r *handler.Request, f *adapter.Form) error {
	if err := x.open(); err != nil {
		return err
	}
	opener, err := verb[adapter.FormOpener](x.d.bot, r.Event.Adapter, "show a form")
	if err != nil {
		return err
	}
	return opener.OpenForm(ctx, r.Event.Origin, f)
}

// Drop forgets q.
func (x *run) Drop(ctx context.Context, r *handler.Request, q *handler.Question) error {
	if err := x.open(); err != nil {
		return err
	}
	key := keyOf(q)
	err := x.commit(ctx, func(*runRecord) {}, nil, forget(q, key))
	if errors.Is(err, brain.ErrConflict) {
		return nil
	}
	if err == nil {
		x.d.bot.questions.remove(key, q.ID)
	}
	return err
}

// Allow forgets q and delivers its event again with what was granted, in one step: of a thousand clicks one finds q.
func (x *run) Allow(ctx context.Context, r *handler.Request, q *handler.Question, g *handler.Grant) error {
	if err := x.open(); err != nil {
		return err
	}
	b := x.d.bot
	route := b.table.Route(q.Route)
	if route == nil {
		return handler.UserErrorf("What you were asked about no longer exists.")
	}
	key := keyOf(q)
	d := &delivery{ev: q.Event, id: q.Delivery + "#" + q.ID, routes: []*handler.Route{route}, grant: g}
	d.text, _ = b.table.Text(d.ev)
	err := x.again(ctx, d, forget(q, key))
	switch {
	case errors.Is(err, brain.ErrConflict):
		return handler.UserErrorf("That question is over.")
	case err == nil:
		b.questions.remove(key, q.ID)
	}
	return err
}

// again puts a new delivery into the inbox, in one step with ops and the record of this one.
func (x *run) again(ctx context.Context, d *delivery, ops ...brain.Op) error {
	return x.resubmit(ctx, d, func(*runRecord) {}, ops...)
}

// Again delivers the event again as if line had been said to the bot.
func (x *run) Again(ctx context.Context, r *handler.Request, line string) error {
	if err := x.open(); err != nil {
		return err
	}
	b := x.d.bot
	ev := *r.Event
	ev.Click, ev.Text = nil, line
	ev.Kind, ev.Invocation = adapter.KindInvocation, &adapter.Invocation{Text: line} // addressed, wherever it was said
	sel := b.table.Match(&ev)
	if len(sel.Routes) == 0 {
		return handler.UserErrorf("There is no such command any more: %s", line)
	}
	n := strconv.Itoa(x.count("again"))
	mark := x.slot("again " + n)
	if _, done := x.d.changed(mark); done { // by the run before
		return nil
	}
	d := &delivery{ev: &ev, id: x.d.id + "#again" + n, routes: sel.Routes, text: sel.Text}
	return x.resubmit(ctx, d, func(r *runRecord) { put(&r.Changes, mark, json.RawMessage("true")) })
}

// SendAt stores m until its time.
func (x *run) SendAt(ctx context.Context, _ *handler.Request, at time.Time, m *adapter.Message) error {
	if err := x.open(); err != nil {
		return err
	}
	id := partKey(x.d.id, x.slot("later"), x.count("later"))
	value, err := json.Marshal(dueRecord{Version: recordVersion, Message: m, ID: id})
	if err != nil {
		return fmt.Errorf("starling: send later: %w", err)
	}
	return x.commit(ctx, func(*runRecord) {}, nil, brain.Op{Key: dueKey(at, id), Value: value, If: brain.Any})
}

// dueNow does what is due: questions expire and messages are posted. What cannot be done now stays.
func (b *Bot) dueNow(ctx context.Context) {
	now := fmt.Sprintf("%s%016x", duePrefix, time.Now().Unix()+1)
	for entry, err := range b.store.List(ctx, duePrefix) {
		if err != nil {
			if ctx.Err() == nil {
				b.storeFailed(err)
			}
			return
		}
		if entry.Key >= now {
			return
		}
		var rec dueRecord
		if err := decode(entry.Value, &rec); err != nil {
			_ = b.aside(ctx, entry, err.Error())
			continue
		}
		if err := b.due(ctx, entry, &rec); err != nil && ctx.Err() == nil {
			b.log.Warn("what is due could not be done, trying again", "key", entry.Key, "error", err)
		}
	}
}

// blockedFor is how long a message that is due is tried again which the outgoing chain does not let pass: it may do so in a while.
const blockedFor = time.Hour

// due does what is due. A message that cannot be posted as it is becomes a dead letter: nobody waits for it who could tell.
func (b *Bot) due(ctx context.Context, entry brain.Entry, rec *dueRecord) error {
	ops := []brain.Op{{Key: entry.Key, Delete: true, If: brain.At(entry.Rev)}}
	m, letters := rec.Message, uint64(0)
	if rec.Held != "" {
		return b.heldDue(ctx, entry, rec.Held)
	}
	if rec.Ask != "" {
		q, err := b.question(ctx, rec.Ask)
		if err != nil {
			return err
		}
		if q != nil && q.ID == rec.ID { // else it was answered, or a newer one stands in its place
			ops = append(ops, forget(&q.Question, rec.Ask))
			to := q.Event.Address()
			if q.Where != (adapter.Address{}) {
				to = q.Where
			}
			m = &adapter.Message{To: to, Text: adapter.Format("%s: I have waited long enough for your answer. Say the command again if you still want it.", q.Event.User)}
			b.questions.remove(rec.Ask, q.ID)
		}
	}
	if m != nil {
		m.Key = "due-" + rec.ID // posted once, whoever comes again
		wait, cancel := context.WithTimeout(ctx, b.cfg.SlowAfter)
		passed, stored := false, false
		_, err := b.outgoing(wait, m, func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
			passed = true
			s, refs, err := b.prepare(ctx, m)
			if s == nil {
				stored = errors.Is(err, errDead) || errors.Is(err, handler.ErrUnknown) // earlier
				return refs, err
			}
			stored = true
			b.outbox.start(s) // a platform that hangs does not hold up what is due on others
			return nil, nil
		})
		cancel()
		switch {
		case err == nil || stored: // what becomes of it is in its own record
		case !passed && entry.Key >= dueKey(time.Now().Add(-blockedFor), ""), passed && adapter.OutcomeOf(err) != adapter.Refused:
			return err
		default:
			value, jerr := json.Marshal(dueRecord{Version: recordVersion, ID: rec.ID, Message: m})
			if jerr != nil {
				return fmt.Errorf("starling: what is due cannot be stored: %w", jerr)
			}
			if !passed {
				err = fmt.Errorf("the outgoing chain does not let the message pass: %w", err)
			}
			ops, letters = append(ops, deadEntry(brain.Entry{Key: entry.Key, Value: value}, err.Error())), 1
			b.log.Error("a message that is due will not be posted", "to", m.To.String(), "error", err)
		}
	}
	_, err := b.store.Apply(ctx, ops...)
	if err == nil {
		b.stats.dead.Add(letters)
	}
	if errors.Is(err, brain.ErrConflict) {
		return nil
	}
	return err
}

// history remembers the last command lines of each user, in memory.
type history struct {
	mu    sync.Mutex
	lines map[person][]string // last first
	order []person            // the one who came first at the front
}

// person is what makes an adapter.User.Key, without the making.
type person struct{ adapter, tenant, id string }

func personOf(u adapter.User) person { return person{u.Adapter, u.Tenant, u.ID} }

const (
	historyLines = 20     // of one user
	historyUsers = 10_000 // the one who came first is forgotten
)

func (h *history) add(user person, line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	lines, ok := h.lines[user]
	if !ok {
		if len(h.order) >= historyUsers {
			delete(h.lines, h.order[0])
			h.order = h.order[1:]
		}
		h.order = append(h.order, user)
	}
	if len(lines) < historyLines {
		lines = append(lines, "")
	}
	copy(lines[1:], lines)
	lines[0] = line
	if h.lines == nil {
		h.lines = map[person][]string{}
	}
	h.lines[user] = lines
}

func (h *history) of(user person) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines[user])
}

// Said remembers a command line.
func (x *run) Said(r *handler.Request, line string, secret bool) {
	if u := r.Event.User; u.ID != "" && !secret {
		x.d.bot.history.add(personOf(u), line)
	}
}

// History gives the command lines of a user, the last first.
func (x *run) History(u adapter.User) []string { return x.d.bot.history.of(personOf(u)) }

// Directory looks people and rooms up.
func (x *run) Directory(name string) adapter.Directory {
	src := x.d.bot.sources[name]
	if src == nil {
		return nil
	}
	d, _ := adapter.As[adapter.Directory](src.adapter)
	return d
}

// Zone is that of dates and times of day.
func (x *run) Zone() *time.Location { return x.d.bot.cfg.Zone }

// Can tells whether an adapter has a verb.
func (x *run) Can(name string, v handler.Verb) bool {
	src := x.d.bot.sources[name]
	if src == nil {
		return false
	}
	var ok bool
	switch v {
	case handler.VerbEdit:
		_, ok = adapter.As[adapter.Editor](src.adapter)
	case handler.VerbDelete:
		_, ok = adapter.As[adapter.Deleter](src.adapter)
	case handler.VerbReact:
		_, ok = adapter.As[adapter.Reactor](src.adapter)
	case handler.VerbDirect:
		_, ok = adapter.As[adapter.DirectOpener](src.adapter)
	case handler.VerbForm:
		_, ok = adapter.As[adapter.FormOpener](src.adapter)
	case handler.VerbTopic:
		_, ok = adapter.As[adapter.TopicSetter](src.adapter)
	case handler.VerbUpload:
		_, ok = adapter.As[adapter.Uploader](src.adapter)
		ok = ok || src.features.Files
	}
	return ok
}
