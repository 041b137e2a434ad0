package discord

import "context"

// InviteURL is [Invite] for the application that Config.Token belongs to; it asks Discord for its id. Errors: those of the token.
func (a *Adapter) InviteURL(ctx context.Context) (string, error) {
	if err := a.life.Usable(ctx, "invite"); err != nil {
		return "", err
	}
	if err := a.identify(ctx); err != nil {
		return "", err
	}
	return Invite(a.me.Load().app), nil
}
