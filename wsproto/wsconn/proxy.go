package wsconn

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/proxy"

	"github.com/hawser-ws/hawser/handshake"
)

// dialFunc is the type of handshake.DialOptions.DialContext.
type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// ProxyURL returns a DialOptions.Proxy that always uses the given proxy: http://host:port
// (by CONNECT), https://host:port (by CONNECT over TLS) or socks5://host:port (RFC
// 1928). A user and password in the URL are for the proxy. The ports default to 80, 443
// and 1080. The proxy resolves the names of servers.
func ProxyURL(proxy *url.URL) func(*url.URL) (*url.URL, error) {
	return func(*url.URL) (*url.URL, error) { return proxy, nil }
}

// ProxyFromEnvironment is a DialOptions.Proxy that uses HTTP_PROXY for ws, HTTPS_PROXY
// for wss, and NO_PROXY, as http.ProxyFromEnvironment does. Servers on this machine are
// connected to directly.
func ProxyFromEnvironment(target *url.URL) (*url.URL, error) {
	u := *target
	u.Scheme = "http"
	if target.Scheme == "wss" {
		u.Scheme = "https"
	}
	return http.ProxyFromEnvironment(&http.Request{URL: &u})
}

// throughProxy returns the options for the handshake, with a DialContext through the
// proxy that Proxy returns.
func (o *DialOptions) throughProxy(rawURL string) (*handshake.DialOptions, error) {
	d := o.handshake()
	if o.Proxy == nil {
		return d, nil
	}
	target, err := url.Parse(rawURL)
	if err != nil {
		return d, nil // handshake.Dial reports what is wrong with it
	}
	target.Scheme = handshake.Scheme(target.Scheme)
	through, err := o.Proxy(target)
	if err != nil {
		return nil, fmt.Errorf("wsconn: proxy: %w", err)
	}
	if through == nil {
		return d, nil
	}
	if d.DialContext, err = DialThrough(through, o.DialContext, o.TLSConfig); err != nil {
		return nil, err
	}
	return d, nil
}

// DialThrough returns a DialContext for [handshake.DialOptions] that goes through the
// proxy at u; see ProxyURL. The proxy itself is dialed by direct, or by a net.Dialer if
// that is nil. config is for an https proxy, which is verified by its own name; nil means
// the defaults. The DialContext returns direct's connection, or a *tls.Conn over it.
// Errors never contain the whole of u, which may hold a password.
func DialThrough(u *url.URL, direct dialFunc, config *tls.Config) (dialFunc, error) {
	dial, err := proxyDial(u, direct, config)
	if err != nil {
		return nil, fmt.Errorf("wsconn: proxy: %w", err)
	}
	return dial, nil
}

func proxyDial(u *url.URL, direct dialFunc, config *tls.Config) (dialFunc, error) {
	if direct == nil {
		direct = new(net.Dialer).DialContext
	}
	if u.Hostname() == "" {
		return nil, errors.New("host is missing")
	}
	// RFC 7617 §2: "a user-id containing a colon character is invalid".
	if strings.Contains(u.User.Username(), ":") {
		return nil, errors.New("user name contains a colon")
	}
	switch u.Scheme {
	case "http":
		addr := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80"))
		return (&connectDialer{addr: addr, user: u.User, direct: direct}).dial, nil
	case "https":
		addr := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443"))
		return (&connectDialer{addr: addr, user: u.User, direct: overTLS(direct, u.Hostname(), config)}).dial, nil
	case "socks5", "socks5h":
		addr := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "1080"))
		return socksDial(addr, u.User, direct)
	}
	return nil, fmt.Errorf("scheme is %q, want http, https or socks5", u.Scheme)
}

// overTLS returns direct, followed by a TLS handshake with the host called name.
func overTLS(direct dialFunc, name string, config *tls.Config) dialFunc {
	config = config.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	config.ServerName = name
	config.NextProtos = []string{"http/1.1"}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := direct(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		tc := tls.Client(nc, config)
		if err := tc.HandshakeContext(ctx); err != nil {
			nc.Close()
			return nil, fmt.Errorf("TLS with %s: %w", addr, err)
		}
		return tc, nil
	}
}

func socksDial(addr string, user *url.Userinfo, direct dialFunc) (dialFunc, error) {
	var auth *proxy.Auth
	if user != nil {
		password, _ := user.Password()
		auth = &proxy.Auth{User: user.Username(), Password: password}
	}
	d, err := proxy.SOCKS5("tcp", addr, auth, nil)
	if err != nil {
		return nil, err
	}
	// Its own DialContext wraps direct's connection in a type from which an event loop
	// cannot take the descriptor.
	over := d.(interface {
		DialWithConn(ctx context.Context, c net.Conn, network, address string) (net.Addr, error)
	})
	return func(ctx context.Context, network, target string) (net.Conn, error) {
		nc, err := direct(ctx, "tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		if _, err := over.DialWithConn(ctx, nc, network, target); err != nil {
			nc.Close()
			return nil, fmt.Errorf("proxy: %w", err)
		}
		return nc, nil
	}, nil
}
