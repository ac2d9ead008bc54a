package handshake

import (
	"fmt"
	"net/http"
)

// IsHTTP2 reports whether r asks for a WebSocket on a stream of an HTTP/2 connection
// (RFC 8441 §5). UpgradeHTTP2 answers such a request, Upgrade refuses it.
func IsHTTP2(r *http.Request) bool {
	protocol := r.Header[":protocol"] // where net/http puts the pseudo-header
	return r.ProtoMajor == 2 && r.Method == http.MethodConnect && len(protocol) == 1 && protocol[0] == "websocket"
}

// UpgradeHTTP2 is Upgrade for a request for which IsHTTP2 is true. It verifies r and
// answers it. The frames are then read from r.Body, and written to w, which must be
// flushed, until the handler returns.
func (u *Upgrader) UpgradeHTTP2(w http.ResponseWriter, r *http.Request) (Result, error) {
	a, refusal := u.judgeHTTP2(r)
	if refusal != nil {
		Refuse(w, r, refusal)
		return Result{}, refusal
	}
	h := w.Header()
	for name, values := range a.extra {
		h[name] = append(h[name], values...)
	}
	// RFC 8441 §5: implementations "do not do the processing of the Sec-WebSocket-Key and
	// Sec-WebSocket-Accept header fields".
	if a.subprotocol != "" {
		h.Set(protocolHeader, a.subprotocol)
	}
	if a.deflate != nil {
		h.Set(extensionsHeader, a.deflate.String())
	}
	w.WriteHeader(http.StatusOK)
	if err := http.NewResponseController(w).Flush(); err != nil {
		return Result{}, fmt.Errorf("handshake: write response: %w", err)
	}
	return a.result(), nil
}

// judgeHTTP2 is judge for RFC 8441, whose §5 says that Origin, Sec-WebSocket-Version,
// Sec-WebSocket-Protocol and Sec-WebSocket-Extensions "are used in the CONNECT request and
// response-header fields as defined in [RFC6455]".
func (u *Upgrader) judgeHTTP2(r *http.Request) (a answer, err *Error) {
	f := fieldsOf(r)
	switch {
	case !IsHTTP2(r):
		return a, refusef(http.StatusMethodNotAllowed, "the request does not open a WebSocket over HTTP/2")
	case r.Host == "":
		return a, refusef(http.StatusBadRequest, "missing :authority")
	}
	if err := u.checkHeaderCount(f); err != nil {
		return a, err
	}
	if err := checkVersion(f.Version); err != nil {
		return a, err
	}
	return u.choose(r, f)
}
