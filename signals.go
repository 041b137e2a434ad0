package starling

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// ErrForced is what RunUntilSignal returns when a second signal ended it.
var ErrForced = errors.New("starling: a second signal forced the exit")

// RunUntilSignal is Run for a program's main: SIGINT or SIGTERM begins the drain, and a second one ends it at once: what is
// unfinished is logged, and it returns ErrForced without waiting, so that the program can exit.
func (b *Bot) RunUntilSignal(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	for n := 1; ; n++ {
		select {
		case err := <-ended:
			return err
		case s := <-signals:
			if n == 1 {
				b.log.Info("the bot stops; a second signal ends it at once", "signal", s.String(), "within", b.cfg.DrainTimeout)
				cancel()
				continue
			}
			b.logUnfinished(b.mailboxes.close())
			return ErrForced
		}
	}
}
