// Package bolt is a brain.Store in one file, on go.etcd.io/bbolt: the durable
// default for a bot that runs as one process.
//
// # Setup
//
//	store, err := bolt.Open(bolt.Config{Path: "starling.db"})
//
// The folder must exist; the file is made at the first Open, complete or not at
// all. One process at a time holds the file: a second one gets ErrInUse. A file
// that is not a store of this package, was cut short, or was written by a newer
// version is refused with ErrFile and not touched. The file never shrinks; space
// of deleted keys is used again.
//
// # Atomicity
//
// Every Apply is part of one bbolt transaction. A committer goroutine takes the
// Apply that is waiting and all that have queued up behind it, up to 512, judges
// the conditions of each in order, and commits those that hold with one sync: a
// conflict concerns only its own Apply. An Apply alone waits for nobody. Reads
// use snapshots and wait for a writer only while the file grows; List reads 512
// keys at a time, so a slow consumer does not keep old pages from being used
// again.
//
// When a commit fails (disk full, say), all of its Applies get the error. It
// is an unknown outcome by the contract, though a full disk usually means that
// nothing was written. After a failed sync (EIO) or a panic of bbolt over a
// damaged page the store takes no more writes until it is opened again: the
// kernel may have dropped what it could not write.
//
// # Durability
//
// Apply returns after fdatasync, so what it acknowledged survives the death of
// the process and the loss of power, as far as the disk honours the sync. A
// reader may see a write some microseconds before its sync is finished.
//
// Time to live is kept as wall-clock time in the file and compared on every
// read; it goes on while the process is down, and a clock that is set back
// lengthens it. A sweeper removes expired keys from the file every ten seconds,
// 512 in one transaction.
//
// Open looks at the pages that lead to the others and at the list of free ones, so
// that no damage there has bbolt go round in a circle or write over what is in use.
// Values and keys have no checksum of bbolt's: damage within them is found only if
// it gives a record that cannot be. brain/sealed authenticates values.
//
// A copy of the file taken while the bot runs may be torn. Use Brain.Export, or
// copy it while the bot is stopped.
package bolt
