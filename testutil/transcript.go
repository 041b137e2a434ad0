package testutil

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
)

// Transcript starts a bot of cfg and plays a golden transcript with it, see the package's documentation for the form. Where
// cfg has no adapters the chat has constant ids, so that what is made of ids (the number that a failed handler reports) is
// the same in every run.
func Transcript(t testing.TB, cfg starling.Config, path string) *Bot {
	t.Helper()
	if len(cfg.Adapters) == 0 {
		cfg.Adapters = []adapter.Adapter{NewChat(ChatConfig{BotName: cfg.Name, ID: "transcript"})}
	}
	b := Start(t, cfg)
	b.Play(path)
	return b
}

// Play plays a golden transcript with a bot that runs: it does what the lines of users say, waits after each until the bot
// is idle, and compares what the bot said. It fails the test with a difference at the end, or rewrites the file where the
// test runs with -update or STARLING_UPDATE=1.
//
// Lines of different rooms are compared room by room. What was said before Play is not looked at.
func (b *Bot) Play(path string) {
	b.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal("testutil: transcript:", err)
	}
	want := strings.ReplaceAll(string(data), "\r\n", "\n")
	steps, err := parseTranscript(want)
	if err != nil {
		b.t.Fatalf("%s:%v", path, err)
	}
	var got []string
	b.Chat.mu.Lock()
	from := len(b.Chat.acts)
	b.Chat.mu.Unlock()
	for i, s := range steps {
		if i > 0 {
			if err := b.do(s); err != nil {
				b.t.Fatalf("%s:%d: %s: %v%s", path, s.line, s.text[0], err, b.story())
			}
		}
		if b.life != nil {
			if err := b.idle(); err != nil {
				b.t.Fatalf("%s:%d: %v%s", path, s.line, err, b.story())
			}
		}
		var said []string
		said, from = b.saidSince(from)
		got = append(got, s.text...)
		got = append(got, s.answered(said)...)
	}
	text := strings.Join(got, "\n") + "\n"
	if strings.TrimRight(text, "\n") == strings.TrimRight(want, "\n") {
		return
	}
	if !updating() {
		b.t.Errorf("%s is not what happened (- file, + now; STARLING_UPDATE=1 rewrites it):\n%s", path, diff(want, text))
		return
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.t.Fatal("testutil: transcript:", err)
	}
	b.t.Logf("%s is rewritten", path)
}

// updating tells whether golden files are to be rewritten. The flag is the test's own: this package registers none, so that
// it cannot clash.
func updating() bool {
	if f := flag.Lookup("update"); f != nil {
		if g, ok := f.Value.(flag.Getter); ok && g.Get() == true {
			return true
		}
	}
	return os.Getenv("STARLING_UPDATE") == "1"
}

// saidSince gives what the bot did since the act number from, and the number of the next.
func (b *Bot) saidSince(from int) (lines []string, next int) {
	b.Chat.mu.Lock()
	defer b.Chat.mu.Unlock()
	for _, a := range b.Chat.acts[from:] {
		if a.bot {
			lines = append(lines, b.named(a.line))
			if a.kind == actPost || a.kind == actEdit || a.kind == actReaction {
				b.seen[string(a.kind)+" "+a.place]++
			}
		}
	}
	return lines, len(b.Chat.acts)
}

// named puts names in place of what is random.
func (b *Bot) named(line string) string {
	for _, name := range slices.Sorted(maps.Keys(b.Random)) {
		line = b.Random[name].ReplaceAllStringFunc(line, func(found string) string {
			n := slices.Index(b.random[name], found)
			if n < 0 {
				n = len(b.random[name])
				b.random[name] = append(b.random[name], found)
			}
			return name + "-" + strconv.Itoa(n+1)
		})
	}
	return line
}

// unnamed puts back what was random in place of its names.
func (b *Bot) unnamed(text string) string {
	for name, found := range b.random {
		for n := len(found); n > 0; n-- { // NAME-10 before NAME-1
			text = strings.ReplaceAll(text, name+"-"+strconv.Itoa(n), found[n-1])
		}
	}
	return text
}

// step is what somebody does, and what the file says that the bot answers. The first step of a file is what comes before
// anybody does something.
type step struct {
	line    int
	text    []string // as it stands in the file, with continuation lines
	answers []string // of the bot, continuation lines included
	after   []string // answers, comments and empty lines, as they stand
	asides  []string // comments and empty lines alone
}

