// Package wsproto is one WebSocket connection's protocol (RFC 6455 §5–§8) as
// a state machine without input or output of its own. Bytes that arrived go
// in; events, and bytes to be written, come out:
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
// masks, answers Ping and Close, and bounds what a peer can make it hold. It
// never reads a clock, a socket or a random source, starts no goroutine and
// logs nothing: the same input gives the same output, however it was split.
// What has to do with time is a question that the driver asks (CloseExpected,
// Finished, Unfinished).
//
// Two drivers stand on it: the reactor of package server, and the blocking
// client of package wsproto/client.
//
// A Conn is not safe for concurrent use. Between messages it holds no buffer:
// all that is transient lives in a pooled object that it gives back when
// nothing is unfinished.
//
// With permessage-deflate (RFC 7692) a connection owns no compressor: what
// context takeover needs is kept as plaintext, and a pooled one is primed with
// it for each message.
//
// Read conn.go and receive.go first, then send.go and fragment.go: the
// transitions are all there. The other files are one concept each.
package wsproto
