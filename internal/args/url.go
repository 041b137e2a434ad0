package args

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// URL is an absolute URL that passed the rules of its argument: scheme, host and form. The zero URL is none. URLs are
// comparable.
//
// The rules are about what was written. A name can resolve to any address, and a server can redirect: who connects checks
// the address at the time of dialling ([PublicAddr] in net.Dialer.Control) and follows no redirect to another host.
type URL struct{ u url.URL }

// URLRule says which URLs an argument takes.
type URLRule struct {
	// Schemes are the ones allowed; default https and http.
	Schemes []string
	// Hosts are the ones allowed: names, "*.b.example" for all names under b.example but not itself, addresses. Empty: any
	// public name or address. Addresses and names that are not public (loopback, private, link-local, localhost, names
	// without a dot) are refused unless they are listed in full.
	Hosts []string
}

const maxURL = 2048

// Parse makes a URL. The error is a reason for people.
func (rule URLRule) Parse(s string) (u URL, reason string) {
	if n := len(s); n > 2 && s[0] == '<' && s[n-1] == '>' { // how people write links that must not be unfurled
		s = s[1 : n-1]
	}
	if _, r, _, found := findOdd(s, true); found {
		return URL{}, "the URL has " + CodePoint(r) + " in it"
	}
	if len(s) > maxURL {
		return URL{}, "the URL is longer than 2,048 bytes"
	}
	if strings.ContainsAny(s, "\\ ") {
		return URL{}, "a URL has no \\ and no space in it"
	}
	p, err := url.Parse(s)
	if err != nil || p.Scheme == "" || p.Opaque != "" || p.Host == "" {
		return URL{}, "a URL is written like " + rule.schemes()[0] + "://host/path"
	}
	if !slices.Contains(rule.schemes(), p.Scheme) {
		return URL{}, "the URL must begin with " + strings.Join(rule.schemes(), ":// or ") + "://"
	}
	if p.User != nil || strings.ContainsRune(p.Host, '@') {
		return URL{}, "a URL must not hold a user name or password"
	}
	p.Host = strings.ToLower(p.Host)
	if reason := rule.host(p); reason != "" {
		return URL{}, reason
	}
	again, err := url.Parse(p.String())
	if err != nil || again.Scheme != p.Scheme || again.Host != p.Host || again.Path != p.Path || again.RawQuery != p.RawQuery || again.String() != p.String() {
		return URL{}, "the URL can be read in two ways"
	}
	return URL{*again}, ""
}

func (rule URLRule) schemes() []string {
	if len(rule.Schemes) == 0 {
		return []string{"https", "http"}
	}
	return rule.Schemes
}

// host checks the host and port of p and takes a final dot off.
func (rule URLRule) host(p *url.URL) (reason string) {
	host, port := p.Hostname(), p.Port()
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0 || port[0] == '0') || port == "" && strings.HasSuffix(p.Host, ":") {
		return "the port of the URL must be 1 to 65535"
	}
	if strings.HasSuffix(host, ".") {
		host = host[:len(host)-1]
		p.Host = host
		if port != "" {
			p.Host += ":" + port
		}
	}
	v6 := strings.HasPrefix(p.Host, "[")
	for _, r := range host {
		if hostRune(r) || v6 && r == ':' {
			continue
		}
		if r < 0x80 {
			return "the host of the URL has " + strconv.QuoteRune(r) + " in it"
		}
		return "the host of the URL has " + CodePoint(r) + " in it: write the name in its xn-- form"
	}
	if host == "" || len(host) > 253 {
		return "the URL has no host"
	}
	listed := rule.lists(host)
	if addr, err := netip.ParseAddr(host); err == nil {
		switch {
		case addr.Is4In6() || addr.String() != host || v6 != addr.Is6():
			return "the address in the URL must be written in its usual form"
		case !listed && len(rule.Hosts) > 0:
			return "the host of the URL must be " + strings.Join(rule.Hosts, " or ")
		case !listed && !PublicAddr(addr):
			return "the address in the URL is not a public one"
		}
		return ""
	}
	if v6 || numeric(host[strings.LastIndexByte(host, '.')+1:]) {
		return "the address in the URL must be written in its usual form"
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "the host of the URL is no name"
		}
	}
	switch {
	case listed:
		return ""
	case len(rule.Hosts) > 0:
		return "the host of the URL must be " + strings.Join(rule.Hosts, " or ")
	case !publicName(host):
		return "the host of the URL is not a public one"
	}
	return ""
}

