package starling

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

const (
	buttonPrefix = "_/button/"        // + id: the buttons of a message
	choicePrefix = "_/choice/"        // + adapter/room/thread: the numbered list that stands for buttons
	buttonSecret = "_/secret/buttons" // signs their names

	buttonKept = 7 * 24 * time.Hour // after they have expired, so that who presses one is told
	tokenMark  = "~"                // begins a token; no command begins with it
	maxChoices = 10_000             // conversations with an open numbered list
	pruneEvery = time.Minute        // for those that are over, where there are so many
)

// buttonRecord is what the buttons of one message stand for. An adapter sees tokens: the id of the record, which nobody can
// guess, and the number of the button.
type buttonRecord struct {
	Version  int              `json:"v"`
	To       adapter.Address  `json:"to"`
	Only     string           `json:"only,omitempty"` // who alone sees them
	Buttons  []adapter.Button `json:"buttons"`
	Message  *adapter.Message `json:"message,omitempty"` // as posted, without buttons: what it is when they are used
	Reusable bool             `json:"reusable,omitempty"`
	Expires  time.Time        `json:"expires"`
	Used     *buttonUse       `json:"used,omitempty"`
}

// buttonUse is the press that counted.
type buttonUse struct {
	By       adapter.User `json:"by"`
	Label    string       `json:"label"`
	Delivery string       `json:"delivery"`
}

// choiceRecord is the numbered list that was said last in a conversation.
type choiceRecord struct {
	Version int       `json:"v"`
	Button  string    `json:"button"` // id of the buttonRecord
	Expires time.Time `json:"expires"`
}

// buttons knows the key that signs and which conversations have a numbered list.
type buttons struct {
	mu     sync.Mutex
	key    []byte
	open   map[string]bool // by key of the choice; at most maxChoices
	pruned time.Time       // when those that are over were last looked for
}

// none is the cheap answer for bots without numbered lists.
func (s *buttons) none() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) == 0
}

// choosing tells whether a conversation has a numbered list.
func (s *buttons) choosing(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[key]
}

// choose remembers that a conversation has a numbered list, or that it has none any more; false: too many have one, and a number
// is not taken for a choice there; the commands can be typed.
func (s *buttons) choose(key string, open bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !open:
		delete(s.open, key)
	case s.open[key] || len(s.open) < maxChoices:
		put(&s.open, key, true)
	default:
		return false
	}
	return true
}

// pruneChoices forgets the numbered lists that are over. It reads all, so once in pruneEvery.
func (b *Bot) pruneChoices(ctx context.Context) error {
	b.buttons.mu.Lock()
	soon := time.Since(b.buttons.pruned) < pruneEvery
	if !soon {
		b.buttons.pruned = time.Now()
	}
	b.buttons.mu.Unlock()
	if soon {
		return nil
	}
	stored := map[string]bool{}
	for entry, err := range b.store.List(ctx, choicePrefix) {
		if err != nil {
			return fmt.Errorf("starling: read the numbered lists: %w", err)
		}
		stored[entry.Key] = true
	}
	b.buttons.mu.Lock()
	defer b.buttons.mu.Unlock()
	for key := range b.buttons.open {
		if !stored[key] { // one that is just being said is missed at worst: a number is then chatter
			delete(b.buttons.open, key)
		}
	}
	return nil
}

func choiceKey(a adapter.Address) string {
	return choicePrefix + brain.Key(segment(a.Adapter), segment(a.Room), segment(a.Thread))
}

func buttonKey(id string) string { return buttonPrefix + brain.Key(segment(id)) }

// loadChoices reads which conversations have a numbered list.
func (b *Bot) loadChoices(ctx context.Context) error {
	for entry, err := range b.store.List(ctx, choicePrefix) {
		if err != nil {
			return fmt.Errorf("starling: read the numbered lists: %w", err)
		}
		b.buttons.choose(entry.Key, true)
	}
	return nil
}

