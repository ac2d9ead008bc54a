package main

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/autobahn/faulty"
)

// serveHTTP2 starts a server that speaks nothing but HTTP/2, with a defect, and returns its
// address. cfg is for TLS; nil: without.
func serveHTTP2(t *testing.T, defect string, cfg *tls.Config) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	addr := ln.Addr().String()
	if cfg != nil {
		ln = tls.NewListener(ln, cfg)
	}
	go faulty.ServeHTTP2(ln, defect)
	return addr
}

// goServer starts a server of net/http that speaks HTTP/2 and has no WebSocket over it.
func goServer(t *testing.T, cfg *tls.Config) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.NotFoundHandler(), Protocols: new(http.Protocols), TLSConfig: cfg, ErrorLog: log.New(io.Discard, "", 0)}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	if cfg != nil {
		go srv.ServeTLS(ln, "", "")
	} else {
		go srv.Serve(ln)
	}
	t.Cleanup(func() { srv.Close() })
	return ln.Addr().String()
}

// A server that was not asked for HTTP/2 is not tested with it. One that was and does not
// speak it, or has no WebSocket over it, is told so once, before any case.
func TestHTTP2(t *testing.T) {
	cert, _ := selfSigned(t)
	h2 := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}}
	only1 := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
	plain := serve(t, "")
	if out, _ := command("server", "--url", plain, "--dry-run"); strings.Contains(out, "T1.1") || !strings.Contains(out, "1.1.1") {
		t.Error("without --http2 its cases are played, or none are")
	}
	for _, c := range []struct {
		name, args string
		status     int
		says       string
	}{
		{"without TLS", "--url ws://" + serveHTTP2(t, "", nil) + "/ --cases T1,T3", exitPassed, "T3   "},
		{"with TLS", "--url wss://" + serveHTTP2(t, "", h2) + "/ --cases T1,T6 --insecure", exitPassed, "T6   "},
		{"a defect", "--url ws://" + serveHTTP2(t, "does without :path", nil) + "/ --cases T2", exitFailed, "T2.12: FAILED"},
		{"asked for", "--url " + plain + " --cases 1.1.1 --http2 --dry-run", exitPassed, "T7.10 "},
		{"a server without HTTP/2", "--url " + plain + " --cases 1.1.1 --http2", exitCannot, "answers HTTP/2 in HTTP/1: enable it there"},
		{"a server without HTTP/2 over TLS", "--url wss://" + goServer(t, only1) + "/ --cases T1 --insecure", exitCannot, "does not choose HTTP/2 for the TLS connection: enable it there"},
		{"HTTP/2 without WebSocket", "--url ws://" + goServer(t, nil) + "/ --cases T1", exitCannot, "does not announce WebSocket over it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, status := command(append([]string{"server", "--quiet"}, strings.Fields(c.args)...)...)
			if status != c.status || !strings.Contains(out, c.says) {
				t.Errorf("exit status %d, want %d and %q in:\n%s", status, c.status, c.says, out)
			}
		})
	}
}
