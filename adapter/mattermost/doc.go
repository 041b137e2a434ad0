// Package mattermost connects a bot to a Mattermost server: over its websocket and REST API, and for slash commands, buttons and
// forms over HTTP.
//
// # Setup
//
// From nothing to the first answer:
//
//  1. Make the bot's account. In Mattermost: main menu, "Integrations", "Bot Accounts", "Add Bot Account"; the role Member is
//     enough. (An administrator has to turn bot accounts on: System Console, Integrations, Bot Accounts.) The token that is shown
//     once is Config.Token.
//
//  2. Start the bot:
//
//     a, err := mattermost.New(mattermost.Config{URL: "https://chat.example.com", Token: os.Getenv("MATTERMOST_TOKEN")})
//     bot, err := starling.New(starling.Config{Adapters: []adapter.Adapter{a}, Router: rt, Brain: brain.New(store)})
//     err = bot.Run(ctx)
//
//  3. In Mattermost: add the bot to the team ("Invite People") and to a channel (/invite @starling), then "@starling help". A
//     direct message to the bot needs no channel.
//
// Run checks the token first: a wrong one ends it with an error that says what to do, and so does one that is revoked later.
//
// Buttons, forms and slash commands come over HTTP alone: the server must reach the bot. Set Config.CallbackURL to where the
// bot's server mounts [Adapter.HTTPHandler], /adapters/mattermost/. For a private address an administrator has to name its host in
// System Console, Environment, Developer, "Allow untrusted internal connections"; until then who presses a button sees an error,
// and the reason is in the server's log alone. Slash commands are made by [Register] with an administrator's token, or by hand
// as [Instructions] says; their tokens are Config.CommandTokens. Outgoing webhooks (Integrations, Outgoing Webhooks, the same
// address) bring what is said in public channels that the bot is not in; their tokens are Config.HookTokens. While a token or one
// of Config.Secrets is replaced give both.
//
// Config.Positions lets a bot read what was said while it was down; a namespace of the brain does.
//
// # Events
//
//	posted                       KindMessage; KindTopic for a change of the channel's header
//	post_edited                  KindEdit, if the text has changed
//	post_deleted                 KindDelete
//	reaction_added, ..._removed  KindReaction; the name without colons and without the colour of the skin
//	user_added, user_removed     KindJoin, KindLeave; the messages of the system that say the same are not used
//	slash commands               KindInvocation; the command without its slash, "job-list" as "job list" again
//	forms                        KindInvocation with Form and Options
//	buttons                      KindClick
//	outgoing webhooks            KindMessage, the same event as over the websocket
//	user_updated, channel_updated, ...   make the names that are remembered be asked for again
//
// Others are counted in [Adapter.Status] and logged at Debug. What the bot's own account posts, changes and deletes is not
// handed over. A deletion has a User only where the bot is an administrator: others are not told who did it. A reaction does not
// say its thread.
//
// User.Tenant is Config.Tenant, by default the host of Config.URL: it is known before anything is connected, and an operator can
// write it down. Ids are Mattermost's; a name is that of the account, which mentions it. Guests have KindGuest, users of shared
// channels KindExternal, disabled ones KindDeactivated, and who cannot be looked up KindUnknown, which is treated as a guest.
// What came over a webhook, from a plugin, or as the answer to a slash command carries the account of whoever made the webhook or
// used the command, and any name: it is of KindBot with the ID "webhook-" and that account, so that it is never taken for that
// person.
//
// Text is what was typed: Mattermost escapes nothing. Mentions are the accounts that stand behind an @ outside of code; Mentioned
// is set for the bot's own name there, and not for @all, @channel and @here.
//
// # Capabilities
//
// Threads, fields, files; [adapter.Editor], [adapter.Deleter], [adapter.Reactor], [adapter.Typer], [adapter.Uploader],
// [adapter.Opener], [adapter.Directory], [adapter.DirectOpener], [adapter.TopicSetter] (the channel's header),
// [adapter.Historian], [adapter.Finder], [adapter.FormOpener], [adapter.CommandRegistrar] (for the names alone),
// [adapter.HTTPHandler], [adapter.HealthReporter], [adapter.Checker], [adapter.Renderer], [adapter.Closer].
//
// Buttons need Config.CallbackURL: without it they are shown as a numbered list of what to type. Messages that one user alone sees
// need Config.SystemAdmin, since Mattermost gives that to administrators alone; a slash command and a click are answered to one user
// without it, the former for 29 minutes, the latter within two seconds. Where neither is there Message.Only is
// [adapter.ErrUnsupported], except in the direct room of that user.
//
// A command or a click is answered by a post of the bot. Where the bot is no member, the answer to a slash command is that of
// the request, if it comes within two seconds, or goes to its response_url: the server shows it in the name of who used the
// command, marked as a program's. The answer to an outgoing webhook is that of the request.
//
// Message.Native["mattermost"] is an array of message attachments
// (https://developers.mattermost.com/integrate/reference/message-attachments/), shown below the text; buttons in it are their
// author's. A Color puts the text into an attachment.
//
// A post mentions everybody by its text, and there is no switch for that. So all text goes out with a zero-width space behind the @
// of what could be a mention, in attachments, fields and labels too: only [adapter.Mention] and Message.Notify notify. Mattermost
// shows previews of links whatever Message.Previews says; an administrator can turn them off.
//
// # Limits
//
// A post has at most Config.MaxText characters, 16,383 by default, and is split by Render; ten files, more are several posts; a
// button's label 40 (it is cut), a header 1,024, a file Config.MaxFile, 100 MiB by default. Files whose Size is known are streamed.
// A form has five fields; its title and the labels 24 characters, text 150, long text 3,000. A button works for Config.ButtonsFor, a
// form for an hour. An ephemeral message, and the answer to a command, cannot be changed, deleted or found again.
//
// The server recognises Message.Key for 30 seconds, in the memory of one process: a repeated Send gives the first one's post. After
// that Find looks for it: in the last day of the room, at most 2,000 messages.
//
// The server's rate limit (off unless an administrator turns it on) is for the account and not for a room: while it wants to be
// left alone every verb is an [adapter.RateLimitError], without a request. Nothing is tried twice by itself.
//
// Names of 20,000 users and 10,000 rooms are remembered, for 20 minutes. Up to 8,192 events wait for the bot, 1,024 in one
// conversation. Of what is over, messages and their changes are read again from the history; others are a gap in [Adapter.Health].
//
// # Raw type
//
// Event.Raw is the post, the reaction, the event of the websocket, or the callback, as Mattermost sent it, without what
// authenticates it and what answers it: the trigger_id, and the id in a response_url. [Decode] gives the value of
// github.com/mattermost/mattermost-server/v6/model, with these out of Event.Origin, which is never logged.
//
// # Delivery and order
//
// Mattermost knows no acknowledgement. An event goes to the sink until that takes it, with pauses up to 30 s; a command or a
// click for 2.5 s, after which the person sees Mattermost's own error. The events of a conversation go one after the other in the
// order in which they came; a conversation whose events are not taken holds up no other one, and never the connection.
//
// The websocket is made again whenever it ends, at most once a second, with pauses up to 30 s while that fails, and when nothing,
// not even an answer to a ping, came for 40 s. It goes on where it ended: the server keeps what was missed, in the memory of one
// process, for five minutes and up to about 200 events, and then nothing is lost. Otherwise, when a sequence number is missing, and
// after a restart with Config.Positions, the histories of the rooms where something was said are read: what was said, changed and
// taken back, up to 2,000 messages of a room. These events are Backfilled and may come after newer live ones. Reactions, people who
// came and went, and changes in rooms where nothing was said are lost then: the log and [Adapter.Health] say so, and where a history
// could not be read whole.
//
// A position never passes a message, an edit or a deletion that the bot has not taken, so that a stop loses none, and a crash no
// message, nor a change that came over five seconds before it; what was taken shortly before may come again, under the same ID.
//
// # Callbacks
//
// Mattermost signs no callback. A slash command and an outgoing webhook have a token. A button carries a seal: an HMAC over its
// command, room, message and expiry, which the server shows to no client. A form carries one that is bound to the user who sees it.
// And the server signs the trigger id of commands and clicks, with a key that it tells: who did it, and when, is checked by that,
// and each counts once. All else gets 401.
//
// # Licence
//
// This package imports model of github.com/mattermost/mattermost-server/v6, which is under the Apache License 2.0. That package
// itself imports others of its module, which are linked into the bot: services/timezones, shared/filestore, shared/i18n, shared/markdown,
// shared/mlog and utils/jsonutils. The LICENSE.txt of the module puts templates, i18n, model and plugin under the Apache License
// and everything else under the AGPL 3.0, with a promise not to enforce its copyleft against programs that use those four alone, and do
// so unmodified. Whoever distributes a bot should read it.
package mattermost
