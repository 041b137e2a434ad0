package brain

import (
	"strings"
)

// corePrefix is the part of the store that the core keeps to itself.
const corePrefix = "_/"

// maxNamespace bounds a namespace in bytes, so that keys keep room behind it.
const maxNamespace = 256

// Brain is a [Store] seen through a namespace. The typed functions of this
// package ([Get], [Set], [Update], ...) take one. A Brain is immutable, holds
// nothing to close, and may be used concurrently; the Store stays with whoever
// opened it.
type Brain struct {
	store  Store
	prefix string
}

// New returns the root Brain of a store. Its keys have no prefix, so it sees
// the keys of all its namespaces; keys under "_/" belong to the core and are
// refused. It panics when store is nil.
func New(store Store) *Brain {
	if store == nil {
		panic("brain: New: store is nil; use memory.New() or bolt.Open")
	}
	return &Brain{store: store}
}

// Namespace returns a Brain whose keys all lie under name, within the
// namespace of b. The name is one segment whatever it contains: it is escaped as
// in [Key], and the name "_" too, so no name leads into the core's keys.
func (b *Brain) Namespace(name string) *Brain {
	segment := Key(name)
	if segment == "_" {
		segment = "%5F"
	}
	bare := fold(b.prefix+segment, maxNamespace)
	return &Brain{store: b.store, prefix: bare + "/"}
}

// Store returns the root store, without the namespace: for writes of several
// keys in one Apply, with full keys from [Brain.Key].
func (b *Brain) Store() Store { return b.store }

// Key returns the full store key of a key in this namespace. A full key that
// would be longer than 512 bytes keeps the namespace and has its tail hashed, so
// every valid key is valid in every namespace. It does not judge the key:
// [Brain.CheckKey] does.
func (b *Brain) Key(key string) string {
	if b.prefix == "" {
		return key
	}
	return fold(b.prefix+key, MaxKey)
}

// CheckKey returns nil when users of this Brain may use key: it is valid (see
// the function CheckKey) and does not begin with "_/", in no namespace. Otherwise
// the error wraps [ErrInvalidKey].
func (b *Brain) CheckKey(key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	return notCore(key)
}

func notCore(key string) error {
	if strings.HasPrefix(key, corePrefix) {
		return &KeyError{Key: shorten(key), Reason: "keys under _/ belong to the core; choose another first segment", Err: ErrInvalidKey}
	}
	return nil
}
