package web

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// front is a proxy in front of services. It forwards everything to the first one that
// accepts connections, under a path that it strips, unless it is told to refuse some of it.
type front struct {
	url string

	mu      sync.Mutex
	refusal map[string]http.HandlerFunc // Guarded by mu. By the path that it answers for.
}

func newFront(t *testing.T, path string, services ...*service) *front {
	t.Helper()
	f := &front{refusal: map[string]http.HandlerFunc{}}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "services"})
	proxy.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (c net.Conn, err error) {
		for _, s := range services {
			if c, err = new(net.Dialer).DialContext(ctx, network, s.listen); err == nil {
				return c, nil
			}
		}
		return nil, err
	}}
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, path)
		f.mu.Lock()
		refuse := f.refusal[rest]
		f.mu.Unlock()
		switch {
		case !ok:
			http.NotFound(w, r)
		case refuse != nil:
			refuse(w, r)
		default:
			r.URL.Path = "/" + strings.TrimPrefix(rest, "/")
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.CloseClientConnections) // WebSockets among them
	t.Cleanup(srv.Close)
	f.url = srv.URL + path
	return f
}

// refuse answers requests for a path itself from now on; nil: it forwards them.
func (f *front) refuse(path string, by http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refusal[path] = by
}

// status refuses with a status, in a server's own words.
func status(code int, words, retryAfter string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		http.Error(w, words, code)
	}
}

// abort ends the connection without an answer.
func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
