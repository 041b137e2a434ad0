package admin_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/admin"
	"github.com/starlingbot/starling/testutil"
)

func Example() {
	state := brain.New(memory.New())
	off, err := admin.NewSwitch(admin.SwitchConfig{Brain: state.Namespace("admin")})
	if err != nil {
		fmt.Println(err)
		return
	}
	var bot *starling.Bot // is made of the router, so the commands ask for it when they run
	routes, err := admin.New(admin.Config{
		Bot: admin.Of(func() *starling.Bot { return bot }), Switch: off, Level: new(slog.LevelVar), Backup: state,
		May: func(_ context.Context, u adapter.User) (bool, error) { return u.Key() == "slack/T024BE7LD/U123", nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	rt := handler.NewRouter()
	rt.Use(off.Enforce) // before the first route
	rt.Mount("admin", routes)
	bot, err = starling.New(starling.Config{
		Router: rt, Brain: state, Adapters: []adapter.Adapter{testutil.NewChat(testutil.ChatConfig{})},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range bot.Routes() {
		if r.Mount() == "admin" {
			fmt.Println(r.ID)
		}
	}
	// Output:
	// admin/status
	// admin/dead-list
	// admin/dead-show
	// admin/dead-replay
	// admin/disable
	// admin/enable
	// admin/loglevel
	// admin/backup
}
