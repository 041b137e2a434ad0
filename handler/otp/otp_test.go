package otp_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"rsc.io/qr"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/brain/sealed"
	"github.com/starlingbot/starling/handler/otp"
	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/internal/totp"
)

var ctx = context.Background()

const (
	alice = "slack/T1/U1"
	keyA  = "a:Y25yeW1hcmstc2VhbGVkLWtleS1udW1iZXItb25lLXg="
	keyB  = "b:Y25yeW1hcmstc2VhbGVkLWtleS1udW1iZXItdHdvLXg="
)

func open(t testing.TB, s brain.Store, keys string) *otp.OTP {
	t.Helper()
	k, err := sealed.ParseKeys(keys)
	require.NoError(t, err)
	o, err := otp.New(otp.Config{Brain: brain.New(s).Namespace("otp"), Keys: k, Issuer: "Ops bot"})
	require.NoError(t, err)
	return o
}

// app is a user's authenticator app.
type app struct{ secret []byte }

func (a app) code(after time.Duration) string {
	return totp.At(a.secret, totp.StepAt(time.Now().Add(after)))
}

// enrol enrols a user up to the first code, and lets the step of that pass.
func enrol(t testing.TB, o *otp.OTP, user string) app {
	t.Helper()
	e, err := o.Enrol(ctx, user, "alice")
	require.NoError(t, err)
	secret, err := totp.ParseText(e.Text.Reveal())
	require.NoError(t, err)
	canary.Watch(secret)
	a := app{secret}
	require.NoError(t, o.Confirm(ctx, user, a.code(0)))
	return a
}

// Since is when the factor that counts now was confirmed, whatever was verified and sealed anew since.
func TestSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &cut{Store: memory.New()}
		o := open(t, s, keyA)
		none := func() {
			t.Helper()
			_, err := o.Since(ctx, alice)
			require.ErrorIs(t, err, otp.ErrNotEnrolled)
		}
		none()
		_, err := o.Enrol(ctx, alice, "alice")
		require.NoError(t, err)
		none()
		require.Error(t, o.Confirm(ctx, alice, "000"))
		none()
		for range 2 {
			a, at := enrol(t, o, alice), time.Now()
			time.Sleep(time.Hour)
			require.NoError(t, o.Verify(ctx, alice, a.code(0)))
			require.NoError(t, o.Rotate(ctx))
			since, err := o.Since(ctx, alice)
			require.NoError(t, err)
			require.True(t, since.Equal(at), "%v, %v", since, at)
			require.NoError(t, o.Reset(ctx, alice))
			none()
			time.Sleep(time.Hour)
		}
		_, err = o.Since(ctx, "")
		require.ErrorContains(t, err, "a user's key")
		s.down = true
		_, err = o.Since(ctx, alice)
		require.ErrorContains(t, err, "down")
	})
}

// cut is a store that cannot be read.
type cut struct {
	brain.Store
	down bool
}

func (s *cut) Get(ctx context.Context, key string) (brain.Entry, error) {
	if s.down {
		return brain.Entry{}, errors.New("down")
	}
	return s.Store.Get(ctx, key)
}

