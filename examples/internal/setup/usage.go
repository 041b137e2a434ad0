package setup

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// Variable is what a bot reads from the environment.
type Variable struct{ Name, For string }

// local are those that every example bot reads, on the terminal alone too.
var local = []Variable{
	{"XDG_STATE_HOME", "folder for the file that keeps the bot's state, where -brain does not name one (default ~/.local/state)"},
	{"NO_COLOR", "set to anything: no colours on the terminal"},
	{"TERM", "what the terminal is; dumb: no colours"},
}

// platforms are those of the flag -adapter.
var platforms = []Variable{
	{"SLACK_BOT_TOKEN", "-adapter slack: the bot's token, xoxb-..."},
	{"SLACK_APP_TOKEN", "-adapter slack: the app's token for Socket Mode, xapp-..."},
	{"SLACK_SIGNING_SECRET", "-adapter slack in HTTP mode, with -http: what signs Slack's requests; several with commas"},
	{"SLACK_API_URL", "-adapter slack: another address of the API, for tests and proxies"},
	{"DISCORD_TOKEN", "-adapter discord: the bot's token"},
	{"DISCORD_PUBLIC_KEY", "-adapter discord in HTTP mode, with -http: the application's public key; several with commas"},
	{"DISCORD_GUILD", "-adapter discord: id of the one server that gets the slash commands (default all)"},
	{"DISCORD_CLIENT_ID", "-invite discord: id of the application, so that no token is needed"},
	{"DISCORD_API_URL", "-adapter discord: another address of the API, for tests and proxies"},
	{"MATTERMOST_URL", "-adapter mattermost: address of the server, https://chat.example.com"},
	{"MATTERMOST_TOKEN", "-adapter mattermost: the bot account's access token"},
	{"MATTERMOST_CALLBACK_URL", "-adapter mattermost: where the server reaches -http, for buttons, forms and slash commands"},
	{"MATTERMOST_COMMAND_TOKENS", "-adapter mattermost: tokens of its slash commands, with commas"},
	{"MATTERMOST_HOOK_TOKENS", "-adapter mattermost: tokens of its outgoing webhooks, with commas"},
	{"MATTERMOST_SECRET", "-adapter mattermost: what signs buttons and forms; several with commas"},
	{"MATTERMOST_ADMIN_TOKEN", "-register mattermost: token of somebody who may make slash commands"},
	{"MATTERMOST_TEAM", "-register mattermost: the teams that get them, with commas"},
}

// Usage has -h show the environment below the flags: names and what for, and never a value. everywhere: the bot has -adapter.
func Usage(fs *flag.FlagSet, everywhere bool, own ...Variable) {
	vars := own
	if everywhere {
		vars = append(vars, platforms...)
	}
	vars = append(vars, local...)
	fs.Usage = func() {
		out := fs.Output()
		_, _ = fmt.Fprintf(out, "Usage of %s:\n", fs.Name())
		fs.PrintDefaults()
		writeVariables(out, vars)
	}
}

func writeVariables(out io.Writer, vars []Variable) {
	var b strings.Builder
	b.WriteString("\nFrom the environment (secrets belong there, not into flags, which others on the machine can see):\n")
	for _, v := range vars {
		fmt.Fprintf(&b, "  %s\n    \t%s\n", v.Name, v.For)
	}
	_, _ = io.WriteString(out, b.String())
}
