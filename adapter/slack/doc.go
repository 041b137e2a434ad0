// Package slack connects a bot to Slack, over Socket Mode (no address of your own needed) or over HTTP.
//
// # Setup
//
// From nothing to the first answer:
//
//  1. Make the app. Open https://api.slack.com/apps, "Create New App", "From a manifest", choose the workspace and paste what
//     [Manifest] gives (the bot examples/anywhere prints it with -manifest slack). The manifest asks for [DefaultScopes], for
//     the events below, for Socket Mode and for a slash command for each command of the bot.
//
//  2. Install it: page "Install App". The "Bot User OAuth Token" there, xoxb-..., is Config.BotToken.
//
//  3. Page "Basic Information", "App-Level Tokens", "Generate": with the scope connections:write. The token, xapp-..., is
//     Config.AppToken.
//
//  4. Start the bot:
//
//     a, err := slack.New(slack.Config{BotToken: os.Getenv("SLACK_BOT_TOKEN"), AppToken: os.Getenv("SLACK_APP_TOKEN")})
//     bot, err := starling.New(starling.Config{Adapters: []adapter.Adapter{a}, Router: rt, Brain: brain.New(store)})
//     err = bot.Run(ctx)
//
//  5. In Slack: "/invite @starling" in a room, then "@starling help". A direct message to the bot needs no invitation.
//
// Run checks the tokens first: a wrong one, or a scope that is missing, ends it with an error that says what to do. When the
// bot's commands change, paste the new manifest on the app's page "App Manifest"; when scopes change, install the app again.
//
// HTTP mode needs Config.SigningSecrets ("Signing Secret" on the page Basic Information) and no AppToken; make the manifest
// with [App].URL, where the bot's server mounts [Adapter.HTTPHandler]: /adapters/slack/. Both modes may be on. While a
// signing secret is replaced give both, the new one first.
//
// Config.Positions lets a bot read what was said while it was down; a namespace of the brain does.
//
// # Events
//
//	message.channels, .groups, .im, .mpim   KindMessage, KindEdit, KindDelete, KindTopic
//	app_mention                             the same KindMessage as the message it is: both have one ID
//	reaction_added, reaction_removed        KindReaction; the name without colons and without the colour of the skin
//	member_joined_channel, member_left_...  KindJoin, KindLeave
//	slash commands                          KindInvocation; the command without its slash, "job-list" as "job list" again
//	buttons                                 KindClick; those in a message
//	forms                                   KindInvocation with Invocation.Form; those of [Adapter.OpenForm]
//	user_change, channel_rename, ...        make the names that are remembered be asked for again
//
// Others are acknowledged, counted in [Adapter.Status] and logged at Debug. A change of a message that leaves its text (a
// preview came) is none. A deletion has no User: Slack does not say who did it. A reaction does not say its thread.
//
// Event.ID of what was said is made of room and stamp, and is the same live, delivered again, and from a history. Event.Order
// is Slack's stamp. User.Tenant is the workspace of the bot for everybody, so that one person is one Key also where Slack
// does not say where they come from; people of other workspaces (Slack Connect) have KindExternal, guests KindGuest, and
// who cannot be looked up KindUnknown, which is treated as a guest.
//
// Text is decoded once: entities, @name for mentions with the User in Mentions, #name for rooms, the address for links, or
// what was typed where Slack made it a link; a no-break space is a space.
//
// # Capabilities
//
// Threads, buttons, fields, files, messages that one user alone sees; [adapter.Editor], [adapter.Deleter], [adapter.Reactor]
// (names, and about 130 emoji characters), [adapter.Uploader], [adapter.Opener], [adapter.Directory], [adapter.DirectOpener],
// [adapter.TopicSetter] (with the further scopes channels:write.topic and groups:write.topic), [adapter.Historian],
// [adapter.Finder], [adapter.CommandRegistrar] (for the names alone: Slack takes commands from the manifest),
// [adapter.FormOpener] (a modal), [adapter.HTTPHandler], [adapter.Renderer], [adapter.Closer]. There is no typing notice:
// Slack has none for bots.
//
// Text is shown by package markdown, and goes out as mrkdwn where that shows all of it. Data with characters that mrkdwn
// would format goes out as rich text, in which nothing is interpreted. A text with headings, lists, tasks, tables, lines
// across, or code in a language goes out as a block of type markdown, which has these, with a plain text for notifications.
// But with a mention, a link to a room, a time, a mass mention or a colour, or with & < > in code, such a text is mrkdwn:
// Slack documents these for mrkdwn alone. Headings are then bold lines, lists have bullets, tables are aligned code, and
// invisible characters keep data from being formatted. & < > are escaped in all of them, so that nothing in a text mentions
// or links. Links are not unfolded unless Message.Previews is set.
//
// Message.Color is the bar of an attachment: good, warning, danger. Fields are those of sections. Files go out after the
// text, streamed where their size is known; a picture has the end of its name from its type, by which Slack shows it as one,
// and its name is read aloud. A picture in a text is a link to it: Slack would fetch it from wherever it is.
//
// Message.Native["slack"] is an array of Block Kit blocks, which go out as they are instead of text, fields and buttons; the
// text is shown in notifications. A button in it is a command too: its value is the command.
//
// A command, a click or a form where the bot is no member is answered over Slack's response_url: within 29 minutes of the
// command or click, to the room, or with Message.Only to whoever it came from and nobody else.
//
// A form is opened within three seconds of a command, a click or another form, once for each. It has at most 100 fields; a
// choice has at most 75 characters, a value 3,000. The window knows the room and thread of what it was opened from, and the
// event of what was entered is in that conversation. What was entered is taken as it is delivered.
//
// # Limits
//
// A message has at most 4,000 characters (3,000 of mrkdwn with buttons or fields) and 50 blocks, and is split by Render; a
// button's label 75 (it is cut), its command 2,000; a field 2,000; a file 1 GiB, 32 MiB if it does not say its size. An
// ephemeral message cannot be changed, deleted or found again, and a file's Ref names the file: it can be deleted alone.
//
// Send waits for its turn, three messages at once and then one a second in a room; where that would take over five seconds
// it is an [adapter.RateLimitError] with the time. Slack's own Retry-After is kept. Nothing is tried twice by itself.
//
// Names of 20,000 users and 10,000 rooms are remembered, for 20 minutes. Up to 4,096 events wait for the bot, 512 in one
// conversation; what is over is left to Slack, which delivers it again.
//
// # Raw type
//
// Event.Raw is the inner event, the slash command or the interaction as Slack sent it, without what lets whoever has it answer: tokens,
// the response_url, the trigger_id. [Decode] gives the value of github.com/slack-go/slack, with the response_url and the trigger_id
// out of Event.Origin, which is never logged.
//
// # Delivery and order
//
// An event is acknowledged after the sink has taken it. Slack waits three seconds, then delivers again: at once, after one
// minute, after five. What comes again while the sink still has it, or within 15 minutes after it was taken, is not handed
// over twice. A command or a click is not delivered again, so the adapter tries the sink for 2.5 s; after that the person
// sees Slack's own error.
//
// The events of a conversation go to the sink one after the other in the order in which they came; a conversation whose
// events are not taken holds up no other one, and never the connection. Slack does not promise an order, and what is
// delivered again comes later than what followed it: Event.Order tells.
//
// The connection is made again whenever it ends, at most once a second, with pauses up to 30 s while that fails. After more
// than 30 s without one, and after a restart with Config.Positions, the rooms' histories are read from where they were left,
// oldest first, up to 2,000 messages of a room, with the threads that were lately spoken in; these events are Backfilled and
// may come after newer live ones. So is what the bot could not take while Slack tried. Edits, deletions, reactions, commands
// and clicks of such a gap are lost: the log and [Adapter.Health] say so, and where a history could not be read whole. A bot
// in very many rooms reads them at the pace that Slack allows: about 50 a minute.
package slack
