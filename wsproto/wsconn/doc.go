// Package wsconn has WebSocket connections with blocking calls, for use by goroutines, in
// both roles: Dial makes a client's, Accept a server's in a handler of net/http. It works
// on every system that Go supports. Package hawser, the root of this module, has the same
// under shorter names.
//
// A client:
//
//	c, err := wsconn.Dial(ctx, "wss://chat.example/ws", nil)
//	if err != nil {
//		return err
//	}
//	defer c.CloseNow()
//	if err := c.Write(ctx, frame.Text, []byte("hello")); err != nil {
//		return err
//	}
//	op, p, err := c.Read(ctx)
//
// A server:
//
//	func echo(w http.ResponseWriter, r *http.Request) {
//		c, err := wsconn.Accept(w, r, nil)
//		if err != nil {
//			return // the client has been answered
//		}
//		defer c.CloseNow()
//		for {
//			op, p, err := c.Read(r.Context())
//			if err != nil {
//				return
//			}
//			if err := c.Write(r.Context(), op, p); err != nil {
//				return
//			}
//		}
//	}
//
// Any number of goroutines may use a Conn. Messages are read one at a time and written
// one at a time; reading and writing do not wait for each other. Pings are answered, and
// the peer's Close is noticed, only while a Read is in progress, so a program that only
// writes should call CloseRead.
//
// # Contexts
//
// When a Read's context ends, nothing is lost: the next Read goes on where it stopped,
// even in the middle of a frame. When the context of a Write or Ping ends before its
// turn has come, nothing has been sent. But if it ends while a frame is being written,
// the rest of that frame can never be sent and nothing else may follow it, so the
// connection is closed. The same holds for a fragmented message that is not finished.
//
// # Errors
//
//   - *CloseError: the connection has ended, and not because this program closed it. The
//     peer closed it; or the peer disappeared (1006; errors.Is with io.EOF); or the peer
//     violated the protocol or exceeded a limit (Local is true; errors.As finds a
//     *wsproto.PeerError).
//   - ErrClosed: this program closed the connection, or cut a frame short. It is
//     net.ErrClosed, too.
//   - the context's error: it ended first, and the connection is as it was.
//   - *wsproto.UsageError: this program asked for something that RFC 6455 forbids.
//   - *handshake.Error, from Dial: the server refused; from Accept: the client was
//     refused.
//   - *ProxyError, from Dial: the proxy on the way to the server refused.
//
// # Large messages
//
// Read returns a whole message, up to Options.MaxMessage. With Options.Stream, Reader
// returns messages of any size as they arrive. Writer sends a message of any size while
// it is being written.
//
// # More connections
//
// Pool keeps connections for many short uses, Reconnector keeps one connection up for a
// long time. Both call a function of the caller's to make connections. For tests without
// a network, see package wsproto/wstest. For many thousands of connections on one server,
// see package server.
//
// # Browsers
//
// Under GOOS=js, where programs run in a browser, Dial does not work: a page cannot open
// network connections, and this package does not use the browser's own WebSocket.
package wsconn

// The package knows nothing about what the messages mean or about the reactor in package
// server, and logs nothing.
//
// Read conn.go first: it says which lock guards what. Then read.go, write.go,
// fragments.go, ping.go and close.go, each of them one thing that a connection does.
// dial.go, proxy.go, connect.go and accept.go make the connection, http2.go one on a
// stream of HTTP/2; netconn.go and json.go are views of it. pool.go and
// reconnect.go build on all that.
