package server

import "github.com/hawser-ws/hawser/frame"

// FragmentHandler is a Handler that is given messages in pieces as they arrive, so that they
// are not held in memory. OnMessage is never called.
type FragmentHandler interface {
	Handler

	// OnFragment delivers the next piece of a message, in whatever pieces the network brings
	// it, of at most 64 KiB; fin says that the message ends with it. p is valid until
	// OnFragment returns, may be modified, and may be empty where fin is set. A piece of a
	// text may end inside a character; a message that is not UTF-8 is never ended by fin.
	//
	// Config.MaxMessage does not limit the whole message, only Config.AssemblyTimeout its
	// time; count, and close the connection with CloseMessageTooBig. A message that came
	// compressed is delivered in one piece, and limited by MaxMessage. Pausing works as in
	// OnMessage: the next piece is delivered after the connection is resumed.
	OnFragment(c LoopConn, op frame.Opcode, p []byte, fin bool)
}

func (l *loop) onFragment(c *conn, op frame.Opcode, p []byte, fin bool) {
	defer l.leave(c)
	c.endpoint.fragments.OnFragment(l.enter(c), op, p, fin)
}
