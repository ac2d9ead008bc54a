package handshake

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// redirect returns where the server at from redirects the client with its response e. If
// the redirect must not be followed, ok is false and e's Reason says why.
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

// redirection returns the Location of a redirect that keeps the method GET.
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

// resolve returns the target of a Location in t's response. It is never less secure than
// t.
func (t target) resolve(location string) (target, error) {
	ref, err := parseURL(location)
	if err != nil {
		return target{}, errors.New("it is not a URL")
	}
	if ref.User != nil {
		return target{}, errors.New("it contains a user, which a server must not choose")
	}
	ref = t.url.ResolveReference(ref)
	to, err := parseTarget(ref.String())
	if err == nil && t.secure && !to.secure {
		err = fmt.Errorf("%s is less secure than %s", to.url.Scheme, t.url.Scheme)
	}
	return to, err
}

// sameHost reports whether other may be sent what is meant for t. The default ports of
// ws and wss are treated as the same port.
func (t target) sameHost(other target) bool { return equalFold(t.host, other.host) }

// withoutCredentials returns h without the fields that are meant for one host only.
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

// httpURL returns t's URL with the scheme http or https.
func (t target) httpURL() *url.URL {
	u := *t.url
	u.Scheme = "http"
	if t.secure {
		u.Scheme = "https"
	}
	return &u
}
