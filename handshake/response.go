package handshake

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"

	"github.com/hawser-ws/hawser/wsproto"
)

const (
	// maxResponseHead is the maximum size in bytes of the head of a response,
	// including interim responses before it.
	maxResponseHead = 16 << 10

	// maxRefusalBody is the maximum size in bytes of an Error's Body.
	maxRefusalBody = 4 << 10
)

// proposal is what a request proposed. The response must match it.
type proposal struct {
	key          string
	subprotocols []string
	deflate      *deflateParams // nil: not offered
}

// converse sends the request, which contains the proposal, and verifies the response.
func converse(nc net.Conn, request []byte, p proposal) (left []byte, res Result, err error) {
	if _, err := nc.Write(request); err != nil {
		return nil, Result{}, fmt.Errorf("handshake: write request: %w", err)
	}
	wire := &boundedReader{r: nc, left: maxResponseHead}
	br := bufio.NewReader(wire)
	resp, err := readResponse(br)
	if err != nil {
		if wire.exceeded {
			err = fmt.Errorf("head is longer than %d bytes", maxResponseHead)
		}
		return nil, Result{}, fmt.Errorf("handshake: read response: %w", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		wire.left = 2 * maxRefusalBody // chunked encoding takes some
		return nil, Result{}, refusedBy(resp)
	}
	deflate, reason := p.checkResponse(resp)
	if reason != "" {
		return nil, Result{}, &Error{Status: resp.StatusCode, Reason: reason, Header: resp.Header}
	}
	return leftover(br), Result{
		Subprotocol: resp.Header.Get(protocolHeader),
		Deflate:     deflate,
		Header:      resp.Header,
	}, nil
}

// boundedReader ends after left bytes of r. It records whether more were wanted, because
// net/http reports a truncated head as a malformed one.
type boundedReader struct {
	r        io.Reader
	left     int
	exceeded bool
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left == 0 {
		b.exceeded = true
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// readResponse reads the head of the final response.
func readResponse(br *bufio.Reader) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			return nil, err
		}
		// RFC 7231 §6.2: "A client MUST be able to parse one or more 1xx
		// responses received prior to a final response".
		if resp.StatusCode/100 != 1 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
	}
}

// refusedBy returns the Error of a server that did not switch protocols. It reads the
// body up to maxRefusalBody, and ignores errors in that.
func refusedBy(resp *http.Response) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusalBody))
	e := &Error{Status: resp.StatusCode, Header: resp.Header, Body: body}
	if len(body) > 0 {
		e.Reason = "the server said " + quote(string(bytes.TrimSpace(body)))
	} else {
		e.Reason = "the server gave no reason"
	}
	return e
}

// checkResponse verifies a 101 response by RFC 6455 §4.1. reason says what is wrong with
// it, or is "".
func (p proposal) checkResponse(resp *http.Response) (deflate *wsproto.Deflate, reason string) {
	h := resp.Header
	if !resp.ProtoAtLeast(1, 1) {
		return nil, "protocol is " + quote(resp.Proto) + ", want HTTP/1.1"
	}
	// 4.1: "If the response lacks an |Upgrade| header field or the |Upgrade|
	// header field contains a value that is not an ASCII case-insensitive match
	// for the value "websocket", the client MUST _Fail the WebSocket
	// Connection_."
	if lines := h["Upgrade"]; !isOnly(lines, "websocket") {
		return nil, found("Upgrade", lines) + ", want websocket"
	}
	// 4.1: "or the |Connection| header field doesn't contain a token that is an
	// ASCII case-insensitive match for the value "Upgrade"".
	if lines := h["Connection"]; !hasElement(lines, "upgrade") {
		return nil, found("Connection", lines) + ", want Upgrade"
	}
	if lines, want := h[acceptHeader], AcceptKey(p.key); single(lines) != want {
		return nil, found("Sec-WebSocket-Accept", lines) + ", want " + want
	}
	return p.checkChoice(h)
}

// checkChoice verifies what a server chose of what was offered, as checkResponse does.
func (p proposal) checkChoice(h http.Header) (deflate *wsproto.Deflate, reason string) {
	if lines := h[protocolHeader]; !p.isOffered(lines) {
		return nil, found("Sec-WebSocket-Protocol", lines) + fmt.Sprintf(", want one of those offered: %q", p.subprotocols)
	}
	deflate, err := p.deflate.verify(h[extensionsHeader])
	if err != nil {
		return nil, found("Sec-WebSocket-Extensions", h[extensionsHeader]) + ": " + err.Error()
	}
	return deflate, ""
}

// isOffered reports whether the lines of Sec-WebSocket-Protocol select nothing, or an
// offered subprotocol.
//
// 4.1: "If the response includes a |Sec-WebSocket-Protocol| header field and this
// header field indicates the use of a subprotocol that was not present in the
// client's handshake [...], the client MUST _Fail the WebSocket Connection_." An
// empty one indicates the use of none.
func (p proposal) isOffered(lines []string) bool {
	selects := func(line string) bool { return line != "" }
	return !slices.ContainsFunc(lines, selects) || slices.Contains(p.subprotocols, single(lines))
}

// single returns the value that all of a header's lines have, or "". A response should
// have one line, but some proxies repeat it.
func single(lines []string) string {
	if len(lines) == 0 || slices.ContainsFunc(lines, func(line string) bool { return line != lines[0] }) {
		return ""
	}
	return lines[0]
}
