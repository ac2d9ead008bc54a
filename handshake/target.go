package handshake

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Scheme returns the scheme that Dial uses for a URL's: ws for http, wss for https, and
// scheme itself otherwise.
func Scheme(scheme string) string {
	switch scheme {
	case "http":
		return "ws"
	case "https":
		return "wss"
	}
	return scheme
}

// target is a parsed ws or wss URL (RFC 6455 §3).
type target struct {
	url        *url.URL
	secure     bool   // wss
	serverName string // the name that TLS verifies
	addr       string // host:port to connect to
	host       string // the Host header
	override   string // the Host header to send instead, if not ""
	user       *url.Userinfo
	resource   string // path and query, the request-target
}

// parseTarget parses raw. Its errors never contain the whole of raw, which may hold a
// password or a token.
func parseTarget(raw string) (t target, err error) {
	// url.Parse takes the host of localhost:8080 for a scheme, and refuses 127.0.0.1:8080
	// because of a colon.
	if scheme, _, ok := strings.Cut(raw, "://"); !ok || strings.ContainsAny(scheme, ":/?#@") {
		return t, errors.New("it must begin with ws:// or wss://")
	}
	u, err := parseURL(raw)
	if err != nil {
		return t, err
	}
	// Keep the credentials from a cookie jar.
	t.user, u.User = u.User, nil
	t.url = u
	port := "80"
	switch u.Scheme = Scheme(u.Scheme); u.Scheme {
	case "ws":
	case "wss":
		t.secure, port = true, "443"
	default:
		return t, fmt.Errorf("scheme is %s, want ws or wss", quote(u.Scheme))
	}
	name := u.Hostname()
	switch {
	// 3: "Fragment identifiers are meaningless in the context of WebSocket
	// URIs and MUST NOT be used on these URIs."
	case strings.IndexByte(raw, '#') >= 0:
		return t, errors.New("a fragment is not allowed")
	case name == "":
		return t, errors.New("host is missing")
	case strings.IndexFunc(name, notVisibleASCII) >= 0:
		return t, fmt.Errorf("host %s is not ASCII; write it in its xn-- form", quote(name))
	}
	t.resource = u.RequestURI()
	if i := strings.IndexFunc(t.resource, notVisibleASCII); i >= 0 {
		return t, fmt.Errorf("a character that must be percent-encoded at byte %d of %s", i, quote(t.resource))
	}

	// RFC 6874 §4: a zone has a meaning on this machine only.
	t.serverName, _, _ = strings.Cut(name, "%")
	t.host = t.serverName
	if strings.Contains(t.host, ":") {
		t.host = "[" + t.host + "]"
	}
	// 4.1: "optionally ":" followed by /port/ (when not using the default
	// port)".
	if p := u.Port(); p != "" && p != port {
		port = p
		t.host += ":" + p
	}
	t.addr = net.JoinHostPort(name, port)
	return t, nil
}

// parseURL is url.Parse with other errors: those of url.Parse contain all of raw, or
// what it takes for the port, which may be half of a password.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil && strings.Contains(raw, "@") {
		return nil, errors.New("it cannot be parsed; in a user name or password, characters like / ? # @ % must be percent-encoded")
	}
	if parse := (*url.Error)(nil); errors.As(err, &parse) {
		err = parse.Err
	}
	return u, err
}

// isHost reports whether s has only characters that are allowed in a Host header:
// "name", "name:port" or "[address]:port".
func isHost(s string) bool {
	return s != "" && strings.IndexFunc(s, notVisibleASCII) < 0 && !strings.ContainsAny(s, `/?#@,\"<>`)
}

func notVisibleASCII(c rune) bool { return c <= ' ' || c >= 0x7F }
