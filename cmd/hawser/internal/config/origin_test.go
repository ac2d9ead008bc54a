package config

import "testing"

func TestOrigins(t *testing.T) {
	for _, tt := range []struct{ origin, want string }{
		{"*", ""},
		{"https://chat.example", ""},
		{"HTTPS://Chat.Example:8443", ""},
		{"http://127.0.0.1:8080", ""},
		{"http://[2001:db8::1]:8080", ""},
		{"https://xn--bcher-kva.example", ""},
		{"capacitor://localhost", ""},
		{"http://chat.example:443", ""},

		{"null", "does not begin with a scheme such as https://"},
		{"chat.example", "does not begin with a scheme such as https://"},
		{"://chat.example", "does not begin with a scheme such as https://"},
		{"wss://chat.example", "is not the origin of a page, which begins with http:// or https://"},
		{"https://chat.example/", `has "/" after the host`},
		{"https://chat.example?x", `has "?x" after the host`},
		{"https://chat.example#x", `has "#x" after the host`},
		{"https://ada@chat.example", "has a user name"},
		{"https://", `has no valid host in ""`},
		{"https://*.chat.example", `has no valid host in "*.chat.example"`},
		{"https://bücher.example", `has no valid host in "bücher.example"`},
		{"https://a b", `has no valid host in "a b"`},
		{"https://2001:db8::1", `has no valid host in "2001:db8::1"`},
		{"https://[fe80::1%25eth0]", `has no valid host in "[fe80::1%25eth0]"`},
		{"https://[chat.example]", `has no valid host in "[chat.example]"`},
		{"https://chat.example:", `has no valid host in "chat.example:"`},
		{"https://chat.example:65536", `has no valid port in "65536"`},
		{"https://chat.example:08443", `has no valid port in "08443"`},
		{"https://chat.example:443", "names the port 443, which browsers leave out of https origins"},
		{"http://chat.example:80", "names the port 80, which browsers leave out of http origins"},
	} {
		got := ""
		if err := checkOrigin(tt.origin); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.origin, got, tt.want)
		}
	}
}

func TestOriginList(t *testing.T) {
	_, err := load("", nil, "--public-origins", "https://a.example, b.example,null")
	assertError(t, err, `flag --public-origins: public_origins: "https://a.example, b.example,null" is not allowed: `+
		`"b.example" does not begin with a scheme such as https://, `+
		`"null" does not begin with a scheme such as https://; want origins scheme://host[:port], or *`)

	c, err := load(`public_origins = ["https://a.example"]`, nil, "--public-origins=")
	if err != nil || c.PublicOrigins != nil {
		t.Errorf("origins %q, error %v: an empty flag must make the list empty", c.PublicOrigins, err)
	}
}
