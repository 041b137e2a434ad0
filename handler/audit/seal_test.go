package audit

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/handler"
)

// FuzzOpen: no line opens but the one that was signed, as the kind that it was signed as, and nothing panics.
func FuzzOpen(f *testing.F) {
	r, err := newRing(handler.NewSecret("cnrymark: a key of at least thirty-two bytes for tests"), nil)
	require.NoError(f, err)
	line, hash, err := r.sign(kindRecord, &Record{Writer: "w", Seq: 1, Phase: PhaseBefore})
	require.NoError(f, err)
	f.Add(line)
	f.Add(line[:len(line)-1])
	f.Add(line[len(line)-tail:])
	f.Add(bytes.ToUpper(line))
	f.Add(append([]byte(" "), line...))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var rec Record
		err := r.open(kindRecord, data, &rec)
		if bytes.Equal(data, line) {
			require.NoError(t, err)
			require.Equal(t, hash, rec.Hash)
			require.Error(t, r.open(kindHead, data, &rec))
			return
		}
		require.Error(t, err)
		require.Equal(t, Record{}, rec)
	})
}