// signingKey gives the key that signs the names of buttons; all processes of a bot have the same.
func (b *Bot) signingKey(ctx context.Context) ([]byte, error) {
	b.buttons.mu.Lock()
	defer b.buttons.mu.Unlock()
	if b.buttons.key != nil {
		return b.buttons.key, nil
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand.Read ends the program instead
	_, err := b.store.Apply(ctx, brain.Op{Key: buttonSecret, Value: key})
	if err != nil { // there is one, or nobody knows
		entry, gerr := b.store.Get(ctx, buttonSecret)
		if gerr != nil {
			return nil, fmt.Errorf("starling: the key that signs buttons: %w", errors.Join(err, gerr))
		}
		key = entry.Value
	}
	b.buttons.key = key
	return key, nil
}

// arm replaces the commands of the buttons in parts by tokens, and gives what is to be stored with them. what names the
// message: the same name gives the same tokens. m is the message as it was before it was fitted to the platform.
func (b *Bot) arm(ctx context.Context, what string, m *adapter.Message, parts []*adapter.Message) ([]brain.Op, error) {
	if len(m.Buttons) == 0 {
		return nil, nil
	}
	key, err := b.signingKey(ctx)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(what)) // a hash takes everything
	id := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
	last := parts[len(parts)-1]
	quiet := *last
	quiet.Buttons, quiet.Files, quiet.Notify = nil, nil, adapter.NotifyNone
	rec := buttonRecord{
		Version: recordVersion, To: last.To, Only: m.Only, Buttons: m.Buttons, Message: &quiet, Reusable: m.Reusable,
		Expires: time.Now().Add(b.cfg.ButtonsFor).UTC(),
	}
	value, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("starling: the buttons cannot be stored: %w", err)
	}
	ttl := b.cfg.ButtonsFor + buttonKept
	ops := []brain.Op{{Key: buttonKey(id), Value: value, If: brain.Any, TTL: ttl}}
	if len(last.Buttons) > 0 {
		armed := slices.Clone(last.Buttons)
		for i := range armed {
			armed[i].Command = tokenMark + id + "-" + strconv.Itoa(i)
		}
		last.Buttons = armed
		return ops, nil
	}
	choice, err := json.Marshal(choiceRecord{Version: recordVersion, Button: id, Expires: rec.Expires})
	if err != nil {
		return nil, fmt.Errorf("starling: the numbered list cannot be stored: %w", err)
	}
	if at := choiceKey(last.To); !b.buttons.choose(at, true) {
		if err := b.pruneChoices(ctx); err != nil {
			return nil, err
		}
		if !b.buttons.choose(at, true) {
			b.log.Warn("too many conversations have a numbered list; numbers are not understood in another one", "to", last.To.String())
		}
	}
	return append(ops, brain.Op{Key: choiceKey(last.To), Value: choice, If: brain.Any, TTL: b.cfg.ButtonsFor}), nil
}