func TestEnrolment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, memory.New(), keyA)
		require.Equal(t, "totp", o.Name())
		require.ErrorIs(t, o.Verify(ctx, alice, "123456"), otp.ErrNotEnrolled)
		require.ErrorIs(t, o.Confirm(ctx, alice, "123456"), otp.ErrNotEnrolled)
		enrolled := func() bool {
			ok, err := o.Enrolled(ctx, alice)
			require.NoError(t, err)
			return ok
		}
		require.False(t, enrolled())

		e, err := o.Enrol(ctx, alice, "alice")
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(e.URI.Reveal(), "otpauth://totp/Ops%20bot:alice?secret="+e.Text.Reveal()+"&issuer=Ops%20bot"))
		require.Equal(t, "[secret] [secret]", fmt.Sprint(e.URI, " ", e.Text))
		first, err := totp.ParseText(e.Text.Reveal())
		require.NoError(t, err)
		require.Len(t, first, 20)
		require.False(t, enrolled())
		require.ErrorIs(t, o.Verify(ctx, alice, app{first}.code(0)), otp.ErrNotEnrolled, "pending is not enrolled")

		e, err = o.Enrol(ctx, alice, "alice")
		require.NoError(t, err)
		second, err := totp.ParseText(e.Text.Reveal())
		require.NoError(t, err)
		require.NotEqual(t, first, second)
		require.ErrorIs(t, o.Confirm(ctx, alice, app{first}.code(0)), otp.ErrWrong, "the second replaces the first")
		a := app{second}
		require.NoError(t, o.Confirm(ctx, alice, a.code(0)))
		require.True(t, enrolled())
		require.ErrorIs(t, o.Confirm(ctx, alice, a.code(30*time.Second)), otp.ErrEnrolled)
		require.ErrorIs(t, o.Verify(ctx, alice, a.code(0)), otp.ErrWrong, "the first code is used up")
		time.Sleep(30 * time.Second)
		require.NoError(t, o.Verify(ctx, alice, a.code(0)))

		_, err = o.Enrol(ctx, alice, "alice")
		require.ErrorIs(t, err, otp.ErrEnrolled)
		require.NoError(t, o.Reset(ctx, alice))
		require.NoError(t, o.Reset(ctx, alice))
		require.False(t, enrolled())
		require.ErrorIs(t, o.Verify(ctx, alice, a.code(30*time.Second)), otp.ErrNotEnrolled)

		_, err = o.Enrol(ctx, alice, "alice")
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		require.ErrorIs(t, o.Confirm(ctx, alice, "123456"), otp.ErrNotEnrolled, "too late")
		for _, bad := range []string{"", strings.Repeat("x", 200)} {
			_, err = o.Enrol(ctx, bad, "alice")
			require.ErrorContains(t, err, "a user's key has 1 to 128 bytes")
			require.Error(t, o.Verify(ctx, bad, "123456"))
			require.Error(t, o.Confirm(ctx, bad, "123456"))
			require.Error(t, o.Reset(ctx, bad))
			_, err = o.Enrolled(ctx, bad)
			require.Error(t, err)
		}
		_, err = o.Enrol(ctx, "slack/T1/U9", strings.Repeat("long", 2000))
		require.ErrorContains(t, err, "too long for a QR code")
	})
}

// The picture is the URI's, dark on light with the quiet zone of four modules that readers need (ISO 18004).
func TestPicture(t *testing.T) {
	o := open(t, memory.New(), keyA)
	e, err := o.Enrol(ctx, alice, "alice")
	require.NoError(t, err)
	img, err := png.Decode(bytes.NewReader(e.PNG))
	require.NoError(t, err)
	code, err := qr.Encode(e.URI.Reveal(), qr.M)
	require.NoError(t, err)
	scale := img.Bounds().Dx() / (code.Size + 8)
	require.GreaterOrEqual(t, scale, 4)
	dark := 0
	for y := -4; y < code.Size+4; y++ {
		for x := -4; x < code.Size+4; x++ {
			r, _, _, _ := img.At((x+4)*scale+scale/2, (y+4)*scale+scale/2).RGBA()
			inside := x >= 0 && y >= 0 && x < code.Size && y < code.Size
			require.Equal(t, inside && code.Black(x, y), r < 0x8000, "module %d,%d", x, y)
			if r < 0x8000 {
				dark++
			}
		}
	}
	require.Greater(t, dark, code.Size*code.Size/3)
}

func TestNewRefuses(t *testing.T) {
	b := brain.New(memory.New())
	k, err := sealed.ParseKeys(keyA)
	require.NoError(t, err)
	for want, cfg := range map[string]otp.Config{
		"Config.Brain is nil":    {Keys: k, Issuer: "x"},
		"Config.Keys is empty":   {Brain: b, Issuer: "x"},
		"Config.Issuer is empty": {Brain: b, Keys: k},
	} {
		_, err := otp.New(cfg)
		require.ErrorContains(t, err, want)
	}
}

