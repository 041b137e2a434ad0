package admin

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// status shows how the bot is, as two tables.
func (c *commands) status(ctx context.Context, r *handler.Request, _ handler.None) error {
	h, s := c.Bot.Health(), c.Bot.Stats()
	var b strings.Builder
	row := func(cells ...string) {
		for _, cell := range cells {
			b.WriteString(adapter.Format("| %s ", flat(cell)))
		}
		b.WriteString("|\n")
	}
	state := "ready"
	switch {
	case h.Draining:
		state = "stopping"
	case !h.Ready:
		state = "**not ready**"
	}
	b.WriteString("The bot is " + state + ".\n\n")
	b.WriteString("| adapter | state | connected | since | gaps |\n|---|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(h.Adapters)) {
		a := h.Adapters[name]
		connected, since := "no", "-"
		if a.Connected {
			connected = "yes"
		}
		if !a.Since.IsZero() {
			since = age(time.Since(a.Since))
		}
		state := a.State
		if a.Skew != 0 {
			state += ", and the clock of this machine is off by " + (time.Duration(a.Skew) * time.Second).String()
		}
		row(name, state, connected, since, strconv.Itoa(a.Gaps))
	}
	off := "there is no switch"
	if c.Switch != nil {
		routes, err := c.Switch.Off(ctx)
		if off = offList(routes); err != nil {
			r.Log().Error("nobody knows which routes are off", "error", err)
			off = "nobody knows, so all are refused"
		}
	}
	count := func(n uint64) string { return strconv.FormatUint(n, 10) }
	b.WriteString("\n| what | now |\n|---|---|\n")
	row("version", c.Version)
	row("up for", age(time.Since(c.begun)))
	row("store", h.Store)
	row("routes that are off", off)
	row("events offered", count(s.Offered))
	row("- accepted", count(s.Accepted))
	row("- ignored", count(s.Ignored))
	row("- over the limits", count(s.Shed))
	row("- too late", count(s.Late))
	row("- duplicates", count(s.Duplicate))
	row("- refused for good", count(s.Rejected))
	row("- not stored", count(s.Failing))
	row("handled", count(s.Handled))
	row("- completed", count(s.Completed))
	row("- failed", count(s.Failed))
	row("- cut off", count(s.Cut))
	row("- put aside", count(s.Dead))
	row("waiting", strconv.Itoa(s.Waiting))
	if c.Level != nil {
		row("log level", strings.ToLower(c.Level.Level().String()))
	}
	return r.Reply(ctx, "%s", adapter.Markup(strings.TrimRight(b.String(), "\n")))
}

// flat keeps a cell on its line. What stands in it is data, in which a | does no harm.
func flat(s string) string { return strings.Join(strings.Fields(s), " ") }

// age shows a time span to the second, and a long one in days.
func age(d time.Duration) string {
	d = d.Round(time.Second)
	if days := d / (24 * time.Hour); days > 0 {
		return strconv.Itoa(int(days)) + "d" + (d % (24 * time.Hour)).String()
	}
	return d.String()
}
