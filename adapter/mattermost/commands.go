package mattermost

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/life"
)

// RegisterCommands implements [adapter.CommandRegistrar]. Only an administrator can make slash commands ([Register],
// [Instructions]); here their names are remembered, so that "/job-list" is the command "job list" again.
func (a *Adapter) RegisterCommands(ctx context.Context, commands []adapter.CommandSpec) error {
	if err := a.life.Usable(ctx, "register commands"); err != nil {
		return err
	}
	names := map[string]string{}
	for _, c := range commands {
		if name, ok := slashName(c.Name); ok {
			names[name] = c.Name
		}
	}
	a.commands.Store(&names)
	return nil
}

// slashName is the slash command of a command: its words joined by "-".
func slashName(command string) (string, bool) {
	name := strings.Join(strings.Fields(strings.ToLower(command)), "-")
	return name, validName(name)
}

// ours marks the commands that Register made, so that it changes no others.
const ours = "Made by starling for its bot. "

const (
	maxDisplay     = 64  // bytes (model.Command.IsValid)
	maxDescription = 128 // bytes
	maxComplete    = 1_000
)

// cutBytes shortens s to n bytes, between characters.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Register makes or updates a slash command /NAME for each command in each of the teams, with the hint that Mattermost shows while
// it is typed, and deletes those that it made for this address before and that are no more. It writes only what has changed.
// Config.URL and Config.AdminToken are needed, and nothing else of it; teams are names or ids, none means all that the administrator
// is in. callbackURL is where the server reaches [Adapter.HTTPHandler].
//
// It gives the tokens for Config.CommandTokens, those of the commands that worked also beside an error. The error joins what
// did not: a name that Mattermost or somebody else uses; such a command works when typed to the bot.
func Register(ctx context.Context, cfg Config, teams []string, callbackURL string, specs []adapter.CommandSpec) ([]string, error) {
	cfg = cfg.withDefaults()
	switch {
	case !webAddress(cfg.URL):
		return nil, errors.New("mattermost: register: Config.URL is not an http address: give the server's, as in https://chat.example.com")
	case cfg.AdminToken == "" || strings.ContainsFunc(cfg.AdminToken, space):
		return nil, errors.New("mattermost: register: Config.AdminToken is empty or has white space: give the personal access token of an administrator (Profile, Security), or do by hand what Instructions says")
	case !webAddress(callbackURL):
		return nil, errors.New("mattermost: register: the callback URL is not an http address: give the one under which the Mattermost server reaches the bot")
	}
	cfg.Token = cfg.AdminToken
	a := &Adapter{cfg: cfg, log: cfg.Logger, doubt: life.NewDoubt()}
	a.http = newClient(a, cfg.HTTPClient)
	a.api = a.http.library(cfg.URL, cfg.AdminToken)
	if cfg.HTTPClient == nil {
		defer a.http.web.Close()
	}
	want, errs := slashCommands(callbackURL, specs)
	ids, err := a.teams(ctx, teams)
	if err != nil {
		return nil, err
	}
	var tokens []string
	for _, team := range ids {
		some, err := a.registerTeam(ctx, team, callbackURL, want)
		tokens, errs = append(tokens, some...), append(errs, err)
	}
	slices.Sort(tokens)
	return slices.Compact(tokens), errors.Join(errs...)
}

// slashCommands are what the commands of a bot should be, by name.
func slashCommands(callbackURL string, specs []adapter.CommandSpec) (want map[string]*model.Command, errs []error) {
	want = map[string]*model.Command{}
	for _, s := range specs {
		name, ok := slashName(s.Name)
		if !ok {
			errs = append(errs, fmt.Errorf("mattermost: register: the command %q cannot be a slash command; it works when typed to the bot", s.Name))
			continue
		}
		hint := strings.TrimSpace(strings.TrimPrefix(s.Usage, s.Name))
		if hint == "" {
			hint = hintOf(s.Args)
		}
		want[name] = &model.Command{Trigger: name, Method: model.CommandMethodPost, URL: callbackURL, AutoComplete: true, AutoCompleteDesc: cutRunes(plainLine(s.Summary), maxComplete),
			AutoCompleteHint: cutRunes(plainLine(hint), maxComplete), DisplayName: cutBytes(s.Name, maxDisplay), Description: cutBytes(ours+plainLine(s.Summary), maxDescription)}
	}
	return want, errs
}

