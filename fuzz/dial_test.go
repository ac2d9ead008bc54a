package fuzz

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hawser-ws/hawser/handshake"
)

// nonce is the key of every dial here: its sixteen bytes are zero.
const nonce = "AAAAAAAAAAAAAAAAAAAAAA=="

// maxHead is how long a response's head may be; the body of a refusal may follow.
const maxHead, maxPulled = 16 << 10, 24 << 10

// dialled is what one response came to.
type dialled struct {
	Result handshake.Result
	Err    string
	Status int // of an *Error
	Behind string
}

// dial asks a server that answers raw.
func dial(t *testing.T, raw, cuts []byte, mode byte) (d dialled) {
	t.Helper()
	server := &wire{arriving: pieces(bytes.Clone(raw), cuts)}
	o := &handshake.DialOptions{
		Rand:        bytes.NewReader(make([]byte, 16)),
		DialContext: func(context.Context, string, string) (net.Conn, error) { return server, nil },
	}
	if mode&2 != 0 {
		o.Subprotocols = []string{"chat", "superchat"}
	}
	if mode&4 != 0 {
		o.Deflate = deflateOptions(mode)
	}
	nc, left, res, err := handshake.Dial(context.Background(), "ws://server.example/chat", o)
	if server.pulled > maxPulled {
		t.Errorf("read %d bytes of an answer", server.pulled)
	}
	if !strings.HasPrefix(server.written.String(), "GET /chat HTTP/1.1\r\n") || !strings.Contains(server.written.String(), nonce) {
		t.Errorf("asked %q", server.written.Bytes())
	}
	if err != nil {
		refusal := new(handshake.Error)
		if errors.As(err, &refusal) {
			d.Status = refusal.Status
			if len(refusal.Body) > 4<<10 || len(refusal.Reason) > 2000 {
				t.Errorf("a body of %d bytes, reason %q", len(refusal.Body), refusal.Reason)
			}
		}
		if nc != nil || left != nil || !server.closed {
			t.Errorf("refused, and gave %v, %q, closed %t", nc, left, server.closed)
		}
		d.Err = err.Error()
		return d
	}
	if nc != net.Conn(server) || server.closed {
		t.Errorf("gave %v, closed %t", nc, server.closed)
	}
	rest, _ := io.ReadAll(server)
	d.Result, d.Behind = res, string(left)+string(rest)
	if !strings.HasSuffix(string(raw), d.Behind) {
		t.Errorf("%q is left of %q", d.Behind, raw)
	}
	return d
}

// judge says what raw is worth to a client with these settings, by RFC 6455 §4.1: whether
// it is a response at all, its status, and whether a 101 is in order.
func judge(raw []byte, mode byte) (status int, inOrder bool, r *http.Response) {
	br := bufio.NewReader(bytes.NewReader(raw))
	for {
		var err error
		if r, err = http.ReadResponse(br, nil); err != nil {
			return 0, false, nil
		}
		if r.StatusCode == 101 || r.StatusCode < 100 || r.StatusCode > 199 {
			break
		}
	}
	h := r.Header
	each := func(name string, allowed ...string) bool { // may be given twice, and is the same then
		lines := slices.Compact(slices.Clone(h[name]))
		return len(lines) == 1 && slices.Contains(allowed, lines[0])
	}
	inOrder = r.ProtoAtLeast(1, 1) &&
		only(h["Upgrade"], toWebSocket) &&
		contains(h["Connection"], toUpgrade) && each("Sec-Websocket-Accept", acceptFor(nonce)) &&
		(strings.Join(h["Sec-Websocket-Protocol"], "") == "" || mode&2 != 0 && each("Sec-Websocket-Protocol", "chat", "superchat")) &&
		(isEmpty(h["Sec-Websocket-Extensions"]) || answeredDeflate(h["Sec-Websocket-Extensions"], mode) != nil)
	return r.StatusCode, inOrder, r
}

// isEmpty reports whether the lines of a list hold no element.
func isEmpty(lines []string) bool {
	elems, _ := elements(anyList, lines)
	return len(elems) == 0
}

// answeredDeflate is the answer that stands in these lines; nil if it is not in order.
func answeredDeflate(lines []string, mode byte) params {
	elems, ok := elements(extensionList, lines)
	if !ok || len(elems) != 1 || mode&4 == 0 {
		return nil
	}
	name, p, _, ok := splitExtension(elems[0])
	if !ok || name != "permessage-deflate" || p.answers(offered(mode)) != "" {
		return nil
	}
	return p
}

