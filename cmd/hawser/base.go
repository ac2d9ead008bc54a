package main

import (
	"net/http"
	"strings"
)

// endpoints are the paths for WebSockets; see endpointPaths.
var endpoints = []string{"/ws", "/connect", "/chat"}

// endpointPaths returns the paths that are for WebSockets only, also under base, and all of them with and
// without a slash at the end. A path that is base itself is for the page, too: see underBase.
func endpointPaths(base string) (paths []string) {
	for _, path := range endpoints {
		if path != base {
			paths = append(paths, path, path+"/")
		}
		if base != "" {
			paths = append(paths, base+path, base+path+"/")
		}
	}
	return paths
}

// handleEndpoint registers h at path, with and without a slash at the end. Many clients and
// proxies add one, and browsers' WebSockets do not follow redirects.
func handleEndpoint(mux *http.ServeMux, path string, h http.Handler) {
	mux.Handle(path, h)
	mux.Handle(path+"/{$}", h)
}

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
