//lint:file-ignore ST1005 errors begin with the names of what they judge

package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/starlingbot/starling/adapter"
)

func fileCases() []Case {
	return []Case{
		{Name: "files/in", needs: []need{far("Share")}, Rule: "a shared file is in Files with its name, and its Open gives the content, more than once", run: live(func(s *stage) error {
			f, want, err := s.share()
			if err != nil {
				return err
			}
			if f.Open == nil {
				if _, ok := adapter.As[adapter.Opener](s.a); ok {
					return nil // files/reopened does it
				}
				return errors.New("File.Open is nil, and the adapter is no adapter.Opener")
			}
			for range 2 {
				if err := s.reads(want, f.Open); err != nil {
					return fmt.Errorf("File.Open: %w", err)
				}
			}
			return nil
		})},
		{Name: "files/reopened", needs: []need{far("Share"), verb[adapter.Opener]}, Rule: "Opener opens a file that came in by its stored ID, after a restart too; one that does not exist is ErrNotFound", run: live(func(s *stage) error {
			f, want, err := s.share()
			if err != nil {
				return err
			}
			var kept adapter.File
			if err := json.Unmarshal([]byte(encode(f)), &kept); err != nil {
				return err
			}
			if !s.a.Features().Local {
				if err := s.restart(); err != nil {
					return err
				}
			}
			o, _ := adapter.As[adapter.Opener](s.a)
			open := func(ctx context.Context) (io.ReadCloser, error) { return o.Open(ctx, kept) }
			if err := s.reads(want, open); err != nil {
				return fmt.Errorf("Open: %w", err)
			}
			kept.ID = s.h.Missing.File
			return wants("Open of a file that does not exist", s.reads(want, open), adapter.ErrNotFound)
		})},
		{Name: "files/out", needs: []need{claims("Files")}, Rule: "the files of a message are posted with their names and content", run: live(func(s *stage) error {
			one, two := s.token("report"), s.token("log\x00\xff")
			text := s.token("see")
			if _, err := s.post(&adapter.Message{To: s.to(s.room()), Text: text, Files: []adapter.File{content("a.txt", one), content("b.bin", two)}}); err != nil {
				return err
			}
			err := s.until("both files are shown", func() bool { return s.hasFile("a.txt", one) && s.hasFile("b.bin", two) })
			if err != nil {
				return err
			}
			_, err = s.once(text)
			return err
		})},
		{Name: "files/too-large", needs: []need{claims("Files"), claims("MaxFile")}, Rule: "a file over Features.MaxFile is ErrTooLong, and nothing of it is posted", run: live(func(s *stage) error {
			f := s.large()
			_, err := s.post(&adapter.Message{To: s.to(s.room()), Text: s.token("see"), Files: []adapter.File{f}})
			if err := wants("Send", err, adapter.ErrTooLong); err != nil {
				return err
			}
			return s.noFile(f.Name)
		})},
		{Name: "upload/works", needs: []need{verb[adapter.Uploader]}, Rule: "Upload posts a file by itself; one over Features.MaxFile is ErrTooLong", run: live(func(s *stage) error {
			u, _ := adapter.As[adapter.Uploader](s.a)
			text := s.token("report")
			err := s.ask("Upload", func(ctx context.Context) error {
				_, err := u.Upload(ctx, s.to(s.room()), content("up.txt", text))
				return err
			})
			if err != nil {
				return err
			}
			if err := s.until("the file is shown", func() bool { return s.hasFile("up.txt", text) }); err != nil {
				return err
			}
			if s.a.Features().MaxFile == 0 {
				return nil
			}
			f := s.large()
			err = s.ask("Upload", func(ctx context.Context) error { _, err := u.Upload(ctx, s.to(s.room()), f); return err })
			return first(wants("Upload", err, adapter.ErrTooLong), s.noFile(f.Name))
		})},
	}
}

// content makes a file to send.
func content(name, text string) adapter.File {
	return adapter.File{Name: name, Size: int64(len(text)), Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}
}

// large makes a file that is one byte over the limit.
func (s *stage) large() adapter.File {
	size := s.a.Features().MaxFile + 1
	return adapter.File{Name: "large" + s.label + ".bin", Size: size, Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(zeros{}, size)), nil
	}}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// share lets a person share a file and gives it as it came, with its content.
func (s *stage) share() (adapter.File, string, error) {
	text, want := s.token("have this"), s.token("content\x00\xff")
	if err := s.h.Share(s.user(), s.room(), text, File{Name: "notes.txt", Content: want}); err != nil {
		return adapter.File{}, "", theirs("Share", err)
	}
	ev, err := s.hear(text)
	if err != nil {
		return adapter.File{}, "", err
	}
	if len(ev.Files) != 1 || ev.Files[0].Name != "notes.txt" || ev.Files[0].Size != 0 && ev.Files[0].Size != int64(len(want)) {
		return adapter.File{}, "", fmt.Errorf("Files = %s, want notes.txt of %d bytes", encode(ev.Files), len(want))
	}
	return ev.Files[0], want, nil
}

// reads opens and wants the content.
func (s *stage) reads(want string, open func(context.Context) (io.ReadCloser, error)) error {
	return s.ask("open", func(ctx context.Context) error {
		r, err := open(ctx)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(r)
		err = first(err, r.Close())
		if err == nil && string(b) != want {
			err = fmt.Errorf("the content is %q, want %q", brief(string(b)), want)
		}
		return err
	})
}

// hasFile tells whether the file is shown in the first room.
func (s *stage) hasFile(name, want string) bool {
	for _, p := range s.h.Posts() {
		for _, f := range p.Files {
			if f.Name == name && f.Content == want && p.Room == s.room() {
				return true
			}
		}
	}
	return false
}

// noFile wants no file of that name after a while.
func (s *stage) noFile(name string) error {
	s.quiet()
	for _, p := range s.h.Posts() {
		for _, f := range p.Files {
			if f.Name == name {
				return fmt.Errorf("%q is shown", name)
			}
		}
	}
	return nil
}
