package sealed_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// stored is "value" under the key "a" and the name "k", as a version that is in use has written it: it must open for ever.
const stored = "ff534c010161597affd72a70b58c9e36f7acdb162d51b89e48b56f2d3388a00202b95ec4220796"

func TestStoredValuesStayReadable(t *testing.T) {
	box, err := hex.DecodeString(stored)
	require.NoError(t, err)
	v, err := keys(t, "a:"+secretA).Open("k", box)
	require.NoError(t, err)
	require.Equal(t, "value", string(v))
}

// FuzzOpen: nothing but what was sealed under that name opens, and nothing panics.
func FuzzOpen(f *testing.F) {
	k := keys(f, "a:"+secretA+" b:"+secretB)
	box, err := hex.DecodeString(stored)
	require.NoError(f, err)
	f.Add(box)
	f.Add(box[:len(box)-1])
	f.Add(box[:5])
	f.Add([]byte("\xffSL\x01"))
	f.Add([]byte("\xffSL\x01\xff"))
	f.Add([]byte("\xffSL\x01\x01a"))
	f.Add([]byte(`{"plain":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := k.Open("k", data)
		if bytes.Equal(data, box) {
			require.NoError(t, err)
			require.Equal(t, "value", string(v))
			return
		}
		require.Error(t, err)
		require.Nil(t, v)
	})
}