// button reads the record of a token, and which of its buttons is meant; nil: there is none.
func (b *Bot) button(ctx context.Context, token string) (rec *buttonRecord, entry brain.Entry, n int, err error) {
	id, number, ok := cutLast(strings.TrimPrefix(token, tokenMark), "-")
	if n, err = strconv.Atoi(number); !ok || err != nil || n < 0 {
		return nil, entry, 0, nil
	}
	entry, err = b.store.Get(ctx, buttonKey(id))
	if errors.Is(err, brain.ErrNotFound) {
		return nil, entry, 0, nil
	}
	if err != nil {
		return nil, entry, 0, fmt.Errorf("starling: read a button: %w", err)
	}
	rec = &buttonRecord{}
	if err := decode(entry.Value, rec); err != nil {
		return nil, entry, 0, b.aside(ctx, entry, err.Error())
	}
	if n >= len(rec.Buttons) {
		return nil, entry, 0, nil
	}
	return rec, entry, n, nil
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// press puts the command that a click, or a number that answers a list, stands for into ev. over: the button is no longer
// one, and who pressed it is told so.
func (b *Bot) press(ctx context.Context, ev *adapter.Event) (over bool, err error) {
	token := ""
	switch {
	case ev.Kind == adapter.KindClick && ev.Click != nil && strings.HasPrefix(ev.Click.Command, tokenMark):
		token = ev.Click.Command
	case ev.Kind == adapter.KindMessage:
		if token, err = b.chosen(ctx, ev); err != nil {
			return false, err
		}
	}
	if token == "" {
		return false, nil
	}
	rec, _, n, err := b.button(ctx, token)
	if err != nil {
		return false, err
	}
	if text := rec.refuse(ev); text != "" {
		b.notify(ev, adapter.Format("%s: %s", ev.User, adapter.Markup(text)))
		if rec != nil && (rec.Used != nil || rec.expired()) {
			b.retire(ev, rec)
		}
		return true, nil
	}
	ref := adapter.Ref{}
	if ev.Click != nil {
		ref = ev.Click.Message
	}
	ev.Kind = adapter.KindClick
	ev.Click = &adapter.Click{Command: rec.Buttons[n].Command, Label: rec.Buttons[n].Label, Token: token, Message: ref}
	return false, nil
}

// chosen gives the token that a number in answer to a list stands for; empty: it is none.
func (b *Bot) chosen(ctx context.Context, ev *adapter.Event) (string, error) {
	if b.buttons.none() {
		return "", nil
	}
	key := choiceKey(ev.Address())
	if !b.buttons.choosing(key) {
		return "", nil
	}
	text, _ := b.table.Text(ev)
	n, err := strconv.Atoi(strings.TrimRight(strings.TrimSpace(text), "."))
	if err != nil || n < 1 {
		return "", nil
	}
	entry, err := b.store.Get(ctx, key)
	if errors.Is(err, brain.ErrNotFound) {
		b.buttons.choose(key, false)
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("starling: read a numbered list: %w", err)
	}
	var rec choiceRecord
	if err := decode(entry.Value, &rec); err != nil {
		b.buttons.choose(key, false)
		return "", b.aside(ctx, entry, err.Error())
	}
	token := tokenMark + rec.Button + "-" + strconv.Itoa(n-1)
	if found, _, _, err := b.button(ctx, token); err != nil || found == nil {
		return "", err // a number that is not on the list is chatter
	}
	return token, nil
}

// refuse says why ev cannot press a button of rec; empty: it can.
func (rec *buttonRecord) refuse(ev *adapter.Event) string {
	switch {
	case rec == nil:
		return "that button no longer works."
	case rec.To.Adapter != ev.Adapter || rec.To.Room != ev.Room.ID:
		return "that button is not one of this room."
	case rec.Only != "" && rec.Only != ev.User.ID:
		return "that button is not for you."
	case rec.Used != nil && rec.Used.Delivery != deliveryID(ev):
		return adapter.Format("%s pressed %s already.", rec.Used.By, rec.Used.Label)
	case rec.expired():
		return "that button has expired. Ask for it again if you still want it."
	}
	return ""
}

func (rec *buttonRecord) expired() bool { return !rec.Expires.After(time.Now()) }

// stale tells whether somebody used the button since the click was accepted, and tells who pressed it.
func (d *delivery) stale() bool {
	if d.ev.Click == nil || d.ev.Click.Token == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(d.bot.storing, storeTimeout)
	defer cancel()
	rec, _, _, err := d.bot.button(ctx, d.ev.Click.Token)
	if err != nil {
		d.bot.log.Warn("a button could not be looked at; it counts as unused", "id", handler.CorrelationID(d.id), "error", err)
		return false // using it is conditional
	}
	if rec == nil || rec.Used == nil || rec.Used.Delivery == d.id || rec.Used.Delivery == deliveryID(d.ev) { // by this very press
		return false
	}
	only := ""
	if !d.ev.Click.Message.IsZero() { // nobody else saw the press; a number was said in the room
		only = d.ev.User.ID
	}
	d.tell(d.newRun(nil, 1), "stale", &adapter.Message{
		To: d.address, Text: adapter.Format("%s: %s", d.ev.User, adapter.Markup(rec.refuse(d.ev))), Origin: d.ev.Origin, Only: only,
	})
	return true
}

// use gives the operation that marks the button of a click as used, and its record; nil where there is nothing to mark.
func (x *run) use(ctx context.Context) (*brain.Op, *buttonRecord, error) {
	ev := x.d.ev
	if ev.Click == nil || ev.Click.Token == "" || x.used.Load() {
		return nil, nil, nil
	}
	rec, entry, n, err := x.d.bot.button(ctx, ev.Click.Token)
	if err != nil || rec == nil || rec.Reusable || rec.Used != nil && rec.Used.Delivery == x.d.id {
		return nil, nil, err
	}
	if text := rec.refuse(ev); text != "" && rec.Used != nil {
		return nil, nil, handler.UserErrorf("%s: %s", ev.User, adapter.Markup(text))
	}
	rec.Used = &buttonUse{By: ev.User, Label: rec.Buttons[n].Label, Delivery: x.d.id}
	value, err := json.Marshal(rec)
	if err != nil {
		return nil, nil, fmt.Errorf("starling: the button cannot be stored: %w", err)
	}
	return &brain.Op{Key: entry.Key, Value: value, If: brain.At(entry.Rev), TTL: buttonKept}, rec, nil
}

// useAfter marks the button of a click that was handled as used.
func (x *run) useAfter() {
	op, rec, err := x.use(x.d.bot.storing)
	if err == nil && op != nil {
		err = x.d.commit(x.d.bot.storing, op, func(*runRecord) {})
	}
	switch {
	case errors.Is(err, brain.ErrConflict): // another click was faster, and this one's effect has happened
	case err != nil:
		x.d.bot.log.Warn("a button that was pressed stays one", "id", handler.CorrelationID(x.d.id), "error", err)
	case op != nil:
		x.retired(rec)
	}
}

// retire takes the buttons from the message that was clicked, and gives what is closed when that is done. A message that
// keeps them says so when they are pressed.
func (b *Bot) retire(ev *adapter.Event, rec *buttonRecord) <-chan struct{} {
	done := make(chan struct{})
	if ev.Click == nil || ev.Click.Message.IsZero() || rec.Message == nil {
		close(done)
		return done
	}
	src := b.sources[ev.Click.Message.Adapter]
	if src == nil {
		close(done)
		return done
	}
	editor, ok := adapter.As[adapter.Editor](src.adapter)
	if !ok {
		close(done)
		return done
	}
	ref := ev.Click.Message
	b.background.Go(func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(b.storing, sendTimeout)
		defer cancel()
		m := *rec.Message
		if note := b.useNote(ctx, rec); note != "" {
			if m.Text != "" {
				note = m.Text + "\n\n" + note
			}
			if most := src.features.MaxText; most == 0 || src.features.Unit.Len(note) <= most {
				m.Text = note
			}
		}
		if err := src.patiently(ctx, ref.Room, func() error { return editor.Edit(ctx, ref, &m) }); err != nil {
			b.log.Debug("the buttons that are over stay shown", "adapter", src.name, "error", err)
		}
	})
	return done
}

