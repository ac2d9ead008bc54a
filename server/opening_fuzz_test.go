package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/handshake"
)

// said is a connection on which everything that arrives has been said before.
type said struct {
	arriving io.Reader
	written  bytes.Buffer
	closed   chan struct{}
}

func (c *said) Read(p []byte) (int, error)     { return c.arriving.Read(p) }
func (c *said) Write(p []byte) (int, error)    { return c.written.Write(p) }
func (c *said) LocalAddr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
func (c *said) RemoteAddr() net.Addr           { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9} }
func (*said) SetDeadline(time.Time) error      { return nil }
func (*said) SetReadDeadline(time.Time) error  { return nil }
func (*said) SetWriteDeadline(time.Time) error { return nil }

func (c *said) Close() error {
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	return nil
}

// once is a listener with one connection.
type once struct{ conn chan net.Conn }

func (l once) Accept() (net.Conn, error) {
	if nc, ok := <-l.conn; ok {
		return nc, nil
	}
	return nil, errors.New("no more")
}
func (l once) Close() error { return nil }
func (l once) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}
}

// outcome is what a request came to.
type outcome struct {
	Answer string // if it is a 101
	Result handshake.Result
	Left   string // that followed the request
}

// byHTTP gives the bytes to net/http, with what the server's own http.Server has set.
func byHTTP(u *handshake.Upgrader, raw []byte) (o outcome, accepted bool) {
	c := &said{arriving: bytes.NewReader(raw), closed: make(chan struct{})}
	hs := &http.Server{MaxHeaderBytes: handshakeHead, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, left, res, err := u.Upgrade(w, r)
		if err != nil {
			return
		}
		rest, _ := io.ReadAll(nc)
		o, accepted = outcome{c.written.String(), res, string(left) + string(rest)}, true
		nc.Close()
	})}
	l := once{make(chan net.Conn, 1)}
	l.conn <- c
	close(l.conn)
	hs.Serve(l)
	<-c.closed
	return o, accepted
}

// byLoop does with the bytes what a loop does.
func byLoop(u *handshake.Upgrader, raw []byte) (o outcome, v verdict) {
	var head opened
	if v = head.parse(raw); v != complete {
		return o, v
	}
	if newEndpoint(&Config{Upgrader: *u}).asks {
		return byPool(u, raw, &head)
	}
	answer, res, ok := u.AppendAnswer(nil, &head.fields)
	if !ok && u.CheckOrigin != nil {
		return byPool(u, raw, &head)
	}
	if !ok {
		return o, doubtful
	}
	return outcome{string(answer), res, string(raw[head.length:])}, complete
}

// byPool does with a request what a goroutine of the pool does.
func byPool(u *handshake.Upgrader, raw []byte, head *opened) (o outcome, v verdict) {
	j := &judgement{s: new(Server), e: &endpoint{upgrader: *u}, request: raw[:head.length], ctx: context.Background()}
	if j.ask(); j.answer == nil {
		return o, doubtful
	}
	return outcome{string(j.answer), j.res, string(raw[head.length:])}, complete
}

