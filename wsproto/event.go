package wsproto

import "github.com/hawser-ws/hawser/frame"

// Kind says what an Event is.
type Kind uint8

const (
	// NeedData: everything that was fed is consumed, and its slice is the
	// caller's again.
	NeedData Kind = iota
	// Message: one whole message, in Opcode and Payload.
	Message
	// Piece: with Config.Stream, the next bytes of a message, in Opcode (the
	// message's) and Payload; Fin says that it ends here. A piece of a text may
	// end inside a character.
	Piece
	// Ping: one arrived, with Payload. The pong stands in Output.
	Ping
	// Pong: one arrived, with Payload, asked for or not.
	Pong
	// Closed: the peer's Close frame, in Code (CloseNoStatus if it had none)
	// and Payload (the reason). The answer stands in Output unless this side
	// had sent its Close before. No event but NeedData follows.
	Closed
	// Failed: the peer broke the protocol or a limit; Err is a *PeerError. The
	// Close frame that says so stands in Output. No event but NeedData follows.
	Failed
)

// Event is what Next found in the input.
type Event struct {
	Kind    Kind
	Opcode  frame.Opcode // of a Message or Piece: Text or Binary
	Fin     bool         // of a Piece: the message's last
	Code    CloseCode    // of Closed
	Payload []byte       // valid until the next call of Next or Feed; may be modified
	Err     error        // of Failed
}
