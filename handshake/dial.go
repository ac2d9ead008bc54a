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

// DialOptions configure Dial. The zero value, or nil, connects directly and offers no
// subprotocol and no extension. Dial does not modify them.
type DialOptions struct {
	// Header holds additional header fields to send, such as Origin, Cookie and
	// Authorization. The handshake's own fields are not allowed; Host has a field of its
	// own below.
	Header http.Header

	// Host, if set, is sent as the Host header instead of the URL's host and port. This
	// reaches a virtual host at a given address: the address to connect to, and the name
	// that TLS sends and verifies, are still the URL's. The first redirect to another
	// host or port drops it.
	Host string

	// Jar, if set, provides cookies to send, after those in Header, and receives those
	// that the server sets, also when it refuses. It sees ws URLs as http, wss as https.
	Jar http.CookieJar

	// Subprotocols are offered to the server, in order of preference.
	Subprotocols []string

	// Deflate offers permessage-deflate; nil offers no extension.
	Deflate *DeflateOptions

	// MaxRedirects is the maximum number of redirects to follow; 0 follows none. A
	// redirect from wss to ws is never followed. The first redirect to another host or
	// port drops Authorization, Proxy-Authorization and Cookie from Header. All other
	// options apply to every server on the way.
	MaxRedirects int

	// TLSConfig is for wss. If its ServerName is empty, the URL's host is used.
	// NextProtos is always HTTP/1.1.
	TLSConfig *tls.Config

	// DialContext, if set, makes the connection below TLS, for example through a proxy,
	// or to a Unix socket whatever the addr. network is "tcp", and addr is the URL's
	// host and port, not resolved. The Host header and the name that TLS verifies are
	// still the URL's.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// Rand is the source of the Sec-WebSocket-Key; nil means crypto/rand. A predictable
	// source is for tests only.
	Rand io.Reader
}

// Dial connects to a ws or wss URL and performs the client's handshake
// (RFC 6455 §4.1). http and https mean the same as ws and wss. A user and password in the
// URL are sent by Basic authentication (RFC 7617), unless Header has an Authorization; no
// error repeats them.
//
// The caller owns nc, which is a *tls.Conn with wss and has no deadline set, and left,
// the bytes that arrived after the response: the first frames, or a part of one; nil if
// there are none.
//
// An *Error means that the server refused, or that its answer violates RFC 6455 or RFC
// 7692. ctx applies to the handshake only; if it ends first, the connection is closed and
// the error is ctx's.
func Dial(ctx context.Context, url string, o *DialOptions) (nc net.Conn, left []byte, res Result, err error) {
	if o == nil {
		o = &DialOptions{}
	}
	t, header, err := o.target(url)
	if err != nil {
		return nil, nil, Result{}, err
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
		// Once dropped, they stay dropped: a third server may redirect back here.
		if next.sameHost(t) {
			next.override = t.override
		} else {
			header = withoutCredentials(header)
		}
		t = next
	}
}

// target returns what a URL names, and the additional header fields to send there.
func (o *DialOptions) target(url string) (t target, header http.Header, err error) {
	if t, err = parseTarget(url); err != nil {
		return t, nil, fmt.Errorf("handshake: URL: %w", err)
	}
	if o.Host != "" && !isHost(o.Host) {
		return t, nil, fmt.Errorf("handshake: Host %s is not valid, want a name or address, with or without a port", quote(o.Host))
	}
	t.override = o.Host
	if header, err = withUser(o.Header, t.user); err != nil {
		return t, nil, fmt.Errorf("handshake: URL: %w", err)
	}
	return t, header, nil
}

// ask performs the handshake with one server.
func (o *DialOptions) ask(ctx context.Context, t target, header http.Header) (nc net.Conn, left []byte, res Result, err error) {
	request, p, err := o.request(t, header)
	if err != nil {
		return nil, nil, Result{}, fmt.Errorf("handshake: %w", err)
	}
	conn, err := o.connect(ctx, t)
	if err != nil {
		return nil, nil, Result{}, fmt.Errorf("handshake: %w", err)
	}

	// This may run after ask has returned, so it must not refer to the result nc.
	stop := context.AfterFunc(ctx, func() { CloseNow(conn) })
	left, res, err = converse(conn, request, p)
	ended := !stop()
	var refusal *Error
	switch {
	case errors.As(err, &refusal):
		// A refusal says more than the end of ctx.
		o.keepCookies(refusal.Header, t)
	case ended:
		err = fmt.Errorf("handshake: %w", ctx.Err())
	case err == nil:
		o.keepCookies(res.Header, t)
	}
	if err != nil {
		CloseNow(conn)
		return nil, nil, Result{}, err
	}
	return conn, left, res, nil
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
	// A configuration shared with an HTTP client could negotiate HTTP/2.
	cfg.NextProtos = []string{"http/1.1"}
	tc := tls.Client(nc, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, fmt.Errorf("TLS with %s: %w", t.addr, err)
	}
	return tc, nil
}

// propose returns the additional header fields of a request to t, and what it proposes; its
// key is not chosen yet.
func (o *DialOptions) propose(t target, header http.Header) (_ http.Header, p proposal, err error) {
	for name := range header {
		if equalFold(name, "Host") {
			return nil, p, errors.New("extra header: for the Host header there is DialOptions.Host")
		}
	}
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
	return header, proposal{subprotocols: o.Subprotocols, deflate: o.Deflate.offer()}, nil
}

// request returns the client's request to t, and what it proposes.
func (o *DialOptions) request(t target, header http.Header) (request []byte, p proposal, err error) {
	if header, p, err = o.propose(t, header); err != nil {
		return nil, p, err
	}
	random := o.Rand
	if random == nil {
		random = rand.Reader
	}
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

// CloseNow closes a connection at once, such as one that Dial returned, without sending
// anything: the Close of a tls.Conn could wait until it has sent its alert.
func CloseNow(nc net.Conn) {
	for {
		tc, ok := nc.(*tls.Conn)
		if !ok {
			break
		}
		nc = tc.NetConn() // another *tls.Conn, if there is an https proxy
	}
	nc.Close()
}
