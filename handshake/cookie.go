package handshake

import (
	"maps"
	"net/http"
	"strings"
)

// withCookies returns h with the jar's cookies for t after its own.
//
// 4.1: "The request MAY include any other header fields, for example, cookies
// [RFC6265]".
func (o *DialOptions) withCookies(h http.Header, t target) http.Header {
	if o.Jar == nil {
		return h
	}
	cookies := o.Jar.Cookies(t.httpURL())
	if len(cookies) == 0 {
		return h
	}
	// RFC 6265 §5.4: "the user agent MUST NOT attach more than one Cookie header
	// field." AddCookie appends to the first field, so make sure that there is one.
	r := http.Request{Header: http.Header{}}
	maps.Copy(r.Header, h)
	if own := h["Cookie"]; len(own) > 0 {
		r.Header["Cookie"] = []string{strings.Join(own, "; ")}
	}
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r.Header
}

// keepCookies stores the cookies that a response sets in the jar. Responses that refuse
// the handshake set cookies as well.
func (o *DialOptions) keepCookies(h http.Header, t target) {
	if o.Jar == nil {
		return
	}
	resp := http.Response{Header: h}
	if cookies := resp.Cookies(); len(cookies) > 0 {
		o.Jar.SetCookies(t.httpURL(), cookies)
	}
}
