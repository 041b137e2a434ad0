// Package mattermostfake is Mattermost at the wire, for tests: the REST API v4, the websocket and the outgoing HTTP of slash
// commands, buttons, dialogs and webhooks, spoken to by the real client library over loopback or, inside a testing/synctest
// bubble, over net.Pipe. It takes what the library needs and refuses what Mattermost refuses: wrong tokens, rooms that the bot
// is not in, texts over the limit, ids that are none, a dialog that is opened too late.
//
// Its rules are those of the server's own source, github.com/mattermost/mattermost-server/v6 v6.7.2 (app/web_conn.go for the
// queues of a websocket, app/post.go, app/command.go, app/integration_action.go, api4/*.go), and of a server of that version
// as it was observed.
//
// A [Server] holds one server with one bot; there is no package-level state, so any number run side by side. What people do
// are methods (Say, Edit, React, Press, ...); what goes wrong is put in with [Server.Fail], [Server.Cut] and their like.
package mattermostfake
