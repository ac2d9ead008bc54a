package terminaltest

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/connect/connecttest"
)

// Ways are servers that are not reached, by name: the URL, and flags of package
// connect. A proxy, or a certificate, is hostile.
func Ways(t testing.TB) map[string][]string {
	t.Helper()
	at := func(scheme, answer string) string {
		return scheme + strings.TrimSuffix(strings.TrimPrefix(Serve(t, answer), "ws"), "/")
	}
	ca := connecttest.NewAuthority(t)
	cert := ca.Issue("\x1b[2J\x1b]0;owned\x07.example", "\r\x7fb.example") // a name is ASCII
	s := connecttest.Serve(t, &tls.Config{Certificates: []tls.Certificate{cert}})
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]string{
		"a proxy's status":  {"ws://chat.invalid/", "--proxy", at("http", "HTTP/1.1 407 "+Bytes+"\r\nProxy-Authenticate: "+Bytes+"\r\n\r\n"+Bytes)},
		"a proxy's answer":  {"ws://chat.invalid/", "--proxy", at("http", Bytes+"\r\n\r\n")},
		"a proxy's header":  {"ws://chat.invalid/", "--proxy", at("http", "HTTP/1.1 200 OK\r\n"+Bytes+"\r\n\r\n")},
		"a SOCKS proxy":     {"ws://chat.invalid/", "--proxy", at("socks5", "\x05\x00\x05"+Bytes)},
		"certificate names": {"wss://localhost:" + port + "/", "--cacert", ca.File},
		"an unknown signer": {"wss://" + s.Addr + "/"},
		"no TLS":            {"wss" + strings.TrimPrefix(Serve(t, Bytes), "ws")},
	}
}
