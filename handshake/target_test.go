package handshake

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseTarget(t *testing.T) {
	for raw, want := range map[string]target{
		"ws://h.example":             {nil, false, "h.example", "h.example:80", "h.example", "/"},
		"wss://h.example/":           {nil, true, "h.example", "h.example:443", "h.example", "/"},
		"WS://H.example:80/chat":     {nil, false, "H.example", "H.example:80", "H.example", "/chat"},
		"wss://h.example:443":        {nil, true, "h.example", "h.example:443", "h.example", "/"},
		"ws://h.example:443":         {nil, false, "h.example", "h.example:443", "h.example:443", "/"},
		"ws://h.example:":            {nil, false, "h.example", "h.example:80", "h.example", "/"},
		"ws://h.example:9001?case=1": {nil, false, "h.example", "h.example:9001", "h.example:9001", "/?case=1"},
		"ws://h/a%20b/é?q=%23&r=/":   {nil, false, "h", "h:80", "h", "/a%20b/%C3%A9?q=%23&r=/"},
		"ws://h/a b":                 {nil, false, "h", "h:80", "h", "/a%20b"},
		"ws://h//a":                  {nil, false, "h", "h:80", "h", "//a"},
		"ws://127.0.0.1:1/":          {nil, false, "127.0.0.1", "127.0.0.1:1", "127.0.0.1:1", "/"},
		"ws://[::1]/":                {nil, false, "::1", "[::1]:80", "[::1]", "/"},
		"ws://[::1]:81/":             {nil, false, "::1", "[::1]:81", "[::1]:81", "/"},
		"wss://[fe80::1%25eth0]:81/": {nil, true, "fe80::1", "[fe80::1%eth0]:81", "[fe80::1]:81", "/"},
	} {
		got, err := parseTarget(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(target{}), cmpopts.IgnoreFields(target{}, "url")); d != "" {
			t.Errorf("%s (-want +got):\n%s", raw, d)
		}
	}
}

func TestParseTargetRefuses(t *testing.T) {
	for raw, want := range map[string]string{
		"":                              `scheme is "", want ws or wss`,
		"h.example/chat":                `scheme is "", want ws or wss`,
		"http://h.example/":             `scheme is "http", want ws or wss`,
		"localhost:8080":                `scheme is "localhost"`,
		"ws:h.example":                  "host is missing",
		"ws:///chat":                    "host is missing",
		"ws://:80/":                     "host is missing",
		"ws://h.example/#":              "a fragment is not allowed",
		"ws://h.example/chat#a":         "a fragment is not allowed",
		"ws://bücher.example/":          "xn--",
		"ws://h:port/":                  "port",
		"ws://h/a\r\nX: y":              "control character",
		"ws://h/?a b":                   "percent-encoded at byte 3 of",
		"ws://h/?a=é":                   "percent-encoded at byte 4 of",
		"ws://me:secret@h.example":      "Authorization",
		"ws://me:secret@h.example/\x00": "control character",
	} {
		_, err := parseTarget(raw)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want it to say %q", raw, err, want)
		}
	}
}
