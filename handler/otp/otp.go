package otp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rsc.io/qr"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/sealed"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/totp"
)

// Factor is a second factor: something that a user has beside the chat account. Its methods may be called concurrently.
type Factor interface {
	// Name is what the factor is called in the audit log: "totp".
	Name() string
	// Enrolled tells whether the user, by adapter.User.Key, can be verified.
	Enrolled(ctx context.Context, userKey string) (bool, error)
	// Verify returns nil when the code is right, which it is only once. Every error is a refusal.
	Verify(ctx context.Context, userKey, code string) error
}

const (
	tries     = 5
	lockedFor = 15 * time.Minute
	enrolFor  = 10 * time.Minute
)

// The refusals. Any other error of a method is one of the brain, and a refusal too.
var (
	ErrNotEnrolled = errors.New("otp: the user is not enrolled")
	ErrEnrolled    = errors.New("otp: the user is enrolled already; an admin can reset it")
	// ErrWrong: the code is wrong, of another time, or was used.
	ErrWrong = errors.New("otp: wrong code")
	// ErrLocked is what a *LockedError is.
	ErrLocked = errors.New("otp: too many wrong codes")
)

// LockedError refuses every code until a time, after too many wrong ones.
type LockedError struct{ Until time.Time }

// Error gives the time in UTC.
func (e *LockedError) Error() string {
	return ErrLocked.Error() + "; locked until " + e.Until.UTC().Format(time.RFC3339)
}

// Is makes it an ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// Config says where secrets are kept and under which keys.
type Config struct {
	// Brain keeps one record for each enrolled user. Give it a namespace of its own. Required.
	Brain *brain.Brain
	// Keys encrypt the secrets; the first seals. Required, also where the brain is sealed already.
	Keys sealed.Keys
	// Issuer is what the app shows beside the account: the name of the bot or the organisation. Required.
	Issuer string
}

// OTP is the factor. Its methods may be called concurrently, by several processes on one store too.
type OTP struct{ cfg Config }

var _ Factor = (*OTP)(nil)

// New makes the factor. Errors: a field of cfg that is missing.
func New(cfg Config) (*OTP, error) {
	switch {
	case cfg.Brain == nil:
		return nil, errors.New("otp: Config.Brain is nil; give it a namespace of the bot's brain, such as state.Namespace(\"otp\")")
	case cfg.Keys.IsZero():
		return nil, errors.New("otp: Config.Keys is empty; secrets are never stored in the clear: make keys with sealed.ParseKeys")
	case cfg.Issuer == "":
		return nil, errors.New("otp: Config.Issuer is empty; name the bot, it is what people see in their app")
	}
	return &OTP{cfg}, nil
}

// record is what is stored of a user.
type record struct {
	Secret  []byte    `json:"secret,omitempty"`  // sealed; there is one once it was confirmed
	Pending []byte    `json:"pending,omitempty"` // sealed; waits for its first code
	Expires time.Time `json:"expires,omitzero"`  // of Pending
	Step    int64     `json:"step"`              // the last that was accepted
	Wrong   int       `json:"wrong,omitempty"`   // codes in a row
	Locked  time.Time `json:"locked,omitzero"`   // until then
	Since   time.Time `json:"since,omitzero"`    // when Secret was confirmed
}

// Enrolment is what a user needs to set up an app. It holds the secret: show it to that user alone, and keep it nowhere.
type Enrolment struct {
	URI  handler.Secret // otpauth://..., as text
	Text handler.Secret // the bare secret in base32, for typing
	PNG  []byte         // the URI as a QR code
}

// Name gives "totp".
func (*OTP) Name() string { return "totp" }

// Enrolled tells whether the user has confirmed a first code.
func (o *OTP) Enrolled(ctx context.Context, userKey string) (bool, error) {
	key, err := o.key(userKey)
	if err != nil {
		return false, err
	}
	rec, err := brain.Get[record](ctx, o.cfg.Brain, key)
	if errors.Is(err, brain.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("otp: %w", err)
	}
	return len(rec.Secret) > 0, nil
}

// Since gives when the user has confirmed the first code of the factor that counts now: what was verified before was verified with
// another one. The zero time where that is not known (it was confirmed by an older version of this program). Errors: ErrNotEnrolled.
func (o *OTP) Since(ctx context.Context, userKey string) (time.Time, error) {
	key, err := o.key(userKey)
	if err != nil {
		return time.Time{}, err
	}
	rec, err := brain.Get[record](ctx, o.cfg.Brain, key)
	switch {
	case errors.Is(err, brain.ErrNotFound) || err == nil && len(rec.Secret) == 0:
		return time.Time{}, ErrNotEnrolled
	case err != nil:
		return time.Time{}, fmt.Errorf("otp: %w", err)
	}
	return rec.Since, nil
}

// Enrol makes a new secret for a user, which counts once [OTP.Confirm] got its first code, within 10 minutes; a second
// Enrol before that replaces the first. account is what the app shows: the user's name. Errors: ErrEnrolled, *LockedError.
func (o *OTP) Enrol(ctx context.Context, userKey, account string) (Enrolment, error) {
	key, err := o.key(userKey)
	if err != nil {
		return Enrolment{}, err
	}
	secret := totp.NewSecret()
	uri := totp.URI(o.cfg.Issuer, account, secret)
	code, err := qr.Encode(uri, qr.M)
	if err != nil {
		return Enrolment{}, errors.New("otp: enrol: the issuer and the account's name are too long for a QR code") // the cause may quote the URI
	}
	_, err = brain.Update(ctx, o.cfg.Brain, key, func(rec *record) error {
		now := time.Now()
		switch {
		case len(rec.Secret) > 0:
			return ErrEnrolled
		case now.Before(rec.Locked):
			return &LockedError{rec.Locked}
		}
		rec.Pending, rec.Expires = o.seal(userKey, secret), now.Add(enrolFor)
		return nil
	})
	if err != nil {
		return Enrolment{}, wrap("enrol", err)
	}
	return Enrolment{URI: handler.NewSecret(uri), Text: handler.NewSecret(totp.Text(secret)), PNG: code.PNG()}, nil
}

