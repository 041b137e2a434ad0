package handler

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/args"
)

// Spec describes the command for a platform. Its error is that of a declaration with mistakes, which New reports too.
func (c Command[A]) Spec() (adapter.CommandSpec, error) {
	d, err := c.declare()
	if err != nil {
		return adapter.CommandSpec{}, err
	}
	return d.platformSpec(nil), nil
}

// Specs describes the bot's commands, those that are hidden left out.
func (t *Table) Specs() []adapter.CommandSpec {
	var out []adapter.CommandSpec
	for _, r := range t.routes {
		switch {
		case r.kind != routeCommand || r.Hidden:
		case r.command != nil:
			out = append(out, r.command.platformSpec(t.complete))
		default:
			out = append(out, adapter.CommandSpec{Name: r.name, Summary: r.Summary, Usage: r.usage()})
		}
	}
	return out
}

func (d *declared) platformSpec(complete map[string]Completer) adapter.CommandSpec {
	spec := adapter.CommandSpec{
		Name: d.names[0], Aliases: slices.Clone(d.names[1:]), Summary: d.route.Summary, Usage: d.spec.Usage(d.names[0]),
		Complete: func(ctx context.Context, typed string) []string { return d.complete(ctx, typed, complete) },
	}
	for _, a := range d.spec.Args {
		spec.Args = append(spec.Args, adapter.ArgSpec{
			Name: a.Name, Type: string(a.Kind), Help: a.Help, Short: a.Short, Word: a.Word, Choices: slices.Clone(a.Choices), Default: a.Default,
			Required: a.Required, Flag: a.Flag, Rest: a.Rest, List: a.List, Secret: a.Secret,
		})
	}
	return spec
}

// complete gives what the last word of typed, what stands after its last white space, may become: a flag's name, a value by its
// key, or a value of the position. A value is written as it is to be typed, in quotes where it needs them:
// adapters take them off where a native option takes one value.
func (d *declared) complete(ctx context.Context, typed string, complete map[string]Completer) []string {
	words, last, open, ok := typedWords(typed)
	if !ok { // longer than a command may be
		return nil
	}
	values := func(a *args.Arg, prefix, head string) []string {
		var out []string
		all := a.Choices
		if len(all) == 0 && a.Complete != "" && complete[a.Complete] != nil {
			all = complete[a.Complete](ctx, prefix)
		}
		for _, v := range all {
			if !strings.HasPrefix(strings.ToLower(v), strings.ToLower(prefix)) {
				continue
			}
			shown := head + v
			if open || d.needsQuotes(a, v, head) {
				shown = head + quoted(v)
			}
			if n := strings.LastIndexFunc(last, unicode.IsSpace); n >= 0 { // in quotes: the words before stand there
				_, size := utf8.DecodeRuneInString(last[n:])
				n += size
				same := n <= len(shown) && (shown[:n] == last[:n] || len(a.Choices) > 0 && strings.EqualFold(shown[:n], last[:n]))
				if !same {
					continue
				}
				shown = shown[n:]
			}
			out = append(out, shown)
		}
		return out
	}
	prefix := func(text string) string {
		if open {
			return unquoted(text)
		}
		return text
	}
	if name, value, ok := strings.Cut(last, "="); ok && strings.HasPrefix(name, "--") {
		if a := d.spec.Arg(name[2:]); a != nil {
			return values(a, prefix(value), name+"=")
		}
		return nil
	}
	if strings.HasPrefix(last, "-") {
		var out []string
		for _, a := range d.spec.Args {
			if name := "--" + a.Name; strings.HasPrefix(name, last) {
				out = append(out, name)
			}
		}
		return out
	}
	if name, value, ok := strings.Cut(last, ":"); ok && !strings.HasPrefix(last, `"`) {
		if a := d.spec.Arg(name); a != nil {
			return values(a, prefix(value), name+":")
		}
	}
	if a, named := d.expects(words); a != nil {
		out := values(a, prefix(last), "")
		if !named && a.Word != "" && strings.HasPrefix(a.Word, last) && (len(words) == 0 || words[len(words)-1] != a.Word) {
			out = append(out, a.Word)
		}
		return out
	}
	return nil
}

