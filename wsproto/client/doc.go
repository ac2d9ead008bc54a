// Package client is a WebSocket client for goroutines: the blocking driver of
// package wsproto, and the way to its connections, on every system that Go runs
// on.
//
//	c, err := client.Dial(ctx, "wss://chat.example/ws", nil)
//	if err != nil {
//		return err
//	}
//	defer c.CloseNow()
//	if err := c.Write(ctx, frame.Text, []byte("hello")); err != nil {
//		return err
//	}
//	op, p, err := c.Read(ctx)
//
// Any number of goroutines may use a Conn. Messages are written one after the
// other and read one after the other; reading and writing do not wait for each
// other. Pings are answered, and the peer's Close is noticed, while somebody
// reads: a program that only writes calls CloseRead.
//
// A context that ends stops a Read, and the next one goes on where it was, also
// in the middle of a frame. It stops a Write or a Ping that waits for its turn,
// and nothing has been sent then. But if it ends while a frame is being written,
// the rest of the frame can never be sent and nothing else may follow: the
// connection is unusable from then on, and closed. The same holds for a message
// in fragments that does not come to its end.
//
// The type of an error says who is to blame:
//
//   - *CloseError: the peer closed, or vanished (1006; errors.Is with io.EOF).
//   - *wsproto.PeerError: the peer broke the protocol or passed a limit.
//   - *wsproto.UsageError: this program asked for what RFC 6455 forbids.
//   - ErrClosed: this side closed, or cut a frame short.
//   - the context's error: it ended first, and the connection is as it was.
//   - *handshake.Error and *ProxyError, of Dial: the server, or the proxy on the
//     way to it, refused.
//
// Pool keeps connections for many short uses, Reconnector keeps one up for a
// long time. Both make them by a function of the caller's.
//
// The package knows nothing of what the messages mean, of the reactor in package
// server, or of any log.
//
// Read conn.go first: it says who may touch what. Then read.go, write.go,
// fragments.go, ping.go and close.go, each one thing that a connection does;
// dial.go, proxy.go and connect.go are the way to the server; pool.go and
// reconnect.go stand on all that.
package client
