// Package wsproto is the protocol of one WebSocket connection (RFC 6455 §5–§8) as a
// state machine that does no I/O. Received bytes go in; events, and bytes to be
// written, come out:
//
//	c.Feed(p)
//	for {
//		ev := c.Next()
//		write(c.Output()) // pongs, the answer to a Close, the Close of a failure
//		switch ev.Kind {
//		case wsproto.NeedData:
//			return // p is yours again
//		case wsproto.Message:
//			handle(ev.Opcode, ev.Payload) // valid until the next call of Next
//		}
//	}
//
// It is for programs that bring their own I/O: an event loop, a simulator, a tester. Most
// programs want a driver that has it: package wsproto/wsconn for goroutines, or package
// server for very many connections.
//
// A [Conn] assembles fragmented messages, validates UTF-8 as it arrives, unmasks and
// masks, answers Ping and Close, speaks permessage-deflate (RFC 7692), and limits what a peer
// can make it hold. It never reads a clock, a socket or a random source, starts no goroutine
// and logs nothing: the same input gives the same output, however it was split.
//
// # Ownership
//
// A Conn is not safe for concurrent use. The slice that Feed gets is the connection's, and
// is modified, until Next returns NeedData. What Next and Output return is valid until the
// next call of Next or Feed. The Append methods modify only the destination. A [Prepared] is immutable: it
// encodes a message once, for any number of connections and goroutines.
//
// Between messages a Conn holds no buffer, and never a compressor: what is unfinished is in
// pooled memory, and with context takeover the history is kept as plaintext. [Conn.Release] gives all
// of it back.
//
// # Time
//
// Time limits are the driver's. [Conn.CloseExpected] says that the connection should end soon,
// [Conn.Finished] that it is over, and [Conn.Unfinished] that a message has begun and not ended.
//
// # Errors and limits
//
// If the peer breaks the protocol or a limit of [Config], Next returns Failed with a
// [*PeerError], and Output has the Close frame that says so. A [*UsageError] is this
// program's own mistake, and nothing that a peer sends can cause one. Sending after a Close is
// [ErrClosed]. A [*CloseError] is what drivers return once a connection has ended. The defaults
// are 64 KiB for a message and 1,024 fragments.
//
// # Moving
//
// [Conn.AppendState] and [Conn.RestoreState] move a connection into another process at
// any time, even inside a frame.
package wsproto
