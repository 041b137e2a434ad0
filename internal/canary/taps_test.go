package canary_test

import (
	"context"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/brain/sealed"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/internal/discordfake"
	"github.com/starlingbot/starling/internal/mattermostfake"
	"github.com/starlingbot/starling/internal/slackfake"
	"github.com/starlingbot/starling/testutil"
)

// leakVar makes this binary leak on purpose, into a folder of its own.
const leakVar = "STARLING_CANARY_LEAK"

// TestLeak is no test but what TestTaps runs: each way out tells a secret of its own.
func TestLeak(t *testing.T) {
	if os.Getenv(leakVar) == "" {
		t.Skip("only run as a child of TestTaps")
	}
	ctx := t.Context()
	rt := handler.NewRouter()
	rt.Command("leak", "Tell all.", func(ctx context.Context, r *handler.Request) error {
		r.Log().Debug("so it is " + canary.Secret("in-the-log-of-a-bot"))
		if err := brain.Set(ctx, r.Brain, "key", canary.Secret("in-the-store")); err != nil {
			return err
		}
		if err := r.Reply(ctx, "%s", canary.Secret("in-a-post")); err != nil {
			return err
		}
		_, err := r.Send(ctx, &adapter.Message{To: r.Event.Address(), Text: "a file", Files: []adapter.File{adapter.NewFile("a.txt", "text/plain", []byte(canary.Secret("in-a-file")))}})
		return err
	})
	b := testutil.Start(t, starling.Config{Router: rt, Brain: brain.New(memory.New())})
	b.User("alice").Direct("leak")
	b.Expect("@alice", canary.Secret("in-a-post"))
	b.ExpectMatch("@alice", "a file")
	require.NoError(t, brain.Set(ctx, b.Brain().Namespace("audit"), "r/1", canary.Secret("in-the-audit-log")))

	keys, err := sealed.ParseKeys("k1:" + sealedKey)
	require.NoError(t, err)
	store, err := sealed.New(sealed.Config{Store: memory.New(), Keys: keys})
	require.NoError(t, err)
	quiet := testutil.Start(t, starling.Config{Router: handler.NewRouter(), Brain: brain.New(store)})
	require.NoError(t, brain.Set(ctx, quiet.Brain(), "key", canary.Secret("in-a-sealed-store")))

	canary.Logger().Debug(canary.Secret("in-the-log-of-an-adapter"))
	slack, discord, mattermost := slackfake.New(slackfake.Options{}), discordfake.New(discordfake.Options{}), mattermostfake.New(mattermostfake.Options{})
	for name, f := range map[string]struct {
		url    string
		client *http.Client
		close  func() error
	}{
		"slack": {slack.URL() + "x", slack.Client(), slack.Close}, "discord": {discord.URL() + "x", discord.Client(), discord.Close},
		"mattermost": {mattermost.URL() + "/api/v4/x", mattermost.Client(), mattermost.Close},
	} {
		for _, where := range []string{"body", "address"} {
			address, body := f.url, canary.Secret("in-the-"+where+"-of-"+name)
			if where == "address" {
				address, body = f.url+"?x="+body, ""
			}
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
			require.NoError(t, err)
			r.Header.Set("Authorization", "Bearer "+canary.Secret("in-a-header"))
			resp, err := f.client.Do(r)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
		}
		f.client.CloseIdleConnections()
		require.NoError(t, f.close())
	}
	answers := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(canary.Secret("in-an-answer"))) })
	hooked := slackfake.New(slackfake.Options{})
	hooked.Webhook(answers)
	hooked.AddUser(slackfake.User{ID: slackAlice, Name: "alice"})
	hooked.AddRoom(slackfake.Room{ID: slackOps, Name: "ops", Members: []string{slackAlice}})
	require.NoError(t, hooked.Invoke(slackAlice, slackOps, "x", ""))
	require.NoError(t, hooked.Await(ctx, func() bool { return hooked.Unacknowledged() == 0 }))
	require.NoError(t, hooked.Close())
	canary.Watch([]byte("a watched secret"), canary.Posts)
	canary.Logger().Debug("YSB3YXRjaGVkIHNlY3JldA==") // the same in Base64
	canary.WriteJSON(canary.Posts, "a watched secret")
}

// TestTaps: what leaves on any way is found where it belongs, and what is to be left out is left out.
func TestTaps(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestLeak$")
	cmd.Env = append(os.Environ(), leakVar+"=1", canary.Variable+"="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "PASS")
	r, err := canary.Search(dir)
	require.NoError(t, err)
	require.Equal(t, 1, r.Watched)
	found := map[string][]string{} // secret -> kinds
	for _, k := range canary.Kinds() {
		files, err := os.ReadDir(dir + "/" + string(k))
		if k == canary.Test || k == canary.Programs {
			require.ErrorIs(t, err, os.ErrNotExist)
			continue
		}
		require.NoError(t, err, k)
		require.Len(t, files, 1, "one a process")
		text, err := os.ReadFile(dir + "/" + string(k) + "/" + files[0].Name())
		require.NoError(t, err)
		for _, what := range []string{
			"in-the-log-of-a-bot", "in-the-store", "in-a-post", "in-a-file", "in-the-audit-log", "in-a-sealed-store", "in-the-log-of-an-adapter", "in-a-header", "in-an-answer",
			"in-the-body-of-slack", "in-the-body-of-discord", "in-the-body-of-mattermost", "in-the-address-of-slack", "in-the-address-of-discord", "in-the-address-of-mattermost",
		} {
			if strings.Contains(string(text), canary.Secret(what)) {
				found[what] = append(found[what], string(k))
			}
		}
	}
	require.Equal(t, map[string][]string{
		"in-the-log-of-a-bot": {"logs"}, "in-the-log-of-an-adapter": {"logs"}, "in-a-post": {"posts"}, "in-a-file": {"posts"}, "in-the-store": {"kept"}, "in-the-audit-log": {"audit"},
		"in-the-body-of-slack": {"bodies"}, "in-the-body-of-discord": {"bodies"}, "in-the-body-of-mattermost": {"bodies"}, "in-an-answer": {"bodies"},
		"in-the-address-of-slack": {"bodies"}, "in-the-address-of-discord": {"bodies"}, "in-the-address-of-mattermost": {"bodies"},
	}, found)
	require.GreaterOrEqual(t, r.Found, len(found)+1)
	watched := slices.IndexFunc(r.Hits, func(h canary.Hit) bool { return h.Form == "Base64 at 0" })
	require.GreaterOrEqual(t, watched, 0)
	require.True(t, strings.HasPrefix(r.Hits[watched].File, "logs"))
	require.Len(t, slices.Collect(maps.Keys(r.Bytes)), 5)
}
