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

// RunUntilSignal is Run for a program's main: SIGINT or SIGTERM begins the drain, and one that comes while the bot stops, for
// whatever reason, ends it at once: what is unfinished is logged, and it returns ErrForced without waiting, so that the program can exit.
func (b *Bot) RunUntilSignal(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stopped := ctx.Done() // by a signal, or by whoever gave ctx: as Ctrl-C at the prompt of adapter/terminal
	for {
		select {
		case err := <-ended:
			return err
		case <-stopped:
			stopped = nil
			b.log.Warn("the bot stops; a signal ends it at once", "within", b.cfg.DrainTimeout)
		case s := <-signals:
			if ctx.Err() == nil {
				b.log.Info("the bot is told to stop", "signal", s.String())
				cancel()
				continue
			}
			b.logUnfinished()
			b.closeMailboxes()
			return ErrForced
		}
	}
}