// useNote gives what a message says in place of its buttons, as the platform has it. The message itself has been through the
// outgoing chain, this has not yet: where the chain blocks it there is none.
func (b *Bot) useNote(ctx context.Context, rec *buttonRecord) (text string) {
	note := "expired"
	if rec.Used != nil {
		note = adapter.Format("**%s** by %s", rec.Used.Label, rec.Used.By)
	}
	to := rec.Message.To
	_, err := b.outgoing(ctx, &adapter.Message{To: to, Text: note, Only: rec.Only}, func(_ context.Context, m *adapter.Message) ([]adapter.Ref, error) {
		if m.To != to { // the chain has it said elsewhere
			return nil, nil
		}
		parts, err := b.render(&adapter.Message{To: to, Text: m.Text})
		if err == nil && len(parts) == 1 {
			text = parts[0].Text
		}
		return nil, err
	})
	if err != nil {
		b.log.Debug("the outgoing chain blocks what takes the place of buttons", "to", to.String(), "error", err)
		return ""
	}
	return text
}

// retired marks the button of x's click as used and waits a moment until the message shows it: what the handler says next
// comes after that.
func (x *run) retired(rec *buttonRecord) {
	x.used.Store(true)
	x.await(x.d.bot.retire(x.d.ev, rec))
}
