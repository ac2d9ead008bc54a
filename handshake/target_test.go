package handshake

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseTarget(t *testing.T) {
	for raw, want := range map[string]target{
		"ws://h.example":             {secure: false, serverName: "h.example", addr: "h.example:80", host: "h.example", resource: "/"},
		"wss://h.example/":           {secure: true, serverName: "h.example", addr: "h.example:443", host: "h.example", resource: "/"},
		"WS://H.example:80/chat":     {secure: false, serverName: "H.example", addr: "H.example:80", host: "H.example", resource: "/chat"},
		"wss://h.example:443":        {secure: true, serverName: "h.example", addr: "h.example:443", host: "h.example", resource: "/"},
		"ws://h.example:443":         {secure: false, serverName: "h.example", addr: "h.example:443", host: "h.example:443", resource: "/"},
		"ws://h.example:":            {secure: false, serverName: "h.example", addr: "h.example:80", host: "h.example", resource: "/"},
		"ws://h.example:9001?case=1": {secure: false, serverName: "h.example", addr: "h.example:9001", host: "h.example:9001", resource: "/?case=1"},
		"ws://h/a%20b/é?q=%23&r=/":   {secure: false, serverName: "h", addr: "h:80", host: "h", resource: "/a%20b/%C3%A9?q=%23&r=/"},
		"ws://h/a b":                 {secure: false, serverName: "h", addr: "h:80", host: "h", resource: "/a%20b"},
		"ws://h//a":                  {secure: false, serverName: "h", addr: "h:80", host: "h", resource: "//a"},
		"ws://127.0.0.1:1/":          {secure: false, serverName: "127.0.0.1", addr: "127.0.0.1:1", host: "127.0.0.1:1", resource: "/"},
		"ws://[::1]/":                {secure: false, serverName: "::1", addr: "[::1]:80", host: "[::1]", resource: "/"},
		"ws://[::1]:81/":             {secure: false, serverName: "::1", addr: "[::1]:81", host: "[::1]:81", resource: "/"},
		"http://h.example":           {secure: false, serverName: "h.example", addr: "h.example:80", host: "h.example", resource: "/"},
		"HTTPS://h.example:443/a":    {secure: true, serverName: "h.example", addr: "h.example:443", host: "h.example", resource: "/a"},
		"wss://me:a@b@h:1/":          {secure: true, serverName: "h", addr: "h:1", host: "h:1", resource: "/"},
		"wss://[fe80::1%25eth0]:81/": {secure: true, serverName: "fe80::1", addr: "[fe80::1%eth0]:81", host: "[fe80::1]:81", resource: "/"},
	} {
		got, err := parseTarget(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		if got.url.User != nil {
			t.Errorf("%s: a cookie jar would be told the user", raw)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(target{}), cmpopts.IgnoreFields(target{}, "url", "user")); d != "" {
			t.Errorf("%s (-want +got):\n%s", raw, d)
		}
	}
}

func TestParseTargetRefuses(t *testing.T) {
	for raw, want := range map[string]string{
		"":                              "must begin with ws:// or wss://",
		"h.example/chat":                "must begin with ws:// or wss://",
		"localhost:8080":                "must begin with ws:// or wss://",
		"127.0.0.1:8080":                "must begin with ws:// or wss://",
		"[::1]:8080":                    "must begin with ws:// or wss://",
		":8080/chat":                    "must begin with ws:// or wss://",
		"/chat":                         "must begin with ws:// or wss://",
		"me:secret@h.example:8080":      "must begin with ws:// or wss://",
		"h.example:80/?next=ws://h":     "must begin with ws:// or wss://",
		"ws:h.example":                  "must begin with ws:// or wss://",
		"ftp://h.example/":              `scheme is "ftp", want ws or wss`,
		"://h.example":                  "missing protocol scheme",
		"ws:///chat":                    "host is missing",
		"ws://:80/":                     "host is missing",
		"ws://h.example/#":              "a fragment is not allowed",
		"ws://h.example/chat#a":         "a fragment is not allowed",
		"ws://bücher.example/":          "xn--",
		"ws://h:port/":                  "port",
		"ws://h/a\r\nX: y":              "control character",
		"ws://h/?a b":                   "percent-encoded at byte 3 of",
		"ws://h/?a=é":                   "percent-encoded at byte 4 of",
		"ws://me:secret@h.example/\x00": "cannot be parsed",
		"ws://me:secret/2@h.example/":   "percent-encoded",
		"ws://me:secret#2@h.example/":   "percent-encoded",
		"ws://me:%secret@h.example/":    "percent-encoded",
	} {
		_, err := parseTarget(raw)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want it to say %q", raw, err, want)
		}
	}
}