// parseTranscript splits a file into steps.
func parseTranscript(text string) ([]*step, error) {
	steps := []*step{{}}
	type owner int
	const (
		nobody owner = iota
		user
		bot
	)
	last := nobody
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		s := steps[len(steps)-1]
		within := last != nobody && line == "" && goesOn(lines[i+1:]) // an empty line of a message
		switch {
		case !within && aside(line):
			s.after, s.asides = append(s.after, line), append(s.asides, line)
			last = nobody
		case within || strings.HasPrefix(line, "  "):
			switch last {
			case user:
				s.text = append(s.text, line)
			case bot:
				s.after = append(s.after, line)
				s.answers[len(s.answers)-1] += "\n" + line
			default:
				return nil, fmt.Errorf("%d: an indented line goes on with the line above, and there is none", i+1)
			}
		case line[0] == '#' || line[0] == '@':
			s.after = append(s.after, line)
			s.answers = append(s.answers, line)
			last = bot
		default:
			steps = append(steps, &step{line: i + 1, text: []string{line}})
			last = user
		}
	}
	return steps, nil
}

// aside tells whether line is empty or a comment.
func aside(line string) bool {
	return strings.TrimSpace(line) == "" || line == "#" || strings.HasPrefix(line, "# ")
}

// goesOn tells whether the next line that is not empty is indented.
func goesOn(lines []string) bool {
	for _, l := range lines {
		if l != "" {
			return strings.HasPrefix(l, "  ")
		}
	}
	return false
}

// answered gives the lines that follow a step: those of the file if the bot said that, else what it said, and the comments.
func (s *step) answered(said []string) []string {
	if same(s.answers, said) {
		return s.after
	}
	var lines []string
	for _, l := range said {
		lines = append(lines, strings.Split(l, "\n")...)
	}
	return append(lines, s.asides...)
}

// same compares answers conversation by conversation.
func same(want, got []string) bool {
	by := func(lines []string) map[string][]string {
		m := map[string][]string{}
		for _, l := range lines {
			where, _, _ := strings.Cut(l, " ")
			m[where] = append(m[where], strings.TrimRight(l, " "))
		}
		return m
	}
	w, g := by(want), by(got)
	if len(w) != len(g) {
		return false
	}
	for where, lines := range w {
		if !slices.Equal(lines, g[where]) {
			return false
		}
	}
	return true
}

// The forms of a step. A room is left out in the direct room.
var (
	passForm = regexp.MustCompile(`^-- (\S+) pass --$`)
	kindForm = regexp.MustCompile(`^-- (\S+) is an? (member|guest|external|bot) --$`)
	sayForm  = regexp.MustCompile(`^([^\s#@/>]+)(?: ([#@/][^\s>]*))?> ?((?s:.*))$`)
	actForm  = regexp.MustCompile(`^([^\s#@/>]+)(?: ([#@/]\S*))? (reacts|unreacts|presses|edits|deletes|invokes|joins|leaves|sets)\b ?((?s:.*))$`)

	reactForm = regexp.MustCompile(`^(\S+)(?: to (\d+))?$`)
	pressForm = regexp.MustCompile(`^("(?:[^"\\]|\\.)*")(?: on (\d+))?$`)
	editForm  = regexp.MustCompile(`^(\d*): ?((?s:.*))$`)
	topicForm = regexp.MustCompile(`^the topic: ?(.*)$`)
)

// do does what a step says.
func (b *Bot) do(s *step) error {
	b.t.Helper()
	text := s.text[0]
	for _, l := range s.text[1:] {
		text += "\n" + strings.TrimPrefix(l, "  ")
	}
	text = b.unnamed(text)
	if strings.HasPrefix(text, "--") {
		return b.direction(text)
	}
	if m := sayForm.FindStringSubmatch(text); m != nil {
		if _, err := b.placeOf(m[1], m[2]); err != nil {
			return err
		}
		b.User(m[1]).Say(whereOf(m[1], m[2]), m[3])
		return nil
	}
	if m := actForm.FindStringSubmatch(text); m != nil {
		return b.acts(m[1], m[2], m[3], m[4])
	}
	return fmt.Errorf("that is no line of a transcript")
}