// offered is the client's offer.
func offered(mode byte) params {
	o, p := deflateOptions(mode), params{"client_max_window_bits": ""}
	if !o.ServerContextTakeover {
		p["server_no_context_takeover"] = ""
	}
	if o.ClientNoContextTakeover {
		p["client_no_context_takeover"] = ""
	}
	if o.ServerMaxWindowBits != 0 {
		p["server_max_window_bits"] = "10"
	}
	if o.ClientMaxWindowBits != 0 {
		p["client_max_window_bits"] = "9"
	}
	return p
}

// A response is accepted if and only if RFC 6455 §4.1 and RFC 7692 §7 let it, and not
// otherwise when it comes in pieces; little is read of one that does not end.
func FuzzDial(f *testing.F) {
	hello := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + acceptFor(nonce) + "\r\n"
	for _, more := range []string{
		"", "Sec-WebSocket-Protocol: chat\r\n", "Sec-WebSocket-Protocol: Chat\r\n", "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n",
		"Sec-WebSocket-Protocol:\r\nSec-WebSocket-Extensions:\r\n", "Upgrade: WebSocket,\r\nSec-WebSocket-Accept: " + acceptFor(nonce) + "\r\n", "Upgrade: h2c\r\n",
		"Sec-WebSocket-Extensions: permessage-deflate\r\n", "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n",
		"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; server_max_window_bits=\"8\"; client_max_window_bits=9\r\n",
		"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; server_max_window_bits=8; client_max_window_bits=10\r\n",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n", "Sec-WebSocket-Extensions: x\r\n",
		"Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate\r\n", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n",
	} {
		f.Add([]byte(hello+more+"\r\n\x81\x02hi"), byte(0x0E), []byte{40})
		f.Add([]byte(hello+more+"\r\n"), byte(0x76), []byte{100, 1})
	}
	for _, old := range []string{"101", "HTTP/1.1", "websocket", "Upgrade\r\n", acceptFor(nonce)} {
		f.Add([]byte(strings.Replace(hello, old, "200", 1)+"\r\nbody"), byte(0), []byte{9})
	}
	f.Add([]byte("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"+hello+"\r\n"), byte(0), []byte{9})
	f.Add([]byte("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno!\r\n0\r\n\r\n"), byte(0), []byte{9})
	f.Add([]byte("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n"+strings.Repeat("1\r\nx\r\n", 8<<10)), byte(0), []byte{200})
	f.Add([]byte("HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1/\r\n\r\n"), byte(0), []byte{9})
	f.Add([]byte("HTTP/1.1 101 \r\nX: "+strings.Repeat("x", maxHead)), byte(0), []byte{200})
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\n"+strings.Repeat("x", 40<<10)), byte(0), []byte{200})
	f.Fuzz(func(t *testing.T, raw []byte, mode byte, cuts []byte) {
		whole := dial(t, raw, nil, mode)
		for _, cut := range [][]byte{{1}, cuts} {
			if diff := cmp.Diff(whole, dial(t, raw, cut, mode)); diff != "" {
				t.Errorf("%q cut by %v (-whole +cut):\n%s", raw, cut, diff)
			}
		}
		status, inOrder, r := judge(raw, mode)
		if len(raw) > maxHead && (status == 0 || whole.Status == 0) {
			return // where its head ends is not for this test to say
		}
		switch {
		case status == 101 && inOrder:
			whole.checkAccepted(t, r, mode)
		case whole.Err == "" || whole.Status != status:
			t.Errorf("%q has status %d, in order %t, and gave %d, %s", raw, status, inOrder, whole.Status, whole.Err)
		}
	})
}

// checkAccepted holds what Dial returned against a response that is in order.
func (d dialled) checkAccepted(t *testing.T, r *http.Response, mode byte) {
	t.Helper()
	want := handshake.Result{Subprotocol: r.Header.Get("Sec-Websocket-Protocol"), Header: r.Header}
	if lines := r.Header["Sec-Websocket-Extensions"]; !isEmpty(lines) {
		agreed := answeredDeflate(lines, mode).agreed()
		// RFC 7692 §7.1.1.2 and §7.1.2.2: what a client has announced, it keeps to.
		o := deflateOptions(mode)
		agreed.ClientNoContextTakeover = agreed.ClientNoContextTakeover || o.ClientNoContextTakeover
		if o.ClientMaxWindowBits != 0 {
			agreed.ClientMaxWindowBits = min(agreed.ClientMaxWindowBits, o.ClientMaxWindowBits)
		}
		want.Deflate = &agreed
	}
	if diff := cmp.Diff(want, d.Result); d.Err != "" || diff != "" {
		t.Errorf("refused with %q (-want +got):\n%s", d.Err, diff)
	}
}
