package apiclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/starlingbot/starling/adapter"
)

// Content is the content of a file on its way to a platform. Whoever reads it waits no longer than its context: the file itself is
// opened and read by a goroutine of its own, because a Read that heeds no context would hold up a request, and who made it, past its
// end. Make one with [Open]. Read is for one goroutine at a time, Close and Fault for several.
type Content struct {
	pipe   *io.PipeReader
	forget func() bool // of the context

	mu    sync.Mutex
	fault error
}

// Open opens a file that is to be sent. Its errors, and those of reading, are [adapter.ErrUnavailable] where ctx ended, so that the
// file may be sent again, and [adapter.ErrInvalid] for one that cannot be opened or read, or is not as long as its Size says.
func Open(ctx context.Context, f adapter.File) (*Content, error) {
	if f.Open == nil {
		return nil, fmt.Errorf("%w: it cannot be opened any more", adapter.ErrInvalid)
	}
	r, w := io.Pipe()
	opened := make(chan error, 1)
	go pass(ctx, f, w, opened)
	select {
	case err := <-opened:
		if err != nil {
			return nil, err
		}
	case <-ctx.Done():
		_ = r.Close()
		return nil, faultOf(ctx, "open", ctx.Err())
	}
	return &Content{pipe: r, forget: context.AfterFunc(ctx, func() { _ = w.CloseWithError(faultOf(ctx, "read", ctx.Err())) })}, nil
}

// pass opens a file, says so, and writes its content to w.
func pass(ctx context.Context, f adapter.File, w *io.PipeWriter, opened chan error) {
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic: %v", adapter.ErrInvalid, p)
		}
		select {
		case opened <- err: // it was not opened
		default:
		}
		_ = w.CloseWithError(err) // of nil: its end
	}()
	body, err := f.Open(ctx)
	if err != nil {
		err = faultOf(ctx, "open", err)
		return
	}
	defer func() { _ = body.Close() }()
	opened <- nil
	n, err := copyContent(w, body, f.Size)
	switch {
	case err != nil:
		err = faultOf(ctx, "read", err)
	case f.Size > 0 && n < f.Size:
		err = fmt.Errorf("%w: it has %d of the %d bytes that it says", adapter.ErrInvalid, n, f.Size)
	case f.Size > 0 && n > f.Size:
		err = fmt.Errorf("%w: it is longer than the %d bytes that it says", adapter.ErrInvalid, f.Size)
	}
}

// copyContent copies size bytes, or if it is 0 all there are, and tells how many there are: of those that are over, the first. The
// last one is held back until the end is seen, so that whoever is told a size does not take a part of a longer file for the whole.
func copyContent(w io.Writer, body io.Reader, size int64) (n int64, err error) {
	if size <= 0 {
		return io.Copy(w, body)
	}
	if n, err = io.CopyN(w, body, size-1); err == nil {
		var end bytes.Buffer
		var over int64
		over, err = io.CopyN(&end, body, 2)
		if n += over; over == 1 && errors.Is(err, io.EOF) {
			_, err = w.Write(end.Bytes())
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// faultOf gives an error of a file its class.
func faultOf(ctx context.Context, verb string, err error) error {
	kind := adapter.ErrInvalid
	if ctx.Err() != nil { // it is not the file's
		kind = adapter.ErrUnavailable
	}
	return fmt.Errorf("%w: %s: %w", kind, verb, err)
}

// Read implements [io.Reader].
func (c *Content) Read(p []byte) (int, error) {
	n, err := c.pipe.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		c.mu.Lock()
		c.fault = err
		c.mu.Unlock()
	}
	return n, err
}

// Fault is the error that reading has met: with it what was sent is no whole file. The end of the file and a Close are none.
func (c *Content) Fault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}

// Close ends the reading, also one that is under way. The file is closed when it is not read any more.
func (c *Content) Close() error {
	c.forget()
	return c.pipe.Close()
}
