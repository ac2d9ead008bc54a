package handshake

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
)

// DialOptions say how Dial connects and what it asks for. The zero value, or
// nil, connects directly and asks for nothing. Dial does not change them.
type DialOptions struct {
	// Header is sent along, as written: Origin, Cookie, Authorization. The
	// handshake's own headers are refused; for Host there is the field below.
	Header http.Header

	// Host, if set, is sent as the Host header in place of the URL's host and
	// port: so one of several virtual hosts is reached at an address. Where the
	// connection leads, and the name that TLS sends and verifies, remain the URL's.
	// The first redirect to another host or port drops it.
	Host string

	// Jar, if set, holds the cookies to send, behind those of Header, and is
	// given those that the server sets, be it in a refusal. It sees ws URLs
	// as http, wss as https.
	Jar http.CookieJar

	// Subprotocols to offer, the preferred first.
	Subprotocols []string

	// Deflate offers permessage-deflate; nil offers no extension.
	Deflate *DeflateOptions

	// MaxRedirects is how many redirects to follow, one after the other; 0
	// follows none. None leads from wss to ws, and the first to another host or
	// port drops Header's Authorization, Proxy-Authorization and Cookie.
	// The rest of the options serves every server on the way.
	MaxRedirects int

	// TLSConfig is for wss. ServerName is the URL's host if it is empty, and
	// NextProtos is always HTTP/1.1.
	TLSConfig *tls.Config

	// DialContext, if set, makes the connection below TLS: through a proxy
	// (SOCKS5, or CONNECT), or to a unix socket whatever the addr. network is
	// "tcp", and addr the URL's host and port, not resolved. The Host header
	// and the name that TLS verifies remain the URL's.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// Rand is where the key comes from, crypto/rand if nil. A key that can be
	// foreseen is good for tests only.
	Rand io.Reader
}

// Dial connects to a ws or wss URL and performs the client's handshake
// (RFC 6455 §4.1). A user and password in the URL are sent by Basic authentication
// (RFC 7617), unless Header has an Authorization; no error repeats them.
//
// The caller owns nc, a *tls.Conn under wss, on which no deadline is set, and
// left, the bytes that came behind the response: the first frames, or a part of
// one; nil if there are none.
//
// An *Error means that the server refused, or that its answer is not the one
// that RFC 6455 demands. ctx bounds the handshake only; when it ends first, the
// connection is closed and the error is ctx's.
func Dial(ctx context.Context, url string, o *DialOptions) (nc net.Conn, left []byte, res Result, err error) {
	if o == nil {
		o = &DialOptions{}
	}
	t, err := parseTarget(url)
	if err != nil {
		return nil, nil, Result{}, fmt.Errorf("handshake: URL: %w", err)
	}
	if o.Host != "" && !isHost(o.Host) {
		return nil, nil, Result{}, fmt.Errorf("handshake: Host %s is no host", quote(o.Host))
	}
	t.override = o.Host
	header, err := withUser(o.Header, t.user)
	if err != nil {
		return nil, nil, Result{}, fmt.Errorf("handshake: URL: %w", err)
	}
	for followed := 0; ; followed++ {
		nc, left, res, err = o.ask(ctx, t, header)
		var refusal *Error
		if !errors.As(err, &refusal) {
			return nc, left, res, err
		}
		next, ok := o.redirect(t, refusal, followed)
		if !ok {
			return nil, nil, Result{}, err
		}
		// Once gone, they stay away: a third server may lead back here.
		if next.sameHost(t) {
			next.override = t.override
		} else {
			header = withoutCredentials(header)
		}
		t = next
	}
}

// ask performs the handshake with one server.
func (o *DialOptions) ask(ctx context.Context, t target, header http.Header) (nc net.Conn, left []byte, res Result, err error) {
	request, p, err := o.request(t, header)
	if err != nil {
		return nil, nil, Result{}, fmt.Errorf("handshake: %w", err)
	}
	nc, err = o.connect(ctx, t)
	if err != nil {
		return nil, nil, Result{}, fmt.Errorf("handshake: %w", err)
	}

	stop := context.AfterFunc(ctx, func() { abandon(nc) })
	left, res, err = converse(nc, request, p)
	ended := !stop()
	var refusal *Error
	switch {
	case errors.As(err, &refusal):
		// It says more than that the context ended, if it did.
		o.keepCookies(refusal.Header, t)
	case ended:
		err = fmt.Errorf("handshake: %w", ctx.Err())
	case err == nil:
		o.keepCookies(res.Header, t)
	}
	if err != nil {
		abandon(nc)
		return nil, nil, Result{}, err
	}
	return nc, left, res, nil
}

// connect makes the connection, with TLS under wss.
func (o *DialOptions) connect(ctx context.Context, t target) (net.Conn, error) {
	dial := o.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	nc, err := dial(ctx, "tcp", t.addr)
	if err != nil || !t.secure {
		return nc, err
	}
	cfg := o.TLSConfig.Clone()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	if cfg.ServerName == "" {
		cfg.ServerName = t.serverName
	}
	// A configuration shared with an HTTP client would agree on HTTP/2.
	cfg.NextProtos = []string{"http/1.1"}
	tc := tls.Client(nc, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, fmt.Errorf("TLS with %s: %w", t.addr, err)
	}
	return tc, nil
}

// request is the client's handshake with t, and what it proposes.
func (o *DialOptions) request(t target, header http.Header) (request []byte, p proposal, err error) {
	header = o.withCookies(header, t)
	if err := checkExtraHeader(header); err != nil {
		return nil, p, err
	}
	if err := o.Deflate.check(); err != nil {
		return nil, p, err
	}
	for _, name := range o.Subprotocols {
		if !isToken(name) {
			return nil, p, fmt.Errorf("subprotocol %s is not a token", quote(name))
		}
	}
	if err := checkUnique(o.Subprotocols); err != nil {
		return nil, p, fmt.Errorf("subprotocol %w", err)
	}
	random := o.Rand
	if random == nil {
		random = rand.Reader
	}
	p = proposal{subprotocols: o.Subprotocols, deflate: o.Deflate.offer()}
	if p.key, err = newKey(random); err != nil {
		return nil, p, fmt.Errorf("key: %w", err)
	}

	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\n", t.resource)
	fmt.Fprintf(&b, "Host: %s\r\n", cmp.Or(t.override, t.host))
	b.WriteString("Upgrade: websocket\r\nConnection: Upgrade\r\n")
	fmt.Fprintf(&b, "Sec-WebSocket-Key: %s\r\n", p.key)
	b.WriteString("Sec-WebSocket-Version: 13\r\n")
	if len(o.Subprotocols) > 0 {
		fmt.Fprintf(&b, "Sec-WebSocket-Protocol: %s\r\n", strings.Join(o.Subprotocols, ", "))
	}
	if p.deflate != nil {
		fmt.Fprintf(&b, "Sec-WebSocket-Extensions: %s\r\n", p.deflate)
	}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	b.WriteString("\r\n")
	return b.Bytes(), p, nil
}

// abandon closes nc without a word to the peer: a tls.Conn's own Close would
// wait for room to send its alert.
func abandon(nc net.Conn) {
	for {
		tc, ok := nc.(*tls.Conn)
		if !ok {
			break
		}
		nc = tc.NetConn() // which is another one behind an https proxy
	}
	nc.Close()
}
