package args_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/starlingbot/starling/internal/args"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "5m": 5 * time.Minute, "2d": 48 * time.Hour, "1w2d": 9 * 24 * time.Hour, "90m": 90 * time.Minute, "1.5h": 90 * time.Minute,
		"1.5d": 36 * time.Hour, "1.d": 24 * time.Hour, ".5w": 84 * time.Hour, "-2d": -48 * time.Hour, "+5m": 5 * time.Minute, "0": 0, "-0": 0, "1h30m": 90 * time.Minute, "100us": 100 * time.Microsecond,
		"1µs": time.Microsecond, "-9223372036854775808ns": math.MinInt64, "9223372036854775807ns": math.MaxInt64, "15250w": 15250 * 7 * 24 * time.Hour,
	} {
		got, ok := args.ParseDuration(text)
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "5", "-", "+", "m", "5x", "5 m", "1..5d", "d", ".w", "15251w", "30501w", "40000w", "9999999999999999d", "1000000d", "9223372036854775808ns", "1w-2d", "--5m", "５m", "1e3s", "0x5s", "1D", "5mm"} {
		got, ok := args.ParseDuration(text)
		require.False(t, ok, "%q gave %v", text, got)
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64().Draw(t, "d"))
		got, ok := args.ParseDuration(args.FormatDuration(d))
		require.True(t, ok)
		require.Equal(t, d, got)
		if d != math.MinInt64 {
			got, ok = args.ParseDuration(d.String())
			require.True(t, ok)
			require.Equal(t, d, got, "as time.ParseDuration")
		}
	})
	require.Equal(t, "10m", args.FormatDuration(10*time.Minute))
	require.Equal(t, "1w2d", args.FormatDuration(9*24*time.Hour))
	require.Equal(t, "-1h500ns", args.FormatDuration(-time.Hour-500*time.Nanosecond))
	require.Equal(t, "1m1.5s", args.FormatDuration(61500*time.Millisecond))
	require.Equal(t, "1.5us", args.FormatDuration(1500))
	require.Equal(t, "0s", args.FormatDuration(0))
}

func TestParseTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	beirut, err := time.LoadLocation("Asia/Beirut") // skips midnight in spring
	require.NoError(t, err)
	now := time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC) // the 23rd in Berlin
	for _, c := range []struct {
		text string
		zone *time.Location
		want string // RFC 3339, or the reason
	}{
		{"today", berlin, "2026-11-23T00:00:00+01:00"},
		{"today 17:00", berlin, "2026-11-23T17:00:00+01:00"},
		{"Tomorrow  09:00", berlin, "2026-11-24T09:00:00+01:00"},
		{"tomorrow", time.UTC, "2026-11-23T00:00:00Z"},
		{"2026-12-24", berlin, "2026-12-24T00:00:00+01:00"},
		{"2026-12-24 18:00", berlin, "2026-12-24T18:00:00+01:00"},
		{"2026-12-24T18:00", berlin, "2026-12-24T18:00:00+01:00"},
		{"2026-12-24 18:00:05", berlin, "2026-12-24T18:00:05+01:00"},
		{"2026-12-24T18:00:00Z", berlin, "2026-12-24T19:00:00+01:00"},
		{"2026-12-24t18:00:00z", berlin, "2026-12-24T19:00:00+01:00"},
		{"2026-12-24T18:00:00.5+05:30", time.UTC, "2026-12-24T12:30:00.5Z"},
		{"2026-07-01 12:00", berlin, "2026-07-01T12:00:00+02:00"},
		{"2026-03-29 02:30", berlin, "02:30 does not exist on that day in Europe/Berlin: the clocks skip it"},
		{"2026-03-29 03:00", berlin, "2026-03-29T03:00:00+02:00"},
		{"2026-10-25 02:30", berlin, "02:30 comes twice on that day in Europe/Berlin: write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00"},
		{"2026-10-25 03:00", berlin, "2026-10-25T03:00:00+01:00"},
		{"2026-10-25", berlin, "2026-10-25T00:00:00+02:00"},
		{"2026-03-29", beirut, "2026-03-29T01:00:00+03:00"},
		{"17:00", berlin, "say which day: today 17:00 or tomorrow 17:00"},
		{"today 25:00", berlin, "25:00 is no time of day"},
		{"today 5:00", berlin, "form"},
		{"today 5pm", berlin, "form"},
		{"2026-02-30", berlin, "form"},
		{"24.12.2026", berlin, "form"},
		{"12/24/2026", berlin, "form"},
		{"monday", berlin, "form"},
		{"", berlin, "form"},
		{"0000-01-01", berlin, "the year must be 1 to 9999"},
		{"9999-12-31T23:30:00-01:00", berlin, "the year must be 1 to 9999"},
		{"0001-01-01 00:30", berlin, "the year must be 1 to 9999"},
	} {
		got, reason := args.ParseTime(c.text, now, c.zone)
		switch {
		case reason == "":
			require.Equal(t, c.want, got.Format(time.RFC3339Nano), c.text)
		case c.want == "form":
			require.Equal(t, "a time is today 17:00, tomorrow 09:00, 2026-11-22, 2026-11-22 15:04 or 2026-11-22T15:04:05Z", reason)
		default:
			require.Equal(t, c.want, reason, c.text)
		}
	}

	type when struct {
		At   time.Time `arg:"at"`
		Next string    `arg:"next" optional:""`
		By   time.Time `flag:"by"`
	}
	for _, c := range []struct{ name, got, want string }{
		{"two tokens", bind[when](t, "today 17:00 x"), "{At:2026-11-22 17:00:00 +0000 UTC Next:x By:0001-01-01 00:00:00 +0000 UTC}"},
		{"a date and its time", bind[when](t, "2026-12-24 17:00"), "{At:2026-12-24 17:00:00 +0000 UTC Next: By:0001-01-01 00:00:00 +0000 UTC}"},
		{"one token", bind[when](t, `"tomorrow 09:00"`), "{At:2026-11-23 09:00:00 +0000 UTC Next: By:0001-01-01 00:00:00 +0000 UTC}"},
		{"quoted: apart", bind[when](t, `today "17:00"`), "{At:2026-11-22 00:00:00 +0000 UTC Next:17:00 By:0001-01-01 00:00:00 +0000 UTC}"},
		{"by name", bind[when](t, "--by tomorrow 17:00 at:today 12:30"), "{At:2026-11-22 12:30:00 +0000 UTC Next: By:2026-11-23 17:00:00 +0000 UTC}"},
		{"never a guess", bind[when](t, "17:00"), "wrong: at: say which day: today 17:00 or tomorrow 17:00"},
	} {
		require.Equal(t, c.want, c.got, c.name)
	}
}

