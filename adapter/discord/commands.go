package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
)

// The limits of commands (https://discord.com/developers/docs/interactions/application-commands#registering-a-command).
const (
	maxCommands    = 100
	maxName        = 32
	maxDescription = 100
	maxOptions     = 25 // of a command, subcommands of a command, and choices of an option
	maxCommandSize = 8_000
)

// textOption is the one option of a command that takes any text.
const textOption = "text"

// slashCommand is a command as Discord takes and gives it, as far as it is compared.
type slashCommand struct {
	Name        string        `json:"name"`
	Type        int           `json:"type,omitempty"`
	Description string        `json:"description"`
	Options     []slashOption `json:"options,omitempty"`
}

type slashOption struct {
	Type         int           `json:"type"`
	Name         string        `json:"name"`
	Description  string        `json:"description"`
	Required     bool          `json:"required,omitempty"`
	Autocomplete bool          `json:"autocomplete,omitempty"`
	Choices      []slashChoice `json:"choices,omitempty"`
	Options      []slashOption `json:"options,omitempty"`
}

type slashChoice struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

// commandSet is what RegisterCommands was told.
type commandSet struct {
	specs map[string]*adapter.CommandSpec // by name
}

// free tells whether a command takes any text.
func (s *commandSet) free(name string) bool {
	if s == nil {
		return false
	}
	c := s.specs[name]
	return c != nil && takesText(c)
}

// takesText tells of a command without declared arguments whether something may follow its name.
func takesText(c *adapter.CommandSpec) bool {
	return len(c.Args) == 0 && c.Usage != "" && strings.TrimSpace(c.Usage) != c.Name
}

// RegisterCommands implements [adapter.CommandRegistrar]: the commands become Discord's slash commands, for all servers or for
// Config.CommandGuild. What Discord has is read first, and replaced only where it differs. Words of a name become
// subcommands, arguments typed options. The error names the commands that are over Discord's limits and why; they work when
// they are typed, and the others are registered all the same.
func (a *Adapter) RegisterCommands(ctx context.Context, commands []adapter.CommandSpec) error {
	if err := a.life.Usable(ctx, "register commands"); err != nil {
		return err
	}
	set := &commandSet{specs: map[string]*adapter.CommandSpec{}}
	for i := range commands {
		set.specs[strings.Join(strings.Fields(commands[i].Name), " ")] = &commands[i]
	}
	a.commands.Store(set)
	list, odd := slashCommands(commands)
	if err := a.register(ctx, list); err != nil {
		return errors.Join(err, odd)
	}
	return odd
}

// register makes the commands of the application those in list.
func (a *Adapter) register(ctx context.Context, list []slashCommand) error {
	ctx, cancel := context.WithTimeout(ctx, 2*callLimit)
	defer cancel()
	if err := a.known(ctx); err != nil {
		return err
	}
	path := "applications/" + a.me.Load().app
	if a.cfg.CommandGuild != "" {
		path += "/guilds/" + a.cfg.CommandGuild
	}
	path += "/commands"
	var has []slashCommand
	if err := a.call(ctx, "read the commands", http.MethodGet, path, nil, &has); err != nil {
		return err
	}
	if sameCommands(has, list) {
		return nil
	}
	if err := a.call(ctx, "register commands", http.MethodPut, path, list, nil); err != nil {
		return err
	}
	a.log.Info("the slash commands were registered", "commands", len(list))
	return nil
}

// sameCommands compares what Discord has with what it should have.
func sameCommands(has, want []slashCommand) bool {
	normal := func(list []slashCommand) map[string]string {
		out := map[string]string{}
		for _, c := range list {
			if c.Type == 0 {
				c.Type = 1
			}
			b, err := json.Marshal(c)
			if err != nil {
				return nil
			}
			out[fmt.Sprintf("%d/%s", c.Type, c.Name)] = string(b)
		}
		return out
	}
	return reflect.DeepEqual(normal(has), normal(want))
}

