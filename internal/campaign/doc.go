// Command campaign breaks a bot on purpose and counts what is lost.
//
// The parent is the platform: it offers events over a socket, offers again what is not acknowledged within a second, and
// records all that is posted in one file. The child is a real starling.Bot on brain/bolt whose adapter is a thin client of
// the parent. The parent kills the child at random times and at named fail points, lets its store fail, and stops it under
// load, and answers what it is asked; in the end it compares what was said and stored with what was offered, prints one line of JSON, and exits with 1 and
// the reasons on stderr where a promise is broken.
//
//	go run ./internal/campaign -kills 20 -events 5000 -rate 500 -seed 1
//	go run ./internal/campaign -idempotent
//	go run ./internal/campaign -mutant nofsync        # must fail
//	go run ./internal/campaign -flood | -soak 1000000 [-window 10s] | -throughput
//
// Fail points, faults and mutants live in what the child puts around the bot (store, adapter, handlers), never in the bot.
package main
