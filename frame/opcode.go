package frame

import "strconv"

// Opcode says what a frame's payload means (RFC 6455 §5.2, §11.8).
type Opcode byte

// The opcodes that RFC 6455 defines. 3–7 and B–F are reserved.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xA
)

// IsControl reports whether o is in the control range, 8–F (RFC 6455 §5.5).
func (o Opcode) IsControl() bool { return o&0x8 != 0 }

// IsData reports whether o starts a message: Text or Binary.
func (o Opcode) IsData() bool { return o == Text || o == Binary }

// IsReserved reports whether RFC 6455 leaves o undefined.
func (o Opcode) IsReserved() bool { return o&0x7 > 2 }

func (o Opcode) String() string {
	switch o {
	case Continuation:
		return "continuation"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	}
	return "reserved opcode " + strconv.Itoa(int(o))
}
