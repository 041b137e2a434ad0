package guard

import (
	"context"
	"strings"
	"unicode"

	"github.com/starlingbot/starling/handler"
)

type requestArgs struct {
	ID string `arg:"id" help:"of the request, such as req-k3x9"`
}

type overrideArgs struct {
	ID  string `arg:"id" help:"of the request, such as req-k3x9"`
	Why string `arg:"why" word:"because" rest:"" text:"" help:"the reason, in a few words"`
}

type codeArgs struct {
	Code handler.Secret `arg:"code" secret:"" help:"what your app shows"`
	ID   string         `arg:"id" optional:"" help:"of the command that it is for, where several wait"`
}

// Routes gives the commands with which people decide. Mount them: rt.Mount("guard", g.Routes()), before handler/jobs, whose
// "cancel ID" is for jobs. The asker's roles are judged inside; a policy on them comes on top.
//
//	approve ID                   agree to a request of somebody else
//	deny ID                      refuse it; who asked takes it back
//	cancel ID                    take back one's own request
//	pending [PAGE]               what waits for one's consent, and one's own requests
//	override ID because REASON   run it in an emergency; with Config.BreakGlass
//	code 123456 [ID]             give a second factor for one command, in private; with Config.Factor
func (g *Guard) Routes() *handler.Router {
	rt := handler.NewRouter()
	rt.Add(handler.Command[requestArgs]{
		Name: "approve", Summary: "Agree to what somebody else asks for.",
		Run: func(ctx context.Context, r *handler.Request, a requestArgs) error { return g.approve(ctx, r, id(a.ID)) },
	})
	rt.Add(handler.Command[requestArgs]{
		Name: "deny", Summary: "Refuse what somebody else asks for.",
		Run: func(ctx context.Context, r *handler.Request, a requestArgs) error {
			return g.end(ctx, r, id(a.ID), false)
		},
	})
	cancel := rt.Respond(`(?i)cancel\s+(?P<id>req-[a-z0-9]+)\s*$`, func(ctx context.Context, r *handler.Request) error {
		return g.end(ctx, r, id(r.Arg("id")), true)
	})
	cancel.ID, cancel.Usage, cancel.Summary = "cancel-request", "cancel ID", "Take back what you asked others to agree to."
	rt.Add(handler.Command[pendingArgs]{Name: "pending", Summary: "Show what waits for consent.", Run: g.pending})
	if g.cfg.BreakGlass != "" {
		rt.Add(handler.Command[overrideArgs]{
			Name: "override", Summary: "Run something without the consent it needs, in an emergency.",
			Policy: handler.Policy{Roles: []string{g.cfg.BreakGlass}},
			Run: func(ctx context.Context, r *handler.Request, a overrideArgs) error {
				return g.override(ctx, r, id(a.ID), a.Why)
			},
		})
	}
	if g.cfg.Factor != nil {
		rt.Add(handler.Command[codeArgs]{
			Name: "code", Summary: "Give me a second factor, in private.",
			Run: func(ctx context.Context, r *handler.Request, a codeArgs) error {
				return g.code(ctx, r, a.Code, id(a.ID))
			},
			Leaked: func(ctx context.Context, r *handler.Request, a codeArgs) error {
				if person(r.Event.User) { // so that nobody can use what they have read
					_, _ = handler.Once(ctx, r, "burn", func(ctx context.Context) (bool, error) { return true, g.verify(ctx, r.Event.User, a.Code) })
				}
				return handler.UserErrorf("%s: not here. Say a code to me in private alone, and wait for the next one.", r.Event.User)
			},
		})
	}
	return rt
}

// id gives the form in which requests are named.
func id(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// letters counts the letters and digits of s.
func letters(s string) int {
	n := 0
	for _, c := range s {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			n++
		}
	}
	return n
}