// FuzzOpening verifies that a loop accepts nothing that net/http would not accept, and
// that it answers it with the same bytes, however the request is cut into pieces.
func FuzzOpening(f *testing.F) {
	const key, frame = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "\x81\x82kkkk\x03\x02"
	const hello = "GET /chat HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" + key + "Sec-WebSocket-Version: 13\r\n"
	for _, more := range []string{
		"", "Origin: https://a.example\r\n", "Origin: https://b.example\r\n", "Origin: https://good.example\r\n", "Origin:\r\n", "Origin: null\r\n",
		"Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: y\r\n", "Sec-WebSocket-Protocol: a b\r\n",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n", "Sec-WebSocket-Extensions: ;\r\n",
		"Content-Length: 0\r\n", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Expect: 100-continue\r\n", "Trailer: X\r\n",
		"Cookie: \tid=1; b=\"2\" \r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n", "A:\xe4\r\n", "A:\x00\r\n", "A b: c\r\n", "A : c\r\n", ": c\r\n", " folded\r\n", "A: b\r\n\tfolded\r\n",
		"A: b\n", "A: b\r\r\n", "A\r\n", "Host: b.example\r\n", "host:\r\n", "Upgrade: h2c\r\n", "Connection: close\r\n", key, "Sec-WebSocket-Version: 8\r\n",
		"A: " + strings.Repeat("x", maxHead-300) + "\r\n", strings.Repeat("A: b\r\n", 120), "X-Very-Long-Name-" + strings.Repeat("x", 2000) + ": b\r\n",
	} {
		for mode := range byte(8) {
			f.Add([]byte(hello+more+"\r\n"+frame), mode)
		}
		f.Add([]byte(hello+more+"\r\n"+frame), byte(32))
		for _, mode := range []byte{32 | 64, 32 | 64 | 1, 32 | 64 | 7, 32 | 128 | 7} {
			f.Add([]byte(hello+more+"\r\n"+frame), mode)
		}
	}
	for _, edit := range [][2]string{
		{"/chat", "/"}, {"/chat", "*"}, {"/chat", "//chat"}, {"/chat", "http://a.example/chat"}, {"/chat", "/chat?a=%zz&b=;\"<>"}, {"/chat", "/a%2"}, {"/chat", "/a#b"}, {"/chat", "/a?b#c"}, {"/chat", "/\xe4"},
		{"/chat", "/a b"}, {"/chat ", "/chat  "}, {"HTTP/1.1", "HTTP/1.0"}, {"HTTP/1.1", "HTTP/2.0"}, {"HTTP/1.1", "http/1.1"}, {"HTTP/1.1\r", "HTTP/1.1"}, {"GET", "get"}, {"GET", "POST"}, {"GET", "\r\nGET"}, {"GET /", "GET  /"},
		{"a.example", "a_b"}, {"a.example", "[::1]:80"}, {"a.example", "a.example, b"}, {"a.example", "a\tb"}, {"Host", "HOST"}, {"Host", "Hos"}, {"websocket", "websoc\u212Aet"}, {"keep-alive, ", ""}, {"==", "="},
	} {
		f.Add([]byte(strings.Replace(hello, edit[0], edit[1], 1)+"\r\n"+frame), byte(0))
	}
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), byte(0))
	f.Add([]byte("\x16\x03\x01\x02\x00"), byte(0))
	f.Fuzz(func(t *testing.T, raw []byte, mode byte) {
		u := new(handshake.Upgrader)
		if mode&1 != 0 {
			u.Origins = []string{"https://good.example"}
		}
		if mode&2 != 0 {
			u.Subprotocols = []string{"superchat", "chat"}
		}
		if mode&4 != 0 {
			u.Deflate = &handshake.DeflateOptions{ServerContextTakeover: mode&8 != 0, ClientNoContextTakeover: mode&16 != 0}
		}
		if mode&32 != 0 {
			asking := askingUpgrader()
			u.Subprotocol, u.CheckOrigin, u.Header = asking.Subprotocol, asking.CheckOrigin, asking.Header
			if mode&64 != 0 { // CheckOrigin alone
				u.Subprotocol, u.Header = nil, nil
			}
			if mode&128 != 0 {
				u.Header = func(r *http.Request) http.Header { return http.Header{"X-Seen": {fmt.Sprint(r.URL, r.Header, r.Host)}} }
			}
		}
		o, v := byLoop(u, raw)
		if v == complete {
			want, ok := byHTTP(u, raw)
			if !ok {
				t.Fatalf("a loop accepts %q, and net/http does not", raw)
			}
			if d := cmp.Diff(want, o); d != "" {
				t.Fatalf("%q (-net/http +loop):\n%s", raw, d)
			}
		}
		var whole, part opened
		v = whole.parse(raw)
		for n := 0; n < min(len(raw), maxHead+1); n++ {
			switch got := part.parse(raw[:n]); {
			case v == complete && (n < whole.length && got != incomplete || n >= whole.length && (got != complete || part.length != whole.length)):
				t.Fatalf("the first %d bytes of %q: %v, length %d; all of it: %v, length %d", n, raw, got, part.length, v, whole.length)
			case v == incomplete && got != incomplete, v == doubtful && got == complete:
				t.Fatalf("the first %d bytes of %q: %v; all of it: %v", n, raw, got, v)
			}
			if n > 600 && n < min(len(raw), maxHead)-100 {
				n += 50
			}
		}
	})
}

// The requests of browsers and of this module's own clients are not left to net/http.
func TestOpeningOfClients(t *testing.T) {
	const browser = "GET /ws?token=a%20b HTTP/1.1\r\nHost: chat.example:8443\r\nConnection: keep-alive, Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\nOrigin: https://chat.example:8443\r\n" +
		"Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\nCookie: session=abc; theme=\"dark\"\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
	for name, raw := range map[string]string{"browser": browser, "test": upgradeRequest("/", ""), "dial": dialRequest(t)} {
		o, v := byLoop(new(handshake.Upgrader), []byte(raw))
		want, _ := byHTTP(new(handshake.Upgrader), []byte(raw))
		if d := cmp.Diff(want, o); v != complete || d != "" {
			t.Errorf("%s: %v (-net/http +loop):\n%s", name, v, d)
		}
	}
}

// dialRequest is what handshake.Dial writes.
func dialRequest(t *testing.T) string {
	c := &said{arriving: strings.NewReader(""), closed: make(chan struct{})}
	handshake.Dial(t.Context(), "ws://a.example/path", &handshake.DialOptions{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil },
	})
	return c.written.String()
}

func BenchmarkOpening(b *testing.B) {
	raw, u, dst := []byte(upgradeRequest("/", "")), new(handshake.Upgrader), make([]byte, 0, 1<<10)
	var o opened
	b.ReportAllocs()
	for b.Loop() {
		if o.parse(raw) != complete {
			b.Fatal("not complete")
		}
		if _, _, ok := u.AppendAnswer(dst, &o.fields); !ok {
			b.Fatal("refused")
		}
	}
}
