package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/handshake"
)

const wholeRequest = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// begin connects, and sends the first n bytes of an opening handshake.
func (ts *testServer) begin(t *testing.T, n int) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", ts.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if _, err := io.WriteString(nc, wholeRequest[:n]); err != nil {
		t.Fatal(err)
	}
	return nc
}

// finish sends the rest, and returns the client of the connection.
func finish(t *testing.T, nc net.Conn, n int, glued string) *client {
	t.Helper()
	if _, err := io.WriteString(nc, wholeRequest[n:]+glued); err != nil {
		t.Fatal(err)
	}
	nc.SetReadDeadline(time.Now().Add(patience))
	br := bufio.NewReader(nc)
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("after %d bytes: %v, %v", n, res, err)
	}
	left, _ := br.Peek(br.Buffered())
	return newClient(t, nc, left, handshake.Result{})
}

// Opening handshakes move in the midst of their request, again and again, and so does what follows
// them at once.
func TestMoveHandshakes(t *testing.T) {
	m := newMover()
	cfg := moverConfig(m)
	a := startMover(t, cfg)
	begun := []int{0, 1, 20, len(wholeRequest) - 1}
	conns := make([]net.Conn, len(begun))
	for i, n := range begun {
		conns[i] = a.begin(t, n)
		arrived(t, conns[i])
	}
	waitFor(t, func() bool { return a.Stats().Handshaking == len(conns) })

	f := freeze(t, a.Server)
	if r := f.Report(); r.Handshakes != len(conns) || r.HTTP != 0 {
		t.Errorf("%+v", r)
	}
	whole := a.begin(t, len(wholeRequest)) // waits to be accepted
	f.Thaw()
	finish(t, whole, len(wholeRequest), "").text("hello")

	b := a.move(t, cfg)
	waitFor(t, func() bool { return b.Stats().Handshaking == len(conns) })
	b = b.move(t, cfg)
	waitFor(t, func() bool { return b.Stats().Handshaking == len(conns) })
	for i, nc := range conns {
		c := finish(t, nc, begun[i], string(masked(0x81, "glued")))
		c.expect(`text "glued"`)
		c.text("hello")
		c.expect(`text "hello"`)
	}
	waitFor(t, func() bool { return b.Stats().Handshaking == 0 })
	if n := b.Stats().Open; n != len(conns)+1 {
		t.Errorf("%d connections are open", n)
	}
}

// A connection that has been interrupted for nothing goes on.
func TestHandshakeAfterThaw(t *testing.T) {
	c := beginAndThaw(t, patience)
	finish(t, c, 10, "").text("hello")
}

// It has the deadline that it had.
func TestHandshakeDeadlineAfterThaw(t *testing.T) {
	c := beginAndThaw(t, 300*time.Millisecond)
	c.SetReadDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(c); err != nil {
		t.Errorf("a handshake without an end: %q, %v", b, err)
	}
}

// beginAndThaw sends 10 bytes of a handshake, and has the server frozen and thawed.
func beginAndThaw(t *testing.T, timeout time.Duration) net.Conn {
	t.Helper()
	cfg := moverConfig(newMover())
	cfg.HandshakeTimeout = timeout
	accepted := make(chan struct{}, 1)
	cfg.HTTPServer = func(hs *http.Server) {
		hs.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				accepted <- struct{}{}
			}
		}
	}
	a := startMover(t, onlyHTTP(cfg)) // whose time is not injected
	c := a.begin(t, 10)
	arrived(t, c)
	<-accepted
	freeze(t, a.Server).Thaw()
	return c
}

// A connection on which something was answered stays behind.
func TestMoveLeavesUsedHTTP(t *testing.T) {
	m := newMover()
	cfg := moverConfig(m)
	cfg.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") })
	a := startMover(t, cfg)
	nc, err := net.Dial("tcp", a.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	fmt.Fprint(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	nc.SetReadDeadline(time.Now().Add(patience))
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(res.Body); string(b) != "page" {
		t.Errorf("%q, %v", b, err)
	}
	f := freeze(t, a.Server)
	if r := f.Report(); r.Handshakes != 0 || r.HTTP != 1 {
		t.Errorf("%+v", r)
	}
	f.Thaw()
	fmt.Fprint(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	buf := make([]byte, 100)
	if n, err := nc.Read(buf); !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 200") {
		t.Errorf("%q, %v", buf[:n], err)
	}
}
