package identity

import (
	"context"
	"errors"
	"strings"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// Routes makes the router.
func (id *Identity) Routes() *handler.Router {
	rt := handler.NewRouter()
	link := rt.Add(handler.Command[linkArgs]{
		Name: "link", Summary: "Say that another account is yours too; in private.", Policy: id.cfg.Policy, Run: id.link, Leaked: id.link, OnCrash: handler.OnCrashRerun,
		Description: "Say `link` to me in private. I show you a code; send it in private from your other account, as `link CODE`. Then I ask " +
			"both accounts whether that is right.",
	})
	link.Volatile = true // so that neither the code nor the message that shows it is stored
	rt.Add(handler.Command[answerArgs]{
		Name: "link yes", Summary: "Agree that the account that sent your code is yours.", Policy: id.cfg.Policy, Run: id.yes, OnCrash: handler.OnCrashRerun,
	})
	rt.Add(handler.Command[answerArgs]{
		Name: "link no", Summary: "Do not agree.", Policy: id.cfg.Policy, Run: id.no, OnCrash: handler.OnCrashRerun,
	})
	rt.Add(handler.Command[linksArgs]{
		Name: "links", Summary: "List the accounts that are linked with yours.", Policy: id.cfg.Policy, Run: id.links, OnCrash: handler.OnCrashRerun,
	})
	rt.Add(handler.Command[unlinkArgs]{
		Name: "unlink", Summary: "Take an account out of those that are yours.", Examples: []string{"unlink slack/T024BE7LD/U123"},
		Policy: id.cfg.Policy, Run: id.unlinkCommand, OnCrash: handler.OnCrashRerun,
	})
	return rt
}

type linkArgs struct {
	Code handler.Secret `arg:"code" optional:"" help:"what the other account was shown"`
}

type answerArgs struct {
	Request string `arg:"request" text:"" help:"which request, as I asked it"`
}

type linksArgs struct {
	Key string `arg:"key" optional:"" text:"" help:"the key of another account, for those who may"`
}

type unlinkArgs struct {
	Key string `arg:"key" text:"" help:"the key of the account, as links shows it"`
}

// asker gives the account that asks.
func asker(r *handler.Request) (linked, error) {
	u := r.Event.User
	l := linked{User: adapter.User{Adapter: u.Adapter, Tenant: u.Tenant, ID: u.ID, Name: u.Name, Kind: u.Kind}, At: r.Event.Address()}
	switch {
	case l.key() == "" || len(l.key()) > maxKey:
		return l, handler.UserErrorf("The platform does not say who you are, so there is nothing to link.")
	case u.Kind == adapter.KindBot || u.Kind == adapter.KindDeactivated:
		return l, handler.UserErrorf("Only accounts of people are linked.")
	}
	return l, nil
}

func private(r *handler.Request) bool { return r.Event.Room.Kind == adapter.RoomDirect }

func change(r *handler.Request) Change {
	return Change{By: r.Event.User, Room: r.Event.Address(), Correlation: r.CorrelationID()}
}

// link shows a code, or takes one.
func (id *Identity) link(ctx context.Context, r *handler.Request, a linkArgs) error {
	me, err := asker(r)
	if err != nil {
		return err
	}
	code := a.Code.Reveal()
	switch {
	case !private(r) && code == "":
		return handler.UserErrorf("In private only: say link to me in a direct message.")
	case !private(r):
		if err := id.burn(ctx, code, me.key()); err != nil {
			return say(err)
		}
		return handler.UserErrorf("In private only. If that was a code, others have seen it, and it is dead: say link in private for a new one.")
	case code == "":
		code, err := id.offer(ctx, me, change(r))
		if err != nil {
			return say(err)
		}
		return r.Reply(ctx, "Send this to me in private from your other account, within 5 minutes:\n\n`link %s`\n\n"+
			"Then I ask both accounts whether that is right. Give the code to nobody: I never ask for it here.", shown(code))
	}
	pick, o, err := id.claim(ctx, code, me, change(r))
	if err != nil {
		return say(err)
	}
	r.Log().Info("an account was asked for a link", "account", o.First.key(), "by", me.key())
	if _, err := r.Send(ctx, question(o.First.At, me, "has sent your code", pick, o)); err != nil {
		r.Log().Error("the first account of a link could not be asked", "account", o.First.key(), "error", err)
		return &handler.UserError{Text: "The other account cannot be asked at the moment. Begin again with `link`.", Err: err}
	}
	_, err = r.Send(ctx, question(r.Event.Address(), o.First, "was shown that code", pick, o))
	return err
}

// question asks one of the two accounts of an offer whether the other one is theirs, too. Both are asked: each gets what the other
// may do, and whoever talks somebody into sending a code, or into saying what theirs is, has only one of the two.
func question(to adapter.Address, other linked, has, pick string, o offer) *adapter.Message {
	return &adapter.Message{
		To: to,
		Text: adapter.Format("**%s** (`%s`) %s. If both accounts agree, these are one person, and what one may do all may do:\n%s\n\n"+
			"Is that account yours? Say `link yes %s` or `link no %s`, within 5 minutes. If anybody asked you to do this, say no.",
			other.User.String(), other.key(), has, adapter.Markup(listed(o.Persons)), pick, pick),
		Buttons: []adapter.Button{
			{Label: "Yes, it is mine", Command: "link yes " + pick}, {Label: "No", Command: "link no " + pick, Style: adapter.ButtonDanger},
		},
	}
}

// listed shows keys one below the other.
func listed(accounts []string) string {
	var b strings.Builder
	for _, key := range accounts {
		b.WriteString(adapter.Format("\n- `%s`", key))
	}
	return b.String()
}

func (id *Identity) yes(ctx context.Context, r *handler.Request, a answerArgs) error {
	me, err := asker(r)
	if err != nil {
		return err
	}
	if !private(r) {
		return handler.UserErrorf("In private only.")
	}
	all, err := id.agree(ctx, strings.ToUpper(a.Request), me.key(), change(r), r.Delivery)
	if err != nil {
		return say(err)
	}
	if all == nil {
		return r.Reply(ctx, "Noted. They are one person when the other account has agreed, too; I have asked it the same.")
	}
	r.Log().Info("accounts were linked", "accounts", strings.Join(keys(all), " "))
	text := adapter.Format("These accounts are one person now:\n%s\n\nIf one of them is not yours, say `unlink` and its key.", adapter.Markup(listed(keys(all))))
	id.tell(ctx, r, all, me.key(), text)
	return r.Reply(ctx, "%s", adapter.Markup(text))
}

// tell says something to all accounts but one. That an account cannot be reached undoes nothing; the log tells.
func (id *Identity) tell(ctx context.Context, r *handler.Request, accounts []linked, but, text string) {
	for _, a := range accounts {
		if a.key() == but {
			continue
		}
		if _, err := r.Send(ctx, &adapter.Message{To: a.At, Text: text}); err != nil {
			r.Log().Warn("a linked account could not be told", "account", a.key(), "error", err)
		}
	}
}

func (id *Identity) no(ctx context.Context, r *handler.Request, a answerArgs) error {
	me, err := asker(r)
	if err != nil {
		return err
	}
	if !private(r) {
		return handler.UserErrorf("In private only.")
	}
	o, err := id.decline(ctx, strings.ToUpper(a.Request), me.key(), change(r))
	if err != nil {
		return say(err)
	}
	r.Log().Info("a link was refused", "accounts", o.First.key()+" "+o.Second.key())
	text := adapter.Format("`%s` and `%s` are not linked: one of them said no.", o.First.key(), o.Second.key())
	id.tell(ctx, r, []linked{o.First, *o.Second}, me.key(), text)
	return r.Reply(ctx, "%s", adapter.Markup(text))
}

// may tells whether who asks may see and change the links of others.
func (id *Identity) may(ctx context.Context, r *handler.Request) (bool, error) {
	if id.cfg.MayUnlink == nil {
		return false, nil
	}
	return id.cfg.MayUnlink(ctx, r.Event.User)
}

func (id *Identity) links(ctx context.Context, r *handler.Request, a linksArgs) error {
	me, err := asker(r)
	if err != nil {
		return err
	}
	key := a.Key
	if key == "" {
		key = me.key()
	}
	g, err := id.group(ctx, key)
	if err != nil {
		return err
	}
	if key != me.key() && !g.has(me.key()) {
		ok, err := id.may(ctx, r)
		if err != nil {
			return err
		}
		if !ok {
			return handler.UserErrorf("You may see your own links: say links.")
		}
	}
	if len(g.Accounts) == 0 {
		return r.Whisper(ctx, "`%s` is linked with no other account.", key)
	}
	var b strings.Builder
	for _, l := range g.Accounts {
		b.WriteString(adapter.Format("\n- %s (`%s`), since %s", l.User.String(), l.key(), l.Since))
	}
	return r.Whisper(ctx, "These accounts are one person:\n%s", adapter.Markup(b.String()))
}

func (id *Identity) unlinkCommand(ctx context.Context, r *handler.Request, a unlinkArgs) error {
	me, err := asker(r)
	if err != nil {
		return err
	}
	mine, err := id.group(ctx, me.key())
	if err != nil {
		return err
	}
	if a.Key != me.key() && !mine.has(a.Key) {
		ok, err := id.may(ctx, r)
		if err != nil {
			return err
		}
		again, err := id.was(ctx, r.Delivery)
		if err != nil {
			return err
		}
		if !ok && !again {
			return handler.UserErrorf("`%s` is not linked with your account. Say links for those that are.", a.Key)
		}
	}
	before, err := id.unlink(ctx, a.Key, change(r), r.Delivery)
	if err != nil {
		return say(err)
	}
	r.Log().Info("an account was unlinked", "account", a.Key)
	text := adapter.Format("`%s` is no longer linked with the others:\n%s", a.Key, adapter.Markup(listed(keys(without(before, a.Key)))))
	id.tell(ctx, r, before, me.key(), text)
	return r.Whisper(ctx, "%s", adapter.Markup(text))
}

func without(accounts []linked, key string) []linked {
	var out []linked
	for _, a := range accounts {
		if a.key() != key {
			out = append(out, a)
		}
	}
	return out
}

// say shows what is wrong in a sentence; another error stays what it is.
func say(err error) error {
	var unaudited *auditError
	text := ""
	switch {
	case errors.As(err, &unaudited):
		text = "Nothing was changed, because it could not be audited."
	case errors.Is(err, errCode):
		text = "That code does not work. A code is good for 5 minutes and for one use: say link on the other account for a new one."
	case errors.Is(err, errTries):
		text = "That was too often. Try again in 15 minutes."
	case errors.Is(err, errSelf):
		text = "That is your own code: send it from your other account."
	case errors.Is(err, errSame):
		text = "The two accounts are linked already."
	case errors.Is(err, errFull):
		text = "A person has at most 8 accounts here: unlink one first."
	case errors.Is(err, errOver):
		text = "There is nothing to agree to: it is over, or it is not yours. Begin again with link."
	case errors.Is(err, errApart):
		text = "Too many links of one of the accounts were taken back lately. Try again in some days."
	case errors.Is(err, errChanged):
		text = "The links of one of the accounts have changed since I asked. Begin again with link."
	case errors.Is(err, ErrNotLinked):
		text = "That account is linked with no other."
	default:
		return err
	}
	return &handler.UserError{Text: text, Err: err}
}
