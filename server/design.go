package server

// How the package works, for those who change it. doc.go is for its users.
//
// The package knows nothing of what the messages mean: it drives package wsproto, enforces
// order, limits and deadlines, and calls a Handler. It must not import chat.
//
// Below the loops is a kernel (kernel.go), the only part that knows the operating
// system: epoll (kernel_linux.go), or goroutines over net.Conn (kernel_portable.go)
// on other systems. Everything above it is the same on both.
//
// The path of a message: epoll names a connection's slot (loop.go); one read(2) fills
// the loop's buffer, and the protocol turns that into events (turn.go);
// Handler.OnMessage is called; what it sends is posted to the mailbox of the
// receiver's loop (mailbox.go), encoded into the receiver's outbox (outbox.go) and
// written once, at the end of the iteration (flush.go). Group (group.go) posts a
// message once to each loop instead of once to each member.
//
// Order: everything that goes out on a connection passes through its loop's
// mailbox, in the order in which it was posted; what a callback sends to its own connection
// does so only if the mailbox is not empty (loopconn.go). A message without room is refused, and
// a notice comes when there is room again (room.go). Pongs and the answer to a Close
// come after whatever the preceding messages caused to be sent.
//
// Life cycle: a connection is adopted (adopt.go), its OnOpen is called, then OnMessage
// for each message, then OnClose. Its slot is reused only under a new generation, so a
// stale handle reaches no connection (conn.go). A connection's phases, and what moves it
// from one to the next, are in life.go; its deadlines are in deadline.go.
//
// Accepting: the listener gives connections to the loops (doorway.go), which parse opening
// handshakes in the form that clients write (opening_request.go) and answer them
// (opening.go). What a loop does not accept goes to net/http with every byte of it, so
// there is one set of rules.
//
// Admission: connections accepted by Serve are plain HTTP until a loop takes them over,
// and are limited as such (httpconns.go); a WebSocket reserves its place before its
// handshake is answered (reserve.go); the last descriptors are kept back
// (descriptors.go), so that health probes are answered even when everything else is
// used up.
//
// Live upgrade: connections move to another process with everything that belongs to them
// (freeze.go, thaw.go); what that is, is in frozenconn.go. Package handover carries it.
