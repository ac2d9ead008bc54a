package main

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
)

// health answers health probes. PROTOCOL.md of package chat describes them, under
// "Health probes".
type health struct {
	base   string // prefix of the paths, if a proxy does not strip it
	ending *atomic.Bool
	engine func() (words string, err error) // engine.status
	log    *slog.Logger

	said atomic.Pointer[string] // the last answer about the engine
}

// probe returns the handler for a request if that is a health probe, otherwise nil. It is the
// server.Config.Probe.
func (h *health) probe(r *http.Request) http.Handler {
	path := r.URL.Path
	if h.base != "" {
		path, _ = strings.CutPrefix(path, h.base)
	}
	switch path {
	case "/healthz":
		return http.HandlerFunc(h.alive)
	case "/readyz":
		return http.HandlerFunc(h.ready)
	case "/", "", "*":
		// HAProxy's "option httpchk" without a path sends this, by HTTP/1.0, to find out
		// whether to send clients here.
		if r.Method == http.MethodOptions {
			return http.HandlerFunc(h.ready)
		}
	}
	return nil
}

// alive answers that the process is running.
func (h *health) alive(w http.ResponseWriter, r *http.Request) {
	answerProbe(w, r, http.StatusOK, "ok")
}

// ready answers whether the server can take clients. A full server still answers that it can:
// it is not broken, and if proxies took it out of service, its present clients would be cut
// off. Strangers may ask, so details such as the file's name are only in the log.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	if h.ending.Load() {
		answerProbe(w, r, http.StatusServiceUnavailable, "stopping")
		return
	}
	words, err := h.engine()
	status := http.StatusOK
	if err != nil {
		status = http.StatusServiceUnavailable
	}
	if before := h.said.Swap(&words); before != nil && *before != words || before == nil && err != nil {
		h.log.Warn("/readyz gives a different answer than before", "answer", words, "error", err)
	}
	answerProbe(w, r, status, words)
}

// answerProbe answers OPTIONS like GET, because health checkers that use it look at the status.
func answerProbe(w http.ResponseWriter, r *http.Request, status int, words string) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		header.Set("Allow", "GET, HEAD, OPTIONS")
	default:
		header.Set("Allow", "GET, HEAD, OPTIONS")
		status, words = http.StatusMethodNotAllowed, "use GET, HEAD or OPTIONS"
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		io.WriteString(w, words+"\n")
	}
}
