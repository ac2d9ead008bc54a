package handshake

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"

	"github.com/hawser-ws/hawser/wsproto"
)

// Result is the result of a successful handshake.
type Result struct {
	// Subprotocol is the negotiated subprotocol, or "".
	Subprotocol string

	// Deflate holds the negotiated parameters of permessage-deflate, with explicit
	// window bits for both sides. It is nil if the extension was not negotiated.
	Deflate *wsproto.Deflate

	// Header is the server's response, in the client's role. In the server's role it is
	// nil, so that nothing of the request outlives the handshake.
	Header http.Header
}

// Upgrader answers opening handshakes (RFC 6455 §4.2). Its zero value is ready for use:
// no subprotocol, no compression, and the only web pages that it admits are those of the
// request's own host. It may serve many requests at once; its fields must not be changed
// after the first one.
type Upgrader struct {
	// Subprotocols are those that the server supports, in order of preference. The first
	// one that the client offered is selected. If the client offered none of them, the
	// connection has no subprotocol.
	Subprotocols []string

	// Subprotocol, if set, replaces Subprotocols. It returns one of offered, or "" for
	// none. offered is valid until it returns.
	Subprotocol func(r *http.Request, offered []string) string

	// Deflate enables permessage-deflate; nil disables it. The client's first valid
	// offer is accepted. If there is none, the connection is not compressed.
	Deflate *DeflateOptions

	// Header, if set, returns fields to add to the 101 response, such as Set-Cookie. The
	// handshake's own fields are not allowed.
	Header func(r *http.Request) http.Header

	// Origins are the origins of the web pages that may connect, in the form that
	// browsers send: scheme, host, and the port unless it is the scheme's default, as in
	// https://chat.example. A request's Origin must be one of them, ignoring case;
	// "null" never is. "*" admits every page. An empty list admits what SameHost does.
	// A request with no Origin, or an empty one, does not come from a web page and is
	// always admitted.
	Origins []string

	// CheckOrigin, if set, decides about the pages that are not in Origins: SameHost,
	// OwnAddress, or a function of yours. It is called for requests whose Origin is not
	// empty. The text of its error is sent to the client.
	CheckOrigin func(r *http.Request, origin string) error

	// MaxHeaders is the maximum number of header lines in a request; 0 means 100. To
	// limit their bytes, use http.Server.MaxHeaderBytes.
	MaxHeaders int
}

// Upgrade verifies r, answers it, and takes over the connection from w. A request may
// offer at most 16 extensions, with 64 parameters in total, and 64 subprotocols.
//
// A 101 is written directly to the connection, with the fields of w.Header. So a wrapper
// around w does not see its status.
//
// The caller owns nc, which has no deadline set, and left, the bytes that arrived after
// the request: the first frames, or a part of one; nil if there are none.
//
// An *Error means that the client has been answered with its Status and, unless that is
// 500, its Reason; the handler should only log it and return. Any other error means that
// the connection was lost during the handshake.
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request) (nc net.Conn, left []byte, res Result, err error) {
	p, err := u.Verify(w, r)
	if err != nil {
		return nil, nil, Result{}, err
	}
	return p.Accept()
}

// Verify is the first half of Upgrade, for applications that decide more about a request
// once it is known to be an opening handshake, from a page that may connect. It verifies
// r and writes nothing, unless it refuses: then its error is an *Error, and the client
// has been answered.
func (u *Upgrader) Verify(w http.ResponseWriter, r *http.Request) (*Pending, error) {
	a, refusal := u.judge(w, r)
	if refusal != nil {
		Refuse(w, r, refusal)
		return nil, refusal
	}
	return &Pending{w: w, r: r, answer: a}, nil
}

// Pending is a verified opening handshake that has not been answered: call either Accept
// or Refuse, once, before the http.Handler returns.
type Pending struct {
	w      http.ResponseWriter
	r      *http.Request
	answer answer
}

// Subprotocol returns the subprotocol that Accept will select, or "".
func (p *Pending) Subprotocol() string { return p.answer.subprotocol }

// Refuse answers the request with e. See the function Refuse.
func (p *Pending) Refuse(e *Error) { Refuse(p.w, p.r, e) }

// Accept is the second half of Upgrade. Its error is never an *Error: the connection was
// lost.
func (p *Pending) Accept() (nc net.Conn, left []byte, res Result, err error) {
	a, h := &p.answer, p.w.Header()
	for name, values := range a.extra {
		h[name] = append(h[name], values...)
	}
	nc, brw, err := http.NewResponseController(p.w).Hijack()
	if err != nil {
		return nil, nil, Result{}, fmt.Errorf("handshake: hijack: %w", err)
	}
	if _, err := nc.Write(appendExtra(a.append(nil), h)); err != nil {
		nc.Close()
		return nil, nil, Result{}, fmt.Errorf("handshake: write response: %w", err)
	}
	return nc, leftover(brw.Reader), a.result(), nil
}

// judge verifies r and prepares the answer, without writing anything.
func (u *Upgrader) judge(w http.ResponseWriter, r *http.Request) (a answer, err *Error) {
	f := fieldsOf(r)
	if err := u.checkRequest(r, f); err != nil {
		return a, err
	}
	if a, err = u.choose(r, f); err != nil {
		return a, err
	}
	if !canHijack(w) {
		return a, refusef(http.StatusInternalServerError, "%T does not implement http.Hijacker", w)
	}
	a.key = f.Key[0]
	return a, nil
}

// choose decides whether the page that sent the request may connect, and what is agreed
// on.
func (u *Upgrader) choose(r *http.Request, f *Fields) (a answer, err *Error) {
	offered, offers, err := f.offers()
	if err != nil {
		return a, err
	}
	if err := u.checkOrigin(r); err != nil {
		return a, err
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
	return a, nil
}

// canHijack unwraps w the way http.ResponseController does, so that a refusal can still
// be written if w cannot be hijacked.
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

// leftover returns a copy of what br has read ahead. Otherwise br's buffer, which is far
// larger, would live as long.
func leftover(br *bufio.Reader) []byte {
	if br.Buffered() == 0 {
		return nil
	}
	b, _ := br.Peek(br.Buffered())
	return bytes.Clone(b)
}
