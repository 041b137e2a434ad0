// Package testutil drives a bot in a test: several people talk to it in rooms, threads and private, press its buttons and
// react; the test says what it must answer, in which order, and where it must be silent. It imports the standard library
// and Starling alone.
//
//	func TestPing(t *testing.T) {
//		b := testutil.Start(t, starling.Config{Router: routes()})
//		alice := b.User("alice")
//
//		alice.Say("#ops", "starling ping")
//		b.Expect("#ops", "PONG")
//
//		alice.Say("#ops", "I like ping-pong")
//		b.ExpectSilence("#ops")
//
//		question := alice.Say("#ops", "starling deploy api to prod")
//		post := b.Expect(question.Thread(), "Deploy api to prod?")
//		b.User("bob").Press(post, "Yes")
//		b.Expect(question.Thread(), "Done.")
//	}
//
// # Places
//
// A place is a string: "#ops" is the room, without its threads; "#ops/3" the thread under message 3 of that room, counted
// from 1 over all that people and the bot have said there; "@alice" the direct room of alice and the bot. Rooms and users
// come into being when they are spoken of. The ids behind the names are others ("c-ops", "u-alice"), as on real platforms;
// [Bot.Room] and User.ID give them.
//
// # Time
//
// Everything works inside testing/synctest, where time is fake: timeouts, retries and schedules take no time.
//
//	synctest.Test(t, func(t *testing.T) {
//		b := testutil.Start(t, cfg)
//		b.User("alice").Say("#ops", "starling remind me in 10 minutes")
//		b.Expect("#ops", "I will.")
//		time.Sleep(10 * time.Minute)
//		b.Expect("#ops", "alice: you wanted to be reminded.")
//	})
//
// Make the store inside too: what is made outside of a bubble does not know its time.
//
// # Stops and crashes
//
// The chat and the store (Config.Brain) outlive the bot. [Bot.Restart] stops it as SIGTERM does and starts it again;
// [Bot.Kill] cuts it off in the middle of whatever it does, and [Bot.Start] starts the next one on the same store:
//
//	alice.Say("#ops", "starling order pizza")
//	<-ordering // the handler is at work
//	b.Kill()
//	b.Start()
//	b.Expect("#ops", "Your pizza is ordered.")
//
// The chat delivers again what the bot did not take. [ChatConfig] and [Chat.FailSends] make it a platform with limits,
// refusals and lost answers; a store that fails is a brain.Store of the test's own.
//
// # Golden transcripts
//
// A conversation can be written down as a file, which reads as documentation and is compared with what the bot says:
//
//	func TestTranscripts(t *testing.T) {
//		testutil.Transcript(t, starling.Config{Router: routes(), Brain: brain.New(memory.New())}, "testdata/karma.txt")
//	}
//
// where testdata/karma.txt is
//
//	# People give each other points.
//	alice #ops> bob++ for the fix
//	alice #ops> starling karma bob
//	#ops starling> bob has 1.
//
//	# In private the name of the bot is not needed.
//	bob> karma bob
//	@bob starling> bob has 1.
//
//	# A restart forgets nothing.
//	-- restart --
//	bob> karma bob
//	@bob starling> bob has 1.
//
// The forms are:
//
//	alice #ops> text                     she says something; "> " lines of one user have no sigil in front
//	alice #ops/1> text                   in the thread under message 1 of #ops
//	alice> text                          to the bot in private
//	alice #ops reacts 👍 to 2            or unreacts; without "to 2": to the last message there
//	alice #ops presses "Yes" on 3        without "on 3": the last message with such a button
//	alice #ops edits 1: text             without the number: her last message there
//	alice #ops deletes 1
//	alice #ops invokes /deploy api       a native slash command
//	alice #ops joins                     or leaves
//	alice #ops sets the topic: text
//	#ops starling> text                  the bot says something
//	#ops/1 starling> text                in a thread
//	@alice starling> text                in private
//	#ops (only alice) starling> text     so that alice alone sees it
//	#ops starling (edited 2)> text       it changes its message 2; also: deleted 2, reacted 👍 to 1
//	#ops topic: text
//	-- restart --                        or: -- kill --
//	-- 10m pass --                       inside testing/synctest
//	-- eve is a guest --                 or a member, an external, a bot
//	-- anything else --                  what the test says in [Bot.Directions]
//	# comment
//
// Further lines of a message are indented by two spaces; fields, files and buttons ("[Yes] [No]") are lines of their own
// below the text. After each line of a person the bot is waited for until it is idle. What the bot makes up, such as ids, has
// the names of [Bot.Random].
//
// A file that is not what happened fails the test and shows the difference. STARLING_UPDATE=1 rewrites it, and so does
// -update where the test has that flag:
//
//	var _ = flag.Bool("update", false, "rewrite the golden transcripts")
//
// # Limits
//
// A [Chat] keeps all that was said until the test ends. Outside testing/synctest [Bot.Idle], and with it
// [Bot.ExpectSilence] and transcripts, are based on [starling.Stats] and the store: what a bot says by itself without a
// stored record (Bot.Send without a brain; that somebody is too fast) may be a moment late. Inside it is exact.
package testutil
