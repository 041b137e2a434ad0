package canary_test

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/canary"
)

// folder makes outputs: texts by "kind/file".
func folder(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

func search(t *testing.T, texts map[string]string) *canary.Report {
	t.Helper()
	r, err := canary.Search(folder(t, texts))
	require.NoError(t, err)
	return r
}

// escaped writes every byte of s in a form.
func escaped(s, format, between string) string {
	var parts []string
	for _, c := range []byte(s) {
		parts = append(parts, fmt.Sprintf(format, c))
	}
	return strings.Join(parts, between)
}

// Every form is found, wherever in a text it stands; what stands beside it is shown and the secret is not.
func TestForms(t *testing.T) {
	secret := canary.Secret("Ab9") // no form of the rest is a form of the mark
	quoted, err := json.Marshal(map[string]string{"a": secret})
	require.NoError(t, err)
	forms := map[string]string{
		"as it is": secret, "upper case": strings.ToUpper(secret), "both cases": "CnryMark", "in JSON": string(quoted), "in an address": "x?y=" + url.QueryEscape(secret) + "&z",
		"as a token": "xoxb-" + secret, "hexadecimal": hex.EncodeToString([]byte(secret)), "HEXADECIMAL": strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"in parts": fmt.Sprintf("% x", secret), "bytes of Go": fmt.Sprintf("%#v", []byte(secret)), "numbers": fmt.Sprint([]byte(secret)),
		"numbers of JSON": escaped(secret, "%d", ","), "address": escaped(secret, "%%%02X", ""), "JSON": escaped(secret, `\u%04x`, ""), "Go": escaped(secret, `\x%02x`, ""),
		"JSON in JSON": func() string { b, _ := json.Marshal(string(quoted)); return string(b) }(),
	}
	for shift := range 7 {
		text := strings.Repeat("?", shift) + secret + strings.Repeat(">", shift) // where the alphabets differ
		forms[fmt.Sprint("Base64 at ", shift)] = base64.StdEncoding.EncodeToString([]byte(text))
		forms[fmt.Sprint("Base64 of addresses at ", shift)] = base64.RawURLEncoding.EncodeToString([]byte(text))
		forms[fmt.Sprint("Base32 at ", shift)] = base32.StdEncoding.EncodeToString([]byte(text))
	}
	for name, text := range forms {
		r := search(t, map[string]string{"logs/a.txt": "what stands before it " + text + " and behind it\n"})
		require.NotZero(t, r.Found, "%s: %s", name, text)
		require.Contains(t, r.Hits[0].Excerpt, "what stands before it", name)
		require.Contains(t, r.Hits[0].Excerpt, "[secret]", name)
		require.NotContains(t, strings.ToLower(r.Hits[0].Excerpt), canary.Mark, name)
		require.Empty(t, search(t, map[string]string{"logs/a.txt": r.Hits[0].Excerpt}).Hits, "%s: an excerpt tells the secret", name)
		require.NotEmpty(t, canary.Find([]byte(text)), name)
	}
	for _, text := range []string{"", "cnrymar", "a canary has a mark", "cnry mark", "Y25yeW1h", strings.Repeat("0123456789abcdef", 1000), "nrymark"} {
		require.Zero(t, search(t, map[string]string{"logs/a.txt": text}).Found, text)
		require.Empty(t, canary.Find([]byte(text)), text)
	}
}

// A secret is found wherever it stands in a file that is read in many pieces, once, and at its place.
func TestPlaces(t *testing.T) {
	const size = 3 << 20
	for _, at := range []int{0, 1, 1<<20 + 561, size - 8} {
		text := []byte(strings.Repeat(".", size))
		copy(text[at:], canary.Mark)
		r := search(t, map[string]string{"logs/a.txt": string(text)})
		require.Equal(t, 1, r.Found, at)
		require.Equal(t, int64(at), r.Hits[0].Offset)
		require.Equal(t, int64(size), r.Bytes[canary.Logs])
	}
	for shift := range 9 { // one secret behind the other: wherever a piece ends, it ends in each of its letters
		text := strings.Repeat(".", shift) + strings.Repeat(canary.Mark+".", size/9)
		require.Equal(t, size/9, search(t, map[string]string{"logs/a.txt": text}).Found)
	}
	var all strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&all, "%0600d %s\n", i, canary.Mark)
	}
	r := search(t, map[string]string{"logs/a.txt": all.String()})
	require.Equal(t, 5000, r.Found)
	require.Len(t, r.Hits, canary.MaxHits)
	require.EqualValues(t, all.Len(), r.Total())
}

