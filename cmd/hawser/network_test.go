package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/certs/certtest"
	"github.com/hawser-ws/hawser/handshake"
)

// launchTLS starts the program with a certificate of ca.
func launchTLS(t *testing.T, ca *certtest.Authority, dir string, args ...string) *service {
	t.Helper()
	cert, key := certtest.WritePair(t, dir, ca.Server())
	s := launch(t, dir, "127.0.0.1:0", append([]string{"--tls-cert", cert, "--tls-key", key}, args...)...)
	if !strings.HasPrefix(s.url, "https://") {
		t.Fatalf("the page is at %s", s.url)
	}
	s.trust(&tls.Config{RootCAs: ca.Pool})
	return s
}

func (s *service) trust(cfg *tls.Config) {
	s.http = &http.Client{Transport: &http.Transport{TLSClientConfig: cfg}}
	s.t.Cleanup(s.http.CloseIdleConnections)
}

// The page and the chat work over TLS, whose own origins are those of https, and a
// new certificate is taken up at SIGHUP while everybody stays.
func TestTLS(t *testing.T) {
	old, young := certtest.New(t, "old"), certtest.New(t, "young")
	dir := t.TempDir()
	s := launchTLS(t, old, dir)
	resp, err := s.http.Get(s.url + "/")
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 || !strings.Contains(strings.ToLower(string(page)), "<!doctype html>") {
		t.Errorf("%s %.80q", resp.Status, page)
	}
	token, id := s.guest("Ada")
	trustOld := &handshake.DialOptions{TLSConfig: &tls.Config{RootCAs: old.Pool}}
	c, ok, err := enterWith(s.ws("/ws"), trustOld, token)
	if err != nil || ok.text("user_id") != id {
		t.Fatalf("%v, %v", ok, err)
	}
	port := s.url[strings.LastIndex(s.url, ":"):]
	for origin, allowed := range map[string]bool{
		"https://127.0.0.1" + port: true, "https://localhost" + port: true,
		"http://127.0.0.1" + port: false, "https://127.0.0.1": false, "https://evil.example": false,
	} {
		o := *trustOld
		o.Header = http.Header{"Origin": {origin}}
		if _, err := dialChatWith(s.ws("/ws"), &o); (err == nil) != allowed {
			t.Errorf("origin %s: %v; want it allowed: %t", origin, err, allowed)
		}
	}

	certtest.WritePair(t, dir, young.Server())
	s.cmd.Process.Signal(syscall.SIGHUP)
	waitForLog(t, s, "were reloaded")
	if _, _, err := enterWith(s.ws("/ws"), &handshake.DialOptions{TLSConfig: &tls.Config{RootCAs: young.Pool}}, token); err != nil {
		t.Errorf("with the new certificate: %v", err)
	}
	c.send(object{"type": "heartbeat"})
	if _, err := c.until("heartbeat"); err != nil {
		t.Errorf("the connection from before: %v", err)
	}
	if status := s.stop(); status != 0 {
		t.Errorf("exit status %d\n%s", status, s.log)
	}
}

func waitForLog(t *testing.T, s *service, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(s.log.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log does not say %q:\n%s", text, s.log)
		}
	}
}

// T05: after an authority of clients is gone, its clients are refused, also with the
// tickets they were given before; who is connected stays.
func TestT05ReloadedAuthorities(t *testing.T) {
	ca, before, after := certtest.New(t, "server"), certtest.New(t, "before"), certtest.New(t, "after")
	dir := t.TempDir()
	s := launchTLS(t, ca, dir, "--tls-client-ca", certtest.Write(t, dir, "clients.pem", before.PEM()))
	as := func(a *certtest.Authority) *handshake.DialOptions {
		return &handshake.DialOptions{TLSConfig: &tls.Config{
			RootCAs: ca.Pool, ClientSessionCache: tls.NewLRUClientSessionCache(1),
			Certificates: []tls.Certificate{a.Client(&x509.Certificate{DNSNames: []string{"client"}})},
		}}
	}
	old := as(before)
	s.trust(as(before).TLSConfig)
	token, _ := s.guest("Ada")
	var c *chatClient
	for _, resumed := range []bool{false, true} {
		var err error
		if c, _, err = enterWith(s.ws("/ws"), old, token); err != nil {
			t.Fatal(err)
		}
		if got := c.nc.(*tls.Conn).ConnectionState().DidResume; got != resumed {
			t.Errorf("resumed: %t; want %t", got, resumed)
		}
	}
	certtest.Write(t, dir, "clients.pem", after.PEM())
	s.cmd.Process.Signal(syscall.SIGHUP)
	waitForLog(t, s, "were reloaded")
	if _, _, err := enterWith(s.ws("/ws"), old, token); err == nil {
		t.Error("the removed authority's client is accepted")
	}
	if _, _, err := enterWith(s.ws("/ws"), as(after), token); err != nil {
		t.Errorf("the new authority's client: %v", err)
	}
	c.send(object{"type": "heartbeat"})
	if _, err := c.until("heartbeat"); err != nil {
		t.Errorf("the connection from before: %v", err)
	}
}

