package wsconn

import (
	"context"
	"net/url"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// DialOptions configure Dial and the connection. The zero value, or nil, means the
// defaults. Dial does not modify them.
//
// The fields are in two groups: those of the opening handshake, such as Header, Host,
// Subprotocols and TLSConfig, and those of the connection, such as MaxMessage.
//
//	o := &wsconn.DialOptions{}
//	o.Header = http.Header{"Authorization": {"Bearer " + token}}
//	o.Host = "chat.example" // to a virtual host at the URL's address
//	o.MaxMessage = 1 << 20
type DialOptions struct {
	handshake.DialOptions
	Options

	// Proxy, if set, returns the URL of the proxy to use for a ws or wss URL, or nil for
	// none. It is called once for each Dial; see ProxyURL and ProxyFromEnvironment. The
	// proxy itself is dialed by DialContext.
	Proxy func(target *url.URL) (proxy *url.URL, err error)
}

// Dial connects to a ws or wss URL; http and https mean the same. ctx limits the time
// until the opening handshake is done, not that of the connection. The errors are those
// of handshake.Dial, and *ProxyError.
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
	return New(nc, wsproto.Client, left, res, &o.Options), nil
}