func hostRune(r rune) bool {
	return r == '.' || r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z'
}

// lists tells whether the list of hosts names host.
func (rule URLRule) lists(host string) bool {
	for _, h := range rule.Hosts {
		if h == host {
			return true
		}
		if under, wild := strings.CutPrefix(h, "*"); wild && len(host) > len(under) && strings.HasSuffix(host, under) {
			return true
		}
	}
	return false
}

// numeric tells whether a last label makes resolvers read the whole host as an address in one of its many forms
// (WHATWG URL, "ends in a number").
func numeric(label string) bool {
	hex := strings.HasPrefix(label, "0x")
	if hex {
		label = label[2:]
	}
	for i := range len(label) {
		if c := label[i]; (c < '0' || c > '9') && (!hex || c < 'a' || c > 'f') {
			return false
		}
	}
	return label != "" || hex
}

// publicName tells whether a name can be one of the open Internet. Names that are made to resolve to any address that
// they spell count as private.
func publicName(host string) bool {
	if !strings.Contains(host, ".") {
		return false
	}
	for _, private := range privateNames {
		if host == private || len(host) > len(private) && strings.HasSuffix(host, private) && host[len(host)-len(private)-1] == '.' {
			return false
		}
	}
	return true
}

// Special-use names (RFC 6761, 6762, 7686, 8375, 9476, ICANN's .internal), the usual inner ones, the metadata services of
// clouds, and well-known names that resolve to 127.0.0.1 or to the address in them.
var privateNames = []string{
	"localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home", "lan", "home.arpa", "in-addr.arpa",
	"ip6.arpa", "test", "invalid", "onion", "alt", "consul", "docker",
	"nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me", "vcap.me", "lacolhost.com", "rbndr.us",
	"1u.ms", "traefik.me", "local.gd", "localho.st",
}

// notPublic are the ranges that no public host has (the IANA special-purpose address registries), and those that carry
// another address inside.
var notPublic = func() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
		"240.0.0.0/4", "168.63.129.16/32", // the last one is the inner service of Azure
		"::/8", "64:ff9b::/32", "100::/8", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
		"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

// PublicAddr tells whether addr is of the open Internet: not loopback, private, link-local, shared, multicast, reserved or
// for documentation, no address with another one inside, and without a zone.
func PublicAddr(addr netip.Addr) bool {
	if !addr.IsValid() || addr.Zone() != "" || addr.Is4In6() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}

// check tells what is wrong with the rule itself.
func (rule URLRule) check() (mistakes []string) {
	for _, s := range rule.Schemes {
		if s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789+.-") != "" || s[0] < 'a' || s[0] > 'z' {
			mistakes = append(mistakes, "scheme "+strconv.Quote(s)+" is not one in lower case")
		}
	}
	for _, h := range rule.Hosts {
		name := strings.TrimPrefix(h, "*.")
		_, err := netip.ParseAddr(name)
		bad := strings.IndexFunc(name, func(r rune) bool { return !hostRune(r) }) >= 0
		if name == "" || err != nil && (bad || numeric(name[strings.LastIndexByte(name, '.')+1:])) || err == nil && name != h {
			mistakes = append(mistakes, "host "+strconv.Quote(h)+" is not a name in lower case, a name after \"*.\" or an address, without port")
		}
	}
	return mistakes
}

// String gives the URL.
func (u URL) String() string { return u.u.String() }

// IsZero tells whether there is none.
func (u URL) IsZero() bool { return u == URL{} }

// URL gives a copy for package net/http.
func (u URL) URL() *url.URL { c := u.u; return &c }

// Hostname gives the host without port, in lower case.
func (u URL) Hostname() string { return u.u.Hostname() }

// MarshalText gives the URL.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.u.String()), nil }
