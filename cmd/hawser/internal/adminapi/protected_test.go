package adminapi

import (
	"net/netip"
	"strings"
	"testing"
)

func TestProtected(t *testing.T) {
	p, err := Protect([]string{"10.0.0.0/8", "unix"}, []string{"192.0.2.7", "2001:db8::/48"})
	if err != nil {
		t.Fatal(err)
	}
	for network, says := range map[string]string{
		"0.0.0.0/0":         "everybody",
		"::/0":              "everybody",
		"10.1.0.0/16":       "10.0.0.0/8 in the setting trusted_proxies protects it",
		"10.0.0.0/8":        "trusted_proxies protects it",
		"8.0.0.0/6":         "10.0.0.0/8 in the setting trusted_proxies protects a part of it",
		"192.0.2.7/32":      "192.0.2.7/32 in the setting bans.allow protects it",
		"192.0.2.0/24":      "bans.allow protects a part of it",
		"2001:db8:0:5::/64": "bans.allow protects it",
		"192.0.2.6/32":      "",
		"11.0.0.0/8":        "",
		"2001:db9::/32":     "",
	} {
		err := p.Check(netip.MustParsePrefix(network))
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want %q", network, err, says)
		}
	}
	for addr, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "192.0.2.7": true, "64:ff9b::192.0.2.7": true, "64:ff9b::10.1.2.3": false, "2002:a01:203::1": false, "192.0.2.8": false, "2001:db8::1": true, "::1": false} {
		if got := p.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is protected: %v", addr, got)
		}
	}
	if (Protected{}).Contains(netip.MustParseAddr("10.1.2.3")) || p.Contains(netip.Addr{}) {
		t.Error("nobody protects somebody, or somebody nobody")
	}
	if _, err := Protect(nil, []string{"x"}); err == nil || !strings.Contains(err.Error(), "bans.allow") {
		t.Errorf("a list that cannot be read: %v", err)
	}
}
