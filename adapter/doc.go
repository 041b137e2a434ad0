// Package adapter holds the one event type, the one outgoing message and the contract between a chat platform and the bot.
//
// An [Adapter] turns whatever happens (a person's message, a button, a webhook, a clock) into an [Event], hands it to the
// bot's [Sink], and posts a [Message]. What platforms differ in is said twice: as data in [Features] and as optional
// interfaces, one verb each ([Editor], [Reactor], [Typer], ...), which are looked for with [As].
//
// # Identity
//
// [User.Key] (adapter, tenant, immutable id) is the only identity that a policy may use. Names are for display: anyone can
// choose one.
//
// # Text
//
// [Message.Text] is portable Markdown written by code. What people typed is data: [Data] and [Format] carry it inside a
// text so that no adapter can mistake it for markup, and mentions, room links and times are made by [Mention], [RoomLink]
// and [Timestamp], never by writing "@name".
//
// # Writing an adapter
//
// Implement [Adapter], claim verbs with compile-time guards (var _ adapter.Editor = (*Adapter)(nil)), map the platform's
// errors to those of this package, and let testutil/adaptertest prove it.
package adapter
