// Package starling runs a chat bot: it takes events from adapters, keeps them safe and in order, passes them to the
// handlers of a router, and posts what they answer.
//
// A [Bot] is made with [New] and run with [Bot.Run]. An event goes one way: the adapter's Run, the bot's sink (limits,
// rewriting, matching, inbox), the mailbox of its conversation, the middleware, the handler, the outgoing chain, the
// outbox, the adapter's Send.
//
// # What is promised
//
// With a brain that keeps (Config.Brain):
//
//   - Accepted events are handled at least once, and begin in the order of acceptance within a conversation (adapter, room
//     and thread). A route with OnCrashReport begins at most once, and the asker is told.
//   - handler.Change changes state exactly once per delivery; handler.Once starts an effect at most once and reports an
//     unknown outcome.
//   - A reply is sent at least once: twice only if the process dies between the platform taking it and the record of that,
//     and not even then where the platform recognises a repeat or the message can be found again.
//
// Without a brain, or on a route that says Volatile, an event lives as long as the process.
package starling
