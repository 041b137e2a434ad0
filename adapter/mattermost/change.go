package mattermost

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
)

// post checks that a Ref names a post.
func post(verb string, ref adapter.Ref) error {
	switch {
	case strings.HasPrefix(ref.ID, ephemeralPrefix), strings.HasPrefix(ref.ID, responsePrefix):
		return fmt.Errorf("mattermost: %s: %w: what one user alone sees, and the answer to a command, cannot be changed", verb, adapter.ErrUnsupported)
	case !model.IsValidId(ref.ID):
		return fmt.Errorf("mattermost: %s: message %q: %w", verb, ref.ID, adapter.ErrNotFound)
	}
	return nil
}

// changed maps the error of a change. The server says of a post that is not there that it may not be changed, so it is asked.
func (a *Adapter) changed(ctx context.Context, verb, id string, resp *model.Response, err error) error {
	err = a.fail(verb, resp, err)
	if !errors.Is(err, adapter.ErrForbidden) {
		return err
	}
	_, resp, gone := a.with(ctx).GetPost(id, "")
	if gone = a.fail(verb, resp, gone); errors.Is(gone, adapter.ErrNotFound) {
		return gone
	}
	return err
}

// Edit implements [adapter.Editor]. Errors: those of the interface, [adapter.ErrUnsupported] for an ephemeral message. Files stay.
func (a *Adapter) Edit(ctx context.Context, ref adapter.Ref, m *adapter.Message) error {
	if err := a.life.Usable(ctx, "edit"); err != nil {
		return err
	}
	if err := post("edit", ref); err != nil {
		return err
	}
	c := *m
	c.To, c.Only, c.Files = ref.Address, "", nil
	ready, out, err := a.ready(&c)
	if err != nil {
		return err
	}
	attachments, props, err := a.attach(ready, out, "")
	if err != nil {
		return err
	}
	all := model.StringInterface(props)
	if all["from_bot"] = "true"; len(attachments) > 0 { // the props are replaced, those of the server too
		all["attachments"] = attachments
	}
	_, resp, err := a.with(ctx).PatchPost(ref.ID, &model.PostPatch{Message: &out.text, Props: &all})
	if err := a.changed(ctx, "edit", ref.ID, resp, err); err != nil {
		return err
	}
	a.posts.Forget(ref.ID)
	return nil
}

// Delete implements [adapter.Deleter]. Errors: those of the interface, [adapter.ErrUnsupported] for an ephemeral message.
func (a *Adapter) Delete(ctx context.Context, ref adapter.Ref) error {
	if err := a.life.Usable(ctx, "delete"); err != nil {
		return err
	}
	if err := post("delete", ref); err != nil {
		return err
	}
	resp, err := a.with(ctx).DeletePost(ref.ID)
	return a.changed(ctx, "delete", ref.ID, resp, err)
}

// React implements [adapter.Reactor]: emoji is a name without colons, or an emoji. Errors: those of the interface,
// [adapter.ErrInvalid] for an emoji whose name is not known. The server takes a name that nobody has given to an emoji, and shows
// nothing.
func (a *Adapter) React(ctx context.Context, ref adapter.Ref, emoji string) error {
	if err := a.life.Usable(ctx, "react"); err != nil {
		return err
	}
	if err := post("react", ref); err != nil {
		return err
	}
	name, ok := a.names.name(emoji)
	if !ok {
		return fmt.Errorf("mattermost: react: %w: it wants the name of an emoji, as in thumbsup; %q has none here", adapter.ErrInvalid, emoji)
	}
	me, err := a.known(ctx)
	if err != nil {
		return err
	}
	_, resp, err := a.with(ctx).SaveReaction(&model.Reaction{UserId: me.id, PostId: ref.ID, EmojiName: name})
	return a.changed(ctx, "react", ref.ID, resp, err)
}

// Typing implements [adapter.Typer]: the apps show it for about five seconds.
func (a *Adapter) Typing(ctx context.Context, to adapter.Address) error {
	if err := a.life.Usable(ctx, "show typing"); err != nil {
		return err
	}
	if !model.IsValidId(to.Room) {
		return fmt.Errorf("mattermost: show typing: room %q: %w", to.Room, adapter.ErrNotFound)
	}
	me, err := a.known(ctx)
	if err != nil {
		return err
	}
	resp, err := a.with(ctx).PublishUserTyping(me.id, model.TypingRequest{ChannelId: to.Room, ParentId: to.Thread})
	return a.fail("show typing", resp, err)
}

// SetTopic implements [adapter.TopicSetter]: it sets the channel's header, which is plain text here, of at most 1,024 characters.
func (a *Adapter) SetTopic(ctx context.Context, room, topic string) error {
	if err := a.life.Usable(ctx, "set the topic"); err != nil {
		return err
	}
	if !model.IsValidId(room) {
		return fmt.Errorf("mattermost: set the topic: room %q: %w", room, adapter.ErrNotFound)
	}
	header := a.md.Render(adapter.Data(strings.ReplaceAll(adapter.PlainText(topic), "\x00", "\uFFFD")))
	if n := utf8.RuneCountInString(header); n > model.ChannelHeaderMaxRunes {
		return fmt.Errorf("mattermost: set the topic: %w: %d of %d characters", adapter.ErrTooLong, n, model.ChannelHeaderMaxRunes)
	}
	_, resp, err := a.with(ctx).PatchChannel(room, &model.ChannelPatch{Header: &header})
	return a.fail("set the topic", resp, err)
}
