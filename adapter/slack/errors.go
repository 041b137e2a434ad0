package slack

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	slackgo "github.com/slack-go/slack"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/apiclient"
)

// fail says what an error of the library means, in the errors of package adapter. An error that says nothing certain (5xx,
// a body that cannot be read, a lost connection) stays as it is: its outcome is unknown.
func (a *Adapter) fail(verb string, err error) error {
	if err == nil {
		return nil
	}
	wrap := func(kind error, text string) error {
		if errors.Is(kind, adapter.ErrAuth) {
			a.doubt.Raise()
		}
		if text == "" {
			return fmt.Errorf("slack: %s: %w", verb, kind)
		}
		return fmt.Errorf("slack: %s: %w: %s", verb, kind, text)
	}
	var limited *slackgo.RateLimitedError
	if errors.As(err, &limited) {
		return wrap(&adapter.RateLimitError{RetryAfter: max(limited.RetryAfter, 0)}, "")
	}
	var status slackgo.StatusCodeError
	if errors.As(err, &status) {
		if status.Code == http.StatusTooManyRequests {
			return wrap(&adapter.RateLimitError{}, "")
		}
		return fmt.Errorf("slack: %s: %w", verb, err)
	}
	var refused slackgo.SlackErrorResponse
	if errors.As(err, &refused) {
		cure, kind := meaning(refused)
		if kind == nil {
			return fmt.Errorf("slack: %s: %w", verb, err)
		}
		return wrap(kind, cure)
	}
	var unsent *apiclient.NotSentError
	if errors.As(err, &unsent) {
		return fmt.Errorf("slack: %s: %w: %w", verb, adapter.ErrUnavailable, err)
	}
	return fmt.Errorf("slack: %s: %w", verb, err)
}

// meaning gives what to do about a code, and its error of package adapter; nil for a code that says nothing certain.
// The codes are those of https://docs.slack.dev/reference/methods/chat.postMessage#errors and its siblings.
func meaning(e slackgo.SlackErrorResponse) (cure string, kind error) {
	code := e.Err
	switch code {
	case "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired":
		return code + ": the token is wrong, expired or revoked; install the app again and copy the new one", adapter.ErrAuth
	case "not_allowed_token_type":
		return code + ": the bot token (xoxb-) and the app token (xapp-) are mixed up", adapter.ErrAuth
	case "missing_scope":
		needed := e.Needed
		if needed == "" {
			needed = "(Slack does not say which)"
		}
		return fmt.Sprintf("the token lacks the scope %s: add it on the app's page OAuth & Permissions and install the app again", needed), adapter.ErrForbidden
	case "not_in_channel", "user_not_in_channel":
		return code + ": who speaks or is spoken to is not in that room; invite them first", adapter.ErrForbidden
	case "no_permission", "is_archived", "access_denied", "ekm_access_denied", "org_login_required", "team_access_not_granted", "cant_update_message",
		"cant_delete_message", "edit_window_closed", "cannot_dm_bot", "method_not_supported_for_channel_type", "messages_tab_disabled", "not_allowed",
		"cant_delete_file", "external_channel_migrating", "slack_connect_file_upload_sharing_blocked", "user_is_restricted", "file_uploads_disabled":
		return code, adapter.ErrForbidden
	case "channel_not_found", "user_not_found", "users_not_found", "user_not_visible", "user_disabled", "message_not_found", "thread_not_found",
		"file_not_found", "file_deleted", "bad_timestamp", "no_item_specified",
		"expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id", "trigger_expired", "trigger_exchanged", "invalid_trigger":
		return code, adapter.ErrNotFound
	case "msg_too_long", "msg_blocks_too_long", "too_long", "file_upload_size_restricted", "too_many_attachments", "too_many_reactions", "view_too_large":
		return code, adapter.ErrTooLong
	case "no_text", "invalid_name", "invalid_arguments", "invalid_arg_name", "invalid_blocks", "invalid_blocks_format", "invalid_attachments",
		"invalid_form_data", "invalid_charset", "duplicate_message_not_found", "cannot_reply_to_message", "invalid_users", "invalid_user":
		return code, adapter.ErrInvalid
	case "ratelimited", "rate_limited":
		return "", &adapter.RateLimitError{}
	}
	switch {
	case strings.HasPrefix(code, "restricted_action"):
		return code, adapter.ErrForbidden
	case strings.HasPrefix(code, "metadata_"), strings.HasPrefix(code, "invalid_metadata"):
		return code, adapter.ErrInvalid
	}
	return "", nil
}
