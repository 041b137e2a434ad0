package testutil

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxStory is how many of the last things that happened a failure shows.
const maxStory = 40

// Expect waits for the bot's next post in a place and compares its plain text: "#ops" is the room outside of threads,
// "#ops/3" the thread under message 3, "@alice" the direct room of alice. What was expected once is not seen again. The
// test fails at once if the text differs, the post is for one user only, or nothing comes within Patience.
func (b *Bot) Expect(where, text string) *Post {
	b.t.Helper()
	return b.expect(actPost, where, "", func(p *Post, _ string) string {
		if p.Text == text {
			return ""
		}
		return fmt.Sprintf("want %q\n got %q", text, p.Text)
	})
}

// ExpectMatch is [Bot.Expect] with a regular expression that has to match somewhere in the text.
func (b *Bot) ExpectMatch(where, expr string) *Post {
	b.t.Helper()
	re, err := regexp.Compile(expr)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.expect(actPost, where, "", func(p *Post, _ string) string {
		if re.MatchString(p.Text) {
			return ""
		}
		return fmt.Sprintf("want a match of %q\n got %q", expr, p.Text)
	})
}

// ExpectDirect is [Bot.Expect] in the direct room of a user.
func (b *Bot) ExpectDirect(user, text string) *Post {
	b.t.Helper()
	return b.Expect("@"+strings.TrimPrefix(user, "@"), text)
}

// ExpectWhisper is [Bot.Expect] for a post that user alone sees.
func (b *Bot) ExpectWhisper(where, user, text string) *Post {
	b.t.Helper()
	return b.expect(actPost, where, user, func(p *Post, _ string) string {
		if p.Text == text {
			return ""
		}
		return fmt.Sprintf("want %q\n got %q", text, p.Text)
	})
}

// ExpectEdit waits for the bot's next edit of a post in a place, and compares the new text.
func (b *Bot) ExpectEdit(where, text string) *Post {
	b.t.Helper()
	return b.expect(actEdit, where, "*", func(p *Post, _ string) string {
		if p.Text == text {
			return ""
		}
		return fmt.Sprintf("want %q\n got %q", text, p.Text)
	})
}

// ExpectReaction waits for the bot's next reaction in a place.
func (b *Bot) ExpectReaction(where, emoji string) {
	b.t.Helper()
	b.expect(actReaction, where, "*", func(_ *Post, got string) string {
		if got == strings.Trim(emoji, ":") {
			return ""
		}
		return fmt.Sprintf("want %s\n got %s", emoji, got)
	})
}

// expect waits for the next act of a kind in a place. only: the user who alone sees it, "" for everybody, "*" for whoever.
// wrong says what is wrong with it.
func (b *Bot) expect(kind actKind, where, only string, wrong func(p *Post, detail string) string) *Post {
	b.t.Helper()
	p, err := b.place(where)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Chat.mu.Lock()
	where = b.Chat.label(p.room, p.thread)
	b.Chat.mu.Unlock()
	cursor := string(kind) + " " + where
	var got act
	ok := b.await(func() bool {
		b.Chat.mu.Lock()
		defer b.Chat.mu.Unlock()
		n := 0
		for _, a := range b.Chat.acts {
			if a.bot && a.kind == kind && a.place == where {
				if n++; n > b.seen[cursor] {
					got = a
					return true
				}
			}
		}
		return false
	}, nil)
	if !ok {
		b.t.Fatalf("%s: no %s of the bot within %v%s", where, kind, b.Patience, b.story())
	}
	b.seen[cursor]++
	if only != "*" && got.post != nil && !strings.EqualFold(got.post.Only, only) {
		b.t.Fatalf("%s: want a post for %s\n got one for %s%s", where, whom(only), whom(got.post.Only), b.story())
	}
	if what := wrong(got.post, got.detail); what != "" {
		b.t.Fatalf("%s: %s%s", where, what, b.story())
	}
	return got.post
}

func whom(user string) string {
	if user == "" {
		return "everybody"
	}
	return user + " alone"
}

// ExpectSilence waits until the bot is idle, and fails the test if it posted something in a room, its threads included,
// that was not expected before. Without a room it is about all rooms.
func (b *Bot) ExpectSilence(rooms ...string) {
	b.t.Helper()
	if b.life != nil {
		b.Idle()
	}
	if unseen := b.unseen(rooms); unseen != nil {
		b.t.Fatalf("want silence\n got %s%s", strings.Join(unseen, "\n     "), b.story())
	}
}

// unseen gives the bot's posts in rooms that were not expected.
func (b *Bot) unseen(rooms []string) (lines []string) {
	b.Chat.mu.Lock()
	defer b.Chat.mu.Unlock()
	count := map[string]int{}
	for _, a := range b.Chat.acts {
		if !a.bot || a.kind != actPost {
			continue
		}
		cursor := string(a.kind) + " " + a.place
		if count[cursor]++; count[cursor] <= b.seen[cursor] {
			continue
		}
		room, _, _ := strings.Cut(a.place, "/")
		for _, r := range rooms {
			if strings.EqualFold(r, room) || strings.EqualFold(r, a.place) {
				room = ""
			}
		}
		if room == "" || len(rooms) == 0 {
			lines = append(lines, a.line)
		}
	}
	return lines
}

// story tells what was said and done, for failures, with the number of each message in its room.
func (b *Bot) story() string {
	b.Chat.mu.Lock()
	defer b.Chat.mu.Unlock()
	acts := b.Chat.acts
	if len(acts) == 0 {
		return "\nnothing was said at all"
	}
	head := "\nwhat was said, in order, with the number of each message in its room"
	if len(acts) > maxStory {
		head += fmt.Sprintf(" (the last %d of %d)", maxStory, len(acts))
		acts = acts[len(acts)-maxStory:]
	}
	var s strings.Builder
	s.WriteString(head + ":")
	for _, a := range acts {
		number := ""
		if a.kind == actPost {
			number = strconv.Itoa(a.message.number)
		}
		fmt.Fprintf(&s, "\n%4s  %s", number, strings.ReplaceAll(a.line, "\n", "\n      "))
	}
	return s.String()
}
