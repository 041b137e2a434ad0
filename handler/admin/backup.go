package admin

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

const backupTimeout = 10 * time.Minute

// backup sends the brain as a file to the direct room. The file is made while it is sent, so that it is never in memory as a
// whole where the adapter takes a stream.
func (c *commands) backup(ctx context.Context, r *handler.Request, _ handler.None) error {
	if r.Event.Room.Kind != adapter.RoomDirect {
		return handler.UserErrorf("Everybody here would see the file. Ask me in private.")
	}
	if err := c.audit(ctx, r, "backup", ""); err != nil {
		return err
	}
	name := "backup-" + time.Now().UTC().Format("20060102T150405Z") + ".jsonl"
	_, err := r.Send(ctx, &adapter.Message{
		Text: "The brain as it is now. It holds what people said: keep it where the bot's state is kept.",
		Files: []adapter.File{{
			Name: name, Type: "application/jsonl", Open: func(ctx context.Context) (io.ReadCloser, error) { return export(ctx, c.Backup), nil },
		}},
	})
	if errors.Is(err, adapter.ErrTooLong) {
		return &handler.UserError{Text: "The brain is larger than a file may be here. Export it from the program (brain.Export).", Err: err}
	}
	return err
}

// exporting is an export that is read. Close ends it and waits for it.
type exporting struct {
	*io.PipeReader
	stop context.CancelFunc
	done chan struct{}
}

// export begins an export. Nothing of it is ahead of what is read but a buffer.
func export(ctx context.Context, b *brain.Brain) io.ReadCloser {
	ctx, stop := context.WithCancel(ctx)
	r, w := io.Pipe()
	e := &exporting{r, stop, make(chan struct{})}
	go func() {
		defer close(e.done)
		w.CloseWithError(b.Export(ctx, w)) // the reader gets the error, or the end of the file
	}()
	return e
}

// Close ends the export.
func (e *exporting) Close() error {
	e.stop()
	err := e.PipeReader.Close()
	<-e.done
	return err
}
