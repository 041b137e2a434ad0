package markdown_test

import (
	"fmt"
	"testing/fstest"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/markdown"
)

func Example() {
	text := adapter.Format("**%s** was deployed by %s, see [the log](%s).", "web*1", adapter.User{ID: "U1", Name: "alice"}, "https://ci.example.com/7")
	fmt.Println(markdown.Slack().Render(text))
	fmt.Println(markdown.Plain().Render(text))
	// Output:
	// *web*1* was deployed by <@U1>, see <https://ci.example.com/7|the log> (ci.example.com).
	// web*1 was deployed by @alice, see the log (https://ci.example.com/7).
}

func ExampleParse() {
	fmt.Print(markdown.Parse(adapter.Format("Hello **%s**", "*you*")))
	// Output:
	// document
	//   paragraph
	//     text "Hello "
	//     strong
	//       data "*you*"
}

func ExampleRenderer_Split() {
	for _, part := range markdown.Discord().Split("The log:\n\n```go\none()\ntwo()\nthree()\n```", 22, adapter.UnitUTF16) {
		fmt.Println(part)
		fmt.Println("--")
	}
	// Output:
	// The log:
	// --
	// ```go
	// one()
	// two()
	// ```
	// --
	// ```go
	// three()
	// ```
	// --
}

func ExampleRenderer_Messages() {
	m := &adapter.Message{Text: "**A line.**\n\nAnd another one.", Notify: adapter.NotifyHere, Key: "k"}
	for _, part := range markdown.Slack().Messages(m, adapter.Features{MaxText: 20}) {
		fmt.Printf("%s %q\n", part.Key, part.Text)
	}
	// Output:
	// k "<!here> *A line.*"
	// k/2 "And another one."
}

// An adapter with two forms looks at the document and takes the one that shows more of it.
func ExampleRenderer_MessagesOf() {
	for _, text := range []string{"**Done.**", "# Report\n\n**Done.**"} {
		doc, show := markdown.Parse(text), markdown.Slack()
		if doc.Root().First().Kind == markdown.KindHeading { // which mrkdwn has not
			show = markdown.SlackBlock()
		}
		for _, part := range show.MessagesOf(doc, &adapter.Message{Text: text}, adapter.Features{MaxText: 4000}) {
			fmt.Printf("%s: %q\n", show.Dialect.Name, part.Text)
		}
	}
	// Output:
	// slack: "*Done.*"
	// slack-block: "# Report\n\n**Done.**"
}

// A platform of one's own: its dialect is a table, and single constructs can be replaced.
func ExampleDialect() {
	wiki := &markdown.Renderer{Dialect: markdown.Dialect{
		Name:    "wiki",
		Strong:  markdown.Marks{Open: "'''", Close: "'''"},
		Heading: func(int) markdown.Marks { return markdown.Marks{Open: "= ", Close: " ="} },
		Bullets: []string{"* "},
		Escape: func(w *markdown.Writer, s string, data bool) {
			for _, r := range s {
				if r == '\'' || r == '=' || r == '*' && w.LineStart() {
					w.Atom(fmt.Sprintf("&#%d;", r))
				} else {
					w.Raw(string(r))
				}
			}
		},
	}}
	wiki.Override = map[markdown.Kind]func(*markdown.Writer, *markdown.Node){
		markdown.KindMention: func(w *markdown.Writer, n *markdown.Node) { w.Atom("[[User:" + n.Target + "]]") },
	}
	fmt.Println(wiki.Render(adapter.Format("# News\n\n- **%s** by %s", "it's", adapter.User{ID: "alice"})))
	// Output:
	// = News =
	//
	// * '''it&#39;s''' by [[User:alice]]
}

func ExampleANSI() {
	fmt.Println(markdown.ANSI(30, false).Render("- one item that is longer than a line\n- [x] done"))
	// Output:
	// • one item that is longer than
	//   a line
	// ☑ done
}

func ExampleSplit() {
	fmt.Printf("%q\n", markdown.Split("one two\nthree", 8, adapter.UnitRunes))
	// Output: ["one two" "three"]
}

func ExampleTemplates() {
	ts, err := markdown.NewTemplates(fstest.MapFS{
		"deploy.tmpl":       {Data: []byte("**{{.Service}}** is up since {{.Since}}")},
		"deploy.slack.tmpl": {Data: []byte(":rocket: {{template \"service\" .}}")},
		"service.tmpl":      {Data: []byte("**{{.Service}}**")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	values := map[string]any{"Service": "web-<1>", "Since": time.Unix(1767225600, 0)}
	for _, r := range []*markdown.Renderer{markdown.Discord(), markdown.Slack()} {
		text, err := ts.Execute("deploy", r.Dialect.Name, values)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(r.Render(text))
	}
	// Output:
	// **web-\<1>** is up since <t:1767225600:f>
	// :rocket: *web-&lt;1&gt;*
}
