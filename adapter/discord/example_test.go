package discord_test

import (
	"fmt"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/discord"
)

// The address adds the bot to a server, with the permissions that it needs.
func ExampleInvite() {
	fmt.Println(discord.Invite("1234567890"))
	// Output:
	// https://discord.com/oauth2/authorize?client_id=1234567890&permissions=309237763136&scope=bot+applications.commands
}

// What cannot be a slash command is said before anything is connected.
func ExampleCheckCommands() {
	fmt.Println(discord.CheckCommands([]adapter.CommandSpec{{Name: "deploy"}, {Name: "job"}, {Name: "job list"}}))
	// Output:
	// discord: the command "job" cannot be a slash command: adapter: too long: there are commands that begin with it, and discord then takes only those; it works when it is typed
}

// What is wrong with the configuration is said with its cure.
func ExampleNew() {
	_, err := discord.New(discord.Config{Token: "q1w2e3"})
	fmt.Println(err)
	// Output:
	// discord: Config.Token: a bot token has three parts with dots between them (page Bot, Reset Token); this is something else, perhaps the client secret
}
