package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/sealed"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/admin"
	"github.com/starlingbot/starling/handler/audit"
	"github.com/starlingbot/starling/handler/identity"
	"github.com/starlingbot/starling/handler/otp"
	"github.com/starlingbot/starling/handler/roles"
	"github.com/starlingbot/starling/middleware/guard"
)

// teamFile is the file of -team: who is in charge, and the operator's rules.
type teamFile struct {
	Admins     []string        `json:"admins"`      // keys of accounts, as whoami shows them
	BreakGlass string          `json:"break_glass"` // the role that may override an approval; empty: nobody
	ProdBy     string          `json:"prod_by"`     // the role that agrees to what goes to prod
	Rules      json.RawMessage `json:"rules"`       // by route id, see handler.ParseRules
}

// team is who may do what: nil for a bot where everybody may do everything.
type team struct {
	file   teamFile
	rules  starling.Rules
	people *roles.Roles
	links  *identity.Identity
	log    *audit.Log
	factor *otp.OTP // nil: there is no second factor
	guard  *guard.Guard
	off    *admin.Switch
	level  *slog.LevelVar // of the bot's log: the command loglevel changes it
	state  *brain.Brain
	bot    *starling.Bot // set when it is made
}

// The secrets come from the environment: the file may be shown to anybody.
const (
	auditKeyVar  = "OPSBOT_AUDIT_KEY"
	factorKeyVar = "OPSBOT_FACTOR_KEYS"
)

// readTeam reads the file.
func readTeam(path string) (file teamFile, rules starling.Rules, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return file, nil, fmt.Errorf("opsbot: -team: %w", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		return file, nil, fmt.Errorf("opsbot: -team %s: %w", path, err)
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return file, nil, fmt.Errorf("opsbot: -team %s: something follows the first JSON object; one is all there may be", path)
	}
	for what, role := range map[string]string{"prod_by": file.ProdBy, "break_glass": file.BreakGlass} {
		if _, err := handler.RoleName(role); role != "" && err != nil {
			return file, nil, fmt.Errorf("opsbot: -team %s: %s: %w", path, what, err)
		}
	}
	if len(file.Rules) > 0 {
		if rules, err = handler.ParseRules(file.Rules); err != nil {
			return file, nil, fmt.Errorf("opsbot: -team %s: rules: %w", path, err)
		}
	}
	return file, rules, nil
}

// newTeam makes the guard and what it asks. auditKey signs the audit log; factorKeys seal second factors, empty: there are none.
func newTeam(file teamFile, rules starling.Rules, state *brain.Brain, auditKey, factorKeys string) (*team, error) {
	t := &team{file: file, rules: rules, state: state, level: &slog.LevelVar{}}
	t.level.Set(slog.LevelWarn)
	if auditKey == "" {
		return nil, fmt.Errorf("opsbot: %s is not set: it signs the audit log. Make one with openssl rand -base64 32, keep it, and set it at every start", auditKeyVar)
	}
	for id, rule := range rules {
		if rule.Elevate > 0 && factorKeys == "" {
			return nil, fmt.Errorf("opsbot: the rule %s asks for a second factor, and %s is not set. Make keys such as k1:$(openssl rand -base64 32), keep them, and set them at every start", id, factorKeyVar)
		}
	}
	var err error
	if t.log, err = audit.New(audit.Config{Brain: state.Namespace("audit"), Key: handler.NewSecret(auditKey)}); err != nil {
		return nil, fmt.Errorf("opsbot: %s signs the audit log: %w", auditKeyVar, err)
	}
	admins := handler.Policy{Roles: []string{roles.Admin}}
	t.links, err = identity.New(identity.Config{
		Brain: state.Namespace("identity"), Audit: t.auditLink, Changed: func(keys ...string) { t.people.Purge(keys...) },
		MayUnlink: func(_ context.Context, u adapter.User) (bool, error) { return t.people.IsAdmin(u), nil },
	})
	if err != nil {
		return nil, err
	}
	t.people, err = roles.New(roles.Config{Brain: state.Namespace("roles"), Admins: file.Admins, People: t.links, Audit: t.auditRole, Policy: admins})
	if err != nil {
		return nil, err
	}
	if t.off, err = admin.NewSwitch(admin.SwitchConfig{Brain: state.Namespace("admin")}); err != nil {
		return nil, err
	}
	cfg := guard.Config{
		Obstacles: []guard.Obstacle{t.off},
		Roles:     t.people, Brain: state.Namespace("guard"), Audit: t.log, Person: t.links.Person, BreakGlass: file.BreakGlass,
	}
	if factorKeys != "" {
		keys, err := sealed.ParseKeys(factorKeys)
		if err == nil {
			t.factor, err = otp.New(otp.Config{Brain: state.Namespace("otp"), Keys: keys, Issuer: "Starling"})
		}
		if err != nil {
			return nil, fmt.Errorf("opsbot: %s seals second factors: %w", factorKeyVar, err)
		}
		cfg.Factor = t.factor
	}
	if t.guard, err = guard.New(cfg); err != nil {
		return nil, err
	}
	t.people.UseExplainer(t.guard)
	return t, nil
}

