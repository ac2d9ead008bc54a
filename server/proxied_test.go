package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
)

// headerAddr is a ClientAddr that believes everybody.
func headerAddr(r *http.Request) netip.AddrPort {
	addr, _ := netip.ParseAddrPort(r.Header.Get("Client"))
	return addr
}

func (ts *testServer) dialFrom(t *testing.T, addr string) *client {
	t.Helper()
	return ts.dialWith(t, "/", &handshake.DialOptions{Header: http.Header{"Client": {addr}}})
}

// tellAddr answers every message with the address of who sent it.
func tellAddr(c LoopConn, op frame.Opcode, p []byte) { c.Send(op, []byte(c.RemoteAddr().String())) }

// Who comes through a proxy is known, counted and logged by the address that
// the proxy names. A14: an IPv4 address within IPv6 is that address, and a /64
// is one.
func TestA14ClientAddr(t *testing.T) {
	ended := make(chan string, 10)
	ts := start(t, Config{MaxConnsPerAddress: 1, ClientAddr: headerAddr, Handler: funcs{
		message: tellAddr,
		close:   func(c LoopConn, err error) { ended <- c.RemoteAddr().String() },
	}})
	first := ts.dialFrom(t, "192.0.2.1:1000")
	sixth := ts.dialFrom(t, "[2001:db8::1]:6")
	direct := ts.dial(t, "/")
	for _, c := range []struct {
		c    *client
		addr string
	}{{first, "192.0.2.1:1000"}, {sixth, "[2001:db8::1]:6"}, {direct, direct.nc.LocalAddr().String()}} {
		c.c.text("who am I?")
		c.c.expect(`text "` + c.addr + `"`)
	}
	for _, addr := range []string{"192.0.2.1:2000", "[::ffff:192.0.2.1]:1", "[2001:db8::ffff]:1"} {
		resp, _ := ask(t, ts.addr, upgradeRequest("/", "Client: "+addr+"\r\n"))
		if resp.StatusCode != http.StatusTooManyRequests {
			t.Errorf("%s: %d; want 429", addr, resp.StatusCode)
		}
		if !strings.Contains(ts.log.String(), addr) {
			t.Errorf("the log does not name %s:\n%s", addr, ts.log)
		}
	}
	first.nc.Close()
	if addr := receive(t, ended); addr != "192.0.2.1:1000" {
		t.Errorf("in OnClose the address is %s", addr)
	}
	ts.clock.settle() // it is counted until OnClose has returned
	kept := 0
	for _, l := range ts.loops {
		l.call(func() { kept += len(l.remotes) })
	}
	if kept != 1 {
		t.Errorf("%d addresses are kept; want that of the one client left behind the proxy", kept)
	}
	mapped := ts.dialFrom(t, "[::ffff:192.0.2.1]:7")
	mapped.text("who am I?")
	mapped.expect(`text "192.0.2.1:7"`)
}

// A request that is not an upgrade is counted as long as it takes, not as long
// as the proxy keeps its connection open.
func TestClientAddrOfRequests(t *testing.T) {
	mux := http.NewServeMux()
	ts := start(t, Config{Handler: funcs{message: echo}, MaxConnsPerAddress: 1, ClientAddr: headerAddr, HTTP: mux})
	mux.Handle("/", ts.Server)
	mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) })
	nc, err := net.Dial("tcp", ts.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	br := bufio.NewReader(nc)
	for _, addr := range []string{"192.0.2.1:1", "192.0.2.2:1"} {
		io.WriteString(nc, "GET /plain HTTP/1.1\r\nHost: h\r\nClient: "+addr+"\r\n\r\n")
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(resp.Body); string(b) != addr {
			t.Errorf("the handler was told %s; want %s", b, addr)
		}
	}
	// Both may connect, although the proxy's connection is still there.
	for _, addr := range []string{"192.0.2.1:2", "192.0.2.2:2"} {
		c := ts.dialFrom(t, addr)
		c.text("x")
		c.expect(`text "x"`)
	}
}

// namedListener is one whose connections name another address than the
// kernel's, as behind the PROXY protocol.
type namedListener struct{ net.Listener }

type namedConn struct{ net.Conn }

func (ln namedListener) Accept() (net.Conn, error) {
	nc, err := ln.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return namedConn{nc}, nil
}

func (namedConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP("::ffff:198.51.100.7"), Port: 99}
}

func (c namedConn) SyscallConn() (syscall.RawConn, error) { return c.Conn.(syscall.Conn).SyscallConn() }

func TestListenerNamesClient(t *testing.T) {
	ts := start(t, Config{Handler: funcs{message: tellAddr}, MaxConnsPerAddress: 1})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go ts.Serve(namedListener{ln}) // ends with the server
	named := &testServer{Server: ts.Server, addr: ln.Addr().String()}
	c := named.dial(t, "/")
	c.text("who am I?")
	c.expect(`text "198.51.100.7:99"`)
	if resp, _ := ask(t, named.addr, upgradeRequest("/", "")); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("second connection: %d; want 429", resp.StatusCode)
	}
	direct := ts.dial(t, "/")
	direct.text("who am I?")
	direct.expect(`text "` + direct.nc.LocalAddr().String() + `"`)
}
