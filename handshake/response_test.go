package handshake

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// agreed is a server's whole answer. ACCEPT stands for what the key demands.
const agreed = "HTTP/1.1 101 Switching Protocols\r\n" +
	"Upgrade: websocket\r\n" +
	"Connection: Upgrade\r\n" +
	"Sec-WebSocket-Accept: ACCEPT\r\n" +
	"\r\n"

// replace is agreed in which old became new.
func replace(t *testing.T, old, new string) string {
	t.Helper()
	if strings.Count(agreed, old) != 1 {
		t.Fatalf("%q is not in the answer once", old)
	}
	return strings.Replace(agreed, old, new, 1)
}

// add is agreed with more header lines.
func add(lines ...string) string {
	return strings.TrimSuffix(agreed, "\r\n") + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// dialTo runs Dial against a server that answers raw, whole or in pieces, and
// then ends the connection.
func dialTo(t *testing.T, o DialOptions, raw ...string) (nc net.Conn, left []byte, res Result, err error) {
	t.Helper()
	o.DialContext = pipe(t, func(peer net.Conn) {
		defer peer.Close()
		key := readRequest(t, peer)
		for _, piece := range raw {
			// The client hangs up when it has read enough.
			if _, err := io.WriteString(peer, strings.ReplaceAll(piece, "ACCEPT", AcceptKey(key))); err != nil {
				return
			}
		}
	})
	return Dial(t.Context(), "ws://h/", &o)
}

func TestDialAccepts(t *testing.T) {
	chat := DialOptions{Subprotocols: []string{"chat", "superchat"}}
	for name, c := range map[string]struct {
		o           DialOptions
		raw         string
		subprotocol string
		left        string
	}{
		"plain":                {raw: agreed},
		"H09 case":             {raw: replace(t, "Upgrade: websocket", "Upgrade: WebSocket")},
		"H09 Connection list":  {raw: replace(t, "Connection: Upgrade", "Connection: keep-alive, upgrade")},
		"H16 frame glued":      {raw: agreed + "\x81\x02hi", left: "\x81\x02hi"},
		"H17 half a frame":     {raw: agreed + "\x81\x02h", left: "\x81\x02h"},
		"subprotocol":          {o: chat, raw: add("Sec-WebSocket-Protocol: superchat"), subprotocol: "superchat"},
		"subprotocol declined": {o: chat, raw: agreed},
		"interim responses": {raw: "HTTP/1.1 100 Continue\r\n\r\n" +
			"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + agreed},
	} {
		t.Run(name, func(t *testing.T) {
			nc, left, res, err := dialTo(t, c.o, c.raw)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if string(left) != c.left || (left == nil) != (c.left == "") {
				t.Errorf("left %q, want %q", left, c.left)
			}
			if res.Subprotocol != c.subprotocol || res.Header.Get("Sec-WebSocket-Accept") == "" {
				t.Errorf("Result %+v", res)
			}
		})
	}
}

// Byte by byte: nothing of the handshake is left over, and nothing after it is
// lost.
func TestDialSplit(t *testing.T) {
	o := DialOptions{Rand: strings.NewReader("the sample nonce")}
	raw := strings.Replace(agreed, "ACCEPT", AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="), 1) + "\x81\x02hi"
	nc, left, _, err := dialTo(t, o, strings.Split(raw, "")...)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(nc)
	if err != nil || string(left)+string(rest) != "\x81\x02hi" {
		t.Errorf("left %q, then %q, %v", left, rest, err)
	}
}

// A 101 that breaks RFC 6455 is an *Error that names the header.
func TestDialBadAgreement(t *testing.T) {
	chat := DialOptions{Subprotocols: []string{"chat", "superchat"}}
	for name, c := range map[string]struct {
		o       DialOptions
		raw     string
		mention string
	}{
		"HTTP/1.0":                  {raw: replace(t, "HTTP/1.1", "HTTP/1.0"), mention: `protocol is "HTTP/1.0"`},
		"no Upgrade":                {raw: replace(t, "Upgrade: websocket\r\n", ""), mention: "missing Upgrade header"},
		"Upgrade other":             {raw: replace(t, "Upgrade: websocket", "Upgrade: h2c"), mention: `Upgrade header: "h2c"`},
		"Upgrade list":              {raw: replace(t, "Upgrade: websocket", "Upgrade: websocket, h2c"), mention: "Upgrade header"},
		"no Connection":             {raw: replace(t, "Connection: Upgrade\r\n", ""), mention: "missing Connection header"},
		"Connection other":          {raw: replace(t, "Connection: Upgrade", "Connection: keep-alive"), mention: `Connection header: "keep-alive"`},
		"no Accept":                 {raw: replace(t, "Sec-WebSocket-Accept: ACCEPT\r\n", ""), mention: "missing Sec-WebSocket-Accept header"},
		"Accept of another key":     {raw: replace(t, "ACCEPT", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), mention: `Sec-WebSocket-Accept header: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="`},
		"Accept with more":          {raw: replace(t, "ACCEPT", "ACCEPT, ACCEPT"), mention: "Sec-WebSocket-Accept header"},
		"extension":                 {raw: add("Sec-WebSocket-Extensions: permessage-deflate"), mention: `Sec-WebSocket-Extensions header: "permessage-deflate"`},
		"subprotocol, none offered": {raw: add("Sec-WebSocket-Protocol: chat"), mention: `Sec-WebSocket-Protocol header: "chat"`},
		"subprotocol not offered":   {o: chat, raw: add("Sec-WebSocket-Protocol: other"), mention: `Sec-WebSocket-Protocol header: "other"`},
		"subprotocol in other case": {o: chat, raw: add("Sec-WebSocket-Protocol: Chat"), mention: `Sec-WebSocket-Protocol header: "Chat"`},
		"subprotocols, two lines":   {o: chat, raw: add("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: superchat"), mention: "Sec-WebSocket-Protocol header, given 2 times"},
		"subprotocol list":          {o: chat, raw: add("Sec-WebSocket-Protocol: chat, superchat"), mention: "Sec-WebSocket-Protocol header"},
	} {
		t.Run(name, func(t *testing.T) {
			nc, _, _, err := dialTo(t, c.o, c.raw)
			var refusal *Error
			if nc != nil || !errors.As(err, &refusal) {
				t.Fatalf("got %v, %v; want an *Error", nc, err)
			}
			if refusal.Status != 101 || !strings.HasPrefix(refusal.Reason, c.mention) || refusal.Header == nil {
				t.Errorf("%+v, want it to begin %q", refusal, c.mention)
			}
		})
	}
}

func TestDialRefusals(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for name, c := range map[string]struct {
		raw  string
		want Error
	}{
		"200": {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi\n", Error{
			Status: 200, Reason: `the server said "hi"`,
			Header: http.Header{"Content-Length": {"3"}}, Body: []byte("hi\n"),
		}},
		"401": {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nWww-Authenticate: Basic\r\n\r\n", Error{
			Status: 401, Reason: "the server gave no reason",
			Header: http.Header{"Content-Length": {"0"}, "Www-Authenticate": {"Basic"}}, Body: []byte{},
		}},
		"redirect": {"HTTP/1.1 302 Found\r\nContent-Length: 3\r\nLocation: wss://evil.example/\r\n\r\nhi\n", Error{
			Status: 302, Reason: `the server redirects to Location "wss://evil.example/", which is not followed`,
			Header: http.Header{"Content-Length": {"3"}, "Location": {"wss://evil.example/"}}, Body: []byte("hi\n"),
		}},
		"Location without a redirect": {"HTTP/1.1 503 x\r\nContent-Length: 0\r\nLocation: /\r\n\r\n", Error{
			Status: 503, Reason: "the server gave no reason",
			Header: http.Header{"Content-Length": {"0"}, "Location": {"/"}}, Body: []byte{},
		}},
		"body to the end of the connection": {"HTTP/1.1 500 x\r\n\r\n\x1b[31mhi", Error{
			Status: 500, Reason: `the server said "\x1b[31mhi"`,
			Header: http.Header{}, Body: []byte("\x1b[31mhi"),
		}},
		"body chunked": {"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", Error{
			Status: 500, Reason: `the server said "hi"`,
			Header: http.Header{}, Body: []byte("hi"),
		}},
		"body long": {fmt.Sprintf("HTTP/1.1 500 x\r\nContent-Length: %d\r\n\r\n%s", len(long), long), Error{
			Status: 500, Reason: "the server said " + quote(long),
			Header: http.Header{"Content-Length": {"5000"}}, Body: []byte(long[:4096]),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := dialTo(t, DialOptions{}, c.raw)
			var got *Error
			if !errors.As(err, &got) {
				t.Fatalf("error %v", err)
			}
			if d := cmp.Diff(&c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// Bytes that are no answer at all give no *Error.
func TestDialNoAnswer(t *testing.T) {
	endless := "HTTP/1.1 101 Switching Protocols\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 17)
	for name, c := range map[string]struct{ raw, want string }{
		"end at once":     {"", "unexpected EOF"},
		"end in the head": {strings.TrimSuffix(agreed, "\r\n"), "unexpected EOF"},
		"not HTTP":        {"SSH-2.0-OpenSSH\r\n", "malformed HTTP"},
		"status missing":  {"HTTP/1.1 x\r\n\r\n", "malformed HTTP status"},
		"long head":       {endless + "\r\n", "head is longer than 16384 bytes"},
		"long interim":    {strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1000), "head is longer than 16384 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			nc, _, _, err := dialTo(t, DialOptions{}, c.raw)
			if nc != nil || err == nil || !strings.Contains(err.Error(), "read response: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v; want %q", nc, err, c.want)
			}
			if errors.As(err, new(*Error)) {
				t.Errorf("%v is an *Error", err)
			}
		})
	}
}

// The bound is on the head, not on what follows it.
func TestDialHeadBound(t *testing.T) {
	const rest = "\x82\x7e\x40\x00"
	head := add("X: ")
	filler := strings.Repeat("y", maxResponseHead-len(head)-len(AcceptKey(""))+len("ACCEPT"))
	nc, left, _, err := dialTo(t, DialOptions{}, add("X: "+filler)+rest)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(nc)
	if err != nil || string(left)+string(got) != rest {
		t.Errorf("left %q, then %q, %v; want %q", left, got, err, rest)
	}
	if _, _, _, err := dialTo(t, DialOptions{}, add("X: y"+filler)+rest); err == nil || !strings.Contains(err.Error(), "head is longer") {
		t.Errorf("one byte more: %v", err)
	}
}