// T25: of 1,000 tries of the same right code at once, by two processes, one succeeds.
func TestT25OneCodeOnce(t *testing.T) {
	db, err := bolt.Open(bolt.Config{Path: filepath.Join(t.TempDir(), "brain.db")})
	require.NoError(t, err)
	defer db.Close()
	for name, s := range map[string]brain.Store{"memory": memory.New(), "bolt": db} {
		one, two := open(t, s, keyA), open(t, s, keyA)
		a := enrol(t, one, alice)
		code := a.code(30 * time.Second) // a step later than the first one, and in the window
		var accepted, wrong, locked atomic.Int64
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 1000 {
			o := []*otp.OTP{one, two}[i%2]
			wg.Go(func() {
				<-start
				switch err := o.Verify(ctx, alice, code); {
				case err == nil:
					accepted.Add(1)
				case errors.Is(err, otp.ErrWrong):
					wrong.Add(1)
				case errors.Is(err, otp.ErrLocked):
					locked.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		require.EqualValues(t, 1, accepted.Load())
		require.EqualValues(t, 1000, accepted.Load()+wrong.Load()+locked.Load())
		require.EqualValues(t, 4, wrong.Load(), "used codes are wrong ones; the fifth locks")
		t.Logf("T25 on %s: 1,000 tries of one code by two processes: %d accepted, %d wrong, %d locked", name, accepted.Load(), wrong.Load(), locked.Load())
	}
}

func TestT25Window(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, memory.New(), keyA)
		a := enrol(t, o, alice)
		time.Sleep(10 * time.Minute)
		for _, d := range []time.Duration{-2, 2} {
			require.ErrorIs(t, o.Verify(ctx, alice, a.code(d*30*time.Second)), otp.ErrWrong)
		}
		require.NoError(t, o.Verify(ctx, alice, a.code(-30*time.Second)))
		require.NoError(t, o.Verify(ctx, alice, a.code(30*time.Second)))
		require.ErrorIs(t, o.Verify(ctx, alice, a.code(0)), otp.ErrWrong, "a later one was accepted")
		time.Sleep(time.Minute)
		require.NoError(t, o.Verify(ctx, alice, a.code(0)))
	})
}

func TestT25Lock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		o := open(t, m, keyA)
		a := enrol(t, o, alice)
		b := enrol(t, o, "slack/T1/U2")
		time.Sleep(time.Minute)
		for range 4 {
			require.ErrorIs(t, o.Verify(ctx, alice, "no"), otp.ErrWrong)
		}
		require.NoError(t, o.Verify(ctx, alice, a.code(0)), "four are forgiven")
		time.Sleep(time.Minute)
		for range 4 {
			require.ErrorIs(t, o.Verify(ctx, alice, "no"), otp.ErrWrong)
		}
		until := time.Now().Add(15 * time.Minute)
		var locked *otp.LockedError
		require.ErrorAs(t, o.Verify(ctx, alice, "no"), &locked)
		require.True(t, until.Equal(locked.Until))
		o = open(t, m, keyA) // a restart does not help
		for range 15 {
			err := o.Verify(ctx, alice, a.code(0))
			require.ErrorIs(t, err, otp.ErrLocked, "the right code does not help")
			require.ErrorAs(t, err, &locked)
			require.True(t, until.Equal(locked.Until), "tries do not prolong it")
			require.ErrorContains(t, err, "locked until 2000-01-01T")
			time.Sleep(59 * time.Second)
		}
		require.NoError(t, o.Verify(ctx, "slack/T1/U2", b.code(0)), "others are not locked")
		time.Sleep(15 * time.Second)
		require.NoError(t, o.Verify(ctx, alice, a.code(0)))

		for range 5 {
			_ = o.Verify(ctx, alice, "no")
		}
		time.Sleep(15 * time.Minute)
		for range 4 {
			require.ErrorIs(t, o.Verify(ctx, alice, "no"), otp.ErrWrong, "five anew")
		}

		// Enrolment is locked too.
		_, err := o.Enrol(ctx, "slack/T1/U3", "carol")
		require.NoError(t, err)
		for range 5 {
			_ = o.Confirm(ctx, "slack/T1/U3", "no")
		}
		_, err = o.Enrol(ctx, "slack/T1/U3", "carol")
		require.ErrorIs(t, err, otp.ErrLocked)
		require.ErrorIs(t, o.Confirm(ctx, "slack/T1/U3", "no"), otp.ErrLocked)
	})
}

