package handler

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/args"
)

// AskKind tells what a question is for.
type AskKind string

// The kinds of question.
const (
	AskArgument AskKind = "argument" // an argument that is missing
	AskConfirm  AskKind = "confirm"  // yes or no
)

// AskFor is how long a question waits for its answer.
const AskFor = 5 * time.Minute

// Question is what a person was asked. It is kept in the brain, keyed to the person, room and thread: it survives a restart,
// and a newer one replaces an older one.
type Question struct {
	ID      string            `json:"id"`
	Kind    AskKind           `json:"kind"`
	Route   string            `json:"route"`
	Field   string            `json:"field,omitempty"`   // the argument that is asked for
	Options map[string]string `json:"options,omitempty"` // the arguments so far, bound and canonical
	Hash    string            `json:"hash,omitempty"`    // of them: what is confirmed is what runs
	Choices []string          `json:"choices,omitempty"`
	Prompt  string            `json:"prompt"`
	Event   *adapter.Event    `json:"event"`          // what the person said first
	Where   adapter.Address   `json:"where,omitzero"` // where the answer is expected; zero: where Event was said
	// Delivery of that event; the command runs as a delivery of its own, Delivery#ID.
	Delivery string    `json:"delivery"`
	Expires  time.Time `json:"expires"`
	Secret   bool      `json:"secret,omitempty"` // some of Options are; while they wait they are stored only where the brain is sealed
	// Talked: who was asked to confirm has said something else there since. An unaddressed "yes" may then be for somebody else.
	Talked bool          `json:"talked,omitempty"`
	Posts  []adapter.Ref `json:"posts,omitempty"` // the message with which a room saw it: a thread below it is its own
	Rev    uint64        `json:"-"`               // of the stored record
}

// own tells whether ev was said in a thread of the question's own: the one in which it was put, or one below it.
func (q *Question) own(ev *adapter.Event) bool {
	return ev.Thread != "" && (ev.Thread == q.Address().Thread || q.Below(ev))
}

// Below tells whether ev, which is of the question's room, was said in a thread below the message with which it was put.
func (q *Question) Below(ev *adapter.Event) bool {
	return ev.Thread != "" && slices.ContainsFunc(q.Posts, func(ref adapter.Ref) bool {
		return ref.ID == ev.Thread
	})
}

// Address is where the answer is expected.
func (q *Question) Address() adapter.Address {
	if q.Where != (adapter.Address{}) || q.Event == nil {
		return q.Where
	}
	return q.Event.Address()
}

// Grant is what a person has completed or confirmed: the command runs with these arguments and not with what the text says.
type Grant struct {
	ID        string            `json:"id"` // of the question
	Options   map[string]string `json:"options,omitempty"`
	Hash      string            `json:"hash"`
	Confirmed bool              `json:"confirmed,omitempty"`
	// Agreed is what the guard has heard: a second factor, approvals.
	Agreed *Agreement `json:"agreed,omitempty"`
}

// answerCommand is what the buttons of a question say, followed by its id and the answer. People cannot have registered it.
const answerCommand = ":answer"

// ask stores a question and puts it to the person.
func (d *declared) ask(ctx context.Context, r *Request, q Question) error {
	q.Route, q.Event, q.Delivery = r.Route.ID, r.Event, r.Delivery
	q.Hash, q.Secret = hashOptions(q.Options), d.hasSecret()
	if q.Secret {
		q.Event = d.nameOnly(r.Event)
	}
	q.Expires = time.Now().Add(AskFor).UTC()
	if err := r.effects.Ask(ctx, r, &q); err != nil {
		return err
	}
	return r.putQuestion(ctx, &q, "")
}

// putQuestion posts a question, after what was wrong with the last answer.
func (r *Request) putQuestion(ctx context.Context, q *Question, before string) error {
	to := r.Event.Address()
	if q.Where != (adapter.Address{}) {
		to = q.Where
	}
	m := r.message(to, before+q.Prompt)
	can := r.effects.Features(r.Event.Adapter)
	if can.Buttons { // else the words are there to be typed
		for _, c := range q.Choices {
			m.Buttons = append(m.Buttons, adapter.Button{Label: c, Command: answerCommand + " " + q.ID + " " + c})
		}
	}
	if q.Kind == AskConfirm {
		m.Text += adapter.Format(" (%s)", strings.Join(q.Choices, ", "))
	}
	p, err := r.send(ctx, "", m)
	if err != nil {
		return err
	}
	posts := q.Posts
	if q.Kind == AskConfirm && can.Threads && to.Thread == "" && to != q.Where && r.Event.Room.Kind != adapter.RoomDirect {
		posts = append(posts, p.Refs...) // a thread may begin there
		posts = posts[max(0, len(posts)-maxPosts):]
	}
	if !q.Talked && len(posts) == len(q.Posts) {
		return nil
	}
	q.Talked, q.Posts = false, posts
	return r.effects.Keep(ctx, r, q)
}

