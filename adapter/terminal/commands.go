package terminal

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// slash is a line that acts in a playground.
type slash struct {
	usage string
	// run acts on what follows the word. why is a wrong use: nothing was done. err is errQuit, or that of a context that
	// ended first.
	run func(a *Adapter, ctx context.Context, rest string) (why string, err error)
}

// slashes finds what a word after / does; nil for a word that is ordinary text.
func slashes(name string) *slash {
	switch name {
	case "/as":
		return &slash{"/as NAME", (*Adapter).actAs}
	case "/room":
		return &slash{"/room NAME", (*Adapter).actRoom}
	case "/dm":
		return &slash{"/dm", (*Adapter).actDirect}
	case "/thread":
		return &slash{"/thread N, or /thread alone to leave it", (*Adapter).actThread}
	case "/react":
		return &slash{"/react N EMOJI", (*Adapter).actReact}
	case "/press":
		return &slash{"/press N BUTTON (its number or label)", (*Adapter).actPress}
	case "/edit":
		return &slash{"/edit N TEXT (N: which of your lines, from 1)", (*Adapter).actEdit}
	case "/quit":
		return &slash{"/quit", (*Adapter).actQuit}
	}
	return nil
}

var slashNames = [...]string{"/as", "/dm", "/edit", "/press", "/quit", "/react", "/room", "/thread"}

// act does what a line that begins with / says; false if it is ordinary text.
func (a *Adapter) act(ctx context.Context, in input) (acted bool, err error) {
	name, rest := cutWord(in.line)
	s := slashes(name)
	if s == nil {
		return false, nil
	}
	if in.truncated {
		a.notice("the line is too long; usage: %s", s.usage)
		return true, nil
	}
	why, err := s.run(a, ctx, rest)
	if err != nil && ctx.Err() != nil {
		a.later = &in
	}
	if why != "" {
		a.notice("%s; usage: %s", why, s.usage)
	}
	return true, err
}

// cutWord gives the first word and what follows, without white space around.
func cutWord(s string) (first, rest string) {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], strings.TrimSpace(s[i:])
	}
	return s, ""
}

