package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/handler"
)

// childVar names the folder of a campaign: it makes the program the child of one.
const (
	childVar      = "STARLING_CAMPAIGN_CHILD"
	mutantVar     = "STARLING_CAMPAIGN_MUTANT"
	idempotentVar = "STARLING_CAMPAIGN_IDEMPOTENT"
)

const (
	socketName = "platform.sock"
	storeName  = "bot.db"
	logName    = "bot.log"
	sendsName  = "sends.jsonl"
	traceName  = "trace.txt"
)

// idempotentFor is how long the platform knows a key again, where it does.
const idempotentFor = 10 * time.Minute

// childLife ends a child whatever happens.
const childLife = 30 * time.Minute

// child runs a bot in the folder of a campaign until SIGTERM. It ends at once when its parent does.
func child(dir string) error {
	orphan := func() { os.Exit(3) }
	time.AfterFunc(childLife, orphan)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // the parent holds the other end and writes nothing
		orphan()
	}()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	logFile, err := os.OpenFile(filepath.Join(dir, logName), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	conn, err := net.Dial("unix", filepath.Join(dir, socketName))
	if err != nil {
		return err
	}
	l := newLink(conn)
	tell := func(m line) { _ = l.send(m) } // a platform that is gone ends the process
	p := newPoints(tell)
	disk, err := bolt.Open(bolt.Config{Path: filepath.Join(dir, storeName)})
	if err != nil {
		return err
	}
	mutant := os.Getenv(mutantVar)
	inner, err := mutate(disk, mutant)
	if err != nil {
		return err
	}
	store := newGuarded(inner, p, tell)
	c := &client{link: l, points: p, waiting: map[int]chan string{}, ackFirst: mutant == mutantAckFirst, gone: orphan}
	c.features = adapter.Features{Replay: true}
	if os.Getenv(idempotentVar) != "" {
		c.features.IdempotentSend = idempotentFor
	}
	c.control = func(m line) {
		switch m.Type {
		case lineArm:
			p.arm(m.Point, m.N)
		case lineFault:
			store.fail(m.Point, time.Duration(m.N)*time.Millisecond)
		}
	}
	rt := handler.NewRouter()
	var bot *starling.Bot
	routes(rt, p, tell, func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) { return bot.Send(ctx, m) })
	bot, err = starling.New(starling.Config{
		Adapters: []adapter.Adapter{c}, Router: rt, Brain: brain.New(store), Limits: unlimited(), Grace: grace, Attempts: attempts,
		Logger: slog.New(slog.NewTextHandler(logFile, nil)).With("pid", os.Getpid()),
	})
	if err != nil {
		return err
	}
	go c.listen()
	err = bot.Run(ctx)
	letters, derr := bot.DeadLetters(context.Background())
	for _, d := range letters {
		fmt.Fprintf(os.Stderr, "campaign: dead letter %s: %s\n", d.Key, d.Reason)
	}
	return errors.Join(err, derr, store.Close())
}

// attempts is more than any event of a campaign can need: its crashes are all the campaign's doing. A slow handler that is met by
// every one of twelve kills in a row was once put aside as poison.
const attempts = 1000

// unlimited is no limit: the campaign measures what comes after the limits.
func unlimited() starling.Limits { return starling.Limits{UserRate: -1, RoomRate: -1} }
