package roles

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// mistake is something wrong with what was typed or configured, which the person who did can be told as it is.
type mistake struct{ text string }

func mistakef(format string, args ...any) error { return &mistake{fmt.Sprintf(format, args...)} }

func (m *mistake) Error() string { return "roles: " + m.text }

// Admin is the role of those in [Config.Admins], and of nobody else.
const Admin = "admin"

// reserved tells whether a role is nothing that can be granted: who is admin stands in the configuration, and who is a member
// is what the platform says (handler.MemberRole).
func reserved(name string) bool { return name == Admin || name == handler.MemberRole }

// Name gives the one form of a role's name, that of handler.RoleName: without spaces around it and in lower case.
func Name(s string) (string, error) {
	name, err := handler.RoleName(s)
	if err != nil {
		return "", mistakef("%s", err.Error())
	}
	return name, nil
}

// ParseKey gives the account of a key as adapter.User.Key makes it: adapter/tenant/id, where the tenant may be empty. What
// is no key is refused, names above all: who can take any name must not be able to take a role with it.
func ParseKey(key string) (adapter.User, error) {
	parts := strings.Split(key, "/")
	if len(parts) != 3 {
		return adapter.User{}, mistakef("%q is a name, and anybody can take any name: write the key adapter/tenant/id, "+
			"which that person is told by saying \"whoami\" to the bot", key)
	}
	u := adapter.User{Adapter: unescape.Replace(parts[0]), Tenant: unescape.Replace(parts[1]), ID: unescape.Replace(parts[2])}
	if u.Adapter == "" || u.Key() != key {
		return adapter.User{}, mistakef("%q is not the key of an account: it is adapter/tenant/id, as \"whoami\" shows it", key)
	}
	return u, nil
}

// unescape reverses what adapter.User.Key does to the parts of a key.
var unescape = strings.NewReplacer("%2F", "/", "%25", "%")

// unreserved says why a role cannot be granted.
func unreserved(name string) error {
	if name == Admin {
		return ErrAdmin
	}
	return ErrMember
}

// names normalises a list of names from the configuration. All mistakes are joined.
func names(field string, list []string) ([]string, error) {
	var out []string
	var errs []error
	for _, s := range list {
		name, err := Name(s)
		if err == nil && reserved(name) {
			err = unreserved(name)
		}
		if err != nil {
			errs = append(errs, inField(field, err))
			continue
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out), errors.Join(errs...)
}

// inField says in which field of the configuration a mistake is.
func inField(field string, err error) error {
	return fmt.Errorf("roles: Config.%s: %s", field, strings.TrimPrefix(err.Error(), "roles: "))
}