func (a *Adapter) actAs(_ context.Context, rest string) (string, error) {
	name := strings.TrimPrefix(rest, "@")
	if !validName(name) || name == a.bot.ID {
		return "that is no name", nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.user = a.person(name)
	a.users.put(name, a.user)
	if a.room.Kind == adapter.RoomDirect {
		a.goTo(a.direct(name))
	}
	a.release()
	return "", nil
}

// goTo changes the current room. It is called with a.mu held.
func (a *Adapter) goTo(r adapter.Room) {
	a.room, a.thread = r, ""
	a.rooms.put(r.ID, r)
}

func (a *Adapter) actRoom(_ context.Context, rest string) (string, error) {
	name := strings.TrimPrefix(rest, "#")
	if !validName(name) || strings.HasPrefix(name, directPrefix) {
		return "that is no name of a room", nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.goTo(adapter.Room{ID: name, Name: name, Kind: adapter.RoomChannel})
	return "", nil
}

func (a *Adapter) actDirect(_ context.Context, rest string) (string, error) {
	if rest != "" {
		return "/dm stands alone", nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.goTo(a.direct(a.user.ID))
	return "", nil
}

func (a *Adapter) actThread(ctx context.Context, rest string) (string, error) {
	if rest == "" {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.thread = ""
		return "", nil
	}
	p, tail, why, err := a.numbered(ctx, rest)
	if err != nil {
		return "", err
	}
	if why == "" && tail != "" {
		why = "there is something after the number"
	}
	if why != "" {
		return why, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.room.ID != a.room.ID {
		return "message " + strconv.Itoa(p.number) + " is in another room", nil
	}
	if a.thread = p.ref.Thread; a.thread == "" {
		a.thread = strconv.Itoa(p.number)
	}
	return "", nil
}

func (a *Adapter) actReact(ctx context.Context, rest string) (string, error) {
	p, emoji, why, err := a.numbered(ctx, rest)
	if err != nil {
		return "", err
	}
	emoji = strings.Trim(emoji, ":")
	if why == "" && (emoji == "" || strings.ContainsAny(emoji, " \t")) {
		why = "that is not one emoji"
	}
	if why != "" {
		return why, nil
	}
	a.mu.Lock()
	ev := a.event(adapter.KindReaction, p.room, p.ref.Thread)
	a.mu.Unlock()
	ev.MessageID = p.ref.ID
	ev.Reaction = &adapter.Reaction{Emoji: emoji, Message: p.ref, Author: a.bot}
	return "", a.queue.push(ctx, ev)
}

func (a *Adapter) actPress(ctx context.Context, rest string) (string, error) {
	p, which, why, err := a.numbered(ctx, rest)
	if why != "" || err != nil {
		return why, err
	}
	a.mu.Lock()
	button, why := choose(p.buttons, which)
	ev := a.event(adapter.KindClick, p.room, p.ref.Thread)
	a.mu.Unlock()
	if why != "" {
		return why, nil
	}
	ev.MessageID = p.ref.ID
	ev.Click = &adapter.Click{Command: button.Command, Label: button.Label, Message: p.ref}
	return "", a.queue.push(ctx, ev)
}

// choose finds a button by its number, from 1, or by its label without regard to case.
func choose(buttons []adapter.Button, which string) (adapter.Button, string) {
	if n, err := strconv.Atoi(which); err == nil && n >= 1 && n <= len(buttons) {
		return buttons[n-1], ""
	}
	found := -1
	for i, b := range buttons {
		if which == "" || !strings.EqualFold(word(b.Label), word(which)) {
			continue
		}
		if found >= 0 {
			return adapter.Button{}, "several buttons are called " + which
		}
		found = i
	}
	if found < 0 {
		return adapter.Button{}, "there is no such button"
	}
	return buttons[found], ""
}

func (a *Adapter) actEdit(ctx context.Context, rest string) (string, error) {
	first, text := cutWord(rest)
	n, err := strconv.Atoi(first)
	if err != nil || text == "" {
		return "a number and a text are needed", nil
	}
	a.mu.Lock()
	u, ok := a.said.find(func(u *utterance) bool { return u.user.ID == a.user.ID && u.number == n })
	var ev *adapter.Event
	if ok {
		ev = a.event(adapter.KindEdit, u.room, u.ref.Thread)
		ev.MessageID, ev.Text = u.ref.ID, text
		ev.Mentioned = mentions(text, a.cfg.BotName)
	}
	a.mu.Unlock()
	if !ok {
		return "there is no line " + first + " of yours", nil
	}
	return "", a.queue.push(ctx, ev)
}

func (a *Adapter) actQuit(_ context.Context, rest string) (string, error) {
	if rest != "" {
		return "/quit stands alone", nil
	}
	return "", errQuit
}

// patience is how long a line from a pipe waits for a message that it names by number and that is not shown yet.
const patience = 2 * time.Second

// numbered finds the bot's message whose number stands first in rest, and gives what follows. An error means that ctx
// ended while it waited.
func (a *Adapter) numbered(ctx context.Context, rest string) (p *post, tail, why string, err error) {
	first, tail := cutWord(rest)
	n, err := strconv.Atoi(first)
	if err != nil || n < 1 {
		return nil, "", "the number of a message is needed", nil
	}
	if !a.tty {
		if err := a.await(ctx, n); err != nil {
			return nil, "", "", err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.posts.find(func(p *post) bool { return p.number == n && a.sees(p) })
	if !ok {
		return nil, "", "there is no message " + first, nil
	}
	return p, tail, "", nil
}

// await waits for message n, but not for ever.
func (a *Adapter) await(ctx context.Context, n int) error {
	t := time.NewTimer(patience)
	defer t.Stop()
	for {
		a.mu.Lock()
		last, news := a.last, a.news
		a.mu.Unlock()
		if last >= n {
			return nil
		}
		select {
		case <-news:
		case <-t.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// RegisterCommands implements [adapter.CommandRegistrar]: Tab completes these names. A later call replaces the names.
func (a *Adapter) RegisterCommands(ctx context.Context, commands []adapter.CommandSpec) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.usable(ctx, "register commands"); err != nil {
		return err
	}
	var names []string
	for _, c := range commands {
		if name := word(c.Name); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	a.names.Store(slices.Compact(names))
	a.specs.Store(slices.Clone(commands))
	return nil
}

// complete gives the line after Tab at pos, and what to list where there are several ways on. What follows the cursor stays.
func (a *Adapter) complete(line string, pos int) (string, int, []string) {
	typed, after := line[:pos], line[pos:]
	prefix := typed
	addressed := false
	for _, name := range []string{"@" + a.cfg.BotName, a.cfg.BotName} { // "starling: dep"
		if len(typed) > len(name) && strings.EqualFold(typed[:len(name)], name) && strings.ContainsRune(" :,", rune(typed[len(name)])) {
			prefix, addressed = strings.TrimLeft(typed[len(name):], " :,"), true
			break
		}
	}
	if head, found := a.completeArgs(prefix); len(found) > 0 {
		return settle(typed[:len(typed)-len(prefix)]+head, found, after)
	}
	var names []string
	if registered, ok := a.names.Load().([]string); ok {
		names = registered
	}
	if a.cfg.Playground && !addressed && strings.HasPrefix(prefix, "/") {
		names = append(slices.Clone(names), slashNames[:]...)
	}
	var found []string
	for _, n := range names {
		if len(n) >= len(prefix) && strings.EqualFold(n[:len(prefix)], prefix) {
			found = append(found, n)
		}
	}
	if len(found) == 0 { // nothing to complete: the key is a space, so that pasted words stay apart
		return typed + " " + after, pos + 1, nil
	}
	return settle(typed[:len(typed)-len(prefix)], found, after)
}

// settle puts what was found after head: all of it where there is one way on, else what all have in common.
func settle(head string, found []string, after string) (string, int, []string) {
	if len(found) > 1 {
		done := head + common(found)
		return done + after, len(done), found
	}
	done := head + found[0]
	if !strings.HasPrefix(after, " ") {
		done += " "
	}
	return done + after, len(done), nil
}

// completeArgs gives what the last word of a command's arguments may become, and what stands before that word.
func (a *Adapter) completeArgs(typed string) (head string, found []string) {
	specs, _ := a.specs.Load().([]adapter.CommandSpec)
	best := -1
	for i, s := range specs {
		if s.Complete == nil {
			continue
		}
		for _, name := range append([]string{s.Name}, s.Aliases...) {
			if len(typed) > len(name) && strings.EqualFold(typed[:len(name)], name) && typed[len(name)] == ' ' && len(name)+1 > len(head) {
				best, head = i, typed[:len(name)+1]
			}
		}
	}
	if best < 0 {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), completeTimeout)
	defer cancel()
	found = specs[best].Complete(ctx, typed[len(head):])
	if len(found) > maxCompletions {
		found = found[:maxCompletions]
	}
	last := typed[strings.LastIndexByte(typed, ' ')+1:]
	return typed[:len(typed)-len(last)], found
}

const (
	completeTimeout = 200 * time.Millisecond // Tab must not hang
	maxCompletions  = 100
)

// common gives the longest beginning that all have.
func common(names []string) string {
	s := names[0]
	for _, n := range names[1:] {
		for !strings.HasPrefix(n, s) {
			r := []rune(s)
			s = string(r[:len(r)-1])
		}
	}
	return s
}
