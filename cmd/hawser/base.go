package main

import (
	"net/http"
	"strings"
)

// underBase finds what h has at /… under base/… as well. Without a slash at its end,
// base leads to the page, whose own references are relative. The WebSocket endpoints
// are reached by either name, also one that is called like base.
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
