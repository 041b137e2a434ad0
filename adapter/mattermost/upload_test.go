package mattermost_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

func content(name, text string) adapter.File {
	return adapter.File{Name: name, Size: int64(len(text)), Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

// TestUploads: files are streamed, ten to a post; only the last call posts, so what fails before it was certainly not posted.
func TestUploads(t *testing.T) {
	bubble(t, fake.Options{MaxFile: 1 << 20}, func(t *testing.T, f *fake.Server) {
		a := idle(t, configFor(f))
		for _, c := range []struct {
			fault   fake.Fault
			outcome adapter.Outcome
		}{
			{fake.Fault{Route: "POST /uploads", Kind: fake.FaultStatus, Status: 500}, adapter.NotYet},
			{fake.Fault{Route: "POST /uploads", Kind: fake.FaultLimit, After: 1}, adapter.NotYet},
			{fake.Fault{Route: "POST /uploads", Kind: fake.FaultError, Status: 501, Error: "api.file.attachments.disabled.app_error"}, adapter.Refused},
			{fake.Fault{Route: "POST /uploads/{}", Kind: fake.FaultLost}, adapter.NotYet},
			{fake.Fault{Route: "POST /posts", Kind: fake.FaultStatusLate, Status: 500}, adapter.Unknown},
			{fake.Fault{Route: "POST /posts", Kind: fake.FaultLost}, adapter.Unknown},
		} {
			wait(10 * time.Second)
			f.Fail(c.fault)
			before := len(f.Posts())
			_, err := a.Upload(t.Context(), to(ops), content("a.txt", "content"))
			require.Error(t, err)
			require.Equal(t, c.outcome, adapter.OutcomeOf(err), err)
			if c.outcome != adapter.Unknown {
				require.Len(t, f.Posts(), before)
			}
		}
		wait(10 * time.Second)
		unsized := content("b.txt", "its size is not known")
		unsized.Size = 0
		ref, err := a.Upload(t.Context(), to(ops), unsized)
		require.NoError(t, err)
		require.NoError(t, a.Delete(t.Context(), ref))
		big := content("big.bin", strings.Repeat("z", 1<<20))
		_, err = a.Upload(t.Context(), to(ops), big)
		require.NoError(t, err)
		big.Size++
		for name, file := range map[string]adapter.File{
			"over the server's limit": big, "gone": {Name: "gone"}, "empty": content("empty", ""),
			"shorter than it says": {Name: "short", Size: 9, Open: content("", "abc").Open},
			"longer than it says":  {Name: "long", Size: 2, Open: content("", "abc").Open},
			"unreadable":           {Name: "bad", Size: 9, Open: func(context.Context) (io.ReadCloser, error) { return nil, errors.New("no disk") }},
			"breaks off": {Name: "bad", Size: 9, Open: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader("abc"), broken{})), nil
			}},
		} {
			before := len(f.Posts())
			_, err = a.Upload(t.Context(), to(ops), file)
			require.Equal(t, adapter.Refused, adapter.OutcomeOf(err), "%s: %v", name, err)
			require.Len(t, f.Posts(), before)
		}
		for _, id := range []string{"", "x", "../users/me", fake.ID("nofile")} {
			_, err = a.Open(t.Context(), adapter.File{ID: id})
			require.ErrorIs(t, err, adapter.ErrNotFound)
		}
		var files []adapter.File
		for i := range 23 {
			files = append(files, content(fmt.Sprintf("f%d.txt", i), fmt.Sprint("content ", i)))
		}
		m := &adapter.Message{To: to(ops), Text: "many", Files: files, Key: "k"}
		parts, err := a.Render(m)
		require.NoError(t, err)
		require.Len(t, parts, 3)
		keys := map[string]bool{}
		before := len(f.Posts())
		for _, p := range parts {
			keys[p.Key] = true
			_, err := a.Send(t.Context(), p)
			require.NoError(t, err)
		}
		require.Len(t, keys, 3)
		n := 0
		for _, p := range f.Posts()[before:] {
			n += len(f.Files(&p))
			require.LessOrEqual(t, len(f.Files(&p)), 10)
		}
		require.Equal(t, 23, n)
	})
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }
