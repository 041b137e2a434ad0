package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/permit"
)

const (
	pageRequests = 10   // on a page of pending
	pageUnits    = 3500 // of a page, in UTF-16 units, so that it takes few messages of any platform; one request is always shown
)

type pendingArgs struct {
	Page int `arg:"page" optional:"" help:"which page, where they are many"`
}

// pending lists what waits for the consent of who asks, and what they have asked for: the oldest first, in pages.
func (g *Guard) pending(ctx context.Context, r *handler.Request, a pendingArgs) error {
	all, err := r.Holder(permit.Proof{}).AllHeld(ctx)
	if err != nil {
		return err
	}
	by := r.Event.User
	who, err := g.person(ctx, by)
	if err != nil {
		return unsure(by, err)
	}
	held, err := g.rolesOf(ctx, by, false)
	if err != nil {
		return unsure(by, err)
	}
	now, own := time.Now(), map[string]bool{} // whether an asker is the same person, by key
	var pages [][]string
	units, count := 0, 0
	for _, h := range all {
		if h.Kind != handler.HeldApproval || !h.Expires.After(now) {
			continue
		}
		if !person(by) || !slices.ContainsFunc(h.Needs, func(need handler.Consents) bool { return mayConsent(need, held, by.Kind) }) {
			key := h.Event.User.Key()
			mine, known := own[key]
			if !known {
				asker, err := g.person(ctx, h.Event.User)
				if err != nil {
					return unsure(by, err)
				}
				mine = asker.owns(who)
				own[key] = mine
			}
			if !mine {
				continue
			}
		}
		text := adapter.Format("%s of %s needs %s; %s agreed; until %s\n```\n%s\n```", h.ID, h.Event.User.String(), needs(h), fmt.Sprint(len(h.Consents)), h.Expires, h.Line)
		n := adapter.UnitUTF16.Len(text)
		if last := len(pages) - 1; last < 0 || len(pages[last]) == pageRequests || units+n > pageUnits {
			pages, units = append(pages, nil), 0
		}
		pages[len(pages)-1] = append(pages[len(pages)-1], text)
		units += n
		count++
	}
	page := max(a.Page, 1)
	switch {
	case count == 0:
		return r.Whisper(ctx, "Nothing waits for you.")
	case page > len(pages):
		return r.Whisper(ctx, "There is no page %s: what waits is on %s.", fmt.Sprint(page), number(len(pages), "page"))
	}
	text := strings.Join(pages[page-1], "\n")
	if len(pages) > 1 {
		text += adapter.Format("\nPage %s of %s, %s.", fmt.Sprint(page), fmt.Sprint(len(pages)), number(count, "request"))
		if page < len(pages) {
			text += adapter.Format(" Say \"pending %s\" for the next.", fmt.Sprint(page+1))
		}
	}
	return r.Whisper(ctx, "%s", adapter.Markup(text))
}

// number says how many of something.
func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprint(n, " ", what, "s")
}
