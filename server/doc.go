// Package server is a reactor for WebSocket connections: a few event loops own
// all of them, on Linux with epoll, and an idle connection has no goroutine, no
// buffer and no timer object of its own.
//
// It knows nothing of what is said: it drives package wsproto, keeps order,
// bounds and deadlines, and calls a Handler. It must not import chat.
//
// Below the loops is a kernel (kernel.go), which is all that knows the system:
// epoll (kernel_linux.go), or goroutines over net.Conn (kernel_portable.go) on
// other systems, where a connection costs one of them. Everything above, and
// what a program sees, is the same.
//
// A message's way: epoll names a connection's slot (loop.go); one read(2) into
// the loop's buffer and the protocol's events (turn.go); Handler.OnMessage;
// what that sends is posted to the mailbox of the receiver's loop (mailbox.go),
// encoded into its outbox (outbox.go) and written once at the end of the
// iteration (flush.go). Group (group.go) posts one message to a loop instead
// of one to each member.
//
// Order: everything that goes out on a connection passes through its loop's
// mailbox, in the order in which it was posted, whoever posted it. Pongs and
// the answer to a Close are placed behind what the messages before them caused.
//
// Life: a connection is adopted (adopt.go), its OnOpen is called, then OnMessage
// for each message, then OnClose, exactly once and last. Its slot is used again
// only under a new generation, so a handle that was kept too long reaches
// nobody (conn.go). How connections end is in ending.go, what is due when in
// deadline.go.
//
// Who is let in: Serve's connections are plain HTTP until a loop takes them over, and
// bounded as such (httpconns.go); a WebSocket has a place from before its handshake is
// answered (admit.go); the last descriptors are kept (descriptors.go), so that health
// probes are answered when all of that is used up.
//
// Callbacks run on the connection's loop and must not block: everything else
// on that loop waits for them.
package server
