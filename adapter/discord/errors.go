package discord

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/bwmarrin/discordgo"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/apiclient"
)

// apiError is what Discord refused: its code and the text that Discord gives with it.
type apiError struct {
	status, code int
	text         string
	kind         error // of package adapter
	cure         string
}

func (e *apiError) Error() string {
	text := e.text
	if e.cure != "" {
		text += ": " + e.cure
	}
	if e.code == 0 {
		return fmt.Sprintf("%s (HTTP %d)", text, e.status)
	}
	return fmt.Sprintf("%s (code %d)", text, e.code)
}

func (e *apiError) Unwrap() error { return e.kind }

// hasCode tells whether err is a refusal with one of these codes.
func hasCode(err error, codes ...int) bool {
	var e *apiError
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.code == c {
			return true
		}
	}
	return false
}

// fail says what an error of the library means, in the errors of package adapter. The library's own text is not kept: it
// shows addresses with tokens in them. An error that says nothing certain (5xx, a body that cannot be read, a lost
// connection) stays without a class: its outcome is unknown.
func (a *Adapter) fail(verb string, err error, n *note) error {
	if n.status == http.StatusTooManyRequests {
		return fmt.Errorf("discord: %s: %w", verb, &adapter.RateLimitError{RetryAfter: retryAfter(n)})
	}
	var refused *discordgo.RESTError
	if errors.As(err, &refused) {
		e := &apiError{status: n.status}
		if m := refused.Message; m != nil {
			e.code, e.text = m.Code, m.Message
		}
		if e.text == "" {
			e.text = http.StatusText(n.status)
		}
		if refused.Message != nil { // else it is not Discord's API that answers, but something before it
			e.cure, e.kind = meaning(e.status, e.code)
		}
		if errors.Is(e.kind, adapter.ErrAuth) {
			a.doubt.Raise()
		}
		if e.kind == nil {
			return fmt.Errorf("discord: %s: %w", verb, e)
		}
		return fmt.Errorf("discord: %s: %w: %w", verb, e.kind, e)
	}
	var unsent *apiclient.NotSentError
	if errors.As(err, &unsent) {
		return fmt.Errorf("discord: %s: %w: %w", verb, adapter.ErrUnavailable, unsent.Err)
	}
	if n.status != 0 {
		return fmt.Errorf("discord: %s: HTTP %d and an answer that cannot be read", verb, n.status)
	}
	var shown *url.Error // it shows the address
	if errors.As(err, &shown) {
		err = shown.Err
	}
	return fmt.Errorf("discord: %s: %w", verb, err)
}

// meaning gives what to do about a code, and its error of package adapter; nil for one that says nothing certain.
// The codes are those of https://discord.com/developers/docs/topics/opcodes-and-status-codes#json.
func meaning(status, code int) (cure string, kind error) {
	switch code {
	case discordgo.ErrCodeUnknownChannel, discordgo.ErrCodeUnknownGuild, discordgo.ErrCodeUnknownMember, discordgo.ErrCodeUnknownMessage, discordgo.ErrCodeUnknownUser,
		discordgo.ErrCodeUnknownRole, discordgo.ErrCodeUnknownWebhook, discordgo.ErrCodeUnknownInteraction, discordgo.ErrCodeUnknownApplicationCommand,
		discordgo.ErrCodeUnknownApplication, discordgo.ErrCodeInvalidRecipients, discordgo.ErrCodeInvalidWebhookTokenProvided:
		return "", adapter.ErrNotFound
	case discordgo.ErrCodeUnknownEmoji:
		return "Discord wants the emoji itself, or name:id of one of a server that the bot is in", adapter.ErrInvalid
	case discordgo.ErrCodeMissingAccess:
		return "the bot cannot see that room: give its role View Channel there", adapter.ErrForbidden
	case discordgo.ErrCodeMissingPermissions:
		return "the bot's role lacks a permission there: see discord.Invite for what it needs, Manage Channels for topics", adapter.ErrForbidden
	case discordgo.ErrCodeCannotSendMessagesToThisUser:
		return "the user takes no direct messages from the bot", adapter.ErrForbidden
	case discordgo.ErrCodeCannotExecuteActionOnThisChannelType, discordgo.ErrCodeCannotExecuteActionOnDMChannel, discordgo.ErrCodeCannotSendMessagesInVoiceChannel:
		return "", adapter.ErrUnsupported
	case discordgo.ErrCodeCannotEditFromAnotherUser, discordgo.ErrCodeCannotExecuteActionOnSystemMessage, discordgo.ErrCodeReactionBlocked, discordgo.ErrCodeThreadIsLocked,
		discordgo.ErrCodePerformedOperationOnArchivedThread, discordgo.ErrCodeExplicitContentCannotBeSentToTheDesiredRecipients, discordgo.ErrCodeSendMessagesHasBeenTemporarilyDisabled,
		discordgo.ErrCodeMaximumNumberOfActiveThreadsReached, discordgo.ErrCodeChannelVerificationLevelTooHigh, discordgo.ErrCodeCannotReplyWithoutPermissionToReadMessageHistory,
		discordgo.ErrCodeTooManyReactions, discordgo.ErrCodeUnauthorized, errCodeAutoModerated, errCodeAutoModeratedTitle:
		return "", adapter.ErrForbidden
	case discordgo.ErrCodeRequestEntityTooLarge, discordgo.ErrCodeFileUploadedExceedsTheMaximumSize, discordgo.ErrCodeMaximumNumberOfAttachmentsInAMessageReached:
		return "", adapter.ErrTooLong
	case discordgo.ErrCodeCannotSendEmptyMessage, discordgo.ErrCodeInvalidFormBody, discordgo.ErrCodeTheRequestBodyContainsInvalidJSON, discordgo.ErrCodeInvalidFileUploaded,
		discordgo.ErrCodeInvalidStickerSent:
		return "", adapter.ErrInvalid
	case discordgo.ErrCodeInteractionHasAlreadyBeenAcknowledged, discordgo.ErrCodeThreadAlreadyCreatedForThisMessage:
		return "", adapter.ErrInvalid
	case discordgo.ErrCodeThisActionCannotBePerformedDueToSlowmodeRateLimit, discordgo.ErrCodeChannelHasHitWriteRateLimit,
		discordgo.ErrCodeTheWriteActionYouArePerformingOnTheServerHasHitTheWriteRateLimit, discordgo.ErrCodeMaximumNumberOfEditsToMessagesOlderThanOneHourReached,
		discordgo.ErrCodeOpeningDirectMessagesTooFast:
		return "", &adapter.RateLimitError{}
	}
	switch status {
	case http.StatusUnauthorized:
		return "the token is wrong or was reset: copy the new one from the application's page Bot", adapter.ErrAuth
	case http.StatusForbidden:
		return "", adapter.ErrForbidden
	case http.StatusNotFound:
		return "", adapter.ErrNotFound
	case http.StatusRequestEntityTooLarge:
		return "", adapter.ErrTooLong
	case http.StatusBadRequest, http.StatusMethodNotAllowed:
		return "", adapter.ErrInvalid
	}
	return "", nil
}

// Codes that the library does not name.
const (
	errCodeAutoModerated      = 200000 // the text was blocked by the server's automatic moderation
	errCodeAutoModeratedTitle = 200001
)
