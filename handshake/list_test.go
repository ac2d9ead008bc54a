package handshake

import (
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	const tchars = "!#$%&'*+-.^_`|~" +
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for i := range 256 {
		c := byte(i)
		if got, want := isTchar(c), strings.IndexByte(tchars, c) >= 0; got != want {
			t.Errorf("isTchar(%q) = %t", c, got)
		}
	}
	for s, want := range map[string]bool{"": false, tchars: true, "a b": false, "é": false, "a\r\n": false} {
		if got := isToken(s); got != want {
			t.Errorf("isToken(%q) = %t", s, got)
		}
	}
}

func TestEqualFold(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"", "", true},
		{"websocket", "WebSocket", true},
		{"websocket", "websocke", false},
		{"websoc\u212Aet", "websocket", false}, // strings.EqualFold says true
		{"[", "{", false},                      // a bit apart, like A and a
		{"@", "`", false},
	} {
		if got := equalFold(c.a, c.b); got != c.want {
			t.Errorf("equalFold(%q, %q) = %t", c.a, c.b, got)
		}
	}
}

func TestHasElement(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"upgrade"}, true},
		{[]string{"keep-alive, Upgrade"}, true},
		{[]string{"keep-alive,\t UPGRADE \t,"}, true},
		{[]string{"keep-alive", "upgrade"}, true},
		{[]string{"keep-alive upgrade"}, false},
		{[]string{"upgrade/1"}, false},
		{[]string{"up", "grade"}, false},
		{[]string{"\u00a0upgrade"}, false},
	} {
		if got := hasElement(c.lines, "upgrade"); got != c.want {
			t.Errorf("hasElement(%q) = %t", c.lines, got)
		}
	}
}
