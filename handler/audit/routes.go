package audit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

const (
	maxShown    = 100      // records in one answer of the command audit
	maxFile     = 16 << 20 // bytes of one file of audit export
	maxProblems = 20       // findings in one answer of audit verify
)

// Routes adds the commands audit, audit verify and audit export to rt, each with the policy, which decides who may read the
// log. Where neither it nor a rule of the operator asks for anything nobody may. Answers are seen by the asker alone, by
// Request.Whisper; audit export works in a direct room only.
func Routes(rt *handler.Router, log *Log, policy handler.Policy) {
	c := commands{log}
	rt.Add(handler.Command[shown]{
		Name: "audit", Summary: "Show the latest records of the audit log.", Policy: policy,
		Description: "The newest come first. `--user` takes a user's key, as `whoami` and the log show it, or the name that the user had.",
		Examples:    []string{"audit", "audit --since 24h --limit 50", "audit --route deploy"},
		Run:         readers(c.show), Background: true, OnCrash: handler.OnCrashRerun,
	})
	rt.Add(handler.Command[handler.None]{
		Name: "audit verify", Summary: "Check that no record of the audit log was changed or removed.", Policy: policy,
		Run: readers(c.verify), Background: true, OnCrash: handler.OnCrashRerun, Timeout: time.Hour,
	})
	rt.Add(handler.Command[exported]{
		Name: "audit export", Summary: "Send the audit log as a file of JSON lines.", Policy: policy,
		Examples: []string{"audit export", "audit export --since 7d"},
		Run:      readers(c.export), Background: true, OnCrash: handler.OnCrashRerun, Timeout: 10 * time.Minute, Needs: []handler.Verb{handler.VerbUpload},
	})
}

// readers refuses everybody where nothing says who may read the log: it shows what all people do.
func readers[A any](run func(ctx context.Context, r *handler.Request, a A) error) func(ctx context.Context, r *handler.Request, a A) error {
	return func(ctx context.Context, r *handler.Request, a A) error {
		if r.Route.Effective().IsZero() {
			return handler.UserErrorf("Nobody may read the audit log: nothing says who may. Tell who runs me: audit.Routes takes a policy, and so does a rule for %s.", r.Route.ID)
		}
		return run(ctx, r, a)
	}
}

type shown struct {
	User  string        `flag:"user" help:"of this user"`
	Route string        `flag:"route" help:"of this route"`
	Since time.Duration `flag:"since" help:"not older than this"`
	Limit int           `flag:"limit" short:"n" default:"20" help:"at most so many"`
}

type exported struct {
	Since time.Duration `flag:"since" help:"not older than this"`
}

type commands struct{ log *Log }

// since makes a span of time up to now a time.
func since(d time.Duration) (time.Time, error) {
	if d < 0 {
		return time.Time{}, handler.UserErrorf("--since is a span of time back from now, such as 24h or 7d.")
	}
	if d == 0 {
		return time.Time{}, nil
	}
	return time.Now().Add(-d), nil
}

func (c commands) show(ctx context.Context, r *handler.Request, a shown) error {
	from, err := since(a.Since)
	if err != nil {
		return err
	}
	if a.Limit < 1 || a.Limit > maxShown {
		return handler.UserErrorf("--limit is from 1 to %d.", maxShown)
	}
	f := Filter{Route: a.Route, Since: from}
	if strings.Count(a.User, "/") == 2 {
		f.User = a.User
	}
	var b strings.Builder
	n := 0
	for rec, err := range c.log.Latest(ctx, f) {
		switch {
		case err != nil && rec.Writer == "":
			return err
		case err != nil:
			b.WriteString(adapter.Format("\n**%s**", err.Error()))
		case f.User == "" && a.User != "" && !strings.EqualFold(strings.TrimPrefix(a.User, "@"), rec.Who.Name):
			continue
		default:
			b.WriteString("\n" + line(rec))
		}
		if n++; n == a.Limit {
			break
		}
	}
	if n == 0 {
		return r.Whisper(ctx, "No such records.")
	}
	return r.Whisper(ctx, "%s", adapter.Markup(strings.TrimPrefix(b.String(), "\n")))
}

