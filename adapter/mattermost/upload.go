package mattermost

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
)

// maxSpool is how much of a file of unknown size is read to learn it; the server wants the size first.
const maxSpool = 32 << 20

// Upload implements [adapter.Uploader]. A file whose Size is 0 is read into memory first, up to 32 MiB; others are streamed.
func (a *Adapter) Upload(ctx context.Context, to adapter.Address, f adapter.File) (adapter.Ref, error) {
	ref, err := a.Send(ctx, &adapter.Message{To: to, Files: []adapter.File{f}})
	if err != nil {
		return adapter.Ref{}, fmt.Errorf("mattermost: upload: %w", err)
	}
	return ref, nil
}

// putAll uploads files without showing them, and gives their ids.
func (a *Adapter) putAll(ctx context.Context, room string, files []adapter.File) (ids []string, err error) {
	for _, f := range files {
		id, err := a.put(ctx, room, f)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// put uploads one file without showing it (https://api.mattermost.com/#tag/uploads, since version 5.28).
func (a *Adapter) put(ctx context.Context, room string, f adapter.File) (string, error) {
	name := f.Name
	if name == "" {
		name = "file"
	}
	fail := func(kind error, format string, args ...any) (string, error) {
		return "", fmt.Errorf("mattermost: upload the file %q: %w: %s", name, kind, fmt.Sprintf(format, args...))
	}
	limit := a.cfg.MaxFile
	if me := a.me.Load(); me != nil && me.maxFile > 0 {
		limit = min(limit, me.maxFile)
	}
	switch {
	case f.Open == nil:
		return fail(adapter.ErrInvalid, "it cannot be opened any more")
	case f.Size > limit:
		return fail(adapter.ErrTooLong, "it has %d of at most %d bytes", f.Size, limit)
	}
	body, err := f.Open(ctx)
	if err != nil {
		return fail(adapter.ErrInvalid, "open: %v", err)
	}
	defer func() { _ = body.Close() }()
	var content io.Reader = body
	size := f.Size
	if size <= 0 {
		b, err := io.ReadAll(io.LimitReader(body, maxSpool+1))
		if err != nil {
			return fail(adapter.ErrInvalid, "read: %v", err)
		}
		if len(b) > maxSpool {
			return fail(adapter.ErrTooLong, "it does not say its size and is over %d bytes", maxSpool)
		}
		if size = int64(len(b)); size > limit {
			return fail(adapter.ErrTooLong, "it has %d of at most %d bytes", size, limit)
		}
		content = bytes.NewReader(b)
	}
	if size == 0 {
		return fail(adapter.ErrInvalid, "it is empty")
	}
	c := a.with(ctx)
	session, resp, err := c.CreateUpload(&model.UploadSession{ChannelId: room, Filename: name, FileSize: size})
	if err != nil {
		return "", nothingPosted(a.fail("upload a file", resp, err))
	}
	if !model.IsValidId(session.Id) {
		return fail(adapter.ErrUnavailable, "the server gave no id")
	}
	counted := &counter{Reader: io.LimitReader(content, size)}
	info, resp, err := c.UploadData(session.Id, counted)
	switch {
	case err != nil && counted.err != nil:
		return fail(adapter.ErrInvalid, "read: %v", counted.err)
	case err != nil:
		return "", nothingPosted(a.fail("upload a file", resp, err))
	case info == nil || !model.IsValidId(info.Id): // the server waits for the rest
		return fail(adapter.ErrInvalid, "it has %d bytes and said %d", counted.n, size)
	}
	return info.Id, nil
}

// counter remembers how much was read, and why no more.
type counter struct {
	io.Reader
	n   int64
	err error
}

// Read implements [io.Reader].
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// Open implements [adapter.Opener]: the content is streamed. Errors: those of the interface.
func (a *Adapter) Open(ctx context.Context, f adapter.File) (io.ReadCloser, error) {
	if err := a.life.Usable(ctx, "open a file"); err != nil {
		return nil, err
	}
	if !model.IsValidId(f.ID) {
		return nil, fmt.Errorf("mattermost: open a file: %q: %w", f.ID, adapter.ErrNotFound)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.cfg.URL+model.APIURLSuffix+"/files/"+f.ID, nil)
	if err != nil {
		return nil, fmt.Errorf("mattermost: open the file %q: %w", f.ID, adapter.ErrInvalid)
	}
	req.Header.Set("Authorization", "Bearer "+a.cfg.Token)
	resp, err := a.http.do(req)
	if err != nil {
		return nil, a.fail("open a file", nil, err)
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		err := a.fail("open the file "+f.ID, model.BuildResponse(resp), &model.AppError{})
		return nil, nothingPosted(err)
	}
	return resp.Body, nil
}

// opener makes the Open of a file that came in.
func (a *Adapter) opener(f adapter.File) func(context.Context) (io.ReadCloser, error) {
	return func(ctx context.Context) (io.ReadCloser, error) { return a.Open(ctx, f) }
}
