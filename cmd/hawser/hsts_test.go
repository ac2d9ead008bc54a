package main

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/certs/certtest"
	"github.com/hawser-ws/hawser/handshake"
)

const stsHeader = "Strict-Transport-Security"

// Every answer over TLS has the header, whatever it says; over plain HTTP none has.
func TestHSTS(t *testing.T) {
	ca := certtest.New(t, "server")
	cert, key := certtest.WritePair(t, t.TempDir(), ca.Server())
	secure := launch(t, t.TempDir(), "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--hsts=8760h", "--hsts-subdomains")
	cfg := &tls.Config{RootCAs: ca.Pool}
	secure.http = &http.Client{Transport: &http.Transport{TLSClientConfig: cfg}}
	off := launch(t, t.TempDir(), "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key)
	off.http = secure.http
	plain := launch(t, t.TempDir(), "127.0.0.1:0", "--hsts=8760h")
	full := launch(t, t.TempDir(), "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--hsts=1h", "--limits.handshakes-per-second=1")
	full.http = secure.http
	for _, c := range []struct {
		s    *service
		want string
	}{{secure, "max-age=31536000; includeSubDomains"}, {off, ""}, {plain, ""}, {full, "max-age=3600"}} {
		for _, path := range []string{"/", "/healthz", "/nothing", "/ws", "/ws", "/api/guest"} {
			resp, err := c.s.http.Get(c.s.url + path)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := resp.Header.Get(stsHeader); got != c.want {
				t.Errorf("%s%s, %s: %q; want %q", c.s.url, path, resp.Status, got, c.want)
			}
		}
	}
	nc, _, _, err := handshake.Dial(t.Context(), secure.ws("/ws"), &handshake.DialOptions{TLSConfig: cfg})
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

// Behind a proxy it is the proxy's word that counts, if it is trusted.
func TestHSTSBehindAProxy(t *testing.T) {
	for _, c := range []struct {
		args        []string
		name, value string
		want        bool
	}{
		{[]string{"--forwarded-header=x-forwarded-for", "--trusted-proxies=127.0.0.1"}, "X-Forwarded-Proto", "https", true},
		{[]string{"--forwarded-header=x-forwarded-for", "--trusted-proxies=127.0.0.1"}, "X-Forwarded-Proto", "http", false},
		{[]string{"--forwarded-header=x-forwarded-for", "--trusted-proxies=127.0.0.1"}, "Forwarded", "proto=https", false},
		{[]string{"--forwarded-header=x-forwarded-for", "--trusted-proxies=192.0.2.1"}, "X-Forwarded-Proto", "https", false},
		{[]string{"--forwarded-header=forwarded", "--trusted-proxies=127.0.0.1"}, "Forwarded", `for=192.0.2.9;proto=https`, true},
		{[]string{"--forwarded-header=forwarded", "--trusted-proxies=127.0.0.1"}, "Forwarded", `for=192.0.2.9;Proto="HTTPS", for=127.0.0.1;proto=http`, true},
		{[]string{"--forwarded-header=forwarded", "--trusted-proxies=127.0.0.1"}, "Forwarded", `for=192.0.2.8;proto=https, for=192.0.2.9;proto=http`, false},
		{nil, "X-Forwarded-Proto", "https", false},
	} {
		s := launch(t, t.TempDir(), "127.0.0.1:0", append(c.args, "--hsts=1h")...)
		req, _ := http.NewRequest(http.MethodGet, s.url+"/", nil)
		req.Header.Set(c.name, c.value)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get(stsHeader) != ""; got != c.want {
			t.Errorf("%q, %s: %s: sent %v; want %v", c.args, c.name, c.value, got, c.want)
		}
	}
}