// line shows a record.
func line(rec Record) string {
	var b strings.Builder
	b.WriteString(adapter.Format("%s %s", rec.Time.UTC().Format(time.DateTime), string(rec.Phase)))
	add := func(name, value string) {
		if value != "" {
			b.WriteString(adapter.Format(" "+name+"%s", value))
		}
	}
	who := rec.Who.Name
	if rec.Who.Key != "" {
		who = strings.TrimSpace(who + " (" + rec.Who.Key + ")")
	}
	add("", who)
	if rec.Room != (adapter.Address{}) {
		add("in ", rec.Room.String())
	}
	switch {
	case rec.Command != "":
		b.WriteString(adapter.Format(": `%s`", rec.Command))
	case rec.Route != "":
		add("route ", rec.Route)
	}
	if rec.Command == "" {
		for _, name := range slices.Sorted(maps.Keys(rec.Args)) {
			add(name+"=", rec.Args[name])
		}
	}
	add("", rec.Decision)
	add("by rule ", rec.Rule)
	by := "approved by "
	if rec.Decision == "overridden" {
		by = "passed over by "
	}
	for _, p := range rec.Approvers {
		add(by, strings.TrimSpace(p.Name+" ("+p.Key+")"))
	}
	add("", rec.Outcome)
	if rec.Duration != 0 {
		add("after ", rec.Duration.Round(time.Millisecond).String())
	}
	add("because: ", rec.Reason)
	add("error: ", rec.Error)
	add("id ", rec.Correlation)
	return b.String()
}

func (c commands) verify(ctx context.Context, r *handler.Request, _ handler.None) error {
	told := time.Now()
	report, err := c.log.Verify(ctx, Check{Progress: func(now Report) {
		if time.Since(told) < 2*time.Second {
			return
		}
		told = time.Now()
		_ = r.Progress(ctx, "Checked %d records.", now.Records) // that it cannot be shown does not matter
	}})
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(adapter.Format("%s in %s, %s: ", count(report.Records, "record"), count(report.Chains, "chain"), count(report.Anchors, "anchor")))
	if report.OK() {
		b.WriteString("nothing is missing or changed.")
		if report.Last.N > 0 {
			b.WriteString(adapter.Format(" The newest anchor is `%s`.", report.Last.String()))
		}
		return r.Whisper(ctx, "%s", adapter.Markup(b.String()))
	}
	total := len(report.Findings) + report.More
	b.WriteString(adapter.Format("**%s**.", count(total, "finding")))
	for i, f := range report.Findings {
		if i == maxProblems {
			b.WriteString(adapter.Format("\nand %d more", total-i))
			break
		}
		b.WriteString(adapter.Format("\n- `%s`: %s", f.Key, f.Problem))
	}
	return r.Whisper(ctx, "%s", adapter.Markup(b.String()))
}

// count says how many things there are.
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

var errFull = errors.New("full")

// bounded is a buffer that takes no more than maxFile bytes.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxFile {
		return 0, errFull
	}
	return b.Buffer.Write(p)
}

func (c commands) export(ctx context.Context, r *handler.Request, a exported) error {
	if r.Event.Room.Kind != adapter.RoomDirect {
		return handler.UserErrorf("Everybody here would see the file. Ask me in private.")
	}
	from, err := since(a.Since)
	if err != nil {
		return err
	}
	var file bounded
	n, err := c.log.Export(ctx, &file, Filter{Since: from})
	if errors.Is(err, errFull) {
		return handler.UserErrorf("The log is larger than a message can carry (%d MiB). Choose less with --since, or export it from the program.", maxFile>>20)
	}
	text := adapter.Format("%d records.", n)
	if err != nil {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		text = adapter.Format("%d records. Not all could be read: %s. See `audit verify`.", n, err.Error())
	}
	data := file.Bytes()
	m := &adapter.Message{Text: text, Files: []adapter.File{{
		Name: "audit-" + time.Now().UTC().Format("20060102T150405Z") + ".jsonl", Type: "application/jsonl", Size: int64(len(data)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
	}}}
	_, err = r.Send(ctx, m)
	return err
}
