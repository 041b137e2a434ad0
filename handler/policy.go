package handler

import (
	"strconv"
	"strings"
	"time"
)

// Policy says who may run a route, where and with whose consent. The zero Policy asks for nothing. It is data: it can be
// listed, explained and audited. The guard enforces it; a bot that has policies and no guard is refused.
type Policy struct {
	Roles      []string      // any of these
	In         []string      // rooms by id
	Direct     bool          // only in a direct room
	Approvals  int           // how many other people must agree
	ApprovedBy string        // the role that may agree
	Elevate    time.Duration // a second factor, given within this time; 0 = none
	Dangerous  bool          // does not run when it cannot be audited
}

// IsZero tells whether p asks for nothing.
func (p Policy) IsZero() bool {
	return len(p.Roles) == 0 && len(p.In) == 0 && !p.Direct && p.Approvals == 0 && p.ApprovedBy == "" && p.Elevate == 0 && !p.Dangerous
}

// words says a policy in a sentence or two; empty where it asks for nothing.
func (p Policy) words() string {
	var out []string
	if len(p.Roles) > 0 {
		out = append(out, "Needs the role "+strings.Join(p.Roles, " or ")+".")
	}
	if len(p.In) > 0 {
		out = append(out, "Only in "+strings.Join(p.In, ", ")+".")
	}
	if p.Direct {
		out = append(out, "Only in private.")
	}
	if p.Approvals > 0 {
		out = append(out, "Needs the consent of "+strconv.Itoa(p.Approvals)+" more.")
	}
	if p.Elevate > 0 {
		out = append(out, "Needs a second factor.")
	}
	return strings.Join(out, " ")
}

// OnCrash says what becomes of an event whose handler had begun when the process died.
type OnCrash string

// What a route may choose.
const (
	// OnCrashDefault: Rerun; Report for a command that is Background, Exclusive, approved or Dangerous.
	OnCrashDefault OnCrash = ""
	// OnCrashRerun runs the handler again: it has begun at least once.
	OnCrashRerun OnCrash = "rerun"
	// OnCrashReport does not begin it a second time: asker and room are told "interrupted, outcome unknown" with the line
	// to repeat.
	OnCrashReport OnCrash = "report"
)
