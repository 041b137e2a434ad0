package markdown_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/markdown"
)

// section has every construct in 560 bytes.
func section() string {
	return adapter.Format("## Deploy of %s\n\nHello %s, build %d of **%s** is *done*; see [the log](https://ci.example.com/b/%d) and `make %s`.\nIt took a while, but nothing else is wrong with it, as far as anybody can see.\n\n"+
		"- first item with some words in it\n- second item, %s\n- third\n\n```go\nfunc main() {\n\tprintln(\"%s\")\n}\n```\n\n| service | state | errors |\n|---|---|---:|\n| api | up | %d |\n| web | **down** | %d |\n\n"+
		"> A quote that goes on for a line or so, and then some more words until it is long enough.\n\n",
		"api_server", adapter.User{ID: "U123", Name: "alice"}, 4211, "web", 4211, "test", "a<b & c", "hi", 0, 12)
}

// message is 4 KiB of what bots say: a section with every construct, a log in a block of code, and prose with data in it.
func message() string {
	b := section() + "```\n"
	for i := range 16 {
		b += adapter.Format("%s 2026-01-02T15:04:%02d worker %d finished its job after %d ms\n", "INFO", i, i, i*17)
	}
	b += "```\n\n"
	for i := 0; len(b) < 4096; i++ {
		b += adapter.Format("Host %s answered %d requests, none of them late, and %s says that this is *fine*. There are some more words in this paragraph, "+
			"because people write sentences, and so do programs that are written by people.\n\n", "web-1", i, adapter.User{ID: "U123", Name: "alice"})
	}
	return b
}

// dense is 4 KiB of sections.
func dense() string { return strings.Repeat(section(), 4096/len(section())+1) }

func BenchmarkRenderSplit(b *testing.B) {
	run := func(c speedCase, name, text string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if len(c.r.Split(text, c.limit, c.unit)) < 2 {
					b.Fatal("not split")
				}
			}
		})
	}
	for _, c := range speedCases() {
		run(c, c.name, message())
	}
	run(speedCases()[2], "dense-discord", dense())
}

func BenchmarkParse(b *testing.B) {
	text := message()
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		markdown.Parse(text)
	}
}

func BenchmarkShort(b *testing.B) {
	r := markdown.Slack()
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Split("Deployed version 12 to production, all is well.", 4000, adapter.UnitRunes)
		}
	})
	text := adapter.Format("Hello %s, **done**.", "alice")
	b.Run("data", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Split(text, 4000, adapter.UnitRunes)
		}
	})
}

func TestShortRepliesAllocateLittle(t *testing.T) {
	text := "Deployed version 12 to production, all is well.\nBye: see you."
	require.True(t, markdown.Simple(text))
	for name, r := range map[string]*markdown.Renderer{"slack": markdown.Slack(), "discord": markdown.Discord(), "mattermost": markdown.Mattermost(), "plain": markdown.Plain()} {
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() { r.Split(text, 2000, adapter.UnitRunes) }), 1.0, name)
		require.Zero(t, testing.AllocsPerRun(100, func() { r.Render(text) }), name)
		features, m := adapter.Features{MaxText: 2000}, &adapter.Message{Text: text}
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() { r.Messages(m, features) }), 2.0, name)
	}
}
