package discord

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// maxCompleting is how many completions are under way at a time; what is over gets no proposals.
const maxCompleting = 32

// complement answers a completion, which cannot be put off, with what the command proposes.
func (a *Adapter) complement(ctx context.Context, in *intake, w *wireInteraction) *answer {
	answer := newAnswer(origin{App: w.AppID, ID: w.ID, Token: w.Token, Channel: w.ChannelID, Kind: w.Type}, time.Now())
	if !isID(w.ID) || !token(w.Token) {
		a.odd(malformed, "INTERACTION_CREATE/autocomplete")
		return nil
	}
	select {
	case in.completing <- struct{}{}:
	default:
		a.log.Debug("too many completions at once: one gets no proposals")
		return nil
	}
	found := make(chan []slashChoice, 1)
	asking, cancel := context.WithTimeout(ctx, deferAt)
	in.lanes.Go(func() {
		defer func() { <-in.completing }()
		defer cancel()
		found <- a.proposals(asking, w)
	})
	in.lanes.Go(func() {
		choices := []slashChoice{}
		select {
		case choices = <-found:
		case <-asking.Done(): // nothing, rather than an error that its user sees
			select {
			case choices = <-found:
			default:
			}
		}
		ctx, cancel := acknowledging()
		defer cancel()
		err := a.callback(ctx, answer, map[string]any{"type": responseAutocomplete, "data": map[string]any{"choices": choices}}, nil)
		if err != nil {
			a.log.Debug("a completion could not be answered", "error", err)
		}
	})
	return answer
}

// proposals gives what the option that somebody types may become.
func (a *Adapter) proposals(ctx context.Context, w *wireInteraction) []slashChoice {
	choices := []slashChoice{}
	words, options := w.path()
	set := a.commands.Load()
	i := slices.IndexFunc(options, func(o wireOption) bool { return o.Focused })
	if set == nil || i < 0 {
		return choices
	}
	spec, focused := set.specs[strings.Join(words, " ")], options[i]
	if spec == nil {
		return choices
	}
	typed := string(focused.Value) // of a number: what stands there
	var s string
	if json.Unmarshal(focused.Value, &s) == nil {
		typed = s
	}
	for _, value := range complete(ctx, spec, focused.Name, typed) {
		v, ok := choiceValue(focused.Type, value)
		if ok && !slices.ContainsFunc(choices, func(c slashChoice) bool { return c.Name == value }) {
			choices = append(choices, slashChoice{Name: value, Value: v})
		}
		if len(choices) == maxOptions {
			break
		}
	}
	return choices
}

// complete asks a command for the values of one argument. Of a text with several words the last one is completed.
func complete(ctx context.Context, spec *adapter.CommandSpec, name, typed string) []string {
	head, last := "", typed
	if i := strings.LastIndexAny(typed, " \t"); i >= 0 {
		head, last = typed[:i+1], typed[i+1:]
	}
	i := slices.IndexFunc(spec.Args, func(arg adapter.ArgSpec) bool { return strings.EqualFold(arg.Name, name) })
	var out []string
	if spec.Complete != nil {
		given := "--" + name + "=" + last
		if name == textOption && takesText(spec) {
			given = typed
		}
		for _, v := range spec.Complete(ctx, given) {
			if value, named := strings.CutPrefix(v, "--"+name+"="); named {
				if v = value; i >= 0 && !spec.Args[i].List { // which is one value, and not a text of several
					v = unquoted(v)
				}
			}
			out = append(out, head+v)
		}
	}
	if len(out) == 0 && i >= 0 {
		for _, v := range spec.Args[i].Choices {
			if strings.HasPrefix(strings.ToLower(v), strings.ToLower(last)) {
				out = append(out, head+v)
			}
		}
	}
	return out
}

// unquoted gives the value of a word as people type it, without the quotes that a text would need.
func unquoted(word string) string {
	if len(word) < 2 || word[0] != '"' || word[len(word)-1] != '"' {
		return word
	}
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(word[1 : len(word)-1])
}
