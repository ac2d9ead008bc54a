// Package wsconn is a WebSocket client with blocking calls, for use by goroutines: a
// driver of package wsproto, and the code that makes its connections. It works on every
// system that Go supports.
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
// Any number of goroutines may use a Conn. Messages are read one at a time and written
// one at a time; reading and writing do not wait for each other. Pings are answered, and
// the peer's Close is noticed, only while a Read is in progress, so a program that only
// writes should call CloseRead.
//
// When a Read's context ends, nothing is lost: the next Read goes on where it stopped,
// even in the middle of a frame. When the context of a Write or Ping ends before its
// turn has come, nothing has been sent. But if it ends while a frame is being written,
// the rest of that frame can never be sent and nothing else may follow it, so the
// connection is closed. The same holds for a fragmented message that is not finished.
//
// The type of an error says who is to blame:
//
//   - *CloseError: the peer closed, or disappeared (1006; errors.Is with io.EOF).
//   - *wsproto.PeerError: the peer violated the protocol or exceeded a limit.
//   - *wsproto.UsageError: this program asked for something that RFC 6455 forbids.
//   - ErrClosed: this side closed, or cut a frame short.
//   - the context's error: it ended first, and the connection is as it was.
//   - *handshake.Error and *ProxyError, from Dial: the server, or the proxy on the way
//     to it, refused.
//
// Pool keeps connections for many short uses, Reconnector keeps one connection up for a
// long time. Both call a function of the caller's to make connections.
//
// The package knows nothing about what the messages mean or about the reactor in
// package server, and logs nothing.
//
// Read conn.go first: it says which lock guards what. Then read.go, write.go,
// fragments.go, ping.go and close.go, each of them one thing that a connection does.
// dial.go, proxy.go and connect.go make the connection; pool.go and reconnect.go build
// on all that.
package wsconn
