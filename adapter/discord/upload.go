package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/apiclient"
)

// Upload implements [adapter.Uploader]. The file is read as it is sent; one over 10 MiB is [adapter.ErrTooLong], and nothing of
// it is posted.
func (a *Adapter) Upload(ctx context.Context, to adapter.Address, f adapter.File) (adapter.Ref, error) {
	return a.Send(ctx, &adapter.Message{To: to, Files: []adapter.File{f}})
}

// deliver makes a request with a message, and with its files where it has any. wrap puts the message into what the
// address wants; nil: it is the message itself.
func (a *Adapter) deliver(ctx context.Context, verb, method, path string, body *payload, files []adapter.File, wrap func(*payload) any, into any) error {
	if wrap == nil {
		wrap = func(p *payload) any { return p }
	}
	if len(files) == 0 {
		return a.call(ctx, verb, method, path, wrap(body), into)
	}
	c := *body
	c.Attachments = nil
	for i, f := range files {
		c.Attachments = append(c.Attachments, attachment{ID: i, Filename: fileName(f)})
	}
	raw, err := json.Marshal(wrap(&c))
	if err != nil {
		return fmt.Errorf("discord: %s: %w: %w", verb, adapter.ErrInvalid, err)
	}
	form, err := newForm(ctx, raw, files)
	if err != nil {
		return fmt.Errorf("discord: %s: %w", verb, err)
	}
	err = a.stream(ctx, verb, method, path, form.contentType, form, form.size, into)
	form.close()
	if why := form.fault(); why != nil && err != nil { // what was sent is no whole request: nothing was posted
		return fmt.Errorf("discord: %s: %w", verb, why)
	}
	return err
}

// fileName is the name under which a file is shown. Discord shows what it is by its name.
func fileName(f adapter.File) string {
	name := path.Base(strings.ReplaceAll(f.Name, "\\", "/"))
	if name == "." || name == "/" || name == "" {
		name = "file"
	}
	if path.Ext(name) == "" {
		switch mediaType(f.Type) {
		case "image/png":
			name += ".png"
		case "image/jpeg":
			name += ".jpg"
		case "image/gif":
			name += ".gif"
		case "image/webp":
			name += ".webp"
		}
	}
	return name
}

// form is a request with files (https://discord.com/developers/docs/reference#uploading-files), read piece by piece.
type form struct {
	contentType string
	size        int64 // -1: nobody knows

	files []*content

	mu     sync.Mutex // the transport may read on when the answer is here
	pieces []io.Reader
}

// fault gives what was wrong with a file, in an error of package adapter. It is called after close.
func (f *form) fault() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.files {
		if c.long {
			return fmt.Errorf("%w: the file %q has more than %d bytes", adapter.ErrTooLong, c.name, maxFile)
		}
		if err := c.Fault(); err != nil {
			return fmt.Errorf("the file %q: %w", c.name, err)
		}
	}
	return nil
}