// hintOf gives arguments as they are typed: <needed>, [may be left out], --flag.
func hintOf(args []adapter.ArgSpec) string {
	var words []string
	for _, a := range args {
		w := a.Name
		if len(a.Choices) > 0 && len(a.Choices) <= 5 {
			w = strings.Join(a.Choices, "|")
		}
		if a.Rest || a.List {
			w += "..."
		}
		if a.Word != "" {
			w = a.Word + " " + w
		}
		switch {
		case a.Flag && a.Type == "bool":
			w = "[--" + a.Name + "]"
		case a.Flag:
			w = "[--" + a.Name + " " + w + "]"
		case a.Required:
			w = "<" + w + ">"
		default:
			w = "[" + w + "]"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// teams gives the ids of teams.
func (a *Adapter) teams(ctx context.Context, names []string) (ids []string, err error) {
	c := a.with(ctx)
	if len(names) == 0 {
		all, resp, err := c.GetTeamsForUser(model.Me, "")
		if err != nil {
			return nil, a.failAdmin("list the teams", resp, err)
		}
		for _, t := range all {
			ids = append(ids, t.Id)
		}
		return ids, nil
	}
	for _, name := range names {
		if model.IsValidId(name) {
			ids = append(ids, name)
			continue
		}
		if name = strings.ToLower(name); !validName(name) {
			return nil, fmt.Errorf("mattermost: register: the team %q: %w", name, adapter.ErrNotFound)
		}
		t, resp, err := c.GetTeamByName(name, "")
		if err != nil {
			return nil, a.failAdmin("look up the team "+name, resp, err)
		}
		ids = append(ids, t.Id)
	}
	return ids, nil
}

// failAdmin is fail for what an administrator does.
func (a *Adapter) failAdmin(verb string, resp *model.Response, err error) error {
	switch status(resp) {
	case http.StatusUnauthorized:
		return fmt.Errorf("mattermost: register: %s: %w: Config.AdminToken is wrong or revoked", verb, adapter.ErrAuth)
	case http.StatusForbidden:
		return fmt.Errorf("mattermost: register: %s: %w: the account of Config.AdminToken may not manage slash commands there", verb, adapter.ErrForbidden)
	}
	return a.fail("register: "+verb, resp, err)
}

// registerTeam makes the commands of one team what they should be.
func (a *Adapter) registerTeam(ctx context.Context, team, callbackURL string, want map[string]*model.Command) (tokens []string, err error) {
	c := a.with(ctx)
	have, resp, err := c.ListCommands(team, true)
	if err != nil {
		return nil, a.failAdmin("list the commands of team "+team, resp, err)
	}
	by := map[string]*model.Command{}
	var errs []error
	for _, old := range have {
		if by[old.Trigger] = old; want[old.Trigger] == nil && strings.HasPrefix(old.Description, ours) && old.URL == callbackURL && model.IsValidId(old.Id) {
			if resp, err := c.DeleteCommand(old.Id); err != nil {
				errs = append(errs, a.failAdmin("delete /"+old.Trigger, resp, err))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		cmd := *want[name]
		cmd.TeamId = team
		old := by[name]
		var resp *model.Response
		var err error
		switch {
		case old == nil:
			var made *model.Command
			if made, resp, err = c.CreateCommand(&cmd); err == nil {
				old = made
			}
		case !strings.HasPrefix(old.Description, ours) && old.URL != callbackURL:
			errs = append(errs, fmt.Errorf("mattermost: register: /%s in team %s is somebody else's command: delete it, or leave this one out; it works when typed to the bot", name, team))
			continue
		case same(old, &cmd):
		case !model.IsValidId(old.Id):
			err = errors.New("mattermost: register: the server gave no id of a command")
		default:
			cmd.Id = old.Id
			_, resp, err = c.UpdateCommand(&cmd)
		}
		if err != nil {
			errs = append(errs, a.failAdmin("write /"+name+" in team "+team, resp, err))
			continue
		}
		if old.Token != "" {
			tokens = append(tokens, old.Token)
		}
	}
	return tokens, errors.Join(errs...)
}

// same tells whether nothing need be written.
func same(a, b *model.Command) bool {
	return a.Method == b.Method && a.URL == b.URL && a.AutoComplete == b.AutoComplete && a.AutoCompleteDesc == b.AutoCompleteDesc &&
		a.AutoCompleteHint == b.AutoCompleteHint && a.DisplayName == b.DisplayName && a.Description == b.Description
}

// Instructions says how an administrator makes the slash commands by hand, for who has no token of one.
func Instructions(callbackURL string, specs []adapter.CommandSpec) string {
	var b strings.Builder
	fmt.Fprintf(&b, "In Mattermost, for each team: main menu, Integrations, Slash Commands, Add Slash Command. For each of these:\n")
	want, errs := slashCommands(callbackURL, specs)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		c := want[name]
		fmt.Fprintf(&b, "\n  Command Trigger Word: %s\n  Request URL: %s\n  Request Method: POST\n  Autocomplete: on\n", name, c.URL)
		if c.AutoCompleteHint != "" {
			fmt.Fprintf(&b, "  Autocomplete Hint: %s\n", c.AutoCompleteHint)
		}
		if c.AutoCompleteDesc != "" {
			fmt.Fprintf(&b, "  Autocomplete Description: %s\n", c.AutoCompleteDesc)
		}
	}
	fmt.Fprintf(&b, "\nEach shows a token when it is saved: put them all into Config.CommandTokens.\n"+
		"Where the address is a private one: System Console, Environment, Developer, Allow untrusted internal connections, must name its host.\n")
	for _, err := range errs {
		fmt.Fprintf(&b, "%v\n", err)
	}
	return b.String()
}
