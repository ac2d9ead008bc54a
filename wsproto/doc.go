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
// It assembles fragmented messages, validates UTF-8 as it arrives, unmasks and
// masks, answers Ping and Close, and limits what a peer can make it hold. It never
// reads a clock, a socket or a random source, starts no goroutine and logs nothing:
// the same input gives the same output, however it was split. Everything to do with
// time is left to the driver, which asks CloseExpected, Finished and Unfinished.
//
// Its drivers are the reactor of package server, the blocking connections of package
// wsproto/wsconn, and cmd/wscat, which shows every frame.
//
// A Conn is not safe for concurrent use. Between messages it holds no buffer: its
// transient state is in a pooled object, which it returns when nothing is unfinished.
//
// With permessage-deflate (RFC 7692) a connection owns no compressor: it keeps the
// history for context takeover as plaintext, and primes a pooled compressor with it for
// each message.
//
// AppendState and RestoreState move a connection, in the midst of anything, into another
// process.
//
// Read conn.go and receive.go first, then send.go and fragment.go: all state
// transitions are there. Each of the other files is one concept.
package wsproto
