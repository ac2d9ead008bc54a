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

// checkExtraHeader refuses the caller's headers if they are the handshake's own, or
// could inject lines. The error does not contain values, which may be cookies.
func checkExtraHeader(h http.Header) error {
	for name, values := range h {
		if !isToken(name) {
			return fmt.Errorf("extra header: %s is not a header name", quote(name))
		}
		if isHandshakeHeader(name) {
			return fmt.Errorf("extra header: %s is set by the handshake itself", name)
		}
		for _, v := range values {
			if i := strings.IndexFunc(v, isControl); i >= 0 {
				return fmt.Errorf("extra header: %s contains a control character at byte %d of its value", name, i)
			}
		}
	}
	return nil
}

// withUser returns h with Basic authentication (RFC 7617) for a URL's user, unless h
// already has an Authorization.
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
		return nil, errors.New("the user name contains a colon")
	// 2: "The user-id and password MUST NOT contain any control characters".
	case strings.IndexFunc(name+password, unicode.IsControl) >= 0:
		return nil, errors.New("the user name or password contains a control character")
	}
	h = maps.Clone(h)
	if h == nil {
		h = http.Header{}
	}
	h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(name+":"+password)))
	return h, nil
}

// isHandshakeHeader reports whether this package writes the header, or the header
// describes a body, which a handshake cannot have.
func isHandshakeHeader(name string) bool {
	switch name = strings.ToLower(name); name {
	case "host", "connection", "upgrade", "content-length", "transfer-encoding", "trailer":
		return true
	}
	return strings.HasPrefix(name, "sec-websocket-")
}

// isControl reports whether c is not allowed in a header's value (RFC 7230 §3.2), such
// as CR and LF.
func isControl(c rune) bool {
	return c < ' ' && c != '\t' || c == 0x7F
}