func newForm(ctx context.Context, message []byte, files []adapter.File) (*form, error) {
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	f := &form{contentType: w.FormDataContentType()}
	cut := func() { // what was written since the last piece is a piece
		b := bytes.Clone(head.Bytes())
		head.Reset()
		f.pieces = append(f.pieces, bytes.NewReader(b))
		if f.size >= 0 {
			f.size += int64(len(b))
		}
	}
	part := func(disposition map[string]string, contentType string) (io.Writer, error) {
		h := textproto.MIMEHeader{}
		h.Set("Content-Disposition", mime.FormatMediaType("form-data", disposition))
		h.Set("Content-Type", contentType)
		return w.CreatePart(h)
	}
	to, err := part(map[string]string{"name": "payload_json"}, "application/json")
	if err == nil {
		_, err = to.Write(message)
	}
	for i, file := range files {
		if err != nil {
			break
		}
		contentType := mediaType(file.Type)
		if contentType == "" {
			contentType = "application/octet-stream"
		}
		if _, err = part(map[string]string{"name": fmt.Sprintf("files[%d]", i), "filename": fileName(file)}, contentType); err != nil {
			break
		}
		cut()
		opened, openErr := apiclient.Open(ctx, file)
		if openErr != nil {
			err = fmt.Errorf("the file %q: %w", file.Name, openErr)
			break
		}
		c := &content{Content: opened, name: file.Name}
		f.files, f.pieces = append(f.files, c), append(f.pieces, c)
		if file.Size > 0 && f.size >= 0 {
			f.size += file.Size
		} else {
			f.size = -1
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		f.close()
		if adapter.OutcomeOf(err) == adapter.Unknown {
			err = fmt.Errorf("%w: %w", adapter.ErrInvalid, err)
		}
		return nil, err
	}
	cut()
	return f, nil
}

// Read implements [io.Reader].
func (f *form) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.pieces) > 0 {
		n, err := f.pieces[0].Read(p)
		if errors.Is(err, io.EOF) {
			f.pieces = f.pieces[1:]
			err = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

// close ends the reading, also one that is under way.
func (f *form) close() {
	for _, c := range f.files {
		_ = c.Close()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pieces = nil
}

// content is a file that may be no longer than Discord takes. What is wrong ends the request in its middle.
type content struct {
	*apiclient.Content
	name string
	read int64
	long bool
}

// Read implements [io.Reader].
func (c *content) Read(p []byte) (int, error) {
	n, err := c.Content.Read(p)
	if c.read += int64(n); c.read > maxFile {
		c.long = true
		return 0, adapter.ErrTooLong
	}
	return n, err
}

// Open implements [adapter.Opener]: the address of a file holds for a day alone, so it is asked for each time. Errors: those of
// the interface.
func (a *Adapter) Open(ctx context.Context, f adapter.File) (io.ReadCloser, error) {
	if err := a.life.Usable(ctx, "open a file"); err != nil {
		return nil, err
	}
	ids := strings.Split(f.ID, "/") // channel, message, file
	if len(ids) != 3 || !isID(ids[0]) || !isID(ids[1]) || !isID(ids[2]) {
		return nil, fmt.Errorf("discord: open a file: %w: %q is no id of one", adapter.ErrNotFound, cutRunes(f.ID, 80))
	}
	var m wireMessage
	if err := a.call(ctx, "open a file", http.MethodGet, "channels/"+ids[0]+"/messages/"+ids[1], nil, &m); err != nil {
		return nil, err
	}
	address := ""
	for _, at := range m.Attachments {
		if at.ID == ids[2] {
			address = at.URL
		}
	}
	switch {
	case address == "":
		return nil, fmt.Errorf("discord: open the file %q: %w", f.Name, adapter.ErrNotFound)
	case !a.trusted(address):
		return nil, fmt.Errorf("discord: open the file %q: %w: it lies outside of discord", f.Name, adapter.ErrForbidden)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("discord: open the file %q: %w", f.Name, adapter.ErrInvalid)
	}
	resp, err := a.web.Do(req) // without the token: the address is enough
	if err != nil {
		return nil, a.fail("open a file", err, &note{})
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	_ = resp.Body.Close()
	why := fmt.Errorf("%w: %s", adapter.ErrUnavailable, resp.Status)
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		why = adapter.ErrNotFound
	case http.StatusForbidden, http.StatusUnauthorized:
		why = adapter.ErrForbidden
	case http.StatusTooManyRequests:
		why = &adapter.RateLimitError{RetryAfter: retryAfter(&note{header: resp.Header})}
	}
	return nil, fmt.Errorf("discord: open the file %q: %w", f.Name, why)
}

// trusted tells whether an address is Discord's, or that of Config.APIURL.
func (a *Adapter) trusted(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch strings.ToLower(u.Hostname()) {
	case "cdn.discordapp.com", "media.discordapp.net":
		return u.Scheme == "https"
	}
	api, err := url.Parse(a.cfg.APIURL)
	return err == nil && u.Scheme == api.Scheme && u.Host == api.Host
}

// opener makes the Open of a file that came in.
func (a *Adapter) opener(f adapter.File) func(context.Context) (io.ReadCloser, error) {
	return func(ctx context.Context) (io.ReadCloser, error) { return a.Open(ctx, f) }
}
