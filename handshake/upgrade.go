package handshake

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"

	"github.com/hawser-ws/hawser/wsproto"
)

// Result is what a finished handshake settled.
type Result struct {
	// Subprotocol is the agreed one, or "".
	Subprotocol string

	// Deflate is what permessage-deflate was agreed on, with the window bits
	// of both sides in numbers, or nil if it was not.
	Deflate *wsproto.Deflate

	// Header is the server's response, in the client's role. A server's is
	// nil, so that nothing of the request outlives the handshake.
	Header http.Header
}

// Upgrader answers opening handshakes (RFC 6455 §4.2). Its zero value is ready
// for use: no subprotocol, no compression, and only pages of the server's own
// address. It may serve many requests at once; its fields are not changed after
// the first.
type Upgrader struct {
	// Subprotocols the server speaks, the preferred first. The first that the
	// client offered is selected; if it offered none of them, the connection
	// goes on without one.
	Subprotocols []string

	// Subprotocol, if set, selects in place of Subprotocols. It returns one of
	// offered, or "" for none. offered is valid until it returns.
	Subprotocol func(r *http.Request, offered []string) string

	// Deflate turns permessage-deflate on; nil leaves it off. Of a client's
	// offers the first is accepted that is valid; if none is, the connection
	// goes on without compression.
	Deflate *DeflateOptions

	// Header, if set, returns headers to add to the 101 response, such as
	// Set-Cookie. The handshake's own headers are not among them.
	Header func(r *http.Request) http.Header

	// Origins are the pages that may connect, each in the form that browsers
	// send: scheme, host, and the port if it is not the scheme's own, as in
	// https://chat.example. A request's Origin must equal one of them but for
	// case; "null" never does. "*" lets in every page of the web. An empty list
	// stands for the address that the connection came in on, and localhost
	// with the same port. A request without Origin, or with an empty one, comes
	// from no page, and is let in.
	Origins []string

	// CheckOrigin, if set, decides in place of Origins about a request that
	// has an Origin that is not empty. The text of its error is shown to the client.
	CheckOrigin func(r *http.Request, origin string) error

	// MaxHeaders is how many header lines a request may have; 0 means 100.
	// Bound their bytes with http.Server.MaxHeaderBytes.
	MaxHeaders int
}

// Upgrade verifies r, answers it, and takes the connection over from w. What r
// may offer is bounded: 16 extensions with 64 parameters between them, and 64
// subprotocols.
//
// A 101 goes out on the connection itself, with what w.Header holds: a wrapper
// around w hears of no status.
//
// The caller owns nc, on which no deadline is set, and left, the bytes that came
// behind the handshake: the first frames, or a part of one; nil if there are
// none.
//
// An *Error means that the client has been answered with its Status and, unless
// that is 500, its Reason: the handler logs it and returns. Any other error
// means that the connection was lost when it was taken over.
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request) (nc net.Conn, left []byte, res Result, err error) {
	a, refusal := u.judge(w, r)
	if refusal != nil {
		refuse(w, refusal)
		return nil, nil, Result{}, refusal
	}
	h := w.Header()
	for name, values := range a.extra {
		h[name] = append(h[name], values...)
	}
	h["Upgrade"] = []string{"websocket"}
	h["Connection"] = []string{"Upgrade"}
	h["Sec-WebSocket-Accept"] = []string{a.accept}
	if a.subprotocol != "" {
		h["Sec-WebSocket-Protocol"] = []string{a.subprotocol}
	}
	res = Result{Subprotocol: a.subprotocol}
	if a.deflate != nil {
		h["Sec-WebSocket-Extensions"] = []string{a.deflate.String()}
		res.Deflate = a.deflate.agreed()
	}
	nc, brw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, Result{}, fmt.Errorf("handshake: hijack: %w", err)
	}
	if _, err := nc.Write(appendAnswer(nil, h)); err != nil {
		nc.Close()
		return nil, nil, Result{}, fmt.Errorf("handshake: write response: %w", err)
	}
	return nc, leftover(brw.Reader), res, nil
}

