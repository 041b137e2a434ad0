package mattermost_test

import (
	"context"
	"fmt"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

// A bot answers what is said to it. Here the server is a fake one; Config needs no more than its address and the bot's token.
func Example() {
	server := fake.New(fake.Options{})
	defer func() { _ = server.Close() }()
	people(server)

	a, err := mattermost.New(mattermost.Config{URL: server.URL(), Token: fake.Token, HTTPClient: server.Client(), Dialer: server.Dialer(), Logger: quiet()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = a.Close() }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	over := make(chan error, 1)
	go func() {
		over <- a.Run(ctx, func(ctx context.Context, ev *adapter.Event) error {
			text := adapter.Format("**PONG** %s, you said %s", ev.User, ev.Text)
			_, err := a.Send(ctx, &adapter.Message{To: ev.Address(), Text: text})
			return err
		})
	}()
	if err := server.Await(ctx, server.Connected); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := server.Say(alice, ops, "ping @all *now*"); err != nil {
		fmt.Println(err)
		return
	}
	_ = server.Await(ctx, func() bool { return len(server.Posts()) == 1 })
	cancel()
	fmt.Println("run:", <-over)
	post := server.Posts()[0]
	fmt.Println(fake.Shown(&post))
	fmt.Println("pings:", server.Pings(&post))
	// Output:
	// run: <nil>
	// PONG @alice, you said ping @all *now*
	// pings: [alice]
}

// What is wrong with the configuration is said with its cure, before anything is connected.
func ExampleNew() {
	_, err := mattermost.New(mattermost.Config{URL: "https://chat.example.com"})
	fmt.Println(err)
	// Output:
	// mattermost: Config.Token is empty: make a bot account (Integrations, Bot Accounts, Add Bot Account) and copy the token that is shown once
}
