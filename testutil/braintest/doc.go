// Package braintest is the conformance suite for implementers of brain.Store.
//
//	func TestStore(t *testing.T) {
//		braintest.Run(t, braintest.Harness{
//			Open:     func(dir string) (brain.Store, error) { return bolt.Open(bolt.Config{Path: filepath.Join(dir, "b.db")}) },
//			Features: braintest.Features{Durable: true},
//		})
//	}
//
// Every rule of the contract is a [Case] with a stable name and a sentence that
// is printed when it is broken. Run ends with a table of what ran and what was
// skipped, with the reason: nothing is skipped silently. [Bench] measures a store, and
// package linear beside this one looks whether it is linearizable.
//
// The suite is itself tested: mutant_test.go breaks a good store in one way
// after another, and requires that the case made for it fails.
//
// # Checklist for a new store
//
//   - Call brain.CheckKey, brain.CheckPrefix and brain.CheckOps before any I/O.
//   - Judge conditions with brain.Cond.Holds, round TTLs with brain.WholeSeconds.
//   - Return a sentinel of package brain only when nothing was written.
//   - Claim in Features what the engine does: each claim adds cases.
package braintest
