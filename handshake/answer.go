package handshake

import (
	"bytes"
	"net/http"
)

// answer is the variable part of a 101 response.
type answer struct {
	key         string // the request's
	subprotocol string
	deflate     *deflateParams // nil: not agreed on
	extra       http.Header
}

// result is what the answer establishes.
func (a *answer) result() Result {
	res := Result{Subprotocol: a.subprotocol}
	if a.deflate != nil {
		res.Deflate = a.deflate.agreed()
	}
	return res
}

// append appends the response, without the empty line at its end.
func (a *answer) append(dst []byte) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = append(appendAcceptKey(dst, a.key), "\r\n"...)
	if a.subprotocol != "" {
		dst = append(append(append(dst, "Sec-WebSocket-Protocol: "...), a.subprotocol...), "\r\n"...)
	}
	if a.deflate != nil {
		dst = append(append(append(dst, "Sec-WebSocket-Extensions: "...), a.deflate.String()...), "\r\n"...)
	}
	return dst
}

// notExtra holds the headers that append writes, and those that a response without a body
// must not have (RFC 9110 §8.6, RFC 9112 §6.1).
var notExtra = map[string]bool{
	"Upgrade": true, "Connection": true, "Content-Length": true, "Transfer-Encoding": true,
	acceptHeader: true, protocolHeader: true, extensionsHeader: true,
	"Sec-WebSocket-Accept": true, "Sec-WebSocket-Protocol": true, "Sec-WebSocket-Extensions": true,
}

// appendExtra appends the application's header, and ends the response. Writing it through
// net/http would cost a twelfth of the whole handshake.
func appendExtra(dst []byte, h http.Header) []byte {
	if len(h) > 0 {
		b := bytes.NewBuffer(dst)
		h.WriteSubset(b, notExtra) // it replaces line breaks in values by spaces
		dst = b.Bytes()
	}
	return append(dst, "\r\n"...)
}

// AppendAnswer appends the 101 response to an opening handshake, for servers that parse
// requests by themselves. The request must be a GET over HTTP/1.1 and not over TLS, have a
// target that begins with a slash, a valid Host, and no body.
//
// It accepts nothing that Verify does not accept, but leaves to Verify whatever needs more
// than f: ok is false if the request is refused, or if a function of u must be called, which
// takes an http.Request. Neither the answer nor the Result holds a part of f.
func (u *Upgrader) AppendAnswer(dst []byte, f *Fields) (answered []byte, res Result, ok bool) {
	if u.Subprotocol != nil || u.Header != nil || u.Deflate.check() != nil {
		return dst, Result{}, false
	}
	if u.checkHeaderCount(f) != nil || checkFields(f) != nil || !u.admitsOrigin(f) {
		return dst, Result{}, false
	}
	offered, offers, refusal := f.offers()
	if refusal != nil {
		return dst, Result{}, false
	}
	a := answer{key: f.Key[0], deflate: u.Deflate.choose(offers)}
	a.subprotocol, _ = u.selectSubprotocol(nil, offered)
	return append(a.append(dst), "\r\n"...), a.result(), true
}

// AppendAnswerTo is AppendAnswer for a request that has been parsed into an http.Request, so
// that u's functions can be called. refusal is what Upgrade would answer, or nil.
func (u *Upgrader) AppendAnswerTo(dst []byte, r *http.Request) (answered []byte, res Result, refusal *Error) {
	f := fieldsOf(r)
	if refusal = u.checkRequest(r, f); refusal != nil {
		return dst, Result{}, refusal
	}
	a, refusal := u.choose(r, f)
	if refusal != nil {
		return dst, Result{}, refusal
	}
	a.key = f.Key[0]
	return appendExtra(a.append(dst), a.extra), a.result(), nil
}

// admitsOrigin is checkOrigin without functions, for requests without TLS whose target
// begins with a slash.
func (u *Upgrader) admitsOrigin(f *Fields) bool {
	switch {
	case len(f.Origin) == 0, len(f.Origin) == 1 && f.Origin[0] == "":
		return true
	case len(f.Origin) > 1:
		return false
	case isListed(u.Origins, f.Origin[0]):
		return true
	}
	return u.CheckOrigin == nil && len(u.Origins) == 0 && sameHost(f.Host, f.Origin[0], false) == nil
}
