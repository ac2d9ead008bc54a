// Package server serves very many WebSocket connections on few goroutines. A few event
// loops own all of them, on Linux with epoll, and an idle connection has no goroutine, no
// buffer and no timer of its own: it takes about 400 bytes.
//
// Use it for tens of thousands of connections, or for messages that go to many of them. If
// a goroutine for each connection is affordable, package wsproto/wsconn is simpler: its
// handlers may block, and it works over every net.Conn.
//
//	type echo struct{}
//
//	func (echo) OnOpen(c server.LoopConn)                               {}
//	func (echo) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) { c.Send(op, p) }
//	func (echo) OnClose(c server.LoopConn, err error)                   {}
//
//	func main() {
//		s, err := server.New(server.Config{Handler: echo{}})
//		if err != nil {
//			log.Fatal(err)
//		}
//		ln, err := net.Listen("tcp", "127.0.0.1:9001")
//		if err != nil {
//			log.Fatal(err)
//		}
//		log.Fatal(s.Serve(ln))
//	}
//
// A [Server] gets its connections in one of these ways:
//
//   - [Server.Serve] accepts them at a listener, with [Config].TLS or without. On Linux this
//     is the cheapest way, and the only one with limits for connections that are not
//     WebSockets yet.
//   - [Server.ServeHTTP] is a handler for an http.Server and a router of your own. Over TLS,
//     wrap its listener with [AdoptableListener]; otherwise a connection costs a goroutine.
//   - [Server.Adopt] takes a connection whose handshake is done, in either role: a client
//     with many connections dials with handshake.Dial and adopts them.
//
// [Server.Endpoint] gives the connections of a path a Handler and limits of their own.
//
// # Callbacks
//
// The methods of a [Handler] are called on the loop of the connection: OnOpen first, then
// OnMessage for each message, then OnClose, exactly once and last. No two run at once for
// one connection, but those of connections on different loops do. They must not block,
// because every other connection of the loop waits for them. A handler that must block is
// wrapped by [Blocking], which runs it on goroutines, in order for each connection.
//
// A Handler may have more methods: OnWritable ([WritableHandler]) says that a slow peer has
// caught up, and OnFragment ([FragmentHandler]) gets messages of any size in pieces.
//
// # Ownership
//
// The payload that OnMessage gets belongs to the server again when OnMessage returns: keep a
// copy. So does the [LoopConn]. What may be kept, compared and used by any goroutine is its
// [Conn], a handle: once the connection is gone, it does nothing and reaches no other
// connection. Send copies its payload. SendPrepared and [Group.Send] do not: they share a
// [wsproto.Prepared], which cannot be changed.
//
// # Sending
//
// Everything that is sent to a connection arrives in the order in which it was sent, no
// matter whether by callbacks, goroutines or groups. [Conn.Send] never blocks: it queues.
// If the queue is full, it returns [ErrQueueFull], and the program chooses: [Conn.Evict]
// closes the connection with 1013, [Conn.SendWait] waits in a goroutine, and OnWritable
// says when to go on. [Conn.NewWriter] sends a message of any size in pieces.
//
// A [Group] sends one message to many connections, which costs one post for each loop
// instead of one for each member. Encode the message once, with [wsproto.NewPrepared].
//
// # Errors
//
// OnClose gets a [*CloseError]: its Code is what the peer's Close frame said, or what this
// side sent, or 1006 if there was none. Its Err, which errors.Is and errors.As find, says
// why: nil after a Close that either program asked for; io.EOF or a syscall.Errno if the
// network ended the connection; a *wsproto.PeerError if the peer broke the protocol; or
// [ErrPingTimeout], [ErrWriteTimeout], [ErrQueueFull], [ErrOverBudget] and the like if this
// server gave up. Sending returns [ErrClosed], which is net.ErrClosed, too.
//
// A panic in a callback is logged and ends its connection with 1011, and no other.
//
// # Limits
//
// The zero [Config] has limits that suit the public internet: 64 KiB for a message, 1 MiB
// waiting to be written to a connection, 15 s for a message to arrive, a ping after 30 s of
// silence, 5 s for a handshake, 2,000 connections from one address. Each is a field, and
// [Off] lifts it. By default web pages may connect only from the server's own host and port;
// see [handshake.Upgrader]. MaxConns, MaxHandshakeRate and MemoryBudget have no defaults: set
// them to what the machine can bear.
//
// # Contexts
//
// Config.Admit is given a request whose context ends with the connection, and the context that
// a [BlockingHandler] is given does so, too. [Server.Shutdown] ends all connections with 1001 and
// waits for them; its context bounds how long that may take. [Server.Drain] spreads it over time,
// so that clients do not all reconnect at once.
//
// # Moving to another process
//
// [Server.Freeze] and [Server.Thaw] move listeners and open connections to a new process
// while a program is upgraded, with everything that belongs to them. No client notices.
// Package server/handover carries what they need.
//
// # Other systems
//
// Without epoll, each connection costs a goroutine that waits for it. Everything else is
// the same.
package server
