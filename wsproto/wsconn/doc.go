// Package wsconn has WebSocket connections with blocking calls, for use by goroutines, in
// both roles: [Dial] makes a client's, [Accept] a server's in a handler of net/http. It works
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
// Any number of goroutines may use a [Conn]. Messages are read one at a time and written
// one at a time; reading and writing do not wait for each other. Pings are answered, and
// the peer's Close is noticed, only while a Read is in progress, so a program that only
// writes should call [Conn.CloseRead].
//
// # Ownership
//
// What Read returns belongs to the caller. What Write is given is not kept. Each Conn must be
// closed in the end, by [Conn.Close], which says goodbye, or by [Conn.CloseNow], which can
// be deferred in any case. Options are copied.
//
// # Limits
//
// A received message may have 64 KiB and 1,024 fragments unless the options say otherwise. There is
// no time limit but the contexts of the calls and CloseTimeout: call [Conn.Ping] at intervals to
// find a peer that has vanished.
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
//   - [*CloseError]: the connection has ended, and not because this program closed it. The
//     peer closed it; or the peer disappeared (1006; errors.Is with io.EOF); or the peer
//     violated the protocol or exceeded a limit (Local is true; errors.As finds a
//     *wsproto.PeerError).
//   - [ErrClosed]: this program closed the connection, or cut a frame short. It is
//     net.ErrClosed, too.
//   - the context's error: it ended first, and the connection is as it was.
//   - *wsproto.UsageError: this program asked for something that RFC 6455 forbids.
//   - *handshake.Error, from Dial: the server refused; from Accept: the client was
//     refused.
//   - [*ProxyError], from Dial: the proxy on the way to the server refused.
//
// # Large messages
//
// [Conn.Read] returns a whole message, up to MaxMessage. With the option Stream, [Conn.Reader]
// returns messages of any size as they arrive. [Conn.Writer] sends a message of any size while
// it is being written.
//
// # More connections
//
// [Pool] keeps connections for many short uses, [Reconnector] keeps one connection up for a
// long time. Both call a function of the caller's to make connections. For tests without
// a network, see package wsproto/wstest. For many thousands of connections on one server,
// see package server.
//
// # Browsers
//
// Under GOOS=js, where programs run in a browser, Dial does not work: a page cannot open
// network connections, and this package does not use the browser's own WebSocket.
package wsconn
