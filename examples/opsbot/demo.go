package main

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// page uses everything that the portable Markdown has.
const page = `# Everything a message can hold

**strong**, *emphasis*, ~~struck~~, ` + "`code`" + `, a [link](https://example.com/runbook) and an address: https://example.com/status

> A quote,
> > and one in it.

1. first
2. second
   - with a list in it
3. third

- [x] done
- [ ] to do

| service | version | state |
|---------|--------:|:-----:|
| api     |      12 |  up   |
| web     |       7 | down  |

` + "```go\nfunc main() {\n\tprintln(\"hello\")\n}\n```" + `

---

A person: %s, a room: %s, a time: %s. What people type is shown as it is: %s`

// demo shows on this platform everything that a message can hold.
func demo(ctx context.Context, r *handler.Request, step time.Duration) error {
	err := r.Reply(ctx, page, r.Event.User, r.Event.Room, time.Date(2026, 1, 2, 15, 4, 0, 0, time.UTC), "*not strong* <b> @all `x`")
	if err != nil {
		return err
	}
	picture, err := colours()
	if err != nil {
		return err
	}
	_, err = r.Send(ctx, &adapter.Message{
		Text: "Fields, a colour, files and buttons:", Color: adapter.ColorGood,
		Fields: []adapter.Field{{Name: "Service", Value: "**api**", Short: true}, {Name: "Version", Value: "12", Short: true}},
		Files: []adapter.File{
			adapter.NewFile("notes.txt", "text/plain", []byte("a file\n")), adapter.NewFile("colours.png", "image/png", picture),
		},
		Buttons: []adapter.Button{
			{Label: "Services", Command: "services api", Style: adapter.ButtonPrimary}, {Label: "Roll back", Command: "rollback api in staging", Style: adapter.ButtonDanger},
		},
	})
	if err != nil {
		return err
	}
	if err := r.Whisper(ctx, "This only you can see."); err != nil {
		return err
	}
	for i := range 4 {
		if err := r.ProgressOf(ctx, int64(i), 4, "Progress is one message"); err != nil {
			return err
		}
		select {
		case <-time.After(step):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return r.Thread(ctx, "And this is said in a thread, and long:\n\n%s", strings.Repeat("All work and no play makes a bot a dull bot. ", 12))
}

// colours draws a small picture.
func colours() ([]byte, error) {
	img := image.NewRGBA(image.Rect(0, 0, 96, 32))
	for x := range 96 {
		for y := range 32 {
			img.Set(x, y, color.RGBA{uint8(x * 255 / 95), uint8(y * 255 / 31), 128, 255})
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return b.Bytes(), err
}