// T14: forms of addresses that a URL must not have.
func TestURLForms(t *testing.T) {
	var hosts []string
	add := func(h ...string) { hosts = append(hosts, h...) }
	// Each private address in the forms that resolvers and libraries read.
	v4 := []string{"127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1", "0.0.0.0", "100.64.0.1", "168.63.129.16"}
	for _, s := range v4 {
		a := netip.MustParseAddr(s).As4()
		n := uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
		add(s, s+".", fmt.Sprintf("%d", n), fmt.Sprintf("0x%x", n), fmt.Sprintf("0X%X", n), fmt.Sprintf("0%o", n),
			fmt.Sprintf("0x%x.0x%x.0x%x.0x%x", a[0], a[1], a[2], a[3]), fmt.Sprintf("0%o.0%o.0%o.0%o", a[0], a[1], a[2], a[3]),
			fmt.Sprintf("%03d.%03d.%03d.%03d", a[0], a[1], a[2], a[3]), fmt.Sprintf("%d.%d", a[0], n&0xffffff), fmt.Sprintf("%d.%d.%d", a[0], a[1], n&0xffff),
			fmt.Sprintf("0x%x.%d", a[0], n&0xffffff), fmt.Sprintf("%d.%d.%d.0%o", a[0], a[1], a[2], a[3]), fmt.Sprintf("%d.%d.%d.0x%x", a[0], a[1], a[2], a[3]),
			fmt.Sprintf("[::ffff:%s]", s), fmt.Sprintf("[::ffff:%x:%x]", n>>16, n&0xffff), fmt.Sprintf("[::%s]", s), fmt.Sprintf("[0:0:0:0:0:ffff:%s]", s),
			fmt.Sprintf("[64:ff9b::%x:%x]", n>>16, n&0xffff), fmt.Sprintf("[2002:%x:%x::1]", n>>16, n&0xffff), fmt.Sprintf("[::ffff:0:%s]", s),
			s+".nip.io", fmt.Sprintf("%d-%d-%d-%d.sslip.io", a[0], a[1], a[2], a[3]), fmt.Sprintf("%d.", n), s+"%2e", fmt.Sprintf("%d.%d.%d.%d.0", a[0], a[1], a[2], a[3]))
	}
	add("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::0001]", "[fe80::1]", "[fe80::1%25eth0]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]", "[100::1]",
		"[fec0::1]", "[2001::1]", "[::1]:80", "[2606:4700:0:0:0:0:0:1111]", "[2606:4700::ABCD:0001]", "localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain",
		"metadata.google.internal", "metadata", "instance-data", "kubernetes.default.svc.cluster.local", "redis", "db.internal", "printer.local", "router.lan", "x.onion",
		"localtest.me", "lvh.me", "127.1", "127.0.1", "0", "0.0", "0x7f.1", "255.255.255.255", "224.0.0.1", "240.0.0.1", "198.18.0.1", "192.0.0.192", "1.2.3.4.5", "0x", "1.0x7f",
		"①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1", "ｌocalhost", "loc\u00adalhost", "a_b..c", ".a.example", "-a.example", "a.example-.com.", "exa mple.com", "a.example%00.b", "a.example\\@b.example",
		"user@a.example", "user:pw@a.example", "a.example@evil.example", ":pw@a.example", "@a.example", "a.example:0", "a.example:99999", "a.example:", "a.example:080", "a.example:8o", "[::1", "::1",
		"a.example:80@evil.example", "a.example#@evil.example:x@", "а.example", "")
	forms := map[string]bool{}
	for _, h := range hosts {
		if h == "a.example#@evil.example:x@" { // the host is a.example: not a form of another
			continue
		}
		forms["http://"+h+"/"] = true
	}
	for _, s := range []string{
		"http:127.0.0.1/", "http:/127.0.0.1/", "http:///127.0.0.1/", "//a.example/", "a.example", "/etc/passwd", "file:///etc/passwd", "gopher://a.example/", "ftp://a.example/", "javascript:alert(1)",
		"data:text/html,x", "dict://a.example:11211/", "http://a.example\n/", "http://a.example/\x00", "http://a.example/\u200b", "http://a.exa\u202emple/", `http:\\a.example\`, `http://a.example\@evil.example/`,
		"jar:http://a.example!/", "ldap://a.example/", "http://a.example /", " http://a.example/x", "http://a.example/%zz", "unix:///var/run/docker.sock",
	} {
		forms[s] = true
	}
	refused := 0
	for f := range forms {
		for _, rule := range []args.URLRule{{}, {Hosts: []string{"a.example", "*.b.example"}, Schemes: []string{"https"}}, {Hosts: []string{"ok.example"}, Schemes: []string{"http"}}} {
			u, reason := rule.Parse(f)
			require.NotEmpty(t, reason, "%q was taken as %q by %+v", f, u, rule)
		}
		refused++
	}
	t.Logf("T14: %d of %d forms refused", refused, len(forms))
	require.GreaterOrEqual(t, refused, 200)

	// And what must pass, so that refusing everything is no proof.
	for _, c := range []struct {
		rule       args.URLRule
		text, want string
	}{
		{args.URLRule{}, "https://a.example/b?c=d#e", ""},
		{args.URLRule{}, "http://a.b/c", ""},
		{args.URLRule{}, "https://A.Example./b", "https://a.example/b"},
		{args.URLRule{}, "HTTPS://a.example:8443/", "https://a.example:8443/"},
		{args.URLRule{}, "<https://a.example/x>", "https://a.example/x"},
		{args.URLRule{}, "https://a.example/ü?q=ä", "https://a.example/%C3%BC?q=ä"},
		{args.URLRule{}, "https://a.example/b%2Fc/@me", ""},
		{args.URLRule{}, "https://1.1.1.1/", ""},
		{args.URLRule{}, "https://[2606:4700::1111]:8080/", ""},
		{args.URLRule{}, "https://xn--mnchen-3ya.example/", ""},
		{args.URLRule{}, "https://a.example#@evil.example", ""},
		{args.URLRule{Hosts: []string{"a.example"}}, "https://a.example/", ""},
		{args.URLRule{Hosts: []string{"*.b.example"}}, "https://x.y.b.example/", ""},
		{args.URLRule{Hosts: []string{"127.0.0.1", "localhost", "::1", "redis"}}, "http://127.0.0.1:6379/", ""},
		{args.URLRule{Hosts: []string{"127.0.0.1", "localhost", "::1", "redis"}}, "http://[::1]/", ""},
		{args.URLRule{Hosts: []string{"127.0.0.1", "localhost", "::1", "redis"}}, "http://redis/", ""},
		{args.URLRule{Schemes: []string{"ssh"}}, "ssh://a.example/x", ""},
	} {
		u, reason := c.rule.Parse(c.text)
		require.Empty(t, reason, c.text)
		if c.want == "" {
			c.want = c.text
		}
		require.Equal(t, c.want, u.String())
		require.Equal(t, c.want, u.URL().String())
		again, reason := c.rule.Parse(u.String())
		require.Empty(t, reason)
		require.Equal(t, u, again)
		require.False(t, u.IsZero())
	}
	for _, c := range []struct{ host, text string }{
		{"*.b.example", "https://b.example/"}, {"*.b.example", "https://xb.example/"}, {"b.example", "https://x.b.example/"}, {"a.example", "https://a.example.evil.example/"},
		{"127.0.0.1", "http://2130706433/"}, {"127.0.0.1", "http://127.0.0.2/"}, {"10.0.0.1", "http://[::ffff:10.0.0.1]/"},
	} {
		_, reason := args.URLRule{Hosts: []string{c.host}}.Parse(c.text)
		require.NotEmpty(t, reason, "%s %s", c.host, c.text)
	}
	require.True(t, args.URL{}.IsZero())
	require.True(t, args.PublicAddr(netip.MustParseAddr("1.1.1.1")))
	require.False(t, args.PublicAddr(netip.MustParseAddr("::ffff:1.1.1.1")))
	require.False(t, args.PublicAddr(netip.Addr{}))
}

