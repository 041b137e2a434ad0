// Package brain keeps what a bot must remember: a small contract for
// key-value stores ([Store]), and [Brain], the typed view of one that handlers
// use.
//
// # Layers
//
// A [Store] has one read, one list and one write. The write, Apply, takes up to
// [MaxOps] operations with preconditions and does all of them or none. The
// stores are in the folders below: brain/memory for tests and for bots that may
// forget, brain/bolt for one process and one file.
//
// A [Brain] is a Store with a namespace. [Get], [Set], [Update] and [All] read
// and write Go values in it as JSON. [Brain.Acquire] takes a [Lease], whose
// revision is a fencing token. [Brain.Export] and [Brain.Import] move what is
// remembered from one store to another.
//
// # Keys
//
// Build keys of foreign parts (user names, room ids) with [Key], which escapes
// what a key cannot carry. Keys that begin with "_/" belong to the core: the
// typed functions refuse them with [ErrInvalidKey].
//
// # Errors
//
// An error from a write is either certain (nothing was written, see [Certain])
// or it means that nobody knows: the connection or the context ended before the
// answer came. Nothing in this package turns the second kind into the first.
package brain
