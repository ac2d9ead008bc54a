package proxy

import (
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/logtest"
)

// A trusted peer may leave the header out of what can be a health probe, and is then
// known by its own address; nothing that it sent is lost. Whatever else comes without a
// header is closed.
func TestProbesWithoutHeader(t *testing.T) {
	const tlsHello = "\x16\x03\x01\x00\x05hello"
	for _, c := range []struct {
		name, sent string
		tls        bool
		accepted   bool
	}{
		{"GET", "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", false, true},
		{"HEAD", "HEAD /readyz HTTP/1.1\r\nHost: h\r\n\r\n", false, true},
		{"HAProxy", "OPTIONS / HTTP/1.0\r\n\r\n", false, true},
		{"POST", "POST /api/guest HTTP/1.1\r\n\r\n", false, false},
		{"PUT", "PUT / HTTP/1.1\r\n\r\n", false, false},
		{"no method", "GETX / HTTP/1.1\r\n\r\n", false, false},
		{"lower case", "get / HTTP/1.1\r\n\r\n", false, false},
		{"nothing whatever", "GE", false, false},
		{"TLS without TLS", tlsHello, false, false},
		{"TLS", tlsHello, true, true},
		{"HTTP where TLS is", "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", true, false},
	} {
		inner, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ln := NewListener(inner, Options{
			Trusted: mustTrust(t, "127.0.0.1"), Probes: true, TLS: c.tls, Log: slog.New(slog.NewTextHandler(&logtest.Buffer{}, nil)),
		})
		far, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		far.SetDeadline(time.Now().Add(patience))
		for i := range c.sent { // cut everywhere
			io.WriteString(far, c.sent[i:i+1])
		}
		far.(*net.TCPConn).CloseWrite()
		if !c.accepted {
			if b, err := io.ReadAll(far); len(b) > 0 || isTimeout(err) {
				t.Errorf("%s: %q, %v; want it closed", c.name, b, err)
			}
		} else {
			nc, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if only := nc.(*conn).ProbesOnly(); !only || nc.RemoteAddr().String() != far.LocalAddr().String() {
				t.Errorf("%s: only probes: %t, from %v; it is at %v", c.name, only, nc.RemoteAddr(), far.LocalAddr())
			}
			if b, err := io.ReadAll(nc); string(b) != c.sent || err != nil {
				t.Errorf("%s: %q, %v", c.name, b, err)
			}
			nc.Close()
		}
		far.Close()
		ln.Close()
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}
