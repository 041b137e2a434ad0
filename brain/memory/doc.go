// Package memory is a brain.Store in the memory of one process: for tests, for
// trying things out, and for bots that may forget at a restart.
//
// # Setup
//
// New needs nothing. The store has no goroutine and no file; Close frees it.
//
// # Atomicity
//
// One lock: every Apply is one step, and Get sees it wholly or not at all.
//
// # Durability
//
// None: everything is gone when the process ends. Time to live is measured with
// the monotonic clock of the process, and with the fake one in a testing/synctest
// bubble if New was called inside. Expired keys are invisible at once; their
// memory is given back by later writes, at most 32 keys at each.
package memory
