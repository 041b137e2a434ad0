package args

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Usage gives one line: "deploy SERVICE [to] ENV [--wait DURATION] [--force]". Brackets stand around what can be left out.
// name may be empty.
func (s *Spec) Usage(name string) string {
	var words []string
	if name != "" {
		words = append(words, name)
	}
	for _, i := range s.positional {
		words = append(words, s.Args[i].usage())
	}
	for _, a := range s.Args {
		if a.Flag {
			words = append(words, a.usage())
		}
	}
	return strings.Join(words, " ")
}

func (a *Arg) usage() string {
	if a.Flag {
		u := "--" + a.Name
		if a.Kind == KindBool && !a.List {
			if a.HasDefault && a.Default != "" && a.bool() {
				u = "--no-" + a.Name
			}
		} else {
			u += " " + valueName(a)
		}
		u = "[" + u + "]"
		if a.List {
			u += "..."
		}
		return u
	}
	u := strings.ToUpper(a.Name)
	if a.List {
		u += "..."
	}
	if a.Word != "" {
		u = "[" + a.Word + "] " + u
	}
	if !a.Required {
		u = "[" + u + "]"
	}
	return u
}

// bool tells whether the default of a bool is true.
func (a *Arg) bool() bool {
	return slices.ContainsFunc([]string{"true", "yes", "on", "1"}, func(yes string) bool { return foldASCII(yes, a.Default) })
}

// valueName is what stands for the value of a flag in a usage.
func valueName(a *Arg) string {
	if a.Choices != nil {
		if all := strings.Join(a.Choices, "|"); len(all) <= 40 {
			return all
		}
		return strings.ToUpper(a.Name)
	}
	switch a.Kind {
	case KindString:
		return "TEXT"
	case KindInt:
		return "N"
	case KindFloat:
		return "NUMBER"
	case KindBool:
		return "yes|no"
	}
	return strings.ToUpper(string(a.Kind))
}

// Limits of platforms.
const (
	maxSlackHint      = 1000 // characters of usage_hint (Slack app manifest reference)
	maxMattermostHint = 1024 // characters of auto_complete_hint (mattermost/server model.Command.IsValid)
	maxDiscordOptions = 25   // of a command (Discord, Application Commands)
	maxDiscordChoices = 25   // of an option
	maxDiscordText    = 100  // characters of a description and of a choice
)

// MattermostHint gives the hint that Mattermost shows after a slash command.
func (s *Spec) MattermostHint() string { return hint(s.Usage(""), maxMattermostHint) }

// SlackHint gives usage_hint of a slash command in a Slack manifest.
func (s *Spec) SlackHint() string { return hint(s.Usage(""), maxSlackHint) }

// hint cuts a usage between words.
func hint(usage string, most int) string {
	if utf8.RuneCountInString(usage) <= most {
		return usage
	}
	n := strings.LastIndexByte(usage[:most-1], ' ')
	return usage[:n+1] + "…"
}

// DiscordOption is one option of a Discord command.
type DiscordOption struct {
	Kind         string // STRING, INTEGER, NUMBER, BOOLEAN, USER, CHANNEL
	Name         string
	Description  string
	Required     bool
	Choices      []string
	Autocomplete bool
	Min, Max     *float64 // of INTEGER and NUMBER
}

// DiscordOptions gives the options of a Discord command, the required ones first, as Discord wants them. Arguments beyond
// the 25th are left out: the second result counts them. Over 25 choices become completion.
func (s *Spec) DiscordOptions() (options []DiscordOption, left int) {
	for _, required := range [...]bool{true, false} {
		for _, a := range s.Args {
			if a.Required != required {
				continue
			}
			if len(options) == maxDiscordOptions {
				left++
				continue
			}
			options = append(options, a.discord())
		}
	}
	return options, left
}

