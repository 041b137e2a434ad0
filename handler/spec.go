package handler

import (
	"context"
	"slices"
	"strings"

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

// complete gives what the last word of typed may become: a flag's name, a value by its key, or a value of the position.
func (d *declared) complete(ctx context.Context, typed string, complete map[string]Completer) []string {
	words := strings.Fields(typed)
	last := ""
	if n := len(words); n > 0 && !strings.HasSuffix(typed, " ") {
		last, words = words[n-1], words[:n-1]
	}
	values := func(a *args.Arg, prefix, head string) []string {
		var out []string
		all := a.Choices
		if len(all) == 0 && a.Complete != "" && complete[a.Complete] != nil {
			all = complete[a.Complete](ctx, prefix)
		}
		for _, v := range all {
			if strings.HasPrefix(strings.ToLower(v), strings.ToLower(prefix)) {
				out = append(out, head+v)
			}
		}
		return out
	}
	if name, value, ok := strings.Cut(last, "="); ok && strings.HasPrefix(name, "--") {
		if a := d.spec.Arg(name[2:]); a != nil {
			return values(a, value, name+"=")
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
	if name, value, ok := strings.Cut(last, ":"); ok {
		if a := d.spec.Arg(name); a != nil {
			return values(a, value, name+":")
		}
	}
	if a, named := d.expects(words); a != nil {
		out := values(a, last, "")
		if !named && a.Word != "" && strings.HasPrefix(a.Word, last) && (len(words) == 0 || words[len(words)-1] != a.Word) {
			out = append(out, a.Word)
		}
		return out
	}
	return nil
}

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
