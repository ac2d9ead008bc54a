package wsconn

import (
	"net/http"
	"time"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// AcceptOptions configure Accept and the connection. The zero value, or nil, means the
// defaults. Accept does not modify them.
//
//	o := &wsconn.AcceptOptions{
//		Origins:      []string{"https://chat.example"},
//		Subprotocols: []string{"chat.v2", "chat.v1"},
//		MaxMessage:   1 << 20,
//	}
type AcceptOptions struct {
	// Origins are the origins of the web pages that may connect, in the form that
	// browsers send: scheme, host, and the port unless it is the scheme's default, as in
	// https://chat.example. A request's Origin must be one of them, ignoring case;
	// "null" never is. "*" admits every page. An empty list admits the pages of the
	// request's own host and port. Clients that are no browsers send no Origin and are
	// always admitted.
	Origins []string

	// CheckOrigin, if set, decides about the pages that are not in Origins:
	// handshake.SameHost, handshake.OwnAddress, or a function of yours. It is called for
	// requests whose Origin is not empty. The text of its error is sent to the client.
	CheckOrigin func(r *http.Request, origin string) error

	// Subprotocols are those that the server supports, in order of preference. The first
	// one that the client offered is selected. If the client offered none of them, the
	// connection has no subprotocol.
	Subprotocols []string

	// Subprotocol, if set, replaces Subprotocols. It returns one of offered, or "" for
	// none. offered is valid until it returns.
	Subprotocol func(r *http.Request, offered []string) string

	// Deflate enables permessage-deflate (RFC 7692); nil disables it. The client's first
	// valid offer is accepted. If there is none, the connection is not compressed.
	Deflate *handshake.DeflateOptions

	// Header, if set, returns fields to add to the 101 response, such as Set-Cookie. The
	// handshake's own fields are not allowed.
	Header func(r *http.Request) http.Header

	// MaxHeaders is the maximum number of header lines in a request; 0 means 100. To
	// limit their bytes, use http.Server.MaxHeaderBytes.
	MaxHeaders int

	// Those of the connection; Options says more about each.

	MaxMessage    int           // of a received message, in bytes; default 64 KiB
	MaxFragments  int           // of a received message; default 1,024, or no limit with Stream
	Stream        bool          // Reader returns messages of any size as they arrive
	CompressFrom  int           // bytes from which messages are compressed; default 128
	CompressLevel int           // 1, the fastest and the default, to 9
	CloseTimeout  time.Duration // from the first Close frame to the end; default 5 s
}

// upgrader returns the options of the handshake.
func (o *AcceptOptions) upgrader() *handshake.Upgrader {
	return &handshake.Upgrader{
		Origins:      o.Origins,
		CheckOrigin:  o.CheckOrigin,
		Subprotocols: o.Subprotocols,
		Subprotocol:  o.Subprotocol,
		Deflate:      o.Deflate,
		Header:       o.Header,
		MaxHeaders:   o.MaxHeaders,
	}
}

// conn returns the options of the connection.
func (o *AcceptOptions) conn() *Options {
	return &Options{
		MaxMessage:    o.MaxMessage,
		MaxFragments:  o.MaxFragments,
		Stream:        o.Stream,
		CompressFrom:  o.CompressFrom,
		CompressLevel: o.CompressLevel,
		CloseTimeout:  o.CloseTimeout,
	}
}

// Accept answers the opening handshake of a client, in a handler of any net/http server,
// with TLS or without, and returns the connection, which the caller must close:
//
//	func handle(w http.ResponseWriter, r *http.Request) {
//		c, err := wsconn.Accept(w, r, nil)
//		if err != nil {
//			return // the client has been answered
//		}
//		defer c.CloseNow()
//		…
//	}
//
// If the error is a *handshake.Error, the client was refused and has been answered. Any
// other error means that the connection was lost during the handshake. In both cases the
// handler should log the error and return.
//
// # Contexts
//
// r.Context() ends when the handler returns. It does not end when the client goes away:
// Read and CloseRead notice that. So a handler that reads and writes until the end can
// use r.Context() for its calls. If the connection outlives the handler, its calls need
// another context.
//
// # HTTP/2
//
// A client may open a WebSocket on a stream of an HTTP/2 connection that it already has
// (RFC 8441). Accept takes it if net/http accepts such requests, which it does not do by
// default: see package wsproto/wsconn/enablehttp2. The stream ends when the handler
// returns, and so does the connection. Before that, the handler must call Close or
// CloseNow, which here wait until a Close frame that is on its way has been sent.
//
// # The server
//
// The connection is no longer the http.Server's. Its timeouts do not apply, and Shutdown
// neither closes the connection nor waits for it. Middleware must let the handler hijack
// the connection: its ResponseWriter needs a method Unwrap or Hijack.
func Accept(w http.ResponseWriter, r *http.Request, o *AcceptOptions) (*Conn, error) {
	if o == nil {
		o = &AcceptOptions{}
	}
	u := o.upgrader()
	if handshake.IsHTTP2(r) {
		res, err := u.UpgradeHTTP2(w, r)
		if err != nil {
			return nil, err
		}
		return New(newHTTP2Stream(w, r), wsproto.Server, nil, res, o.conn()), nil
	}
	nc, left, res, err := u.Upgrade(w, r)
	if err != nil {
		return nil, err
	}
	return New(nc, wsproto.Server, left, res, o.conn()), nil
}
