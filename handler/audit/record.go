package audit

import (
	"fmt"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Phase says at which point of a command's life a record was written.
type Phase string

// The phases that Starling's own parts write. Others may write their own.
const (
	PhaseBefore     Phase = "before"     // a command is about to run: the intent
	PhaseAfter      Phase = "after"      // it has run: the outcome
	PhaseDenied     Phase = "denied"     // it was refused
	PhaseAsked      Phase = "asked"      // it waits for a person: an approval, a second factor, a confirmation
	PhaseApproved   Phase = "approved"   // somebody agreed
	PhaseRole       Phase = "role"       // a role was granted or revoked
	PhaseLink       Phase = "link"       // accounts of one person were linked or unlinked
	PhaseBreakGlass Phase = "breakglass" // approval was passed over, with a reason
	PhaseAdmin      Phase = "admin"      // something was changed about the bot itself
)

// Person is who did something: the key decides, the name is what the platform showed then.
type Person struct {
	Key  string `json:"key"` // adapter.User.Key
	Name string `json:"name,omitempty"`
}

// PersonOf makes a Person of a user.
func PersonOf(u adapter.User) Person { return Person{u.Key(), u.Name} }

// Record is one line of the audit log. The caller fills in what it knows, without secrets: Command and Args hold what
// may be read by whoever may read the log, so secret values must be masked before ([handler.Secret] masks itself where it is
// printed).
type Record struct {
	// Writer, Seq and Time are set by the log: which chain, the place in it from 1 on, when it was appended (UTC).
	Writer string    `json:"writer"`
	Seq    uint64    `json:"seq"`
	Time   time.Time `json:"time"`

	Phase       Phase             `json:"phase"` // required
	Delivery    string            `json:"delivery,omitempty"`
	Correlation string            `json:"correlation,omitempty"` // handler.CorrelationID of the delivery
	Who         Person            `json:"who,omitzero"`
	Room        adapter.Address   `json:"room,omitzero"`
	Route       string            `json:"route,omitempty"`
	Command     string            `json:"command,omitempty"` // the canonical line, secrets masked
	Args        map[string]string `json:"args,omitempty"`    // the typed arguments in canonical form, secrets masked
	Decision    string            `json:"decision,omitempty"`
	Rule        string            `json:"rule,omitempty"` // which rule decided
	Approvers   []Person          `json:"approvers,omitempty"`
	Outcome     string            `json:"outcome,omitempty"`
	Reason      string            `json:"reason,omitempty"` // why an approval was passed over, as it was said; cut as Error is
	Duration    time.Duration     `json:"duration_ns,omitempty"`
	Error       string            `json:"error,omitempty"` // cut at 4 KiB

	// Anchor is the number of the last anchor that the writer knew of, Prev the hash of the record before, "" for the first
	// of a chain, and Hash that of this one. The log sets them.
	Anchor uint64 `json:"anchor"`
	Prev   string `json:"prev"`
	Hash   string `json:"hash,omitempty"`
}

// Event says why an anchor was made.
type Event string

// The events of anchors.
const (
	EventBegin  Event = "begin"  // a process began to write; it comes in one step with its first records
	EventHead   Event = "head"   // a chain has grown
	EventClose  Event = "close"  // its process has ended
	EventRetain Event = "retain" // the chain now begins behind Seq: retention removed what was before
	EventRetire Event = "retire" // retention removed all of the chain
)

// Anchor says how far a chain was at a time. Anchors form one chain over all writers.
type Anchor struct {
	N      uint64    `json:"n"` // from 1 on
	Time   time.Time `json:"time"`
	Event  Event     `json:"event"`
	Writer string    `json:"writer"` // the chain that is anchored
	Seq    uint64    `json:"seq"`    // its last record; with EventRetain the last that was removed
	Chain  string    `json:"chain"`  // the hash of that record
	By     string    `json:"by"`     // the process that made the anchor
	Prev   string    `json:"prev"`
	Hash   string    `json:"hash,omitempty"`
}

// head is the state of a chain, rewritten with each batch of records. Its own hash is a signature: no chain goes over it.
type head struct {
	Writer    string    `json:"writer"`
	First     uint64    `json:"first"`      // the first record that is kept
	FirstPrev string    `json:"first_prev"` // the hash of the one before, "" where First is 1
	Seq       uint64    `json:"seq"`        // the last record
	Last      string    `json:"last"`       // its hash
	Time      time.Time `json:"time"`       // its time
	Anchored  uint64    `json:"anchored"`   // the last record that an anchor names
	Closed    bool      `json:"closed,omitempty"`
	Hash      string    `json:"hash,omitempty"`
}

// list is the state of the list of anchors.
type list struct {
	First     uint64 `json:"first"`
	FirstPrev string `json:"first_prev"`
	N         uint64 `json:"n"`    // the last anchor
	Last      string `json:"last"` // its hash
	Hash      string `json:"hash,omitempty"`
}

// String gives the anchor's number and hash as [Check].Known takes them: "17:0a1b...".
func (a Anchor) String() string { return fmt.Sprintf("%d:%s", a.N, a.Hash) }
