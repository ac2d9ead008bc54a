package wsconn

import (
	"context"
	"net/url"
	"time"

	"github.com/hawser-ws/hawser/handshake"
)

// Options configure Dial and the connection. The zero value, or nil, means the
// defaults. Dial does not modify them.
type Options struct {
	handshake.DialOptions

	// Proxy, if set, returns the URL of the proxy to use for a ws or wss URL, or nil for
	// none. It is called once for each Dial; see ProxyURL and ProxyFromEnvironment. The
	// proxy itself is dialed by DialContext.
	Proxy func(target *url.URL) (proxy *url.URL, err error)

	// MaxMessage is the maximum size of a received message in bytes, uncompressed.
	// Default 64 KiB.
	MaxMessage int

	// MaxFragments is the maximum number of frames in a received message. Default
	// 1,024; a negative value means no limit.
	MaxFragments int

	// Stream makes Reader return uncompressed messages as they arrive, of any size
	// in up to MaxFragments frames, without holding them in memory. MaxMessage still
	// limits what Read returns, and compressed messages.
	Stream bool

	// CompressFrom is the length in bytes from which messages are compressed, if
	// permessage-deflate was negotiated. Default 128; a negative value compresses
	// every message.
	CompressFrom int

	// CloseTimeout is the maximum time from the first Close frame, in either
	// direction, to the end of the connection. Default 5 s.
	CloseTimeout time.Duration
}

// Dial connects to a ws or wss URL. ctx limits the time until the opening handshake is
// done, not that of the connection. The errors are those of handshake.Dial, and
// *ProxyError.
//
// To connect to a Unix socket, set a DialContext that ignores its addr; the URL then
// provides the Host header and the path.
func Dial(ctx context.Context, url string, o *Options) (*Conn, error) {
	if o == nil {
		o = &Options{}
	}
	d, err := o.throughProxy(url)
	if err != nil {
		return nil, err
	}
	nc, left, res, err := handshake.Dial(ctx, url, d)
	if err != nil {
		return nil, err
	}
	return newConn(nc, left, res, o), nil
}
