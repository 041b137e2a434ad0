package otp

import (
	"context"
	"errors"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

type confirming struct {
	Code handler.Secret `arg:"code" secret:"true" help:"what the app shows"`
}

type resetting struct {
	User adapter.User `arg:"user" help:"whose second factor"`
}

// Routes adds the commands by which people set their second factor up: "factor enrol" and "factor confirm CODE", in private,
// and "factor reset @USER" with a policy, which decides who may do that; without one there is no such command.
func Routes(rt *handler.Router, o *OTP, reset handler.Policy) {
	rt.Add(handler.Command[handler.None]{
		Name: "factor enrol", Summary: "Set up a second factor, in private.", Policy: handler.Policy{Direct: true},
		Run: func(ctx context.Context, r *handler.Request, _ handler.None) error { return enrol(ctx, r, o) },
	}).Volatile = true // what is stored would hold the secret
	rt.Add(handler.Command[confirming]{
		Name: "factor confirm", Summary: "Prove that the app has it.", Policy: handler.Policy{Direct: true},
		Run: func(ctx context.Context, r *handler.Request, a confirming) error {
			_, err := handler.Once(ctx, r, "confirm", func(ctx context.Context) (bool, error) {
				return true, o.Confirm(ctx, r.Event.User.Key(), a.Code.Reveal())
			})
			if err != nil {
				return explain(err)
			}
			return r.Reply(ctx, "Your second factor is set up.")
		},
	})
	if reset.IsZero() {
		return
	}
	rt.Add(handler.Command[resetting]{
		Name: "factor reset", Summary: "Take somebody's second factor away, so that they can set up a new one.", Policy: reset,
		Run: func(ctx context.Context, r *handler.Request, a resetting) error {
			if err := o.Reset(ctx, a.User.Key()); err != nil {
				return err
			}
			return r.Reply(ctx, "%s can set up a new second factor.", a.User)
		},
	})
}

// enrol shows the secret to its user alone. The message is not stored: it goes out at once or not at all.
func enrol(ctx context.Context, r *handler.Request, o *OTP) error {
	if r.Event.Room.Kind != adapter.RoomDirect {
		return handler.UserErrorf("Say that to me in private.")
	}
	e, err := o.Enrol(ctx, r.Event.User.Key(), r.Event.User.Name)
	if err != nil {
		return explain(err)
	}
	_, err = r.Send(ctx, &adapter.Message{
		Text:  adapter.Format("Scan the picture with your authenticator app, or type `%s` into it. Then say: factor confirm CODE", e.Text.Reveal()),
		Files: []adapter.File{adapter.NewFile("factor.png", "image/png", e.PNG)},
	})
	return err
}

// explain says to people what is wrong; other errors are for the log.
func explain(err error) error {
	var locked *LockedError
	switch {
	case errors.As(err, &locked):
		return handler.UserErrorf("Too many wrong codes. Try again after %s.", locked.Until)
	case errors.Is(err, ErrWrong):
		return handler.UserErrorf("That is not the code. Look at the app again.")
	case errors.Is(err, ErrNotEnrolled):
		return handler.UserErrorf("There is nothing to confirm: say factor enrol first.")
	case errors.Is(err, ErrEnrolled):
		return handler.UserErrorf("You have a second factor already. An admin can reset it.")
	}
	return err
}
