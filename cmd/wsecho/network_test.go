package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/certs/certtest"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

func TestTLS(t *testing.T) {
	ca, clients, dir := certtest.New(t, "server"), certtest.New(t, "clients"), t.TempDir()
	cert, key := certtest.WritePair(t, dir, ca.Server())
	url := launch(t, "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", certtest.Write(t, dir, "clients.pem", clients.PEM()))
	if !strings.HasPrefix(url, "wss://") {
		t.Fatalf("the URL is %s", url)
	}
	o := &wsconn.DialOptions{TLSConfig: &tls.Config{RootCAs: ca.Pool}}
	if _, err := wsconn.Dial(t.Context(), url+"/", o); err == nil {
		t.Error("T04: a client without a certificate is accepted")
	}
	o.TLSConfig.Certificates = []tls.Certificate{clients.Client(&x509.Certificate{Subject: pkix.Name{CommonName: "client"}})}
	c := dial(t, url+"/", o)
	say(t, c, frame.Text, "hello")
	hear(t, c, frame.Text, "hello")
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "echo.sock")
	launch(t, "--listen", "unix:"+path)
	o := &wsconn.DialOptions{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	c := dial(t, "ws://localhost/", o)
	say(t, c, frame.Text, "hello")
	hear(t, c, frame.Text, "hello")
}

// Two processes on one port: when one is gone the other serves.
func TestReusePort(t *testing.T) {
	url := launch(t, "--reuse-port")
	addr := strings.TrimPrefix(url, "ws://")
	second := launch(t, "--reuse-port", "--listen", addr)
	if second != url {
		t.Fatalf("%s and %s", url, second)
	}
	for range 20 { // whichever of the two it is
		c := dial(t, url+"/", nil)
		say(t, c, frame.Text, "hello")
		hear(t, c, frame.Text, "hello")
	}
	if out, err := exec.Command(program, "--listen", addr).CombinedOutput(); err == nil || !strings.Contains(string(out), "address already in use") {
		t.Errorf("without --reuse-port: %v, %s", err, out)
	}
}

func TestProxyProtocol(t *testing.T) {
	url := launch(t, "--proxy-protocol", "--trusted-proxies", "127.0.0.1,::1")
	o := &wsconn.DialOptions{}
	o.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil {
			_, err = fmt.Fprint(nc, "PROXY TCP4 192.0.2.1 127.0.0.1 1000 80\r\n")
		}
		return nc, err
	}
	c := dial(t, url+"/", o)
	say(t, c, frame.Text, "hello")
	hear(t, c, frame.Text, "hello")
	if _, err := wsconn.Dial(t.Context(), url+"/", nil); err == nil {
		t.Error("without a header it is accepted")
	}
}
