package handshake

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// checkExtraHeader refuses caller's headers that would break out of their line
// or that are the handshake's own. Values are not repeated in the error: they
// may be cookies.
func checkExtraHeader(h http.Header) error {
	for name, values := range h {
		if !isToken(name) {
			return fmt.Errorf("extra header: %s is no header name", quote(name))
		}
		if isHandshakeHeader(name) {
			return fmt.Errorf("extra header: %s belongs to the handshake", name)
		}
		for _, v := range values {
			if i := strings.IndexFunc(v, isControl); i >= 0 {
				return fmt.Errorf("extra header: %s has a control character at byte %d of its value", name, i)
			}
		}
	}
	return nil
}

// withUser is h with Basic authentication (RFC 7617) for a URL's user, unless h
// has an Authorization of its own.
func withUser(h http.Header, user *url.Userinfo) (http.Header, error) {
	if user == nil || user.String() == "" {
		return h, nil
	}
	for name := range h {
		if equalFold(name, "Authorization") {
			return h, nil
		}
	}
	name := user.Username()
	password, _ := user.Password()
	switch {
	// 2: "a user-id containing a colon character is invalid".
	case strings.Contains(name, ":"):
		return nil, errors.New("the user name has a colon")
	// 2: "The user-id and password MUST NOT contain any control characters".
	case strings.IndexFunc(name+password, unicode.IsControl) >= 0:
		return nil, errors.New("the user name or password has a control character")
	}
	h = maps.Clone(h)
	if h == nil {
		h = http.Header{}
	}
	h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(name+":"+password)))
	return h, nil
}

// isHandshakeHeader reports whether name is written by this package, or frames
// a body that a handshake cannot have.
func isHandshakeHeader(name string) bool {
	switch name = strings.ToLower(name); name {
	case "host", "connection", "upgrade", "content-length", "transfer-encoding", "trailer":
		return true
	}
	return strings.HasPrefix(name, "sec-websocket-")
}

// isControl reports whether c may not stand in a header's value
// (RFC 7230 §3.2): CR and LF above all.
func isControl(c rune) bool {
	return c < ' ' && c != '\t' || c == 0x7F
}
