package terminal

import (
	"bytes"
	"context"
	"io"
	"unicode/utf8"
)

// source reads In in a way that a context can end. A Read that is under way when the context ends goes on in its
// goroutine, and what it brings is the first that the next call gives.
type source struct {
	r       io.Reader
	chunk   []byte // the buffer; owned by the goroutine of pending while there is one
	unread  []byte // of chunk
	err     error  // of the last Read, given once unread is used up; then for good
	pending chan result
}

type result struct {
	n   int
	err error
}

// fill gives what is read and not used; at least one byte without an error.
func (s *source) fill(ctx context.Context) ([]byte, error) {
	for empty := 0; len(s.unread) == 0; empty++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if s.err != nil {
			return nil, s.err
		}
		if empty == 100 {
			return nil, io.ErrNoProgress
		}
		if s.pending == nil {
			if s.chunk == nil {
				s.chunk = make([]byte, 32<<10)
			}
			pending := make(chan result, 1) // so that the goroutine ends with its Read, whoever listens
			go func() {
				n, err := s.r.Read(s.chunk)
				pending <- result{n, err}
			}()
			s.pending = pending
		}
		select {
		case r := <-s.pending:
			s.pending, s.unread, s.err = nil, s.chunk[:r.n], r.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.unread, nil
}

// use marks the first n bytes as used.
func (s *source) use(n int) { s.unread = s.unread[n:] }

// next gives one byte.
func (s *source) next(ctx context.Context) (byte, error) {
	p, err := s.fill(ctx)
	if err != nil {
		return 0, err
	}
	s.use(1)
	return p[0], nil
}

// lineReader makes lines of a source. It keeps what it has of a line when the context ends.
type lineReader struct {
	buf  []byte
	over bool // something of this line was discarded
}

// next gives a line without its newline, and whether something over maxLine was discarded. A last line without a newline
// is a line; the error comes with the call after it.
func (l *lineReader) next(ctx context.Context, s *source) (line string, truncated bool, err error) {
	for {
		p, err := s.fill(ctx)
		if err != nil {
			if ctx.Err() == nil && len(l.buf) > 0 {
				line, truncated = l.take()
				return line, truncated, nil
			}
			return "", false, err
		}
		i := bytes.IndexByte(p, '\n')
		part := p
		if i >= 0 {
			part = p[:i]
		}
		// one byte more than maxLine: it may be the CR of a CRLF
		if room := maxLine + 1 - len(l.buf); len(part) > room {
			l.buf, l.over = append(l.buf, part[:room]...), true
		} else {
			l.buf = append(l.buf, part...)
		}
		if i < 0 {
			s.use(len(p))
			continue
		}
		s.use(i + 1)
		line, truncated = l.take()
		return line, truncated, nil
	}
}

func (l *lineReader) take() (string, bool) {
	b, over := l.buf, l.over
	if !over {
		b = bytes.TrimSuffix(b, []byte{'\r'})
	}
	if len(b) > maxLine {
		b, over = b[:maxLine], true
	}
	if over { // do not leave half a character
		for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
			if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
				if !utf8.FullRune(tail) {
					b = b[:len(b)-n]
				}
				break
			}
		}
	}
	line := string(b)
	if l.buf = l.buf[:0]; cap(l.buf) > 64<<10 {
		l.buf = nil
	}
	l.over = false
	return line, over
}
