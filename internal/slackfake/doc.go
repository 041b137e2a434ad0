// Package slackfake is Slack at the wire, for tests: the Web API and Socket Mode, spoken to by the real client library,
// over loopback or, inside a testing/synctest bubble, over net.Pipe. It takes what the library needs and refuses what
// Slack refuses: wrong tokens, missing scopes, unknown rooms, layouts over the limits, more than about one message a
// second in a room.
//
// A [Server] holds one workspace with one app; there is no package-level state, so any number run side by side. What
// people do are methods (Say, Edit, React, Press, ...); what goes wrong is put in with [Server.Fail], [Server.Cut] and
// their like. What is not acknowledged is delivered again as Slack does: at once, after one minute and after five
// (https://docs.slack.dev/apis/events-api/#retries).
package slackfake
