package discordfake

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// slash is a command or an option of one.
type slash struct {
	Type         int     `json:"type"`
	Name         string  `json:"name"`
	Description  string  `json:"description"`
	Required     bool    `json:"required"`
	Autocomplete bool    `json:"autocomplete"`
	Options      []slash `json:"options"`
	Choices      []struct {
		Name  string `json:"name"`
		Value any    `json:"value"`
	} `json:"choices"`
}

var slashName = regexp.MustCompile(`^[-_'\p{L}\p{N}\p{Devanagari}\p{Thai}]{1,32}$`)

// check refuses what Discord refuses; depth is 0 for a command.
func (c *slash) check(depth int) error {
	if !slashName.MatchString(c.Name) || strings.ToLower(c.Name) != c.Name {
		return fmt.Errorf("name %q", c.Name)
	}
	if n := utf8.RuneCountInString(c.Description); n < 1 || n > 100 {
		return fmt.Errorf("description of %q", c.Name)
	}
	if len(c.Options) > 25 || len(c.Choices) > 25 {
		return fmt.Errorf("too much in %q", c.Name)
	}
	group := depth == 0 || c.Type == 1 || c.Type == 2
	if !group && len(c.Options) > 0 || c.Autocomplete && (len(c.Choices) > 0 || c.Type != 3 && c.Type != 4 && c.Type != 10) {
		return fmt.Errorf("option %q", c.Name)
	}
	names := map[string]bool{}
	optional, subs := false, 0
	for i := range c.Options {
		o := &c.Options[i]
		if names[o.Name] {
			return fmt.Errorf("%q twice in %q", o.Name, c.Name)
		}
		names[o.Name] = true
		if o.Type == 1 || o.Type == 2 {
			subs++
			if depth > 1 || o.Type == 2 && depth > 0 || c.Type == 1 && depth > 0 {
				return fmt.Errorf("%q too deep in %q", o.Name, c.Name)
			}
		} else if o.Required && optional {
			return fmt.Errorf("%q is required behind one that is not in %q", o.Name, c.Name)
		}
		optional = optional || !o.Required
		if err := o.check(depth + 1); err != nil {
			return err
		}
	}
	if subs > 0 && subs != len(c.Options) || c.Type == 2 && depth > 0 && subs == 0 {
		return fmt.Errorf("options beside subcommands in %q", c.Name)
	}
	for _, choice := range c.Choices {
		_, text := choice.Value.(string)
		if n := utf8.RuneCountInString(choice.Name); n < 1 || n > 100 || text != (c.Type == 3) {
			return fmt.Errorf("choice %q of %q", choice.Name, c.Name)
		}
	}
	return nil
}

func scope(c *call) string {
	if len(c.parts) == 5 {
		return c.parts[3]
	}
	return ""
}

func (s *Server) listCommands(c *call) (any, *apiError) {
	list := s.commands[scope(c)]
	if list == nil {
		list = []object{}
	}
	return list, nil
}

func (s *Server) register(c *call) (any, *apiError) {
	var typed []slash
	var raw []object
	if json.Unmarshal(c.body, &typed) != nil || json.Unmarshal(c.body, &raw) != nil {
		return nil, refuse(400, 50109, "The request body contains invalid JSON.")
	}
	if len(typed) > 100 {
		return nil, refuse(400, 30032, "Maximum number of application commands reached (100).")
	}
	for i := range typed {
		if err := typed[i].check(0); err != nil {
			return nil, invalid("%v", err)
		}
		if slices.ContainsFunc(typed[:i], func(o slash) bool { return o.Name == typed[i].Name }) {
			return nil, invalid("%q twice", typed[i].Name)
		}
		// What Discord adds.
		raw[i]["id"], raw[i]["application_id"], raw[i]["version"], raw[i]["default_member_permissions"], raw[i]["nsfw"] = s.id(), AppID, s.id(), nil, false
		if raw[i]["type"] == nil {
			raw[i]["type"] = 1
		}
	}
	s.commands[scope(c)] = raw
	s.overwrites++
	return raw, nil
}

// Commands gives the names of the commands of a scope ("" is all servers), words joined by spaces.
func (s *Server) Commands(scope string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := json.Marshal(s.commands[scope])
	var list []slash
	_ = json.Unmarshal(body, &list)
	var out []string
	var walk func(prefix string, c slash)
	walk = func(prefix string, c slash) {
		name := strings.TrimSpace(prefix + " " + c.Name)
		inner := 0
		for _, o := range c.Options {
			if o.Type == 1 || o.Type == 2 {
				inner++
				walk(name, o)
			}
		}
		if inner == 0 {
			out = append(out, name)
		}
	}
	for _, c := range list {
		walk("", c)
	}
	slices.Sort(out)
	return out
}

// Command gives a command as it was registered, by its first word.
func (s *Server) Command(name string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.commands {
		for _, c := range list {
			if c["name"] == name {
				return c
			}
		}
	}
	return nil
}
