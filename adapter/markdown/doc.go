// Package markdown shows the portable Markdown of [adapter.Message] on any platform: it parses a text once and renders it
// as Slack mrkdwn, a Slack markdown block, Discord's or Mattermost's Markdown, for a terminal, or as plain text, split
// into parts that fit.
//
// # Dialect
//
// A text is CommonMark (https://spec.commonmark.org/0.31.2/) without HTML, with tables, strikethrough and task lists as on
// GitHub (https://github.github.com/gfm/). Data, mentions, room links and times are no markup: code puts them in with
// [adapter.Format] and its siblings, and they are leaves of the tree whatever construct they stand in, a link's address
// and a block of code included. Text that looks like a mention mentions nobody.
//
// # Use
//
// An adapter keeps one [Renderer] and implements [adapter.Renderer] with it:
//
//	func (a *Adapter) Render(m *adapter.Message) ([]*adapter.Message, error) {
//		return a.markdown.Messages(m, a.Features()), nil
//	}
//
// An adapter that has more than one way to show a text looks at the [Document] first and chooses a renderer for
// [Renderer.MessagesOf].
//
// An adapter of another platform describes its markup in a [Dialect], or takes one of those here and changes it, and
// replaces single constructs by [Renderer.Override].
//
// # Escaping
//
// What data holds is shown as it is and is nothing else: no mark, mention, link, entity, emoji or list. Where a
// platform has an escape that is used, otherwise a zero-width space (U+200B) keeps apart what would be read together;
// the functions named for platforms say which. What reads as an http or https address is a link to itself, as people
// expect: the whole address is shown. In a line of its own (a heading, a cell, a code span, between marks of emphasis, a
// label) a line break in data is a space. A direction of writing that data begins ends with it, so that nothing behind it
// is turned round.
//
// The address of a link may be data as well. Then only http, https and mailto are links, and the host is shown after a
// label that hides it. An address that is none, or of a scheme that runs code, is shown as text.
//
// # Splitting
//
// See [Renderer.Parts] and [Rendered.Split].
package markdown
