package mattermost

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/apiclient"
)

// fail says what an error of the library means, in the errors of package adapter. An error that says nothing certain (5xx,
// a body that cannot be read, a lost connection) stays as it is: its outcome is unknown. The status is that of the response:
// for an answer that is no JSON, as that of the rate limit, the library makes up one of its own.
func (a *Adapter) fail(verb string, resp *model.Response, err error) error {
	if err == nil {
		return nil
	}
	var limited *adapter.RateLimitError
	if errors.As(err, &limited) {
		return fmt.Errorf("mattermost: %s: %w", verb, limited)
	}
	var unsent *apiclient.NotSentError
	if errors.As(err, &unsent) {
		return fmt.Errorf("mattermost: %s: %w: %w", verb, adapter.ErrUnavailable, unsent.Err)
	}
	status, id := 0, ""
	var app *model.AppError
	if errors.As(err, &app) {
		id = app.Id
	}
	if resp != nil {
		status = resp.StatusCode
	}
	if status == http.StatusTooManyRequests {
		return fmt.Errorf("mattermost: %s: %w", verb, &adapter.RateLimitError{RetryAfter: retryAfter(resp.Header)})
	}
	if app == nil { // the network
		return fmt.Errorf("mattermost: %s: %w", verb, err)
	}
	what := describe(status, id)
	cure, kind := meaning(status, id)
	if kind == nil {
		return fmt.Errorf("mattermost: %s: %s", verb, what)
	}
	if errors.Is(kind, adapter.ErrAuth) {
		a.doubt.Raise()
	}
	if cure != "" {
		what += ": " + cure
	}
	return fmt.Errorf("mattermost: %s: %w: %s", verb, kind, what)
}

// describe names an answer: its status, and the id of the error where the server gave one. What else it says may hold what
// somebody wrote.
func describe(status int, id string) string {
	if id == "" || len(id) > 200 || strings.HasPrefix(id, "model.utils.decode_json") {
		return fmt.Sprintf("status %d", status)
	}
	if id == "api.unmarshal_error" {
		return "the answer could not be read"
	}
	return fmt.Sprintf("%s (status %d)", id, status)
}

// meaning gives what to do about an answer, and its error of package adapter; nil for one that says nothing certain. The ids are
// those of the server's source (api4, app, model).
func meaning(status int, id string) (cure string, kind error) {
	switch id {
	case "model.post.is_valid.msg.app_error", "model.post.is_valid.props.app_error", "model.channel.is_valid.header.app_error",
		"app.upload.create.upload_too_large.app_error", "api.file.upload_file.too_large_detailed.app_error", "model.post.is_valid.file_ids.app_error":
		return "", adapter.ErrTooLong
	case "api.post.create_post.root_id.app_error", "api.post.create_post.channel_root_id.app_error":
		return "the message that begins the thread is gone", adapter.ErrNotFound
	case "api.channel.create_direct_channel.invalid_user.app_error", "interactive_message.decode_trigger_id.expired":
		return "", adapter.ErrNotFound
	case "api.post.create_post.can_not_post_to_deleted.error", "api.post.update_post.can_not_update_post_in_deleted.error", "api.post.delete_post.can_not_delete_post_in_deleted.error":
		return "the room is archived", adapter.ErrForbidden
	case "api.post.update_post.permissions_time_limit.app_error":
		return "the time in which posts may be edited is over; an administrator sets it", adapter.ErrForbidden
	case "api.file.attachments.disabled.app_error":
		return "an administrator has turned file attachments off", adapter.ErrForbidden
	}
	switch {
	case status >= 300 && status < 400:
		return "the server redirects: set Config.URL to the address that it redirects to", adapter.ErrInvalid
	case status == http.StatusUnauthorized:
		return "Config.Token is wrong, expired or revoked, or the bot is disabled: enable the bot (Integrations, Bot Accounts), make a new token there and set Config.Token", adapter.ErrAuth
	case status == http.StatusForbidden:
		return "the bot is not in that room, or lacks a permission there: invite it, or let an administrator give its role the permission", adapter.ErrForbidden
	case status == http.StatusNotFound:
		return "", adapter.ErrNotFound
	case status == http.StatusRequestEntityTooLarge:
		return "", adapter.ErrTooLong
	case status == http.StatusNotImplemented && id != "":
		return "the server's settings do not allow it", adapter.ErrUnsupported
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusConflict:
		return "", adapter.ErrInvalid
	}
	return "", nil
}