// maxPosts is how many messages a question remembers with which it was put.
const maxPosts = 8

// answerRoute makes the route of answers; nil for a bot that asks nothing.
func (t *Table) answerRoute() *Route {
	if !t.declares() {
		return nil
	}
	return &Route{
		ID: "answer", kind: routeCommand, name: answerCommand, rest: true, where: "handler/question.go", Hidden: true, inner: Func(t.answer),
	}
}

// answer takes what somebody said as the answer to their question.
func (t *Table) answer(ctx context.Context, r *Request) error {
	q, err := r.effects.Question(ctx, r.Event)
	if err != nil {
		return err
	}
	text := strings.TrimSpace(r.Text)
	_, addressed := t.Text(r.Event)
	form := ""
	if r.Event.Invocation != nil {
		form = r.Event.Invocation.Form
	}
	if form != "" && (q == nil || q.ID != form) {
		return r.Whisper(ctx, "That question is over. Say the command again.")
	}
	if rest, ok := strings.CutPrefix(text, answerCommand+" "); ok {
		id, value, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if q == nil || q.ID != id {
			if err := r.Whisper(ctx, "That question is not yours, or it is over."); err != nil {
				return err
			}
			return Refused("another question") // the button stays for whose it is
		}
		text, addressed = value, true
	}
	if q == nil {
		return nil
	}
	route := t.byID[q.Route]
	if route == nil || route.command == nil {
		return errors.Join(r.effects.Drop(ctx, r, q), r.Reply(ctx, "What you were asked about no longer exists."))
	}
	if form != "" {
		return route.command.filledIn(ctx, r, q)
	}
	word := strings.ToLower(strings.TrimRight(text, ".! "))
	if q.Kind == AskConfirm && !addressed && !q.own(r.Event) {
		switch said := word == "yes" || word == "y" || word == "no" || word == "n" || word == "cancel"; {
		case said && q.Talked:
			return r.forMe(ctx, t.name, word)
		case !said && q.Talked:
			return nil
		case !said: // from now on a yes may be for somebody else
			q.Talked = true
			return r.effects.Keep(ctx, r, q)
		}
	}
	choice := q.Kind == AskArgument && slices.ContainsFunc(q.Choices, func(c string) bool { return strings.EqualFold(c, word) })
	if word == "cancel" && !choice || q.Kind == AskConfirm && (word == "no" || word == "n") {
		if err := r.effects.Drop(ctx, r, q); err != nil {
			return err
		}
		return r.Reply(ctx, "Canceled.")
	}
	if q.Kind == AskConfirm {
		switch {
		case word == "yes" || word == "y":
			return r.effects.Allow(ctx, r, q, &Grant{ID: q.ID, Options: q.Options, Hash: q.Hash, Confirmed: true})
		case addressed:
			return r.putQuestion(ctx, q, "Please say yes or no. ")
		}
		return nil // chatter; the question stays
	}
	if r.Event.Truncated {
		return tooLong("")
	}
	return route.command.answered(ctx, r, route, q, text)
}

// forMe tells who was asked how to answer when it is not sure that a word was an answer.
func (r *Request) forMe(ctx context.Context, name, word string) error {
	const text = "%s: if that was for me, say \"%s %s\"."
	err := r.Whisper(ctx, text, r.Event.User, name, word)
	if errors.Is(err, adapter.ErrUnsupported) {
		return r.Reply(ctx, text, r.Event.User, name, word)
	}
	return err
}

// answered takes the answer to a question for an argument.
func (d *declared) answered(ctx context.Context, r *Request, route *Route, q *Question, text string) error {
	options := maps.Clone(q.Options)
	if options == nil {
		options = map[string]string{}
	}
	options[q.Field] = text
	bound, err := d.bindAnswer(ctx, r, q, options)
	var usage *args.UsageError
	if value, ok := d.bareAnswer(q.Field, text); ok && errors.As(err, &usage) {
		options[q.Field] = value
		if again, err2 := d.bindAnswer(ctx, r, q, options); !errors.As(err2, &usage) {
			bound, err = again, err2
		}
	}
	var missing *args.Missing
	switch {
	case errors.As(err, &usage):
		return r.putQuestion(ctx, q, adapter.Format("%s\n", usage.Reason))
	case errors.As(err, &missing):
		return d.askNext(ctx, r, q, bound, missing.Fields[0])
	case err != nil:
		return err
	}
	return d.allow(ctx, r, q, bound)
}

