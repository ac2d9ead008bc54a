package handshake

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// redirect is where the server at from sends the client with its refusal e. If
// that is not to be followed, ok is false and e's Reason says why.
//
// 4.1: "the server might redirect the client using a 3xx status code (but
// clients are not required to follow them)".
func (o *DialOptions) redirect(from target, e *Error, followed int) (to target, ok bool) {
	location, ok := redirection(e)
	if !ok {
		return to, false
	}
	e.Reason = "the server redirects to Location " + quote(location) + ", which is not followed"
	if followed >= o.MaxRedirects {
		if followed > 0 {
			e.Reason += fmt.Sprintf(" after %d others", followed)
		}
		return to, false
	}
	to, err := from.resolve(location)
	if err != nil {
		e.Reason += ": " + err.Error()
		return to, false
	}
	return to, true
}

// redirection is the Location that a request like ours is to be repeated at.
func redirection(e *Error) (location string, ok bool) {
	switch e.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if lines := e.Header["Location"]; len(lines) == 1 && lines[0] != "" {
			return lines[0], true
		}
	}
	return "", false
}

// resolve is the target of a Location that t answered. It is never less secure
// than t.
func (t target) resolve(location string) (target, error) {
	ref, err := parseURL(location)
	if err != nil {
		return target{}, errors.New("it is no URL")
	}
	if ref.User != nil {
		return target{}, errors.New("it holds a user, which a server does not choose")
	}
	ref = t.url.ResolveReference(ref)
	// A server that speaks HTTP so far names its own kind of URL.
	switch ref.Scheme {
	case "http":
		ref.Scheme = "ws"
	case "https":
		ref.Scheme = "wss"
	}
	to, err := parseTarget(ref.String())
	if err == nil && t.secure && !to.secure {
		err = fmt.Errorf("%s is less secure than %s", to.url.Scheme, t.url.Scheme)
	}
	return to, err
}

// sameHost reports whether what was meant for t may be shown to other as well.
// The default ports of ws and wss count as one.
func (t target) sameHost(other target) bool { return equalFold(t.host, other.host) }

// withoutCredentials is h without what it tells one host about the caller.
func withoutCredentials(h http.Header) http.Header {
	h = maps.Clone(h)
	for name := range h {
		switch strings.ToLower(name) {
		case "authorization", "proxy-authorization", "cookie":
			delete(h, name)
		}
	}
	return h
}

// httpURL is t for what knows HTTP only.
func (t target) httpURL() *url.URL {
	u := *t.url
	u.Scheme = "http"
	if t.secure {
		u.Scheme = "https"
	}
	return &u
}