// What a test watches is found in all forms but where it may be shown.
func TestWatched(t *testing.T) {
	seed := []byte("\x00\xff a seed of twenty")
	line := hex.EncodeToString(seed) + " posts\n"
	shown := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(seed)
	r := search(t, map[string]string{"watched/a-1.txt": line + line, "posts/a-1.txt": "scan " + shown, "logs/a-2.txt": "no " + shown[:12]})
	require.Equal(t, 1, r.Watched)
	require.Zero(t, r.Found)
	for _, text := range []string{string(seed), shown, "otpauth://totp/x?secret=" + shown, fmt.Sprintf("%x", seed), base64.StdEncoding.EncodeToString(seed), base64.URLEncoding.EncodeToString(append([]byte("x"), seed...))} {
		r := search(t, map[string]string{"watched/a-1.txt": line, "posts/a-1.txt": "scan " + text, "logs/a-2.txt": "leaked " + text})
		require.Equal(t, 1, r.Found, text)
		require.Equal(t, "logs/a-2.txt", filepath.ToSlash(r.Hits[0].File))
	}
	for _, bad := range []string{"xyz\n", "00ff\n"} {
		_, err := canary.Search(folder(t, map[string]string{"watched/a.txt": bad, "logs/a.txt": "x"}))
		require.ErrorContains(t, err, "a line that Watch did not write")
	}
	require.PanicsWithValue(t, "canary: watch: a secret of 9 bytes comes up by chance; it must have 10", func() { canary.Watch([]byte("123456789")) })
}

// A search that had nothing to search says so.
func TestTooLittle(t *testing.T) {
	full := map[string]string{}
	need := canary.Minimum{Kinds: map[canary.Kind]int64{}}
	for _, k := range canary.Kinds() {
		full[string(k)+"/a.txt"] = "0123456789"
		need.Kinds[k] = 1
	}
	require.NoError(t, search(t, full).Check(need))
	require.NoError(t, search(t, full).Check(canary.Minimum{Total: int64(10 * len(full))}))
	require.ErrorContains(t, search(t, full).Check(canary.Minimum{Total: int64(10*len(full) + 1)}), "at least 71 must be")
	require.ErrorContains(t, search(t, map[string]string{}).Check(canary.Minimum{}), "0 bytes were searched")
	for _, k := range canary.Kinds() {
		name := string(k) + "/a.txt"
		text := full[name]
		delete(full, name)
		require.ErrorContains(t, search(t, full).Check(need), "0 bytes of "+string(k))
		full[name] = ""
		require.ErrorContains(t, search(t, full).Check(need), "0 bytes of "+string(k))
		full[name] = text
		more := canary.Minimum{Kinds: map[canary.Kind]int64{k: 11}}
		require.ErrorContains(t, search(t, full).Check(more), "10 bytes of "+string(k)+" were searched, at least 11 must be")
	}
	full["posts/b.txt"] = canary.Mark
	require.ErrorContains(t, search(t, full).Check(need), "1 hits")
	full["postings/b.txt"] = "x"
	_, err := canary.Search(folder(t, full))
	require.ErrorContains(t, err, "is of no kind")
	_, err = canary.Search(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// The line of a report names what was searched.
func TestReportIsOneLine(t *testing.T) {
	r := search(t, map[string]string{"logs/a.txt": strings.Repeat("x", 2e6), "posts/a.txt": "y"})
	require.Regexp(t, `^canary: secrets begin with "cnrymark", 0 more are watched; 2 files, 2\.0 MB \(test 0\.0 MB, logs 2\.0 MB, posts 0\.0 MB, audit .*\) searched in [0-9.]+s: 0 hits$`, r.String())
}

// Without the variable nothing is written, and a logger says nothing.
func TestOutputsAreWritten(t *testing.T) {
	if canary.On() {
		canary.Logger().Debug("this line is searched")
		data, err := filepath.Glob(filepath.Join(os.Getenv(canary.Variable), string(canary.Logs), fmt.Sprintf("*-%d.txt", os.Getpid())))
		require.NoError(t, err)
		require.Len(t, data, 1)
		text, err := os.ReadFile(data[0])
		require.NoError(t, err)
		require.Contains(t, string(text), "this line is searched")
		return
	}
	require.False(t, canary.Logger().Enabled(t.Context(), -4))
	var out strings.Builder
	require.Same(t, &out, canary.Also(canary.Logs, &out))
	canary.Write(canary.Logs, []byte("x"))
	canary.WriteJSON(canary.Logs, func() {})
	canary.Watch(make([]byte, 20))
}