// T14: paths that lead out, and what must pass.
func TestPathForms(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("outside"), 0o600))
	in := filepath.Join(dir, "in")
	require.NoError(t, os.MkdirAll(filepath.Join(in, "a"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(in, "a", "b.txt"), []byte("inside"), 0o600))
	require.NoError(t, os.Symlink("../../secret", filepath.Join(in, "a", "link")))
	root, err := os.OpenRoot(in)
	require.NoError(t, err)
	defer func() { require.NoError(t, root.Close()) }()

	for _, s := range []string{
		"", "..", "../secret", "a/../../secret", "a/..", "/etc/passwd", "//x", "~", "~root/x", `..\secret`, `a\b`, `C:\x`, "C:x", "c:/x", "a\x00b", "a\nb", "a/\u202eb", "a\u200b", "\xff",
		"-rf", "a/-rf", "a/.../b", ". ./b", "a/b ", "x:y", `\\host\share`, string(make([]byte, 1025)), "a/" + longName(1024),
	} {
		p, reason := args.ParsePath(s)
		require.NotEmpty(t, reason, "%q was taken as %q", s, p)
	}
	_, reason := args.ParsePath("../x")
	require.Equal(t, "a path has no .. in it", reason)
	for text, want := range map[string]string{"a": "a", "a/b.txt": "a/b.txt", "./a//b.txt": "a/b.txt", "a/./b/": "a/b", ".": ".", ".env": ".env", "..a": "..a", "a..b": "a..b", "ä ö/日本": "ä ö/日本", "отчет-v2": "отчет-v2"} {
		p, reason := args.ParsePath(text)
		require.Empty(t, reason, text)
		require.Equal(t, want, p.String())
		require.False(t, p.IsZero())
	}

	p, _ := args.ParsePath("a/b.txt")
	f, err := p.Open(root)
	require.NoError(t, err)
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Equal(t, "inside", string(b))
	p, _ = args.ParsePath("a/link")
	_, err = p.Open(root)
	require.Error(t, err, "a link out of the root")
	_, err = args.Path{}.Open(root)
	require.True(t, errors.Is(err, os.ErrNotExist))
	require.True(t, args.Path{}.IsZero())
}