func (a *Arg) discord() DiscordOption {
	o := DiscordOption{Kind: "STRING", Name: a.Name, Description: a.Help, Required: a.Required, Autocomplete: a.Complete != ""}
	if o.Description == "" {
		o.Description = a.Name
	}
	if n := utf8.RuneCountInString(o.Description); n > maxDiscordText {
		o.Description = string([]rune(o.Description)[:maxDiscordText-1]) + "…"
	}
	if a.List {
		return o
	}
	switch a.Kind {
	case KindInt:
		o.Kind = "INTEGER"
		if a.Min != 0 || a.Max != 0 {
			o.Min, o.Max = &a.Min, &a.Max
		}
	case KindFloat:
		o.Kind = "NUMBER"
	case KindBool:
		o.Kind = "BOOLEAN"
	case KindUser:
		o.Kind = "USER"
	case KindRoom:
		o.Kind = "CHANNEL"
	}
	if a.Choices == nil {
		return o
	}
	tooLong := func(c string) bool { return utf8.RuneCountInString(c) > maxDiscordText }
	if len(a.Choices) > maxDiscordChoices || slices.ContainsFunc(a.Choices, tooLong) {
		o.Autocomplete = true
	} else {
		o.Choices, o.Autocomplete = slices.Clone(a.Choices), false
	}
	return o
}

// JSONSchema gives the arguments as a JSON Schema (draft 2020-12) of an object, in the order of fields, indented.
func (s *Spec) JSONSchema(title, description string) []byte {
	var o object
	o.add("$schema", "https://json-schema.org/draft/2020-12/schema")
	o.add("title", title)
	if description != "" {
		o.add("description", description)
	}
	o.add("type", "object")
	var properties object
	required := []string{}
	for _, a := range s.Args {
		properties.raw(a.Name, a.schema())
		if a.Required {
			required = append(required, a.Name)
		}
	}
	o.raw("properties", properties.bytes())
	o.add("required", required)
	o.add("additionalProperties", false)
	var out bytes.Buffer
	_ = json.Indent(&out, o.bytes(), "", "  ") // it is valid
	return out.Bytes()
}

const durationPattern = `^[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d|w))+)$`

func (a *Arg) schema() []byte {
	var o object
	kind := "string"
	switch a.Kind {
	case KindInt:
		kind = "integer"
	case KindFloat:
		kind = "number"
	case KindBool:
		kind = "boolean"
	}
	if a.List {
		item := *a
		item.List, item.Help, item.HasDefault, item.Secret = false, "", false, false
		o.add("type", "array")
		o.raw("items", item.schema())
		if a.Required {
			o.add("minItems", 1)
		}
	} else {
		o.add("type", kind)
	}
	if a.Help != "" {
		o.add("description", a.Help)
	}
	if !a.List {
		switch {
		case a.Kind == KindDuration:
			o.add("pattern", durationPattern)
		case a.Kind == KindURL:
			o.add("format", "uri")
		case a.Min != 0 || a.Max != 0:
			o.add("minimum", int64(a.Min))
			o.add("maximum", int64(a.Max))
		case a.Kind == KindString && a.Required && a.Choices == nil:
			o.add("minLength", 1)
		}
		if a.Choices != nil {
			o.raw("enum", a.literals(a.Choices))
		}
	}
	if a.HasDefault {
		o.raw("default", a.literal(a.Default))
	}
	if a.Secret {
		o.add("writeOnly", true)
	}
	return o.bytes()
}

func (a *Arg) literals(values []string) []byte {
	b := []byte{'['}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, a.literal(v)...)
	}
	return append(b, ']')
}

// literal gives a value as JSON of the argument's type.
func (a *Arg) literal(v string) []byte {
	switch a.Kind {
	case KindInt:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return strconv.AppendInt(nil, n, 10)
		}
		if n, err := strconv.ParseUint(v, 10, 64); err == nil {
			return strconv.AppendUint(nil, n, 10)
		}
	case KindFloat:
		if n, err := strconv.ParseFloat(v, 64); err == nil {
			return encode(n)
		}
	case KindBool:
		return strconv.AppendBool(nil, a.bool())
	}
	return encode(v)
}

// object is a JSON object that keeps the order of its members.
type object struct{ b []byte }

func (o *object) add(key string, value any) { o.raw(key, encode(value)) }

func (o *object) raw(key string, value []byte) {
	if len(o.b) > 0 {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, encode(key)...), ':'), value...)
}

func (o *object) bytes() []byte { return append(append([]byte{'{'}, o.b...), '}') }

// encode is json.Marshal of what cannot fail, without escapes for HTML.
func encode(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
	return bytes.TrimSpace(out.Bytes())
}
