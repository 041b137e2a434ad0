// Package vet holds the mistakes that go vet must find; TestVetSeesPrintf runs it. Each line with a mistake says which.
package vet

import (
	"context"

	"github.com/starlingbot/starling/handler"
)

// Constant is a message built from what somebody wrote.
func Constant(ctx context.Context, r *handler.Request, p *handler.Posted, text string) {
	_ = r.Reply(ctx, text)             // want non-constant format string in call to
	_ = r.Thread(ctx, text)            // want non-constant format string in call to
	_ = r.Direct(ctx, text)            // want non-constant format string in call to
	_ = r.Whisper(ctx, text)           // want non-constant format string in call to
	_ = r.Progress(ctx, text)          // want non-constant format string in call to
	_, _ = r.Post(ctx, text)           // want non-constant format string in call to
	_ = p.Edit(ctx, text)              // want non-constant format string in call to
	_ = handler.UserErrorf(text)       // want non-constant format string in call to
	_ = r.Reply(ctx, "said: "+text)    // want non-constant format string in call to
	_ = r.Reply(ctx, "said: %s", text) // this is how
}

// Verbs are verbs that do not fit.
func Verbs(ctx context.Context, r *handler.Request, p *handler.Posted) {
	_ = r.Reply(ctx, "%d", "x")       // want format %d has arg "x" of wrong type string
	_ = r.Thread(ctx, "%d", "x")      // want format %d has arg "x" of wrong type string
	_ = r.Direct(ctx, "%d", "x")      // want format %d has arg "x" of wrong type string
	_ = r.Whisper(ctx, "%d", "x")     // want format %d has arg "x" of wrong type string
	_, _ = r.Post(ctx, "%d", "x")     // want format %d has arg "x" of wrong type string
	_ = p.Edit(ctx, "%d", "x")        // want format %d has arg "x" of wrong type string
	_ = handler.UserErrorf("%d", "x") // want format %d has arg "x" of wrong type string
	_ = r.Reply(ctx, "%s")            // want format %s reads arg #1, but call has 0 args
	_ = r.Reply(ctx, "a", "x")        // want call has arguments but no formatting directives
	_ = r.Reply(ctx, "%s %s", r.Event.User, r.Event.Room)
}
