package client

import (
	"cmp"
	"context"
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
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// DialContext makes a dialFunc a proxy.ContextDialer.
func (f dialFunc) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return f(ctx, network, addr)
}

// Dial makes a dialFunc a proxy.Dialer, which package proxy wants even where it
// calls DialContext only.
func (f dialFunc) Dial(network, addr string) (net.Conn, error) {
	return f(context.Background(), network, addr)
}

// ProxyURL is an Options.Proxy that always answers proxy: http://host:port for a
// proxy that is asked by CONNECT, socks5://host:port for SOCKS5 (RFC 1928). A
// user and password in the URL are for the proxy. The ports default to 80 and
// 1080. Names of servers are looked up by the proxy.
func ProxyURL(proxy *url.URL) func(*url.URL) (*url.URL, error) {
	return func(*url.URL) (*url.URL, error) { return proxy, nil }
}

// ProxyFromEnvironment is an Options.Proxy that follows HTTP_PROXY for ws,
// HTTPS_PROXY for wss, and NO_PROXY, as http.ProxyFromEnvironment does. A server
// on this machine is reached directly.
func ProxyFromEnvironment(target *url.URL) (*url.URL, error) {
	u := *target
	u.Scheme = "http"
	if target.Scheme == "wss" {
		u.Scheme = "https"
	}
	return http.ProxyFromEnvironment(&http.Request{URL: &u})
}

// throughProxy returns the options for the handshake, with a DialContext through
// the proxy that Proxy names.
func (o *Options) throughProxy(rawURL string) (*handshake.DialOptions, error) {
	if o.Proxy == nil {
		return &o.DialOptions, nil
	}
	target, err := url.Parse(rawURL)
	if err != nil {
		return &o.DialOptions, nil // handshake.Dial says what is wrong with it
	}
	through, err := o.Proxy(target)
	if err != nil {
		return nil, fmt.Errorf("client: proxy: %w", err)
	}
	if through == nil {
		return &o.DialOptions, nil
	}
	direct := dialFunc(o.DialContext)
	if direct == nil {
		direct = new(net.Dialer).DialContext
	}
	d := o.DialOptions
	if d.DialContext, err = proxyDial(through, direct); err != nil {
		return nil, fmt.Errorf("client: proxy: %w", err)
	}
	return &d, nil
}

// proxyDial is a DialContext through the proxy at u, which direct reaches. Errors
// do not repeat u as a whole, which may hold a password.
func proxyDial(u *url.URL, direct dialFunc) (dialFunc, error) {
	if u.Hostname() == "" {
		return nil, errors.New("host is missing")
	}
	// RFC 7617 §2: "a user-id containing a colon character is invalid".
	if strings.Contains(u.User.Username(), ":") {
		return nil, errors.New("user name has a colon")
	}
	switch u.Scheme {
	case "http":
		addr := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80"))
		return (&connectDialer{addr: addr, user: u.User, direct: direct}).dial, nil
	case "socks5", "socks5h":
		addr := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "1080"))
		return socksDial(addr, u.User, direct)
	}
	return nil, fmt.Errorf("scheme is %q, want http or socks5", u.Scheme)
}

func socksDial(addr string, user *url.Userinfo, direct dialFunc) (dialFunc, error) {
	var auth *proxy.Auth
	if user != nil {
		password, _ := user.Password()
		auth = &proxy.Auth{User: user.Username(), Password: password}
	}
	d, err := proxy.SOCKS5("tcp", addr, auth, direct)
	if err != nil {
		return nil, err
	}
	return d.(proxy.ContextDialer).DialContext, nil
}