// typedWords splits what was typed so far into the words that are complete, quotes and all, and the last one, which may be empty.
// open: a quotation began in the last one and has not ended.
func typedWords(typed string) (words []string, last string, open, ok bool) {
	line, err := args.Parse(typed)
	if err != nil {
		return nil, "", false, false
	}
	if closed, err := args.Parse(typed + `"`); err == nil && len(closed.Tokens) > 0 {
		t := closed.Tokens[len(closed.Tokens)-1]
		whole := len(line.Tokens) > 0 && line.Tokens[len(line.Tokens)-1].Quoted && line.Tokens[len(line.Tokens)-1].End == len(typed)
		open = t.Quoted && t.End == len(typed)+1 && !whole
		if open {
			line.Tokens, last = closed.Tokens[:len(closed.Tokens)-1], typed[t.Start:]
		}
	}
	for i, t := range line.Tokens {
		if !open && i == len(line.Tokens)-1 && t.End == len(typed) {
			return words, typed[t.Start:], false, true
		}
		words = append(words, typed[t.Start:t.End])
	}
	return words, last, open, true
}

// needsQuotes tells whether v would be read as something else than one value of a where it is typed after head.
func (d *declared) needsQuotes(a *args.Arg, v, head string) bool {
	if line, err := args.Parse(head + v); err != nil || len(line.Tokens) != 1 || line.Tokens[0].Quoted {
		return !a.Rest || a.List || head != "" || err != nil || len(line.Tokens) == 0 || line.Tokens[0].Quoted
	}
	if first, _ := utf8.DecodeRuneInString(v); strings.ContainsRune(dashes, first) {
		return true
	}
	if head != "" {
		return strings.HasPrefix(v, "//")
	}
	name, _, key := strings.Cut(v, ":")
	return key && d.spec.Arg(name) != nil ||
		slices.ContainsFunc(d.spec.Args, func(a *args.Arg) bool { return a.Word != "" && strings.EqualFold(a.Word, v) })
}

// dashes are those with which flags begin, what phones make of them too.
const dashes = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"

var (
	quoteEscapes   = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	unquoteEscapes = strings.NewReplacer(`\\`, `\`, `\"`, `"`)
)

// quoted writes a value as one word.
func quoted(v string) string { return `"` + quoteEscapes.Replace(v) + `"` }

// unquoted reads the beginning of a quotation.
func unquoted(text string) string { return unquoteEscapes.Replace(strings.TrimPrefix(text, `"`)) }

// expects gives the argument that the next word is for, after words; named: its name stands before.
func (d *declared) expects(words []string) (a *args.Arg, named bool) {
	given := map[string]bool{}
	var positional []*args.Arg
	for _, a := range d.spec.Args {
		if !a.Flag {
			positional = append(positional, a)
		}
	}
	next := func() *args.Arg {
		for _, a := range positional {
			if !given[a.Name] || a.List {
				return a
			}
		}
		return nil
	}
	ended := false // "--" was said
	for i := 0; i < len(words); i++ {
		w := words[i]
		if w == "--" && !ended {
			ended = true
			continue
		}
		if a, valued, ok := d.flagOf(w); ok && !ended {
			if a == nil {
				continue
			}
			given[a.Name] = true
			if !valued && a.Kind != args.KindBool {
				if i++; i == len(words) {
					return a, true
				}
			}
			continue
		}
		if name, _, ok := strings.Cut(w, ":"); ok && !ended {
			if a := d.spec.Arg(name); a != nil {
				given[a.Name] = true
				continue
			}
		}
		if a := next(); a != nil && (a.Word == "" || !strings.EqualFold(w, a.Word)) {
			given[a.Name] = true
		}
	}
	return next(), false
}

// flagOf gives the argument that the word w names as a flag does, --NAME, --NAME=VALUE, --no-NAME or -x; nil for one that there
// is not. valued: its value is in w. false: w is no flag.
func (d *declared) flagOf(w string) (a *args.Arg, valued, ok bool) {
	if name, long := strings.CutPrefix(w, "--"); long && name != "" {
		name, _, valued := strings.Cut(name, "=")
		if a := d.spec.Arg(name); a != nil {
			return a, valued, true
		}
		name, off := strings.CutPrefix(name, "no-")
		if a := d.spec.Arg(name); off && a != nil && a.Kind == args.KindBool {
			return a, valued, true
		}
		return nil, valued, true
	}
	if len(w) < 2 || w[0] != '-' || '0' <= w[1] && w[1] <= '9' || w[1] == '.' { // a negative number
		return nil, false, false
	}
	for i := 1; i < len(w); i++ { // -fw: the last one may take a value
		at := slices.IndexFunc(d.spec.Args, func(a *args.Arg) bool { return a.Short == w[i:i+1] })
		if at < 0 {
			return nil, true, true
		}
		if a = d.spec.Args[at]; a.Kind != args.KindBool {
			return a, i < len(w)-1, true
		}
	}
	return a, false, true
}