// T04, T07: with client authorities a certificate is needed, and with identities it
// decides whose token is accepted. Nothing but an exact name does.
func TestT07Identities(t *testing.T) {
	ca, clients := certtest.New(t, "server"), certtest.New(t, "clients")
	dir := t.TempDir()
	s := launchTLS(t, ca, dir)
	adasToken, ada := s.guest("Ada")
	bobsToken, bob := s.guest("Bob")
	s.stop()

	clientCA := certtest.Write(t, dir, "clients.pem", clients.PEM())
	s = launchTLS(t, ca, dir, "--tls-client-ca", clientCA, "--tls-identities", "uri:spiffe://example/ada="+ada+",dns:bob.example="+bob)
	as := func(template *x509.Certificate) *handshake.DialOptions {
		cfg := &tls.Config{RootCAs: ca.Pool}
		if template != nil {
			cfg.Certificates = []tls.Certificate{clients.Client(template)}
		}
		return &handshake.DialOptions{TLSConfig: cfg}
	}
	adasCert := as(&x509.Certificate{URIs: []*url.URL{{Scheme: "spiffe", Host: "example", Path: "/ada"}}})
	bobsCert := as(&x509.Certificate{DNSNames: []string{"bob.example"}})
	for _, own := range []struct {
		o     *handshake.DialOptions
		token string
		id    string
	}{{adasCert, adasToken, ada}, {bobsCert, bobsToken, bob}} {
		if _, ok, err := enterWith(s.ws("/ws"), own.o, own.token); err != nil || ok.text("user_id") != own.id {
			t.Errorf("%s with certificate and token: %v, %v", own.id, ok, err)
		}
	}
	var closed *closedError
	if _, _, err := enterWith(s.ws("/ws"), adasCert, bobsToken); !errors.As(err, &closed) || closed.code != 1008 || closed.reason != "certificate_mismatch" {
		t.Errorf("Bob's token with Ada's certificate: %v; want 1008 certificate_mismatch", err)
	}
	var refused *handshake.Error
	for name, template := range map[string]*x509.Certificate{
		"somebody else":    {DNSNames: []string{"eve.example"}},
		"the common name":  {Subject: pkix.Name{CommonName: "bob.example"}},
		"a lookalike":      {DNSNames: []string{"bob.example.evil.example"}},
		"no name whatever": {},
	} {
		if _, err := dialChatWith(s.ws("/ws"), as(template)); !errors.As(err, &refused) || refused.Status != 403 {
			t.Errorf("%s: %v; want 403", name, err)
		}
	}
	if _, err := dialChatWith(s.ws("/ws"), as(nil)); err == nil || errors.As(err, &refused) && refused.Status == 403 {
		t.Errorf("no certificate: %v; want TLS to refuse it", err)
	}
	waitForLog(t, s, "dns:eve.example")
	if log := s.log.String(); strings.Contains(log, bobsToken) {
		t.Errorf("the log holds a token:\n%s", log)
	}
}

// onSocket has a client connect to a Unix socket, whatever the address.
func onSocket(path string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
}

func TestUnixSocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "hawser.sock")
	s := launch(t, dir, "unix:"+path, "--socket-mode=0600")
	if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("%v, %v", info, err)
	}
	waitForLog(t, s, "public_origins")
	s.url, s.http = "http://chat.example", &http.Client{Transport: &http.Transport{DialContext: onSocket(path)}}
	token, id := s.guest("Ada")
	o := &handshake.DialOptions{DialContext: onSocket(path)}
	if _, ok, err := enterWith(s.ws("/ws"), o, token); err != nil || ok.text("user_id") != id {
		t.Errorf("%v, %v", ok, err)
	}
	o.Header = http.Header{"Origin": {"http://chat.example"}}
	var refused *handshake.Error
	if _, err := dialChatWith(s.ws("/ws"), o); !errors.As(err, &refused) || refused.Status != 403 {
		t.Errorf("a page: %v; want 403", err)
	}
	s.kill() // which leaves the socket there
	s = launch(t, dir, "unix:"+path)
	if status := s.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is still there after the end")
	}
}

// The way systemd starts a service: the socket is descriptor 3, and the variables
// name the process that exec leaves.
func TestSocketActivation(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, program, "serve", "--listen", "systemd", "--data", t.TempDir())
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1")
	cmd.ExtraFiles = []*os.File{f}
	s := launchCommand(t, cmd)
	if want := "http://" + ln.Addr().String(); s.url != want {
		t.Fatalf("it is at %s; want %s", s.url, want)
	}
	ln.Close()
	token, id := s.guest("Ada")
	if _, ok, err := enter(s.ws("/ws"), token); err != nil || ok.text("user_id") != id {
		t.Errorf("%v, %v", ok, err)
	}
}

// A15 in front: guests are counted, and refusals logged, by the client whom a
// trusted proxy names.
func TestForwardedHeader(t *testing.T) {
	for _, c := range []struct {
		name    string
		trusted string
		second  int // status of the second client's guest
	}{{"trusted", "127.0.0.0/8", 200}, {"not trusted", "10.0.0.0/8", 429}} {
		t.Run(c.name, func(t *testing.T) {
			s := launch(t, t.TempDir(), "127.0.0.1:0", "--trusted-proxies", c.trusted,
				"--forwarded-header=x-forwarded-for", "--limits.guests-per-minute=1")
			guest := func(client string) int {
				r, _ := http.NewRequest("POST", s.url+"/api/guest", strings.NewReader(`{"name":"Ada"}`))
				r.Header.Set("X-Forwarded-For", "6.6.6.6, "+client)
				resp, err := s.http.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				return resp.StatusCode
			}
			got := [3]int{guest("192.0.2.1"), guest("192.0.2.1"), guest("192.0.2.2")}
			if want := [3]int{200, 429, c.second}; got != want {
				t.Errorf("%v; want %v", got, want)
			}
			o := &handshake.DialOptions{Header: http.Header{"X-Forwarded-For": {"192.0.2.9"}}}
			if _, _, err := enterWith(s.ws("/ws"), o, "forged"); err == nil {
				t.Error("a forged token is accepted")
			}
			waitForLog(t, s, "auth refused")
			if named := strings.Contains(s.log.String(), "192.0.2.9"); named != (c.second == 200) {
				t.Errorf("the log names the client: %t\n%s", named, s.log)
			}
		})
	}
}

// The PROXY protocol, with TLS inside: the header stands before it.
func TestProxyProtocol(t *testing.T) {
	ca := certtest.New(t, "server")
	s := launchTLS(t, ca, t.TempDir(), "--proxy-protocol", "--trusted-proxies=127.0.0.1", "--limits.guests-per-minute=1")
	through := func(client string) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err == nil {
				_, err = fmt.Fprintf(nc, "PROXY TCP4 %s 127.0.0.1 1000 443\r\n", client)
			}
			return nc, err
		}
	}
	cfg := &tls.Config{RootCAs: ca.Pool}
	var token string
	for client, name := range map[string]string{"192.0.2.1": "Ada", "192.0.2.2": "Bob"} {
		s.http = &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DialContext: through(client)}}
		token, _ = s.guest(name)
	}
	o := &handshake.DialOptions{TLSConfig: cfg, DialContext: through("192.0.2.1")}
	if _, _, err := enterWith(s.ws("/ws"), o, token); err != nil {
		t.Errorf("through the proxy: %v", err)
	}
	if _, _, err := enterWith(s.ws("/ws"), o, "forged"); err == nil {
		t.Error("a forged token is accepted")
	}
	waitForLog(t, s, "192.0.2.1:1000")
	nc, err := net.Dial("tcp", strings.TrimPrefix(s.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if line, _ := bufio.NewReader(nc).ReadString('\n'); line != "" {
		t.Errorf("without a header: %q", line)
	}
}
