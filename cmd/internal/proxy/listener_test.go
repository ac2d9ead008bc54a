package proxy

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/logtest"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/server"
)

const patience = 20 * time.Second

// v2 draws a header of version 2: the signature, and then what the hex digits say.
func v2(digits string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		panic(err)
	}
	return "\r\n\r\n\x00\r\nQUIT\n" + string(b)
}

// tcp4 is 192.0.2.1:4096 to 198.51.100.1:443.
const tcp4 = "C0000201 C6336401 1000 01BB"

// tell answers each message with itself and the client's address.
type tell struct{ closed chan error }

func (tell) OnOpen(server.LoopConn) {}
func (tell) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) {
	c.Send(op, append([]byte(c.RemoteAddr().String()+" "), p...))
}
func (h tell) OnClose(_ server.LoopConn, err error) { h.closed <- err }

type house struct {
	t      *testing.T
	addr   string
	closed chan error
	log    *logtest.Buffer
	*server.Server
}

// newHouse is a server that trusts proxies at these addresses. Without any, the
// PROXY protocol is off.
func newHouse(t *testing.T, o Options, trusted ...string) *house {
	t.Helper()
	h := &house{t: t, closed: make(chan error, 100), log: &logtest.Buffer{}}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	s, err := server.New(server.Config{Handler: tell{h.closed}, Loops: 1, Logger: log, MaxConnsPerAddress: 5})
	if err != nil {
		t.Fatal(err)
	}
	h.Server = s
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = ln.Addr().String()
	if trusted != nil {
		o.Trusted, o.Log = mustTrust(t, trusted...), log
		ln = NewListener(ln, o)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(ctx)
		if err := <-served; !errors.Is(err, server.ErrServerClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
	return h
}

const request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

// hello is the masked text "hello", with a key of zeros.
const hello = "\x81\x85\x00\x00\x00\x00hello"

// dial connects and writes what may be more than the server reads.
func (h *house) dial(pieces ...string) net.Conn {
	h.t.Helper()
	nc, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	for _, p := range pieces {
		io.WriteString(nc, p)
	}
	return nc
}

// answer reads to the end of the stream, or of the first echo.
func answer(nc net.Conn) string {
	var got []byte
	b := make([]byte, 4096)
	for {
		n, err := nc.Read(b)
		got = append(got, b[:n]...)
		if err != nil || bytes.HasSuffix(got, []byte(" hello")) {
			return string(got)
		}
	}
}

// A frame that comes in one segment with the handshake and the PROXY header is
// echoed, and the client is known by the address in the header, however all that
// is cut into segments.
func TestHeaderHandshakeAndFrame(t *testing.T) {
	h := newHouse(t, Options{}, "127.0.0.0/8")
	for name, c := range map[string]struct{ header, client string }{
		"v1":                  {"PROXY TCP4 192.0.2.1 198.51.100.1 4096 443\r\n", "192.0.2.1:4096"},
		"v1 IPv6":             {"PROXY TCP6 2001:db8::1 2001:db8::2 4096 443\r\n", "[2001:db8::1]:4096"},
		"v2":                  {v2("21 11 000C" + tcp4), "192.0.2.1:4096"},
		"v2 IPv6":             {v2("21 21 0024 20010DB8000000000000000000000001 20010DB8000000000000000000000002 1000 01BB"), "[2001:db8::1]:4096"},
		"v2 with extensions":  {v2("21 11 0133"+tcp4) + "\x04\x01\x24" + strings.Repeat("\x00", 0x124), "192.0.2.1:4096"},
		"A14 v4-mapped in v2": {v2("21 21 0024 00000000000000000000FFFFC0000209 20010DB8000000000000000000000002 1000 01BB"), "192.0.2.9:4096"},
		"A13 LOCAL":           {v2("20 00 0000"), ""},
		"A13 LOCAL, a block":  {v2("20 11 000C" + tcp4), ""},
		"A13 UNKNOWN":         {"PROXY UNKNOWN\r\n", ""},
		"A13 UNKNOWN, more":   {"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", ""},
		"A13 a Unix client":   {v2("21 31 00D8" + strings.Repeat("00", 216)), ""},
	} {
		whole := c.header + request + hello
		n := len(c.header)
		for cut, pieces := range map[string][]string{
			"whole":      {whole},
			"header":     {whole[:n], whole[n:]},
			"inside":     {whole[:n+10], whole[n+10:]},
			"frame":      {whole[:len(whole)-3], whole[len(whole)-3:]},
			"everywhere": {whole[:n], request, hello},
		} {
			nc := h.dial(pieces...)
			want := c.client
			if want == "" {
				want = nc.LocalAddr().String()
			}
			if got := answer(nc); !strings.HasPrefix(got, "HTTP/1.1 101") || !strings.HasSuffix(got, want+" hello") {
				t.Errorf("%s, cut at %s: %q; want 101 and an echo to %s", name, cut, got, want)
			}
			nc.Close()
			<-h.closed
		}
	}
}

// A13: an invalid header closes the connection without an answer, whatever follows
// it; and no state leaks: the next client is known by its own header.
func TestA13WrongHeaders(t *testing.T) {
	h := newHouse(t, Options{Timeout: 50 * time.Millisecond}, "127.0.0.1")
	for name, header := range map[string]string{
		"none":                   "",
		"v1 truncated":           "PROXY TCP4 192.0.2.1 198.51",
		"v1 without CR":          "PROXY TCP4 192.0.2.1 198.51.100.1 4096 443\n",
		"v1 two spaces":          "PROXY  TCP4 192.0.2.1 198.51.100.1 4096 443\r\n",
		"v1 port":                "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
		"v1 family":              "PROXY TCP4 2001:db8::1 198.51.100.1 4096 443\r\n",
		"v1 of 65 KB":            "PROXY TCP4 " + strings.Repeat("1", 65<<10) + "\r\n",
		"v1 lower case":          "proxy TCP4 192.0.2.1 198.51.100.1 4096 443\r\n",
		"v2 truncated":           v2("21 11 000C" + tcp4)[:20],
		"v2 of 65 KB":            v2("21 11 FFFF"+tcp4) + strings.Repeat("\x00", 0xFFFF-12),
		"v2 shorter than said":   v2("21 11 0008 C0000201 C6336401"),
		"v2 other version":       v2("31 11 000C" + tcp4),
		"v2 other command":       v2("22 11 000C" + tcp4),
		"v2 other family":        v2("21 41 000C" + tcp4),
		"v2 AF_UNSPEC":           v2("21 00 0000"),
		"v2 AF_UNSPEC, a block":  v2("21 00 000C" + tcp4),
		"v2 other transport":     v2("21 13 000C" + tcp4),
		"v2 signature truncated": "\r\n\r\n\x00\r\nQUI",
		"v2 LOCAL of 65 KB":      v2("20 00 FFFF") + strings.Repeat("\x00", 0xFFFF),
		"TLS instead":            "\x16\x03\x01\x00\x05hello",
		"nothing but the header": "\x00",
	} {
		nc := h.dial(header)
		if strings.Contains(name, "truncated") { // or the request would be its rest
			nc.(*net.TCPConn).CloseWrite()
		} else {
			io.WriteString(nc, request+hello)
		}
		if got := answer(nc); got != "" {
			t.Errorf("%s: answered %q; want nothing", name, got)
		}
	}
	if log := h.log.String(); !strings.Contains(log, "PROXY header refused") || strings.Contains(log, "panic") {
		t.Errorf("the log: %s", log)
	}
	nc := h.dial("PROXY TCP4 192.0.2.7 198.51.100.1 7 443\r\n" + request + hello)
	if got := answer(nc); !strings.HasSuffix(got, "192.0.2.7:7 hello") {
		t.Errorf("the next client: %q", got)
	}
	if n := h.Stats().Open; n != 1 {
		t.Errorf("%d connections are open; want 1", n)
	}
}

// A13: a client that takes too long is closed at the deadline, and delays no other
// meanwhile.
func TestA13Slow(t *testing.T) {
	h := newHouse(t, Options{Timeout: 100 * time.Millisecond}, "127.0.0.1")
	var slow []net.Conn
	for _, begin := range []string{"", "P", "PROXY", "\r\n\r\n\x00\r\nQUIT\n\x21"} {
		slow = append(slow, h.dial(begin))
	}
	if got := answer(h.dial("PROXY TCP4 192.0.2.7 198.51.100.1 7 443\r\n" + request + hello)); !strings.HasSuffix(got, " hello") {
		t.Errorf("who is not slow: %q", got)
	}
	for _, nc := range slow {
		if got := answer(nc); got != "" {
			t.Errorf("a slow one is answered %q", got)
		}
	}
}

// A13: with the protocol off, or from an untrusted client with it on, a header is
// an invalid request. Without a header the client is served as usual.
func TestA13Untrusted(t *testing.T) {
	for name, h := range map[string]*house{
		"off":       newHouse(t, Options{}),
		"untrusted": newHouse(t, Options{}, "192.0.2.0/24"),
	} {
		for _, header := range []string{"PROXY TCP4 192.0.2.1 198.51.100.1 4096 443\r\n", v2("21 11 000C" + tcp4), v2("20 00 0000")} {
			if got := answer(h.dial(header, request, hello)); !strings.HasPrefix(got, "HTTP/1.1 400") {
				t.Errorf("%s: %q is answered %q; want 400", name, header, got)
			}
		}
		nc := h.dial(request + hello)
		if got := answer(nc); !strings.HasSuffix(got, nc.LocalAddr().String()+" hello") {
			t.Errorf("%s: without a header: %q", name, got)
		}
	}
}

// Connections are counted by the client in the header, not by the proxy.
func TestCountedByClient(t *testing.T) {
	h := newHouse(t, Options{}, "127.0.0.1")
	statuses := map[int]int{}
	for i := range 12 {
		client := []string{"2001:db8::1", "2001:db8:0:0:8000::2"}[i%2] // one /64
		nc := h.dial("PROXY TCP6 " + client + " 2001:db8::2 4096 443\r\n" + request + hello)
		switch got := answer(nc); {
		case strings.HasPrefix(got, "HTTP/1.1 101"):
			statuses[101]++
		case strings.HasPrefix(got, "HTTP/1.1 429"):
			statuses[http.StatusTooManyRequests]++
		default:
			t.Fatalf("%q", got)
		}
	}
	if statuses[101] != 5 || statuses[429] != 7 {
		t.Errorf("%v; want 5 times 101 and 7 times 429", statuses)
	}
	if got := answer(h.dial("PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\n" + request + hello)); !strings.HasPrefix(got, "HTTP/1.1 101") {
		t.Errorf("another client: %q", got)
	}
}

// Close ends what waits: for a header, or to be accepted.
func TestClose(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := NewListener(ln, Options{Trusted: mustTrust(t, "127.0.0.1"), Timeout: time.Hour}).(*listener)
	h := &house{t: t, addr: ln.Addr().String()}
	silent, ready := h.dial("PRO"), h.dial("PROXY UNKNOWN\r\n")
	for deadline := time.Now().Add(patience); len(l.room) < 2; { // both are in hand
		if time.Now().After(deadline) {
			t.Fatal("they are not awaited")
		}
	}
	l.Close()
	for _, nc := range []net.Conn{silent, ready} {
		if got := answer(nc); got != "" {
			t.Errorf("%q", got)
		}
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}

// failing is a listener whose Accept fails, and counts how often it was asked.
type failing struct {
	net.Listener
	asked atomic.Int32
}

var errFailing = errors.New("no descriptors")

func (f *failing) Accept() (net.Conn, error) {
	f.asked.Add(1)
	return nil, errFailing
}

// An error is the caller's to deal with: Accept is not tried again before it asks.
func TestAcceptError(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &failing{Listener: ln}
	l := NewListener(f, Options{})
	defer l.Close()
	for i := range int32(100) {
		if _, err := l.Accept(); err != errFailing {
			t.Fatal(err)
		}
		if n := f.asked.Load(); n != i+1 {
			t.Fatalf("%d tries after %d calls", n, i+1)
		}
	}
}

// A client that only checks whether the server is there is not logged.
func TestSilentConnection(t *testing.T) {
	h := newHouse(t, Options{}, "127.0.0.1")
	nc := h.dial()
	nc.(*net.TCPConn).CloseWrite()
	if got := answer(nc); got != "" {
		t.Errorf("%q", got)
	}
	answer(h.dial("x")) // and this one is, after it
	if log := h.log.String(); strings.Count(log, "refused") != 1 {
		t.Errorf("the log: %s", log)
	}
}

// Bytes that were read after the header must be consumed before the socket is
// available.
func TestSyscallConn(t *testing.T) {
	client, nc := net.Pipe()
	defer client.Close()
	go io.WriteString(client, "PROXY UNKNOWN\r\nabc")
	c, err := (&listener{o: Options{Timeout: patience}}).readHeader(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SyscallConn(); err == nil || !strings.Contains(err.Error(), "3 bytes") {
		t.Errorf("with 3 bytes left: %v", err)
	}
	b := make([]byte, 2)
	for _, want := range []string{"ab", "c"} {
		if n, err := c.Read(b); err != nil || string(b[:n]) != want {
			t.Errorf("%q, %v; want %q", b[:n], err, want)
		}
	}
	if _, err := c.SyscallConn(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a pipe has a descriptor: %v", err)
	}
}
