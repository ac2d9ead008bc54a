package wsconn

import (
	"net/http"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// AcceptOptions configure Accept and the connection. The zero value, or nil, means the
// defaults. Accept does not modify them.
//
// The fields are in two groups: those of the opening handshake, such as Origins,
// Subprotocols and Deflate, and those of the connection, such as MaxMessage.
//
//	o := &wsconn.AcceptOptions{}
//	o.Subprotocols = []string{"chat.v2", "chat.v1"}
//	o.MaxMessage = 1 << 20
type AcceptOptions struct {
	handshake.Upgrader
	Options
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
	if handshake.IsHTTP2(r) {
		res, err := o.UpgradeHTTP2(w, r)
		if err != nil {
			return nil, err
		}
		return New(newHTTP2Stream(w, r), wsproto.Server, nil, res, &o.Options), nil
	}
	nc, left, res, err := o.Upgrade(w, r)
	if err != nil {
		return nil, err
	}
	return New(nc, wsproto.Server, left, res, &o.Options), nil
}
