// Package h2 is one end of an HTTP/2 connection (RFC 9113), as far as WebSocket needs it
// (RFC 8441), in either role. It is made for a tester: it can do what other
// implementations must not, such as holding back window updates, and it notices what the
// other end must not do.
//
// A Stream is a net.Conn, so that a case is played over it as over TCP: each Write is a
// DATA frame, CloseWrite is END_STREAM, and a reset is an error of Read. Frames are
// encoded by golang.org/x/net/http2's Framer, and header fields by its hpack; the
// streams, the flow control and the rules are this package's own.
//
// Read conn.go for the connection, receive.go for what may arrive, stream.go for the
// streams.
package h2
