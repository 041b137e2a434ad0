package slack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/apiclient"
)

// maxSpool is how much of a file of unknown size is read to learn it; Slack wants the size first.
const maxSpool = 32 << 20

// Upload implements [adapter.Uploader]. A file whose Size is 0 is read into memory first, up to 32 MiB. The Ref names the
// file and not its message, which Slack does not tell.
func (a *Adapter) Upload(ctx context.Context, to adapter.Address, f adapter.File) (adapter.Ref, error) {
	if err := a.life.Usable(ctx, "upload"); err != nil {
		return adapter.Ref{}, err
	}
	if to.Room == "" {
		return adapter.Ref{}, fmt.Errorf("slack: upload: %w: no room", adapter.ErrInvalid)
	}
	if f.Size > maxFile {
		return adapter.Ref{}, fmt.Errorf("slack: upload: %w: %q has %d bytes", adapter.ErrTooLong, f.Name, f.Size)
	}
	if err := a.turn(ctx, to.Room); err != nil {
		return adapter.Ref{}, err
	}
	id, err := a.share(ctx, to, "", []adapter.File{f})
	if err != nil {
		err = a.fail("upload", err)
		a.pace.Refused(to.Room, err)
		return adapter.Ref{}, err
	}
	return adapter.Ref{Address: to, ID: id}, nil
}

// share uploads files and posts them in one message. Only the last call posts anything; what fails before it was certainly
// not posted. The error is one of the library, or of package adapter.
func (a *Adapter) share(ctx context.Context, to adapter.Address, comment string, list []adapter.File) (string, error) {
	var done []slackgo.FileSummary
	for _, f := range list {
		id, err := a.put(ctx, f)
		if err != nil {
			return "", err
		}
		done = append(done, slackgo.FileSummary{ID: id, Title: f.Name})
	}
	_, err := a.api.CompleteUploadExternalContext(ctx, slackgo.CompleteUploadExternalParameters{
		Files: done, Channel: to.Room, ThreadTimestamp: to.Thread, InitialComment: comment,
	})
	if err != nil {
		return "", err
	}
	return filePrefix + done[0].ID, nil
}

