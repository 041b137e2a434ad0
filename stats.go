package starling

import "sync/atomic"

// Stats counts what became of events since the bot was made. Every event that an adapter offered is counted once more in
// one of Ignored, Shed, Late, Duplicate, Rejected, Failing and Accepted.
type Stats struct {
	Offered   uint64 // by adapters
	Ignored   uint64 // own, other bots', dropped by Rewrite, or nothing matched
	Shed      uint64 // over the limits
	Late      uint64 // too old, and no route runs late
	Duplicate uint64 // delivered again
	Rejected  uint64 // can never be taken
	Failing   uint64 // could not be stored; the adapter keeps it
	Accepted  uint64

	Handled   uint64 // begun, stored events of earlier processes included
	Completed uint64 // ended and out of the store
	Failed    uint64 // handlers that failed
	Cut       uint64 // handlers that were cut off
	Dead      uint64 // put aside
	Waiting   int    // in memory
}

type stats struct {
	offered, ignored, shed, late, duplicate, rejected, failing, accepted, handled, completed, failed, cut, dead atomic.Uint64
}

// Stats gives the counts of now. It may be called at any time.
func (b *Bot) Stats() Stats {
	s := &b.stats
	return Stats{
		Offered: s.offered.Load(), Ignored: s.ignored.Load(), Shed: s.shed.Load(), Late: s.late.Load(), Duplicate: s.duplicate.Load(),
		Rejected: s.rejected.Load(), Failing: s.failing.Load(), Accepted: s.accepted.Load(),
		Handled: s.handled.Load(), Completed: s.completed.Load(), Failed: s.failed.Load(), Cut: s.cut.Load(), Dead: s.dead.Load(),
		Waiting: b.mailboxes.left(),
	}
}
