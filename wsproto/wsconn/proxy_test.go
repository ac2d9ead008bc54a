package wsconn_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	. "github.com/hawser-ws/hawser/wsproto/wsconn"
)

// fakeProxy accepts connections and has serve do what a proxy does: return the
// address to tunnel to, or "".
func fakeProxy(t testing.TB, serve func(br *bufio.Reader, nc net.Conn) (addr string)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { nc.Close() })
			go func() {
				defer nc.Close()
				br := bufio.NewReader(nc)
				addr := serve(br, nc)
				if addr == "" {
					return
				}
				far, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				defer far.Close()
				go func() {
					io.Copy(far, br)
					far.(*net.TCPConn).CloseWrite()
				}()
				io.Copy(nc, far)
			}()
		}
	}()
	return ln.Addr().String()
}

// connectProxy is a fakeProxy for CONNECT. It records the requests and sends every
// client to the same place.
func connectProxy(t testing.TB, to, response string) (addr string, requests chan *http.Request) {
	requests = make(chan *http.Request, 16)
	return fakeProxy(t, func(br *bufio.Reader, nc net.Conn) string {
		r, err := http.ReadRequest(br)
		if err != nil {
			return ""
		}
		requests <- r
		io.WriteString(nc, response)
		return to
	}), requests
}

func through(scheme string, user *url.Userinfo, addr string) func(*url.URL) (*url.URL, error) {
	return ProxyURL(&url.URL{Scheme: scheme, User: user, Host: addr})
}

// The proxy is asked for the server's name, as it stands in the URL.
func TestProxyConnect(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			l := listen(t, scheme, nil)
			addr, requests := connectProxy(t, l.Listener.Addr().String(), "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n")
			o := &DialOptions{Proxy: through("http", url.UserPassword("me", "p:w"), addr)}
			url := "ws://example.com:81/"
			if scheme == "wss" {
				o.TLSConfig = l.trust()
				url = "wss://example.com/" // a name in httptest's certificate
			}
			c, err := Dial(bounded(t), url, o)
			if err != nil {
				t.Fatal(err)
			}
			converse(t, c, receive(t, l.peers))
			r := receive(t, requests)
			want := map[string]string{"ws": "example.com:81", "wss": "example.com:443"}[scheme]
			if r.Method != "CONNECT" || r.RequestURI != want || r.Host != want {
				t.Errorf("the proxy was asked %s %s, Host %s; want CONNECT %s", r.Method, r.RequestURI, r.Host, want)
			}
			if got, want := r.Header.Get("Proxy-Authorization"), "Basic "+base64.StdEncoding.EncodeToString([]byte("me:p:w")); got != want {
				t.Errorf("Proxy-Authorization: %s; want %s", got, want)
			}
		})
	}
}

func TestProxyConnectErrors(t *testing.T) {
	for _, c := range []struct {
		name, response, want string
		status               int
	}{
		{"407", "HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm=\"é\"\r\n\r\n", `407 Proxy Authentication Required: the proxy requires authentication: "Basic realm=\"\u00e9\""`, 407},
		{"502", "HTTP/1.1 502 Bad\r\n\r\n", "502 Bad Gateway: the proxy refuses to connect", 502},
		{"101", "HTTP/1.1 101 Switching\r\n\r\n", "101 Switching Protocols: the proxy refuses to connect", 101},
		{"body", "HTTP/1.1 200 OK\r\n\r\n\x81\x02hi", "4 bytes follow the head", 200},
		{"no HTTP", "SSH-2.0-x\r\n\r\n", "read response: malformed HTTP", 0},
		{"nothing", "", "read response: unexpected EOF", 0},
		{"endless head", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 20), "head is longer than 16384 bytes", 0},
		{"endless interim", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1000), "head is longer than 16384 bytes", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr, _ := connectProxy(t, "", c.response)
			_, err := Dial(bounded(t), "ws://example.com/", &DialOptions{Proxy: through("http", url.UserPassword("me", "secret"), addr)})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Fatalf("Dial = %v; want %q", err, c.want)
			}
			var refused *ProxyError
			if errors.As(err, &refused) != (c.status != 0) || refused != nil && refused.Status != c.status {
				t.Errorf("Dial = %#v; want a ProxyError %d", err, c.status)
			}
		})
	}
	for u, want := range map[string]string{
		"ftp://me:secret@proxy": "scheme",
		"http://":               "host is missing",
		"//proxy":               "scheme",
		"http://a%3Ab:c@proxy":  "colon",
	} {
		parsed, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Dial(bounded(t), "ws://example.com/", &DialOptions{Proxy: ProxyURL(parsed)}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: Dial = %v; want %q", u, err, want)
		}
	}
}

// A context that ends does so in the middle of the proxy's answer, too.
func TestProxyConnectCancelled(t *testing.T) {
	asked := make(chan struct{})
	addr := fakeProxy(t, func(br *bufio.Reader, nc net.Conn) string {
		http.ReadRequest(br)
		io.WriteString(nc, "HTTP/1.1 200")
		close(asked)
		io.Copy(io.Discard, br)
		return ""
	})
	ctx, cancel := context.WithCancel(context.Background())
	dialed := started(func() error {
		_, err := Dial(ctx, "ws://example.com/", &DialOptions{Proxy: through("http", nil, addr)})
		return err
	})
	<-asked
	cancel()
	if err := receive(t, dialed); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial = %v; want context.Canceled", err)
	}
}

