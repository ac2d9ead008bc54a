package handshake

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// relay is an HTTP proxy that answers CONNECT, and reaches every name at to.
func relay(t *testing.T, to dialer) (addr string, asked <-chan string) {
	t.Helper()
	names := make(chan string, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		names <- r.Method + " " + r.Host
		far, err := to(r.Context(), "tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		defer far.Close()
		near, brw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer near.Close()
		io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			io.Copy(far, brw)
			far.Close()
		}()
		io.Copy(near, far)
	}))
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String(), names
}

// Through a proxy, the request is still for the URL's host, and the certificate
// that is verified is that host's.
func TestDialProxy(t *testing.T) {
	ca := newAuthority(t)
	seen := make(chan string, 1)
	u := &Upgrader{Header: func(r *http.Request) http.Header {
		seen <- r.Host
		return nil
	}}
	far, outcomes, _ := serveTLS(t, u, &tls.Config{
		Certificates: []tls.Certificate{ca.issue(t, x509.Certificate{DNSNames: []string{"chat.example"}})},
		Time:         onThatDay,
	})
	proxy, asked := relay(t, far)
	nc, _, _, err := Dial(t.Context(), "wss://chat.example/", &DialOptions{
		TLSConfig: &tls.Config{RootCAs: ca.pool, Time: onThatDay},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := new(net.Dialer).DialContext(ctx, network, proxy)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(nc, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", addr, addr)
			// A TLS server speaks second, so nothing is read ahead.
			resp, err := http.ReadResponse(bufio.NewReader(nc), &http.Request{Method: http.MethodConnect})
			if err != nil || resp.StatusCode != http.StatusOK {
				nc.Close()
				return nil, fmt.Errorf("proxy: %v, %v", resp, err)
			}
			return nc, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if got := <-asked; got != "CONNECT chat.example:443" {
		t.Errorf("the proxy was asked to %s", got)
	}
	if got := <-seen; got != "chat.example" {
		t.Errorf("Host %q", got)
	}
	assertTalk(t, nc, (<-outcomes).nc)
}