// direction does "-- restart --" and the like.
func (b *Bot) direction(text string) error {
	b.t.Helper()
	if f := b.Directions[strings.TrimSuffix(strings.TrimPrefix(text, "-- "), " --")]; f != nil {
		f()
		return nil
	}
	switch text {
	case "-- restart --":
		b.Restart()
		return nil
	case "-- kill --":
		b.Kill()
		b.Start()
		return nil
	}
	if m := kindForm.FindStringSubmatch(text); m != nil {
		b.User(m[1]).Kind = adapter.UserKind(m[2])
		return nil
	}
	if m := passForm.FindStringSubmatch(text); m != nil {
		d, err := time.ParseDuration(m[1])
		if err != nil {
			return err
		}
		if !inBubble() {
			return fmt.Errorf("time passes only inside testing/synctest: play the file in synctest.Test")
		}
		t := time.NewTimer(d)
		<-t.C
		synctest.Wait()
		return nil
	}
	return fmt.Errorf("there is -- restart --, -- kill --, -- 10m pass --, -- NAME is a guest -- and what Bot.Directions has")
}

// whereOf makes a place of what stands behind a user's name.
func whereOf(name, where string) string {
	if where == "" || where[0] == '/' {
		return "@" + name + where
	}
	return where
}

func (b *Bot) placeOf(name, where string) (place, error) {
	b.Chat.mu.Lock()
	defer b.Chat.mu.Unlock()
	return b.Chat.parsePlace(whereOf(name, where))
}

// acts does what a user does that is not a message.
func (b *Bot) acts(name, where, verb, rest string) error {
	b.t.Helper()
	p, err := b.placeOf(name, where)
	if err != nil {
		return err
	}
	u, at := b.User(name), whereOf(name, where)
	switch verb {
	case "joins":
		u.Join(at)
	case "leaves":
		u.Leave(at)
	case "sets":
		m := topicForm.FindStringSubmatch(rest)
		if m == nil {
			return fmt.Errorf("write: %s #room sets the topic: text", name)
		}
		u.SetTopic(at, m[1])
	case "invokes":
		command, text, _ := strings.Cut(rest, " ")
		if !strings.HasPrefix(command, "/") {
			return fmt.Errorf("write: %s #room invokes /command text", name)
		}
		u.Invoke(at, command, text)
	case "reacts", "unreacts":
		m := reactForm.FindStringSubmatch(rest)
		if m == nil {
			return fmt.Errorf("write: %s #room %s 👍 to 2, or without \"to 2\" for the last message", name, verb)
		}
		said, err := b.pick(p, m[2], func(*message) bool { return true })
		if err != nil {
			return err
		}
		u.react(&Said{message: said}, m[1], verb == "unreacts")
	case "presses":
		m := pressForm.FindStringSubmatch(rest)
		if m == nil {
			return fmt.Errorf("write: %s #room presses \"Yes\" on 3, or without \"on 3\" for the last message with such a button", name)
		}
		label, err := strconv.Unquote(m[1])
		if err != nil {
			return err
		}
		said, err := b.pick(p, m[2], func(said *message) bool {
			return said.post != nil && slices.ContainsFunc(said.post.Buttons, func(b adapter.Button) bool { return strings.EqualFold(b.Label, label) })
		})
		if err != nil {
			return err
		}
		if u.Press(&Post{Ref: said.ref}, label) == nil {
			return fmt.Errorf("it cannot be pressed")
		}
	case "edits":
		m := editForm.FindStringSubmatch(rest)
		if m == nil {
			return fmt.Errorf("write: %s #room edits 1: new text", name)
		}
		said, err := b.pick(p, m[1], func(said *message) bool { return said.user.ID == u.ID })
		if err != nil {
			return err
		}
		b.Chat.mu.Lock()
		defer b.Chat.mu.Unlock()
		b.Chat.edit(u, said, m[2])
	case "deletes":
		said, err := b.pick(p, rest, func(said *message) bool { return said.user.ID == u.ID })
		if err != nil {
			return err
		}
		b.Chat.mu.Lock()
		defer b.Chat.mu.Unlock()
		b.Chat.delete(u, said)
	}
	return nil
}

// pick finds a message of a room by number, or the last one that fits where no number is given.
func (b *Bot) pick(p place, number string, fits func(*message) bool) (*message, error) {
	b.Chat.mu.Lock()
	defer b.Chat.mu.Unlock()
	if number == "" {
		for _, m := range slices.Backward(p.room.messages) {
			if !m.deleted && m.ref.Thread == p.thread && fits(m) {
				return m, nil
			}
		}
		return nil, fmt.Errorf("there is no such message in %s", b.Chat.label(p.room, p.thread))
	}
	m, err := p.room.numbered(number)
	if err == nil && !fits(m) {
		return nil, fmt.Errorf("message %s is %s's and does not fit", number, m.user)
	}
	return m, err
}
