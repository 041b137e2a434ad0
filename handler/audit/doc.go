// Package audit keeps the audit log: who did what, where, by which rule, and what came of it, in records that cannot be
// changed or removed without being noticed.
//
//	log, err := audit.New(audit.Config{Brain: state.Namespace("audit"), Key: handler.NewSecret(os.Getenv("AUDIT_KEY"))})
//	defer log.Close(context.Background())
//	err = log.Append(ctx, audit.Record{Phase: audit.PhaseBefore, Who: audit.PersonOf(r.Event.User), Route: r.Route.ID, ...})
//	if err != nil {
//		return err // there is no record: a dangerous command must not run
//	}
//
// # Layout
//
// In the namespace of Config.Brain each process (a writer) has a chain of its own, so no key is written by two:
//
//	record/<writer>/<number>  a record: never rewritten; it holds the hash of the one before
//	head/<writer>             where the chain begins and ends, rewritten in one step with each batch of records
//	anchor/<number>           how far a chain was at a time: one list over all writers, each with the hash of the one before
//	anchors                   where that list begins and ends
//
// Everything is signed with HMAC-SHA256 under Config.Key. An anchor is made with a writer's first records, then once a
// minute (Config.AnchorEvery) while it writes, at Close, and by any other process for one that ended without. Appends that
// come together are written together, at most 13 in one Apply.
//
// # What Verify finds
//
// A changed bit anywhere. A record, anchor or head that is missing, moved, exchanged or put there by somebody without
// the key. A cut end: records that are gone from the end of a chain, because its head names them. A head that was put back
// to an older one together with the cut, once an anchor names what is gone, which is after a minute at most. A chain that
// was removed whole, because its first anchor came with its first record. Anchors that were cut off the end of the list and
// the list put back, because records, and in a running process its memory, name them.
//
// # What it cannot find by itself
//
// Whoever can write to the brain can put all of it back to a state that it once had, or delete all of it; what is left is a
// log that was true. A process that is running notices what itself had written. Otherwise only something outside of the
// brain tells: give the log a sink such as [Slog] that keeps anchors elsewhere, and verify with Check.Known. In the minute
// before the next anchor the same is true of one chain: its last records can be cut and its head put back to what it was.
// Who has the key can write what they like, so keep it apart from the brain. And the log shows what the bot wrote, not what
// somebody did past the bot.
//
// # Retention
//
// With Config.Retention records that are older are removed from the beginning of each chain, after the new beginning was
// signed in the head and in an anchor, so that this is no finding; anchors that are older go the same way. A chain that is
// removed whole leaves an anchor that says so.
//
// # Secrets
//
// The log stores what it is given: mask Command and Args before. A [handler.Secret] prints as "[secret]". The log's own key
// is a Secret and appears nowhere.
//
// # Damage
//
// When the list of anchors or the head of the process's chain does not verify, Append fails: dangerous commands do not
// run until somebody has looked. Keep the namespace as evidence and go on in another one.
package audit
