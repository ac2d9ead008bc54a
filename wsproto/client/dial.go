package client

import (
	"context"
	"net/url"
	"time"

	"github.com/hawser-ws/hawser/handshake"
)

// Options say how Dial connects and how the connection works. The zero value, or
// nil, stands for the defaults. Dial does not change them.
type Options struct {
	handshake.DialOptions

	// Proxy says through which proxy to reach a ws or wss URL; nil is none. It
	// is asked once for each Dial; see ProxyURL and ProxyFromEnvironment. The
	// proxy itself is reached by DialContext.
	Proxy func(target *url.URL) (proxy *url.URL, err error)

	// MaxMessage bounds a received message in bytes, uncompressed. Default 64 KiB.
	MaxMessage int

	// MaxFragments bounds the frames of a received message. Default 1,024; a
	// negative value is no limit.
	MaxFragments int

	// Stream has Reader give out messages as they arrive, of any size in
	// MaxFragments frames: what is not compressed is not held in memory.
	// MaxMessage still bounds what Read returns, and compressed messages.
	Stream bool

	// CompressFrom is the length in bytes from which messages are compressed,
	// where permessage-deflate was agreed on. Default 128; a negative value
	// compresses every one.
	CompressFrom int

	// CloseTimeout bounds the time for the end of a connection, from the first
	// Close frame in either direction. Default 5 s.
	CloseTimeout time.Duration
}

// Dial connects to a ws or wss URL. ctx bounds the opening handshake, with all
// that comes before it, and not the connection. The errors are those of
// handshake.Dial, and *ProxyError.
//
// A unix socket is reached by a DialContext that ignores its addr; the URL
// then gives the Host header and the path.
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