// CheckCommands tells, without a network, which commands cannot be slash commands of Discord and why; nil if all can.
func CheckCommands(commands []adapter.CommandSpec) error {
	_, err := slashCommands(commands)
	return err
}

var _ adapter.CommandChecker = (*Adapter)(nil)

// CheckCommands implements [adapter.CommandChecker].
func (a *Adapter) CheckCommands(commands []adapter.CommandSpec) error { return CheckCommands(commands) }

// slashCommands makes Discord's commands; the error joins those that cannot be.
func slashCommands(specs []adapter.CommandSpec) ([]slashCommand, error) {
	var errs []error
	odd := func(c *adapter.CommandSpec, format string, args ...any) {
		errs = append(errs, fmt.Errorf("discord: the command %q cannot be a slash command: %w: %s; it works when it is typed", c.Name, adapter.ErrTooLong, fmt.Sprintf(format, args...)))
	}
	good := map[string]*adapter.CommandSpec{} // by the words of its name
	groups := map[string]bool{}               // words that are followed by others
	for i := range specs {
		c := &specs[i]
		words := strings.Fields(c.Name)
		name := strings.Join(words, " ")
		switch why := badName(words); {
		case why != "":
			odd(c, "%s", why)
		case good[name] != nil:
			odd(c, "there is another one of that name")
		default:
			if why := badArgs(c); why != "" {
				odd(c, "%s", why)
				continue
			}
			good[name] = c
			for n := 1; n < len(words); n++ {
				groups[strings.Join(words[:n], " ")] = true
			}
		}
	}
	tops := map[string]*slashCommand{}
	var order []string
	for _, name := range slices.Sorted(maps.Keys(good)) {
		c := good[name]
		if groups[name] {
			odd(c, "there are commands that begin with it, and discord then takes only those")
			continue
		}
		words := strings.Fields(name)
		leaf := slashOption{Type: optionSub, Name: words[len(words)-1], Description: describe(c.Summary, name), Options: optionsOf(c)}
		top := tops[words[0]]
		if top == nil {
			if len(order) == maxCommands {
				odd(c, "discord takes %d commands", maxCommands)
				continue
			}
			top = &slashCommand{Name: words[0], Type: 1, Description: describe("", words[0]+" commands")}
			tops[words[0]] = top
			order = append(order, words[0])
		}
		if !top.place(words, leaf) {
			odd(c, "discord takes %d words after one", maxOptions)
		}
	}
	var list []slashCommand
	for _, name := range order {
		list = append(list, *tops[name])
	}
	if list == nil {
		list = []slashCommand{}
	}
	return list, errors.Join(errs...)
}

// place puts a command where its words say.
func (top *slashCommand) place(words []string, leaf slashOption) bool {
	if len(words) == 1 {
		top.Description, top.Options = leaf.Description, leaf.Options
		return true
	}
	in := &top.Options
	if len(words) == 3 {
		i := slices.IndexFunc(*in, func(o slashOption) bool { return o.Name == words[1] })
		if i < 0 {
			if len(*in) == maxOptions {
				return false
			}
			i = len(*in)
			*in = append(*in, slashOption{Type: optionGroup, Name: words[1], Description: describe("", words[0]+" "+words[1]+" commands")})
		}
		in = &(*in)[i].Options
	}
	if len(*in) == maxOptions {
		return false
	}
	*in = append(*in, leaf)
	return true
}

// badName tells why a name cannot be one of Discord's, or "".
func badName(words []string) string {
	if len(words) == 0 {
		return "it has no name"
	}
	if len(words) > 3 {
		return fmt.Sprintf("it has %d words; discord takes 3", len(words))
	}
	for _, w := range words {
		if why := badWord(w); why != "" {
			return why
		}
	}
	return ""
}

