package proxy

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func mustTrust(t testing.TB, list ...string) Trusted {
	t.Helper()
	trusted, err := ParseTrusted(list)
	if err != nil {
		t.Fatal(err)
	}
	return trusted
}

func TestTrusted(t *testing.T) {
	trusted := mustTrust(t, "10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1")
	for _, addr := range []string{"10.1.2.3", "::ffff:10.1.2.3", "192.0.2.1", "2001:db8::9", "::1"} {
		if !trusted.Has(netip.MustParseAddr(addr)) {
			t.Errorf("%s is not trusted", addr)
		}
	}
	for _, addr := range []string{"11.0.0.1", "192.0.2.2", "2001:db9::", "::2", "::ffff:11.0.0.1", "::a01:203"} {
		if trusted.Has(netip.MustParseAddr(addr)) {
			t.Errorf("%s is trusted", addr)
		}
	}
	if !(Trusted{}).None() || mustTrust(t, "unix").None() || trusted.Has(netip.Addr{}) {
		t.Error("nobody is somebody")
	}
	for entry, says := range map[string]string{
		"": "10.0.0.0/8", "localhost": "10.0.0.0/8", "10.0.0.0/33": "10.0.0.0/8", "fe80::1%eth0": "10.0.0.0/8",
		"10.1.0.0/8": "10.0.0.0/8", "::ffff:10.0.0.0/104": "IPv4",
	} {
		if _, err := ParseTrusted([]string{entry}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v; want an error that says %q", entry, err, says)
		}
	}
}

func TestClientAddr(t *testing.T) {
	trusted := mustTrust(t, "10.0.0.0/8", "fd00::/8")
	const proxy = "10.0.0.1:1000"
	for _, c := range []struct {
		name   string
		header Header
		peer   string
		lines  []string
		want   string // "" for the peer
	}{
		{"none", XForwardedFor, proxy, nil, ""},
		{"one", XForwardedFor, proxy, []string{"192.0.2.1"}, "192.0.2.1:0"},
		{"a port", XForwardedFor, proxy, []string{"192.0.2.1:80"}, "192.0.2.1:80"},
		{"IPv6", XForwardedFor, proxy, []string{"2001:db8::1"}, "[2001:db8::1]:0"},
		{"IPv6 in brackets", XForwardedFor, proxy, []string{"[2001:db8::1]"}, "[2001:db8::1]:0"},
		{"IPv6 and a port", XForwardedFor, proxy, []string{"[2001:db8::1]:80"}, "[2001:db8::1]:80"},
		{"A14 IPv4 in IPv6", XForwardedFor, proxy, []string{"::ffff:192.0.2.1"}, "192.0.2.1:0"},
		{"a stranger's header", XForwardedFor, "192.0.2.9:1", []string{"192.0.2.1"}, ""},
		{"the client's invention", XForwardedFor, proxy, []string{"198.51.100.1, 192.0.2.1"}, "192.0.2.1:0"},
		{"two proxies", XForwardedFor, proxy, []string{"192.0.2.1, 10.9.9.9"}, "192.0.2.1:0"},
		{"two lines", XForwardedFor, proxy, []string{"198.51.100.1, 192.0.2.1", "fd00::1 ,\t10.9.9.9"}, "192.0.2.1:0"},
		{"only proxies", XForwardedFor, proxy, []string{"10.1.1.1, 10.9.9.9"}, "10.1.1.1:0"},
		{"rubbish behind a proxy", XForwardedFor, proxy, []string{"192.0.2.1, rubbish, 10.9.9.9"}, "10.9.9.9:0"},
		{"rubbish", XForwardedFor, proxy, []string{"192.0.2.1, unknown"}, ""},
		{"an empty element", XForwardedFor, proxy, []string{"192.0.2.1,"}, ""},
		{"a zone", XForwardedFor, proxy, []string{"fe80::1%eth0"}, ""},
		{"half a bracket", XForwardedFor, proxy, []string{"[2001:db8::1"}, ""},
		{"the client's quote", XForwardedFor, proxy, []string{`"`, "192.0.2.1"}, "192.0.2.1:0"},
		{"a socket that is not trusted", XForwardedFor, "@", []string{"192.0.2.1"}, ""},

		{"other header", Forwarded, proxy, nil, ""},
		{"token", Forwarded, proxy, []string{"for=192.0.2.1"}, "192.0.2.1:0"},
		{"case, order", Forwarded, proxy, []string{`proto=https; FOR=192.0.2.1 ;by=10.0.0.1`}, "192.0.2.1:0"},
		{"quoted", Forwarded, proxy, []string{`for="[2001:db8::1]:80";proto=http`}, "[2001:db8::1]:80"},
		{"quoted comma", Forwarded, proxy, []string{`for=192.0.2.1;host="a, for=198.51.100.1;x"`}, "192.0.2.1:0"},
		{"escaped quote", Forwarded, proxy, []string{`for=192.0.2.1;host="a\", for=198.51.100.1;x"`}, "192.0.2.1:0"},
		{"the client's quote", Forwarded, proxy, []string{`for="`, `for=192.0.2.1;host="h"`}, ""},
		{"the client's quote, never closed", Forwarded, proxy, []string{`for=", for=192.0.2.1`}, ""},
		{"for twice", Forwarded, proxy, []string{"for=192.0.2.1;for=192.0.2.2"}, ""},
		{"no for", Forwarded, proxy, []string{"for=192.0.2.1, proto=http"}, ""},
		{"obfuscated", Forwarded, proxy, []string{"for=192.0.2.1, for=_hidden"}, ""},
		{"chain", Forwarded, proxy, []string{`for=198.51.100.1, for=192.0.2.1, for="[fd00::1]:5"`}, "192.0.2.1:0"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{string(c.header): c.lines}}
		got := ""
		if addr := c.header.ClientAddr(trusted)(r); addr.IsValid() {
			got = addr.String()
		}
		if got != c.want {
			t.Errorf("%s: %q; want %q", c.name, got, c.want)
		}
	}
	// Clients that may connect to a Unix socket can be trusted, too.
	r := &http.Request{RemoteAddr: "@", Header: http.Header{"X-Forwarded-For": {"192.0.2.1"}}}
	if addr := XForwardedFor.ClientAddr(mustTrust(t, "unix"))(r); addr.String() != "192.0.2.1:0" {
		t.Errorf("over a Unix socket: %v", addr)
	}
}
