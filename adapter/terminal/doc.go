// Package terminal connects a bot to the terminal it was started in, or to a pipe: the first adapter to try, no account
// needed.
//
// # Setup
//
// The zero [Config] is ready:
//
//	a := terminal.New(terminal.Config{})
//
// When standard input and output are both a terminal there is a prompt with line editing (the keys of Emacs and the
// arrows), a history of 500 lines, completion of command names with Tab, and colour, unless NO_COLOR is set
// (https://no-color.org) or TERM is dumb. Otherwise, or with Config.Plain, it is a filter: one line in, plain text out, and
// Run ends at the end of the input. Input that ends before any line says
// so on Err.
//
// Logs go through [Adapter.LogWriter], so that they never break the prompt:
//
//	logger := slog.New(slog.NewTextHandler(a.LogWriter(), &slog.HandlerOptions{Level: slog.LevelWarn}))
//
// On a terminal long records are wrapped between words, as is all that the adapter itself says.
//
// What the process writes past the adapter (fmt.Print) does not know of the prompt and draws over it.
//
// In a terminal Ctrl-D on an empty line and Ctrl-C end Run; Ctrl-C also calls Config.Interrupt, to which a bot with
// further adapters gives the stop function of signal.NotifyContext. The terminal is put back as it was whenever Run
// ends, by a panic of the sink too; after that a Ctrl-C is a real SIGINT again. A process that is killed by a signal it
// does not handle cannot put it back ("reset" does).
//
// With Config.Playground these lines act instead of being said; they let one person play a whole team:
//
//	/as NAME           the next lines are said by NAME
//	/room NAME         the next lines are said in the channel #NAME
//	/dm                back to the direct room with the bot
//	/thread N          into the thread of the bot's message N; /thread alone leaves it
//	/react N EMOJI     puts a reaction on the bot's message N
//	/press N BUTTON    presses a button of the bot's message N, by its number or its label
//	/edit N TEXT       changes line N of those that the current user said, counted from 1
//	/quit              ends Run
//
// Another word after the slash is ordinary text, and without Playground so is all of them. A line that cannot act
// is answered with one line on Err. From a pipe /thread, /react and /press wait up to two seconds for a message N that
// is not shown yet, since nobody looks before typing.
//
// # Events
//
// What is typed is KindMessage from Config.User in the direct room dm-USER; the text is the line without its newline.
// In a playground there are KindEdit, KindReaction and KindClick too, and rooms of kind RoomChannel. Mentioned is set
// where the text has @BotName. Ids are made from a random number of the process and a count: they do not repeat after a
// restart. Empty lines are ignored. Bytes that are no UTF-8 become U+FFFD; all else that was typed stays in the event,
// invisible characters included.
//
// # Capabilities
//
// Text is shown by package markdown: bold, italic and struck out text, headings, lists, tasks, quotes, aligned tables, code,
// and links with their address, in lines that fit the width that the terminal has at that moment; code and tables are not
// wrapped. Times are in the zone of the machine. A pipe gets the same as plain text, with long lines and times in UTC.
//
// Threads, buttons (shown with numbers), fields, messages that one user alone sees; [adapter.Editor], [adapter.Deleter],
// [adapter.Reactor], [adapter.TopicSetter], [adapter.DirectOpener], [adapter.Directory], [adapter.CommandRegistrar] (for
// completion) and [adapter.Closer]. Of a file only name and size are shown, and there is no typing notice. A message
// with Only is held back until that user is the current one (see Limits).
//
// Messages look like this, where the number is shown in a terminal alone:
//
//	[1] starling> in the direct room of the current user
//	  further lines are indented; code or a table that begins a message begins there
//	[2] #ops starling> in a room
//	[3] #ops/2 starling> in a thread
//	[4] @alice starling> in the direct room of another user
//	[5] #ops (only alice) starling> for one user
//	[6] starling> Deploy?
//	  [1] Yes  [2] No
//	starling (edited 1)> new text
//	starling deleted 1
//	starling reacted 👍 to 2
//	starling reacted 👍 to line 7
//	#ops topic: new topic
//
// A reaction to "line 7" is one to what the current user said. A thread below a user's line is shown as #ops/you-7.
//
// From what is shown escape sequences are removed whole, with their parameters, and so are control characters (but line
// feed and tab), bidirectional controls and zero-width characters, the joiners of emoji included: text, markup and data
// alike, cannot move the cursor, rewrite a line, or look like a line of its own. The sequences that are shown are the
// renderer's. In a log line on a terminal colours alone are left.
//
// # Limits
//
// A line has at most 1 MiB, of which the bot takes 64 KiB, and in a terminal 4,096 characters; what is over is discarded,
// Event.Truncated is set, and Err says so. The last 1,000 messages of the bot and the last 1,000 lines can be referred to,
// older ones are [adapter.ErrNotFound]; the same bound is on users and rooms that were seen, and 100 messages that wait for
// their Only user: the oldest goes. There is no limit on the text of a message. Wide characters (East Asian, emoji) are
// counted as one column while a line is edited: with the cursor inside such a line, or where it wraps, the display can be
// off; the text is right.
//
// # Raw type
//
// None: Event.Raw is empty.
//
// # Delivery and order
//
// Lines are delivered one after the other in the order typed. A terminal cannot deliver again, so when the sink gives
// an error the line stays here and is tried again with a growing pause (100 ms to 5 s) until ctx ends; Err says so
// once. [adapter.ErrRejected] is said on Err too. In a terminal up to 1,024 lines can be typed ahead meanwhile.
//
// A Read of In cannot be interrupted: when ctx ends Run returns at once, and one goroutine may stay blocked in Read until
// In gives something or is closed. What it reads, and every line that was read and not delivered, is delivered by the
// next Run. A line that is half typed at a prompt is dropped.
//
// Messages appear in the order of the calls of Send, each in one Write. Send, and the other verbs, work before, during
// and after Run, until Close.
package terminal
