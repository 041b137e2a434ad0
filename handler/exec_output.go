package handler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// maxLine is where Program.Line cuts a line.
const maxLine = 8 << 10

// Output is what a program has written to one stream, or its beginning and its end.
type Output struct {
	Head    []byte // the beginning, or all
	Omitted int64  // bytes left out between Head and Tail
	Tail    []byte // what follows, or the end
}

// String is the output as text; where bytes were left out a line says how many.
func (o Output) String() string {
	text := string(o.Head) + string(o.Tail)
	if o.Omitted > 0 {
		text = fmt.Sprintf("%s\n... %d bytes left out ...\n%s", o.Head, o.Omitted, o.Tail)
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// capture keeps the beginning and the end of a stream, however long it is.
type capture struct {
	head, tail []byte // tail is a ring once it is full
	heads      int    // the most of head
	tails      int    // and of tail
	at         int    // where the ring begins
	total      int64
}

func newCapture(limit int) *capture { return &capture{heads: (limit + 1) / 2, tails: limit / 2} }

func (c *capture) add(p []byte) {
	c.total += int64(len(p))
	if n := min(c.heads-len(c.head), len(p)); n > 0 {
		c.head = append(c.head, p[:n]...)
		p = p[n:]
	}
	if len(p) > c.tails {
		p = p[len(p)-c.tails:]
	}
	if n := min(c.tails-len(c.tail), len(p)); n > 0 {
		c.tail = append(c.tail, p[:n]...)
		p = p[n:]
	}
	for len(p) > 0 {
		n := copy(c.tail[c.at:], p)
		c.at = (c.at + n) % len(c.tail)
		p = p[n:]
	}
}

func (c *capture) output() Output {
	tail := append(append([]byte(nil), c.tail[c.at:]...), c.tail[:c.at]...)
	return Output{Head: c.head, Omitted: c.total - int64(len(c.head)) - int64(len(tail)), Tail: tail}
}

// read takes what the program writes to a stream until it ends or is closed.
func (x *running) read(ctx context.Context, f *os.File, stream Stream, c *capture) {
	buf := make([]byte, 32<<10)
	lines := &splitter{tell: func(line string) { x.line(ctx, stream, line) }}
	if x.p.Line == nil && !x.p.Progress {
		lines = nil
	}
	for {
		n, err := f.Read(buf)
		c.add(buf[:n])
		if lines != nil {
			lines.add(buf[:n])
		}
		if err != nil {
			if lines != nil {
				lines.end()
			}
			return
		}
	}
}

// line gives one line to who wants it. A panic ends the program.
func (x *running) line(ctx context.Context, stream Stream, line string) {
	x.lines.Lock()
	defer x.lines.Unlock()
	defer func() {
		if v := recover(); v != nil {
			x.once.Do(func() {
				x.err = fmt.Errorf("panic of Program.Line: %v", v)
				close(x.failed)
			})
		}
	}()
	select {
	case <-x.failed:
		return
	default:
	}
	if x.p.Line != nil {
		x.p.Line(stream, line)
	}
	if x.p.Progress && strings.TrimSpace(line) != "" && time.Since(x.shown) >= progressEvery {
		x.shown = time.Now()
		if err := x.r.Progress(ctx, "%s", line); err != nil && ctx.Err() == nil {
			x.r.Log().Warn("exec: progress cannot be shown", "error", err)
		}
	}
}

// splitter makes lines of chunks.
type splitter struct {
	tell func(string)
	line []byte
	any  bool // there is a line, if an empty one
}

func (s *splitter) add(p []byte) {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		part := p
		if i >= 0 {
			part = p[:i]
		}
		s.line = append(s.line, part[:min(len(part), maxLine-len(s.line))]...)
		s.any = true
		if i < 0 {
			return
		}
		s.end()
		p = p[i+1:]
	}
}

func (s *splitter) end() {
	if !s.any {
		return
	}
	line := strings.ToValidUTF8(strings.TrimSuffix(string(s.line), "\r"), "\uFFFD")
	s.line, s.any = s.line[:0], false
	s.tell(line)
}

// pipes are the bot's ends of what a program reads and writes, and until it has started its ends.
type pipes struct {
	in, out, errs *os.File
	theirs        []*os.File
	input         string
}

// connect makes the pipes.
func (x *running) connect() (*pipes, error) {
	f := &pipes{input: x.p.Input + x.p.SecretInput.Reveal()}
	pipe := func() (*os.File, *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			f = nil
		}
		return r, w
	}
	out, outTheirs := pipe()
	errs, errsTheirs := pipe()
	inTheirs, in := pipe()
	if f == nil {
		for _, file := range []*os.File{out, outTheirs, errs, errsTheirs, in, inTheirs} {
			if file != nil {
				_ = file.Close()
			}
		}
		return nil, errors.New("no more files can be opened; raise the limit of open files")
	}
	f.in, f.out, f.errs, f.theirs = in, out, errs, []*os.File{inTheirs, outTheirs, errsTheirs}
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = inTheirs, outTheirs, errsTheirs
	return f, nil
}

// started closes the program's ends.
func (f *pipes) started() {
	for _, file := range f.theirs {
		_ = file.Close()
	}
}

// write gives the program its input. That it does not read all of it is its choice.
func (f *pipes) write() {
	_, _ = io.WriteString(f.in, f.input)
	_ = f.in.Close()
}

func (f *pipes) close() {
	_ = f.in.Close()
	_ = f.out.Close()
	_ = f.errs.Close()
}
