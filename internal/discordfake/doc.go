// Package discordfake is Discord at the wire, for tests: the REST API of version 9, the gateway and interactions, spoken to by
// the real client libraries, over loopback or, inside a testing/synctest bubble, over net.Pipe. It takes what they need and
// refuses what Discord refuses: wrong tokens, intents that are not turned on, unknown rooms, messages over the limits, more
// than five messages in five seconds in a room, a second answer to an interaction, one that comes after three seconds.
//
// A [Server] holds one application and its servers; there is no package-level state, so any number run side by side. What
// people do are methods (Say, Edit, React, Press, Invoke, ...); what goes wrong is put in with [Server.Fail], [Server.Cut] and
// their like. A session that is resumed gets what it missed
// (https://discord.com/developers/docs/events/gateway#resuming).
package discordfake
