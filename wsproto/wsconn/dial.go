package wsconn

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// DialOptions configure Dial and the connection. The zero value, or nil, means the
// defaults. Dial does not modify them.
//
//	o := &wsconn.DialOptions{
//		Header:     http.Header{"Authorization": {"Bearer " + token}},
//		Proxy:      wsconn.ProxyFromEnvironment,
//		MaxMessage: 1 << 20,
//	}
type DialOptions struct {
	// Header holds additional header fields to send, such as Origin, Cookie and
	// Authorization. The handshake's own fields are not allowed; for Host there is the
	// field below.
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

	// Deflate offers permessage-deflate (RFC 7692); nil offers no compression.
	Deflate *handshake.DeflateOptions

	// MaxRedirects is the maximum number of redirects to follow; 0 follows none. A
	// redirect from wss to ws is never followed. The first redirect to another host or
	// port drops Authorization, Proxy-Authorization and Cookie from Header. All other
	// options apply to every server on the way.
	MaxRedirects int

	// TLSConfig is for wss. If its ServerName is empty, the URL's host is used.
	// NextProtos is always HTTP/1.1.
	TLSConfig *tls.Config

	// Proxy, if set, returns the URL of the proxy to use for a ws or wss URL, or nil for
	// none. It is called once for each Dial; see ProxyURL and ProxyFromEnvironment. The
	// proxy itself is dialed by DialContext.
	Proxy func(target *url.URL) (proxy *url.URL, err error)

	// DialContext, if set, makes the connection below TLS, for example to a Unix socket
	// whatever the addr. network is "tcp", and addr is the host and port of the URL, or
	// of the proxy, not resolved. The Host header and the name that TLS verifies are
	// still the URL's.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// Rand is the source of the Sec-WebSocket-Key; nil means crypto/rand. A predictable
	// source is for tests only.
	Rand io.Reader

	// Those of the connection; Options says more about each.

	MaxMessage    int           // of a received message, in bytes; default 64 KiB
	MaxFragments  int           // of a received message; default 1,024, or no limit with Stream
	Stream        bool          // Reader returns messages of any size as they arrive
	CompressFrom  int           // bytes from which messages are compressed; default 128
	CompressLevel int           // 1, the fastest and the default, to 9
	CloseTimeout  time.Duration // from the first Close frame to the end; default 5 s
}

// handshake returns the options of the handshake.
func (o *DialOptions) handshake() *handshake.DialOptions {
	return &handshake.DialOptions{
		Header:       o.Header,
		Host:         o.Host,
		Jar:          o.Jar,
		Subprotocols: o.Subprotocols,
		Deflate:      o.Deflate,
		MaxRedirects: o.MaxRedirects,
		TLSConfig:    o.TLSConfig,
		DialContext:  o.DialContext,
		Rand:         o.Rand,
	}
}

// conn returns the options of the connection.
func (o *DialOptions) conn() *Options {
	return &Options{
		MaxMessage:    o.MaxMessage,
		MaxFragments:  o.MaxFragments,
		Stream:        o.Stream,
		CompressFrom:  o.CompressFrom,
		CompressLevel: o.CompressLevel,
		CloseTimeout:  o.CloseTimeout,
	}
}

// Dial connects to a ws or wss URL; http and https mean the same. ctx limits the time
// until the opening handshake is done, not that of the connection. The errors are those
// of [handshake.Dial], and [*ProxyError].
//
// To connect to a Unix socket, set a DialContext that ignores its addr; the URL then
// provides the Host header and the path.
func Dial(ctx context.Context, url string, o *DialOptions) (*Conn, error) {
	if o == nil {
		o = &DialOptions{}
	}
	d, err := o.throughProxy(url)
	if err != nil {
		return nil, err
	}
	nc, left, res, err := handshake.Dial(ctx, url, d)
	if err != nil {
		return nil, err
	}
	return New(nc, wsproto.Client, left, res, o.conn()), nil
}