// bareAnswer takes off an answer what would stand around the value in the command's line: its name, its word, quotes. It is for an
// answer that is no value as it is. false: nothing of that is there.
func (d *declared) bareAnswer(field, text string) (string, bool) {
	a := d.spec.Arg(field)
	if a == nil || a.List {
		return "", false
	}
	value := strings.TrimLeft(text, "-")
	if n, ok := foldPrefix(value, a.Name); ok && n < len(value) && strings.ContainsRune(":= ", rune(value[n])) {
		value = strings.TrimSpace(value[n+1:])
	} else if n, ok := foldPrefix(text, a.Word); ok && a.Word != "" && n < len(text) && text[n] == ' ' {
		value = strings.TrimSpace(text[n:])
	} else {
		value = text
	}
	if line, err := args.Parse(value); err == nil && len(line.Tokens) == 1 && line.Tokens[0].Quoted && line.Head(&line.Tokens[0]) == "" {
		value = line.Tokens[0].Value
	}
	return value, value != text && value != ""
}

// bindAnswer binds the arguments of the command that q is about, as the one who said it.
func (d *declared) bindAnswer(ctx context.Context, r *Request, q *Question, options map[string]string) (args.Bound, error) {
	return d.spec.Bind(ctx, args.Input{
		Options: options, Mentions: append(r.Event.Mentions[:len(r.Event.Mentions):len(r.Event.Mentions)], q.Event.Mentions...), User: q.Event.User, Room: q.Event.Room,
		Resolver: r.resolver(), Now: time.Now(), Zone: r.effects.Zone(),
	})
}

// which is the question for an argument: "Which env (where to): staging or prod?", and of an argument that is called who or why
// "Why (in a few words)?".
func which(arg *args.Arg) string {
	what := "Which " + arg.Name
	if slices.Contains([]string{"who", "whom", "what", "when", "where", "why", "how", "which"}, arg.Name) {
		what = strings.ToUpper(arg.Name[:1]) + arg.Name[1:]
	}
	if arg.Help != "" {
		what += " (" + arg.Help + ")"
	}
	for i, c := range arg.Choices {
		switch {
		case i == 0:
			what += ": " + c
		case i == len(arg.Choices)-1:
			what += " or " + c
		default:
			what += ", " + c
		}
	}
	return adapter.Format("%s?", what)
}

// askNext asks for one more argument, in place of q.
func (d *declared) askNext(ctx context.Context, r *Request, q *Question, bound args.Bound, arg *args.Arg) error {
	next := *q
	next.Field, next.Options, next.Choices, next.Prompt = arg.Name, bound.Options(), arg.Choices, which(arg)
	next.Hash, next.Expires = hashOptions(next.Options), time.Now().Add(AskFor).UTC()
	private := arg.Secret && r.Event.Room.Kind != adapter.RoomDirect
	if private { // a secret belongs to no room
		room, err := r.effects.OpenDirect(ctx, r.Event.Adapter, r.Event.User.ID)
		if err != nil {
			return errors.Join(r.effects.Drop(ctx, r, q), &UserError{Text: adapter.Format("%s is secret, and I cannot ask you for it in private: say the whole command to me in a direct message.", arg.Name), Err: err})
		}
		next.Where = adapter.Address{Adapter: r.Event.Adapter, Room: room.ID}
	}
	if err := r.effects.Ask(ctx, r, &next); err != nil {
		return err
	}
	if err := r.putQuestion(ctx, &next, ""); err != nil || !private {
		return err
	}
	if err := r.effects.Drop(ctx, r, q); err != nil { // it waits elsewhere now
		return err
	}
	return r.Reply(ctx, "%s: %s is secret. I have asked you for it in private.", r.Event.User, arg.Name)
}

// allow runs the command that q is about with these arguments, as a delivery of its own.
func (d *declared) allow(ctx context.Context, r *Request, q *Question, bound args.Bound) error {
	options := d.spec.Options(bound.Pointer()) // defaults too: what was agreed to is what runs
	return r.effects.Allow(ctx, r, q, &Grant{ID: q.ID, Options: options, Hash: hashOptions(options)})
}
