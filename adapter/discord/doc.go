// Package discord connects a bot to Discord: over the gateway (no address of your own needed), with slash commands, buttons
// and windows over the gateway too or over HTTP.
//
// # Setup
//
// From nothing to the first answer:
//
//  1. Make the application: https://discord.com/developers/applications, "New Application". Page "Bot": "Reset Token"; the
//     token is Config.Token.
//
//  2. On the same page, "Privileged Gateway Intents": turn on "Server Members Intent" and "Message Content Intent". Without
//     the second the bot sees the text of a message only where it is mentioned. A bot that needs less sets Config.Intents.
//
//  3. Invite it: open the address that [Invite] gives for the "Application ID" of page "General Information" (the bot
//     examples/anywhere prints it with -invite discord) and choose the server.
//
//  4. Start the bot:
//
//     a, err := discord.New(discord.Config{Token: os.Getenv("DISCORD_TOKEN")})
//     bot, err := starling.New(starling.Config{Adapters: []adapter.Adapter{a}, Router: rt, Brain: brain.New(store)})
//     err = bot.Run(ctx)
//
//  5. In Discord: "@starling help" in a room that the bot sees, "/help", or a direct message to it.
//
// Run checks the token and the intents before it connects: what is wrong ends it with an error that says what to do.
// [Adapter.Check] tests the permissions in each server too.
//
// HTTP mode needs Config.PublicKeys ("Public Key" on the page General Information) and, there, the "Interactions Endpoint
// URL": where the bot's server mounts [Adapter.HTTPHandler], /adapters/discord/. Discord then sends commands and clicks there
// and no longer over the gateway; messages never come over HTTP. With Config.NoGateway the bot has commands alone.
//
// Config.Positions lets a bot read what was said while it was down; a namespace of the brain does.
//
// # Events
//
//	MESSAGE_CREATE                              KindMessage: messages and inline replies
//	MESSAGE_UPDATE                              KindEdit, where the text is another one
//	MESSAGE_DELETE, MESSAGE_DELETE_BULK         KindDelete, one for each message
//	MESSAGE_REACTION_ADD, MESSAGE_REACTION_...  KindReaction; of a server's own emoji the name
//	GUILD_MEMBER_ADD, GUILD_MEMBER_REMOVE       KindJoin, KindLeave: in the room where the server greets its members
//	CHANNEL_UPDATE                              KindTopic, where the topic is another one
//	INTERACTION_CREATE                          KindInvocation for slash commands and filled-in windows, KindClick for buttons
//	CHANNEL_..., THREAD_..., GUILD_...          keep what is remembered of rooms and servers
//
// Others are counted in [Adapter.Status] and logged at Debug. What Discord writes itself (somebody joined, a message was
// pinned) is no message. A deletion and a topic have no User: Discord does not say who did it. Joins come where a server has a
// room for system messages.
//
// A thread is a channel of its own in Discord: here Room is the room that it is in and Thread the thread's id, which is that
// of the message below which it began. A forum is a room and its posts are threads.
//
// Event.ID is made of the message's id, so that live and from a history it is one event; for reactions and the like of the
// session and its sequence. Event.Order is the message's id with zeros in front.
//
// Ids of users are global: User.Tenant is empty, and one account is one Key on all servers. Members of the servers in
// Config.Guilds (default: all that the bot is in) are KindMember, those who have not accepted a server's rules yet KindGuest,
// people of other servers KindExternal. In direct messages the servers are asked; when that fails it is KindUnknown, which
// is treated as a guest. Bots and webhooks are KindBot. A nickname is a Name and anybody may choose it.
//
// Text is decoded once: @name for mentions with the User in Mentions, #name for rooms, :name: for the emoji of servers, times
// in UTC. A mention of the bot's own role is one of the bot. What stands in code and only looks like a mention stays as it is.
//
// # Capabilities
//
// Threads (To.Thread may be the id of a message: the thread below it is begun; in direct rooms it is a reply), buttons (25, in
// rows of five), fields and colours (an embed), files (pictures are shown as pictures); [adapter.Editor], [adapter.Deleter],
// [adapter.Reactor] (the character, or name:id), [adapter.Typer], [adapter.Uploader], [adapter.Opener], [adapter.Directory],
// [adapter.DirectOpener], [adapter.TopicSetter] (needs Manage Channels), [adapter.CommandRegistrar], [adapter.FormOpener] (five
// fields), [adapter.Historian], [adapter.HTTPHandler], [adapter.HealthReporter], [adapter.Checker], [adapter.Renderer],
// [adapter.Closer].
//
// There is no [adapter.Finder]: Discord does not show a message's nonce afterwards. Features.IdempotentSend is two minutes instead:
// for so long a message with the same Key certainly is the same one ("the past few minutes", as Discord documents it).
//
// Features.Ephemeral holds with EphemeralOrigin: Discord shows a message to one user alone only as the answer to a command or a
// button. Message.Only without such an Origin is refused; the bot then sends it to the direct room.
//
// Message.Native["discord"] is an array of components, rows of buttons, which take the place of Buttons. A custom id in it is a
// command too.
//
// Each message says whom it notifies: those whom code mentions, with Notify everybody, and nobody else, whatever stands in the
// text. Links are not unfolded unless Message.Previews is set.
//
// # Commands
//
// [Adapter.RegisterCommands] makes slash commands of the bot's commands: words become subcommands, arguments typed options with
// choices, or with completion from the command itself. What Discord has is read first and only replaced where it differs. The
// error names each command that is over Discord's limits ([CheckCommands] tells without a network); it works when it is typed.
//
// Discord waits three seconds for an answer. What the bot says within two is the answer; after that the adapter asks Discord to
// wait, and the answer takes that place. Everybody sees it, and so an answer for one user alone does not take that place: the
// adapter takes the waiting away and answers its user. For a button nothing shows, and the answer is a message of its own. What
// comes after the first answer follows it. Fifteen minutes later, or when the room is another one, it is an ordinary message; one
// for a single user then goes to the direct room, or is [adapter.ErrForbidden]. Another process can answer too, after a restart: all
// that is needed is in Event.Origin. A command that the bot does not take within 2.5 s is not run later, and its user is told.
//
// # Limits
//
// A message has at most 2,000 characters and is split by Render; a button's label 80 (it is cut), its command 100, each of its
// own in a message; a field's value 1,024, fields and a coloured text together 6,000; ten files of 10 MiB; a topic 1,024.
// A message for one user can be changed for 15 minutes, by the process that posted it.
//
// Send waits for its turn, four messages at once and then one a second in a room, and for the limits that Discord's answers tell;
// where that would take over five seconds it is an [adapter.RateLimitError] with the time. No more than 45 requests a second leave.
// With 8,000 refusals in ten minutes everything stops until they are over: at 10,000 Discord bans the address. Nothing is tried
// twice by itself.
//
// One connection serves up to 2,500 servers; this adapter does not shard.
//
// # Raw type
//
// [Decode] gives the value of github.com/bwmarrin/discordgo. The token of a command or a click is in Event.Origin alone, which is never
// logged, and in what Decode gives.
//
// # Delivery and order
//
// Discord delivers an event once: there is no acknowledgement, and Features.Replay is false. The events of a room or thread go to
// the sink one after the other in the order in which they came, each until the sink has taken it; a room whose events are not taken
// holds up no other one, and never the connection. Messages over the bounds (512 in a room, 4,096 in all) are read from the history
// when the bot has caught up; other events over them are lost, counted and reported as a gap.
//
// The connection is made again whenever it ends, at most once a second, with pauses up to 30 s while that fails, and goes on where
// it ended: Discord replays what came meanwhile. Where it cannot (Discord forgets a session after a few minutes), and after a
// restart with Config.Positions, the rooms and threads with new messages are read from where they were left, oldest first, up to
// 2,000 messages of each, and the 200 direct rooms last heard; these events are Backfilled and may come after newer live ones.
// Edits, deletions, reactions, commands and clicks of such a gap are lost: the log and [Adapter.Status] say so, and where a history
// could not be read whole. One that cannot be read for a while is read when it can be; live messages of its room go on meanwhile.
//
// The connection is this package's own, over github.com/gorilla/websocket, and not the library's; see runSocket for the reasons.
package discord
