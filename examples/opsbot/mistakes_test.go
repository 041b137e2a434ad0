package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/audit"
)

// What an operator gets wrong is an error at the start that says what to do, and never a bot with fewer rules.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	good := file("good.json", `{"admins": ["terminal//carol"]}`)
	factor := file("factor.json", `{"rules": {"ping": {"elevate": "10m"}}}`)
	const key = "cnrymark audit key of at least 32 characters"
	for name, c := range map[string]struct {
		args []string
		key  string
		want string
	}{
		"a word that is no flag":  {[]string{"run", "-team", good}, key, `opsbot: "run" is no flag`},
		"two objects":             {[]string{"-team", file("two.json", `{} {"admins": ["x"]}`)}, key, "something follows the first JSON object"},
		"a name for a role":       {[]string{"-team", file("role.json", `{"prod_by": "@bob"}`)}, key, "prod_by"},
		"a field that is none":    {[]string{"-team", file("field.json", `{"admin": []}`)}, key, `unknown field "admin"`},
		"no audit key":            {[]string{"-brain", "memory", "-team", good}, "", "OPSBOT_AUDIT_KEY is not set"},
		"no keys for the factors": {[]string{"-brain", "memory", "-team", factor}, key, "OPSBOT_FACTOR_KEYS is not set"},
		"no such file":            {[]string{"-team", filepath.Join(dir, "none.json")}, key, "none.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(auditKeyVar, c.key)
			t.Setenv(factorKeyVar, "")
			require.ErrorContains(t, run(context.Background(), c.args, io.Discard), c.want)
		})
	}
}

// Another key than the one that the log was signed with is an error at the start.
func TestAnotherAuditKey(t *testing.T) {
	ctx, state := context.Background(), brain.New(memory.New())
	one, err := newTeam(teamFile{}, nil, state, "cnrymark audit key of at least 32 characters", "")
	require.NoError(t, err)
	require.NoError(t, one.begin(ctx), "an empty log")
	require.NoError(t, one.log.Append(ctx, audit.Record{Phase: audit.PhaseAfter, Command: "deploy"}))
	require.NoError(t, one.begin(ctx))
	require.NoError(t, one.close())
	two, err := newTeam(teamFile{}, nil, state, "cnrymark, another audit key of 32 characters or more", "")
	require.NoError(t, err)
	require.ErrorContains(t, two.begin(ctx), "OPSBOT_AUDIT_KEY is not the key that it was signed with")
	require.NoError(t, two.close())
	three, err := newTeam(teamFile{}, nil, state, "cnrymark audit key of at least 32 characters", "")
	require.NoError(t, err)
	require.NoError(t, three.begin(ctx))
	require.NoError(t, three.close())
}

// The manifest has the commands of a team too, and the bot's name.
func TestManifestOfATeam(t *testing.T) {
	rt, err := printable(0, true, teamFile{}, nil)
	require.NoError(t, err)
	table, err := rt.Build("starling", nil)
	require.NoError(t, err)
	var names []string
	for _, spec := range table.Specs() {
		names = append(names, spec.Name)
	}
	for _, want := range []string{"approve", "audit verify", "role grant", "deploy"} {
		require.Contains(t, names, want)
	}
	bare, err := printable(0, false, teamFile{}, nil)
	require.NoError(t, err)
	table, err = bare.Build("starling", nil)
	require.NoError(t, err)
	for _, spec := range table.Specs() {
		require.NotEqual(t, "approve", spec.Name)
	}
	var _ *handler.Router = bare
}
