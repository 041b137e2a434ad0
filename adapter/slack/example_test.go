package slack_test

import (
	"encoding/json"
	"fmt"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
)

// The manifest makes the app on https://api.slack.com/apps, "From a manifest".
func ExampleManifest() {
	out, err := slack.Manifest([]adapter.CommandSpec{{Name: "deploy", Summary: "Ship a service."}, {Name: "job list", Summary: "Show what runs."}})
	if err != nil {
		fmt.Println(err)
		return
	}
	var m struct {
		Features struct {
			SlashCommands []struct{ Command, Description string } `json:"slash_commands"`
		} `json:"features"`
		Settings struct {
			SocketMode bool `json:"socket_mode_enabled"`
		} `json:"settings"`
	}
	if err := json.Unmarshal(out, &m); err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range m.Features.SlashCommands {
		fmt.Println(c.Command, c.Description)
	}
	fmt.Println("socket mode:", m.Settings.SocketMode)
	// Output:
	// /deploy Ship a service.
	// /job-list Show what runs.
	// socket mode: true
}

// What is wrong with the configuration is said with its cure, before anything is connected.
func ExampleNew() {
	_, err := slack.New(slack.Config{BotToken: "xapp-1-A111-222-333", AppToken: "xapp-1-A111-222-333"})
	fmt.Println(err)
	// Output:
	// slack: Config.BotToken: this is an app token; the bot token starts with xoxb- (page OAuth & Permissions)
}
