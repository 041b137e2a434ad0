package roles

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// maxShown is how many members one answer lists.
const maxShown = 100

// Routes makes the router. The bot that it is mounted on must have the brain of [Config.Brain].
func (ro *Roles) Routes() *handler.Router {
	rt := handler.NewRouter()
	who := rt.Command("whoami", "Show your key, your roles and your linked accounts.", ro.whoami)
	who.Volatile = true
	rt.Add(handler.Command[handler.None]{
		Name: "role list", Summary: "List the roles.", Policy: ro.cfg.ReadPolicy, Run: ro.list, OnCrash: handler.OnCrashRerun,
	})
	rt.Add(handler.Command[roleArgs]{
		Name: "role members", Summary: "List who was given a role.", Examples: []string{"role members deployer"},
		Policy: ro.cfg.ReadPolicy, Run: ro.members, OnCrash: handler.OnCrashRerun,
	})
	rt.Add(handler.Command[grantArgs]{
		Name: "role grant", Summary: "Give somebody a role.", Examples: []string{"role grant deployer to @bob", "role grant deployer --key slack/T024BE7LD/U123"},
		Policy: ro.cfg.Policy, Run: ro.grant, OnCrash: handler.OnCrashRerun, // a change that is made once however often it runs
	})
	rt.Add(handler.Command[revokeArgs]{
		Name: "role revoke", Summary: "Take a role away.", Examples: []string{"role revoke deployer from @bob", "role revoke deployer --key slack/T024BE7LD/U123"},
		Policy: ro.cfg.Policy, Run: ro.revoke, OnCrash: handler.OnCrashRerun,
	})
	rt.Add(handler.Command[whyArgs]{
		Name: "why", Summary: "Explain whether somebody may run a command.", Examples: []string{"why @bob deploy api to prod"},
		Policy: ro.cfg.ReadPolicy, Run: ro.why, OnCrash: handler.OnCrashRerun,
	})
	return rt
}

// roleArgs names a role. It is free text, so that [Name] alone judges it.
type roleArgs struct {
	Role string `arg:"role" text:"" help:"the name of the role"`
}

type grantArgs struct {
	Role string       `arg:"role" text:"" help:"the name of the role"`
	User adapter.User `arg:"user" word:"to" optional:"" help:"whom; mention them"`
	Key  string       `flag:"key" text:"" help:"an account by its key, as whoami shows it, in place of user"`
}

type revokeArgs struct {
	Role string       `arg:"role" text:"" help:"the name of the role"`
	User adapter.User `arg:"user" word:"from" optional:"" help:"whom; mention them"`
	Key  string       `flag:"key" text:"" help:"an account by its key, as whoami shows it, in place of user"`
}

// whoami is for everybody, whatever they may do.
func (ro *Roles) whoami(ctx context.Context, r *handler.Request) error {
	u := r.Event.User
	key := u.Key()
	if key == "" {
		return handler.UserErrorf("The platform does not say who you are, so you have no roles here.")
	}
	all, err := ro.Of(ctx, u)
	if err != nil {
		r.Log().Error("the roles could not be read", "error", err)
	}
	kind := "an account of unknown kind"
	switch u.Kind {
	case adapter.KindMember:
		kind = "a member"
	case adapter.KindGuest:
		kind = "a guest"
	case adapter.KindExternal:
		kind = "from another organisation"
	case adapter.KindBot:
		kind = "a program"
	case adapter.KindDeactivated:
		kind = "deactivated"
	}
	var b strings.Builder
	b.WriteString(adapter.Format("You are %s, %s. Your key is `%s`.", u.String(), kind, key))
	switch {
	case err != nil:
		b.WriteString("\nYour roles cannot be read at the moment, so you are treated as having none.")
	case len(all) == 0:
		b.WriteString("\nYou have no roles.")
	default:
		b.WriteString(adapter.Format("\nRoles: %s.", strings.Join(all, ", ")))
	}
	accounts, err := ro.accounts(ctx, key)
	switch {
	case err != nil:
		r.Log().Error("the linked accounts could not be read", "error", err)
		b.WriteString("\nYour linked accounts cannot be read at the moment.")
	case len(accounts) > 1:
		b.WriteString("\nLinked accounts:")
		for _, other := range accounts {
			if other != key {
				b.WriteString(adapter.Format(" `%s`", other))
			}
		}
	}
	return r.Whisper(ctx, "%s", adapter.Markup(b.String()))
}

// reads refuses who has no role: lists of who may do what are not for guests.
func (ro *Roles) reads(ctx context.Context, r *handler.Request) error {
	all, err := ro.Of(ctx, r.Event.User)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return handler.UserErrorf("That is for people who have a role. Type whoami for yours.")
	}
	return nil
}

func (ro *Roles) list(ctx context.Context, r *handler.Request, _ handler.None) error {
	if err := ro.reads(ctx, r); err != nil {
		return err
	}
	all, err := ro.List(ctx)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, role := range all {
		b.WriteString(adapter.Format("\n- **%s**: %d", role.Name, role.Members))
		switch {
		case role.Name == Admin:
			b.WriteString(", by the configuration")
		case role.Default:
			b.WriteString(" and every member")
		}
	}
	if len(ro.cfg.Sources) > 0 {
		b.WriteString("\n\nDirectory groups give roles too; those are not counted.")
	}
	return r.Reply(ctx, "%s", adapter.Markup(strings.TrimPrefix(b.String(), "\n")))
}

