package adapter

import "cmp"

// Address names a conversation: a room of an adapter and, where not empty, a thread in it. It is the unit of order: the
// events of one address begin one after the other.
type Address struct {
	Adapter string `json:"adapter"`
	Room    string `json:"room"`
	Thread  string `json:"thread,omitempty"`
}

// String gives adapter/room or adapter/room/thread, for logs; it is not an identity (ids may hold a slash).
func (a Address) String() string {
	s := a.Adapter + "/" + a.Room
	if a.Thread != "" {
		s += "/" + a.Thread
	}
	return s
}

// Compare orders addresses by adapter, room and thread.
func (a Address) Compare(b Address) int {
	return cmp.Or(cmp.Compare(a.Adapter, b.Adapter), cmp.Compare(a.Room, b.Room), cmp.Compare(a.Thread, b.Thread))
}

// Ref names one message of a platform. It is comparable and survives JSON, so it can be a map key and be stored; the zero
// Ref names none.
type Ref struct {
	Address
	ID string `json:"id"`
}

// IsZero tells whether r names no message.
func (r Ref) IsZero() bool { return r == Ref{} }