func longName(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'x'
	}
	return string(b)
}

func TestSuggest(t *testing.T) {
	known := []string{"deploy", "rollback", "status", "remind", "roll", "prod", "go", "rolls"}
	for word, want := range map[string]string{
		"deplyo": "deploy", "dpeloy": "deploy", "deploi": "deploy", "DEPLOY": "deploy", "deployed": "deploy", "rolback": "rollback", "statsu": "status", "rol": "roll", "rollo": "roll",
		"prdo": "prod", "porod": "prod", "pr": "", "og": "", "go": "go", "moon": "", "": "", "depyol": "deploy", "dleopy": "", "rolk": "roll", "x" + longName(70): "", "tsatus": "status",
	} {
		got, ok := args.Suggest(word, known)
		require.Equal(t, want, got, word)
		require.Equal(t, want != "", ok, word)
	}
	got, _ := args.Suggest("bat", []string{"hat", "cat", "bit", "bad"})
	require.Equal(t, "bad", got, "the same first letter, then the alphabet")
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOf(rapid.StringMatching(`[a-d]{1,7}`)).Draw(t, "known")
		word := rapid.StringMatching(`[a-d]{1,7}`).Draw(t, "word")
		a, okA := args.Suggest(word, list)
		b, okB := args.Suggest(word, rapid.Permutation(list).Draw(t, "permuted"))
		require.Equal(t, a, b, "the order does not matter")
		require.Equal(t, okA, okB)
		best := 3
		for _, k := range list {
			limit := 2
			if len(k) < 5 {
				limit = 1
			}
			if len(k) < 3 {
				limit = 0
			}
			if d := alignment(word, k); d <= limit {
				best = min(best, d)
			}
		}
		require.Equal(t, best < 3, okA)
		if okA {
			require.Equal(t, best, alignment(word, a))
		}
	})
}

// alignment is the textbook's optimal string alignment distance.
func alignment(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
