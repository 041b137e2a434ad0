package handler_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// T19: a secret shows itself to nobody but Reveal: not by any verb, not inside what holds it, not in a log or an encoding.
func TestSecretNeverShows(t *testing.T) {
	const canary = "cnrymark2"
	s := handler.NewSecret(canary)
	type exported struct{ Password handler.Secret }
	type hidden struct{ password handler.Secret }
	leaks := func(where, out string) {
		t.Helper()
		require.NotContains(t, out, canary, where)
		require.NotContains(t, strings.ToLower(out), "68756e74657232", where) // in hexadecimal
		require.NotContains(t, out, "104 117 110", where)                     // as bytes
	}
	holders := []any{s, &s, []handler.Secret{s}, map[string]handler.Secret{"p": s}, map[handler.Secret]int{s: 1}, exported{s}, &exported{s}, hidden{s}, &hidden{s}, []any{hidden{s}}, any(s), fmt.Errorf("login with %v", s)}
	for _, v := range holders {
		for verb := 'A'; verb <= 'z'; verb++ {
			for _, flags := range []string{"", "+", "#", "20", ".3", "-", " ", "0"} {
				format := "%" + flags + string(verb)
				leaks(format, fmt.Sprintf(format, v))
				leaks(format+" in a message", adapter.Format(format, v))
			}
		}
		leaks("Sprint", fmt.Sprint(v)+fmt.Sprintln(v))
		wrapping := "x %w %v" // a variable: vet knows that it is wrong
		leaks("Errorf", fmt.Errorf(wrapping, v, v).Error())

		var text, js bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v, slog.Group("g", "v", v))
		slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "v", v, slog.Group("g", "v", v))
		leaks("slog text", text.String())
		leaks("slog JSON", js.String())
		if out, err := json.Marshal(v); err == nil {
			leaks("JSON", string(out))
		}
		if out, err := xml.Marshal(v); err == nil {
			leaks("XML", string(out))
		}
		var g bytes.Buffer
		_ = gob.NewEncoder(&g).Encode(v)
		leaks("gob", g.String())
	}

	for _, verb := range "vsqxXdeEfFgGbcoOtUz" {
		format := "%+#010.2" + string(verb)
		require.Equal(t, "[secret]", fmt.Sprintf(format, s), format)
	}
	require.Equal(t, "[secret]", s.String())
	require.Equal(t, "[secret]", s.GoString())
	out, err := json.Marshal(exported{s})
	require.NoError(t, err)
	require.JSONEq(t, `{"Password":"[secret]"}`, string(out))
	require.Error(t, json.Unmarshal(out, new(exported)), "what was hidden is not read back as if it were the value")
}

func TestSecretReveal(t *testing.T) {
	require.Equal(t, "cnrymark2", handler.NewSecret("cnrymark2").Reveal())
	require.False(t, handler.NewSecret("x").IsZero())
	require.True(t, handler.NewSecret("").IsZero())
	require.True(t, handler.Secret{}.IsZero())
	require.Empty(t, handler.Secret{}.Reveal())
	require.Equal(t, handler.Secret{}, handler.NewSecret(""))
	require.True(t, handler.NewSecret("a"+fmt.Sprint(1)) == handler.NewSecret("a1"), "equal values are equal secrets")
	require.False(t, handler.NewSecret("a") == handler.NewSecret("b"))
}