// put uploads one file without showing it.
func (a *Adapter) put(ctx context.Context, f adapter.File) (string, error) {
	name, alt := fileName(f)
	if f.Size > maxFile {
		return "", fmt.Errorf("the file %q has %d bytes: %w", name, f.Size, adapter.ErrTooLong)
	}
	body, err := apiclient.Open(ctx, f)
	if err != nil {
		return "", fmt.Errorf("the file %q: %w", name, err)
	}
	defer func() { _ = body.Close() }()
	var content io.Reader = body
	size := f.Size
	if size <= 0 {
		b, err := io.ReadAll(io.LimitReader(body, maxSpool+1))
		if err != nil {
			return "", fmt.Errorf("the file %q: %w", name, err)
		}
		if len(b) > maxSpool {
			return "", fmt.Errorf("the file %q does not say its size and is over %d bytes: %w", name, maxSpool, adapter.ErrTooLong)
		}
		content, size = bytes.NewReader(b), int64(len(b))
	}
	if size == 0 {
		return "", fmt.Errorf("the file %q is empty: %w", name, adapter.ErrInvalid)
	}
	u, err := a.api.GetUploadURLExternalContext(ctx, slackgo.GetUploadURLExternalParameters{FileName: name, FileSize: int(size), AltTxt: alt})
	if err != nil {
		return "", apiclient.NothingPosted(a.fail("upload", err))
	}
	if !a.mayCarry(u.UploadURL) {
		return "", fmt.Errorf("slack gave an upload address that is not its own: %w", adapter.ErrForbidden)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.UploadURL, content)
	if err != nil {
		return "", fmt.Errorf("upload: %w", adapter.ErrInvalid)
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := a.web.Do(req)
	if why := body.Fault(); why != nil {
		err = fmt.Errorf("the file %q: %w", name, why)
	}
	if resp != nil {
		defer func() { _ = resp.Body.Close() }()
	}
	if err != nil {
		return "", apiclient.NothingPosted(err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode != http.StatusOK {
		return "", apiclient.NothingPosted(fmt.Errorf("upload the file %q: %s", name, resp.Status))
	}
	return u.FileID, nil
}

// fileName gives the name under which a file is shown. Slack knows a picture, which it shows as one, by the end of its name.
// alt is read aloud in place of a picture.
func fileName(f adapter.File) (name, alt string) {
	if name = f.Name; name == "" {
		name = "file"
	}
	end := ""
	switch f.Type {
	case "image/png":
		end = ".png"
	case "image/jpeg":
		end = ".jpg"
	case "image/gif":
		end = ".gif"
	case "image/webp":
		end = ".webp"
	default:
		return name, ""
	}
	alt = strings.TrimSuffix(name, path.Ext(name))
	if ext := strings.ToLower(path.Ext(name)); ext != end && (ext != ".jpeg" || end != ".jpg") {
		name += end
	}
	return name, alt
}

// mayCarry tells whether an address is Slack's, or that of Config.APIURL: the token goes to no other.
func (a *Adapter) mayCarry(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if u.Scheme == "https" && (host == "slack.com" || strings.HasSuffix(host, ".slack.com") || host == "slack-gov.com" || strings.HasSuffix(host, ".slack-gov.com")) {
		return true
	}
	api, err := url.Parse(a.cfg.APIURL)
	return err == nil && u.Scheme == api.Scheme && u.Host == api.Host
}

// Open implements [adapter.Opener]. Errors: those of the interface.
func (a *Adapter) Open(ctx context.Context, f adapter.File) (io.ReadCloser, error) {
	if err := a.life.Usable(ctx, "open a file"); err != nil {
		return nil, err
	}
	if f.ID == "" {
		return nil, fmt.Errorf("slack: open a file: %w: no id", adapter.ErrNotFound)
	}
	var info struct {
		slackgo.SlackResponse
		File struct {
			URL      string `json:"url_private_download"`
			Private  string `json:"url_private"`
			Mimetype string `json:"mimetype"`
			External bool   `json:"is_external"`
		} `json:"file"`
	}
	if err := a.call(ctx, "files.info", url.Values{"file": {f.ID}}, &info); err != nil {
		return nil, fmt.Errorf("slack: open a file: %w", err)
	}
	address := info.File.URL
	if address == "" {
		address = info.File.Private
	}
	if info.File.External || !a.mayCarry(address) { // the address is whatever its author chose
		return nil, fmt.Errorf("slack: open the file %q: %w: it lies outside of slack", f.ID, adapter.ErrForbidden)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("slack: open the file %q: %w", f.ID, adapter.ErrInvalid)
	}
	req.Header.Set("Authorization", "Bearer "+a.cfg.BotToken)
	resp, err := a.web.Do(req)
	if err != nil {
		return nil, a.fail("open a file", err)
	}
	why := error(nil)
	switch {
	case resp.StatusCode == http.StatusNotFound:
		why = adapter.ErrNotFound
	case resp.StatusCode == http.StatusTooManyRequests:
		after, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		why = &adapter.RateLimitError{RetryAfter: time.Duration(after) * time.Second}
	case resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusUnauthorized,
		resp.StatusCode == http.StatusOK && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") && info.File.Mimetype != "text/html":
		why = fmt.Errorf("%w: the token may not read it; the scope files:read is needed", adapter.ErrForbidden) // Slack shows its sign-in page
	case resp.StatusCode != http.StatusOK:
		why = fmt.Errorf("%w: %s", adapter.ErrUnavailable, resp.Status)
	}
	if why != nil {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("slack: open the file %q: %w", f.ID, why)
	}
	return resp.Body, nil
}

// opener makes the Open of a file that came in.
func (a *Adapter) opener(f adapter.File) func(context.Context) (io.ReadCloser, error) {
	return func(ctx context.Context) (io.ReadCloser, error) { return a.Open(ctx, f) }
}
