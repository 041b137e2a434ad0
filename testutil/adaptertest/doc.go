// Package adaptertest is the conformance suite for implementers of adapter.Adapter.
//
//	func TestConformance(t *testing.T) {
//		adaptertest.Run(t, func(t testing.TB) adaptertest.Harness {
//			p := newFakePlatform(t) // speaks the platform's real protocol on a loopback port
//			return adaptertest.Harness{
//				Open:  func() (adapter.Adapter, error) { return mychat.New(mychat.Config{Token: p.token, URL: p.url}) },
//				Users: p.users, Rooms: p.rooms, Say: p.say, Posts: p.posts,
//				Mention: p.mention, React: p.react, Press: p.press, Drop: p.drop, // as much as the far side can do
//				Close: p.close,
//			}
//		})
//	}
//
// A [Harness] is the far side: it does what people do, and shows what they see. The suite stands on the other side, where
// the bot is. Each rule of the contract is a [Case] with a stable name and a sentence that is printed when it is broken.
// Which cases run is chosen by adapter.Features, by the optional interfaces that the adapter has, and by what the harness
// can do. Run ends with a table of what ran and what was skipped, with the reason: nothing is skipped silently. [Check]
// does the same without failing the test.
//
// The suite is itself tested: mutant_test.go breaks a good adapter in one way after another, and requires that the cases
// made for that fault fail; there is no case without a mutant. world_test.go is a harness to copy from, which lacks
// nothing, and reference_test.go an adapter that claims everything.
//
// # Checklist for a new adapter
//
// Life:
//
//   - Name and Features never change. Nothing touches the network before Run, Send or a verb.
//   - Run reconnects by itself, also while the platform is away; it returns an error only for what no retry helps, such as
//     adapter.ErrAuth. It returns nil soon after its context ended, whatever it waits for: a Sink, a connection, a pause.
//   - No Sink is called after Run has returned, and the context of each call ends with that of Run.
//   - Run may be called again. Send works from New to Close; after that all verbs are adapter.ErrClosed.
//   - Every goroutine has ended when Close returns, or soon after it.
//
// Events:
//
//   - ID and MessageID are the platform's: a redelivery has the same, an edit has an ID of its own and the MessageID of
//     what was edited, and no restart repeats one.
//   - User has Adapter, the platform's immutable ID, and Kind; bots are bots, and the bot's own account is Self, by id,
//     whichever process posted.
//   - Text is decoded once. Mentioned, BotName and a leading "@BotName" go together.
//   - The event belongs to the Sink from the call on: keep no pointer into it.
//   - Acknowledge after the Sink returned nil or adapter.ErrRejected, never before, and nothing else. What is unknown or
//     broken is acknowledged and skipped.
//   - Calls of the Sink for one room begin in the platform's order, and one that blocks or fails loses nothing behind it.
//
// Messages:
//
//   - One Send is one post. An error tells the truth by adapter.OutcomeOf: what may have been posted is Unknown, and is
//     not sent again unless the platform recognises it by Message.Key.
//   - The Ref survives JSON and is good for Edit, Delete and React in a later process.
//   - Render is pure, cuts nothing off, and gives parts that fit Features; data is shown as itself.
//   - What is claimed works. What is not claimed is adapter.ErrUnsupported or shown in the text, and never dropped without
//     a word: above all Message.Only is never shown to the room.
//
// # Waiting
//
// What must happen may take Harness.Wait; what must not happen is given Harness.Settle. With Harness.Bubble each case runs
// in a testing/synctest bubble, where neither takes any time; an adapter that leaves a goroutine behind then makes the
// bubble panic with its stack. Suites may run in parallel: goroutines are told apart by the profiler labels that they
// inherit (a goroutine of a timer, time.AfterFunc, has none and is not looked for).
package adaptertest
