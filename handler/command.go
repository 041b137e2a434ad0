package handler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/args"
)

// Path is an argument that names a file below a root: relative, clean, without "..". Open it with an os.Root.
type Path = args.Path

// URL is an argument that is a web address of the schemes and hosts that its tags allow.
type URL = args.URL

// None is the type of arguments of a command that has none.
type None struct{}

// Command is a command as it is declared once. From it come the text forms, the native slash command, the help, the
// completion, the question for what is missing and the usage error. Add it with [Router.Add].
//
// The fields of A are the arguments; their tags are
//
//	arg:"NAME"      a positional argument; a required one that is missing is asked for
//	flag:"NAME"     an argument given by name: --NAME VALUE, --NAME=VALUE
//	short:"x"       -x
//	word:"to"       a word that may stand before the value: deploy api to prod
//	enum:"a,b"      the values that are allowed
//	default:"TEXT"  the value when nothing is given; optional:"" leaves it out
//	help:"TEXT"     one line; who leaves the argument out is asked "Which NAME (TEXT)?"
//	rest:""         takes the rest of the text; text:"" makes it free text
//	secret:""       masked in all that is shown
//	complete:"FUNC" the completer of that name, see [Router.Complete]
//
// Types are string, bool, integers, floats, time.Duration (with d and w), time.Time, [URL], [Path], adapter.User,
// adapter.Room, [Secret], types with UnmarshalText and MarshalText, and slices for rest.
type Command[A any] struct {
	Name        string   // one or more words; required
	Aliases     []string // other names
	Summary     string   // its line in help; required unless Hidden
	Description string   // portable Markdown, for "help NAME"
	Examples    []string // lines as people type them; each must parse
	Policy      Policy
	When        func(A) Policy // further policy for these arguments; pure
	Exclusive   func(A) string // names what is being changed: one command at a time over all processes; pure, empty for nothing
	Confirm     func(A) string // the question that is asked before it runs; empty for none
	Needs       []Verb         // what the platform must be able to do
	Background  bool
	Ordered     bool
	RunLate     bool
	OnCrash     OnCrash
	Timeout     time.Duration // 0 = the bot's default
	Hidden      bool
	// Leaked is told of arguments whose secret was said where others read it, so that it can be made worthless. What was said is
	// deleted before, where the platform lets the bot. An error is the answer; nil: the secret is asked for in private.
	Leaked func(ctx context.Context, r *Request, a A) error
	Run    func(ctx context.Context, r *Request, a A) error // required
}

// Verb names something that not every platform can do.
type Verb string

// The verbs that a command may need.
const (
	VerbEdit   Verb = "edit messages"
	VerbDelete Verb = "delete messages"
	VerbReact  Verb = "react to messages"
	VerbDirect Verb = "open direct rooms"
	VerbUpload Verb = "post files"
	VerbTopic  Verb = "set topics"
	VerbForm   Verb = "show a form"
)

// Declaration is a [Command] of whatever arguments.
type Declaration interface {
	declare() (*declared, error)
}

// declared is a command without its type parameter.
type declared struct {
	spec        *args.Spec
	names       []string // lower case; the first is the name
	description string
	examples    []string
	needs       []Verb
	confirm     func(args.Bound) string
	when        func(args.Bound) Policy                                   // nil for none
	exclusive   func(args.Bound) string                                   // nil for none
	leaked      func(ctx context.Context, r *Request, b args.Bound) error // nil for none
	run         func(ctx context.Context, r *Request, b args.Bound) error
	route       Route
}

