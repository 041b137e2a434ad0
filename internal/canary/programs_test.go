package canary_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/internal/discordfake"
	"github.com/starlingbot/starling/internal/mattermostfake"
	"github.com/starlingbot/starling/internal/slackfake"
)

// printed keeps what a process prints.
type printed struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	canary.Write(canary.Programs, b)
	return p.all.Write(b)
}

// platforms are three fake platforms with alice in a room.
type platforms struct {
	slack      *slackfake.Server
	discord    *discordfake.Server
	mattermost *mattermostfake.Server
}

const (
	discordAlice, discordOps = "200000000000000001", "300000000000000001"
	slackAlice, slackOps     = "U1", "C1"
)

var mattermostAlice, mattermostOps = mattermostfake.ID("alice"), mattermostfake.ID("ops")

func newPlatforms(t *testing.T) *platforms {
	t.Helper()
	var p platforms
	var err error
	p.slack, err = slackfake.Listen(slackfake.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.slack.Close() })
	p.slack.AddUser(slackfake.User{ID: slackAlice, Name: "alice"})
	p.slack.AddRoom(slackfake.Room{ID: slackOps, Name: "ops", Members: []string{slackAlice}})
	p.discord, err = discordfake.Listen(discordfake.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.discord.Close() })
	p.discord.AddUser(discordfake.User{ID: discordAlice, Name: "alice"})
	p.discord.AddChannel(discordfake.Channel{ID: discordOps, Name: "ops"})
	p.mattermost, err = mattermostfake.Listen(mattermostfake.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.mattermost.Close() })
	p.mattermost.AddUser(mattermostfake.User{ID: mattermostAlice, Name: "alice"})
	p.mattermost.AddRoom(mattermostfake.Room{ID: mattermostOps, Name: "ops", Members: []string{mattermostAlice}})
	return &p
}

// env is the environment of a program: every secret that it may be given.
func (p *platforms) env(change ...string) []string {
	return append(append(os.Environ(),
		"SLACK_BOT_TOKEN="+slackfake.BotToken, "SLACK_APP_TOKEN="+slackfake.AppToken, "SLACK_SIGNING_SECRET="+slackfake.SigningSecret, "SLACK_API_URL="+p.slack.URL(),
		"DISCORD_TOKEN="+discordfake.Token, "DISCORD_API_URL="+p.discord.URL(),
		"MATTERMOST_URL="+p.mattermost.URL(), "MATTERMOST_TOKEN="+mattermostfake.Token, "MATTERMOST_SECRET="+canary.Secret("buttons-and-forms"),
		"MATTERMOST_COMMAND_TOKENS="+canary.Mark+"commandtoken", "MATTERMOST_HOOK_TOKENS="+canary.Mark+"hooktoken",
		"MATTERMOST_CALLBACK_URL=http://bot.example.com/adapters/mattermost/",
		"OPSBOT_AUDIT_KEY="+canary.Secret("audit-key-of-more-than-32-bytes"), "OPSBOT_FACTOR_KEYS=k1:"+sealedKey), change...)
}

// sealedKey is 32 bytes that begin with the mark.
const sealedKey = "Y25yeW1hcmstc2VhbGVkLWtleS1udW1iZXItb25lLXg="