// Nothing of a secret is in the brain in the clear, a secret moved to another user does not open, and without the key it
// is refused.
func TestSecretsAreSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		o := open(t, m, keyA)
		a := enrol(t, o, alice)
		b := enrol(t, o, "slack/T1/U2")
		time.Sleep(time.Minute)
		key := map[string]string{}
		for e, err := range m.List(ctx, "") {
			require.NoError(t, err)
			for _, s := range [][]byte{a.secret, b.secret, []byte(totp.Text(a.secret)), []byte(totp.Text(b.secret))} {
				require.False(t, bytes.Contains(e.Value, s))
			}
			key[e.Key] = string(e.Value)
		}
		require.Len(t, key, 2)
		_, err := m.Apply(ctx, brain.Op{Key: "otp/user/slack%2FT1%2FU1", Value: []byte(key["otp/user/slack%2FT1%2FU2"]), If: brain.Any})
		require.NoError(t, err)
		require.ErrorIs(t, o.Verify(ctx, alice, b.code(0)), sealed.ErrDamaged)
		require.NoError(t, o.Verify(ctx, "slack/T1/U2", b.code(0)))
		require.ErrorIs(t, open(t, m, keyB).Verify(ctx, "slack/T1/U2", b.code(30*time.Second)), sealed.ErrNoKey)
	})
}

func TestRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		old := open(t, m, keyA)
		a := enrol(t, old, alice)
		e, err := old.Enrol(ctx, "slack/T1/U2", "bob")
		require.NoError(t, err)
		pending, err := totp.ParseText(e.Text.Reveal())
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.NoError(t, open(t, m, keyB+" "+keyA).Rotate(ctx))
		now := open(t, m, keyB)
		require.NoError(t, now.Verify(ctx, alice, a.code(0)))
		require.NoError(t, now.Confirm(ctx, "slack/T1/U2", app{pending}.code(0)))
		require.ErrorIs(t, old.Rotate(ctx), sealed.ErrNoKey)

		// A code that is accepted brings its secret under the first key by itself.
		time.Sleep(time.Minute)
		both := open(t, m, keyA+" "+keyB)
		require.NoError(t, both.Verify(ctx, alice, a.code(0)))
		time.Sleep(time.Minute)
		require.NoError(t, old.Verify(ctx, alice, a.code(0)))
	})
}

// broken loses the answers of writes.
type broken struct {
	*memory.Store
	lose bool
}

var errLost = errors.New("connection lost")

func (b *broken) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	revs, err := b.Store.Apply(ctx, ops...)
	if b.lose {
		return nil, errLost
	}
	return revs, err
}

// A code is not accepted when it is not known that it was recorded.
func TestLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &broken{Store: memory.New()}
		o := open(t, s, keyA)
		a := enrol(t, o, alice)
		time.Sleep(time.Minute)
		s.lose = true
		require.ErrorIs(t, o.Verify(ctx, alice, a.code(0)), errLost)
		s.lose = false
		require.ErrorIs(t, o.Verify(ctx, alice, a.code(0)), otp.ErrWrong, "it was recorded, and is used up")
		ended, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, o.Verify(ended, alice, a.code(30*time.Second)), context.Canceled)
	})
}

const childVar = "STARLING_OTP_CHILD"

// T25: a code that a process accepted before it was killed is refused by the next one.
func TestT25Kill(t *testing.T) {
	if path := os.Getenv(childVar); path != "" {
		child(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "brain.db")
	db, err := bolt.Open(bolt.Config{Path: path})
	require.NoError(t, err)
	a := enrol(t, open(t, db, keyA), alice)
	require.NoError(t, db.Close())
	code := a.code(30 * time.Second)
	cmd := exec.Command(os.Args[0], "-test.run=^TestT25Kill$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), childVar+"="+path, childVar+"_CODE="+code)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	in, err := cmd.StdinPipe() // the child ends with us
	require.NoError(t, err)
	defer in.Close()
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	require.Equal(t, "accepted", lines.Text())
	require.NoError(t, cmd.Process.Kill())
	_, _ = io.Copy(io.Discard, out)
	require.Error(t, cmd.Wait())
	db, err = bolt.Open(bolt.Config{Path: path})
	require.NoError(t, err)
	defer db.Close()
	require.ErrorIs(t, open(t, db, keyA).Verify(ctx, alice, code), otp.ErrWrong)
	t.Log("T25: a code accepted before SIGKILL is refused after it")
}

func child(t *testing.T, path string) {
	db, err := bolt.Open(bolt.Config{Path: path})
	require.NoError(t, err)
	if err := open(t, db, keyA).Verify(ctx, alice, os.Getenv(childVar+"_CODE")); err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	fmt.Println("accepted")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(3)
}
