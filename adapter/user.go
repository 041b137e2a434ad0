package adapter

import "strings"

// UserKind tells what kind of account a user is. Only members get default roles.
type UserKind string

// The kinds of user. The zero value is unknown and is treated as a guest.
const (
	KindUnknown     UserKind = ""
	KindMember      UserKind = "member"      // a full member of the workspace, server or team
	KindGuest       UserKind = "guest"       // restricted account
	KindExternal    UserKind = "external"    // of another organisation (Slack Connect and the like)
	KindBot         UserKind = "bot"         // an account that is a program
	KindDeactivated UserKind = "deactivated" // may no longer sign in
)

// User is who did something. Key is the identity; Name and Email are what the platform showed at that moment.
type User struct {
	Adapter string   `json:"adapter,omitempty"`
	Tenant  string   `json:"tenant,omitempty"` // workspace, guild or team that the id belongs to, where ids are not global
	ID      string   `json:"id,omitempty"`     // the platform's immutable id
	Name    string   `json:"name,omitempty"`   // for display alone: anyone can choose it
	Email   string   `json:"email,omitempty"`
	Kind    UserKind `json:"kind,omitempty"`
}

// Key gives adapter/tenant/id, the only identity that a policy, role or admin list may use. Slashes and percent signs
// inside a part are escaped, so that two users never share a key. A user without an id has the empty key, which no policy
// grants anything.
func (u User) Key() string {
	if u.ID == "" {
		return ""
	}
	return escapePart(u.Adapter) + "/" + escapePart(u.Tenant) + "/" + escapePart(u.ID)
}

func escapePart(s string) string {
	if !strings.ContainsAny(s, "/%") {
		return s
	}
	return strings.NewReplacer("%", "%25", "/", "%2F").Replace(s)
}

// String gives the name, or the id where the name is not known.
func (u User) String() string {
	if u.Name != "" {
		return u.Name
	}
	return u.ID
}