// mount adds the commands of who is in charge.
func (t *team) mount(rt *handler.Router) error {
	admins := handler.Policy{Roles: []string{roles.Admin}}
	rt.Mount("guard", t.guard.Routes())
	rt.Mount("roles", t.people.Routes())
	rt.Mount("identity", t.links.Routes())
	log := handler.NewRouter() // groups of their own in help
	audit.Routes(log, t.log, admins)
	rt.Mount("audit", log)
	if t.factor != nil {
		factor := handler.NewRouter()
		otp.Routes(factor, t.factor, admins)
		rt.Mount("factor", factor)
	}
	commands, err := admin.New(admin.Config{
		Bot: admin.Of(func() *starling.Bot { return t.bot }), Switch: t.off, Level: t.level, Backup: t.state, Policy: admins, Audit: t.auditAdmin,
	})
	if err != nil {
		return err
	}
	rt.Mount("admin", commands)
	return nil
}

// prod asks for the consent of somebody else for what goes to prod.
func (t *team) prod(env string) handler.Policy {
	if t == nil || env != "prod" {
		return handler.Policy{}
	}
	return handler.Policy{Approvals: 1, ApprovedBy: t.file.ProdBy}
}

func (t *team) auditRole(ctx context.Context, c roles.Change) error {
	return t.log.Append(ctx, audit.Record{
		Phase: audit.PhaseRole, Correlation: c.Correlation, Who: audit.PersonOf(c.By), Room: c.Room,
		Command: fmt.Sprintf("role %s %s %s", c.Action, c.Role, c.User.Key()), Decision: "allowed",
	})
}

func (t *team) auditLink(ctx context.Context, c identity.Change) error {
	return t.log.Append(ctx, audit.Record{
		Phase: audit.PhaseLink, Correlation: c.Correlation, Who: audit.PersonOf(c.By), Room: c.Room,
		Command: fmt.Sprintf("link %s %s", c.Action, strings.Join(c.Accounts, " ")), Decision: "allowed",
	})
}

func (t *team) auditAdmin(ctx context.Context, a admin.Action) error {
	return t.log.Append(ctx, audit.Record{
		Phase: audit.PhaseAdmin, Correlation: a.Correlation, Who: audit.PersonOf(a.By), Room: a.Room,
		Command: strings.TrimSpace(a.Command + " " + a.Args), Decision: "allowed",
	})
}

// begin verifies the audit log: that it was signed with another key is an error now, and not one of the first command.
func (t *team) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	report, err := t.log.Verify(ctx, audit.Check{})
	if errors.Is(err, context.DeadlineExceeded) { // a long log: who wants to know says audit verify
		return nil
	}
	if err != nil {
		return fmt.Errorf("opsbot: read the audit log: %w", err)
	}
	if !report.OK() {
		return fmt.Errorf("opsbot: the audit log of this brain does not verify: %s is not the key that it was signed with, or it was changed (%s: %s). Set the right key, or give the bot another -brain",
			auditKeyVar, report.Findings[0].Key, report.Findings[0].Problem)
	}
	return nil
}

// reload puts the rules of the file in force whenever the program gets SIGHUP, until ctx ends. A bad file keeps the old ones.
func (t *team) reload(ctx context.Context, path string, log *slog.Logger) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		file, rules, err := readTeam(path)
		if err == nil {
			err = t.bot.SetPolicies(rules)
		}
		if err != nil {
			log.Error("the rules of the file are not in force; those before stay", "error", err)
			continue
		}
		log.Warn("the rules of the file are in force", "rules", len(rules))
		if !slices.Equal(file.Admins, t.file.Admins) || file.ProdBy != t.file.ProdBy || file.BreakGlass != t.file.BreakGlass {
			log.Warn("admins, prod_by and break_glass have changed in the file: they count from the next start")
		}
	}
}

// close writes what the audit log still holds.
func (t *team) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return t.log.Close(ctx)
}
