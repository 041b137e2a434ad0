package mattermost

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
)

// The limits of a window (https://developers.mattermost.com/integrate/plugins/interactive-dialogs/; five fields are what all
// versions show).
const (
	maxFields     = 5
	maxTitle      = 24
	maxFieldLabel = 24
	maxHint       = 150
	maxShortText  = 150
	maxLongText   = 3_000
	formsFor      = time.Hour // a form can be sent
)

// OpenForm implements [adapter.FormOpener]. It needs Config.CallbackURL, and an origin of a slash command or a button that is not
// older than three seconds.
func (a *Adapter) OpenForm(ctx context.Context, from string, f *adapter.Form) error {
	if err := a.life.Usable(ctx, "open a form"); err != nil {
		return err
	}
	o, ok := parseOrigin(from)
	switch {
	case a.cfg.CallbackURL == "":
		return fmt.Errorf("mattermost: open a form: %w: Config.CallbackURL is not set", adapter.ErrUnsupported)
	case !ok || o.Trigger == "":
		return fmt.Errorf("mattermost: open a form: %w: only a slash command and a button can open one", adapter.ErrUnsupported)
	case len(f.Fields) > maxFields:
		return fmt.Errorf("mattermost: open a form: %w: %d fields, a window has %d", adapter.ErrTooLong, len(f.Fields), maxFields)
	case f.ID == "" || len(f.ID) > 64 || strings.ContainsFunc(f.ID, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r))
	}):
		return fmt.Errorf("mattermost: open a form: %w: the ID is not made of 1 to 64 letters, digits, dots, hyphens and underscores", adapter.ErrInvalid)
	case a.now().Unix()-o.At > int64(triggerFor.Seconds()):
		return fmt.Errorf("mattermost: open a form: %w: it is too late", adapter.ErrNotFound)
	}
	state, err := a.seal.seal(sealForm, sealed{Room: o.Room, Thread: o.Thread, User: o.User, Form: f.ID, Nonce: rand.Text(), Expires: a.now().Add(formsFor).Unix()})
	if err != nil {
		return fmt.Errorf("mattermost: open a form: %w: %w", adapter.ErrInvalid, err)
	}
	dialog := model.Dialog{CallbackId: f.ID, Title: cutRunes(plainLine(f.Title), maxTitle), SubmitLabel: "OK", State: state}
	if dialog.Title == "" {
		dialog.Title = "?"
	}
	for _, field := range f.Fields {
		e, err := element(field)
		if err != nil {
			return err
		}
		dialog.Elements = append(dialog.Elements, e)
	}
	resp, err := a.with(ctx).OpenInteractiveDialog(model.OpenDialogRequest{TriggerId: o.Trigger, URL: a.cfg.CallbackURL, Dialog: dialog})
	if err != nil {
		return a.fail("open a form", resp, err)
	}
	if w := a.waiting.get(o.Wait); w != nil { // that was the answer
		w.release()
	}
	return nil
}

func element(f adapter.FormField) (e model.DialogElement, err error) {
	if f.Name == "" || len(f.Name) > 300 {
		return e, fmt.Errorf("mattermost: open a form: %w: a field's name is not 1 to 300 characters", adapter.ErrInvalid)
	}
	label := plainLine(f.Label)
	if label == "" {
		label = f.Name
	}
	e = model.DialogElement{DisplayName: cutRunes(label, maxFieldLabel), Name: f.Name, Type: "text", Default: f.Value, HelpText: cutRunes(plainLine(f.Hint), maxHint),
		Optional: !f.Required, MaxLength: maxShortText}
	switch {
	case len(f.Choices) > 0:
		e.Type, e.MaxLength = "select", 0
		for _, c := range f.Choices {
			e.Options = append(e.Options, &model.PostActionOptions{Text: c, Value: c})
		}
	case f.Long:
		e.Type, e.MaxLength = "textarea", maxLongText
	}
	if e.MaxLength > 0 && len([]rune(f.Value)) > e.MaxLength {
		return e, fmt.Errorf("mattermost: open a form: %w: the value of %s has over %d characters", adapter.ErrTooLong, f.Name, e.MaxLength)
	}
	return e, nil
}