func (c Command[A]) declare() (*declared, error) {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	spec, err := args.Compile[A]()
	if err != nil {
		errs = append(errs, err)
	}
	d := &declared{spec: spec, description: c.Description, examples: c.Examples, needs: c.Needs}
	for i, name := range append([]string{c.Name}, c.Aliases...) {
		lower := strings.ToLower(name)
		switch {
		case !commandName.MatchString(lower):
			wrong("the name %q is not one or more words of letters, digits and - _ . + (plain ASCII)", name)
		case slices.Contains(d.names[:min(i, len(d.names))], lower):
			wrong("the name %q is given twice", name)
		}
		d.names = append(d.names, lower)
	}
	if c.Summary == "" && !c.Hidden {
		wrong("it has no Summary: say in one line what it does, or make it Hidden")
	}
	if c.Run == nil {
		wrong("Run is nil")
	}
	for _, v := range c.Needs {
		if !slices.Contains([]Verb{VerbEdit, VerbDelete, VerbReact, VerbDirect, VerbUpload, VerbTopic, VerbForm}, v) {
			wrong("Needs %q is not a verb that is known", v)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if err := d.checkExamples(); err != nil {
		return nil, err
	}
	d.run = func(ctx context.Context, r *Request, b args.Bound) error { return c.Run(ctx, r, args.Value[A](b)) }
	if c.Leaked != nil {
		d.leaked = func(ctx context.Context, r *Request, b args.Bound) error { return c.Leaked(ctx, r, args.Value[A](b)) }
	}
	if c.Confirm != nil {
		d.confirm = func(b args.Bound) string { return c.Confirm(args.Value[A](b)) }
	}
	if c.When != nil {
		d.when = func(b args.Bound) Policy { return c.When(args.Value[A](b)) }
	}
	if c.Exclusive != nil {
		d.exclusive = func(b args.Bound) string { return c.Exclusive(args.Value[A](b)) }
	}
	d.route = Route{
		Summary: c.Summary, Hidden: c.Hidden, Policy: c.Policy, Background: c.Background, Ordered: c.Ordered,
		RunLate: c.RunLate, OnCrash: c.OnCrash, Timeout: c.Timeout, Usage: spec.Usage(c.Name),
	}
	return d, nil
}

// checkExamples parses each example as if somebody had typed it.
func (d *declared) checkExamples() error {
	var errs []error
	for _, line := range d.examples {
		offset := -1
		for _, name := range d.names {
			if n, ok := foldPrefix(line, name); ok && n > offset && (n == len(line) || line[n] == ' ') {
				offset = n
			}
		}
		if offset < 0 {
			errs = append(errs, fmt.Errorf("the example %q does not begin with the command's name or an alias", line))
			continue
		}
		_, err := d.spec.Bind(context.Background(), args.Input{Text: line, Offset: offset, Resolver: anybody{}, Now: time.Now()})
		if err != nil {
			errs = append(errs, fmt.Errorf("the example %q does not parse: %w", line, err))
		}
	}
	return errors.Join(errs...)
}

// anybody finds whomever an example names.
type anybody struct{}

func (anybody) User(_ context.Context, q string) (adapter.User, error) {
	return adapter.User{ID: q, Name: strings.TrimPrefix(q, "@")}, nil
}

func (anybody) Room(_ context.Context, q string) (adapter.Room, error) {
	return adapter.Room{ID: q, Name: strings.TrimPrefix(q, "#")}, nil
}

// Add registers a declared command. Its mistakes are reported by starling.New with file and line.
func (rt *Router) Add(cmd Declaration) *Route {
	where := caller()
	r := &Route{kind: routeCommand, where: where, scope: rt.scope, rest: true}
	rt.used()
	if cmd == nil {
		rt.mistake(where, "Add: the command is nil")
		return r
	}
	d, err := cmd.declare()
	if err != nil {
		for _, e := range unjoin(err) {
			rt.mistake(where, "%s: %w", strings.TrimSpace("command "+commandLabel(cmd)), e)
		}
		return r
	}
	own := d.route
	own.kind, own.where, own.scope, own.rest = r.kind, r.where, r.scope, r.rest
	own.name, own.command, own.inner = d.names[0], d, Func(d.handle)
	rt.tree.items = append(rt.tree.items, item{route: &own, scope: rt.scope})
	return &own
}

// unjoin gives the errors that errors.Join joined.
func unjoin(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range j.Unwrap() {
			out = append(out, unjoin(e)...)
		}
		return out
	}
	return []error{err}
}

func commandLabel(cmd Declaration) string {
	if n, ok := cmd.(interface{ label() string }); ok {
		return n.label()
	}
	return ""
}

func (c Command[A]) label() string { return c.Name }

// handle binds the arguments of what was said, asks for what is missing or to be confirmed, and runs the command.
func (d *declared) handle(ctx context.Context, r *Request) error {
	if err := d.able(r); err != nil {
		return err
	}
	if r.Grant != nil && hashOptions(r.Grant.Options) != r.Grant.Hash {
		return errors.New("handler: the arguments are not those that were granted")
	}
	if r.Event.Truncated && r.Grant == nil { // what is lost might have said something else
		return tooLong(r.Conceal(ctx))
	}
	bound, err := d.spec.Bind(ctx, d.input(r))
	if err != nil && d.saysHelp(r) {
		return d.help(ctx, r, r.Route)
	}
	if d.exposed(r, bound, err) {
		return d.askAgain(ctx, r, bound, err)
	}
	if err != nil {
		return d.unbound(ctx, r, bound, err)
	}
	return d.proceed(ctx, r, bound)
}

// saysHelp tells whether nothing but "help" or "?" was said after the command's name. It is asked where that is no argument.
func (d *declared) saysHelp(r *Request) bool {
	if r.Grant != nil || r.Event.Invocation != nil && r.Event.Invocation.Options != nil {
		return false
	}
	rest := strings.TrimSpace(r.Text[d.nameLength(r.Text):])
	return rest == "?" || strings.EqualFold(rest, "help")
}

// input gives what the arguments are read from: what was granted, else what was said.
func (d *declared) input(r *Request) args.Input {
	in := args.Input{Mentions: r.Event.Mentions, User: r.Event.User, Room: r.Event.Room, Resolver: r.resolver(), Now: r.Event.Time, Zone: r.effects.Zone()}
	if in.Now.IsZero() {
		in.Now = time.Now()
	}
	switch {
	case r.Grant != nil:
		in.Options = r.Grant.Options
	case r.Event.Invocation != nil && r.Event.Invocation.Options != nil:
		in.Options = r.Event.Invocation.Options
	default:
		in.Text, in.Offset = r.Text, d.nameLength(r.Text)
	}
	return in
}

func (r *Request) resolver() args.Resolver {
	if d := r.effects.Directory(r.Event.Adapter); d != nil {
		return d
	}
	return nil
}

// nameLength tells how many bytes of Text are the command's name or alias.
func (d *declared) nameLength(text string) int {
	best := 0
	for _, name := range d.names {
		rest := strings.TrimLeft(text, " \t\n")
		ok := true
		for word := range strings.FieldsSeq(name) {
			n, same := foldPrefix(rest, word)
			if !same || n < len(rest) && !unicode.IsSpace(rune(rest[n])) && rest[n] < utf8.RuneSelf {
				ok = false
				break
			}
			rest = strings.TrimLeftFunc(rest[n:], unicode.IsSpace)
		}
		if ok {
			best = max(best, len(strings.TrimRightFunc(text[:len(text)-len(rest)], unicode.IsSpace)))
		}
	}
	return best
}

// proceed asks the guard, asks for confirmation, asks the guard again and runs.
func (d *declared) proceed(ctx context.Context, r *Request, bound args.Bound) error {
	decider, err := d.check(ctx, r, bound)
	if err != nil {
		return err
	}
	if d.confirm != nil && (r.Grant == nil || !r.Grant.Confirmed) {
		if question := d.confirm(bound); question != "" {
			return d.ask(ctx, r, Question{Kind: AskConfirm, Prompt: adapter.Data(question), Options: d.spec.Options(bound.Pointer()), Choices: []string{"yes", "no"}})
		}
	}
	if err := r.decide(ctx, decider); err != nil {
		return err
	}
	if err := r.effects.Begin(ctx, r); err != nil {
		return err
	}
	r.effects.Said(r, strings.TrimSpace(d.names[0]+" "+bound.Canonical()), d.hasSecret() || d.quotesSecret(r, bound))
	return d.run(ctx, r, bound)
}

func (d *declared) hasSecret() bool {
	return slices.ContainsFunc(d.spec.Args, func(a *args.Arg) bool { return a.Secret })
}

// unbound answers what could not be bound.
func (d *declared) unbound(ctx context.Context, r *Request, bound args.Bound, err error) error {
	var usage *args.UsageError
	var missing *args.Missing
	switch {
	case errors.Is(err, args.ErrHelp):
		return d.help(ctx, r, r.Route)
	case errors.As(err, &usage):
		text := usage.Render()
		if usage.Try == "" && usage.Err == nil && (len(usage.Missing) > 0 || strings.HasPrefix(usage.Text[usage.Start:], "-")) {
			// there is no line to copy, and more is wrong than a value
			text += "\nusage: " + d.spec.Usage(d.names[0])
		}
		return &UserError{Text: adapter.Format("```\n%s\n```", text)}
	case errors.As(err, &missing):
		if d.askInForm(ctx, r, bound, missing.Fields) {
			return nil
		}
		return d.askFor(ctx, r, bound, missing.Fields[0])
	}
	return err
}

// askFor asks for an argument.
func (d *declared) askFor(ctx context.Context, r *Request, bound args.Bound, arg *args.Arg) error {
	if arg.Secret && r.Event.Room.Kind != adapter.RoomDirect {
		if err := d.askInPrivate(ctx, r, arg, bound.Options()); err != nil {
			return &UserError{Text: adapter.Format("%s is secret, and I cannot ask you for it in private: say the whole command to me in a direct message.", arg.Name), Err: err}
		}
		return r.Reply(ctx, "%s: %s is secret. I have asked you for it in private.", r.Event.User, arg.Name)
	}
	return d.ask(ctx, r, Question{Kind: AskArgument, Field: arg.Name, Options: bound.Options(), Choices: arg.Choices, Prompt: which(arg)})
}

// able refuses where the platform lacks what the command needs.
func (d *declared) able(r *Request) error {
	for _, v := range d.needs {
		if !r.effects.Can(r.Event.Adapter, v) {
			return UserErrorf("%s cannot work here: this platform does not let me %s.", d.names[0], string(v))
		}
	}
	return nil
}
