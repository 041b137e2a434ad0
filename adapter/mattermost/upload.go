package mattermost

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/apiclient"
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
	wrong := func(err error) (string, error) {
		return "", fmt.Errorf("mattermost: upload the file %q: %w", name, err)
	}
	fail := func(kind error, format string, args ...any) (string, error) {
		return wrong(fmt.Errorf("%w: %s", kind, fmt.Sprintf(format, args...)))
	}
	limit := a.cfg.MaxFile
	if me := a.me.Load(); me != nil && me.maxFile > 0 {
		limit = min(limit, me.maxFile)
	}
	if f.Size > limit {
		return fail(adapter.ErrTooLong, "it has %d of at most %d bytes", f.Size, limit)
	}
	body, err := apiclient.Open(ctx, f)
	if err != nil {
		return wrong(err)
	}
	defer func() { _ = body.Close() }()
	var content io.Reader = body
	size := f.Size
	if size <= 0 {
		b, err := io.ReadAll(io.LimitReader(body, maxSpool+1))
		if err != nil {
			return wrong(err)
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
		return "", apiclient.NothingPosted(a.fail("upload a file", resp, err))
	}
	if !model.IsValidId(session.Id) {
		return fail(adapter.ErrUnavailable, "the server gave no id")
	}
	info, resp, err := c.UploadData(session.Id, content)
	if why := body.Fault(); why != nil { // what was sent is no whole file
		return wrong(why)
	}
	if err != nil {
		return "", apiclient.NothingPosted(a.fail("upload a file", resp, err))
	}
	if info == nil || !model.IsValidId(info.Id) {
		return fail(adapter.ErrUnavailable, "the server did not say that it has all of it")
	}
	return info.Id, nil
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
		return nil, apiclient.NothingPosted(err)
	}
	return resp.Body, nil
}

// opener makes the Open of a file that came in.
func (a *Adapter) opener(f adapter.File) func(context.Context) (io.ReadCloser, error) {
	return func(ctx context.Context) (io.ReadCloser, error) { return a.Open(ctx, f) }
}
