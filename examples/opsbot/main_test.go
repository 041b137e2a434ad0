package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/audit"
	"github.com/starlingbot/starling/internal/totp"
	"github.com/starlingbot/starling/testutil"
)

// TestTranscripts plays the conversations in testdata; STARLING_UPDATE=1 rewrites what the bot says.
func TestTranscripts(t *testing.T) {
	for _, name := range []string{"commands", "demo"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt, err := routes(time.Second, nil)
				require.NoError(t, err)
				testutil.Transcript(t, starling.Config{Router: rt, Brain: brain.New(memory.New())}, "testdata/"+name+".txt")
			})
		})
	}
}

// TestPolicy plays the conversation of a team with roles, approvals, second factor and audit log in testdata/policy.txt.
func TestPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file, rules, err := readTeam("testdata/team.json")
		require.NoError(t, err)
		back := rules["services/rollback"]
		back.Elevate = 10 * time.Minute // needs OPSBOT_FACTOR_KEYS, so that the file leaves it out
		rules["services/rollback"] = back
		store := &trap{Store: memory.New()}
		state := brain.New(store)
		var teams []*team
		fresh := func() *handler.Router { // as a process does that starts
			team, err := newTeam(file, rules, state, "cnrymark audit key of at least 32 characters", "k1:Y25yeW1hcmstc2VhbGVkLWtleS1udW1iZXItb25lLXg=")
			require.NoError(t, err)
			teams = append(teams, team)
			rt, err := routes(time.Second, team)
			require.NoError(t, err)
			return rt
		}
		defer func() {
			for _, team := range teams {
				require.NoError(t, team.close())
			}
		}()
		b := testutil.Start(t, starling.Config{Router: fresh(), Brain: state, Policies: rules,
			Adapters: []adapter.Adapter{testutil.NewChat(testutil.ChatConfig{ID: "transcript"})}})
		b.Patience = time.Minute
		b.Random = map[string]*regexp.Regexp{
			"request": regexp.MustCompile(`req-[a-z0-9]{8}`), "secret": regexp.MustCompile(`\b[A-Z2-7]{32}\b`), "id": regexp.MustCompile(`\bid [a-z2-7]{8}\b`),
			"anchor": regexp.MustCompile(`\d+:[0-9a-f]{64}`), "chain": regexp.MustCompile(`20000101T000000\.000Z-[a-z2-7]{8}`),
		}
		app := func() string { // what bob's phone shows
			posts := b.Chat.Posts("@bob")
			i := slices.IndexFunc(posts, func(p testutil.Post) bool { return strings.HasPrefix(p.Text, "Scan the picture") })
			require.GreaterOrEqual(t, i, 0)
			secret, err := totp.ParseText(b.Random["secret"].FindString(posts[i].Text))
			require.NoError(t, err)
			return totp.At(secret, totp.StepAt(time.Now()))
		}
		kill := func() {
			b.Kill()
			b.Start(func(c *starling.Config) { c.Router = fresh() })
		}
		b.Directions = map[string]func(){
			"kill": kill,
			"dave agrees, and the process is killed before it runs": func() {
				sprung := store.set()
				posts := b.Chat.Posts("#ops")
				b.User("dave").Press(&posts[slices.IndexFunc(posts, func(p testutil.Post) bool { return strings.Contains(p.Text, "asks to run") })], "Approve")
				<-sprung
				kill()
			},
			"debug is not logged":          func() { require.Equal(t, slog.LevelWarn, teams[len(teams)-1].level.Level()) },
			"debug is logged":              func() { require.Equal(t, slog.LevelDebug, teams[len(teams)-1].level.Level()) },
			"bob types what his app shows": func() { b.User("bob").Direct("factor confirm " + app()) },
			"bob says the code of his app": func() { b.User("bob").Direct("code " + app()) },
			"the log has the word of each who agreed or decided": func() {
				words := map[string]int{}
				for rec, err := range teams[len(teams)-1].log.Records(t.Context(), audit.Filter{Route: "deploy"}) {
					require.NoError(t, err)
					words[fmt.Sprintf("%s %s %s", rec.Who.Name, rec.Phase, rec.Decision)]++
				}
				for _, want := range []string{"alice denied denied", "dave approved approved", "dave denied denied", "bob denied canceled", "dave breakglass override", "alice denied no consent", "bob denied no consent"} {
					require.Equal(t, 1, words[want], "%s: %v", want, words)
				}
			},
			"a letter of the audit log is changed": func() { flip(t, store, "deploy api prod") },
		}
		b.Play("testdata/policy.txt")
	})
}

// trap is a store in which the process that lets a request run hangs, when that is stored and nothing else has happened.
type trap struct {
	brain.Store
	mu     sync.Mutex
	sprung chan struct{} // nil: it is not set
}

func (s *trap) set() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sprung = make(chan struct{})
	return s.sprung
}

// Unwrap is for brain.As.
func (s *trap) Unwrap() brain.Store { return s.Store }

func (s *trap) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	revs, err := s.Store.Apply(ctx, ops...)
	s.mu.Lock()
	runs := err == nil && s.sprung != nil && slices.ContainsFunc(ops, func(op brain.Op) bool { return op.Delete && strings.HasPrefix(op.Key, "_/held/") })
	if runs {
		close(s.sprung)
		s.sprung = nil
	}
	s.mu.Unlock()
	if runs {
		<-ctx.Done() // it is killed
		return nil, ctx.Err()
	}
	return revs, err
}

// flip changes what the record of a command in the audit log says.
func flip(t *testing.T, store brain.Store, line string) {
	t.Helper()
	for e, err := range store.List(t.Context(), "audit/") {
		require.NoError(t, err)
		if i := bytes.Index(e.Value, []byte(line)); i >= 0 {
			value := bytes.Clone(e.Value)
			value[i+len("deploy ")] ^= 1
			_, err = store.Apply(t.Context(), brain.Op{Key: e.Key, Value: value, If: brain.At(e.Rev)})
			require.NoError(t, err)
			return
		}
	}
	t.Fatalf("the audit log has no %q", line)
}
