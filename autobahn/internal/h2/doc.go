// Package h2 is one end of an HTTP/2 connection (RFC 9113), as far as WebSocket needs it
// (RFC 8441), in either role. It is a tester's: it can do what others must not, such as
// holding back window updates, and it notices what the other end must not do.
//
// A Stream is a net.Conn, so that a case is played over it as over TCP: each Write is a
// DATA frame, CloseWrite is END_STREAM, and a reset is an error of Read. Frames are laid
// out by golang.org/x/net/http2's Framer, and header fields by its hpack; the streams,
// the flow control and what is legal are this package's own.
//
// Read conn.go for the connection, receive.go for what may arrive, stream.go for the
// streams.
package h2
