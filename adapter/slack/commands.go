package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
)

// RegisterCommands implements [adapter.CommandRegistrar]. Slack takes commands from the app's manifest alone (see
// [Manifest]); here they are remembered, so that "/job-list" is the command "job list" again.
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

// slashName is the slash command of a command: its words joined by "-", 1 to 31 characters of what Slack takes.
func slashName(command string) (string, bool) {
	name := strings.Join(strings.Fields(strings.ToLower(command)), "-")
	ok := name != "" && len(name) <= 31 && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
	return name, ok
}

// App is what a manifest says of the app beside the bot's commands. The zero value works.
type App struct {
	Name        string   // default "Starling"; at most 35 characters
	Description string   // default "A chat bot."; at most 140 characters
	URL         string   // of HTTP mode: where the adapter's handler is reached; empty is Socket Mode
	Scopes      []string // default [DefaultScopes]
}

// maxCommands is how many slash commands an app may have (https://docs.slack.dev/reference/app-manifest).
const maxCommands = 50

// Manifest gives the app manifest for a bot with these commands, as JSON for "Create New App, From a manifest" on
// https://api.slack.com/apps: Socket Mode, all scopes and events that this adapter uses, a slash command for each command.
func Manifest(specs []adapter.CommandSpec) ([]byte, error) { return App{}.Manifest(specs) }

// Manifest gives the app's manifest. Its error names the commands that cannot be slash commands; they work when typed.
func (app App) Manifest(specs []adapter.CommandSpec) ([]byte, error) {
	if app.Name == "" {
		app.Name = "Starling"
	}
	if app.Description == "" {
		app.Description = "A chat bot."
	}
	if app.Scopes == nil {
		app.Scopes = DefaultScopes()
	}
	if n := utf8.RuneCountInString(app.Name); n > 35 {
		return nil, fmt.Errorf("slack: manifest: %w: the name has %d of 35 characters", adapter.ErrTooLong, n)
	}
	type object = map[string]any
	commands := map[string]object{}
	var odd []string
	for _, s := range specs {
		name, ok := slashName(s.Name)
		if !ok || commands[name] != nil {
			odd = append(odd, s.Name)
			continue
		}
		summary := cutRunes(strings.Join(strings.Fields(adapter.PlainText(s.Summary)), " "), 2000)
		if summary == "" {
			summary = s.Name
		}
		c := object{"command": "/" + name, "description": summary, "should_escape": true, "usage_hint": "[arguments]"}
		if app.URL != "" {
			c["url"] = app.URL
		}
		commands[name] = c
	}
	if len(odd) > 0 {
		return nil, fmt.Errorf("slack: manifest: %w: these commands cannot be slash commands of their own (1 to 31 of a-z, 0-9, - and _, each once): %s", adapter.ErrInvalid, strings.Join(odd, ", "))
	}
	if len(commands) > maxCommands {
		return nil, fmt.Errorf("slack: manifest: %w: %d commands; slack takes %d: leave some out, they work when typed", adapter.ErrTooLong, len(commands), maxCommands)
	}
	list := []object{}
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		list = append(list, commands[name])
	}
	subscriptions := object{"bot_events": events()}
	interactivity := object{"is_enabled": true}
	if app.URL != "" {
		subscriptions["request_url"], interactivity["request_url"] = app.URL, app.URL
	}
	features := object{
		"app_home": object{"home_tab_enabled": false, "messages_tab_enabled": true, "messages_tab_read_only_enabled": false},
		"bot_user": object{"display_name": app.Name, "always_online": true},
	}
	if len(list) > 0 {
		features["slash_commands"] = list
	}
	out, err := json.MarshalIndent(object{
		"display_information": object{"name": app.Name, "description": cutRunes(app.Description, 140)},
		"features":            features,
		"oauth_config":        object{"scopes": object{"bot": app.Scopes}},
		"settings": object{
			"event_subscriptions": subscriptions, "interactivity": interactivity,
			"org_deploy_enabled": false, "socket_mode_enabled": app.URL == "", "token_rotation_enabled": false,
		},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("slack: manifest: %w", err)
	}
	return append(out, '\n'), nil
}

// events are what the app subscribes to.
func events() []string {
	return []string{
		"app_mention", "channel_archive", "channel_rename", "channel_unarchive", "group_rename", "member_joined_channel", "member_left_channel",
		"message.channels", "message.groups", "message.im", "message.mpim", "reaction_added", "reaction_removed", "user_change",
	}
}
