package main

import (
	"net/http"
	"strings"
)

// underBase serves what h has at /… under base/… as well. base without a slash at its end
// redirects to the page, because the page's references are relative. The WebSocket endpoints
// have both names, even one that is called like base.
func underBase(base string, h http.Handler) http.Handler {
	if base == "" {
		return h
	}
	inner := http.StripPrefix(base, h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		handshake := r.Header.Get("Upgrade") != ""
		switch {
		case handshake && (path == base || path == base+"/"):
			h.ServeHTTP(w, r)
		case path == base:
			http.Redirect(w, r, base+"/", http.StatusPermanentRedirect)
		case strings.HasPrefix(path, base+"/"):
			inner.ServeHTTP(w, r)
		default:
			h.ServeHTTP(w, r)
		}
	})
}
