package markdown_test

import (
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/markdown"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// page reads testdata/page.md, where a node stands as it could not be written otherwise: ⟦data:TEXT⟧, ⟦user:ID:NAME⟧,
// ⟦room:ID:NAME⟧, ⟦time:UNIX⟧.
func page(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/page.md")
	require.NoError(t, err)
	var b strings.Builder
	rest := string(raw)
	for {
		before, after, ok := strings.Cut(rest, "⟦")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		node, after, ok := strings.Cut(after, "⟧")
		require.True(t, ok)
		rest = after
		kind, body, _ := strings.Cut(node, ":")
		id, name, _ := strings.Cut(body, ":")
		switch kind {
		case "data":
			b.WriteString(adapter.Data(body))
		case "user":
			b.WriteString(adapter.Mention(adapter.User{ID: id, Name: name}))
		case "room":
			b.WriteString(adapter.RoomLink(adapter.Room{ID: id, Name: name}))
		case "time":
			sec, err := strconv.ParseInt(body, 10, 64)
			require.NoError(t, err)
			b.WriteString(adapter.Timestamp(time.Unix(sec, 0)))
		default:
			t.Fatalf("unknown node %q", kind)
		}
	}
}

// ids gives a platform ids that it can have.
func ids(text string, user, room string) string {
	return strings.NewReplacer("\uFDD1U1\uFDD4", "\uFDD1"+user+"\uFDD4", "\uFDD2C1\uFDD4", "\uFDD2"+room+"\uFDD4").Replace(text)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// TestGolden shows the page, which uses every construct, on every platform. Invisible characters are shown as ␟ (zero-width
// space) and ␛ (escape), so that the files can be read side by side.
func TestGolden(t *testing.T) {
	text := page(t)
	for _, c := range []struct {
		name string
		text string
		r    *markdown.Renderer
	}{
		{"slack", text, markdown.Slack()},
		{"slack-block", text, markdown.SlackBlock()},
		{"discord", ids(text, "81384788765712384", "81384788765712385"), markdown.Discord()},
		{"mattermost", text, markdown.Mattermost()},
		{"ansi", text, markdown.ANSI(72, true)},
		{"plain", text, markdown.Plain()},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.r.Render(c.text)
			golden(t, "page."+c.name+".txt", strings.NewReplacer("\u200b", "␟", "\x1b", "␛").Replace(got)+"\n")
		})
	}
}
