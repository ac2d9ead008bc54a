package wsproto

import "github.com/hawser-ws/hawser/frame"

// Kind says what an Event is.
type Kind uint8

const (
	// NeedData: all input has been read, and the slice that was fed is the caller's
	// again.
	NeedData Kind = iota
	// Message: one whole message, in Opcode and Payload.
	Message
	// Piece: with Config.Stream, the next bytes of a message, in Opcode (the
	// message's) and Payload; Fin says that it ends here. A piece of a text may
	// end inside a character.
	Piece
	// Ping: a ping arrived, with Payload. Output has the pong.
	Ping
	// Pong: a pong arrived, solicited or not, with Payload.
	Pong
	// Closed: the peer's Close frame, in Code (CloseNoStatus if it had none)
	// and Payload (the reason). Output has the answer, unless this side sent its
	// Close first. No event but NeedData follows.
	Closed
	// Failed: the peer violated the protocol or exceeded a limit; Err is a
	// *PeerError. Output has the Close frame that says so. No event but NeedData
	// follows.
	Failed
)

// Event is something that Next found in the input.
type Event struct {
	Kind    Kind
	Opcode  frame.Opcode // of a Message or Piece: Text or Binary
	Fin     bool         // of a Piece: the message's last
	Code    CloseCode    // of Closed
	Payload []byte       // valid until the next call of Next, TakeMessage or Feed; may be modified
	Err     error        // of Failed
}
