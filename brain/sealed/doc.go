// Package sealed encrypts the values of a brain.Store at rest: who gets hold of the database, a disk or a backup reads
// names of keys and nothing else.
//
//	keys, err := sealed.ParseKeys(os.Getenv("BRAIN_KEYS")) // "2026b:BASE64 2026a:BASE64": the first writes, all read
//	store, err := sealed.New(sealed.Config{Store: db, Keys: keys})
//	state := brain.New(store)
//
// # Setup
//
// A key is 32 random bytes with a name of its own, its id: [NewKeyText] makes one, and so does
//
//	printf '2026a:%s\n' "$(openssl rand -base64 32)"
//
// Keep keys where the database and its backups are not. Without its key a value is lost.
//
// A store that holds plain values already is refused when it is read, unless Config.AllowPlain says that it is being moved:
// set it, call [Store.Rotate] once with Core set while the bot is stopped, and take it away again. While it is set, whoever
// can write to the database can put a plain value in the place of a sealed one.
//
// # What is protected
//
// Values are sealed with AES-256-GCM of the standard library. The full brain key is additional data: a value that was
// copied to another key does not open, nor does one that was changed or cut. Who can write to the database can still
// delete values and put an older value of the same key back; the audit log finds that in itself, other data have no such
// protection. Not hidden are the keys' names, the number of values, their lengths, when they were written and for how long
// they live. Brain.Export reads through this package, so an export is plain text.
//
// # Nonces, and when to rotate
//
// Every write draws a random nonce of 96 bits. Two writes with the same nonce under one key would break both, and the
// birthday bound says how likely that is: about n²/2^97 for n writes, 2^-33 for 2^32 writes, which is the most that NIST
// SP 800-38D, section 8.3, allows a key. 100 writes a second reach it after 16 months. So make a new key every year, or
// every 4 billion writes if that is sooner.
//
// To rotate, put the new key in front and restart (all replicas: those that do not know the new key cannot read what it
// wrote, so first add it behind the old one everywhere, then move it to the front). Then call [Store.Rotate], and take the
// old key away when [Store.Count] says that nothing is under it any more.
//
// # Atomicity
//
// That of the store below; sealing changes no condition, revision or TTL. A sealed value is longer than a plain one by
// [Keys.Overhead], 48 bytes at most, and must still keep to the limits of the store, so the largest value here is smaller by
// that, and so is the largest Apply, for each of its values. More is brain.ErrTooLarge before any I/O.
//
// # Durability
//
// That of the store below.
package sealed