// Confirm ends an enrolment with the first code, which is used up by that. Errors: ErrNotEnrolled where none is pending or it is
// too late, ErrEnrolled, ErrWrong, *LockedError.
func (o *OTP) Confirm(ctx context.Context, userKey, code string) error {
	return o.check(ctx, "confirm", userKey, code, func(rec *record, now time.Time) ([]byte, error) {
		switch {
		case len(rec.Secret) > 0:
			return nil, ErrEnrolled
		case len(rec.Pending) == 0 || !now.Before(rec.Expires):
			return nil, ErrNotEnrolled
		}
		rec.Step, rec.Since = -1, now.UTC()
		return rec.Pending, nil
	})
}

// Verify accepts the code that the user's app shows, once. Errors: ErrNotEnrolled, ErrWrong, *LockedError.
func (o *OTP) Verify(ctx context.Context, userKey, code string) error {
	return o.check(ctx, "verify", userKey, code, func(rec *record, _ time.Time) ([]byte, error) {
		if len(rec.Secret) == 0 {
			return nil, ErrNotEnrolled
		}
		return rec.Secret, nil
	})
}

// check judges a code against the sealed secret that choose gives, and stores the outcome in the same step. The code is
// accepted only if that write is known to have happened.
func (o *OTP) check(ctx context.Context, what, userKey, code string, choose func(*record, time.Time) ([]byte, error)) error {
	key, err := o.key(userKey)
	if err != nil {
		return err
	}
	var refused error
	_, err = brain.Update(ctx, o.cfg.Brain, key, func(rec *record) error {
		now := time.Now()
		refused = ErrWrong
		if now.Before(rec.Locked) {
			return &LockedError{rec.Locked}
		}
		box, err := choose(rec, now)
		if err != nil {
			return err
		}
		secret, err := o.cfg.Keys.Open(name(userKey), box)
		if err != nil {
			return err
		}
		step, ok := totp.Check(secret, code, now, rec.Step)
		if !ok {
			if rec.Wrong++; rec.Wrong >= tries {
				rec.Wrong, rec.Locked = 0, now.Add(lockedFor)
				refused = &LockedError{rec.Locked}
			}
			return nil // which stores that it was wrong
		}
		refused = nil
		*rec = record{Secret: o.seal(userKey, secret), Step: step, Since: rec.Since} // under the first key, whichever it was under
		return nil
	})
	if err != nil {
		return wrap(what, err)
	}
	return refused
}

// Reset forgets a user's secret, and a lock, so that the user can enrol anew. It is for admins. That there is none is no error.
func (o *OTP) Reset(ctx context.Context, userKey string) error {
	key, err := o.key(userKey)
	if err != nil {
		return err
	}
	if err := brain.Delete(ctx, o.cfg.Brain, key); err != nil {
		return fmt.Errorf("otp: reset: %w", err)
	}
	return nil
}

// Rotate seals every secret with the first of Config.Keys, after which the others can be taken away. It may be interrupted
// and repeated, and run while codes are verified.
func (o *OTP) Rotate(ctx context.Context) error {
	for item, err := range brain.All[record](ctx, o.cfg.Brain, "user/") {
		if err != nil {
			return fmt.Errorf("otp: rotate: %w", err)
		}
		parts, ok := brain.SplitKey(item.Key)
		if !ok || len(parts) != 2 {
			return fmt.Errorf("otp: rotate: %q is no record of a user", item.Key)
		}
		_, err := brain.Update(ctx, o.cfg.Brain, item.Key, func(rec *record) error {
			if len(rec.Secret) == 0 && len(rec.Pending) == 0 {
				return errNothing
			}
			for _, box := range []*[]byte{&rec.Secret, &rec.Pending} {
				if len(*box) == 0 {
					continue
				}
				secret, err := o.cfg.Keys.Open(name(parts[1]), *box)
				if err != nil {
					return err
				}
				*box = o.seal(parts[1], secret)
			}
			return nil
		})
		if err != nil && !errors.Is(err, errNothing) {
			return fmt.Errorf("otp: rotate: %w", err)
		}
	}
	return nil
}

var errNothing = errors.New("nothing to do")

// key gives the brain key of a user's record.
func (o *OTP) key(userKey string) (string, error) {
	if userKey == "" || len(userKey) > brain.MaxKey/4 {
		return "", fmt.Errorf("otp: a user's key has 1 to %d bytes, this one has %d", brain.MaxKey/4, len(userKey))
	}
	return brain.Key("user", userKey), nil
}

// name binds a sealed secret to its user: moved to another record it does not open.
func name(userKey string) string { return "otp secret of " + userKey }

func (o *OTP) seal(userKey string, secret []byte) []byte {
	return o.cfg.Keys.Seal(name(userKey), secret)
}

// wrap leaves this package's own refusals as they are.
func wrap(what string, err error) error {
	if errors.Is(err, ErrNotEnrolled) || errors.Is(err, ErrEnrolled) || errors.Is(err, ErrLocked) {
		return err
	}
	return fmt.Errorf("otp: %s: %w", what, err)
}
