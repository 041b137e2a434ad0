// Package fakenet is what the fake platforms of the tests (internal/slackfake, internal/discordfake, internal/mattermostfake)
// stand on: a web server that clients reach over connections in memory, whose waiting a testing/synctest bubble understands,
// or over a socket of loopback, the ways in which it cannot be reached, and the broken answers of a bad day. It knows
// nothing of any platform.
package fakenet