func (ro *Roles) members(ctx context.Context, r *handler.Request, a roleArgs) error {
	if err := ro.reads(ctx, r); err != nil {
		return err
	}
	name, err := Name(a.Role)
	if err != nil {
		return say(err)
	}
	all, err := ro.Members(ctx, name)
	if err != nil {
		return err
	}
	var b strings.Builder
	for i, m := range all {
		if i == maxShown {
			b.WriteString(adapter.Format("\n- and %d more", len(all)-i))
			break
		}
		b.WriteString(adapter.Format("\n- %s (`%s`)", m.User.String(), m.User.Key()))
		switch {
		case name == Admin:
			b.WriteString(", by the configuration")
		case m.By.Key() == "":
			b.WriteString(adapter.Format(", since %s", m.At))
		default:
			b.WriteString(adapter.Format(", since %s, by %s (`%s`)", m.At, m.By.String(), m.By.Key()))
		}
	}
	if b.Len() == 0 {
		return r.Reply(ctx, "Nobody was given the role **%s**.", name)
	}
	return r.Reply(ctx, "%s", adapter.Markup(strings.TrimPrefix(b.String(), "\n")))
}

func (ro *Roles) grant(ctx context.Context, r *handler.Request, a grantArgs) error {
	return ro.command(ctx, r, Granted, a.Role, a.User, a.Key)
}

func (ro *Roles) revoke(ctx context.Context, r *handler.Request, a revokeArgs) error {
	return ro.command(ctx, r, Revoked, a.Role, a.User, a.Key)
}

// command is role grant and role revoke.
func (ro *Roles) command(ctx context.Context, r *handler.Request, action Action, role string, u adapter.User, key string) error {
	if !ro.IsAdmin(r.Event.User) {
		r.Log().Warn("a change of roles was refused: not an admin", "action", string(action))
		return handler.UserErrorf("Only an admin may give and take roles. Admins are named in the bot's configuration.")
	}
	u, err := chosen(u, key)
	if err != nil {
		return say(err)
	}
	if !sameStore(r.Brain.Store(), ro.brain.Store()) {
		return errors.New("roles: the bot keeps its state elsewhere than Config.Brain: give starling.Config and roles.Config one brain")
	}
	r.Brain = ro.brain // where handler.Change makes the change, wherever the router is mounted
	c := Change{Action: action, Role: role, User: u, By: r.Event.User, Room: r.Event.Address(), Correlation: r.CorrelationID()}
	err = ro.change(ctx, c, ro.updateIn(r))
	name, _ := Name(role) // of which change has said what is wrong
	var unaudited *auditError
	switch {
	case errors.Is(err, ErrAlready):
		return handler.UserErrorf("%s (`%s`) has the role **%s** already.", u.String(), u.Key(), name)
	case errors.Is(err, ErrNotMember):
		return handler.UserErrorf("%s (`%s`) was not given the role **%s**.", u.String(), u.Key(), name)
	case errors.As(err, &unaudited):
		return &handler.UserError{Text: "Nothing was changed, because it could not be audited.", Err: err}
	case err != nil:
		return say(err)
	}
	r.Log().Info("a role was changed", "action", string(action), "role", name, "of", u.Key())
	who := any(u.String())
	if u.Adapter == r.Event.Adapter {
		who = u // a mention, so that they know
	}
	if action == Granted {
		return r.Reply(ctx, "%s (`%s`) has the role **%s** now.", who, u.Key(), name)
	}
	return r.Reply(ctx, "%s (`%s`) no longer has the role **%s**, unless by default, by a directory group or by a linked account.", who, u.Key(), name)
}

// say shows the person what is wrong with what they typed; another error stays what it is.
func say(err error) error {
	var m *mistake
	if !errors.As(err, &m) {
		return err
	}
	text := strings.TrimPrefix(err.Error(), "roles: ")
	return &handler.UserError{Text: adapter.Format("%s", strings.ToUpper(text[:1])+text[1:]+"."), Err: err}
}

// chosen gives the account that was named by user or by key.
func chosen(u adapter.User, key string) (adapter.User, error) {
	switch {
	case key != "" && u.Key() != "":
		return u, mistakef("give the user or the key, not both")
	case key != "":
		return ParseKey(key)
	case u.Key() == "":
		return u, mistakef("whose role? Mention the person, or give --key adapter/tenant/id for an account that cannot be mentioned here")
	}
	return u, nil
}

// sameStore tells whether two stores are one below what wraps them.
func sameStore(a, b brain.Store) bool {
	a, b = innermost(a), innermost(b)
	if !reflect.TypeOf(a).Comparable() || !reflect.TypeOf(b).Comparable() {
		return false
	}
	return a == b
}

func innermost(s brain.Store) brain.Store {
	for {
		u, ok := s.(interface{ Unwrap() brain.Store })
		if !ok {
			return s
		}
		inner := u.Unwrap()
		if inner == nil {
			return s
		}
		s = inner
	}
}