// TestProgramsTellNoSecret is T19 for a bot in a process of its own: what it prints and logs where all is well, where tokens and keys
// are wrong or revoked, and where a platform is away.
func TestProgramsTellNoSecret(t *testing.T) {
	t.Parallel()
	bin := filepath.Join(t.TempDir(), "opsbot")
	out, err := exec.Command("go", "build", "-o", bin, "../../examples/opsbot").CombinedOutput()
	require.NoError(t, err, string(out))
	team, err := filepath.Abs("../../examples/opsbot/testdata/team.json")
	require.NoError(t, err)
	all := []string{"-adapter", "slack", "-adapter", "discord", "-adapter", "mattermost", "-http", "127.0.0.1:0", "-team", team}
	p := newPlatforms(t)
	told := &printed{}
	run := func(env []string, args ...string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // it ends at once, or does not see what is wrong
		defer cancel()
		cmd := exec.CommandContext(ctx, bin, args...)
		cmd.Env, cmd.Stdout, cmd.Stderr = env, told, told
		err := cmd.Run()
		require.NoError(t, ctx.Err(), "it runs")
		return err
	}

	// Told apart: what is wrong with each.
	require.NoError(t, run(p.env(), append(all, "-brain", "memory", "-check")...))
	for name, wrong := range map[string]string{
		"no bot token": "SLACK_BOT_TOKEN=" + slackfake.AppToken, "no app token": "SLACK_APP_TOKEN=" + canary.Mark, "white space": "SLACK_APP_TOKEN=" + slackfake.AppToken + " ",
		"a token that is none": "DISCORD_TOKEN=" + canary.Mark, "a public key that is none": "DISCORD_PUBLIC_KEY=" + canary.Secret("public-key"),
		"a short secret": "MATTERMOST_SECRET=" + canary.Mark, "an address with a password": "MATTERMOST_URL=http://alice:" + canary.Mark + "@127.0.0.1:1",
		"a short key": "OPSBOT_AUDIT_KEY=" + canary.Mark, "no sealed key": "OPSBOT_FACTOR_KEYS=" + canary.Secret("sealed"), "a sealed key without a name": "OPSBOT_FACTOR_KEYS=" + sealedKey,
	} {
		require.Error(t, run(p.env(wrong), append(all, "-brain", "memory")...), name)
	}
	for name, wrong := range map[string]string{
		"another bot token": "SLACK_BOT_TOKEN=xoxb-" + canary.Secret("other"), "another app token": "SLACK_APP_TOKEN=xapp-" + canary.Secret("other"),
		"another token": "DISCORD_TOKEN=" + canary.Mark + ".other.x", "another token of Mattermost": "MATTERMOST_TOKEN=" + canary.Mark + "other",
		"nobody is there": "MATTERMOST_URL=http://127.0.0.1:1/" + canary.Mark,
	} {
		require.Error(t, run(p.env(wrong), append(all, "-brain", "memory", "-check")...), name)
	}

	// It talks, platforms fall over and come back, and the tokens are revoked while it runs: it ends with an error.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, append(all, "-brain", filepath.Join(t.TempDir(), "opsbot.db"))...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env(), told, told
	require.NoError(t, cmd.Start())
	connected := func() bool { return p.slack.Connected() && p.discord.Connected() && p.mattermost.Connected() }
	require.NoError(t, p.slack.Await(ctx, p.slack.Connected))
	require.NoError(t, p.discord.Await(ctx, p.discord.Connected))
	require.NoError(t, p.mattermost.Await(ctx, p.mattermost.Connected))
	require.True(t, connected())
	_, err = p.slack.Say(slackAlice, slackOps, "starling ping")
	require.NoError(t, err)
	_, err = p.discord.Say(discordAlice, discordOps, "starling ping")
	require.NoError(t, err)
	_, err = p.mattermost.Say(mattermostAlice, mattermostOps, "starling ping")
	require.NoError(t, err)
	require.NoError(t, p.slack.Invoke(slackAlice, slackOps, "ping", ""))
	require.NoError(t, p.discord.Invoke(discordAlice, discordOps, "ping", ""))
	require.NoError(t, p.slack.Await(ctx, func() bool { return len(p.slack.Find("PONG")) == 2 }))
	require.NoError(t, p.discord.Await(ctx, func() bool { return len(p.discord.Find("PONG")) == 2 }))
	require.NoError(t, p.mattermost.Await(ctx, func() bool { return len(p.mattermost.Find("PONG")) == 1 }))
	p.discord.Fail(discordfake.Fault{Route: "gateway", Kind: discordfake.FaultStatus, Status: 502})
	p.mattermost.Fail(mattermostfake.Fault{Route: "GET /websocket", Kind: mattermostfake.FaultStatus, Status: 502})
	p.slack.Cut()
	p.discord.Cut()
	p.mattermost.Cut()
	p.slack.Revoke()
	p.discord.Revoke()
	p.mattermost.Revoke()
	p.discord.DropSessions()
	require.Error(t, cmd.Wait(), "a bot whose tokens are void cannot go on")
	require.NoError(t, ctx.Err())

	told.mu.Lock()
	defer told.mu.Unlock()
	for _, hit := range canary.Find(told.all.Bytes()) {
		t.Errorf("%s: %s", hit.Form, hit.Excerpt)
	}
	text := told.all.String()
	for _, want := range []string{"ok   slack", "ok   discord", "ok   mattermost", "FAIL slack", "FAIL discord", "FAIL mattermost", "opsbot: "} {
		require.Contains(t, text, want)
	}
	t.Logf("T19: %d kB printed by processes, 0 secrets", len(text)>>10)
}