// notInAnswer are headers that a response without a body must not have (RFC 9110
// §8.6, RFC 9112 §6.1).
var notInAnswer = map[string]bool{"Content-Length": true, "Transfer-Encoding": true}

// appendAnswer appends a 101 response. Through net/http's own writer it would cost
// a twelfth of the whole handshake.
func appendAnswer(dst []byte, h http.Header) []byte {
	b := bytes.NewBuffer(append(dst, "HTTP/1.1 101 Switching Protocols\r\n"...))
	h.WriteSubset(b, notInAnswer) // net/http's: what would break a line is made a space
	b.WriteString("\r\n")
	return b.Bytes()
}

// answer is the variable part of a 101 response.
type answer struct {
	accept      string
	subprotocol string
	deflate     *deflateParams // nil: not agreed on
	extra       http.Header
}

// judge verifies r and prepares the answer. It writes nothing.
func (u *Upgrader) judge(w http.ResponseWriter, r *http.Request) (a answer, err *Error) {
	if err := u.checkRequest(r); err != nil {
		return a, err
	}
	offered, syntax := parseSubprotocols(r.Header[protocolHeader])
	if syntax != nil {
		return a, refusef(http.StatusBadRequest, "Sec-WebSocket-Protocol header: %v", syntax)
	}
	offers, syntax := parseExtensions(r.Header[extensionsHeader])
	if syntax != nil {
		return a, refusef(http.StatusBadRequest, "Sec-WebSocket-Extensions header: %v", syntax)
	}
	if err := u.checkOrigin(r); err != nil {
		return a, err
	}
	if !canHijack(w) {
		return a, refusef(http.StatusInternalServerError, "%T does not implement http.Hijacker", w)
	}
	if a.subprotocol, err = u.selectSubprotocol(r, offered); err != nil {
		return a, err
	}
	if err := u.Deflate.check(); err != nil {
		return a, refusef(http.StatusInternalServerError, "%v", err)
	}
	a.deflate = u.Deflate.choose(offers)
	if u.Header != nil {
		a.extra = u.Header(r)
		if err := checkExtraHeader(a.extra); err != nil {
			return a, refusef(http.StatusInternalServerError, "%v", err)
		}
	}
	a.accept = AcceptKey(r.Header[keyHeader][0])
	return a, nil
}

// refuse answers the client. What it sent behind its request was meant for a
// WebSocket connection, so this one is closed rather than read on.
func refuse(w http.ResponseWriter, e *Error) {
	h := w.Header()
	h.Set("Connection", "close")
	switch e.Status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodGet)
	case http.StatusUpgradeRequired:
		// 4.2.2: "and a |Sec-WebSocket-Version| header field indicating the
		// version(s) the server is capable of understanding."
		h["Sec-WebSocket-Version"] = []string{"13"}
		// RFC 7231 §6.5.15: "The server MUST send an Upgrade header field in a
		// 426 response", and RFC 7230 §6.7 has Connection name it. That takes
		// a line of its own: net/http closes where the first is "close".
		h.Set("Upgrade", "websocket")
		h.Add("Connection", "Upgrade")
	}
	text := e.Reason
	if e.Status == http.StatusInternalServerError {
		text = http.StatusText(e.Status) // what went wrong here is for the log
	}
	http.Error(w, text, e.Status)
}

// canHijack follows the wrappers around w the way http.ResponseController does,
// so that a refusal can still be written.
func canHijack(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}

// leftover copies what br has read ahead: br's own buffer is far larger, and
// would live as long as the copy.
func leftover(br *bufio.Reader) []byte {
	if br.Buffered() == 0 {
		return nil
	}
	b, _ := br.Peek(br.Buffered())
	return bytes.Clone(b)
}
