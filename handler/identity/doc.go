// Package identity links the accounts of one person on several platforms, and is a ready-made router for that:
//
//	link             in private: shows a code
//	link CODE        in private, from the other account: asks both whether that is right
//	link yes ID      in private, from both accounts: with the second yes they are one person
//	link no ID       they are not; from either
//	links            which accounts are linked with yours
//	unlink KEY       takes one of them out again
//
// Make it with [New], give it to handler/roles (Config.People) and to the guard, and mount its routes:
// rt.Mount("identity", people.Routes()).
//
// # What a link means
//
// The accounts are one person: what was granted to one is granted to all, and their consent counts once. [Identity.Person] gives
// the accounts of a person. Who counts persons keeps the keys of the accounts and asks Person when it counts, since links come
// and go.
//
// An account that was taken out has no rights of the others from that moment on. Where persons are counted it is not somebody else
// for 15 days: who asks for something, takes back a link and agrees from the other account would be two persons by that. It has to
// be in this order: accounts that were never linked are two persons, and nobody can know better.
//
// # Why nobody can link themselves to somebody else
//
// A code is random (80 bits), works for 5 minutes, once, and is stored as a hash. An account has 5 tries in 15 minutes and
// makes 5 codes in that time; after 5 wrong tries at one code it is dead. What is wrong with a code is not told: there is one
// answer to all that do not work. A code that was shown to a room is dead as well.
//
// A code alone links nothing. Both accounts are asked, with the names and keys of all accounts that would be one person, and both
// must agree: each of the two gets what the other one may do, so who talks somebody into sending a code, or into telling theirs,
// still wants a yes that names the other account. What was shown is what is linked: if one of the two gets another link
// meanwhile, it begins anew. All accounts of the person are told of a new link, so that who lost one account to somebody else
// sees it on the others.
//
// # How links are kept
//
// One key for each linked account, account/KEY, with all accounts of the person; a link is one Apply over all of them. A
// person has at most 8 accounts. account/KEY is read for every answer: one that is made in one process is true in all of them.
// apart/KEY are the accounts that one was taken away from in the last 15 days, at most 64: who is taken out of more is refused the
// next link.
package identity
