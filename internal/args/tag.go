package args

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// tagKeys are the keys of struct tags that this package reads.
var tagKeys = []string{
	"arg", "flag", "short", "word", "enum", "default", "help", "rest", "optional", "secret", "text", "complete", "schemes", "hosts",
}

// foreignKeys are keys of other packages that look like one of ours.
var foreignKeys = []string{"json", "yaml", "toml", "xml", "db", "env", "form", "query", "test", "hash"}

// tags are the keys of ours that a field has.
type tags map[string]string

// parseTags reads a struct tag strictly: reflect.StructTag.Get is silent about what it cannot read.
func parseTags(tag reflect.StructTag) (found tags, mistakes []string) {
	found = tags{}
	seen := map[string]bool{}
	rest := strings.TrimLeft(string(tag), " ")
	for rest != "" {
		key, after, ok := strings.Cut(rest, ":")
		if !ok || key == "" || strings.ContainsAny(key, " \"") || !strings.HasPrefix(after, `"`) {
			return found, append(mistakes, fmt.Sprintf("the tag cannot be read from %q on: it is written key:\"value\" key:\"value\"", rest))
		}
		quotedValue, err := strconv.QuotedPrefix(after)
		if err != nil {
			return found, append(mistakes, fmt.Sprintf("the tag cannot be read from %q on: the value has no closing quote", rest))
		}
		value, _ := strconv.Unquote(quotedValue)
		if rest = after[len(quotedValue):]; rest != "" && rest[0] != ' ' {
			mistakes = append(mistakes, fmt.Sprintf("the tag needs a space before %q", rest))
		}
		rest = strings.TrimLeft(rest, " ")
		if seen[key] {
			mistakes = append(mistakes, fmt.Sprintf("the tag %s is there twice", key))
		}
		seen[key] = true
		if slices.Contains(tagKeys, key) {
			found[key] = value
		} else if near, ok := Suggest(key, tagKeys); ok && !slices.Contains(foreignKeys, key) {
			mistakes = append(mistakes, fmt.Sprintf("the tag %s is not known: is it %s?", key, near))
		}
	}
	return found, mistakes
}

// on reads a key that is there or not: rest, optional, secret, text.
func (t tags) on(key string) (on bool, mistake string) {
	value, ok := t[key]
	switch {
	case !ok || value == "false":
		return false, ""
	case value == "" || value == "true":
		return true, ""
	}
	return false, fmt.Sprintf("%s is %q: it is \"true\" or nothing", key, value)
}

// list reads a key with commas between its values.
func (t tags) list(key string) []string {
	value, ok := t[key]
	if !ok {
		return nil
	}
	out := strings.Split(value, ",")
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}
