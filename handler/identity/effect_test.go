package identity_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler/identity"
	"github.com/starlingbot/starling/handler/roles"
)

// Each step survives that the bot is stopped or killed after it.
func TestRestartsInBetween(t *testing.T) {
	for _, kill := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := begin(t)
			again := func() {
				w.Idle()
				if kill {
					w.Kill()
				} else {
					w.Stop()
				}
				w.Start(func(c *starling.Config) {
					w.id = made(t, w.store)
					c.Router = router(w.id)
				})
			}
			code := w.code("alice")
			again()
			w.mm.As(t, "ally").Direct("link " + code)
			request := w.request("alice")
			again()
			w.mm.As(t, "ally").Direct("link yes " + request)
			again()
			w.mm.As(t, "mallory").Direct("link " + code)
			require.Equal(t, wrongCode, w.last(w.mm, "mallory").Text, "used is used")
			w.User("alice").Direct("link yes " + request)
			w.Idle()
			again()
			require.Equal(t, "mm//u-ally", w.person("slack//u-alice"))
			w.User("alice").Direct("link yes " + request)
			require.Equal(t, nothing, w.last(w.Chat, "alice").Text)
		})
	}
}

// The process dies between the change and its answer: the change is made once and the answer is that of the change.
func TestKillBeforeTheAnswer(t *testing.T) {
	for _, line := range []string{"link yes %s", "unlink mm//u-ally"} {
		synctest.Test(t, func(t *testing.T) {
			audits := 0
			count := func(c *identity.Config) {
				c.Audit = func(context.Context, identity.Change) error { audits++; return nil }
			}
			w := begin(t, count)
			request := w.offered("alice", w.mm.As(t, "ally"))
			w.mm.As(t, "ally").Direct("link yes " + request)
			w.Idle()
			if line != "link yes %s" {
				w.User("alice").Direct("link yes " + request)
				w.Idle()
			} else {
				line = fmt.Sprintf(line, request)
			}
			audits = 0
			w.Chat.FailSends(func(int, *adapter.Message) error { return adapter.ErrUnavailable })
			w.User("alice").Direct(line)
			synctest.Wait()
			w.Kill()
			w.Chat.FailSends(nil)
			w.Start(func(c *starling.Config) { c.Router = router(made(t, w.store, count)) })
			require.Regexp(t, "are one person now|is no longer linked", w.last(w.Chat, "alice").Text)
			require.Equal(t, 1, audits)
		})
	}
}

func TestWhoUnlinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := errors.New("nobody knows")
		var err error
		w := begin(t, func(c *identity.Config) {
			c.MayUnlink = func(_ context.Context, u adapter.User) (bool, error) { return u.Name == "root", err }
		})
		w.linked("alice", w.mm.As(t, "ally"))

		w.User("bob").Direct("unlink slack//u-alice")
		require.Equal(t, "`slack//u-alice` is not linked with your account. Say links for those that are.", w.last(w.Chat, "bob").Text)
		w.User("bob").Direct("links slack//u-alice")
		require.Equal(t, "You may see your own links: say links.", w.last(w.Chat, "bob").Text)
		w.User("bob").Direct("unlink slack//u-bob")
		require.Equal(t, "That account is linked with no other.", w.last(w.Chat, "bob").Text)
		err = fail
		w.User("root").Direct("unlink slack//u-alice")
		w.Idle()
		require.Equal(t, "mm//u-ally", w.person("slack//u-alice"), "who cannot be judged may not")
		w.User("root").Direct("links slack//u-alice")
		require.NotContains(t, w.last(w.Chat, "root").Text, "mm//u-ally")
		err = nil
		w.User("root").Direct("links slack//u-alice")
		require.Contains(t, w.last(w.Chat, "root").Text, "mm//u-ally")
		w.User("root").Direct("unlink slack//u-alice")
		w.Idle()
		require.Equal(t, "slack//u-alice", w.person("slack//u-alice"))
		require.Contains(t, w.last(w.mm, "ally").Text, "`slack//u-alice` is no longer linked with the others")
	})
}

// What cannot be audited does not happen.
func TestAuditFails(t *testing.T) {
	for _, action := range []identity.Action{identity.CodeMade, identity.CodeSent, identity.Agreed, identity.Linked, identity.Declined, identity.Unlinked} {
		synctest.Test(t, func(t *testing.T) {
			const said = "Nothing was changed, because it could not be audited."
			w := begin(t, func(c *identity.Config) {
				c.Audit = func(_ context.Context, c identity.Change) error {
					if c.Action == action {
						return errors.New("the log is full")
					}
					return nil
				}
			})
			ally := w.mm.As(t, "ally")
			w.User("alice").Direct("link")
			if action == identity.CodeMade {
				require.Equal(t, said, w.last(w.Chat, "alice").Text)
				return
			}
			ally.Direct("link " + codeForm.FindStringSubmatch(w.last(w.Chat, "alice").Text)[1])
			if action == identity.CodeSent {
				require.Equal(t, said, w.last(w.mm, "ally").Text)
				require.Len(t, w.Chat.Posts("@alice"), 1)
				return
			}
			request := w.request("alice")
			if action == identity.Declined {
				ally.Direct("link no " + request)
				require.Equal(t, said, w.last(w.mm, "ally").Text)
			}
			ally.Direct("link yes " + request)
			w.Idle()
			w.User("alice").Direct("link yes " + request)
			w.Idle()
			if action == identity.Agreed {
				require.Equal(t, said, w.last(w.mm, "ally").Text)
			}
			if action == identity.Linked || action == identity.Agreed {
				require.Equal(t, said, w.last(w.Chat, "alice").Text)
				require.Equal(t, "slack//u-alice", w.person("slack//u-alice"))
				return
			}
			require.Equal(t, "mm//u-ally", w.person("slack//u-alice"))
			w.User("alice").Direct("unlink mm//u-ally")
			w.Idle()
			if action == identity.Unlinked {
				require.Equal(t, said, w.last(w.Chat, "alice").Text)
				require.Equal(t, "mm//u-ally", w.person("slack//u-alice"))
			} else {
				require.Equal(t, "slack//u-alice", w.person("slack//u-alice"))
			}
		})
	}
}

var _ roles.People = (*identity.Identity)(nil)

// T1: what was granted to one account counts for another one from the agreed link on, and no longer than the link.
func TestRolesOverALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var people *roles.Roles
		w := begin(t, func(c *identity.Config) { c.Changed = func(keys ...string) { people.Purge(keys...) } })
		var err error
		people, err = roles.New(roles.Config{Brain: brain.New(w.store).Namespace("roles"), People: w.id, Admins: []string{"slack//u-alice"}})
		require.NoError(t, err)
		ally, alice := w.mm.As(t, "ally").User, w.User("alice").User
		ally.Adapter, alice.Adapter = "mm", "slack"
		require.NoError(t, people.Grant(ctx, "deployer", alice, adapter.User{}))
		has := func(want ...string) {
			t.Helper()
			got, err := people.Of(ctx, ally)
			require.NoError(t, err)
			require.ElementsMatch(t, want, got)
		}
		has()
		request := w.offered("alice", w.mm.As(t, "ally"))
		has()
		w.User("alice").Direct("link yes " + request)
		w.Idle()
		has()
		w.mm.As(t, "ally").Direct("link yes " + request)
		w.Idle()
		has("deployer") // and not admin
		w.User("alice").Direct("unlink mm//u-ally")
		w.Idle()
		has()
	})
}
