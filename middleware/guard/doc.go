// Package guard enforces policies: who may run a route, where, with which second factor and with whose consent.
//
//	g, err := guard.New(guard.Config{Roles: people, Brain: state.Namespace("guard"), Factor: factor, Audit: log})
//	rt := handler.NewRouter()
//	rt.Use(middleware.Recover(), g.Enforce) // limits and switches come after it
//	rt.Mount("guard", g.Routes()) // approve, deny, cancel, pending, override, code
//	rt.Add(handler.Command[deploy]{Policy: handler.Policy{Roles: []string{"deployer"}}, ...})
//
// Without a policy a route runs as if there were no guard. starling.New refuses a bot that has a policy on a route without
// Enforce around it, and the route refuses to run all the same: the innermost link of its chain wants a word that only the
// guard can give.
//
// # The order
//
// Identity; role and place, for the route's policy and the operator's rules; the arguments are bound; role and place again,
// with what When says of them; confirmation; second factor; approval; role and place again, read afresh where anything was
// waited for; the audit record; the exclusive target; the handler. Whatever comes (text, a button, a slash command, a form, a
// schedule, a webhook, an answer, what was agreed to) takes this way. Edited messages are another kind of event and run nothing.
//
// # What means no
//
// Everything but an explicit yes: roles that cannot be read, a When that panics or gives what is no policy, an account without
// an id or one that is deactivated, a brain that does not answer, a consent for something else, a route marked Dangerous that
// cannot be audited. The asker is told in a sentence, where they spoke to the bot, and the audit log has the rule.
//
// What was said to the bot and refused is always on record. What it only overheard (Hear and other routes that nobody addressed)
// and may not run is refused each time, and on record once an hour for each person, route and rule, with the number of those in
// between ("and 41 more since ..."): chatter must not be able to fill the log. Each process counts for itself, at most 4,096 of them.
//
// What the guard has let pass and a middleware behind it does not (a limit, an off switch, a broken one) is on record in the same
// way, under the rule "besides policy", and a secret in it is deleted as in what the guard refuses. What stands before the guard keeps
// it from being asked, and is in the log alone: put limits and switches behind it.
//
// # Approvals
//
// A command that needs the consent of others becomes a record in the brain. It holds the canonical arguments and the hash of
// command, arguments, who asked, where, and the policy. What the approvers see is the exact line that runs, with invisible
// characters shown by their code points. So many distinct persons as the policy says agree, by button or by its id, each with
// the role it names, and never who asked; accounts of one person count once (Config.Person). With the last one the record is
// deleted and the event put into the inbox again, in one step: of a thousand clicks one runs it. When it runs, all is judged anew:
// the asker's role, the approvers' roles, and that rules and arguments are still those that were agreed to.
//
// Break-glass (Config.BreakGlass) is for one person alone, who may be the one who asked: what holds it is the role, a reason that is
// on record before anything happens, and the announcement: where it is said, where the command was, and in Config.Room. Where all of
// that is private it is refused. A rule on the route guard/override may ask for a second factor, too.
//
// # Second factors
//
// A command that needs one waits for "code 123456" in private. A code is for one command, and says which it releases; where several
// wait it must name one, and the rest is dropped. Within Policy.Elevate the next commands need no other code.
package guard
