// Package roles says who has which role, and is a ready-made router to look at that and to change it:
//
//	whoami                      your key, your roles and your linked accounts; for everybody
//	role list                   the roles and how many have them
//	role members ROLE           who has a role, since when and from whom
//	role grant ROLE @USER       gives a role; for admins
//	role revoke ROLE @USER      takes it away; for admins
//	why @USER COMMAND LINE      whether that person may run that very command, rule by rule, without running it
//
// Make it with [New], give it to the guard, and mount its routes: rt.Mount("roles", people.Routes()).
//
// # Who somebody is
//
// Adapter, tenant and the platform's immutable id, which together are the key of an account (adapter.User.Key). Names and
// addresses are for display alone: anybody can take any. Where [Config] wants a person, a name is refused.
//
// # Where a role comes from
//
// The roles of a request are those that were granted to its account or to a linked one ([Config.People]), those that a
// [Source] gives the account, [Config.Defaults] for members, and "admin" for the accounts in [Config.Admins]. Guests, users
// of other organisations, bots and accounts of unknown kind have no defaults; deactivated accounts have no role at all.
// "admin" comes from the configuration alone: it cannot be granted, a stored or directory role of that name is left out, and
// it does not pass over a link, so that who takes over an account of an admin on another platform is none. "member" is what the
// platform says of an account, which the guard asks itself, and cannot be granted either.
//
// # How roles are kept
//
// One key for each account, member/KEY, holds all roles of the account and who gave them when. A decision that is not
// cached then reads one key whatever the number of roles, and a grant is one conditional write, which is what
// handler.Change can make exactly once. One key for each role and member, the other way, would be a listing for each
// decision. Listing the members of a role reads all accounts that have a role.
//
// Bounds: 256 roles of one account, Config.MaxMembers accounts, Config.CacheSize answers in memory.
//
// # How soon a change is seen
//
// In the process that made it at once, in others when their answer is older than [Config.CacheFor], which is at most 60 s.
// After that time an answer is never used again: a brain or source that does not answer makes [Roles.Of] fail, and who asks
// must take that as no.
package roles