// socksProxy is a fakeProxy for SOCKS5 (RFC 1928) with a user name and password
// (RFC 1929). It records the requests and sends every client to one place.
func socksProxy(t testing.TB, to string) (addr string, asked chan string) {
	asked = make(chan string, 16)
	return fakeProxy(t, func(br *bufio.Reader, nc net.Conn) string {
		block := func(n int) []byte {
			b := make([]byte, n)
			io.ReadFull(br, b)
			return b
		}
		block(int(block(2)[1])) // version, methods
		nc.Write([]byte{5, 2})
		user := string(block(int(block(2)[1])))
		password := string(block(int(block(1)[0])))
		if password != "secret" {
			nc.Write([]byte{1, 1})
			return ""
		}
		nc.Write([]byte{1, 0})
		if head := block(4); head[3] != 3 {
			t.Errorf("address of type %d; want a name", head[3])
		}
		name := string(block(int(block(1)[0])))
		asked <- fmt.Sprintf("%s@%s:%d", user, name, binary.BigEndian.Uint16(block(2)))
		nc.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		return to
	}), asked
}

func TestProxySOCKS5(t *testing.T) {
	l := listen(t, "wss", nil)
	addr, asked := socksProxy(t, l.Listener.Addr().String())
	for _, scheme := range []string{"socks5", "socks5h"} {
		dials := 0
		o := &DialOptions{
			Proxy:     through(scheme, url.UserPassword("me", "secret"), addr),
			TLSConfig: l.trust(),
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				dials++
				return new(net.Dialer).DialContext(ctx, network, addr)
			},
		}
		c, err := Dial(bounded(t), "wss://example.com/", o)
		if err != nil {
			t.Fatal(err)
		}
		converse(t, c, receive(t, l.peers))
		if got := receive(t, asked); got != "me@example.com:443" {
			t.Errorf("the proxy was asked for %s", got)
		}
		if dials != 1 {
			t.Errorf("DialContext was called %d times; want once", dials)
		}
	}
	_, err := Dial(bounded(t), "wss://example.com/", &DialOptions{Proxy: through("socks5", url.UserPassword("me", "wrong"), addr)})
	if err == nil || !strings.Contains(err.Error(), "socks") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("Dial = %v; want the proxy's refusal", err)
	}
}

// A proxy that is spoken to over TLS is verified by its own name, the server behind
// it by its own.
func TestProxyHTTPS(t *testing.T) {
	l := listen(t, "wss", nil)
	tunnels := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		far, err := net.Dial("tcp", l.Listener.Addr().String())
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
		go func() { io.Copy(far, brw); far.Close() }()
		io.Copy(near, far)
	}))
	tunnels.Config.ErrorLog = log.New(io.Discard, "", 0)
	tunnels.StartTLS()
	defer tunnels.Close()
	at := func(name string) func(*url.URL) (*url.URL, error) { return through("https", nil, name) }
	o := &DialOptions{
		Proxy:     at(tunnels.Listener.Addr().String()), // 127.0.0.1 is in httptest's certificate
		TLSConfig: l.trust(),                            // and so is example.com
	}
	c, err := Dial(bounded(t), "wss://example.com/", o)
	if err != nil {
		t.Fatal(err)
	}
	converse(t, c, receive(t, l.peers))

	o.Proxy = at("proxy.invalid:443")
	o.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, tunnels.Listener.Addr().String())
	}
	var unknown *tls.CertificateVerificationError
	if _, err := Dial(bounded(t), "wss://example.com/", o); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "proxy.invalid") {
		t.Errorf("a proxy whose certificate is for another name: %v", err)
	}
}

// What an event loop takes over must be the socket itself.
func TestDialThroughIsDirect(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	socks, _ := socksProxy(t, ln.Addr().String())
	connect, _ := connectProxy(t, ln.Addr().String(), "HTTP/1.1 200 OK\r\n\r\n")
	for _, u := range []*url.URL{
		{Scheme: "socks5", User: url.UserPassword("me", "secret"), Host: socks},
		{Scheme: "http", Host: connect},
	} {
		dial, err := DialThrough(u, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		nc, err := dial(bounded(t), "tcp", "example.com:80")
		if err != nil {
			t.Fatal(err)
		}
		far, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := nc.(*net.TCPConn); !ok {
			t.Errorf("%s: the connection is a %T", u.Scheme, nc)
		}
		far.Close()
		nc.Close()
	}
}

// If asked for, the proxy comes from the environment: HTTPS_PROXY for wss, and none
// for local servers.
func TestProxyFromEnvironment(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://plain:1")
	t.Setenv("HTTPS_PROXY", "http://secure:2")
	t.Setenv("NO_PROXY", "direct.example")
	for target, want := range map[string]string{
		"ws://example.com/":      "http://plain:1",
		"wss://example.com/":     "http://secure:2",
		"wss://direct.example/":  "",
		"ws://127.0.0.1:8080/ws": "",
	} {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		proxy, err := ProxyFromEnvironment(u)
		got := ""
		if proxy != nil {
			got = proxy.String()
		}
		if err != nil || got != want {
			t.Errorf("%s: proxy %q, %v; want %q", target, got, err, want)
		}
		if u.String() != target {
			t.Errorf("the target became %s", u)
		}
	}
	l := listen(t, "ws", nil)
	c, p := l.dial(t, &DialOptions{Proxy: ProxyFromEnvironment})
	converse(t, c, p)
	failing := errors.New("no idea")
	if _, err := Dial(bounded(t), l.url, &DialOptions{Proxy: func(*url.URL) (*url.URL, error) { return nil, failing }}); !errors.Is(err, failing) {
		t.Errorf("Dial = %v; want what Proxy said", err)
	}
}