// badWord tells why a word cannot be a name of Discord's
// (https://discord.com/developers/docs/interactions/application-commands#application-command-object-application-command-naming).
func badWord(w string) string {
	if n := utf8.RuneCountInString(w); n == 0 || n > maxName {
		return fmt.Sprintf("%q has %d characters; discord takes 1 to %d", w, n, maxName)
	}
	for _, r := range w {
		switch {
		case r == '-', r == '_', r == '\'', unicode.IsNumber(r), unicode.In(r, unicode.Devanagari, unicode.Thai):
		case unicode.IsLetter(r) && unicode.ToLower(r) == r:
		default:
			return fmt.Sprintf("%q holds %q; discord takes lower case letters, digits, - and _", w, r)
		}
	}
	return ""
}

// badArgs tells why the arguments of a command cannot be options, or "".
func badArgs(c *adapter.CommandSpec) string {
	if len(c.Args) > maxOptions {
		return fmt.Sprintf("it has %d arguments; discord takes %d", len(c.Args), maxOptions)
	}
	size := utf8.RuneCountInString(c.Name) + utf8.RuneCountInString(describe(c.Summary, c.Name))
	for _, o := range optionsOf(c) {
		if why := badWord(o.Name); why != "" {
			return "the argument " + why
		}
		size += utf8.RuneCountInString(o.Name) + utf8.RuneCountInString(o.Description)
		for _, choice := range o.Choices {
			size += 2 * utf8.RuneCountInString(choice.Name)
		}
	}
	if size > maxCommandSize {
		return fmt.Sprintf("names, descriptions and choices have %d characters; discord takes %d", size, maxCommandSize)
	}
	return ""
}

// describe makes a description, which Discord wants one of.
func describe(s, otherwise string) string {
	s = strings.Join(strings.Fields(adapter.PlainText(s)), " ")
	if s == "" {
		s = otherwise
	}
	return cutRunes(s, maxDescription)
}

// optionsOf gives the options of a command, the required ones first, as Discord wants them. A secret is none of them: Discord shows
// who reads the answer what the command was used with. It is asked for in a form, or in private.
func optionsOf(c *adapter.CommandSpec) []slashOption {
	if takesText(c) {
		return []slashOption{{Type: optionString, Name: textOption, Description: describe(c.Usage, "what follows")}}
	}
	var out []slashOption
	for _, required := range [...]bool{true, false} {
		for i := range c.Args {
			if arg := &c.Args[i]; arg.Required == required && !arg.Secret {
				out = append(out, optionOf(c, arg))
			}
		}
	}
	return out
}

// optionType is the type of option of an argument.
func optionType(arg *adapter.ArgSpec) int {
	if arg.List {
		return optionString
	}
	switch arg.Type {
	case "bool":
		return optionBool
	case "integer":
		return optionInteger
	case "number":
		return optionNumber
	case "user":
		return optionUser
	case "room":
		return optionChannel
	}
	return optionString
}

func optionOf(c *adapter.CommandSpec, arg *adapter.ArgSpec) slashOption {
	o := slashOption{Type: optionType(arg), Name: strings.ToLower(arg.Name), Description: describe(arg.Help, arg.Name), Required: arg.Required}
	completes := o.Type == optionString || o.Type == optionInteger || o.Type == optionNumber
	if len(arg.Choices) == 0 || arg.List {
		o.Autocomplete = completes && c.Complete != nil && o.Type == optionString
		return o
	}
	if !completes {
		return o
	}
	for _, choice := range arg.Choices {
		v, ok := choiceValue(o.Type, choice)
		if !ok || len(arg.Choices) > maxOptions {
			o.Choices, o.Autocomplete = nil, true
			return o
		}
		o.Choices = append(o.Choices, slashChoice{Name: choice, Value: v})
	}
	return o
}

// choiceValue is a choice in the type of its option; false for one that Discord does not take.
func choiceValue(optionType int, s string) (any, bool) {
	if n := utf8.RuneCountInString(s); n == 0 || n > maxDescription {
		return nil, false
	}
	if optionType == optionString {
		return s, true
	}
	var f float64 // as Discord gives it back, so that it can be compared
	if json.Unmarshal([]byte(s), &f) != nil {
		return nil, false
	}
	return f, true
}
