package handshake

import "net/http"

// The handshake's header names as net/http spells them in an http.Header. On the wire
// this package writes them as RFC 6455 spells them, because some clients compare them
// case-sensitively.
const (
	keyHeader        = "Sec-Websocket-Key"
	versionHeader    = "Sec-Websocket-Version"
	acceptHeader     = "Sec-Websocket-Accept"
	protocolHeader   = "Sec-Websocket-Protocol"
	extensionsHeader = "Sec-Websocket-Extensions"
)

const defaultMaxHeaders = 100

// Fields are the header fields that decide about an opening handshake. Each has its lines in
// the order of the request, without the white space around them; a field that is absent has
// none.
type Fields struct {
	Host       string
	Upgrade    []string
	Connection []string
	Key        []string // Sec-WebSocket-Key
	Version    []string // Sec-WebSocket-Version
	Protocols  []string // Sec-WebSocket-Protocol
	Extensions []string // Sec-WebSocket-Extensions
	Origin     []string

	// Lines is how many lines the header has, of these and all other fields.
	Lines int
}

func fieldsOf(r *http.Request) *Fields {
	h := r.Header
	f := &Fields{
		Host: r.Host, Upgrade: h["Upgrade"], Connection: h["Connection"], Key: h[keyHeader], Version: h[versionHeader],
		Protocols: h[protocolHeader], Extensions: h[extensionsHeader], Origin: h["Origin"],
		Lines: 1, // Host, which net/http removes from the header
	}
	for _, values := range h {
		f.Lines += len(values)
	}
	return f
}

// checkRequest verifies the requirements of RFC 6455 §4.2.1 for the client's handshake.
//
// 4.2.1: "including but not limited to any violations of the ABNF grammar
// specified for the components of the handshake, the server MUST stop
// processing the client's handshake and return an HTTP response with an
// appropriate error code (such as 400 Bad Request)."
func (u *Upgrader) checkRequest(r *http.Request, f *Fields) *Error {
	if err := checkRequestLine(r); err != nil {
		return err
	}
	if err := u.checkHeaderCount(f); err != nil {
		return err
	}
	if err := checkNoBody(r); err != nil {
		return err
	}
	return checkFields(f)
}

func checkFields(f *Fields) *Error {
	if err := checkUpgrade(f); err != nil {
		return err
	}
	if err := checkVersion(f.Version); err != nil {
		return err
	}
	return checkKey(f.Key)
}

// 4.2.1: "An HTTP/1.1 or higher GET request".
func checkRequestLine(r *http.Request) *Error {
	// HTTP/2 has another handshake (RFC 8441), and no connection to take over. PRI is how a
	// client begins that does not ask first.
	if r.ProtoMajor > 1 && r.Method != "PRI" {
		return refusef(http.StatusHTTPVersionNotSupported, "a WebSocket connection begins with an HTTP/1.1 request here, and this one came over %s", r.Proto)
	}
	if r.Method != http.MethodGet {
		return refusef(http.StatusMethodNotAllowed, "method is %s, want GET", quote(r.Method))
	}
	if r.ProtoMajor != 1 || r.ProtoMinor < 1 {
		return refusef(http.StatusHTTPVersionNotSupported, "protocol is %s, want HTTP/1.1", quote(r.Proto))
	}
	// 4.2.1: "A |Host| header field containing the server's authority."
	if r.Host == "" {
		return refusef(http.StatusBadRequest, "missing Host header")
	}
	return nil
}

// checkHeaderCount limits the number of header lines; net/http limits only their bytes.
func (u *Upgrader) checkHeaderCount(f *Fields) *Error {
	limit := u.MaxHeaders
	if limit == 0 {
		limit = defaultMaxHeaders
	}
	if f.Lines > limit {
		return refusef(http.StatusRequestHeaderFieldsTooLarge, "%d header lines, at most %d are accepted", f.Lines, limit)
	}
	return nil
}

// checkNoBody refuses a request with a body. Frames follow a handshake, and there must
// be no doubt about where they start. Content-Length: 0 leaves no doubt. The chunked
// encoding of an empty body does, because it is not zero bytes long.
func checkNoBody(r *http.Request) *Error {
	// If both headers are present, net/http drops Content-Length. So check this first.
	if len(r.TransferEncoding) > 0 {
		return refusef(http.StatusBadRequest, "Transfer-Encoding header: a WebSocket handshake has no body")
	}
	if r.ContentLength != 0 {
		return refusef(http.StatusBadRequest, "Content-Length header: a WebSocket handshake has no body, want 0 or none")
	}
	return nil
}

func checkUpgrade(f *Fields) *Error {
	// 4.2.1: "An |Upgrade| header field containing the value "websocket",
	// treated as an ASCII case-insensitive value."
	if !hasElement(f.Upgrade, "websocket") {
		return refusef(http.StatusBadRequest, "%s, want websocket", found("Upgrade", f.Upgrade))
	}
	// 4.2.1: "A |Connection| header field that includes the token "Upgrade",
	// treated as an ASCII case-insensitive value."
	if !hasElement(f.Connection, "upgrade") {
		return refusef(http.StatusBadRequest, "%s, want Upgrade", found("Connection", f.Connection))
	}
	return nil
}

func checkVersion(lines []string) *Error {
	// 4.2.2: "If this version does not match a version understood by the
	// server, the server MUST abort the WebSocket handshake described in this
	// section and instead send an appropriate HTTP error code (such as 426
	// Upgrade Required)".
	if len(lines) == 1 && lines[0] == "13" {
		return nil
	}
	status := http.StatusUpgradeRequired
	if len(lines) > 1 {
		status = http.StatusBadRequest // two lines are not a list of versions but a contradiction
	}
	return refusef(status, "%s, want 13", found("Sec-WebSocket-Version", lines))
}

func checkKey(lines []string) *Error {
	// 4.2.1: "a base64-encoded (see Section 4 of [RFC4648]) value that, when
	// decoded, is 16 bytes in length."
	if len(lines) != 1 || !validKey(lines[0]) {
		return refusef(http.StatusBadRequest, "%s, want one of %d base64 characters and ==", found("Sec-WebSocket-Key", lines), keyDigits)
	}
	return nil
}

// offers parses what the client offers: subprotocols and extensions.
func (f *Fields) offers() (protocols []string, extensions []extension, err *Error) {
	protocols, syntax := parseSubprotocols(f.Protocols)
	if syntax != nil {
		return nil, nil, refusef(http.StatusBadRequest, "Sec-WebSocket-Protocol header: %v", syntax)
	}
	extensions, syntax = parseExtensions(f.Extensions)
	if syntax != nil {
		return nil, nil, refusef(http.StatusBadRequest, "Sec-WebSocket-Extensions header: %v", syntax)
	}
	return protocols, extensions, nil
}
